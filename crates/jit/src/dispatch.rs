//! Gives each jump to a branch table in a loop a table jump of its own.
//!
//! An interpreter's loop has one place that reads the next opcode and jumps through a table: the *dispatch*. Each opcode's
//! code ends in a jump to it. LLVM merges even the table jumps of computed gotos into one dispatch, as WebAssembly has no other
//! form. The processor then predicts all targets from one address. [`copy_to_jumps`] appends a copy of the dispatch for
//! each such jump to the function, and directs the jump there (*replication*: M. A. Ertl and D. Gregg, The structure and
//! performance of efficient interpreters, Journal of Instruction-Level Parallelism 5, 2003).
//!
//! # Why in machine code?
//! In CLIF, `n` copies of a table with `m` targets are `n * m` edges, for each of which the register allocator has to find
//! moves. After register allocation, all copies are the same bytes.
//!
//! # Invariants
//! - A copy is made of instructions that [`decode`] knows, none of which is a call.
//! - The tables have entries for the instructions of a copy as they have for the original ones.
//! - Code before the copies keeps its length: only the distance of a jump changes.
//!
//! # Why not by Cranelift's edges of blocks?
//! `CompiledCode::bb_edges` takes the first block of an edge from `bb_starts` by its index before cold blocks are laid out after all
//! others. If there is a cold block, the edges are therefore those of other blocks.

use std::collections::HashMap;
use std::ops::Range;

use crate::tables::CodeTables;
use crate::x86::{Instruction, Kind, decode};

/// Most instructions of a dispatch.
const MAX_INSTRUCTIONS: usize = 40;

/// Most conditional jumps of a dispatch. That of a state machine also asks if the input ends and if a state is final: CoreMark's has
/// four.
const MAX_BRANCHES: usize = 4;

/// Fewest jumps to a dispatch for which it is copied.
const MIN_JUMPS: usize = 8;

/// Bytes of copies that a small function may have beyond its own size.
const SMALL: usize = 1 << 10;

/// Bytes of a jump, the first of which is its opcode.
const JUMP_LEN: usize = 5;
const JUMP: u8 = 0xe9;

/// The first step of a path that leads somewhere, see [`Path`].
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Offset of the instruction in the code.
    offset: usize,
    instruction: Instruction,
    /// True for a conditional jump that the path takes.
    is_taken: bool,
}

/// Instructions in the order in which they are executed, up to a table jump.
type Path = Vec<Step>;

/// Copies each dispatch of a loop to the jumps that lead back to it. `blocks` are the offsets of the blocks in order.
pub(crate) fn copy_to_jumps(code: &mut Vec<u8>, tables: &mut CodeTables, blocks: &[u32]) {
    // The jumps to each dispatch, which the offset of its table jump identifies.
    let mut dispatches: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut paths: HashMap<usize, Option<Path>> = HashMap::new();
    for pair in blocks.windows(2) {
        let Some((jump, target)) = final_jump(code, tables, pair[0], pair[1]) else { continue };
        let path = paths.entry(target).or_insert_with(|| path_from(code, target));
        // Blocks are in reverse postorder, so only a loop leads back to an earlier one.
        if let Some(table_jump) = path.as_ref().and_then(|path| path.last()).filter(|last| last.offset < jump) {
            dispatches.entry(table_jump.offset).or_default().push(jump);
        }
    }
    let mut dispatches: Vec<_> = dispatches.into_iter().filter(|(_, jumps)| jumps.len() >= MIN_JUMPS).collect();
    dispatches.sort_unstable_by_key(|&(offset, _)| offset);
    let most = 2 * code.len() + SMALL;
    for (_, jumps) in dispatches {
        for jump in jumps {
            if code.len() >= most {
                return;
            }
            let target = distance_end(code, jump..jump + JUMP_LEN);
            let Some(path) = &paths[&target] else { unreachable!("only jumps with a path are kept") };
            let copy = code.len();
            append(code, tables, path);
            write_distance(code, jump + JUMP_LEN, copy);
        }
    }
}

/// Returns the offset and the target of the jump that ends the block from `start` to `end`. Returns `None` if it ends otherwise, or if
/// instructions that are not known are before the jump.
///
/// The last bytes of another instruction may look like a jump, as those of `sub ecx, imm32`. The instructions are therefore
/// decoded from the last offset before the jump that the tables have, which begins an instruction.
fn final_jump(code: &[u8], tables: &CodeTables, start: u32, end: u32) -> Option<(usize, usize)> {
    let jump = (end as usize).checked_sub(JUMP_LEN).filter(|&at| at >= start as usize && code[at] == JUMP)?;
    let locations = &tables.source_locations;
    let location = locations[..locations.partition_point(|&(offset, _)| offset as usize <= jump)].last();
    let mut at = location.map_or(start, |&(offset, _)| offset.max(start)) as usize;
    while at < jump {
        at += decode(&code[at..])?.len;
    }
    (at == jump).then(|| (jump, distance_end(code, jump..end as usize)))
}

