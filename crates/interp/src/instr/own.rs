//! The instructions that belong to no operator of [`core`'s table](wasmr_core::op).
//!
//! A row is a family: its mnemonic, its name, the choices that it leaves ([`Locations`]), and for each choice the text and the
//! handler. `$op` in a text is the mnemonic; [`field`](super::field) explains the braces.

use super::family::Family;
use super::locations::{
    Cleared, Dst, FieldForm, HasSmallPages, In, Is64, IsConstant, IsFloat, IsImported, IsNullable, IsSigned, Locations,
    TestForm, Variable, Wanted, Width,
};
use crate::execute::builtin::builtin;
use crate::execute::dispatch::Handler;
use crate::execute::operand::{Acc, Imm, ImmA, SlotA, SlotB, SlotD};
use crate::execute::{
    atomic, bulk_memory, call, control, frame, fuel, fused, heap, memory, numeric, reference, simd, table, variable,
};

/// A family in the list of all families.
pub(super) struct OwnFamily {
    /// The name of its type, by which the baseline compiler knows it.
    #[cfg(wasmr_baseline)]
    pub(super) name: &'static str,
    pub(super) mnemonic: &'static str,
    pub(super) texts: &'static [&'static str],
    pub(super) row: fn() -> &'static [Handler],
}

