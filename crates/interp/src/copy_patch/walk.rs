//! Symbolic execution of a block, which makes the steps of its template.
//!
//! The state has two parts: the distance of `rdi` from the start of the instruction, and the registers whose value is
//! *deferred*. A load of an operand field emits nothing and defers the field. A machine instruction that only uses the register
//! as an index gets the field in its displacement. A move of the constant to the register precedes any other instruction that
//! reads the register. `rdi` is treated alike: while its value is known, no step maintains it, and a move precedes an
//! instruction that reads it.
//!
//! An instruction of any other kind is copied unchanged. All registers but the deferred ones have the values that they would
//! have in the handler, so copying needs no understanding of the instruction.

use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

use super::assumption::{Assumption, Broken};
use super::decode::{self, ARGUMENTS, Block, End, Insn, RCX, RDI};
use super::flow::Flow;
use super::rewrite::{self, Address};
use super::template::{Addressed, Field, Finish, Load, Pool, Spot, Step};

/// A value that a register should have and that no step has put there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deferred {
    Field(Field),
    /// The sum of a register, by number, and a field.
    Sum(usize, Field),
    /// The handler of the instruction to which `rdi` points after a jump.
    Target,
}

/// The symbolic state between two machine instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The deferred value of each register.
    pub(crate) deferred: [Option<Deferred>; 16],
    /// The value of `rdi`, if it is known. The register itself has it only if the walk has materialised it.
    pub(crate) ip: Option<Spot>,
}

impl State {
    /// The state at the entry of a handler.
    pub(crate) const START: State = State { deferred: [None; 16], ip: Some(Spot::After(0)) };

    /// Returns the state that holds if either this one or `other` does.
    pub(crate) fn meet(mut self, other: &State) -> State {
        for (mine, theirs) in self.deferred.iter_mut().zip(&other.deferred) {
            if *mine != *theirs {
                *mine = None;
            }
        }
        if self.ip != other.ip {
            self.ip = None;
        }
        self
    }

    /// Forgets all deferred values, which predecessors must then materialise.
    pub(crate) fn forget_deferred(&mut self) {
        self.deferred = [None; 16];
    }

    fn field(&self, reg: usize) -> Option<Field> {
        match self.deferred[reg] {
            Some(Deferred::Field(field)) => Some(field),
            _ => None,
        }
    }
}

/// Returns the step that puts a deferred value into its register.
pub(crate) fn step_for(reg: usize, value: Deferred) -> Step {
    let reg = reg as u8;
    match value {
        Deferred::Field(field) => Step::Load { reg, field },
        Deferred::Sum(base, field) => Step::Sum { reg, base: base as u8, field },
        Deferred::Target => Step::Target { reg },
    }
}

/// Returns true if an instruction is `mov reg, [rdi]`.
fn is_load_of_handler(op: &Instruction) -> bool {
    op.code() == Code::Mov_r64_rm64
        && op.op1_kind() == OpKind::Memory
        && decode::is_at(op, Register::RDI)
        && op.memory_displacement64() == 0
}

/// The symbolic execution of one block.
pub(crate) struct Walk<'b, 'p> {
    /// The state after the instructions so far.
    pub(crate) state: State,
    /// The field that the jump at the end compares with 0.
    pub(crate) tested: Option<Field>,
    flow: Flow<'b>,
    index: usize,
    block: &'b Block,
    pool: &'p mut Pool,
    steps: Vec<Step>,
    deviations: Vec<Broken>,
    /// True if `rdi` has the value `state.ip`.
    has_ip: bool,
    /// The register that has the handler of the instruction at an unknown `rdi`, and the step that loaded it.
    loaded: Option<(usize, usize)>,
}

impl<'b, 'p> Walk<'b, 'p> {
    /// Starts at the beginning of block `index`.
    pub(crate) fn new(flow: Flow<'b>, index: usize, state: State, pool: &'p mut Pool) -> Walk<'b, 'p> {
        let block = &flow.blocks[index];
        let (steps, deviations) = (Vec::new(), Vec::new());
        Walk { state, tested: None, flow, index, block, pool, steps, deviations, has_ip: false, loaded: None }
    }

