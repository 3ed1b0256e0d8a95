//! The *outline* of a module: results of decoding that take long to find again. With it, the same binary is decoded without
//! validation and without a look at its code.
//!
//! [`write()`] creates the outline of a decoded module, for a cache to keep. [`decode`] decodes the same binary by it, usually
//! in another process: wasmparser's section loop finds the sections, and `sections` converts them as always. Only two sections
//! are skipped, because the outline has their results: the code section, with the range of each body, and the data section,
//! with the range and address of each segment. The pages of their contents are not read.
//!
//! A module within a component is decoded in the same way, but the component's validator sees the sections from which the module's type
//! follows.
//!
//! The outline does not have the results for other sections, which are small. The largest known ones, with 46,473 function
//! indices and 289 types, take 0.4 ms together. A larger outline takes longer to read and to check.
//!
//! # Format
//! All numbers are little-endian. Records of fixed size are read several times as fast as LEB128 numbers of varying length.
//!
//! | part | contents |
//! |---|---|
//! | header | `u32` number of bytes of the binary, `u32` features |
//! | bodies, if there are any | `u32` start of the first; for each a record |
//! | data segments, if there are any | [`LEFT_OUT`]; or [`LISTED`], `u32` start of the first one's contents, and for each a record |
//!
//! A record begins with a range: a byte with the distance of its start to the end of the range before it, and a `u32` with its
//! length. The record of a data segment then has its mode as a byte, and its address as a `u32`.
//!
//! The data segments are left out if one does not fit its record: it has an offset that is not constant, an address above
//! 4 GiB, or a memory other than the first. `sections` then converts the data section, too.
//!
//! # Invariants
//! The result is valid only if the outline is that of a valid module with the same bytes and features. The caller vouches for
//! that. If it is not, [`decode`] fails or returns wrong declarations, but does not panic: the ranges are within their
//! section, the numbers of bodies and segments are those that the sections declare, and no memory is reserved for more than the
//! outline contains.

use std::ops::Range;
use std::sync::Arc;

use wasmparser::{BinaryReader, Chunk, Parser, Payload, Validator};
use wasmr_core::registry::TypeRegistry;

use crate::bytes::ModuleBytes;
use crate::decls::{BodyRange, DataMode, DataSegment, Declarations};
use crate::error::ModuleError;
use crate::features::Features;
use crate::sections;

/// The data segments are not in the outline.
const LEFT_OUT: u8 = 0;
/// The data segments are in the outline.
const LISTED: u8 = 1;

/// Mode of a passive data segment. Its address is 0.
const PASSIVE: u8 = 0;
/// Mode of a data segment that is copied to a constant address of memory 0.
const ACTIVE: u8 = 1;

/// Size of a range, and of the record of a body.
const RANGE: usize = 5;
/// Size of the record of a data segment.
const SEGMENT: usize = RANGE + 5;

/// An outline does not fit the binary or the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the outline is not that of this module")]
pub struct OutlineMismatch;

impl From<ModuleError> for OutlineMismatch {
    fn from(_: ModuleError) -> OutlineMismatch {
        OutlineMismatch
    }
}

impl From<wasmparser::Error> for OutlineMismatch {
    fn from(_: wasmparser::Error) -> OutlineMismatch {
        OutlineMismatch
    }
}

/// Returns the outline of a module.
pub(crate) fn write(binary: &[u8], features: &Features, decls: &Declarations) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(64 + RANGE * decls.bodies.len() + SEGMENT * decls.data.len());
    // Lossless: the whole module is smaller than 4 GiB.
    out.extend((binary.len() as u32).to_le_bytes());
    out.extend(features.bits().to_le_bytes());
    if let Some(first) = decls.bodies.first() {
        out.extend(first.start.to_le_bytes());
        let mut end = first.start;
        for body in &decls.bodies {
            // The distance is the size of a LEB128 number, so it always fits.
            out.extend(range(&mut end, body.start..body.end)?);
        }
    }
    if let Some(first) = decls.data.first() {
        let size = out.len();
        out.push(LISTED);
        out.extend(first.range.start.to_le_bytes());
        let mut end = first.range.start;
        let is_complete =
            decls.data.iter().all(|data| segment(&mut end, data).map(|record| out.extend(record)).is_some());
        if !is_complete {
            out.truncate(size);
            out.push(LEFT_OUT);
        }
    }
    Some(out)
}

/// Returns a range that begins at or soon after `end`, for a record.
fn range(end: &mut u32, range: Range<u32>) -> Option<[u8; RANGE]> {
    let distance = u8::try_from(range.start - *end).ok()?;
    let [a, b, c, d] = (range.end - range.start).to_le_bytes();
    *end = range.end;
    Some([distance, a, b, c, d])
}

