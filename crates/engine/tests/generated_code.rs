//! Golden files of the code that both tiers generate, so that a lost optimisation is a failing test.
//!
//! A file of `tests/golden/code/` is a module in the text format. Lines that start with `;;!` select the forms to show. The lines
//! from the first `;; ==` on are the generated code. `WASMR_BLESS=1` writes them anew.
//!
//! ```text
//! ;;! func 1, checked: instructions, clif
//! ```
//! | before the colon | meaning |
//! |---|---|
//! | `func N` | the function, counted from the first that the module defines |
//! | `checked` | memory 0 is a checked memory; it is guard-paged otherwise |
//! | `metered` | the code consumes fuel |
//! | `called N N` | the profile: every indirect call of the function reached these functions, the first most often |
//! | `loop N` | the compiled code is an OSR entry at that loop, counted in the order of the loops |
//! | `start or loop N` | the compiled code has a dual entry |
//!
//! | after the colon | meaning |
//! |---|---|
//! | `instructions` | the interpreter's instructions |
//! | `clif` | the translation into Cranelift's representation |
//! | `optimised` | that representation after Cranelift's optimisations |
//!
//! Names replace offsets of fields, places of libcalls, and numbers of traps and of operators that the runtime executes: the files do not depend on layouts and tables.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_core::trap::TrapCode;
use wasmr_engine::Tuning;
use wasmr_interp::{CodeOptions as InterpOptions, ModuleCode, list};
use wasmr_jit::{CodeOptions, Entry, JitModule, OsrEntry};
use wasmr_module::operators::operators;
use wasmr_module::{Builtin, Features, Module};
use wasmr_runtime::vm::{VmInstance, VmLayout, VmStore};
use wasmr_runtime::vm_gc::{CELL_SIZES, VmHeap, VmInterval};

/// Mark of the line at which shown code starts.
const MARK: &str = ";; == ";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/code")
}

/// A `;;!` line: a function, conditions, and the forms to show.
#[derive(Default)]
struct Show {
    title: String,
    func: u32,
    checked: bool,
    metered: bool,
    called: Vec<u32>,
    at_loop: Option<(usize, bool)>,
    forms: Vec<String>,
}

impl Show {
    fn parse(line: &str) -> Show {
        let (conditions, forms) = line.split_once(": ").unwrap_or_else(|| panic!("no colon in {line}"));
        let mut show = Show { title: conditions.to_owned(), ..Show::default() };
        for condition in conditions.split(", ") {
            let number = || condition.rsplit(' ').next().unwrap().parse().expect("a number at the end");
            match condition {
                "checked" => show.checked = true,
                "metered" => show.metered = true,
                _ if condition.starts_with("func ") => show.func = number(),
                _ if condition.starts_with("called ") => {
                    let funcs = condition.split(' ').skip(1);
                    show.called = funcs.map(|func| func.parse().expect("a function")).collect();
                }
                _ if condition.starts_with("loop ") => show.at_loop = Some((number() as usize, false)),
                _ if condition.starts_with("start or loop ") => show.at_loop = Some((number() as usize, true)),
                _ => panic!("unknown condition {condition}"),
            }
        }
        show.forms = forms.split(", ").map(str::to_owned).collect();
        show
    }

    /// Returns the forms as the lines of a golden file.
    fn shown(&self, module: &Arc<Module>) -> String {
        let code = ModuleCode::with_options(
            module.clone(),
            InterpOptions { metered: self.metered, ..InterpOptions::default() },
        );
        let source = code.source(self.func, !self.checked);
        let texts = operators(module, self.func).unwrap();
        let name_of = |offset| texts.iter().find(|operator| operator.offset == offset).map(|it| it.text.clone());
        let listing = list(&source, &name_of).unwrap();

        let layout = VmLayout::for_module(module);
        let calls = Tuning::default().calls();
        let options = CodeOptions {
            guarded: !self.checked,
            metered: self.metered,
            canonical_nans: false,
            spectre_guards: false,
            calls,
        };
        let jit = JitModule::new(module.clone(), layout, options).unwrap();
        for operator in texts.iter().filter(|operator| operator.text.starts_with("call_")) {
            for (rank, &callee) in self.called.iter().enumerate() {
                jit.record_calls(operator.offset, callee, 100 >> rank);
            }
        }
        let entry = match self.at_loop {
            None => Entry::Start,
            Some((number, dual_entry)) => {
                let block = code.get_or_translate(self.func, !self.checked).unwrap();
                let offset = block.loop_offsets().nth(number).expect("there are as many loops");
                let osr = OsrEntry { offset, frame: code.frame_map(self.func).unwrap() };
                if dual_entry { Entry::StartOrLoop(osr) } else { Entry::Loop(osr) }
            }
        };
        let disassembly = jit.examine(self.func, entry).unwrap();

        let mut out = String::new();
        for form in &self.forms {
            writeln!(out, "{MARK}{}: {form}", self.title).unwrap();
            match form.as_str() {
                "instructions" => {
                    let label = |word| format!("@{word}");
                    for instruction in &listing.instructions {
                        writeln!(out, ";;   {:<5}{}", label(instruction.word), instruction.text).unwrap();
                    }
                    for region in &listing.regions {
                        writeln!(out, ";;   exceptions {region}").unwrap();
                    }
                }
                "clif" => Names::new(module, &layout).write(&disassembly.clif, &mut out),
                "optimised" => Names::new(module, &layout).write(&disassembly.optimized, &mut out),
                _ => panic!("unknown form {form}"),
            }
        }
        out
    }
}