macro_rules! instructions {
    ($(
        $(#[$attr:meta])*
        $mnemonic:literal $family:ident: $locations:ty { $($text:literal => $handler:expr,)+ }
    )*) => {
        $(
            $(#[$attr])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $family;

            impl Family for $family {
                type Locations = $locations;
                #[inline(always)]
                fn row(self) -> &'static [Handler] {
                    const { &[$($handler as Handler),+] }
                }
            }

            const _: () = assert!(<$locations as Locations>::COUNT == [$($text),+].len(), "an instruction for each choice");
        )*

        /// All families.
        pub(super) fn own_families() -> &'static [OwnFamily] {
            const { &[$(OwnFamily { #[cfg(wasmr_baseline)] name: stringify!($family), mnemonic: $mnemonic, texts: &[$($text),+], row: || $family.row() }),*] }
        }
    };
}

#[rustfmt::skip]
instructions! {
    // Functions.

    /// The first instruction of a function. Clears locals.
    "enter" Enter: Cleared {
        "$op, {low.slots}"                            => frame::enter_plain,
        "$op, {low.slots}, {imm} to zero"             => frame::enter::<1>,
        "$op, {low.slots}, {imm} to zero"             => frame::enter::<2>,
        "$op, {low.slots}, {imm} to zero"             => frame::enter::<4>,
        "$op, {low.slots}, {imm} to zero"             => frame::enter::<6>,
        "$op, {low.slots}, {imm} to zero"             => frame::enter::<8>,
        "$op, {low.slots}, {imm} to zero"             => frame::enter_many_locals,
    }
    /// A return with the results in place.
    "return" ReturnPlain: () {
        "$op"                                         => control::return_plain,
    }
    /// A return of one scalar, which goes to slot `d`.
    "return" Return: (IsFloat, In) {
        "$op {a}"                                     => control::return_value::<i64, SlotA>,
        "$op acc"                                     => control::return_value::<i64, Acc>,
        "$op {a}"                                     => control::return_value::<f64, SlotA>,
        "$op facc"                                    => control::return_value::<f64, Acc>,
    }
    /// A return of a constant, which goes to slot `d`; true for an `i64`.
    "return" ReturnConstant: Is64 {
        "$op {imm}"                                   => control::return_value::<i32, Imm>,
        "$op {imm}"                                   => control::return_value::<i64, Imm>,
    }

    // Branches.

    "br" Br: () {
        "$op {to}"                                    => control::br,
    }
    /// A branch on an `i32`.
    "br" BrIf: (In, Wanted) {
        "$op {to} unless {d}"                         => control::br_if::<SlotD, false>,
        "$op {to} if {d}"                             => control::br_if::<SlotD, true>,
        "$op {to} unless acc"                         => control::br_if::<Acc, false>,
        "$op {to} if acc"                             => control::br_if::<Acc, true>,
    }
    /// A branch on an `i64` or a reference.
    "br" BrIf64: (In, Wanted) {
        "$op {to} unless i64 {d}"                     => control::br_if_i64::<SlotD, false>,
        "$op {to} if i64 {d}"                         => control::br_if_i64::<SlotD, true>,
        "$op {to} unless i64 acc"                     => control::br_if_i64::<Acc, false>,
        "$op {to} if i64 acc"                         => control::br_if_i64::<Acc, true>,
    }
    /// A branch on `i32.and`, whose right operand is a slot or a constant.
    "br" BrIfAnd: (In, IsConstant, Wanted) {
        "$op {to} unless i32.and {d}, {a}"            => control::br_if_and::<SlotD, SlotA, false>,
        "$op {to} if i32.and {d}, {a}"                => control::br_if_and::<SlotD, SlotA, true>,
        "$op {to} unless i32.and {d}, {a.int}"        => control::br_if_and::<SlotD, ImmA, false>,
        "$op {to} if i32.and {d}, {a.int}"            => control::br_if_and::<SlotD, ImmA, true>,
        "$op {to} unless i32.and acc, {a}"            => control::br_if_and::<Acc, SlotA, false>,
        "$op {to} if i32.and acc, {a}"                => control::br_if_and::<Acc, SlotA, true>,
        "$op {to} unless i32.and acc, {a.int}"        => control::br_if_and::<Acc, ImmA, false>,
        "$op {to} if i32.and acc, {a.int}"            => control::br_if_and::<Acc, ImmA, true>,
    }
    /// A branch table. Word 2 is added to the index.
    "br_table" BrTable: In {
        "$op {d}{bias} to {table}"                    => control::br_table::<SlotD>,
        "$op acc{bias} to {table}"                    => control::br_table::<Acc>,
    }
    "unreachable" Unreachable: () {
        "$op"                                         => control::unreachable,
    }

    // Calls.

    "call" Call: IsImported {
        "$op {object}, its frame at {low.slot}"       => call::call_defined,
        "$op {object}, its frame at {low.slot}"       => call::call_imported,
    }
    /// A call through a table with 32-bit indices.
    "call_indirect" CallIndirect: In {
        "$op {object}[{d2}] {high2.type}, its frame at {low.slot}" => call::call_indirect::<SlotD>,
        "$op {object}[acc] {high2.type}, its frame at {low.slot}"  => call::call_indirect::<Acc>,
    }
    /// A call through a table with 64-bit indices.
    "call_indirect" CallIndirect64: () {
        "$op {object}[{d2}] {high2.type}, its frame at {low.slot}" => call::call_indirect_64,
    }
    "call_ref" CallRef: () {
        "$op {d2}, its frame at {low.slot}"           => call::call_ref,
    }
    "return_call" ReturnCall: IsImported {
        "$op {low3.object}, {imm} argument slots from {low.slot}{w2.hidden}" => call::return_call_defined,
        "$op {low3.object}, {imm} argument slots from {low.slot}{w2.hidden}" => call::return_call_imported,
    }
    "return_call_indirect" ReturnCallIndirect: Is64 {
        "$op {low3.object}[{w4.slot}] {high3.type}, {imm} argument slots from {low.slot}{w2.hidden}"
            => call::return_call_indirect::<false>,
        "$op {low3.object}[{w4.slot}] {high3.type}, {imm} argument slots from {low.slot}{w2.hidden}"
            => call::return_call_indirect::<true>,
    }
    "return_call_ref" ReturnCallRef: () {
        "$op {w3.slot}, {imm} argument slots from {low.slot}{w2.hidden}" => call::return_call_ref,
    }

    // Copies and constants.

    "copy" CopySlot: () {
        "{d} = {a}"                                   => variable::copy,
    }
    "copy_v128" CopyV128: () {
        "{d} = {a}, v128"                             => variable::copy_v128,
    }
    /// Copies of two slots to two neighbours.
    "copy_pair" CopyPair: () {
        "{d} = {a}; {d+1} = {b}"                      => variable::copy_pair,
    }
    /// A copy, then another.
    "copy_two" CopyTwo: () {
        "{d} = {a}; {b} = {x}"                        => variable::copy_two,
    }
    /// A copy of slots that are too far for fields.
    "copy_far" CopyFar: () {
        "{w2.slot} = {w1.slot}, {w3.uint} slots"      => variable::copy_far,
    }
    /// A constant of at most 32 bits.
    "constant" Constant: () {
        "{d} = {imm.bits}"                            => variable::constant,
    }
    "constant_wide" ConstantWide: () {
        "{d} = {w2.bits}"                             => variable::constant_wide,
    }
    "constant_v128" ConstantV128: () {
        "{d} = {w2.bits}, {w3.bits}"                  => variable::constant_v128,
    }

    // Globals and `select`.

    "global.get" GlobalGet: (IsFloat, IsImported, Dst) {
        "acc = {object}"                              => variable::global_get::<i64, Acc>,
        "{d} = {object}"                              => variable::global_get::<i64, SlotD>,
        "acc = {object}"                              => variable::global_get_imported::<i64, Acc>,
        "{d} = {object}"                              => variable::global_get_imported::<i64, SlotD>,
        "facc = {object}"                             => variable::global_get::<f64, Acc>,
        "{d} = {object}"                              => variable::global_get::<f64, SlotD>,
        "facc = {object}"                             => variable::global_get_imported::<f64, Acc>,
        "{d} = {object}"                              => variable::global_get_imported::<f64, SlotD>,
    }
    "global.get" GlobalGetV128: IsImported {
        "{d} = {object}, v128"                        => variable::global_get_v128,
        "{d} = {object}, v128"                        => variable::global_get_imported_v128,
    }
    "global.set" GlobalSet: (IsFloat, IsImported, In) {
        "{object} = {a}"                              => variable::global_set::<i64, SlotA>,
        "{object} = acc"                              => variable::global_set::<i64, Acc>,
        "{object} = {a}"                              => variable::global_set_imported::<i64, SlotA>,
        "{object} = acc"                              => variable::global_set_imported::<i64, Acc>,
        "{object} = {a}"                              => variable::global_set::<i64, SlotA>,
        "{object} = facc"                             => variable::global_set::<f64, Acc>,
        "{object} = {a}"                              => variable::global_set_imported::<i64, SlotA>,
        "{object} = facc"                             => variable::global_set_imported::<f64, Acc>,
    }
    "global.set" GlobalSetV128: IsImported {
        "{object} = {a}, v128"                        => variable::global_set_v128,
        "{object} = {a}, v128"                        => variable::global_set_imported_v128,
    }
    "select" Select: (IsFloat, In, Dst) {
        "acc = $op {a}, {b} on {x}"                   => variable::select_slot::<Acc>,
        "{d} = $op {a}, {b} on {x}"                   => variable::select_slot::<SlotD>,
        "acc = $op {a}, {b} on acc"                   => variable::select_acc::<Acc>,
        "{d} = $op {a}, {b} on acc"                   => variable::select_acc::<SlotD>,
        "facc = $op {a}, {b} on {x}"                  => variable::select_float_slot::<Acc>,
        "{d} = $op {a}, {b} on {x}"                   => variable::select_float_slot::<SlotD>,
        "facc = $op {a}, {b} on acc"                  => variable::select_float_acc::<Acc>,
        "{d} = $op {a}, {b} on acc"                   => variable::select_float_acc::<SlotD>,
    }
    "select" SelectV128: Dst {
        "facc = $op {a}, {b} on {x}, v128"            => variable::select_v128::<Acc>,
        "{d} = $op {a}, {b} on {x}, v128"             => variable::select_v128::<SlotD>,
    }

    // Several operators at once.

    /// A sum with a shifted operand: an address in an array.
    "i32.add" AddScaled: (In, Dst) {
        "acc = $op {a}, (i32.shl {b}, {x.int})"       => fused::add_scaled::<SlotB, Acc>,
        "{d} = $op {a}, (i32.shl {b}, {x.int})"       => fused::add_scaled::<SlotB, SlotD>,
        "acc = $op {a}, (i32.shl acc, {x.int})"       => fused::add_scaled::<Acc, Acc>,
        "{d} = $op {a}, (i32.shl acc, {x.int})"       => fused::add_scaled::<Acc, SlotD>,
    }
    /// A field of bits.
    "i32.and" BitField: (In, Dst) {
        "acc = $op (i32.shr_u {a}, {b.int}), {x.uint}" => fused::bit_field::<SlotA, Acc>,
        "{d} = $op (i32.shr_u {a}, {b.int}), {x.uint}" => fused::bit_field::<SlotA, SlotD>,
        "acc = $op (i32.shr_u acc, {b.int}), {x.uint}" => fused::bit_field::<Acc, Acc>,
        "{d} = $op (i32.shr_u acc, {b.int}), {x.uint}" => fused::bit_field::<Acc, SlotD>,
    }
    /// The sum of a global and a constant.
    "i32.add" GlobalPlus: Dst {
        "acc = $op {object}, {low2}"                  => fused::global_plus::<Acc>,
        "{d} = $op {object}, {low2}"                  => fused::global_plus::<SlotD>,
    }
    /// A sum with a constant, into a global.
    "i32.add" SetGlobalPlus: In {
        "{object} = $op {a}, {low2}"                  => fused::set_global_plus::<SlotA>,
        "{object} = $op acc, {low2}"                  => fused::set_global_plus::<Acc>,
    }

    // Libcalls, and operators that do some cases without one.

    "builtin" Builtin: () {
        "{builtin}"                                   => builtin::<4>,
    }
    "memory.fill" MemoryFill: () {
        "{builtin}{low4.hidden}"                      => bulk_memory::memory_fill,
    }
    "memory.copy" MemoryCopy: () {
        "{builtin}{low4.hidden}{high4.hidden}"        => bulk_memory::memory_copy,
    }

    // Memories, tables, references, vectors.

    "memory.size" MemorySize: HasSmallPages {
        "{d} = $op {object}"                          => memory::memory_size::<16>,
        "{d} = $op {object}"                          => memory::memory_size::<0>,
    }
    "table.get" TableGet: () {
        "{d} = $op {object}[{a}]"                     => table::table_get,
    }
    "table.set" TableSet: () {
        "$op {object}[{a}], {d}"                      => table::table_set,
    }
    "table.size" TableSize: () {
        "{d} = $op {object}"                          => table::table_size,
    }
    "ref.as_non_null" RefAsNonNull: () {
        "{d} = $op {a}"                               => reference::ref_as_non_null,
    }
    "i8x16.shuffle" Shuffle: () {
        "{d} = $op {a}, {b}, {w2.lanes}"              => simd::shuffle,
    }
    /// A choice of bytes of two vectors. 128 stands for a zero, in the place of a byte of the other vector.
    "i8x16.shuffle" ShuffleBytes: (Variable, Dst) {
        "facc = $op {a} {w2.lanes}, {b} {w4.lanes}"   => simd::shuffle_bytes::<SlotA, SlotB, Acc>,
        "{d} = $op {a} {w2.lanes}, {b} {w4.lanes}"    => simd::shuffle_bytes::<SlotA, SlotB, SlotD>,
        "facc = $op facc {w2.lanes}, {b} {w4.lanes}"  => simd::shuffle_bytes::<Acc, SlotB, Acc>,
        "{d} = $op facc {w2.lanes}, {b} {w4.lanes}"   => simd::shuffle_bytes::<Acc, SlotB, SlotD>,
        "facc = $op {a} {w2.lanes}, facc {w4.lanes}"  => simd::shuffle_bytes::<SlotA, Acc, Acc>,
        "{d} = $op {a} {w2.lanes}, facc {w4.lanes}"   => simd::shuffle_bytes::<SlotA, Acc, SlotD>,
    }
    /// A choice of bytes of one vector. 128 stands for a zero.
    "i8x16.shuffle" PermuteBytes: (In, Dst) {
        "facc = $op {a} {w2.lanes}"                   => simd::permute_bytes::<SlotA, Acc>,
        "{d} = $op {a} {w2.lanes}"                    => simd::permute_bytes::<SlotA, SlotD>,
        "facc = $op facc {w2.lanes}"                  => simd::permute_bytes::<Acc, Acc>,
        "{d} = $op facc {w2.lanes}"                   => simd::permute_bytes::<Acc, SlotD>,
    }
    "i8x16.swizzle" SwizzleBytes: (Variable, Dst) {
        "facc = $op {a}, {b}"                         => simd::swizzle_bytes::<SlotA, SlotB, Acc>,
        "{d} = $op {a}, {b}"                          => simd::swizzle_bytes::<SlotA, SlotB, SlotD>,
        "facc = $op facc, {b}"                        => simd::swizzle_bytes::<Acc, SlotB, Acc>,
        "{d} = $op facc, {b}"                         => simd::swizzle_bytes::<Acc, SlotB, SlotD>,
        "facc = $op {a}, facc"                        => simd::swizzle_bytes::<SlotA, Acc, Acc>,
        "{d} = $op {a}, facc"                         => simd::swizzle_bytes::<SlotA, Acc, SlotD>,
    }

    // Canonical NaNs.

    /// Makes a NaN canonical; true for an `f64`.
    "canonical_nan" CanonicalNan: (Is64, In, Dst) {
        "facc = $op f32 {a}"                          => numeric::canonical_f32::<SlotA, Acc>,
        "{d} = $op f32 {a}"                           => numeric::canonical_f32::<SlotA, SlotD>,
        "facc = $op f32 facc"                         => numeric::canonical_f32::<Acc, Acc>,
        "{d} = $op f32 facc"                          => numeric::canonical_f32::<Acc, SlotD>,
        "facc = $op f64 {a}"                          => numeric::canonical_f64::<SlotA, Acc>,
        "{d} = $op f64 {a}"                           => numeric::canonical_f64::<SlotA, SlotD>,
        "facc = $op f64 facc"                         => numeric::canonical_f64::<Acc, Acc>,
        "{d} = $op f64 facc"                          => numeric::canonical_f64::<Acc, SlotD>,
    }
    /// Makes the NaNs in a vector canonical; true for lanes of 64 bits.
    "canonical_nan" CanonicalNans: (Is64, In, Dst) {
        "facc = $op f32x4 {a}"                        => simd::canonical_f32x4::<SlotA, Acc>,
        "{d} = $op f32x4 {a}"                         => simd::canonical_f32x4::<SlotA, SlotD>,
        "facc = $op f32x4 facc"                       => simd::canonical_f32x4::<Acc, Acc>,
        "{d} = $op f32x4 facc"                        => simd::canonical_f32x4::<Acc, SlotD>,
        "facc = $op f64x2 {a}"                        => simd::canonical_f64x2::<SlotA, Acc>,
        "{d} = $op f64x2 {a}"                         => simd::canonical_f64x2::<SlotA, SlotD>,
        "facc = $op f64x2 facc"                       => simd::canonical_f64x2::<Acc, Acc>,
        "{d} = $op f64x2 facc"                        => simd::canonical_f64x2::<Acc, SlotD>,
    }

    // Atomic accesses.

    "atomic.fence" AtomicFence: () {
        "$op"                                         => atomic::fence,
    }

    // Structs, arrays, unboxed integers, casts.

    /// A read of a field.
    "struct.get" StructGet: (FieldForm, In, Dst) {
        "acc = $op {a}+{imm}, i8"                => heap::struct_get::<heap::S8, SlotA, Acc>,
        "{d} = $op {a}+{imm}, i8"                => heap::struct_get::<heap::S8, SlotA, SlotD>,
        "acc = $op acc+{imm}, i8"                => heap::struct_get::<heap::S8, Acc, Acc>,
        "{d} = $op acc+{imm}, i8"                => heap::struct_get::<heap::S8, Acc, SlotD>,
        "acc = $op {a}+{imm}, u8"                => heap::struct_get::<heap::U8, SlotA, Acc>,
        "{d} = $op {a}+{imm}, u8"                => heap::struct_get::<heap::U8, SlotA, SlotD>,
        "acc = $op acc+{imm}, u8"                => heap::struct_get::<heap::U8, Acc, Acc>,
        "{d} = $op acc+{imm}, u8"                => heap::struct_get::<heap::U8, Acc, SlotD>,
        "acc = $op {a}+{imm}, i16"               => heap::struct_get::<heap::S16, SlotA, Acc>,
        "{d} = $op {a}+{imm}, i16"               => heap::struct_get::<heap::S16, SlotA, SlotD>,
        "acc = $op acc+{imm}, i16"               => heap::struct_get::<heap::S16, Acc, Acc>,
        "{d} = $op acc+{imm}, i16"               => heap::struct_get::<heap::S16, Acc, SlotD>,
        "acc = $op {a}+{imm}, u16"               => heap::struct_get::<heap::U16, SlotA, Acc>,
        "{d} = $op {a}+{imm}, u16"               => heap::struct_get::<heap::U16, SlotA, SlotD>,
        "acc = $op acc+{imm}, u16"               => heap::struct_get::<heap::U16, Acc, Acc>,
        "{d} = $op acc+{imm}, u16"               => heap::struct_get::<heap::U16, Acc, SlotD>,
        "acc = $op {a}+{imm}, i32"               => heap::struct_get::<heap::W32, SlotA, Acc>,
        "{d} = $op {a}+{imm}, i32"               => heap::struct_get::<heap::W32, SlotA, SlotD>,
        "acc = $op acc+{imm}, i32"               => heap::struct_get::<heap::W32, Acc, Acc>,
        "{d} = $op acc+{imm}, i32"               => heap::struct_get::<heap::W32, Acc, SlotD>,
        "acc = $op {a}+{imm}, i64"               => heap::struct_get::<heap::W64, SlotA, Acc>,
        "{d} = $op {a}+{imm}, i64"               => heap::struct_get::<heap::W64, SlotA, SlotD>,
        "acc = $op acc+{imm}, i64"               => heap::struct_get::<heap::W64, Acc, Acc>,
        "{d} = $op acc+{imm}, i64"               => heap::struct_get::<heap::W64, Acc, SlotD>,
        "facc = $op {a}+{imm}, f32"              => heap::struct_get::<heap::Float32, SlotA, Acc>,
        "{d} = $op {a}+{imm}, f32"               => heap::struct_get::<heap::Float32, SlotA, SlotD>,
        "facc = $op acc+{imm}, f32"              => heap::struct_get::<heap::Float32, Acc, Acc>,
        "{d} = $op acc+{imm}, f32"               => heap::struct_get::<heap::Float32, Acc, SlotD>,
        "facc = $op {a}+{imm}, f64"              => heap::struct_get::<heap::Float64, SlotA, Acc>,
        "{d} = $op {a}+{imm}, f64"               => heap::struct_get::<heap::Float64, SlotA, SlotD>,
        "facc = $op acc+{imm}, f64"              => heap::struct_get::<heap::Float64, Acc, Acc>,
        "{d} = $op acc+{imm}, f64"               => heap::struct_get::<heap::Float64, Acc, SlotD>,
        "acc = $op {a}+{imm}, ref"               => heap::struct_get::<heap::Reference, SlotA, Acc>,
        "{d} = $op {a}+{imm}, ref"               => heap::struct_get::<heap::Reference, SlotA, SlotD>,
        "acc = $op acc+{imm}, ref"               => heap::struct_get::<heap::Reference, Acc, Acc>,
        "{d} = $op acc+{imm}, ref"               => heap::struct_get::<heap::Reference, Acc, SlotD>,
    }
    "struct.get" StructGetV128: () {
        "{d} = $op {a}+{imm}, v128"                   => heap::struct_get_v128,
    }
    /// A write to a field.
    "struct.set" StructSet: Width {
        "$op {a}+{imm}, {d}, i8"                      => heap::struct_set_8,
        "$op {a}+{imm}, {d}, i16"                     => heap::struct_set_16,
        "$op {a}+{imm}, {d}, i32"                     => heap::struct_set::<i32>,
        "$op {a}+{imm}, {d}, i64"                     => heap::struct_set::<i64>,
    }
    "struct.set" StructSetV128: () {
        "$op {a}+{imm}, {d}, v128"                    => heap::struct_set_v128,
    }
    "array.get" ArrayGet: (FieldForm, Dst) {
        "acc = $op {a}[{b}], i8"                    => heap::array_get::<heap::S8, Acc>,
        "{d} = $op {a}[{b}], i8"                    => heap::array_get::<heap::S8, SlotD>,
        "acc = $op {a}[{b}], u8"                    => heap::array_get::<heap::U8, Acc>,
        "{d} = $op {a}[{b}], u8"                    => heap::array_get::<heap::U8, SlotD>,
        "acc = $op {a}[{b}], i16"                   => heap::array_get::<heap::S16, Acc>,
        "{d} = $op {a}[{b}], i16"                   => heap::array_get::<heap::S16, SlotD>,
        "acc = $op {a}[{b}], u16"                   => heap::array_get::<heap::U16, Acc>,
        "{d} = $op {a}[{b}], u16"                   => heap::array_get::<heap::U16, SlotD>,
        "acc = $op {a}[{b}], i32"                   => heap::array_get::<heap::W32, Acc>,
        "{d} = $op {a}[{b}], i32"                   => heap::array_get::<heap::W32, SlotD>,
        "acc = $op {a}[{b}], i64"                   => heap::array_get::<heap::W64, Acc>,
        "{d} = $op {a}[{b}], i64"                   => heap::array_get::<heap::W64, SlotD>,
        "facc = $op {a}[{b}], f32"                  => heap::array_get::<heap::Float32, Acc>,
        "{d} = $op {a}[{b}], f32"                   => heap::array_get::<heap::Float32, SlotD>,
        "facc = $op {a}[{b}], f64"                  => heap::array_get::<heap::Float64, Acc>,
        "{d} = $op {a}[{b}], f64"                   => heap::array_get::<heap::Float64, SlotD>,
        "acc = $op {a}[{b}], ref"                   => heap::array_get::<heap::Reference, Acc>,
        "{d} = $op {a}[{b}], ref"                   => heap::array_get::<heap::Reference, SlotD>,
    }
    "array.get" ArrayGetV128: () {
        "{d} = $op {a}[{b}], v128"                    => heap::array_get_v128,
    }
    "array.set" ArraySet: Width {
        "$op {a}[{b}], {d}, i8"                       => heap::array_set_8,
        "$op {a}[{b}], {d}, i16"                      => heap::array_set_16,
        "$op {a}[{b}], {d}, i32"                      => heap::array_set::<i32>,
        "$op {a}[{b}], {d}, i64"                      => heap::array_set::<i64>,
    }
    "array.set" ArraySetV128: () {
        "$op {a}[{b}], {d}, v128"                     => heap::array_set_v128,
    }
    "array.len" ArrayLen: (In, Dst) {
        "acc = $op {a}"                               => heap::array_len::<SlotA, Acc>,
        "{d} = $op {a}"                               => heap::array_len::<SlotA, SlotD>,
        "acc = $op acc"                               => heap::array_len::<Acc, Acc>,
        "{d} = $op acc"                               => heap::array_len::<Acc, SlotD>,
    }
    "ref.i31" RefI31: (In, Dst) {
        "acc = $op {a}"                               => heap::ref_i31::<SlotA, Acc>,
        "{d} = $op {a}"                               => heap::ref_i31::<SlotA, SlotD>,
        "acc = $op acc"                               => heap::ref_i31::<Acc, Acc>,
        "{d} = $op acc"                               => heap::ref_i31::<Acc, SlotD>,
    }
    "i31.get" I31Get: (IsSigned, In, Dst) {
        "acc = $op_u {a}"                            => heap::i31_get::<SlotA, Acc, false>,
        "{d} = $op_u {a}"                            => heap::i31_get::<SlotA, SlotD, false>,
        "acc = $op_u acc"                            => heap::i31_get::<Acc, Acc, false>,
        "{d} = $op_u acc"                            => heap::i31_get::<Acc, SlotD, false>,
        "acc = $op_s {a}"                            => heap::i31_get::<SlotA, Acc, true>,
        "{d} = $op_s {a}"                            => heap::i31_get::<SlotA, SlotD, true>,
        "acc = $op_s acc"                            => heap::i31_get::<Acc, Acc, true>,
        "{d} = $op_s acc"                            => heap::i31_get::<Acc, SlotD, true>,
    }
    /// The test of a reference.
    "ref.test" RefTest: (TestForm, IsNullable) {
        "{d} = $op {a}, any"                          => heap::ref_test::<heap::TestAlways, false>,
        "{d} = $op {a}, null any"                     => heap::ref_test::<heap::TestAlways, true>,
        "{d} = $op {a}, none"                         => heap::ref_test::<heap::TestNever, false>,
        "{d} = $op {a}, null none"                    => heap::ref_test::<heap::TestNever, true>,
        "{d} = $op {a}, eq"                           => heap::ref_test::<heap::TestEq, false>,
        "{d} = $op {a}, null eq"                      => heap::ref_test::<heap::TestEq, true>,
        "{d} = $op {a}, i31"                          => heap::ref_test::<heap::TestI31, false>,
        "{d} = $op {a}, null i31"                     => heap::ref_test::<heap::TestI31, true>,
        "{d} = $op {a}, struct"                       => heap::ref_test::<heap::TestStruct, false>,
        "{d} = $op {a}, null struct"                  => heap::ref_test::<heap::TestStruct, true>,
        "{d} = $op {a}, array"                        => heap::ref_test::<heap::TestArray, false>,
        "{d} = $op {a}, null array"                   => heap::ref_test::<heap::TestArray, true>,
        "{d} = $op {a}, {object}"                     => heap::ref_test::<heap::TestObject, false>,
        "{d} = $op {a}, null {object}"                => heap::ref_test::<heap::TestObject, true>,
        "{d} = $op {a}, {imm.type}"                   => heap::ref_test::<heap::TestFunc, false>,
        "{d} = $op {a}, null {imm.type}"              => heap::ref_test::<heap::TestFunc, true>,
    }
    /// A trap unless a reference passes a test.
    "ref.cast" RefCast: (TestForm, IsNullable) {
        "$op {a}, any"                                => heap::ref_cast::<heap::TestAlways, false>,
        "$op {a}, null any"                           => heap::ref_cast::<heap::TestAlways, true>,
        "$op {a}, none"                               => heap::ref_cast::<heap::TestNever, false>,
        "$op {a}, null none"                          => heap::ref_cast::<heap::TestNever, true>,
        "$op {a}, eq"                                 => heap::ref_cast::<heap::TestEq, false>,
        "$op {a}, null eq"                            => heap::ref_cast::<heap::TestEq, true>,
        "$op {a}, i31"                                => heap::ref_cast::<heap::TestI31, false>,
        "$op {a}, null i31"                           => heap::ref_cast::<heap::TestI31, true>,
        "$op {a}, struct"                             => heap::ref_cast::<heap::TestStruct, false>,
        "$op {a}, null struct"                        => heap::ref_cast::<heap::TestStruct, true>,
        "$op {a}, array"                              => heap::ref_cast::<heap::TestArray, false>,
        "$op {a}, null array"                         => heap::ref_cast::<heap::TestArray, true>,
        "$op {a}, {object}"                           => heap::ref_cast::<heap::TestObject, false>,
        "$op {a}, null {object}"                      => heap::ref_cast::<heap::TestObject, true>,
        "$op {a}, {imm.type}"                         => heap::ref_cast::<heap::TestFunc, false>,
        "$op {a}, null {imm.type}"                    => heap::ref_cast::<heap::TestFunc, true>,
    }

    // Fuel.

    /// The fuel of a block.
    "charge" Charge: () {
        "$op {w1.uint}"                               => fuel::charge,
    }
    /// The fuel of an operator that takes time by its size.
    "charge" ChargeBySize: () {
        "$op {a} >> {imm}"                            => fuel::charge_by_size,
    }
}
