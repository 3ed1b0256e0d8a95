//! Checks that the files of a crate do not import each other in a circle, except for the listed [`CIRCLES`]. A reader can then
//! understand a file from the files that it imports, without coming back to it.
//!
//! In: the sources of each crate. A file imports another if its code names an item by a path into it (`crate::…`, `super::…`,
//! `self::…`, or a module that it declares itself). A `mod` line is no import, and neither is a `pub use` of an item further
//! down in the tree. A path through such a re-export counts as a path to the file that has the item. Code under `#[cfg(test)]`
//! is left out, because a test may use all of its crate.
//!
//! # Why a text scanner?
//! The compiler does not report the imports of a file, and a syntax tree would need a parser as a dependency. Neither sees
//! calls of methods, so the `impl` of one type may be split over several files without a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::scan::{code_of, sources};

/// The source folders, each of one crate.
const CRATES: &[&str] = &[
    "crates/core/src/",
    "crates/cache/src/",
    "crates/module/src/",
    "crates/runtime/src/",
    "crates/interp/src/",
    "crates/jit/src/",
    "crates/engine/src/",
    "crates/wasi/src/",
    "src/",
];

/// Permitted circles: the reason, and the files. A circle is permitted if one row has all its files.
const CIRCLES: &[(&str, &[&str])] = &[
    (
        "a store owns the objects, each object refers to its store, and values, errors and stops refer to objects",
        &[
            "crates/runtime/src/array_ref.rs",
            "crates/runtime/src/builtins/mod.rs",
            "crates/runtime/src/collect.rs",
            "crates/runtime/src/const_eval.rs",
            "crates/runtime/src/context.rs",
            "crates/runtime/src/exception.rs",
            "crates/runtime/src/exit.rs",
            "crates/runtime/src/externs.rs",
            "crates/runtime/src/frame.rs",
            "crates/runtime/src/func.rs",
            "crates/runtime/src/gc/mod.rs",
            "crates/runtime/src/global.rs",
            "crates/runtime/src/handle.rs",
            "crates/runtime/src/host.rs",
            "crates/runtime/src/host_error.rs",
            "crates/runtime/src/host_slab.rs",
            "crates/runtime/src/instance.rs",
            "crates/runtime/src/instantiate.rs",
            "crates/runtime/src/memory.rs",
            "crates/runtime/src/object_type.rs",
            "crates/runtime/src/objects.rs",
            "crates/runtime/src/reference.rs",
            "crates/runtime/src/rooted.rs",
            "crates/runtime/src/running.rs",
            "crates/runtime/src/shared_memory.rs",
            "crates/runtime/src/store.rs",
            "crates/runtime/src/struct_ref.rs",
            "crates/runtime/src/table.rs",
            "crates/runtime/src/tag.rs",
            "crates/runtime/src/tier.rs",
            "crates/runtime/src/trap.rs",
            "crates/runtime/src/typed.rs",
            "crates/runtime/src/value.rs",
            "crates/runtime/src/vm.rs",
            "crates/runtime/src/walk.rs",
        ],
    ),
    (
        "handlers continue in other handlers: at a budget interrupt, a stop, a return",
        &[
            "crates/interp/src/execute/dispatch.rs",
            "crates/interp/src/execute/exception.rs",
            "crates/interp/src/execute/frame.rs",
            "crates/interp/src/execute/operand.rs",
            "crates/interp/src/execute/pairs.rs",
        ],
    ),
    (
        "an access that faults continues as the handler of its operator",
        &["crates/interp/src/execute/access.rs", "crates/interp/src/execute/memory.rs"],
    ),
    (
        "a translation is one type, and its parts are in the files of what they do",
        &[
            "crates/interp/src/translate/fuel.rs",
            "crates/interp/src/translate/labels.rs",
            "crates/interp/src/translate/mod.rs",
            "crates/interp/src/translate/stack.rs",
        ],
    ),
    (
        "the context of WASI 0.2 holds its objects, and the functions of each interface, which take the context, define some",
        &[
            "crates/wasi/src/p2/clocks.rs",
            "crates/wasi/src/p2/filesystem/descriptor.rs",
            "crates/wasi/src/p2/filesystem/listing.rs",
            "crates/wasi/src/p2/filesystem/mod.rs",
            "crates/wasi/src/p2/filesystem/types.rs",
            "crates/wasi/src/p2/input.rs",
            "crates/wasi/src/p2/io.rs",
            "crates/wasi/src/p2/mod.rs",
            "crates/wasi/src/p2/output.rs",
            "crates/wasi/src/p2/poll.rs",
            "crates/wasi/src/p2/sockets/ip_name_lookup.rs",
            "crates/wasi/src/p2/sockets/mod.rs",
            "crates/wasi/src/p2/sockets/tcp.rs",
            "crates/wasi/src/p2/sockets/udp.rs",
            "crates/wasi/src/p2/table.rs",
            "crates/wasi/src/p2/terminal.rs",
        ],
    ),
];

