//! `wasmr explore`: every form of a function, each line with the operators that it came from, as text and as an HTML page. The
//! choice of a function by name or index.
//!
//! One golden file has the forms that are the same on every host, one has baseline code. Compiled forms depend on the processor
//! and on the compiler's version, so the tests only check that they exist and that their lines lead back to operators.

use std::path::Path;

use crate::golden;
use crate::harness::{GUARDS_MEMORIES, Outcome, Run, Scratch};

/// A module whose `sum` has a loop with a memory access, a call and a global.
const SUM: &str = r#"(module
    (memory 1)
    (global $calls (mut i32) (i32.const 0))
    (func $sum (export "total") (param $at i32) (param $count i32) (result i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (call $byte (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
        (local.get $sum))
    (func $byte (param i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.load8_u offset=16 (local.get 0))))"#;

/// True if this build has the baseline compiler.
const HAS_BASELINE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// True if this build makes compiled code for this host.
const COMPILES: bool = cfg!(all(feature = "jit", target_os = "linux", target_arch = "x86_64"));

#[track_caller]
fn explore(text: &str, words: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    scratch.file("m.wat", text);
    Run::bare().word("explore").words(words).word("m.wat").current_dir(scratch.path()).end()
}

/// Returns the lines of a form, without its heading and notes.
fn section<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != title).skip(1).take_while(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with("  ;")).collect()
}

#[test]
fn wasm_and_interpreter_code_as_text() {
    let words = ["--func", "sum", "--show", "wasm,interp"];
    let outcome = explore(SUM, &words);
    golden::compare("explore_text", "explore --func sum --show wasm,interp m.wat", &outcome);
}

#[test]
fn baseline_code_as_text() {
    let outcome = explore(SUM, &["--func", "sum", "--show", "baseline"]);
    if HAS_BASELINE {
        golden::compare("explore_baseline", "explore --func sum --show baseline m.wat", &outcome);
    } else {
        let printed = outcome.exits(0).quietly().stdout;
        assert!(
            printed.contains("baseline code\n  ; no baseline code: this build has no baseline compiler"),
            "{printed}"
        );
    }
}

/// Returns the words of a line without offsets, which change with the code before it: those at its start, and the targets of jumps.
fn shape(line: &str) -> Vec<&str> {
    let is_offset = |word: &str| word.trim_start_matches("0x").chars().all(|c| c.is_ascii_hexdigit());
    let words: Vec<&str> = line.split_whitespace().collect();
    let start = words.iter().take(2).take_while(|word| is_offset(word)).count();
    let is_jump = |index: usize| words[index].starts_with('j');
    (start..words.len())
        .filter(|&at| at == start || !is_jump(at - 1) || !is_offset(words[at]))
        .map(|at| words[at])
        .collect()
}

/// The listings of `docs/tiers.md` are lines of what their commands print.
#[test]
fn listings_of_the_page_about_tiers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/tiers.md")).unwrap();
    let mut renewed = String::new();
    let mut printed: Option<Vec<String>> = None;
    let mut at = 0;
    for line in page.lines() {
        let shown = match &printed {
            Some(lines) if !["…", "```"].contains(&line) => {
                let found = lines[at..].iter().position(|printed| shape(printed) == shape(line));
                at += 1 + found.unwrap_or_else(|| panic!("`{line}` is not in what its command prints:\n{lines:#?}"));
                &lines[at - 1]
            }
            _ => line,
        };
        renewed += &format!("{shown}\n");
        if line == "```" {
            printed = None;
        }
        let Some(command) = line.strip_prefix("$ wasmr explore ") else { continue };
        let is_made = !command.contains("--show baseline") || HAS_BASELINE;
        if is_made && (!command.contains("--show code") || COMPILES) {
            let run = Run::bare().word("explore").words(command.split(' ')).current_dir(root);
            (printed, at) = (Some(run.end().exits(0).quietly().stdout.lines().map(str::to_owned).collect()), 0);
        }
    }
    if std::env::var_os("WASMR_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(root.join("docs/tiers.md"), &renewed).unwrap();
        return;
    }
    assert_eq!(page, renewed, "WASMR_BLESS=1 renews the listings; read the text around them");
}

