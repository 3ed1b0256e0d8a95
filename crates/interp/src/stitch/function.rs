//! Stitches one function: its cells, in order, to code at an address of its own.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use iced_x86::InstructionInfoFactory;

use super::analyse;
use super::arena::{self, Room};
use super::emit::Function;
use super::template::Template;
use crate::code::CodeBlock;
use crate::translate::{self, Source};

/// Makes code for a function in the room and lets its cells lead there; whether that could be done.
pub fn stitch(source: &Source<'_>, block: &CodeBlock, room: &Mutex<Room>) -> bool {
    if !arena::is_available() {
        return false;
    }
    let Some((words, starts)) = translate::cells(source) else { return false };
    if words.len() != block.cells.len() {
        return false;
    }
    let cells = block.cells.as_ptr().addr();
    let Some(function) = make(cells, &words, &starts) else { return false };
    let placed = room.lock().unwrap_or_else(PoisonError::into_inner).place(cells, function);
    let Some((base, entries)) = placed else { return false };
    for (word, position) in entries {
        block.cells.set_handler(word as usize, base + u64::from(position));
    }
    true
}

/// The code of the function with these words, which are at `cells` and in which cells start at `starts`.
fn make(cells: usize, words: &[u64], starts: &[u32]) -> Option<Function> {
    let mut function = Function::new(cells as u64);
    let mut templates = templates().lock().unwrap_or_else(PoisonError::into_inner);
    for (index, &start) in starts.iter().enumerate() {
        let here = &words[start as usize..];
        let length = starts.get(index + 1).map_or(here.len(), |next| (next - start) as usize);
        match templates.get(here[0]) {
            Some(template) => {
                if template.words.is_some_and(|words| words != length) {
                    return None;
                }
                function.add(template, here, start);
            }
            None => function.skip(),
        }
    }
    Some(function)
}

/// The templates of the handlers that have been looked at.
struct Templates {
    by_handler: HashMap<u64, Option<Template>>,
    infos: InstructionInfoFactory,
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
    TEMPLATES.get_or_init(|| Mutex::new(Templates { by_handler: HashMap::new(), infos: InstructionInfoFactory::new() }))
}
