//! The analysis of a handler: which loads read operand fields, and where the handler jumps to another one.
//!
//! Input: the blocks of `decode`. Output: a [`Template`], or the assumptions that the code breaks and without which it cannot
//! be executed at another address. This file orders the blocks and joins them; `walk` executes each symbolically.
//!
//! # Cold code
//! A block is cold if it reaches no jump to another handler: it leads to a trap, a budget interrupt or another function. Copied
//! code jumps to the cold block in the handler. A block that uses the native stack is not copied either. If the entry is such a
//! block, the handler has no template.

use iced_x86::InstructionInfoFactory;

use super::assumption::{Assumption, Broken};
use super::decode::{self, ARGUMENTS, Edge, End, Insn, RDI, RSP, Regs};
use super::flow::Flow;
use super::template::{Block, Finish, Pool, Step, Template, Way};
use super::walk::{State, Walk, step_for};

/// Makes the template of the handler at an address.
///
/// # Errors
/// The assumptions that the handler breaks, the decisive one first, if it cannot be copied.
pub(crate) fn analyse(handler: usize, infos: &mut InstructionInfoFactory) -> Result<Template, Vec<Broken>> {
    analyse_code(decode::code(handler).map_err(|broken| vec![broken])?, infos)
}

/// Makes the template of the handler at the start of `code`. The handler may have edges to addresses outside of `code`.
///
/// # Errors
/// As for [`analyse`].
pub(crate) fn analyse_code(code: &'static [u8], infos: &mut InstructionInfoFactory) -> Result<Template, Vec<Broken>> {
    let blocks = decode::decode(code, infos).map_err(|broken| vec![broken])?;
    let analysis = Analysis::new(&blocks);
    if !analysis.copied[0] {
        return Err(analysis.obstacles());
    }
    if let Some(broken) = foreign_read(&blocks[0], infos) {
        return Err(vec![broken]);
    }
    analysis.template().map_err(|broken| vec![broken])
}

/// Returns the first instruction of the entry block that reads a register which is neither an argument nor written before.
fn foreign_read(entry: &decode::Block, infos: &mut InstructionInfoFactory) -> Option<Broken> {
    let mut known = Regs(ARGUMENTS.0 | 1 << RSP);
    for insn in &entry.insns {
        if insn.reads.0 & !known.0 != 0 && decode::reads_other_than(&insn.op, known, infos) {
            return Some(Broken { assumption: Assumption::OnlyArguments, at: insn.op.ip() });
        }
        known.0 |= insn.writes.0;
    }
    None
}

