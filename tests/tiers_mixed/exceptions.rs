//! Exceptions are thrown in any tier and caught in any other, pass through frames of all tiers, and keep their payload.

use wasmr::{V128, Val};

use crate::configurations::Body;
use crate::references::stressed_configurations;
use crate::support::{End, Program, Value, configurations, mixes, padded, same_ends, same_ends_in, tier_mixes};

#[test]
fn payloads_of_every_type_arrive() {
    for bodies in mixes(3) {
        let text = padded(
            r#"(module
              (import "h" "extern" (func $extern (param i64) (result externref)))
              (import "h" "number" (func $number (param externref) (result i64)))
              (tag $all (param i32 i64 f32 f64 v128 externref funcref i32 v128))
              (tag $none)
              (elem declare func $throw)
              (func $throw (param $x i64) PAD0
                (throw $all (i32.wrap_i64 (local.get $x)) (i64.mul (local.get $x) (i64.const 3))
                  (f32.convert_i64_s (local.get $x)) (f64.convert_i64_s (i64.sub (i64.const 0) (local.get $x)))
                  (i64x2.splat (local.get $x)) (call $extern (local.get $x)) (ref.func $throw) (i32.const 7)
                  (v128.const i32x4 1 2 3 4)))
              (func $pass (param $x i64) (result i64) PAD1
                ;; Handlers for something else, and the locals of a frame that control passes by.
                (block $none
                  (try_table (catch $none $none) (call $throw (i64.add (local.get $x) (i64.const 1)))))
                (i64.const -1))
              (func $run (export "run") (param $x i64)
                (result i32 i64 f32 f64 v128 i64 i32 i32 v128 i64)
                (local $y i64) (local $r externref) (local $f funcref) (local $v v128) (local $i i32) PAD2
                (block $caught (result i32 i64 f32 f64 v128 externref funcref i32 v128)
                  (try_table (catch $all $caught)
                    (local.set $y (i64.mul (local.get $x) (local.get $x)))
                    (local.set $y (call $pass (local.get $x))))
                  (unreachable))
                (local.set $v) (local.set $i) (local.set $f) (local.set $r)
                (call $number (local.get $r))
                (ref.is_null (local.get $f))
                (local.get $i) (local.get $v)
                ;; What was set inside and before the exception counts.
                (local.get $y)))"#,
            &bodies,
        );
        let calls = [("run", &[Val::I64(41)][..]), ("run", &[Val::I64(-2)]), ("run", &[Val::I64(1 << 40)])];
        let ends = same_ends(&[("main", &text)], &calls);
        for (end, x) in ends.iter().zip([41_i64, -2, 1 << 40]) {
            let thrown = x + 1;
            let expected = [
                Val::I32(thrown as i32),
                Val::I64(thrown * 3),
                Val::from(thrown as f32),
                Val::from(-thrown as f64),
                Val::V128(V128::from_lanes([thrown; 2])),
                Val::I64(thrown),
                Val::I32(0),
                Val::I32(7),
                Val::V128(V128::from_lanes([1_i32, 2, 3, 4])),
                Val::I64(x.wrapping_mul(x)),
            ];
            assert_eq!(end.results(), expected);
        }
    }
}

