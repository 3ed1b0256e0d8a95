//! The instructions of each operator of [`core`'s table](wasmr_core::op), by the operator's shape.
//!
//! Each block below is a shape. It lists the shape's families with their [`Locations`], and the text and the handler of each
//! choice. `O` is the operator's marker type. An operator's instructions are one constant array of handlers: those of the
//! shape's families, in order. So a choice is two loads.
//!
//! In texts, `$op` is the operator's name. `$x` is the accumulator of the first operand's type, `$s` of the last one's, `$r` of
//! the result's. `$imm` is a constant of the operand's type, in `imm`, for an `f64` in word 2, or for a vector in words 2 and 3.
//! `$wide` is any constant of a scalar in word 2.

use wasmr_core::op::{self, Op, Shape, Value, Visitor};
use wasmr_core::types::ValType;

use super::family::Family;
use super::locations::{
    Dst, Form, In, Is64, IsSlot, Locations, Ordered, ShiftCount, StoreValue, TernaryForm, Variable, VectorForm, Wanted,
};
use super::template::substitute;
use crate::execute::dispatch::Handler;
use crate::execute::fused::{count_and_branch, count_and_branch_slot, load_displaced, load_indexed};
use crate::execute::memory::{load, load_checked, store_acc, store_checked, store_imm, store_slot};
use crate::execute::numeric::{binary, branch_compare, compare, unary};
use crate::execute::operand::{Acc, Imm, ImmA, SlotA, SlotB, SlotD, SlotX, Wide};
use crate::execute::simd_memory::InWord2;
use crate::execute::{atomic, simd, simd_memory};

