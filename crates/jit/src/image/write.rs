//! Makes the sections of an image: the functions of an earlier image, followed by those compiled since, all linked anew.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use wasmr_cache::{Builder, Container};
use wasmr_core::encoding::{Decoder, Encoder};
use wasmr_module::Module;

use super::{Entries, FunctionRecord, Image, Names, ranges, type_numbers};
use crate::call_stub::STUB_LEN;
use crate::compiled::CallReloc;
use crate::tables::CodeTables;
use crate::trampoline_key::TrampolineKey;

/// A function to append to an image.
#[derive(Debug)]
pub(crate) struct NewFunction<'a> {
    pub defined_index: u32,
    pub entries: Entries,
    /// Code as it was linked in this process.
    pub code: Vec<u8>,
    pub relocs: &'a [CallReloc],
    pub tables: &'a CodeTables,
}

/// A trampoline for an image.
#[derive(Debug)]
pub(crate) struct NewTrampoline<'a> {
    pub key: &'a TrampolineKey,
    pub code: Vec<u8>,
    pub tables: &'a CodeTables,
}

impl NewTrampoline<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        self.key.encode(&mut out);
        out.bytes(&self.code);
        self.tables.encode(&mut out);
        out.into_bytes()
    }
}

/// The sections of an image.
#[derive(Debug)]
pub(crate) struct Written {
    names: Names,
    code: Vec<u8>,
    /// Functions with an entry at their start, by index among the defined ones.
    callable: HashSet<u32>,
    functions: Vec<u8>,
    tables: Vec<u8>,
    relocs: Vec<u8>,
    trampolines: Vec<u8>,
}

/// A function of an image that is being made.
struct Part<'a> {
    record: FunctionRecord,
    code: &'a [u8],
    relocs: Vec<CallReloc>,
}

