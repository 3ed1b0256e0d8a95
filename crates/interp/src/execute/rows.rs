//! The handlers of each operator of [`core`'s table](wasmr_core::op): the instances of its shape's handlers, one for each form of
//! cell.
//!
//! A row is an array of handlers, and how a form is found in it depends on the shape alone. The rows are constants, so that a
//! choice is two loads. The functions here ask for a form; the caller knows the operator's shape.

use wasmr_core::op::{
    Binary, Compare, ExtractLane, Load, LoadLane, Op, ReplaceLane, Shift, Splat, Store, StoreLane, Unary, Value,
    VectorBinary, VectorLoad, VectorStore, VectorTernary, VectorTest, VectorUnary, Visitor,
};
use wasmr_core::types::ValType;

use super::dispatch::Handler;
use super::fused::{count_and_branch, count_and_branch_slot, load_displaced, load_indexed};
use super::memory::{self, StoreValue, store_acc, store_imm, store_slot};
use super::numeric::{Dst, Form, binary, branch_compare, compare, unary};
use super::operand::{Acc, Imm, ImmA, SlotA, SlotB, SlotD, Wide};
use super::{simd, simd_memory};

const _: () = assert!(Dst::Acc as usize == 0 && Dst::Slot as usize == 1, "handlers by destination");

/// Operand in slot `a` or the accumulator, by destination.
const fn unary_row<O: Unary>() -> [Handler; 4] {
    [unary::<O, SlotA, Acc>, unary::<O, SlotA, SlotD>, unary::<O, Acc, Acc>, unary::<O, Acc, SlotD>]
}

/// By [`Form`], by destination.
const fn binary_row<O: Binary>() -> [Handler; 16] {
    [
        binary::<O, SlotA, SlotB, Acc>,
        binary::<O, SlotA, SlotB, SlotD>,
        binary::<O, SlotA, Imm, Acc>,
        binary::<O, SlotA, Imm, SlotD>,
        binary::<O, Acc, SlotB, Acc>,
        binary::<O, Acc, SlotB, SlotD>,
        binary::<O, Acc, Imm, Acc>,
        binary::<O, Acc, Imm, SlotD>,
        binary::<O, SlotA, Acc, Acc>,
        binary::<O, SlotA, Acc, SlotD>,
        binary::<O, Imm, SlotA, Acc>,
        binary::<O, Imm, SlotA, SlotD>,
        binary::<O, SlotA, Wide, Acc>,
        binary::<O, SlotA, Wide, SlotD>,
        binary::<O, Acc, Wide, Acc>,
        binary::<O, Acc, Wide, SlotD>,
    ]
}

/// Index of the branches in a row of a comparison.
const BRANCHES: usize = 12;
/// Index of the ends of counting loops in a row of a comparison of `i32`s.
const COUNTS: usize = 24;

/// By [`Form::compare_index`]: the comparisons by destination, then the branches by the wanted result.
const fn compare_row<O: Compare>() -> [Handler; COUNTS] {
    [
        compare::<O, SlotA, SlotB, Acc>,
        compare::<O, SlotA, SlotB, SlotD>,
        compare::<O, SlotA, Imm, Acc>,
        compare::<O, SlotA, Imm, SlotD>,
        compare::<O, Acc, SlotB, Acc>,
        compare::<O, Acc, SlotB, SlotD>,
        compare::<O, Acc, Imm, Acc>,
        compare::<O, Acc, Imm, SlotD>,
        compare::<O, SlotA, Wide, Acc>,
        compare::<O, SlotA, Wide, SlotD>,
        compare::<O, Acc, Wide, Acc>,
        compare::<O, Acc, Wide, SlotD>,
        branch_compare::<O, SlotD, SlotA, false>,
        branch_compare::<O, SlotD, SlotA, true>,
        branch_compare::<O, SlotD, ImmA, false>,
        branch_compare::<O, SlotD, ImmA, true>,
        branch_compare::<O, Acc, SlotA, false>,
        branch_compare::<O, Acc, SlotA, true>,
        branch_compare::<O, Acc, ImmA, false>,
        branch_compare::<O, Acc, ImmA, true>,
        branch_compare::<O, SlotD, Wide, false>,
        branch_compare::<O, SlotD, Wide, true>,
        branch_compare::<O, Acc, Wide, false>,
        branch_compare::<O, Acc, Wide, true>,
    ]
}