/// Declares families of one shape, the first of which starts at an index of the operator's array.
macro_rules! families {
    ($base:expr;) => {};
    ($base:expr; [$(#[$attr:meta])*] $family:ident $locations:ty, $($rest:tt)*) => {
        $(#[$attr])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $family(pub(crate) Op);

        impl Family for $family {
            type Locations = $locations;
            const BASE: usize = $base;
            #[inline(always)]
            fn row(self) -> &'static [Handler] {
                row(self.0)
            }
        }

        families!($base + <$locations as Locations>::COUNT; $($rest)*);
    };
}

macro_rules! shapes {
    ($(
        $shape:ident $method:ident { $(
            $(#[$attr:meta])*
            $family:ident: $locations:ty { $($text:literal => $handler:expr,)+ }
        )+ }
        $(, if ($condition:expr) { $(
            $(#[$more_attr:meta])*
            $more_family:ident: $more_locations:ty { $($more_text:literal => $more_handler:expr,)+ }
        )+ })?
    )*) => {
        $(
            families!(
                0;
                $([$(#[$attr])*] $family $locations,)+
                $($([$(#[$more_attr])*] $more_family $more_locations,)+)?
            );

            const _: () = {
                $(assert!(<$locations as Locations>::COUNT == [$($text),+].len(), "an instruction for each choice");)+
                $($(assert!(<$more_locations as Locations>::COUNT == [$($more_text),+].len(), "as above");)+)?
            };
        )*

        /// Returns the texts of a shape's instructions, in the order of their handlers.
        fn texts(shape: Shape) -> &'static [&'static str] {
            match shape {
                $(Shape::$shape => &[$($($text),+),+ $(, $($($more_text),+),+)?],)*
            }
        }

        impl Visitor for RowOf {
            type Result = &'static [Handler];
            $(
                fn $method<O: op::$shape>(self) -> &'static [Handler] {
                    const { shapes!(@row ($($($handler),+),+) $(($condition) ($($($more_handler),+),+))?) }
                }
            )*
        }
    };
    (@row ($($handler:expr),+)) => { &[$($handler as Handler),+] as &[Handler] };
    (@row ($($handler:expr),+) ($condition:expr) ($($more:expr),+)) => {
        if $condition {
            &[$($handler as Handler,)+ $($more as Handler),+] as &[Handler]
        } else {
            &[$($handler as Handler),+] as &[Handler]
        }
    };
}

#[rustfmt::skip]
shapes! {
    Unary unary {
        /// An operator of one scalar.
        Unary: (In, Dst) {
            "$r = $op {a}"                          => unary::<O, SlotA, Acc>,
            "{d} = $op {a}"                         => unary::<O, SlotA, SlotD>,
            "$r = $op $x"                           => unary::<O, Acc, Acc>,
            "{d} = $op $x"                          => unary::<O, Acc, SlotD>,
        }
    }

    Binary binary {
        /// An operator of two scalars.
        Binary: (Form, Dst) {
            "$r = $op {a}, {b}"                     => binary::<O, SlotA, SlotB, Acc>,
            "{d} = $op {a}, {b}"                    => binary::<O, SlotA, SlotB, SlotD>,
            "$r = $op {a}, $imm"                    => binary::<O, SlotA, Imm, Acc>,
            "{d} = $op {a}, $imm"                   => binary::<O, SlotA, Imm, SlotD>,
            "$r = $op $x, {b}"                      => binary::<O, Acc, SlotB, Acc>,
            "{d} = $op $x, {b}"                     => binary::<O, Acc, SlotB, SlotD>,
            "$r = $op $x, $imm"                     => binary::<O, Acc, Imm, Acc>,
            "{d} = $op $x, $imm"                    => binary::<O, Acc, Imm, SlotD>,
            "$r = $op {a}, $wide"                   => binary::<O, SlotA, Wide, Acc>,
            "{d} = $op {a}, $wide"                  => binary::<O, SlotA, Wide, SlotD>,
            "$r = $op $x, $wide"                    => binary::<O, Acc, Wide, Acc>,
            "{d} = $op $x, $wide"                   => binary::<O, Acc, Wide, SlotD>,
            "$r = $op {a}, $x"                      => binary::<O, SlotA, Acc, Acc>,
            "{d} = $op {a}, $x"                     => binary::<O, SlotA, Acc, SlotD>,
            "$r = $op $imm, {a}"                    => binary::<O, Imm, SlotA, Acc>,
            "{d} = $op $imm, {a}"                   => binary::<O, Imm, SlotA, SlotD>,
        }
    }

    Compare compare {
        /// A comparison of two scalars.
        Compare: (Ordered, Dst) {
            "$r = $op {a}, {b}"                     => compare::<O, SlotA, SlotB, Acc>,
            "{d} = $op {a}, {b}"                    => compare::<O, SlotA, SlotB, SlotD>,
            "$r = $op {a}, $imm"                    => compare::<O, SlotA, Imm, Acc>,
            "{d} = $op {a}, $imm"                   => compare::<O, SlotA, Imm, SlotD>,
            "$r = $op $x, {b}"                      => compare::<O, Acc, SlotB, Acc>,
            "{d} = $op $x, {b}"                     => compare::<O, Acc, SlotB, SlotD>,
            "$r = $op $x, $imm"                     => compare::<O, Acc, Imm, Acc>,
            "{d} = $op $x, $imm"                    => compare::<O, Acc, Imm, SlotD>,
            "$r = $op {a}, $wide"                   => compare::<O, SlotA, Wide, Acc>,
            "{d} = $op {a}, $wide"                  => compare::<O, SlotA, Wide, SlotD>,
            "$r = $op $x, $wide"                    => compare::<O, Acc, Wide, Acc>,
            "{d} = $op $x, $wide"                   => compare::<O, Acc, Wide, SlotD>,
        }
        /// A branch on a comparison. Operands stand one field further left, as there is no result; a small constant has 16
        /// bits.
        BranchCompare: (Ordered, Wanted) {
            "br {to} unless $op {d}, {a}"           => branch_compare::<O, SlotD, SlotA, false>,
            "br {to} if $op {d}, {a}"               => branch_compare::<O, SlotD, SlotA, true>,
            "br {to} unless $op {d}, {a.int}"       => branch_compare::<O, SlotD, ImmA, false>,
            "br {to} if $op {d}, {a.int}"           => branch_compare::<O, SlotD, ImmA, true>,
            "br {to} unless $op $x, {a}"            => branch_compare::<O, Acc, SlotA, false>,
            "br {to} if $op $x, {a}"                => branch_compare::<O, Acc, SlotA, true>,
            "br {to} unless $op $x, {a.int}"        => branch_compare::<O, Acc, ImmA, false>,
            "br {to} if $op $x, {a.int}"            => branch_compare::<O, Acc, ImmA, true>,
            "br {to} unless $op {d}, $wide"         => branch_compare::<O, SlotD, Wide, false>,
            "br {to} if $op {d}, $wide"             => branch_compare::<O, SlotD, Wide, true>,
            "br {to} unless $op $x, $wide"          => branch_compare::<O, Acc, Wide, false>,
            "br {to} if $op $x, $wide"              => branch_compare::<O, Acc, Wide, true>,
        }
    }, if (matches!(O::Operand::TYPE, ValType::I32)) {
        /// The end of a counting loop: a sum, and a branch on its comparison. For comparisons of `i32`s only.
        CountAndBranch: (IsSlot, Wanted) {
            "{d} = i32.add {a}, {low2}; br {to} unless $op {d}, {high2}"      => count_and_branch::<O, false>,
            "{d} = i32.add {a}, {low2}; br {to} if $op {d}, {high2}"          => count_and_branch::<O, true>,
            "{d} = i32.add {a}, {low2}; br {to} unless $op {d}, {high2.slot}" => count_and_branch_slot::<O, false>,
            "{d} = i32.add {a}, {low2}; br {to} if $op {d}, {high2.slot}"     => count_and_branch_slot::<O, true>,
        }
    }

    Load load {
        /// A load from the guard-paged memory 0.
        Load: (In, Dst) {
            "$r = $op [{a} + {imm.uint}]"           => load::<O, SlotA, Acc>,
            "{d} = $op [{a} + {imm.uint}]"          => load::<O, SlotA, SlotD>,
            "$r = $op [acc + {imm.uint}]"           => load::<O, Acc, Acc>,
            "{d} = $op [acc + {imm.uint}]"          => load::<O, Acc, SlotD>,
        }
        /// A load at the sum of two operands.
        LoadIndexed: (In, Dst) {
            "$r = $op [{a} + {b} + {x.uint}]"       => load_indexed::<O, SlotA, Acc>,
            "{d} = $op [{a} + {b} + {x.uint}]"      => load_indexed::<O, SlotA, SlotD>,
            "$r = $op [acc + {b} + {x.uint}]"       => load_indexed::<O, Acc, Acc>,
            "{d} = $op [acc + {b} + {x.uint}]"      => load_indexed::<O, Acc, SlotD>,
        }
        /// A load at the sum of an operand and a constant.
        LoadDisplaced: (In, Dst) {
            "$r = $op [(i32.add {a}, {imm}) + {w2}]"  => load_displaced::<O, SlotA, Acc>,
            "{d} = $op [(i32.add {a}, {imm}) + {w2}]" => load_displaced::<O, SlotA, SlotD>,
            "$r = $op [(i32.add acc, {imm}) + {w2}]"  => load_displaced::<O, Acc, Acc>,
            "{d} = $op [(i32.add acc, {imm}) + {w2}]" => load_displaced::<O, Acc, SlotD>,
        }
        /// A load that compares with the memory's size. Writes slot `d` and the accumulator.
        LoadChecked: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}]"   => load_checked::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}]"   => load_checked::<O, true>,
        }
    }

    Store store {
        /// A store to the guard-paged memory 0.
        Store: (In, StoreValue) {
            "$op [{a} + {imm.uint}], {d}"           => store_slot::<O, SlotA>,
            "$op [{a} + {imm.uint}], $x"            => store_acc::<O, SlotA>,
            "$op [{a} + {imm.uint}], $wide"         => store_imm::<O, SlotA>,
            "$op [acc + {imm.uint}], {d}"           => store_slot::<O, Acc>,
            "$op [acc + {imm.uint}], $x"            => store_acc::<O, Acc>,
            "$op [acc + {imm.uint}], $wide"         => store_imm::<O, Acc>,
        }
        /// A store that compares with the memory's size.
        StoreChecked: Is64 {
            "$op {object}[{a} + {w2.uint}], {d}"    => store_checked::<O, false>,
            "$op {object}[{a} + {w2.uint}], {d}"    => store_checked::<O, true>,
        }
    }

    VectorLoad vector_load {
        /// A load of a vector from the guard-paged memory 0.
        VectorLoad: (In, Dst) {
            "$r = $op [{a} + {imm.uint}]"           => simd_memory::load::<O, SlotA, Acc>,
            "{d} = $op [{a} + {imm.uint}]"          => simd_memory::load::<O, SlotA, SlotD>,
            "$r = $op [acc + {imm.uint}]"           => simd_memory::load::<O, Acc, Acc>,
            "{d} = $op [acc + {imm.uint}]"          => simd_memory::load::<O, Acc, SlotD>,
        }
        /// A load of a vector at the sum of two operands.
        VectorLoadIndexed: (In, Dst) {
            "$r = $op [{a} + {b} + {x.uint}]"       => simd_memory::load_indexed::<O, SlotA, Acc>,
            "{d} = $op [{a} + {b} + {x.uint}]"      => simd_memory::load_indexed::<O, SlotA, SlotD>,
            "$r = $op [acc + {b} + {x.uint}]"       => simd_memory::load_indexed::<O, Acc, Acc>,
            "{d} = $op [acc + {b} + {x.uint}]"      => simd_memory::load_indexed::<O, Acc, SlotD>,
        }
        /// A load of a vector at the sum of an operand and a constant.
        VectorLoadDisplaced: (In, Dst) {
            "$r = $op [(i32.add {a}, {imm}) + {w2}]"  => simd_memory::load_displaced::<O, SlotA, Acc>,
            "{d} = $op [(i32.add {a}, {imm}) + {w2}]" => simd_memory::load_displaced::<O, SlotA, SlotD>,
            "$r = $op [(i32.add acc, {imm}) + {w2}]"  => simd_memory::load_displaced::<O, Acc, Acc>,
            "{d} = $op [(i32.add acc, {imm}) + {w2}]" => simd_memory::load_displaced::<O, Acc, SlotD>,
        }
        /// A load of a vector that compares with the memory's size. Writes slot `d` only.
        VectorLoadChecked: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}]"   => simd_memory::load_checked::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}]"   => simd_memory::load_checked::<O, true>,
        }
    }

    VectorStore vector_store {
        /// A store of a vector to the guard-paged memory 0.
        VectorStore: (In, StoreValue) {
            "$op [{a} + {imm.uint}], {d}"           => simd_memory::store::<SlotA, SlotD>,
            "$op [{a} + {imm.uint}], $x"            => simd_memory::store::<SlotA, Acc>,
            "$op [{a} + {imm.uint}], $imm"          => simd_memory::store::<SlotA, Imm>,
            "$op [acc + {imm.uint}], {d}"           => simd_memory::store::<Acc, SlotD>,
            "$op [acc + {imm.uint}], $x"            => simd_memory::store::<Acc, Acc>,
            "$op [acc + {imm.uint}], $imm"          => simd_memory::store::<Acc, Imm>,
        }
        /// A store of a vector that compares with the memory's size.
        VectorStoreChecked: Is64 {
            "$op {object}[{a} + {w2.uint}], {d}"    => simd_memory::store_checked::<false>,
            "$op {object}[{a} + {w2.uint}], {d}"    => simd_memory::store_checked::<true>,
        }
    }

    LoadLane load_lane {
        /// A load of one lane from the guard-paged memory 0: address, vector, result.
        LoadLane: (In, In, Dst) {
            "$r = $op [{a} + {imm.uint}], {low2.slot}, lane {high2}"   => simd_memory::load_lane::<O, SlotA, InWord2, Acc>,
            "{d} = $op [{a} + {imm.uint}], {low2.slot}, lane {high2}"  => simd_memory::load_lane::<O, SlotA, InWord2, SlotD>,
            "$r = $op [{a} + {imm.uint}], $x, lane {high2}"            => simd_memory::load_lane::<O, SlotA, Acc, Acc>,
            "{d} = $op [{a} + {imm.uint}], $x, lane {high2}"           => simd_memory::load_lane::<O, SlotA, Acc, SlotD>,
            "$r = $op [acc + {imm.uint}], {low2.slot}, lane {high2}"   => simd_memory::load_lane::<O, Acc, InWord2, Acc>,
            "{d} = $op [acc + {imm.uint}], {low2.slot}, lane {high2}"  => simd_memory::load_lane::<O, Acc, InWord2, SlotD>,
            "$r = $op [acc + {imm.uint}], $x, lane {high2}"            => simd_memory::load_lane::<O, Acc, Acc, Acc>,
            "{d} = $op [acc + {imm.uint}], $x, lane {high2}"           => simd_memory::load_lane::<O, Acc, Acc, SlotD>,
        }
        /// A load of one lane that compares with the memory's size. Writes slot `d` only.
        LoadLaneChecked: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}, lane {high3}" => simd_memory::load_lane_checked::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}, lane {high3}" => simd_memory::load_lane_checked::<O, true>,
        }
    }

    StoreLane store_lane {
        /// A store of one lane to the guard-paged memory 0. The vector is in a slot.
        StoreLane: In {
            "$op [{a} + {imm.uint}], {low2.slot}, lane {high2}" => simd_memory::store_lane::<O, SlotA>,
            "$op [acc + {imm.uint}], {low2.slot}, lane {high2}" => simd_memory::store_lane::<O, Acc>,
        }
        /// A store of one lane that compares with the memory's size.
        StoreLaneChecked: Is64 {
            "$op {object}[{a} + {w2.uint}], {low3.slot}, lane {high3}" => simd_memory::store_lane_checked::<O, false>,
            "$op {object}[{a} + {w2.uint}], {low3.slot}, lane {high3}" => simd_memory::store_lane_checked::<O, true>,
        }
    }

    AtomicLoad atomic_load {
        /// An atomic load, always checked.
        AtomicLoad: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}]"   => atomic::load::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}]"   => atomic::load::<O, true>,
        }
    }

    AtomicStore atomic_store {
        /// An atomic store, always checked.
        AtomicStore: Is64 {
            "$op {object}[{a} + {w2.uint}], {d}"    => atomic::store::<O, false>,
            "$op {object}[{a} + {w2.uint}], {d}"    => atomic::store::<O, true>,
        }
    }

    AtomicRmw atomic_rmw {
        /// An atomic modification, always checked.
        AtomicRmw: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}" => atomic::rmw::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}" => atomic::rmw::<O, true>,
        }
    }

    AtomicCmpxchg atomic_cmpxchg {
        /// An atomic exchange under a condition, always checked.
        AtomicCmpxchg: Is64 {
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}, {high3.slot}" => atomic::cmpxchg::<O, false>,
            "{d} = $op {object}[{a} + {w2.uint}], {low3.slot}, {high3.slot}" => atomic::cmpxchg::<O, true>,
        }
    }

    VectorUnary vector_unary {
        /// An operator of one vector.
        VectorUnary: (In, Dst) {
            "$r = $op {a}"                          => simd::unary::<O, SlotA, Acc>,
            "{d} = $op {a}"                         => simd::unary::<O, SlotA, SlotD>,
            "$r = $op $x"                           => simd::unary::<O, Acc, Acc>,
            "{d} = $op $x"                          => simd::unary::<O, Acc, SlotD>,
        }
    }

    VectorBinary vector_binary {
        /// An operator of two vectors.
        VectorBinary: (VectorForm, Dst) {
            "$r = $op {a}, {b}"                     => simd::binary::<O, SlotA, SlotB, Acc>,
            "{d} = $op {a}, {b}"                    => simd::binary::<O, SlotA, SlotB, SlotD>,
            "$r = $op $x, {b}"                      => simd::binary::<O, Acc, SlotB, Acc>,
            "{d} = $op $x, {b}"                     => simd::binary::<O, Acc, SlotB, SlotD>,
            "$r = $op {a}, $s"                      => simd::binary::<O, SlotA, Acc, Acc>,
            "{d} = $op {a}, $s"                     => simd::binary::<O, SlotA, Acc, SlotD>,
            "$r = $op {a}, $imm"                    => simd::binary::<O, SlotA, Imm, Acc>,
            "{d} = $op {a}, $imm"                   => simd::binary::<O, SlotA, Imm, SlotD>,
            "$r = $op $x, $imm"                     => simd::binary::<O, Acc, Imm, Acc>,
            "{d} = $op $x, $imm"                    => simd::binary::<O, Acc, Imm, SlotD>,
        }
    }

    VectorTernary vector_ternary {
        /// An operator of three vectors.
        VectorTernary: (TernaryForm, Dst) {
            "$r = $op {a}, {b}, {x}"                => simd::ternary::<O, SlotA, SlotB, SlotX, Acc>,
            "{d} = $op {a}, {b}, {x}"               => simd::ternary::<O, SlotA, SlotB, SlotX, SlotD>,
            "$r = $op $x, {b}, {x}"                 => simd::ternary::<O, Acc, SlotB, SlotX, Acc>,
            "{d} = $op $x, {b}, {x}"                => simd::ternary::<O, Acc, SlotB, SlotX, SlotD>,
            "$r = $op {a}, $x, {x}"                 => simd::ternary::<O, SlotA, Acc, SlotX, Acc>,
            "{d} = $op {a}, $x, {x}"                => simd::ternary::<O, SlotA, Acc, SlotX, SlotD>,
            "$r = $op {a}, {b}, $s"                 => simd::ternary::<O, SlotA, SlotB, Acc, Acc>,
            "{d} = $op {a}, {b}, $s"                => simd::ternary::<O, SlotA, SlotB, Acc, SlotD>,
        }
    }

    VectorTest vector_test {
        /// An operator of one vector with a scalar as result.
        VectorTest: (In, Dst) {
            "$r = $op {a}"                          => simd::test::<O, SlotA, Acc>,
            "{d} = $op {a}"                         => simd::test::<O, SlotA, SlotD>,
            "$r = $op $x"                           => simd::test::<O, Acc, Acc>,
            "{d} = $op $x"                          => simd::test::<O, Acc, SlotD>,
        }
    }

    Shift shift {
        /// A shift of all lanes: vector, count, result.
        Shift: (In, ShiftCount, Dst) {
            "$r = $op {a}, {b}"                     => simd::shift::<O, SlotA, SlotB, Acc>,
            "{d} = $op {a}, {b}"                    => simd::shift::<O, SlotA, SlotB, SlotD>,
            "$r = $op {a}, $s"                      => simd::shift::<O, SlotA, Acc, Acc>,
            "{d} = $op {a}, $s"                     => simd::shift::<O, SlotA, Acc, SlotD>,
            "$r = $op {a}, {imm}"                   => simd::shift::<O, SlotA, Imm, Acc>,
            "{d} = $op {a}, {imm}"                  => simd::shift::<O, SlotA, Imm, SlotD>,
            "$r = $op $x, {b}"                      => simd::shift::<O, Acc, SlotB, Acc>,
            "{d} = $op $x, {b}"                     => simd::shift::<O, Acc, SlotB, SlotD>,
            "$r = $op $x, $s"                       => simd::shift::<O, Acc, Acc, Acc>,
            "{d} = $op $x, $s"                      => simd::shift::<O, Acc, Acc, SlotD>,
            "$r = $op $x, {imm}"                    => simd::shift::<O, Acc, Imm, Acc>,
            "{d} = $op $x, {imm}"                   => simd::shift::<O, Acc, Imm, SlotD>,
        }
    }

    Splat splat {
        /// A vector of equal lanes.
        Splat: (In, Dst) {
            "$r = $op {a}"                          => simd::splat::<O, SlotA, Acc>,
            "{d} = $op {a}"                         => simd::splat::<O, SlotA, SlotD>,
            "$r = $op $x"                           => simd::splat::<O, Acc, Acc>,
            "{d} = $op $x"                          => simd::splat::<O, Acc, SlotD>,
        }
    }

    ExtractLane extract_lane {
        /// A lane of a vector in a slot.
        ExtractLane: Dst {
            "$r = $op {a}, lane {b.int}"            => simd::extract_lane::<O, Acc>,
            "{d} = $op {a}, lane {b.int}"           => simd::extract_lane::<O, SlotD>,
        }
    }

    ReplaceLane replace_lane {
        /// A vector with a lane replaced by a scalar.
        ReplaceLane: (Variable, Dst) {
            "$r = $op {a}, lane {x.int}, {b}"       => simd::replace_lane::<O, SlotA, SlotB, Acc>,
            "{d} = $op {a}, lane {x.int}, {b}"      => simd::replace_lane::<O, SlotA, SlotB, SlotD>,
            "$r = $op $x, lane {x.int}, {b}"        => simd::replace_lane::<O, Acc, SlotB, Acc>,
            "{d} = $op $x, lane {x.int}, {b}"       => simd::replace_lane::<O, Acc, SlotB, SlotD>,
            "$r = $op {a}, lane {x.int}, $s"        => simd::replace_lane::<O, SlotA, Acc, Acc>,
            "{d} = $op {a}, lane {x.int}, $s"       => simd::replace_lane::<O, SlotA, Acc, SlotD>,
        }
    }
}

