//! SIGINT and SIGTERM end the process at once. Unsafe: installs signal handlers.
//!
//! # Why handlers at all?
//! The default actions would do, except for a process with id 1, the usual case in a container: for it the kernel ignores
//! every signal without a handler, and `docker stop` would wait ten seconds and kill. Nothing is lost by ending at once:
//! the guest's output is not buffered.

#[cfg(unix)]
mod unix {
    use crate::cli::exit;

    /// Ends the process with a fixed status. Only async-signal-safe calls.
    extern "C" fn end(signal: libc::c_int) {
        let status = if signal == libc::SIGINT { exit::INTERRUPTED } else { exit::TERMINATED };
        // SAFETY: `_exit` is async-signal-safe and takes any status.
        unsafe { libc::_exit(status.into()) }
    }

    /// Installs the handlers. A signal that the parent made us ignore (`nohup`, background jobs) stays ignored.
    pub fn install() {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: both structures are plain data for which zero is a valid value; the handler is a function of the
            // type that `SA_SIGINFO`-less handlers have, lives forever and only makes async-signal-safe calls.
            unsafe {
                let mut old: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(signal, std::ptr::null(), &mut old) != 0 || old.sa_sigaction == libc::SIG_IGN {
                    continue;
                }
                let mut new: libc::sigaction = std::mem::zeroed();
                new.sa_sigaction = end as extern "C" fn(libc::c_int) as usize;
                new.sa_flags = libc::SA_RESTART;
                libc::sigemptyset(&mut new.sa_mask);
                libc::sigaction(signal, &new, std::ptr::null_mut());
            }
        }
    }
}

#[cfg(unix)]
pub use unix::install;

/// Other systems end a process on these events by themselves.
#[cfg(not(unix))]
pub fn install() {}