#[test]
fn each_line_leads_back_to_an_operator() {
    let outcome = explore(SUM, &["--func", "sum"]).exits(0).quietly();
    let wasm = section(&outcome.stdout, "wasm");
    let offset_of = |operator: &str| {
        let line = wasm.iter().find(|line| line.ends_with(operator)).unwrap_or_else(|| panic!("{operator}: {wasm:?}"));
        line.split_whitespace().next().unwrap()
    };
    // The branch at the end of the loop, which every form has.
    let branch = offset_of("br_if 0");
    let forms = ["interpreter code", "baseline code", "CLIF as translated", "CLIF optimised", "compiled code"];
    for (title, word) in forms.into_iter().zip(["br @", "jns", "brif", "brif", "j"]) {
        let lines = section(&outcome.stdout, title);
        let exists = match title {
            "interpreter code" => true,
            "baseline code" => HAS_BASELINE,
            _ => COMPILES,
        };
        if !exists {
            assert!(lines.is_empty(), "{title}");
            continue;
        }
        let found = lines.iter().any(|line| line.trim_start().starts_with(branch) && line.contains(word));
        assert!(found, "no {word} from {branch} in {title}:\n{}", lines.join("\n"));
    }
}

#[test]
fn machine_code_ends_in_instructions() {
    let outcome = explore(SUM, &["--func", "1", "--show", "code"]).exits(0).quietly();
    if COMPILES {
        let lines = section(&outcome.stdout, "compiled code");
        assert!(lines[0].contains("push rbp"), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with(" ret")), "{lines:?}");
        assert!(!outcome.stdout.contains("(bad)"), "{}", outcome.stdout);
    }
}

#[test]
fn the_options_of_a_run_affect_the_code() {
    let instructions = |words: &[&str]| explore(SUM, words).exits(0).stdout;
    let plain = instructions(&["--func", "byte", "--show", "interp"]);
    assert!(!plain.contains("charge"), "{plain}");
    assert_eq!(plain.contains("memory 0["), !GUARDS_MEMORIES, "{plain}");
    let metered = instructions(&["--func", "byte", "--show", "interp", "--metered"]);
    assert!(metered.contains("charge "), "{metered}");
    let checked = instructions(&["--func", "byte", "--show", "interp", "--checked"]);
    assert!(checked.contains("i32.load8_u memory 0["), "{checked}");
}

#[test]
fn features_are_those_of_the_option() {
    let text = "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))";
    explore(text, &[]).exits(0).quietly();
    explore(text, &["-W", "wide-arithmetic=n"]).exits(1).prints("").says("-W wide-arithmetic");
}

#[test]
fn a_page_with_all_forms_side_by_side() {
    let scratch = Scratch::new();
    scratch.file("m.wat", SUM);
    let run = || Run::bare().word("explore").current_dir(scratch.path());
    run().words(["m.wat", "--func", "total", "--html", "page.html"]).end().exits(0).prints("").quietly();
    let page = std::fs::read_to_string(scratch.path().join("page.html")).unwrap();
    let printed = run().words(["m.wat", "--func", "total", "--html", "-"]).end().exits(0).quietly();
    assert_eq!(page, printed.stdout);
    assert_eq!(page.matches("<section>").count(), 5);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for word in ["://", "src=", "href=", "url("] {
        assert!(!page.contains(word), "the page must not refer to other files: {word}");
    }
    // The load is in the other function. The call is in the wasm form, in interpreter code, and in the compiled forms.
    let line = page.lines().find(|line| line.contains("<code>  call 1</code>")).expect("the call is in the page");
    let operator = line.split('"').nth(1).unwrap();
    assert!(line.contains("<i>byte</i>"), "{line}");
    let with_it = page.lines().filter(|line| {
        let origins = line.strip_prefix("<div data-o=\"").and_then(|rest| rest.split('"').next());
        origins.is_some_and(|origins| origins.split(' ').any(|origin| origin == operator))
    });
    assert!(with_it.count() >= 2 + usize::from(HAS_BASELINE) + if COMPILES { 3 } else { 0 });
}

