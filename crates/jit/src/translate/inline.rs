//! Inlining: a small function's body in place of a call of it.
//!
//! Done while translating, where it costs nothing but the body: a frame whose end is behind the call, the arguments as its
//! parameters. So `return` is a branch, handlers around the call are around the body, and a trap inside knows both places.
//! What it saves is the call, which is most of what a small function costs, and what it lets Cranelift see.

use cranelift_codegen::ir::SourceLoc;
use wasmr_module::operator_class::OperatorClass;

use super::state::{Inlining, Translator};
use crate::error::CompileError;

/// What is known of how often a call is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hotness {
    Unknown,
    /// It was seen to be.
    Hot,
}

impl Inlining {
    /// Whether the body at hand is the function's own.
    pub(super) fn is_outermost(&self) -> bool {
        self.open.is_empty()
    }
}

impl Translator<'_, '_> {
    /// Whether a call of a defined function is to be replaced by its body.
    pub(super) fn is_inlined(&self, defined_index: u32, hotness: Hotness) -> bool {
        let Inlining { open, bytes } = &self.inlining;
        let size = self.request.module.body(defined_index).bytes.len();
        let copies = open.iter().filter(|&&other| other == defined_index).count();
        let is_self = defined_index == self.request.defined_index;
        let policy = &self.request.calls;
        let (limit, copies_allowed) = match hotness {
            _ if is_self => (policy.inline_recursive, policy.recursive_depth),
            Hotness::Hot => (policy.inline_hot, 1),
            Hotness::Unknown => (policy.inline, 1),
        };
        size <= limit
            && copies < copies_allowed
            && open.len() < policy.inline_depth
            && bytes + size <= policy.inlined_bytes
            && self.is_inlinable(defined_index)
    }

    /// Returns true if the body has no operator that must be in a function of its own: no tail call.
    fn is_inlinable(&self, defined_index: u32) -> bool {
        self.request.module.body(defined_index).all_operators(|class| class != OperatorClass::TailCall)
    }

    /// Translates the body of a defined function in place of a call at the offset in the body at hand.
    pub(super) fn inline(&mut self, defined_index: u32, offset: usize) -> Result<(), CompileError> {
        let module = self.request.module;
        let ty = module.func_type(module.imported_func_count() + defined_index);
        let args = self.pop_many(ty.params().len());
        let frame = self.open_frame(ty);
        let locals = std::mem::take(&mut self.locals);
        let meter = std::mem::take(&mut self.meter);
        let caller = self.source_map.open_inlined(module, defined_index, offset);
        self.inlining.bytes += module.body(defined_index).bytes.len();
        self.inlining.open.push(defined_index);
        self.declare_params(ty, &args);
        self.body(defined_index, ty)?;
        self.inlining.open.pop();
        self.source_map.close_inlined(caller);
        // What may follow for the same call is of the call again.
        self.builder.set_srcloc(SourceLoc::new(self.source_map.location(offset)));
        self.meter = meter;
        self.locals = locals;
        self.close_frame(frame);
        Ok(())
    }
}
