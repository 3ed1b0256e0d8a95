//! Copies one function: makes the code of its instructions, places it, and stores its addresses in their handler words.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, OnceLock, PoisonError};

use iced_x86::InstructionInfoFactory;

use super::address_hasher::AddressHasher;
use super::analyse;
use super::code_memory::{self, ModuleRegion, Placeable, Unplaced};
use super::emit::{DirectCall, Dispatch, Function};
use super::outcome::CopyOutcome;
use super::template::Template;
use crate::baseline;
use crate::code_block::CodeBlock;
use crate::execute::dispatch::handler_word;
use crate::instr::{
    self, Call, CallIndirect, CallIndirect64, CallRef, Family, Length, Return, ReturnConstant, ReturnPlain,
};
use crate::paired_call::CallStubs;

/// Copies a function into its module's region. Pairs its calls if `stubs` returns the address of the module's call stubs.
pub(crate) fn copy(
    block: &CodeBlock,
    index: u32,
    region: &Mutex<ModuleRegion>,
    stubs: impl FnOnce(&mut ModuleRegion) -> Option<u64>,
) -> CopyOutcome {
    if !code_memory::is_available() {
        return CopyOutcome::NotNow;
    }
    let first_stub = stubs(&mut region.lock().unwrap_or_else(PoisonError::into_inner));
    let first = block.words.first().as_ptr().addr();
    place(block, region, make(first, &block.words.to_vec(), call_stubs(block, index, first_stub)))
}

fn call_stubs(block: &CodeBlock, index: u32, first: Option<u64>) -> Option<CallStubs> {
    let record = |index| block.layout.defined_func(index);
    first.map(|first| CallStubs { first, funcs: record(0), own: record(index) })
}

/// Compiles a function with the baseline compiler into its module's region. `stubs` as for [`copy`].
pub(crate) fn compile(
    block: &CodeBlock,
    index: u32,
    region: &Mutex<ModuleRegion>,
    stubs: impl FnOnce(&mut ModuleRegion) -> Option<u64>,
) -> CopyOutcome {
    if !code_memory::is_available() {
        return CopyOutcome::NotNow;
    }
    let first_stub = stubs(&mut region.lock().unwrap_or_else(PoisonError::into_inner));
    let words = block.words.to_vec();
    place(block, region, baseline::compile(block, &words, call_stubs(block, index, first_stub)))
}

/// Places the code of a function, and lets the handler words of its instructions lead to it.
fn place(block: &CodeBlock, region: &Mutex<ModuleRegion>, function: Option<impl Placeable>) -> CopyOutcome {
    let Some(function) = function else { return CopyOutcome::Never };
    let first = block.words.first().as_ptr().addr();
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
fn make(first: usize, words: &[u64], calls: Option<CallStubs>) -> Option<Function> {
    let mut function = Function::new(first as u64);
    let mut templates = templates().lock().unwrap_or_else(PoisonError::into_inner);
    let mut start = 0;
    while let Some(here) = words.get(start..).filter(|here| !here.is_empty()) {
        let Known { length, template, role } = templates.get(here[0]);
        let length = (*length)?.of(here);
        let dispatch = match (role, calls) {
            (Role::DirectCall, Some(calls)) => {
                function.add_call(direct_call(calls, here, length), start as u32);
                start += length;
                continue;
            }
            (Role::Call, Some(_)) => Dispatch::Call(length),
            (Role::Return, Some(_)) => Dispatch::Return,
            _ => Dispatch::Jump,
        };
        match template {
            Some(template) => {
                if template.words.is_some_and(|words| words != length) {
                    return None;
                }
                function.add(template, dispatch, here, start as u32);
            }
            None => function.skip(),
        }
        start += length;
    }
    Some(function)
}

/// Returns the call that an instruction of `call_defined` makes. Its fields are those of the handler.
fn direct_call(stubs: CallStubs, words: &[u64], length: usize) -> DirectCall {
    let (frame, func) = (words[1] as u32, (words[1] >> 32) as u32);
    DirectCall { frame, func: func as i32, stub: stubs.of(func), length }
}

/// The part of an instruction in calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Calls the function of the same instance that the field `imm` names.
    DirectCall,
    /// Calls a function found at run time, which returns to the next instruction.
    Call,
    /// Returns from the function.
    Return,
    Other,
}

/// Returns the role of the instructions with this handler.
fn role(handler: u64) -> Role {
    fn has<F: Family>(family: F, handler: u64) -> bool {
        family.row().iter().any(|&other| handler_word(other) == handler)
    }
    if handler == handler_word(instr::handler(Call, false)) {
        Role::DirectCall
    } else if has(Call, handler) || has(CallIndirect, handler) || has(CallIndirect64, handler) || has(CallRef, handler)
    {
        Role::Call
    } else if has(ReturnPlain, handler) || has(Return, handler) || has(ReturnConstant, handler) {
        Role::Return
    } else {
        Role::Other
    }
}

/// A handler that was analysed.
struct Known {
    /// Length of the handler's instructions; `None` if no instruction of the instruction set has the handler.
    length: Option<Length>,
    /// Template, if the handler can have one.
    template: Option<Template>,
    role: Role,
}

/// All handlers that were analysed.
struct Templates {
    /// By the handler's address.
    by_handler: HashMap<u64, Known, BuildHasherDefault<AddressHasher>>,
    infos: InstructionInfoFactory,
}

impl Templates {
    fn get(&mut self, handler: u64) -> &Known {
        let infos = &mut self.infos;
        self.by_handler.entry(handler).or_insert_with(|| Known {
            length: instr::with_handler(handler).next().map(|instr| instr.length()),
            template: analyse::analyse(handler as usize, infos).ok(),
            role: role(handler),
        })
    }
}

fn templates() -> &'static Mutex<Templates> {
    static TEMPLATES: OnceLock<Mutex<Templates>> = OnceLock::new();
    TEMPLATES
        .get_or_init(|| Mutex::new(Templates { by_handler: HashMap::default(), infos: InstructionInfoFactory::new() }))
}
