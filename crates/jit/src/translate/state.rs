//! State of a translation: the input ([`Request`]), the current state ([`Translator`]), and the tables that come out
//! ([`Translated`]).
//!
//! The files of the operator categories have the translator's methods. State that only one of them uses is a type of its own
//! here.

use std::collections::HashMap;
use std::mem::offset_of;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Block, Inst, SigRef, Type, Value};
use cranelift_frontend::{FunctionBuilder, Variable};
use wasmr_core::types::TypeId;
use wasmr_module::{Costs, LegacyTries, Module};
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::vm::{VmInstance, VmLayout};

use crate::budget::Turn;
use crate::compiled::Exit;
use crate::libcalls::LibCall;
use crate::options::CallPolicy;
use crate::source_map::SourceMap;
use crate::tables::LandingTag;

/// A function to translate, with all that the code may depend on.
pub(crate) struct Request<'a> {
    pub module: &'a Module,
    /// Layout of the module's instances.
    pub layout: &'a VmLayout,
    /// Index of the function among the defined ones.
    pub defined_index: u32,
    pub entry: Entry,
    /// True if memory 0 is guard-paged, so that accesses need no checks.
    pub guard_paged: bool,
    /// True if the code uses up fuel.
    pub metered: bool,
    /// True if NaNs that operators make become canonical.
    pub canonical_nans: bool,
    /// True if checked accesses are also safe from speculation past their checks (Spectre variant 1).
    pub spectre_guards: bool,
    /// Limits of inlining and guarded calls.
    pub calls: CallPolicy,
    /// Returns the callees that a call at an offset in the module compares with first, as indices of defined functions, hottest
    /// first. Returns none if the call site has no profile, or too flat a one.
    pub guard_targets: &'a dyn Fn(usize) -> Vec<u32>,
}

/// The entry of compiled code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The function's start, with arguments.
    Start,
    /// A loop header, with the interpreter's frame: OSR code.
    Loop(OsrEntry),
    /// Dual entry: the function's start, but a loop header if
    /// [`VmInstance::loop_frame`](wasmr_runtime::vm::VmInstance::loop_frame) has a frame.
    StartOrLoop(OsrEntry),
}

/// Offset in an instance of the frame for the OSR entry of code with a dual entry.
pub(super) const LOOP_FRAME: i32 = offset_of!(VmInstance, loop_frame) as i32;

impl Entry {
    /// Returns the loop of the OSR entry, or `None` if there is none.
    pub fn osr(&self) -> Option<&OsrEntry> {
        match self {
            Entry::Start => None,
            Entry::Loop(osr) | Entry::StartOrLoop(osr) => Some(osr),
        }
    }
}

/// An OSR entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OsrEntry {
    /// Offset of the `loop` operator in the module.
    pub offset: usize,
    /// Slots of locals and operands in the interpreter's frame.
    pub frame: FrameMap,
}

/// The tables that a translation makes besides CLIF.
#[derive(Debug)]
pub(crate) struct Translated {
    pub source_map: SourceMap,
    /// Exit trampolines that calls may need, each once.
    pub exits: Vec<Exit>,
    /// Number of variables that were read or written.
    pub variables: usize,
}

/// The translation of one function.
pub(super) struct Translator<'a, 'b> {
    pub builder: FunctionBuilder<'b>,
    pub request: &'a Request<'a>,
    /// Pointer to the instance.
    pub context: Value,
    /// Pointer to the memory for results that do not fit in registers.
    pub results_pointer: Option<Value>,
    pub stack: Vec<Value>,
    /// Control stack: the open blocks, outermost first. The first one is the function's body.
    pub frames: Vec<Frame>,
    /// Handlers of all `try_table`s and legacy `try`s so far, open or closed.
    pub handlers: Vec<Handler>,
    /// Number of landing pads in the lists of all handlers so far.
    pub listed_pads: usize,
    /// Legacy `try`s of the current body. `None` before the first one.
    pub tries: Option<LegacyTries>,
    /// The current body, among the defined functions.
    pub body_index: u32,
    /// Locals of the current body, which is the function's or an inlined one.
    pub locals: Vec<(Variable, Type)>,
    /// True if control can reach the current operator.
    pub reachable: bool,
    /// Number of blocks opened in unreachable code and not yet closed.
    pub skipped: u32,
    pub source_map: SourceMap,
    /// Block that control enters at for OSR, and pointer to the interpreter's frame. `None` once the loop was translated, and
    /// in code without OSR entry.
    pub pending_loop: Option<(Block, Value)>,
    /// The local with which the branch table at the start of the next loop is indexed. `None` if the loop begins otherwise.
    pub next_loop_index: Option<u32>,
    /// Variables for operands around an OSR entry, by index on the stack and type.
    pub operand_variables: HashMap<(usize, Type), Variable>,
    /// Fuel costs in the current body.
    pub meter: Meter<'a>,
    /// Number of bulk memory operators of variable size so far.
    pub variable_sites: u32,
    /// Turn to compile a heavy function, taken when this one turns out to be heavy.
    pub turn: &'b mut Turn,
    /// Number of edges of branch tables, and from calls to landing pads, so far.
    pub edges: usize,
    /// Number of operands saved in variables so far.
    pub saved_operands: usize,
    /// Variables read or written so far.
    pub used_variables: EntitySet<Variable>,
    /// Number of `used_variables`.
    pub used_variable_count: usize,
    /// True if an operator asked for more than the budget. Code that is left out then does not matter, since the translation
    /// ends with an error.
    pub is_too_much: bool,
    pub inlining: Inlining,
    /// Size of the interpreter's frames for the same calls.
    pub frame_slots: FrameSlots,
    /// Exit trampolines that calls may need, each once.
    pub exits: Vec<Exit>,
    /// Signatures imported into the function so far.
    pub environment: Environment,
}

