//! Structs, arrays, unboxed integers and casts. [`vm_gc`](wasmr_runtime::vm_gc) has the layouts.

use wasmr_core::layout::HEADER;
use wasmr_core::op::Scalar;
use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_core::value::V128;
use wasmr_runtime::builtins::is_subtype;
use wasmr_runtime::vm::VmFunc;
use wasmr_runtime::vm_gc::{Kind, VmDescriptor, VmObject, i31_get_s, i31_get_u, i31_new, is_i31};

use super::dispatch::{Machine, handlers};
use super::operand::{Destination, SlotD, Source, Travels, read_slots, write_slots};

/// A form in which a field is stored, and the value that a read gives.
pub(crate) trait FieldForm {
    /// The value.
    type Value: Travels;
    /// The stored form.
    type Bits: Copy;
    /// Returns the value of stored bits.
    fn value(bits: Self::Bits) -> Self::Value;
}

macro_rules! field_forms {
    ($($(#[$doc:meta])* $name:ident: $bits:ty => $value:ty, $convert:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl FieldForm for $name {
            type Value = $value;
            type Bits = $bits;
            #[inline(always)]
            fn value(bits: $bits) -> $value {
                let convert: fn($bits) -> $value = $convert;
                convert(bits)
            }
        }
    )*};
}

field_forms! {
    /// 8 bits, sign-extended.
    S8: i8 => i32, |bits| bits.into();
    /// 8 bits, zero-extended.
    U8: u8 => i32, |bits| bits.into();
    /// 16 bits, sign-extended.
    S16: i16 => i32, |bits| bits.into();
    /// 16 bits, zero-extended.
    U16: u16 => i32, |bits| bits.into();
    /// `i32`.
    W32: i32 => i32, |bits| bits;
    /// `i64`, or a reference to a function.
    W64: i64 => i64, |bits| bits;
    /// `f32`.
    Float32: f32 => f32, |bits| bits;
    /// `f64`.
    Float64: f64 => f64, |bits| bits;
    /// A compressed reference.
    Reference: u32 => i64, |bits| bits.into();
}

/// Returns a pointer to `offset` bytes into an object.
///
/// # Safety
/// The handlers' contract. `reference` is an object, and the offset is inside it.
#[inline(always)]
unsafe fn in_object<T>(m: &Machine, reference: u64, offset: u32) -> *mut T {
    // SAFETY: the object is in the heap of the instance's store, which `heap_base` leads to.
    unsafe { (*m.inst).heap_base.add(reference as u32 as usize + offset as usize).cast() }
}

/// Returns a pointer to an element of an array.
///
/// # Errors
/// If the array is null, or has no such element.
///
/// # Safety
/// The handlers' contract. `array` is null or an array with elements of type `T`.
#[inline(always)]
unsafe fn element<T>(m: &Machine, array: u64, index: u64) -> Result<*mut T, TrapCode> {
    if array == 0 {
        return Err(TrapCode::NullArrayReference);
    }
    // SAFETY: the header of an array has its length. An element below that is inside the array.
    unsafe {
        let len = (*in_object::<VmObject>(m, array, 0)).len;
        if index as u32 >= len {
            return Err(TrapCode::ArrayOutOfBounds);
        }
        Ok(in_object::<u8>(m, array, HEADER).add(index as u32 as usize * size_of::<T>()).cast())
    }
}

/// A test of a reference that is not null.
pub(crate) trait RefTest {
    /// Returns true if the reference passes. `target` is the operand of the test.
    ///
    /// # Safety
    /// The handlers' contract. The reference is not null, and of the hierarchy of the test.
    unsafe fn test(m: &Machine, reference: u64, target: u32) -> bool;
}

