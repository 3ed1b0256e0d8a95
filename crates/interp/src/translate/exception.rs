//! Exceptions. A `try_table` is a region of the code with catch clauses as side data, and costs nothing to enter. So is a legacy
//! `try` ([`wasmr_module::LegacyTries`]): each of its clauses leads to a `catch` body in the same function.
//!
//! If a `catch` body has a `rethrow`, the reference of its exception is in the slot below the payload, where no operator of the
//! body reaches it.

use wasmparser::{BlockType, Operator, TryTable};
use wasmr_module::{Builtin, Clause, ClauseTarget, LegacyTries};
use wasmr_runtime::builtins::entry;

use super::Translator;
use super::labels::{FixupPlace, LabelKind};
use super::stack::Ty;
use crate::instr::{self, handler};
use crate::regions::{CatchClause, TryRegion};

impl Translator<'_> {
    /// Translates `operator` if it is an exception operator. Returns true if it was.
    pub(crate) fn exception_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::Try { blockty } => self.legacy_try(*blockty),
            Operator::Rethrow { relative_depth } => self.rethrow(*relative_depth),
            _ => return false,
        }
        true
    }

    /// Returns the index of the innermost region in force.
    pub(crate) fn region(&self) -> Option<usize> {
        self.labels.last().and_then(|label| label.region)
    }

    /// Ends a region here.
    pub(crate) fn end_region(&mut self, region: usize) {
        self.try_regions[region].range.end = self.code.len() as u32;
    }

    fn tag_types(&self, tag: u32) -> Vec<Ty> {
        self.module.tag_type(tag).params().iter().map(|&ty| Ty::of(ty)).collect()
    }

    /// Returns the types of the payload that a clause passes on; none if it catches all.
    fn payload_types(&self, tag: Option<u32>) -> Vec<Ty> {
        tag.map_or_else(Vec::new, |tag| self.tag_types(tag))
    }

    fn try_table(&mut self, table: &TryTable) {
        let sig = self.module.block_sig(table.ty);
        self.enter_block(sig);
        let region = self.try_regions.len();
        self.try_regions.push(TryRegion { range: 0..u32::MAX, outer: self.region(), catches: Vec::new() });
        for (index, clause) in table.catches.iter().map(Clause::from).enumerate() {
            let ClauseTarget::Label(depth) = clause.target else { unreachable!("`try_table` has no bodies") };
            let mut types = self.payload_types(clause.tag);
            let payload_slots: u32 = types.iter().map(|ty| ty.slots()).sum();
            if clause.with_reference {
                types.push(Ty::Ref);
            }
            let label = self.label_index(depth);
            let returns = self.labels[label].kind == LabelKind::Function;
            let payload = self.temp_slot(if returns { self.height } else { self.labels[label].height });
            let reference = clause.with_reference.then(|| payload + payload_slots as i32);
            let target = if returns { self.landing_that_returns(&types) as u32 } else { 0 };
            self.try_regions[region].catches.push(CatchClause { tag: clause.tag, target, payload, reference });
            if !returns {
                self.link(label, FixupPlace::Catch(region, index));
            }
        }
        self.try_regions[region].range.start = self.begin() as u32;
        self.open(LabelKind::Try { region }, sig);
    }

    fn legacy_try(&mut self, ty: BlockType) {
        let sig = self.module.block_sig(ty);
        self.enter_block(sig);
        let (module, defined_index) = (self.module, self.defined_index);
        let tries = self.tries.get_or_insert_with(|| LegacyTries::of(module, defined_index));
        let legacy = tries.at(self.offset);
        let (clauses, delegate) = (legacy.clauses.clone(), legacy.delegate);
        let outer = match delegate {
            Some(depth) => self.labels[self.label_index(depth)].region,
            None => self.region(),
        };
        let region = self.try_regions.len();
        let start = self.begin() as u32;
        self.try_regions.push(TryRegion { range: start..u32::MAX, outer, catches: Vec::new() });
        self.open(LabelKind::LegacyTry { region, begun: 0 }, sig);
        let bottom = self.temp_slot(self.labels.last().expect("just opened").height);
        self.try_regions[region].catches = clauses
            .iter()
            .map(|clause| CatchClause {
                tag: clause.tag,
                target: 0,
                payload: bottom + i32::from(clause.with_reference),
                reference: clause.with_reference.then_some(bottom),
            })
            .collect();
    }

    /// Ends the body of the innermost `try`, or of its last `catch`, and begins the body of the next clause.
    pub(crate) fn catch_body(&mut self) {
        let index = self.labels.len() - 1;
        let LabelKind::LegacyTry { region, begun } = self.labels[index].kind else {
            unreachable!("validated: `catch` belongs to `try`")
        };
        if self.unreachable.take().is_none() {
            self.branch(index);
        }
        if begun == 0 {
            self.end_region(region);
            self.labels[index].region = self.try_regions[region].outer;
        }
        self.labels[index].kind = LabelKind::LegacyTry { region, begun: begun + 1 };
        self.barrier = self.code.len();
        let CatchClause { tag, reference, .. } = self.try_regions[region].catches[begun];
        self.try_regions[region].catches[begun].target = self.barrier as u32;
        let payload = self.payload_types(tag);
        let label = self.labels[index];
        self.reset_stack_to(&label, reference.map(|_| Ty::Ref).into_iter().chain(payload));
    }

    /// Throws the exception again that the `catch` body at a relative depth caught.
    fn rethrow(&mut self, depth: u32) {
        let slot = self.temp_slot(self.labels[self.label_index(depth)].height);
        let row = Builtin::ThrowRef as u64 | (slot as u32 as u64) << 32;
        self.emit(handler(instr::Builtin, ()), &[row, entry(Builtin::ThrowRef) as usize as u64, 0]);
        self.become_unreachable();
    }
}
