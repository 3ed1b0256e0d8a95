//! Rules about the source tree that no compiler checks: length and opening tour of files, places of `unsafe`, dependencies
//! between crates, no unfinished code, no dependency with a known hole, no paths of a developer's machine. Rules about
//! documents are in [`documents`], rules about imports in [`imports`].
//!
//! In: the files of the checkout. Each test lists every offender, so that one run is enough to fix all. Before a scan for
//! words, [`code_of`] blanks out comments and strings, so that prose may name what code may not use.

mod documents;
mod imports;
mod scan;
mod words;

use std::fs;

use scan::{code_of, files, has_word, read, root, sources, split};

/// Largest number of lines of a file.
const MAX_LINES: usize = 600;

/// Crates that must not contain `unsafe` at all.
const SAFE_CRATES: &[&str] = &["component", "module", "wasi"];

/// The files that contain `unsafe`. No other file may, and a file without any must leave the list. A name that ends in `/`
/// stands for all files of a directory.
const UNSAFE_FILES: &[&str] = &[
    "crates/cache/src/map.rs",
    "crates/canon/src/call.rs",
    "crates/canon/src/instantiate.rs",
    "crates/core/src/ops/ordered.rs",
    "crates/engine/src/precompiled.rs",
    "crates/engine/src/warm_start.rs",
    "crates/interp/src/catch.rs",
    "crates/interp/src/code.rs",
    "crates/interp/src/entry.rs",
    "crates/interp/src/execute/access.rs",
    "crates/interp/src/execute/atomic.rs",
    "crates/interp/src/execute/builtin.rs",
    "crates/interp/src/execute/bulk_memory.rs",
    "crates/interp/src/execute/call.rs",
    "crates/interp/src/execute/dispatch.rs",
    "crates/interp/src/execute/exception.rs",
    "crates/interp/src/execute/frame.rs",
    "crates/interp/src/execute/fuel.rs",
    "crates/interp/src/execute/heap.rs",
    "crates/interp/src/execute/hooks.rs",
    "crates/interp/src/execute/memory.rs",
    "crates/interp/src/execute/operand.rs",
    "crates/interp/src/execute/pairs.rs",
    "crates/interp/src/execute/self_test.rs",
    "crates/interp/src/execute/simd.rs",
    "crates/interp/src/execute/simd_memory.rs",
    "crates/interp/src/execute/table.rs",
    "crates/interp/src/profile.rs",
    "crates/interp/src/baseline/tests/agreement.rs",
    "crates/interp/src/machine_code/code_memory.rs",
    "crates/interp/src/tier.rs",
    "crates/jit/src/enter.rs",
    "crates/jit/src/frames.rs",
    "crates/jit/src/libcalls.rs",
    "crates/jit/src/link.rs",
    "crates/jit/src/module.rs",
    "crates/jit/src/running.rs",
    "crates/jit/src/trap.rs",
    "crates/jit/src/unwind.rs",
    // A tier of machine code alone, which tests it without the interpreter.
    "crates/jit/tests/damaged_images.rs",
    "crates/jit/tests/native/",
    "crates/runtime/src/array_ref.rs",
    "crates/runtime/src/builtins/atomic.rs",
    "crates/runtime/src/builtins/exception.rs",
    "crates/runtime/src/builtins/heap.rs",
    "crates/runtime/src/builtins/memory.rs",
    "crates/runtime/src/builtins/mod.rs",
    "crates/runtime/src/builtins/reference.rs",
    "crates/runtime/src/builtins/table.rs",
    "crates/runtime/src/collect.rs",
    "crates/runtime/src/context.rs",
    "crates/runtime/src/exception.rs",
    "crates/runtime/src/exit.rs",
    "crates/runtime/src/extension.rs",
    "crates/runtime/src/frame.rs",
    "crates/runtime/src/func.rs",
    "crates/runtime/src/gc/memory.rs",
    "crates/runtime/src/global.rs",
    "crates/runtime/src/handle.rs",
    "crates/runtime/src/host.rs",
    "crates/runtime/src/host_slab.rs",
    "crates/runtime/src/instance.rs",
    "crates/runtime/src/instantiate.rs",
    "crates/runtime/src/layer_state.rs",
    "crates/runtime/src/linker.rs",
    "crates/runtime/src/memory.rs",
    "crates/runtime/src/running.rs",
    "crates/runtime/src/shared_memory.rs",
    "crates/runtime/src/slots.rs",
    "crates/runtime/src/store.rs",
    "crates/runtime/src/struct_ref.rs",
    "crates/runtime/src/sys/build_id.rs",
    "crates/runtime/src/sys/code_allocator.rs",
    "crates/runtime/src/sys/code_mapping.rs",
    "crates/runtime/src/sys/fault.rs",
    "crates/runtime/src/sys/fork.rs",
    "crates/runtime/src/sys/miri.rs",
    "crates/runtime/src/sys/stack.rs",
    "crates/runtime/src/sys/reservation.rs",
    "crates/runtime/src/sys/stack_pages.rs",
    "crates/runtime/src/sys/placement.rs",
    "crates/runtime/src/sys/preempt.rs",
    "crates/runtime/src/sys/unix.rs",
    "crates/runtime/src/table.rs",
    "crates/runtime/src/tier.rs",
    "crates/runtime/src/typed.rs",
    "crates/runtime/src/value.rs",
    "crates/runtime/src/vm.rs",
    "crates/runtime/src/walk.rs",
    // A tier of Rust closures, which tests the runtime without interpreter and compiler.
    "crates/runtime/tests/runtime/",
    "src/cli/load.rs",
    "src/cli/mask.rs",
    "src/cli/save.rs",
    "src/cli/signals.rs",
    "src/cli/usage.rs",
    // Loads modules that it has just compiled ahead of time.
    "spec-tests/tests/spec.rs",
    // Limits what child processes may use, before `exec`.
    "tests/behaviour/harness.rs",
    // Installs a system-call filter in its own process.
    "tests/comes_back.rs",
    // Resets signals in child processes before `exec`.
    "tests/default_signals/mod.rs",
    "tests/no_code_memory.rs",
];

