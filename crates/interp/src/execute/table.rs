//! Elements and sizes of tables. `imm` is the offset of the table's pointer.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::vm::VmTable;

use super::dispatch::{Machine, handlers};
use super::operand::{Destination, SlotD};

/// Returns the address of element `index` of a table, if there is one. `table` is the offset of the table's pointer.
///
/// # Safety
/// The handlers' contract; `table` is such an offset.
#[inline(always)]
unsafe fn element(m: &Machine, table: u32, index: u64) -> Option<*mut u64> {
    // SAFETY: at that offset is the pointer of a table, which lives as long as the instance.
    unsafe {
        let table = *m.in_instance::<*mut VmTable>(table);
        if index >= (*table).len as u64 {
            return None;
        }
        Some((*table).elements.add(index as usize))
    }
}

handlers! {
    /// Copies the element with the index in slot `a` to slot `d`.
    fn table_get[](m) {
        match element(&m, m.imm() as u32, *m.a()) {
            Some(element) => {
                SlotD::write(&mut m, *element as i64);
                m.next(2)
            }
            None => m.trap(TrapCode::TableOutOfBounds),
        }
    }

    /// Copies slot `d` to the element with the index in slot `a`.
    fn table_set[](m) {
        match element(&m, m.imm() as u32, *m.a()) {
            Some(element) => {
                *element = *m.d();
                m.next(2)
            }
            None => m.trap(TrapCode::TableOutOfBounds),
        }
    }

    /// Puts the number of elements into slot `d`.
    fn table_size[](m) {
        let table = *m.in_instance::<*mut VmTable>(m.imm() as u32);
        SlotD::write(&mut m, (*table).len as i64);
        m.next(2)
    }
}
