//! Finds out how a handler's code can be made for one cell of it: which loads give constants of the cell, and where it goes
//! on with another cell.
//!
//! Comes in: the blocks of [`decode`](super::decode). Goes out: a [`Template`], or nothing if the handler cannot be
//! executed elsewhere than it stands.
//!
//! The code is followed once, with what is known at each point: how far `rdi` is from the cell it came in with, and
//! which registers should hold a field of the cell by then. A load of a field emits nothing, it makes its register *owe* the
//! field. An instruction that only uses the register as an index gets the field in its place; before any other that reads
//! it, and at the end of a block wherever somebody may read it later, the debt is paid by a move of the constant.
//!
//! What is not known is copied as it stands: all registers are at each instruction what they would have been in the
//! handler, but for those that owe, so that nothing has to be understood to be right.
//!
//! # Cold code
//! A block from which no other cell can be reached by loading its handler leads to a trap, an event, or another function. Such
//! blocks stay where they are. So do blocks that use the native stack; if the first one does, the handler is not copied.

use iced_x86::{Code, InstructionInfoFactory, Mnemonic, OpKind, Register, RflagsBits};

use super::decode::{self, ARGUMENTS, Edge, End, Insn, RDI, RSP, Regs};
use super::template::{Block, Bytes, Field, Finish, Load, Step, Template, Way};

/// What a register owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Debt {
    /// A field.
    Field(Field),
    /// The handler of the cell that `rdi` points to after a jump, which nothing but the jump may use.
    Target,
}

/// Where `rdi` points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ip {
    /// So many bytes behind the start of the cell.
    Cell(i32),
    /// To the cell this field's value of words further on.
    Jump(Field),
    /// Elsewhere.
    Unknown,
}

/// What is known at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    owed: [Option<Debt>; 16],
    ip: Ip,
}

impl State {
    const START: State = State { owed: [None; 16], ip: Ip::Cell(0) };

    fn field(&self, reg: usize) -> Option<Field> {
        match self.owed[reg] {
            Some(Debt::Field(field)) => Some(field),
            _ => None,
        }
    }

    /// What holds whether it was this or `other`.
    fn meet(mut self, other: &State) -> State {
        for (mine, theirs) in self.owed.iter_mut().zip(&other.owed) {
            if *mine != *theirs {
                *mine = None;
            }
        }
        if self.ip != other.ip {
            self.ip = Ip::Unknown;
        }
        self
    }
}

/// Why a handler is not copied: its code is not of the kind that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unfit;

/// The template of a handler, if it can have one.
pub fn analyse(handler: usize, infos: &mut InstructionInfoFactory) -> Option<Template> {
    let blocks = decode::decode(handler, infos)?;
    if blocks.len() > usize::from(u8::MAX) {
        return None;
    }
    Analysis::new(&blocks).template().ok()
}

struct Analysis<'b> {
    blocks: &'b [decode::Block],
    /// Which blocks are copied.
    copied: Vec<bool>,
    /// In which order: each after what leads to it, loops aside.
    order: Vec<usize>,
    before: Vec<Option<State>>,
    after: Vec<Option<State>>,
    done: Vec<Option<Block>>,
    bytes: Vec<u8>,
    words: Option<usize>,
}