/// Returns the record of a data segment, if it fits one.
fn segment(end: &mut u32, data: &DataSegment) -> Option<[u8; SEGMENT]> {
    let (mode, address) = match data.mode {
        DataMode::Passive => (PASSIVE, 0),
        DataMode::Active { memory: 0, address } => (ACTIVE, u32::try_from(address).ok()?),
        DataMode::Active { .. } | DataMode::Computed { .. } => return None,
    };
    let mut record = [0; SEGMENT];
    record[..RANGE].copy_from_slice(&range(end, data.range.clone())?);
    record[RANGE] = mode;
    record[RANGE + 1..].copy_from_slice(&address.to_le_bytes());
    Some(record)
}

/// Decodes a binary by its outline. `validator` is that of the component that the module is in: it validates the sections that the
/// type of the module follows from, and knows that type afterwards.
pub(crate) fn decode(
    bytes: &ModuleBytes,
    features: &Features,
    registry: &Arc<TypeRegistry>,
    outline: &[u8],
    mut validator: Option<&mut Validator>,
) -> Result<Declarations, OutlineMismatch> {
    let binary = bytes.as_ref();
    let mut outline = BinaryReader::new(outline, 0);
    if outline.read_u32()? as usize != binary.len() || outline.read_u32()? != features.bits() {
        return Err(OutlineMismatch);
    }
    let mut parser = Parser::new(0);
    parser.set_features(features.to_wasmparser());
    let mut decls = Declarations::default();
    let mut rest = binary;
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { return Err(OutlineMismatch) };
        rest = &rest[consumed..];
        if let Some(validator) = &mut validator {
            learn_type(validator, &payload)?;
        }
        match payload {
            Payload::CodeSectionStart { count, unchecked_range, size } => {
                parser.skip_section();
                rest = rest.get(size as usize..).ok_or(OutlineMismatch)?;
                if count > 0 {
                    bodies(&mut decls, &mut outline, count, &unchecked_range)?;
                }
            }
            Payload::DataSection(reader) if reader.count() > 0 => match outline.read_u8()? {
                LISTED => segments(&mut decls, &mut outline, reader.count(), &reader.range())?,
                LEFT_OUT => sections::section(&mut decls, registry, binary, Payload::DataSection(reader))?,
                _ => return Err(OutlineMismatch),
            },
            Payload::End(_) if outline.eof() => return Ok(decls),
            Payload::End(_) => return Err(OutlineMismatch),
            payload => sections::section(&mut decls, registry, binary, payload)?,
        }
    }
}

/// Passes a section to the validator if the type of the module follows from it.
fn learn_type(validator: &mut Validator, payload: &Payload<'_>) -> wasmparser::Result<()> {
    match payload {
        Payload::Version { .. }
        | Payload::TypeSection(_)
        | Payload::ImportSection(_)
        | Payload::FunctionSection(_)
        | Payload::TableSection(_)
        | Payload::MemorySection(_)
        | Payload::TagSection(_)
        | Payload::GlobalSection(_)
        | Payload::ExportSection(_)
        | Payload::End(_) => validator.payload(payload).map(drop),
        _ => Ok(()),
    }
}

fn bodies(
    decls: &mut Declarations,
    outline: &mut BinaryReader<'_>,
    count: u32,
    section: &Range<u64>,
) -> Result<(), OutlineMismatch> {
    let mut end = outline.read_u32()?;
    let records = records::<RANGE>(outline, count)?;
    decls.bodies.reserve_exact(records.len());
    for record in records {
        let Range { start, end } = next_range(&mut end, *record, section)?;
        decls.bodies.push(BodyRange { start, end });
    }
    Ok(())
}

fn segments(
    decls: &mut Declarations,
    outline: &mut BinaryReader<'_>,
    count: u32,
    section: &Range<u64>,
) -> Result<(), OutlineMismatch> {
    let mut end = outline.read_u32()?;
    let records = records::<SEGMENT>(outline, count)?;
    decls.data.reserve_exact(records.len());
    for &[distance, a, b, c, d, mode, address @ ..] in records {
        let range = next_range(&mut end, [distance, a, b, c, d], section)?;
        let mode = match mode {
            PASSIVE => DataMode::Passive,
            ACTIVE => DataMode::Active { memory: 0, address: u32::from_le_bytes(address).into() },
            _ => return Err(OutlineMismatch),
        };
        decls.data.push(DataSegment { range, mode });
    }
    Ok(())
}

/// Reads `count` records.
fn records<'a, const SIZE: usize>(
    outline: &mut BinaryReader<'a>,
    count: u32,
) -> Result<&'a [[u8; SIZE]], OutlineMismatch> {
    let bytes = outline.read_bytes((count as usize).saturating_mul(SIZE))?;
    Ok(bytes.as_chunks().0)
}

/// Reads the range of a record. `end` is the end of the range before it.
fn next_range(
    end: &mut u32,
    [distance, length @ ..]: [u8; RANGE],
    section: &Range<u64>,
) -> Result<Range<u32>, OutlineMismatch> {
    let start = end.checked_add(distance.into()).ok_or(OutlineMismatch)?;
    *end = start.checked_add(u32::from_le_bytes(length)).ok_or(OutlineMismatch)?;
    match u64::from(start) >= section.start && u64::from(*end) <= section.end {
        true => Ok(start..*end),
        false => Err(OutlineMismatch),
    }
}
