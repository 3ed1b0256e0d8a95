//! `memory.copy`, `memory.fill` and `memory.init` of small sizes.
//!
//! Small sizes are loads and stores in place; all others go to the runtime, as in the interpreter.
//!
//! | size | how |
//! |---|---|
//! | constant, at most `MAX_CONSTANT` | as few moves as cover it |
//! | variable, at most `MAX_VARIABLE`, in the first `MAX_VARIABLE_SITES` operators | a branch on its class; two to four moves of one width, which overlap in the middle |
//! | other | the runtime |
//!
//! # Invariants
//! - An operator that traps writes nothing. Either both ranges are compared with their memories' sizes before the first store,
//!   or, in a guarded memory, the store of the highest bytes comes first: a memory has no holes, so that the lower ones cannot
//!   fault if that one does not, and a store that faults writes nothing.
//! - All loads come before all stores, so that ranges may overlap.

use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;
use wasmr_module::BuiltinCall;

use super::environment::Region;
use super::state::Translator;
use crate::trap_code::trap_code;

/// Bytes of the largest constant size that is done in place: eight vectors, half of the registers for them. From there on the
/// call is a small part of the time.
const MAX_CONSTANT: u64 = 128;
/// Bytes of the largest variable size that is done in place: four vectors.
const MAX_VARIABLE: i64 = 64;
/// Operators of variable size in one function that are done in place. Each takes some 250 bytes of code and as long to compile as
/// 70 other operators, so that a large function does not grow beyond measure.
const MAX_VARIABLE_SITES: u32 = 64;

/// One move: at an offset from the first byte, or from the byte behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    ty: Type,
    from: Edge,
    offset: i32,
}

/// The end of its range that a move's offset counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

/// A range of a memory.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// Address of the first byte.
    start: Value,
    /// Address of the byte behind the last, if its length is variable.
    end: Option<Value>,
    /// Flags of an access.
    flags: MemFlagsData,
}

impl Range {
    /// Address that the offset of a move is added to.
    fn pointer(self, place: Move) -> Value {
        match place.from {
            Edge::Start => self.start,
            Edge::End => self.end.expect("constant sizes are counted from the start"),
        }
    }
}

/// Sizes from one on, and the moves that do all of them; the runtime does if there are none.
#[derive(Debug)]
struct Class {
    least: i64,
    moves: Option<Vec<Move>>,
}

/// The type of a move of that many bytes.
fn move_type(width: u32) -> Type {
    match width {
        1 => types::I8,
        2 => types::I16,
        4 => types::I32,
        8 => types::I64,
        _ => types::I8X16,
    }
}

/// The moves that cover a constant size, lowest first. What is left behind whole moves is covered by one that reaches back.
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

/// Moves of one width: `pairs` from the start on, as many up to the end.
fn moves_from_both_ends(width: u32, pairs: i32) -> Vec<Move> {
    let (ty, width) = (move_type(width), width as i32);
    let at_start = (0..pairs).map(|n| Move { ty, from: Edge::Start, offset: n * width });
    let at_end = (0..pairs).rev().map(|n| Move { ty, from: Edge::End, offset: -(n + 1) * width });
    at_start.chain(at_end).collect()
}

impl Translator<'_, '_> {
    /// Translates `operator`, which is `call` to the runtime, if it is one on a range of a memory. Returns true if it was.
    pub(super) fn bulk_memory_operator(&mut self, operator: &Operator<'_>, call: BuiltinCall) -> bool {
        match *operator {
            Operator::MemoryFill { mem } => self.memory_fill(call, mem),
            Operator::MemoryCopy { dst_mem, src_mem } => self.memory_copy(call, dst_mem, src_mem),
            Operator::MemoryInit { data_index, mem } => self.memory_init(call, data_index, mem),
            _ => return false,
        }
        true
    }

