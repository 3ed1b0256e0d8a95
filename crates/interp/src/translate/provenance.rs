//! Provenance: the operators that each instruction came from, for listings.
//!
//! As for [`locate`](super::locate), the function is translated again. `locate` finds one operator for any word, for a
//! backtrace. Provenance has all operators of an instruction, including those that were folded into it as operands and those
//! that changed the instruction of another operator. It observes the effect of each operator on the code and on the symbolic
//! stack.

use super::TranslateError;
use super::stack::{Kind, SCRATCH_SLOTS};
use super::{Local, Source, Translator};
use crate::code_block::CodeBlock;
use crate::instr::{boundaries, length};

/// Instructions of a function with their provenance.
#[derive(Debug)]
pub(crate) struct Provenance {
    /// Translated code.
    pub(crate) block: CodeBlock,
    /// Instructions, in order.
    pub(crate) instructions: Vec<InstructionProvenance>,
    /// Names of the frame's slots.
    pub(crate) slots: Slots,
}

/// Provenance of an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InstructionProvenance {
    /// First word of the instruction.
    pub(crate) word: usize,
    /// Offsets of its operators in the module, in order. Only the function's first instruction has none.
    pub(crate) operators: Vec<usize>,
}

/// Names of the slots of a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// Locals, by slot.
    pub(crate) locals: Vec<Local>,
    /// Slot of the operand at height 0.
    pub(crate) operands: i32,
    /// First slot of the argument area.
    pub(crate) arguments: i32,
    /// Number of scratch slots, from slot 0 on.
    pub(crate) scratch: u32,
}

/// Number of latest instructions that an operator may replace.
const WINDOW: usize = 8;

/// A value that was pushed without an instruction, and is still in its place.
struct Folded {
    index: usize,
    kind: Kind,
    offset: usize,
}

/// Translates a function and finds the provenance of its instructions.
///
/// # Errors
/// If the function cannot be translated.
pub(crate) fn provenance(source: &Source<'_>) -> Result<Provenance, TranslateError> {
    let mut translator = Translator::new(source);
    let mut operators = translator.open_body(source.defined_index)?;
    let mut watch =
        Watch { instructions: vec![InstructionProvenance { word: 0, operators: Vec::new() }], folded: Vec::new() };
    while !operators.eof() {
        translator.offset = operators.original_position() as usize;
        let operator = operators.read()?;
        let before = Before::of(&translator, &watch);
        translator.next_operator(&operator)?;
        watch.note(&translator, &before);
    }
    let slots = Slots {
        locals: translator.locals.clone(),
        operands: translator.temp_base,
        arguments: translator.base_slot(),
        scratch: if translator.far { SCRATCH_SLOTS } else { 0 },
    };
    for instruction in &mut watch.instructions {
        instruction.operators.sort_unstable();
        instruction.operators.dedup();
    }
    Ok(Provenance { block: translator.finish(), instructions: watch.instructions, slots })
}

/// Latest instructions before an operator, first word and words of each, the last one first.
struct Before {
    instructions: Vec<(usize, Vec<u64>)>,
    len: usize,
    height: usize,
}

impl Before {
    fn of(translator: &Translator<'_>, watch: &Watch) -> Before {
        let code = &translator.code;
        let mut end = code.len();
        let latest = watch.instructions.iter().rev().take(WINDOW);
        let mut words = |start: usize| code[start..std::mem::replace(&mut end, start)].to_vec();
        let instructions = latest.map(|instruction| (instruction.word, words(instruction.word))).collect();
        Before { instructions, len: code.len(), height: translator.stack.len() }
    }
}

/// Observations of the operators so far.
struct Watch {
    instructions: Vec<InstructionProvenance>,
    folded: Vec<Folded>,
}

impl Watch {
    /// Notes the effect of the current operator.
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
        // Instructions that the operator replaced by its own: always the latest ones.
        let is_replaced = |(start, words): &&(usize, Vec<u64>)| {
            length(&code[code.len().min(*start)..]) != Some(words.len())
                || now(*start, words).is_none_or(|now| is_another(words, now))
        };
        let replaced = before.instructions.iter().take_while(is_replaced);
        let first = replaced.last().map_or(before.len, |(start, _)| *start);
        while self.instructions.last().is_some_and(|instruction| instruction.word >= first) {
            operators.extend(self.instructions.pop().into_iter().flat_map(|instruction| instruction.operators));
        }
        let known = self.instructions.len();
        for word in boundaries(code, first) {
            self.instructions.push(InstructionProvenance { word, operators: operators.clone() });
        }
        if self.instructions.len() > known {
            return;
        }
        let settled = before.instructions.first().is_some_and(|(start, words)| {
            // The handler, and the slot of the result.
            let of = |words: &[u64]| (words[0], words[1] as u16);
            now(*start, words).is_some_and(|now| of(now) != of(words))
        });
        let pushed = translator.stack.last().filter(|_| translator.stack.len() > before.height);
        if settled {
            self.instructions.last_mut().expect("a function's first instruction stays").operators.extend(operators);
        } else if let Some(value) = pushed
            && value.kind != Kind::Temp
        {
            self.folded.push(Folded { index: translator.stack.len() - 1, kind: value.kind, offset: translator.offset });
        }
    }
}

/// Returns true if the words `now` are another instruction than the words `before`. The same handler stands for the same
/// instruction: at most a jump got its distance. A difference in handler and destination alone means that the instruction was
/// settled, which happens when the next one is emitted.
fn is_another(before: &[u64], now: &[u64]) -> bool {
    const DESTINATION: u64 = 0xffff;
    let rest = |words: &[u64]| words[1] & !DESTINATION;
    before[0] != now[0] && (rest(before) != rest(now) || before[2..] != now[2..])
}

impl Slots {
    /// Returns the name of a slot: `l` for locals, `t` for operands by height, `r` for the argument area after the parameters,
    /// where results go, `s` for scratch.
    pub(crate) fn name(&self, slot: i32) -> String {
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
