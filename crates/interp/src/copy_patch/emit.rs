//! The code generator: from the templates of a function's instructions to its machine code.
//!
//! Input: the instructions and their templates, in order. Output: the bytes for an address, the position of each instruction's
//! code in them, and the instruction of each position. The code of an instruction falls through to that of the next one. Blocks
//! that branch away from this path come after the code of all instructions, and constants after them.
//!
//! At the start of an instruction's code all registers but `rdi` are as the handlers' contract says, and `rdi` may have any
//! value. Handlers can therefore enter the code, and the preceding code need not maintain `rdi`. The code sets `rdi` where it
//! leaves for handlers. The code behind a call has two entries: [`paired_call`] says which is for whom.

use super::assemble::{self, Assembler};
use super::code_memory::{Placeable, Placed};
use super::template::{Addressed, Bytes, Field, Finish, Spot, Step, Template, Way};
use crate::paired_call;

/// The code of a function, without an address.
#[derive(Debug)]
pub(crate) struct Function {
    /// Address of the function's first instruction.
    first: u64,
    /// The code that is executed in order.
    main: Assembler,
    /// The blocks that are reached by jumps. They follow `main`.
    side: Assembler,
    /// The constants. They follow `side`.
    constants: Vec<u8>,
    links: Vec<Link>,
    /// Start of the code of each instruction that has code: (code word, position).
    entries: Vec<(u32, u32)>,
    /// Positions from which the code belongs to another instruction: (position, code word). For `main` and `side`.
    owners: [Vec<(u32, u32)>; 2],
    /// Code word of the instruction whose code must follow the end of `main`.
    open: Option<u32>,
    /// Code words of the instructions to which paired calls return, in order.
    returns: Vec<u32>,
    /// The entries of these instructions for returns: (code word, position in `side`).
    rejoins: Vec<(u32, u32)>,
    /// Buffers of [`Expansion`], empty between instructions.
    places: Vec<Option<Place>>,
    jumps: Vec<(Place, u8)>,
}

/// A 32-bit distance to fill in.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Position of the distance.
    at: Place,
    to: Goal,
    /// Bytes between the end of the distance and the address from which it counts.
    beyond: u8,
}

/// A position in one of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Main(u32),
    Side(u32),
    Constant(u32),
}

/// The destination of a distance.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Place(Place),
    /// The code of the instruction at a code word, or its handler if it has none.
    Word(u32),
    Address(u64),
}

/// The way in which the instruction at `rdi` is reached, for a handler that alone knows that instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// By a jump.
    Jump,
    /// By a paired call. The number is the length of the calling instruction in code words.
    Call(usize),
    /// By a return, which may belong to a paired call.
    Return,
}

/// A call of a function of the same instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectCall {
    /// Distance in slots from the caller's frame to the callee's.
    pub(crate) frame: u32,
    /// Offset of the function record in the instance.
    pub(crate) func: i32,
    /// Address of the callee's call stub.
    pub(crate) stub: u64,
    /// Length of the instruction in code words.
    pub(crate) length: usize,
}

/// The error that a field's value does not fit the template. The instruction then gets no code.
struct DoesNotFit;

/// The template of one instruction, being expanded.
struct Expansion<'t> {
    template: &'t Template,
    /// The code words from the instruction on.
    words: &'t [u64],
    /// Code word of the instruction.
    word: u32,
    dispatch: Dispatch,
    /// Position of each block.
    places: Vec<Option<Place>>,
    /// Jumps to blocks: position of the distance, block.
    jumps: Vec<(Place, u8)>,
}

/// The lengths of all parts of a [`Function`], to which a failed expansion is undone.
struct Mark([usize; 5], [usize; 2], Option<u32>);

impl Function {
    /// Returns a function without code, whose first instruction is at address `first`.
    pub(crate) fn new(first: u64) -> Function {
        Function {
            first,
            main: Assembler::default(),
            side: Assembler::default(),
            constants: Vec::new(),
            links: Vec::new(),
            entries: Vec::new(),
            owners: [Vec::new(), Vec::new()],
            open: None,
            returns: Vec::new(),
            rejoins: Vec::new(),
            places: Vec::new(),
            jumps: Vec::new(),
        }
    }

