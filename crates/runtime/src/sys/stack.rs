//! Reads a stack word by word, for a collector that does not know which words are references.
//!
//! In: the range of a stack on which the caller may be running. Out: every word from the caller's frame to the upper
//! end of the stack, and the registers that a callee preserves, which may hold words of any frame ([System V
//! ABI](https://gitlab.com/x86-psABIs/x86-64-ABI), "Register Usage"). No frame further up relies on the other
//! registers.
//!
//! Words are copied before `visit` sees them: the frames of this function are among them, and many bytes of other
//! frames were never written.

use std::ops::Range;
use std::ptr;

/// Words that are copied at a time.
const CHUNK: usize = 64;

/// Calls `visit` with the registers that calls preserve, and with all words of the stack from the caller's frame to the
/// end of `stack`. If the caller is not on `stack`, visits all of `stack`.
///
/// # Safety
/// The range is readable, its provenance is exposed, and its bounds are multiples of 8.
#[inline(never)]
pub unsafe fn for_each_word(stack: Range<usize>, visit: &mut dyn FnMut(&[u64])) {
    let (registers, here) = registers();
    visit(&registers);
    let mut at = if stack.contains(&here) { here.next_multiple_of(8) } else { stack.start };
    let mut words = [0; CHUNK];
    while at < stack.end {
        let count = ((stack.end - at) / 8).min(CHUNK);
        for (index, word) in words[..count].iter_mut().enumerate() {
            // SAFETY: `at` and `count` stay inside the range, which is readable as the caller promises. The read is
            // volatile because compiled code writes these words, unknown to this compiler.
            *word = unsafe { ptr::read_volatile(ptr::with_exposed_provenance(at + 8 * index)) };
        }
        visit(&words[..count]);
        at += 8 * count;
    }
}

/// Returns the registers that calls preserve, and the stack pointer, below which the caller's frames keep nothing.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn registers() -> ([u64; 6], usize) {
    let mut registers = [0; 6];
    let here: usize;
    // SAFETY: writes six words to the array that `to` points to, and uses no stack.
    unsafe {
        std::arch::asm!(
            "mov [{to}], rbx",
            "mov [{to} + 8], rbp",
            "mov [{to} + 16], r12",
            "mov [{to} + 24], r13",
            "mov [{to} + 32], r14",
            "mov [{to} + 40], r15",
            "mov {here}, rsp",
            to = in(reg) registers.as_mut_ptr(),
            here = out(reg) here,
            options(nostack, preserves_flags)
        );
    }
    (registers, here)
}

/// Returns no registers: no machine code is made for this architecture.
#[cfg(not(target_arch = "x86_64"))]
fn registers() -> ([u64; 6], usize) {
    ([0; 6], 0)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::hint::black_box;

    use super::*;

    const MARK: u64 = 0x5eed_0000_1234_5678;

    fn count(stack: Range<usize>) -> usize {
        let mut found = 0;
        // SAFETY: the tests pass readable ranges of their own stack, with bounds at multiples of 8.
        unsafe {
            for_each_word(stack, &mut |words| found += words.iter().filter(|&&word| word == black_box(MARK)).count());
        }
        found
    }

    #[test]
    fn a_word_of_a_caller_is_found_wherever_it_is_on_the_stack() {
        let words = black_box([MARK; 3]);
        let start = black_box(&words).as_ptr().expose_provenance();
        // The stack appears to end after the words: everything from here to there is visited.
        assert!(count(start - (1 << 15)..start + 24) >= 3);
        // Without the last word, and not from the caller's frame on.
        assert_eq!(count(start..start + 16), 2);
    }

    /// Counts with `value` in `r12`, and no other copy of it in the range.
    fn count_with_register(value: u64) -> usize {
        extern "C" fn look(found: *mut usize) {
            let word = 0u64;
            let start = (&raw const word).expose_provenance();
            // SAFETY: `found` is the address of the variable below, live during the call.
            unsafe { *found = count(start..start + 8) };
        }
        let mut found = 0;
        // SAFETY: calls `look` by the C convention; all registers that it may change are declared, and `r12` is
        // restored after it.
        unsafe {
            std::arch::asm!(
                "mov r13, r12",
                "mov r12, rax",
                "not r12",
                "call {look}",
                "mov r12, r13",
                look = sym look,
                in("rax") !value,
                in("rdi") &raw mut found,
                out("r13") _,
                clobber_abi("C"),
            );
        }
        found
    }

    #[test]
    fn a_word_in_a_preserved_register_is_found() {
        assert_eq!(count_with_register(MARK), 1);
        assert_eq!(count_with_register(7), 0);
    }
}
