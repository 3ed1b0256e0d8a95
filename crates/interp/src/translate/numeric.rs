//! Scalar numeric operators. The places of the operands decide about the form of each instruction.

use wasmr_core::op::{Floats, Op};

use super::Translator;
use super::stack::{Class, Fuse, Kind, Operand, Ty};
use crate::execute::dispatch::Handler;
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Dst, Form, In, Ordered};
use crate::instr::{AddScaled, Binary, BitField, CanonicalNan, CanonicalNans, Compare, GlobalPlus, Unary, handler};

/// Returns the comparison that gives the same result with its operands exchanged.
fn swapped(op: Op) -> Op {
    use Op::*;
    match op {
        I32LtS => I32GtS,
        I32LtU => I32GtU,
        I32GtS => I32LtS,
        I32GtU => I32LtU,
        I32LeS => I32GeS,
        I32LeU => I32GeU,
        I32GeS => I32LeS,
        I32GeU => I32LeU,
        I64LtS => I64GtS,
        I64LtU => I64GtU,
        I64GtS => I64LtS,
        I64GtU => I64LtU,
        I64LeS => I64GeS,
        I64LeU => I64GeU,
        I64GeS => I64LeS,
        I64GeU => I64LeU,
        F32Lt => F32Gt,
        F32Gt => F32Lt,
        F32Le => F32Ge,
        F32Ge => F32Le,
        F64Lt => F64Gt,
        F64Gt => F64Lt,
        F64Le => F64Ge,
        F64Ge => F64Le,
        symmetric => symmetric,
    }
}

/// Returns the comparison that gives the opposite result. Float orderings have none, as comparisons with NaN are false.
fn inverted(op: Op) -> Option<Op> {
    use Op::*;
    Some(match op {
        I32Eq => I32Ne,
        I32Ne => I32Eq,
        I32LtS => I32GeS,
        I32LtU => I32GeU,
        I32GtS => I32LeS,
        I32GtU => I32LeU,
        I32LeS => I32GtS,
        I32LeU => I32GtU,
        I32GeS => I32LtS,
        I32GeU => I32LtU,
        I64Eq => I64Ne,
        I64Ne => I64Eq,
        I64LtS => I64GeS,
        I64LtU => I64GeU,
        I64GtS => I64LeS,
        I64GtU => I64LeU,
        I64LeS => I64GtS,
        I64LeU => I64GtU,
        I64GeS => I64LtS,
        I64GeU => I64LtU,
        F32Eq => F32Ne,
        F32Ne => F32Eq,
        F64Eq => F64Ne,
        F64Ne => F64Eq,
        _ => return None,
    })
}

/// Returns true if the operands may be exchanged.
fn commutes(op: Op) -> bool {
    use Op::*;
    // Float operators are not among them: the NaN that they return may depend on the order.
    matches!(op, I32Add | I32Mul | I32And | I32Or | I32Xor | I64Add | I64Mul | I64And | I64Or | I64Xor)
}

/// Returns the type of the result.
pub(crate) fn result_type(op: Op) -> Ty {
    Ty::of(op.info().result.expect("the operator has a result"))
}

/// Returns the type of the first operand.
pub(crate) fn operand_type(op: Op) -> Ty {
    Ty::of(op.info().operands[0])
}

/// Returns the place of an operand that is no constant, and its slot as a field.
pub(super) fn slot_or_acc(operand: Operand) -> (In, i16) {
    match operand {
        Operand::Slot(slot) => (In::Slot, slot as i16),
        _ => (In::Acc, 0),
    }
}

/// Returns the handlers of an operator of one scalar by destination.
fn unary_handlers(op: Op, at: In) -> [Handler; 2] {
    Dst::BOTH.map(|dst| handler(Unary(op), (at, dst)))
}

