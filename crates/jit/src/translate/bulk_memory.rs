//! `memory.copy`, `memory.fill` and `memory.init` of small sizes.
//!
//! Small sizes become loads and stores in the function. The runtime does all others, as for the interpreter.
//!
//! | size | translation |
//! |---|---|
//! | constant, at most `MAX_CONSTANT` | as few moves as cover it |
//! | variable, at most `MAX_VARIABLE`, in the first `MAX_VARIABLE_SITES` operators | a branch on its size class; two to four moves of one width, which overlap in the middle |
//! | other | a call of the runtime |
//!
//! # Invariants
//! - An operator that traps writes nothing (<https://webassembly.github.io/spec/core/exec/instructions.html#exec-memory-copy>).
//!   Either both ranges are compared with the sizes of their memories before the first store. Or, in a guard-paged memory, the
//!   store of the highest bytes comes first. A memory has no holes, so the lower stores cannot fault if that one does not. A
//!   store that faults writes nothing.
//! - All loads come before all stores, since the ranges may overlap.

use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;
use wasmr_module::BuiltinCall;

use super::environment::Region;
use super::state::Translator;
use crate::trap_code::trap_code;

/// Largest constant size in bytes that becomes loads and stores: eight vectors, half of the vector registers. For larger sizes
/// the call is a small part of the time.
const MAX_CONSTANT: u64 = 128;
/// Largest variable size in bytes that becomes loads and stores: four vectors.
const MAX_VARIABLE: i64 = 64;
/// Most operators of variable size in one function that become loads and stores. Each makes some 250 bytes of code and takes as
/// long to compile as 70 other operators, so the number bounds the growth of a large function.
const MAX_VARIABLE_SITES: u32 = 64;

/// A load or store of one width, at an offset from an end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    ty: Type,
    from: Edge,
    offset: i32,
}

/// The end of the range that a move's offset counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

/// A range of a memory or of the heap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Address of the first byte.
    pub(super) start: Value,
    /// Address after the last byte. `None` if the length is constant.
    pub(super) end: Option<Value>,
    /// Flags of accesses to the range.
    pub(super) flags: MemFlagsData,
}

impl Range {
    /// Returns the address that the offset of a move is added to.
    fn pointer(self, step: Move) -> Value {
        match step.from {
            Edge::Start => self.start,
            Edge::End => self.end.expect("constant sizes are counted from the start"),
        }
    }
}

/// A size class: the sizes from `least` up to the next class, and the moves that cover each of them.
#[derive(Debug)]
struct Class {
    least: i64,
    /// `None` for the class that the runtime does.
    moves: Option<Vec<Move>>,
}

/// Returns the type of a move of `width` bytes.
fn move_type(width: u32) -> Type {
    match width {
        1 => types::I8,
        2 => types::I16,
        4 => types::I32,
        8 => types::I64,
        _ => types::I8X16,
    }
}

/// Returns the moves that cover a constant size, lowest first. If the last one does not fit, it begins further down and
/// overlaps the one before.
fn moves_of(len: u32) -> Vec<Move> {
    let (mut moves, mut at) = (Vec::new(), 0);
    while at < len {
        let left = len - at;
        let width = if left >= 16 {
            16
        } else if at == 0 {
            1 << left.ilog2()
        } else {
            left.next_power_of_two()
        };
        let offset = at.min(len - width);
        moves.push(Move { ty: move_type(width), from: Edge::Start, offset: offset as i32 });
        at = offset + width;
    }
    moves
}

/// Returns moves of one width: `pairs` from the start upward, and as many up to the end.
fn moves_from_both_ends(width: u32, pairs: i32) -> Vec<Move> {
    let (ty, width) = (move_type(width), width as i32);
    let at_start = (0..pairs).map(|n| Move { ty, from: Edge::Start, offset: n * width });
    let at_end = (0..pairs).rev().map(|n| Move { ty, from: Edge::End, offset: -(n + 1) * width });
    at_start.chain(at_end).collect()
}

