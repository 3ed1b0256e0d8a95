//! What is on a stack, word by word, for a collector that does not know where references are.
//!
//! Comes in: the range of a stack on which the caller may be running. Goes out: every word from the caller's frame to the
//! stack's upper end, and the registers that a callee preserves, which may hold words of any frame. Registers that a callee
//! may use freely hold nothing that a frame further up relies on.
//!
//! Words are copied before anyone looks at them: the frames of this very function are among them, and many bytes of others'
//! were never written.

use std::ops::Range;
use std::ptr;

/// Words that are copied at a time.
const CHUNK: usize = 64;

/// Calls `visit` with all words of the registers that calls preserve, and of the stack from the caller's frame to the end of
/// `stack`; of all of `stack` if the caller is not on it.
///
/// # Safety
/// The range is readable, its provenance exposed, and its bounds are multiples of 8.
#[inline(never)]
pub unsafe fn for_each_word(stack: Range<usize>, visit: &mut dyn FnMut(&[u64])) {
    let (registers, here) = registers();
    visit(&registers);
    let mut at = if stack.contains(&here) { here.next_multiple_of(8) } else { stack.start };
    let mut words = [0; CHUNK];
    while at < stack.end {
        let count = ((stack.end - at) / 8).min(CHUNK);
        for (index, word) in words[..count].iter_mut().enumerate() {
            // SAFETY: inside the range. Volatile, as what is there is nobody's business but the machine's.
            *word = unsafe { ptr::read_volatile(ptr::with_exposed_provenance(at + 8 * index)) };
        }
        visit(&words[..count]);
        at += 8 * count;
    }
}

/// The registers that calls preserve, and the stack pointer, which is below all that the caller preserved of them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn registers() -> ([u64; 6], usize) {
    let mut registers = [0; 6];
    let here: usize;
    // SAFETY: writes the six words behind the address that it is given, and no stack.
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

/// Nothing is known of this architecture's registers, and no machine code is made for it.
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
        // SAFETY: the tests give ranges of their own stack.
        unsafe {
            for_each_word(stack, &mut |words| found += words.iter().filter(|&&word| word == black_box(MARK)).count());
        }
        found
    }

    #[test]
    fn a_word_of_a_caller_is_found_wherever_it_is_on_the_stack() {
        let words = black_box([MARK; 3]);
        let start = black_box(&words).as_ptr().expose_provenance();
        // As if the stack ended right behind the words: everything from here to there.
        assert!(count(start - (1 << 15)..start + 24) >= 3);
        // Without the last word, and not from the caller's frame on.
        assert_eq!(count(start..start + 16), 2);
    }

    /// Counts with `r12` as given, and nothing else of it in the range.
    fn count_with_register(value: u64) -> usize {
        extern "C" fn look(found: *mut usize) {
            let word = 0u64;
            let start = (&raw const word).expose_provenance();
            // SAFETY: the test gives the address of its number.
            unsafe { *found = count(start..start + 8) };
        }
        let mut found = 0;
        // SAFETY: an ordinary call, with a register set before it and restored behind it.
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
