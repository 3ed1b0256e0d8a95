//! [`generation`]: distinguishes a process from those that were forked from it, without a system call.
//!
//! One page holds the number of this process. The kernel gives a forked process an empty page in its place
//! ([`MADV_WIPEONFORK`]). A process that reads 0 is new, and takes a number that no ancestor had.
//!
//! [`MADV_WIPEONFORK`]: https://man7.org/linux/man-pages/man2/madvise.2.html

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The page, null before the first call. It is never unmapped.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// The last number taken. A forked process continues from its parent's.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns a number that stays the same in this process and differs from those of its ancestors. Never 0.
pub fn generation() -> u64 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = make_page();
        if page.is_null() {
            // Linux before 4.14, or no page left: use the process id. No number of the page is as large.
            return 1 << 63 | u64::from(std::process::id());
        }
    }
    // SAFETY: a published page is mapped, never unmapped, and either zeroed or written as an `AtomicU64` by this
    // function.
    let number = unsafe { &*page };
    match number.load(Ordering::Relaxed) {
        0 => {
            let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            // If another thread was faster, its number is as new.
            match number.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => new,
                Err(other) => other,
            }
        }
        known => known,
    }
}

/// Asks the kernel to give forked processes an empty page in place of this one. Returns false if it refuses.
///
/// # Safety
/// The page is a private anonymous mapping of this size.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn wipe_on_fork(page: *mut libc::c_void, size: usize) -> bool {
    // SAFETY: the page is a private anonymous mapping of `size` bytes, as the caller promises. MADV_WIPEONFORK requires
    // just that.
    unsafe { libc::madvise(page, size, libc::MADV_WIPEONFORK) == 0 }
}

/// Returns false: other systems have no such advice, and neither has Miri.
#[cfg(any(not(target_os = "linux"), miri))]
unsafe fn wipe_on_fork(_page: *mut libc::c_void, _size: usize) -> bool {
    false
}

/// Maps the page and publishes it. Returns null if the system refuses.
fn make_page() -> *mut AtomicU64 {
    let size = super::page_size();
    // SAFETY: the mapping is new and private, and the advice covers just its pages. It is unmapped only if it was not
    // published.
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