impl Translator<'_, '_> {
    /// Translates `operator` if it works on a range of a memory; `call` is the same operator in the runtime's table. Returns
    /// true if it was translated.
    pub(super) fn bulk_memory_operator(&mut self, operator: &Operator<'_>, call: BuiltinCall) -> bool {
        match *operator {
            Operator::MemoryFill { mem } => self.memory_fill(call, mem),
            Operator::MemoryCopy { dst_mem, src_mem } => self.memory_copy(call, dst_mem, src_mem),
            Operator::MemoryInit { data_index, mem } => self.memory_init(call, data_index, mem),
            _ => return false,
        }
        true
    }

    /// Emits the call of the runtime for an operator with these operands.
    fn leave_to_runtime(&mut self, call: BuiltinCall, operands: &[Value]) {
        self.push_all(operands);
        self.call_builtin(call);
        self.check_interrupt();
    }

    fn memory_copy(&mut self, call: BuiltinCall, dst_mem: u32, src_mem: u32) {
        let (dst, src, len) = self.pop3();
        let constant = self.constant(len);
        let (dst, src, len) = (self.as_slot(dst), self.as_slot(src), self.as_slot(len));
        if let Some(constant) = constant.filter(|&len| len <= MAX_CONSTANT) {
            let source = self.constant_range(src_mem, src, constant);
            let target = self.constant_range(dst_mem, dst, constant);
            self.copy_by(&moves_of(constant as u32), source, target);
            return;
        }
        let operands = [dst, src, len];
        if constant.is_some() || !self.take_variable_site() {
            self.leave_to_runtime(call, &operands);
            return;
        }
        let source = self.variable_range(src_mem, src, len);
        let target = self.variable_range(dst_mem, dst, len);
        self.by_size(len, call, &operands, |this, moves| this.copy_by(moves, source, target));
    }

    fn memory_fill(&mut self, call: BuiltinCall, mem: u32) {
        let (dst, value, len) = self.pop3();
        let constant = self.constant(len);
        let (dst, len) = (self.as_slot(dst), self.as_slot(len));
        if let Some(constant) = constant.filter(|&len| len <= MAX_CONSTANT) {
            let target = self.constant_range(mem, dst, constant);
            self.fill_by(&moves_of(constant as u32), value, target);
            return;
        }
        let operands = [dst, value, len];
        if constant.is_some() || !self.take_variable_site() {
            self.leave_to_runtime(call, &operands);
            return;
        }
        let target = self.variable_range(mem, dst, len);
        self.by_size(len, call, &operands, |this, moves| this.fill_by(moves, value, target));
    }

    /// Stores constants if the range of the segment is constant. In all other cases the code would need the address of the
    /// module's bytes, which it does not have, so the runtime does it.
    fn memory_init(&mut self, call: BuiltinCall, data_index: u32, mem: u32) {
        let (dst, src, len) = self.pop3();
        let module = self.request.module;
        let bytes = self.constant(src).zip(self.constant(len)).and_then(|(src, len)| {
            let segment = module.data_bytes(&module.data()[data_index as usize]);
            // Length 0 is for the runtime: it is valid in a dropped segment as well, but only at offset 0.
            let is_small = (1..=MAX_CONSTANT).contains(&len);
            segment.get(src as usize..).filter(|_| is_small)?.get(..len as usize)
        });
        let dst = self.as_slot(dst);
        let Some(bytes) = bytes else {
            self.leave_to_runtime(call, &[dst, src, len]);
            return;
        };
        let is_dropped = self.is_data_dropped(data_index);
        self.builder.ins().trapnz(is_dropped, trap_code(TrapCode::MemoryOutOfBounds));
        let target = self.constant_range(mem, dst, bytes.len() as u64);
        for step in moves_of(bytes.len() as u32).into_iter().rev() {
            let value = self.constant_bytes(step.ty, &bytes[step.offset as usize..][..step.ty.bytes() as usize]);
            self.store_move(step, target, value);
        }
    }

    /// Counts an operator of variable size. Returns false if the function has too many for this one to become loads and stores.
    pub(super) fn take_variable_site(&mut self) -> bool {
        self.variable_sites += 1;
        self.variable_sites <= MAX_VARIABLE_SITES
    }

