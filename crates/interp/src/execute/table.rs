//! Tables. Slot fields, then the table's index or the offset of its pointer in `imm`.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::builtins;
use wasmr_runtime::vm::VmTable;

use super::dispatch::{Machine, handlers};
use super::operand::{Destination, SlotD};

/// Element `index` of a table, checked; `table` is the offset of its pointer.
///
/// # Safety
/// The handlers' contract; `table` is such an offset.
#[inline(always)]
unsafe fn element(m: &Machine, table: u32, index: u64) -> Option<*mut u64> {
    // SAFETY: the instance's tables are alive.
    unsafe {
        let table = *m.in_instance::<*mut VmTable>(table);
        if index >= (*table).len as u64 {
            return None;
        }
        Some((*table).elements.add(index as usize))
    }
}

handlers! {
    /// Index in slot `a`; element to slot `d`.
    fn table_get[](m) {
        match element(&m, m.imm() as u32, *m.a()) {
            Some(element) => {
                SlotD::write(&mut m, *element as i64);
                m.next(2)
            }
            None => m.trap(TrapCode::TableOutOfBounds),
        }
    }

    /// Index in slot `a`, element in slot `d`.
    fn table_set[](m) {
        match element(&m, m.imm() as u32, *m.a()) {
            Some(element) => {
                *element = *m.d();
                m.next(2)
            }
            None => m.trap(TrapCode::TableOutOfBounds),
        }
    }

    /// Elements of the table whose pointer is at `imm`, to slot `d`.
    fn table_size[](m) {
        let table = *m.in_instance::<*mut VmTable>(m.imm() as u32);
        SlotD::write(&mut m, (*table).len as i64);
        m.next(2)
    }

    /// Table index in `imm`; value and delta in slots `a`, `a + 1`; old size or -1 to slot `d`.
    fn table_grow[const IS64: bool](m) {
        let args = m.a();
        let old = builtins::table::table_grow(m.inst, m.imm() as u32, *args, *args.add(1));
        if IS64 {
            SlotD::write(&mut m, old as i64);
        } else {
            SlotD::write(&mut m, old as i32);
        }
        m.next(2)
    }

    /// Table index in `imm`; index, value, length in slots `d` and on.
    fn table_fill[](m) {
        let args = m.d();
        match builtins::table::table_fill(m.inst, m.imm() as u32, *args, *args.add(1), *args.add(2)) {
            Ok(()) => m.next(2),
            Err(code) => m.trap(code),
        }
    }

    /// Tables in the halves of word 2; destination, source, length in slots `d` and on.
    fn table_copy[](m) {
        let args = m.d();
        let tables = m.word(2);
        match builtins::table::table_copy(m.inst, tables as u32, (tables >> 32) as u32, *args, *args.add(1), *args.add(2)) {
            Ok(()) => m.next(3),
            Err(code) => m.trap(code),
        }
    }

    /// Table and segment in the halves of word 2; destination, source, length in slots `d` and on.
    fn table_init[](m) {
        let args = m.d();
        let (table, segment) = (m.word(2) as u32, (m.word(2) >> 32) as u32);
        match builtins::table::table_init(m.inst, table, segment, *args, *args.add(1) as u32, *args.add(2) as u32) {
            Ok(()) => m.next(3),
            Err(code) => m.trap(code),
        }
    }

    /// Segment `imm`.
    fn elem_drop[](m) {
        builtins::table::elem_drop(m.inst, m.imm() as u32);
        m.next(2)
    }
}