/// Returns the path from `offset` to a table jump, or `None` if there is no short one.
fn path_from(code: &[u8], offset: usize) -> Option<Path> {
    let mut path = Path::new();
    follow(code, offset, MAX_BRANCHES, &mut path).then_some(path)
}

/// Appends the instructions from `offset` up to a table jump to `path`. Returns false if there is no table jump near.
fn follow(code: &[u8], mut offset: usize, branches: usize, path: &mut Path) -> bool {
    while path.len() < MAX_INSTRUCTIONS {
        let Some(instruction) = code.get(offset..).and_then(decode) else { return false };
        let end = offset + instruction.len;
        path.push(Step { offset, instruction, is_taken: false });
        match instruction.kind {
            Kind::Plain | Kind::Relative(_) => offset = end,
            Kind::Jump => offset = distance_end(code, offset..end),
            Kind::Branch if branches == 0 => return false,
            Kind::Branch => {
                let length = path.len();
                if follow(code, end, branches - 1, path) {
                    return true;
                }
                path.truncate(length);
                path[length - 1].is_taken = true;
                return follow(code, distance_end(code, offset..end), branches - 1, path);
            }
            // Before it are `lea` with the address of the table, a load from the table, and their sum.
            Kind::IndirectJump => {
                let address = path.len().checked_sub(4).map(|index| path[index].instruction.kind);
                return matches!(address, Some(Kind::Relative(_)));
            }
        }
    }
    false
}

/// Appends a copy of the path to the code, with its entries to the tables.
fn append(code: &mut Vec<u8>, tables: &mut CodeTables, path: &[Step]) {
    let mut location = None;
    for &Step { offset, instruction: Instruction { len, kind }, is_taken } in path {
        if kind == Kind::Jump {
            continue;
        }
        let (end, copy) = (offset + len, code.len());
        code.extend_from_within(offset..end);
        match kind {
            Kind::Relative(field) => {
                let target = distance_end(code, offset..offset + field + 4) + (len - field - 4);
                let distance = target.wrapping_sub(code.len()) as u32;
                code[copy + field..copy + field + 4].copy_from_slice(&distance.to_le_bytes());
            }
            Kind::Branch => {
                let target = if is_taken { end } else { distance_end(code, offset..end) };
                // The lowest bit of the last byte of the opcode inverts the condition.
                code[copy + len - 5] ^= u8::from(is_taken);
                write_distance(code, copy + len, target);
            }
            Kind::Plain | Kind::Jump | Kind::IndirectJump => {}
        }
        let moved = |old: u32| (old as usize - offset + copy) as u32;
        let first = tables.traps.partition_point(|&(trap, _)| (trap as usize) < offset);
        for index in first.. {
            match tables.traps.get(index) {
                Some(&(trap, meaning)) if (trap as usize) < end => tables.traps.push((moved(trap), meaning)),
                _ => break,
            }
        }
        let after = tables.source_locations.partition_point(|&(start, _)| start as usize <= offset);
        let here = after.checked_sub(1).map(|index| tables.source_locations[index].1);
        if let Some(here) = here.filter(|_| here != location) {
            tables.source_locations.push((copy as u32, here));
        }
        location = here;
    }
}

/// Returns the offset to which an instruction refers that has a distance in its last 4 bytes.
fn distance_end(code: &[u8], instruction: Range<usize>) -> usize {
    let field = code[instruction.end - 4..instruction.end].try_into().expect("4 bytes");
    instruction.end.wrapping_add_signed(i32::from_le_bytes(field) as isize)
}

