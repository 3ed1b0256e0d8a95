//! An *image*: machine code of a module's functions in a form that outlives the process. The functions are linked with one another,
//! so that the code can be mapped and executed as it is. It contains no address of the host program, but reads them through its
//! instance.
//!
//! In: the compiled functions of a [`JitModule`](crate::JitModule). Out: sections of a [`Container`], from which another process
//! with the same build of wasmr, the same settings, and at least the same processor features loads them ([`Image::read`]). `write`
//! makes the sections, and `loaded` is an image in code memory.
//!
//! | section | contents |
//! |---|---|
//! | `cod` | the functions' code, each aligned like linked code, then a call stub for each callee that has no code |
//! | `fun` | the numbers of the types, then a record for each function, in the order of the code |
//! | `tab` | the tables of each function, in the same order |
//! | `rel` | the relocations of each function, in the same order |
//! | `tra` | the trampolines that the functions use |
//!
//! The fourth byte of a section's name is `g` for code that relies on a guard-paged memory 0, and `c` for code that checks
//! accesses.
//!
//! # Invariants
//! - Every direct call leads to a function of the image or to a call stub after the functions. A later image has the functions of
//!   an earlier one in the same order, then new ones. All calls are linked again, so that they reach functions that had no code
//!   before.
//! - An image depends on the numbers of the module's types in the engine ([`TypeId`](wasmr_core::types::TypeId)), which code
//!   compares. `fun` begins with them, and a module whose types have other numbers does not load the image.
//!
//! # Trust
//! An image is as trusted as wasmr's own code. The reader checks that the sections are well-formed, not that the code is safe.

mod loaded;
mod write;

use std::ops::Range;

use wasmr_cache::{Container, SectionName};
use wasmr_core::encoding::{Decoder, Encoder};
use wasmr_module::Module;

pub(crate) use loaded::LoadedImage;
pub use write::copy_image;
pub(crate) use write::{NewFunction, NewTrampoline, Written};

use crate::link::ALIGN;
use crate::tables::CodeTables;
use crate::trampoline_key::TrampolineKey;

/// The sections of an image, for one kind of memory 0.
#[derive(Clone, Copy, Debug)]
struct Names {
    code: SectionName,
    functions: SectionName,
    tables: SectionName,
    relocs: SectionName,
    trampolines: SectionName,
}

impl Names {
    fn of(guarded: bool) -> Names {
        let kind = if guarded { b'g' } else { b'c' };
        let name = |[a, b, c]: [u8; 3]| [a, b, c, kind];
        Names {
            code: name(*b"cod"),
            functions: name(*b"fun"),
            tables: name(*b"tab"),
            relocs: name(*b"rel"),
            trampolines: name(*b"tra"),
        }
    }
}

/// The entries of a function's code in an image, as far as callers use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entries {
    /// True if the code has an entry at the function's start.
    pub at_start: bool,
    /// Offset in the module of the loop at which the code has an entry.
    pub at_loop: Option<u32>,
    /// True if the code was compiled for both kinds of entries, whichever of them are used.
    pub is_dual: bool,
}

/// The record of a function in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionRecord {
    /// Index of the function among the defined ones.
    pub defined_index: u32,
    pub entries: Entries,
    /// Bytes of code.
    pub len: u32,
    /// Bytes of its tables.
    pub tables_len: u32,
}

impl FunctionRecord {
    fn encode(&self, out: &mut Encoder) {
        let Entries { at_start, at_loop, is_dual } = self.entries;
        out.u32(self.defined_index);
        out.u32(u32::from(at_start) | u32::from(is_dual) << 1);
        out.option(at_loop);
        out.u32(self.len);
        out.u32(self.tables_len);
    }

    fn decode(from: &mut Decoder<'_>) -> Option<FunctionRecord> {
        let (defined_index, flags, at_loop) = (from.u32()?, from.u32()?, from.option()?);
        Some(FunctionRecord {
            defined_index,
            entries: Entries { at_start: flags & 1 != 0, at_loop, is_dual: flags & 2 != 0 },
            len: from.u32()?,
            tables_len: from.u32()?,
        })
    }
}

/// A trampoline in an image.
#[derive(Debug)]
pub(crate) struct TrampolineRecord<'a> {
    pub key: TrampolineKey,
    pub code: &'a [u8],
    pub tables: CodeTables,
}

/// An image in a container, decoded but for the functions' tables.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    pub functions: Vec<FunctionRecord>,
    pub trampolines: Vec<TrampolineRecord<'a>>,
    pub code: &'a [u8],
    pub tables: &'a [u8],
    pub relocs: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads the image for a kind of memory 0. Returns `None` if the container has none, or none for this module with its types'
    /// numbers.
    pub(crate) fn read(container: &'a Container, module: &Module, guarded: bool) -> Option<Image<'a>> {
        let names = Names::of(guarded);
        let mut from = Decoder::new(container.section(names.functions)?);
        if from.list(Decoder::u32)? != type_numbers(module) {
            return None;
        }
        let functions = from.list(FunctionRecord::decode)?;
        let mut from = Decoder::new(container.section(names.trampolines)?);
        let trampolines = from.list(|from| {
            let key = TrampolineKey::decode(from)?;
            // The slice outlives this decoder, which is a view of the section.
            let code = from.bytes()?;
            Some(TrampolineRecord { key, code, tables: CodeTables::decode(from)? })
        })?;
        let image = Image {
            functions,
            trampolines,
            code: container.section(names.code)?,
            tables: container.section(names.tables)?,
            relocs: container.section(names.relocs)?,
        };
        image.is_consistent(module).then_some(image)
    }

    /// Returns true if all functions exist, and code and tables are as long as the records say.
    fn is_consistent(&self, module: &Module) -> bool {
        let tables: u64 = self.functions.iter().map(|function| u64::from(function.tables_len)).sum();
        let exist = self.functions.iter().all(|function| function.defined_index < module.defined_func_count());
        let code_end = self.ranges().last().map_or(0, |last| last.end);
        exist && tables == self.tables.len() as u64 && code_end <= self.code.len()
    }

    /// Returns the range of each function's code.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        ranges(self.functions.iter().map(|function| function.len))
    }
}

/// Returns the range of each function's code in an image, given the lengths.
fn ranges(lens: impl Iterator<Item = u32>) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0usize;
    // The sum does not overflow: there are fewer than 2^32 lengths, and machine code is made only on 64-bit hosts.
    lens.map(move |len| {
        let start = end.next_multiple_of(ALIGN);
        end = start + len as usize;
        start..end
    })
}

/// Returns the numbers that the module's types have in the engine, by type index.
fn type_numbers(module: &Module) -> Vec<u32> {
    (0..module.type_count()).map(|index| module.type_id(index).0).collect()
}
