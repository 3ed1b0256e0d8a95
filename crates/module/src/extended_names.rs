//! Names of types, fields, tables, memories and globals: the part of the name section that the
//! [extended names](https://github.com/WebAssembly/extended-name-section) and garbage collection added.
//!
//! In: the bytes of a valid module. Out: [`ExtendedNames`], read anew by each caller, as only `inspect` uses them. As in
//! [`names`](mod@crate::names), malformed parts are skipped.

use std::collections::HashMap;

use wasmparser::{Name, NameMap};
use wasmr_core::limits::MAX_STRUCT_FIELDS;
use wasmr_core::type_text::TypeNames;
use wasmr_core::types::TypeId;

use crate::module::Module;
use crate::names::name_section;

/// Maximum length of a name that appears in the text of a type.
const MAX_LEN: usize = 64;

/// Names by index.
type Map<'a> = HashMap<u32, &'a str>;

/// Names of the module's objects but functions and tags, and of its types and fields.
#[derive(Debug, Default)]
pub struct ExtendedNames<'a> {
    types: Map<'a>,
    fields: HashMap<(u32, u32), &'a str>,
    tables: Map<'a>,
    memories: Map<'a>,
    globals: Map<'a>,
    /// The first index of each canonical type.
    indices: HashMap<TypeId, u32>,
}

impl<'a> ExtendedNames<'a> {
    /// Reads the first name section of a module, if it has one.
    pub fn read(module: &'a Module) -> ExtendedNames<'a> {
        let mut names = ExtendedNames::default();
        for index in 0..module.type_count() {
            names.indices.entry(module.type_id(index)).or_insert(index);
        }
        for subsection in name_section(module.bytes()).into_iter().flatten() {
            match subsection {
                Ok(Name::Type(map)) => names.types = entries(map, module.type_count()).collect(),
                Ok(Name::Table(map)) => names.tables = entries(map, module.tables().len() as u32).collect(),
                Ok(Name::Memory(map)) => names.memories = entries(map, module.memories().len() as u32).collect(),
                Ok(Name::Global(map)) => names.globals = entries(map, module.globals().len() as u32).collect(),
                Ok(Name::Field(types)) => {
                    let types = types.into_iter().map_while(Result::ok).filter(|ty| ty.index < module.type_count());
                    for ty in types {
                        let fields = entries(ty.names, MAX_STRUCT_FIELDS);
                        names.fields.extend(fields.map(|(field, name)| ((ty.index, field), name)));
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        names
    }

    /// Returns the name of a type.
    pub fn type_name(&self, index: u32) -> Option<&'a str> {
        self.types.get(&index).copied()
    }

    /// Returns the name of a table.
    pub fn table_name(&self, index: u32) -> Option<&'a str> {
        self.tables.get(&index).copied()
    }

    /// Returns the name of a memory.
    pub fn memory_name(&self, index: u32) -> Option<&'a str> {
        self.memories.get(&index).copied()
    }

    /// Returns the name of a global.
    pub fn global_name(&self, index: u32) -> Option<&'a str> {
        self.globals.get(&index).copied()
    }
}

/// Types have the name of their first index. A name that is no short identifier of the text format is left out.
impl TypeNames for ExtendedNames<'_> {
    fn type_name(&self, id: TypeId) -> String {
        match self.indices.get(&id) {
            Some(index) => self.types.get(index).and_then(|name| identifier(name)).unwrap_or_else(|| index.to_string()),
            None => "…".into(),
        }
    }

    fn field_name(&self, id: TypeId, field: u32) -> Option<String> {
        let index = *self.indices.get(&id)?;
        identifier(self.fields.get(&(index, field))?)
    }
}

/// Returns the entries of a map, up to the first that is malformed, with an index below `count`. The limit bounds the memory that
/// a hostile section takes.
fn entries<'a>(map: NameMap<'a>, count: u32) -> impl Iterator<Item = (u32, &'a str)> {
    let entries = map.into_iter().map_while(Result::ok).map(|entry| (entry.index, entry.name));
    entries.filter(move |&(index, _)| index < count)
}

/// Returns a name as an [identifier](https://webassembly.github.io/spec/core/text/values.html#identifiers), if it is one.
fn identifier(name: &str) -> Option<String> {
    let is_identifier_char = |c: u8| c.is_ascii_graphic() && !b"\"(),;[]{}".contains(&c);
    let fits = (1..=MAX_LEN).contains(&name.len()) && name.bytes().all(is_identifier_char);
    fits.then(|| format!("${name}"))
}
