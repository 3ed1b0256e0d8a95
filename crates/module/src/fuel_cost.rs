//! Fuel cost of each operator of a function, by the rules of [`wasmr_core::fuel`]. Both translators use it for metered code.
//!
//! The [class](OperatorClass) of an operator determines its own cost, and whether it *carries* values to a label, a callee or a
//! handler. The number of carried slots follows from the module and the open blocks. For a new operator whose class carries
//! values, this file must read the immediate. `tests/fuel.rs` has a program for each such operator and fails without one.

use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator};
use wasmr_core::fuel::SLOTS_PER_FUEL;
use wasmr_core::types::{FuncType, ValType};

use crate::catches::{Clause, LegacyTries, LegacyTry};
use crate::operator_class::OperatorClass;
use crate::{BlockSig, Module};

/// Computes the fuel costs of a function's operators, which the caller passes in order.
///
/// The caller passes unreachable operators as well, because they open and close blocks. If they were skipped, the costs would
/// depend on the code that a tier considers unreachable.
#[derive(Debug)]
pub struct Costs<'m> {
    module: &'m Module,
    defined_index: u32,
    /// The `try` operators that follow, last one first. `None` before the first one.
    tries: Option<Vec<LegacyTry>>,
    /// Open blocks, outermost first. The first is the function's body.
    labels: Vec<Label>,
    /// Cost of clearing the function's locals; the first operator pays it and leaves 0.
    entering: u32,
}

/// Numbers of slots that control carries within a block.
#[derive(Clone, Copy, Debug)]
struct Label {
    /// Slots carried by a branch to the block's label.
    branch: u32,
    /// Slots carried over the block's end.
    end: u32,
}

