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
    let copy_patch = |after| CopyPatch::new(CopyWhen { after, words_per_sample: 100, events: 2 }, false, 1000, 1);
    let three = copy_patch(3);
    let due = |copy_patch: &CopyPatch| [2, 3, 4].map(|samples| copy_patch.is_due(samples, 10));
    assert_eq!(due(&three), [false; 3]);
    three.count_event();
    assert_eq!(due(&three), [false; 3]);
    three.count_event();
    assert_eq!(due(&three), [false, true, true]);
    assert!(copy_patch(0).is_ahead_of_first_call() && !copy_patch(u32::MAX).is_due(u32::MAX - 1, 10));
}

#[test]
fn a_large_function_is_copied_after_as_much_time_as_copying_takes() {
    let copy_patch = CopyPatch::new(CopyWhen { after: 1, words_per_sample: 100, events: 0 }, false, 1000, 1);
    assert_eq!([100, 101, 200, 201].map(|words| copy_patch.is_due(2, words)), [true, true, true, false]);
    assert_eq!([100, 101].map(|words| copy_patch.is_due(1, words)), [true, false]);
    assert!(copy_patch.is_due(u32::MAX, usize::MAX >> 26));
}
