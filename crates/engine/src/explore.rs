//! [`explore`]: a function in all its forms, for people who want to see how it is executed: wasm, the interpreter's instructions,
//! baseline code, Cranelift's representation, compiled code.
//!
//! Input is a module and the configuration of its engine; the output goes to the command line. All forms are made for this purpose,
//! and none is run. Each line names the operators that it came from, by their offsets in the module.

use std::sync::Arc;

use wasmr_interp::{LEGEND, Listing, ModuleCode, list, list_baseline};
use wasmr_module::operators::{OperatorText, locals, operators};

use crate::config::Config;
use crate::module::Module;

pub use wasmr_interp::{BaselineListing, Reference};

/// Legend of the names of slots in [`Explored::instructions`].
pub const CELLS_LEGEND: [&str; 2] = LEGEND;

/// A function that the module defines, in all its forms.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Index of the function in its module.
    pub func_index: u32,
    /// Offset of the body in the module, and its bytes.
    pub body: (usize, usize),
    /// Declared locals: number and type of each group.
    pub locals: Vec<(u32, String)>,
    /// Operators of the body.
    pub operators: Vec<OperatorText>,
    /// The interpreter's instructions, or the reason why there are none.
    pub instructions: Result<Listing, String>,
    /// Baseline code, or the reason why there is none.
    pub baseline: Result<BaselineListing, String>,
    /// The compiled forms, or the reason why there are none.
    pub compiled: Result<Compiled, String>,
}

/// A compiled function.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Lines of the translation into Cranelift's representation.
    pub clif: Vec<ClifLine>,
    /// Lines of that representation after Cranelift's optimisations.
    pub optimized: Vec<ClifLine>,
    /// Machine code. Calls of other functions have no target yet.
    pub code: Vec<u8>,
    /// Source map: start of each piece of code, and its operators.
    pub places: Vec<(u32, Vec<Place>)>,
}

/// A line of Cranelift's text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClifLine {
    /// The line without its source location.
    pub text: String,
    /// Operators that the line came from, the innermost first; may be none.
    pub places: Vec<Place>,
}

/// An operator, in the explored function or in an inlined one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the function in its module.
    pub func_index: u32,
    /// Offset of the operator in the module.
    pub offset: usize,
}

/// Reason why a function cannot be explored.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// The function has no body.
    #[error("function {0} is imported: its code is not in the module")]
    Imported(u32),
    /// There is no such function.
    #[error("there is no function {index}: the module has {count}")]
    OutOfRange {
        /// The index given.
        index: u32,
        /// Number of functions of the module.
        count: u32,
    },
    /// The body cannot be read. Validation excludes that, unless the module's bytes changed since.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(String),
}

/// Returns the forms that a function takes with this configuration.
///
/// # Errors
/// If there is no such function in the module.
pub fn explore(module: &Module, func_index: u32, config: &Config) -> Result<Explored, ExploreError> {
    let decls = &module.module;
    let count = decls.func_count();
    if func_index >= count {
        return Err(ExploreError::OutOfRange { index: func_index, count });
    }
    let defined_index =
        func_index.checked_sub(decls.imported_func_count()).ok_or(ExploreError::Imported(func_index))?;
    let body = decls.body(defined_index);
    let body = (body.offset, body.bytes.len());
    let changed = |error: &dyn std::fmt::Display| ExploreError::Changed(error.to_string());
    let locals = locals(decls, defined_index).map_err(|error| changed(&error))?;
    let operators = operators(decls, defined_index).map_err(|error| changed(&error))?;

    let guarded = config.may_guard_memory0(decls);
    let options = wasmr_interp::CodeOptions {
        metered: config.metered,
        canonical_nans: config.canonical_nans,
        ..Default::default()
    };
    let code = ModuleCode::with_options(decls.clone(), options);
    let name_of = |offset: usize| {
        let at = operators.binary_search_by_key(&offset, |operator| operator.offset).ok()?;
        Some(operators[at].text.clone())
    };
    let source = code.source(defined_index, guarded);
    let instructions = list(&source, &name_of).map_err(|error| error.to_string());
    let baseline = list_baseline(&source).map_err(|error| error.to_string());
    let compiled = compiled(decls, defined_index, guarded, config);
    Ok(Explored { func_index, body, locals, operators, instructions, baseline, compiled })
}

#[cfg(feature = "jit")]
fn compiled(
    module: &Arc<wasmr_module::Module>,
    defined_index: u32,
    guarded: bool,
    config: &Config,
) -> Result<Compiled, String> {
    use wasmr_jit::{CodeOptions, Entry, JitModule};
    use wasmr_runtime::vm::VmLayout;

    let options = CodeOptions {
        guarded,
        metered: config.metered,
        canonical_nans: config.canonical_nans,
        spectre_guards: config.spectre_guards,
        calls: config.tuning.calls(),
    };
    let jit =
        JitModule::new(module.clone(), VmLayout::for_module(module), options).map_err(|error| error.to_string())?;
    let disassembly = jit.examine(defined_index, Entry::Start).map_err(|error| error.to_string())?;
    let places = |places: Vec<wasmr_jit::WasmPc>| -> Vec<Place> {
        places.into_iter().map(|place| Place { func_index: place.func_index, offset: place.offset }).collect()
    };
    let lines = |text: &str| -> Vec<ClifLine> {
        let line = |line: &str| {
            let (position, text) = split_location(line);
            let found = position.map(|position| disassembly.source_map.wasm_pcs(position)).unwrap_or_default();
            ClifLine { text, places: places(found) }
        };
        text.lines().map(line).collect()
    };
    let (clif, optimized) = (lines(&disassembly.clif), lines(&disassembly.optimized));
    let of_code = disassembly.wasm_pcs.iter().map(|(at, found)| (*at, places(found.clone())));
    Ok(Compiled { clif, optimized, places: of_code.collect(), code: disassembly.code })
}