impl<'b> Analysis<'b> {
    fn new(blocks: &'b [decode::Block]) -> Analysis<'b> {
        let count = blocks.len();
        let mut analysis = Analysis {
            blocks,
            copied: vec![false; count],
            order: Vec::new(),
            before: vec![None; count],
            after: vec![None; count],
            done: vec![None; count],
            bytes: Vec::new(),
            words: None,
        };
        analysis.choose();
        analysis.sort(0, &mut vec![false; count]);
        analysis.order.reverse();
        analysis
    }

    fn successors(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let edges = match self.blocks[block].end {
            End::Branch(_, a, b) => [Some(a), Some(b)],
            End::Goto(a) => [Some(a), None],
            End::Register(_) | End::Unknown => [None, None],
        };
        edges.into_iter().flatten().filter_map(|edge| match edge {
            Edge::Block(block) => Some(block),
            Edge::Address(_) => None,
        })
    }

    /// Chooses what is copied: what leads to a jump through a register that was loaded neither from the program's own tables
    /// nor behind anything that ties the code to its place.
    fn choose(&mut self) {
        loop {
            let mut changed = false;
            for index in 0..self.blocks.len() {
                let block = &self.blocks[index];
                if self.copied[index] || block.insns.iter().any(Insn::ties) {
                    continue;
                }
                let dispatches = match block.end {
                    End::Register(reg) => {
                        let last_write = block.insns.iter().rev().find(|insn| insn.writes.has(reg));
                        !last_write.is_some_and(|insn| insn.op.is_ip_rel_memory_operand())
                    }
                    _ => self.successors(index).any(|next| self.copied[next]),
                };
                if dispatches {
                    self.copied[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn sort(&mut self, block: usize, seen: &mut Vec<bool>) {
        if std::mem::replace(&mut seen[block], true) || !self.copied[block] {
            return;
        }
        for next in self.successors(block) {
            self.sort(next, seen);
        }
        self.order.push(block);
    }

    fn template(mut self) -> Result<Template, Unfit> {
        if !self.copied[0] {
            return Err(Unfit);
        }
        for at in 0..self.order.len() {
            let block = self.order[at];
            let before = self.enter(at)?;
            self.before[block] = Some(before);
            self.block(block, before)?;
        }
        self.check_loops()?;
        self.mark_falls();
        let blocks = self
            .done
            .into_iter()
            .map(|block| block.unwrap_or(Block { steps: Vec::new(), finish: Finish::Done, falls: false }));
        Ok(Template { blocks: blocks.collect(), bytes: self.bytes, words: self.words })
    }

    /// What is known at the start of the block at a place of the order; pays at the ends of the blocks before it what they
    /// do not agree on.
    fn enter(&mut self, at: usize) -> Result<State, Unfit> {
        let block = self.order[at];
        let before = |other: &usize| self.copied[*other] && self.successors(*other).any(|next| next == block);
        let all: Vec<usize> = (0..self.blocks.len()).filter(before).collect();
        let mut states = all.iter().filter_map(|&other| self.after[other]);
        let mut state = if block == 0 { State::START } else { states.next().ok_or(Unfit)? };
        for other in states {
            state = state.meet(&other);
        }
        if all.iter().any(|&other| self.after[other].is_none()) || (block == 0 && !all.is_empty()) {
            state.owed = [None; 16];
        }
        for &other in &all {
            self.pay_at_end(other, block, &state);
        }
        Ok(state)
    }

    /// Makes a finished block leave what its successor expects.
    fn pay_at_end(&mut self, from: usize, to: usize, expected: &State) {
        let Some(mut state) = self.after[from] else { return };
        for reg in 0..16 {
            let Some(debt) = state.owed[reg].filter(|_| expected.owed[reg].is_none()) else { continue };
            if self.live(reg, Edge::Block(to), 0) {
                let steps = &mut self.done[from].as_mut().expect("it was finished").steps;
                steps.push(step_for(reg, debt));
                state.owed[reg] = None;
            }
        }
        self.after[from] = Some(state);
    }

    /// Sees to it that blocks that lead back agree with what was assumed.
    fn check_loops(&mut self) -> Result<(), Unfit> {
        for from in self.order.clone() {
            for to in self.successors(from) {
                if !self.copied[to] {
                    continue;
                }
                let expected = self.before[to].ok_or(Unfit)?;
                self.pay_at_end(from, to, &expected);
                let state = self.after[from].ok_or(Unfit)?;
                let owes_otherwise =
                    (0..16).any(|reg| expected.owed[reg].is_some() && expected.owed[reg] != state.owed[reg]);
                if owes_otherwise || (expected.ip != state.ip && expected.ip != Ip::Unknown) {
                    return Err(Unfit);
                }
            }
        }
        Ok(())
    }

    fn mark_falls(&mut self) {
        for _ in 0..self.order.len() {
            for &index in self.order.iter().rev() {
                let falls = |way: Way, done: &[Option<Block>]| match way {
                    Way::Block(block) => done[usize::from(block)].as_ref().is_some_and(|block| block.falls),
                    Way::Address(_) => false,
                };
                let finish = &self.done[index].as_ref().expect("in the order").finish;
                let falls = match *finish {
                    Finish::Next => true,
                    Finish::Branch(_, a, b) | Finish::Test(_, _, a, b) => falls(a, &self.done) || falls(b, &self.done),
                    Finish::Goto(a) => falls(a, &self.done),
                    Finish::Jump(_) | Finish::Done => false,
                };
                self.done[index].as_mut().expect("in the order").falls = falls;
            }
        }
    }

    /// Whether the value of a register may matter where an edge leads.
    fn live(&self, reg: usize, edge: Edge, depth: usize) -> bool {
        let Edge::Block(block) = edge else { return true };
        if depth > 8 {
            return true;
        }
        let block = &self.blocks[block];
        for insn in &block.insns {
            if insn.reads.has(reg) || insn.ties() {
                return true;
            }
            if insn.writes.has(reg) {
                return false;
            }
        }
        match block.end {
            End::Branch(_, a, b) => self.live(reg, a, depth + 1) || self.live(reg, b, depth + 1),
            End::Goto(a) => self.live(reg, a, depth + 1),
            End::Register(_) => ARGUMENTS.has(reg),
            End::Unknown => true,
        }
    }

    fn way(&self, edge: Edge) -> Way {
        match edge {
            Edge::Block(block) if self.copied[block] => Way::Block(block as u8),
            Edge::Block(block) => Way::Address(self.blocks[block].at),
            Edge::Address(at) => Way::Address(at),
        }
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        let start = self.bytes.len() as u16;
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len() as u16
    }

    fn block(&mut self, index: usize, before: State) -> Result<(), Unfit> {
        let blocks = self.blocks;
        let block = &blocks[index];
        let mut walk = Walk { state: before, steps: Vec::new(), tested: None };
        let (jump, insns) = match block.end {
            End::Register(_) => {
                let (jump, insns) = block.insns.split_last().ok_or(Unfit)?;
                (Some(jump), insns)
            }
            _ => (None, &block.insns[..]),
        };
        for (at, insn) in insns.iter().enumerate() {
            if self.is_test(block, &insns[at..])
                && let Some(field) = insn.register(0).and_then(|reg| walk.state.field(reg))
            {
                let wide = insn.op.op0_register().is_gpr64();
                if !(wide && field.narrow) {
                    walk.tested = Some(Field { narrow: !wide, ..field });
                    continue;
                }
            }
            self.instruction(insn, &mut walk)?;
        }
        let finish = match block.end {
            End::Register(reg) => self.exit(reg, jump.ok_or(Unfit)?, &mut walk)?,
            End::Branch(condition, a, b) => {
                for edge in [a, b] {
                    self.pay_for(edge, &mut walk);
                }
                match walk.tested {
                    Some(field) => Finish::Test(condition, field, self.way(a), self.way(b)),
                    None => Finish::Branch(condition, self.way(a), self.way(b)),
                }
            }
            End::Goto(a) => {
                self.pay_for(a, &mut walk);
                Finish::Goto(self.way(a))
            }
            End::Unknown => return Err(Unfit),
        };
        self.after[index] = Some(walk.state);
        self.done[index] = Some(Block { steps: walk.steps, finish, falls: false });
        Ok(())
    }

    /// Pays what may be read where an edge leads, if that is not copied.
    fn pay_for(&self, edge: Edge, walk: &mut Walk) {
        if matches!(self.way(edge), Way::Block(_)) {
            return;
        }
        for reg in 0..16 {
            if walk.state.owed[reg].is_some() && self.live(reg, edge, 0) {
                walk.pay(reg);
            }
        }
    }

    /// Whether the first of some instructions compares a register with 0, for the jump at the end of the block and nothing
    /// else.
    fn is_test(&self, block: &decode::Block, insns: &[Insn]) -> bool {
        let [test, rest @ ..] = insns else { return false };
        let End::Branch(0x4 | 0x5 | 0x8 | 0x9 | 0xc..=0xf, a, b) = block.end else { return false };
        test.op.mnemonic() == Mnemonic::Test
            && test.register(0).is_some()
            && test.op.op0_register() == test.op.op1_register()
            && rest.iter().all(|insn| insn.op.rflags_read() == 0 && insn.op.rflags_modified() == 0)
            && [a, b].into_iter().all(|edge| self.flags_are_dead(edge, test.op.rflags_modified(), 0))
    }

    /// Whether none of some flags is read where an edge leads before it is set.
    fn flags_are_dead(&self, edge: Edge, mut flags: u32, depth: usize) -> bool {
        let Edge::Block(block) = edge else { return false };
        if depth > 4 {
            return false;
        }
        let block = &self.blocks[block];
        for insn in &block.insns {
            if insn.op.rflags_read() & flags != 0 {
                return false;
            }
            flags &= !insn.op.rflags_modified();
        }
        match block.end {
            End::Branch(condition, a, b) => {
                flags_of(condition) & flags == 0
                    && [a, b].into_iter().all(|edge| self.flags_are_dead(edge, flags, depth + 1))
            }
            End::Goto(edge) => self.flags_are_dead(edge, flags, depth + 1),
            End::Register(_) => true,
            End::Unknown => false,
        }
    }

    /// The end of a block that jumps to what a register holds.
    fn exit(&mut self, reg: usize, jump: &Insn, walk: &mut Walk) -> Result<Finish, Unfit> {
        let finish = match (walk.state.owed[reg], walk.state.ip) {
            (Some(Debt::Field(Field { at, load: Load::U64, narrow: false })), Ip::Cell(ip))
                if i32::from(at) == ip && ip > 0 && ip % 8 == 0 =>
            {
                let words = ip as usize / 8;
                if *self.words.get_or_insert(words) != words {
                    return Err(Unfit);
                }
                Finish::Next
            }
            (Some(Debt::Target), Ip::Jump(field)) => Finish::Jump(field),
            _ => Finish::Done,
        };
        for other in 0..16 {
            if ARGUMENTS.has(other) {
                walk.pay(other);
            }
        }
        if finish == Finish::Done {
            walk.pay(reg);
            let bytes = self.copy(&jump.bytes);
            walk.steps.push(Step::Copy(bytes));
        }
        Ok(finish)
    }

    fn instruction(&mut self, insn: &Insn, walk: &mut Walk) -> Result<(), Unfit> {
        if self.load(insn, walk) || self.moved(insn, walk) || self.arithmetic(insn, walk) {
            return Ok(());
        }
        let index = self.index(insn, walk);
        let reads = index.as_ref().map_or(insn.reads, |(reads, _)| *reads);
        for reg in 0..16 {
            if reads.has(reg) {
                walk.pay(reg);
            }
        }
        let step = match index {
            Some((_, step)) => step,
            None => {
                let bytes = self.copy(&insn.bytes);
                if insn.op.is_ip_rel_memory_operand() {
                    if insn.displacement_len != 4 {
                        return Err(Unfit);
                    }
                    Step::Near { bytes, at: insn.displacement_at as u8, target: insn.op.ip_rel_memory_address() }
                } else {
                    Step::Copy(bytes)
                }
            }
        };
        walk.set_ip(insn);
        walk.steps.push(step);
        for reg in 0..16 {
            if insn.writes.has(reg) {
                walk.state.owed[reg] = None;
            }
        }
        Ok(())
    }

    /// A load of a field, or of the handler of the cell that a jump is to.
    fn load(&mut self, insn: &Insn, walk: &mut Walk) -> bool {
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
        let displacement = op.memory_displacement64() as i64 as i32;
        let debt = match walk.state.ip {
            Ip::Cell(ip) => match u16::try_from(ip + displacement) {
                Ok(at) => Debt::Field(Field { at, load, narrow }),
                Err(_) => return false,
            },
            Ip::Jump(_) if load == Load::U64 && displacement == 0 => Debt::Target,
            _ => return false,
        };
        walk.state.owed[reg] = Some(debt);
        true
    }

    /// A move of a register that owes a field.
    fn moved(&mut self, insn: &Insn, walk: &mut Walk) -> bool {
        if !decode::is_move(&insn.op) {
            return false;
        }
        let (Some(to), Some(from)) = (insn.register(0), insn.register(1)) else { return false };
        let Some(field) = walk.state.field(from).filter(|_| to != RDI) else { return false };
        let narrow = field.narrow || insn.op.op0_register().is_gpr32();
        walk.state.owed[to] = Some(Debt::Field(Field { narrow, ..field }));
        true
    }

    /// Arithmetic on a register and a field.
    fn arithmetic(&mut self, insn: &Insn, walk: &mut Walk) -> bool {
        let op = &insn.op;
        let Some(reg) = insn.register(0).filter(|&reg| reg != RDI) else { return false };
        let (operation, wide) = match op.code() {
            Code::Add_r32_rm32 => (0, false),
            Code::Or_r32_rm32 => (1, false),
            Code::And_r32_rm32 => (4, false),
            Code::Sub_r32_rm32 => (5, false),
            Code::Xor_r32_rm32 => (6, false),
            Code::Cmp_r32_rm32 => (7, false),
            Code::Add_r64_rm64 => (0, true),
            Code::Or_r64_rm64 => (1, true),
            Code::And_r64_rm64 => (4, true),
            Code::Sub_r64_rm64 => (5, true),
            Code::Xor_r64_rm64 => (6, true),
            Code::Cmp_r64_rm64 => (7, true),
            _ => return false,
        };
        let (field, original) = match (op.op1_kind(), walk.state.ip) {
            (OpKind::Memory, Ip::Cell(ip)) if decode::is_at(op, Register::RDI) => {
                let Ok(at) = u16::try_from(ip + op.memory_displacement64() as i64 as i32) else { return false };
                let load = if wide { Load::U64 } else { Load::U32 };
                (Field { at, load, narrow: false }, Some(self.copy(&insn.bytes)))
            }
            (OpKind::Register, _) => {
                let from = op.op1_register().number();
                let Some(field) = walk.state.field(from).filter(|_| from != reg) else { return false };
                let fits =
                    !field.narrow && matches!(field.load, Load::I8 | Load::U8 | Load::I16 | Load::U16 | Load::I32);
                if wide && !fits {
                    return false;
                }
                (field, None)
            }
            _ => return false,
        };
        walk.pay(reg);
        walk.steps.push(Step::Arithmetic { operation, reg: reg as u8, wide, field, original });
        true
    }

    /// An instruction whose memory operand is indexed by a register that owes a field: the registers that it still reads, and
    /// the step.
    fn index(&mut self, insn: &Insn, walk: &Walk) -> Option<(Regs, Step)> {
        let op = &insn.op;
        let (base, index) = (op.memory_base(), op.memory_index());
        if !base.is_gpr64() || !index.is_gpr64() || op.segment_prefix() != Register::None {
            return None;
        }
        let (mut base, mut index) = (base.number(), index.number());
        let mut reads = insn.reads_without[1];
        if walk.state.field(index).is_none() && op.memory_index_scale() == 1 {
            std::mem::swap(&mut base, &mut index);
            reads = insn.reads_without[0];
        }
        let field = walk.state.field(index)?;
        // With a base of this kind the encoding would be another one.
        if reads.has(index) || base & 7 == RSP {
            return None;
        }
        let tail_at = insn.bytes.len() - insn.immediate_len;
        let modrm_at = tail_at - insn.displacement_len - 2;
        let modrm = insn.bytes[modrm_at];
        let rex_at = insn.bytes.iter().position(|byte| !is_legacy_prefix(*byte))?;
        let has_rex = rex_at < modrm_at && insn.bytes[rex_at] & 0xf0 == 0x40;
        if modrm & 7 != 4 || modrm >> 6 == 3 || !matches!(insn.displacement_len, 0 | 1 | 4) || (base >= 8 && !has_rex) {
            return None;
        }
        let mut bytes = insn.bytes[..=modrm_at].to_vec();
        if has_rex {
            // No index; the base's upper bit.
            bytes[rex_at] = bytes[rex_at] & !0b11 | (base >> 3) as u8;
        }
        bytes[modrm_at] = modrm & 0b0011_1000 | (base & 7) as u8;
        let head = self.copy(&bytes);
        let tail = self.copy(&insn.bytes[tail_at..]);
        let displacement = op.memory_displacement64() as i64 as i32;
        Some((reads, Step::Slot { head, tail, field, scale: op.memory_index_scale() as u8, displacement }))
    }
}

/// One walk through a block.
struct Walk {
    state: State,
    steps: Vec<Step>,
    /// The field that the jump at the end compares with 0.
    tested: Option<Field>,
}

impl Walk {
    /// Puts into a register what it owes.
    fn pay(&mut self, reg: usize) {
        if let Some(debt) = self.state.owed[reg].take() {
            self.steps.push(step_for(reg, debt));
        }
    }

    /// Follows `rdi` through an instruction.
    fn set_ip(&mut self, insn: &Insn) {
        if !insn.writes.has(RDI) {
            return;
        }
        for reg in 0..16 {
            if self.state.owed[reg] == Some(Debt::Target) {
                self.pay(reg);
            }
        }
        let op = &insn.op;
        let on_rdi = op.op0_register() == Register::RDI;
        self.state.ip = match (op.mnemonic(), self.state.ip) {
            (Mnemonic::Add, Ip::Cell(ip)) if on_rdi && is_constant(op.op1_kind()) => {
                Ip::Cell(ip + op.immediate(1) as i64 as i32)
            }
            (Mnemonic::Lea, Ip::Cell(ip)) if on_rdi && decode::is_at(op, Register::RDI) => {
                Ip::Cell(ip + op.memory_displacement64() as i64 as i32)
            }
            (Mnemonic::Lea, Ip::Cell(0))
                if on_rdi
                    && op.memory_base() == Register::RDI
                    && op.memory_index().is_gpr64()
                    && op.memory_index_scale() == 8
                    && op.memory_displacement64() == 0 =>
            {
                match self.state.field(op.memory_index().number()) {
                    Some(field) => Ip::Jump(field),
                    None => Ip::Unknown,
                }
            }
            _ => Ip::Unknown,
        };
    }
}

fn step_for(reg: usize, debt: Debt) -> Step {
    match debt {
        Debt::Field(field) => Step::Load { reg: reg as u8, field },
        Debt::Target => Step::Target { reg: reg as u8 },
    }
}

/// The flags that a condition is about, by its number.
fn flags_of(condition: u8) -> u32 {
    match condition >> 1 {
        0 => RflagsBits::OF,
        1 => RflagsBits::CF,
        2 => RflagsBits::ZF,
        3 => RflagsBits::CF | RflagsBits::ZF,
        4 => RflagsBits::SF,
        5 => RflagsBits::PF,
        6 => RflagsBits::SF | RflagsBits::OF,
        _ => RflagsBits::ZF | RflagsBits::SF | RflagsBits::OF,
    }
}

fn is_constant(kind: OpKind) -> bool {
    matches!(kind, OpKind::Immediate8to64 | OpKind::Immediate32to64)
}

fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
}
