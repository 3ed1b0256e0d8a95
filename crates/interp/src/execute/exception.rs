//! Exceptions and the other ways in which a call ends early.
//!
//! A throw looks through the frames for a `try_table` around the cell that each is at: the tables are side data of the
//! translated code and cost nothing until then.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::builtins;
use wasmr_runtime::vm::{Status, VmTag};

use super::dispatch::{Machine, frame_func, handlers};
use super::frame::{exit_cell, restore_cell};
use crate::code::{CatchKind, TranslateError, code_block_of};

handlers! {
    /// Throws: tag in `imm` (index), payload in the slots from the one that word 2 names on.
    fn throw[](m) {
        m.note_exit();
        mark_stack_top(&m);
        let exception = builtins::exception::exception_new(m.inst, m.imm() as u32, m.fp.offset(m.word(2) as isize));
        throw_from(m, exception)
    }

    /// Rethrows the exception in slot `a`.
    fn throw_ref[](m) {
        let exception = *m.a();
        if exception == 0 {
            return m.trap(TrapCode::NullExceptionReference);
        }
        m.note_exit();
        throw_from(m, exception)
    }
}

/// Tells the store how much of the value stack is in use, for the collector.
///
/// # Safety
/// The handlers' contract.
unsafe fn mark_stack_top(m: &Machine) {
    // SAFETY: the frame is live, so its function has been translated.
    unsafe {
        if let Some(block) = code_block_of(frame_func(m.fp)) {
            (*(*m.inst).store).stack_top = m.fp.add(block.frame_slots as usize);
        }
    }
}

/// Unwinds from the cell at `m.ip` with an exception in flight; goes on at its handler or leaves the interpreter.
///
/// # Safety
/// The handlers' contract; `exception` is a live exception reference, or 0 if none could be made.
unsafe fn throw_from(mut m: Machine, exception: u64) -> usize {
    // SAFETY: the frames down to the exit cell are live.
    unsafe {
        let store = (*m.inst).store;
        if exception == 0 {
            // There was no room to make one; the store knows.
            (*store).pending_exception = 0;
            return std::hint::black_box(Status::THROW.0);
        }
        let tag = builtins::exception::exception_tag(store, exception);
        let mut at = m.ip;
        loop {
            let func = frame_func(m.fp);
            m.inst = (*func).instance;
            if let Some(landing) = find_handler(&m, at, tag, exception) {
                m.ip = landing;
                m.reload_memory();
                return m.dispatch();
            }
            let mut return_to = *m.fp.sub(3) as usize as *const u64;
            if return_to == exit_cell() {
                (*store).pending_exception = exception;
                return std::hint::black_box(Status::THROW.0);
            }
            if return_to == restore_cell() {
                return_to = *m.fp.sub(4) as usize as *const u64;
            }
            m.fp = *m.fp.sub(2) as usize as *mut u64;
            // The call is the cell before the one that it returns to; any word of it will do.
            at = return_to.sub(1);
        }
    }
}

/// The innermost matching catch clause around `at` in the frame of `m`; puts what it catches in place.
///
/// # Safety
/// `m.fp` is a live frame of a function of `m.inst`, at the cell around `at`.
unsafe fn find_handler(m: &Machine, at: *const u64, tag: *const VmTag, exception: u64) -> Option<*const u64> {
    // SAFETY: the caller's promise.
    unsafe {
        let block = code_block_of(frame_func(m.fp))?;
        let position = block.position(at)?;
        for region in block.try_regions.iter().filter(|region| region.range.contains(&position)) {
            for catch in &region.catches {
                let (matches, payload, reference) = match catch.kind {
                    CatchKind::One(index) => (catch_tag(m, block, index) == tag, true, false),
                    CatchKind::OneRef(index) => (catch_tag(m, block, index) == tag, true, true),
                    CatchKind::All => (true, false, false),
                    CatchKind::AllRef => (true, false, true),
                };
                if !matches {
                    continue;
                }
                let out = m.fp.offset(catch.slot as isize);
                if payload {
                    builtins::exception::exception_payload((*m.inst).store, exception, out);
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

/// The identity of tag `index` of the instance.
///
/// # Safety
/// `m.inst` is the instance of a function with this code.
unsafe fn catch_tag(m: &Machine, block: &crate::code::CodeBlock, index: u32) -> *const VmTag {
    // SAFETY: the offset is that of a tag pointer.
    unsafe { *m.in_instance::<*const VmTag>(block.layout.tag(index)) }
}

/// A function called through its entry ended early: an exception looks for its handler, all else leaves the interpreter.
///
/// # Safety
/// The handlers' contract; `status` is not `OK`.
pub unsafe fn leave_with(mut m: Machine, status: Status) -> usize {
    // SAFETY: `m.fp` is the frame made for the foreign function; its caller's is behind it.
    unsafe {
        if status != Status::THROW {
            return std::hint::black_box(status.0);
        }
        let store = (*m.inst).store;
        let exception = (*store).pending_exception;
        let mut return_to = *m.fp.sub(3) as usize as *const u64;
        if return_to == exit_cell() {
            return std::hint::black_box(Status::THROW.0);
        }
        if return_to == restore_cell() {
            return_to = *m.fp.sub(4) as usize as *const u64;
        }
        m.fp = *m.fp.sub(2) as usize as *mut u64;
        m.ip = return_to.sub(1);
        throw_from(m, exception)
    }
}

/// The function could not be translated: ends the run.
///
/// # Safety
/// The handlers' contract.
#[cold]
#[inline(never)]
pub unsafe fn leave_with_stop(m: Machine, error: TranslateError) -> usize {
    // SAFETY: the store is alive.
    unsafe {
        m.note_exit();
        wasmr_runtime::builtins::host_error((*m.inst).store, Box::new(error)).0
    }
}
