//! On-stack replacement at loops: wherever control is, machine code takes over everything that the frame holds, and the
//! function ends as in the interpreter.
//!
//! The tests call each function only once or a few times, so that its loops are hot and its entry is not.

use wasmr::{MemoryStrategy, V128, Val};

use crate::configurations::Body;
use crate::support::{Program, configurations, padded, same_ends, same_ends_in, shown, tier_mixes};

/// Rounds of a loop that becomes hot in all configurations but the default tiered one, which needs milliseconds.
const ROUNDS: i32 = 20_000;

#[test]
fn every_loop_of_a_nest_can_be_the_hot_one() {
    // The outer, the middle and the inner loop are long in turn. Values of all types are live through the loops: in locals, on
    // the operand stack below the loops, and as loop parameters.
    let text = r#"(module
        (func (export "run") (param $a i32) (param $b i32) (param $c i32) (result i32 i64 f32 f64 v128 i64)
          (local $i i32) (local $j i32) (local $k i32) (local $s i64) (local $f f32) (local $d f64) (local $v v128) PAD0
          (local.set $f (f32.const 1))
          (i64.const 1000)
          (loop $outer (param i64) (result i64)
            (i64.add (i64.const 1))
            (local.set $j (i32.const 0))
            (i64.const 3)
            (loop $middle
              (local.set $k (i32.const 0))
              (i64.extend_i32_u (local.get $j)) (f64.const 0.25)
              (loop $inner (param i64 f64) (result i64 f64)
                (local.set $d (f64.add (local.get $d)))
                (local.set $s (i64.add (local.get $s)))
                (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $k))))
                (i64.extend_i32_s (local.get $i)) (f64.const 0.5)
                (br_if $inner (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $c))))
              (local.set $d (f64.sub (local.get $d)))
              (local.set $s (i64.xor (local.get $s)))
              (local.set $f (f32.mul (local.get $f) (f32.const 1.0000001)))
              (br_if $middle (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $b))))
            (i64.add)
            (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $a))))
          (local.set $s (i64.add (local.get $s)))
          (i32.add (i32.add (local.get $i) (local.get $j)) (local.get $k))
          (local.get $s) (local.get $f) (local.get $d) (local.get $v)
          (i64.reinterpret_f64 (local.get $d))))"#;
    for body in [Body::Small, Body::Interpreted] {
        let text = padded(text, &[body]);
        let shapes =
            [[1, 1, ROUNDS], [1, ROUNDS, 1], [ROUNDS, 1, 1], [27, 27, 27], [2, 100, 100], [100, 2, 100], [3, 2, 1]];
        let params: Vec<[Val; 3]> = shapes.map(|shape| shape.map(Val::I32)).into();
        // All calls in one instance, and each call in an instance of its own.
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        let together = same_ends(&[("main", &text)], &calls);
        for (call, expected) in calls.iter().zip(&together) {
            assert_eq!(same_ends(&[("main", &text)], &[*call])[0], *expected);
        }
        for (end, [a, b, c]) in together.iter().zip(shapes) {
            let results = end.results();
            assert_eq!((results[0].i32(), results[1].i64()), (Some(a + b + c), Some(sum_of_nest(a, b, c))));
        }
    }
}

/// Returns the sum of the integers of the nest above.
fn sum_of_nest(a: i32, b: i32, c: i32) -> i64 {
    let (mut sum, mut carried) = (0_i64, 1000_i64);
    for i in 0..a {
        carried += 1;
        for j in 0..b {
            let mut value = i64::from(j);
            for _ in 0..c {
                sum += value;
                value = i64::from(i);
            }
            sum ^= value;
        }
        carried += 3;
    }
    sum + carried
}

