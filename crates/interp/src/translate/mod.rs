//! Translation of one validated function body into instructions, in one pass over its operators.
//!
//! [`code`](crate::code) asks for it at a function's first call. It gives a [`CodeBlock`], which `execute` runs. Files are
//! named by instruction category, as in `execute/`. [`stack`] explains how operands, destinations and constants are folded into
//! instructions, [`labels`] how branches find their targets. The [instruction set](crate::instr) has the handlers.
//!
//! # Invariants
//! - Translation looks only at the module, the body and the features of the processor: instances share its result.
//! - At every label the accumulators hold nothing, and all operands but constants are in their canonical slots. At a loop
//!   header constants are as well, so that compiled code can continue the function from there (OSR).
//! - All locals are in their slots at all times. A throw, a trap or a collection finds them there.
//!
//! The same pass, run again with `trace` on, tells which operator each instruction came from. So backtraces need no side table.

#![forbid(unsafe_code)]

pub(crate) mod atomic;
pub(crate) mod builtin;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod exception;
pub(crate) mod fuel;
pub(crate) mod heap;
pub(crate) mod labels;
pub(crate) mod memory;
pub(crate) mod numeric;
pub(crate) mod provenance;
pub(crate) mod reference;
pub(crate) mod simd;
pub(crate) mod stack;
pub(crate) mod table;
pub(crate) mod variable;

/// The decoder's error for bytes that it cannot read.
pub(crate) use wasmparser::BinaryReaderError as ReadError;
use wasmparser::{BinaryReader, FunctionBody, Operator, OperatorsReader};
use wasmr_core::op::{Op, Shape};
use wasmr_core::types::FuncType;
use wasmr_module::op::{lane_of, memarg_of, op_of};
use wasmr_module::operators::operator_text;
use wasmr_module::{Costs, LegacyTries, Module};
use wasmr_runtime::frame::{FRAME_HEADER, FrameMap};
use wasmr_runtime::vm::VmLayout;

use crate::code_block::{CodeBlock, CodeWords};
use crate::execute::dispatch::handler_word;
use crate::instr::locations::Cleared;
use crate::instr::{Enter, handler};
use crate::loops::LoopTableBuilder;
use crate::regions::{TryRegion, TryRegions};
use fuel::Meter;
use labels::{Fixup, Label};
use stack::{Kind, Pending, SCRATCH_SLOTS, Ty, Value};

/// Reason why a function cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// The interpreter has no translation of an operator that loading admits: a fault of wasmr.
    #[error(
        "{module}: the interpreter has no translation of `{operator}` at offset {offset:#x}; this is a fault of wasmr"
    )]
    Untranslated {
        /// Operator in the text format.
        operator: String,
        /// Name of the module.
        module: String,
        /// Offset of the operator in the module.
        offset: usize,
    },
    /// The body cannot be read. Validation excludes that, unless the module's bytes changed since.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(#[from] ReadError),
}

/// Slot and type of a local.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    /// First slot.
    pub(crate) slot: i32,
    pub(crate) ty: Ty,
}

/// The state of one translation.
pub(crate) struct Translator<'m> {
    module: &'m Module,
    layout: &'m VmLayout,
    /// True if memory 0 is accessed without checks.
    guarded: bool,
    ty: &'m FuncType,
    /// Number of slots of the argument area.
    arg_slots: u32,
    code: Vec<u64>,
    locals: Vec<Local>,
    /// Slot of the operand at height 0.
    temp_base: i32,
    stack: Vec<Value>,
    height: u32,
    max_height: u32,
    /// Indices of the operands that are `Kind::Local`, in order.
    local_values: Vec<usize>,
    /// Indices of the operands that are `Kind::Const`, in order.
    const_values: Vec<usize>,
    pending: Option<Pending>,
    /// The slot that the integer accumulator mirrors.
    acc: Option<i32>,
    /// The slot of the float that the float accumulator mirrors.
    facc: Option<i32>,
    /// The first slot of the vector that the float accumulator mirrors. It does not mirror a float then.
    facc_vector: Option<i32>,
    /// Vector constants of the function.
    vectors: Vec<[u64; 2]>,
    scratch_used: u32,
    /// True if slot numbers may be too large for fields.
    far: bool,
    /// Latest word that a jump may lead to. Instructions from there on are not merged with those before.
    barrier: usize,
    /// Latest instruction, if it is a copy that another copy may join.
    last_copy: Option<usize>,
    /// Latest instruction, if it adds a constant to a slot and stores the sum.
    last_count: Option<stack::Count>,
    labels: Vec<Label<'m>>,
    fixups: Vec<Fixup>,
    /// Blocks opened since the code became unreachable; `None` in reachable code.
    unreachable: Option<u32>,
    try_regions: Vec<TryRegion>,
    /// The function among the defined ones.
    defined_index: u32,
    /// Legacy `try`s of the body. `None` before the first one.
    tries: Option<LegacyTries>,
    /// Offset of the current operator in the module.
    offset: usize,
    /// True if NaNs that operators make become canonical.
    canonical_nans: bool,
    /// Fuel costs, if the code is metered.
    meter: Option<Meter<'m>>,
    /// First code word and offset of each operator, if asked for.
    trace: Option<Vec<(u32, u32)>>,
    /// The loops so far.
    loops: LoopTableBuilder,
}

