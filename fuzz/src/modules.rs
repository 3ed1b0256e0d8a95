//! Generates valid modules from the fuzzer's bytes.
//!
//! A *profile* determines the engines that must execute a module, and thereby its proposals. The bytes determine everything else,
//! including the allowed kinds of instructions. Some modules are therefore full of vectors and others full of calls.

use arbitrary::{Arbitrary, Result, Unstructured};
use wasm_encoder::{Encode, MemoryType, RawSection};
use wasm_smith::{Config, MemoryOffsetChoices, Module};
use wasmparser::{Parser, Payload};

/// Loop iterations, calls and bytes moved that a generated module may spend on one call.
pub const FUEL: u32 = 2_000;

/// The name under which a generated module exports the global that counts its fuel down.
pub const FUEL_EXPORT: &str = "the fuel";

/// Possible imports of a generated module, which [`crate::engines`] provides.
pub const IMPORTS: &str = r#"
(module
    (import "env" "nothing" (func))
    (import "env" "one" (func (param i32) (result i32)))
    (import "env" "mixed" (func (param i64 f64 i32) (result f32 i64)))
    (import "env" "vector" (func (param v128 f32) (result v128)))
    (import "env" "many" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i64 i32 f64 i32 v128)))
    (import "env" "again" (func (param i32 i64) (result i64)))
    (import "env" "references" (func (param funcref externref) (result externref funcref)))
    (import "env" "constant" (global i32))
    (import "env" "wide" (global i64))
    (import "env" "counter" (global (mut i32)))
    (import "env" "float" (global (mut f64)))
    (import "env" "lanes" (global (mut v128)))
    (import "env" "memory" (memory 1 4))
    (import "env" "table" (table 10 20 funcref))
)"#;

/// The engines for which a module is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// All engines: no relaxed vectors, no exceptions, no typed references.
    Common,
    /// wasmr alone: all that it executes.
    Own,
}

/// The options of a module's generation.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Engines that execute the module.
    pub profile: Profile,
    /// True if every NaN result is made canonical. The bytes otherwise yield the same program.
    pub canonical_nans: bool,
}

/// Generates a valid module that terminates, with the export [`FUEL_EXPORT`], as a binary.
pub fn generate(wish: Wish, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let config = config(wish, u)?;
    let mut module = Module::new(config, u)?;
    let fuel = module.ensure_termination(FUEL).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    Ok(with_global_export(&without_sharing(&module.to_bytes()), FUEL_EXPORT, fuel))
}

fn config(wish: Wish, u: &mut Unstructured<'_>) -> Result<Config> {
    let mut config = Config::arbitrary(u)?;
    let own = wish.profile == Profile::Own;

    config.available_imports = if u.arbitrary()? { wat::parse_str(IMPORTS).ok() } else { None };
    config.max_imports = 0;
    config.canonicalize_nans = wish.canonical_nans;
    config.export_everything = true;
    config.allow_start_export = u.arbitrary()?;

    config.max_types = u.int_in_range(1..=12)?;
    // The number includes imported functions, of which there are at most seven.
    config.min_funcs = u.int_in_range(1..=16)?;
    config.max_funcs = 24;
    config.max_globals = u.int_in_range(0..=16)?;
    config.max_instructions = u.int_in_range(4..=400)?;
    config.max_elements = u.int_in_range(0..=20)?;
    config.max_element_segments = u.int_in_range(0..=4)?;
    config.max_data_segments = u.int_in_range(0..=4)?;
    config.max_tags = if own { u.int_in_range(0..=4)? } else { 0 };

    // Both engines can always allocate these sizes, so the failure of a growth does not depend on the host.
    config.max_memories = u.int_in_range(0..=3)?;
    config.max_memory32_bytes = 1 << 20;
    config.max_memory64_bytes = 1 << 20;
    config.memory_max_size_required = true;
    config.memory_offset_choices = MemoryOffsetChoices(80, 15, 5);
    config.max_tables = u.int_in_range(0..=3)?;
    config.max_table_elements = 100;
    config.table_max_size_required = true;

    // Imports and types may always use these features. The allowed instructions decide if a body contains their operators.
    config.reference_types_enabled = true;
    config.bulk_memory_enabled = true;
    config.simd_enabled = true;
    config.multi_value_enabled = true;
    config.saturating_float_to_int_enabled = true;
    config.sign_extension_ops_enabled = true;
    config.allow_floats = true;

    // Each relaxed operator has one meaning in wasmr, but another engine may choose another.
    config.relaxed_simd_enabled = own;
    // Atomic operators. `without_sharing` makes the shared memories ordinary ones, on which waits trap.
    config.threads_enabled = own && u.arbitrary()?;
    config.shared_everything_threads_enabled = false;
    config.custom_page_sizes_enabled = own;
    config.wide_arithmetic_enabled = own;
    config.compact_imports_enabled = false;
    config.custom_descriptors_enabled = false;
    config.allow_invalid_funcs = false;
    config.gc_enabled = own && u.ratio(1, 2)?;
    config.exceptions_enabled = own;
    Ok(config)
}

/// Returns the module with memories of its own that are not shared.
fn without_sharing(wasm: &[u8]) -> Vec<u8> {
    let mut out = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.expect("generated modules are well formed");
        if let Payload::MemorySection(reader) = &payload {
            let mut memories = wasm_encoder::MemorySection::new();
            for memory in reader.clone() {
                let wasmparser::MemoryType { memory64, initial, maximum, page_size_log2, .. } =
                    memory.expect("generated modules are well formed");
                let ty = MemoryType { minimum: initial, maximum, memory64, shared: false, page_size_log2 };
                memories.memory(ty);
            }
            out.section(&memories);
        } else if let Some((id, range)) = payload.as_section() {
            out.section(&RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
        }
    }
    out.finish()
}

/// Returns the module with one more export, a global.
fn with_global_export(wasm: &[u8], name: &str, global: u32) -> Vec<u8> {
    const EXPORTS: u8 = wasm_encoder::SectionId::Export as u8;
    /// Start, elements, data count, code, data.
    const AFTER: [u8; 5] = [8, 9, 12, 10, 11];

    let mut exports = wasm_encoder::ExportSection::new();
    exports.export(name, wasm_encoder::ExportKind::Global, global);
    let mut section = Vec::new();
    exports.encode(&mut section);
    // The section's size and the number of entries, one byte each, precede the entry.
    let entry = &section[2..];

    let mut out = wasm_encoder::Module::new();
    let mut done = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.expect("generated modules are well formed");
        let Some((id, range)) = payload.as_section() else { continue };
        let range = range.start as usize..range.end as usize;
        if let Payload::ExportSection(reader) = &payload {
            let mut data = Vec::new();
            leb128(&mut data, reader.count() + 1);
            data.extend(&wasm[reader.original_position() as usize..range.end]);
            data.extend(entry);
            out.section(&RawSection { id: EXPORTS, data: &data });
            done = true;
            continue;
        }
        if !done && AFTER.contains(&id) {
            let data = [&[1], entry].concat();
            out.section(&RawSection { id: EXPORTS, data: &data });
            done = true;
        }
        out.section(&RawSection { id, data: &wasm[range] });
    }
    out.finish()
}

fn leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