/// Gives the handlers of an operator.
struct RowOf;

/// Returns the handlers of an operator.
pub(crate) fn row(op: Op) -> &'static [Handler] {
    op.visit(RowOf)
}

/// Returns the template of an operator's instruction.
pub(super) fn template(op: Op, index: usize) -> &'static str {
    texts(op.shape())[index]
}

/// Returns the text of an operator's instruction that has this template.
pub(super) fn text(op: Op, template: &str) -> String {
    let info = op.info();
    // Loads have no operand but the address.
    let first = info.operands.first().copied().unwrap_or(ValType::I32);
    let last = info.operands.last().copied().unwrap_or(ValType::I32);
    let in_facc = |ty| matches!(ty, ValType::F32 | ValType::F64 | ValType::V128);
    let accumulator = |ty| if in_facc(ty) { "facc" } else { "acc" };
    let (imm, wide) = match first {
        ValType::F32 => ("{imm.f32}", "{w2.f32}"),
        ValType::F64 => ("{w2.f64}", "{w2.f64}"),
        ValType::V128 => ("{w2.bits}, {w3.bits}", "{w2.bits}"),
        _ => ("{imm}", "{w2}"),
    };
    let values = [
        ("op", info.name),
        ("imm", imm),
        ("wide", wide),
        ("x", accumulator(first)),
        ("s", accumulator(last)),
        ("r", info.result.map_or("", accumulator)),
    ];
    substitute(template, &values)
}
