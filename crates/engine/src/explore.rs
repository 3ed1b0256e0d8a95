//! A function in all the forms that it takes on its way: wasm, interpreter instructions, Cranelift's representation, machine code. For
//! people who want to know what becomes of their code.
//!
//! Comes from a module and the configuration of its engine; goes to the command line. Everything is made for the purpose and
//! nothing of it is run. Each line tells the operators that it came from, by their offsets in the module.

use std::sync::Arc;

use wasmr_interp::ModuleCode;
use wasmr_interp::listing::{LEGEND, Listing, list};
use wasmr_module::operators::{OperatorText, locals, operators};
use wasmr_runtime::limits::MemoryStrategy;

use crate::config::Config;
use crate::module::Module;

/// What the slots of [`Explored::instructions`] are called.
pub const CELLS_LEGEND: [&str; 2] = LEGEND;

/// A function that the module defines, in all its forms.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The function, in its module's index space.
    pub func_index: u32,
    /// Where its body lies in the module: offset and bytes.
    pub body: (usize, usize),
    /// The types of the locals that it declares: how many of which.
    pub locals: Vec<(u32, String)>,
    /// Its operators.
    pub operators: Vec<OperatorText>,
    /// What the interpreter executes, or why it does not.
    pub instructions: Result<Listing, String>,
    /// What is compiled, or why it is not.
    pub compiled: Result<Compiled, String>,
}

/// A compiled function.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// As it was translated, line by line.
    pub clif: Vec<ClifLine>,
    /// When Cranelift had optimised it.
    pub optimized: Vec<ClifLine>,
    /// Its machine code; calls of other functions are not filled in.
    pub code: Vec<u8>,
    /// From where on the code is of which operators.
    pub places: Vec<(u32, Vec<Place>)>,
}

/// A line of Cranelift's text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClifLine {
    /// The line, without what it says of its origin.
    pub text: String,
    /// The operators that it is of, the innermost first; none if of no operator.
    pub places: Vec<Place>,
}

/// An operator: in the function that is explored, or in one whose body was put in place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function's index in its module.
    pub func_index: u32,
    /// Offset of the operator in the module.
    pub offset: usize,
}

/// Why nothing can be said of a function.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// It has no body.
    #[error("function {0} is imported: its code is not in the module")]
    Imported(u32),
    /// There is none.
    #[error("there is no function {index}: the module has {count}")]
    OutOfRange {
        /// What was asked for.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// The body cannot be read, which validation excludes unless the module's bytes changed since.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(String),
}

/// Looks at a function, as it is executed with that configuration.
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

    let guarded = may_be_guarded(decls, config);
    let options = wasmr_interp::CodeOptions { metered: config.metered, ..Default::default() };
    let code = ModuleCode::with_options(decls.clone(), options);
    let name_of = |offset: usize| {
        let at = operators.binary_search_by_key(&offset, |operator| operator.offset).ok()?;
        Some(operators[at].text.clone())
    };
    let instructions = list(&code.source(defined_index, guarded), &name_of).map_err(|error| error.to_string());
    let compiled = compiled(decls, defined_index, guarded, config);
    Ok(Explored { func_index, body, locals, operators, instructions, compiled })
}

/// Whether memory 0 is one whose accesses need no check, if the system plays along.
fn may_be_guarded(module: &wasmr_module::Module, config: &Config) -> bool {
    let allowed = config.memory == MemoryStrategy::Guarded && wasmr_interp::MAY_FAULT;
    allowed && module.memories().first().is_some_and(|memory| !memory.is64)
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
    Err("this build of wasmr has no compiling tier".to_owned())
}

/// Takes the source location off a line of Cranelift's text format: `@0012    v3 = iadd v1, v2`. Where it stood is closed up.
#[cfg(any(feature = "jit", test))]
fn split_location(line: &str) -> (Option<u32>, String) {
    let located = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
    let location = located.and_then(|(digits, rest)| Some((u32::from_str_radix(digits, 16).ok()?, rest)));
    let (position, rest) = match location {
        Some((position, rest)) => (Some(position), rest),
        None => (None, line),
    };
    let text = rest.trim();
    // Locations push everything in a function to the right.
    let is_outer = text == "}" || text.starts_with("function ") || text.starts_with("block") && text.ends_with(':');
    let indent = if is_outer || text.is_empty() { "" } else { "    " };
    (position, format!("{indent}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    #[test]
    fn locations_are_told_from_text() {
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
