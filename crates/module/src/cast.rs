//! The test of a cast: `ref.test`, `ref.cast`, `br_on_cast` and `br_on_cast_fail`.
//!
//! In: the target type of the operator. Out: a [`Cast`], by which all tiers test a reference. Validation ensures that the
//! reference and the target are in one hierarchy, so that a test for the top of the hierarchy holds for every reference.

use wasmparser::{HeapType as ParsedHeapType, Operator, UnpackedIndex};
use wasmr_core::types::{HeapType, TypeId};

use crate::Module;

/// A test of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// True if null passes the test.
    pub nullable: bool,
    /// The test of a reference that is not null.
    pub test: Test,
}

/// The test of a reference that is not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Passes: the target is the top of its hierarchy.
    Always,
    /// Fails: the target is the bottom of its hierarchy.
    Never,
    /// Passes for unboxed integers, structs and arrays.
    Eq,
    /// Passes for unboxed integers.
    I31,
    /// Passes for structs.
    Struct,
    /// Passes for arrays.
    Array,
    /// Passes for instances of the struct or array type with this type index.
    Object(u32),
    /// Passes for functions of this type.
    Func(TypeId),
}

/// The outcome of a test with which a branch is taken.
pub type Wanted = bool;

impl Cast {
    /// Returns the test of `ref.test`, if the operator is one.
    pub fn of_test(module: &Module, operator: &Operator<'_>) -> Option<Cast> {
        match *operator {
            Operator::RefTestNonNull { hty } => Some(Cast::to(module, hty, false)),
            Operator::RefTestNullable { hty } => Some(Cast::to(module, hty, true)),
            _ => None,
        }
    }

    /// Returns the test of `ref.cast`, if the operator is one.
    pub fn of_cast(module: &Module, operator: &Operator<'_>) -> Option<Cast> {
        match *operator {
            Operator::RefCastNonNull { hty } => Some(Cast::to(module, hty, false)),
            Operator::RefCastNullable { hty } => Some(Cast::to(module, hty, true)),
            _ => None,
        }
    }

    /// Returns the test of a branch on a cast, if the operator is one, with the outcome for which it branches and the depth of its
    /// label.
    pub fn of_branch(module: &Module, operator: &Operator<'_>) -> Option<(Cast, Wanted, u32)> {
        match *operator {
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                Some((Cast::to(module, to_ref_type.heap_type(), to_ref_type.is_nullable()), true, relative_depth))
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                Some((Cast::to(module, to_ref_type.heap_type(), to_ref_type.is_nullable()), false, relative_depth))
            }
            _ => None,
        }
    }

    fn to(module: &Module, target: ParsedHeapType, nullable: bool) -> Cast {
        let test = match (module.heap_type(target), target) {
            (HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn, _) => Test::Always,
            (HeapType::None | HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn, _) => Test::Never,
            (HeapType::Eq, _) => Test::Eq,
            (HeapType::I31, _) => Test::I31,
            (HeapType::Struct, _) => Test::Struct,
            (HeapType::Array, _) => Test::Array,
            (HeapType::Concrete(id), target) => {
                match index_of(target).filter(|&index| module.layout(index).is_some()) {
                    Some(index) => Test::Object(index),
                    None => Test::Func(id),
                }
            }
        };
        Cast { nullable, test }
    }
}

/// Returns the type index of a defined type.
fn index_of(target: ParsedHeapType) -> Option<u32> {
    match target {
        ParsedHeapType::Concrete(UnpackedIndex::Module(index))
        | ParsedHeapType::Exact(UnpackedIndex::Module(index)) => Some(index),
        _ => None,
    }
}
