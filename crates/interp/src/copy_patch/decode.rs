//! A handler's machine code as basic blocks, read where it is executed.
//!
//! Comes in: the address of a handler. Goes out: the [`Block`]s that direct jumps lead to, the entry first, each with what
//! is known of its instructions. Nothing is assumed of the code: what cannot be read, or leads out of the neighbourhood,
//! is an edge to an address, and the code there is used where it is.

use std::sync::OnceLock;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use wasmr_runtime::sys::Image;

use crate::execute::frame;

/// How far from its entry a handler's blocks may lie. The largest has a tenth of it.
const NEIGHBOURHOOD: usize = 4 << 10;
/// Handlers of more instructions are left alone.
const MAX_INSTRUCTIONS: usize = 256;

/// A set of general registers, by hardware number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regs(pub u16);

impl Regs {
    /// Whether a register is in it.
    pub fn has(self, reg: usize) -> bool {
        self.0 & 1 << reg != 0
    }
}

/// Hardware number of `rcx`.
pub const RCX: usize = 1;
/// Hardware number of `rdx`.
pub const RDX: usize = 2;
/// Hardware number of `rsp`.
pub const RSP: usize = 4;
/// Hardware number of `rsi`.
pub const RSI: usize = 6;
/// Hardware number of `rdi`.
pub const RDI: usize = 7;
/// Hardware number of `r8`.
pub const R8: usize = 8;
/// Hardware number of `r9`.
pub const R9: usize = 9;

/// The registers that carry the machine's state from handler to handler. Of the others that a handler may write, `rax`,
/// `r10` and `r11`, the next one reads none.
pub const ARGUMENTS: Regs = Regs(1 << RDI | 1 << RSI | 1 << RDX | 1 << RCX | 1 << R8 | 1 << R9);
/// What a function may not change: `rbx`, `rsp`, `rbp`, `r12` to `r15`.
const PRESERVED: Regs = Regs(1 << 3 | 1 << RSP | 1 << 5 | 0xf << 12);

/// An instruction and what it does to the general registers.
#[derive(Clone, Debug)]
pub struct Insn {
    /// As decoded; its `ip` is where it stands.
    pub op: Instruction,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Where in them the displacement of its memory operand is; 0 if it has none.
    pub displacement_at: usize,
    /// Bytes of the displacement.
    pub displacement_len: usize,
    /// Bytes of the immediate operands, behind everything else.
    pub immediate_len: usize,
    /// Registers whose value matters to it. Those that it changes in part or not always are among them.
    pub reads: Regs,
    /// Registers that it may change.
    pub writes: Regs,
    /// What of `reads` is left without the base of its memory operand, and without the index.
    pub reads_without: [Regs; 2],
    /// Bytes that it reads from memory, if it has a memory operand and only reads it.
    pub only_loads: Option<usize>,
}

/// Where control goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// To a block.
    Block(usize),
    /// To an address outside of what was decoded.
    Address(u64),
}

/// How a block ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// A conditional jump: the condition's number, then where it goes if it holds and if not.
    Branch(u8, Edge, Edge),
    /// Control goes on elsewhere.
    Goto(Edge),
    /// A jump to where a register points: its number. The jump is the last of the instructions.
    Register(usize),
    /// In some other way, or nothing is known.
    Unknown,
}

/// A basic block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Address of the first instruction.
    pub at: u64,
    /// The instructions, direct jumps at the end left out.
    pub insns: Vec<Insn>,
    /// What comes behind them.
    pub end: End,
}

impl Insn {
    /// Whether it stands in the way of executing the block elsewhere: it touches the native stack, or a register that the
    /// function would have to restore.
    pub fn ties(&self) -> bool {
        self.writes.0 & PRESERVED.0 != 0
            || self.reads.has(RSP)
            || matches!(self.op.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
    }

    /// The register that an operand is, if it is a whole one of 32 or 64 bits.
    pub fn register(&self, operand: u32) -> Option<usize> {
        let register = self.op.op_register(operand);
        (register.is_gpr32() || register.is_gpr64()).then(|| register.number())
    }
}

/// The program or library that the handlers are in.
pub fn image() -> Option<&'static Image> {
    static IMAGE: OnceLock<Option<Image>> = OnceLock::new();
    IMAGE.get_or_init(|| Image::around(frame::enter_plain as *const () as usize)).as_ref()
}