/// Packages that each package may depend on. Development dependencies are free.
const MAY_USE: &[(&str, &[&str])] = &[
    ("crates/core", &[]),
    ("crates/cache", &["blake3", "memmap2", "rustix", "thiserror"]),
    ("crates/module", &["wasmr-core", "wasmparser", "thiserror", "wast", "wat"]),
    ("crates/component", &["wasmr-core", "wasmr-module", "wasmparser", "semver", "thiserror"]),
    // anyhow, because host functions may return its errors.
    (
        "crates/runtime",
        &["wasmr-core", "wasmr-module", "thiserror", "anyhow", "libc", "cpp_demangle", "rustc-demangle"],
    ),
    ("crates/canon", &["wasmr-core", "wasmr-module", "wasmr-component", "wasmr-runtime", "thiserror"]),
    ("crates/interp", &["wasmr-core", "wasmr-module", "wasmr-runtime", "wasmparser", "thiserror", "iced-x86"]),
    (
        "crates/jit",
        &[
            "wasmr-cache",
            "wasmr-core",
            "wasmr-module",
            "wasmr-runtime",
            "wasmparser",
            "cranelift-codegen",
            "cranelift-frontend",
            "cranelift-native",
            "regalloc2",
            "thiserror",
        ],
    ),
    (
        "crates/engine",
        &[
            "wasmr-cache",
            "wasmr-canon",
            "wasmr-component",
            "wasmr-core",
            "wasmr-module",
            "wasmr-runtime",
            "wasmr-interp",
            "wasmr-jit",
            "thiserror",
        ],
    ),
    (
        "crates/wasi",
        &[
            "wasmr-canon",
            "wasmr-component",
            "wasmr-core",
            "wasmr-runtime",
            "cap-std",
            "cap-primitives",
            "chacha20",
            "rustix",
            "rustix-linux-procfs",
            "thiserror",
        ],
    ),
];

/// Files that may name `wasmparser` in code.
const WASMPARSER_PLACES: &[&str] =
    &["crates/component/", "crates/module/", "crates/interp/src/translate/", "crates/jit/src/translate/"];

/// Least versions of packages in the lock file: name, version, reason.
const LEAST_VERSIONS: &[(&str, [u64; 3], &str)] = &[
    ("cap-primitives", [4, 0, 3], "earlier versions let a path leave its directory"),
    ("cranelift-codegen", [0, 135, 8], "earlier versions miscompile"),
];

#[track_caller]
pub(crate) fn assert_none(offenders: Vec<String>, rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}\n", offenders.join("\n  "));
}

#[test]
fn files_are_short() {
    let long = |(file, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{file}: {lines} lines"))
    };
    assert_none(sources().iter().filter_map(long).collect(), "a file has at most 600 lines; split it by what it does");
}

