//! References. Null is the zero word whatever the type.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::builtins;

use super::dispatch::handlers;
use super::operand::{Destination, SlotD};

handlers! {
    /// Function `imm` (index), to slot `d`.
    fn ref_func[](m) {
        let func = builtins::reference::ref_func(m.inst, m.imm() as u32);
        SlotD::write(&mut m, func as i64);
        m.next(2)
    }

    /// Slot `a` to slot `d`; traps on null.
    fn ref_as_non_null[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullReference);
        }
        SlotD::write(&mut m, reference as i64);
        m.next(2)
    }
}