/// Handlers of all four kinds, nested over several calls, and in a loop. `$what` selects the exception that `$throw` throws.
const HANDLERS: &str = r#"(module
  (import "h" "tag" (tag $host (param i64)))
  (import "h" "throw" (func $host_throw (param i64)))
  (tag $a (param i32)) (tag $b (param i32 i64)) (tag $c)
  (func $throw (param $what i32) (result i32) PAD0
    (if (i32.eq (local.get $what) (i32.const 1)) (then (throw $a (i32.const 11))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (throw $b (i32.const 22) (i64.const 222))))
    (if (i32.eq (local.get $what) (i32.const 3)) (then (throw $c)))
    (if (i32.eq (local.get $what) (i32.const 4)) (then (call $host_throw (i64.const 44))))
    (local.get $what))
  ;; Catches $a by its tag. Catches $c by reference, rethrows and catches it, and throws $a with 33 instead.
  (func $inner (param $what i32) (result i32) (local $exn exnref) PAD1
    (block $on_a (result i32)
      (block $on_c (result exnref)
        (try_table (result i32) (catch $a $on_a) (catch_ref $c $on_c)
          (call $throw (local.get $what)))
        (return))
      (local.set $exn)
      (block $again (result exnref)
        (try_table (result i32) (catch_ref $c $again)
          (throw_ref (local.get $exn)))
        (unreachable))
      (drop)
      (throw $a (i32.const 33)))
    (i32.add (i32.const 1000)))
  ;; Catches the rest: $b by its tag, with its payload; all others by reference, and rethrows them if $again is not 0.
  (func $outer (export "outer") (param $what i32) (param $again i32) (result i32) (local $x i32) (local $y i64) PAD2
    (local.set $x (i32.const 5))
    (block $on_all (result exnref)
      (block $on_b (result i32 i64)
        (local.set $x
          (try_table (result i32) (catch $b $on_b) (catch_all_ref $on_all)
            (local.set $x (i32.const 6))
            (i32.add (call $inner (local.get $what)) (local.get $x))))
        (return (local.get $x)))
      (local.set $y) (i32.add (local.get $x)) (i32.wrap_i64 (local.get $y)) (i32.add) (return))
    (if (param exnref) (local.get $again) (then (throw_ref)) (else (drop)))
    (i32.add (local.get $x) (i32.const 7000)))
  (func (export "loop") (param $n i32) (result i32) (local $sum i32) PAD3
    (loop $next
      (block $caught
        (try_table (catch_all $caught)
          (local.set $sum (i32.add (local.get $sum)
            (call $outer (i32.rem_u (local.get $n) (i32.const 6)) (i32.and (local.get $n) (i32.const 1)))))))
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))"#;

#[test]
fn handlers_catch_the_exceptions_that_they_name() {
    for bodies in mixes(4) {
        let text = padded(HANDLERS, &bodies);
        let outer: Vec<[Val; 2]> =
            (0..6).flat_map(|what| [[Val::I32(what), Val::I32(0)], [Val::I32(what), Val::I32(1)]]).collect();
        let mut calls: Vec<_> = outer.iter().map(|params| ("outer", &params[..])).collect();
        let times = [Val::I32(120)];
        calls.push(("loop", &times));
        calls.push(("loop", &times));
        let ends = same_ends(&[("main", &text)], &calls);
        assert_eq!((ends[0].i64(), ends[10].i64(), ends[11].i64()), (6, 11, 11));
        assert_eq!((ends[2].i64(), ends[3].i64()), (1011 + 6, 1017));
        assert_eq!((ends[4].i64(), ends[5].i64()), (22 + 6 + 222, 250));
        assert_eq!((ends[6].i64(), ends[8].i64()), (7006, 7006));
        let payload =
            |end: &End| if let End::Throw { payload, .. } = end { payload.clone() } else { panic!("{end:?}") };
        assert_eq!(payload(&ends[7]), [Value::Number(Val::I32(33))]);
        assert_eq!(payload(&ends[9]), [Value::Number(Val::I64(44))]);
        // The loop calls `outer` with each `$what` in turn, and with `$again` for each odd one. A rethrown exception adds
        // nothing.
        let each: i64 = [0, 3, 4, 7, 8, 11]
            .iter()
            .map(|at| if let End::Results(_) = ends[*at] { ends[*at].i64() } else { 0 })
            .sum();
        assert_eq!(ends[12].i64(), each * 20 + 120);
        assert_eq!(ends[13], ends[12]);
    }
}

#[test]
fn exceptions_pass_through_the_host_and_other_instances() {
    for bodies in mixes(3) {
        let library = padded(
            r#"(module
              (import "h" "call" (func $call (param i32) (result i32)))
              (import "h" "tag" (tag $host (param i64)))
              (tag $mine (export "tag") (param i32))
              (func $back (export "back") (param i32) (result i32) PAD0
                (if (i32.eqz (local.get 0)) (then (throw $mine (i32.const 55))))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $host (i64.const 66))))
                (call $call (i32.sub (local.get 0) (i32.const 2))))
              (func (export "enter") (param i32) (result i32) PAD1
                (i32.add (call $call (local.get 0)) (i32.const 1))))"#,
            &bodies[..2],
        );
        let main = padded(
            r#"(module
              (import "library" "enter" (func $enter (param i32) (result i32)))
              (import "library" "tag" (tag $theirs (param i32)))
              (import "h" "tag" (tag $host (param i64)))
              (tag $other (param i32))
              (func (export "run") (param i32) (result i32) PAD0
                (block $on_host (result i64)
                  (block $on_theirs (result i32)
                    (block $on_other (result i32)
                      (try_table (result i32) (catch $other $on_other) (catch $theirs $on_theirs) (catch $host $on_host)
                        (call $enter (local.get 0))))
                    (return (i32.const -1)))
                  (return))
                (i32.wrap_i64)))"#,
            &bodies[2..],
        );
        let modules = [("library", &*library), ("main", &*main)];
        let params: Vec<[Val; 1]> = [0, 1, 2, 3, 20, 21, 0].map(|how| [Val::I32(how)]).into();
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let ends = same_ends(&modules, &calls);
        let values: Vec<i64> = ends.iter().map(End::i64).collect();
        assert_eq!(values, [55, 66, 55, 66, 55, 66, 55]);
    }
}

