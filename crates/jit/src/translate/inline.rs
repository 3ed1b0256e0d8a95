//! Inlining: the body of a small function in place of a call.
//!
//! The translator inlines a call when it meets it, which takes no more time than the translation of the body. The body becomes
//! a block of the control stack that ends after the call, with the arguments as its parameters. `return` is then a branch to
//! its end, the landing pads around the call are also those of the body, and the source map knows both functions. Inlining
//! saves the call, which is most of the time of a small function, and lets Cranelift optimise across it.

use cranelift_codegen::ir::SourceLoc;
use wasmr_module::operator_class::OperatorClass;

use super::state::{Inlining, Translator};
use crate::error::CompileError;

/// The hotness of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hotness {
    /// The call site has no profile.
    Unknown,
    /// A sample found the call.
    Hot,
}

impl Inlining {
    /// Returns true if the current body is the function's own.
    pub(super) fn is_outermost(&self) -> bool {
        self.open.is_empty()
    }
}

impl Translator<'_, '_> {
    /// Returns true if the policy replaces a call of a defined function by its body.
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

    /// Returns true if the body has no tail call, which would replace the wrong function.
    fn is_inlinable(&self, defined_index: u32) -> bool {
        self.request.module.body(defined_index).all_operators(|class| class != OperatorClass::TailCall)
    }

    /// Translates the body of a defined function in place of a call at `offset` in the current body.
    pub(super) fn inline(&mut self, defined_index: u32, offset: usize) -> Result<(), CompileError> {
        let module = self.request.module;
        let ty = module.func_type(module.imported_func_count() + defined_index);
        let args = self.pop_many(ty.params().len());
        let frame = self.open_frame(ty);
        let locals = std::mem::take(&mut self.locals);
        let meter = std::mem::take(&mut self.meter);
        let tries = self.tries.take();
        let body_index = std::mem::replace(&mut self.body_index, defined_index);
        let caller = self.source_map.open_inlined(module, defined_index, offset);
        self.inlining.bytes += module.body(defined_index).bytes.len();
        self.inlining.open.push(defined_index);
        self.declare_params(ty, &args);
        self.body(defined_index, ty)?;
        self.inlining.open.pop();
        self.source_map.close_inlined(caller);
        // Further instructions for the same call have the call's location again.
        self.builder.set_srcloc(SourceLoc::new(self.source_map.location(offset)));
        self.meter = meter;
        self.tries = tries;
        self.body_index = body_index;
        self.locals = locals;
        self.close_frame(frame);
        Ok(())
    }
}
