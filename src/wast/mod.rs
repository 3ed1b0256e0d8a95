//! Runs script tests (`.wast`), the format of the official test suite.
//!
//! In: an [`Engine`] and a script's text. Out: a [`Report`] with the number of directives that passed, and the failures with their
//! positions. No directive is skipped: directives that wasmr does not support (threads, components) fail.
//!
//! - [`script`](self) keeps the state that directives share: one store, the named and the registered instances.
//! - `expect` compares results with the expected ones.
//! - `spectest` is the host module that scripts import from.
//!
//! Each script has a store of its own.

mod expect;
mod script;
mod spectest;

use wasmr_module::{Unfolded, unfold_tries};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{Wast, WastDirective};

use crate::{Engine, Module};

/// The result of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Number of directives that passed.
    pub passed: usize,
    /// Directives that failed, in order.
    pub failures: Vec<Failure>,
}

/// A directive that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// The expected and the actual outcome.
    pub message: String,
}

impl Report {
    /// Returns true if every directive passed.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns the number of all directives.
    pub fn total(&self) -> usize {
        self.passed + self.failures.len()
    }

    fn fail(&mut self, (line, column): (usize, usize), message: String) {
        // The parser counts from 0.
        self.failures.push(Failure { line: line + 1, column: column + 1, message });
    }
}

/// Runs every directive of a script.
pub fn run_script(engine: &Engine, text: &str) -> Report {
    run_script_with(engine, text, &|_, module| module)
}

/// Runs every directive of a script, with the modules that `prepare` makes of those in the script.
pub fn run_script_with(engine: &Engine, text: &str, prepare: &dyn Fn(&Engine, Module) -> Module) -> Report {
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
        Ok(script) => run_directives(engine, text, script.directives, prepare, &mut report),
        Err((span, message)) => {
            let hint = wasmr_module::hint_at(text, span.offset()).map(|hint| format!("; {hint}"));
            let message = format!("cannot parse the script: {message}{}", hint.unwrap_or_default());
            report.fail(span.linecol_in(text), message);
        }
    }
    report
}

fn run_directives(
    engine: &Engine,
    text: &str,
    directives: Vec<WastDirective>,
    prepare: &dyn Fn(&Engine, Module) -> Module,
    report: &mut Report,
) {
    let mut script = match script::Script::new(engine, prepare) {
        Ok(script) => script,
        Err(why) => return report.fail((0, 0), format!("cannot set up the host module `spectest`: {why}")),
    };
    for directive in directives {
        let place = directive.span().linecol_in(text);
        match script.run(directive) {
            Ok(()) => report.passed += 1,
            Err(message) => report.fail(place, message),
        }
    }
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
            r#"(thread $t (invoke "add"))"#,
        ] {
            assert_eq!(failing_lines(&format!("{}\n{wrong}", ADD.replace('\n', " "))), (vec![2], 1), "{wrong}");
        }
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
