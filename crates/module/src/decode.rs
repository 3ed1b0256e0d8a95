//! The section loop: one pass over the binary that validates and stores each section.
//!
//! [`Module::new`](crate::Module::new) calls [`decode`], which passes each section to wasmparser's validator and then to
//! `sections`. Function bodies go to `validate`. The result is the module's declarations. `outline` has the section loop for a
//! binary that was validated earlier.
//!
//! For a module within a component of which there is no outline, [`Module::nested`](crate::Module::nested) calls [`decode_sections`]
//! with the validator of the component, which learns the types of the module's imports and exports.
//!
//! # Order
//! The reported error is always the one at the lowest byte offset. Function bodies are therefore validated at the end of the code
//! section. If that happened after the data section, an invalid data segment would hide an invalid body.
//!
//! # Untrusted counts
//! `binary_checks` refuses a count above the size of its section before wasmparser or this crate reserves memory for the items.
//! wasmparser checks the [length of each LEB128 integer](https://webassembly.github.io/spec/core/binary/values.html#integers).

use std::sync::Arc;

use wasmparser::{
    Chunk, Encoding, FromReader, FunctionBody, Parser, Payload, SectionLimited, Validator, ValidatorResources,
};
use wasmr_core::limits::MAX_TYPE_SECTION;
use wasmr_core::registry::TypeRegistry;

use crate::binary_checks::{check_items, check_size, cut_off, has_component_header};
use crate::bytes::ModuleBytes;
use crate::decls::{BodyRange, Declarations};
use crate::error::{Fault, ModuleError};
use crate::features::Features;
use crate::names::Names;
use crate::section_map::SECTIONS;
use crate::{sections, validate};

pub(crate) fn decode(
    bytes: &ModuleBytes,
    features: &Features,
    registry: &Arc<TypeRegistry>,
    threads: usize,
) -> Result<Declarations, ModuleError> {
    let binary = bytes.as_ref();
    check_size(binary)?;
    refuse_component(binary)?;
    let mut validator = Validator::new_with_features(features.to_wasmparser());
    decode_sections(bytes, features, registry, &mut validator, Some(threads))
}

/// Decodes a module of at most 4 GiB with the validator of its component, or with one of its own. Up to `threads` threads validate
/// function bodies; `None` if they were validated earlier.
pub(crate) fn decode_sections(
    bytes: &ModuleBytes,
    features: &Features,
    registry: &Arc<TypeRegistry>,
    validator: &mut Validator,
    threads: Option<usize>,
) -> Result<Declarations, ModuleError> {
    let binary = bytes.as_ref();
    let mut parser = Parser::new(0);
    parser.set_features(features.to_wasmparser());
    let mut decoder = Decoder { bytes, features, threads, validator, decls: Declarations::default(), resources: None };
    let mut rest = binary;
    loop {
        let (consumed, payload) = match parser.parse(rest, true) {
            Ok(Chunk::Parsed { consumed, payload }) => (consumed, payload),
            Ok(Chunk::NeedMoreData(_)) => unreachable!("the parser was told that there is no more"),
            Err(error) => {
                // If the binary ends within the code section, the bodies before the end may contain an earlier error.
                decoder.validate_bodies()?;
                return Err(cut_off(binary, &error, &SECTIONS).unwrap_or_else(|| ModuleError::malformed(error)));
            }
        };
        rest = &rest[consumed..];
        match payload {
            Payload::CodeSectionEntry(body) => decoder.body(&body)?,
            Payload::End(offset) => {
                decoder.validate_bodies()?;
                decoder.validator.end(offset).map_err(invalid)?;
                return Ok(decoder.decls);
            }
            payload => {
                decoder.validate_bodies()?;
                decoder.validate(&payload)?;
                sections::section(&mut decoder.decls, registry, binary, payload)?;
            }
        }
    }
}

/// Refuses a component, which has the same first four bytes as a module.
fn refuse_component(binary: &[u8]) -> Result<(), ModuleError> {
    if has_component_header(binary) {
        let message = "this is a component, not a core module: `wasmr run` runs it, and in Rust `wasmr::component::Component` loads it";
        return Err(ModuleError::new(Fault::Unsupported, message, Some(4)));
    }
    Ok(())
}

