//! Vectors of slots, made without an abort if memory runs out: for tables, and for the bitmaps of the heap.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

/// Returns `count` slots of `value`; `None` if memory runs out. Zeroed slots come untouched from the system, so a large
/// empty vector costs nothing.
pub(crate) fn filled(count: u64, value: u64) -> Option<Vec<u64>> {
    let count = usize::try_from(count).ok()?;
    if value == 0 && count != 0 {
        let layout = Layout::array::<u64>(count).ok()?;
        // SAFETY: the layout is not empty. The memory comes from the global allocator with the layout of a vector of
        // `count` slots, and zero is a valid slot. `Vec` has no fallible constructor of zeroes.
        return unsafe {
            let slots = NonNull::new(alloc_zeroed(layout))?;
            Some(Vec::from_raw_parts(slots.cast().as_ptr(), count, count))
        };
    }
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).ok()?;
    slots.resize(count, value);
    Some(slots)
}
