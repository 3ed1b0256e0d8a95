//! Memories: of 32 and 64 bits, several in one module, guard-paged and checked, shared between instances. Accesses at and
//! beyond their ends.

use wasmr::{MemoryStrategy, Val};

use crate::configurations::Configuration;
use crate::support::{End, configurations, padded, same_ends, same_ends_in, tier_mixes};

fn checked() -> Vec<Configuration> {
    let checked = |mut configuration: Configuration| {
        configuration.config.memory_strategy(MemoryStrategy::Checked);
        configuration
    };
    configurations().into_iter().map(checked).collect()
}

/// Returns loads and stores of all sizes in a memory, at an address with a constant offset.
fn accesses(address: &str, memory: &str, offset: u64) -> String {
    let at = format!("{memory} offset={offset} {address}");
    [
        ("i64.load8_s", "i64.store8", "i64", 1),
        ("i64.load16_u", "i64.store16", "i64", 2),
        ("i64.load32_s", "i64.store32", "i64", 4),
        ("i64.load", "i64.store", "i64", 8),
        ("v128.load", "v128.store", "v128", 16),
    ]
    .map(|(load, store, ty, bytes)| {
        let (value, to_i64) = match ty {
            "v128" => ("(i64x2.splat (local.get $value))", "i64x2.extract_lane 1"),
            _ => ("(local.get $value)", "i64.extend32_s"),
        };
        format!(
            r#"(if (i32.eq (local.get $bytes) (i32.const {bytes}))
              (then (if (local.get $write) (then ({store} {at} {value}))) (local.set $result ({to_i64} ({load} {at})))))"#
        )
    })
    .concat()
}

fn check(index_type: &str, configurations: &[Configuration]) -> Vec<End> {
    let mut all = Vec::new();
    let wide = index_type == "i64";
    // Offsets that the guard pages cover and offsets that they do not. With the last one, no address is in memory.
    let offsets: &[u64] = if wide { &[0, 8, 70_000, 1 << 33, u64::MAX - 3] } else { &[0, 8, 70_000, u32::MAX as u64] };
    for &offset in offsets {
        for memory in ["$first", "$second"] {
            for bodies in tier_mixes(2).skip(1).take(2) {
                let text = format!(
                    r#"(module
                      (memory $first {index_type} 2 4) (memory $second {index_type} 1 3)
                      (func $access (param $at {index_type}) (param $bytes i32) (param $write i32) (param $value i64) (result i64) (local $result i64) PAD0
                        {} (local.get $result))
                      (func (export "run") (param $at {index_type}) (param $bytes i32) (param $write i32) (param $value i64) (result i64) PAD1
                        (call $access (local.get $at) (local.get $bytes) (local.get $write) (local.get $value)))
                      (func (export "grow") (result {index_type} {index_type})
                        (memory.grow $first ({index_type}.const 1)) (memory.grow $second ({index_type}.const 1))))"#,
                    accesses("(local.get $at)", memory, offset),
                );
                let text = padded(&text, &bodies);
                let pages: i64 = if memory == "$first" { 2 } else { 1 };
                let mut params = Vec::new();
                for bytes in [1, 2, 4, 8, 16] {
                    let end = (pages << 16) - bytes - offset as i64;
                    for at in [0, end - 1, end, end + 1, end + (1 << 16), -1, i64::from(i32::MIN), 1 << 40, i64::MIN] {
                        for write in [1, 0] {
                            let address = if wide { Val::I64(at) } else { Val::I32(at as i32) };
                            params.push([
                                address,
                                Val::I32(bytes as i32),
                                Val::I32(write),
                                Val::I64(0x1234_5678_9abc_def0),
                            ]);
                        }
                    }
                }
                let mut calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
                calls.push(("grow", &[]));
                calls.extend(params.iter().map(|params| ("run", &params[..])));
                let ends = same_ends_in(configurations, &[("main", &text)], &calls);
                let fine = |ends: &[End]| ends.iter().filter(|end| matches!(end, End::Results(_))).count();
                let (before, after) = ends.split_at(params.len());
                if offset < 1 << 16 {
                    assert!(fine(before) >= 15 && fine(after) > fine(before), "{} and {}", fine(before), fine(after));
                }
                for end in ends.iter().filter(|end| !matches!(end, End::Results(_))) {
                    assert_eq!(end.trap().0, "out of bounds memory access");
                }
                all.extend(ends);
            }
        }
    }
    all
}