    /// Copies by `moves`: all loads, then all stores, the highest first.
    pub(super) fn copy_by(&mut self, moves: &[Move], source: Range, target: Range) {
        let load = |&step: &Move| {
            let pointer = source.pointer(step);
            self.builder.ins().load(step.ty, source.flags, pointer, step.offset)
        };
        let values: Vec<Value> = moves.iter().map(load).collect();
        for (&step, value) in moves.iter().zip(values).rev() {
            self.store_move(step, target, value);
        }
    }

    /// Stores copies of the lowest byte of the `i32` operand `value` by `moves`, the highest move first.
    fn fill_by(&mut self, moves: &[Move], value: Value, target: Range) {
        let mut known: Option<(Type, Value)> = None;
        for &step in moves.iter().rev() {
            let value = match known {
                Some((ty, value)) if ty == step.ty => value,
                _ => self.repeated(value, step.ty),
            };
            known = Some((step.ty, value));
            self.store_move(step, target, value);
        }
    }

    fn store_move(&mut self, step: Move, target: Range, value: Value) {
        self.builder.ins().store(target.flags, value, target.pointer(step), step.offset);
    }

    /// Returns a value of type `ty` that consists of copies of the lowest byte of the `i32` operand `value`.
    fn repeated(&mut self, value: Value, ty: Type) -> Value {
        if let Some(value) = self.constant(value) {
            return self.constant_bytes(ty, &[value as u8; 16][..ty.bytes() as usize]);
        }
        let byte = self.builder.ins().ireduce(types::I8, value);
        if ty == types::I8 {
            return byte;
        }
        if ty.is_vector() {
            return self.builder.ins().splat(ty, byte);
        }
        let word = self.builder.ins().uextend(ty, byte);
        let ones = self.constant_bytes(ty, &[1; 8][..ty.bytes() as usize]);
        self.builder.ins().imul(word, ones)
    }

    /// Returns the constant of type `ty` that has these bytes in memory.
    fn constant_bytes(&mut self, ty: Type, bytes: &[u8]) -> Value {
        if ty.is_vector() {
            let constant = self.builder.func.dfg.constants.insert(bytes.into());
            return self.builder.ins().vconst(ty, constant);
        }
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        self.builder.ins().iconst(ty, i64::from_le_bytes(word))
    }

    /// Branches on the size `len`, and emits `in_place` with the moves of each size class. For larger sizes emits the call of the
    /// runtime with the operands.
    pub(super) fn by_size(
        &mut self,
        len: Value,
        call: BuiltinCall,
        operands: &[Value],
        mut in_place: impl FnMut(&mut Self, &[Move]),
    ) {
        let mut classes =
            vec![Class { least: 0, moves: Some(Vec::new()) }, Class { least: 1, moves: Some(moves_of(1)) }];
        classes.extend(
            [2, 4, 8, 16].map(|width| Class { least: width, moves: Some(moves_from_both_ends(width as u32, 1)) }),
        );
        classes.push(Class { least: 33, moves: Some(moves_from_both_ends(16, 2)) });
        classes.push(Class { least: MAX_VARIABLE + 1, moves: None });
        let done = self.builder.create_block();
        self.branch_on_size(len, &classes, done, &mut |this, class| match &class.moves {
            Some(moves) => in_place(this, moves),
            None => this.leave_to_runtime(call, operands),
        });
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
    }