    /// Returns the steps, and the assumptions that instructions break.
    pub(crate) fn finish(self) -> (Vec<Step>, Vec<Broken>) {
        (self.steps, self.deviations)
    }

    /// Returns the number of code words between the start of the instruction and `rdi`, if they are at least one.
    pub(crate) fn words(&self) -> Option<usize> {
        match self.state.ip {
            Some(Spot::After(ip)) if ip > 0 && ip % 8 == 0 => Some(ip as usize / 8),
            _ => None,
        }
    }

    /// Notes that an instruction breaks an assumption without which it is copied.
    fn note(&mut self, assumption: Assumption, insn: &Insn) {
        self.deviations.push(Broken { assumption, at: insn.op.ip() });
    }

    /// Puts the deferred value of a register, or the known value of `rdi`, into the register.
    fn materialise(&mut self, reg: usize) {
        if reg == RDI {
            if let Some(spot) = self.state.ip.filter(|_| !self.has_ip) {
                self.steps.push(Step::Ip(spot));
                self.has_ip = true;
            }
        } else if let Some(value) = self.state.deferred[reg].take() {
            if value == Deferred::Target {
                self.materialise(RDI);
            }
            self.steps.push(step_for(reg, value));
        }
    }

    /// Prepares for a write of `reg` by instruction `at`: materialises the deferred values that depend on it, if they are live
    /// after the instruction.
    fn about_to_write(&mut self, reg: usize, at: usize) {
        for other in (0..16).filter(|&other| other != reg) {
            if let Some(Deferred::Sum(base, _)) = self.state.deferred[other]
                && base == reg
            {
                if self.flow.is_live_from(other, self.index, at + 1) {
                    self.materialise(other);
                } else {
                    self.state.deferred[other] = None;
                }
            }
        }
        if reg == RDI {
            for other in 0..16 {
                if self.state.deferred[other] == Some(Deferred::Target) {
                    self.materialise(other);
                }
            }
        }
    }

    fn defer(&mut self, reg: usize, value: Deferred, at: usize) {
        self.about_to_write(reg, at);
        self.state.deferred[reg] = Some(value);
    }

    /// Executes instruction `at` of the block.
    ///
    /// # Errors
    /// If the instruction cannot be executed at another address.
    pub(crate) fn instruction(&mut self, at: usize) -> Result<(), Broken> {
        let block = self.block;
        let insn = &block.insns[at];
        let uses = |reg| insn.reads.has(reg) || insn.writes.has(reg);
        self.loaded = self.loaded.filter(|&(reg, _)| !uses(reg) && !insn.writes.has(RDI));
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
        self.note_reads(reads, insn);
        for reg in (0..16).filter(|&reg| reads.has(reg)) {
            self.materialise(reg);
        }
        for reg in (0..16).filter(|&reg| insn.writes.has(reg)) {
            self.about_to_write(reg, at);
            self.state.deferred[reg] = None;
            if reg == RDI {
                self.state.ip = None;
            }
        }
        if self.state.ip.is_none() && is_load_of_handler(&insn.op) {
            let free = insn.register(0).filter(|&reg| !ARGUMENTS.has(reg));
            self.loaded = free.map(|reg| (reg, self.steps.len()));
        }
        self.steps.push(step);
        Ok(())
    }

    /// Notes the assumptions that an instruction breaks by reading these registers without being of a known kind.
    fn note_reads(&mut self, reads: decode::Regs, insn: &Insn) {
        let is_ip_known = self.state.ip.is_some();
        if insn.writes.has(RDI) && is_ip_known {
            self.note(Assumption::KnownIp, insn);
        } else if reads.has(RDI) && is_ip_known && !self.has_ip {
            self.note(Assumption::FieldLoads, insn);
        }
        let op = &insn.op;
        if (0..16).any(|reg| reads.has(reg) && self.state.deferred[reg].is_some()) {
            let tests_sign = op.mnemonic() == Mnemonic::Test && op.op0_register() == op.op1_register();
            self.note(if tests_sign { Assumption::SignTest } else { Assumption::FieldUses }, insn);
        }
        // A comparison of the field in memory with 0 is not decided when the template is expanded.
        let compares = op.mnemonic() == Mnemonic::Cmp && insn.immediate_len != 0 && op.immediate(1) == 0;
        if compares && self.place_in_instruction(op).is_some() {
            self.note(Assumption::SignTest, insn);
        }
    }