/// Returns the descriptor of an object; `None` for an unboxed integer.
///
/// # Safety
/// The handlers' contract. The reference is not null.
#[inline(always)]
unsafe fn descriptor(m: &Machine, reference: u64) -> Option<(u32, *const VmDescriptor)> {
    if is_i31(reference) {
        return None;
    }
    // SAFETY: the header of an object has the place of its descriptor, which is in the same heap.
    unsafe {
        let at = (*in_object::<VmObject>(m, reference, 0)).descriptor;
        Some((at, in_object::<VmDescriptor>(m, at.into(), 0).cast_const()))
    }
}

/// Every reference passes.
pub(crate) struct TestAlways;
/// No reference passes.
pub(crate) struct TestNever;
/// Unboxed integers, structs and arrays pass.
pub(crate) struct TestEq;
/// Unboxed integers pass.
pub(crate) struct TestI31;
/// Structs pass.
pub(crate) struct TestStruct;
/// Arrays pass.
pub(crate) struct TestArray;
/// Instances of the type pass whose descriptor's place is at offset `target` in the instance.
pub(crate) struct TestObject;
/// Functions of the canonical type `target` pass.
pub(crate) struct TestFunc;

impl RefTest for TestAlways {
    #[inline(always)]
    unsafe fn test(_: &Machine, _: u64, _: u32) -> bool {
        true
    }
}

impl RefTest for TestNever {
    #[inline(always)]
    unsafe fn test(_: &Machine, _: u64, _: u32) -> bool {
        false
    }
}

impl RefTest for TestEq {
    #[inline(always)]
    unsafe fn test(m: &Machine, reference: u64, _: u32) -> bool {
        // SAFETY: the caller promises what `descriptor` asks for.
        unsafe { descriptor(m, reference).is_none_or(|(_, descriptor)| (*descriptor).kind <= Kind::ARRAY) }
    }
}

impl RefTest for TestI31 {
    #[inline(always)]
    unsafe fn test(_: &Machine, reference: u64, _: u32) -> bool {
        is_i31(reference)
    }
}

impl RefTest for TestStruct {
    #[inline(always)]
    unsafe fn test(m: &Machine, reference: u64, _: u32) -> bool {
        // SAFETY: the caller promises what `descriptor` asks for.
        unsafe { descriptor(m, reference).is_some_and(|(_, descriptor)| (*descriptor).kind == Kind::STRUCT) }
    }
}

impl RefTest for TestArray {
    #[inline(always)]
    unsafe fn test(m: &Machine, reference: u64, _: u32) -> bool {
        // SAFETY: the caller promises what `descriptor` asks for.
        unsafe { descriptor(m, reference).is_some_and(|(_, descriptor)| (*descriptor).kind == Kind::ARRAY) }
    }
}

impl RefTest for TestObject {
    #[inline(always)]
    unsafe fn test(m: &Machine, reference: u64, target: u32) -> bool {
        // SAFETY: the caller promises what `descriptor` asks for, and that `target` is such an offset. A display has at least as
        // many entries as `display_len` says.
        unsafe {
            let target = *m.in_instance::<u32>(target);
            let Some((at, actual)) = descriptor(m, reference) else { return false };
            if at == target {
                return true;
            }
            let depth = (*in_object::<VmDescriptor>(m, target.into(), 0)).depth;
            depth < (*actual).display_len && *(&raw const (*actual).display).cast::<u32>().add(depth as usize) == target
        }
    }
}

impl RefTest for TestFunc {
    #[inline(always)]
    unsafe fn test(m: &Machine, reference: u64, target: u32) -> bool {
        // SAFETY: a funcref that is not null is the address of a live function. The instance is alive by the contract.
        unsafe {
            let actual = (*std::ptr::with_exposed_provenance::<VmFunc>(reference as usize)).type_id;
            actual.0 == target || is_subtype(m.inst, actual, TypeId(target))
        }
    }
}

/// Returns true if a reference passes a test.
///
/// # Safety
/// As for [`RefTest::test`], but the reference may be null.
#[inline(always)]
unsafe fn passes<T: RefTest, const NULLABLE: bool>(m: &Machine, reference: u64, target: u32) -> bool {
    if reference == 0 {
        return NULLABLE;
    }
    // SAFETY: the caller promises what `test` asks for, and the reference is not null.
    unsafe { T::test(m, reference, target) }
}

