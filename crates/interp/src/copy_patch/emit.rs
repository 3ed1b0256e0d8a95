//! Makes the code of a function from the templates of its cells.
//!
//! Comes in: the cells, and their templates in order. Goes out: bytes for an address, where in them the code of each cell
//! starts, and which code is of which cell. Cells follow one another, so that going on with the next one takes nothing;
//! what branches away comes behind all of them, then the constants.
//!
//! At the start of each cell's code all registers but `rdi` are what the handlers' contract says, and `rdi` may be anything:
//! so it may be entered from a handler, and needs no `rdi` when entered from the code in front of it. Where the function is
//! left for handlers, `rdi` is made.

use super::assemble::{self, Assembler};
use super::template::{Addressed, Bytes, Field, Finish, Spot, Step, Template, Way};

/// Code of a function, to be placed.
#[derive(Debug)]
pub struct Function {
    /// Address of the function's first cell.
    cells: u64,
    /// What is executed in order.
    main: Assembler,
    /// What is jumped to, to go behind it.
    side: Assembler,
    /// Constants, to go behind that.
    constants: Vec<u8>,
    links: Vec<Link>,
    /// Where the code of each cell that has some starts: (word, position).
    entries: Vec<(u32, u32)>,
    /// From where on code is of which cell: (position, word).
    owners: [Vec<(u32, u32)>; 2],
    /// The word with which the end of `main` goes on.
    open: Option<u32>,
    /// What [`Cell`] works with, empty between cells.
    places: Vec<Option<Place>>,
    jumps: Vec<(Place, u8)>,
}

/// A distance of 32 bits to be filled in.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Where it is.
    at: Place,
    to: Goal,
    /// How much further the distance counts than from its own end.
    beyond: u8,
}

/// A position in one of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Main(u32),
    Side(u32),
    Constant(u32),
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    Place(Place),
    /// The code of the cell at a word, or if it has none, its handler.
    Word(u32),
    Address(u64),
}

/// The cell cannot be made: a field has a value that does not fit its place.
struct Unfit;

/// One cell being made.
struct Cell<'t> {
    template: &'t Template,
    words: &'t [u64],
    word: u32,
    /// Where its blocks are.
    places: Vec<Option<Place>>,
    /// Jumps to blocks.
    jumps: Vec<(Place, u8)>,
}

/// How long everything was.
struct Mark([usize; 4], [usize; 2], Option<u32>);

/// The code of a function where it is to be.
#[derive(Debug)]
pub struct Placed {
    /// The bytes.
    pub code: Vec<u8>,
    /// Where the code of each cell that has some starts: (word, position).
    pub entries: Vec<(u32, u32)>,
    /// From where on code is of which cell: (position, word), in order.
    pub owners: Vec<(u32, u32)>,
}

impl Function {
    /// The code of a function without cells so far, the first of which will be at an address.
    pub fn new(cells: u64) -> Function {
        Function {
            cells,
            main: Assembler::default(),
            side: Assembler::default(),
            constants: Vec::new(),
            links: Vec::new(),
            entries: Vec::new(),
            owners: [Vec::new(), Vec::new()],
            open: None,
            places: Vec::new(),
            jumps: Vec::new(),
        }
    }

    /// Makes the code of the cell at a word; `words` is the function's code from there on. Cells are added in order.
    pub fn add(&mut self, template: &Template, words: &[u64], word: u32) {
        let mark = self.mark();
        let start = self.main.size() as u32;
        let (mut places, jumps) = (std::mem::take(&mut self.places), std::mem::take(&mut self.jumps));
        places.resize(template.blocks.len(), None);
        let mut cell = Cell { template, words, word, places, jumps };
        let made = self.cell(&mut cell);
        cell.places.clear();
        cell.jumps.clear();
        (self.places, self.jumps) = (cell.places, cell.jumps);
        match made {
            Ok(()) => self.entries.push((word, start)),
            Err(Unfit) => {
                self.reset(mark);
                self.skip();
            }
        }
    }

    /// Notes that the next cell has no code.
    pub fn skip(&mut self) {
        if let Some(word) = self.open.take() {
            self.dispatch(word, false);
        }
    }