    /// Executes the jump at the end of the block, to the address in `reg`.
    ///
    /// # Errors
    /// If the jump cannot be executed at another address.
    pub(crate) fn exit(&mut self, reg: usize, jump: &Insn) -> Result<Finish, Broken> {
        let finish = match (self.state.deferred[reg], self.state.ip) {
            (Some(Deferred::Field(Field { at, load: Load::U64, narrow: false })), Some(Spot::After(ip)))
                if i32::from(at) == ip && self.words().is_some() =>
            {
                Finish::Next
            }
            (Some(Deferred::Target), Some(Spot::Jump(field))) => Finish::Jump(field),
            _ => {
                self.note(Assumption::NextHandler, jump);
                Finish::Done
            }
        };
        for other in (0..16).filter(|&other| ARGUMENTS.has(other)) {
            if other != RDI || finish == Finish::Done {
                self.materialise(other);
            }
        }
        if finish != Finish::Done {
            return Ok(finish);
        }
        if let Some((_, step)) = self.loaded.filter(|&(loaded, _)| loaded == reg) {
            self.steps.remove(step);
            return Ok(Finish::Dispatch);
        }
        self.materialise(reg);
        let step = self.copied(jump)?;
        self.steps.push(step);
        Ok(finish)
    }

    /// Returns the step that executes an instruction unchanged.
    ///
    /// # Errors
    /// If the instruction cannot be executed at another address.
    fn copied(&mut self, insn: &Insn) -> Result<Step, Broken> {
        let bytes = self.pool.add(insn.bytes);
        if !insn.op.is_ip_rel_memory_operand() {
            return Ok(Step::Copy(bytes));
        }
        // With an address-size prefix the sum would be cut to 32 bits.
        if insn.displacement_len != 4 || insn.op.memory_base() != Register::RIP {
            return Err(Broken { assumption: Assumption::WholeRip, at: insn.op.ip() });
        }
        Ok(Step::Near { bytes, at: insn.displacement_at as u8, target: insn.op.ip_rel_memory_address() })
    }