#[test]
fn long_loops_with_default_tuning() {
    // The loop is long enough for background compilation with the default tuning. The second loop and the second call read the
    // memory that it wrote.
    let text = r#"(module
        (memory 1)
        (func $mix (param i64) (result i64) (i64.xor (i64.mul (local.get 0) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
        (func (export "run") (param $n i32) (result i64) (local $x i64) (local $i i32)
          (local.set $x (i64.const 1))
          (loop $long
            (local.set $x (call $mix (local.get $x)))
            (i64.store (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xfff8)) (local.get $x))
            (br_if $long (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
          (local.set $i (i32.const 0))
          (loop $sum
            (local.set $x (i64.add (local.get $x) (i64.load (local.get $i))))
            (br_if $sum (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 0x10000))))
          (local.get $x)))"#;
    let calls = [("run", &[Val::I32(3_000_000)][..]), ("run", &[Val::I32(1000)])];
    let ends = same_ends(&[("main", text)], &calls);
    let mut memory = vec![0_u64; 8192];
    let run = |memory: &mut [u64], count: usize| {
        let mut x = 1_u64;
        for _ in 0..count {
            x = x.wrapping_mul(6364136223846793005) ^ 1442695040888963407;
            memory[(x as usize & 0xfff8) / 8] = x;
        }
        memory.iter().fold(x, |sum, word| sum.wrapping_add(*word)) as i64
    };
    for (end, count) in ends.iter().zip([3_000_000, 1000]) {
        assert_eq!(end.i64(), run(&mut memory, count));
    }
}

#[test]
fn a_loop_inside_handlers_throws_and_goes_on() {
    // Handlers stand in the loop, around it, and around the loop outside it. A call in the loop throws, and so does the loop
    // itself.
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (tag $a (param i32)) (tag $b (param i64 i32)) (tag $c)
              (func $maybe (param i32) (result i32) PAD0
                (if (i32.eqz (i32.rem_u (local.get 0) (i32.const 97))) (then (throw $a (local.get 0))))
                (if (i32.eqz (i32.rem_u (local.get 0) (i32.const 1009))) (then (throw $b (i64.extend_i32_u (local.get 0)) (i32.const 5))))
                (local.get 0))
              (func (export "run") (param $n i32) (result i64) (local $i i32) (local $sum i64) (local $x i32) PAD1
                (block $done
                  (try_table (catch_all $done)
                    (loop $again
                      (block $on_b (result i64 i32)
                        (try_table (catch $b $on_b)
                          (loop $long
                            (local.set $i (i32.add (local.get $i) (i32.const 1)))
                            (if (i32.gt_u (local.get $i) (local.get $n)) (then (throw $c)))
                            (block $on_a (result i32)
                              (try_table (result i32) (catch $a $on_a)
                                (local.set $x (i32.const -1))
                                (local.set $x (call $maybe (local.get $i)))
                                (i32.const 1)))
                            (i64.extend_i32_u)
                            (local.set $sum (i64.add (local.get $sum)))
                            (br $long)))
                        (unreachable))
                      (i64.extend_i32_u)
                      (i64.mul)
                      (local.set $sum (i64.add (local.get $sum)))
                      (br $again))))
                (i64.add (local.get $sum) (i64.extend_i32_s (local.get $x)))))"#,
            &bodies,
        );
        let ends = same_ends(&[("main", &text)], &[("run", &[Val::I32(10_000)]), ("run", &[Val::I32(97)])]);
        let expected = |n: i64| {
            let each = |i: i64| {
                if i % 97 == 0 {
                    i
                } else if i % 1009 == 0 {
                    5 * i
                } else {
                    1
                }
            };
            (1..=n).map(each).sum::<i64>() + if n % 97 == 0 { -1 } else { n }
        };
        assert_eq!((ends[0].i64(), ends[1].i64()), (expected(10_000), expected(97)), "{}", shown(&[("", &text)]));
    }
}

#[test]
fn a_loop_ends_in_a_trap_a_throw_or_a_tail_call() {
    for body in [Body::Small, Body::Interpreted] {
        let text = padded(
            r#"(module
              (type $t (func (param i64 i32 i64 i64 i64 i64 i64 i64) (result i64)))
              (tag $a (param i64)) (memory 1) (table 1 funcref) (elem (i32.const 0) $end)
              (func $end (type $t) (i64.sub (i64.const 0) (i64.add (local.get 0) (local.get 7))))
              (func $run (export "run") (param $how i32) (param $n i32) (result i64) (local $i i32) (local $sum i64) PAD0
                (block $stop
                  (loop
                    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $i))))
                    (br_if $stop (i32.eq (local.get $i) (local.get $n)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if 0 (i32.eqz (i32.const 0)))))
                (block $table (block $tail (block $throw (block $divide (block $load
                  (br_table $load $divide $throw $tail $table (local.get $how)))
                  (return (i64.load offset=0xfff0 (local.get $i))))
                  (return (i64.div_u (local.get $sum) (i64.extend_i32_u (i32.sub (local.get $i) (local.get $n))))))
                  (throw $a (local.get $sum)))
                  (return_call $end (local.get $sum) (i32.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 8)))
                (return_call_indirect (type $t)
                  (local.get $sum) (i32.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 9)
                  (i32.sub (local.get $i) (local.get $n)))))"#,
            &[body],
        );
        let sum = i64::from(ROUNDS) * i64::from(ROUNDS + 1) / 2;
        for how in 0..5 {
            let params = [Val::I32(how), Val::I32(ROUNDS)];
            let ends = same_ends(&[("main", &text)], &[("run", &params), ("run", &params)]);
            assert_eq!(ends[0], ends[1]);
            match how {
                0 => ends[0].assert_trap("out of bounds memory access", &["run"]),
                1 => ends[0].assert_trap("integer divide by zero", &["run"]),
                2 => assert!(matches!(ends[0], crate::support::End::Throw { .. })),
                _ => assert_eq!(ends[0].i64(), -sum - i64::from(how + 5)),
            }
        }
    }
}

