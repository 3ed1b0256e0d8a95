//! The signals that a thread blocks.
//!
//! Async-signal-safe, so handlers may use it as well.

/// A thread's blocked signals.
pub struct Mask(libc::sigset_t);

/// Blocks all signals for the calling thread. Returns those that were blocked before.
pub fn block_all() -> Mask {
    // SAFETY: the sets are plain data for which zero is a valid value; the calls are async-signal-safe.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = Mask(std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before.0);
        before
    }
}

/// Undoes [`block_all`].
pub fn unblock(before: &Mask) {
    // SAFETY: the set comes from the call that is undone, and is only read.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before.0, std::ptr::null_mut()) };
}
