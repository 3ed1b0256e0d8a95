//! Calls and tail calls.
//!
//! `low` of a call cell is the distance in slots from the caller's frame to the callee's (see [`frame`](super::frame)).

use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_runtime::builtins;
use wasmr_runtime::frame::{FRAME_HEADER, Fp};
use wasmr_runtime::vm::{VmFunc, VmTable};

use super::dispatch::{Handler, Machine, handlers};
use super::frame::{call, exit_cell, restore_cell, write_header};
use super::operand::{Acc, SlotD, Source};

/// The function that element `index` of a table holds, checked against `expected`.
///
/// # Safety
/// The handlers' contract; `table` is the offset of a function table's pointer in the instance.
#[inline(always)]
unsafe fn indirect(m: &Machine, table: u32, index: u64, expected: TypeId) -> Result<*mut VmFunc, TrapCode> {
    // SAFETY: the caller's promise; an element of a function table is null or a live function.
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

/// Replaces the current frame by one for `func`: word 1 `low` = where the arguments start (slot number), `imm` = their slots;
/// word 2 low half = `S` of the current function, high half = `S` of the callee's type.
///
/// # Safety
/// The handlers' contract; `func` is alive and of that type.
#[inline(always)]
unsafe fn tail_call(mut m: Machine, func: *mut VmFunc) -> usize {
    // SAFETY: the arguments are in the frame; the new ones fit below the stack's slack.
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
            // Upward, as the destination lies below; volatile, or the optimiser calls `memmove`: a handler that calls keeps a frame.
            to.write_volatile(*from);
            from = from.add(1);
            to = to.add(1);
        }
        let instance = (*func).instance;
        if instance != m.inst && !instance.is_null() {
            if return_to != restore_cell() && return_to != exit_cell() {
                real_return = return_to;
                return_to = restore_cell();
            }
            m.inst = instance;
            m.reload_memory();
        }
        m.fp = Fp::new(base.add(callee + FRAME_HEADER));
        m.fp.set_header(func, caller, return_to);
        m.fp.set_real_return(real_return);
        m.ip = (*func).code;
        m.dispatch()
    }
}

handlers! {
    /// A function of this module; `imm` is its offset in the instance.
    fn call_defined[](m) {
        let func = m.in_instance::<VmFunc>(m.imm() as u32);
        let callee = m.fp.callee(m.low() as usize);
        write_header(&m, callee, func, m.ip.add(2));
        // `spare` carries nothing here; this frees its register.
        m.spare = callee.as_ptr() as u64;
        m.fp = callee;
        m.ip = (*func).code;
        m.dispatch()
    }

    /// An imported function; `imm` is the offset of its pointer.
    fn call_imported[](m) {
        let func = *m.in_instance::<*mut VmFunc>(m.imm() as u32);
        let callee = m.fp.callee(m.low() as usize);
        call(m, func, callee, 2)
    }

    /// Word 2: index slot in the low half's low 16 bits (unused if in the accumulator), expected type in the high half;
    /// `imm` is the offset of the table's pointer. What is not simply right goes the long way.
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

    /// The same with every check: traps, or calls a function whose type is a subtype.
    #[cold]
    #[inline(never)]
    fn call_indirect_checked[X: Source](m) {
        let index = X::read::<i32>(&m.second()) as u32 as u64;
        match indirect(&m, m.imm() as u32, index, TypeId((m.word(2) >> 32) as u32)) {
            Ok(func) => call(m, func, m.fp.callee(m.low() as usize), 3),
            Err(code) => m.trap(code),
        }
    }

    /// The same for a table with 64-bit indices.
    fn call_indirect_64[](m) {
        let index = SlotD::read::<i64>(&m.second()) as u64;
        match indirect(&m, m.imm() as u32, index, TypeId((m.word(2) >> 32) as u32)) {
            Ok(func) => call(m, func, m.fp.callee(m.low() as usize), 3),
            Err(code) => m.trap(code),
        }
    }

    /// The function reference in the slot that word 2 names.
    fn call_ref[](m) {
        let func = SlotD::read::<i64>(&m.second()) as usize as *mut VmFunc;
        if func.is_null() {
            return m.trap(TrapCode::NullFunctionReference);
        }
        call(m, func, m.fp.callee(m.low() as usize), 3)
    }

    /// Word 3: offset in the instance.
    fn return_call_defined[](m) {
        let func = m.in_instance::<VmFunc>(m.word(3) as u32);
        tail_call(m, func)
    }

    fn return_call_imported[](m) {
        let func = *m.in_instance::<*mut VmFunc>(m.word(3) as u32);
        tail_call(m, func)
    }

    /// Word 3: offset of the table's pointer, expected type in the high half; word 4: index slot.
    fn return_call_indirect[const IS64: bool](m) {
        let slot = *m.fp.offset(m.word(4) as isize);
        let index = if IS64 { slot } else { slot as u32 as u64 };
        match indirect(&m, m.word(3) as u32, index, TypeId((m.word(3) >> 32) as u32)) {
            Ok(func) => tail_call(m, func),
            Err(code) => m.trap(code),
        }
    }

    /// Word 3: slot of the function reference.
    fn return_call_ref[](m) {
        let func = *m.fp.offset(m.word(3) as isize) as usize as *mut VmFunc;
        if func.is_null() {
            return m.trap(TrapCode::NullFunctionReference);
        }
        tail_call(m, func)
    }
}

impl Machine {
    /// The machine as a cell whose fields are in word 2 sees it.
    ///
    /// # Safety
    /// The handlers' contract; the cell has three words.
    #[inline(always)]
    unsafe fn second(mut self) -> Machine {
        // SAFETY: the caller's promise.
        self.ip = unsafe { self.ip.add(1) };
        self
    }
}

/// `call_indirect` with a 32-bit index in a slot or the accumulator.
pub fn call_indirect_handler(from_acc: bool) -> Handler {
    if from_acc { call_indirect::<Acc> } else { call_indirect::<SlotD> }
}
