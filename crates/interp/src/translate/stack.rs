//! The symbolic operand stack: the translator's knowledge of each operand, and the operand's place.
//!
//! An operand is a local that was pushed and is not needed yet, a constant, or a *temp*, a value in its canonical slot. The
//! canonical slot depends on the operand's height alone. So all paths to a label agree without moves.
//!
//! The latest result may be *pending*: it is in its accumulator only, and the instruction that made it can still be changed to
//! store it to a slot as well. That slot is the canonical one, or the slot of the local or function result that the value is
//! assigned to. Before an instruction is emitted, what is pending is *settled* (stored to its canonical slot), unless the
//! instruction consumes it.
//!
//! `acc` and `facc` *mirror* a slot while they hold the value that was last written to it. `facc` holds a float or a vector; the
//! translator knows which.

use wasmr_core::op::Op;
use wasmr_core::types::ValType;

use super::Translator;
use crate::execute::dispatch::{Handler, handler_word};
use crate::instr::field::{fields, fields_imm};
use crate::instr::{Constant, ConstantV128, ConstantWide, CopyFar, CopyPair, CopySlot, CopyTwo, CopyV128, handler};

/// Type of an operand, as far as translation needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `v128`: two slots.
    V128,
    /// Any reference.
    Ref,
}

impl Ty {
    /// Returns the type of an operand of this value type.
    pub(crate) fn of(ty: ValType) -> Ty {
        match ty {
            ValType::I32 => Ty::I32,
            ValType::I64 => Ty::I64,
            ValType::F32 => Ty::F32,
            ValType::F64 => Ty::F64,
            ValType::V128 => Ty::V128,
            ValType::Ref(_) => Ty::Ref,
        }
    }

    /// Returns the number of slots of a value.
    pub(crate) fn slots(self) -> u32 {
        if self == Ty::V128 { 2 } else { 1 }
    }

    /// Returns the accumulator of a value.
    pub(crate) fn class(self) -> Class {
        match self {
            Ty::I32 | Ty::I64 | Ty::Ref => Class::Int,
            Ty::F32 | Ty::F64 => Class::Float,
            Ty::V128 => Class::Vector,
        }
    }
}

/// Accumulator of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `acc`.
    Int,
    /// The low lane of `facc`.
    Float,
    /// `facc`.
    Vector,
}

/// Knowledge about an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Current value of a local.
    Local(u32),
    /// Constant, in slot form. Of a vector: its index in the translator's `vectors`.
    Const(u64),
    /// Value in its canonical slot, or pending.
    Temp,
}

/// An operand on the symbolic stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    /// Knowledge about the operand.
    pub(crate) kind: Kind,
    pub(crate) ty: Ty,
    /// Slots below the operand on the operand stack.
    pub(crate) height: u32,
}

/// Place of a popped operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// Slot of the frame.
    Slot(i32),
    /// Accumulator of the operand's class. No slot need have the value.
    Acc,
    /// Constant, in the form of [`Kind::Const`].
    Imm(u64),
}

/// Pending instruction that the next operator may absorb. `start` is the first word to drop if it does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fuse {
    /// No such instruction.
    None,
    /// Comparison.
    Compare {
        start: usize,
        op: Op,
        /// Left operand.
        a: Operand,
        /// Right operand.
        b: Operand,
    },
    /// Test of an operand for zero.
    Eqz {
        start: usize,
        operand: Operand,
        /// True if all 64 bits count.
        is64: bool,
    },
    /// `i32.add`.
    Add {
        start: usize,
        /// Left operand: a slot or the accumulator.
        a: Operand,
        /// Right operand: a slot or a constant.
        b: Operand,
    },
    /// `i32.shl` or, if not `left`, `i32.shr_u` by a constant.
    Shift {
        start: usize,
        /// Operand: a slot or the accumulator.
        operand: Operand,
        /// Number of bits.
        amount: u32,
        /// True if to the left.
        left: bool,
    },
    /// `i32` global of this module.
    Global {
        start: usize,
        /// Offset in the instance.
        offset: u32,
    },
    /// `i32.and`, for a branch on its result.
    And {
        start: usize,
        /// Left operand.
        a: Operand,
        /// Right operand.
        b: Operand,
        /// False if the value is true for a result of zero.
        wanted: bool,
    },
}

