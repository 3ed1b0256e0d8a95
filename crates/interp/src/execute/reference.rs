//! References. Null is the zero word, for every type.

use wasmr_core::trap::TrapCode;

use super::dispatch::handlers;
use super::operand::{Destination, SlotD};

handlers! {
    /// Copies slot `a` to slot `d`. Traps on null.
    fn ref_as_non_null[](m) {
        let reference = *m.a();
        if reference == 0 {
            return m.trap(TrapCode::NullReference);
        }
        SlotD::write(&mut m, reference as i64);
        m.next(2)
    }
}
