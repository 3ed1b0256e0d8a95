//! Exceptions: `throw`, `throw_ref`, `try_table`
//! (<https://webassembly.github.io/spec/core/exec/instructions.html#exec-try-table>), and the legacy `try`
//! ([`wasmr_module::LegacyTries`]).
//!
//! A `try_table` with clauses has a [`Handler`]: its clauses, and the handler that is tried next. The handler in force at an
//! operator is that of the innermost block around it. A legacy `try` has a handler as well; its clauses continue in `catch`
//! bodies instead of at labels. Its `delegate` is no handler: it puts the handler of an outer block in force.
//!
//! Entering and leaving a `try_table` costs nothing.
//!
//! - A `throw` in the same function, after inlining too, jumps to its clause, with the payload in values. Only a clause that
//!   passes on the reference makes an exception object. If both tags are imported they may be one tag under two names, so the
//!   code compares them.
//! - A call inside is a `try_call` ([`call`](super::call)). Its exception table has a *landing pad* for each tag that a clause
//!   in force names: that of the first such clause, in the order in which clauses are tried. `unwind` finds the landing pad, so
//!   the landing pad only loads the payload and branches to the label of its clause.
//!
//! # Why do calls list tags?
//! A call could continue at the innermost landing pad for every exception, and the outermost landing pad throw again what it
//! does not catch. That would discard the frames of the throw, which the backtrace of an uncaught exception needs.

use std::collections::HashSet;
use std::mem::offset_of;

use cranelift_codegen::ir::{
    Block, BlockArg, ExceptionTableItem, ExceptionTag, InstBuilder, Signature, Value, condcodes::IntCC, types,
};
use cranelift_codegen::isa::CallConv;
use wasmparser::{BlockType, Operator, TryTable};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::ValType;
use wasmr_module::{Builtin, BuiltinCall, Clause, ClauseTarget, LegacyTries};
use wasmr_runtime::vm::VmStore;

use super::builtin::in_slot_area;
use super::call::Callee;
use super::control::{block_args, types_of};
use super::environment::Region;
use super::state::{Arm, ArmTarget, FrameKind, Handler, Translator};
use crate::abi::value_type;
use crate::libcalls::LibCall;
use crate::tables::LandingTag;
use crate::trap_code::trap_code;

/// Most clauses that the translation of a `throw` looks at. If more are in force, `unwind` searches them at run time.
const MAX_SEARCHED: usize = 64;

/// Most landing pads in the lists of all handlers of a function. Thousands of nested handlers with a tag each would exceed it.
const MAX_LISTED_PADS: usize = 1 << 20;

/// The relation of two tags of a module at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Different,
    /// The same tag may have been imported twice.
    Unknown,
}

/// The clauses of this function that may catch an exception.
struct Candidates {
    /// Clauses whose tag must be compared first, in order, with the tag.
    possible: Vec<(Arm, u32)>,
    /// The clause that catches all that those leave.
    certain: Option<Arm>,
}

impl Translator<'_, '_> {
    /// Translates `operator`, at `offset` in the module, if it is one of this category. Returns true if it was.
    pub(super) fn exception_operator(&mut self, operator: &Operator<'_>, offset: usize) -> bool {
        match operator {
            Operator::Throw { tag_index } => self.throw(*tag_index),
            Operator::ThrowRef => {
                let exception = self.pop();
                self.throw_ref(exception);
            }
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::Try { blockty } => self.legacy_try(*blockty, offset),
            Operator::Rethrow { relative_depth } => {
                let height = self.frames[self.frame_index(*relative_depth)].height;
                self.throw_ref(self.stack[height]);
            }
            _ => return false,
        }
        true
    }

    /// Returns the index of the innermost handler in force.
    pub(super) fn handler(&self) -> Option<usize> {
        self.frames.last().and_then(|frame| frame.handler)
    }

    /// Returns the arms in force, in the order in which they are tried.
    fn arms(&self) -> impl Iterator<Item = &Arm> {
        let handlers = std::iter::successors(self.handler(), |&index| self.handlers[index].outer);
        handlers.flat_map(|index| &self.handlers[index].arms)
    }

