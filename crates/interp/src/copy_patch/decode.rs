//! The disassembler: from the machine code of a handler in the running program to basic blocks.
//!
//! Input: the address of a handler. Output: the [`Block`]s that direct jumps lead to, the entry first, with the registers that
//! each instruction reads and writes. A jump out of the decoded bytes becomes an edge to an address: copied code jumps to the
//! code there. A block that cannot be decoded to its end, ends in [`End::Unknown`].

use std::sync::OnceLock;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use wasmr_runtime::sys::ProgramImage;

use super::assumption::{Assumption, Broken};
use crate::execute::frame;

/// Bytes from a handler's entry within which its blocks may lie. The largest handler has a tenth of that size.
const NEIGHBOURHOOD: usize = 4 << 10;
/// Largest number of instructions in a handler that gets a template.
const MAX_INSTRUCTIONS: usize = 256;

/// A set of general registers, by hardware number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regs(pub(crate) u16);

impl Regs {
    /// Returns true if the set contains a register.
    pub(crate) fn has(self, reg: usize) -> bool {
        self.0 & 1 << reg != 0
    }
}

/// Hardware number of `rcx`.
pub(crate) const RCX: usize = 1;
/// Hardware number of `rdx`.
pub(crate) const RDX: usize = 2;
/// Hardware number of `rsp`.
pub(crate) const RSP: usize = 4;
/// Hardware number of `rsi`.
pub(crate) const RSI: usize = 6;
/// Hardware number of `rdi`.
pub(crate) const RDI: usize = 7;
/// Hardware number of `r8`.
pub(crate) const R8: usize = 8;
/// Hardware number of `r9`.
pub(crate) const R9: usize = 9;

/// The registers that carry the machine's state from handler to handler: the integer arguments of the System V ABI for x86-64
/// (<https://gitlab.com/x86-psABIs/x86-64-ABI>, section "Parameter Passing"). A handler may also write `rax`, `r10` and `r11`;
/// the next one reads none of them.
pub(crate) const ARGUMENTS: Regs = Regs(1 << RDI | 1 << RSI | 1 << RDX | 1 << RCX | 1 << R8 | 1 << R9);
/// The callee-saved registers: `rbx`, `rsp`, `rbp`, `r12` to `r15`.
const PRESERVED: Regs = Regs(1 << 3 | 1 << RSP | 1 << 5 | 0xf << 12);

/// A decoded instruction and its effect on the general registers.
#[derive(Clone, Debug)]
pub(crate) struct Insn {
    /// The instruction; its `ip` is its address.
    pub(crate) op: Instruction,
    /// Encoding.
    pub(crate) bytes: &'static [u8],
    /// Position of the memory operand's displacement in `bytes`; 0 if there is none.
    pub(crate) displacement_at: usize,
    /// Bytes of the displacement.
    pub(crate) displacement_len: usize,
    /// Bytes of the immediate operands, which are the last of `bytes`.
    pub(crate) immediate_len: usize,
    /// Registers whose value matters to the instruction, including those that it changes in part or conditionally.
    pub(crate) reads: Regs,
    /// Registers that the instruction may change.
    pub(crate) writes: Regs,
    /// `reads` of the instruction without the base of its memory operand, and without the index.
    pub(crate) reads_without: [Regs; 2],
    /// Bytes read from the memory operand, if the instruction has one and only reads it.
    pub(crate) only_loads: Option<usize>,
}

/// The destination of a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// A block, by index.
    Block(usize),
    /// An address outside of the decoded blocks.
    Address(u64),
}

/// The end of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// A conditional jump: the condition's number, the destination if it holds, the destination if not.
    Branch(u8, Edge, Edge),
    /// A direct jump, or the beginning of another block.
    Goto(Edge),
    /// A jump to the address in a register, by number. The jump is the last instruction of the block.
    Register(usize),
    /// An instruction that this tier cannot follow, with the assumption that it breaks.
    Unknown(Broken),
}

/// A basic block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Address of the first instruction.
    pub(crate) at: u64,
    /// The instructions, without a direct jump at the end.
    pub(crate) insns: Vec<Insn>,
    pub(crate) end: End,
}

impl Block {
    /// Returns the address after the last of `insns`: that of the direct jump, if the block ends in one.
    pub(crate) fn end_address(&self) -> u64 {
        self.insns.last().map_or(self.at, |insn| insn.op.next_ip())
    }
}

impl Insn {
    /// Returns true if the instruction uses the native stack or changes a callee-saved register. Its block is then not copied:
    /// unwind tables and the epilogue belong to the handler's own address.
    pub(crate) fn uses_native_stack(&self) -> bool {
        self.writes.0 & PRESERVED.0 != 0
            || self.reads.has(RSP)
            || matches!(self.op.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
    }

    /// Returns the number of the register operand `operand`, if it is a register of 32 or 64 bits.
    pub(crate) fn register(&self, operand: u32) -> Option<usize> {
        let register = self.op.op_register(operand);
        (register.is_gpr32() || register.is_gpr64()).then(|| register.number())
    }
}

/// Returns the program or library that contains the handlers.
pub(crate) fn image() -> Option<&'static ProgramImage> {
    static IMAGE: OnceLock<Option<ProgramImage>> = OnceLock::new();
    IMAGE.get_or_init(|| ProgramImage::around(frame::enter_plain as *const () as usize)).as_ref()
}

