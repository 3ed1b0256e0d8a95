//! Translates one validated function body into CLIF, Cranelift's intermediate representation, in one pass over its operators.
//!
//! `compile` passes a [`Request`], and the translator fills an empty CLIF function. Files are named by categories of operators,
//! as in the interpreter. Besides, `stack` has the operand stack, `environment` the accesses to instances, and `state` the
//! state of a translation.
//!
//! # Invariants
//! - The result depends on the request alone, and on nothing of a running instance: all instances share the code.
//! - A 32-bit operand is an `I32`, a reference a word (`I64`, null is 0), a vector any 128-bit vector type. In locals, block
//!   parameters and signatures a vector is `I8X16` (the canonical form).
//! - The source location of every instruction is one of the [`SourceMap`], from which backtraces are made.
//!
//! # On-stack replacement
//! With [`Entry::Loop`] the function begins at a loop header, with locals and operands from the interpreter's frame. The
//! operators before the loop are translated as well, into blocks that nothing jumps to and Cranelift therefore removes. In
//! this way the control stack around the loop, landing pads included, needs no special treatment.

#![forbid(unsafe_code)]

mod allocate;
mod atomic;
mod builtin;
mod bulk_memory;
mod call;
mod clif;
mod control;
mod environment;
mod exception;
mod frame_size;
mod fuel;
mod heap;
mod inline;
mod loop_table;
mod memory;
mod numeric;
mod reference;
mod simd;
mod simd_memory;
mod stack;
mod state;
mod table;
mod variable;
mod wide;