impl<'m> Costs<'m> {
    /// Creates the state before the first operator of a defined function.
    pub fn new(module: &'m Module, defined_index: u32) -> Costs<'m> {
        let results = module.func_type(module.imported_func_count() + defined_index).results();
        let carried = slots(results);
        let locals = local_slots(module, defined_index);
        Costs {
            module,
            defined_index,
            tries: None,
            labels: vec![Label { branch: carried, end: carried }],
            entering: u32::try_from(locals / u64::from(SLOTS_PER_FUEL)).unwrap_or(u32::MAX),
        }
    }

    /// Returns the fuel cost of `operator`, which must be the function's next one.
    pub fn next(&mut self, operator: &Operator<'_>) -> u32 {
        let entering = std::mem::take(&mut self.entering);
        let class = OperatorClass::of(operator);
        let own = u32::from(!class.is_mark());
        own.saturating_add(self.carried(operator, class) / SLOTS_PER_FUEL).saturating_add(entering)
    }

    /// Returns the number of slots that an operator carries, plus the clauses of a `try_table` or `try`. Opens and closes blocks.
    fn carried(&mut self, operator: &Operator<'_>, class: OperatorClass) -> u32 {
        match class {
            OperatorClass::Plain
            | OperatorClass::Bytes
            | OperatorClass::Elements
            | OperatorClass::Nop
            | OperatorClass::Trap => 0,
            OperatorClass::Block | OperatorClass::If | OperatorClass::Loop | OperatorClass::Try => {
                self.open(block_type(operator), class == OperatorClass::Loop);
                match operator {
                    Operator::TryTable { try_table } => self.clauses(try_table.catches.iter().map(Clause::from)),
                    Operator::Try { .. } => {
                        let clauses = self.next_try().clauses;
                        self.clauses(clauses.into_iter())
                    }
                    _ => 0,
                }
            }
            OperatorClass::Else => self.labels.last().map_or(0, |label| label.end),
            OperatorClass::End => self.labels.pop().map_or(0, |label| label.end),
            OperatorClass::Branch | OperatorClass::BranchIf => label(operator).map_or(0, |depth| self.to_label(depth)),
            OperatorClass::Return => self.labels.first().map_or(0, |body| body.branch),
            OperatorClass::Throw => match operator {
                Operator::Throw { tag_index } => self.payload(*tag_index),
                // `throw_ref` and `rethrow` pass the exception on; its payload is not copied.
                _ => 0,
            },
            OperatorClass::Call | OperatorClass::TailCall => callee_type(self.module, operator).map_or(0, of_call),
        }
    }

    fn open(&mut self, ty: BlockType, is_loop: bool) {
        let sig: BlockSig<'_> = self.module.block_sig(ty);
        let end = slots(sig.results());
        let branch = if is_loop { slots(sig.params()) } else { end };
        self.labels.push(Label { branch, end });
    }

    fn to_label(&self, depth: u32) -> u32 {
        self.labels.iter().nth_back(depth as usize).map_or(0, |label| label.branch)
    }

    fn payload(&self, tag: u32) -> u32 {
        slots(self.module.tag_type(tag).params())
    }

    /// Returns the next `try` operator.
    fn next_try(&mut self) -> LegacyTry {
        let (module, defined_index) = (self.module, self.defined_index);
        let tries = self.tries.get_or_insert_with(|| {
            let mut tries: Vec<LegacyTry> = LegacyTries::of(module, defined_index).into_ordered().collect();
            tries.reverse();
            tries
        });
        tries.pop().unwrap_or_default()
    }

    fn clauses(&self, clauses: impl ExactSizeIterator<Item = Clause>) -> u32 {
        let count = clauses.len() as u32;
        let largest = clauses.map(|clause| clause.tag.map_or(0, |tag| self.payload(tag))).max().unwrap_or(0);
        largest.saturating_add(count)
    }
}

/// Returns the type of the block that an operator opens.
fn block_type(operator: &Operator<'_>) -> BlockType {
    match operator {
        Operator::Block { blockty }
        | Operator::Loop { blockty }
        | Operator::If { blockty }
        | Operator::Try { blockty } => *blockty,
        Operator::TryTable { try_table } => try_table.ty,
        _ => BlockType::Empty,
    }
}

/// Returns the label that an operator branches to.
///
/// For a `br_table` this is the default label. All labels of a table take [the same number of
/// values](https://webassembly.github.io/spec/core/valid/instructions.html#control-instructions).
fn label(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::Br { relative_depth }
        | Operator::BrIf { relative_depth }
        | Operator::BrOnNull { relative_depth }
        | Operator::BrOnNonNull { relative_depth }
        | Operator::BrOnCast { relative_depth, .. }
        | Operator::BrOnCastFail { relative_depth, .. } => Some(*relative_depth),
        Operator::BrTable { targets } => Some(targets.default()),
        _ => None,
    }
}

/// Returns the type of the function that an operator calls.
fn callee_type<'m>(module: &'m Module, operator: &Operator<'_>) -> Option<&'m FuncType> {
    match operator {
        Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
            Some(module.func_type(*function_index))
        }
        Operator::CallIndirect { type_index, .. }
        | Operator::ReturnCallIndirect { type_index, .. }
        | Operator::CallRef { type_index }
        | Operator::ReturnCallRef { type_index } => Some(module.func_type_of(*type_index)),
        _ => None,
    }
}

fn slots(types: &[ValType]) -> u32 {
    types.iter().map(|ty| ty.slots() as u32).sum()
}

fn of_call(ty: &FuncType) -> u32 {
    slots(ty.params()) + slots(ty.results())
}

/// Returns the number of slots of a function's declared locals.
fn local_slots(module: &Module, defined_index: u32) -> u64 {
    let body = module.body(defined_index);
    let body = FunctionBody::new(BinaryReader::new(body.bytes, body.offset as u64));
    let Ok(groups) = body.get_locals_reader() else { return 0 };
    let of_group = |(count, ty): (u32, wasmparser::ValType)| {
        let slots = if ty == wasmparser::ValType::V128 { 2 } else { 1 };
        u64::from(count) * slots
    };
    groups.into_iter().map_while(Result::ok).map(of_group).sum()
}