    /// Expands the template of the instruction at a code word. `words` are the function's code words from there on.
    /// Instructions are added in order.
    pub(crate) fn add(&mut self, template: &Template, dispatch: Dispatch, words: &[u64], word: u32) {
        let mark = self.mark();
        let start = self.main.size() as u32;
        let (mut places, jumps) = (std::mem::take(&mut self.places), std::mem::take(&mut self.jumps));
        places.resize(template.blocks.len(), None);
        let mut expansion = Expansion { template, words, word, dispatch, places, jumps };
        let expanded = self.expand(&mut expansion);
        expansion.places.clear();
        expansion.jumps.clear();
        (self.places, self.jumps) = (expansion.places, expansion.jumps);
        match expanded {
            Ok(()) => self.entries.push((word, start)),
            Err(DoesNotFit) => {
                self.reset(mark);
                self.skip();
            }
        }
    }

    /// Adds the paired call that the instruction at a code word is.
    pub(crate) fn add_call(&mut self, call: DirectCall, word: u32) {
        let Some(frame) = call.frame.checked_mul(8).and_then(|bytes| i32::try_from(bytes).ok()) else {
            return self.skip();
        };
        let next = word + call.length as u32;
        self.entries.push((word, self.main.size() as u32));
        self.owners[0].push((self.main.size() as u32, word));
        let return_to = self.address(next);
        paired_call::call(&mut self.main, frame, call.func, return_to);
        self.distance(Goal::Address(call.stub), 0, false);
        self.main.bytes(&paired_call::LANDING);
        self.returns.push(next);
        self.open = Some(next);
    }

    /// Notes that the next instruction has no code.
    pub(crate) fn skip(&mut self) {
        if let Some(word) = self.open.take() {
            self.dispatch(word, false);
        }
    }

    /// Adds the entries for returns of the instructions behind paired calls.
    fn add_rejoins(&mut self) {
        for word in std::mem::take(&mut self.returns) {
            if self.entries.binary_search_by_key(&word, |entry| entry.0).is_err() {
                continue;
            }
            self.rejoins.push((word, self.side.size() as u32));
            self.side.bytes(&paired_call::REJOIN);
            self.distance(Goal::Word(word), 0, true);
            self.side.bytes(&paired_call::REJOIN_END);
        }
    }

    fn mark(&self) -> Mark {
        let lengths = [self.main.size(), self.side.size(), self.constants.len(), self.links.len(), self.returns.len()];
        Mark(lengths, [self.owners[0].len(), self.owners[1].len()], self.open)
    }

    fn reset(&mut self, Mark([main, side, constants, links, returns], owners, open): Mark) {
        self.main.truncate(main);
        self.side.truncate(side);
        self.constants.truncate(constants);
        self.links.truncate(links);
        self.returns.truncate(returns);
        self.owners[0].truncate(owners[0]);
        self.owners[1].truncate(owners[1]);
        self.open = open;
    }

    fn expand(&mut self, expansion: &mut Expansion<'_>) -> Result<(), DoesNotFit> {
        self.open = self.path(expansion, 0, false)?;
        // Expands the blocks to which the path only jumps. Each may add jumps to further blocks.
        let mut next = 0;
        while next < expansion.jumps.len() {
            let (at, block) = expansion.jumps[next];
            if expansion.places[usize::from(block)].is_none() {
                self.path(expansion, block, true)?;
            }
            let place = expansion.places[usize::from(block)].ok_or(DoesNotFit)?;
            self.links.push(Link { at, to: Goal::Place(place), beyond: 0 });
            next += 1;
        }
        Ok(())
    }