    /// Ends the code: makes ways out to the cells that have none. Gives its size.
    pub fn finish(&mut self) -> usize {
        self.skip();
        let mut ways: Vec<(u32, Place)> = Vec::new();
        for link in 0..self.links.len() {
            let Goal::Word(word) = self.links[link].to else { continue };
            let place = match self.entries.binary_search_by_key(&word, |entry| entry.0) {
                Ok(entry) => Place::Main(self.entries[entry].1),
                Err(_) => match ways.iter().find(|way| way.0 == word) {
                    Some(way) => way.1,
                    None => {
                        let place = self.here(true);
                        self.dispatch(word, true);
                        ways.push((word, place));
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

    /// The finished code for an address; `None` if that is too far from what it refers to.
    pub fn place(self, base: u64) -> Option<Placed> {
        let Function { main, side, constants, links, entries, owners: [mut owners, aside], .. } = self;
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
        owners.extend(aside.into_iter().map(|(at, word)| (side_at + at, word)));
        Some(Placed { code, entries, owners })
    }

    fn mark(&self) -> Mark {
        let lengths = [self.main.size(), self.side.size(), self.constants.len(), self.links.len()];
        Mark(lengths, [self.owners[0].len(), self.owners[1].len()], self.open)
    }

    fn reset(&mut self, Mark([main, side, constants, links], owners, open): Mark) {
        self.main.truncate(main);
        self.side.truncate(side);
        self.constants.truncate(constants);
        self.links.truncate(links);
        self.owners[0].truncate(owners[0]);
        self.owners[1].truncate(owners[1]);
        self.open = open;
    }

    fn cell(&mut self, cell: &mut Cell<'_>) -> Result<(), Unfit> {
        self.open = self.path(cell, 0, false)?;
        // What the path left out, and what that leaves out in turn.
        let mut next = 0;
        while next < cell.jumps.len() {
            let (at, block) = cell.jumps[next];
            if cell.places[usize::from(block)].is_none() {
                self.path(cell, block, true)?;
            }
            let place = cell.places[usize::from(block)].ok_or(Unfit)?;
            self.links.push(Link { at, to: Goal::Place(place), beyond: 0 });
            next += 1;
        }
        Ok(())
    }

    /// Makes blocks from one on, as long as they have not been made. Gives the word with which the end goes on, if it does.
    fn path(&mut self, cell: &mut Cell<'_>, mut block: u8, aside: bool) -> Result<Option<u32>, Unfit> {
        let owner = (self.part(aside).size() as u32, cell.word);
        self.owners[usize::from(aside)].push(owner);
        loop {
            let index = usize::from(block);
            if cell.places[index].is_some() {
                self.jump(cell, Way::Block(block), aside);
                return Ok(None);
            }
            cell.places[index] = Some(self.here(aside));
            let template = cell.template;
            let made = &template.blocks[index];
            for step in &made.steps {
                self.step(cell, step, aside)?;
            }
            let way = match made.finish {
                Finish::Done => return Ok(None),
                Finish::Next => {
                    let next = cell.next()?;
                    if aside {
                        self.part(aside).jump();
                        self.distance(Goal::Word(next), 0, aside);
                        return Ok(None);
                    }
                    return Ok(Some(next));
                }
                Finish::Jump(field) => {
                    let target = cell.target(field)?;
                    self.part(aside).jump();
                    self.distance(Goal::Word(target), 0, aside);
                    return Ok(None);
                }
                Finish::Goto(way) => way,
                Finish::Test(condition, field, taken, other) => {
                    if cell.holds(condition, field)? {
                        taken
                    } else {
                        other
                    }
                }
                Finish::Branch(condition, taken, other) => {
                    // What is jumped to by one jump is jumped to from here; else what goes on to the next cell goes on here.
                    let rank = |way| cell.rank(way);
                    let (on_taken, on_other) = (rank(taken)?, rank(other)?);
                    let (condition, away, on) =
                        if on_taken > on_other { (condition ^ 1, other, taken) } else { (condition, taken, other) };
                    self.part(aside).branch(condition);
                    match cell.only_goal(away)? {
                        Some(word) => self.distance(Goal::Word(word), 0, aside),
                        None => self.link(cell, away, aside),
                    }
                    on
                }
            };
            match way {
                Way::Block(next) => block = next,
                Way::Address(_) => {
                    self.jump(cell, way, aside);
                    return Ok(None);
                }
            }
        }
    }

    fn part(&mut self, aside: bool) -> &mut Assembler {
        if aside { &mut self.side } else { &mut self.main }
    }

    fn here(&self, aside: bool) -> Place {
        if aside { Place::Side(self.side.size() as u32) } else { Place::Main(self.main.size() as u32) }
    }

    /// Leaves room for a distance, and notes to what.
    fn distance(&mut self, to: Goal, beyond: u8, aside: bool) {
        let at = self.here(aside);
        self.part(aside).bytes(&[0; 4]);
        self.links.push(Link { at, to, beyond });
    }

    fn link(&mut self, cell: &mut Cell<'_>, way: Way, aside: bool) {
        match way {
            Way::Address(address) => self.distance(Goal::Address(address), 0, aside),
            Way::Block(block) => {
                cell.jumps.push((self.here(aside), block));
                self.part(aside).bytes(&[0; 4]);
            }
        }
    }

    fn jump(&mut self, cell: &mut Cell<'_>, way: Way, aside: bool) {
        self.part(aside).jump();
        self.link(cell, way, aside);
    }

    /// Goes on with the handler of the cell at a word.
    fn dispatch(&mut self, word: u32, aside: bool) {
        let address = self.address(word);
        let part = self.part(aside);
        part.constant(assemble::RDI, address);
        part.dispatch();
    }

    fn address(&self, word: u32) -> u64 {
        self.cells + 8 * u64::from(word)
    }

    fn step(&mut self, cell: &Cell<'_>, step: &Step, aside: bool) -> Result<(), Unfit> {
        match step {
            Step::Copy(range) => self.part(aside).bytes(cell.bytes(range)),
            Step::Near { bytes: range, at, target } => {
                let (head, tail) = cell.bytes(range).split_at(usize::from(*at));
                let tail = &tail[4..];
                self.part(aside).bytes(head);
                self.distance(Goal::Address(*target), tail.len() as u8, aside);
                self.part(aside).bytes(tail);
            }
            Step::Load { reg, field } => self.part(aside).constant(*reg, cell.value(*field)?),
            Step::Ip(spot) => {
                let address = match *spot {
                    Spot::Behind(bytes) => self.address(cell.word).wrapping_add_signed(bytes.into()),
                    Spot::Jump(field) => self.address(cell.target(field)?),
                };
                self.part(aside).constant(assemble::RDI, address);
            }
            Step::Target { reg } => self.part(aside).load_from_rdi(*reg),
            Step::Sum { reg, base, field } => {
                let value = i32::try_from(cell.value(*field)? as i64).map_err(|_| Unfit)?;
                self.part(aside).add_to(*reg, *base, value);
            }
            Step::Displaced { insn, field, scale, displacement } => {
                let index = (cell.value(*field)? as i64).checked_mul(i64::from(*scale)).ok_or(Unfit)?;
                let sum = index.checked_add(i64::from(*displacement)).ok_or(Unfit)?;
                let displacement = i32::try_from(sum).map_err(|_| Unfit)?;
                let part = self.part(aside);
                part.displaced(cell.bytes(&insn.head), insn.modrm_at, insn.needs_displacement, displacement);
                part.bytes(cell.bytes(&insn.tail));
            }
            Step::Literal { insn, at, size } => self.literal(cell, insn, *at, (*size).into(), aside)?,
            Step::Arithmetic { operation, reg, wide, field, literal } => {
                let value = cell.value(*field)?;
                let constant = if *wide { i32::try_from(value as i64).ok() } else { Some(value as i32) };
                match (constant, literal) {
                    (Some(constant), _) => self.part(aside).arithmetic(*operation, *reg, *wide, constant),
                    (None, Some(literal)) => self.literal(cell, literal, field.at, 8, aside)?,
                    (None, None) => return Err(Unfit),
                }
            }
            Step::Shift { operation, reg, wide, field } => {
                let count = cell.value(*field)? as u8;
                self.part(aside).shift(*operation, *reg, *wide, count);
            }
        }
        Ok(())
    }

    fn literal(&mut self, cell: &Cell<'_>, insn: &Addressed, at: u16, size: usize, aside: bool) -> Result<(), Unfit> {
        let at = usize::from(at);
        let bytes: Vec<u8> = cell.words.iter().skip(at / 8).take(3).flat_map(|word| word.to_le_bytes()).collect();
        let constant = bytes.get(at % 8..at % 8 + size).ok_or(Unfit)?;
        while !self.constants.len().is_multiple_of(size) {
            self.constants.push(0);
        }
        let place = Place::Constant(self.constants.len() as u32);
        self.constants.extend_from_slice(constant);
        self.part(aside).bytes(cell.bytes(&insn.head));
        let tail = cell.bytes(&insn.tail);
        self.distance(Goal::Place(place), tail.len() as u8, aside);
        self.part(aside).bytes(tail);
        Ok(())
    }
}

impl Cell<'_> {
    fn bytes(&self, range: &Bytes) -> &[u8] {
        &self.template.bytes[range.start.into()..range.end.into()]
    }

    fn value(&self, field: Field) -> Result<u64, Unfit> {
        field.value(self.words).ok_or(Unfit)
    }

    fn next(&self) -> Result<u32, Unfit> {
        Ok(self.word + self.template.words.ok_or(Unfit)? as u32)
    }

    /// The word to which a jump by a field leads.
    fn target(&self, field: Field) -> Result<u32, Unfit> {
        let distance = self.value(field)? as i64;
        u32::try_from(i64::from(self.word) + distance).map_err(|_| Unfit)
    }

    fn holds(&self, condition: u8, field: Field) -> Result<bool, Unfit> {
        let value = self.value(field)?;
        let value = if field.narrow { i64::from(value as i32) } else { value as i64 };
        let holds = match condition & !1 {
            0x4 => value == 0,
            0x8 | 0xc => value < 0,
            0xe => value <= 0,
            _ => return Err(Unfit),
        };
        Ok(holds != (condition & 1 == 1))
    }

    /// The word with which a way goes on, if it does nothing else.
    fn only_goal(&self, mut way: Way) -> Result<Option<u32>, Unfit> {
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
                Finish::Branch(..) | Finish::Done => return Ok(None),
            };
        }
        Ok(None)
    }

    /// How much a way should go on where it is, and the other way away from there.
    fn rank(&self, way: Way) -> Result<u8, Unfit> {
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
