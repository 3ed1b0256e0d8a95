//! Stops other than traps and exceptions: errors and panics of host functions, and exits. They pass through frames of all
//! tiers, no handler catches them, and the store works afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmr::Val;

use crate::support::{End, Program, configurations, mixes, padded, same_ends, shown};

/// A guest whose `run` makes two nested calls and then stops: with an exit (parameter 1), an error (2), a panic (3), or not at
/// all (0). One of the calls is in a `try_table` that catches all exceptions. Each 10 that is added to the parameter adds a
/// call through the host.
const GUEST: &str = r#"(module
  (import "h" "call" (func $call (param i32) (result i32)))
  (import "h" "exit" (func $exit (param i32)))
  (import "h" "fail" (func $fail))
  (import "h" "panic" (func $panic))
  (global $after (export "after") (mut i32) (i32.const 0))
  (func $end (export "back") (param i32) (result i32) PAD0
    (if (i32.ge_s (local.get 0) (i32.const 10))
      (then (return (i32.add (call $call (i32.sub (local.get 0) (i32.const 10))) (i32.const 1)))))
    (if (i32.eq (local.get 0) (i32.const 1)) (then (call $exit (i32.const 33))))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (call $fail)))
    (if (i32.eq (local.get 0) (i32.const 3)) (then (call $panic)))
    (local.get 0))
  (func $middle (param i32) (result i32) PAD1
    (block $caught
      (return (try_table (result i32) (catch_all $caught) (call $end (local.get 0)))))
    (global.set $after (i32.const 1))
    (i32.const -1))
  (func $run (export "run") (param i32) (result i32) PAD2
    (i32.add (call $middle (local.get 0)) (i32.const 100))))"#;

#[test]
fn errors_and_exits_of_host_functions_pass_through() {
    for bodies in mixes(3) {
        let text = padded(GUEST, &bodies);
        let calls: Vec<[Val; 1]> = [0, 1, 2, 10, 11, 12, 21, 32, 0, 20].map(|how| [Val::I32(how)]).into();
        let calls: Vec<_> = calls.iter().map(|params| ("run", &params[..])).collect();
        let ends = same_ends(&[("main", &text)], &calls);
        let fail = End::Host("disk on fire".to_string());
        assert_eq!(ends[0].i64(), 100);
        assert_eq!((&ends[1], &ends[2]), (&End::Exit(33), &fail));
        assert_eq!(ends[3].i64(), 101);
        assert_eq!((&ends[4], &ends[5], &ends[6], &ends[7]), (&End::Exit(33), &fail, &End::Exit(33), &fail));
        assert_eq!((ends[8].i64(), ends[9].i64()), (100, 102));
    }
}

#[test]
fn panics_of_host_functions_pass_through() {
    for bodies in mixes(3) {
        let text = padded(GUEST, &bodies);
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            for how in [3, 13, 3, 33] {
                let payload = catch_unwind(AssertUnwindSafe(|| program.call("run", &[Val::I32(how)]))).unwrap_err();
                assert_eq!(payload.downcast_ref::<&str>(), Some(&"a host function that panics"));
                assert_eq!(
                    program.call("run", &[Val::I32(20)]).i64(),
                    102,
                    "{}: {}",
                    configuration.name,
                    shown(&[("", &text)])
                );
                assert_eq!(program.global("after"), 0, "no handler may catch a panic");
            }
        }
    }
}
