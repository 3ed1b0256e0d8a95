//! Makes the code of a function from the templates of its cells.
//!
//! Comes in: the cells, and their templates in order. Goes out: bytes, the places in them that depend on where the code will
//! be, and where the code of each cell starts. Cells follow one another, so that going on with the next one takes nothing;
//! what branches away comes behind all of them.
//!
//! At the start of each cell's code all registers are what the handlers' contract says, so it may be entered from anywhere.

use super::template::{Field, Finish, Step, Template, Way};

/// Code of a function, to be placed.
#[derive(Debug, Default)]
pub struct Function {
    /// What is executed in order.
    main: Vec<u8>,
    /// What is jumped to, to go behind it.
    side: Vec<u8>,
    links: Vec<Link>,
    /// Where the code of each cell that has some starts: (word, position).
    entries: Vec<(u32, u32)>,
    /// Whether the end of `main` goes on with the word that follows.
    open: bool,
}

/// A distance of 32 bits to be filled in.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Where it is.
    at: Place,
    to: Goal,
}

/// A position in one of the two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Main(u32),
    Side(u32),
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    Place(Place),
    /// The code of the cell at a word, or if it has none, its handler.
    Word(u32),
    Address(u64),
}

/// `mov rax, [rdi]; jmp rax`: goes on with the cell that `rdi` points to.
const DISPATCH: [u8; 5] = [0x48, 0x8b, 0x07, 0xff, 0xe0];

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

impl Function {
    /// Makes the code of the cell at a word; `words` is the function's code from there on. Cells are added in order.
    pub fn add(&mut self, template: &Template, words: &[u64], word: u32) {
        let (main, side, links, open) = (self.main.len(), self.side.len(), self.links.len(), self.open);
        let places = vec![None; template.blocks.len()];
        let cell = Cell { template, words, word, places, jumps: Vec::new() };
        match self.cell(cell) {
            Ok(()) => self.entries.push((word, main as u32)),
            Err(Unfit) => {
                self.main.truncate(main);
                self.side.truncate(side);
                self.links.truncate(links);
                self.open = open;
                self.skip();
            }
        }
    }

    /// Notes that the next cell has no code.
    pub fn skip(&mut self) {
        if std::mem::take(&mut self.open) {
            self.main.extend(DISPATCH);
        }
    }

    /// Length of the code in bytes.
    pub fn size(&self) -> usize {
        self.main.len() + self.side.len() + DISPATCH.len()
    }