    /// Expands a block and its successors, up to a block that has been expanded. Returns the code word of the instruction into
    /// which the code falls through; `None` if the code ends in a jump. With `aside` the code goes to `side`.
    fn path(&mut self, expansion: &mut Expansion<'_>, mut block: u8, aside: bool) -> Result<Option<u32>, DoesNotFit> {
        let owner = (self.part(aside).size() as u32, expansion.word);
        self.owners[usize::from(aside)].push(owner);
        loop {
            let index = usize::from(block);
            if expansion.places[index].is_some() {
                self.jump(expansion, Way::Block(block), aside);
                return Ok(None);
            }
            expansion.places[index] = Some(self.here(aside));
            let template = expansion.template;
            let made = &template.blocks[index];
            for step in &made.steps {
                self.step(expansion, step, aside)?;
            }
            let way = match made.finish {
                Finish::Done => return Ok(None),
                Finish::Dispatch => return Ok(self.leave(expansion, aside)),
                Finish::Next => return Ok(self.go_on(expansion.next()?, aside)),
                Finish::Jump(field) => {
                    let target = expansion.target(field)?;
                    self.part(aside).jump();
                    self.distance(Goal::Word(target), 0, aside);
                    return Ok(None);
                }
                Finish::Goto(way) => way,
                Finish::Test(condition, field, taken, other) => {
                    if expansion.holds(condition, field)? {
                        taken
                    } else {
                        other
                    }
                }
                Finish::Branch(condition, taken, other) => {
                    // The way with the higher rank continues here, the other one becomes the target of the branch.
                    let rank = |way| expansion.rank(way);
                    let (on_taken, on_other) = (rank(taken)?, rank(other)?);
                    let (condition, away, on) =
                        if on_taken > on_other { (condition ^ 1, other, taken) } else { (condition, taken, other) };
                    if let Some(word) = expansion.only_goal(on)?
                        && expansion.rank(on)? == 1
                        && expansion.rank(away)? == 0
                    {
                        // A backward jump: only the budget interrupt takes two.
                        self.part(aside).branch(condition ^ 1);
                        self.distance(Goal::Word(word), 0, aside);
                        self.jump(expansion, away, aside);
                        return Ok(None);
                    }
                    self.part(aside).branch(condition);
                    match expansion.only_goal(away)? {
                        Some(word) => self.distance(Goal::Word(word), 0, aside),
                        None => self.link(expansion, away, aside),
                    }
                    on
                }
            };
            match way {
                Way::Block(next) => block = next,
                Way::Address(_) => {
                    self.jump(expansion, way, aside);
                    return Ok(None);
                }
            }
        }
    }

    /// Continues with the instruction at a code word, which follows this one. Returns that code word if the code falls through.
    fn go_on(&mut self, next: u32, aside: bool) -> Option<u32> {
        if !aside {
            return Some(next);
        }
        self.part(aside).jump();
        self.distance(Goal::Word(next), 0, aside);
        None
    }

    /// Continues with the instruction at `rdi`. Returns the code word of the instruction into which the code falls through.
    fn leave(&mut self, expansion: &Expansion<'_>, aside: bool) -> Option<u32> {
        let part = self.part(aside);
        match expansion.dispatch {
            Dispatch::Jump => part.dispatch(),
            Dispatch::Return => part.bytes(&paired_call::RETURN),
            Dispatch::Call(length) => {
                part.bytes(&paired_call::CALL);
                part.bytes(&paired_call::LANDING);
                let next = expansion.word + length as u32;
                if self.returns.last() != Some(&next) {
                    self.returns.push(next);
                }
                return self.go_on(next, aside);
            }
        }
        None
    }

    fn part(&mut self, aside: bool) -> &mut Assembler {
        if aside { &mut self.side } else { &mut self.main }
    }

    fn here(&self, aside: bool) -> Place {
        if aside { Place::Side(self.side.size() as u32) } else { Place::Main(self.main.size() as u32) }
    }

    /// Leaves room for a distance and notes its destination.
    fn distance(&mut self, to: Goal, beyond: u8, aside: bool) {
        let at = self.here(aside);
        self.part(aside).bytes(&[0; 4]);
        self.links.push(Link { at, to, beyond });
    }

    fn link(&mut self, expansion: &mut Expansion<'_>, way: Way, aside: bool) {
        match way {
            Way::Address(address) => self.distance(Goal::Address(address), 0, aside),
            Way::Block(block) => {
                expansion.jumps.push((self.here(aside), block));
                self.part(aside).bytes(&[0; 4]);
            }
        }
    }

    fn jump(&mut self, expansion: &mut Expansion<'_>, way: Way, aside: bool) {
        self.part(aside).jump();
        self.link(expansion, way, aside);
    }

    /// Continues with the handler of the instruction at a code word.
    fn dispatch(&mut self, word: u32, aside: bool) {
        let address = self.address(word);
        let part = self.part(aside);
        part.constant(assemble::RDI, address);
        part.dispatch();
    }

    /// Returns the address of the instruction at a code word.
    fn address(&self, word: u32) -> u64 {
        self.first + 8 * u64::from(word)
    }

