//! Follows the instructions of a block with what is known of the registers, and makes its steps.
//!
//! Two things are known: how far `rdi` is from the cell it came in with, and which registers should hold a constant by then.
//! A load of a field emits nothing, it makes its register *owe* the field. An instruction that only uses the register as an
//! index gets the field in its place; before any other that reads it the debt is paid by a move of the constant. So it is with
//! `rdi`: as long as it is known it is not kept, and an instruction that reads it gets it first.
//!
//! What is not known is copied as it stands: all registers are at each instruction what they would have been in the
//! handler, but for those that owe, so that nothing has to be understood to be right.

use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

use super::analyse::{Pool, Unfit};
use super::decode::{self, ARGUMENTS, Block, End, Insn, RCX, RDI, RSP};
use super::flow::Flow;
use super::template::{Addressed, Field, Finish, Load, Spot, Step};

/// What a register owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debt {
    /// A field.
    Field(Field),
    /// The sum of a register, by number, and a field.
    Sum(usize, Field),
    /// The handler of the cell that `rdi` points to after a jump.
    Target,
}

/// What is known at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What each register owes.
    pub owed: [Option<Debt>; 16],
    /// Where `rdi` should point. It does so only if this is not known, or if it was paid in the same block.
    pub ip: Option<Spot>,
}

impl State {
    /// At the start of a handler.
    pub const START: State = State { owed: [None; 16], ip: Some(Spot::Behind(0)) };

    /// What holds whether it was this or `other`.
    pub fn meet(mut self, other: &State) -> State {
        for (mine, theirs) in self.owed.iter_mut().zip(&other.owed) {
            if *mine != *theirs {
                *mine = None;
            }
        }
        if self.ip != other.ip {
            self.ip = None;
        }
        self
    }

    /// As after paying everything but `rdi`.
    pub fn forget_debts(&mut self) {
        self.owed = [None; 16];
    }

    fn field(&self, reg: usize) -> Option<Field> {
        match self.owed[reg] {
            Some(Debt::Field(field)) => Some(field),
            _ => None,
        }
    }
}

/// The step that pays a debt.
pub fn step_for(reg: usize, debt: Debt) -> Step {
    let reg = reg as u8;
    match debt {
        Debt::Field(field) => Step::Load { reg, field },
        Debt::Sum(base, field) => Step::Sum { reg, base: base as u8, field },
        Debt::Target => Step::Target { reg },
    }
}

/// One walk through a block.
pub struct Walk<'b, 'p> {
    /// What is known.
    pub state: State,
    /// The field that the jump at the end compares with 0.
    pub tested: Option<Field>,
    flow: Flow<'b>,
    index: usize,
    block: &'b Block,
    pool: &'p mut Pool,
    steps: Vec<Step>,
    /// Whether `rdi` is what is known of it.
    ip_paid: bool,
}

impl<'b, 'p> Walk<'b, 'p> {
    /// A walk through the block of that index.
    pub fn new(flow: Flow<'b>, index: usize, state: State, pool: &'p mut Pool) -> Walk<'b, 'p> {
        let block = &flow.blocks[index];
        Walk { state, tested: None, flow, index, block, pool, steps: Vec::new(), ip_paid: false }
    }

    /// The steps.
    pub fn finish(self) -> Vec<Step> {
        self.steps
    }

    /// Words between the start of the cell and `rdi`.
    pub fn words(&self) -> Option<usize> {
        match self.state.ip {
            Some(Spot::Behind(ip)) if ip > 0 && ip % 8 == 0 => Some(ip as usize / 8),
            _ => None,
        }
    }

    /// Puts into a register what it should hold.
    fn pay(&mut self, reg: usize) {
        if reg == RDI {
            if let Some(spot) = self.state.ip.filter(|_| !self.ip_paid) {
                self.steps.push(Step::Ip(spot));
                self.ip_paid = true;
            }
        } else if let Some(debt) = self.state.owed[reg].take() {
            if debt == Debt::Target {
                self.pay(RDI);
            }
            self.steps.push(step_for(reg, debt));
        }
    }