handlers! {
    /// Reads the field at `imm` of a struct.
    fn struct_get[F: FieldForm, X: Source, D: Destination](m) {
        let reference = X::read::<i64>(&m) as u64;
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        let bits = in_object::<F::Bits>(&m, reference, m.imm() as u32).read_unaligned();
        D::write(&mut m, F::value(bits));
        m.next(2)
    }

    fn struct_get_v128[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        write_slots(m.d(), in_object::<V128>(&m, reference, m.imm() as u32).read_unaligned());
        m.next(2)
    }

    /// Writes the low bits of slot `d` to the field at `imm` of a struct.
    fn struct_set[B: Scalar](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        in_object::<B>(&m, reference, m.imm() as u32).write_unaligned(B::from_slot(*m.d()));
        m.next(2)
    }

    fn struct_set_8[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        in_object::<u8>(&m, reference, m.imm() as u32).write(*m.d() as u8);
        m.next(2)
    }

    fn struct_set_16[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        in_object::<u16>(&m, reference, m.imm() as u32).write_unaligned(*m.d() as u16);
        m.next(2)
    }

    fn struct_set_v128[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullStructReference);
        }
        in_object::<V128>(&m, reference, m.imm() as u32).write_unaligned(read_slots(m.d()));
        m.next(2)
    }

    /// Reads the element of the array in slot `a` with the index in slot `b`.
    fn array_get[F: FieldForm, D: Destination](m) {
        match element::<F::Bits>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                D::write(&mut m, F::value(element.read_unaligned()));
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn array_get_v128[](m) {
        match element::<V128>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                write_slots(m.d(), element.read_unaligned());
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    /// Writes the low bits of slot `d` to the element of the array in slot `a` with the index in slot `b`.
    fn array_set[B: Scalar](m) {
        match element::<B>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                element.write_unaligned(B::from_slot(*m.d()));
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn array_set_8[](m) {
        match element::<u8>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                element.write(*m.d() as u8);
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn array_set_16[](m) {
        match element::<u16>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                element.write_unaligned(*m.d() as u16);
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn array_set_v128[](m) {
        match element::<V128>(&m, *m.a(), *m.b()) {
            Ok(element) => {
                element.write_unaligned(read_slots(m.d()));
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn array_len[X: Source, D: Destination](m) {
        let reference = X::read::<i64>(&m) as u64;
        if reference == 0 {
            return m.trap(TrapCode::NullArrayReference);
        }
        let len = (*in_object::<VmObject>(&m, reference, 0)).len;
        D::write(&mut m, len as i32);
        m.next(2)
    }

    fn ref_i31[X: Source, D: Destination](m) {
        let value = X::read::<i32>(&m) as u32;
        D::write(&mut m, i31_new(value) as i64);
        m.next(2)
    }

    fn i31_get[X: Source, D: Destination, const SIGNED: bool](m) {
        let reference = X::read::<i64>(&m) as u64;
        if reference == 0 {
            return m.trap(TrapCode::NullI31Reference);
        }
        let value = if SIGNED { i31_get_s(reference) } else { i31_get_u(reference) as i32 };
        D::write(&mut m, value);
        m.next(2)
    }

    /// Tests the reference in slot `a`; `imm` is the operand of the test.
    fn ref_test[T: RefTest, const NULLABLE: bool](m) {
        let passes = passes::<T, NULLABLE>(&m, *m.a(), m.imm() as u32);
        SlotD::write(&mut m, i32::from(passes));
        m.next(2)
    }

    /// Traps unless the reference in slot `a` passes a test; `imm` is the operand of the test.
    fn ref_cast[T: RefTest, const NULLABLE: bool](m) {
        if passes::<T, NULLABLE>(&m, *m.a(), m.imm() as u32) {
            return m.next(2);
        }
        m.trap(TrapCode::CastFailure)
    }
}
