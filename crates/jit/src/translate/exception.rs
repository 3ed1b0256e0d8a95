//! Exceptions: `throw`, `throw_ref`, `try_table`.
//!
//! A `try_table` with clauses has a *handler*, a block that takes an exception. Calls inside of it lead there if they end with an
//! exception that a clause around them takes, be it of this `try_table` or of one further out ([`call`](super::call)); so
//! nothing is done where a `try_table` begins or ends. What is thrown inside of it in the same function just branches there, if
//! that is known to be the end of it.
//!
//! The handler tries the clauses in order: it compares tags, gives the label what it is to get, and branches. An exception that
//! no clause takes goes on to the handler around this one.
//!
//! # Why not leave it all to the handlers?
//! An exception that nobody takes must leave the frames as they were when it was thrown, for the backtrace.

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
    /// Translates an operator of this category; whether it is one.
    pub(super) fn exception_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Throw { tag_index } => return self.throw(*tag_index),
            Operator::ThrowRef => return self.throw_ref(),
            Operator::TryTable { try_table } => self.try_table(try_table),
            _ => return false,
        }
        true
    }

    /// The handler for exceptions from the code at hand that a clause takes; none if there is no clause around.
    fn exception_handler(&self) -> Option<Block> {
        self.frames.iter().rev().find_map(|frame| match frame.kind {
            FrameKind::Try { handler, .. } => Some(handler),
            _ => None,
        })
    }

    /// What a call here may be left for: the handler, for each tag that a clause around names, as where the instance has it, and
    /// for any other exception if one takes all. Nothing if there is no clause around.
    pub(super) fn exception_handlers(&mut self) -> Vec<ExceptionTableItem> {
        let Some(handler) = self.exception_handler() else { return Vec::new() };
        let (mut named, mut any) = (Vec::new(), false);
        for frame in self.frames.iter().rev() {
            if let FrameKind::Try { tags, takes_all, .. } = &frame.kind {
                named.extend_from_slice(tags);
                any |= takes_all;
            }
        }
        named.sort_unstable();
        named.dedup();
        let layout = self.request.layout;
        let mut target = || self.builder.func.dfg.block_call(handler, &[BlockArg::TryCallExn(0)]);
        if any {
            return vec![ExceptionTableItem::Default(target())];
        }
        let mut items = vec![ExceptionTableItem::Context(self.context)];
        items.extend(
            named.into_iter().map(|tag| ExceptionTableItem::Tag(ExceptionTag::from_u32(layout.tag(tag)), target())),
        );
        items
    }

    /// Whether an exception from the code at hand is taken by a clause around it whatever it is, or if a tag is given, whatever
    /// exception of that it is.
    fn is_taken(&self, tag: Option<u32>) -> bool {
        self.frames.iter().any(|frame| match &frame.kind {
            FrameKind::Try { tags, takes_all, .. } => *takes_all || tag.is_some_and(|tag| tags.contains(&tag)),
            _ => false,
        })
    }

    /// The types of a tag's payload.
    fn payload_types(&self, tag: u32) -> Vec<ValType> {
        let module = self.request.module;
        let ty = module.registry().func_type(module.tags()[tag as usize]);
        ty.expect("validated: a tag has a function type").params().to_vec()
    }

    /// Translates `throw` if a clause of the same function takes what it throws: the exception goes to the handler by a jump. Returns
    /// false if none does.
    fn throw(&mut self, tag: u32) -> bool {
        let Some(handler) = self.exception_handler().filter(|_| self.is_taken(Some(tag))) else { return false };
        let count = self.payload_types(tag).len();
        let payload = self.pop_to_area(count);
        let number = self.index(tag);
        let made = self.libcall(LibCall::ExceptionNew, &[number, payload]);
        let exception = self.builder.inst_results(made)[0];
        self.builder.ins().jump(handler, &[BlockArg::Value(exception)]);
        self.become_unreachable();
        true
    }

    /// As [`throw`](Self::throw), for `throw_ref`.
    fn throw_ref(&mut self) -> bool {
        let Some(handler) = self.exception_handler().filter(|_| self.is_taken(None)) else { return false };
        let exception = self.pop();
        self.builder.ins().trapz(exception, trap_code(TrapCode::NullExceptionReference));
        self.builder.ins().jump(handler, &[BlockArg::Value(exception)]);
        self.become_unreachable();
        true
    }

    /// Calls a libcall that does not return but may be left for a handler.
    pub(super) fn leaving_libcall(&mut self, libcall: LibCall, args: &[Value]) {
        let (code, _) = self.libcall_code(libcall);
        // As the handler relies on no register, and few arguments travel alike in both conventions, this one does.
        let signature = Signature { call_conv: CallConv::Tail, ..libcall.signature() };
        let signature = self.builder.import_signature(signature);
        let args: Vec<Value> = [self.context].iter().chain(args).copied().collect();
        let handlers = self.exception_handlers();
        if handlers.is_empty() {
            self.builder.ins().call_indirect(signature, code, &args);
        } else {
            self.try_call(signature, Callee::Indirect(code), &args, handlers);
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
        let handler = self.block_with(&[types::I64]);
        self.builder.set_cold_block(handler);
        let inside = self.builder.create_block();
        self.builder.ins().jump(inside, &[]);
        self.builder.seal_block(inside);
        // Labels of clauses count from outside, so the handler is made before the block is open.
        self.builder.switch_to_block(handler);
        self.catch(handler, &table.catches);
        self.builder.switch_to_block(inside);
        let (mut tags, mut takes_all) = (Vec::new(), false);
        for catch in &table.catches {
            match *catch {
                Catch::One { tag, .. } | Catch::OneRef { tag, .. } => tags.push(tag),
                Catch::All { .. } | Catch::AllRef { .. } => takes_all = true,
            }
        }
        self.open(FrameKind::Try { handler, tags, takes_all }, params, results);
    }

    fn catch(&mut self, handler: Block, catches: &[Catch]) {
        let exception = self.builder.block_params(handler)[0];
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
                    let asked = self.libcall(LibCall::ExceptionTag, &[exception]);
                    self.builder.inst_results(asked)[0]
                });
                let (taken, next) = (self.builder.create_block(), self.builder.create_block());
                let wanted = self.tag_pointer(tag);
                let is_it = self.builder.ins().icmp(IntCC::Equal, thrown, wanted);
                self.builder.ins().brif(is_it, taken, &[], next, &[]);
                self.builder.seal_block(taken);
                self.builder.seal_block(next);
                self.builder.switch_to_block(taken);
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
                // What follows a clause that takes everything is never asked.
                None => return,
            }
        }
        // For a clause further out. Where there is none nothing gets here.
        match self.exception_handler() {
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

    /// Pushes what an exception of this tag was thrown with.
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
