//! Exceptions: `throw`, `throw_ref`, `try_table`
//! (<https://webassembly.github.io/spec/core/exec/instructions.html#exec-try-table>).
//!
//! A `try_table` with catch clauses has a *landing pad*: a block whose only parameter is an exception. Each call inside the
//! `try_table` is a `try_call` ([`call`](super::call)). It continues at the landing pad if the callee throws an exception that
//! a clause around the call catches: one of this `try_table`, or of one around it. Entering and leaving a `try_table` therefore
//! costs nothing. A `throw` inside the `try_table`, in the same function, jumps to the landing pad if a clause is known to
//! catch it.
//!
//! The landing pad tries the clauses in order: it compares the tag, passes payload and reference to the clause's label, and
//! branches there. An exception that no clause catches continues at the landing pad of the next `try_table` around.
//!
//! # Why do calls list tags?
//! Without tags, a call would continue at the innermost landing pad for every exception, and the outermost landing pad would
//! throw again what it does not catch. That would discard the frames of the throw, which the backtrace of an uncaught exception
//! needs.

use cranelift_codegen::ir::{
    Block, BlockArg, ExceptionTableItem, ExceptionTag, InstBuilder, Signature, Value, condcodes::IntCC, types,
};
use cranelift_codegen::isa::CallConv;
use wasmparser::{Catch, Operator, TryTable};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::ValType;
use wasmr_module::{Builtin, BuiltinCall};

