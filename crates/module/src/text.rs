//! Accepts the text format where a binary is expected.
//!
//! Converts the contents of a file to a binary, or returns an error with the probable kind of the file. The `wat` crate parses
//! the text; its errors have line, column and the line itself.

use std::path::Path;

use wasmr_core::count::Count;

use crate::bytes::ModuleBytes;
#[cfg(feature = "wat")]
use crate::error::quoted;
use crate::error::{Fault, ModuleError};
#[cfg(feature = "wat")]
use crate::legacy_text::{Unfolded, unfold_tries};
#[cfg(feature = "wat")]
use crate::text_hints;

/// [First bytes](https://webassembly.github.io/spec/core/binary/modules.html#binary-magic) of every binary module and
/// component.
const MAGIC: &[u8] = b"\0asm";

/// First bytes of other kinds of files that users may pass by mistake.
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

/// Returns the contents of a file as a binary, translated if they are in the text format.
///
/// `path` is used in messages only. Of a binary only the first four bytes are checked.
///
/// # Errors
/// [`Fault::Malformed`]: with line, column and the faulty line if the file is text, or with its first bytes if it is neither
/// text nor binary.
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

/// Returns the binary of a text.
#[cfg(feature = "wat")]
fn binary_of(text: &str, path: &Path) -> Result<ModuleBytes, ModuleError> {
    let unfolded = unfold_tries(text);
    let text = unfolded.as_ref().map_or(text, Unfolded::text);
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

/// Returns the error for a build without a parser.
#[cfg(not(feature = "wat"))]
fn binary_of(_text: &str, path: &Path) -> Result<ModuleBytes, ModuleError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let message =
        "the module is in the text format, which this build does not read (feature `wat` of the crate)".to_owned();
    Err(ModuleError::new(Fault::Unsupported, message, None).in_module(&name))
}

/// Returns true if the first token is an opening parenthesis. Errors are then reported as errors of the text format, not as a
/// foreign file.
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

/// Returns the error unchanged: a build without a parser accepts no texts.
#[cfg(not(feature = "wat"))]
pub fn with_text_place(error: ModuleError, _text: &[u8], _binary: &[u8], _path: &Path) -> ModuleError {
    error
}

/// Returns a description of a file that is neither text nor binary.
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

/// Returns an error of the `wat` crate with each line escaped and shortened.
#[cfg(feature = "wat")]
fn rendered(error: &wat::Error) -> String {
    let lines: Vec<String> = error.to_string().lines().map(quoted).collect();
    lines.join("\n")
}