/// The row of a comparison of `i32`s: [`compare_row`], then the ends of counting loops, by whether the bound is in a slot, by the
/// wanted result.
const fn counting_compare_row<O: Compare>() -> [Handler; COUNTS + 4] {
    let mut row: [Handler; COUNTS + 4] = [count_and_branch::<O, false>; COUNTS + 4];
    row.split_at_mut(COUNTS).0.copy_from_slice(&compare_row::<O>());
    row[COUNTS + 1] = count_and_branch::<O, true>;
    row[COUNTS + 2] = count_and_branch_slot::<O, false>;
    row[COUNTS + 3] = count_and_branch_slot::<O, true>;
    row
}

/// Index of the fused loads that add a slot, of those that add a constant, and of the checked loads.
const INDEXED: usize = 4;
const DISPLACED: usize = 8;
const CHECKED_LOADS: usize = 12;

/// Guarded loads by address in slot `a` or the accumulator, by destination; then checked ones by width of the address.
const fn load_row<O: Load>() -> [Handler; 14] {
    [
        memory::load::<O, SlotA, Acc>,
        memory::load::<O, SlotA, SlotD>,
        memory::load::<O, Acc, Acc>,
        memory::load::<O, Acc, SlotD>,
        load_indexed::<O, SlotA, Acc>,
        load_indexed::<O, SlotA, SlotD>,
        load_indexed::<O, Acc, Acc>,
        load_indexed::<O, Acc, SlotD>,
        load_displaced::<O, SlotA, Acc>,
        load_displaced::<O, SlotA, SlotD>,
        load_displaced::<O, Acc, Acc>,
        load_displaced::<O, Acc, SlotD>,
        memory::load_checked::<O, false>,
        memory::load_checked::<O, true>,
    ]
}

/// Index of the checked stores, and of the checked loads and stores of vectors.
const CHECKED_STORES: usize = 6;
const CHECKED_VECTORS: usize = 2;

/// Guarded stores by address in slot `a` or the accumulator, by [`StoreValue`]; then checked ones by width of the address.
const fn store_row<O: Store>() -> [Handler; 8] {
    [
        store_slot::<O, SlotA>,
        store_acc::<O, SlotA>,
        store_imm::<O, SlotA>,
        store_slot::<O, Acc>,
        store_acc::<O, Acc>,
        store_imm::<O, Acc>,
        memory::store_checked::<O, false>,
        memory::store_checked::<O, true>,
    ]
}

/// Gives the row of an operator.
struct Rows;

impl Visitor for Rows {
    type Result = &'static [Handler];

    fn unary<O: Unary>(self) -> &'static [Handler] {
        const { &unary_row::<O>() }
    }

    fn binary<O: Binary>(self) -> &'static [Handler] {
        const { &binary_row::<O>() }
    }

    fn compare<O: Compare>(self) -> &'static [Handler] {
        const {
            if matches!(O::Operand::TYPE, ValType::I32) {
                &counting_compare_row::<O>()
            } else {
                &compare_row::<O>() as &[Handler]
            }
        }
    }

    fn vector_unary<O: VectorUnary>(self) -> &'static [Handler] {
        const { &[simd::unary::<O> as Handler] }
    }

    fn vector_binary<O: VectorBinary>(self) -> &'static [Handler] {
        const { &[simd::binary::<O> as Handler] }
    }

    fn vector_ternary<O: VectorTernary>(self) -> &'static [Handler] {
        const { &[simd::ternary::<O> as Handler] }
    }

    fn vector_test<O: VectorTest>(self) -> &'static [Handler] {
        const { &[simd::test::<O> as Handler] }
    }

    fn shift<O: Shift>(self) -> &'static [Handler] {
        const { &[simd::shift::<O> as Handler] }
    }

    fn splat<O: Splat>(self) -> &'static [Handler] {
        const { &[simd::splat::<O> as Handler] }
    }

    fn extract_lane<O: ExtractLane>(self) -> &'static [Handler] {
        const { &[simd::extract_lane::<O> as Handler] }
    }

    fn replace_lane<O: ReplaceLane>(self) -> &'static [Handler] {
        const { &[simd::replace_lane::<O> as Handler] }
    }

    fn load<O: Load>(self) -> &'static [Handler] {
        const { &load_row::<O>() }
    }

    fn store<O: Store>(self) -> &'static [Handler] {
        const { &store_row::<O>() }
    }

    fn vector_load<O: VectorLoad>(self) -> &'static [Handler] {
        const {
            &[
                simd_memory::load::<O, SlotA> as Handler,
                simd_memory::load::<O, Acc>,
                simd_memory::load_checked::<O, false>,
                simd_memory::load_checked::<O, true>,
            ]
        }
    }

    fn vector_store<O: VectorStore>(self) -> &'static [Handler] {
        const {
            &[
                simd_memory::store::<SlotA> as Handler,
                simd_memory::store::<Acc>,
                simd_memory::store_checked::<false>,
                simd_memory::store_checked::<true>,
            ]
        }
    }

    fn load_lane<O: LoadLane>(self) -> &'static [Handler] {
        const { &[simd_memory::load_lane::<O, false> as Handler, simd_memory::load_lane::<O, true>] }
    }

    fn store_lane<O: StoreLane>(self) -> &'static [Handler] {
        const { &[simd_memory::store_lane::<O, false> as Handler, simd_memory::store_lane::<O, true>] }
    }
}