#[cfg(not(feature = "jit"))]
fn compiled(
    _module: &Arc<wasmr_module::Module>,
    _defined_index: u32,
    _guarded: bool,
    _config: &Config,
) -> Result<Compiled, String> {
    Err("this build of wasmr has no compiler (feature `jit` of the crate)".to_owned())
}

/// Splits a line of Cranelift's text format, such as `@0012    v3 = iadd v1, v2`, into source location and text. The text is
/// indented as if no line had a location.
#[cfg(any(feature = "jit", test))]
fn split_location(line: &str) -> (Option<u32>, String) {
    let located = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
    let location = located.and_then(|(digits, rest)| Some((u32::from_str_radix(digits, 16).ok()?, rest)));
    let (position, rest) = match location {
        Some((position, rest)) => (Some(position), rest),
        None => (None, line),
    };
    let text = rest.trim();
    // Locations indent all lines of a function further.
    let is_outer = text == "}" || text.starts_with("function ") || text.starts_with("block") && text.ends_with(':');
    let indent = if is_outer || text.is_empty() { "" } else { "    " };
    (position, format!("{indent}{text}"))
}

#[cfg(test)]
mod tests {
    use wasmr_runtime::limits::MemoryStrategy;

    use super::*;
    use crate::Engine;

    #[test]
    fn locations_are_split_from_text() {
        assert_eq!(split_location("@001f       v3 = iadd v1, v2"), (Some(0x1f), "    v3 = iadd v1, v2".into()));
        assert_eq!(split_location("            return v3"), (None, "    return v3".into()));
        assert_eq!(split_location("          block0(v0: i64):"), (None, "block0(v0: i64):".into()));
        assert_eq!(split_location("    gv0 = vmctx"), (None, "    gv0 = vmctx".into()));
        assert_eq!(split_location("@- x"), (None, "    @- x".into()));
    }

    fn explored(wat: &str, index: u32, config: &Config) -> Result<Explored, ExploreError> {
        let module = Module::new(&Engine::new(config), wat).unwrap();
        explore(&module, index, config)
    }

    const ADD: &str = "(module (import \"\" \"\" (func)) (memory 1)
        (func (param i32) (result i32) (i32.add (i32.load (local.get 0)) (i32.const 77))))";

    #[test]
    fn every_form_leads_back_to_the_operators() {
        let explored = explored(ADD, 1, &Config::default()).unwrap();
        let texts: Vec<&str> = explored.operators.iter().map(|operator| operator.text.as_str()).collect();
        assert_eq!(texts, ["local.get 0", "i32.load", "i32.const 77", "i32.add", "end"]);
        let add = explored.operators[3].offset;
        if let Ok(baseline) = &explored.baseline {
            let pieces = &baseline.pieces;
            assert!(pieces.iter().any(|piece| piece.operators.contains(&add)), "{pieces:?}");
        }
        let instructions = explored.instructions.unwrap().instructions;
        assert!(
            instructions
                .iter()
                .any(|instruction| instruction.operators.contains(&add) && instruction.text.contains("i32.add")),
            "{instructions:?}"
        );
    }

    #[cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn compiled_forms_lead_back_too() {
        let explored = explored(ADD, 1, &Config::default()).unwrap();
        let compiled = explored.compiled.unwrap();
        let add = Place { func_index: 1, offset: explored.operators[3].offset };
        for lines in [&compiled.clif, &compiled.optimized] {
            let sum = lines.iter().find(|line| line.text.contains("iadd") && line.places == [add]);
            assert!(sum.is_some(), "{lines:#?}");
            assert!(lines[0].text.starts_with("function "), "{lines:#?}");
        }
        assert!(!compiled.code.is_empty());
        assert!(compiled.places.iter().any(|(_, places)| places == &[add]), "{:?}", compiled.places);
    }

    #[test]
    fn builds_without_a_baseline_compiler_say_so() {
        let baseline = explored(ADD, 1, &Config::default()).unwrap().baseline;
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            assert!(!baseline.unwrap().code.is_empty());
        } else {
            assert!(baseline.unwrap_err().starts_with("this build has no baseline compiler"));
        }
    }

    #[test]
    fn the_configuration_shows() {
        let texts = |config: &Config| {
            let instructions = explored(ADD, 1, config).unwrap().instructions.unwrap().instructions;
            instructions.into_iter().map(|instruction| instruction.text).collect::<Vec<_>>().join("\n")
        };
        let checked = texts(Config::new().memory_strategy(MemoryStrategy::Checked));
        assert!(checked.contains("i32.load memory 0["), "{checked}");
        let metered = texts(Config::new().consume_fuel(true));
        assert!(metered.contains("charge 4"), "{metered}");
        assert!(!checked.contains("charge"), "{checked}");
    }

    #[test]
    fn functions_without_a_body_are_refused() {
        let refused = |index| explored(ADD, index, &Config::default()).unwrap_err().to_string();
        assert_eq!(refused(0), "function 0 is imported: its code is not in the module");
        assert_eq!(refused(2), "there is no function 2: the module has 2");
    }
}
