//! Messages about what a program lacks: imports that nobody offers, a function to run, a memory that calls can reach.

use wasmr::symbol::printable;
use wasmr::wasi::MissingMemory;
use wasmr::{ImportFailure, LinkError, Module, val_type_text};

use super::report::printable_word;
use super::values::PreloadSpec;

/// What a missing import tells about how a program was built.
struct Toolchain {
    /// The import's module name; with a `*` at the end, how it starts.
    module: &'static str,
    /// Starts of the import's name that give it away; any name if there are none.
    names: &'static [&'static str],
    /// What to do.
    advice: &'static str,
}

/// The first row that fits an import counts.
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
    Toolchain { module: "wasi", names: &["thread-spawn"], advice: THREADS },
    Toolchain { module: "wasi:*", names: &[], advice: COMPONENT },
    Toolchain { module: "wasi_ephemeral_*", names: &[], advice: NO_PREVIEW1 },
    Toolchain { module: "GOT.*", names: &[], advice: SIDE_MODULE },
    Toolchain { module: "a", names: &[], advice: EMSCRIPTEN },
];

const ASSEMBLY_SCRIPT: &str =
    "the module looks built by AssemblyScript: rebuild it with `--use abort=`, or with AssemblyScript's wasi-shim";
const EMSCRIPTEN: &str = "the module looks built by Emscripten for JavaScript: rebuild it with `-sSTANDALONE_WASM`, or with wasi-sdk for wasm32-wasip1";
const UNDEFINED_SYMBOL: &str = "imports from `env` are symbols that the linker left undefined: link the library that defines them, or rebuild the module for wasm32-wasip1";
const THREADS: &str = "the module needs wasi-threads, which wasmr does not support: rebuild it without threads";
const WASM_BINDGEN: &str = "the module is built by wasm-bindgen for JavaScript: rebuild it for wasm32-wasip1, without wasm-bindgen or wasm-pack";
const GO_JS: &str = "the module is built by Go for JavaScript: rebuild it with GOOS=wasip1 GOARCH=wasm";
const WASIX: &str = "the module needs WASIX, which wasmr does not support: rebuild it for wasm32-wasip1";

const COMPONENT: &str = "the module is the core of a component for WASI 0.2: rebuild it for wasm32-wasip1";
const NO_PREVIEW1: &str = "the module needs an extension of WASI that wasmr does not support";
const SIDE_MODULE: &str = "the module is a shared library, which needs a program to load it: link it statically";

/// What the names of missing imports say about how to get a program that links.
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

/// The preloads of a run, as one of its modules sees them.
#[derive(Clone, Copy, Debug)]
pub struct Preloads<'a> {
    /// The names of all preloads, in their order.
    pub names: &'a [String],
    /// Number of preloads that come before the module. The module itself is the next one, or the program if there is none.
    pub ready: usize,
    /// Preloads that stand after MODULE, where they are words of the program.
    pub late: &'a [PreloadSpec],
    /// For each preload, the modules that its imports name and WASI does not have; empty if nobody asked.
    pub needs: &'a [Vec<String>],
}

impl<'a> Preloads<'a> {
    /// Returns the late preload of that name, if none of that name stands in its place.
    fn late(&self, name: &str) -> Option<&'a PreloadSpec> {
        self.late.iter().find(|late| late.name == name && !self.names.contains(&late.name))
    }

    /// Returns true if the user meant a preload by that name.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name) || self.late(name).is_some()
    }

    /// The shortest circle of imports from the preload `from` over `to`, from which it imports, back to it.
    fn circle(&self, from: usize, to: usize) -> Option<Vec<usize>> {
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

/// What to do about imports that are those of a preload, or look like those of a library: no toolchain is known by them, nor is
/// it WASI's name.
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
            Some(at) => match preloads.circle(preloads.ready, at) {
                Some(circle) => format!(
                    "{} import from each other, so no order of --preload works: link them into one module",
                    listed(circle.iter().map(|at| format!("`{}`", printable(&preloads.names[*at]))))
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

/// The words with commas between them, and an "and" before the last.
fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// An error for imports that nobody offers or that do not fit: all of them, with types, and what to do about it.
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
    let unknown = error.failures.iter().filter(|failure| failure.found_text.is_none());
    // A preload is meant by its name, whatever toolchain uses that name too.
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

/// The exports of a program without `_start`, and how to call one. `file` is what the user called the program.
pub fn exports_help(module: &Module, file: &str) -> String {
    let registry = module.registry();
    let mut text = String::new();
    let mut example = None;
    for export in module.exports() {
        let name = export.name();
        text.push_str(if text.is_empty() { "exports:\n" } else { "" });
        text.push_str(&format!("  {} {}\n", printable(name), export.type_text()));
        // `_initialize` is called by itself.
        if name != "_initialize" {
            example = example.or(export.func_type().map(|ty| (name, ty)));
        }
    }
    if text.is_empty() {
        return "the module exports nothing".to_string();
    }
    if let Some((name, ty)) = example {
        let params: Vec<String> =
            ty.params().iter().map(|param| val_type_text(registry, *param).to_uppercase()).collect();
        text.push_str(&format!("to call one, type\n  {}", invoke_command(&printable(name), file, &params)));
    }
    text
}

/// A command line that calls an export.
pub fn invoke_command(name: &str, file: &str, args: &[String]) -> String {
    let words = [name, file].into_iter().chain(args.iter().map(String::as_str)).map(shell_word);
    format!("wasmr run --invoke {}", words.collect::<Vec<_>>().join(" "))
}

/// Sentence and details of the error for a program whose memory calls of WASI cannot reach.
pub fn memory_help(missing: &MissingMemory, backtrace: &str) -> (String, String) {
    let name = printable(missing.module().unwrap_or_default());
    let sentence = format!("`{name}` called {}, but does not export its memory as `memory`", missing.call());
    let advice = "to export it, write `(memory (export \"memory\") 1)` in the text format, or pass `--export-memory` to the linker";
    (sentence, format!("exports: {}\n{advice}\n{backtrace}", missing.exports()))
}

/// A word as a shell takes it.
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
        let empty = Module::new(&wasmr::Engine::default(), "(module)").unwrap();
        assert_eq!(exports_help(&empty, "m"), "the module exports nothing");
    }
}
