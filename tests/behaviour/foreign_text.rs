//! Foreign text, such as file names, words of the command line and names in modules, can neither control the terminal nor
//! forge a line of wasmr's output.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use crate::harness::{Outcome, Run, Scratch};

/// Text that sets the terminal's title and colour, reverses the direction of writing, and begins a new line.
const EXTERNAL: &str = "x\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{2066}\rerror: forged\nerror: forged";

/// Part of the escaped text that wasmr must show instead.
const SHOWN: &str = "x\\u{1b}]0;t\\u{7}\\u{9b}31m\\u{202e}\\u{2066}\\u{d}error: forged";

/// The escaped text in JSON.
const IN_JSON: &str = "x\\u001b]0;t\\u0007\\u009b31m\\u202e\\u2066\\u000derror: forged\\nerror: forged";

/// Checks that the whole output is harmless, and returns it.
#[track_caller]
fn harmless(outcome: &Outcome) -> String {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    let is_dangerous =
        |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c) || c == '\u{2066}';
    assert!(!all.contains(is_dangerous), "{all:?}");
    assert!(!all.lines().any(|line| line.starts_with("error: forged")), "{all}");
    all
}

/// Checks that the output of a command line has the escaped text and is harmless.
#[track_caller]
fn shows<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) {
    let all = harmless(&Run::bare().words(words).end());
    assert!(all.contains(SHOWN), "{all}");
}

/// Returns the foreign text between `before` and `after`.
fn around(before: &str, after: &str) -> String {
    format!("{before}{EXTERNAL}{after}")
}

/// Returns the text of a module whose imports, exports, functions, sections and own name are the foreign text.
fn module(start: &str) -> String {
    let name: String = EXTERNAL.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module (@name "{name}") (import "{name}" "{name}" (func (@name "{name}")))
            (type (@name "{name}") (struct (field (@name "{name}") i32))) (table (@name "{name}") 1 funcref)
            (global (@name "{name}") i32 (i32.const 0))
            (memory (@name "{name}") (export "m{name}") 1) (func (@name "{name}") (export "f{name}") unreachable) {start}
            (@custom "{name}" "{name}"))"#
    )
}

/// Writes the module to a file whose name is the foreign text too.
fn file(scratch: &Scratch, start: &str) -> OsString {
    scratch.file(&around("", ".wasm"), wat::parse_str(module(start)).unwrap()).into_os_string()
}

#[test]
fn names_of_files() {
    let scratch = Scratch::new();
    let broken = scratch.file(&around("broken", ".wasm"), "\0asm\x01\0\0\0\u{7f}");
    let missing = around("missing", ".wasm");
    for command in ["run", "validate", "inspect", "explore", "wast"] {
        shows([OsStr::new(command), OsStr::new(&missing)]);
        shows([OsStr::new(command), broken.as_os_str()]);
    }
    shows([EXTERNAL]);
    shows(["run", "--max-module-size", "1", broken.to_str().unwrap()]);
    shows(["explore", "--func", "fib", "--html", &around("no/such/", ""), "examples/fib.wat"]);
}

#[test]
fn names_in_modules() {
    let scratch = Scratch::new();
    let start = r#"(func $start (export "_start") (call 1))"#;
    let file = file(&scratch, start);
    let file = file.to_str().unwrap();
    // Messages with unknown imports, a list of exports, a backtrace, and an import that a library lacks.
    shows(["run", file]);
    shows(["run", "--invoke", "no", file]);
    shows(["run", "-W", "unknown-imports-default", file]);
    shows(["run", "-W", "unknown-imports-trap", "--invoke", &around("f", ""), file]);
    for mode in wasmr::Mode::ALL {
        let run = || Run::bare().words(["run", "--mode", mode.name(), "-W", "unknown-imports-default"]);
        let traced = harmless(&run().word("--stats").word(file).env("WASMR_LOG", "all").end());
        assert!(traced.contains(SHOWN), "{traced}");
        let json = harmless(&run().word("--stats=json").word(file).end());
        assert!(json.contains(&format!("{{\"program\": \"{IN_JSON}.wasm\"")), "{json}");
    }
    let ty = scratch.file("type.wat", "(module (func (export \"_start\") i32.const 1))");
    shows(["validate", file, ty.to_str().unwrap()].into_iter().chain([around("missing", ".wat").as_str()]));
}

