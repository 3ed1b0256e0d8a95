//! What is translated ([`Request`]), and all that a translation keeps on the way ([`Translator`]).
//!
//! The files of the categories have the methods; what one of them alone reads and writes has a type of its own here.

use std::collections::HashMap;
use std::mem::offset_of;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Block, Inst, SigRef, Type, Value};
use cranelift_frontend::{FunctionBuilder, Variable};
use wasmr_core::types::TypeId;
use wasmr_module::{Costs, Module};
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::vm::{VmInstance, VmLayout};

use crate::budget::Turn;
use crate::compiled::Exit;
use crate::libcalls::LibCall;
use crate::options::CallPolicy;
use crate::positions::Positions;

pub(crate) struct Request<'a> {
    pub module: &'a Module,
    /// How its instances are laid out.
    pub layout: &'a VmLayout,
    /// Which function, counted from the first defined one.
    pub defined_index: u32,
    pub entry: Entry,
    /// Whether memory 0 may be accessed without checks.
    pub guarded: bool,
    /// Whether the code uses up fuel.
    pub metered: bool,
    /// Whether checked accesses are also safe from speculation past their checks.
    pub spectre_guards: bool,
    /// What becomes of calls.
    pub calls: CallPolicy,
    /// The linker's numbers of functions of the module that can be called directly, by defined index.
    pub direct: &'a dyn Fn(u32) -> Option<u32>,
    /// The few functions that calls at an offset in the module were seen to go to, by defined index, the most often called first.
    pub predicted: &'a dyn Fn(usize) -> Vec<u32>,
}

/// Where the translation of a function starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// At its beginning, with arguments.
    Start,
    /// At a loop, with the interpreter's frame.
    Loop(LoopEntry),
    /// At its beginning, unless [`VmInstance::loop_frame`](wasmr_runtime::vm::VmInstance) has a frame: then at a loop.
    StartOrLoop(LoopEntry),
}

/// Where an instance has the frame for an entry at a loop.
pub(super) const LOOP_FRAME: i32 = offset_of!(VmInstance, loop_frame) as i32;

impl Entry {
    /// The loop, if it starts at one.
    pub fn place(&self) -> Option<&LoopEntry> {
        match self {
            Entry::Start => None,
            Entry::Loop(place) | Entry::StartOrLoop(place) => Some(place),
        }
    }
}

/// A loop as an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoopEntry {
    /// Offset of the `loop` operator in the module.
    pub offset: usize,
    /// Where its values are.
    pub frame: FrameMap,
}

/// What there is to know of a translation.
#[derive(Debug)]
pub(crate) struct Translated {
    /// What source locations mean.
    pub positions: Positions,
    /// The ways out that calls may take, each once.
    pub exits: Vec<Exit>,
    /// Number of variables that were read or written.
    pub variables: usize,
}

pub(super) struct Translator<'a, 'b> {
    /// Where instructions go.
    pub builder: FunctionBuilder<'b>,
    pub request: &'a Request<'a>,
    /// The instance.
    pub context: Value,
    /// Where the function leaves its results if they do not fit registers.
    pub results_pointer: Option<Value>,
    pub stack: Vec<Value>,
    /// Open blocks, the function's body first.
    pub frames: Vec<Frame>,
    /// The locals of the body at hand.
    pub locals: Vec<(Variable, Type)>,
    /// Whether control can get to the operator at hand.
    pub reachable: bool,
    /// Blocks opened since it cannot.
    pub skipped: u32,
    /// From source locations to operators.
    pub positions: Positions,
    /// The entry block and the frame of a function that is entered at a loop, until the loop is reached.
    pub pending_loop: Option<(Block, Value)>,
    /// In such a function, what stands for operands, by index on the stack and type.
    pub operand_variables: HashMap<(usize, Type), Variable>,
    /// The costs of the body at hand.
    pub meter: Meter<'a>,
    /// Bulk operators of variable size so far.
    pub variable_sites: u32,
    /// The right to compile a heavy function, taken when this one turns out to be one.
    pub turn: &'b mut Turn,
    /// Edges of branch tables and of calls with handlers so far.
    pub edges: usize,
    /// Operands kept in their variables so far.
    pub saved_operands: usize,
    /// Variables that were read or written so far.
    pub used_variables: EntitySet<Variable>,
    /// How many those are.
    pub used_variable_count: usize,
    /// Whether more was asked for than may be made. What is left out then does not matter, as the function is refused.
    pub is_too_much: bool,
    /// Calls replaced by bodies.
    pub inlining: Inlining,
    /// What the interpreter's frames would take.
    pub frame_slots: FrameSlots,
    /// The ways out that calls may take.
    pub exits: Vec<Exit>,
    /// What is known of the environment.
    pub environment: Environment,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub kind: FrameKind,
    /// Where control goes on behind it; its parameters are the results.
    pub end: Block,
    pub params: Vec<Type>,
    pub results: Vec<Type>,
    /// Operands below its parameters.
    pub height: usize,
    /// Whether the operands below are in variables as well, because the function is entered at a loop, perhaps one inside.
    pub is_saved: bool,
    pub end_reached: bool,
}

#[derive(Debug)]
pub(super) enum FrameKind {
    /// The body of a function. A branch to it returns, or goes on behind an inlined call.
    Body {
        /// Whether it is inlined.
        inlined: bool,
    },
    /// `block`, and `if` once its `else` was reached.
    Block,
    Loop {
        /// Where branches to it go.
        header: Block,
    },
    /// `if` before its `else`.
    If {
        /// Where control goes if the condition does not hold.
        otherwise: Block,
    },
    /// `try_table`.
    Try {
        /// Where an exception from a call inside goes, as its only parameter.
        handler: Block,
        /// The tags that clauses name.
        tags: Vec<u32>,
        /// Whether one takes any.
        takes_all: bool,
    },
}

/// The costs of the body at hand, and that of the block at hand.
#[derive(Debug, Default)]
pub(super) struct Meter<'a> {
    /// None if the code is not metered.
    pub costs: Option<Costs<'a>>,
    pub block: FuelBlock,
}

/// The cost of the block at hand.
#[derive(Debug, Default)]
pub(super) struct FuelBlock {
    /// The constant that is to be the cost; none before the block's first operator that costs anything.
    pub constant: Option<Inst>,
    pub cost: u32,
}

/// What is inlined at the moment, and was.
#[derive(Debug, Default)]
pub(super) struct Inlining {
    /// The functions whose bodies are open, outermost first, without the function itself.
    pub open: Vec<u32>,
    /// Bytes of all bodies so far.
    pub bytes: usize,
}

/// What the interpreter's frames would take, in slots.
#[derive(Debug, Default)]
pub(super) struct FrameSlots {
    /// Of the locals of the body at hand that are not parameters.
    pub locals: usize,
    /// Of all bodies around it, from each to the next one's first local.
    pub outer: usize,
    /// The most that there are at a call, from the function's first local to that of the function called.
    pub deepest: usize,
}

/// What a translation has found out about its environment so far.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub libcall_signatures: Vec<(LibCall, SigRef)>,
    pub call_signatures: Vec<(TypeId, SigRef)>,
}