/// Names of fields, by their offsets from a pointer.
type Fields = HashMap<i64, String>;

macro_rules! fields {
    ($ty:ident: $($field:ident)*) => { HashMap::from([$((offset_of!($ty, $field) as i64, stringify!($field).to_owned()),)*]) };
}

/// Replaces offsets in Cranelift's text by the names of fields.
struct Names {
    instance: Fields,
    store: Fields,
    /// Offsets of the functions' records, which are computed rather than loaded from.
    funcs: Fields,
    /// Values that are pointers to the store.
    stores: HashSet<String>,
    /// Values that are pointers to the table of libcalls.
    libcalls: HashSet<String>,
    /// Values that are numbers of operators that the runtime executes.
    builtins: HashSet<String>,
}

/// Parameters of the libcall for the operators that the runtime executes: instance, number, immediates, operands.
const BUILTIN_PARAMS: &str = " = (i64, i32, i64, i64) ";

impl Names {
    fn new(module: &Module, layout: &VmLayout) -> Names {
        let mut instance: Fields = fields!(VmInstance:
            memory0_base budget memory0_guarded engine_word store native_stack_limit loop_frame data_dropped tier_data heap_base instance);
        let mut store = fields!(VmStore:
            stack_base stack_limit stack_top trap_code exit_fp exit_ip registers pending_exception unallocated_tag payload caller fuel interrupt store
            tail_func tail_slots activation native_exit_fp native_stack_top native_stack_limit native_libcalls);
        let mut add = |kind: &str, count: u32, offset: &dyn Fn(u32) -> u32| {
            instance.extend((0..count).map(|index| (i64::from(offset(index)), format!("{kind}{index}"))));
        };
        let imported_globals = module.imported_global_count();
        add("imported_func", module.imported_func_count(), &|index| layout.imported_func(index));
        add("imported_global", imported_globals, &|index| layout.imported_global(index));
        add("table", module.tables().len() as u32, &|index| layout.table(index));
        add("memory", module.memories().len() as u32, &|index| layout.memory(index));
        add("tag", module.tags().len() as u32, &|index| layout.tag(index));
        add("global", module.globals().len() as u32 - imported_globals, &|index| layout.defined_global(index));
        let types = if module.has_objects() { module.type_count() } else { 0 };
        add("descriptor", types, &|index| layout.descriptor(index));
        for (class, size) in CELL_SIZES.iter().enumerate() {
            let interval = offset_of!(VmStore, heap) + offset_of!(VmHeap, intervals) + class * size_of::<VmInterval>();
            store.insert((interval + offset_of!(VmInterval, cursor)) as i64, format!("cursor_of_{size}_bytes"));
            store.insert((interval + offset_of!(VmInterval, end)) as i64, format!("end_of_{size}_bytes"));
        }
        let funcs = 0..module.defined_func_count();
        let funcs = funcs.map(|index| (i64::from(layout.defined_func(index)), format!("func{index}"))).collect();
        Names { instance, store, funcs, stores: HashSet::new(), libcalls: HashSet::new(), builtins: HashSet::new() }
    }

