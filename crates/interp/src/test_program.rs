//! Shared by unit tests: modules from text, and the machine code of the handlers in this test program.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, Module};

/// Returns the module with this text.
pub(crate) fn module(text: &str) -> Arc<Module> {
    let bytes = wat::parse_str(text).unwrap();
    Module::new(bytes.into(), "test", &Features::default(), &Arc::new(TypeRegistry::new()), 1).unwrap()
}

/// The code of this program, at the addresses at which it runs.
#[cfg(wasmr_tail)]
pub(crate) struct Program {
    /// The section of code.
    pub(crate) text: Vec<u8>,
    /// Address of the section.
    pub(crate) text_at: usize,
    /// The functions under `execute/` but its tests, in the order of the symbol table.
    pub(crate) functions: Vec<Function>,
}

/// A function under `execute/`: a handler, or something else there.
#[cfg(wasmr_tail)]
pub(crate) struct Function {
    /// Path under `execute/`.
    pub(crate) path: String,
    /// Address of the function.
    pub(crate) address: usize,
    /// Length of the function in bytes.
    pub(crate) size: usize,
}

#[cfg(wasmr_tail)]
impl Program {
    /// Reads the file of this program.
    pub(crate) fn read() -> Program {
        use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
        use wasmr_runtime::frame::Ip;

        use crate::execute::frame::exit_instruction;

        // A translation keeps the tables of handlers, and so all handlers, in the program.
        crate::ModuleCode::new(module("(module (func))")).get_or_translate(0, true).unwrap();

        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = object::File::parse(&*file).unwrap();
        let mut functions = Vec::new();
        for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or_default()));
            let path = name.strip_prefix("wasmr_interp::execute::").filter(|path| !path.starts_with("tests::"));
            let Some(path) = path else { continue };
            let (address, size) = (symbol.address() as usize, symbol.size() as usize);
            functions.push(Function { path: path.to_owned(), address, size });
        }
        // The system loads the program at another address than the one it was linked for.
        let known = functions.iter().find(|function| function.path == "frame::exit_instruction");
        let linked = known.expect("a known function is in the symbol table").address;
        let bias = (exit_instruction as fn() -> Ip as usize).wrapping_sub(linked);
        functions.iter_mut().for_each(|function| function.address = function.address.wrapping_add(bias));
        let text = elf.section_by_name(".text").unwrap();
        let text_at = (text.address() as usize).wrapping_add(bias);
        Program { text: text.data().unwrap().to_vec(), text_at, functions }
    }

    /// Returns the code from an address on.
    pub(crate) fn code(&self, address: usize) -> &[u8] {
        &self.text[address - self.text_at..]
    }
}