#[test]
fn an_uncaught_exception_has_its_backtrace() {
    for bodies in mixes(3) {
        let text = padded(
            r#"(module
              (tag $a (param i32 f64)) (tag $b)
              (func $c (param i32) (result i32) PAD0
                (if (local.get 0) (then (throw $a (local.get 0) (f64.const 0.5)))) (i32.const 3))
              (func $b (param i32) (result i32) PAD1
                (block $caught (try_table (catch $b $caught) (return (call $c (local.get 0))))) (i32.const 4))
              (func $a (export "run") (param i32) (result i32) PAD2 (i32.add (call $b (local.get 0)) (i32.const 1))))"#,
            &bodies,
        );
        let ends =
            same_ends(&[("main", &text)], &[("run", &[Val::I32(9)]), ("run", &[Val::I32(0)]), ("run", &[Val::I32(8)])]);
        let End::Throw { payload, frames, total } = &ends[0] else { panic!("{ends:?}") };
        assert_eq!(payload[..], [Value::Number(Val::I32(9)), Value::Number(Val::from(0.5_f64))]);
        let names: Vec<&str> = frames.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!((names, *total), (vec!["c", "b", "a"], 3));
        assert_eq!(ends[1].i64(), 4);
    }
}

#[test]
fn traps_are_not_caught() {
    for bodies in mixes(2) {
        let text = padded(
            r#"(module
              (func $c (param i32) (result i32) PAD0 (i32.div_s (i32.const 1) (local.get 0)))
              (func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))
              (func (export "divide") (param i32) (result i32) PAD1
                (block $caught (return (try_table (result i32) (catch_all $caught) (call $c (local.get 0))))) (i32.const 4))
              (func (export "overflow") (param i32) (result i32)
                (block $caught (return (try_table (result i32) (catch_all $caught) (call $f (local.get 0))))) (i32.const 4))
              (func (export "here") (param i32) (result i32)
                (block $caught (return (try_table (result i32) (catch_all $caught) (i32.div_u (i32.const 1) (local.get 0))))) (i32.const 4)))"#,
            &bodies,
        );
        for configuration in configurations() {
            let mut program = Program::new(&configuration, &text);
            for (name, message) in [
                ("divide", "integer divide by zero"),
                ("here", "integer divide by zero"),
                ("overflow", "call stack exhausted"),
            ] {
                assert_eq!(program.call(name, &[Val::I32(0)]).trap().0, message, "{}", configuration.name);
            }
        }
    }
}

#[test]
fn locals_after_an_exception_are_those_of_the_throw() {
    // Locals of all types change before and between calls. Each run throws at another of these calls.
    let text = r#"(module
        (tag $t)
        (global $countdown (mut i32) (i32.const 0))
        (func $maybe PAD0
          (global.set $countdown (i32.sub (global.get $countdown) (i32.const 1)))
          (if (i32.eqz (global.get $countdown)) (then (throw $t))))
        (func (export "run") (param $n i32) (result i32 i64 f32 f64 v128 i32)
          (local $a i32) (local $b i64) (local $c f32) (local $d f64) (local $e v128) PAD1
          (global.set $countdown (local.get $n))
          (i32.const 99)
          (block $caught
            (try_table (catch_all $caught)
              (local.set $a (i32.const 1)) (call $maybe)
              (local.set $b (i64.const 2)) (call $maybe)
              (local.set $c (f32.const 3)) (call $maybe)
              (local.set $d (f64.const 4)) (call $maybe)
              (local.set $e (v128.const i64x2 5 5)) (call $maybe)
              (local.set $a (i32.add (local.get $a) (local.get $n))) (call $maybe)
              (local.set $b (i64.add (local.get $b) (i64.const 10)))
              (local.set $c (f32.add (local.get $c) (f32.const 10))) (call $maybe)
              (local.set $n (i32.const -1))))
          (local.set $n (i32.add (local.get $n)))
          (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $e) (local.get $n)))"#;
    for bodies in mixes(2) {
        let text = padded(text, &bodies);
        let params: Vec<[Val; 1]> = (1..9).chain(1..9).map(|n| [Val::I32(n)]).collect();
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let ends = same_ends(&[("main", &text)], &calls);
        let expected = |a: i32, b: i64, c: f32, d: f64, e: i64, n: i32| {
            [Val::I32(a), Val::I64(b), c.into(), d.into(), Val::V128(V128::from_lanes([e; 2])), Val::I32(99 + n)]
        };
        assert_eq!(ends[0].results(), expected(1, 0, 0., 0., 0, 1));
        assert_eq!(ends[2].results(), expected(1, 2, 3., 0., 0, 3));
        assert_eq!(ends[5].results(), expected(7, 2, 3., 4., 5, 6));
        assert_eq!(ends[6].results(), expected(8, 12, 13., 4., 5, 7));
        assert_eq!(ends[7].results(), expected(9, 12, 13., 4., 5, -1));
    }
}