/// Decodes a handler; `None` if it is not where the others are, or too long.
pub fn decode(handler: usize, infos: &mut InstructionInfoFactory) -> Option<Vec<Block>> {
    let image = image().filter(|image| image.code.contains(&handler))?;
    let length = NEIGHBOURHOOD.min(image.code.end - handler);
    // SAFETY: from the handler to the end of the code everything is mapped, readable and constant, and stays so as long as
    // this very function does.
    let code = unsafe { std::slice::from_raw_parts(handler as *const u8, length) };
    let mut decoding = Decoding { code, base: handler as u64, blocks: Vec::new(), count: 0 };
    decoding.block(handler as u64, infos)?;
    let mut done = 0;
    while done < decoding.blocks.len() {
        let targets = match decoding.blocks[done].end {
            End::Branch(_, a, b) => [Some(a), Some(b)],
            End::Goto(a) => [Some(a), None],
            _ => [None, None],
        };
        for target in targets.into_iter().flatten() {
            if let Edge::Address(at) = target
                && decoding.inside(at)
            {
                decoding.block(at, infos)?;
            }
        }
        done += 1;
    }
    decoding.link();
    Some(decoding.blocks)
}

struct Decoding {
    code: &'static [u8],
    base: u64,
    blocks: Vec<Block>,
    count: usize,
}

impl Decoding {
    fn inside(&self, at: u64) -> bool {
        at.wrapping_sub(self.base) < self.code.len() as u64
    }

    /// Makes sure that a block starts at an address. `None` if there is too much code.
    fn block(&mut self, at: u64, infos: &mut InstructionInfoFactory) -> Option<()> {
        if self.blocks.iter().any(|block| block.at == at) {
            return Some(());
        }
        // A jump into a block cuts it in two.
        let cut = self.blocks.iter().enumerate().find_map(|(index, block)| {
            let insn = block.insns.iter().position(|insn| insn.op.ip() == at)?;
            Some((index, insn))
        });
        if let Some((index, insn)) = cut {
            let first = &mut self.blocks[index];
            let insns = first.insns.split_off(insn);
            let end = std::mem::replace(&mut first.end, End::Goto(Edge::Address(at)));
            self.blocks.push(Block { at, insns, end });
            return Some(());
        }
        let offset = (at - self.base) as usize;
        let mut decoder = Decoder::with_ip(64, &self.code[offset..], at, DecoderOptions::NONE);
        let mut insns = Vec::new();
        let end = loop {
            let here = decoder.ip();
            if here != at && self.blocks.iter().any(|block| block.at == here) {
                break End::Goto(Edge::Address(here));
            }
            self.count += 1;
            if self.count > MAX_INSTRUCTIONS {
                return None;
            }
            let op = decoder.decode();
            if op.is_invalid() {
                break End::Unknown;
            }
            let target = Edge::Address(op.near_branch_target());
            match op.flow_control() {
                FlowControl::ConditionalBranch if op.is_jcc_short_or_near() => {
                    // The encoding's own number of the condition, which the decoder lists in another order.
                    let number = condition_number(&op, &self.code[(here - self.base) as usize..]);
                    break End::Branch(number, target, Edge::Address(op.next_ip()));
                }
                FlowControl::UnconditionalBranch if op.op0_kind() == OpKind::NearBranch64 => break End::Goto(target),
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {
                    insns.push(self.insn(&decoder, op, infos));
                }
                FlowControl::IndirectBranch if op.op0_kind() == OpKind::Register => {
                    let register = op.op0_register().number();
                    insns.push(self.insn(&decoder, op, infos));
                    break End::Register(register);
                }
                _ => {
                    insns.push(self.insn(&decoder, op, infos));
                    break End::Unknown;
                }
            }
        };
        self.blocks.push(Block { at, insns, end });
        Some(())
    }