/// A path in code, absolute within its crate, and the name under which it is re-exported, if it is (`*` for a glob).
#[derive(Debug)]
struct Mention {
    path: Vec<String>,
    shown_as: Option<String>,
}

/// The modules of one crate: the file of each module, and the names that it re-exports.
struct Modules {
    files: BTreeMap<Vec<String>, String>,
    shown: BTreeMap<Vec<String>, Vec<(String, Vec<String>)>>,
}

impl Modules {
    /// Returns the module into which `path` leads after all re-exports, and the name of the item there. The module is the
    /// longest part of the path that has a file.
    fn resolve<'a>(&'a self, path: &'a [String], steps: usize) -> Option<(&'a [String], &'a str)> {
        let len = (0..=path.len()).rev().find(|len| self.files.contains_key(&path[..*len]))?;
        let module = &path[..len];
        let Some(name) = path.get(len) else { return Some((module, "(itself)")) };
        let shown = self.shown.get(module).into_iter().flatten().find(|(shown, _)| shown == name && steps > 0);
        shown.map_or(Some((module, name)), |(_, target)| self.resolve(target, steps - 1))
    }
}

/// Splits code into tokens: identifiers, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let len = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            out.push(&rest[..len]);
        }
        rest = &rest[len..];
    }
    out
}

/// Returns the index after the bracket that closes the bracket at `open`.
fn behind(tokens: &[&str], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match *token {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" if depth == 1 => return at + 1,
            "}" | "]" | ")" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Returns the code without items under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_cfg = tokens[at..].starts_with(&["#", "[", "cfg", "("]);
        let condition = tokens.get(at + 4..).filter(|_| is_cfg).unwrap_or_default();
        if condition.starts_with(&["test", ")"]) || condition.starts_with(&["all", "(", "test", ","]) {
            at = behind(tokens, at + 1);
            // The item ends with a semicolon or with the closing brace of its body.
            while at < tokens.len() && tokens[at] != ";" && tokens[at] != "{" {
                at += 1;
            }
            at = if tokens.get(at) == Some(&"{") { behind(tokens, at) } else { at + 1 };
        } else {
            out.push(tokens[at]);
            at += 1;
        }
    }
    out
}

/// Reads the rest of a path at `at`, which may have alternatives in braces. Returns the index after it.
fn read_path(tokens: &[&str], mut at: usize, prefix: Vec<String>, public: bool, out: &mut Vec<Mention>) -> usize {
    let mut path = prefix;
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                let end = behind(tokens, at);
                at += 1;
                while at < end - 1 {
                    let comma = tokens[at] == ",";
                    at = if comma { at + 1 } else { read_path(tokens, at, path.clone(), public, out).max(at + 1) };
                }
                return end;
            }
            Some(&"super") => drop(path.pop()),
            Some(&"self") => {}
            Some(word) if *word == "*" || word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_string());
            }
            // Generic arguments, or the brace after the last alternative.
            _ => break,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    let mut name = path.last().cloned();
    if tokens.get(at) == Some(&"as") {
        name = tokens.get(at + 1).map(|name| name.to_string());
        at += 2;
    }
    out.push(Mention { path, shown_as: name.filter(|_| public) });
    at
}

/// Returns all paths in the code of `module` that lead into its crate.
fn mentions(module: &[String], code: &str) -> Vec<Mention> {
    let tokens = without_tests(&tokens(code));
    let children: BTreeSet<&str> = tokens.windows(3).filter(|t| t[0] == "mod" && t[2] == ";").map(|t| t[1]).collect();
    let mut out = Vec::new();
    // Names of the inline modules of this file, each with its depth of braces.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let (mut at, mut depth, mut public) = (0, 0, false);
    while at < tokens.len() {
        let follows_path = at > 0 && tokens[at - 1] == "::";
        match tokens[at] {
            "mod" if tokens.get(at + 2) == Some(&"{") => {
                inside.push((tokens[at + 1].to_string(), depth));
                at += 2;
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inside.pop_if(|(_, opened)| *opened == depth);
            }
            "use" => public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")"),
            ";" => public = false,
            word => {
                let here = || module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                let is_path = tokens.get(at + 1) == Some(&"::") && !follows_path;
                let start = match word {
                    "crate" if is_path => Some((at + 2, Vec::new())),
                    "self" | "super" if is_path => Some((at, here())),
                    word if is_path && children.contains(word) => Some((at, here())),
                    _ => None,
                };
                if let Some((start, prefix)) = start {
                    at = read_path(&tokens, start, prefix, public, &mut out).max(at + 1);
                    continue;
                }
            }
        }
        at += 1;
    }
    out
}

