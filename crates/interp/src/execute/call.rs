//! Calls and tail calls.
//!
//! `low` of a call is the distance in slots from the caller's frame to the callee's (see [`frame`](super::frame)).

use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_runtime::builtins;
use wasmr_runtime::frame::{FRAME_HEADER, Fp};
use wasmr_runtime::vm::{VmFunc, VmTable};

use super::dispatch::{Machine, handlers};
use super::frame::{call, exit_instruction, restore_instruction, write_header};
use super::operand::{SlotD, Source};

/// Returns the function in element `index` of a table, if its type matches `expected`.
///
/// # Errors
/// The trap, if there is no such element, the element is null, or the function is of another type.
///
/// # Safety
/// The handlers' contract; `table` is the offset of a function table's pointer in the instance.
#[inline(always)]
unsafe fn indirect(m: &Machine, table: u32, index: u64, expected: TypeId) -> Result<*mut VmFunc, TrapCode> {
    // SAFETY: at the offset is the pointer of a live table; an element of a function table is null or a live function.
    unsafe {
        let table = *m.in_instance::<*mut VmTable>(table);
        if index >= (*table).len as u64 {
            return Err(TrapCode::UndefinedElement);
        }
        let func = *(*table).elements.add(index as usize) as usize as *mut VmFunc;
        if func.is_null() {
            return Err(TrapCode::UninitializedElement);
        }
        let actual = (*func).type_id;
        if actual != expected && !builtins::is_subtype(m.inst, actual, expected) {
            return Err(TrapCode::IndirectCallTypeMismatch);
        }
        Ok(func)
    }
}

/// Replaces the current frame by one for `func`. Fields: `low` is the first slot of the arguments, `imm` their number of slots.
/// The low half of word 2 is the size of the current function's argument area, the high half that of the callee's type
/// (`docs/frames.md`).
///
/// # Safety
/// The handlers' contract; `func` is alive and of that type.
#[inline(always)]
unsafe fn tail_call(mut m: Machine, func: *mut VmFunc) -> usize {
    // SAFETY: the arguments are in the frame, at or above the place that they move to. The new header is inside the value
    // stack, because `STACK_SLACK` covers arguments and header.
    unsafe {
        let sizes = m.word(2);
        let (current, callee) = (sizes as u32 as usize, (sizes >> 32) as usize);
        let mut return_to = m.fp.return_to();
        let caller = m.fp.caller();
        let mut real_return = m.fp.real_return();
        let base = m.fp.as_ptr().sub(FRAME_HEADER + current);
        let mut from = m.fp.as_ptr().add(m.low() as usize);
        let mut to = base;
        let end = from.add(m.imm() as u32 as usize);
        while from < end {
            // The loop runs upward, because the destination lies below. The write is volatile: otherwise the optimiser calls
            // `memmove`, and a handler with a call keeps a frame.
            to.write_volatile(*from);
            from = from.add(1);
            to = to.add(1);
        }
        let instance = (*func).instance;
        let leaves_instance = instance != m.inst && !instance.is_null();
        if leaves_instance {
            if return_to != restore_instruction() && return_to != exit_instruction() {
                real_return = return_to;
                return_to = restore_instruction();
            }
            m.inst = instance;
            m.reload_memory();
        }
        m.fp = Fp::new(base.add(callee + FRAME_HEADER));
        m.fp.set_header(func, caller, return_to);
        m.fp.set_real_return(real_return);
        m.ip = (*func).code;
        if leaves_instance {
            return m.enter(super::pairs::limit_pairs);
        }
        m.dispatch()
    }
}