#[test]
fn names_from_a_module_are_only_text() {
    let evil = r#"(module (func (@name "<script>alert(1)</script>\1b[2J") nop))"#;
    let page = explore(evil, &["--html", "-"]).exits(0).quietly().stdout;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[2J") && !page.contains("<script>alert"),
        "{page}"
    );
    let text = explore(evil, &[]).exits(0).quietly().stdout;
    assert!(text.contains("<script>alert(1)</script>\\u{1b}[2J") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn functions_that_do_not_exist() {
    let several = r#"(module (import "" "" (func $host)) (func $one (export "first")) (func $two))"#;
    explore(several, &["--func", "none"])
        .exits(1)
        .prints("")
        .says("there is no function `none` in `m.wat`; similar names: 1 (`one`)");
    explore(several, &["--func", "3"]).exits(1).prints("").says("there is no function 3: the module has 3");
    explore(several, &["--func", "host"])
        .exits(1)
        .prints("")
        .says("function 0 is imported: its code is not in the module");
    explore(several, &[]).exits(2).prints("").says("defines 2 functions; choose one").says("1 (`one`)");
    explore("(module)", &[]).exits(2).prints("").says("`m.wat` defines no function");
    explore("(module (func (@name \"a\")) (func (@name \"a\")))", &["--func", "a"])
        .exits(1)
        .prints("")
        .says("`a` is the name of several functions: 0 (`a`), 1 (`a`)");
}

#[test]
fn invalid_command_lines() {
    explore(SUM, &["--func", "sum", "--show", "assembly"])
        .exits(2)
        .prints("")
        .says("wasm, interp, baseline, clif, optimized, code");
    Run::bare().words(["explore"]).end().exits(2).prints("");
    Run::bare().words(["explore", "-W", "simd=n"]).end().exits(2).prints("").says("MODULE is missing");
    Run::bare().words(["explore", "no-such-file.wasm"]).end().exits(1).prints("").says("no-such-file.wasm");
    let scratch = Scratch::new();
    let bad = scratch.file("bad.wat", "(module (func (result i32)))");
    Run::bare().word("explore").word(bad).end().exits(1).prints("").says("type mismatch");
    let outcome = explore(SUM, &["--func", "sum", "--html", "no/such/dir.html"]);
    outcome.exits(1).prints("").says("cannot write `no/such/dir.html`");
}

/// A component with two core modules.
#[cfg(feature = "component")]
const COMPONENT: &str = r#"(component
    (core module $first (func $one (result i32) (i32.const 1)) (func $both))
    (core module $second (import "" "" (func $one)) (func $both) (func $two (result i32) (i32.const 2))))"#;

#[cfg(feature = "component")]
#[test]
fn a_core_module_of_a_component_is_chosen_by_name_or_index() {
    let scratch = Scratch::new();
    scratch.file("c.wat", COMPONENT);
    let explore = |words: &[&str]| {
        let words = [&["explore", "--show", "wasm"], words, &["c.wat"]].concat();
        Run::bare().words(&words).current_dir(scratch.path()).end()
    };
    for word in ["second", "1"] {
        let outcome = explore(&["--module", word, "--func", "two"]).quietly();
        assert!(outcome.stdout.contains("i32.const 2"), "{}", outcome.stdout);
    }
    let outcome = explore(&[]);
    let choose = "the component `c.wat` has 2 core modules; choose one with --module INDEX or --module NAME: 0 (`first`), 1 (`second`)";
    assert!(outcome.stderr.contains(choose), "{}", outcome.stderr);
    // A function that only one of them defines needs no module.
    for (func, text) in [("one", "i32.const 1"), ("two", "i32.const 2")] {
        let outcome = explore(&["--func", func]).quietly();
        assert!(outcome.stdout.contains(text), "{}", outcome.stdout);
    }
    explore(&["--func", "both"]).exits(2).says("2 core modules of `c.wat` define a function `both`; choose one with");
    explore(&["--func", "three"])
        .exits(1)
        .says("no core module of `c.wat` defines one function `three`; choose one with");
    explore(&["--func", "0"]).exits(2).says("has 2 core modules; choose one with");
    let outcome = explore(&["--module", "third"]);
    let list = "there is no core module `third` in `c.wat`; it has 0 (`first`), 1 (`second`)";
    assert!(outcome.stderr.contains(list), "{}", outcome.stderr);
}