/// Input of a translation. Equal inputs give equal code.
#[derive(Clone, Copy)]
pub struct Source<'m> {
    /// Module of the function.
    pub module: &'m Module,
    /// Layout of the module's instances.
    pub layout: &'m VmLayout,
    /// Index of the function among the defined ones.
    pub defined_index: u32,
    /// True if memory 0 may be accessed without checks.
    pub guarded: bool,
    /// True if the code uses up fuel.
    pub metered: bool,
    /// True if NaNs that operators make become canonical.
    pub canonical_nans: bool,
}

/// Translates the body of a defined function.
pub(crate) fn translate(source: &Source<'_>) -> Result<CodeBlock, TranslateError> {
    let mut translator = Translator::new(source);
    translator.body(source.defined_index)?;
    Ok(translator.finish())
}

/// Returns the offset in the module of the operator that word `position` of the function's code came from.
pub(crate) fn locate(source: &Source<'_>, position: u32) -> Option<usize> {
    locate_all(source, &[position]).pop()?
}

/// Returns the result of [`locate`] for several words at once.
pub(crate) fn locate_all(source: &Source<'_>, positions: &[u32]) -> Vec<Option<usize>> {
    let mut translator = Translator::new(source);
    translator.trace = Some(Vec::new());
    if translator.body(source.defined_index).is_err() {
        return Vec::new();
    }
    let trace = translator.trace.unwrap_or_default();
    let locate = |&position: &u32| {
        let after = trace.partition_point(|&(word, _)| word <= position);
        Some(trace[after.checked_sub(1)?].1 as usize)
    };
    positions.iter().map(locate).collect()
}

/// Returns the places of a function's values in its frame, at every loop header. Reads only the declarations of locals; `None`
/// if they cannot be read.
pub(crate) fn frame_map(source: &Source<'_>) -> Option<FrameMap> {
    let mut translator = Translator::new(source);
    translator.open_body(source.defined_index).ok()?;
    let locals = translator.locals.iter().map(|local| local.slot).collect();
    Some(FrameMap { locals, operands: translator.temp_base })
}

