//! Registers over the back edges of inner loops.
//!
//! At a loop's head all slots are in memory, so a value that a loop carries from one iteration to the next would go through
//! memory. In a *plain* loop, which has neither a loop nor a call inside, the loads of slots move to the head, before the code of
//! the first instruction. The last back edge puts each of these slots into its register and jumps behind the loads:
//!
//! ```text
//!  label ──▶ loads ──▶ code of the loop … stores, moves between registers ─┐
//!                      ▲───────────────────────────────────────────────────┘
//! ```
//!
//! Memory is up to date at the back edge, as at any branch. Only a load that can move does: the loop has neither written its slot
//! nor used its register before.

use super::assemble::{Assembler, RAX, Rm};
use super::function::{Compiler, Value, slot_mem};
use super::link::{Goal, Position};
use super::plain_loop::{HeadLoad, LoadKind, PlainLoop};
use super::sse::{MOVAPS, MOVUPS};
use super::state::{Holder, XMM};
use super::vector::T;

/// Most registers of each class that have loads at the head of a loop; the others are for results.
const MOST_GENERAL: usize = 4;
const MOST_VECTOR: usize = 10;
/// Most bytes of moves at a back edge, which a short jump leads around.
const MOST_MOVES: usize = 90;

/// Appends a load.
fn append_load(asm: &mut Assembler, load: HeadLoad) {
    let from = Rm::Mem(slot_mem(load.slot));
    match load.kind {
        LoadKind::General(wide) => asm.mov(wide, load.holder, from),
        LoadKind::Float(opcode) => asm.op(opcode, false, load.holder - XMM, from),
        LoadKind::V128 => asm.op(MOVUPS, false, load.holder - XMM, from),
    }
}

impl Compiler<'_> {
    /// Begins a plain loop at the current instruction.
    pub(crate) fn begin_loop(&mut self, last: u32) {
        let start = self.asm.size() as u32;
        let before = self.lengths();
        self.plain_loop =
            Some(PlainLoop { word: self.word, last, start, before, loads: Vec::new(), jumps: Vec::new() });
    }

    /// Returns a register that a load at the head of the current loop gives a slot. `None` if there is no loop, or the load must
    /// be here.
    pub(crate) fn at_head(&mut self, slot: i32, kind: LoadKind) -> Option<Holder> {
        let holder = self.head_register(slot, kind.is_vector())?;
        if kind == LoadKind::V128 && self.state.is_written(slot + 1) {
            return None;
        }
        let current = self.plain_loop.as_mut()?;
        let load = HeadLoad { slot, holder, kind };
        current.loads.push(load);
        for to in &current.jumps {
            if let Some(snapshot) = self.arrivals.get_mut(&u64::from(*to)) {
                let is_narrow = kind == LoadKind::General(false);
                snapshot.add(holder, slot, kind == LoadKind::V128, is_narrow);
            }
        }
        self.state.touch(holder);
        self.state.lock(holder);
        Some(holder)
    }

    fn head_register(&self, slot: i32, is_vector: bool) -> Option<Holder> {
        let current = self.plain_loop.as_ref()?;
        let taken = current.loads.iter().filter(|load| load.kind.is_vector() == is_vector).count();
        let most = if is_vector { MOST_VECTOR } else { MOST_GENERAL };
        if taken == most || self.state.is_written(slot) { None } else { self.state.untouched(is_vector) }
    }

    /// Returns true if the load of a slot can be at the head of the current loop.
    pub(crate) fn can_be_at_head(&self, value: Value, is_vector: bool) -> bool {
        matches!(value, Value::Slot(slot) if self.head_register(slot, is_vector).is_some())
    }

    /// Ends the current loop, if there is one: puts its loads in place.
    pub(crate) fn end_loop(&mut self) {
        if let Some(ended) = self.plain_loop.take() {
            self.insert_loads(&ended);
        }
    }

    /// Puts the loads in place. Returns their end.
    fn insert_loads(&mut self, ended: &PlainLoop) -> u32 {
        let mut loads = Assembler::default();
        ended.loads.iter().for_each(|&load| append_load(&mut loads, load));
        let len = loads.size() as u32;
        self.insert_code(ended.start, ended.word, &loads.into_bytes(), ended.before);
        ended.start + len
    }

    /// Ends the current loop with a jump to its first instruction, with all slots stored. Returns false if `to` is none of a plain
    /// loop.
    pub(crate) fn branch_to_head(&mut self, condition: Option<u8>, to: u32) -> bool {
        let here = self.word;
        let is_end = |current: &mut PlainLoop| current.word == to && current.last == here;
        let Some(ended) = self.plain_loop.take_if(is_end) else { return false };
        let inside = self.insert_loads(&ended);
        let moves = self.moves(&ended.loads).into_bytes();
        if ended.loads.is_empty() || moves.len() > MOST_MOVES {
            return false;
        }
        let around = condition.map(|condition| self.asm.branch_short(condition ^ 1));
        self.asm.bytes(&moves);
        self.take_budget(to, Goal::Position(Position::Main(inside)));
        if let Some(around) = around {
            self.asm.land_short(around);
        }
        true
    }

    /// Returns the code that gives all slots of `loads` their registers again.
    fn moves(&self, loads: &[HeadLoad]) -> Assembler {
        let mut asm = Assembler::default();
        // Target, source, true for 64 bits.
        let mut moves: Vec<(Holder, Holder, bool)> = Vec::new();
        let mut from_memory = Vec::new();
        for &load in loads {
            let holder = match load.kind {
                LoadKind::V128 => self.state.v128_holder(load.slot),
                _ => self.state.holder(load.slot),
            };
            let is_vector = |holder: Holder| (XMM..2 * XMM).contains(&holder);
            let same_class = |&holder: &Holder| {
                if load.kind.is_vector() { is_vector(holder) } else { holder < XMM }
            };
            let Some(from) = holder.filter(same_class) else {
                from_memory.push(load);
                continue;
            };
            // The code of the loop may rely on an upper half that is zero.
            let wide = load.kind != LoadKind::General(false);
            let is_right = wide || self.state.is_narrow(from);
            if from != load.holder || !is_right {
                moves.push((load.holder, from, wide));
            }
        }
        while !moves.is_empty() {
            let is_source = |holder, except: usize| {
                moves.iter().enumerate().any(|(index, other)| index != except && other.1 == holder)
            };
            let ready = (0..moves.len()).find(|&index| !is_source(moves[index].0, index));
            match ready {
                Some(index) => {
                    let (to, from, wide) = moves.swap_remove(index);
                    move_register(&mut asm, to, from, wide);
                }
                None => {
                    // A cycle: a scratch register keeps one of the targets.
                    let target = moves[0].0;
                    let scratch = if target >= XMM { T + XMM } else { RAX };
                    move_register(&mut asm, scratch, target, true);
                    moves.iter_mut().filter(|other| other.1 == target).for_each(|other| other.1 = scratch);
                }
            }
        }
        from_memory.into_iter().for_each(|load| append_load(&mut asm, load));
        asm
    }
}

fn move_register(asm: &mut Assembler, to: Holder, from: Holder, wide: bool) {
    if to >= XMM {
        asm.op(MOVAPS, false, to - XMM, Rm::Reg(from - XMM));
    } else {
        asm.mov(wide, to, Rm::Reg(from));
    }
}
