//! [`Tiers`]: interpreter and machine code as one [`Tier`], for the stores of the modes that compile.
//!
//! Every function starts in the interpreter, so nearly all answers are the interpreter's. A stack walk is the exception: it visits
//! frames of both.

use std::ffi::c_void;

use wasmr_interp::InterpTier;
use wasmr_runtime::frame::Ip;
use wasmr_runtime::tier::Tier;
use wasmr_runtime::vm::VmStore;
use wasmr_runtime::walk::{FrameList, Place, PlaceKind, Segment, Walk};

#[derive(Debug)]
pub(crate) struct Tiers {
    interp: InterpTier,
}

impl Tiers {
    pub(crate) fn new() -> Tiers {
        Tiers { interp: InterpTier::new() }
    }
}

impl Tier for Tiers {
    fn external_code(&self) -> Ip {
        self.interp.external_code()
    }

    fn unresolved_native(&self) -> *const c_void {
        wasmr_jit::lazy_resolution_stub()
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        while let Some(segment) = walk.segment() {
            match segment {
                Segment::Interpreted { .. } => wasmr_interp::walk_segment(walk),
                Segment::Native { .. } => wasmr_jit::walk_segment(walk),
            }
        }
    }

    fn locate(&self, place: Place, frames: &mut FrameList) {
        match place.kind() {
            PlaceKind::Interpreted { .. } => wasmr_interp::locate(place, frames),
            PlaceKind::Native { .. } => wasmr_jit::locate(place, frames),
        }
    }

    fn stack_in_use(&self, store: &VmStore) -> *mut u64 {
        self.interp.stack_in_use(store)
    }
}