    /// Returns the exception table of a call here. Returns an empty table if no handler is in force.
    pub(super) fn landing_pads(&mut self) -> Vec<ExceptionTableItem> {
        let Some(innermost) = self.handler() else { return Vec::new() };
        self.list_landing_pads(innermost);
        let pads = self.handlers[innermost].landing_pads.as_deref().unwrap_or_default();
        let mut items = Vec::with_capacity(pads.len() + 1);
        if pads.iter().any(|(landing, _)| landing.tag.is_some()) {
            items.push(ExceptionTableItem::Context(self.context));
        }
        for &(landing, block) in pads {
            let args: &[BlockArg] = if landing.with_reference { &[BlockArg::TryCallExn(0)] } else { &[] };
            let target = self.builder.func.dfg.block_call(block, args);
            items.push(ExceptionTableItem::Tag(ExceptionTag::from_u32(landing.word()), target));
        }
        items
    }

    /// Makes the lists of landing pads of a handler and of all that are tried after it.
    fn list_landing_pads(&mut self, innermost: usize) {
        let mut without = Vec::new();
        let mut next = Some(innermost);
        while let Some(index) = next.filter(|&index| self.handlers[index].landing_pads.is_none()) {
            without.push(index);
            next = self.handlers[index].outer;
        }
        for index in without.into_iter().rev() {
            let handler = &self.handlers[index];
            let outer = handler.outer.and_then(|outer| self.handlers[outer].landing_pads.as_deref());
            let own = handler.arms.iter().map(|arm| {
                let tag = arm.tag.map(|tag| self.request.layout.tag(tag));
                (LandingTag { tag, with_reference: arm.with_reference }, arm.landing_pad)
            });
            let mut pads: Vec<(LandingTag, Block)> = Vec::new();
            let (mut tags, mut catches_all) = (HashSet::new(), false);
            for (landing, block) in own.chain(outer.into_iter().flatten().copied()) {
                if !catches_all && tags.insert(landing.tag) {
                    catches_all = landing.tag.is_none();
                    pads.push((landing, block));
                }
            }
            self.listed_pads += pads.len();
            if self.listed_pads > MAX_LISTED_PADS {
                self.is_too_much = true;
                return;
            }
            self.handlers[index].landing_pads = Some(pads);
        }
    }

    /// Returns the types of a tag's payload.
    fn payload_types(&self, tag: u32) -> Vec<ValType> {
        self.request.module.tag_type(tag).params().to_vec()
    }

    fn relation(&self, a: u32, b: u32) -> Relation {
        let module = self.request.module;
        let is_imported = |tag| tag < module.imported_tag_count();
        if a == b {
            Relation::Same
        } else if is_imported(a) && is_imported(b) && module.tags()[a as usize] == module.tags()[b as usize] {
            Relation::Unknown
        } else {
            Relation::Different
        }
    }

    /// Returns the clauses that may catch an exception with `tag`. Returns `None` if too many are in force.
    fn candidates(&self, tag: u32) -> Option<Candidates> {
        let mut possible = Vec::new();
        for (count, &arm) in self.arms().enumerate() {
            if count == MAX_SEARCHED {
                return None;
            }
            match arm.tag.map(|other| (other, self.relation(tag, other))) {
                None | Some((_, Relation::Same)) => return Some(Candidates { possible, certain: Some(arm) }),
                Some((other, Relation::Unknown)) => possible.push((arm, other)),
                Some((_, Relation::Different)) => {}
            }
        }
        Some(Candidates { possible, certain: None })
    }

    /// Translates `throw` as a jump to its clause if the clause is in this function.
    fn throw(&mut self, tag: u32) {
        let call = BuiltinCall { builtin: Builtin::Throw, immediates: tag.into() };
        let Some(Candidates { possible, certain }) = self.candidates(tag) else {
            self.call_builtin(call);
            self.become_unreachable();
            return;
        };
        let count = self.payload_types(tag).len();
        let payload = self.pop_many(count);
        for (arm, other) in possible {
            let (thrown, expected) = (self.tag_pointer(tag), self.tag_pointer(other));
            let is_equal = self.builder.ins().icmp(IntCC::Equal, thrown, expected);
            let (caught, next) = (self.builder.create_block(), self.builder.create_block());
            self.builder.ins().brif(is_equal, caught, &[], next, &[]);
            self.builder.seal_block(caught);
            self.builder.seal_block(next);
            self.builder.switch_to_block(caught);
            self.catch_thrown(tag, &payload, arm);
            self.builder.switch_to_block(next);
        }
        match certain {
            Some(arm) => self.catch_thrown(tag, &payload, arm),
            None => {
                self.push_all(&payload);
                self.leave_by(call, Vec::new());
            }
        }
        self.become_unreachable();
    }

