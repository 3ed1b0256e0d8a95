//! Checks of a binary that modules and components share: its size, its header, the counts of its sections, and its end.
//!
//! # Untrusted counts
//! Each item of a [vector](https://webassembly.github.io/spec/core/binary/conventions.html#lists) takes at least one byte. A
//! count above the size of its section is refused before anything reserves memory for the items.

use wasmparser::{FromReader, SectionLimited};
use wasmr_core::count::Count;

use crate::error::{Fault, ModuleError};
use crate::section_map;

/// Returns true if bytes have the header of a component, of whatever version. A module has the same first four bytes.
pub fn has_component_header(binary: &[u8]) -> bool {
    binary.len() >= 8 && binary.starts_with(b"\0asm") && binary[6..8] == [1, 0]
}

/// Refuses a binary of 4 GiB or more. Offsets in a binary fit into 32 bits.
pub fn check_size(binary: &[u8]) -> Result<(), ModuleError> {
    if binary.len() > u32::MAX as usize {
        let message = format!("it has {} bytes, but the limit is {}", binary.len(), u32::MAX);
        return Err(ModuleError::new(Fault::OverLimit, message, None));
    }
    Ok(())
}

/// Validates a section of items. On failure it distinguishes malformed from invalid. `from_parser` converts errors.
pub fn check_items<'a, T: FromReader<'a>>(
    reader: &SectionLimited<'a, T>,
    validate: impl FnOnce(&SectionLimited<'a, T>) -> wasmparser::Result<()>,
    from_parser: impl FnOnce(&wasmparser::Error, Fault) -> ModuleError,
) -> Result<(), ModuleError> {
    let range = reader.range();
    let size = range.end - range.start;
    if u64::from(reader.count()) > size {
        let message = format!("section of {} declares {}", Count(size, "byte"), Count(reader.count(), "item"));
        return Err(ModuleError::new(Fault::Malformed, message, Some(range.start)));
    }
    validate(reader).map_err(|error| {
        let decoded = reader.clone().into_iter().find_map(Result::err);
        let malformed = decoded.is_some_and(|first| first.offset() <= error.offset());
        from_parser(&error, if malformed { Fault::Malformed } else { Fault::Invalid })
    })
}

/// Returns the error for a binary that ends within a section, probably an incomplete download; `None` if it does not. `error` is that
/// of wasmparser, and `sections` are the names of the sections by id.
pub fn cut_off(binary: &[u8], error: &wasmparser::Error, sections: &[&str]) -> Option<ModuleError> {
    if !error.message().starts_with("unexpected end") {
        return None;
    }
    let (id, missing) = section_map::cut_off(binary)?;
    Some(beyond_end(sections.get(usize::from(id))?, missing, error.offset()))
}

/// Returns the error for a section that has `missing` bytes less than its size.
pub fn beyond_end(section: &str, missing: usize, offset: u64) -> ModuleError {
    let missing = match missing {
        0..10_000 => Count(missing, "byte").to_string(),
        10_000..1_000_000 => format!("{:.1} kB", missing as f64 / 1e3),
        _ => format!("{:.1} MB", missing as f64 / 1e6),
    };
    let message = format!(
        "unexpected end-of-file: the {section} section goes on {missing} beyond the end of the file; an incomplete download?"
    );
    ModuleError::new(Fault::Malformed, message, Some(offset))
}
