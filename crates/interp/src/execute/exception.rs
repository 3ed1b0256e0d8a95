//! Exceptions and the other ways in which a call ends early.
//!
//! A throw looks through the frames for a `try_table` around the cell that each is at: the tables are side data of the
//! translated code and cost nothing until then.

use wasmr_runtime::builtins;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance, VmTag};

use super::dispatch::{Machine, budget_interrupt};
use super::frame::{exit_cell, restore_cell};
use crate::code::{CatchKind, code_block_of};

/// Goes on where [`unwind`] found a handler, or leaves the interpreter with the exception pending.
///
/// # Safety
/// `landing` is what `unwind` gave.
#[inline(always)]
unsafe fn resume(mut m: Machine, landing: Ip) -> usize {
    // SAFETY: `unwind` left the handler's frame in the store.
    unsafe {
        if landing.is_null() {
            return m.stop(Status::THROW);
        }
        m.fp = (*(*m.inst).store).exit_fp;
        m.inst = (*m.fp.func()).instance;
        m.reload_memory();
        m.ip = landing;
        // A guest may loop by throwing.
        if m.spend() {
            return m.enter(budget_interrupt);
        }
        m.dispatch()
    }
}

/// Looks for the handler of an exception thrown at `at` in the frame `fp`. Gives the cell to go on with, its frame in
/// `VmStore::exit_fp`; or null, the exception in `VmStore::pending_exception`.
///
/// All of it is in plain words and the store, so that the handlers that call it keep no locals in memory, which would cost
/// them their tail call.
///
/// # Safety
/// `inst` is a live instance of the store, `fp` a live frame; `exception` is a live exception reference, or 0 if none could
/// be made.
#[inline(never)]
unsafe fn unwind(inst: *mut VmInstance, mut fp: Fp, mut at: Ip, exception: u64) -> Ip {
    // SAFETY: the frames down to the exit cell are live.
    unsafe {
        let store = (*inst).store;
        (*store).pending_exception = exception;
        if exception == 0 {
            return Ip::NULL;
        }
        let tag = builtins::exception::exception_tag(store, exception);
        loop {
            let func = fp.func();
            if !(*func).instance.is_null()
                && let Some(landing) = find_handler(fp, at, tag, exception)
            {
                builtins::exception::exception_caught(store);
                (*store).exit_fp = fp;
                return landing;
            }
            let mut return_to = fp.return_to();
            if return_to == exit_cell() {
                return Ip::NULL;
            }
            if return_to == restore_cell() {
                return_to = fp.real_return();
            }
            fp = fp.caller();
            at = return_to.call_before();
        }
    }
}

/// The innermost matching catch clause around `at` in the frame `fp`; puts what it catches in place.
///
/// # Safety
/// `fp` is a live frame of a wasm function, at the cell around `at`.
unsafe fn find_handler(fp: Fp, at: Ip, tag: *const VmTag, exception: u64) -> Option<Ip> {
    // SAFETY: the caller's promise.
    unsafe {
        let func = fp.func();
        let inst = (*func).instance;
        let block = code_block_of(func)?;
        let position = block.position(at)?;
        let tag_at = |index| *inst.byte_add(block.layout.tag(index) as usize).cast::<*const VmTag>();
        for region in block.try_regions.around(position) {
            for catch in &region.catches {
                let (matches, payload, reference) = match catch.kind {
                    CatchKind::One(index) => (tag_at(index) == tag, true, false),
                    CatchKind::OneRef(index) => (tag_at(index) == tag, true, true),
                    CatchKind::All => (true, false, false),
                    CatchKind::AllRef => (true, false, true),
                };
                if !matches {
                    continue;
                }
                let out = fp.offset(catch.slot as isize);
                if payload {
                    builtins::exception::exception_payload((*inst).store, exception, out);
                }
                if reference {
                    *out.add(catch.payload_slots as usize) = exception;
                }
                return Some(block.cell(catch.target));
            }
        }
        None
    }
}

/// Goes on after a call of the runtime, or of a function through its entry, that ended early. An exception looks for its handler
/// from the frame `m.fp` on; all else leaves the interpreter.
///
/// # Safety
/// The handlers' contract; `status` is not `OK`, and the store knows the rest. `m.fp` is the frame that called, or the one made for
/// the function.
#[inline(always)]
pub unsafe fn leave_with(m: Machine, status: Status) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        if status != Status::THROW {
            return m.stop(status);
        }
        let exception = (*(*m.inst).store).pending_exception;
        resume(m, unwind(m.inst, m.fp, m.ip, exception))
    }
}
