//! The section loop: one pass over the binary that validates each section and keeps its definitions.
//!
//! Takes the bytes of a component and of its plugs, gives their core modules, wasmparser's types, and a [`ComponentDecl`] for each
//! component and for each nested one, for `flatten` to execute. wasmparser's validator sees each section first; the files of this folder, one for
//! each kind of section, therefore rely on indices and kinds. Core modules go to crate `module`, which validates their function
//! bodies on several threads.
//!
//! Nested components are kept on a stack of [`Level`]s, not on the native stack.
//!
//! wasmparser sees the components of a composition as nested in one that has nothing else, so that their types are in one table.

mod aliases;
mod canon;
mod decls;
mod externs;
mod instances;
mod names;
mod types;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use wasmparser::types::Types;
use wasmparser::{Chunk, Encoding, FromReader, Parser, Payload, SectionLimited, Validator, WasmFeatures};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::binary_checks::{beyond_end, check_items, check_size, cut_off};
use wasmr_module::{Fault, Features, Module, ModuleError, Validity};

pub(crate) use decls::{ComponentDecl, DeclId, Def, Operand};

use crate::component::Part;
use crate::error::{ComponentError, from_parser};
use crate::index::ModuleId;

type Done = Result<(), ModuleError>;

/// Deepest nesting of components, the outermost included. Tools nest two or three deep.
const MAX_NESTING: usize = 100;

/// The conditions of decoding.
pub(crate) struct Decoding<'a> {
    /// The component, then its plugs.
    pub parts: &'a [Part<'a>],
    pub features: &'a Features,
    pub registry: &'a Arc<TypeRegistry>,
}

impl Decoding<'_> {
    /// Returns true if there are plugs, so that wasmparser sees an enclosing component.
    fn is_composed(&self) -> bool {
        self.parts.len() > 1
    }
}

/// Decoded components.
pub(crate) struct Decoded<'a> {
    /// The components and those nested in them.
    pub decls: Vec<ComponentDecl<'a>>,
    /// The component, then its plugs.
    pub parts: Vec<DeclId>,
    pub modules: Vec<Arc<Module>>,
    pub types: Types,
}

/// The version in the header of a component.
const COMPONENT_VERSION: u16 = 0xd;

/// Returns the features of wasmparser with which components are validated. Asynchronous functions are admitted, although their
/// builtins cannot be executed: programs may contain some that they do not call.
fn component_features(features: &Features) -> WasmFeatures {
    features
        .to_wasmparser()
        .union(WasmFeatures::COMPONENT_MODEL)
        .union(WasmFeatures::CM_ASYNC)
        .union(WasmFeatures::CM_ASYNC_STACKFUL)
        .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
        .union(WasmFeatures::CM_THREADING)
        .union(WasmFeatures::CM_MAP)
        .union(WasmFeatures::CM_IMPLEMENTS)
        .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
}

/// Section names of the [binary format](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md), by section id.
const SECTIONS: [&str; 13] = [
    "custom",
    "core module",
    "core instance",
    "core type",
    "component",
    "instance",
    "alias",
    "type",
    "canonical",
    "start",
    "import",
    "export",
    "value",
];

/// Number of items in each index space of a component.
#[derive(Debug, Default)]
struct Counts {
    core_funcs: u32,
    modules: u32,
    funcs: u32,
    types: u32,
    instances: u32,
    components: u32,
}

/// A component that is being decoded.
struct Level<'a> {
    parser: Parser,
    rest: &'a [u8],
    counts: Counts,
    module_names: HashMap<u32, &'a str>,
    decl: ComponentDecl<'a>,
}

impl<'a> Level<'a> {
    fn new(parser: Parser, binary: &'a [u8]) -> Level<'a> {
        let module_names = names::core_modules(binary);
        Level { parser, rest: binary, counts: Counts::default(), module_names, decl: ComponentDecl::default() }
    }

    fn push(&mut self, def: Def<'a>) {
        self.decl.defs.push(def);
    }
}

/// Decodes and validates components. `validity` is called for each core module, with the number of its part and its own in the part.
pub(crate) fn decode<'a>(
    decoding: &Decoding<'a>,
    validity: &mut dyn FnMut(usize, usize) -> Validity,
) -> Result<Decoded<'a>, ComponentError> {
    let features = component_features(decoding.features);
    let mut validator = Validator::new_with_features(features);
    // The enclosing component has no bytes: these calls cannot fail, and their offsets appear in no message.
    let whole = |error| ComponentError::new(&invalid(error), "");
    if decoding.is_composed() {
        validator.version(COMPONENT_VERSION, Encoding::Component, &(0..8)).map_err(whole)?;
    }
    let mut decoder = Decoder { decoding, features, validator, decls: Vec::new(), modules: Vec::new(), types: None };
    let mut parts = Vec::with_capacity(decoding.parts.len());
    for (number, part) in decoding.parts.iter().enumerate() {
        let id = decoder.part(part, &mut |module| validity(number, module))?;
        parts.push(id);
    }
    let Decoder { mut validator, decls, modules, types, .. } = decoder;
    let types = match types {
        Some(types) if !decoding.is_composed() => types,
        _ => validator.end(0).map_err(whole)?,
    };
    Ok(Decoded { decls, parts, modules, types })
}