#[test]
fn files_open_with_a_tour() {
    let mute = sources().into_iter().filter(|(_, text)| {
        let opening: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        opening.first().is_none_or(|line| line.trim_start_matches("//!").trim().is_empty())
    });
    assert_none(mute.map(|(file, _)| file).collect(), "a file opens with `//!` and says what it is for");
}

#[test]
fn unsafe_stands_only_where_it_is_listed() {
    let has: Vec<String> =
        sources().into_iter().filter(|(_, text)| has_word(&code_of(text), "unsafe")).map(|(file, _)| file).collect();
    let is_of = |file: &str, entry: &str| file == entry || entry.ends_with('/') && file.starts_with(entry);
    let unlisted = has.iter().filter(|file| !UNSAFE_FILES.iter().any(|entry| is_of(file, entry))).cloned();
    assert_none(unlisted.collect(), "`unsafe` in a file that UNSAFE_FILES does not list");
    let stale =
        UNSAFE_FILES.iter().filter(|entry| !has.iter().any(|file| is_of(file, entry))).map(|entry| entry.to_string());
    assert_none(stale.collect(), "listed in UNSAFE_FILES without need");
}

#[test]
fn safe_crates_forbid_unsafe() {
    let mut roots: Vec<String> = SAFE_CRATES.iter().map(|name| format!("crates/{name}/src/lib.rs")).collect();
    roots.push("crates/interp/src/translate/mod.rs".to_string());
    roots.push("crates/jit/src/translate/mod.rs".to_string());
    roots.push("src/lib.rs".to_string());
    let lax = roots.into_iter().filter(|file| !code_of(&read(file)).contains("#![forbid(unsafe_code)]"));
    assert_none(lax.collect(), "it must say `#![forbid(unsafe_code)]`");
}

#[test]
fn only_the_decoder_and_the_translators_name_wasmparser() {
    let offenders = sources().into_iter().filter(|(file, text)| {
        // Fuzz targets generate modules, and the pipeline tool reads them.
        !file.starts_with("fuzz/")
            && has_word(&code_of(text), "wasmparser")
            && !WASMPARSER_PLACES.iter().any(|place| file.starts_with(place))
    });
    assert_none(offenders.map(|(file, _)| file).collect(), "later stages use the types of `core` instead");
}

/// Files that may use the process's own authority over files, variables and arguments. The command line resolves its options
/// in the first. The second has the builder methods by which an embedder asks for that authority.
const AUTHORITY_PLACES: &[&str] = &["src/cli/plan.rs", "crates/wasi/src/inherit.rs"];

#[test]
fn the_processs_authority_is_used_in_two_places() {
    let offenders = sources().into_iter().filter(|(file, text)| {
        let test = file.contains("test") || file.starts_with("fuzz/");
        let code = code_of(text);
        let uses =
            has_word(&code, "ambient_authority") || file.starts_with("crates/wasi/src/") && code.contains("std::env::");
        uses && !AUTHORITY_PLACES.contains(&&**file) && !test
    });
    assert_none(
        offenders.map(|(file, _)| file).collect(),
        "only the files in AUTHORITY_PLACES open files and read variables for a guest",
    );
}

#[test]
fn the_command_prints_through_its_reports() {
    let in_cli = sources().into_iter().filter(|(file, _)| file.starts_with("src/cli/") || file == "src/main.rs");
    let offenders = in_cli.flat_map(|(file, text)| {
        let code = code_of(&text);
        let found =
            ["print!", "println!", "eprint!", "eprintln!", ".display()"].into_iter().filter(|what| code.contains(what));
        found.map(|what| format!("{file}: {what}")).collect::<Vec<_>>()
    });
    assert_none(
        offenders.collect(),
        "`report::print` and `report::show` escape foreign text, `printable_word` file names",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    let in_comments = ["TODO", "FIXME", "XXX", "HACK"];
    let in_code = ["todo!", "unimplemented!", "allow(dead_code)", "#[ignore", "dbg!"];
    let mut offenders = Vec::new();
    for (file, text) in sources() {
        let (code, comments) = split(&text);
        for (index, (code, comment)) in code.lines().zip(comments.lines()).enumerate() {
            let words = in_comments.iter().filter(|word| has_word(comment, word));
            let calls = in_code.iter().filter(|word| code.contains(**word));
            offenders.extend(words.chain(calls).map(|what| format!("{file}:{}: {what}", index + 1)));
        }
    }
    assert_none(offenders, "finish the code, or explain it in a comment without a marker");
}

/// Returns the names under `[dependencies]`, including target-specific ones, but not under `[dev-dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut counted = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            counted =
                section == "dependencies" || section.ends_with(".dependencies") && section != "workspace.dependencies";
            // A table `[dependencies.name]` is one dependency.
            names.extend(section.strip_prefix("dependencies.").map(str::to_string));
        } else if counted && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            names.push(name.trim_matches('"').to_string());
        }
    }
    names
}