#[test]
fn exceptions_that_only_compiled_frames_hold_are_kept() {
    // One exception is in a local and another on the operand stack while the loop makes enough others for the collector to
    // run.
    let text = r#"(module
        (tag $t (param i64))
        (func $make (param i64) (result exnref) (local $exn exnref) PAD0
          (block $caught (result i64 exnref)
            (try_table (catch_ref $t $caught) (throw $t (local.get 0))) (unreachable))
          (local.set $exn) (drop) (local.get $exn))
        (func $value (param exnref) (result i64) PAD1
          (block $caught (result i64)
            (try_table (catch $t $caught) (throw_ref (local.get 0))) (unreachable)))
        (func (export "run") (param $n i32) (result i64) (local $kept exnref) (local $sum i64) PAD2
          (local.set $kept (call $make (i64.const 42)))
          (call $make (i64.const 43))
          (loop $next
            (local.set $sum (i64.add (local.get $sum) (call $value (call $make (i64.extend_i32_u (local.get $n))))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (i64.add (local.get $sum) (i64.mul (call $value (local.get $kept)) (i64.const 1_000_000)))
          (local.set $sum)
          (call $value)
          (i64.add (i64.mul (local.get $sum) (i64.const 1000)))))"#;
    let configurations = stressed_configurations();
    for bodies in [Body::Small, Body::Compiled, Body::Interpreted].map(|body| [body; 3]).into_iter().chain([
        [Body::Compiled, Body::Interpreted, Body::Compiled],
        [Body::Interpreted, Body::Compiled, Body::Compiled],
        [Body::Compiled, Body::Compiled, Body::Interpreted],
    ]) {
        let text = padded(text, &bodies);
        let ends =
            same_ends_in(&configurations, &[("main", &text)], &[("run", &[Val::I32(500)]), ("run", &[Val::I32(500)])]);
        assert_eq!(ends[0].i64(), (500 * 501 / 2 + 42_000_000) * 1000 + 43);
        assert_eq!(ends[1], ends[0]);
    }
}

#[test]
fn legacy_handlers_catch_and_throw_again() {
    // `$throw` throws $a, $b or the host's exception, or returns. `$inner` catches $a and throws it again for an odd payload.
    // `$middle` delegates past a clause that catches all. Each value says which way control went.
    let text = r#"(module
      (import "h" "tag" (tag $host (param i64)))
      (import "h" "throw" (func $host_throw (param i64)))
      (tag $a (param i32)) (tag $b (param v128 i32))
      (func $throw (param $what i32) (param $x i32) (result i32) PAD0
        (if (i32.eq (local.get $what) (i32.const 1)) (then (throw $a (local.get $x))))
        (if (i32.eq (local.get $what) (i32.const 2))
          (then (throw $b (i32x4.splat (local.get $x)) (i32.const 22))))
        (if (i32.eq (local.get $what) (i32.const 3)) (then (call $host_throw (i64.extend_i32_s (local.get $x)))))
        (local.get $what))
      (func $inner (param $what i32) (param $x i32) (result i32) PAD1
        try (result i32)
          local.get $what local.get $x call $throw
        catch $a
          local.set $x
          local.get $x i32.const 1 i32.and if rethrow 1 end
          local.get $x i32.const 100 i32.add
        end)
      (func $middle (param $what i32) (param $x i32) (result i32) PAD2
        i32.const 10000
        try $to (result i32)
          try (result i32)
            try (result i32)
              local.get $what local.get $x call $inner
            delegate $to
          catch_all
            i32.const -1
          end
        catch $b
          local.set $x i32x4.extract_lane 3 local.get $x i32.add
        end
        i32.add)
      (func (export "run") (param $what i32) (param $x i32) (result i32) PAD3
        try (result i32)
          try (result i32)
            local.get $what local.get $x call $middle
          catch_all
            rethrow 0
          end
        catch $a
          i32.const 20000 i32.add
        catch $host
          i32.wrap_i64 i32.const 30000 i32.add
        end))"#;
    for bodies in mixes(4) {
        let text = padded(text, &bodies);
        let params: Vec<[Val; 2]> = (0..4).flat_map(|what| [4, 5].map(|x| [Val::I32(what), Val::I32(x)])).collect();
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let values: Vec<i64> = same_ends(&[("main", &text)], &calls).iter().map(End::i64).collect();
        assert_eq!(values, [10000, 10000, 10104, 20005, 10026, 10027, 30004, 30005]);
    }
}

#[test]
fn frames_that_a_caught_exception_left_are_in_no_later_backtrace() {
    // `$down` and `$up` call each other until `$up` throws. `run` catches that, then traps, throws the exception again or
    // throws another one.
    let text = r#"(module
      (tag $a (param i32)) (tag $b)
      (func $up (param $depth i32) (result i32) PAD0
        (if (i32.eqz (local.get $depth)) (then (throw $a (i32.const 7))))
        (i32.add (call $down (i32.sub (local.get $depth) (i32.const 1))) (i32.const 1)))
      (func $down (param $depth i32) (result i32) PAD1
        (block $other (try_table (catch $b $other) (return (call $up (local.get $depth)))))
        (i32.const 4))
      (func $caught (param $depth i32) (result exnref) PAD2
        (block $all (result exnref)
          (try_table (catch_all_ref $all) (drop (call $down (local.get $depth))))
          (unreachable)))
      (func (export "run") (param $depth i32) (param $then i32) (local $exn exnref) PAD3
        (local.set $exn (call $caught (local.get $depth)))
        (if (i32.eqz (local.get $then)) (then (unreachable)))
        (if (i32.eq (local.get $then) (i32.const 1)) (then (throw_ref (local.get $exn))))
        (if (i32.eq (local.get $then) (i32.const 2)) (then (throw $b))))
      (func (export "uncaught") (param $depth i32) (param $then i32) (drop (call $down (local.get $depth)))))"#;
    for bodies in mixes(4) {
        let text = padded(text, &bodies);
        let params: Vec<[Val; 2]> = (0..4).map(|then| [Val::I32(3), Val::I32(then)]).collect();
        let deep = [Val::I32(40), Val::I32(0)];
        let mut calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        calls.extend([("uncaught", &deep[..]), ("run", &deep), ("uncaught", &params[0])]);
        let ends = same_ends(&[("main", &text)], &calls);
        let totals: Vec<usize> = ends
            .iter()
            .map(|end| match end {
                End::Trap { total, .. } | End::Throw { total, .. } => *total,
                _ => 0,
            })
            .collect();
        assert_eq!(totals, [1, 1, 1, 0, 83, 1, 9]);
    }
}