    /// Executes an instruction if it compares a field with 0 and only the jump at the end of the block uses the result. Returns
    /// true if it did. The next functions do the same for other kinds of instructions.
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
            || self.are_flags_live_after_the_jump(op.rflags_modified())
        {
            return false;
        }
        self.tested = Some(Field { narrow: !wide, ..field });
        true
    }

    fn are_flags_live_after_the_jump(&self, flags: u32) -> bool {
        let End::Branch(_, a, b) = self.block.end else { return true };
        [a, b].into_iter().any(|edge| match edge {
            decode::Edge::Block(block) => self.flow.are_flags_live_from(flags, block, 0),
            decode::Edge::Address(_) => true,
        })
    }

    /// Executes a load of a field, or of the handler of a jump's target.
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
        let value = match (self.state.ip, self.place_in_instruction(op)) {
            (_, Some(at)) => Deferred::Field(Field { at, load, narrow }),
            (Some(Spot::Jump(_)), _) if load == Load::U64 && op.memory_displacement64() == 0 => Deferred::Target,
            _ => return false,
        };
        self.defer(reg, value, at);
        true
    }

    /// Returns the position of a memory operand in the interpreter's instruction, if it is at a known distance from its start.
    fn place_in_instruction(&self, op: &Instruction) -> Option<u16> {
        match self.state.ip {
            Some(Spot::After(ip)) if decode::is_at(op, Register::RDI) => {
                u16::try_from(i64::from(ip) + op.memory_displacement64() as i64).ok()
            }
            _ => None,
        }
    }

    /// Executes a change of `rdi` after which its value is known.
    fn step_on(&mut self, insn: &Insn, at: usize) -> bool {
        let op = &insn.op;
        if op.op0_register() != Register::RDI || op.op0_kind() != OpKind::Register {
            return false;
        }
        let Some(Spot::After(ip)) = self.state.ip else { return false };
        let spot = match op.mnemonic() {
            Mnemonic::Add
                if matches!(op.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64)
                    && !self.flow.are_flags_live_from(op.rflags_modified(), self.index, at + 1) =>
            {
                Spot::After(ip + op.immediate(1) as i64 as i32)
            }
            Mnemonic::Lea if decode::is_at(op, Register::RDI) => {
                Spot::After(ip + op.memory_displacement64() as i64 as i32)
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
        self.has_ip = false;
        true
    }

    /// Executes a move of a register with a deferred field.
    fn moved(&mut self, insn: &Insn, at: usize) -> bool {
        if !decode::is_move(&insn.op) {
            return false;
        }
        let (Some(to), Some(from)) = (insn.register(0), insn.register(1)) else { return false };
        let Some(field) = self.state.field(from).filter(|_| to != RDI) else { return false };
        let narrow = field.narrow || insn.op.op0_register().is_gpr32();
        self.defer(to, Deferred::Field(Field { narrow, ..field }), at);
        true
    }

    /// Executes a 64-bit addition of a register and a field, and defers it: the sum may become part of an address.
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
        self.materialise(base);
        self.defer(to, Deferred::Sum(base, field), at);
        true
    }

    /// Executes an arithmetic instruction on a register and a field.
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
                let Some(at) = self.place_in_instruction(op) else { return false };
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
        self.materialise(reg);
        self.about_to_write(reg, at);
        self.steps.push(Step::Arithmetic { operation, reg: reg as u8, wide, field, literal });
        true
    }

    /// Executes a shift or rotation of a register by a field.
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
        self.materialise(reg);
        self.about_to_write(reg, at);
        self.steps.push(Step::Shift { operation, reg: reg as u8, wide, field });
        true
    }

    /// Returns the registers that an instruction reads besides a constant in memory at `rdi`, and its step; `None` if the
    /// instruction is of another kind.
    fn literal(&mut self, insn: &Insn) -> Option<(decode::Regs, Step)> {
        let at = self.place_in_instruction(&insn.op)?;
        let size = insn.only_loads.filter(|size| matches!(size, 1 | 2 | 4 | 8 | 16))? as u8;
        let addressed = self.relocated(insn)?;
        Some((insn.reads_without[0], Step::Literal { insn: addressed, at, size }))
    }

    /// Returns an instruction whose memory operand is at `rdi` and a displacement, with one relative to the instruction
    /// pointer.
    fn relocated(&mut self, insn: &Insn) -> Option<Addressed> {
        if insn.reads_without[0].has(RDI) {
            return None;
        }
        let rewritten = rewrite::relative_to_end(self.pool, insn);
        if rewritten.is_none() {
            self.note(Assumption::KnownEncoding, insn);
        }
        rewritten
    }

    /// Returns the registers that an instruction reads besides a deferred part of its address, and its step; `None` if the
    /// instruction is of another kind.
    fn indexed(&mut self, insn: &Insn) -> Option<(decode::Regs, Step)> {
        let op = &insn.op;
        let (base, index) = (op.memory_base(), op.memory_index());
        if !base.is_gpr64() || !index.is_gpr64() || op.segment_prefix() != Register::None {
            return None;
        }
        let (base, index, scale) = (base.number(), index.number(), op.memory_index_scale() as u8);
        let displacement = op.memory_displacement64() as i64 as i32;
        let sum = |reg: usize| match self.state.deferred[reg] {
            Some(Deferred::Sum(of, field)) => Some((of, field)),
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
        // The register of the base holds its value. If the base is `gone` itself, only this sum is deferred there.
        let reads = insn.reads_without[usize::from(gone == index)];
        if reads.has(gone) {
            return None;
        }
        let Some(addressed) = rewrite::with_address(self.pool, insn, &address) else {
            self.note(Assumption::KnownEncoding, insn);
            return None;
        };
        Some((reads, Step::Displaced { insn: addressed, field, scale, displacement }))
    }
}