struct Analysis<'b> {
    flow: Flow<'b>,
    /// True for each block that is copied.
    copied: Vec<bool>,
    /// The copied blocks in reverse postorder: each after its predecessors, except along backward edges.
    order: Vec<usize>,
    /// State at the start of each finished block.
    before: Vec<Option<State>>,
    /// State at the end of each finished block.
    after: Vec<Option<State>>,
    /// The blocks of the template: the copied blocks by their numbers in `flow`, then one for each edge that needs steps of its
    /// own.
    done: Vec<Option<Block>>,
    bytes: Pool,
    words: Option<usize>,
    deviations: Vec<Broken>,
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
            deviations: Vec::new(),
        };
        analysis.copied = analysis.dispatching(|block| !block.insns.iter().any(Insn::uses_native_stack));
        analysis.sort(0, &mut vec![false; count]);
        analysis.order.reverse();
        analysis
    }

    /// Returns the copied blocks to which a block leads.
    fn successors(&self, block: usize) -> Vec<usize> {
        self.targets(block).filter(|&target| self.copied[target]).collect()
    }

    /// Returns all blocks to which a block leads.
    fn targets(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let edges = match self.flow.blocks[block].end {
            End::Branch(_, a, b) => [Some(a), Some(b)],
            End::Goto(a) => [Some(a), None],
            End::Register(_) | End::Unknown(_) => [None, None],
        };
        edges.into_iter().flatten().filter_map(|edge| match edge {
            Edge::Block(block) => Some(block),
            Edge::Address(_) => None,
        })
    }

    /// Returns, for each block, true if it leads to a jump to another handler through blocks for which `may_copy` holds.
    fn dispatching(&self, may_copy: impl Fn(&decode::Block) -> bool) -> Vec<bool> {
        let mut dispatching = vec![false; self.flow.blocks.len()];
        loop {
            let mut changed = false;
            for (index, block) in self.flow.blocks.iter().enumerate() {
                if dispatching[index] || !may_copy(block) {
                    continue;
                }
                let leads_on = match block.end {
                    End::Register(reg) => !is_from_table(block, reg),
                    _ => self.targets(index).any(|target| dispatching[target]),
                };
                if leads_on {
                    dispatching[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return dispatching;
            }
        }
    }

    /// Returns the assumptions that keep the handler from being copied. If it reaches another handler, these are the uses of
    /// the native stack on the way; else all block ends that lead outside of the handler.
    fn obstacles(&self) -> Vec<Broken> {
        let dispatching = self.dispatching(|_| true);
        let blocks = self.flow.blocks.iter();
        if dispatching[0] {
            return blocks
                .zip(&dispatching)
                .filter(|(_, dispatching)| **dispatching)
                .filter_map(|(block, _)| block.insns.iter().find(|insn| insn.uses_native_stack()))
                .map(|insn| Broken { assumption: Assumption::NoNativeStack, at: insn.op.ip() })
                .collect();
        }
        let is_outside = |edge| matches!(edge, Edge::Address(_));
        blocks
            .filter_map(|block| {
                let (assumption, at) = match block.end {
                    End::Unknown(broken) => return Some(broken),
                    End::Register(_) => (Assumption::Dispatches, block.insns.last()?.op.ip()),
                    End::Branch(_, a, b) if is_outside(a) || is_outside(b) => {
                        (Assumption::OnePiece, block.end_address())
                    }
                    End::Goto(a) if is_outside(a) => (Assumption::OnePiece, block.end_address()),
                    End::Branch(..) | End::Goto(_) => return None,
                };
                Some(Broken { assumption, at })
            })
            .collect()
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

    fn template(mut self) -> Result<Template, Broken> {
        for at in 0..self.order.len() {
            let block = self.order[at];
            let before = self.enter(block)?;
            self.before[block] = Some(before);
            self.block(block, before)?;
        }
        self.check_loops()?;
        if self.done.len() > usize::from(u8::MAX) {
            return Err(Broken { assumption: Assumption::OnePiece, at: self.flow.blocks[0].at });
        }
        self.mark_falls();
        let none = Block { steps: Vec::new(), finish: Finish::Done, falls: false };
        let blocks = self.done.into_iter().map(|block| block.unwrap_or_else(|| none.clone())).collect();
        Ok(Template { blocks, bytes: self.bytes.into_bytes(), words: self.words, deviations: self.deviations })
    }

    /// Returns the state at the start of a block. Appends steps to the predecessors where their states differ.
    fn enter(&mut self, block: usize) -> Result<State, Broken> {
        let before = |other: &usize| self.copied[*other] && self.successors(*other).contains(&block);
        let all: Vec<usize> = (0..self.copied.len()).filter(before).collect();
        let mut states = all.iter().filter_map(|&other| self.after[other]);
        let mut state =
            if block == 0 { State::START } else { states.next().ok_or_else(|| self.differs_in_loop(block))? };
        for other in states {
            state = state.meet(&other);
        }
        if all.iter().any(|&other| self.after[other].is_none()) {
            state.forget_deferred();
        }
        for &other in &all {
            self.settle_at_end(other, block, &state);
        }
        Ok(state)
    }

    /// Appends steps to a finished block, after which the state is the one that its successor expects.
    fn settle_at_end(&mut self, from: usize, to: usize, expected: &State) {
        let Some(mut state) = self.after[from] else { return };
        let steps = &mut self.done[from].as_mut().expect("a block with a state after it is finished").steps;
        for reg in 0..16 {
            let Some(value) = state.deferred[reg].filter(|_| expected.deferred[reg].is_none()) else { continue };
            if self.flow.is_live(reg, Edge::Block(to)) {
                steps.push(step_for(reg, value));
                state.deferred[reg] = None;
            }
        }
        if let (Some(spot), None) = (state.ip, expected.ip) {
            steps.push(Step::Ip(spot));
        }
        self.after[from] = Some(state);
    }

    /// Checks that each backward edge arrives with the state that its target was analysed with.
    fn check_loops(&mut self) -> Result<(), Broken> {
        for from in self.order.clone() {
            for to in self.successors(from) {
                let differs = self.differs_in_loop(to);
                let expected = self.before[to].ok_or(differs)?;
                self.settle_at_end(from, to, &expected);
                let state = self.after[from].ok_or(differs)?;
                let agrees =
                    |reg: usize| expected.deferred[reg].is_none() || expected.deferred[reg] == state.deferred[reg];
                if !(0..16).all(agrees) || (expected.ip.is_some() && expected.ip != state.ip) {
                    return Err(differs);
                }
            }
        }
        Ok(())
    }

    /// Returns the error for a backward edge to a block that expects another state.
    fn differs_in_loop(&self, block: usize) -> Broken {
        Broken { assumption: Assumption::SameIpInLoops, at: self.flow.blocks[block].at }
    }

    /// Sets `falls` of all blocks, backward until nothing changes.
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
                    Finish::Jump(_) | Finish::Dispatch | Finish::Done => false,
                };
                self.done[index].as_mut().expect("the block was found above").falls = falls;
            }
        }
    }

    /// Makes the template's block of a decoded block.
    fn block(&mut self, index: usize, before: State) -> Result<(), Broken> {
        let block = &self.flow.blocks[index];
        let mut walk = Walk::new(self.flow, index, before, &mut self.bytes);
        let mut finish = Finish::Done;
        match (block.end, block.insns.split_last()) {
            (End::Register(reg), Some((jump, insns))) => {
                for insn in 0..insns.len() {
                    walk.instruction(insn)?;
                }
                finish = walk.exit(reg, jump)?;
                if finish == Finish::Next {
                    if self.words.is_some() && self.words != walk.words() {
                        return Err(Broken { assumption: Assumption::OneLength, at: jump.op.ip() });
                    }
                    self.words = walk.words();
                }
            }
            _ => {
                for insn in 0..block.insns.len() {
                    walk.instruction(insn)?;
                }
            }
        }
        let (state, tested) = (walk.state, walk.tested);
        let (steps, mut deviations) = walk.finish();
        self.deviations.append(&mut deviations);
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
            End::Unknown(broken) => return Err(broken),
        }
        self.after[index] = Some(state);
        self.done[index] = Some(Block { steps, finish, falls: false });
        Ok(())
    }

    /// Returns the way of an edge. If the edge leads to code that is not copied, an extra block first materialises the
    /// registers that may be read there.
    fn way(&mut self, edge: Edge, state: &State) -> Way {
        let address = match edge {
            Edge::Block(block) if self.copied[block] => return Way::Block(block as u8),
            Edge::Block(block) => self.flow.blocks[block].at,
            Edge::Address(at) => at,
        };
        let mut steps: Vec<Step> = (0..16)
            .filter(|&reg| self.flow.is_live(reg, edge))
            .filter_map(|reg| state.deferred[reg].map(|value| step_for(reg, value)))
            .collect();
        steps.extend(state.ip.filter(|_| self.flow.is_live(RDI, edge)).map(Step::Ip));
        if steps.is_empty() {
            return Way::Address(address);
        }
        self.done.push(Some(Block { steps, finish: Finish::Goto(Way::Address(address)), falls: false }));
        // `template` refuses the handler if the number does not fit.
        Way::Block((self.done.len() - 1) as u8)
    }
}

/// Returns true if a block last loads the register from the program's own data. A jump to that value goes through a jump table
/// or to an imported function.
fn is_from_table(block: &decode::Block, reg: usize) -> bool {
    let last_write = block.insns.iter().rev().find(|insn| insn.writes.has(reg));
    last_write.is_some_and(|insn| insn.op.is_ip_rel_memory_operand())
}
