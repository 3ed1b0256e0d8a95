//! Strings: UTF-8, UTF-16, and Latin-1 or UTF-16 (`latin1+utf16`).
//!
//! The sizes that `realloc` is asked for, and the order of its calls, are those of the
//! [specification](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md#storing): the worst case first,
//! then the exact size.

use std::ops::Range;

use wasmr_component::StringEncoding;

use crate::abi::transfer::TransferCx;
use crate::abi::{Budget, LiftCx, LowerCx, MAX_BYTES, checked_range, read};
use crate::error::{AbiError, Result};

/// Bit of a length that tells UTF-16 from Latin-1.
const UTF16_TAG: u32 = 1 << 31;

/// The code units of a string in linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Units {
    Utf8,
    Utf16,
    Latin1,
}

/// A string in linear memory.
#[derive(Clone, Debug)]
struct Located {
    units: Units,
    range: Range<usize>,
    /// Number of code units.
    count: u32,
}

/// Finds a string in a memory of `size` bytes.
fn locate(size: usize, encoding: StringEncoding, ptr: u32, len: u32) -> Result<Located> {
    let (units, count, width, align) = match encoding {
        StringEncoding::Utf8 => (Units::Utf8, len, 1, 1),
        StringEncoding::Utf16 => (Units::Utf16, len, 2, 2),
        StringEncoding::CompactUtf16 if len & UTF16_TAG == 0 => (Units::Latin1, len, 1, 2),
        StringEncoding::CompactUtf16 => (Units::Utf16, len ^ UTF16_TAG, 2, 2),
    };
    let bytes = u64::from(count) * width;
    if bytes >= MAX_BYTES {
        return Err(AbiError::trap(format!(
            "string pointer/length out of bounds of memory: a string of {bytes} bytes is longer than any may be"
        )));
    }
    let range = checked_range(size, ptr, bytes, align, "string")?;
    Ok(Located { units, range, count })
}

/// Returns the text of valid UTF-8.
fn check_utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| AbiError::trap(error.to_string()))
}

/// Returns the code units of UTF-16.
fn units16(bytes: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    bytes.chunks_exact(2).map(|unit| u16::from_le_bytes(read(unit, 0)))
}

/// Checks that bytes are valid UTF-16. Returns the number of bytes of its text in UTF-8.
fn check_utf16(bytes: &[u8]) -> Result<usize> {
    let mut len = 0;
    for (index, c) in char::decode_utf16(units16(bytes)).enumerate() {
        len += c
            .map_err(|_| AbiError::trap(format!("invalid utf-16: an unpaired surrogate after {index} characters")))?
            .len_utf8();
    }
    Ok(len)
}

