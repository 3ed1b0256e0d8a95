//! Tests of operators as text: parsing yields the same operators, and offsets and depths are right.

use wasmr_module::Inspection;
use wasmr_module::operators::{locals, operators};

use crate::common::binary;

fn module(text: &str) -> Inspection {
    Inspection::new(binary(text), "test", 1).expect("the test's module is valid")
}

/// Replaces the body in `(module DECLARATIONS (func $f SIGNATURE BODY))` by its printed text, and compares the binaries.
#[track_caller]
fn read_back(declarations: &str, signature: &str, body: &str) {
    let text = |body: &str| format!("(module {declarations} (func $f {signature} {body}))");
    let first = module(&text(body));
    let printed: Vec<String> = operators(&first, 0).unwrap().into_iter().map(|operator| operator.text).collect();
    let (end, operators) = printed.split_last().unwrap();
    assert_eq!(end, "end");
    let again = module(&text(&operators.join("\n")));
    assert_eq!(first.body(0).bytes, again.body(0).bytes, "{operators:#?}");
}

/// Calls [`read_back`] for operators separated by `|`. Each is in unreachable code, which is valid with any operands.
#[track_caller]
fn read_back_each(declarations: &str, operators: &str) {
    read_back(
        declarations,
        "(param i32)",
        &format!("unreachable {} unreachable", operators.replace('|', "unreachable")),
    );
}

#[test]
fn names_of_all_kinds_of_operators() {
    for body in [
        "i32.clz | i64.extend_i32_u | i32.trunc_sat_f32_s | f64.convert_i64_u | i32.extend8_s | i64.reinterpret_f64",
        "f32.copysign | i8x16.extract_lane_s 3 | i16x8.extadd_pairwise_i8x16_u | f32x4.relaxed_madd | v128.any_true",
        "i8x16.shuffle 0 1 2 3 4 5 6 7 31 30 29 28 1 1 1 1 | i16x8.relaxed_dot_i8x16_i7x16_s",
        "i32x4.relaxed_trunc_f64x2_s_zero",
        "memory.size | memory.grow 1 | memory.fill 1 | memory.copy 1 0 | memory.copy | memory.init 1 0 | memory.init 0",
        "data.drop 0 | table.size 1 | table.grow 1 | table.fill 0 | table.get 1 | table.set 0 | table.copy 1 0",
        "table.init 1 0 | elem.drop 0",
        "call $f | call_indirect 1 (type 1) | call_indirect (type 1) | call_ref 1 | return_call 1",
        "return_call_indirect 1 (type 1) | return_call_indirect (type 1) | return_call_ref 1",
        "ref.null func | ref.null 1 | ref.null extern | ref.is_null | ref.func $f | ref.as_non_null | ref.eq | ref.i31",
        "i31.get_s | ref.test (ref func) | ref.test (ref null 1) | ref.cast (ref 1) | ref.cast nullref",
        "block (result (ref any)) unreachable br_on_cast 0 anyref (ref any) | br_on_cast_fail 0 anyref (ref null any) |
         br_on_non_null 0 | br_on_null 0 | end",
        "struct.new 2 | struct.get_s 2 0 | struct.set 2 1 | struct.new_default 2 | array.new 3 | array.get_u 3 | array.len",
        "array.fill 3 | array.copy 3 3 | array.new_fixed 3 7 | array.new_data 3 0 | array.init_data 3 0",
        "any.convert_extern | extern.convert_any",
        "i32.const 1 i32.const 2 i32.const 3 select drop | select (result i64) | select (result (ref null 1))",
        "nop | drop | local.tee 0 | global.set 0 | global.get 0 | throw 0 | throw_ref",
    ] {
        let declarations =
            "(rec (type (func (param i64))) (type (func)) (type (struct (field (mut i8)) (field (mut i32))))
            (type (array (mut i8)))) (import \"\" \"\" (func)) (import \"\" \"\" (func (type 1)))
            (memory 1) (memory 1) (table 1 funcref) (table 1 funcref) (global (mut i32) (i32.const 0)) (tag)
            (elem func) (data) (data) (elem declare func $f)";
        read_back_each(declarations, body);
    }
}

#[test]
fn atomic_operators() {
    read_back_each(
        "(memory 1 1 shared)",
        "memory.atomic.notify | memory.atomic.wait32 offset=4 | atomic.fence | i32.atomic.load8_u | i64.atomic.store32 |
         i32.atomic.rmw8.add_u | i64.atomic.rmw.cmpxchg | i64.atomic.rmw32.xchg_u offset=8",
    );
}

#[test]
fn numbers_keep_their_bits() {
    for constant in [
        "i32.const -1",
        "i64.const 0x8000000000000000",
        "f32.const 0.1",
        "f32.const -0",
        "f32.const 0x1p-149",
        "f32.const inf",
        "f32.const -nan",
        "f32.const nan:0x200001",
        "f64.const 1e300",
        "f64.const 0x1.fffffffffffffp+1023",
        "f64.const -inf",
        "f64.const nan",
        "f64.const -nan:0xc000000000001",
        "v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 255",
    ] {
        read_back("", "", &format!("{constant} drop"));
    }
}

#[test]
fn memory_immediates_print_unless_default() {
    read_back_each(
        "(memory 1) (memory i64 1)",
        "i32.load | i32.load offset=3 align=1 | i64.load 1 offset=0xffffffffff | v128.load64_lane 1 align=2 1 |
         v128.store16_lane 7 | i64.store32 offset=1 align=4",
    );
}

#[test]
fn blocks_show_types_targets_and_depth() {
    let declarations = "(type (func (param i32) (result i32 i32))) (type (func (result i32 exnref))) (tag (param i32))";
    let body = "block (result i32) local.get 0 loop (type 0) drop local.get 0 local.get 0 br_if 1 unreachable end drop end
        drop local.get 0 if nop else nop end
        block block local.get 0 br_table 0 1 2 0 end end
        block (result i32 exnref) try_table (result i32) (catch_ref 0 0) (catch_all 1) i32.const 1 end return end drop drop";
    read_back(declarations, "(param i32)", body);

    let module = module(
        "(module (func (param i32) (local i64 f32 f32) local.get 0 if block nop end else end local.get 0 call 0))",
    );
    let list = operators(&module, 0).unwrap();
    let shown: Vec<_> = list.iter().map(|operator| (operator.depth, operator.text.as_str())).collect();
    assert_eq!(
        shown,
        [
            (0, "local.get 0"),
            (0, "if"),
            (1, "block"),
            (2, "nop"),
            (1, "end"),
            (0, "else"),
            (0, "end"),
            (0, "local.get 0"),
            (0, "call 0"),
            (0, "end")
        ]
    );
    assert_eq!(list[8].function, Some(0));
    let body = module.body(0);
    assert!(list.iter().all(|operator| operator.function.is_none() || operator.text == "call 0"));
    // Three groups of locals in five bytes; the first operator takes two.
    assert_eq!((list[0].offset, list[1].offset), (body.offset + 5, body.offset + 7));
    assert_eq!(list.last().unwrap().offset, body.offset + body.bytes.len() - 1);
    assert_eq!(locals(&module, 0).unwrap(), [(1, "i64".to_owned()), (2, "f32".to_owned())]);
}
