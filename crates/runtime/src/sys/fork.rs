//! Tells a process from those forked of it, without a system call: [`generation`].
//!
//! A page that the kernel gives to a forked process empty ([`MADV_WIPEONFORK`]) holds the number of this process. Who finds
//! it empty is in a new process and takes a number that nobody had before.
//!
//! [`MADV_WIPEONFORK`]: https://man7.org/linux/man-pages/man2/madvise.2.html

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The page, null until somebody asks. It is never unmapped.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// The last number that was taken. A forked process goes on from its parent's.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that stays the same in this process and that no process had from which it was forked; never 0.
pub fn generation() -> u64 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = make_page();
        if page.is_null() {
            // A kernel before Linux 4.14, or no page left: what a system call says. No number of the page is as large.
            return 1 << 63 | u64::from(std::process::id());
        }
    }
    // SAFETY: a page that was published is mapped, zeroed or written by this function, and never unmapped.
    let number = unsafe { &*page };
    match number.load(Ordering::Relaxed) {
        0 => {
            let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            // Another thread may have been faster; its number is as new.
            match number.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => new,
                Err(other) => other,
            }
        }
        known => known,
    }
}

/// Has the kernel give the page to forked processes empty. Returns false where it cannot.
///
/// # Safety
/// The page is a private anonymous mapping of this size.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn wipe_on_fork(page: *mut libc::c_void, size: usize) -> bool {
    // SAFETY: the contract.
    unsafe { libc::madvise(page, size, libc::MADV_WIPEONFORK) == 0 }
}

/// Other systems cannot, nor can Miri.
#[cfg(any(not(target_os = "linux"), miri))]
unsafe fn wipe_on_fork(_page: *mut libc::c_void, _size: usize) -> bool {
    false
}

/// Maps the page and publishes it; null if the system refuses.
fn make_page() -> *mut AtomicU64 {
    let size = super::page_size();
    // SAFETY: a new private mapping, given up again unless it is published, which happens once; advice on the whole of it.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let page = libc::mmap(ptr::null_mut(), size, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        if page == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        if !wipe_on_fork(page, size) {
            libc::munmap(page, size);
            return ptr::null_mut();
        }
        match PAGE.compare_exchange(ptr::null_mut(), page.cast(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => page.cast(),
            Err(other) => {
                libc::munmap(page, size);
                other
            }
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::generation;

    #[test]
    fn a_forked_process_has_a_number_of_its_own() {
        let parent = generation();
        assert_eq!(parent, generation());
        assert_ne!(parent, 0);
        // SAFETY: the child calls nothing but `generation`, which takes no lock, and `_exit`.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                let (own, again) = (generation(), generation());
                libc::_exit(if own != parent && own == again { 7 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 7);
        assert_eq!(parent, generation());
    }
}
