//! Vector operators, and vectors in registers. `vector_rows` has the machine instructions of most operators.
//!
//! Frames do not align vectors, and the machine instructions of SSE want an operand in memory aligned. So operands are in
//! registers, or constants of the code.

use super::assemble::{Alu, Mem, RAX, RCX, Rm, condition};
use super::function::{Compiler, Value, slot_mem};
use super::plain_loop::LoadKind;
use super::sse::*;
use super::state::{Holder, XMM};
use super::vector_rows::{Lane, Order, Outcome, Place, Program, Shift, ShiftKind, Step, Vector};
use wasmr_runtime::vm::VmGlobal;

/// Scratch registers of programs.
pub(super) const T: u8 = 14;
pub(super) const U: u8 = 15;

/// The places of a program in a function's code.
#[derive(Clone, Copy, Debug)]
struct Places {
    x: u8,
    y: Operand,
    z: u8,
}

/// An operand that may be a constant of the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Register(u8),
    Constant(u64, u64),
}

impl Compiler<'_> {
    pub(crate) fn vector_instruction(&mut self, code: Vector) {
        match code {
            Vector::Unary(program) => self.vector_unary(program),
            Vector::Binary(program) => self.vector_binary(program),
            Vector::Ternary(program) => self.vector_ternary(program),
            Vector::Test(program, outcome) => self.vector_test(program, outcome),
            Vector::Shift(shift) => self.shift_lanes(shift),
            Vector::Splat(lane) => self.splat(lane),
            Vector::ExtractLane(lane, signed) => self.extract_lane(lane, signed),
            Vector::ReplaceLane(lane) => self.replace_lane(lane),
            Vector::ShuffleBytes => self.shuffle_bytes(),
            Vector::PermuteBytes => self.permute_bytes(),
            Vector::Load(code, form) => self.vector_load(code, form),
            Vector::LoadChecked(code, is_64) => self.vector_load_checked(code, is_64),
            Vector::Store => self.vector_store(),
            Vector::StoreChecked(is_64) => self.vector_store_checked(is_64),
            Vector::LoadLane(lane) => self.load_lane(lane),
            Vector::StoreLane(lane) => self.store_lane(lane),
            Vector::Copy => self.copy_v128(),
            Vector::Constant => self.constant_v128(),
            Vector::GlobalGet { is_imported } => self.global_get_v128(is_imported),
            Vector::GlobalSet { is_imported } => self.global_set_v128(is_imported),
            Vector::Select => self.select_v128(),
        }
    }

    // Vectors in registers.

    /// Returns the register that holds a vector.
    fn v128_holder(&self, value: Value) -> Option<Holder> {
        match value {
            Value::Slot(slot) => self.state.v128_holder(slot),
            Value::FloatAcc => Some(self.state.facc()),
            Value::Acc | Value::Constant(_) => None,
        }
    }

    /// Stores what registers hold of the two slots of a vector, which is not in a register as a whole.
    fn settle(&mut self, slot: i32) {
        for slot in [slot, slot + 1] {
            let Some(holder) = self.state.holder(slot) else { continue };
            for held in self.state.slots(holder).filter(|held| held.slot == slot && held.is_dirty) {
                self.store_held(false, holder, held);
                self.state.clean(holder, slot);
            }
        }
    }

    /// Returns true if both slots of a vector are known to be 0.
    fn is_zero(&self, slot: i32) -> bool {
        [slot, slot + 1]
            .into_iter()
            .all(|slot| self.state.holder(slot).is_some_and(|holder| self.state.constant(holder) == Some(0)))
    }

    /// Moves a vector that is in no register into a new one.
    fn load_v128(&mut self, value: Value) -> u8 {
        let register = self.new_vector();
        if let Value::Slot(slot) = value {
            if self.is_zero(slot) {
                self.asm.op(PXOR, false, register, Rm::Reg(register));
            } else {
                self.settle(slot);
                self.asm.op(MOVUPS, false, register, Rm::Mem(slot_mem(slot)));
            }
        }
        register
    }

    /// Returns a register with a vector, which must not be changed.
    pub(crate) fn v128(&mut self, value: Value) -> u8 {
        if let Some(holder) = self.v128_holder(value) {
            self.state.lock(holder);
            return holder - XMM;
        }
        if let Value::Slot(slot) = value
            && [slot, slot + 1].into_iter().all(|slot| self.state.holder(slot).is_none())
            && let Some(holder) = self.at_head(slot, LoadKind::V128)
        {
            self.state.bind_v128(holder, slot, false);
            return holder - XMM;
        }
        let register = self.load_v128(value);
        if let Value::Slot(slot) = value {
            let is_dirty = [slot, slot + 1].into_iter().any(|slot| self.state.is_dirty(slot));
            self.state.bind_v128(register + XMM, slot, is_dirty);
        }
        register
    }

    /// Returns a register for a result, with a vector in it. It is none of `others`.
    pub(crate) fn v128_in_place(&mut self, value: Value, others: &[u8]) -> u8 {
        let is_local =
            matches!(value, Value::Slot(slot) if slot < self.operand_slots && !self.gone.contains(&Some(slot)));
        if is_local || self.can_be_at_head(value, true) {
            self.v128(value);
        }
        let Some(from) = self.v128_holder(value) else { return self.load_v128(value) };
        self.state.lock(from);
        let from = from - XMM;
        if !others.contains(&from) && self.vector_after(from) == from {
            return from;
        }
        let register = self.new_vector();
        self.asm.op(MOVAPS, false, register, Rm::Reg(from));
        register
    }

    /// Ends the current instruction with a vector as result.
    pub(crate) fn finish_v128(&mut self, register: u8) {
        let holder = register + XMM;
        self.use_up();
        self.state.drop_slots(holder);
        let slot = self.result_slot();
        if let Some(slot) = slot {
            self.write_v128(slot, holder);
        }
        self.state.set_accumulator(holder, slot);
    }

    /// Gives two slots the value of a register.
    pub(crate) fn write_v128(&mut self, slot: i32, holder: Holder) {
        if !self.state.bind_v128(holder, slot, true) {
            self.asm.op(MOVUPS_TO, false, holder - XMM, Rm::Mem(slot_mem(slot)));
        }
    }

    // Programs.

    fn register_of(places: Places, place: Place) -> u8 {
        match (place, places.y) {
            (Place::X, _) => places.x,
            (Place::Y, Operand::Register(y)) => y,
            (Place::Z, _) => places.z,
            (Place::T, _) => T,
            _ => U,
        }
    }

    /// Returns an operand of a machine instruction, which must be appended next.
    fn rm_of(&mut self, places: Places, place: Place) -> Rm {
        match (place, places.y) {
            (Place::Constant(low, high), _) | (Place::Y, Operand::Constant(low, high)) => self.v128_constant(low, high),
            _ => Rm::Reg(Compiler::register_of(places, place)),
        }
    }

    /// Returns a constant of the code as operand of the machine instruction that is appended next.
    fn v128_constant(&mut self, low: u64, high: u64) -> Rm {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low.to_le_bytes());
        bytes[8..].copy_from_slice(&high.to_le_bytes());
        self.constant = Some(self.add_constant(&bytes));
        Rm::Constant
    }

    fn run(&mut self, program: Program, places: Places) {
        for &step in program.steps {
            match step {
                Step::Plain(opcode, to, from) => {
                    let (to, from) = (Compiler::register_of(places, to), self.rm_of(places, from));
                    if opcode != MOVAPS || from != Rm::Reg(to) {
                        self.op(opcode, false, to, from);
                    }
                }
                Step::WithByte(opcode, to, from, byte) => {
                    let (to, from) = (Compiler::register_of(places, to), self.rm_of(places, from));
                    self.op_imm8(opcode, false, to, from, byte);
                }
                Step::Shift(shift, to, count) => self.shift_by(shift, Compiler::register_of(places, to), count),
            }
        }
    }

    fn shift_by(&mut self, (opcode, digit): ShiftByte, register: u8, count: u8) {
        self.asm.op_imm8(opcode, false, digit, Rm::Reg(register), count);
    }

    fn vector_unary(&mut self, program: Program) {
        let operand = self.place(0);
        let y = self.v128(operand);
        let x = self.vector_after(y);
        self.run(program, Places { x, y: Operand::Register(y), z: 0 });
        self.finish_v128(x);
    }

    fn vector_binary(&mut self, program: Program) {
        let (x, y) = (self.place(0), self.place(1));
        if let Value::Constant(low) = y {
            let y = Operand::Constant(low as u64, self.field(2) as u64);
            return self.binary_with_constant(program, x, y);
        }
        let is_last = |compiler: &Compiler<'_>, value| {
            compiler
                .v128_holder(value)
                .is_some_and(|holder| compiler.state.is_last_use(holder, &compiler.gone, Some(compiler.state.facc())))
        };
        let exchange = match program.order {
            Order::Exchanged => true,
            Order::Any => !is_last(self, x) && is_last(self, y),
            Order::Alone | Order::Given => false,
        };
        let (x, y) = if exchange { (y, x) } else { (x, y) };
        let y = self.v128(y);
        // A single machine instruction reads both operands before it writes.
        let others: &[u8] = if program.steps.len() > 1 { &[y] } else { &[] };
        let x = self.v128_in_place(x, others);
        self.run(program, Places { x, y: Operand::Register(y), z: 0 });
        self.finish_v128(x);
    }

    fn binary_with_constant(&mut self, program: Program, operand: Value, constant: Operand) {
        let places = if program.order == Order::Exchanged {
            let y = self.v128(operand);
            let x = self.new_vector();
            let Operand::Constant(low, high) = constant else { return };
            self.load_constant(x, low, high);
            Places { x, y: Operand::Register(y), z: 0 }
        } else {
            Places { x: self.v128_in_place(operand, &[]), y: constant, z: 0 }
        };
        self.run(program, places);
        self.finish_v128(places.x);
    }

    fn vector_ternary(&mut self, program: Program) {
        let [x, y, z] = [0, 1, 2].map(|index| self.place(index));
        let (y, z) = (self.v128(y), self.v128(z));
        let x = self.v128_in_place(x, &[y, z]);
        self.run(program, Places { x, y: Operand::Register(y), z });
        self.finish_v128(x);
    }

    fn vector_test(&mut self, program: Program, outcome: Outcome) {
        let operand = self.place(0);
        let y = self.v128(operand);
        let result = self.new_general();
        let places = Places { x: y, y: Operand::Register(y), z: 0 };
        self.run(program, places);
        match outcome {
            Outcome::Condition(condition) => self.asm.set(condition, result),
            Outcome::Signs(opcode, place) => {
                self.asm.op(opcode, false, result, Rm::Reg(Compiler::register_of(places, place)));
            }
        }
        self.finish_general(result, true);
    }

    // Shifts.

    fn shift_lanes(&mut self, shift: Shift) {
        let (vector, count) = (self.place(0), self.operand(1));
        let x = self.v128_in_place(vector, &[]);
        match count {
            Value::Constant(count) => self.shift_by_constant(shift, x, count as u8 & (shift.bits - 1)),
            _ => {
                let count = self.general(count, false);
                self.asm.mov(false, RAX, Rm::Reg(count));
                self.asm.alu_imm(Alu::And, false, Rm::Reg(RAX), i32::from(shift.bits) - 1);
                self.shift_by_register(shift, x);
            }
        }
        self.finish_v128(x);
    }

    fn shift_by_constant(&mut self, shift: Shift, x: u8, count: u8) {
        let masked = |mask: u8| u64::from_ne_bytes([mask; 8]);
        match shift.kind {
            _ if count == 0 => {}
            ShiftKind::Direct => self.shift_by(shift.by_constant, x, count),
            ShiftKind::BytesLeft => {
                self.shift_by(shift.by_constant, x, count);
                let mask = self.v128_constant(masked(0xff << count), masked(0xff << count));
                self.op(PAND, false, x, mask);
            }
            ShiftKind::BytesRight { signed: false } => {
                self.shift_by(shift.by_constant, x, count);
                let mask = self.v128_constant(masked(0xff >> count), masked(0xff >> count));
                self.op(PAND, false, x, mask);
            }
            ShiftKind::BytesRight { signed: true } => {
                self.asm.op(PUNPCKHBW, false, T, Rm::Reg(x));
                self.asm.op(PUNPCKLBW, false, x, Rm::Reg(x));
                self.shift_by(shift.by_constant, T, 8 + count);
                self.shift_by(shift.by_constant, x, 8 + count);
                self.asm.op(PACKSSWB, false, x, Rm::Reg(T));
            }
            ShiftKind::SignedLong => {
                self.shift_by(shift.by_constant, x, count);
                let sign = 1u64 << (63 - count);
                self.load_constant(T, sign, sign);
                self.asm.op(PXOR, false, x, Rm::Reg(T));
                self.asm.op(PSUBQ, false, x, Rm::Reg(T));
            }
        }
    }

    /// Shifts by the count in `rax`.
    fn shift_by_register(&mut self, shift: Shift, x: u8) {
        let opcode = shift.opcode;
        match shift.kind {
            ShiftKind::Direct => {
                self.asm.op(MOVD_FROM, false, U, Rm::Reg(RAX));
                self.asm.op(opcode, false, x, Rm::Reg(U));
            }
            ShiftKind::BytesLeft => {
                // The bits that stay are cut off before: bytes of 255 >> count.
                self.asm.op(MOVD_FROM, false, U, Rm::Reg(RAX));
                self.asm.op(PCMPEQD, false, T, Rm::Reg(T));
                self.shift_by(PSRLW_BYTE, T, 8);
                self.asm.op(PSRLW, false, T, Rm::Reg(U));
                self.asm.op(PACKUSWB, false, T, Rm::Reg(T));
                self.asm.op(PAND, false, x, Rm::Reg(T));
                self.asm.op(opcode, false, x, Rm::Reg(U));
            }
            ShiftKind::BytesRight { signed } => {
                self.asm.alu_imm(Alu::Add, false, Rm::Reg(RAX), 8);
                self.asm.op(MOVD_FROM, false, U, Rm::Reg(RAX));
                self.asm.op(PUNPCKHBW, false, T, Rm::Reg(x));
                self.asm.op(PUNPCKLBW, false, x, Rm::Reg(x));
                self.asm.op(opcode, false, T, Rm::Reg(U));
                self.asm.op(opcode, false, x, Rm::Reg(U));
                self.asm.op(if signed { PACKSSWB } else { PACKUSWB }, false, x, Rm::Reg(T));
            }
            ShiftKind::SignedLong => {
                self.asm.op(MOVD_FROM, false, U, Rm::Reg(RAX));
                self.load_constant(T, 1 << 63, 1 << 63);
                self.asm.op(opcode, false, T, Rm::Reg(U));
                self.asm.op(opcode, false, x, Rm::Reg(U));
                self.asm.op(PXOR, false, x, Rm::Reg(T));
                self.asm.op(PSUBQ, false, x, Rm::Reg(T));
            }
        }
    }

    // Lanes.

    fn splat(&mut self, lane: Lane) {
        let operand = self.operand(0);
        if lane.is_float {
            let from = self.vector(operand, lane.bytes == 8);
            let x = self.vector_after(from);
            self.asm.op_imm8(PSHUFD, false, x, Rm::Reg(from), if lane.bytes == 8 { 0x44 } else { 0 });
            return self.finish_v128(x);
        }
        if let Value::Constant(value) = operand {
            let half = match lane.bytes {
                1 => u64::from_ne_bytes([value as u8; 8]),
                2 => value as u16 as u64 * 0x0001_0001_0001_0001,
                4 => value as u32 as u64 * 0x0000_0001_0000_0001,
                _ => value as u64,
            };
            let x = self.new_vector();
            self.load_constant(x, half, half);
            return self.finish_v128(x);
        }
        let from = self.general_rm(operand, lane.bytes == 8);
        let x = self.new_vector();
        self.asm.op(MOVD_FROM, lane.bytes == 8, x, from);
        self.splat_lowest(lane.bytes, x);
        self.finish_v128(x);
    }

    /// Gives all lanes of a register the value of the lowest one.
    pub(crate) fn splat_lowest(&mut self, bytes: u8, x: u8) {
        match bytes {
            1 => {
                self.asm.op(PXOR, false, T, Rm::Reg(T));
                self.asm.op(PSHUFB, false, x, Rm::Reg(T));
            }
            2 => {
                self.asm.op_imm8(PSHUFLW, false, x, Rm::Reg(x), 0);
                self.asm.op(PUNPCKLQDQ, false, x, Rm::Reg(x));
            }
            4 => self.asm.op_imm8(PSHUFD, false, x, Rm::Reg(x), 0),
            _ => self.asm.op(PUNPCKLQDQ, false, x, Rm::Reg(x)),
        }
    }

    fn extract_lane(&mut self, lane: Lane, signed: bool) {
        let (vector, number) = (self.place(0), self.field(1) as u8);
        let (Lane { bytes, is_float }, wide) = (lane, lane.bytes == 8);
        let Some(holder) = self.v128_holder(vector) else {
            let Value::Slot(slot) = vector else { return self.leave_to_handler() };
            self.settle(slot);
            let from = slot_mem(slot);
            let from = Rm::Mem(Mem { displacement: from.displacement + i32::from(number * bytes), ..from });
            if is_float {
                let result = self.new_vector();
                self.asm.op(if wide { MOVSD } else { MOVSS }, false, result, from);
                return self.finish_vector(result);
            }
            let opcode = match (bytes, signed) {
                (1, false) => 0x0fb6,
                (1, true) => 0x0fbe,
                (2, false) => 0x0fb7,
                (2, true) => 0x0fbf,
                _ => 0x8b,
            };
            let result = self.new_general();
            self.asm.op(opcode, wide, result, from);
            return self.finish_general(result, !wide);
        };
        self.state.lock(holder);
        let from = holder - XMM;
        if is_float {
            let result = self.vector_after(from);
            let order = if wide { 0x44 + 0xaa * number } else { 0x55 * number };
            if number != 0 {
                self.asm.op_imm8(PSHUFD, false, result, Rm::Reg(from), order);
            } else if result != from {
                self.asm.op(MOVAPS, false, result, Rm::Reg(from));
            }
            return self.finish_vector(result);
        }
        let result = self.new_general();
        match bytes {
            1 => self.asm.op_imm8(PEXTRB, false, from, Rm::Reg(result), number),
            2 => self.asm.op_imm8(PEXTRW, false, result, Rm::Reg(from), number),
            _ if number == 0 => self.asm.op(MOVD_TO, wide, from, Rm::Reg(result)),
            _ => self.asm.op_imm8(PEXTRD, wide, from, Rm::Reg(result), number),
        }
        match bytes {
            1 if signed => self.asm.op_byte(0x0fbe, result, Rm::Reg(result)),
            2 if signed => self.asm.op(0x0fbf, false, result, Rm::Reg(result)),
            _ => {}
        }
        self.finish_general(result, !wide);
    }

    fn replace_lane(&mut self, lane: Lane) {
        // The lane's number stands between the operands.
        let (vector, number, scalar) = (self.place(0), self.field(1) as u8, self.operand(2));
        let from = if lane.is_float {
            Rm::Reg(self.vector(scalar, lane.bytes == 8))
        } else {
            match scalar {
                Value::Constant(_) => Rm::Reg(self.general(scalar, lane.bytes == 8)),
                _ => self.general_rm(scalar, lane.bytes == 8),
            }
        };
        let x = self.v128_in_place(vector, &[]);
        match (lane.is_float, lane.bytes) {
            (true, 4) => self.asm.op_imm8(INSERTPS, false, x, from, number << 4),
            (true, _) if number == 0 => self.asm.op(MOVSD, false, x, from),
            (true, _) => self.asm.op(MOVLHPS, false, x, from),
            (false, bytes) => self.insert(bytes, x, from, number),
        }
        self.finish_v128(x);
    }

    /// Replaces a lane by an integer.
    pub(crate) fn insert(&mut self, bytes: u8, x: u8, from: Rm, number: u8) {
        let opcode = match bytes {
            1 => PINSRB,
            2 => PINSRW,
            _ => PINSRD,
        };
        self.asm.op_imm8(opcode, bytes == 8, x, from, number);
    }

    fn shuffle_bytes(&mut self) {
        // The numbers of the bytes stand behind each operand.
        let (first, second) = (self.place(0), self.place(2));
        let words = [2, 3, 4, 5].map(|index| self.code_word(index));
        let y = self.v128(second);
        let x = self.v128_in_place(first, &[y]);
        let numbers = self.v128_constant(words[0], words[1]);
        self.op(PSHUFB, false, x, numbers);
        self.asm.op(MOVAPS, false, T, Rm::Reg(y));
        let numbers = self.v128_constant(words[2], words[3]);
        self.op(PSHUFB, false, T, numbers);
        self.asm.op(POR, false, x, Rm::Reg(T));
        self.finish_v128(x);
    }

    fn permute_bytes(&mut self) {
        let operand = self.place(0);
        let x = self.v128_in_place(operand, &[]);
        let numbers = self.v128_constant(self.code_word(2), self.code_word(3));
        self.op(PSHUFB, false, x, numbers);
        self.finish_v128(x);
    }

    // Copies, constants, globals, `select`.

    /// A copy. The accumulators stay.
    fn copy_v128(&mut self) {
        let Some(slot) = self.result_slot() else { return };
        let from = self.place(0);
        let register = self.v128(from);
        self.write_v128(slot, register + XMM);
    }

    /// A constant into slots. The accumulators stay.
    fn constant_v128(&mut self) {
        let Some(slot) = self.result_slot() else { return };
        let register = self.new_vector();
        self.load_constant(register, self.code_word(2), self.code_word(3));
        self.write_v128(slot, register + XMM);
    }

    /// Gives a register the value of a constant.
    pub(crate) fn load_constant(&mut self, register: u8, low: u64, high: u64) {
        match (low, high) {
            (0, 0) => self.asm.op(PXOR, false, register, Rm::Reg(register)),
            (u64::MAX, u64::MAX) => self.asm.op(PCMPEQD, false, register, Rm::Reg(register)),
            _ => {
                let constant = self.v128_constant(low, high);
                self.op(MOVAPS, false, register, constant);
            }
        }
    }

    fn v128_global(&mut self, place: i32, is_imported: bool) -> Rm {
        let value = std::mem::offset_of!(VmGlobal, value) as i32;
        if is_imported {
            self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, place)));
            Rm::Mem(Mem::at(RAX, value))
        } else {
            Rm::Mem(Mem::at(RCX, place + value))
        }
    }

    /// A global into slots. The accumulators stay.
    fn global_get_v128(&mut self, is_imported: bool) {
        let Some(slot) = self.result_slot() else { return };
        let register = self.new_vector();
        let from = self.v128_global(self.field(0) as i32, is_imported);
        self.asm.op(MOVUPS, false, register, from);
        self.write_v128(slot, register + XMM);
    }

    fn global_set_v128(&mut self, is_imported: bool) {
        let value = self.place(1);
        let register = self.v128(value);
        let to = self.v128_global(self.field(0) as i32, is_imported);
        self.asm.op(MOVUPS_TO, false, register, to);
        self.use_up();
    }

    fn select_v128(&mut self) {
        let (a, b, condition) = (self.place(0), self.place(1), self.operand(2));
        let condition = self.general(condition, false);
        let a = self.v128(a);
        let x = self.v128_in_place(b, &[a]);
        self.asm.test(false, condition);
        let around = self.asm.branch_short(condition::EQUAL);
        self.asm.op(MOVAPS, false, x, Rm::Reg(a));
        self.asm.land_short(around);
        self.finish_v128(x);
    }
}