/// Returns the text of code units.
fn decode(units: Units, bytes: &[u8], budget: &mut Budget) -> Result<String> {
    match units {
        Units::Utf8 => {
            let text = check_utf8(bytes)?;
            budget.take(text.len())?;
            Ok(text.to_owned())
        }
        Units::Utf16 => {
            budget.take(check_utf16(bytes)?)?;
            Ok(char::decode_utf16(units16(bytes)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        Units::Latin1 => {
            budget.take(bytes.len() + bytes.iter().filter(|byte| !byte.is_ascii()).count())?;
            Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
        }
    }
}

/// Lifts a string.
pub(crate) fn lift(cx: &mut LiftCx<'_>, ptr: u32, len: u32) -> Result<String> {
    let located = locate(cx.memory.len(), cx.options.encoding, ptr, len)?;
    decode(located.units, &cx.memory[located.range], &mut cx.budget)
}

/// Lowers a string of the host. Returns pointer and length.
pub(crate) fn lower(cx: &mut LowerCx<'_>, text: &str) -> Result<(u32, u32)> {
    let too_long = || AbiError::host(format!("a string of {} bytes is too long", text.len()));
    if text.len() as u64 >= MAX_BYTES {
        return Err(too_long());
    }
    let encoding = match cx.options.encoding {
        // Text that is Latin-1 needs no tag.
        StringEncoding::CompactUtf16 if text.chars().all(|c| u32::from(c) < 0x100) => {
            let len = text.chars().count();
            let ptr = cx.allocate(2, len as u64)?;
            write_latin1(&mut cx.memory()[ptr as usize..], text);
            return Ok((ptr, len as u32));
        }
        encoding => encoding,
    };
    if encoding == StringEncoding::Utf8 {
        let ptr = cx.allocate(1, text.len() as u64)?;
        cx.memory()[ptr as usize..ptr as usize + text.len()].copy_from_slice(text.as_bytes());
        return Ok((ptr, text.len() as u32));
    }
    let units = text.encode_utf16().count() as u32;
    if u64::from(units) * 2 >= MAX_BYTES {
        return Err(too_long());
    }
    let ptr = cx.allocate(2, u64::from(units) * 2)?;
    write_utf16(&mut cx.memory()[ptr as usize..], text);
    let tag = if encoding == StringEncoding::CompactUtf16 { UTF16_TAG } else { 0 };
    Ok((ptr, units | tag))
}

/// Writes text whose characters are below 256.
fn write_latin1(place: &mut [u8], text: &str) {
    for (byte, c) in place.iter_mut().zip(text.chars()) {
        *byte = u32::from(c) as u8;
    }
}

/// Writes text as UTF-16. Returns the number of bytes.
fn write_utf16(place: &mut [u8], text: &str) -> usize {
    let mut written = 0;
    for (place, unit) in place.chunks_exact_mut(2).zip(text.encode_utf16()) {
        place.copy_from_slice(&unit.to_le_bytes());
        written += 2;
    }
    written
}

/// Passes a string from one guest to another. Returns pointer and length.
pub(crate) fn transfer(cx: &mut TransferCx<'_>, ptr: u32, len: u32) -> Result<(u32, u32)> {
    let source = locate(cx.source().len(), cx.from.encoding, ptr, len)?;
    let count = source.count;
    cx.budget.take(source.range.len())?;
    let same = match (source.units, cx.lower.options.encoding) {
        (Units::Utf8, StringEncoding::Utf8) => Some(1),
        (Units::Utf16, StringEncoding::Utf16 | StringEncoding::CompactUtf16)
            if cx.lower.options.encoding == cx.from.encoding =>
        {
            Some(2)
        }
        (Units::Latin1, StringEncoding::CompactUtf16) => Some(2),
        _ => None,
    };
    if let Some(align) = same {
        match source.units {
            Units::Utf8 => drop(check_utf8(&cx.source()[source.range.clone()])?),
            Units::Utf16 => drop(check_utf16(&cx.source()[source.range.clone()])?),
            Units::Latin1 => {}
        }
        let to = cx.lower.allocate(align, source.range.len() as u64)?;
        cx.copy(source.range.clone(), to as usize);
        if source.units == Units::Utf16 && cx.lower.options.encoding == StringEncoding::CompactUtf16 {
            return narrow(&mut cx.lower, to, count);
        }
        return Ok((to, count));
    }
    let mut budget = cx.budget;
    let text = decode(source.units, &cx.source()[source.range], &mut budget)?;
    cx.budget = budget;
    match (source.units, cx.lower.options.encoding) {
        (Units::Utf16, StringEncoding::Utf8) => to_utf8(&mut cx.lower, &text, count, 3),
        (_, StringEncoding::Utf8) => to_utf8(&mut cx.lower, &text, count, 2),
        (_, StringEncoding::Utf16) => to_utf16(&mut cx.lower, &text, count),
        (_, StringEncoding::CompactUtf16) => to_compact(&mut cx.lower, &text, count),
    }
}

/// Stores text of `count` code units as UTF-8, of which a unit takes at most `worst` bytes.
fn to_utf8(cx: &mut LowerCx<'_>, text: &str, count: u32, worst: u64) -> Result<(u32, u32)> {
    let bytes = text.as_bytes();
    let ascii = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
    let mut ptr = cx.allocate(1, count.into())?;
    cx.memory()[ptr as usize..ptr as usize + ascii].copy_from_slice(&bytes[..ascii]);
    if ascii < bytes.len() {
        let worst = u64::from(count) * worst;
        ptr = cx.reallocate(ptr, count.into(), 1, worst)?;
        cx.memory()[ptr as usize + ascii..ptr as usize + bytes.len()].copy_from_slice(&bytes[ascii..]);
        if worst > bytes.len() as u64 {
            ptr = cx.reallocate(ptr, worst, 1, bytes.len() as u64)?;
        }
    }
    Ok((ptr, bytes.len() as u32))
}

/// Stores text of `count` code units as UTF-16.
fn to_utf16(cx: &mut LowerCx<'_>, text: &str, count: u32) -> Result<(u32, u32)> {
    let worst = 2 * u64::from(count);
    let mut ptr = cx.allocate(2, worst)?;
    let written = write_utf16(&mut cx.memory()[ptr as usize..ptr as usize + worst as usize], text) as u64;
    if written < worst {
        ptr = cx.reallocate(ptr, worst, 2, written)?;
    }
    Ok((ptr, (written / 2) as u32))
}

/// Stores text of `count` code units as Latin-1 as far as possible, else as UTF-16.
fn to_compact(cx: &mut LowerCx<'_>, text: &str, count: u32) -> Result<(u32, u32)> {
    let mut ptr = cx.allocate(2, count.into())?;
    let wide = text.char_indices().find(|(_, c)| u32::from(*c) >= 0x100);
    let narrow_text = wide.map_or(text, |(at, _)| &text[..at]);
    let narrow = narrow_text.chars().count();
    write_latin1(&mut cx.memory()[ptr as usize..ptr as usize + narrow], narrow_text);
    if wide.is_none() {
        if narrow < count as usize {
            ptr = cx.reallocate(ptr, count.into(), 2, narrow as u64)?;
        }
        return Ok((ptr, narrow as u32));
    }
    let worst = 2 * u64::from(count);
    ptr = cx.reallocate(ptr, count.into(), 2, worst)?;
    let place = &mut cx.memory()[ptr as usize..ptr as usize + worst as usize];
    for at in (0..narrow).rev() {
        let byte = place[at];
        place[2 * at..2 * at + 2].copy_from_slice(&[byte, 0]);
    }
    let written = 2 * narrow + write_utf16(&mut place[2 * narrow..], &text[narrow_text.len()..]);
    if (written as u64) < worst {
        ptr = cx.reallocate(ptr, worst, 2, written as u64)?;
    }
    Ok((ptr, (written / 2) as u32 | UTF16_TAG))
}

/// Makes UTF-16 of `count` code units Latin-1, if it can be.
fn narrow(cx: &mut LowerCx<'_>, ptr: u32, count: u32) -> Result<(u32, u32)> {
    let bytes = 2 * u64::from(count);
    let place = &mut cx.memory()[ptr as usize..ptr as usize + bytes as usize];
    if units16(place).any(|unit| unit >= 0x100) {
        return Ok((ptr, count | UTF16_TAG));
    }
    for at in 0..count as usize {
        place[at] = place[2 * at];
    }
    let ptr = cx.reallocate(ptr, bytes, 1, count.into())?;
    Ok((ptr, count))
}
