//! *Copying*: a function that is executed often gets machine code of its own, made of its handlers' code.
//!
//! Fed by [`heat`](crate::heat), which knows what is executed often; changes nothing but word 0 of
//! cells, where the address of the handler is replaced by that of code that does the same for this one cell. Optional:
//! wherever any of it is refused, functions go on being threaded from handler to handler.
//!
//! # Why
//! A processor guesses where an indirect jump goes from where it went before. With one copy of each handler there are too
//! few such jumps to tell programs' paths apart, and a wrong guess costs as much as several handlers. In copied code cells
//! follow one another without a jump, branches are jumps to known addresses, and slot numbers and constants are part of the
//! instructions instead of loads from the cell.
//!
//! # How
//! - `decode`: the handler's machine code, as this build's compiler made it, as basic blocks; `flow` tells what of it reads what.
//! - `analyse` and `walk`: blocks → `template`, once a handler. What they do not understand they copy as it stands; what
//!   uses the native stack they leave where it is.
//! - `emit` and `assemble`: templates and cells → the code of a function.
//! - `code_memory`: memory for it, never writable and executable at the same address.
//!
//! # Invariants
//! - Between cells all machine registers but `rdi` are what the handlers' contract says, so code may be entered at any cell
//!   and a frame that was in the function before goes on as it was. `rdi`, the cell, is made where code is left for
//!   handlers; after a fault it is found by the code's address ([`cell_at`]).
//! - Operand words of cells do not change after translation: only then are they constants.
//! - The translator notes where cells start; and each must be as long as its handler's code says, or nothing of the function
//!   is copied.

#[cfg(wasmr_copy_patch)]
pub mod analyse;
#[cfg(wasmr_copy_patch)]
pub mod assemble;
#[cfg(wasmr_copy_patch)]
pub mod code_memory;
#[cfg(wasmr_copy_patch)]
pub mod decode;
#[cfg(wasmr_copy_patch)]
pub mod emit;
#[cfg(wasmr_copy_patch)]
pub mod flow;
#[cfg(wasmr_copy_patch)]
pub mod function;
#[cfg(wasmr_copy_patch)]
pub mod template;
#[cfg(wasmr_copy_patch)]
pub mod walk;

use std::sync::atomic::{AtomicU32, Ordering};

use wasmr_runtime::frame::Ip;

use crate::code::CodeBlock;

/// When a function is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyWhen {
    /// Budget interrupts that must have found it; with 0 it is copied before its first execution.
    pub after: u32,
    /// Budget interrupts of all functions, for each but one of those.
    pub events_per_sample: u32,
}

/// Outcome of copying a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It has code.
    Done,
    /// There was no room, or the system refused it: to be tried again.
    NotNow,
    /// It cannot be copied.
    Never,
}

/// Copies the functions of one module.
#[derive(Debug)]
pub struct CopyPatch {
    when: CopyWhen,
    /// Budget interrupts so far.
    events: AtomicU32,
    #[cfg(wasmr_copy_patch)]
    region: std::sync::Mutex<code_memory::ModuleRegion>,
}

impl CopyPatch {
    /// A copy-and-patch compiler that has done nothing yet.
    pub fn new(when: CopyWhen) -> CopyPatch {
        CopyPatch {
            when,
            events: AtomicU32::new(0),
            #[cfg(wasmr_copy_patch)]
            region: Default::default(),
        }
    }

    /// Counts a budget interrupt.
    pub fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a function that so many budget interrupts have found is to be copied.
    pub fn is_due(&self, samples: u32) -> bool {
        let CopyWhen { after, events_per_sample } = self.when;
        samples >= after
            && self.events.load(Ordering::Relaxed) >= events_per_sample.saturating_mul(after.saturating_sub(1))
    }

    /// Whether functions are copied before they are first executed.
    pub fn at_once(&self) -> bool {
        self.when.after == 0
    }

    /// Copies a function.
    #[cfg(wasmr_copy_patch)]
    pub fn copy(&self, block: &CodeBlock) -> CopyOutcome {
        function::copy(block, &self.region)
    }

    /// Does nothing in this build.
    #[cfg(not(wasmr_copy_patch))]
    pub fn copy(&self, _block: &CodeBlock) -> CopyOutcome {
        CopyOutcome::Never
    }
}

/// Whether an address is in copied code. Takes no lock and allocates nothing.
#[cfg(wasmr_copy_patch)]
pub fn contains(address: usize) -> bool {
    code_memory::contains(address)
}

/// The cell whose copied code an address is in.
#[cfg(wasmr_copy_patch)]
pub fn cell_at(address: usize) -> Option<Ip> {
    code_memory::cell_at(address)
}

/// Nothing is copied in this build.
#[cfg(not(wasmr_copy_patch))]
pub fn contains(_address: usize) -> bool {
    false
}

/// Nothing is copied in this build.
#[cfg(not(wasmr_copy_patch))]
pub fn cell_at(_address: usize) -> Option<Ip> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_before_the_program_has_run_for_a_while() {
        let copy_patch = |after| CopyPatch::new(CopyWhen { after, events_per_sample: 20 });
        let three = copy_patch(3);
        let due = |copy_patch: &CopyPatch| [2, 3, 4].map(|samples| copy_patch.is_due(samples));
        assert_eq!(due(&three), [false; 3]);
        (0..2 * 20 - 1).for_each(|_| three.count_event());
        assert_eq!(due(&three), [false; 3]);
        three.count_event();
        assert_eq!(due(&three), [false, true, true]);
        assert!(copy_patch(1).is_due(1), "one is enough where that was asked for");
        assert!(copy_patch(0).at_once() && !copy_patch(u32::MAX).is_due(u32::MAX));
    }
}
