//! Errors about unknown imports, a missing function to run, and a memory that WASI cannot reach.

use wasmr::symbol::printable;
use wasmr::wasi::MissingMemory;
use wasmr::{ImportFailure, LinkError, Module, val_type_text};

use super::report::printable_word;
use super::values::PreloadSpec;

/// A toolchain that an unknown import gives away.
struct Toolchain {
    /// The import's module name, or its start if a `*` follows.
    module: &'static str,
    /// Possible starts of the import's name. An empty list accepts any name.
    names: &'static [&'static str],
    /// Hint for the user.
    advice: &'static str,
}

/// Known toolchains. The first row that matches an import applies.
const TOOLCHAINS: &[Toolchain] = &[
    Toolchain { module: "env", names: &["abort"], advice: ASSEMBLY_SCRIPT },
    Toolchain {
        module: "env",
        names: &["emscripten_", "_emscripten_", "__syscall_", "invoke_", "__cxa_"],
        advice: EMSCRIPTEN,
    },
    Toolchain { module: "env", names: &[], advice: UNDEFINED_SYMBOL },
    Toolchain { module: "wbg", names: &[], advice: WASM_BINDGEN },
    Toolchain { module: "__wbindgen_placeholder__", names: &[], advice: WASM_BINDGEN },
    Toolchain { module: "__wbindgen_externref_xform__", names: &[], advice: WASM_BINDGEN },
    Toolchain { module: "go", names: &[], advice: GO_JS },
    Toolchain { module: "gojs", names: &[], advice: GO_JS },
    Toolchain { module: "wasix_32v1", names: &[], advice: WASIX },
    Toolchain { module: "wasix_64v1", names: &[], advice: WASIX },
    Toolchain { module: "wasi:*", names: &[], advice: COMPONENT },
    Toolchain { module: "wasi_ephemeral_*", names: &[], advice: NO_PREVIEW1 },
    Toolchain { module: "GOT.*", names: &[], advice: SIDE_MODULE },
    Toolchain { module: "a", names: &[], advice: EMSCRIPTEN },
];

const ASSEMBLY_SCRIPT: &str =
    "the module looks built by AssemblyScript: rebuild it with `--use abort=`, or with AssemblyScript's wasi-shim";
const EMSCRIPTEN: &str = "the module looks built by Emscripten for JavaScript: rebuild it with `-sSTANDALONE_WASM`, or with wasi-sdk for wasm32-wasip1";
const UNDEFINED_SYMBOL: &str = "imports from `env` are symbols that the linker left undefined: link the library that defines them, or rebuild the module for wasm32-wasip1";
const WASM_BINDGEN: &str = "the module is built by wasm-bindgen for JavaScript: rebuild it for wasm32-wasip1, without wasm-bindgen or wasm-pack";
const GO_JS: &str = "the module is built by Go for JavaScript: rebuild it with GOOS=wasip1 GOARCH=wasm";
const WASIX: &str = "the module needs WASIX, which wasmr does not support: rebuild it for wasm32-wasip1";

const COMPONENT: &str = "the module is the core of a component for WASI 0.2: run the component that was made of it, or rebuild it for wasm32-wasip1";
const NO_PREVIEW1: &str = "the module needs an extension of WASI that wasmr does not support";
const SIDE_MODULE: &str = "the module is a shared library, which needs a program to load it: link it statically";

/// Returns hints about the toolchains that unknown imports give away, each once.
pub fn toolchain_hints<'a>(imports: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'static str> {
    let mut hints = Vec::new();
    for (module, field) in imports {
        let fits = |row: &&Toolchain| {
            let in_module = match row.module.strip_suffix('*') {
                Some(start) => module.starts_with(start),
                None => row.module == module,
            };
            in_module && (row.names.is_empty() || row.names.iter().any(|start| field.starts_with(start)))
        };
        if let Some(Toolchain { advice, .. }) = TOOLCHAINS.iter().find(fits)
            && !hints.contains(advice)
        {
            hints.push(advice);
        }
    }
    hints
}

/// The preloads of a run, as seen by one of its modules.
#[derive(Clone, Copy, Debug)]
pub struct Preloads<'a> {
    /// Module names of all preloads, in order.
    pub names: &'a [String],
    /// Number of preloads before the module. The module itself is the next preload, or the program if there is none.
    pub ready: usize,
    /// Preloads after MODULE, which go to the program.
    pub late: &'a [PreloadSpec],
    /// For each preload, the modules from which it imports, other than WASI. Empty if unknown.
    pub needs: &'a [Vec<String>],
}

