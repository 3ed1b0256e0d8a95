//! Copies one function: its cells, in order, to code at an address of its own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

use iced_x86::InstructionInfoFactory;

use super::CopyOutcome;
use super::analyse;
use super::code_memory::{self, ModuleRegion, Unplaced};
use super::emit::Function;
use super::template::Template;
use crate::code::CodeBlock;
use crate::translate::starts::Starts;

/// Makes code for a function in its module's region and lets its cells lead there.
pub fn copy(block: &CodeBlock, region: &Mutex<ModuleRegion>) -> CopyOutcome {
    if !code_memory::is_available() {
        return CopyOutcome::NotNow;
    }
    let cells = block.cells.first().as_ptr().addr();
    let Some(function) = make(cells, &block.cells.to_vec(), &block.starts) else { return CopyOutcome::Never };
    let placed = region.lock().unwrap_or_else(PoisonError::into_inner).place(cells, function);
    match placed {
        Ok((base, entries)) => {
            for (word, position) in entries {
                block.cells.set_handler(word as usize, base + u64::from(position));
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

/// The code of the function with these words, which are at `cells` and in which cells start at `starts`.
fn make(cells: usize, words: &[u64], starts: &Starts) -> Option<Function> {
    let mut function = Function::new(cells as u64);
    let mut templates = templates().lock().unwrap_or_else(PoisonError::into_inner);
    let mut starts = starts.iter().peekable();
    while let Some(start) = starts.next() {
        let here = &words[start..];
        let length = starts.peek().map_or(here.len(), |next| next - start);
        match templates.get(here[0]) {
            Some(template) => {
                if template.words.is_some_and(|words| words != length) {
                    return None;
                }
                function.add(template, here, start as u32);
            }
            None => function.skip(),
        }
    }
    Some(function)
}

/// The templates of the handlers that have been looked at.
struct Templates {
    by_handler: HashMap<u64, Option<Template>, BuildHasherDefault<AddressHasher>>,
    infos: InstructionInfoFactory,
}

/// Hashes addresses of handlers, which nobody chooses to collide.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, word: u64) {
        // An odd number without pattern: the golden ratio's fraction.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

impl Templates {
    fn get(&mut self, handler: u64) -> Option<&Template> {
        let infos = &mut self.infos;
        let made = || analyse::analyse(handler as usize, infos);
        self.by_handler.entry(handler).or_insert_with(made).as_ref()
    }
}

fn templates() -> &'static Mutex<Templates> {
    static TEMPLATES: OnceLock<Mutex<Templates>> = OnceLock::new();
    TEMPLATES
        .get_or_init(|| Mutex::new(Templates { by_handler: HashMap::default(), infos: InstructionInfoFactory::new() }))
}
