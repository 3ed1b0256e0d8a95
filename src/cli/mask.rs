//! The signal mask of a thread. All functions are async-signal-safe, so signal handlers may call them.

/// A set of blocked signals.
pub struct Mask(libc::sigset_t);

/// Blocks all signals for the calling thread. Returns the mask from before.
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

/// Restores the mask that [`block_all`] returned.
pub fn unblock(before: &Mask) {
    // SAFETY: `block_all` initialised the set, and the call only reads it.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before.0, std::ptr::null_mut()) };
}