    /// Notes that instruction `at` changes a register: sums with it are paid if they are needed behind it.
    fn about_to_write(&mut self, reg: usize, at: usize) {
        for other in (0..16).filter(|&other| other != reg) {
            if let Some(Debt::Sum(base, _)) = self.state.owed[other]
                && base == reg
            {
                if self.flow.is_live_from(other, self.index, at + 1) {
                    self.pay(other);
                } else {
                    self.state.owed[other] = None;
                }
            }
        }
        if reg == RDI {
            for other in 0..16 {
                if self.state.owed[other] == Some(Debt::Target) {
                    self.pay(other);
                }
            }
        }
    }

    fn owe(&mut self, reg: usize, debt: Debt, at: usize) {
        self.about_to_write(reg, at);
        self.state.owed[reg] = Some(debt);
    }

    /// Follows an instruction.
    pub fn instruction(&mut self, at: usize) -> Result<(), Unfit> {
        let block = self.block;
        let insn = &block.insns[at];
        if self.test(insn, at)
            || self.load(insn, at)
            || self.step_on(insn, at)
            || self.moved(insn, at)
            || self.sum(insn, at)
            || self.arithmetic(insn, at)
            || self.shift(insn, at)
        {
            return Ok(());
        }
        let (reads, step) = match self.indexed(insn).or_else(|| self.literal(insn)) {
            Some(found) => found,
            None => (insn.reads, self.copied(insn)?),
        };
        for reg in (0..16).filter(|&reg| reads.has(reg)) {
            self.pay(reg);
        }
        for reg in (0..16).filter(|&reg| insn.writes.has(reg)) {
            self.about_to_write(reg, at);
            self.state.owed[reg] = None;
            if reg == RDI {
                self.state.ip = None;
            }
        }
        self.steps.push(step);
        Ok(())
    }

    /// The end of a block that jumps to what a register holds.
    pub fn exit(&mut self, reg: usize, jump: &Insn) -> Result<Finish, Unfit> {
        let finish = match (self.state.owed[reg], self.state.ip) {
            (Some(Debt::Field(Field { at, load: Load::U64, narrow: false })), Some(Spot::Behind(ip)))
                if i32::from(at) == ip && self.words().is_some() =>
            {
                Finish::Next
            }
            (Some(Debt::Target), Some(Spot::Jump(field))) => Finish::Jump(field),
            _ => Finish::Done,
        };
        for other in (0..16).filter(|&other| ARGUMENTS.has(other)) {
            if other != RDI || finish == Finish::Done {
                self.pay(other);
            }
        }
        if finish == Finish::Done {
            self.pay(reg);
            let step = self.copied(jump)?;
            self.steps.push(step);
        }
        Ok(finish)
    }

    /// The instruction as it stands.
    fn copied(&mut self, insn: &Insn) -> Result<Step, Unfit> {
        let bytes = self.pool.add(insn.bytes);
        if !insn.op.is_ip_rel_memory_operand() {
            return Ok(Step::Copy(bytes));
        }
        if insn.displacement_len != 4 {
            return Err(Unfit);
        }
        Ok(Step::Near { bytes, at: insn.displacement_at as u8, target: insn.op.ip_rel_memory_address() })
    }

    /// A comparison of a field with 0 for the jump at the end of the block and nothing else.
    fn test(&mut self, insn: &Insn, at: usize) -> bool {
        let End::Branch(0x4 | 0x5 | 0x8 | 0x9 | 0xc..=0xf, ..) = self.block.end else { return false };
        let op = &insn.op;
        let Some(field) = insn.register(0).and_then(|reg| self.state.field(reg)) else { return false };
        let wide = op.op0_register().is_gpr64();
        let touches = |insn: &Insn| insn.op.rflags_read() | insn.op.rflags_modified() != 0;
        if op.mnemonic() != Mnemonic::Test
            || op.op0_register() != op.op1_register()
            || (wide && field.narrow)
            || self.block.insns[at + 1..].iter().any(touches)
            || self.are_flags_live_behind_the_jump(op.rflags_modified())
        {
            return false;
        }
        self.tested = Some(Field { narrow: !wide, ..field });
        true
    }

    fn are_flags_live_behind_the_jump(&self, flags: u32) -> bool {
        let End::Branch(_, a, b) = self.block.end else { return true };
        [a, b].into_iter().any(|edge| match edge {
            decode::Edge::Block(block) => self.flow.are_flags_live_from(flags, block, 0),
            decode::Edge::Address(_) => true,
        })
    }

