//! Tests of copy-and-patch.

#[cfg(wasmr_copy_patch)]
mod assumptions;
#[cfg(wasmr_copy_patch)]
mod disassembly;
#[cfg(wasmr_copy_patch)]
mod handlers;

use super::*;

#[test]
fn nothing_is_due_before_the_program_has_run_for_a_while() {
    let copy_patch = |after| CopyPatch::new(CopyWhen { after, events_per_sample: 20 }, false, 1000, 1);
    let three = copy_patch(3);
    let due = |copy_patch: &CopyPatch| [2, 3, 4].map(|samples| copy_patch.is_due(samples));
    assert_eq!(due(&three), [false; 3]);
    (0..2 * 20 - 1).for_each(|_| three.count_event());
    assert_eq!(due(&three), [false; 3]);
    three.count_event();
    assert_eq!(due(&three), [false, true, true]);
    assert!(copy_patch(1).is_due(1), "the first sample needs no budget interrupts");
    assert!(copy_patch(0).is_ahead_of_first_call() && !copy_patch(u32::MAX).is_due(u32::MAX));
}