#[test]
fn crates_use_only_stages_before_them() {
    assert_eq!(
        dependencies("[dependencies]\na.workspace = true\nb = \"1\"\n[dev-dependencies]\nc = \"1\"\n"),
        ["a", "b"]
    );
    let mut offenders = Vec::new();
    for manifest in files().iter().filter(|file| file.starts_with("crates/") && file.ends_with("Cargo.toml")) {
        let package = manifest.trim_end_matches("/Cargo.toml");
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == package) else {
            offenders.push(format!("{package}: no row in MAY_USE"));
            continue;
        };
        let names = dependencies(&read(manifest));
        let extra = names.iter().filter(|name| !allowed.contains(&name.as_str()));
        offenders.extend(extra.map(|name| format!("{package} uses {name}")));
    }
    assert_none(offenders, "a crate uses only what MAY_USE lists");
}

#[test]
fn locked_packages_have_no_known_holes() {
    let lock = read("Cargo.lock");
    let mut offenders = Vec::new();
    for (name, least, why) in LEAST_VERSIONS {
        let header = format!("name = \"{name}\"\nversion = \"");
        for (at, _) in lock.match_indices(&header) {
            let version = lock[at + header.len()..].split('"').next().unwrap_or_default();
            let parts: Vec<u64> = version.split(['.', '-', '+']).take(3).filter_map(|part| part.parse().ok()).collect();
            if parts.as_slice() < least.as_slice() {
                offenders.push(format!("{name} {version}: {why}"));
            }
        }
    }
    assert!(lock.contains("name = \"cap-primitives\""), "the lock file must have cap-primitives");
    assert_none(offenders, "a locked package is too old");
}

#[test]
fn no_file_has_a_path_of_a_developers_machine() {
    // The patterns are in pieces, so that this file does not have them.
    let patterns = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("pypi.", "org"),
        concat!("python", "hosted"),
        concat!("registry.", "npmjs"),
        concat!("proxy.", "golang"),
    ];
    let mut offenders = Vec::new();
    for file in files() {
        // Guests are scanned too, because compilers leave paths in them.
        let bytes = fs::read(root().join(&file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        // In text, the pattern must begin the path: `self/root/x` does not count. In a binary, any byte may stand before it.
        let begins = |at: usize| {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            file.ends_with(".wasm") || !(before.is_alphanumeric() || "._-".contains(before))
        };
        let found = patterns.iter().filter(|pattern| text.match_indices(**pattern).any(|(at, _)| begins(at)));
        offenders.extend(found.map(|pattern| format!("{file}: {pattern}")));
    }
    assert_none(offenders, "a committed file must not depend on a machine");
}

#[test]
fn tests_read_and_write_no_cache_of_the_user() {
    // The patterns are in pieces, so that this file does not have them.
    let starts = [concat!("CARGO_BIN_EXE_", "wasmr"), concat!("release/", "wasmr")];
    let is_test =
        |file: &&String| file.ends_with(".rs") || ["scripts/", ".ci/"].iter().any(|dir| file.starts_with(dir));
    let files = files();
    let texts = files.iter().filter(is_test).map(|file| (file, read(file)));
    let starting: Vec<_> = texts.filter(|(_, text)| starts.iter().any(|start| text.contains(start))).collect();
    assert!(starting.len() > 3, "the check must find the tests that start the binary");
    let offenders = starting.into_iter().filter(|(_, text)| !text.contains("WASMR_CACHE_DIR"));
    assert_none(offenders.map(|(file, _)| file.clone()).collect(), "who starts the binary sets WASMR_CACHE_DIR");
}

#[test]
fn every_guest_has_its_source() {
    let all = files();
    let missing = all.iter().filter(|file| file.ends_with(".wasm")).filter(|file| {
        let stem = file.trim_end_matches(".wasm");
        !["c", "cpp", "rs", "wat"].iter().any(|ext| all.contains(&format!("{stem}.{ext}")))
    });
    assert_none(missing.cloned().collect(), "a committed .wasm must have its source beside it");
}