    /// Emits a tree of branches on `len` with a size class at each leaf, where `act` emits the code. All leaves continue at
    /// `done`.
    fn branch_on_size(&mut self, len: Value, classes: &[Class], done: Block, act: &mut dyn FnMut(&mut Self, &Class)) {
        if let [class] = classes {
            act(self, class);
            self.builder.ins().jump(done, &[]);
            return;
        }
        let (lower, upper) = classes.split_at(classes.len() / 2);
        let (at_lower, at_upper) = (self.builder.create_block(), self.builder.create_block());
        let is_upper = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, len, upper[0].least);
        self.builder.ins().brif(is_upper, at_upper, &[], at_lower, &[]);
        if upper.iter().all(|class| class.moves.is_none()) {
            self.builder.set_cold_block(at_upper);
        }
        for (block, classes) in [(at_upper, upper), (at_lower, lower)] {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            self.branch_on_size(len, classes, done, act);
        }
    }

    /// Returns a range of constant length. In a guard-paged memory the range is not checked, and accesses to it may trap. If
    /// any of them traps, that of the highest bytes does.
    fn constant_range(&mut self, memory: u32, start: Value, len: u64) -> Range {
        let flags = self.memory_flags();
        if self.is_guard_paged(memory) && len > 0 {
            let base = self.memory_base(memory);
            let start = self.builder.ins().iadd(base, start);
            return Range {
                start,
                end: None,
                flags: flags.with_trap_code(Some(trap_code(TrapCode::MemoryOutOfBounds))),
            };
        }
        let len = self.builder.ins().iconst(types::I64, len as i64);
        Range { end: None, ..self.variable_range(memory, start, len) }
    }

    /// Returns a range after checking it: traps if the range is not within the memory.
    fn variable_range(&mut self, memory: u32, start: Value, len: Value) -> Range {
        let code = trap_code(TrapCode::MemoryOutOfBounds);
        let size = self.memory_len(memory);
        let end = if self.request.module.memories()[memory as usize].is64 {
            self.builder.ins().uadd_overflow_trap(start, len, code)
        } else {
            // Less than 2^33.
            self.builder.ins().iadd(start, len)
        };
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, size);
        self.builder.ins().trapnz(is_outside, code);
        let base = self.memory_base(memory);
        let mut start = self.builder.ins().iadd(base, start);
        let mut end = self.builder.ins().iadd(start, len);
        // A guard-paged memory needs no mask: the 2^33 bytes from its start are all its own reservation.
        if self.request.spectre_guards && !self.is_guard_paged(memory) {
            let null = self.builder.ins().iconst(types::I64, 0);
            start = self.builder.ins().select_spectre_guard(is_outside, null, start);
            end = self.builder.ins().select_spectre_guard(is_outside, null, end);
        }
        Range { start, end: Some(end), flags: self.memory_flags().with_notrap() }
    }

    /// Loads the instance's flag for a data segment: 1 if the segment was dropped, else 0.
    fn is_data_dropped(&mut self, segment: u32) -> Value {
        let dropped = self.data_dropped();
        let flags = self.trusted(Region::Vm);
        self.builder.ins().load(types::I8, flags, dropped, segment as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if the moves cover all bytes of a range of `len` bytes. Panics if one is outside.
    fn covers(moves: &[Move], len: i32) -> bool {
        let mut covered = vec![false; len as usize];
        for step in moves {
            let at = step.offset + if step.from == Edge::End { len } else { 0 };
            covered[at as usize..][..step.ty.bytes() as usize].fill(true);
        }
        covered.into_iter().all(|covered| covered)
    }

    #[test]
    fn moves_cover_every_constant_size() {
        for len in 0..=MAX_CONSTANT as u32 {
            let moves = moves_of(len);
            assert!(covers(&moves, len as i32), "{len}");
            assert!(moves.is_sorted_by_key(|step| step.offset), "{len}");
            assert!(moves.len() as u32 <= len / 16 + 2, "{len}");
        }
        let widths = |len| moves_of(len).iter().map(|step| step.ty.bytes()).collect::<Vec<_>>();
        assert_eq!(
            [1, 3, 8, 12, 15, 20].map(widths),
            [vec![1], vec![2, 1], vec![8], vec![8, 4], vec![8, 8], vec![16, 4]]
        );
    }

    #[test]
    fn moves_from_both_ends_cover_their_class() {
        for width in [2, 4, 8, 16] {
            assert!((width..=2 * width).all(|len| covers(&moves_from_both_ends(width as u32, 1), len)), "{width}");
        }
        assert!((33..=64).all(|len| covers(&moves_from_both_ends(16, 2), len)));
    }
}
