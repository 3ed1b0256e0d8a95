//! Which operators each cell came from, for people who look at code.
//!
//! As [`locate`](super::locate), found by translating the function again; but where that tells one operator for any word, which
//! is what a backtrace needs, this tells all of them: those that were folded into a cell as operands, and those that a cell of
//! another operator was changed for. It watches from outside what each operator does to the code and to the symbolic stack.

use super::stack::{Kind, SCRATCH_SLOTS};
use super::{Local, Source, Translator};
use crate::code::{CodeBlock, TranslateError};

/// The cells of a function.
#[derive(Debug)]
pub struct Origins {
    /// The code.
    pub block: CodeBlock,
    /// The cells, in order.
    pub cells: Vec<Origin>,
    /// What its slots are.
    pub slots: Slots,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its first word.
    pub word: usize,
    /// Offsets of its operators in the module, in order; none if it is of no operator.
    pub operators: Vec<usize>,
}

/// What the slots of a frame are.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// The locals, by slot.
    pub locals: Vec<Local>,
    /// Slot of the operand at height 0.
    pub operands: i32,
    /// First slot of the argument area.
    pub arguments: i32,
    /// Slots from 0 on that stand in for those that a field cannot name.
    pub scratch: u32,
}

/// How many cells before the latest one an operator may replace.
const WINDOW: usize = 8;

/// A value that was pushed without a cell, and is still where it was.
struct Folded {
    index: usize,
    kind: Kind,
    offset: usize,
}

/// Translates a function and watches.
///
/// # Errors
/// If it cannot be translated.
pub fn origins(source: &Source<'_>) -> Result<Origins, TranslateError> {
    let mut translator = Translator::new(source);
    let mut operators = translator.open_body(source.defined_index)?;
    let mut watch = Watch { cells: vec![Origin { word: 0, operators: Vec::new() }], folded: Vec::new() };
    while !operators.eof() {
        translator.offset = operators.original_position() as usize;
        let operator = operators.read()?;
        let before = Before::of(&translator);
        translator.next_operator(&operator)?;
        watch.note(&translator, &before);
    }
    let slots = Slots {
        locals: translator.locals.clone(),
        operands: translator.temp_base,
        arguments: translator.base_slot(),
        scratch: if translator.far { SCRATCH_SLOTS } else { 0 },
    };
    for cell in &mut watch.cells {
        cell.operators.sort_unstable();
        cell.operators.dedup();
    }
    Ok(Origins { block: translator.finish(), cells: watch.cells, slots })
}

/// The latest cells before an operator: start and words, the last one first.
struct Before {
    cells: Vec<(usize, Vec<u64>)>,
    len: usize,
    height: usize,
}

impl Before {
    fn of(translator: &Translator<'_>) -> Before {
        let code = &translator.code;
        let mut cells = Vec::with_capacity(WINDOW);
        let mut end = code.len();
        while cells.len() < WINDOW
            && let Some(start) = translator.starts.before(end)
        {
            cells.push((start, code[start..end].to_vec()));
            end = start;
        }
        Before { cells, len: code.len(), height: translator.stack.len() }
    }
}

/// What is known so far.
struct Watch {
    cells: Vec<Origin>,
    folded: Vec<Folded>,
}

impl Watch {
    /// Notes what the operator at hand did.
    fn note(&mut self, translator: &Translator<'_>, before: &Before) {
        let code = &translator.code;
        let mut operators = vec![translator.offset];
        self.folded.retain(|value| {
            let stays = translator.stack.get(value.index).is_some_and(|now| now.kind == value.kind);
            if !stays {
                operators.push(value.offset);
            }
            stays
        });

        let now = |start: usize, words: &[u64]| code.get(start..start + words.len());
        // Cells that it replaced by its own: always the latest ones.
        let is_replaced =
            |(start, words): &&(usize, Vec<u64>)| now(*start, words).is_none_or(|now| is_another(words, now));
        let replaced = before.cells.iter().take_while(is_replaced);
        let first = replaced.last().map_or(before.len, |(start, _)| *start);
        while self.cells.last().is_some_and(|cell| cell.word >= first) {
            operators.extend(self.cells.pop().into_iter().flat_map(|cell| cell.operators));
        }
        let known = self.cells.len();
        for word in translator.starts.from(first).take_while(|word| *word < code.len()) {
            self.cells.push(Origin { word, operators: operators.clone() });
        }
        if self.cells.len() > known {
            return;
        }
        let settled = before.cells.first().is_some_and(|(start, words)| {
            // Its handler, and where its result goes.
            let of = |words: &[u64]| (words[0], words[1] as u16);
            now(*start, words).is_some_and(|now| of(now) != of(words))
        });
        let pushed = translator.stack.last().filter(|_| translator.stack.len() > before.height);
        if settled {
            self.cells.last_mut().expect("a function's first cell stays").operators.extend(operators);
        } else if let Some(value) = pushed
            && value.kind != Kind::Temp
        {
            self.folded.push(Folded { index: translator.stack.len() - 1, kind: value.kind, offset: translator.offset });
        }
    }
}

/// Whether there is another cell now in place of one. A cell whose handler is the same may have got the distance of its jump, and
/// one of which no more than its handler and destination has changed was settled, which happens when the next cell is made.
fn is_another(before: &[u64], now: &[u64]) -> bool {
    const DESTINATION: u64 = 0xffff;
    let rest = |words: &[u64]| words[1] & !DESTINATION;
    before[0] != now[0] && (rest(before) != rest(now) || before[2..] != now[2..])
}

impl Slots {
    /// What a slot is called: `l` for locals, `t` for operands by height, `r` for the argument area behind the parameters, where
    /// results go, `s` for scratch.
    pub fn name(&self, slot: i32) -> String {
        if slot >= self.operands {
            return format!("t{}", slot - self.operands);
        }
        if (0..self.scratch as i32).contains(&slot) {
            return format!("s{slot}");
        }
        let after = self.locals.partition_point(|local| local.slot <= slot);
        match after.checked_sub(1).map(|index| (index, slot - self.locals[index].slot)) {
            Some((index, 0)) => format!("l{index}"),
            Some((index, 1)) if self.locals[index].ty.slots() == 2 => format!("l{index}+1"),
            _ => format!("r{}", slot - self.arguments),
        }
    }
}