/// The state of decoding.
struct Decoder<'d, 'a> {
    decoding: &'d Decoding<'a>,
    features: WasmFeatures,
    validator: Validator,
    decls: Vec<ComponentDecl<'a>>,
    modules: Vec<Arc<Module>>,
    /// Types of the component that was decoded last.
    types: Option<Types>,
}

impl<'a> Decoder<'_, 'a> {
    /// Decodes a component that is in no other one.
    fn part(&mut self, part: &Part<'a>, validity: &mut dyn FnMut(usize) -> Validity) -> Result<DeclId, ComponentError> {
        let binary = part.bytes.as_ref();
        let outer = |error: ModuleError| ComponentError::new(&error, part.name);
        check_size(binary).map_err(outer)?;
        if binary.starts_with(b"\0asm\x01\0\0\0") {
            let message = "this is a core module, not a component";
            return Err(outer(ModuleError::new(Fault::Unsupported, message, Some(4))));
        }
        let mut parser = Parser::new(0);
        parser.set_features(self.features);
        if self.decoding.is_composed() {
            self.validator.component_section(&(0..binary.len() as u64)).map_err(invalid).map_err(outer)?;
        }
        let mut levels = vec![Level::new(parser, binary)];
        let first_module = self.modules.len();
        loop {
            let depth = levels.len();
            let level = levels.last_mut().expect("the outermost component is left when it ends");
            let (consumed, payload) = match level.parser.parse(level.rest, true) {
                Ok(Chunk::Parsed { consumed, payload }) => (consumed, payload),
                Ok(Chunk::NeedMoreData(_)) => unreachable!("the parser was told that there is no more"),
                Err(error) => {
                    // A section within a nested component ends within the component, or its parser refuses it.
                    let cut_off = if depth == 1 { cut_off(binary, &error, &SECTIONS) } else { None };
                    return Err(outer(cut_off.unwrap_or_else(|| from_parser(&error, Fault::Malformed))));
                }
            };
            level.rest = &level.rest[consumed..];
            match payload {
                Payload::ModuleSection { unchecked_range, .. } => {
                    let (range, _) = nested(level, unchecked_range, "core module").map_err(outer)?;
                    let number = self.modules.len() - first_module;
                    self.module(part, level, range, number, &validity(number))?;
                }
                Payload::ComponentSection { parser, unchecked_range, .. } => {
                    let offset = unchecked_range.start;
                    let (range, bytes) = nested(level, unchecked_range, "component").map_err(outer)?;
                    if depth == MAX_NESTING {
                        let message = format!("its components are nested more than {MAX_NESTING} deep");
                        return Err(outer(ModuleError::new(Fault::OverLimit, message, Some(offset))));
                    }
                    let range = range.start as u64..range.end as u64;
                    self.validator.component_section(&range).map_err(invalid).map_err(outer)?;
                    levels.push(Level::new(parser, bytes));
                }
                Payload::End(offset) => {
                    self.types = Some(self.validator.end(offset).map_err(invalid).map_err(outer)?);
                    let id = DeclId(self.decls.len());
                    self.decls.extend(levels.pop().map(|level| level.decl));
                    let Some(parent) = levels.last_mut() else { return Ok(id) };
                    parent.counts.components += 1;
                    parent.push(Def::Component(id));
                }
                payload => section(level, &mut self.validator, payload).map_err(outer)?,
            }
        }
    }

    /// Decodes a core module at a range of a part. `number` counts the modules of the part.
    fn module(
        &mut self,
        part: &Part<'a>,
        level: &mut Level<'a>,
        range: Range<usize>,
        number: usize,
        validity: &Validity,
    ) -> Result<(), ComponentError> {
        let outer = |error: ModuleError| ComponentError::new(&error, part.name);
        self.validator.module_section(&(range.start as u64..range.end as u64)).map_err(invalid).map_err(outer)?;
        // Lossless: the validator limits the number of modules.
        let (id, index) = (ModuleId(self.modules.len() as u32), level.counts.modules);
        let module_name = level.module_names.get(&index).copied();
        let name = match module_name {
            Some(module_name) => format!("{}:{module_name}", part.name),
            None => format!("{}:{number}", part.name),
        };
        let bytes = part.bytes.slice(range.clone());
        let Decoding { features, registry, .. } = *self.decoding;
        let module = Module::nested(bytes, &name, features, registry, &mut self.validator, validity)
            .map_err(|error| outer(error).in_module(index, module_name, range.start as u64))?;
        self.modules.push(module);
        level.counts.modules += 1;
        level.push(Def::Module(id));
        Ok(())
    }
}