impl Written {
    /// Makes an image of the functions of `old` and the new ones. All of them may call one another. `stub` returns the code of a call
    /// stub.
    pub(crate) fn new(
        module: &Module,
        guarded: bool,
        old: Option<&Image<'_>>,
        new: &[NewFunction<'_>],
        trampolines: &[NewTrampoline<'_>],
        stub: &dyn Fn(u32) -> [u8; STUB_LEN],
    ) -> Written {
        let mut tables = Encoder::default();
        let mut parts: Vec<Part<'_>> = Vec::new();
        if let Some((old, of_old)) = old.and_then(|old| Some((old, parts_of(old, module.defined_func_count())?))) {
            parts = of_old;
            tables.raw(old.tables);
        }
        for function in new {
            let tables_start = tables.len();
            function.tables.encode(&mut tables);
            let record = FunctionRecord {
                defined_index: function.defined_index,
                entries: function.entries,
                len: function.code.len() as u32,
                tables_len: (tables.len() - tables_start) as u32,
            };
            parts.push(Part { record, code: &function.code, relocs: function.relocs.to_vec() });
        }
        let (code, starts) = link(&parts, stub);
        let mut functions = Encoder::default();
        functions.list(&type_numbers(module), |out, &number| out.u32(number));
        functions.list(&parts, |out, part| part.record.encode(out));
        let mut relocs = Encoder::default();
        for part in &parts {
            let mut last = 0;
            relocs.list(&part.relocs, |out, reloc| {
                out.difference(last, reloc.offset);
                out.u32(reloc.callee);
                last = reloc.offset;
            });
        }
        let mut trampolines: Vec<Vec<u8>> = trampolines.iter().map(NewTrampoline::encode).collect();
        // Equal images are equal bytes, in whichever order the trampolines were made.
        trampolines.sort_unstable();
        let mut encoded = Encoder::default();
        encoded.list(&trampolines, |out, trampoline| out.raw(trampoline));
        Written {
            names: Names::of(guarded),
            code,
            callable: starts.into_keys().collect(),
            functions: functions.into_bytes(),
            tables: tables.into_bytes(),
            relocs: relocs.into_bytes(),
            trampolines: encoded.into_bytes(),
        }
    }

    /// Returns true if the image has code for calls of the function.
    pub(crate) fn contains(&self, defined_index: u32) -> bool {
        self.callable.contains(&defined_index)
    }

    /// Adds the sections to a container. The code comes last: no other section may have bytes in its pages, so one after it would begin
    /// at a new page.
    pub(crate) fn add_to(self, builder: &mut Builder<'_>) {
        let Written { names, code, callable: _, functions, tables, relocs, trampolines } = self;
        builder.section(names.functions, Cow::Owned(functions), false);
        builder.section(names.tables, Cow::Owned(tables), false);
        builder.section(names.relocs, Cow::Owned(relocs), false);
        builder.section(names.trampolines, Cow::Owned(trampolines), false);
        builder.section(names.code, Cow::Owned(code), true);
    }
}

/// Returns the functions of an image of a module with so many defined functions. Returns `None` if the relocations are damaged; the
/// functions are then compiled again.
fn parts_of<'a>(image: &'a Image<'_>, defined_funcs: u32) -> Option<Vec<Part<'a>>> {
    let mut relocs = Decoder::new(image.relocs);
    let functions = image.functions.iter().zip(image.ranges()).map(|(record, range)| {
        let mut last = 0;
        let relocs = relocs.list(|from| {
            last = from.difference(last)?;
            let reloc = CallReloc { offset: last, callee: from.u32()? };
            reloc.fits(range.len(), defined_funcs).then_some(reloc)
        });
        Some(Part { record: record.clone(), code: &image.code[range], relocs: relocs? })
    });
    functions.collect()
}

/// Links functions with one another. Returns their code, with the call stubs that they need, and the offset of each function that can
/// be called, by index among the defined ones.
fn link(parts: &[Part<'_>], stub: &dyn Fn(u32) -> [u8; STUB_LEN]) -> (Vec<u8>, HashMap<u32, usize>) {
    let mut starts = HashMap::new();
    let ranges: Vec<Range<usize>> = ranges(parts.iter().map(|part| part.record.len)).collect();
    for (part, range) in parts.iter().zip(&ranges) {
        if part.record.entries.at_start {
            starts.insert(part.record.defined_index, range.start);
        }
    }
    let end = ranges.last().map_or(0, |last| last.end);
    let callees: BTreeSet<u32> = parts.iter().flat_map(|part| &part.relocs).map(|reloc| reloc.callee).collect();
    let without_code: Vec<u32> = callees.into_iter().filter(|callee| !starts.contains_key(callee)).collect();
    let stubs_start = end.next_multiple_of(STUB_LEN);
    let stub_of = |callee: &u32| stubs_start + STUB_LEN * without_code.binary_search(callee).expect("it has a stub");

    let mut code = vec![0; stubs_start + STUB_LEN * without_code.len()];
    for (part, range) in parts.iter().zip(ranges) {
        let start = range.start;
        let own = &mut code[range];
        own.copy_from_slice(part.code);
        for reloc in &part.relocs {
            let callee = starts.get(&reloc.callee).copied().unwrap_or_else(|| stub_of(&reloc.callee));
            reloc.write(own, start, callee).expect("code of a module is smaller than 2 GiB");
        }
    }
    for callee in &without_code {
        let start = stub_of(callee);
        code[start..start + STUB_LEN].copy_from_slice(&stub(*callee));
    }
    (code, starts)
}

/// Adds the image of a container to another one, for one kind of memory 0. Does nothing if there is none.
pub fn copy_image<'a>(container: &'a Container, guarded: bool, builder: &mut Builder<'a>) {
    let Names { code, functions, tables, relocs, trampolines } = Names::of(guarded);
    for (name, is_code) in [(functions, false), (tables, false), (relocs, false), (trampolines, false), (code, true)] {
        if let Some(bytes) = container.section(name) {
            builder.section(name, Cow::Borrowed(bytes), is_code);
        }
    }
}