impl<'m> Translator<'m> {
    fn new(source: &Source<'m>) -> Translator<'m> {
        let Source { module, layout, defined_index, guarded, metered, canonical_nans } = *source;
        let ty = module.func_type(module.imported_func_count() + defined_index);
        let body = module.body(defined_index).bytes.len();
        Translator {
            module,
            layout,
            guarded,
            ty,
            arg_slots: ty.arg_slots() as u32,
            code: Vec::with_capacity(body + 16),
            locals: Vec::new(),
            temp_base: 0,
            stack: Vec::new(),
            height: 0,
            max_height: 0,
            local_values: Vec::new(),
            const_values: Vec::new(),
            pending: None,
            acc: None,
            facc: None,
            facc_vector: None,
            vectors: Vec::new(),
            scratch_used: 0,
            far: false,
            barrier: 0,
            last_copy: None,
            last_count: None,
            labels: Vec::new(),
            fixups: Vec::new(),
            unreachable: None,
            try_regions: Vec::new(),
            defined_index,
            tries: None,
            offset: 0,
            canonical_nans,
            meter: metered.then(|| Meter::new(Costs::new(module, defined_index))),
            trace: None,
            loops: LoopTableBuilder::default(),
        }
    }

    /// Returns the first slot of the argument area.
    fn base_slot(&self) -> i32 {
        -(FRAME_HEADER as i32) - self.arg_slots as i32
    }

    fn body(&mut self, defined_index: u32) -> Result<(), TranslateError> {
        let mut operators = self.open_body(defined_index)?;
        while !operators.eof() {
            self.offset = operators.original_position() as usize;
            let operator = operators.read()?;
            if let Some(trace) = &mut self.trace {
                // A branch may have absorbed instructions. The code is then shorter than before.
                let here = self.code.len() as u32;
                while trace.last().is_some_and(|&(word, _)| word > here) {
                    trace.pop();
                }
                trace.push((here, self.offset as u32));
            }
            self.next_operator(&operator)?;
        }
        Ok(())
    }

    /// Begins a body: its frame and its label. Returns its operators.
    fn open_body(&mut self, defined_index: u32) -> Result<OperatorsReader<'m>, TranslateError> {
        let body = self.module.body(defined_index);
        let reader = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64));
        self.declare_locals(&reader, body.bytes.len())?;
        self.labels.push(Label::function());
        Ok(reader.get_operators_reader()?)
    }

    /// Translates the operator at `self.offset`.
    #[inline]
    fn next_operator(&mut self, operator: &Operator<'_>) -> Result<(), TranslateError> {
        self.charge(operator);
        if self.unreachable.is_some() {
            self.skip(operator);
        } else {
            self.operator(operator)?;
        }
        self.end_charge(operator);
        Ok(())
    }

    fn declare_locals(&mut self, body: &FunctionBody<'_>, length: usize) -> Result<(), TranslateError> {
        let mut slot = self.base_slot();
        for &ty in self.ty.params() {
            let ty = Ty::of(ty);
            self.locals.push(Local { slot, ty });
            slot += ty.slots() as i32;
        }
        let mut slots = 0;
        let mut declared = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            let ty = Ty::of(self.module.val_type(ty));
            slots += count * ty.slots();
            declared.push((count, ty));
        }
        // Each byte of the body can push at most one value.
        let may_be_far = slots as usize + 2 * length + SCRATCH_SLOTS as usize >= i16::MAX as usize;
        let first = if may_be_far { SCRATCH_SLOTS } else { 0 };
        let mut slot = first as i32;
        for (count, ty) in declared {
            for _ in 0..count {
                self.locals.push(Local { slot, ty });
                slot += ty.slots() as i32;
            }
        }
        self.temp_base = slot;
        let zeroed = (slot as u32) as u64;
        self.far = may_be_far;
        self.code.extend([handler_word(handler(Enter, Cleared(zeroed as u32))), zeroed << 32]);
        Ok(())
    }

    fn finish(mut self) -> CodeBlock {
        let frame_slots = self.temp_base as u32 + self.max_height;
        self.code[1] |= frame_slots as u64;
        self.end_metered_block();
        CodeBlock {
            words: CodeWords::new(self.code),
            frame_slots,
            try_regions: TryRegions::new(self.try_regions),
            layout: *self.layout,
            loops: self.loops.finish(),
            hotness: Default::default(),
        }
    }

    /// Translates an operator in reachable code.
    fn operator(&mut self, operator: &Operator<'_>) -> Result<(), TranslateError> {
        match operator {
            Operator::LocalGet { local_index } => self.local_get(*local_index),
            Operator::LocalSet { local_index } => self.local_set(*local_index),
            Operator::LocalTee { local_index } => self.local_tee(*local_index),
            Operator::I32Const { value } => self.push(Kind::Const(*value as u32 as u64), Ty::I32),
            Operator::I64Const { value } => self.push(Kind::Const(*value as u64), Ty::I64),
            Operator::F32Const { value } => self.push(Kind::Const(value.bits() as u64), Ty::F32),
            Operator::F64Const { value } => self.push(Kind::Const(value.bits()), Ty::F64),
            other => {
                if let Some(op) = op_of(other) {
                    self.table_row(op, other);
                    if let Some(floats) = op.nan_result().filter(|_| self.canonical_nans) {
                        self.canonical_nan(floats);
                    }
                    return Ok(());
                }
                let known = self.control_operator(other)
                    || self.memory_operator(other)
                    || self.call_operator(other)
                    || self.variable_operator(other)
                    || self.reference_operator(other)
                    || self.heap_operator(other)
                    || self.table_operator(other)
                    || self.exception_operator(other)
                    || self.simd_operator(other)
                    || self.atomic_operator(other)
                    || self.builtin_operator(other);
                if !known {
                    return Err(self.untranslated(other));
                }
            }
        }
        Ok(())
    }

    /// Translates an operator that has a row in core's table.
    fn table_row(&mut self, op: Op, operator: &Operator<'_>) {
        match op.shape() {
            Shape::Binary => self.binary(op),
            Shape::Load => self.load(op, memarg_of(operator)),
            Shape::Store => self.store(op, memarg_of(operator)),
            Shape::Compare => self.compare(op),
            Shape::Unary if matches!(op, Op::I32Eqz | Op::I64Eqz) => self.eqz(op),
            Shape::Unary => self.unary(op),
            Shape::VectorUnary => self.vector_unary(op),
            Shape::VectorBinary => self.vector_binary(op),
            Shape::VectorTernary => self.vector_ternary(op),
            Shape::VectorTest => self.vector_test(op),
            Shape::Shift => self.shift(op),
            Shape::Splat => self.splat(op),
            Shape::ExtractLane => self.extract_lane(op, lane_of(operator)),
            Shape::ReplaceLane => self.replace_lane(op, lane_of(operator)),
            Shape::VectorLoad => self.vector_load(op, memarg_of(operator)),
            Shape::VectorStore => self.vector_store(op, memarg_of(operator)),
            Shape::AtomicLoad | Shape::AtomicStore | Shape::AtomicRmw | Shape::AtomicCmpxchg => {
                self.atomic_access(op, memarg_of(operator));
            }
            Shape::LoadLane | Shape::StoreLane => self.lane_access(op, memarg_of(operator), lane_of(operator)),
        }
    }

    fn untranslated(&self, operator: &Operator<'_>) -> TranslateError {
        let module = self.module.name().to_owned();
        TranslateError::Untranslated { operator: operator_text(operator), module, offset: self.offset }
    }
}