#[test]
fn memory_grows_in_a_loop() {
    let text = |inner: &str| {
        format!(
            r#"(module
              (memory (export "memory") 1 200)
              (func $grow (param i32) (result i32) PAD0 (memory.grow (local.get 0)))
              (func (export "run") (param $n i32) (result i64) (local $i i32) (local $sum i64) PAD1
                (loop
                  ;; The last word of the memory at its current size.
                  (i64.store (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 8)) (i64.extend_i32_u (local.get $i)))
                  (if (i32.eqz (i32.rem_u (local.get $i) (i32.const 100))) (then (drop {inner})))
                  (local.set $sum (i64.add (local.get $sum)
                    (i64.load (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 8)))))
                  (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
                (i64.add (i64.mul (local.get $sum) (i64.const 1000)) (i64.extend_i32_u (memory.size)))))"#
        )
    };
    let checked: Vec<_> = configurations()
        .into_iter()
        .map(|mut configuration| {
            configuration.config.memory_strategy(MemoryStrategy::Checked);
            configuration
        })
        .collect();
    for inner in ["(memory.grow (i32.const 1))", "(call $grow (i32.const 1))"] {
        for bodies in tier_mixes(2) {
            let text = padded(&text(inner), &bodies);
            let calls = [("run", &[Val::I32(5000)][..]), ("run", &[Val::I32(5000)])];
            let guarded = same_ends(&[("main", &text)], &calls);
            assert_eq!(same_ends_in(&checked, &[("main", &text)], &calls), guarded);
            // Right after the memory has grown, the last word is zero.
            let sum: i64 = (0..5000).filter(|i| i % 100 != 0).sum();
            assert_eq!(guarded[0].i64(), sum * 1000 + 51);
        }
    }
}

