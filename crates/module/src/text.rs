//! Accepts the text format where a binary is expected.
//!
//! Comes from the command line: whatever the file held. Gives a binary, or says what the file is instead. The text is
//! parsed by the `wat` crate, whose errors show line, column and the line itself.

use std::path::Path;

use wasmr_core::count::Count;

use crate::bytes::ModuleBytes;
#[cfg(feature = "wat")]
use crate::error::quoted;
use crate::error::{Fault, ModuleError};
#[cfg(feature = "wat")]
use crate::text_hints;

/// The first bytes of every binary module and component.
const MAGIC: &[u8] = b"\0asm";

/// First bytes of files that people hand over by mistake.
const KNOWN: [(&[u8], &str); 9] = [
    (b"\x7fELF", "an ELF executable or object file"),
    (b"MZ", "a Windows executable"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file"),
    (b"!<arch>", "an object archive"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"#!", "a script"),
];

/// The binary for what a file held: itself if it is one, else its translation from the text format.
///
/// `path` is for messages only. A binary is passed on without a look beyond its first four bytes.
///
/// # Errors
/// [`Fault::Malformed`] with line, column and the line in question, if it is faulty text; with the first bytes, if it is
/// neither format.
pub fn bytes_from_input(input: ModuleBytes, path: &Path) -> Result<ModuleBytes, ModuleError> {
    let bytes = input.as_ref();
    if bytes.starts_with(MAGIC) {
        return Ok(input);
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    match std::str::from_utf8(bytes) {
        Ok(text) if looks_like_text(text) => binary_of(text, path),
        Err(error) if looks_like_text(std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()) => {
            let message = format!("the text is not UTF-8 at byte {}", error.valid_up_to());
            Err(ModuleError::new(Fault::Malformed, message, None).in_module(&name))
        }
        _ => {
            let message = format!("not a WebAssembly module: {}", description(bytes));
            Err(ModuleError::new(Fault::Malformed, message, None).in_module(&name))
        }
    }
}

/// The binary for a text.
#[cfg(feature = "wat")]
fn binary_of(text: &str, path: &Path) -> Result<ModuleBytes, ModuleError> {
    match wat::Parser::new().parse_str(Some(path), text) {
        Ok(binary) => Ok(binary.into()),
        Err(error) => {
            let mut message = rendered(&error);
            if let Some(hint) = text_hints::hint_in(text) {
                message.push_str(&format!("\nhint: {hint}"));
            }
            Err(ModuleError::new(Fault::Malformed, message, None))
        }
    }
}

/// Says that there is no parser in this build.
#[cfg(not(feature = "wat"))]
fn binary_of(_text: &str, path: &Path) -> Result<ModuleBytes, ModuleError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let message = "it is in the text format, which this build does not read (feature `wat` of the crate)".to_owned();
    Err(ModuleError::new(Fault::Unsupported, message, None).in_module(&name))
}

/// Returns true if the first token is an opening parenthesis: enough to report errors as errors of the text
/// format, not as a foreign file.
#[cfg(feature = "wat")]
fn looks_like_text(text: &str) -> bool {
    matches!(wat::Detect::from_bytes(text), wat::Detect::WasmText)
}

/// Returns true if the text begins with an opening parenthesis or a comment.
#[cfg(not(feature = "wat"))]
fn looks_like_text(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('(') || text.starts_with(";;")
}

/// Returns the error as it is: there are no texts to point into.
#[cfg(not(feature = "wat"))]
pub fn with_text_place(error: ModuleError, _text: &[u8], _binary: &[u8], _path: &Path) -> ModuleError {
    error
}

/// What a file that is neither format begins with.
fn description(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the file is empty".to_owned();
    }
    if MAGIC.starts_with(bytes) {
        return format!("the file ends after {}", Count(bytes.len(), "byte"));
    }
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return format!("it is {what}");
    }
    let head = &bytes[..bytes.len().min(16)];
    match std::str::from_utf8(head).or_else(|error| std::str::from_utf8(&head[..error.valid_up_to()])) {
        Ok(text) if text.len() >= 4 && !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
            format!("starts with {text:?}")
        }
        _ => {
            let hex: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("starts with the bytes {}", hex.join(" "))
        }
    }
}

/// The error of the `wat` crate, fit for a terminal: each line bounded, control characters escaped.
#[cfg(feature = "wat")]
fn rendered(error: &wat::Error) -> String {
    let lines: Vec<String> = error.to_string().lines().map(quoted).collect();
    lines.join("\n")
}