    fn step(&mut self, expansion: &Expansion<'_>, step: &Step, aside: bool) -> Result<(), DoesNotFit> {
        match step {
            Step::Copy(range) => self.part(aside).bytes(expansion.bytes(range)),
            Step::Near { bytes: range, at, target } => {
                let (head, tail) = expansion.bytes(range).split_at(usize::from(*at));
                let tail = &tail[4..];
                self.part(aside).bytes(head);
                self.distance(Goal::Address(*target), tail.len() as u8, aside);
                self.part(aside).bytes(tail);
            }
            Step::Load { reg, field } => self.part(aside).constant(*reg, expansion.value(*field)?),
            Step::Ip(spot) => {
                let address = match *spot {
                    Spot::After(bytes) => self.address(expansion.word).wrapping_add_signed(bytes.into()),
                    Spot::Jump(field) => self.address(expansion.target(field)?),
                };
                self.part(aside).constant(assemble::RDI, address);
            }
            Step::Target { reg } => self.part(aside).load_from_rdi(*reg),
            Step::Sum { reg, base, field } => {
                let value = i32::try_from(expansion.value(*field)? as i64).map_err(|_| DoesNotFit)?;
                self.part(aside).add_to(*reg, *base, value);
            }
            Step::Displaced { insn, field, scale, displacement } => {
                let index = (expansion.value(*field)? as i64).checked_mul(i64::from(*scale)).ok_or(DoesNotFit)?;
                let sum = index.checked_add(i64::from(*displacement)).ok_or(DoesNotFit)?;
                let displacement = i32::try_from(sum).map_err(|_| DoesNotFit)?;
                let part = self.part(aside);
                part.displaced(expansion.bytes(&insn.head), insn.modrm_at, insn.needs_displacement, displacement);
                part.bytes(expansion.bytes(&insn.tail));
            }
            Step::Literal { insn, at, size } => self.literal(expansion, insn, *at, (*size).into(), aside)?,
            Step::Arithmetic { operation, reg, wide, field, literal } => {
                let value = expansion.value(*field)?;
                let constant = if *wide { i32::try_from(value as i64).ok() } else { Some(value as i32) };
                match (constant, literal) {
                    (Some(constant), _) => self.part(aside).arithmetic(*operation, *reg, *wide, constant),
                    (None, Some(literal)) => self.literal(expansion, literal, field.at, 8, aside)?,
                    (None, None) => return Err(DoesNotFit),
                }
            }
            Step::Shift { operation, reg, wide, field } => {
                let count = expansion.value(*field)? as u8;
                self.part(aside).shift(*operation, *reg, *wide, count);
            }
        }
        Ok(())
    }

    fn literal(
        &mut self,
        expansion: &Expansion<'_>,
        insn: &Addressed,
        at: u16,
        size: usize,
        aside: bool,
    ) -> Result<(), DoesNotFit> {
        let at = usize::from(at);
        let bytes: Vec<u8> = expansion.words.iter().skip(at / 8).take(3).flat_map(|word| word.to_le_bytes()).collect();
        let constant = bytes.get(at % 8..at % 8 + size).ok_or(DoesNotFit)?;
        while !self.constants.len().is_multiple_of(size) {
            self.constants.push(0);
        }
        let place = Place::Constant(self.constants.len() as u32);
        self.constants.extend_from_slice(constant);
        self.part(aside).bytes(expansion.bytes(&insn.head));
        let tail = expansion.bytes(&insn.tail);
        self.distance(Goal::Place(place), tail.len() as u8, aside);
        self.part(aside).bytes(tail);
        Ok(())
    }
}

impl Placeable for Function {
    /// Ends the code with exits to the handlers of the instructions that have no code.
    fn finish(&mut self) -> usize {
        self.skip();
        self.add_rejoins();
        let mut exits: Vec<(u32, Place)> = Vec::new();
        for link in 0..self.links.len() {
            let Goal::Word(word) = self.links[link].to else { continue };
            let place = match self.entries.binary_search_by_key(&word, |entry| entry.0) {
                Ok(entry) => Place::Main(self.entries[entry].1),
                Err(_) => match exits.iter().find(|exit| exit.0 == word) {
                    Some(exit) => exit.1,
                    None => {
                        let place = self.here(true);
                        self.dispatch(word, true);
                        exits.push((word, place));
                        place
                    }
                },
            };
            self.links[link].to = Goal::Place(place);
        }
        while !(self.main.size() + self.side.size()).is_multiple_of(assemble::CONSTANT_ALIGN) {
            self.side.pad();
        }
        self.main.size() + self.side.size() + self.constants.len()
    }