impl<'a> Preloads<'a> {
    /// Returns the late preload of that name, unless a preload before MODULE has the name.
    fn late(&self, name: &str) -> Option<&'a PreloadSpec> {
        self.late.iter().find(|late| late.name == name && !self.names.contains(&late.name))
    }

    /// Returns true if a preload, late or not, has the name.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name) || self.late(name).is_some()
    }

    /// Returns the shortest cycle of imports that begins with the import of the preload `from` from `to`.
    fn cycle(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut paths = vec![vec![from, to]];
        let mut seen = vec![to];
        let mut next = 0;
        while let Some(path) = paths.get(next).cloned() {
            next += 1;
            for need in self.needs.get(*path.last()?)? {
                match self.names.iter().position(|name| name == need) {
                    Some(at) if at == from => return Some(path),
                    Some(at) if !seen.contains(&at) => {
                        seen.push(at);
                        paths.push([&path[..], &[at]].concat());
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

/// Returns hints about unknown imports whose module is a preload, or belongs neither to WASI nor to a known toolchain.
fn library_hints(error: &LinkError, preloads: Preloads<'_>) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    for ImportFailure { module, name, .. } in error.failures.iter().filter(|failure| failure.found_text.is_none()) {
        let is_foreign = || module.starts_with("wasi_") || !toolchain_hints([(&**module, &**name)]).is_empty();
        if !preloads.is_named(module) && is_foreign() {
            continue;
        }
        let option = shell_word(&printable(module));
        let hint = match preloads.names.iter().position(|name| name == module) {
            Some(at) if at < preloads.ready => {
                format!("the module of --preload {option} has no export of that name")
            }
            Some(at) if at == preloads.ready => {
                format!("--preload {option} names this module itself, and a module cannot import from itself")
            }
            Some(at) => match preloads.cycle(preloads.ready, at) {
                Some(cycle) => format!(
                    "{} import from each other, so no order of --preload works: link them into one module",
                    listed(cycle.iter().map(|at| format!("`{}`", printable(&preloads.names[*at]))))
                ),
                None => format!("`{}` comes later: put its --preload before this one", printable(module)),
            },
            None => match preloads.late(module) {
                Some(PreloadSpec { name, file }) => {
                    let value = shell_word(&format!("{}={}", printable_word(name), printable_word(file)));
                    format!(
                        "--preload {value} goes to the program, because it comes after MODULE: put it before MODULE"
                    )
                }
                None => format!(
                    "`{}` is the name of another module: provide its file with --preload {option}=FILE",
                    printable(module)
                ),
            },
        };
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints
}

/// Joins words with commas, and with "and" before the last.
fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// Returns the error for unknown and incompatible imports: the first ones with their types, and hints.
pub fn imports_error(name: &str, error: &LinkError, preloads: Preloads<'_>) -> anyhow::Error {
    let mut text = String::new();
    for failure in &error.failures {
        let ImportFailure { module, name, expected_text, found_text, .. } = failure;
        let (module, name) = (printable(module), printable(name));
        text.push_str(&match found_text {
            None => format!("unknown import `{module}` `{name}`: {expected_text}\n"),
            Some(found) => {
                format!("incompatible import `{module}` `{name}`: expected {expected_text}, found {found}\n")
            }
        });
    }
    if let Some(more) = error.more_text() {
        text.push_str(&more);
        text.push('\n');
    }
    let unknown = error.failures.iter().filter(|failure| failure.found_text.is_none());
    // The name of a preload means the preload, even if a toolchain uses the same name.
    let unknown = unknown.filter(|failure| !preloads.is_named(&failure.module));
    let toolchains = toolchain_hints(unknown.map(|failure| (&*failure.module, &*failure.name)));
    let toolchains = toolchains.into_iter().map(str::to_string);
    for hint in toolchains.chain(library_hints(error, preloads)) {
        text.push_str("hint: ");
        text.push_str(&hint);
        text.push('\n');
    }
    anyhow::anyhow!("{}", text.trim_end()).context(format!("cannot link `{}`", printable(name)))
}

/// Number of exports that a message lists. A module chooses how many it has, and how long their types are.
const LISTED_EXPORTS: usize = 50;

/// Returns the list of exports of a program, with a command line that calls one. `file` is the program's path as typed.
pub fn exports_help(module: &Module, file: &str) -> String {
    let registry = module.registry();
    let mut text = String::new();
    let mut example = None;
    for export in module.exports().take(LISTED_EXPORTS) {
        let name = export.name();
        text.push_str(if text.is_empty() { "exports:\n" } else { "" });
        text.push_str(&format!("  {} {}\n", printable(name), export.type_text()));
        // wasmr calls `_initialize` without being asked.
        if name != "_initialize" {
            example = example.or(export.func_type().map(|ty| (name, ty)));
        }
    }
    if text.is_empty() {
        return "the module exports nothing".to_string();
    }
    let more = module.exports().skip(LISTED_EXPORTS).count();
    if more > 0 {
        text.push_str(&format!("  and {more} more, which `wasmr inspect` lists\n"));
    }
    if let Some((name, ty)) = example {
        let params: Vec<String> =
            ty.params().iter().map(|param| val_type_text(registry, *param).to_uppercase()).collect();
        text.push_str(&format!("to call one, type\n  {}", invoke_command(&printable(name), file, &params)));
    }
    text
}

/// Returns a command line that calls an export.
pub fn invoke_command(name: &str, file: &str, args: &[String]) -> String {
    let words = [name, file].into_iter().chain(args.iter().map(String::as_str)).map(shell_word);
    format!("wasmr run --invoke {}", words.collect::<Vec<_>>().join(" "))
}

/// Returns sentence and details of the error for a program that calls WASI but does not export its memory.
pub fn memory_help(missing: &MissingMemory, backtrace: &str) -> (String, String) {
    let name = printable(missing.module().unwrap_or_default());
    let sentence = format!("`{name}` called {}, but does not export its memory as `memory`", missing.call());
    let advice = "to export it, write `(memory (export \"memory\") 1)` in the text format, or pass `--export-memory` to the linker";
    (sentence, format!("exports: {}\n{advice}\n{backtrace}", missing.exports()))
}

/// Quotes a word for a shell, if needed.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_are_recognised_by_their_imports() {
        let hint = |imports: &[(&'static str, &'static str)]| toolchain_hints(imports.iter().copied()).join("\n");
        assert!(hint(&[("wbg", "__wbindgen_throw")]).contains("wasm32-wasip1"));
        assert!(hint(&[("env", "emscripten_resize_heap")]).contains("Emscripten"));
        assert!(hint(&[("env", "abort")]).contains("AssemblyScript"));
        assert!(hint(&[("env", "puts")]).contains("wasm32-wasip1"));
        assert!(hint(&[("gojs", "runtime.wasmExit")]).contains("GOOS=wasip1"));
        assert!(hint(&[("wasi:io/streams@0.2.0", "f")]).contains("wasm32-wasip1"));
        assert!(hint(&[("GOT.mem", "x")]).contains("shared library"));
        assert_eq!(hint(&[("mine", "f")]), "");
        assert_eq!(toolchain_hints([("env", "puts"), ("env", "gets")]).len(), 1);
    }

    #[test]
    fn exports_are_listed_with_a_line_to_type() {
        let text = r#"(module (memory (export "mem") 1) (func (export "_initialize"))
            (func (export "add two") (param i32 f64) (result i32) i32.const 0))"#;
        let module = Module::new(&wasmr::Engine::default(), text).unwrap();
        let help = exports_help(&module, "my file.wasm");
        assert!(help.contains("\n  mem (memory 1)\n"), "{help}");
        assert!(help.contains("\n  add two (func (param i32 f64) (result i32))\n"), "{help}");
        assert!(help.ends_with("\n  wasmr run --invoke 'add two' 'my file.wasm' I32 F64"), "{help}");
        let many: String = (0..60).map(|index| format!("(export \"f{index}\" (func 0))")).collect();
        let many = Module::new(&wasmr::Engine::default(), format!("(module (func) {many})")).unwrap();
        let help = exports_help(&many, "m");
        assert!(help.contains("\n  f49 (func)\n  and 10 more, which `wasmr inspect` lists\n"), "{help}");
        let empty = Module::new(&wasmr::Engine::default(), "(module)").unwrap();
        assert_eq!(exports_help(&empty, "m"), "the module exports nothing");
    }
}
