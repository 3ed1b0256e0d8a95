//! Hostile guests for the heap: the largest types, lengths that no heap has, null in every operator, long lists, and objects that
//! only one root reaches.
//!
//! Each test runs in every mode, and in each mode also with a collection at each allocation, and with code made at the first
//! execution.

use std::fmt::Write;

use wasmr::{Caller, Config, Engine, ExternRef, Func, Instance, Linker, Module, Store, Tuning, Val};

use crate::support::{in_every_mode, instance, module};

/// Returns the configuration with the tunings that matter for references.
fn tunings(config: &Config) -> Vec<Config> {
    let tuned = |tuning: Tuning| {
        let mut config = config.clone();
        config.tuning(tuning);
        config
    };
    let at_once = Tuning { tier_up_after: 0, baseline_after: 0, ..Tuning::default() };
    let dual_entry = Tuning { dual_entry_from: 0, ..at_once.clone() };
    let stressed = Tuning { gc_stress: true, ..at_once.clone() };
    let mut never_compiled = Tuning { baseline: false, gc_stress: true, ..Tuning::default() };
    never_compiled.max_compiled_size = 0;
    [Tuning::default(), at_once, dual_entry, stressed, never_compiled].map(tuned).into()
}

/// Calls an export without parameters. Returns its `i64`, or the message of its end.
fn call(store: &mut Store<()>, instance: Instance, name: &str) -> Result<i64, String> {
    let func = instance.get_func(&*store, name).unwrap_or_else(|| panic!("`{name}` is exported"));
    call_func(store, func, name)
}

fn call_func(store: &mut Store<()>, func: Func, name: &str) -> Result<i64, String> {
    let mut results = [Val::I64(0)];
    match func.call(&mut *store, &[], &mut results) {
        Ok(()) => Ok(results[0].i64().unwrap_or_else(|| panic!("`{name}` returns an i64"))),
        Err(stop) => match stop.trap_code() {
            Some(code) => Err(code.message().to_owned()),
            None => Err(stop.to_string()),
        },
    }
}

/// Runs a module's exports, in every tuning, twice each, as the second call may find other code.
fn check(config: &Config, text: &str, expected: &[(&str, Result<i64, &str>)]) {
    for config in tunings(config) {
        let (mut store, instance) = instance(&Engine::new(&config), text, (), &[]);
        for round in 0..2 {
            for &(name, ref expected) in expected {
                let result = call(&mut store, instance, name);
                assert_eq!(
                    result.as_ref().map_err(String::as_str),
                    expected.as_ref().map_err(|message| *message),
                    "`{name}`, round {round}"
                );
            }
        }
    }
}