    /// Leaves an operator of these operands to the runtime.
    fn leave_to_runtime(&mut self, call: BuiltinCall, operands: [Value; 3]) {
        self.push_all(&operands);
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
            self.leave_to_runtime(call, operands);
            return;
        }
        let source = self.variable_range(src_mem, src, len);
        let target = self.variable_range(dst_mem, dst, len);
        self.by_size(call, operands, |this, moves| this.copy_by(moves, source, target));
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
            self.leave_to_runtime(call, operands);
            return;
        }
        let target = self.variable_range(mem, dst, len);
        self.by_size(call, operands, |this, moves| this.fill_by(moves, value, target));
    }

    /// In place only if both the range of the segment and its bytes are known: to move bytes of the module needs their address,
    /// which code does not hold.
    fn memory_init(&mut self, call: BuiltinCall, data_index: u32, mem: u32) {
        let (dst, src, len) = self.pop3();
        let module = self.request.module;
        let bytes = self.constant(src).zip(self.constant(len)).and_then(|(src, len)| {
            let segment = module.data_bytes(&module.data()[data_index as usize]);
            // One of length 0 is within a dropped segment as well, but only at its start: the runtime knows.
            let is_small = (1..=MAX_CONSTANT).contains(&len);
            segment.get(src as usize..).filter(|_| is_small)?.get(..len as usize)
        });
        let dst = self.as_slot(dst);
        let Some(bytes) = bytes else {
            self.leave_to_runtime(call, [dst, src, len]);
            return;
        };
        let is_dropped = self.is_data_dropped(data_index);
        self.builder.ins().trapnz(is_dropped, trap_code(TrapCode::MemoryOutOfBounds));
        let target = self.constant_range(mem, dst, bytes.len() as u64);
        for place in moves_of(bytes.len() as u32).into_iter().rev() {
            let value = self.constant_bytes(place.ty, &bytes[place.offset as usize..][..place.ty.bytes() as usize]);
            self.store_move(place, target, value);
        }
    }

    /// Counts an operator of variable size. Returns false if there are too many for it to be done in place.
    fn take_variable_site(&mut self) -> bool {
        self.variable_sites += 1;
        self.variable_sites <= MAX_VARIABLE_SITES
    }

    /// Loads all, then stores all.
    fn copy_by(&mut self, moves: &[Move], source: Range, target: Range) {
        let load = |&place: &Move| {
            let pointer = source.pointer(place);
            self.builder.ins().load(place.ty, source.flags, pointer, place.offset)
        };
        let values: Vec<Value> = moves.iter().map(load).collect();
        for (&place, value) in moves.iter().zip(values).rev() {
            self.store_move(place, target, value);
        }
    }

    /// Stores the lowest byte of an `i32` everywhere.
    fn fill_by(&mut self, moves: &[Move], value: Value, target: Range) {
        let mut known: Option<(Type, Value)> = None;
        for &place in moves.iter().rev() {
            let value = match known {
                Some((ty, value)) if ty == place.ty => value,
                _ => self.repeated(value, place.ty),
            };
            known = Some((place.ty, value));
            self.store_move(place, target, value);
        }
    }

    fn store_move(&mut self, place: Move, target: Range, value: Value) {
        self.builder.ins().store(target.flags, value, target.pointer(place), place.offset);
    }

    /// A value that consists of copies of the lowest byte of an `i32`.
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

    /// A constant, by its bytes in memory.
    fn constant_bytes(&mut self, ty: Type, bytes: &[u8]) -> Value {
        if ty.is_vector() {
            let constant = self.builder.func.dfg.constants.insert(bytes.into());
            return self.builder.ins().vconst(ty, constant);
        }
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        self.builder.ins().iconst(ty, i64::from_le_bytes(word))
    }

    /// Does what `in_place` does by the moves of the class of the size, the last operand. Larger sizes are left to the runtime.
    fn by_size(&mut self, call: BuiltinCall, operands: [Value; 3], mut in_place: impl FnMut(&mut Self, &[Move])) {
        let [.., len] = operands;
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

    /// A tree of branches with a class at each leaf; control goes on at `done` behind each.
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

    /// A range of constant length. One of a guarded memory has no check: its accesses may trap, the highest first.
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

    /// A range that is checked: traps if it is not within the memory.
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
        // Nothing that is 2^33 bytes behind a guarded memory can be read.
        if self.request.spectre_guards && !self.is_guard_paged(memory) {
            let null = self.builder.ins().iconst(types::I64, 0);
            start = self.builder.ins().select_spectre_guard(is_outside, null, start);
            end = self.builder.ins().select_spectre_guard(is_outside, null, end);
        }
        Range { start, end: Some(end), flags: self.memory_flags().with_notrap() }
    }

    /// Loads the flag of the instance that says that a data segment is dropped: 0 or 1.
    fn is_data_dropped(&mut self, segment: u32) -> Value {
        let dropped = self.data_dropped();
        let flags = self.trusted(Region::Vm);
        self.builder.ins().load(types::I8, flags, dropped, segment as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if the moves cover all bytes of a range of that size. None may be outside.
    fn covers(moves: &[Move], len: i32) -> bool {
        let mut covered = vec![false; len as usize];
        for place in moves {
            let at = place.offset + if place.from == Edge::End { len } else { 0 };
            covered[at as usize..][..place.ty.bytes() as usize].fill(true);
        }
        covered.into_iter().all(|covered| covered)
    }

    #[test]
    fn moves_cover_every_constant_size() {
        for len in 0..=MAX_CONSTANT as u32 {
            let moves = moves_of(len);
            assert!(covers(&moves, len as i32), "{len}");
            assert!(moves.is_sorted_by_key(|place| place.offset), "{len}");
            assert!(moves.len() as u32 <= len / 16 + 2, "{len}");
        }
        let widths = |len| moves_of(len).iter().map(|place| place.ty.bytes()).collect::<Vec<_>>();
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