    /// Continues at a clause with an exception that this function throws.
    fn catch_thrown(&mut self, tag: u32, payload: &[Value], arm: Arm) {
        let exception = arm.with_reference.then(|| {
            let area = self.store_to_area(payload);
            let number = self.index(tag);
            let made = self.libcall(LibCall::ExceptionNew, &[number, area]);
            self.builder.inst_results(made)[0]
        });
        let passed = if arm.tag.is_some() { payload } else { &[] };
        self.catch(arm, passed, exception);
    }

    /// Translates `throw_ref` of an exception: as a jump if the first clause in force catches all.
    fn throw_ref(&mut self, exception: Value) {
        let first = self.arms().next().copied();
        match first {
            Some(arm) if arm.tag.is_none() => {
                self.builder.ins().trapz(exception, trap_code(TrapCode::NullExceptionReference));
                self.catch(arm, &[], arm.with_reference.then_some(exception));
            }
            _ => {
                self.push(exception);
                self.call_builtin(BuiltinCall { builtin: Builtin::ThrowRef, immediates: 0 });
            }
        }
        self.become_unreachable();
    }

    /// Continues at a clause with a payload, and with the reference if the clause passes it on.
    fn catch(&mut self, arm: Arm, payload: &[Value], exception: Option<Value>) {
        let (block, values) = match arm.target {
            ArmTarget::Label(index) => {
                let (block, _) = self.label_of(index);
                (block, payload.iter().copied().chain(exception).collect::<Vec<_>>())
            }
            ArmTarget::Body(block) => (block, exception.into_iter().chain(payload.iter().copied()).collect()),
        };
        self.builder.ins().jump(block, &block_args(&values));
    }

    /// Calls a libcall that does not return, but may continue at a landing pad.
    pub(super) fn leaving_libcall(&mut self, libcall: LibCall, args: &[Value], landing_pads: Vec<ExceptionTableItem>) {
        let (code, _) = self.libcall_code(libcall);
        // Callee-saved registers are lost on the way to a landing pad. With the convention `Tail`, which has none, Cranelift
        // keeps no value in them. It passes these few arguments as the C convention of the shim does.
        let signature = Signature { call_conv: CallConv::Tail, ..libcall.signature() };
        let signature = self.builder.import_signature(signature);
        let args: Vec<Value> = [self.context].iter().chain(args).copied().collect();
        self.edges += landing_pads.len();
        if landing_pads.is_empty() {
            self.builder.ins().call_indirect(signature, code, &args);
        } else {
            self.try_call(signature, Callee::Indirect(code), &args, landing_pads);
        }
        self.builder.ins().trap(trap_code(TrapCode::Unreachable));
    }

    fn try_table(&mut self, table: &TryTable) {
        let sig = self.request.module.block_sig(table.ty);
        let (params, results) = (types_of(sig.params()), types_of(sig.results()));
        if table.catches.is_empty() {
            self.open(FrameKind::Block, params, results);
            return;
        }
        let handler = self.open_handler(table.catches.iter().map(Clause::from).collect());
        self.open(FrameKind::Try { handler }, params, results);
        self.frames.last_mut().expect("just opened").handler = Some(handler);
    }

    fn legacy_try(&mut self, ty: BlockType, offset: usize) {
        let (module, body_index) = (self.request.module, self.body_index);
        let sig = module.block_sig(ty);
        let (params, results) = (types_of(sig.params()), types_of(sig.results()));
        let tries = self.tries.get_or_insert_with(|| LegacyTries::of(module, body_index));
        let legacy = tries.at(offset).clone();
        let (kind, handler) = match legacy.delegate {
            Some(depth) => (FrameKind::Block, self.frames[self.frame_index(depth)].handler),
            None if legacy.clauses.is_empty() => (FrameKind::Block, self.handler()),
            None => {
                let handler = self.open_handler(legacy.clauses);
                (FrameKind::LegacyTry { handler, begun: 0 }, Some(handler))
            }
        };
        self.open(kind, params, results);
        self.frames.last_mut().expect("just opened").handler = handler;
    }