impl Translator<'_> {
    /// Translates an operator of two scalars.
    pub(crate) fn binary(&mut self, op: Op) {
        if self.fused_binary(op) {
            return;
        }
        let ty = result_type(op);
        let (form, word1, more) = self.binary_operands(ty, commutes(op));
        let start = self.begin();
        let fuse = fuse_of(op, start, form, word1);
        let handlers = Dst::BOTH.map(|dst| handler(Binary(op), (form, dst)));
        self.emit_result(handlers, word1, more.as_slice(), ty, fuse);
    }

    /// Emits one instruction for the operator and the instruction that made one of its operands, if there is a fused
    /// instruction. Returns true if it did.
    fn fused_binary(&mut self, op: Op) -> bool {
        let top = self.stack.len() - 1;
        let Some(pending) = self.pending.filter(|pending| pending.index + 1 >= top) else { return false };
        let other = match (op, pending.fuse) {
            // The other operand may be on either side, if no instruction is needed to read it.
            (Op::I32Add, Fuse::Shift { left: true, .. } | Fuse::Global { .. }) => top + top - 1 - pending.index,
            (Op::I32Sub, Fuse::Global { .. }) | (Op::I32And, Fuse::Shift { left: false, .. })
                if pending.index == top - 1 =>
            {
                top
            }
            _ => return false,
        };
        let other = match self.stack[other].kind {
            Kind::Local(local) => Operand::Slot(self.locals[local as usize].slot),
            Kind::Const(bits) => Operand::Imm(bits),
            Kind::Temp => Operand::Slot(self.temp_slot(self.stack[other].height)),
        };
        let (handlers, word1, word2, start) = match (pending.fuse, other) {
            (Fuse::Shift { start, operand, amount, left: true }, Operand::Slot(base)) => {
                let (at, index) = slot_or_acc(operand);
                let handlers = Dst::BOTH.map(|dst| handler(AddScaled, (at, dst)));
                (handlers, fields(0, base as i16, index, amount as i16), None, start)
            }
            (Fuse::Shift { start, operand, amount, left: false }, Operand::Imm(mask)) if mask <= u16::MAX as u64 => {
                let (at, a) = slot_or_acc(operand);
                let handlers = Dst::BOTH.map(|dst| handler(BitField, (at, dst)));
                (handlers, fields(0, a, amount as i16, mask as u16 as i16), None, start)
            }
            (Fuse::Global { start, offset }, Operand::Imm(bits)) => {
                let addend = if op == Op::I32Sub { (bits as u32).wrapping_neg() } else { bits as u32 };
                let handlers = Dst::BOTH.map(|dst| handler(GlobalPlus, dst));
                (handlers, fields_imm(0, 0, offset), Some(addend as u64), start)
            }
            _ => return false,
        };
        self.pop();
        self.pop();
        self.code.truncate(start);
        let more = word2.map_or(Extra::None, |word| Extra::Word([word]));
        self.emit_result(handlers, word1, more.as_slice(), Ty::I32, Fuse::None);
        true
    }

    /// Pops two operands. Returns the form of their instruction, its word 1 without a destination, and the word that follows.
    fn binary_operands(&mut self, ty: Ty, commutes: bool) -> (Form, u64, Extra) {
        let b_height = self.stack.last().expect("validated").height;
        let (mut b, _) = self.pop();
        let a_height = self.stack.last().expect("validated").height;
        let (mut a, _) = self.pop();
        if commutes && matches!((a, b), (Operand::Imm(_), Operand::Slot(_) | Operand::Acc)) {
            (a, b) = (b, a);
        }
        // At most one of the two is a constant in the instruction, and only if the form exists.
        if matches!((a, b), (Operand::Imm(_), Operand::Imm(_))) {
            b = Operand::Slot(self.operand_slot(b, ty, b_height) as i32);
        }
        if let Operand::Imm(bits) = a
            && (!fits(bits, ty) || b == Operand::Acc)
        {
            a = Operand::Slot(self.operand_slot(a, ty, a_height) as i32);
        }
        self.prefer_accumulator(&mut a, &mut b, ty.class());
        match (a, b) {
            (Operand::Slot(a), Operand::Slot(b)) => {
                let (a, b) = (self.near(a, 1), self.near(b, 1));
                (Form::SlotSlot, fields(0, a, b, 0), Extra::None)
            }
            (Operand::Slot(a), Operand::Imm(bits)) => {
                let a = self.near(a, 1);
                if fits(bits, ty) {
                    let (imm, more) = immediate(bits, ty);
                    (Form::SlotImm, fields_imm(0, a, imm), more)
                } else {
                    (Form::SlotWide, fields(0, a, 0, 0), Extra::Word([bits]))
                }
            }
            (Operand::Acc, Operand::Slot(b)) => {
                let b = self.near(b, 1);
                (Form::AccSlot, fields(0, 0, b, 0), Extra::None)
            }
            (Operand::Acc, Operand::Imm(bits)) if fits(bits, ty) => {
                let (imm, more) = immediate(bits, ty);
                (Form::AccImm, fields_imm(0, 0, imm), more)
            }
            (Operand::Acc, Operand::Imm(bits)) => (Form::AccWide, 0, Extra::Word([bits])),
            (Operand::Slot(a), Operand::Acc) => {
                let a = self.near(a, 1);
                (Form::SlotAcc, fields(0, a, 0, 0), Extra::None)
            }
            (Operand::Imm(bits), Operand::Slot(b)) => {
                let b = self.near(b, 1);
                let (imm, more) = immediate(bits, ty);
                (Form::ImmSlot, fields_imm(0, b, imm), more)
            }
            (Operand::Acc, Operand::Acc) | (Operand::Imm(_), _) => unreachable!("excluded above"),
        }
    }

    /// Takes one of two operands from the accumulator rather than from the slot that the accumulator mirrors.
    pub(super) fn prefer_accumulator(&self, a: &mut Operand, b: &mut Operand, class: Class) {
        let Some(slot) = self.mirrored(class) else { return };
        if *a == Operand::Acc || *b == Operand::Acc {
            return;
        }
        if *a == Operand::Slot(slot) {
            *a = Operand::Acc;
        } else if *b == Operand::Slot(slot) && matches!(a, Operand::Slot(_)) {
            *b = Operand::Acc;
        }
    }

    /// Returns the operand in the accumulator if that mirrors the operand's slot.
    pub(crate) fn prefer_acc(&self, operand: Operand, class: Class) -> Operand {
        match (operand, self.mirrored(class)) {
            (Operand::Slot(slot), Some(mirrored)) if slot == mirrored => Operand::Acc,
            _ => operand,
        }
    }

    /// Translates a comparison.
    pub(crate) fn compare(&mut self, op: Op) {
        let ty = operand_type(op);
        let b_height = self.stack.last().expect("validated").height;
        let (mut b, _) = self.pop();
        let (mut a, _) = self.pop();
        let mut op = op;
        if matches!((a, b), (Operand::Imm(_), Operand::Imm(_))) {
            b = Operand::Slot(self.operand_slot(b, ty, b_height) as i32);
        }
        self.prefer_accumulator(&mut a, &mut b, ty.class());
        // Constants are on the right, the accumulator on the left.
        if matches!(a, Operand::Imm(_)) || (b == Operand::Acc && matches!(a, Operand::Slot(_))) {
            (a, b) = (b, a);
            op = swapped(op);
        }
        self.compare_operands(op, ty, a, b);
    }

    /// Emits a comparison of operands that have a form.
    fn compare_operands(&mut self, op: Op, ty: Ty, a: Operand, b: Operand) {
        let (form, word1, more) = match (a, b) {
            (Operand::Slot(a), Operand::Slot(b)) => {
                let (a, b) = (self.near(a, 1), self.near(b, 1));
                (Form::SlotSlot, fields(0, a, b, 0), Extra::None)
            }
            (Operand::Slot(a), Operand::Imm(bits)) => {
                let a = self.near(a, 1);
                if fits(bits, ty) {
                    let (imm, more) = immediate(bits, ty);
                    (Form::SlotImm, fields_imm(0, a, imm), more)
                } else {
                    (Form::SlotWide, fields(0, a, 0, 0), Extra::Word([bits]))
                }
            }
            (Operand::Acc, Operand::Slot(b)) => {
                let b = self.near(b, 1);
                (Form::AccSlot, fields(0, 0, b, 0), Extra::None)
            }
            (Operand::Acc, Operand::Imm(bits)) if fits(bits, ty) => {
                let (imm, more) = immediate(bits, ty);
                (Form::AccImm, fields_imm(0, 0, imm), more)
            }
            (Operand::Acc, Operand::Imm(bits)) => (Form::AccWide, 0, Extra::Word([bits])),
            _ => unreachable!("ordered by the caller"),
        };
        let start = self.begin();
        // Branches have no float constants.
        let fuse = if ty.class() == Class::Float && matches!(b, Operand::Imm(_)) {
            Fuse::None
        } else {
            Fuse::Compare { start, op, a, b }
        };
        let handlers = Dst::BOTH.map(|dst| handler(Compare(op), (Ordered(form), dst)));
        self.emit_result(handlers, word1, more.as_slice(), Ty::I32, fuse);
    }

    /// `i32.eqz`, `i64.eqz` and, as the zero word is null, `ref.is_null`.
    pub(crate) fn eqz(&mut self, op: Op) {
        let height = self.stack.last().expect("validated").height;
        let (operand, ty, fuse) = self.pop_fusable();
        match fuse {
            Fuse::Compare { start, op, a, b } => {
                if let Some(inverted) = inverted(op) {
                    let ty = operand_type(op);
                    self.code.truncate(start);
                    self.compare_operands(inverted, ty, a, b);
                    return;
                }
            }
            Fuse::And { start, a, b, wanted } => {
                let fuse = Fuse::And { start, a, b, wanted: !wanted };
                self.emit_result(unary_handlers(op, In::Acc), 0, &[], Ty::I32, fuse);
                return;
            }
            _ => {}
        }
        let operand = match operand {
            Operand::Imm(_) => Operand::Slot(self.operand_slot(operand, ty, height) as i32),
            other => self.prefer_acc(other, Class::Int),
        };
        let start = self.begin();
        let fuse = Fuse::Eqz { start, operand, is64: op == Op::I64Eqz };
        let (at, word1) = self.unary_operand(operand, ty);
        self.emit_result(unary_handlers(op, at), word1, &[], Ty::I32, fuse);
    }

    /// Returns the place of an operand of type `ty` that is no constant, and word 1 with its slot as field `a`.
    pub(super) fn unary_operand(&mut self, operand: Operand, ty: Ty) -> (In, u64) {
        match operand {
            Operand::Acc => (In::Acc, 0),
            Operand::Slot(slot) => {
                let a = self.near(slot, ty.slots());
                (In::Slot, fields(0, a, 0, 0))
            }
            Operand::Imm(_) => unreachable!("constants were put into a slot"),
        }
    }

    /// Makes NaNs in the result of the latest operator canonical.
    pub(crate) fn canonical_nan(&mut self, floats: Floats) {
        let is_64 = matches!(floats, Floats::F64 | Floats::F64x2);
        let (operand, ty) = self.pop();
        let operand = self.prefer_acc(operand, ty.class());
        let (at, word1) = self.unary_operand(operand, ty);
        let handlers = Dst::BOTH.map(|dst| match floats {
            Floats::F32 | Floats::F64 => handler(CanonicalNan, (is_64, at, dst)),
            Floats::F32x4 | Floats::F64x2 => handler(CanonicalNans, (is_64, at, dst)),
        });
        self.emit_result(handlers, word1, &[], ty, Fuse::None);
    }

    /// Translates an operator of one scalar.
    pub(crate) fn unary(&mut self, op: Op) {
        let (at, word1) = self.pop_unary();
        self.emit_result(unary_handlers(op, at), word1, &[], result_type(op), Fuse::None);
    }

    /// Pops an operand. Returns its place, and word 1 with its slot as field `a`.
    pub(super) fn pop_unary(&mut self) -> (In, u64) {
        let height = self.stack.last().expect("validated").height;
        let (operand, ty) = self.pop();
        let operand = match operand {
            Operand::Imm(_) => Operand::Slot(self.operand_slot(operand, ty, height) as i32),
            other => self.prefer_acc(other, ty.class()),
        };
        self.unary_operand(operand, ty)
    }
}