/// The latest result, while its instruction is the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// First word of the instruction.
    pub(crate) start: usize,
    /// Handler that stores to slot `d` as well; `None` if the instruction does so already.
    pub(crate) storing: Option<Handler>,
    /// Index of the value on the symbolic stack.
    pub(crate) index: usize,
    /// Class of the value.
    pub(crate) class: Class,
    /// Instruction that the next operator may absorb.
    pub(crate) fuse: Fuse,
}

/// Instruction that adds a constant to a slot and stores the sum to a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// First word of the instruction.
    pub(crate) start: usize,
    /// Slot of the sum.
    pub(crate) d: i16,
    /// Slot of the operand.
    pub(crate) a: i16,
    /// Constant.
    pub(crate) addend: i32,
}

/// Scratch slot of a result whose own slot is too far for field `d`. It may take two.
const SCRATCH_RESULT: i32 = 6;
/// Number of scratch slots at the start of the frame of a function that may have slots too far for fields.
pub(crate) const SCRATCH_SLOTS: u32 = 8;

/// Returns true if a slot number fits a field.
pub(crate) fn is_near(slot: i32) -> bool {
    i16::try_from(slot).is_ok()
}

impl Translator<'_> {
    /// Returns the canonical slot of an operand at `height`.
    pub(crate) fn temp_slot(&self, height: u32) -> i32 {
        self.temp_base + height as i32
    }

    /// Pushes an operand without emitting an instruction.
    pub(crate) fn push(&mut self, kind: Kind, ty: Ty) {
        let index = self.stack.len();
        self.stack.push(Value { kind, ty, height: self.height });
        self.height += ty.slots();
        self.max_height = self.max_height.max(self.height);
        match kind {
            Kind::Local(_) => {
                self.local_values.push(index);
                // Bounds the search of one `local.set`.
                if self.local_values.len() > 64 {
                    self.flush_locals();
                }
            }
            Kind::Const(_) => self.const_values.push(index),
            Kind::Temp => {}
        }
    }

    /// Notes that the operand at `index` is not of this kind any more.
    pub(crate) fn forget(&mut self, kind: Kind, index: usize) {
        let indices = match kind {
            Kind::Local(_) => &mut self.local_values,
            Kind::Const(_) => &mut self.const_values,
            Kind::Temp => return,
        };
        let place = indices.binary_search(&index).expect("it was noted when it became one");
        indices.remove(place);
    }

    /// Settles what is pending. Returns the word of the next instruction.
    pub(crate) fn begin(&mut self) -> usize {
        self.settle();
        self.code.len()
    }

    /// Emits an instruction without a result. Returns its first word.
    pub(crate) fn emit(&mut self, handler: Handler, words: &[u64]) -> usize {
        let start = self.begin();
        self.code.push(handler_word(handler));
        self.code.extend_from_slice(words);
        self.scratch_used = 0;
        start
    }

    /// Emits an instruction whose result goes to the accumulator and, once settled, to slot `d`. Pushes the result. Field `d`
    /// of `word1` is zero.
    pub(crate) fn emit_result(&mut self, handlers: [Handler; 2], word1: u64, more: &[u64], ty: Ty, fuse: Fuse) {
        let start = self.emit(handlers[0], &[word1]);
        self.code.extend_from_slice(more);
        let class = ty.class();
        self.clobber(class);
        let fuse = if self.far { Fuse::None } else { fuse };
        self.pending = Some(Pending { start, storing: Some(handlers[1]), index: self.stack.len(), class, fuse });
        self.push(Kind::Temp, ty);
    }

    /// Emits an instruction that stores its result to slot `d` at once, and may change the accumulators. Pushes the result.
    /// Field `d` of `word1` is zero.
    pub(crate) fn emit_slot_result(&mut self, handler: Handler, word1: u64, more: &[u64], ty: Ty) {
        let slot = self.temp_slot(self.height);
        let near = if is_near(slot) { slot } else { SCRATCH_RESULT };
        let start = self.emit(handler, &[word1 | near as u16 as u64]);
        self.code.extend_from_slice(more);
        self.clobber_all();
        if near != slot {
            self.code_copy_far(near, slot, ty.slots());
        } else {
            let index = self.stack.len();
            self.pending = Some(Pending { start, storing: None, index, class: ty.class(), fuse: Fuse::None });
        }
        self.push(Kind::Temp, ty);
    }

    /// Stores what is pending to its canonical slot.
    pub(crate) fn settle(&mut self) {
        if let Some(pending) = self.pending {
            let value = self.stack[pending.index];
            self.settle_to(self.temp_slot(value.height), value.ty);
        }
    }

    /// Stores what is pending to `slot`.
    pub(crate) fn settle_to(&mut self, slot: i32, ty: Ty) {
        let Some(pending) = self.pending.take() else { return };
        if let Fuse::Add { start, a: Operand::Slot(a), b: Operand::Imm(addend) } = pending.fuse
            && is_near(slot)
        {
            self.last_count = Some(Count { start, d: slot as i16, a: a as i16, addend: addend as i32 });
        }
        let near = if is_near(slot) { slot } else { SCRATCH_RESULT };
        if let Some(storing) = pending.storing {
            self.code[pending.start] = handler_word(storing);
        }
        let word1 = &mut self.code[pending.start + 1];
        *word1 = (*word1 & !0xffff) | near as u16 as u64;
        self.wrote(slot);
        self.wrote(slot + ty.slots() as i32 - 1);
        if near != slot {
            self.code_copy_far(near, slot, ty.slots());
        }
        if pending.storing.is_some() {
            self.mirror(pending.class, slot);
        }
    }

    /// Notes that the accumulator of a class has the value in `slot`.
    pub(crate) fn mirror(&mut self, class: Class, slot: i32) {
        self.clobber(class);
        match class {
            Class::Int => self.acc = Some(slot),
            Class::Float => self.facc = Some(slot),
            Class::Vector => self.facc_vector = Some(slot),
        }
    }

    /// Returns the slot whose value of a class the accumulator has.
    pub(crate) fn mirrored(&self, class: Class) -> Option<i32> {
        match class {
            Class::Int => self.acc,
            Class::Float => self.facc,
            Class::Vector => self.facc_vector,
        }
    }

    /// Notes that `slot` has a new value that no accumulator mirrors.
    pub(crate) fn wrote(&mut self, slot: i32) {
        if self.acc == Some(slot) {
            self.acc = None;
        }
        if self.facc == Some(slot) {
            self.facc = None;
        }
        // A vector has a second slot.
        if self.facc_vector == Some(slot) || self.facc_vector == Some(slot - 1) {
            self.facc_vector = None;
        }
    }

    /// Notes that the accumulator of a class has a new value.
    pub(crate) fn clobber(&mut self, class: Class) {
        match class {
            Class::Int => self.acc = None,
            Class::Float | Class::Vector => (self.facc, self.facc_vector) = (None, None),
        }
    }

    /// Notes that both accumulators may have new values.
    pub(crate) fn clobber_all(&mut self) {
        self.clobber(Class::Int);
        self.clobber(Class::Float);
    }

    /// Pops an operand from any place. If it was pending, the caller must consume it in the next instruction that it emits.
    /// Copies and constants may come before, as they leave the accumulators alone.
    pub(crate) fn pop(&mut self) -> (Operand, Ty) {
        let (operand, ty, _) = self.pop_fusable();
        (operand, ty)
    }

    /// Pops an operand. Returns with it the instruction that made it, if the next operator may absorb that.
    pub(crate) fn pop_fusable(&mut self) -> (Operand, Ty, Fuse) {
        let value = self.stack.pop().expect("validated");
        self.height = value.height;
        self.forget(value.kind, self.stack.len());
        let mut fuse = Fuse::None;
        let operand = match value.kind {
            Kind::Local(index) => Operand::Slot(self.locals[index as usize].slot),
            Kind::Const(bits) => Operand::Imm(bits),
            Kind::Temp => match self.pending {
                Some(pending) if pending.index == self.stack.len() => {
                    self.pending = None;
                    if pending.storing.is_some() {
                        fuse = pending.fuse;
                        Operand::Acc
                    } else {
                        Operand::Slot(self.temp_slot(value.height))
                    }
                }
                _ => Operand::Slot(self.temp_slot(value.height)),
            },
        };
        (operand, value.ty, fuse)
    }

    /// Pops an operand into a slot that a field can name.
    pub(crate) fn pop_slot(&mut self) -> i16 {
        let index = self.stack.len() - 1;
        if self.pending.is_some_and(|pending| pending.index == index) {
            self.settle();
        }
        let height = self.stack[index].height;
        let (operand, ty) = self.pop();
        self.operand_slot(operand, ty, height)
    }

    /// Returns a near slot that holds `operand`, which is not in an accumulator and was at `height`.
    pub(crate) fn operand_slot(&mut self, operand: Operand, ty: Ty, height: u32) -> i16 {
        match operand {
            Operand::Slot(slot) => self.near(slot, ty.slots()),
            Operand::Imm(bits) => {
                let slot = self.temp_slot(height);
                self.emit_constant(slot, bits, ty);
                self.near(slot, ty.slots())
            }
            Operand::Acc => unreachable!("an operand in an accumulator has no slot"),
        }
    }

    /// Returns a slot that a field can name and that has the content of `slot`: `slot` itself, or a scratch slot with a copy of
    /// it.
    pub(crate) fn near(&mut self, slot: i32, slots: u32) -> i16 {
        if let Ok(near) = i16::try_from(slot) {
            return near;
        }
        let scratch = self.scratch_used as i32;
        self.begin();
        self.code_copy_far(slot, scratch, slots);
        self.scratch_used += slots;
        scratch as i16
    }

    /// Emits a copy between any two slots. Does not settle what is pending.
    pub(crate) fn code_copy_far(&mut self, from: i32, to: i32, slots: u32) {
        self.code.extend([handler_word(handler(CopyFar, ())), from as i64 as u64, to as i64 as u64, slots as u64]);
        self.wrote(to);
        self.wrote(to + slots as i32 - 1);
    }

    /// Emits a copy. The accumulators stay.
    pub(crate) fn emit_copy(&mut self, from: i32, to: i32, ty: Ty) {
        self.begin();
        if !is_near(from) || !is_near(to) {
            self.code_copy_far(from, to, ty.slots());
            return;
        }
        if ty == Ty::V128 {
            self.code.extend([handler_word(handler(CopyV128, ())), fields(to as i16, from as i16, 0, 0)]);
        } else if let Some(start) = self.last_copy.take()
            && start + 2 == self.code.len()
            && start >= self.barrier
        {
            self.code[start] = handler_word(handler(CopyTwo, ()));
            self.code[start + 1] |= fields(0, 0, to as i16, from as i16);
        } else {
            self.last_copy = Some(self.code.len());
            self.code.extend([handler_word(handler(CopySlot, ())), fields(to as i16, from as i16, 0, 0)]);
        }
        self.wrote(to);
        self.wrote(to + ty.slots() as i32 - 1);
    }

    /// Emits a constant into a slot. The accumulators stay.
    pub(crate) fn emit_constant(&mut self, slot: i32, bits: u64, ty: Ty) {
        self.begin();
        let near = if is_near(slot) { slot } else { SCRATCH_RESULT } as i16;
        if ty == Ty::V128 {
            let [low, high] = self.vectors[bits as usize];
            self.code.extend([handler_word(handler(ConstantV128, ())), fields(near, 0, 0, 0), low, high]);
            self.wrote(slot + 1);
        } else if bits <= u32::MAX as u64 {
            self.code.extend([handler_word(handler(Constant, ())), fields_imm(near, 0, bits as u32)]);
        } else {
            self.code.extend([handler_word(handler(ConstantWide, ())), fields(near, 0, 0, 0), bits]);
        }
        self.wrote(slot);
        if near as i32 != slot {
            self.code_copy_far(near as i32, slot, ty.slots());
        }
    }

    /// Puts the operand at `index` of the stack into its canonical slot.
    pub(crate) fn flush(&mut self, index: usize) {
        let value = self.stack[index];
        let slot = self.temp_slot(value.height);
        match value.kind {
            Kind::Local(local) => self.emit_copy(self.locals[local as usize].slot, slot, value.ty),
            Kind::Const(bits) => self.emit_constant(slot, bits, value.ty),
            Kind::Temp => {
                if self.pending.is_some_and(|pending| pending.index == index) {
                    self.settle();
                }
            }
        }
        self.forget(value.kind, index);
        self.stack[index].kind = Kind::Temp;
    }

    /// Puts the top `count` operands into their canonical slots.
    pub(crate) fn flush_top(&mut self, count: usize) {
        let mut index = self.stack.len() - count;
        while index < self.stack.len() {
            index += if self.flush_pair(index) { 2 } else { 1 };
        }
        self.settle();
    }

    /// Puts two neighbouring locals into their canonical slots with one instruction, or else the operand at `index`. Returns
    /// true if it was two.
    fn flush_pair(&mut self, index: usize) -> bool {
        if let [first, second] = self.stack[index..self.stack.len().min(index + 2)]
            && let (Kind::Local(a), Kind::Local(b)) = (first.kind, second.kind)
            && first.ty != Ty::V128
            && second.ty != Ty::V128
        {
            let (a, b) = (self.locals[a as usize].slot, self.locals[b as usize].slot);
            let d = self.temp_slot(first.height);
            if is_near(a) && is_near(b) && is_near(d + 1) {
                self.begin();
                self.code.extend([handler_word(handler(CopyPair, ())), fields(d as i16, a as i16, b as i16, 0)]);
                self.wrote(d);
                self.wrote(d + 1);
                self.forget(first.kind, index);
                self.forget(second.kind, index + 1);
                self.stack[index].kind = Kind::Temp;
                self.stack[index + 1].kind = Kind::Temp;
                return true;
            }
        }
        self.flush(index);
        false
    }

    /// Puts all locals on the stack into their canonical slots.
    pub(crate) fn flush_locals(&mut self) {
        while let Some(&index) = self.local_values.first() {
            self.flush(index);
        }
    }

    /// Stores all constants on the stack to their canonical slots, for OSR. On the symbolic stack they stay constants, because
    /// paths around this place do not store the constants below the block.
    pub(crate) fn store_constants(&mut self) {
        let stored = self.labels.last().map_or(0, |label| label.stored);
        for place in self.const_values.partition_point(|&index| index < stored)..self.const_values.len() {
            let value = self.stack[self.const_values[place]];
            let Kind::Const(bits) = value.kind else { unreachable!("it is noted as one") };
            self.emit_constant(self.temp_slot(value.height), bits, value.ty);
        }
    }

    /// Puts the pushed values of local `index` into their canonical slots, before it changes.
    pub(crate) fn preserve(&mut self, local: u32) {
        let mut place = 0;
        while let Some(&index) = self.local_values.get(place) {
            if self.stack[index].kind == Kind::Local(local) {
                self.flush(index);
            } else {
                place += 1;
            }
        }
    }
}
