//! The assembler: encodes the machine instructions that emitters use, as data. Registers go by hardware number.
//!
//! An [`Opcode`] is a number, so that one emitter serves all operators that differ in the machine instruction only. `tests` of
//! this folder disassemble what is encoded here.

/// Opcode bytes, the last in the low byte; above them, in the top byte, the mandatory prefix or 0.
pub(crate) type Opcode = u32;

pub(crate) const RAX: u8 = 0;
pub(crate) const RCX: u8 = 1;
pub(crate) const RDX: u8 = 2;
pub(crate) const RSI: u8 = 6;
pub(crate) const RDI: u8 = 7;
pub(crate) const R8: u8 = 8;
pub(crate) const R9: u8 = 9;

/// Number of an arithmetic operation in the encodings of `add` to `cmp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alu {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Number of a shift or rotation in its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    RotateLeft = 0,
    RotateRight = 1,
    Left = 4,
    RightUnsigned = 5,
    RightSigned = 7,
}

/// Numbers of conditions. The lowest bit negates.
pub(crate) mod condition {
    pub(crate) const OVERFLOW: u8 = 0x0;
    pub(crate) const BELOW: u8 = 0x2;
    pub(crate) const ABOVE_EQUAL: u8 = 0x3;
    pub(crate) const EQUAL: u8 = 0x4;
    pub(crate) const NOT_EQUAL: u8 = 0x5;
    pub(crate) const BELOW_EQUAL: u8 = 0x6;
    pub(crate) const ABOVE: u8 = 0x7;
    pub(crate) const SIGN: u8 = 0x8;
    pub(crate) const NOT_SIGN: u8 = 0x9;
    pub(crate) const PARITY: u8 = 0xa;
    pub(crate) const NOT_PARITY: u8 = 0xb;
    pub(crate) const LESS: u8 = 0xc;
    pub(crate) const GREATER_EQUAL: u8 = 0xd;
    pub(crate) const LESS_EQUAL: u8 = 0xe;
    pub(crate) const GREATER: u8 = 0xf;
}

/// A memory operand: base, index times a power of two, displacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mem {
    pub(crate) base: u8,
    /// Register, and logarithm of its factor.
    pub(crate) index: Option<(u8, u8)>,
    pub(crate) displacement: i32,
}

impl Mem {
    /// Returns an operand without index.
    pub(crate) fn at(base: u8, displacement: i32) -> Mem {
        Mem { base, index: None, displacement }
    }

    /// Returns an operand with an index that is not multiplied.
    pub(crate) fn indexed(base: u8, index: u8, displacement: i32) -> Mem {
        Mem { base, index: Some((index, 0)), displacement }
    }
}

/// An operand that may be in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rm {
    Reg(u8),
    Mem(Mem),
    /// Relative to the end of the instruction, which is the end of its displacement. The displacement is left 0.
    Constant,
}

/// A buffer of machine code.
#[derive(Debug, Default)]
pub(crate) struct Assembler(Vec<u8>);

/// The bytes of one instruction.
struct Bytes {
    bytes: [u8; 16],
    len: usize,
}

impl Bytes {
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.bytes[self.len & 15] = byte;
        self.len += 1;
    }

    #[inline(always)]
    fn push4(&mut self, word: u32) {
        word.to_le_bytes().into_iter().for_each(|byte| self.push(byte));
    }
}