#[test]
fn loops_with_vectors_and_references_in_their_frames() {
    let text = r#"(module
        (import "h" "extern" (func $extern (param i64) (result externref)))
        (import "h" "number" (func $number (param externref) (result i64)))
        (type $f (func (param i32) (result i32)))
        (elem declare func $one $two)
        (func $one (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func $two (type $f) (i32.add (local.get 0) (i32.const 2)))
        (func (export "run") (param $n i32) (result i64 i32 v128)
          (local $r externref) (local $s externref) (local $f (ref null $f)) (local $g (ref null $f)) (local $v v128) (local $i i32) (local $x i32) PAD0
          (local.set $r (call $extern (i64.const 77)))
          (local.set $f (ref.func $one))
          (call $extern (i64.const 5))
          (loop
            (local.set $s (local.get $r))
            (local.set $r (local.get $s))
            (local.set $g (select (result (ref null $f)) (ref.func $two) (local.get $f) (i32.and (local.get $i) (i32.const 1))))
            (local.set $x (call_ref $f (local.get $x) (local.get $g)))
            (local.set $v (i16x8.add (local.get $v) (i16x8.splat (local.get $x))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
          (i64.mul (call $number) (call $number (local.get $s)))
          (local.get $x) (local.get $v)))"#;
    for body in [Body::Small, Body::Interpreted] {
        let text = padded(text, &[body]);
        let ends = same_ends(&[("main", &text)], &[("run", &[Val::I32(ROUNDS)]), ("run", &[Val::I32(3)])]);
        let (mut x, mut lane) = (0_i32, 0_i16);
        for i in 0..ROUNDS {
            x += 1 + i % 2;
            lane = lane.wrapping_add(x as i16);
        }
        assert_eq!(ends[0].results(), [Val::I64(385), Val::I32(x), Val::V128(V128::from_lanes([lane; 8]))]);
    }
}

#[test]
fn jump_tables_lead_into_and_out_of_loops() {
    let text = r#"(module
        (func (export "run") (param $step i32) (param $n i32) (result i64) (local $i i32) (local $sum i64) PAD0
          (block $out (result i64)
            (i64.const 0)
            (loop $again (param i64) (result i64)
              (local.set $sum)
              (local.set $i (i32.add (local.get $i) (local.get $step)))
              (drop (br_if $out (local.get $sum) (i32.gt_u (local.get $i) (local.get $n))))
              (block $d (result i64) (block $c (result i64) (block $b (result i64) (block $a (result i64)
                (br_table $a $b $again $c $d (i64.add (local.get $sum) (i64.const 1)) (i32.rem_u (local.get $i) (i32.const 7))))
                (i64.add (i64.const 3)))
                (i64.mul (i64.const 5)))
                (i64.xor (i64.const 0x55)))
              (br $again)))))"#;
    for body in [Body::Small, Body::Interpreted] {
        let text = padded(text, &[body]);
        let params = [1, 2, 3].map(|step| [Val::I32(step), Val::I32(ROUNDS)]);
        let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
        for (end, step) in same_ends(&[("main", &text)], &calls).iter().zip([1, 2, 3]) {
            let (mut i, mut sum) = (0, 0_i64);
            loop {
                i += step;
                if i > ROUNDS {
                    break;
                }
                let value = sum.wrapping_add(1);
                sum = match i % 7 {
                    0 => (value.wrapping_add(3).wrapping_mul(5)) ^ 0x55,
                    1 => value.wrapping_mul(5) ^ 0x55,
                    2 => value,
                    3 => value ^ 0x55,
                    _ => value,
                };
            }
            assert_eq!(end.i64(), sum);
        }
    }
}

#[test]
fn operands_below_an_if_before_the_loop_survive_in_both_arms() {
    // If machine code takes over at the inner loop, control reaches the `if` first through the outer loop's header.
    let text = padded(
        r#"(module (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $count i32) PAD0
          (local.set $i (i32.const 5))
          (loop $outer
            (block $skip
              (block $in
                (br_table $in $skip (i32.lt_u (i32.const 1) (if (result i32) (local.get $n) (then (i32.const 7)) (else (i32.const 1))))))
              (local.set $j (i32.const 6))
              (loop $inner
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if $inner (local.tee $j (i32.sub (local.get $j) (i32.const 1))))))
            (br_if $outer (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (local.get $count)))"#,
        &[Body::Compiled],
    );
    assert_eq!(same_ends(&[("main", &text)], &[("run", &[Val::I32(0)])])[0].i64(), 30);
    assert_eq!(same_ends(&[("main", &text)], &[("run", &[Val::I32(1)])])[0].i64(), 0);
}

#[test]
fn loops_at_many_depths_of_recursion() {
    // Each activation of the function is in its loop when it calls the next.
    for bodies in tier_mixes(2) {
        let text = padded(
            r#"(module
              (func $walk (export "run") (param $depth i32) (param $width i32) (result i64) (local $i i32) (local $sum i64) PAD0
                (if (i32.eqz (local.get $depth)) (then (return (i64.const 1))))
                (loop
                  (local.set $sum (i64.add (local.get $sum)
                    (call $other (i32.sub (local.get $depth) (i32.const 1)) (local.get $width))))
                  (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $width))))
                (i64.add (local.get $sum) (i64.const 1)))
              (func $other (param $depth i32) (param $width i32) (result i64) (local $sum i64) PAD1
                (loop
                  (local.set $sum (i64.add (local.get $sum) (call $walk (local.get $depth) (local.get $width))))
                  (br_if 0 (i64.lt_u (local.get $sum) (i64.const 1))))
                (local.get $sum)))"#,
            &bodies,
        );
        let ends = same_ends(
            &[("main", &text)],
            &[("run", &[Val::I32(8), Val::I32(3)]), ("run", &[Val::I32(300), Val::I32(1)])],
        );
        assert_eq!((ends[0].i64(), ends[1].i64()), ((3_i64.pow(9) - 1) / 2, 301));
    }
}

#[test]
fn a_store_works_after_traps_in_its_loops() {
    // All calls are in one instance: a trap in a loop, the same loop without a trap, another function's loop, and all again.
    let text = r#"(module
        (global $sum (export "sum") (mut i64) (i64.const 0))
        (func (export "add") (param $n i32) (param $by i32) (result i64)
          (loop
            (global.set $sum (i64.add (global.get $sum) (i64.extend_i32_u (i32.div_u (local.get $n) (local.get $by)))))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (global.get $sum))
        (func (export "back") (param $n i32) (result i32)
          (loop
            (global.set $sum (i64.sub (global.get $sum) (i64.const 1)))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (i32.wrap_i64 (global.get $sum))))"#;
    for configuration in configurations() {
        let mut program = Program::new(&configuration, text);
        for round in 1..=3 {
            assert_eq!(program.call("add", &[Val::I32(ROUNDS), Val::I32(0)]).trap().0, "integer divide by zero");
            let all = i64::from(ROUNDS) * i64::from(ROUNDS + 1) / 2;
            assert_eq!(
                program.call("add", &[Val::I32(ROUNDS), Val::I32(1)]).i64(),
                all,
                "{} {round}",
                configuration.name
            );
            assert_eq!(program.call("back", &[Val::I32(ROUNDS)]).i64(), all - i64::from(ROUNDS));
            program.instance.get_global(&program.store, "sum").unwrap().set(&mut program.store, Val::I64(0)).unwrap();
        }
    }
}
