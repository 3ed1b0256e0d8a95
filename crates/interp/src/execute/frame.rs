//! Calls and returns, and the instructions that are not part of any function.
//!
//! [`wasmr_runtime::frame`] describes a frame. A call that changes the instance returns to [`restore_instruction`], which
//! restores the caller's instance and then continues at the frame's [`real_return`](Fp::real_return). The frame of a call from
//! outside returns to [`exit_instruction`].

use wasmr_core::trap::TrapCode;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, finish_tail_calls};

use super::dispatch::{Handler, Machine, handlers};
use super::hooks;

/// An instruction outside of any function, at a fixed address.
#[repr(transparent)]
struct StaticInstruction(Handler);

static EXIT: StaticInstruction = StaticInstruction(exit);
static RESTORE: StaticInstruction = StaticInstruction(restore_instance);
static EXTERNAL: StaticInstruction = StaticInstruction(super::pairs::external);
static LAZY: StaticInstruction = StaticInstruction(translate_first);

/// Returns the instruction that ends a run: the return address of the run's outermost frame.
pub(crate) fn exit_instruction() -> Ip {
    Ip::new((&raw const EXIT).cast())
}

/// Returns the instruction that a call into another instance returns to.
pub(crate) fn restore_instruction() -> Ip {
    Ip::new((&raw const RESTORE).cast())
}

/// Returns the code of functions that are called through their entry.
pub(crate) fn external_instruction() -> Ip {
    Ip::new((&raw const EXTERNAL).cast())
}

/// Returns the code of functions that are not translated yet.
pub(crate) fn lazy_instruction() -> Ip {
    Ip::new((&raw const LAZY).cast())
}

/// Writes the header of the frame at `callee` for a call that returns to `return_to` in the frame of `m`.
///
/// # Safety
/// The handlers' contract; the header below `callee` is inside the value stack (see
/// [`STACK_SLACK`](wasmr_runtime::frame::STACK_SLACK)).
#[inline(always)]
pub(crate) unsafe fn write_header(m: &Machine, callee: Fp, func: *mut VmFunc, return_to: Ip) {
    // SAFETY: the caller promises that the header is inside the value stack.
    unsafe { callee.set_header(func, m.fp, return_to) }
}

/// Calls `func`, whose frame will be at `callee`. The call returns to the instruction `len` words further.
///
/// # Safety
/// The handlers' contract; `func` is a live function whose arguments are in place below `callee`.
#[inline(always)]
pub(crate) unsafe fn call(mut m: Machine, func: *mut VmFunc, callee: Fp, len: usize) -> usize {
    // SAFETY: `func` is alive, and the header fits below `callee`, as `STACK_SLACK` covers it.
    unsafe {
        let instance = (*func).instance;
        let return_to = m.ip.add(len);
        if instance != m.inst && !instance.is_null() {
            write_header(&m, callee, func, restore_instruction());
            callee.set_real_return(return_to);
            m.inst = instance;
            m.reload_memory();
            m.scratch = callee.as_ptr() as u64;
            m.fp = callee;
            m.ip = (*func).code;
            return m.enter(super::pairs::limit_pairs);
        }
        write_header(&m, callee, func, return_to);
        // The scratch register carries no value here. Assigning a value at hand ends the live range of the old one.
        m.scratch = callee.as_ptr() as u64;
        m.fp = callee;
        m.ip = (*func).code;
        m.dispatch()
    }
}

/// Leaves the current frame for its caller.
///
/// # Safety
/// The handlers' contract; the results are in place.
#[inline(always)]
pub(crate) unsafe fn leave(mut m: Machine) -> usize {
    // SAFETY: by the handlers' contract `m.fp` is a live frame, so its header is valid.
    unsafe {
        m.scratch = m.fp.as_ptr() as u64;
        m.ip = m.fp.return_to();
        m.fp = m.fp.caller();
        m.dispatch()
    }
}