    /// A load of a field, or of the handler of the cell that a jump is to.
    fn load(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        if op.op1_kind() != OpKind::Memory || !decode::is_at(op, Register::RDI) {
            return false;
        }
        let Some(reg) = insn.register(0).filter(|&reg| reg != RDI) else { return false };
        let (load, narrow) = match op.code() {
            Code::Mov_r64_rm64 => (Load::U64, false),
            Code::Mov_r32_rm32 => (Load::U32, false),
            Code::Movsxd_r64_rm32 => (Load::I32, false),
            Code::Movsx_r64_rm16 => (Load::I16, false),
            Code::Movsx_r32_rm16 => (Load::I16, true),
            Code::Movzx_r32_rm16 | Code::Movzx_r64_rm16 => (Load::U16, false),
            Code::Movsx_r64_rm8 => (Load::I8, false),
            Code::Movsx_r32_rm8 => (Load::I8, true),
            Code::Movzx_r32_rm8 | Code::Movzx_r64_rm8 => (Load::U8, false),
            _ => return false,
        };
        let debt = match (self.state.ip, self.place_in_cell(op)) {
            (_, Some(at)) => Debt::Field(Field { at, load, narrow }),
            (Some(Spot::Jump(_)), _) if load == Load::U64 && op.memory_displacement64() == 0 => Debt::Target,
            _ => return false,
        };
        self.owe(reg, debt, at);
        true
    }

    /// Where in the cell the memory operand of an instruction is, if it is at a distance from `rdi`.
    fn place_in_cell(&self, op: &Instruction) -> Option<u16> {
        match self.state.ip {
            Some(Spot::Behind(ip)) if decode::is_at(op, Register::RDI) => {
                u16::try_from(i64::from(ip) + op.memory_displacement64() as i64).ok()
            }
            _ => None,
        }
    }

    /// A step of `rdi` that keeps it known.
    fn step_on(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        if op.op0_register() != Register::RDI || op.op0_kind() != OpKind::Register {
            return false;
        }
        let Some(Spot::Behind(ip)) = self.state.ip else { return false };
        let spot = match op.mnemonic() {
            Mnemonic::Add
                if matches!(op.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64)
                    && !self.flow.are_flags_live_from(op.rflags_modified(), self.index, at + 1) =>
            {
                Spot::Behind(ip + op.immediate(1) as i64 as i32)
            }
            Mnemonic::Lea if decode::is_at(op, Register::RDI) => {
                Spot::Behind(ip + op.memory_displacement64() as i64 as i32)
            }
            Mnemonic::Lea
                if op.memory_base() == Register::RDI
                    && op.memory_index().is_gpr64()
                    && op.memory_index_scale() == 8
                    && op.memory_displacement64() == 0
                    && ip == 0 =>
            {
                match self.state.field(op.memory_index().number()) {
                    Some(field) => Spot::Jump(field),
                    None => return false,
                }
            }
            _ => return false,
        };
        self.about_to_write(RDI, at);
        self.state.ip = Some(spot);
        self.ip_paid = false;
        true
    }

    /// A move of a register that owes a field.
    fn moved(&mut self, insn: &Insn, at: usize) -> bool {
        if !decode::is_move(&insn.op) {
            return false;
        }
        let (Some(to), Some(from)) = (insn.register(0), insn.register(1)) else { return false };
        let Some(field) = self.state.field(from).filter(|_| to != RDI) else { return false };
        let narrow = field.narrow || insn.op.op0_register().is_gpr32();
        self.owe(to, Debt::Field(Field { narrow, ..field }), at);
        true
    }

    /// An addition of a register and a field, in 64 bits, which may yet become part of an address.
    fn sum(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        if !matches!(op.code(), Code::Add_r64_rm64 | Code::Add_rm64_r64) || op.op1_kind() != OpKind::Register {
            return false;
        }
        let (Some(to), Some(from)) = (insn.register(0), insn.register(1)) else { return false };
        if to == from || to == RDI || from == RDI {
            return false;
        }
        if self.flow.are_flags_live_from(op.rflags_modified(), self.index, at + 1) {
            return false;
        }
        let (base, field) = match (self.state.field(to), self.state.field(from)) {
            (Some(field), None) => (from, field),
            (None, Some(field)) => (to, field),
            _ => return false,
        };
        self.pay(base);
        self.owe(to, Debt::Sum(base, field), at);
        true
    }

