//! Translates one validated function body into Cranelift's intermediate representation, in one pass over its operators.
//!
//! Fed by [`compile`](crate::compile) with a [`Request`]; fills a Cranelift function. Files are named by instruction
//! category, as in the interpreter; [`stack`] holds the operands, [`environment`] knows where an instance keeps things.
//!
//! # Invariants
//! - The result depends on the module, the request and nothing of a running instance: all instances share it.
//! - A 32-bit operand is an `I32`, a reference a word (`I64`, null is 0), a vector any 128-bit vector type; in locals, block
//!   parameters and signatures a vector is `I8X16`.
//! - Every instruction's source location is a [virtual position](Positions), from which backtraces are made.
//!
//! # On-stack replacement
//! With [`Entry::Loop`] the function starts at a loop's header, with locals and operands from the interpreter's frame. What
//! comes before the loop is translated into a block that nothing leads to and which Cranelift drops: so the control stack
//! around the loop, handlers included, is simply there.

#![forbid(unsafe_code)]

pub mod bulk_memory;
pub mod call;
pub mod clif;
pub mod control;
pub mod environment;
pub mod exception;
pub mod frame_size;
pub mod fuel;
pub mod inline;
pub mod memory;
pub mod numeric;
pub mod positions;
pub mod reference;
pub mod simd;
pub mod simd_memory;
pub mod stack;
pub mod table;
pub mod variable;

use std::collections::HashMap;
use std::mem::offset_of;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{self, AbiParam, Block, InstBuilder, MemFlagsData, SourceLoc, Type, Value, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
/// What the decoder says of bytes that it cannot read.
pub use wasmparser::BinaryReaderError as ReadError;
use wasmparser::{BinaryReader, FunctionBody, Operator};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_module::Module;
use wasmr_module::op::op_of;
use wasmr_runtime::frame::FrameMap;
use wasmr_runtime::vm::{VmInstance, VmLayout};

use crate::abi::{self, ResultsIn};
use crate::budget::{MAX_BYTES, Made, Turn};
use crate::compile::Refusal;
use crate::module::CallPolicy;
use control::Frame;
use positions::Positions;

/// What to translate, and how.
pub struct Request<'a> {
    /// The module.
    pub module: &'a Module,
    /// How its instances are laid out.
    pub layout: &'a VmLayout,
    /// Which function, counted from the first defined one.
    pub defined_index: u32,
    /// Where it starts.
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
const LOOP_FRAME: i32 = offset_of!(VmInstance, loop_frame) as i32;

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

/// A call that leaves compiled code unless its callee is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The type of the functions called.
    pub type_index: u32,
    /// Whether it is a function that the module imports.
    pub imported: bool,
}

/// What there is to know of a translation.
#[derive(Debug)]
pub struct Translated {
    /// What source locations mean.
    pub positions: Positions,
    /// The ways out that calls may take, each once.
    pub exits: Vec<Exit>,
    /// Number of variables that were read or written.
    pub variables: usize,
}

/// The state of one translation.
pub struct Translator<'a, 'b> {
    /// Where instructions go.
    pub builder: FunctionBuilder<'b>,
    /// What is being translated.
    pub request: &'a Request<'a>,
    /// The target.
    pub isa: &'a dyn TargetIsa,
    /// The instance.
    pub context: Value,
    /// Where the function leaves its results if they do not fit registers.
    pub results_pointer: Option<Value>,
    /// The type of the outermost function.
    pub ty: &'a FuncType,
    /// The operands.
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
    pub meter: fuel::Meter<'a>,
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
    pub inlining: inline::Inlining,
    /// What the interpreter's frames would take.
    pub frame_slots: frame_size::FrameSlots,
    /// The ways out that calls may take.
    pub exits: Vec<Exit>,
    /// What is known of the environment.
    pub environment: environment::Environment,
}

