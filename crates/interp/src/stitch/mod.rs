//! *Stitching*: a function that is executed often gets machine code of its own, made of its handlers' code.
//!
//! Fed by [`heat`](crate::heat), which knows what is executed often; changes nothing but word 0 of
//! cells, where the address of the handler is replaced by that of code that does the same for this one cell. Optional:
//! wherever any of it is refused, functions go on being threaded from handler to handler.
//!
//! # Why
//! A processor guesses where an indirect jump goes from where it went before. With one copy of each handler there are too
//! few such jumps to tell programs' paths apart, and a wrong guess costs as much as several handlers. In stitched code cells
//! follow one another without a jump, branches are jumps to known addresses, and slot numbers and constants are part of the
//! instructions instead of loads from the cell.
//!
//! # How
//! - `decode`: the handler's machine code, as this build's compiler made it, as basic blocks; `flow` tells what of it reads what.
//! - `analyse` and `walk`: blocks → `template`, once a handler. What they do not understand they copy as it stands; what
//!   uses the native stack they leave where it is.
//! - `emit` and `assemble`: templates and cells → the code of a function.
//! - `arena`: memory for it, never writable and executable at the same address.
//!
//! # Invariants
//! - Between cells all machine registers but `rdi` are what the handlers' contract says, so code may be entered at any cell
//!   and a frame that was in the function before goes on as it was. `rdi`, the cell, is made where code is left for
//!   handlers; after a fault it is found by the code's address ([`cell_at`]).
//! - Operand words of cells do not change after translation: only then are they constants.
//! - The translator notes where cells start; and each must be as long as its handler's code says, or nothing of the function
//!   is stitched.

#[cfg(wasmr_stitch)]
pub mod analyse;
#[cfg(wasmr_stitch)]
pub mod arena;
#[cfg(wasmr_stitch)]
pub mod assemble;
#[cfg(wasmr_stitch)]
pub mod decode;
#[cfg(wasmr_stitch)]
pub mod emit;
#[cfg(wasmr_stitch)]
pub mod flow;
#[cfg(wasmr_stitch)]
pub mod function;
#[cfg(wasmr_stitch)]
pub mod template;
#[cfg(wasmr_stitch)]
pub mod walk;

use std::sync::atomic::{AtomicU32, Ordering};

use wasmr_runtime::frame::Ip;

use crate::code::CodeBlock;

/// When a function is stitched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StitchWhen {
    /// Hot events that must have found it; with 0 it is stitched before its first execution.
    pub after: u32,
    /// Hot events of all functions, for each but one of those.
    pub events_per_sample: u32,
}

/// Outcome of stitching a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stitched {
    /// It has code.
    Done,
    /// There was no room, or the system refused it: to be tried again.
    NotNow,
    /// It cannot be stitched.
    Never,
}

/// Stitches the functions of one module.
#[derive(Debug)]
pub struct Stitcher {
    when: StitchWhen,
    /// Hot events so far.
    events: AtomicU32,
    #[cfg(wasmr_stitch)]
    room: std::sync::Mutex<arena::Room>,
}

impl Stitcher {
    /// A stitcher that has done nothing yet.
    pub fn new(when: StitchWhen) -> Stitcher {
        Stitcher {
            when,
            events: AtomicU32::new(0),
            #[cfg(wasmr_stitch)]
            room: Default::default(),
        }
    }

    /// Counts a hot event.
    pub fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a function that so many hot events have found is to be stitched.
    pub fn is_due(&self, samples: u32) -> bool {
        let StitchWhen { after, events_per_sample } = self.when;
        samples >= after
            && self.events.load(Ordering::Relaxed) >= events_per_sample.saturating_mul(after.saturating_sub(1))
    }

    /// Whether functions are stitched before they are first executed.
    pub fn at_once(&self) -> bool {
        self.when.after == 0
    }

    /// Stitches a function.
    #[cfg(wasmr_stitch)]
    pub fn stitch(&self, block: &CodeBlock) -> Stitched {
        function::stitch(block, &self.room)
    }

    /// Does nothing in this build.
    #[cfg(not(wasmr_stitch))]
    pub fn stitch(&self, _block: &CodeBlock) -> Stitched {
        Stitched::Never
    }
}

/// Whether an address is in stitched code. Takes no lock and allocates nothing.
#[cfg(wasmr_stitch)]
pub fn contains(address: usize) -> bool {
    arena::contains(address)
}

/// The cell whose stitched code an address is in.
#[cfg(wasmr_stitch)]
pub fn cell_at(address: usize) -> Option<Ip> {
    arena::cell_at(address)
}

/// Nothing is stitched in this build.
#[cfg(not(wasmr_stitch))]
pub fn contains(_address: usize) -> bool {
    false
}

/// Nothing is stitched in this build.
#[cfg(not(wasmr_stitch))]
pub fn cell_at(_address: usize) -> Option<Ip> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_before_the_program_has_run_for_a_while() {
        let stitcher = |after| Stitcher::new(StitchWhen { after, events_per_sample: 20 });
        let three = stitcher(3);
        let due = |stitcher: &Stitcher| [2, 3, 4].map(|samples| stitcher.is_due(samples));
        assert_eq!(due(&three), [false; 3]);
        (0..2 * 20 - 1).for_each(|_| three.count_event());
        assert_eq!(due(&three), [false; 3]);
        three.count_event();
        assert_eq!(due(&three), [false, true, true]);
        assert!(stitcher(1).is_due(1), "one is enough where that was asked for");
        assert!(stitcher(0).at_once() && !stitcher(u32::MAX).is_due(u32::MAX));
    }
}