/// An open block of the control stack.
#[derive(Debug)]
pub(super) struct Frame {
    pub kind: FrameKind,
    /// Block after the end, with the results as its parameters.
    pub end: Block,
    /// Index of the innermost handler in force directly inside the block.
    pub handler: Option<usize>,
    pub params: Vec<Type>,
    pub results: Vec<Type>,
    /// Number of operands below the block's parameters.
    pub height: usize,
    /// True if the operands below are saved in variables, because the OSR entry may be inside of the block.
    pub is_saved: bool,
    /// True if branches to the end may come after it, from the rest of a loop (see [`LoopTable`]).
    pub is_sealed_late: bool,
    /// True if control can reach the end, by a branch or by falling through.
    pub end_reached: bool,
    /// True if control can reach the end other than by branches that are usually not taken.
    pub end_is_likely: bool,
}

/// The `br_table` with which a loop begins. Its index is a local.
#[derive(Debug)]
pub(super) struct LoopTable {
    /// The local.
    pub index: Variable,
    /// Block that control enters at if the local is 0 when the loop begins, if this is tested. It is empty up to the `br_table`.
    pub zero: Option<Block>,
    /// Targets by value of the local; none before the `br_table`. The last one is for all other values.
    pub targets: Vec<Block>,
    /// Ends of the blocks between the loop and the table, which are sealed at the loop's end.
    pub ends: Vec<Block>,
}

#[derive(Debug)]
pub(super) enum FrameKind {
    /// Body of a function. A branch to it returns, or continues after the inlined call.
    Body {
        /// True if the body replaces a call.
        inlined: bool,
    },
    /// `block`, or `if` after its `else`.
    Block,
    Loop {
        /// Target of branches to the loop.
        header: Block,
        /// The branch table with which the loop begins, if it does.
        table: Option<LoopTable>,
    },
    /// `if` before its `else`.
    If {
        /// Block for a condition of zero.
        otherwise: Block,
    },
    /// `try_table` with clauses.
    Try {
        /// Index of its handler.
        handler: usize,
    },
    /// Legacy `try` with clauses.
    LegacyTry {
        /// Index of its handler.
        handler: usize,
        /// Number of clauses whose body has begun.
        begun: usize,
    },
}

/// The clauses of a `try_table` or of a legacy `try`.
#[derive(Debug)]
pub(super) struct Handler {
    /// Index of the handler that is tried next.
    pub outer: Option<usize>,
    /// Clauses in order.
    pub arms: Vec<Arm>,
    /// Landing pads of calls inside, once there is such a call: for each tag the first one that is tried, in that order.
    pub landing_pads: Option<Vec<(LandingTag, Block)>>,
}

/// A catch clause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub tag: Option<u32>,
    pub with_reference: bool,
    /// Block for exceptions of callees, with the parameters that `unwind` passes.
    pub landing_pad: Block,
    pub target: ArmTarget,
}

/// The place at which a clause continues.
#[derive(Clone, Copy, Debug)]
pub(super) enum ArmTarget {
    /// The label of this open block, by index in [`Translator::frames`].
    Label(usize),
    /// A `catch` body.
    Body(Block),
}

/// Fuel costs of the operators of the current body, and of the current fuel block.
#[derive(Debug, Default)]
pub(super) struct Meter<'a> {
    /// Costs of the next operators. `None` if the code is not metered.
    pub costs: Option<Costs<'a>>,
    pub block: FuelBlock,
}

/// A sequence of operators whose fuel is taken at once, at its start.
#[derive(Debug, Default)]
pub(super) struct FuelBlock {
    /// Constant that becomes the cost at the end of the block. `None` before the first operator that costs anything.
    pub constant: Option<Inst>,
    /// Cost so far.
    pub cost: u32,
}

/// State of inlining.
#[derive(Debug, Default)]
pub(super) struct Inlining {
    /// Functions whose inlined bodies are open, outermost first, by defined index.
    pub open: Vec<u32>,
    /// Bytes of all inlined bodies so far.
    pub bytes: usize,
}

/// Size of the interpreter's frames for the same calls, in slots.
#[derive(Debug, Default)]
pub(super) struct FrameSlots {
    /// Slots of the current body's locals without its parameters.
    pub locals: usize,
    /// Slots of all bodies around the current one, each from its first local to the next body's first local.
    pub outer: usize,
    /// Most slots at any call so far, from the function's first local to the callee's first local.
    pub deepest: usize,
}

/// Signatures imported into the CLIF function, each once.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub libcall_signatures: Vec<(LibCall, SigRef)>,
    pub call_signatures: Vec<(TypeId, SigRef)>,
}
