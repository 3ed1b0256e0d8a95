//! The text of broken assumptions, with the machine instruction of each.

use iced_x86::{Decoder, DecoderOptions};

use crate::copy_patch::assumption::Broken;

/// Returns the machine instruction at an address of `code`, which starts at address `base`.
pub(crate) fn instruction(at: u64, code: &[u8], base: u64) -> String {
    let offset = usize::try_from(at.wrapping_sub(base)).unwrap_or(usize::MAX);
    match code.get(offset..) {
        Some(code) if !code.is_empty() => Decoder::with_ip(64, code, at, DecoderOptions::NONE).decode().to_string(),
        _ => "no known code".to_owned(),
    }
}

/// Returns a line for each broken assumption of the handler `name`, which starts `code` at address `base`.
pub(crate) fn explain(name: &str, broken: &[Broken], code: &[u8], base: u64) -> String {
    let lines = broken.iter().map(|broken| {
        let text = instruction(broken.at, code, base);
        let offset = broken.at.wrapping_sub(base) as i64;
        format!("{name}: `{text}` at {:#x} (byte {offset}) breaks {}", broken.at, broken.assumption)
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { format!("{name}: no assumption is known to be broken") } else { lines.join("\n") }
}