#[test]
fn invalid_functions() {
    let scratch = Scratch::new();
    shows(["validate", file(&scratch, "(func (result i32) (call 1))").to_str().unwrap()]);
    let text = module("(func (result i32) i32.cosnt)");
    shows(["validate", scratch.file(&around("", ".wat"), text).to_str().unwrap()]);
}

#[test]
fn inspect_and_explore() {
    let scratch = Scratch::new();
    let file = file(&scratch, "(func (call 1))");
    let file = file.to_str().unwrap();
    shows(["inspect", file]);
    let json = harmless(&Run::bare().words(["inspect", "--json", file]).end());
    for part in
        [format!("{{\"module\": \"{IN_JSON}\", \"name\": \"{IN_JSON}\", \"kind\""), format!("\"name\": \"f{IN_JSON}\"")]
    {
        assert!(json.contains(&part), "{part}: {json}");
    }
    shows(["explore", "--func", "2", file]);
    shows(["explore", "--func", "2", "--html", "-", file]);
    shows(["explore", "--func", EXTERNAL, file]);
    shows(["explore", "--func", &around("", "y"), file]);
    shows(["explore", file]);
}

#[test]
fn words_of_run() {
    let (fib, hello) = ("examples/fib.wat", "tests/guests/hello.wasm");
    shows(["run", &around("--dir=no/such/", ""), fib]);
    shows(["run", &around("--dir=no/such::/", ""), fib]);
    shows(["run", &around("--dir=no/such:", ""), fib]);
    shows(["run", &around("--dir=/no/such:::", ""), fib]);
    shows(["run", &around("--dir=.::../", ""), fib]);
    shows(["run", &around("--dir=.::~/", ""), fib]);
    shows(["run", &around("--dir=.::", ""), &around("--dir=..::", ""), fib]);
    shows(["run", &around("--volume=.:/", ""), fib]);
    shows(["run", &around("--env-file=", ""), fib]);
    shows(["run", &around("--preload=", "=no"), hello]);
    shows(["run", &around("--preload=no=", ".wasm"), hello]);
    shows(["run", &around("--preload=", ""), fib]);
    shows(["run", "--invoke", EXTERNAL, fib]);
    shows(["run", "--invoke", "fib", fib, EXTERNAL]);
    for option in ["mode", "timeout", "fuel", "max-memory", "listen", "stats", "raw-tty", "env"] {
        shows(["run", &around(&format!("--{option}=={option}"), ""), fib]);
    }
    for key in ["-W", "-C", "-O"] {
        shows(["run", key, EXTERNAL, fib]);
    }
    shows(["run", "-W", &around("gc=", ""), fib]);
    shows(["run", "-O", &around("tier-up-after=", ""), fib]);
    shows(["run", "-C", &around("spectre-guards=", ""), fib]);
    shows(["completions", EXTERNAL]);
    for command in ["run", "wast", "validate", "inspect", "explore"] {
        shows([command, &around("--", ""), fib]);
        harmless(&Run::bare().words([command, &format!("-{}", &EXTERNAL[1..]), fib]).end());
    }
    shows([&around("--", "")]);
    let mut not_utf8 = OsString::from(EXTERNAL).into_vec();
    not_utf8.push(0xff);
    harmless(&Run::bare().words(["run", fib]).word(OsString::from_vec(not_utf8)).end());
}

#[test]
fn variables() {
    let all = harmless(&Run::bare().words(["run", "examples/fib.wat"]).env("WASMR_LOG", EXTERNAL).end());
    assert!(all.contains(SHOWN), "{all}");
    let sh = "export \"$1=$(printf '\\377')\"; exec \"$0\" run --env=\"$1\" examples/fib.wat";
    harmless(&Run::of("sh").words(["-c", sh, crate::harness::WASMR, "A"]).end());
}

#[test]
fn script_tests() {
    let scratch = Scratch::new();
    let name: String = EXTERNAL.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let fails = format!(r#"(module) (invoke "{name}") (assert_trap (invoke "{name}") "{name}")"#);
    for (start, text) in [("good", "(module)"), ("bad", &fails), ("broken", EXTERNAL)] {
        shows(["wast", scratch.file(&around(start, ".wast"), text).to_str().unwrap()]);
    }
}

#[test]
fn timeouts() {
    let scratch = Scratch::new();
    let file = scratch.file(&around("", ".wat"), "(module (func (export \"_start\") (loop (br 0))))");
    shows(["run", "--timeout", "50ms", file.to_str().unwrap()]);
}