handlers! {
    /// Calls a function of this module. `imm` is its offset in the instance.
    fn call_defined[](m) {
        let func = m.in_instance::<VmFunc>(m.imm() as u32);
        let callee = m.fp.callee(m.low() as usize);
        write_header(&m, callee, func, m.ip.add(2));
        // The scratch register carries no value here. Assigning a value at hand ends the live range of the old one.
        m.scratch = callee.as_ptr() as u64;
        m.fp = callee;
        m.ip = (*func).code;
        m.dispatch()
    }

    /// Calls an imported function. `imm` is the offset of its pointer.
    fn call_imported[](m) {
        let func = *m.in_instance::<*mut VmFunc>(m.imm() as u32);
        let callee = m.fp.callee(m.low() as usize);
        call(m, func, callee, 2)
    }

    /// Calls through a table. Word 2: the index' slot in field `d2`, unused if the index is in the accumulator; the expected
    /// type in the high half. `imm` is the offset of the table's pointer. Anything but an element of exactly this type goes to
    /// `call_indirect_checked`.
    fn call_indirect[X: Source](m) {
        let index = X::read::<i32>(&m.second()) as u32 as usize;
        let table = *m.in_instance::<*mut VmTable>(m.imm() as u32);
        if index >= (*table).len {
            return m.enter(call_indirect_checked::<X>);
        }
        let func = *(*table).elements.add(index) as usize as *mut VmFunc;
        if func.is_null() || (*func).type_id.0 != (m.word(2) >> 32) as u32 {
            return m.enter(call_indirect_checked::<X>);
        }
        call(m, func, m.fp.callee(m.low() as usize), 3)
    }

    /// As `call_indirect`, with every check: traps, or calls a function whose type is a subtype.
    #[cold]
    #[inline(never)]
    fn call_indirect_checked[X: Source](m) {
        let index = X::read::<i32>(&m.second()) as u32 as u64;
        match indirect(&m, m.imm() as u32, index, TypeId((m.word(2) >> 32) as u32)) {
            Ok(func) => call(m, func, m.fp.callee(m.low() as usize), 3),
            Err(code) => m.trap(code),
        }
    }

    /// As `call_indirect_checked`, for a table with 64-bit indices.
    fn call_indirect_64[](m) {
        let index = SlotD::read::<i64>(&m.second()) as u64;
        match indirect(&m, m.imm() as u32, index, TypeId((m.word(2) >> 32) as u32)) {
            Ok(func) => call(m, func, m.fp.callee(m.low() as usize), 3),
            Err(code) => m.trap(code),
        }
    }

    /// Calls the function reference in slot `d2`.
    fn call_ref[](m) {
        let func = SlotD::read::<i64>(&m.second()) as usize as *mut VmFunc;
        if func.is_null() {
            return m.trap(TrapCode::NullFunctionReference);
        }
        call(m, func, m.fp.callee(m.low() as usize), 3)
    }

    /// Tail-calls a function of this module. Word 3 is its offset in the instance.
    fn return_call_defined[](m) {
        let func = m.in_instance::<VmFunc>(m.word(3) as u32);
        tail_call(m, func)
    }

    fn return_call_imported[](m) {
        let func = *m.in_instance::<*mut VmFunc>(m.word(3) as u32);
        tail_call(m, func)
    }

    /// Tail-calls through a table. Word 3: offset of the table's pointer, expected type in the high half; word 4: the index'
    /// slot.
    fn return_call_indirect[const IS64: bool](m) {
        let slot = *m.fp.offset(m.word(4) as isize);
        let index = if IS64 { slot } else { slot as u32 as u64 };
        match indirect(&m, m.word(3) as u32, index, TypeId((m.word(3) >> 32) as u32)) {
            Ok(func) => tail_call(m, func),
            Err(code) => m.trap(code),
        }
    }

    /// Tail-calls the function reference in the slot that word 3 names.
    fn return_call_ref[](m) {
        let func = *m.fp.offset(m.word(3) as isize) as usize as *mut VmFunc;
        if func.is_null() {
            return m.trap(TrapCode::NullFunctionReference);
        }
        tail_call(m, func)
    }
}

impl Machine {
    /// Returns the machine with `ip` one word further, so that the fields `a` to `x` are those of word 2.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has three words.
    #[inline(always)]
    unsafe fn second(mut self) -> Machine {
        // SAFETY: the instruction has a word after the first.
        self.ip = unsafe { self.ip.add(1) };
        self
    }
}