handlers! {
    /// The first instruction of a function. `low` is the number of slots of the frame from `fp` on. Clears the first
    /// `2 * PAIRS` slots, which are at least the locals. Slots after the locals are not in use yet.
    fn enter[const PAIRS: usize](m) {
        let end = m.fp.as_ptr().add(m.low() as usize);
        if end >= (*(*m.inst).store).stack_limit {
            return m.trap(TrapCode::StackExhausted);
        }
        m.fp.as_ptr().cast::<[[u64; 2]; PAIRS]>().write([[0; 2]; PAIRS]);
        if m.spend() {
            m.ip = m.ip.add(2);
            return m.enter(super::dispatch::budget_interrupt);
        }
        m.next(2)
    }

    /// The first instruction of a function without locals to clear.
    fn enter_plain[](m) {
        let end = m.fp.as_ptr().add(m.low() as usize);
        if end >= (*(*m.inst).store).stack_limit {
            return m.trap(TrapCode::StackExhausted);
        }
        if m.spend() {
            m.ip = m.ip.add(2);
            return m.enter(super::dispatch::budget_interrupt);
        }
        m.next(2)
    }

    /// The first instruction of a function with many locals: clears `imm` slots.
    fn enter_many_locals[](m) {
        let end = m.fp.as_ptr().add(m.low() as usize);
        if end >= (*(*m.inst).store).stack_limit {
            return m.trap(TrapCode::StackExhausted);
        }
        m.fp.as_ptr().write_bytes(0, m.imm() as u32 as usize);
        if m.spend() {
            m.ip = m.ip.add(2);
            return m.enter(super::dispatch::budget_interrupt);
        }
        m.next(2)
    }

    /// Ends the run: its outermost frame returned.
    #[cold]
    #[inline(never)]
    fn exit[](m) {
        m.stop(Status::OK)
    }

    /// Restores the caller's instance after a call into another one. The scratch register is the frame that was left.
    fn restore_instance[](m) {
        m.ip = Fp::new(m.scratch as usize as *mut u64).real_return();
        m.inst = (*m.fp.func()).instance;
        m.reload_memory();
        m.enter(super::pairs::limit_pairs)
    }

    /// Calls the function of this frame through its entry: a host function, or a function of another tier. If this is the
    /// outermost frame of the run, the run ends instead and its caller makes the call, so that a tail call keeps no frame.
    fn external[](m) {
        // These registers carry no values here. After the assignments nothing has to be kept over the calls.
        m.scratch = m.fp.as_ptr() as u64;
        m.facc = super::operand::float_acc(0);
        if is_outermost(m.fp) {
            m.acc = ask_for_call(m.inst, m.fp).0 as u64;
            return m.enter(taken_over);
        }
        if m.spend() {
            hooks::tier_transition(m.inst, m.fp);
        }
        let status = call_external(m.inst, m.fp);
        if status != Status::OK {
            m.acc = status.0 as u64;
            return m.enter(taken_over);
        }
        return_from_external(m)
    }

    /// Continues after another tier ran the function of this frame to its end. `acc` is the status.
    #[cold]
    #[inline(never)]
    fn taken_over[](m) {
        end_external(m, Status(m.acc as usize))
    }

    /// Translates the function of this frame, which is called for the first time, and executes it.
    fn translate_first[](m) {
        m.note_exit();
        let code = hooks::first_call(m.fp);
        if code.is_null() {
            return m.stop(Status::HOST);
        }
        m.ip = code;
        m.dispatch()
    }
}

/// Returns true if this is the outermost frame of a run: the host or another tier waits for it to return.
///
/// # Safety
/// `fp` is a live frame.
pub(crate) unsafe fn is_outermost(fp: Fp) -> bool {
    // SAFETY: the caller promises a live frame, so its header is valid.
    unsafe { fp.return_to() == exit_instruction() }
}

/// Continues after another tier or the host executed the function of this frame to its end. If the function returned, execution
/// continues in its caller. Only an outermost frame has [`Status::TAIL`].
///
/// # Safety
/// The handlers' contract, but for the instruction, which no longer matters; the function ended with `status`.
#[inline(always)]
pub(crate) unsafe fn end_external(mut m: Machine, status: Status) -> usize {
    // SAFETY: the caller promises the contract of both functions. If the status is `OK`, the entry left the results where the
    // arguments began.
    unsafe {
        if status != Status::OK {
            // Catch clauses around the instruction at which the frame was left do not apply any more.
            m.ip = external_instruction();
            return super::exception::leave_with(m, status);
        }
        return_from_external(m)
    }
}

/// Continues in the caller of this frame, after another tier or the host executed the function and returned from it.
///
/// # Safety
/// The handlers' contract, but for the instruction, which no longer matters; the results are where the arguments began.
#[inline(always)]
unsafe fn return_from_external(mut m: Machine) -> usize {
    // SAFETY: by the handlers' contract frame and instance are live, and the caller promises that the results are in place.
    unsafe {
        m.reload_memory();
        let func = m.fp.func();
        let first = *m.fp.args((*func).arg_slots);
        m.acc = first;
        m.facc = super::operand::float_acc(first);
        leave(m)
    }
}

/// Notes in the store that the caller of the run is to call the function of this frame. Returns the status for that.
///
/// # Safety
/// `inst` is a live instance of the store, `fp` the frame, outermost of its run.
#[inline(never)]
unsafe fn ask_for_call(inst: *mut VmInstance, fp: Fp) -> Status {
    // SAFETY: the caller promises a live instance and frame, so the store and the function record are alive. The arguments stay
    // in place.
    unsafe {
        let store = (*inst).store;
        let func = fp.func();
        (*store).caller = inst;
        (*store).tail_func = func;
        (*store).tail_slots = fp.args((*func).arg_slots);
    }
    Status::TAIL
}

/// Calls the function of the frame through its entry, with arguments and results in place.
///
/// # Safety
/// `inst` is a live instance of the store, `fp` the frame.
#[inline(never)]
unsafe fn call_external(inst: *mut VmInstance, fp: Fp) -> Status {
    // SAFETY: the caller promises a live instance and frame. The calling instruction put the arguments in place, and no frame
    // is above `fp`, to which `stack_top` is set.
    unsafe {
        let store = (*inst).store;
        let func = fp.func();
        InterpreterExit { fp, ip: external_instruction() }.note(store);
        if fp.as_ptr() >= (*store).stack_limit {
            (*store).trap_code = TrapCode::StackExhausted;
            return Status::TRAP;
        }
        let (top, caller) = ((*store).stack_top, (*store).caller);
        (*store).caller = inst;
        (*store).stack_top = fp.as_ptr();
        let mut status = ((*func).entry)(store, func, fp.args((*func).arg_slots));
        if status == Status::TAIL {
            // Frame and function are read again: keeping them over the call would take room on the native stack.
            let fp = Fp::new((*store).stack_top);
            let arg_slots = (*fp.func()).arg_slots;
            status = finish_tail_calls(store, fp.args(arg_slots), arg_slots as usize);
        }
        (*store).stack_top = top;
        (*store).caller = caller;
        if status == Status::OK && super::dispatch::is_interrupted(store) {
            (*store).trap_code = TrapCode::Interrupted;
            return Status::TRAP;
        }
        status
    }
}
