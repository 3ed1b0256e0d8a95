//! Finds out how a handler's code can be made for one cell of it: which loads give constants of the cell, and where it goes
//! on with another cell.
//!
//! Comes in: the blocks of `decode`. Goes out: a [`Template`], or nothing if the handler cannot be
//! executed elsewhere than it stands. Here is how the blocks hang together; [`walk`](super::walk) follows each.
//!
//! # Cold code
//! A block from which no other cell can be reached by loading its handler leads to a trap, an event, or another function. Such
//! blocks stay where they are. So do blocks that use the native stack; if the first one does, the handler is not copied.

use iced_x86::InstructionInfoFactory;

use super::decode::{self, Edge, End, Insn, RDI};
use super::flow::Flow;
use super::template::{Block, Bytes, Finish, Step, Template, Way};
use super::walk::{State, Walk, step_for};

/// Why a handler is not copied: its code is not of the kind that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// The template of a handler, if it can have one.
pub fn analyse(handler: usize, infos: &mut InstructionInfoFactory) -> Option<Template> {
    let blocks = decode::decode(handler, infos)?;
    Analysis::new(&blocks).template().ok()
}

struct Analysis<'b> {
    flow: Flow<'b>,
    /// Which blocks are copied.
    copied: Vec<bool>,
    /// In which order: each after what leads to it, loops aside.
    order: Vec<usize>,
    before: Vec<Option<State>>,
    after: Vec<Option<State>>,
    /// The blocks of the template: those that are copied, by their own numbers, then the ways out to others.
    done: Vec<Option<Block>>,
    bytes: Pool,
    words: Option<usize>,
}

/// The bytes that steps copy.
#[derive(Debug, Default)]
pub struct Pool(Vec<u8>);

impl Pool {
    /// Puts bytes in.
    pub fn add(&mut self, bytes: &[u8]) -> Bytes {
        let start = self.0.len() as u16;
        self.0.extend_from_slice(bytes);
        start..self.0.len() as u16
    }
}