    fn insn(&self, decoder: &Decoder<'_>, op: Instruction, infos: &mut InstructionInfoFactory) -> Insn {
        let offset = (op.ip() - self.base) as usize;
        let offsets = decoder.get_constant_offsets(&op);
        let (reads, writes) = registers(&op, infos);
        let mut reads_without = [reads; 2];
        let mut only_loads = None;
        if (0..op.op_count()).any(|operand| op.op_kind(operand) == OpKind::Memory) {
            let reads_it = infos.info(&op).used_memory().iter().all(|memory| memory.access() == OpAccess::Read);
            only_loads = reads_it.then(|| op.memory_size().size()).filter(|size| *size != 0);
            let mut other = op;
            other.set_memory_base(Register::None);
            reads_without[0] = without(op.memory_base(), &op, other, reads, infos);
            let mut other = op;
            other.set_memory_index(Register::None);
            reads_without[1] = without(op.memory_index(), &op, other, reads, infos);
        }
        Insn {
            bytes: &self.code[offset..offset + op.len()],
            displacement_at: offsets.displacement_offset(),
            displacement_len: offsets.displacement_size(),
            immediate_len: offsets.immediate_size() + offsets.immediate_size2(),
            op,
            reads,
            writes,
            reads_without,
            only_loads,
        }
    }

    /// Turns addresses at which blocks start into the blocks.
    fn link(&mut self) {
        let starts: Vec<u64> = self.blocks.iter().map(|block| block.at).collect();
        let link = |edge: &mut Edge| {
            if let Edge::Address(at) = *edge
                && let Some(index) = starts.iter().position(|start| *start == at)
            {
                *edge = Edge::Block(index);
            }
        };
        for block in &mut self.blocks {
            match &mut block.end {
                End::Branch(_, a, b) => {
                    link(a);
                    link(b);
                }
                End::Goto(a) => link(a),
                End::Register(_) | End::Unknown => {}
            }
        }
    }
}

/// What an instruction reads if `part` is left out of the address of its memory operand, as it is in `other`.
fn without(
    part: Register,
    op: &Instruction,
    other: Instruction,
    reads: Regs,
    infos: &mut InstructionInfoFactory,
) -> Regs {
    if !part.is_gpr() {
        return reads;
    }
    // Most instructions name all registers that they use, and this one once.
    let named = (0..op.op_count()).map(|operand| op.op_register(operand));
    let named = named.chain([op.memory_base(), op.memory_index()]).filter(|register| register.is_gpr());
    let mut times = 0;
    let mut all = Regs::default();
    for register in named {
        all.0 |= 1 << register.full_register().number();
        times += usize::from(register.full_register() == part.full_register());
    }
    if times == 1 && reads.0 & !all.0 == 0 {
        return Regs(reads.0 & !(1 << part.full_register().number()));
    }
    registers(&other, infos).0
}

/// The registers that an instruction reads (or changes in part, or not always) and those that it may change.
fn registers(op: &Instruction, infos: &mut InstructionInfoFactory) -> (Regs, Regs) {
    let (mut reads, mut writes) = (Regs::default(), Regs::default());
    for used in infos.info(op).used_registers().iter().filter(|used| used.register().is_gpr()) {
        let register = used.register();
        let bit = 1 << register.full_register().number();
        let whole = register.is_gpr32() || register.is_gpr64();
        if used.access() != OpAccess::Write || !whole {
            reads.0 |= bit;
        }
        if !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::None | OpAccess::NoMemAccess) {
            writes.0 |= bit;
        }
    }
    (reads, writes)
}

/// The number by which machine code names the condition of a conditional jump.
fn condition_number(op: &Instruction, code: &[u8]) -> u8 {
    // `7x` with an 8-bit distance, `0f 8x` with a 32-bit one; a prefix may be in front of either.
    let distance = if op.is_jcc_short() { 1 } else { 4 };
    code[op.len() - distance - 1] & 0xf
}

/// Whether an instruction is a plain move between whole general registers.
pub fn is_move(op: &Instruction) -> bool {
    op.mnemonic() == Mnemonic::Mov
        && op.op0_kind() == OpKind::Register
        && op.op1_kind() == OpKind::Register
        && (op.op0_register().is_gpr64() || op.op0_register().is_gpr32())
        && op.op0_register().size() == op.op1_register().size()
}

/// Whether the memory operand of an instruction is at a distance from `base` alone.
pub fn is_at(op: &Instruction, base: Register) -> bool {
    op.memory_base() == base && op.memory_index() == Register::None && op.segment_prefix() == Register::None
}
