//! Required features of modules: for each feature a module that uses nothing else, then several together.

use crate::common::binary;
use wasmr_module::{Feature, Inspection};

#[track_caller]
fn required(text: &str) -> Vec<Feature> {
    let module = Inspection::new(binary(text), "test", 1).unwrap_or_else(|e| panic!("{text}: {e}"));
    module.required_features()
}

#[test]
fn a_module_requires_the_features_that_it_uses() {
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
        (&[CompactImports], r#"(module (import "m" (item "a" (func)) (item "b" (func))))"#),
        (&[Threads], "(module (memory 1 1 shared))"),
        (&[Threads], "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    ];
    for (expected, text) in cases {
        assert_eq!(required(text), *expected, "{text}");
    }
}

#[test]
fn several_required_features_are_all_reported() {
    use Feature::*;
    let relaxed =
        required("(module (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))");
    assert_eq!(relaxed, [Simd, RelaxedSimd]);
    let text = r#"(module
        (memory 1) (tag $t) (table 1 externref)
        (func $f (result i32 i64)
          (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)) (throw $t))
        (func (result i32 i64) (return_call $f)))"#;
    assert_eq!(required(text), [BulkMemory, ReferenceTypes, MultiValue, TailCall, Exceptions]);
}
