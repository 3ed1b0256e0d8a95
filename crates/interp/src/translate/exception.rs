//! Exceptions. A `try_table` is a region of the code with catch clauses as side data, and costs nothing to enter.

use wasmparser::{Catch, Operator, TryTable};

use super::Translator;
use super::labels::{FixupPlace, LabelKind};
use super::stack::Ty;
use crate::regions::{CatchClause, CatchKind, TryRegion};

impl Translator<'_> {
    /// Translates `operator` if it is an exception operator. Returns true if it was.
    pub(crate) fn exception_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::TryTable { try_table } => self.try_table(try_table),
            _ => return false,
        }
        true
    }

    fn tag_types(&self, tag: u32) -> Vec<Ty> {
        let ty = self.module.registry().func_type(self.module.tags()[tag as usize]);
        ty.expect("validated: a tag has a function type").params().iter().map(|&ty| Ty::of(ty)).collect()
    }

    fn try_table(&mut self, table: &TryTable) {
        let sig = self.module.block_sig(table.ty);
        self.enter_block(sig);
        let region = self.try_regions.len();
        self.try_regions.push(TryRegion { range: 0..u32::MAX, catches: Vec::new() });
        for (clause, catch) in table.catches.iter().enumerate() {
            let (kind, depth, mut types) = match *catch {
                Catch::One { tag, label } => (CatchKind::One(tag), label, self.tag_types(tag)),
                Catch::OneRef { tag, label } => (CatchKind::OneRef(tag), label, self.tag_types(tag)),
                Catch::All { label } => (CatchKind::All, label, Vec::new()),
                Catch::AllRef { label } => (CatchKind::AllRef, label, Vec::new()),
            };
            let payload_slots = types.iter().map(|ty| ty.slots()).sum();
            if matches!(kind, CatchKind::OneRef(_) | CatchKind::AllRef) {
                types.push(Ty::Ref);
            }
            let label = self.label_index(depth);
            if self.labels[label].kind == LabelKind::Function {
                let slot = self.temp_slot(self.height);
                let target = self.landing_that_returns(&types) as u32;
                self.try_regions[region].catches.push(CatchClause { kind, target, slot, payload_slots });
            } else {
                let slot = self.temp_slot(self.labels[label].height);
                self.try_regions[region].catches.push(CatchClause { kind, target: 0, slot, payload_slots });
                self.link(label, FixupPlace::Catch(region, clause));
            }
        }
        self.try_regions[region].range.start = self.begin() as u32;
        self.open(LabelKind::Try { region }, sig);
    }
}
