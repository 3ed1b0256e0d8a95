//! Makes the sections of an image: the functions of the image that was loaded, and behind them those compiled since.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use wasmr_cache::{Builder, Container};
use wasmr_core::encoding::Encoder;
use wasmr_module::Module;

use super::{Entries, FunctionRecord, Image, Names, type_numbers};
use crate::compiled::CallReloc;
use crate::link::ALIGN;
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
    trampolines: Vec<u8>,
}

impl Written {
    /// Makes an image of the functions of `old` and the new ones. The new functions may call one another and those of `old`.
    ///
    /// # Panics
    /// If a new function calls one that is in neither.
    pub(crate) fn new(
        module: &Module,
        guarded: bool,
        old: Option<&Image<'_>>,
        new: &[NewFunction<'_>],
        trampolines: &[NewTrampoline<'_>],
    ) -> Written {
        let mut code = Vec::new();
        let mut tables = Encoder::default();
        let mut records: Vec<FunctionRecord> = Vec::new();
        let mut starts: HashMap<u32, usize> = HashMap::new();
        if let Some(old) = old {
            code.extend_from_slice(old.code);
            tables.raw(old.tables);
            let mut end = 0usize;
            for record in &old.functions {
                let start = end.next_multiple_of(ALIGN);
                end = start + record.len as usize;
                if record.entries.at_start {
                    starts.insert(record.defined_index, start);
                }
            }
            records.extend_from_slice(&old.functions);
        }
        let mut end = code.len();
        let new_starts = new.iter().map(|function| {
            let start = end.next_multiple_of(ALIGN);
            end = start + function.code.len();
            if function.entries.at_start {
                starts.insert(function.defined_index, start);
            }
            start
        });
        let new_starts: Vec<usize> = new_starts.collect();
        for (function, &start) in new.iter().zip(&new_starts) {
            code.resize(start, 0);
            code.extend_from_slice(&function.code);
            for reloc in function.relocs {
                let callee = starts[&reloc.callee];
                reloc.write(&mut code[start..], start, callee).expect("code of a process is smaller than 2 GiB");
            }
            let tables_start = tables.len();
            function.tables.encode(&mut tables);
            records.push(FunctionRecord {
                defined_index: function.defined_index,
                entries: function.entries,
                len: function.code.len() as u32,
                tables_len: (tables.len() - tables_start) as u32,
            });
        }
        let mut functions = Encoder::default();
        functions.list(&type_numbers(module), |out, &number| out.u32(number));
        functions.list(&records, |out, record| record.encode(out));
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
            trampolines: encoded.into_bytes(),
        }
    }

    /// Returns true if the image has code for calls of the function.
    pub(crate) fn contains(&self, defined_index: u32) -> bool {
        self.callable.contains(&defined_index)
    }

    /// Adds the sections to a container. The code comes last, as a whole number of pages is mapped.
    pub(crate) fn add_to(self, builder: &mut Builder<'_>) {
        let Written { names, code, callable: _, functions, tables, trampolines } = self;
        builder.section(names.functions, Cow::Owned(functions), false);
        builder.section(names.tables, Cow::Owned(tables), false);
        builder.section(names.trampolines, Cow::Owned(trampolines), false);
        builder.section(names.code, Cow::Owned(code), true);
    }
}

/// Adds the image of a container to another one, for one kind of memory 0. Does nothing if there is none.
pub fn copy_image<'a>(container: &'a Container, guarded: bool, builder: &mut Builder<'a>) {
    let Names { code, functions, tables, trampolines } = Names::of(guarded);
    for (name, is_code) in [(functions, false), (tables, false), (trampolines, false), (code, true)] {
        if let Some(bytes) = container.section(name) {
            builder.section(name, Cow::Borrowed(bytes), is_code);
        }
    }
}
