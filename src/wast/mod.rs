//! Runs script tests (`.wast`), the format of the official test suite.
//!
//! In: an [`Engine`] and a script's text. Out: a [`Report`] with the number of directives that passed, and the failures with their
//! positions. No directive is skipped: directives that wasmr does not support fail.
//!
//! - [`script`](self) keeps the state that directives share: one store, the named and the registered instances.
//! - `outcome` is the end of a call or an instantiation; `expect` compares results with the expected ones; `component` has the
//!   components of a script.
//! - `spectest` is the host module that scripts import from.
//! - `threads` starts and joins the threads of `(thread …)`.
//!
//! Each script has a store of its own, and so has each of its threads.

#[cfg(feature = "component")]
mod component;
mod expect;
mod outcome;
mod report;
mod script;
mod spectest;
mod threads;

use std::thread;

use wasmr_module::{Unfolded, unfold_tries};
use wast::Wast;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};

pub use report::{Failure, Report};
pub use script::Prepare;

use script::Environment;

use crate::Engine;

/// Runs every directive of a script.
pub fn run_script(engine: &Engine, text: &str) -> Report {
    run_script_with(engine, text, &|_, module| module)
}

/// Runs every directive of a script, with the modules that `prepare` makes of those in the script.
pub fn run_script_with(engine: &Engine, text: &str, prepare: Prepare<'_>) -> Report {
    let mut report = Report::default();
    let unfolded = unfold_tries(text);
    let text = unfolded.as_ref().map_or(text, Unfolded::text);
    let mut lexer = Lexer::new(text);
    // The suite contains such characters on purpose.
    lexer.allow_confusing_unicode(true);
    let parsed = ParseBuffer::new_with_lexer(lexer);
    let script = parsed
        .as_ref()
        .map_err(|error| (error.span(), error.message()))
        .and_then(|buffer| parser::parse::<Wast>(buffer).map_err(|error| (error.span(), error.message())));
    match script {
        Ok(script) => {
            let environment = Environment { engine, text, prepare };
            report = thread::scope(|scope| script::run(scope, environment, None, script.directives));
            // Directives of a thread are added when it is waited for.
            report.failures.sort_by_key(|failure| (failure.line, failure.column));
        }
        Err((span, message)) => {
            let hint = wasmr_module::hint_at(text, span.offset()).map(|hint| format!("; {hint}"));
            let message = format!("cannot parse the script: {message}{}", hint.unwrap_or_default());
            report.fail(span.linecol_in(text), message);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines of directives that fail, and the number of directives that pass.
    fn failing_lines(text: &str) -> (Vec<usize>, usize) {
        let report = run_script(&Engine::default(), text);
        (report.failures.iter().map(|failure| failure.line).collect(), report.passed)
    }

    const ADD: &str = r#"(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
        (func (export "trap") unreachable)
        (func (export "nan") (result f32) f32.const nan)
        (global (export "g") i32 (i32.const 7)))"#;

    #[test]
    fn modules_import_from_named_ones_without_register() {
        let script = r#"
            (module $one (func (export "get") (result i32) (i32.const 1)))
            (module $spectest (func (export "get") (result i32) (i32.const 2)))
            (module (import "one" "get" (func (result i32))) (import "spectest" "print" (func))
                (export "get" (func 0)))
            (assert_return (invoke "get") (i32.const 1))
            (assert_return (invoke $one "get") (i32.const 1))
            (module definition $three (func (export "get") (result i32) (i32.const 3)))
            (module instance $third $three)
            (module (import "third" "get" (func (result i32))) (export "get" (func 0)))
            (assert_return (invoke "get") (i32.const 3))
            (register "one" $third)
            (module $one (func (export "get") (result i32) (i32.const 4)))
            (module (import "one" "get" (func (result i32))) (export "get" (func 0)))
            (assert_return (invoke "get") (i32.const 3))
            (assert_return (invoke $one "get") (i32.const 4))
            (assert_unlinkable (module (import "three" "get" (func (result i32)))) "unknown import")"#;
        assert_eq!(failing_lines(script), (vec![], 15));
    }

    #[test]
    fn a_correct_script_passes() {
        let script = format!(
            r#"{ADD}
            (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
            (assert_return (invoke "nan") (f32.const nan:canonical))
            (assert_return (get "g") (i32.const 7))
            (assert_trap (invoke "trap") "unreachable")
            (assert_invalid (module (func (result i32))) "type mismatch")
            (assert_malformed (module binary "\00asm") "unexpected end")
            (assert_malformed (module quote "(func") "unexpected end")
            (assert_unlinkable (module (import "no" "such" (func))) "unknown import")
            (register "lib")
            (module (import "lib" "add" (func (param i32 i32) (result i32))))
            (module (import "spectest" "print_i32" (func (param i32))))"#
        );
        assert_eq!(failing_lines(&script), (vec![], 12));
    }

    #[test]
    fn a_directive_that_does_not_hold_fails_with_its_line() {
        for wrong in [
            r#"(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))"#,
            r#"(assert_return (invoke "add" (i32.const 1) (i32.const 2)))"#,
            r#"(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (f32.const 3))"#,
            r#"(assert_return (invoke "nan") (f32.const 0))"#,
            r#"(assert_return (invoke "trap"))"#,
            r#"(assert_return (invoke "nothing"))"#,
            r#"(assert_return (get "g") (i32.const 8))"#,
            r#"(assert_trap (invoke "add" (i32.const 1) (i32.const 2)) "unreachable")"#,
            r#"(assert_trap (invoke "trap") "integer overflow")"#,
            r#"(assert_exhaustion (invoke "trap") "call stack exhausted")"#,
            r#"(assert_exception (invoke "trap"))"#,
            r#"(assert_invalid (module) "type mismatch")"#,
            r#"(assert_malformed (module quote "(func)") "unexpected token")"#,
            r#"(assert_unlinkable (module) "unknown import")"#,
            r#"(assert_unlinkable (module (func unreachable) (start 0)) "unknown import")"#,
            r#"(module (func (result i32)))"#,
            r#"(module (import "no" "such" (func)))"#,
            r#"(invoke "trap")"#,
            r#"(register "x" $nobody)"#,
            r#"(wait $t)"#,
            r#"(thread $t (shared (module $nobody)))"#,
        ] {
            assert_eq!(failing_lines(&format!("{}\n{wrong}", ADD.replace('\n', " "))), (vec![2], 1), "{wrong}");
        }
    }

    const THREADS: &str = r#"
        (module $Mem (memory (export "m") 1 1 shared) (func (export "f")))
        (thread $t (shared (module $Mem))
            (register "mem" $Mem)
            (module (import "mem" "m" (memory 1 1 shared))
                (func (export "wait") (result i32)
                    (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
            (assert_unlinkable (module (import "mem" "f" (func))) "unknown import")
            (thread $u (shared (module $Mem))
                (module (import "Mem" "m" (memory 1 1 shared))
                    (func (export "wake") (loop (br_if 0 (i32.eqz (memory.atomic.notify (i32.const 0) (i32.const 1)))))))
                (invoke "wake"))
            (assert_return (invoke "wait") (i32.const 0))
            (wait $u))
        (wait $t)"#;

    #[test]
    fn threads_share_memories() {
        assert_eq!(failing_lines(THREADS), (vec![], 11));
    }

    #[test]
    fn directives_of_threads_fail_with_their_lines() {
        // Also in a thread that no directive waits for, and in one that has the name of another.
        let script = r#"(module (memory (export "m") 1 1 shared))
            (thread $t (invoke "first") (module)
                (invoke "second"))
            (thread $t
                (thread $u (invoke "third")))
            (wait $t)
            (wait $u)
            (module)
            (assert_unlinkable (module (memory (import "mem" "m") 1 1 shared)) "unknown import")"#;
        assert_eq!(failing_lines(script), (vec![2, 3, 5, 7], 8));
        let script = THREADS.replace("(register \"mem\" $Mem)", "(register \"mem\" $Mem) (invoke $Mem \"f\")");
        assert_eq!(failing_lines(&script), (vec![4], 11));
    }

    #[test]
    fn a_script_that_does_not_parse_fails() {
        assert_eq!(failing_lines("(module)\n(assert_retur"), (vec![2], 0));
    }

    #[test]
    fn nan_patterns_look_at_the_payload() {
        let module = "(module (func (export \"f\") (result f32) f32.const nan:0x600000))\n";
        let passes = |pattern| {
            let script = format!("{module}(assert_return (invoke \"f\") (f32.const {pattern}))");
            failing_lines(&script).0.is_empty()
        };
        assert!(passes("nan:arithmetic") && passes("nan:0x600000"));
        assert!(!passes("nan:canonical") && !passes("nan"));
    }
}