struct Decoder<'a> {
    bytes: &'a ModuleBytes,
    features: &'a Features,
    /// Most threads for the validation of bodies; `None` if they were validated earlier.
    threads: Option<usize>,
    validator: &'a mut Validator,
    decls: Declarations,
    /// Context for the validation of bodies; `None` except while the bodies of a code section await validation.
    resources: Option<ValidatorResources>,
}

impl Decoder<'_> {
    /// Validates a section. [`Decoder::body`] handles function bodies.
    fn validate(&mut self, payload: &Payload<'_>) -> Result<(), ModuleError> {
        let validator = &mut *self.validator;
        match payload {
            Payload::Version { encoding: Encoding::Component, range, .. } => {
                let message = "expected a version header for a module";
                Err(ModuleError::new(Fault::Malformed, message, Some(range.start)))
            }
            Payload::Version { num, encoding, range } => {
                validator.version(*num, *encoding, range).map_err(ModuleError::malformed)
            }
            Payload::TypeSection(reader) => {
                let size = reader.range().end - reader.range().start;
                if size > MAX_TYPE_SECTION {
                    let message = format!("its types take {size} bytes, but the limit is {MAX_TYPE_SECTION}");
                    return Err(ModuleError::new(Fault::OverLimit, message, Some(reader.range().start)));
                }
                checked(reader, |reader| validator.type_section(reader))
            }
            Payload::ImportSection(reader) => checked(reader, |reader| validator.import_section(reader)),
            Payload::FunctionSection(reader) => checked(reader, |reader| validator.function_section(reader)),
            Payload::TableSection(reader) => checked(reader, |reader| validator.table_section(reader)),
            Payload::MemorySection(reader) => checked(reader, |reader| validator.memory_section(reader)),
            Payload::TagSection(reader) => checked(reader, |reader| validator.tag_section(reader)),
            Payload::GlobalSection(reader) => checked(reader, |reader| validator.global_section(reader)),
            Payload::ExportSection(reader) => checked(reader, |reader| validator.export_section(reader)),
            Payload::StartSection { func, range } => validator.start_section(*func, range).map_err(invalid),
            Payload::ElementSection(reader) => checked(reader, |reader| validator.element_section(reader)),
            Payload::DataCountSection { count, range } => validator.data_count_section(*count, range).map_err(invalid),
            Payload::CodeSectionStart { unchecked_range, .. } => {
                validator.code_section_start(unchecked_range).map_err(invalid)
            }
            Payload::DataSection(reader) => checked(reader, |reader| validator.data_section(reader)),
            Payload::CustomSection(_) => Ok(()),
            other => validator.payload(other).map(drop).map_err(ModuleError::malformed),
        }
    }

    /// Stores the range of a function body for its validation.
    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), ModuleError> {
        let to_validate = match self.validator.code_section_entry(body) {
            Ok(to_validate) => to_validate,
            Err(error) => {
                self.validate_bodies()?;
                return Err(invalid(error));
            }
        };
        self.resources.get_or_insert(to_validate.resources);
        let range = body.range();
        // Lossless: the whole module is smaller than 4 GiB.
        self.decls.bodies.push(BodyRange { start: range.start as u32, end: range.end as u32 });
        Ok(())
    }

    /// Validates the bodies that await validation, if there are any.
    fn validate_bodies(&mut self) -> Result<(), ModuleError> {
        let Some(resources) = self.resources.take() else { return Ok(()) };
        let Some(threads) = self.threads else { return Ok(()) };
        let work = validate::Bodies {
            binary: self.bytes.as_ref(),
            decls: &self.decls,
            resources: &resources,
            features: self.features.to_wasmparser(),
        };
        work.validate(threads).map_err(|(func_index, error)| {
            let names = Names::read(self.bytes, self.decls.funcs.len() as u32, self.decls.tags.len() as u32);
            error.in_func(func_index, names.func_name(func_index).or_else(|| self.decls.exported_name(func_index)))
        })
    }
}

/// Validates a section of items. On failure it distinguishes malformed from invalid.
fn checked<'a, T: FromReader<'a>>(
    reader: &SectionLimited<'a, T>,
    validate: impl FnOnce(&SectionLimited<'a, T>) -> wasmparser::Result<()>,
) -> Result<(), ModuleError> {
    check_items(reader, validate, ModuleError::from_parser)
}

fn invalid(error: wasmparser::Error) -> ModuleError {
    ModuleError::from_parser(&error, Fault::Invalid)
}