fn row(op: Op) -> &'static [Handler] {
    op.visit(Rows)
}

/// Handlers by destination, of which the first is at `index`.
fn pair(op: Op, index: usize) -> [Handler; 2] {
    let row = row(op);
    [row[index], row[index + 1]]
}

/// An operator of one scalar, in slot `a` or the accumulator: its handlers by destination.
pub fn unary_handlers(op: Op, from_acc: bool) -> [Handler; 2] {
    pair(op, 2 * from_acc as usize)
}

/// An operator of two scalars: its handlers by destination.
pub fn binary_handlers(op: Op, form: Form) -> [Handler; 2] {
    pair(op, 2 * form as usize)
}

/// A comparison: its handlers by destination.
pub fn compare_handlers(op: Op, form: Form) -> [Handler; 2] {
    pair(op, 2 * form.compare_index())
}

/// The handler that branches if the comparison gives `wanted`. Branch cells hold their operands in fields `d` and `a` (slot or
/// 16-bit constant) or word 2, and the distance in the upper half.
pub fn branch_handler(op: Op, form: Form, wanted: bool) -> Handler {
    row(op)[BRANCHES + 2 * form.compare_index() + wanted as usize]
}

/// The end of a counting loop with this comparison, if it is one of `i32`s.
pub fn count_and_branch_handler(op: Op, slot: bool, wanted: bool) -> Option<Handler> {
    row(op).get(COUNTS + 2 * slot as usize + wanted as usize).copied()
}

/// A vector operator that accesses no memory: its handler.
pub fn vector_handler(op: Op) -> Handler {
    row(op)[0]
}

/// A guarded load: its handlers by destination; address in slot `a` or the accumulator, offset in `imm`.
pub fn load_handlers(op: Op, address_in_acc: bool) -> [Handler; 2] {
    pair(op, 2 * address_in_acc as usize)
}

/// A guarded load at the sum of slot `a` or the accumulator and slot `b`, by destination.
pub fn load_indexed_handlers(op: Op, from_acc: bool) -> [Handler; 2] {
    pair(op, INDEXED + 2 * from_acc as usize)
}

/// A guarded load at the sum of slot `a` or the accumulator and a constant, by destination.
pub fn load_displaced_handlers(op: Op, from_acc: bool) -> [Handler; 2] {
    pair(op, DISPLACED + 2 * from_acc as usize)
}

/// A checked load: writes slot `d` and the accumulator.
pub fn load_checked_handler(op: Op, is64: bool) -> Handler {
    row(op)[CHECKED_LOADS + is64 as usize]
}

/// A guarded store: address in slot `a` or the accumulator, offset in `imm`.
pub fn store_handler(op: Op, address_in_acc: bool, value: StoreValue) -> Handler {
    row(op)[3 * address_in_acc as usize + value as usize]
}

/// A checked store.
pub fn store_checked_handler(op: Op, is64: bool) -> Handler {
    row(op)[CHECKED_STORES + is64 as usize]
}

/// A guarded load or store of a vector: address in slot `a` or the accumulator, offset in `imm`.
pub fn vector_memory_handler(op: Op, address_in_acc: bool) -> Handler {
    row(op)[address_in_acc as usize]
}

/// A checked load or store of a vector.
pub fn vector_memory_checked_handler(op: Op, is64: bool) -> Handler {
    row(op)[CHECKED_VECTORS + is64 as usize]
}

/// A load or store of one lane, always checked.
pub fn lane_handler(op: Op, is64: bool) -> Handler {
    row(op)[is64 as usize]
}
