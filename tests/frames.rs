//! Frames with more slots than an operand field of an instruction can number. Arithmetic, calls, branches with values, and
//! vectors work at both ends of such a frame. As a file the script would have hundreds of kilobytes of `i64`, so the test
//! generates it.

use wasmr::wast::run_script;
use wasmr::{Config, Engine, Mode};

#[test]
fn locals_beyond_sixteen_bits() {
    let locals = "i64 ".repeat(40_000);
    let script = format!(
        r#";; More locals than a field can number: arithmetic, calls, branches with values and vectors at both ends.
(module
  (memory 1)
  (func $add (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "far") (param i64) (result i64)
    (local {locals}) (local $v v128)
    (local.set 40000 (local.get 0))
    (local.set 1 (i64.const 3))
    (local.set 39999 (i64.mul (local.get 40000) (local.get 1)))
    (local.set $v (i64x2.splat (local.get 39999)))
    (v128.store (i32.const 8) (local.get $v))
    (block (result i64)
      (br_if 0 (call $add (local.get 39999) (i64.load (i32.const 16))) (i64.ne (local.get 40000) (i64.const 0)))
      (drop) (i64.sub (local.get 5) (i64.const 1))))
  (func (export "far-loop") (param i32) (result i32)
    (local {locals}) (local $i i32) (local $s i32)
    (loop
      (local.set $s (i32.add (local.get $s) (i32.shl (local.get $i) (i32.const 1))))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
    (local.get $s)))

(assert_return (invoke "far" (i64.const 7)) (i64.const 42))
(assert_return (invoke "far" (i64.const 0)) (i64.const -1))
(assert_return (invoke "far-loop" (i32.const 10)) (i32.const 90))"#
    );
    for &mode in Mode::ALL {
        let report = run_script(&Engine::new(Config::new().mode(mode)), &script);
        assert!(report.is_success(), "[{mode}] {report:?}");
        assert_eq!(report.total(), 4);
    }
}