/// Returns the code from a handler's entry to the end of its [`NEIGHBOURHOOD`].
///
/// # Errors
/// If the handler is not in the program's code.
pub(crate) fn code(handler: usize) -> Result<&'static [u8], Broken> {
    let outside = Broken { assumption: Assumption::InImage, at: handler as u64 };
    let image = image().filter(|image| image.code.contains(&handler)).ok_or(outside)?;
    let length = NEIGHBOURHOOD.min(image.code.end - handler);
    // SAFETY: `handler` is in `image.code`, which is mapped, readable and constant up to its end. The mapping lives as long as
    // this function, which is in it.
    Ok(unsafe { std::slice::from_raw_parts(handler as *const u8, length) })
}

/// Decodes the handler at the start of `code`.
///
/// # Errors
/// If the handler has more than [`MAX_INSTRUCTIONS`].
pub(crate) fn decode(code: &'static [u8], infos: &mut InstructionInfoFactory) -> Result<Vec<Block>, Broken> {
    let base = code.as_ptr() as u64;
    let mut decoding = Decoding { code, base, blocks: Vec::new(), count: 0 };
    decoding.block(base, infos)?;
    let mut done = 0;
    while done < decoding.blocks.len() {
        let targets = match decoding.blocks[done].end {
            End::Branch(_, a, b) => [Some(a), Some(b)],
            End::Goto(a) => [Some(a), None],
            End::Register(_) | End::Unknown(_) => [None, None],
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
    Ok(decoding.blocks)
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

    /// Ensures that a block starts at `at`.
    ///
    /// # Errors
    /// If the handler has more than [`MAX_INSTRUCTIONS`].
    fn block(&mut self, at: u64, infos: &mut InstructionInfoFactory) -> Result<(), Broken> {
        if self.blocks.iter().any(|block| block.at == at) {
            return Ok(());
        }
        // A jump into a block splits it.
        let cut = self.blocks.iter().enumerate().find_map(|(index, block)| {
            let insn = block.insns.iter().position(|insn| insn.op.ip() == at)?;
            Some((index, insn))
        });
        if let Some((index, insn)) = cut {
            let first = &mut self.blocks[index];
            let insns = first.insns.split_off(insn);
            let end = std::mem::replace(&mut first.end, End::Goto(Edge::Address(at)));
            self.blocks.push(Block { at, insns, end });
            return Ok(());
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
                return Err(Broken { assumption: Assumption::OnePiece, at: here });
            }
            let op = decoder.decode();
            if op.is_invalid() {
                break End::Unknown(Broken { assumption: Assumption::KnownInstructions, at: here });
            }
            let target = Edge::Address(op.near_branch_target());
            match op.flow_control() {
                FlowControl::ConditionalBranch if op.is_jcc_short_or_near() => {
                    // iced numbers conditions in another order than the encoding does.
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
                    break End::Unknown(Broken { assumption: Assumption::KnownJumps, at: here });
                }
            }
        };
        self.blocks.push(Block { at, insns, end });
        Ok(())
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

    /// Replaces the address of each edge by the block that starts there, if one does.
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
                End::Register(_) | End::Unknown(_) => {}
            }
        }
    }
}

/// Returns the registers that `op` would read without `part` of its memory operand's address. `other` is `op` without that
/// part.
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
    // The usual case needs no second query: the operands name every register that is read, and name `part` once.
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

/// Returns the registers that an instruction reads, or changes in part or conditionally, and those that it may change.
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

/// Returns true if an instruction reads a register outside of `known`. A change of a part of a register is no read.
pub(crate) fn reads_other_than(op: &Instruction, known: Regs, infos: &mut InstructionInfoFactory) -> bool {
    // `sbb eax, eax` makes a mask of the carry flag; no bit of `eax` matters.
    if op.mnemonic() == Mnemonic::Sbb && op.op0_register() == op.op1_register() {
        return false;
    }
    infos.info(op).used_registers().iter().filter(|used| used.register().is_gpr()).any(|used| {
        let reads = matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        reads && !known.has(used.register().full_register().number())
    })
}

/// Returns the encoding's number for the condition of a conditional jump.
fn condition_number(op: &Instruction, code: &[u8]) -> u8 {
    // `7x` with an 8-bit distance, `0f 8x` with a 32-bit one, either with or without prefixes.
    let distance = if op.is_jcc_short() { 1 } else { 4 };
    code[op.len() - distance - 1] & 0xf
}

/// Returns true if an instruction is a move between whole general registers.
pub(crate) fn is_move(op: &Instruction) -> bool {
    op.mnemonic() == Mnemonic::Mov
        && op.op0_kind() == OpKind::Register
        && op.op1_kind() == OpKind::Register
        && (op.op0_register().is_gpr64() || op.op0_register().is_gpr32())
        && op.op0_register().size() == op.op1_register().size()
}

/// Returns true if the address of the memory operand is `base` and a displacement.
pub(crate) fn is_at(op: &Instruction, base: Register) -> bool {
    op.memory_base() == base && op.memory_index() == Register::None && op.segment_prefix() == Register::None
}
