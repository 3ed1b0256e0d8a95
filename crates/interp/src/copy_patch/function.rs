//! Copies one function: makes the code of its instructions, places it, and stores its addresses in their handler words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

use iced_x86::InstructionInfoFactory;

use super::analyse;
use super::code_memory::{self, ModuleRegion, Unplaced};
use super::emit::Function;
use super::outcome::CopyOutcome;
use super::template::Template;
use crate::code_block::CodeBlock;
use crate::instr::{self, Length};

/// Copies a function into its module's region.
pub(crate) fn copy(block: &CodeBlock, region: &Mutex<ModuleRegion>) -> CopyOutcome {
    if !code_memory::is_available() {
        return CopyOutcome::NotNow;
    }
    let first = block.words.first().as_ptr().addr();
    let Some(function) = make(first, &block.words.to_vec()) else { return CopyOutcome::Never };
    let placed = region.lock().unwrap_or_else(PoisonError::into_inner).place(first, function);
    match placed {
        Ok((base, entries)) => {
            for (word, position) in entries {
                block.words.set_handler(word as usize, base + u64::from(position));
            }
            CopyOutcome::Done
        }
        Err(Unplaced::NoRoom) => {
            code_memory::pause();
            CopyOutcome::NotNow
        }
        Err(Unplaced::NoCode) => CopyOutcome::Never,
    }
}

/// Makes the code of a function whose code words are at address `first`. Returns `None` if a handler advances by another length
/// than the instruction set gives its instruction.
fn make(first: usize, words: &[u64]) -> Option<Function> {
    let mut function = Function::new(first as u64);
    let mut templates = templates().lock().unwrap_or_else(PoisonError::into_inner);
    let mut start = 0;
    while let Some(here) = words.get(start..).filter(|here| !here.is_empty()) {
        let Known { length, template } = templates.get(here[0]);
        let length = (*length)?.of(here);
        match template {
            Some(template) => {
                if template.words.is_some_and(|words| words != length) {
                    return None;
                }
                function.add(template, here, start as u32);
            }
            None => function.skip(),
        }
        start += length;
    }
    Some(function)
}

/// A handler that was analysed.
struct Known {
    /// Length of the handler's instructions; `None` if no instruction of the instruction set has the handler.
    length: Option<Length>,
    /// Template, if the handler can have one.
    template: Option<Template>,
}

/// All handlers that were analysed.
struct Templates {
    /// By the handler's address.
    by_handler: HashMap<u64, Known, BuildHasherDefault<AddressHasher>>,
    infos: InstructionInfoFactory,
}

/// A hasher for the addresses of handlers. A guest cannot choose them, so that it need not resist collisions.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, word: u64) {
        // Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4): 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

impl Templates {
    fn get(&mut self, handler: u64) -> &Known {
        let infos = &mut self.infos;
        self.by_handler.entry(handler).or_insert_with(|| Known {
            length: instr::with_handler(handler).next().map(|instr| instr.length()),
            template: analyse::analyse(handler as usize, infos).ok(),
        })
    }
}

fn templates() -> &'static Mutex<Templates> {
    static TEMPLATES: OnceLock<Mutex<Templates>> = OnceLock::new();
    TEMPLATES
        .get_or_init(|| Mutex::new(Templates { by_handler: HashMap::default(), infos: InstructionInfoFactory::new() }))
}