/// Returns the imports of each file of the crate in `folder`: the imported files, and the names used from each.
fn imports(folder: &str, sources: &[(String, String)]) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut modules = Modules { files: BTreeMap::new(), shown: BTreeMap::new() };
    let mut said = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| file.starts_with(folder)) {
        let path = file[folder.len()..].trim_end_matches(".rs");
        if path == "main" || path.starts_with("bin/") {
            continue;
        }
        let path = if path == "lib" { "" } else { path.trim_end_matches("/mod") };
        let module: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_string).collect();
        said.push((module.clone(), file.clone(), mentions(&module, &code_of(text))));
        modules.files.insert(module, file.clone());
    }
    for (module, _, mentions) in &said {
        let faces = mentions.iter().filter_map(|m| Some((m.shown_as.clone()?, m.path.clone())));
        modules.shown.insert(module.clone(), faces.collect());
    }
    let mut all = BTreeMap::new();
    for (module, file, mentions) in &said {
        let of_file: &mut BTreeMap<String, BTreeSet<String>> = all.entry(file.clone()).or_default();
        for mention in mentions {
            let is_face = mention.shown_as.is_some() && mention.path.starts_with(module);
            let Some((target, name)) = modules.resolve(&mention.path, 8).filter(|_| !is_face) else { continue };
            if target != module {
                of_file.entry(modules.files[target].clone()).or_default().insert(name.to_string());
            }
        }
    }
    all
}

/// Returns the sets of files that reach each other by imports.
fn circles(imports: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            open.extend(imports[file].keys().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|file| (file, reached(file))).collect();
    let in_circle = imports.keys().filter(|file| reach[file].contains(*file));
    let sets: BTreeSet<BTreeSet<String>> = in_circle
        .map(|file| reach[file].iter().filter(|other| reach[other].contains(file)).cloned().collect())
        .collect();
    sets.into_iter().collect()
}

#[test]
fn files_import_each_other_in_no_circle() {
    let sources = sources();
    let mut offenders = Vec::new();
    let mut met = BTreeSet::new();
    for folder in CRATES {
        let imports = imports(folder, &sources);
        assert!(imports.values().any(|of_file| !of_file.is_empty()), "{folder}: no imports were found");
        for circle in circles(&imports) {
            if CIRCLES.iter().any(|(_, files)| circle.iter().all(|file| files.contains(&&**file))) {
                met.extend(circle);
                continue;
            }
            for from in &circle {
                for (to, names) in imports[from].iter().filter(|(to, _)| circle.contains(*to)) {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    offenders.push(format!("{from} -> {}: {}", &to[folder.len()..], names.join(", ")));
                }
            }
            offenders.push("(end of a circle)".to_string());
        }
    }
    let stale = CIRCLES.iter().flat_map(|(_, files)| *files).filter(|file| !met.contains(**file));
    offenders.extend(stale.map(|file| format!("{file} is in no circle: take it off CIRCLES")));
    crate::assert_none(offenders, "files import each other in a circle; move what both need below both");
}

#[test]
fn the_scanner_follows_paths() {
    let text = "mod child;\npub use child::Shown;\nuse super::{a::{self, B}, c as d};\n\
        fn f() { crate::g::h::<u8>(); other::crate_::x(); child::k() }\nmod inner { use super::super::m::N; }\n\
        #[cfg(test)]\nmod tests { use crate::z::Z; }";
    let module = ["x".to_string(), "y".to_string()];
    let mut found: Vec<String> = mentions(&module, text).iter().map(|m| m.path.join("::")).collect();
    found.sort();
    assert_eq!(found, ["g::h", "x::a", "x::a::B", "x::c", "x::m::N", "x::y::child::Shown", "x::y::child::k"]);
}

#[test]
fn the_scanner_finds_circles() {
    let source = |file: &str, text: &str| (format!("k/{file}"), text.to_string());
    let tree = [
        source("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
        source("a.rs", "use crate::b::B;"),
        source("b.rs", "struct B; use crate::c;"),
        source("c.rs", "fn f(a: crate::A) {}"),
        source("d.rs", "use crate::a::A;"),
    ];
    let set = |files: &[&str]| files.iter().map(|file| format!("k/{file}")).collect::<BTreeSet<_>>();
    assert_eq!(circles(&imports("k/", &tree)), [set(&["a.rs", "b.rs", "c.rs"])]);
    assert_eq!(circles(&imports("k/", &tree[..3])), []);
}