/// Writes the distance to `target` into the last 4 bytes before `end`.
fn write_distance(code: &mut [u8], end: usize, target: usize) {
    code[end - 4..end].copy_from_slice(&(target.wrapping_sub(end) as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use wasmr_core::trap::TrapCode;

    use super::*;

    /// `mov rcx, [rsi]`, which may trap; `lea rdx, [rip+9]`; `movsxd rcx, [rdx+rcx*4]`; `add rdx, rcx`; `jmp rdx`.
    const DISPATCH: [u8; 19] =
        [0x48, 0x8b, 0x0e, 0x48, 0x8d, 0x15, 9, 0, 0, 0, 0x48, 0x63, 0x0c, 0x8a, 0x48, 0x01, 0xca, 0xff, 0xe2];

    /// Code with a dispatch, its table, `count` blocks that jump to the dispatch, and a return. Returns it with its blocks.
    fn machine(count: usize) -> (Vec<u8>, Vec<u32>) {
        let mut code = DISPATCH.to_vec();
        code.extend(vec![0; 4 * count]);
        let mut blocks = vec![0];
        for index in 0..count {
            blocks.push(code.len() as u32);
            let distance = code.len() as u32 - DISPATCH.len() as u32;
            code[DISPATCH.len() + 4 * index..][..4].copy_from_slice(&distance.to_le_bytes());
            code.extend([0x83, 0xc0, index as u8, JUMP, 0, 0, 0, 0]);
            let end = code.len();
            write_distance(&mut code, end, 0);
        }
        blocks.push(code.len() as u32);
        code.push(0xc3);
        (code, blocks)
    }

    #[test]
    fn each_jump_gets_a_copy() {
        let (mut code, blocks) = machine(MIN_JUMPS);
        let before = code.clone();
        let mut tables = CodeTables {
            traps: vec![(0, TrapCode::MemoryOutOfBounds)],
            source_locations: vec![(0, 5), (3, 6), (blocks[1], 7)],
            ..CodeTables::default()
        };
        copy_to_jumps(&mut code, &mut tables, &blocks);
        assert_eq!(code.len(), before.len() + MIN_JUMPS * DISPATCH.len());
        for index in 0..MIN_JUMPS {
            let (copy, jump) = (before.len() + index * DISPATCH.len(), blocks[index + 2] as usize);
            assert_eq!(distance_end(&code, jump - JUMP_LEN..jump), copy);
            assert_eq!(distance_end(&code, copy + 3..copy + 10), DISPATCH.len(), "the table");
            assert_eq!(code[copy + 10..][..9], DISPATCH[10..]);
            assert_eq!(tables.trap(copy as u32), Some(TrapCode::MemoryOutOfBounds));
            assert_eq!(tables.source_locations[3 + 2 * index..][..2], [(copy as u32, 5), (copy as u32 + 3, 6)]);
        }
    }

    #[test]
    fn few_jumps_and_jumps_outside_of_loops_stay() {
        let (mut code, blocks) = machine(MIN_JUMPS - 1);
        let before = code.clone();
        copy_to_jumps(&mut code, &mut CodeTables::default(), &blocks);
        assert_eq!(code, before);
        // The dispatch is behind all jumps.
        let (mut code, mut blocks) = (Vec::new(), Vec::new());
        for left in (0..MIN_JUMPS as u8).rev() {
            blocks.push(code.len() as u32);
            code.extend([JUMP, left * JUMP_LEN as u8, 0, 0, 0]);
        }
        blocks.push(code.len() as u32);
        code.extend(DISPATCH);
        let before = code.clone();
        assert_eq!(final_jump(&code, &CodeTables::default(), 0, 5), Some((0, before.len() - DISPATCH.len())));
        copy_to_jumps(&mut code, &mut CodeTables::default(), &blocks);
        assert_eq!(code, before);
    }

    #[test]
    fn bytes_of_other_instructions_are_no_jumps() {
        // `sub ecx, imm32`, whose operand would be the distance to the dispatch.
        let (mut code, mut blocks) = machine(MIN_JUMPS);
        let start = blocks.pop().unwrap();
        code.truncate(start as usize);
        blocks.push(start);
        code.extend([0x81, JUMP, 0, 0, 0, 0]);
        let end = code.len();
        write_distance(&mut code, end, 0);
        blocks.push(end as u32);
        code.push(0xc3);
        let before = code.clone();
        // Neither from the start of the block, nor from a location in it; nor behind an instruction that is not known.
        let mut tables = CodeTables { source_locations: vec![(0, 1)], ..CodeTables::default() };
        assert_eq!(final_jump(&code, &tables, start, end as u32), None);
        copy_to_jumps(&mut code, &mut tables, &blocks);
        assert_eq!(code[start as usize..end], before[start as usize..end]);
        let code = [0xc3, 0x90, JUMP, 0, 0, 0, 0];
        assert_eq!(final_jump(&code, &CodeTables::default(), 0, 7), None);
        tables.source_locations = vec![(0, 1), (2, 1), (7, 2)];
        assert_eq!(final_jump(&code, &tables, 0, 7), Some((2, 7)));
    }

    #[test]
    fn a_dispatch_may_be_behind_some_conditional_jumps() {
        for (branches, is_short) in [(4, true), (5, false)] {
            // `jne` to the return.
            let mut code = Vec::new();
            for left in (0..branches).rev() {
                code.extend([0x0f, 0x85, left * 6 + DISPATCH.len() as u8, 0, 0, 0]);
            }
            code.extend(DISPATCH);
            code.push(0xc3);
            let steps = path_from(&code, 0).map(|path| path.len());
            assert_eq!(steps, is_short.then_some(usize::from(branches) + 5), "{branches} jumps");
        }
    }

    #[test]
    fn a_conditional_jump_on_the_way_keeps_its_targets() {
        // A dispatch behind `test eax, eax; jne` at the end of the code, which is reached by the jump or without it.
        for (opcode, is_taken) in [(0x84, true), (0x85, false)] {
            let mut code = vec![0x85, 0xc0, 0x0f, opcode, 0, 0, 0, 0];
            let after = if is_taken { 9 } else { 8 };
            write_distance(&mut code, 8, if is_taken { after } else { 30 });
            code.resize(after, 0xc3);
            code.extend(DISPATCH);
            code.resize(40, 0xc3);
            let path = path_from(&code, 0).expect("the dispatch is found");
            let copy = code.len();
            append(&mut code, &mut CodeTables::default(), &path);
            assert_eq!(code[copy..][..4], [0x85, 0xc0, 0x0f, 0x85], "it leaves the path if the operand is not zero");
            assert_eq!(distance_end(&code, copy + 2..copy + 8), if is_taken { 8 } else { 30 });
            assert_eq!(code.len(), copy + 8 + DISPATCH.len());
        }
    }
}