    /// Appends the lines without source locations and remarks.
    fn write(mut self, clif: &str, out: &mut String) {
        let signatures = clif.lines().filter_map(|line| Some(line.trim().split_once(BUILTIN_PARAMS)?.0));
        for call in signatures.map(|signature| format!("call_indirect {signature}, ")) {
            let args = clif.lines().filter_map(|line| line.split_once(&call)?.1.split_once('('));
            self.builtins.extend(args.filter_map(|(_, args)| Some(args.split(", ").nth(1)?.to_owned())));
        }
        for line in clif.lines() {
            let located = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
            let text = located.map_or(line, |(_, rest)| rest);
            let text = text.split_once("  ; ").map_or(text, |(text, _)| text).trim();
            if text.is_empty() {
                continue;
            }
            let is_outer =
                text == "}" || text.starts_with("function ") || text.starts_with("block") && text.ends_with(':');
            let indent = if is_outer { "" } else { "    " };
            writeln!(out, ";;   {indent}{}", self.line(text)).unwrap();
        }
    }

    fn line(&mut self, text: &str) -> String {
        let words: Vec<String> = text.split(' ').map(|word| self.word(word)).collect();
        let named = words.join(" ");
        let Some((value, what)) = named.split_once(" = ") else { return named };
        let (_, source) = what.rsplit_once(' ').unwrap_or(("", what));
        if source == "v0+store" {
            self.stores.insert(value.to_owned());
        } else if source.ends_with("+native_libcalls") {
            self.libcalls.insert(value.to_owned());
        } else if what.starts_with("iconst.i64 ")
            && let Some(func) = source.parse().ok().and_then(|number: i64| self.funcs.get(&number))
        {
            return format!("{value} = iconst.i64 {func}");
        } else if what.starts_with("iconst.i32 ")
            && self.builtins.contains(value)
            && let Some(builtin) = source.parse().ok().and_then(|number: usize| Builtin::ALL.get(number))
        {
            return format!("{value} = iconst.i32 {}", builtin.name());
        }
        named
    }

    /// Returns a word of a line with names for its numbers. The first parameter of every function is the instance.
    fn word(&self, word: &str) -> String {
        let (text, rest) =
            [",", ":"].iter().find_map(|&rest| Some((word.strip_suffix(rest)?, rest))).unwrap_or((word, ""));
        let trap = text.strip_prefix("user").and_then(|number| TrapCode::ALL.get(number.parse::<usize>().ok()? - 1));
        if let Some(trap) = trap {
            return format!("{trap:?}{rest}");
        }
        // Handlers name tags by their offsets.
        let tag = text.strip_prefix("tag").and_then(|offset| self.instance.get(&offset.parse().ok()?));
        if let Some(tag) = tag {
            return format!("{tag}{rest}");
        }
        let (pointer, offset) = text.split_once('+').unwrap_or((text, "0"));
        if self.libcalls.contains(pointer) {
            return format!("{pointer}+libcall{rest}");
        }
        let fields = match pointer {
            "v0" | "gv0" if text != pointer => &self.instance,
            _ if self.stores.contains(pointer) => &self.store,
            _ => return word.to_owned(),
        };
        let field = offset.parse().ok().and_then(|offset: i64| fields.get(&offset));
        field.map_or_else(|| word.to_owned(), |field| format!("{pointer}+{field}{rest}"))
    }
}

#[test]
fn code_is_as_in_the_golden_files() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let blesses = std::env::var_os("WASMR_BLESS").is_some_and(|value| value == "1");
    let mut differing = String::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let source = text.find(MARK).map_or(text.as_str(), |at| &text[..at]);
        let shows: Vec<Show> = source.lines().filter_map(|line| line.strip_prefix(";;! ")).map(Show::parse).collect();
        assert!(!shows.is_empty(), "{} shows nothing", file.display());
        let bytes = wat::parse_str(source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // A registry per file, so that the numbers of types depend on the file alone.
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.into(), "golden", &Features::all(), &types, 1).unwrap();
        let actual = shows.iter().fold(source.to_owned(), |all, show| all + &show.shown(&module));
        if blesses {
            std::fs::write(file, &actual).unwrap();
        } else if actual != text {
            let (line, (is, was)) = actual
                .lines()
                .chain([""])
                .zip(text.lines().chain([""]))
                .enumerate()
                .find(|(_, (is, was))| is != was)
                .unwrap_or_default();
            let name = file.file_name().unwrap().to_string_lossy();
            writeln!(differing, "{name}, line {}:\n  expected {was}\n  is now   {is}", line + 1).unwrap();
        }
    }
    assert!(differing.is_empty(), "WASMR_BLESS=1 accepts the code as it is; read the diff then\n{differing}");
}