impl<'b> Analysis<'b> {
    fn new(blocks: &'b [decode::Block]) -> Analysis<'b> {
        let count = blocks.len();
        let mut analysis = Analysis {
            flow: Flow { blocks },
            copied: vec![false; count],
            order: Vec::new(),
            before: vec![None; count],
            after: vec![None; count],
            done: vec![None; count],
            bytes: Pool::default(),
            words: None,
        };
        analysis.choose();
        analysis.sort(0, &mut vec![false; count]);
        analysis.order.reverse();
        analysis
    }

    /// The blocks that are copied and to which a block leads.
    fn successors(&self, block: usize) -> Vec<usize> {
        let edges = match self.flow.blocks[block].end {
            End::Branch(_, a, b) => [Some(a), Some(b)],
            End::Goto(a) => [Some(a), None],
            End::Register(_) | End::Unknown => [None, None],
        };
        let block = |edge| match edge {
            Edge::Block(block) if self.copied[block] => Some(block),
            _ => None,
        };
        edges.into_iter().flatten().filter_map(block).collect()
    }

    /// Chooses what is copied: what leads to a jump through a register that was loaded neither from the program's own tables
    /// nor behind anything that ties the code to its place.
    fn choose(&mut self) {
        loop {
            let mut changed = false;
            for index in 0..self.flow.blocks.len() {
                let block = &self.flow.blocks[index];
                if self.copied[index] || block.insns.iter().any(Insn::ties) {
                    continue;
                }
                let dispatches = match block.end {
                    End::Register(reg) => {
                        let last_write = block.insns.iter().rev().find(|insn| insn.writes.has(reg));
                        !last_write.is_some_and(|insn| insn.op.is_ip_rel_memory_operand())
                    }
                    _ => !self.successors(index).is_empty(),
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
            let before = self.enter(block)?;
            self.before[block] = Some(before);
            self.block(block, before)?;
        }
        self.check_loops()?;
        if self.done.len() > usize::from(u8::MAX) {
            return Err(Unfit);
        }
        self.mark_falls();
        let none = Block { steps: Vec::new(), finish: Finish::Done, falls: false };
        let blocks = self.done.into_iter().map(|block| block.unwrap_or_else(|| none.clone())).collect();
        Ok(Template { blocks, bytes: self.bytes.0, words: self.words })
    }

    /// What is known at the start of a block; pays at the ends of the blocks before it what they do not agree on.
    fn enter(&mut self, block: usize) -> Result<State, Unfit> {
        let before = |other: &usize| self.copied[*other] && self.successors(*other).contains(&block);
        let all: Vec<usize> = (0..self.copied.len()).filter(before).collect();
        let mut states = all.iter().filter_map(|&other| self.after[other]);
        let mut state = if block == 0 { State::START } else { states.next().ok_or(Unfit)? };
        for other in states {
            state = state.meet(&other);
        }
        if all.iter().any(|&other| self.after[other].is_none()) {
            state.forget_debts();
        }
        for &other in &all {
            self.pay_at_end(other, block, &state);
        }
        Ok(state)
    }

    /// Makes a finished block leave what its successor expects.
    fn pay_at_end(&mut self, from: usize, to: usize, expected: &State) {
        let Some(mut state) = self.after[from] else { return };
        let steps = &mut self.done[from].as_mut().expect("it was finished").steps;
        for reg in 0..16 {
            let Some(debt) = state.owed[reg].filter(|_| expected.owed[reg].is_none()) else { continue };
            if self.flow.is_live(reg, Edge::Block(to)) {
                steps.push(step_for(reg, debt));
                state.owed[reg] = None;
            }
        }
        if let (Some(spot), None) = (state.ip, expected.ip) {
            steps.push(Step::Ip(spot));
        }
        self.after[from] = Some(state);
    }

    /// Sees to it that blocks that lead back agree with what was assumed.
    fn check_loops(&mut self) -> Result<(), Unfit> {
        for from in self.order.clone() {
            for to in self.successors(from) {
                let expected = self.before[to].ok_or(Unfit)?;
                self.pay_at_end(from, to, &expected);
                let state = self.after[from].ok_or(Unfit)?;
                let agrees = |reg: usize| expected.owed[reg].is_none() || expected.owed[reg] == state.owed[reg];
                if !(0..16).all(agrees) || (expected.ip.is_some() && expected.ip != state.ip) {
                    return Err(Unfit);
                }
            }
        }
        Ok(())
    }

    fn mark_falls(&mut self) {
        for _ in 0..self.done.len() {
            for index in 0..self.done.len() {
                let falls = |way: Way| match way {
                    Way::Block(block) => self.done[usize::from(block)].as_ref().is_some_and(|block| block.falls),
                    Way::Address(_) => false,
                };
                let Some(block) = &self.done[index] else { continue };
                let falls = match block.finish {
                    Finish::Next => true,
                    Finish::Branch(_, a, b) | Finish::Test(_, _, a, b) => falls(a) || falls(b),
                    Finish::Goto(a) => falls(a),
                    Finish::Jump(_) | Finish::Done => false,
                };
                self.done[index].as_mut().expect("it is there").falls = falls;
            }
        }
    }

    fn block(&mut self, index: usize, before: State) -> Result<(), Unfit> {
        let block = &self.flow.blocks[index];
        let mut walk = Walk::new(self.flow, index, before, &mut self.bytes);
        let jump = usize::from(matches!(block.end, End::Register(_)));
        let inner = block.insns.len().checked_sub(jump).ok_or(Unfit)?;
        for insn in 0..inner {
            walk.instruction(insn)?;
        }
        let mut finish = Finish::Done;
        if let End::Register(reg) = block.end {
            finish = walk.exit(reg, &block.insns[inner])?;
            if finish == Finish::Next {
                let words = walk.words().ok_or(Unfit)?;
                if *self.words.get_or_insert(words) != words {
                    return Err(Unfit);
                }
            }
        }
        let (state, tested) = (walk.state, walk.tested);
        let steps = walk.finish();
        match block.end {
            End::Register(_) => {}
            End::Branch(condition, a, b) => {
                let (a, b) = (self.way(a, &state), self.way(b, &state));
                finish = match tested {
                    Some(field) => Finish::Test(condition, field, a, b),
                    None => Finish::Branch(condition, a, b),
                };
            }
            End::Goto(a) => finish = Finish::Goto(self.way(a, &state)),
            End::Unknown => return Err(Unfit),
        }
        self.after[index] = Some(state);
        self.done[index] = Some(Block { steps, finish, falls: false });
        Ok(())
    }

    /// The way that an edge is. One to code that stays where it is pays first whatever may be read there.
    fn way(&mut self, edge: Edge, state: &State) -> Way {
        let address = match edge {
            Edge::Block(block) if self.copied[block] => return Way::Block(block as u8),
            Edge::Block(block) => self.flow.blocks[block].at,
            Edge::Address(at) => at,
        };
        let mut steps: Vec<Step> = (0..16)
            .filter(|&reg| self.flow.is_live(reg, edge))
            .filter_map(|reg| state.owed[reg].map(|debt| step_for(reg, debt)))
            .collect();
        steps.extend(state.ip.filter(|_| self.flow.is_live(RDI, edge)).map(Step::Ip));
        if steps.is_empty() {
            return Way::Address(address);
        }
        self.done.push(Some(Block { steps, finish: Finish::Goto(Way::Address(address)), falls: false }));
        // More than fit are refused in the end.
        Way::Block((self.done.len() - 1) as u8)
    }
}