/// The Cranelift type of a value, in canonical form.
pub fn value_type(ty: ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::Ref(_) => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// A trap as Cranelift's code for it, which is one more than ours.
pub fn trap_code(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::user(code as u8 + 1).expect("our codes are small and the sum is not 0")
}

/// Translates a body into `func`, which is empty.
///
/// # Errors
/// If there is an operator that is not compiled: the function stays with the interpreter.
pub fn translate(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    func: &mut ir::Function,
    func_context: &mut FunctionBuilderContext,
    turn: &mut Turn,
) -> Result<Translated, Refusal> {
    let func_index = request.module.imported_func_count() + request.defined_index;
    let ty: &FuncType = request.module.func_type(func_index);
    func.signature = match request.entry {
        Entry::Start | Entry::StartOrLoop(_) => abi::signature(ty),
        Entry::Loop(_) => abi::loop_signature(ty),
    };
    environment::declare_stack_limit(func);
    let mut builder = FunctionBuilder::new(func, func_context);
    let entry = builder.create_block();
    // Even if other blocks get their instructions first.
    builder.func.layout.append_block(entry);
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let params = builder.block_params(entry).to_vec();
    let results_pointer =
        (abi::results_in(ty) == ResultsIn::Memory).then(|| *params.last().expect("it is the last one"));
    let mut translator = Translator {
        builder,
        request,
        isa,
        context: params[0],
        results_pointer,
        ty,
        stack: Vec::new(),
        frames: Vec::new(),
        locals: Vec::new(),
        reachable: true,
        skipped: 0,
        positions: Positions::new(request.module, request.defined_index),
        pending_loop: None,
        operand_variables: HashMap::new(),
        meter: fuel::Meter::default(),
        variable_sites: 0,
        turn,
        edges: 0,
        saved_operands: 0,
        used_variables: EntitySet::new(),
        used_variable_count: 0,
        is_too_much: false,
        inlining: inline::Inlining::default(),
        frame_slots: frame_size::FrameSlots::default(),
        exits: Vec::new(),
        environment: environment::Environment::default(),
    };
    match &request.entry {
        Entry::Start => translator.declare_params(ty, &params[1..]),
        Entry::Loop(_) => {
            translator.pending_loop = Some((entry, params[1]));
            let before = translator.builder.create_block();
            translator.builder.switch_to_block(before);
            translator.builder.seal_block(before);
            let zeros: Vec<Value> = ty.params().iter().map(|&ty| translator.zero(value_type(ty))).collect();
            translator.declare_params(ty, &zeros);
        }
        Entry::StartOrLoop(_) => {
            let frame = translator.builder.ins().load(types::I64, MemFlagsData::trusted(), params[0], LOOP_FRAME);
            let (at_loop, at_start) = (translator.builder.create_block(), translator.builder.create_block());
            translator.builder.set_cold_block(at_loop);
            translator.builder.ins().brif(frame, at_loop, &[], at_start, &[]);
            translator.builder.seal_block(at_loop);
            translator.builder.seal_block(at_start);
            translator.pending_loop = Some((at_loop, frame));
            translator.builder.switch_to_block(at_start);
            translator.declare_params(ty, &params[1..]);
        }
    }
    translator.body(request.defined_index, ty)?;
    if translator.pending_loop.is_some() {
        return Err(Refusal::NoSuchLoop);
    }
    translator.enlarge_frame();
    translator.builder.seal_all_blocks();
    let variables = translator.made().variables;
    let Translator { builder, positions, exits, .. } = translator;
    builder.finalize(isa.frontend_config());
    Ok(Translated { positions, exits, variables })
}

impl<'a> Translator<'a, '_> {
    fn declare_params(&mut self, ty: &FuncType, values: &[Value]) {
        for (&ty, &value) in ty.params().iter().zip(values) {
            self.declare_local(value_type(ty), value);
        }
    }

    /// Adds a local that starts with a value.
    pub fn declare_local(&mut self, ty: Type, value: Value) {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        self.locals.push((variable, ty));
    }

    /// Translates a body whose parameters are declared; afterwards control is behind it.
    pub fn body(&mut self, defined_index: u32, ty: &FuncType) -> Result<(), Refusal> {
        let module: &'a Module = self.request.module;
        let body = module.body(defined_index);
        let reader = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64));
        for group in reader.get_locals_reader()? {
            let (count, ty) = group?;
            let ty = value_type(module.val_type(ty));
            let zero = self.zero(ty);
            for _ in 0..count {
                self.declare_local(ty, zero);
            }
        }
        self.note_locals(ty);
        self.open_body(ty);
        self.meter = self.new_meter(defined_index);
        let mut operators = reader.get_operators_reader()?;
        while !operators.eof() {
            let offset = operators.original_position() as usize;
            let operator = operators.read()?;
            self.builder.set_srcloc(SourceLoc::new(self.positions.at(offset)));
            self.charge(&operator);
            if self.reachable {
                self.operator(&operator, offset)?;
            } else {
                self.skip(&operator);
            }
            self.end_charge(&operator);
            self.check_budget()?;
        }
        Ok(())
    }

    /// Translates an operator in reachable code.
    fn operator(&mut self, operator: &Operator<'_>, offset: usize) -> Result<(), Refusal> {
        if let Some(op) = op_of(operator) {
            self.table_row(op, operator);
            return Ok(());
        }
        let known = self.variable_operator(operator)
            || self.memory_operator(operator)
            || self.control_operator(operator, offset)
            || self.call_operator(operator, offset)?
            || self.reference_operator(operator)
            || self.table_operator(operator)
            || self.exception_operator(operator)
            || self.bulk_memory_operator(operator)
            || self.simd_operator(operator);
        if known { Ok(()) } else { Err(Refusal::Operator { offset }) }
    }

    /// Amounts of everything that was made so far.
    fn made(&self) -> Made {
        let dfg = &self.builder.func.dfg;
        Made {
            instructions: dfg.num_insts(),
            values: dfg.num_values() + self.saved_operands,
            list_words: dfg.value_lists.capacity(),
            edges: self.edges,
            variables: self.used_variable_count + self.operand_variables.len(),
            blocks: dfg.num_blocks(),
        }
    }

    /// Refuses the function if what was made of it is too much; if it is much, waits for its turn.
    fn check_budget(&mut self) -> Result<(), Refusal> {
        let bytes = self.made().bytes();
        if self.is_too_much || bytes > MAX_BYTES {
            return Err(Refusal::TooMuch);
        }
        self.turn.take_for(bytes);
        Ok(())
    }

    /// Counts a variable that is read or written.
    pub fn note_use(&mut self, variable: Variable) {
        self.used_variable_count += usize::from(self.used_variables.insert(variable));
    }

    /// Returns true if there is room for a branch table, or for the handlers of a call, and counts it then.
    pub fn take_edges(&mut self, count: usize, args: usize) -> bool {
        let bytes = self.made().bytes().saturating_add(Made::table_bytes(count, args));
        self.is_too_much |= bytes > MAX_BYTES;
        self.edges = self.edges.saturating_add(count);
        !self.is_too_much
    }

    /// Seals the header of a loop, unless the variables that it has to find are too many.
    pub fn seal_header(&mut self, header: Block, param_count: usize) {
        let made = self.made();
        let unknown = self.builder.block_params(header).len() - param_count;
        self.is_too_much |= made.bytes().saturating_add(made.seal_bytes(unknown)) > MAX_BYTES;
        if !self.is_too_much {
            self.builder.seal_block(header);
        }
    }

    /// Zero, or null, of a canonical type.
    pub fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.builder.ins().f32const(0.0),
            types::F64 => self.builder.ins().f64const(0.0),
            types::I8X16 => {
                let zero = self.builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
                self.builder.ins().vconst(types::I8X16, zero)
            }
            _ => self.builder.ins().iconst(ty, 0),
        }
    }

    /// Traps here, always: what follows is unreachable.
    pub fn trap(&mut self, code: TrapCode) {
        // Without it, a branch to a block that only traps would become a trap of the branch, with the branch's source location.
        self.builder.ins().sequence_point();
        self.builder.ins().trap(trap_code(code));
        self.become_unreachable();
    }
}

/// The parameter that carries the context.
pub fn context_param() -> AbiParam {
    AbiParam::special(types::I64, ir::ArgumentPurpose::VMContext)
}