    fn place(self, base: u64) -> Option<Placed> {
        let Function { main, side, constants, links, mut entries, rejoins, owners: [mut owners, aside], .. } = self;
        let mut code = main.into_bytes();
        let side_at = code.len() as u32;
        code.extend(side.into_bytes());
        let constants_at = code.len() as u32;
        code.extend(constants);
        let position = |place| match place {
            Place::Main(at) => at,
            Place::Side(at) => side_at + at,
            Place::Constant(at) => constants_at + at,
        };
        for Link { at, to, beyond } in links {
            let at = position(at);
            let to = match to {
                Goal::Place(place) => base + u64::from(position(place)),
                Goal::Address(address) => address,
                Goal::Word(_) => return None,
            };
            let from = base + u64::from(at) + 4 + u64::from(beyond);
            let distance = i32::try_from(to.wrapping_sub(from) as i64).ok()?;
            code[at as usize..at as usize + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let mut rejoins = rejoins.into_iter().peekable();
        for (word, position) in &mut entries {
            if let Some((_, rejoin)) = rejoins.next_if(|rejoin| rejoin.0 == *word) {
                *position = side_at + rejoin;
            }
        }
        owners.extend(aside.into_iter().map(|(at, word)| (side_at + at, word)));
        Some(Placed { code, entries, owners })
    }
}

impl Expansion<'_> {
    fn bytes(&self, range: &Bytes) -> &[u8] {
        &self.template.bytes[range.start.into()..range.end.into()]
    }

    fn value(&self, field: Field) -> Result<u64, DoesNotFit> {
        field.value(self.words).ok_or(DoesNotFit)
    }

    /// Returns the code word of the next instruction.
    fn next(&self) -> Result<u32, DoesNotFit> {
        Ok(self.word + self.template.words.ok_or(DoesNotFit)? as u32)
    }

    /// Returns the code word to which a jump by a field leads.
    fn target(&self, field: Field) -> Result<u32, DoesNotFit> {
        let distance = self.value(field)? as i64;
        u32::try_from(i64::from(self.word) + distance).map_err(|_| DoesNotFit)
    }

    /// Returns true if a condition on the comparison of a field with 0 holds.
    fn holds(&self, condition: u8, field: Field) -> Result<bool, DoesNotFit> {
        let value = self.value(field)?;
        let value = if field.narrow { i64::from(value as i32) } else { value as i64 };
        let holds = match condition & !1 {
            0x4 => value == 0,
            0x8 | 0xc => value < 0,
            0xe => value <= 0,
            _ => return Err(DoesNotFit),
        };
        Ok(holds != (condition & 1 == 1))
    }

    /// Returns the code word of the instruction to which a way leads, if the blocks on it have no steps.
    fn only_goal(&self, mut way: Way) -> Result<Option<u32>, DoesNotFit> {
        for _ in 0..self.template.blocks.len() {
            let Way::Block(block) = way else { return Ok(None) };
            let block = &self.template.blocks[usize::from(block)];
            if !block.steps.is_empty() {
                return Ok(None);
            }
            way = match block.finish {
                Finish::Next => return self.next().map(Some),
                Finish::Jump(field) => return self.target(field).map(Some),
                Finish::Goto(way) => way,
                Finish::Test(condition, field, taken, other) => {
                    if self.holds(condition, field)? {
                        taken
                    } else {
                        other
                    }
                }
                Finish::Branch(..) | Finish::Dispatch | Finish::Done => return Ok(None),
            };
        }
        Ok(None)
    }

    /// Returns the rank of a way in a branch. The way with the higher rank continues in place, so that it costs no jump.
    fn rank(&self, way: Way) -> Result<u8, DoesNotFit> {
        let Way::Block(index) = way else { return Ok(0) };
        let block = &self.template.blocks[usize::from(index)];
        if let Finish::Goto(Way::Address(_)) = block.finish {
            return Ok(0);
        }
        let is_only_goal = self.only_goal(way)?.is_some();
        Ok(match (block.falls, is_only_goal) {
            (false, true) => 1,
            (true, true) => 2,
            (true, false) => 4,
            (false, false) => 3,
        })
    }
}