    /// The code for an address; `None` if that is too far from what it refers to.
    pub fn place(&mut self, base: u64) -> Option<Vec<u8>> {
        self.skip();
        let mut code = std::mem::take(&mut self.main);
        let side = code.len() as u32;
        code.append(&mut self.side);
        let dispatch = code.len() as u32;
        code.extend(DISPATCH);
        let position = |place| match place {
            Place::Main(at) => at,
            Place::Side(at) => side + at,
        };
        for link in &self.links {
            let at = position(link.at);
            let to = match link.to {
                Goal::Place(place) => base + u64::from(position(place)),
                Goal::Word(word) => {
                    let found = self.entries.binary_search_by_key(&word, |entry| entry.0);
                    base + u64::from(found.map_or(dispatch, |entry| self.entries[entry].1))
                }
                Goal::Address(address) => address,
            };
            let distance = i32::try_from(to.wrapping_sub(base + u64::from(at) + 4) as i64).ok()?;
            code[at as usize..at as usize + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Some(code)
    }

    /// Where the code of each cell that has some starts: (word, position).
    pub fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    fn cell(&mut self, mut cell: Cell<'_>) -> Result<(), Unfit> {
        self.open = self.path(&mut cell, 0, false)?;
        // What the path left out, and what that leaves out in turn.
        let mut next = 0;
        while next < cell.jumps.len() {
            let (at, block) = cell.jumps[next];
            if cell.places[usize::from(block)].is_none() {
                self.path(&mut cell, block, true)?;
            }
            let place = cell.places[usize::from(block)].expect("it was made");
            self.links.push(Link { at, to: Goal::Place(place) });
            next += 1;
        }
        Ok(())
    }

    /// Makes blocks from one on, as long as they have not been made. Says whether the end is open to the next cell.
    fn path(&mut self, cell: &mut Cell<'_>, mut block: u8, aside: bool) -> Result<bool, Unfit> {
        loop {
            let index = usize::from(block);
            if cell.places[index].is_some() {
                self.jump(cell, Way::Block(block), aside);
                return Ok(false);
            }
            cell.places[index] = Some(self.here(aside));
            let template = cell.template;
            let made = &template.blocks[index];
            for step in &made.steps {
                self.step(cell, step, aside)?;
            }
            let way = match made.finish {
                Finish::Done => return Ok(false),
                Finish::Next => {
                    if aside {
                        let next = cell.word + template.words.ok_or(Unfit)? as u32;
                        self.jump_to(Goal::Word(next), aside);
                    }
                    return Ok(!aside);
                }
                Finish::Jump(field) => {
                    let distance = field.value(cell.words).ok_or(Unfit)? as i64;
                    let target = u32::try_from(i64::from(cell.word) + distance).map_err(|_| Unfit)?;
                    self.jump_to(Goal::Word(target), aside);
                    return Ok(false);
                }
                Finish::Goto(way) => way,
                Finish::Test(condition, field, taken, other) => {
                    let value = field.value(cell.words).ok_or(Unfit)?;
                    let value = if field.narrow { i64::from(value as i32) } else { value as i64 };
                    if holds(condition, value).ok_or(Unfit)? { taken } else { other }
                }
                Finish::Branch(condition, taken, other) => {
                    let falls = |way| match way {
                        Way::Block(block) => template.blocks[usize::from(block)].falls,
                        Way::Address(_) => false,
                    };
                    let known = |way| matches!(way, Way::Block(_));
                    // What goes on to the next cell goes on here; else what is ours.
                    let turn = (falls(taken), known(taken)) > (falls(other), known(other));
                    let (condition, away, on) =
                        if turn { (condition ^ 1, other, taken) } else { (condition, taken, other) };
                    self.part(aside).extend([0x0f, 0x80 | condition]);
                    self.link(cell, away, aside);
                    on
                }
            };
            match way {
                Way::Block(next) => block = next,
                Way::Address(_) => {
                    self.jump(cell, way, aside);
                    return Ok(false);
                }
            }
        }
    }

    fn part(&mut self, aside: bool) -> &mut Vec<u8> {
        if aside { &mut self.side } else { &mut self.main }
    }

    fn here(&mut self, aside: bool) -> Place {
        let at = self.part(aside).len() as u32;
        if aside { Place::Side(at) } else { Place::Main(at) }
    }

    /// Leaves room for a distance, and notes to what.
    fn distance(&mut self, to: Goal, aside: bool) {
        let at = self.here(aside);
        self.part(aside).extend([0; 4]);
        self.links.push(Link { at, to });
    }

    fn link(&mut self, cell: &mut Cell<'_>, way: Way, aside: bool) {
        match way {
            Way::Address(address) => self.distance(Goal::Address(address), aside),
            Way::Block(block) => {
                cell.jumps.push((self.here(aside), block));
                self.part(aside).extend([0; 4]);
            }
        }
    }

    fn jump(&mut self, cell: &mut Cell<'_>, way: Way, aside: bool) {
        self.part(aside).push(0xe9);
        self.link(cell, way, aside);
    }

    fn jump_to(&mut self, goal: Goal, aside: bool) {
        self.part(aside).push(0xe9);
        self.distance(goal, aside);
    }

    fn step(&mut self, cell: &Cell<'_>, step: &Step, aside: bool) -> Result<(), Unfit> {
        let bytes = |range: &super::template::Bytes| &cell.template.bytes[range.start.into()..range.end.into()];
        let value = |field: &Field| field.value(cell.words).ok_or(Unfit);
        match step {
            Step::Copy(range) => self.part(aside).extend_from_slice(bytes(range)),
            Step::Near { bytes: range, at, target } => {
                let insn = bytes(range);
                let (head, tail) = (&insn[..usize::from(*at)], &insn[usize::from(*at) + 4..]);
                self.part(aside).extend_from_slice(head);
                // The distance counts from the end of the instruction.
                self.distance(Goal::Address(target - tail.len() as u64), aside);
                self.part(aside).extend_from_slice(tail);
            }
            Step::Load { reg, field } => load_constant(self.part(aside), *reg, value(field)?),
            Step::Target { reg } => self.part(aside).extend([0x48 | (reg >> 3) << 2, 0x8b, (reg & 7) << 3 | 0x07]),
            Step::Slot { head, tail, field, scale, displacement } => {
                let index = (value(field)? as i64).checked_mul(i64::from(*scale)).ok_or(Unfit)?;
                let sum = index.checked_add(i64::from(*displacement)).ok_or(Unfit)?;
                let displacement = i32::try_from(sum).map_err(|_| Unfit)?;
                let part = self.part(aside);
                part.extend_from_slice(bytes(head));
                let modrm = part.last_mut().ok_or(Unfit)?;
                if displacement == 0 && *modrm & 7 != 5 {
                    // Mode 0 it is.
                } else if let Ok(short) = i8::try_from(displacement) {
                    *modrm |= 0x40;
                    part.push(short as u8);
                } else {
                    *modrm |= 0x80;
                    part.extend(displacement.to_le_bytes());
                }
                part.extend_from_slice(bytes(tail));
            }
            Step::Arithmetic { operation, reg, wide, field, original } => {
                let value = value(field)?;
                let constant = if *wide { i32::try_from(value as i64).ok() } else { Some(value as i32) };
                let part = self.part(aside);
                match (constant, original) {
                    (Some(constant), _) => {
                        let rex = 0x40 | u8::from(*wide) << 3 | reg >> 3;
                        if rex != 0x40 {
                            part.push(rex);
                        }
                        let modrm = 0xc0 | operation << 3 | reg & 7;
                        match i8::try_from(constant) {
                            Ok(short) => part.extend([0x83, modrm, short as u8]),
                            Err(_) => {
                                part.extend([0x81, modrm]);
                                part.extend(constant.to_le_bytes());
                            }
                        }
                    }
                    (None, Some(original)) => part.extend_from_slice(bytes(original)),
                    (None, None) => return Err(Unfit),
                }
            }
        }
        Ok(())
    }
}

/// Whether a condition, by its number, holds after a value was tested; `None` if that says nothing about the condition.
fn holds(condition: u8, value: i64) -> Option<bool> {
    let positive = match condition & !1 {
        0x4 => value == 0,
        0x8 | 0xc => value < 0,
        0xe => value <= 0,
        _ => return None,
    };
    Some(positive != (condition & 1 == 1))
}

/// A constant into a register, without a change to the flags.
fn load_constant(part: &mut Vec<u8>, reg: u8, value: u64) {
    let (high, low) = (reg >> 3, reg & 7);
    if let Ok(value) = u32::try_from(value) {
        if high != 0 {
            part.push(0x41);
        }
        part.push(0xb8 | low);
        part.extend(value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value as i64) {
        part.extend([0x48 | high, 0xc7, 0xc0 | low]);
        part.extend(value.to_le_bytes());
    } else {
        part.extend([0x48 | high, 0xb8 | low]);
        part.extend(value.to_le_bytes());
    }
}