/// Checks that nobody pays for a backtrace that nobody sees. To locate a frame takes as long as hundreds of throws.
#[test]
fn a_caught_exception_costs_no_backtrace() {
    let text = r#"(module
      (tag $a)
      (func $up (param $depth i32) PAD0
        (if (i32.eqz (local.get $depth)) (then (throw $a)))
        (call $down (i32.sub (local.get $depth) (i32.const 1))))
      (func $down (param $depth i32) PAD1 (call $up (local.get $depth)))
      (func (export "run") (param $n i32) PAD2
        (loop $next
          (block $caught (try_table (catch $a $caught) (call $up (i32.const 3))))
          (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
    let seconds = |bodies: [Body; 3], mode: &str| {
        let configurations = configurations();
        let configuration = configurations.iter().find(|configuration| configuration.name == mode).unwrap();
        let mut program = Program::new(configuration, &padded(text, &bodies));
        let mut run = || {
            let began = std::time::Instant::now();
            assert_eq!(program.call("run", &[Val::I32(2000)]).results(), []);
            began.elapsed().as_secs_f64()
        };
        run();
        (0..5).map(|_| run()).fold(f64::INFINITY, f64::min)
    };
    let interpreted = seconds([Body::Interpreted; 3], "interp");
    for bodies in tier_mixes(3) {
        let mixed = seconds([bodies[0], bodies[1], bodies[2]], "jit");
        assert!(mixed < 30.0 * interpreted, "{bodies:?}: {mixed} s, interpreted {interpreted} s");
    }
}