in_every_mode! {
    fn the_deepest_hierarchy(config) {
        // Types may be nested 63 deep. An object is of its own type and of all above it, and of none below.
        let mut text = String::from("(module (type $t0 (sub (struct)))");
        for level in 1..=63 {
            write!(text, "(type $t{level} (sub $t{} (struct)))", level - 1).unwrap();
        }
        for level in [0, 1, 6, 7, 8, 9, 31, 62, 63] {
            write!(text, "(func (export \"of {level}\") (result i64) (local $r anyref) (local $n i64)
                (local.set $r (struct.new $t{level}))").unwrap();
            for other in 0..=63 {
                write!(text, "(local.set $n (i64.add (local.get $n) (i64.extend_i32_u (ref.test (ref $t{other}) (local.get $r)))))").unwrap();
            }
            text.push_str("(local.get $n))");
        }
        text.push_str("(func (export \"up\") (result i64) (drop (ref.cast (ref $t1) (ref.cast (ref $t63) (struct.new $t63)))) (i64.const 1))");
        text.push_str("(func (export \"down\") (result i64) (local $r anyref) (local.set $r (struct.new $t62)) (drop (ref.cast (ref $t63) (local.get $r))) (i64.const 1)))");
        let names: Vec<(String, i64)> = [0, 1, 6, 7, 8, 9, 31, 62, 63].map(|level| (format!("of {level}"), level + 1)).into();
        let mut expected: Vec<(&str, Result<i64, &str>)> = names.iter().map(|(name, count)| (name.as_str(), Ok(*count))).collect();
        expected.extend([("up", Ok(1)), ("down", Err("cast failure"))]);
        check(&config, &text, &expected);

        text.truncate(text.len() - 1);
        text.push_str("(type $t64 (sub $t63 (struct))))");
        let error = Module::new(&Engine::new(&config), &text).unwrap_err().to_string();
        assert!(error.contains("depth"), "{error}");
    }

    fn the_largest_struct(config) {
        let count = 10_000;
        let mut text = String::from("(module (type $s (struct");
        for index in 0..count {
            text.push_str(["(field (mut i64))", "(field (mut anyref))", "(field (mut i8))", "(field (mut v128))"][index % 4]);
        }
        text.push_str(")) (func $new (result (ref $s))");
        for index in 0..count {
            match index % 4 {
                0 => write!(text, "(i64.const {index})").unwrap(),
                1 => write!(text, "(ref.i31 (i32.const {index}))").unwrap(),
                2 => write!(text, "(i32.const {index})").unwrap(),
                _ => write!(text, "(v128.const i64x2 0 {index})").unwrap(),
            }
        }
        write!(text, "(struct.new $s))
            (func (export \"sum\") (result i64) (local $r (ref $s)) (local $d (ref $s))
                (local.set $d (struct.new_default $s))
                (local.set $r (call $new))
                (struct.set $s 9999 (local.get $d) (struct.get $s 9999 (local.get $r)))
                (i64.add (i64.add (struct.get $s 9996 (local.get $r)) (i64x2.extract_lane 1 (struct.get $s 9999 (local.get $d))))
                         (i64.add (i64.extend_i32_u (i31.get_u (ref.cast (ref i31) (struct.get $s 9997 (local.get $r)))))
                                  (i64.extend_i32_u (struct.get_u $s 9998 (local.get $r))))))
            (func (export \"null\") (result i64) (struct.get $s 9996 (ref.null $s)))
            (func (export \"set null\") (result i64) (struct.set $s 9999 (ref.null $s) (v128.const i64x2 1 1)) (i64.const 0)))").unwrap();
        let sum = 9996 + 9999 + 9997 + (9998 & 0xff);
        check(&config, &text, &[
            ("sum", Ok(sum)),
            ("null", Err("null structure reference")),
            ("set null", Err("null structure reference")),
        ]);
    }

    fn lengths_that_no_heap_has(config) {
        let kinds = [("i8", "i32.const 1", ""), ("i16", "i32.const 1", ""), ("i32", "i32.const 1", ""),
            ("i64", "i64.const 1", ""), ("f64", "f64.const 1", ""), ("v128", "v128.const i64x2 1 1", ""),
            ("anyref", "ref.null any", "e"), ("funcref", "ref.null func", "e")];
        let lengths: [u32; 14] = [0x0fff_fff0, 0x0fff_ffff, 0x1000_0000, 0x1fff_fffe, 0x1fff_ffff, 0x2000_0000, 0x3fff_fffd,
            0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_fff8, 0xffff_ffff];
        let mut text = String::from("(module (memory 1) (data $d \"abc\") (elem $e anyref (ref.null any)) (elem $f funcref (ref.null func))");
        let mut names = Vec::new();
        for (kind, value, elements) in kinds {
            write!(text, "(type ${kind} (array (mut {kind})))").unwrap();
            for (number, length) in lengths.iter().enumerate() {
                let (data, message) = match elements {
                    "" => (format!("array.new_data ${kind} $d"), "out of bounds memory access"),
                    _ if kind == "anyref" => (format!("array.new_elem ${kind} $e"), "out of bounds table access"),
                    _ => (format!("array.new_elem ${kind} $f"), "out of bounds table access"),
                };
                for (what, code, message) in [
                    ("default", format!("(array.new_default ${kind} (i32.const {length}))"), "garbage-collected heap is full"),
                    ("new", format!("(array.new ${kind} ({value}) (i32.const {length}))"), "garbage-collected heap is full"),
                    ("segment", format!("({data} (i32.const 1) (i32.const {length}))"), message),
                ] {
                    let name = format!("{kind} {what} {number}");
                    write!(text, "(func (export \"{name}\") (result i64) (drop {code}) (i64.const 1))").unwrap();
                    names.push((name, message));
                }
                // The length is in a local, so that no code is made for one length.
                let name = format!("{kind} variable {number}");
                write!(text, "(func (export \"{name}\") (result i64) (local $n i32) (local.set $n (i32.const {length}))
                    (loop (drop (array.new_default ${kind} (local.get $n))) (br_if 0 (local.get $n))) (i64.const 1))").unwrap();
                names.push((name, "garbage-collected heap is full"));
            }
            // Parts that end behind 4 GiB.
            for (number, code) in [
                format!("(array.fill ${kind} (local.get $a) (i32.const -1) ({value}) (i32.const 2))"),
                format!("(array.fill ${kind} (local.get $a) (i32.const 2) ({value}) (i32.const -1))"),
                format!("(array.copy ${kind} ${kind} (local.get $a) (i32.const -1) (local.get $a) (i32.const 0) (i32.const 2))"),
                format!("(array.copy ${kind} ${kind} (local.get $a) (i32.const 0) (local.get $a) (i32.const 2) (i32.const -1))"),
                format!("(array.set ${kind} (local.get $a) (i32.const -1) ({value}))"),
                format!("(array.set ${kind} (local.get $a) (i32.const 4) ({value}))"),
                format!("(array.set ${kind} (local.get $a) (i32.const 0x20000000) ({value}))"),
            ].iter().enumerate() {
                let name = format!("{kind} part {number}");
                write!(text, "(func (export \"{name}\") (result i64) (local $a (ref ${kind}))
                    (local.set $a (array.new_default ${kind} (i32.const 4))) {code} (i64.const 1))").unwrap();
                names.push((name, "out of bounds array access"));
            }
        }
        text.push(')');
        let expected: Vec<(&str, Result<i64, &str>)> = names.iter().map(|(name, message)| (name.as_str(), Err(*message))).collect();
        // A collection at each allocation would find nothing here.
        for config in &tunings(&config)[..3] {
            let mut config = config.clone();
            // An `i8` array of 256 MiB would fit.
            config.max_gc_heap(128 << 20);
            let (mut store, instance) = instance(&Engine::new(&config), &text, (), &[]);
            for &(name, ref expected) in &expected {
                let result = call(&mut store, instance, name);
                assert_eq!(result.as_ref().map_err(String::as_str), expected.as_ref().map_err(|message| *message), "`{name}`");
            }
        }
    }

    fn null_in_every_operator(config) {
        let array = "null array reference";
        let operators = [
            ("struct.get", "(drop (struct.get $s 0 (ref.null $s)))", "null structure reference"),
            ("struct.get_s", "(drop (struct.get_s $s 1 (ref.null $s)))", "null structure reference"),
            ("struct.get_u", "(drop (struct.get_u $s 1 (local.get $s)))", "null structure reference"),
            ("struct.get any", "(drop (struct.get $s 2 (local.get $s)))", "null structure reference"),
            ("struct.set", "(struct.set $s 0 (local.get $s) (i64.const 1))", "null structure reference"),
            ("struct.set i8", "(struct.set $s 1 (ref.null $s) (i32.const 1))", "null structure reference"),
            ("struct.set any", "(struct.set $s 2 (local.get $s) (ref.null any))", "null structure reference"),
            ("array.len", "(drop (array.len (local.get $a)))", array),
            ("array.len of null", "(drop (array.len (ref.null array)))", array),
            ("array.get", "(drop (array.get_u $a (local.get $a) (i32.const -1)))", array),
            ("array.set", "(array.set $a (local.get $a) (i32.const -1) (i32.const 1))", array),
            ("array.fill", "(array.fill $a (local.get $a) (i32.const 0) (i32.const 1) (i32.const 0))", array),
            ("array.fill -1", "(array.fill $a (ref.null $a) (i32.const -1) (i32.const 1) (i32.const -1))", array),
            ("array.copy to", "(array.copy $a $a (local.get $a) (i32.const 0) (array.new_default $a (i32.const 2)) (i32.const 0) (i32.const 0))", array),
            ("array.copy from", "(array.copy $a $a (array.new_default $a (i32.const 2)) (i32.const 0) (local.get $a) (i32.const 0) (i32.const 0))", array),
            ("array.init_data", "(array.init_data $a $d (local.get $a) (i32.const 0) (i32.const 0) (i32.const 0))", array),
            ("array.init_elem", "(array.init_elem $r $e (local.get $r) (i32.const 0) (i32.const 0) (i32.const 0))", array),
            ("i31.get_s", "(drop (i31.get_s (local.get $i)))", "null i31 reference"),
            ("i31.get_u", "(drop (i31.get_u (ref.null none)))", "null i31 reference"),
            ("ref.as_non_null", "(drop (ref.as_non_null (local.get $s)))", "null reference"),
            ("ref.cast", "(drop (ref.cast (ref $s) (local.get $s)))", "cast failure"),
            ("ref.cast any", "(drop (ref.cast (ref any) (any.convert_extern (local.get $x))))", "cast failure"),
            ("throw_ref", "(throw_ref (ref.null exn))", "null exception reference"),
            ("call_ref", "(call_ref $f (ref.null $f))", "null function reference"),
        ];
        let mut text = String::from("(module (memory 1) (data $d \"abc\") (elem $e anyref (ref.null any)) (type $f (func))
            (type $s (struct (field (mut i64)) (field (mut i8)) (field (mut anyref)))) (type $a (array (mut i8))) (type $r (array (mut anyref)))");
        for (name, code, _) in operators {
            write!(text, "(func (export \"{name}\") (result i64)
                (local $s (ref null $s)) (local $a (ref null $a)) (local $r (ref null $r)) (local $i i31ref) (local $x externref)
                {code} (i64.const 1))").unwrap();
        }
        // Nothing of this traps.
        text.push_str("(func (export \"no trap\") (result i64) (local $s (ref null $s))
            (drop (ref.cast (ref null $s) (local.get $s)))
            (drop (ref.cast (ref null none) (local.get $s)))
            (drop (block (result (ref null $s)) (br_on_cast 0 anyref (ref null $s) (local.get $s)) (drop) (unreachable)))
            (drop (block (result anyref) (br_on_cast_fail 0 anyref (ref $s) (local.get $s)) (unreachable)))
            (i64.extend_i32_u (i32.and
                (i32.and (ref.eq (ref.null none) (local.get $s)) (ref.is_null (extern.convert_any (local.get $s))))
                (i32.and (ref.test (ref null $s) (local.get $s)) (i32.eqz (ref.test (ref $s) (local.get $s))))))))");
        let mut expected: Vec<(&str, Result<i64, &str>)> = operators.iter().map(|&(name, _, message)| (name, Err(message))).collect();
        expected.push(("no trap", Ok(1)));
        check(&config, &text, &expected);
    }

    fn a_list_of_a_million_and_a_tree_of_arrays(config) {
        let mut config = config.clone();
        config.max_gc_heap(256 << 20);
        let (mut store, instance) = instance(&Engine::new(&config), r#"(module
            (type $node (struct (field $next (mut (ref null $node))) (field $n i32)))
            (type $wide (array (mut anyref)))
            (global $list (mut (ref null $node)) (ref.null $node))
            (func (export "list") (result i64) (local $n i32) (local $sum i64) (local $p (ref null $node))
                (global.set $list (ref.null $node))
                (local.set $n (i32.const 1000000))
                (loop
                    (global.set $list (struct.new $node (global.get $list) (local.get $n)))
                    (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.set $p (global.get $list))
                (block $end (loop
                    (br_if $end (ref.is_null (local.get $p)))
                    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (struct.get $node $n (local.get $p)))))
                    (local.set $p (struct.get $node $next (local.get $p)))
                    (br 0)))
                (local.get $sum))
            (func (export "cycle") (result i64) (local $p (ref null $node)) (local $n i32)
                (local.set $p (struct.new $node (ref.null $node) (i32.const 0)))
                (struct.set $node $next (local.get $p) (local.get $p))
                (global.set $list (local.get $p))
                (local.set $n (i32.const 300000))
                (loop
                    (local.set $p (struct.new $node (local.get $p) (local.get $n)))
                    (struct.set $node $next (global.get $list) (local.get $p))
                    (global.set $list (local.get $p))
                    (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i64.const 1))
            (func $tree (param $depth i32) (result (ref $wide)) (local $a (ref $wide)) (local $i i32)
                (local.set $a (array.new_default $wide (i32.const 100)))
                (if (local.get $depth) (then (loop
                    (array.set $wide (local.get $a) (local.get $i) (call $tree (i32.sub (local.get $depth) (i32.const 1))))
                    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))))
                (local.get $a))
            (func $count (param $r anyref) (result i64) (local $a (ref $wide)) (local $i i32) (local $n i64)
                (if (ref.is_null (local.get $r)) (then (return (i64.const 0))))
                (local.set $a (ref.cast (ref $wide) (local.get $r)))
                (loop
                    (local.set $n (i64.add (local.get $n) (call $count (array.get $wide (local.get $a) (local.get $i)))))
                    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
                (i64.add (local.get $n) (i64.const 1)))
            (func (export "tree") (result i64) (call $count (call $tree (i32.const 2)))))"#, (), &[]);
        for _ in 0..2 {
            assert_eq!(call(&mut store, instance, "list"), Ok(500_000_500_000));
            store.gc();
            assert_eq!(call(&mut store, instance, "cycle"), Ok(1));
            store.gc();
            assert_eq!(call(&mut store, instance, "tree"), Ok(10_101));
        }
    }

    fn every_place_is_a_root(config) {
        // Each object is reached from one place only, while others are created: a global of another module, a table that grew, an
        // element segment, an array in an exception that is caught twice, operands of a tail call.
        let exporter = r#"(module
            (rec (type $box (struct (field (mut i64)))))
            (tag $t (export "tag") (param (ref $box) i64 (ref null $box)))
            (global (export "global") (mut (ref null $box)) (struct.new $box (i64.const 1)))
            (global (export "constant") anyref (struct.new $box (i64.const 16)))
            (table (export "table") 1 20 (ref null $box) (struct.new $box (i64.const 2))))"#;
        let text = r#"(module
            (rec (type $box (struct (field (mut i64)))))
            (rec (type $other (struct (field (mut i64)))) (type (struct)))
            (import "m" "tag" (tag $t (param (ref $box) i64 (ref null $box))))
            (import "m" "global" (global $g (mut (ref null $box))))
            (import "m" "constant" (global $c anyref))
            (import "m" "table" (table $table 1 20 (ref null $box)))
            (elem $e (ref null $box) (item (struct.new $box (i64.const 4))))
            (func $churn (param $n i32)
                (loop (drop (struct.new $other (i64.const -1))) (drop (array.new_default $bytes (i32.const 300)))
                    (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (type $bytes (array (mut i8)))
            (func $get (param (ref null $box)) (result i64) (struct.get $box 0 (local.get 0)))
            (func $throws (param $deep i32)
                (if (local.get $deep) (then (call $throws (i32.sub (local.get $deep) (i32.const 1)))))
                (throw $t (struct.new $box (i64.const 8)) (i64.const 5) (struct.new $box (i64.const 32))))
            (func $passes (param $deep i32)
                (block $h (result exnref)
                    (try_table (catch_all_ref $h) (call $throws (local.get $deep)))
                    (unreachable))
                (call $churn (i32.const 20))
                (throw_ref))
            (func $caught (result i64) (local $x (ref null $box)) (local $y (ref $box)) (local $n i64)
                (block $h (result (ref $box) i64 (ref null $box))
                    (try_table (catch $t $h) (call $passes (i32.const 5)))
                    (unreachable))
                (local.set $x) (local.set $n) (local.set $y)
                (call $churn (i32.const 20))
                (i64.add (local.get $n) (i64.add (call $get (local.get $x)) (call $get (local.get $y)))))
            (func $tail (param $n i32) (param i64 i64 i64 i64 i64) (param $a (ref $box)) (param f64) (param $b (ref $box)) (result i64)
                (if (i32.eqz (local.get $n)) (then (return (i64.add (call $get (local.get $a)) (call $get (local.get $b))))))
                (return_call $tail (i32.sub (local.get $n) (i32.const 1)) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
                    (struct.new $box (i64.add (call $get (local.get $b)) (i64.const 1))) (f64.const 0) (local.get $a)))
            (func (export "roots") (result i64) (local $sum i64)
                (global.set $g (struct.new $box (i64.const 1)))
                (drop (table.grow $table (struct.new $box (i64.const 64)) (i32.const 3)))
                (call $churn (i32.const 30))
                (local.set $sum (i64.add (call $get (global.get $g)) (call $get (ref.cast (ref $box) (global.get $c)))))
                (local.set $sum (i64.add (local.get $sum) (call $get (table.get $table (i32.const 0)))))
                (local.set $sum (i64.add (local.get $sum) (call $get (table.get $table (i32.const 3)))))
                (table.init $table $e (i32.const 1) (i32.const 0) (i32.const 1))
                (local.set $sum (i64.add (local.get $sum) (call $get (table.get $table (i32.const 1)))))
                (call $churn (i32.const 30))
                (local.set $sum (i64.add (local.get $sum) (call $caught)))
                ;; The other rec group has other types.
                (if (ref.test (ref $other) (global.get $g)) (then (unreachable)))
                (i64.add (local.get $sum) (call $tail (i32.const 50) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
                    (struct.new $box (i64.const 100)) (f64.const 0) (struct.new $box (i64.const 200))))))"#;
        for config in tunings(&config) {
            let engine = Engine::new(&config);
            let mut store = Store::new(&engine, ());
            let mut linker = Linker::new();
            let exporter = linker.instantiate(&mut store, &module(&engine, exporter)).unwrap();
            linker.instance(&mut store, "m", exporter).unwrap();
            let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
            let results = [(); 3].map(|()| call(&mut store, instance, "roots"));
            let sum = 1 + 16 + 2 + 64 + 4 + (8 + 5 + 32) + (200 + 100 + 50);
            assert_eq!(results, [(); 3].map(|()| Ok(sum)));
        }
    }

    fn modules_without_types_of_their_own(config) {
        // The second module has no struct and array types, and exists before the heap. It gets objects from another module later,
        // and from the host in the middle of a call.
        let reader = r#"(module
            (import "m" "fresh" (func $fresh (result externref)))
            (global $g (export "global") (mut anyref) (ref.null any))
            (func (export "null") (result i64) (i64.extend_i32_u (array.len (ref.null array))))
            (func (export "null local") (result i64) (local $a arrayref) (i64.extend_i32_u (array.len (local.get $a))))
            (func (export "length") (result i64) (i64.extend_i32_u (array.len (ref.cast (ref array) (global.get $g)))))
            (func (export "kinds") (result i64)
                (i64.extend_i32_u (i32.add
                    (i32.add (ref.test (ref struct) (global.get $g)) (i32.mul (i32.const 2) (ref.test (ref array) (global.get $g))))
                    (i32.add (i32.mul (i32.const 4) (ref.test (ref eq) (global.get $g))) (i32.mul (i32.const 8) (ref.test (ref i31) (global.get $g)))))))
            (func (export "first") (result i64) (local $before anyref) (local $after anyref) (local $n i32)
                (local.set $before (global.get $g))
                (loop $again
                    (local.set $n (i32.add (local.get $n) (i32.add
                        (ref.test (ref eq) (local.get $before)) (ref.test (ref struct) (local.get $after)))))
                    (local.set $before (any.convert_extern (call $fresh)))
                    (local.set $after (local.get $before))
                    (local.set $n (i32.add (local.get $n) (i32.const 10)))
                    (br_if $again (i32.lt_u (local.get $n) (i32.const 30))))
                (i64.extend_i32_u (i32.add (local.get $n) (i32.add
                    (ref.test (ref eq) (local.get $before)) (ref.test (ref array) (local.get $after)))))))"#;
        let maker = r#"(module
            (type $a (array (mut i16))) (type $s (struct))
            (import "m" "global" (global $g (mut anyref)))
            (func (export "array") (result i64) (global.set $g (array.new_default $a (i32.const 321))) (i64.const 0))
            (func (export "struct") (result i64) (global.set $g (struct.new $s)) (i64.const 0)))"#;
        for config in tunings(&config) {
            let engine = Engine::new(&config);
            for first in [true, false] {
                let mut store = Store::new(&engine, ());
                let mut linker = Linker::new();
                linker.func_wrap("m", "fresh", |mut caller: Caller<'_, ()>| ExternRef::new(&mut caller, 7u32).ok()).unwrap();
                let reader = linker.instantiate(&mut store, &module(&engine, reader)).unwrap();
                for name in ["null", "null local"] {
                    assert_eq!(call(&mut store, reader, name), Err("null array reference".to_owned()));
                }
                if first {
                    assert_eq!(call(&mut store, reader, "first"), Ok(30));
                }
                linker.instance(&mut store, "m", reader).unwrap();
                let maker = linker.instantiate(&mut store, &module(&engine, maker)).unwrap();
                for _ in 0..2 {
                    assert_eq!(call(&mut store, maker, "array"), Ok(0));
                    assert_eq!(call(&mut store, reader, "length"), Ok(321));
                    assert_eq!(call(&mut store, reader, "kinds"), Ok(2 + 4));
                    assert_eq!(call(&mut store, maker, "struct"), Ok(0));
                    assert_eq!(call(&mut store, reader, "kinds"), Ok(1 + 4));
                    assert_eq!(call(&mut store, reader, "length"), Err("cast failure".to_owned()));
                    assert_eq!(call(&mut store, reader, "null local"), Err("null array reference".to_owned()));
                }
            }
        }
    }

    fn heaps_of_every_size(config) {
        // A heap without room is an error of instantiation or a trap, in whatever size it has.
        let text = r#"(module (type $s (struct (field i64 anyref))) (type $a (array (mut i8)))
            (global (mut anyref) (struct.new_default $s))
            (func (export "run") (result i64) (local $n i64) (local $r anyref)
                (loop (local.set $r (struct.new $s (local.get $n) (local.get $r)))
                    (br_if 0 (i64.lt_u (local.tee $n (i64.add (local.get $n) (i64.const 1))) (i64.const 100000))))
                (local.get $n)))"#;
        for limit in [0, 1, 8, 1 << 15, 1 << 16, (1 << 16) + 1, 100_000, 1 << 20, usize::MAX] {
            let mut config = config.clone();
            config.max_gc_heap(limit);
            let engine = Engine::new(&config);
            let mut store = Store::new(&engine, ());
            match Instance::new(&mut store, &module(&engine, text), &[]) {
                Ok(instance) => {
                    let expected = if limit == usize::MAX { Ok(100_000) } else { Err("garbage-collected heap is full".to_owned()) };
                    assert_eq!(call(&mut store, instance, "run"), expected, "{limit}");
                }
                Err(error) => {
                    assert!(limit < 1 << 18, "{limit}: {error}");
                    assert!(error.to_string().contains("heap"), "{error}");
                }
            }
        }
    }

    fn a_thousand_heaps_at_once(config) {
        let engine = Engine::new(&config);
        let module = module(&engine, r#"(module (type $s (struct (field i64)))
            (global $g (mut (ref null $s)) (struct.new $s (i64.const 7)))
            (func (export "run") (result i64) (struct.get $s 0 (global.get $g))))"#);
        let mut stores = Vec::new();
        for _ in 0..1000 {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            stores.push((store, instance));
        }
        for (store, instance) in &mut stores {
            assert_eq!(call(store, *instance, "run"), Ok(7));
        }
    }
}