    /// Arithmetic on a register and a field.
    fn arithmetic(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        let Some(reg) = insn.register(0).filter(|&reg| reg != RDI) else { return false };
        let (operation, wide) = match op.code() {
            Code::Add_r32_rm32 | Code::Add_rm32_r32 => (0, false),
            Code::Or_r32_rm32 | Code::Or_rm32_r32 => (1, false),
            Code::And_r32_rm32 | Code::And_rm32_r32 => (4, false),
            Code::Sub_r32_rm32 | Code::Sub_rm32_r32 => (5, false),
            Code::Xor_r32_rm32 | Code::Xor_rm32_r32 => (6, false),
            Code::Cmp_r32_rm32 | Code::Cmp_rm32_r32 => (7, false),
            Code::Add_r64_rm64 | Code::Add_rm64_r64 => (0, true),
            Code::Or_r64_rm64 | Code::Or_rm64_r64 => (1, true),
            Code::And_r64_rm64 | Code::And_rm64_r64 => (4, true),
            Code::Sub_r64_rm64 | Code::Sub_rm64_r64 => (5, true),
            Code::Xor_r64_rm64 | Code::Xor_rm64_r64 => (6, true),
            Code::Cmp_r64_rm64 | Code::Cmp_rm64_r64 => (7, true),
            _ => return false,
        };
        let (field, literal) = match op.op1_kind() {
            OpKind::Memory => {
                let Some(at) = self.place_in_cell(op) else { return false };
                let load = if wide { Load::U64 } else { Load::U32 };
                let Some(literal) = self.relocated(insn) else { return false };
                (Field { at, load, narrow: false }, Some(literal))
            }
            OpKind::Register => {
                let from = op.op1_register().number();
                let Some(field) = self.state.field(from).filter(|_| from != reg) else { return false };
                let signed = matches!(field.load, Load::I8 | Load::U8 | Load::I16 | Load::U16 | Load::I32);
                if wide && (field.narrow || !signed) {
                    return false;
                }
                (field, None)
            }
            _ => return false,
        };
        self.pay(reg);
        self.about_to_write(reg, at);
        self.steps.push(Step::Arithmetic { operation, reg: reg as u8, wide, field, literal });
        true
    }

    /// A shift or rotation of a register by a field.
    fn shift(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        let Some(field) = self.state.field(RCX) else { return false };
        let (operation, wide) = match op.code() {
            Code::Rol_rm32_CL => (0, false),
            Code::Ror_rm32_CL => (1, false),
            Code::Shl_rm32_CL => (4, false),
            Code::Shr_rm32_CL => (5, false),
            Code::Sar_rm32_CL => (7, false),
            Code::Rol_rm64_CL => (0, true),
            Code::Ror_rm64_CL => (1, true),
            Code::Shl_rm64_CL => (4, true),
            Code::Shr_rm64_CL => (5, true),
            Code::Sar_rm64_CL => (7, true),
            _ => return false,
        };
        let Some(reg) = insn.register(0).filter(|&reg| reg != RCX && reg != RDI) else { return false };
        self.pay(reg);
        self.about_to_write(reg, at);
        self.steps.push(Step::Shift { operation, reg: reg as u8, wide, field });
        true
    }

    /// An instruction that reads a constant of the cell from memory: what it reads besides, and the step.
    fn literal(&mut self, insn: &Insn) -> Option<(decode::Regs, Step)> {
        let at = self.place_in_cell(&insn.op)?;
        let size = insn.only_loads.filter(|size| matches!(size, 1 | 2 | 4 | 8 | 16))? as u8;
        let addressed = self.relocated(insn)?;
        Some((insn.reads_without[0], Step::Literal { insn: addressed, at, size }))
    }

    /// An instruction whose memory operand is at a distance from `rdi`, with one at a distance from the instruction.
    fn relocated(&mut self, insn: &Insn) -> Option<Addressed> {
        let tail_at = insn.bytes.len() - insn.immediate_len;
        let modrm_at = tail_at.checked_sub(insn.displacement_len + 1)?;
        let mut head = insn.bytes[..=modrm_at].to_vec();
        if head[modrm_at] & 7 != RDI as u8 || head[modrm_at] >> 6 == 3 || insn.reads_without[0].has(RDI) {
            return None;
        }
        head[modrm_at] = head[modrm_at] & 0b0011_1000 | 5;
        Some(Addressed {
            head: self.pool.add(&head),
            modrm_at: modrm_at as u8,
            needs_displacement: true,
            tail: self.pool.add(&insn.bytes[tail_at..]),
        })
    }