#[test]
fn accesses_at_and_beyond_the_end() {
    assert_eq!(check("i32", &configurations()), check("i32", &checked()));
}

#[test]
fn accesses_of_64_bit_memories() {
    check("i64", &configurations());
}

#[test]
fn bulk_operators_between_memories() {
    for (one, two) in [("i32", "i32"), ("i32", "i64"), ("i64", "i64")] {
        for bodies in tier_mixes(2) {
            let text = padded(
                &format!(
                    r#"(module
                      (memory $a {one} 1) (memory $b {two} 1)
                      (data $d "0123456789abcdef")
                      (func $change (param $at i64) (param $len i64) PAD0
                        (memory.init $a $d ({one}.const 8) (i32.const 2) (i32.const 10))
                        (memory.copy $b $a (TWO (local.get $at)) ({one}.const 8) (MIN (local.get $len)))
                        (memory.fill $b (TWO (i64.add (local.get $at) (i64.const 1))) (i32.const 0x1ff) (TWO (i64.const 2))))
                      (func (export "run") (param $at i64) (param $len i64) (result i64 i64) PAD1
                        (call $change (local.get $at) (local.get $len))
                        (i64.load $b (TWO (local.get $at))) (i64.load $a ({one}.const 10))))"#
                )
                .replace("TWO", if two == "i64" { "i64.add (i64.const 0)" } else { "i32.wrap_i64" })
                .replace("MIN", if one == "i64" { "i64.add (i64.const 0)" } else { "i32.wrap_i64" }),
                &bodies,
            );
            let params = [[0, 8], [100, 3], [65528, 8], [65528, 9], [0, 65529], [65536, 0], [65529, 8]];
            let params = params.map(|pair| pair.map(Val::I64));
            let calls: Vec<_> = params.iter().map(|params| ("run", &params[..])).collect();
            let ends = same_ends(&[("main", &text)], &calls);
            let word = |bytes: &[u8; 8]| Val::I64(i64::from_le_bytes(*bytes));
            assert_eq!(ends[0].results(), [word(b"2\xff\xff56789"), word(b"456789ab")]);
            assert_eq!(ends[1].results()[0], word(b"2\xff\xff\0\0\0\0\0"));
            assert_eq!(ends[2], ends[0]);
            for end in &ends[3..] {
                assert_eq!(end.trap().0, "out of bounds memory access");
            }
        }
    }
}

#[test]
fn instances_share_a_memory_that_grows() {
    // One instance imports it as its first memory, the other as its second. Each grows it, and reads the bytes that the other
    // wrote.
    for bodies in tier_mixes(2) {
        let library = padded(
            r#"(module
              (memory $own 1) (memory $shared (export "memory") 1 100)
              (func (export "write") (param i32 i64) PAD0
                (if (i32.lt_s (memory.grow $shared (i32.const 1)) (i32.const 0)) (then (unreachable)))
                (i64.store $own (i32.const 0) (i64.const -1))
                (i64.store $shared (i32.sub (i32.mul (memory.size $shared) (i32.const 0x10000)) (i32.const 8)) (local.get 1))))"#,
            &bodies[..1],
        );
        let main = padded(
            r#"(module
              (import "library" "memory" (memory 1 100))
              (import "library" "write" (func $write (param i32 i64)))
              (func (export "run") (param $n i32) (result i64) (local $sum i64) PAD0
                (loop
                  (call $write (i32.const 0) (i64.extend_i32_u (local.get $n)))
                  (local.set $sum (i64.add (local.get $sum) (i64.add (i64.load (i32.const 0))
                    (i64.load (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 8))))))
                  (drop (memory.grow (i32.const 1)))
                  (i64.store (i32.const 0) (i64.load (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 8))))
                  (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i64.add (i64.mul (local.get $sum) (i64.const 1000)) (i64.extend_i32_u (memory.size)))))"#,
            &bodies[1..],
        );
        let modules = [("library", &*library), ("main", &*main)];
        for configurations in [configurations(), checked()] {
            let ends = same_ends_in(&configurations, &modules, &[("run", &[Val::I32(40)]), ("run", &[Val::I32(20)])]);
            assert_eq!(ends[0].i64(), 820_000 + 81);
            assert_eq!(ends[1].trap().0, "unreachable", "the maximum is reached");
        }
    }
}