    /// Creates a handler with its landing pads. The current block continues. A label of a clause counts from outside the block
    /// that the caller opens afterwards.
    fn open_handler(&mut self, clauses: Vec<Clause>) -> usize {
        let inside = self.builder.create_block();
        self.builder.ins().jump(inside, &[]);
        self.builder.seal_block(inside);
        let mut arms = Vec::with_capacity(clauses.len());
        for clause in clauses {
            arms.push(self.open_arm(clause));
            // Ten thousand clauses may have payloads of a thousand values.
            if self.is_over_budget() {
                break;
            }
        }
        self.builder.switch_to_block(inside);
        self.handlers.push(Handler { outer: self.handler(), arms, landing_pads: None });
        self.handlers.len() - 1
    }

    /// Translates the landing pad of a clause.
    fn open_arm(&mut self, clause: Clause) -> Arm {
        let payload = clause.tag.map_or_else(Vec::new, |tag| self.payload_types(tag));
        let reference = if clause.with_reference { vec![types::I64] } else { Vec::new() };
        let landing_pad = self.block_with(&reference);
        self.builder.set_cold_block(landing_pad);
        let target = match clause.target {
            ClauseTarget::Label(depth) => ArmTarget::Label(self.frame_index(depth)),
            ClauseTarget::Body => {
                let params: Vec<_> = reference.iter().copied().chain(types_of(&payload)).collect();
                ArmTarget::Body(self.block_with(&params))
            }
        };
        let arm = Arm { tag: clause.tag, with_reference: clause.with_reference, landing_pad, target };
        self.builder.switch_to_block(landing_pad);
        let exception = self.builder.block_params(landing_pad).first().copied();
        let values = self.load_payload(&payload);
        // A label is no likelier because a callee may throw.
        let label = match target {
            ArmTarget::Label(index) => Some((index, self.frames[index].end_is_likely)),
            ArmTarget::Body(_) => None,
        };
        self.catch(arm, &values, exception);
        if let Some((index, was_likely)) = label {
            self.frames[index].end_is_likely = was_likely;
        }
        arm
    }

    /// Loads the payload of the exception that a landing pad got.
    fn load_payload(&mut self, types: &[ValType]) -> Vec<Value> {
        if types.is_empty() {
            return Vec::new();
        }
        let store = self.store_pointer();
        let flags = self.trusted(Region::Vm);
        let payload = self.builder.ins().load(types::I64, flags, store, offset_of!(VmStore, payload) as i32);
        let mut offset = 0;
        let load = |&ty: &ValType| {
            let value = self.builder.ins().load(value_type(ty), in_slot_area(), payload, offset);
            offset += 8 * ty.slots() as i32;
            value
        };
        types.iter().map(load).collect()
    }

    /// Ends the code for which a handler is in force.
    pub(super) fn close_handler(&mut self, handler: usize) {
        for index in 0..self.handlers[handler].arms.len() {
            let Arm { landing_pad, target, .. } = self.handlers[handler].arms[index];
            self.builder.seal_block(landing_pad);
            if let ArmTarget::Body(block) = target {
                self.builder.seal_block(block);
            }
        }
        self.handlers[handler].landing_pads = None;
    }

    /// Ends the body of the innermost `try`, or of its last `catch`, and begins the body of the next clause.
    pub(super) fn catch_body(&mut self) {
        let index = self.frames.len() - 1;
        let FrameKind::LegacyTry { handler, begun } = self.frames[index].kind else {
            unreachable!("validated: `catch` belongs to `try`")
        };
        if self.reachable {
            let values = self.pop_many(self.frames[index].results.len());
            self.builder.ins().jump(self.frames[index].end, &block_args(&values));
            let frame = &mut self.frames[index];
            (frame.end_reached, frame.end_is_likely) = (true, true);
        }
        if begun == 0 {
            self.close_handler(handler);
        }
        let Arm { tag, with_reference, target, .. } = self.handlers[handler].arms[begun];
        let ArmTarget::Body(block) = target else { unreachable!("clauses of a `try` have bodies") };
        let count = usize::from(with_reference) + tag.map_or(0, |tag| self.payload_types(tag).len());
        let outer = self.handlers[handler].outer;
        let frame = &mut self.frames[index];
        frame.kind = FrameKind::LegacyTry { handler, begun: begun + 1 };
        frame.handler = outer;
        let (height, is_saved) = (frame.height, frame.is_saved);
        self.stack.truncate(height);
        // Cranelift may add parameters for variables after those of the clause.
        let params = self.builder.block_params(block)[..count].to_vec();
        self.builder.switch_to_block(block);
        if is_saved {
            self.restore_operands(height);
        }
        self.push_all(&params);
        self.reachable = true;
    }
}