    /// An instruction whose memory operand has a part that owes a field or a sum: the registers that it still reads, and the
    /// step.
    fn indexed(&mut self, insn: &Insn) -> Option<(decode::Regs, Step)> {
        let op = &insn.op;
        let (base, index) = (op.memory_base(), op.memory_index());
        if !base.is_gpr64() || !index.is_gpr64() || op.segment_prefix() != Register::None {
            return None;
        }
        let (base, index, scale) = (base.number(), index.number(), op.memory_index_scale() as u8);
        let displacement = op.memory_displacement64() as i64 as i32;
        let sum = |reg: usize| match self.state.owed[reg] {
            Some(Debt::Sum(of, field)) => Some((of, field)),
            _ => None,
        };
        if base == index {
            return None;
        }
        let (gone, address, field, scale) = if let Some(field) = self.state.field(index) {
            (index, Address { base, index: None }, field, scale)
        } else if let Some(field) = self.state.field(base).filter(|_| scale == 1) {
            (base, Address { base: index, index: None }, field, 1)
        } else if let Some((of, field)) = sum(index).filter(|_| scale == 1) {
            (index, Address { base, index: Some((of, 1)) }, field, 1)
        } else if let Some((of, field)) = sum(base) {
            (base, Address { base: of, index: Some((index, scale)) }, field, 1)
        } else {
            return None;
        };
        // The base of a sum is meant as it is; it owes nothing but, if it is `gone` itself, this sum.
        let reads = insn.reads_without[usize::from(gone == index)];
        if reads.has(gone) {
            return None;
        }
        let addressed = self.address(insn, &address)?;
        Some((reads, Step::Displaced { insn: addressed, field, scale, displacement }))
    }

    /// An instruction whose memory operand has a base and an index, with other ones.
    fn address(&mut self, insn: &Insn, address: &Address) -> Option<Addressed> {
        let tail_at = insn.bytes.len() - insn.immediate_len;
        let modrm_at = tail_at.checked_sub(insn.displacement_len + 2)?;
        let modrm = insn.bytes[modrm_at];
        let rex_at = insn.bytes.iter().position(|byte| !is_legacy_prefix(*byte))?;
        let has_rex = rex_at < modrm_at && insn.bytes[rex_at] & 0xf0 == 0x40;
        if modrm & 7 != RSP as u8 || modrm >> 6 == 3 || !matches!(insn.displacement_len, 0 | 1 | 4) {
            return None;
        }
        let mut head = insn.bytes[..=modrm_at].to_vec();
        let mut modrm_at = modrm_at;
        let index = address.index.map_or(0, |(index, _)| index);
        if address.index.is_some() && index == RSP {
            return None;
        }
        let extension = (address.base >> 3 | (index >> 3) << 1) as u8;
        if has_rex {
            head[rex_at] = head[rex_at] & !0b11 | extension;
        } else if extension != 0 {
            // A prefix would make other registers of these.
            let high_bytes = [Register::AH, Register::BH, Register::CH, Register::DH];
            if (0..insn.op.op_count()).any(|operand| high_bytes.contains(&insn.op.op_register(operand))) {
                return None;
            }
            head.insert(rex_at, 0x40 | extension);
            modrm_at += 1;
        }
        let base = (address.base & 7) as u8;
        match address.index {
            None if base == RSP as u8 => return None,
            None => head[modrm_at] = modrm & 0b0011_1000 | base,
            Some((index, scale)) => {
                head[modrm_at] = modrm & 0b0011_1000 | RSP as u8;
                head.push((scale.trailing_zeros() as u8) << 6 | ((index & 7) as u8) << 3 | base);
            }
        }
        Some(Addressed {
            head: self.pool.add(&head),
            modrm_at: modrm_at as u8,
            needs_displacement: base == 5,
            tail: self.pool.add(&insn.bytes[tail_at..]),
        })
    }
}

/// The registers of a memory operand; the index with its scale.
struct Address {
    base: usize,
    index: Option<(usize, u8)>,
}

fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
}
