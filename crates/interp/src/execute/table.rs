//! Elements and sizes of tables. Slot fields, then the offset of the table's pointer in `imm`.

use wasmr_core::trap::TrapCode;
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
}
