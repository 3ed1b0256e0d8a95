//! Which features a module needs: each feature by a module that uses nothing else, and their sum.

use crate::common::binary;
use wasmr_module::{Feature, Inspection};

#[track_caller]
fn needs(text: &str) -> Vec<Feature> {
    let module = Inspection::new(binary(text), "test", 1).unwrap_or_else(|e| panic!("{text}: {e}"));
    module.needed_features()
}

#[test]
fn each_feature_is_told_by_a_module_that_needs_it() {
    use Feature::*;
    let cases: &[(&[Feature], &str)] = &[
        (&[], "(module (memory 1 2) (func (param i32) (result i64) (i64.extend_i32_s (local.get 0))))"),
        (
            &[],
            "(module (global $g (export \"g\") (mut i32) (i32.const 0)) (func (drop (i32.trunc_sat_f32_s (f32.const 1)))))",
        ),
        (&[BulkMemory], "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))))"),
        (&[BulkMemory], "(module (memory 1) (data \"passive\"))"),
        (&[ReferenceTypes], "(module (func (param externref)))"),
        (&[ReferenceTypes], "(module (table 1 funcref) (table 1 funcref))"),
        (&[MultiValue], "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))"),
        (&[MultiValue], "(module (func (i32.const 1) (block (param i32) (drop))))"),
        (&[Simd], "(module (func (drop (i8x16.splat (i32.const 1)))))"),
        (&[Simd], "(module (func (param v128)))"),
        (&[TailCall], "(module (func $f (return_call $f)))"),
        (&[ExtendedConst], "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"),
        (&[MultiMemory], "(module (memory 1) (memory 1))"),
        (&[Memory64], "(module (memory i64 1))"),
        (&[Memory64], "(module (table i64 1 funcref))"),
        (&[Exceptions], "(module (tag))"),
        (
            &[ReferenceTypes, FunctionReferences],
            "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))",
        ),
        (&[LegacyExceptions], "(module (func try catch_all end))"),
        (&[Gc], "(module (type (struct (field i32))))"),
        (&[Gc], "(module (func (drop (ref.i31 (i32.const 0)))))"),
        (&[ReferenceTypes, Gc], "(module (global (ref i31) (ref.i31 (i32.const 0))))"),
        (&[CustomPageSizes], "(module (memory 1 (pagesize 1)))"),
        (
            &[MultiValue, WideArithmetic],
            "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1))))",
        ),
        (&[Threads], "(module (memory 1 1 shared))"),
        (&[Threads], "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    ];
    for (expected, text) in cases {
        assert_eq!(needs(text), *expected, "{text}");
    }
}

#[test]
fn features_that_come_together_are_told_together() {
    use Feature::*;
    let relaxed = needs("(module (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))");
    assert_eq!(relaxed, [Simd, RelaxedSimd]);
    let text = r#"(module
        (memory 1) (tag $t) (table 1 externref)
        (func $f (result i32 i64)
          (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)) (throw $t))
        (func (result i32 i64) (return_call $f)))"#;
    assert_eq!(needs(text), [BulkMemory, ReferenceTypes, MultiValue, TailCall, Exceptions]);
}