/// Words after word 1 of an instruction with a constant.
#[derive(Clone, Copy)]
enum Extra {
    None,
    Word([u64; 1]),
}

impl Extra {
    fn as_slice(&self) -> &[u64] {
        match self {
            Extra::None => &[],
            Extra::Word(word) => word,
        }
    }
}

/// Returns true if `imm` or, for an `f64`, word 2 can hold the constant.
fn fits(bits: u64, ty: Ty) -> bool {
    ty != Ty::I64 || bits as i32 as i64 as u64 == bits
}

/// Returns the constant's part in word 1 and the words that follow.
fn immediate(bits: u64, ty: Ty) -> (u32, Extra) {
    if ty == Ty::F64 { (0, Extra::Word([bits])) } else { (bits as u32, Extra::None) }
}

/// Returns the description by which the next operator can absorb this instruction.
fn fuse_of(op: Op, start: usize, form: Form, word1: u64) -> Fuse {
    let a = Operand::Slot((word1 >> 16) as i16 as i32);
    let b = Operand::Slot((word1 >> 32) as i16 as i32);
    let imm = Operand::Imm(word1 >> 32);
    let (a, b) = match form {
        Form::SlotSlot => (a, b),
        Form::SlotImm => (a, imm),
        Form::AccSlot => (Operand::Acc, b),
        Form::AccImm => (Operand::Acc, imm),
        // The operands are exchanged: all operators below that can have this form commute.
        Form::SlotAcc => (Operand::Acc, a),
        Form::ImmSlot | Form::SlotWide | Form::AccWide => return Fuse::None,
    };
    match (op, b) {
        (Op::I32And, _) => Fuse::And { start, a, b, wanted: true },
        (Op::I32Add, _) => Fuse::Add { start, a, b },
        (Op::I32Sub, Operand::Imm(bits)) => {
            Fuse::Add { start, a, b: Operand::Imm((bits as u32).wrapping_neg() as u64) }
        }
        (Op::I32Shl, Operand::Imm(bits)) => Fuse::Shift { start, operand: a, amount: bits as u32 % 32, left: true },
        (Op::I32ShrU, Operand::Imm(bits)) => Fuse::Shift { start, operand: a, amount: bits as u32 % 32, left: false },
        _ => Fuse::None,
    }
}
