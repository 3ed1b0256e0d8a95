//! Converts a directive's arguments to values, and compares results with the expected ones.

use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Const, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

use wasmr_core::count::Count;

use crate::{AnyRef, ExternRef, Store, V128, Val};

/// Converts a directive's argument to a value.
pub fn argument(store: &mut Store<()>, arg: &WastArg) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else { return Err("components are not supported".to_string()) };
    Ok(match arg {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(vector(value)),
        WastArgCore::RefNull(heap) => null(heap)?,
        WastArgCore::RefExtern(number) => {
            Val::ExternRef(Some(ExternRef::new(&mut *store, *number).map_err(|error| error.to_string())?))
        }
        WastArgCore::RefHost(number) => {
            let value = ExternRef::new(&mut *store, *number).map_err(|error| error.to_string())?;
            AnyRef::convert_extern(store, value).map_err(|error| error.to_string())?.into()
        }
    })
}

/// Returns the null value of a heap type.
fn null(heap: &HeapType) -> Result<Val, String> {
    let HeapType::Abstract { ty, .. } = heap else { return Err(format!("a null of type {heap:?} is not supported")) };
    Ok(match ty {
        AbstractHeapType::Func | AbstractHeapType::NoFunc => Val::FuncRef(None),
        AbstractHeapType::Extern | AbstractHeapType::NoExtern => Val::ExternRef(None),
        AbstractHeapType::Exn | AbstractHeapType::NoExn => Val::ExnRef(None),
        AbstractHeapType::Any
        | AbstractHeapType::Eq
        | AbstractHeapType::I31
        | AbstractHeapType::Struct
        | AbstractHeapType::Array
        | AbstractHeapType::None => Val::AnyRef(None),
        _ => return Err(format!("a null of type {heap:?} is not supported")),
    })
}

fn vector(value: &V128Const) -> V128 {
    V128(value.to_le_bytes())
}

/// Checks that the results are the expected ones.
///
/// # Errors
/// A description of the first difference.
pub fn results(store: &mut Store<()>, actual: &[Val], expected: &[WastRet]) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("expected {}, got {}", Count(expected.len(), "result"), actual.len()));
    }
    for (actual, expected) in actual.iter().zip(expected) {
        let WastRet::Core(expected) = expected else { return Err("components are not supported".to_string()) };
        if !matches(store, actual, expected) {
            return Err(format!("expected {}, got {}", describe_expected(expected), describe(actual)));
        }
    }
    Ok(())
}

fn matches(store: &mut Store<()>, actual: &Val, expected: &WastRetCore) -> bool {
    match (expected, actual) {
        (WastRetCore::Either(choices), _) => choices.iter().any(|choice| matches(store, actual, choice)),
        (WastRetCore::I32(expected), Val::I32(actual)) => expected == actual,
        (WastRetCore::I64(expected), Val::I64(actual)) => expected == actual,
        (WastRetCore::F32(expected), Val::F32(actual)) => f32_matches(expected, *actual),
        (WastRetCore::F64(expected), Val::F64(actual)) => f64_matches(expected, *actual),
        (WastRetCore::V128(expected), Val::V128(actual)) => v128_matches(expected, *actual),
        (
            WastRetCore::RefNull(None),
            Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None),
        ) => true,
        (WastRetCore::RefNull(Some(heap)), actual) => null(heap).is_ok_and(|null| null == *actual),
        (WastRetCore::RefFunc(_), Val::FuncRef(Some(_))) => true,
        (WastRetCore::RefExtern(None), Val::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(expected)), Val::ExternRef(Some(actual))) => {
            actual.data(&*store).and_then(|data| data.downcast_ref::<u32>()) == Some(expected)
        }
        (WastRetCore::RefHost(expected), Val::AnyRef(Some(actual))) => {
            let value = ExternRef::convert_any(&mut *store, *actual);
            let data = value.as_ref().ok().and_then(|value| value.data(&*store));
            data.and_then(|data| data.downcast_ref::<u32>()) == Some(expected)
        }
        (WastRetCore::RefAny, Val::AnyRef(Some(_))) => true,
        (WastRetCore::RefEq, Val::AnyRef(Some(actual))) => actual.is_eqref(&*store) == Ok(true),
        (WastRetCore::RefI31, Val::AnyRef(Some(actual))) => actual.is_i31(&*store) == Ok(true),
        (WastRetCore::RefStruct, Val::AnyRef(Some(actual))) => actual.is_struct(&*store) == Ok(true),
        (WastRetCore::RefArray, Val::AnyRef(Some(actual))) => actual.is_array(&*store) == Ok(true),
        _ => false,
    }
}

fn f32_matches(expected: &NanPattern<F32>, actual: u32) -> bool {
    match expected {
        NanPattern::CanonicalNan => actual & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => actual & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => value.bits == actual,
    }
}

fn f64_matches(expected: &NanPattern<F64>, actual: u64) -> bool {
    match expected {
        NanPattern::CanonicalNan => actual & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => actual & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(value) => value.bits == actual,
    }
}

fn v128_matches(expected: &V128Pattern, actual: V128) -> bool {
    match expected {
        V128Pattern::I8x16(lanes) => actual.lanes::<[i8; 16]>() == *lanes,
        V128Pattern::I16x8(lanes) => actual.lanes::<[i16; 8]>() == *lanes,
        V128Pattern::I32x4(lanes) => actual.lanes::<[i32; 4]>() == *lanes,
        V128Pattern::I64x2(lanes) => actual.lanes::<[i64; 2]>() == *lanes,
        V128Pattern::F32x4(lanes) => lanes.iter().zip(actual.lanes::<[u32; 4]>()).all(|(e, a)| f32_matches(e, a)),
        V128Pattern::F64x2(lanes) => lanes.iter().zip(actual.lanes::<[u64; 2]>()).all(|(e, a)| f64_matches(e, a)),
    }
}

/// Describes a value, with its bits in hexadecimal.
pub fn describe(value: &Val) -> String {
    match value {
        Val::I32(value) => format!("i32 {value} ({value:#x})"),
        Val::I64(value) => format!("i64 {value} ({value:#x})"),
        Val::F32(bits) => format!("f32 {} ({bits:#010x})", f32::from_bits(*bits)),
        Val::F64(bits) => format!("f64 {} ({bits:#018x})", f64::from_bits(*bits)),
        Val::V128(vector) => format!("v128 {:#034x}", vector.to_u128()),
        other => format!("{other:?}"),
    }
}

fn describe_expected(expected: &WastRetCore) -> String {
    match expected {
        WastRetCore::I32(value) => describe(&Val::I32(*value)),
        WastRetCore::I64(value) => describe(&Val::I64(*value)),
        WastRetCore::F32(NanPattern::Value(value)) => describe(&Val::F32(value.bits)),
        WastRetCore::F64(NanPattern::Value(value)) => describe(&Val::F64(value.bits)),
        other => format!("{other:?}"),
    }
}