/// Returns the range of a nested module or component in the binary, and its bytes, after which the level goes on.
fn nested<'a>(
    level: &mut Level<'a>,
    range: Range<u64>,
    section: &str,
) -> Result<(Range<usize>, &'a [u8]), ModuleError> {
    let Range { start, end } = range;
    // Lossless: the binary is smaller than 4 GiB.
    let size = (end - start) as usize;
    let Some((bytes, rest)) = level.rest.split_at_checked(size) else {
        return Err(beyond_end(section, size - level.rest.len(), start));
    };
    level.rest = rest;
    Ok((start as usize..start as usize + size, bytes))
}

/// Validates a section that is no module and no component, and keeps its definitions.
fn section<'a>(level: &mut Level<'a>, validator: &mut Validator, payload: Payload<'a>) -> Done {
    match payload {
        Payload::Version { num, encoding, range } => {
            if encoding == Encoding::Module {
                let message = "expected a version header for a component";
                return Err(ModuleError::new(Fault::Malformed, message, Some(range.start)));
            }
            validator.version(num, encoding, &range).map_err(|error| from_parser(&error, Fault::Malformed))
        }
        Payload::CoreTypeSection(reader) => checked(&reader, |reader| validator.core_type_section(reader)),
        Payload::InstanceSection(reader) => {
            checked(&reader, |reader| validator.instance_section(reader))?;
            instances::core(level, reader, types_of(validator))
        }
        Payload::ComponentInstanceSection(reader) => {
            checked(&reader, |reader| validator.component_instance_section(reader))?;
            instances::component(level, reader, types_of(validator))
        }
        Payload::ComponentAliasSection(reader) => {
            checked(&reader, |reader| validator.component_alias_section(reader))?;
            aliases::section(level, reader)
        }
        Payload::ComponentTypeSection(reader) => {
            checked(&reader, |reader| validator.component_type_section(reader))?;
            types::section(level, reader, types_of(validator))
        }
        Payload::ComponentCanonicalSection(reader) => {
            checked(&reader, |reader| validator.component_canonical_section(reader))?;
            canon::section(level, reader, types_of(validator))
        }
        Payload::ComponentStartSection { start, range } => {
            validator.component_start_section(&start, &range).map_err(invalid)?;
            let message = "it has a start function, which wasmr does not support in components";
            Err(ModuleError::new(Fault::Unsupported, message, Some(range.start)))
        }
        Payload::ComponentImportSection(reader) => {
            checked(&reader, |reader| validator.component_import_section(reader))?;
            externs::imports(level, reader, types_of(validator))
        }
        Payload::ComponentExportSection(reader) => {
            checked(&reader, |reader| validator.component_export_section(reader))?;
            externs::exports(level, reader, types_of(validator))
        }
        Payload::CustomSection(_) => Ok(()),
        other => validator.payload(&other).map(drop).map_err(|error| from_parser(&error, Fault::Malformed)),
    }
}

/// Returns the types of the component that is being validated.
fn types_of(validator: &Validator) -> wasmparser::types::TypesRef<'_> {
    validator.types(0).expect("a component is being validated")
}

/// Validates a section of items.
fn checked<'a, T: FromReader<'a>>(
    reader: &SectionLimited<'a, T>,
    validate: impl FnOnce(&SectionLimited<'a, T>) -> wasmparser::Result<()>,
) -> Done {
    check_items(reader, validate, from_parser)
}

fn invalid(error: wasmparser::Error) -> ModuleError {
    from_parser(&error, Fault::Invalid)
}

/// Converts an error of reading an item that was validated.
fn malformed(error: wasmparser::Error) -> ModuleError {
    from_parser(&error, Fault::Malformed)
}