use super::builtin::in_slot_area;
use super::call::Callee;
use super::control::block_args;
use super::environment::slots_of;
use super::state::{FrameKind, Translator};
use crate::abi::value_type;
use crate::libcalls::LibCall;
use crate::trap_code::trap_code;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category, and a throw only if this function catches it. Returns true if it
    /// was translated.
    pub(super) fn exception_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Throw { tag_index } => return self.throw(*tag_index),
            Operator::ThrowRef => return self.throw_ref(),
            Operator::TryTable { try_table } => self.try_table(try_table),
            _ => return false,
        }
        true
    }

    /// Returns the innermost landing pad around the current operator, or `None` if no `try_table` with clauses is around it.
    fn landing_pad(&self) -> Option<Block> {
        self.frames.iter().rev().find_map(|frame| match frame.kind {
            FrameKind::Try { landing_pad, .. } => Some(landing_pad),
            _ => None,
        })
    }

    /// Returns the exception table of a call here: the innermost landing pad, for each tag that a clause around the call names.
    /// A tag is given by its offset in the instance. One entry for all exceptions suffices if a clause around the call catches
    /// all. Returns an empty table if no clause is around the call.
    pub(super) fn landing_pads(&mut self) -> Vec<ExceptionTableItem> {
        let Some(landing_pad) = self.landing_pad() else { return Vec::new() };
        let (mut named, mut any) = (Vec::new(), false);
        for frame in self.frames.iter().rev() {
            if let FrameKind::Try { tags, catches_all, .. } = &frame.kind {
                named.extend_from_slice(tags);
                any |= catches_all;
            }
        }
        named.sort_unstable();
        named.dedup();
        let layout = self.request.layout;
        let mut target = || self.builder.func.dfg.block_call(landing_pad, &[BlockArg::TryCallExn(0)]);
        if any {
            return vec![ExceptionTableItem::Default(target())];
        }
        let mut items = vec![ExceptionTableItem::Context(self.context)];
        items.extend(
            named.into_iter().map(|tag| ExceptionTableItem::Tag(ExceptionTag::from_u32(layout.tag(tag)), target())),
        );
        items
    }

    /// Returns true if a clause around the current operator catches every exception with `tag`, or every exception if `tag` is
    /// `None`.
    fn is_caught(&self, tag: Option<u32>) -> bool {
        self.frames.iter().any(|frame| match &frame.kind {
            FrameKind::Try { tags, catches_all, .. } => *catches_all || tag.is_some_and(|tag| tags.contains(&tag)),
            _ => false,
        })
    }

    /// Returns the types of a tag's payload.
    fn payload_types(&self, tag: u32) -> Vec<ValType> {
        let module = self.request.module;
        let ty = module.registry().func_type(module.tags()[tag as usize]);
        ty.expect("validated: a tag has a function type").params().to_vec()
    }

    /// Translates `throw` as a jump to the landing pad if a clause of the same function catches the exception. Returns false if
    /// none does.
    fn throw(&mut self, tag: u32) -> bool {
        let Some(landing_pad) = self.landing_pad().filter(|_| self.is_caught(Some(tag))) else { return false };
        let count = self.payload_types(tag).len();
        let payload = self.pop_to_area(count);
        let number = self.index(tag);
        let made = self.libcall(LibCall::ExceptionNew, &[number, payload]);
        let exception = self.builder.inst_results(made)[0];
        self.builder.ins().jump(landing_pad, &[BlockArg::Value(exception)]);
        self.become_unreachable();
        true
    }

    /// Translates `throw_ref` as [`throw`](Self::throw) does `throw`. The tag is unknown, so the clause has to catch all.
    fn throw_ref(&mut self) -> bool {
        let Some(landing_pad) = self.landing_pad().filter(|_| self.is_caught(None)) else { return false };
        let exception = self.pop();
        self.builder.ins().trapz(exception, trap_code(TrapCode::NullExceptionReference));
        self.builder.ins().jump(landing_pad, &[BlockArg::Value(exception)]);
        self.become_unreachable();
        true
    }

    /// Calls a libcall that does not return, but may continue at a landing pad.
    pub(super) fn leaving_libcall(&mut self, libcall: LibCall, args: &[Value]) {
        let (code, _) = self.libcall_code(libcall);
        // Callee-saved registers are lost on the way to a landing pad. With the convention `Tail`, which has none, Cranelift
        // keeps no value in them. It passes these few arguments as the C convention of the shim does.
        let signature = Signature { call_conv: CallConv::Tail, ..libcall.signature() };
        let signature = self.builder.import_signature(signature);
        let args: Vec<Value> = [self.context].iter().chain(args).copied().collect();
        let landing_pads = self.landing_pads();
        if landing_pads.is_empty() {
            self.builder.ins().call_indirect(signature, code, &args);
        } else {
            self.try_call(signature, Callee::Indirect(code), &args, landing_pads);
        }
        self.builder.ins().trap(trap_code(TrapCode::Unreachable));
    }

    fn try_table(&mut self, table: &TryTable) {
        let sig = self.request.module.block_sig(table.ty);
        let types = |types: &[ValType]| types.iter().map(|&ty| value_type(ty)).collect();
        let (params, results) = (types(sig.params()), types(sig.results()));
        if table.catches.is_empty() {
            self.open(FrameKind::Block, params, results);
            return;
        }
        let landing_pad = self.block_with(&[types::I64]);
        self.builder.set_cold_block(landing_pad);
        let inside = self.builder.create_block();
        self.builder.ins().jump(inside, &[]);
        self.builder.seal_block(inside);
        // A clause's label counts from outside the `try_table`, so the landing pad is translated before the block is opened.
        self.builder.switch_to_block(landing_pad);
        self.catch(landing_pad, &table.catches);
        self.builder.switch_to_block(inside);
        let (mut tags, mut catches_all) = (Vec::new(), false);
        for catch in &table.catches {
            match *catch {
                Catch::One { tag, .. } | Catch::OneRef { tag, .. } => tags.push(tag),
                Catch::All { .. } | Catch::AllRef { .. } => catches_all = true,
            }
        }
        self.open(FrameKind::Try { landing_pad, tags, catches_all }, params, results);
    }

    fn catch(&mut self, landing_pad: Block, catches: &[Catch]) {
        let exception = self.builder.block_params(landing_pad)[0];
        let height = self.stack.len();
        let mut thrown = None;
        for catch in catches {
            let (tag, label, with_reference) = match *catch {
                Catch::One { tag, label } => (Some(tag), label, false),
                Catch::OneRef { tag, label } => (Some(tag), label, true),
                Catch::All { label } => (None, label, false),
                Catch::AllRef { label } => (None, label, true),
            };
            let next = tag.map(|tag| {
                let thrown = *thrown.get_or_insert_with(|| {
                    let call = self.libcall(LibCall::ExceptionTag, &[exception]);
                    self.builder.inst_results(call)[0]
                });
                let (caught, next) = (self.builder.create_block(), self.builder.create_block());
                let expected = self.tag_pointer(tag);
                let is_equal = self.builder.ins().icmp(IntCC::Equal, thrown, expected);
                self.builder.ins().brif(is_equal, caught, &[], next, &[]);
                self.builder.seal_block(caught);
                self.builder.seal_block(next);
                self.builder.switch_to_block(caught);
                self.push_payload(tag, exception);
                next
            });
            if with_reference {
                self.push(exception);
            }
            let (target, count) = self.branch_target(label);
            let values = self.peek_many(count);
            self.builder.ins().jump(target, &block_args(&values));
            self.stack.truncate(height);
            match next {
                Some(next) => self.builder.switch_to_block(next),
                // No clause after a `catch_all` is ever tried.
                None => return,
            }
        }
        // The exception is for a `try_table` further out. If there is none, control never gets here, because calls list only
        // the tags of the clauses around them.
        match self.landing_pad() {
            Some(outer) => {
                self.builder.ins().jump(outer, &[BlockArg::Value(exception)]);
            }
            None => {
                self.push(exception);
                let row = BuiltinCall { builtin: Builtin::ThrowRef, immediates: 0 };
                self.call_builtin(row);
            }
        }
    }

    /// Pushes the payload of an exception with this tag.
    fn push_payload(&mut self, tag: u32, exception: Value) {
        let params = self.payload_types(tag);
        if params.is_empty() {
            return;
        }
        let payload = self.slot_area(slots_of(&params));
        self.libcall(LibCall::ExceptionPayload, &[exception, payload]);
        let mut offset = 0;
        for ty in params {
            let value = self.builder.ins().load(value_type(ty), in_slot_area(), payload, offset);
            self.push(value);
            offset += 8 * ty.slots() as i32;
        }
    }
}
