//! Which operators make up the blocks that [`wasmr_core::fuel`] speaks of, and the cost of each: what every tier asks when it
//! meters code.

use wasmparser::{BinaryReader, Catch, FunctionBody, Operator, TryTable};
use wasmr_core::fuel::{BYTES_PER_FUEL_LOG2, ELEMENTS_PER_FUEL_LOG2, SLOTS_PER_FUEL};
use wasmr_core::types::{FuncType, ValType};

use crate::{BlockSig, Module};

/// The cost of each operator of a function, given all of them in order.
///
/// It follows structure through unreachable code as well: a tier may know more than another of what is not reached.
#[derive(Debug)]
pub struct Costs<'m> {
    module: &'m Module,
    /// The open blocks, the function's body first.
    labels: Vec<Label>,
    /// The cost of entering the function, until its first operator.
    entering: u32,
}

/// Slots that control carries to the places of a block.
#[derive(Clone, Copy, Debug)]
struct Label {
    /// To its label.
    branch: u32,
    /// To its end.
    end: u32,
}

impl<'m> Costs<'m> {
    /// The costs of a defined function, before its first operator.
    pub fn new(module: &'m Module, defined_index: u32) -> Costs<'m> {
        let results = module.func_type(module.imported_func_count() + defined_index).results();
        let carried = slots(results);
        let locals = local_slots(module, defined_index);
        Costs {
            module,
            labels: vec![Label { branch: carried, end: carried }],
            entering: u32::try_from(locals / u64::from(SLOTS_PER_FUEL)).unwrap_or(u32::MAX),
        }
    }

    /// The cost of the next operator.
    pub fn next(&mut self, operator: &Operator<'_>) -> u32 {
        let entering = std::mem::take(&mut self.entering);
        let own = u32::from(!is_mark(operator));
        own.saturating_add(self.carried(operator) / SLOTS_PER_FUEL).saturating_add(entering)
    }

    /// Slots that an operator carries somewhere, clauses included. Follows the structure of blocks.
    fn carried(&mut self, operator: &Operator<'_>) -> u32 {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.open(*blockty, false),
            Operator::Loop { blockty } => self.open(*blockty, true),
            Operator::TryTable { try_table } => {
                self.open(try_table.ty, false);
                return self.clauses(try_table);
            }
            Operator::Else => return self.labels.last().map_or(0, |label| label.end),
            Operator::End => return self.labels.pop().map_or(0, |label| label.end),
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => return self.to_label(*relative_depth),
            // All of its labels take as many values.
            Operator::BrTable { targets } => return self.to_label(targets.default()),
            Operator::Return => return self.labels.first().map_or(0, |body| body.branch),
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                return of_call(self.module.func_type(*function_index));
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => return of_call(self.module.func_type_of(*type_index)),
            Operator::Throw { tag_index } => return self.payload(*tag_index),
            _ => {}
        }
        0
    }

    fn open(&mut self, ty: wasmparser::BlockType, is_loop: bool) {
        let sig: BlockSig<'_> = self.module.block_sig(ty);
        let end = slots(sig.results());
        let branch = if is_loop { slots(sig.params()) } else { end };
        self.labels.push(Label { branch, end });
    }

    fn to_label(&self, depth: u32) -> u32 {
        self.labels.iter().nth_back(depth as usize).map_or(0, |label| label.branch)
    }

    fn payload(&self, tag: u32) -> u32 {
        let ty = self.module.registry().func_type(self.module.tags()[tag as usize]);
        ty.map_or(0, |ty| slots(ty.params()))
    }

    fn clauses(&self, table: &TryTable) -> u32 {
        let payload = |catch: &Catch| match *catch {
            Catch::One { tag, .. } | Catch::OneRef { tag, .. } => self.payload(tag),
            Catch::All { .. } | Catch::AllRef { .. } => 0,
        };
        let largest = table.catches.iter().map(payload).max().unwrap_or(0);
        largest.saturating_add(table.catches.len() as u32)
    }
}

fn slots(types: &[ValType]) -> u32 {
    types.iter().map(|ty| ty.slots() as u32).sum()
}

fn of_call(ty: &FuncType) -> u32 {
    slots(ty.params()) + slots(ty.results())
}

/// Slots of the locals that a function declares.
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

/// Returns true if the operator only marks structure and costs nothing by itself.
fn is_mark(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Nop
            | Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::TryTable { .. }
            | Operator::Else
            | Operator::End
    )
}

/// Whether what follows the operator is another block, or is not reached from it.
pub fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
            | Operator::Unreachable
    )
}

/// How much of its last operand an operator handles for one unit of fuel, as a power of two, if its cost depends on it.
pub fn size_log2(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
            Some(BYTES_PER_FUEL_LOG2)
        }
        Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. } => Some(ELEMENTS_PER_FUEL_LOG2),
        _ => None,
    }
}