impl Assembler {
    /// Returns an empty buffer with room for `bytes` bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Assembler {
        Assembler(Vec::with_capacity(bytes))
    }

    /// Returns the number of bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// Returns the bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Returns the position of the 32-bit distance that the latest instruction ends with.
    pub(crate) fn distance_at(&self) -> u32 {
        self.0.len() as u32 - 4
    }

    /// Sets the 8-bit distance of the short jump that ends at `end`, so that it leads to the end of the buffer.
    pub(crate) fn land_short(&mut self, end: usize) {
        let distance = self.0.len() - end;
        debug_assert!(distance < 128);
        self.0[end - 1] = distance as u8;
    }

    /// Inserts bytes at a position.
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.0.splice(at..at, bytes.iter().copied());
    }

    /// Appends `int3`, which is never executed.
    pub(crate) fn pad(&mut self) {
        self.0.push(0xcc);
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn append(&mut self, bytes: &Bytes) {
        self.0.extend_from_slice(&bytes.bytes[..bytes.len & 15]);
    }

    /// Encodes an instruction up to its immediate. `rex` is `0x48` for 64 bits, `0x40` if `reg` or `rm` is a byte register
    /// other than `al` to `bl`, else 0.
    #[inline]
    fn encode(&self, rex: u8, opcode: Opcode, reg: u8, rm: Rm) -> Bytes {
        let mut out = Bytes { bytes: [0; 16], len: 0 };
        let prefix = (opcode >> 24) as u8;
        if prefix != 0 {
            out.push(prefix);
        }
        let (base, index) = match rm {
            Rm::Reg(reg) => (reg, 0),
            Rm::Mem(Mem { base, index, .. }) => (base, index.map_or(0, |(index, _)| index)),
            Rm::Constant => (0, 0),
        };
        let high = (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
        if rex | high != 0 {
            out.push(0x40 | rex | high);
        }
        if opcode & 0xff_0000 != 0 {
            out.push((opcode >> 16) as u8);
        }
        if opcode & 0xff00 != 0 || opcode & 0xff_0000 != 0 {
            out.push((opcode >> 8) as u8);
        }
        out.push(opcode as u8);
        modrm(&mut out, reg, rm);
        out
    }

    /// Appends an instruction with a register and a register or memory operand.
    #[inline]
    pub(crate) fn op(&mut self, opcode: Opcode, wide: bool, reg: u8, rm: Rm) {
        let bytes = self.encode(if wide { 0x48 } else { 0 }, opcode, reg, rm);
        self.append(&bytes);
    }

    /// Appends an instruction whose register operands have 8 bits.
    pub(crate) fn op_byte(&mut self, opcode: Opcode, reg: u8, rm: Rm) {
        let low = matches!(rm, Rm::Reg(4..8)) || matches!(reg, 4..8);
        let bytes = self.encode(if low { 0x40 } else { 0 }, opcode, reg, rm);
        self.append(&bytes);
    }

    /// Appends an instruction with an 8-bit immediate.
    pub(crate) fn op_imm8(&mut self, opcode: Opcode, wide: bool, reg: u8, rm: Rm, imm: u8) {
        let mut bytes = self.encode(if wide { 0x48 } else { 0 }, opcode, reg, rm);
        bytes.push(imm);
        self.append(&bytes);
    }

    /// Appends an instruction with a 32-bit immediate.
    pub(crate) fn op_imm32(&mut self, opcode: Opcode, wide: bool, reg: u8, rm: Rm, imm: i32) {
        let mut bytes = self.encode(if wide { 0x48 } else { 0 }, opcode, reg, rm);
        bytes.push4(imm as u32);
        self.append(&bytes);
    }

    /// Appends a store of an immediate of 1, 2, 4 or 8 bytes; the last is sign-extended from 32 bits.
    pub(crate) fn store_imm(&mut self, bytes: u8, to: Mem, imm: i32) {
        match bytes {
            1 => self.op_imm8(0xc6, false, 0, Rm::Mem(to), imm as u8),
            2 => {
                let mut out = self.encode(0, 0x6600_00c7, 0, Rm::Mem(to));
                out.push(imm as u8);
                out.push((imm >> 8) as u8);
                self.append(&out);
            }
            4 => self.op_imm32(0xc7, false, 0, Rm::Mem(to), imm),
            _ => self.op_imm32(0xc7, true, 0, Rm::Mem(to), imm),
        }
    }

    /// Appends `mov reg, rm`.
    pub(crate) fn mov(&mut self, wide: bool, reg: u8, rm: Rm) {
        self.op(0x8b, wide, reg, rm);
    }

    /// Appends `mov [to], reg`.
    pub(crate) fn store(&mut self, wide: bool, to: Mem, reg: u8) {
        self.op(0x89, wide, reg, Rm::Mem(to));
    }

    /// Appends `lea reg, [mem]`.
    pub(crate) fn lea(&mut self, wide: bool, reg: u8, mem: Mem) {
        self.op(0x8d, wide, reg, Rm::Mem(mem));
    }

    /// Appends a move of a constant to a register. The flags stay.
    pub(crate) fn constant(&mut self, reg: u8, value: u64) {
        let mut out = Bytes { bytes: [0; 16], len: 0 };
        if let Ok(value) = u32::try_from(value) {
            if reg >= 8 {
                out.push(0x41);
            }
            out.push(0xb8 | reg & 7);
            out.push4(value);
        } else if let Ok(value) = i32::try_from(value as i64) {
            out.push(0x48 | reg >> 3);
            out.push(0xc7);
            out.push(0xc0 | reg & 7);
            out.push4(value as u32);
        } else {
            out.push(0x48 | reg >> 3);
            out.push(0xb8 | reg & 7);
            out.push4(value as u32);
            out.push4((value >> 32) as u32);
        }
        self.append(&out);
    }

    /// Appends an arithmetic operation whose result is in `reg`.
    pub(crate) fn alu(&mut self, alu: Alu, wide: bool, reg: u8, rm: Rm) {
        self.op((alu as u32) << 3 | 3, wide, reg, rm);
    }

    /// Appends an arithmetic operation with a constant, whose result is in `rm`.
    pub(crate) fn alu_imm(&mut self, alu: Alu, wide: bool, rm: Rm, imm: i32) {
        match i8::try_from(imm) {
            Ok(short) => self.op_imm8(0x83, wide, alu as u8, rm, short as u8),
            Err(_) => self.op_imm32(0x81, wide, alu as u8, rm, imm),
        }
    }

    /// Appends a shift by a constant.
    pub(crate) fn shift_imm(&mut self, shift: Shift, wide: bool, reg: u8, count: u8) {
        self.op_imm8(0xc1, wide, shift as u8, Rm::Reg(reg), count);
    }

    /// Appends a shift by `cl`.
    pub(crate) fn shift_cl(&mut self, shift: Shift, wide: bool, reg: u8) {
        self.op(0xd3, wide, shift as u8, Rm::Reg(reg));
    }

    /// Appends a shift of BMI2, which leaves the flags and takes its count from any register.
    pub(crate) fn shift_bmi2(&mut self, shift: Shift, wide: bool, reg: u8, from: u8, count: u8) {
        let prefix = match shift {
            Shift::Left => 1,
            Shift::RightSigned => 2,
            _ => 3,
        };
        let mut out = Bytes { bytes: [0; 16], len: 0 };
        out.push(0xc4);
        // R, X and B are inverted; the opcode map is 0f 38.
        out.push((!(reg >> 3) & 1) << 7 | 1 << 6 | (!(from >> 3) & 1) << 5 | 2);
        out.push(u8::from(wide) << 7 | (!count & 15) << 3 | prefix);
        out.push(0xf7);
        modrm(&mut out, reg, Rm::Reg(from));
        self.append(&out);
    }

    /// Appends a comparison of a register with itself, which sets the flags of its value.
    pub(crate) fn test(&mut self, wide: bool, reg: u8) {
        self.op(0x85, wide, reg, Rm::Reg(reg));
    }

    /// Appends moves that give a register the value of a condition, 0 or 1. Flags stay, `al` may be lost.
    pub(crate) fn set(&mut self, condition: u8, reg: u8) {
        self.op_byte(0x0f90 | u32::from(condition), 0, Rm::Reg(RAX));
        self.op(0x0fb6, false, reg, Rm::Reg(RAX));
    }

    /// Appends the extension of the sign of `rax` to `rdx`.
    pub(crate) fn sign_extend_rax(&mut self, wide: bool) {
        self.0.extend_from_slice(if wide { &[0x48, 0x99] } else { &[0x99] });
    }

    /// Appends a jump up to and with its 32-bit distance, which is left 0.
    pub(crate) fn jump(&mut self) {
        self.0.extend([0xe9, 0, 0, 0, 0]);
    }

    /// Appends a conditional jump up to and with its 32-bit distance, which is left 0.
    pub(crate) fn branch(&mut self, condition: u8) {
        self.0.extend([0x0f, 0x80 | condition, 0, 0, 0, 0]);
    }

    /// Appends a conditional jump with an 8-bit distance, for [`land_short`](Self::land_short). Returns its end.
    pub(crate) fn branch_short(&mut self, condition: u8) -> usize {
        self.0.extend([0x70 | condition, 0]);
        self.0.len()
    }

    /// Appends a jump with an 8-bit distance, for [`land_short`](Self::land_short). Returns its end.
    pub(crate) fn jump_short(&mut self) -> usize {
        self.0.extend([0xeb, 0]);
        self.0.len()
    }

    /// Appends a call up to and with its 32-bit distance, which is left 0.
    pub(crate) fn call(&mut self) {
        self.0.extend([0xe8, 0, 0, 0, 0]);
    }

    /// Appends `push reg`, of a register below 8.
    pub(crate) fn push(&mut self, reg: u8) {
        debug_assert!(reg < 8);
        self.0.push(0x50 | reg);
    }

    /// Appends a jump to the address at `mem`.
    pub(crate) fn jump_through(&mut self, mem: Mem) {
        self.op(0xff, false, 4, Rm::Mem(mem));
    }
}

/// Appends ModRM byte, SIB byte and displacement.
#[inline]
fn modrm(out: &mut Bytes, reg: u8, rm: Rm) {
    let reg = (reg & 7) << 3;
    match rm {
        Rm::Reg(rm) => out.push(0xc0 | reg | rm & 7),
        Rm::Constant => {
            out.push(reg | 5);
            out.push4(0);
        }
        Rm::Mem(Mem { base, index, displacement }) => {
            // A base of `rbp` or `r13` has no form without displacement.
            let short = i8::try_from(displacement);
            let mode = match short {
                Ok(0) if base & 7 != 5 => 0,
                Ok(_) => 0x40,
                Err(_) => 0x80,
            };
            match index {
                // A base of `rsp` or `r12` takes a SIB byte.
                None if base & 7 != 4 => out.push(mode | reg | base & 7),
                None => {
                    out.push(mode | reg | 4);
                    out.push(0x20 | base & 7);
                }
                Some((index, scale)) => {
                    out.push(mode | reg | 4);
                    out.push(scale << 6 | (index & 7) << 3 | base & 7);
                }
            }
            match mode {
                0 => {}
                0x40 => out.push(displacement as u8),
                _ => out.push4(displacement as u32),
            }
        }
    }
}