use std::collections::HashMap;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{self, Block, InstBuilder, MemFlagsData, SourceLoc, Type, Value, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use wasmparser::{BinaryReader, BinaryReaderError, BlockType, FunctionBody, Operator};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::FuncType;
use wasmr_module::Module;
use wasmr_module::op::op_of;

use crate::abi::{self, ResultsIn, value_type};
use crate::budget::{MAX_BYTES, Made, Turn};
use crate::error::CompileError;
use crate::source_map::SourceMap;
use crate::trap_code::trap_code;
pub use state::{Entry, OsrEntry};
use state::{Environment, FrameSlots, Inlining, LOOP_FRAME, Meter, Translator};
pub(crate) use state::{Request, Translated};

/// Translates the requested function into `func`, which is empty. Takes `turn` if the function is heavy.
///
/// # Errors
/// Returns an error if the function has an operator that is not compiled, exceeds the budget, or has no reachable loop at the
/// OSR entry.
pub(crate) fn translate(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    func: &mut ir::Function,
    func_context: &mut FunctionBuilderContext,
    turn: &mut Turn,
) -> Result<Translated, CompileError> {
    let func_index = request.module.imported_func_count() + request.defined_index;
    let ty: &FuncType = request.module.func_type(func_index);
    func.signature = match request.entry {
        Entry::Start | Entry::StartOrLoop(_) => abi::signature(ty),
        Entry::Loop(_) => abi::loop_signature(ty),
    };
    environment::declare_stack_limit(func);
    let mut builder = FunctionBuilder::new(func, func_context);
    let entry = builder.create_block();
    // The entry block is the first one in the layout, even if other blocks get instructions before it.
    builder.func.layout.append_block(entry);
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let params = builder.block_params(entry).to_vec();
    let results_pointer = (abi::results_in(ty) == ResultsIn::Memory)
        .then(|| *params.last().expect("the results' address is the last parameter"));
    let mut translator = Translator {
        builder,
        request,
        context: params[0],
        results_pointer,
        stack: Vec::new(),
        frames: Vec::new(),
        handlers: Vec::new(),
        listed_pads: 0,
        tries: None,
        body_index: request.defined_index,
        locals: Vec::new(),
        reachable: true,
        skipped: 0,
        source_map: SourceMap::new(request.module, request.defined_index),
        pending_loop: None,
        next_loop_index: None,
        operand_variables: HashMap::new(),
        meter: Meter::default(),
        variable_sites: 0,
        turn,
        edges: 0,
        saved_operands: 0,
        used_variables: EntitySet::new(),
        used_variable_count: 0,
        is_too_much: false,
        inlining: Inlining::default(),
        frame_slots: FrameSlots::default(),
        exits: Vec::new(),
        environment: Environment::default(),
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
        return Err(CompileError::NoSuchLoop);
    }
    translator.enlarge_frame();
    translator.builder.seal_all_blocks();
    let variables = translator.made().variables;
    let Translator { builder, source_map, exits, .. } = translator;
    builder.finalize(isa.frontend_config());
    Ok(Translated { source_map, exits, variables })
}

impl From<BinaryReaderError> for CompileError {
    fn from(error: BinaryReaderError) -> CompileError {
        CompileError::Changed(error.to_string())
    }
}

impl<'a> Translator<'a, '_> {
    fn declare_params(&mut self, ty: &FuncType, values: &[Value]) {
        for (&ty, &value) in ty.params().iter().zip(values) {
            self.declare_local(value_type(ty), value);
        }
    }

    /// Adds a local with an initial value.
    pub(crate) fn declare_local(&mut self, ty: Type, value: Value) {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        self.locals.push((variable, ty));
    }

    /// Translates a body whose parameters are declared. Afterwards the current position is after the body's end.
    pub(crate) fn body(&mut self, defined_index: u32, ty: &FuncType) -> Result<(), CompileError> {
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
        self.count_locals(ty);
        self.open_body(ty);
        self.meter = self.new_meter(defined_index);
        let mut operators = reader.get_operators_reader()?;
        while !operators.eof() {
            let offset = operators.original_position() as usize;
            let operator = operators.read()?;
            self.builder.set_srcloc(SourceLoc::new(self.source_map.location(offset)));
            self.charge(&operator);
            if self.reachable {
                if let Operator::Loop { blockty: BlockType::Empty } = operator {
                    self.next_loop_index = loop_table::index_of(operators.clone());
                }
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
    fn operator(&mut self, operator: &Operator<'_>, offset: usize) -> Result<(), CompileError> {
        if let Some(op) = op_of(operator) {
            self.table_row(op, operator);
            return Ok(());
        }
        let known = self.variable_operator(operator)
            || self.memory_operator(operator)
            || self.control_operator(operator, offset)
            || self.call_operator(operator, offset)?
            || self.reference_operator(operator)
            || self.heap_operator(operator)
            || self.table_operator(operator)
            || self.exception_operator(operator, offset)
            || self.simd_operator(operator)
            || self.atomic_operator(operator)
            || self.builtin_operator(operator);
        if known { Ok(()) } else { Err(CompileError::Operator { offset }) }
    }

    /// Returns the numbers of all items made so far.
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

    /// Compares the items made so far with the budget. Waits for its turn if the function is heavy.
    ///
    /// # Errors
    /// Returns [`CompileError::TooMuch`] if the function exceeds the budget.
    fn check_budget(&mut self) -> Result<(), CompileError> {
        if self.is_over_budget() {
            return Err(CompileError::TooMuch);
        }
        self.turn.take_for(self.made().bytes());
        Ok(())
    }

    /// Returns true if the items made so far exceed the budget. Then the translation ends with the current operator.
    pub(crate) fn is_over_budget(&self) -> bool {
        self.is_too_much || self.made().bytes() > MAX_BYTES
    }

    /// Counts a variable that is read or written, once.
    pub(crate) fn count_variable(&mut self, variable: Variable) {
        self.used_variable_count += usize::from(self.used_variables.insert(variable));
    }

    /// Counts the edges of a branch table with `args` arguments each. Returns false if the budget has no room for them.
    pub(crate) fn take_edges(&mut self, count: usize, args: usize) -> bool {
        let bytes = self.made().bytes().saturating_add(Made::table_bytes(count, args));
        self.is_too_much |= bytes > MAX_BYTES;
        self.edges = self.edges.saturating_add(count);
        !self.is_too_much
    }

    /// Seals the header of a loop, which looks up the header's unknown variables in all blocks of the loop. Leaves it unsealed
    /// if that exceeds the budget.
    pub(crate) fn seal_header(&mut self, header: Block, param_count: usize) {
        let made = self.made();
        let unknown = self.builder.block_params(header).len() - param_count;
        self.is_too_much |= made.bytes().saturating_add(made.seal_bytes(unknown)) > MAX_BYTES;
        if !self.is_too_much {
            self.builder.seal_block(header);
        }
    }

    /// Returns zero, or null, of a canonical type.
    pub(crate) fn zero(&mut self, ty: Type) -> Value {
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

    /// Emits a trap. The operators that follow are unreachable.
    pub(crate) fn trap(&mut self, code: TrapCode) {
        // Without the sequence point, Cranelift makes a branch to a block that only traps a trap at the branch, with its source
        // location.
        self.builder.ins().sequence_point();
        self.builder.ins().trap(trap_code(code));
        self.become_unreachable();
    }
}
