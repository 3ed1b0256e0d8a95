//! Termination signals: wasmr dies of them, as a program without handlers does. Unsafe: installs signal handlers.
//!
//! A shell, `make` or `xargs` tells from the wait status of a child that a signal killed it and stops its own work; after an exit
//! code of 130 it goes on, see [Proper handling of SIGINT/SIGQUIT](https://www.cons.org/cracauer/sigint.html). The handlers are
//! installed before the command line is read, so that every command ends alike, whatever its threads are busy with. Nothing that
//! was written is lost: neither the guest's output nor wasmr's complete lines are buffered.
//!
//! # Why handlers at all?
//! - The kernel ignores every signal without a handler for the process with id 1, the usual case in a container: `docker stop`
//!   would wait ten seconds and kill. There the process exits with 128 plus the signal's number.
//! - SIGQUIT writes no core dump: it would hold reserved memory by the gigabyte and tell nothing of the guest. Faults and
//!   aborts of wasmr itself dump core as usual.
//!
//! While the terminal is raw ([`terminal`](super::terminal)), every signal that ends or stops a process restores it first.
//!
//! SIGXFSZ is ignored, so that a guest whose file grows beyond the limit of `ulimit -f` sees `FBIG`, as POSIX has it.
//!
//! # Why is no line ended after `^C`?
//! A shell that sees its child die of SIGINT does so itself, and reports `Quit` after `^\`. It does neither after an exit code, so
//! process 1 ends the line.

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, Ordering};

    use libc::c_int;
    use rustix::termios::LocalModes;

    use crate::cli::terminal;

    /// The signals by which people and supervisors end a program.
    const TERMINATION: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

    /// Faults, and what a process does to itself. Those that the guest causes never reach a handler of ours.
    const FAULTS: [c_int; 7] =
        [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];

    /// What else ends a process that has no handler for it, other than process 1.
    const OTHERS: [c_int; 6] =
        [libc::SIGALRM, libc::SIGPROF, libc::SIGUSR1, libc::SIGUSR2, libc::SIGVTALRM, libc::SIGXCPU];

    type Handler = extern "C" fn(c_int);

    /// Installs the handlers of termination signals. A signal that the parent made us ignore (`nohup`, background jobs) stays
    /// ignored.
    pub fn install() {
        TERMINATION.into_iter().for_each(|signal| handle(signal, end));
        // SAFETY: ignoring a signal has no preconditions.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    }

    /// Has whatever ends or stops the process restore the terminal. Comes before the engine installs its own handlers of faults,
    /// which pass on those that are not the guest's.
    pub fn watch_terminal() {
        FAULTS.into_iter().for_each(|signal| handle(signal, end));
        if std::process::id() != 1 {
            OTHERS.into_iter().for_each(|signal| handle(signal, end));
        }
        handle(libc::SIGTSTP, stop);
        handle(libc::SIGCONT, go_on);
        // The thread of --timeout and the panic hook exit as well. POSIX guarantees room for 32 functions, this is the only one.
        // SAFETY: the function lives forever and may be called at any time.
        unsafe { libc::atexit(terminal::leave) };
    }

    /// Installs a handler unless the signal is ignored.
    fn handle(signal: c_int, handler: Handler) {
        if !is_ignored(signal) {
            set_action(signal, handler as usize);
        }
    }

    /// Handler of what ends the process. It makes async-signal-safe calls only, as the others do.
    extern "C" fn end(signal: c_int) {
        /// A signal came before.
        static ENDING: AtomicBool = AtomicBool::new(false);
        let is_first = !ENDING.swap(true, Ordering::SeqCst);
        terminal::leave();
        // To write to a stopped terminal blocks; a second signal, of any kind and on any thread, ends that.
        if is_first && exit_status(std::process::id(), signal).is_some() && is_key(signal) {
            end_line();
        }
        die(signal)
    }

    /// Handler of SIGTSTP: stops the process with the terminal as it was found.
    extern "C" fn stop(signal: c_int) {
        terminal::pause();
        set_action(signal, libc::SIG_DFL);
        raise(signal);
        // It was continued.
        set_action(signal, stop as Handler as usize);
        terminal::resume();
    }

    /// Handler of SIGCONT, which also comes after SIGSTOP and when a background job is brought to the foreground.
    extern "C" fn go_on(_: c_int) {
        terminal::continued();
    }

    /// Ends the process by a signal, as far as the kernel lets it die of one.
    pub fn die(signal: c_int) -> ! {
        terminal::leave();
        if signal == libc::SIGQUIT {
            forbid_core_dump();
        }
        if exit_status(std::process::id(), signal).is_none() {
            set_action(signal, libc::SIG_DFL);
            raise(signal);
        }
        // SAFETY: `_exit` is async-signal-safe and takes any status.
        unsafe { libc::_exit(128 + signal) }
    }

    /// Sends a signal to the calling thread, which accepts it.
    fn raise(signal: c_int) {
        // SAFETY: the set is plain data for which zero is a valid value, and initialised before its use; the calls have no other
        // preconditions and are async-signal-safe.
        unsafe {
            let mut only = std::mem::zeroed();
            libc::sigemptyset(&raw mut only);
            libc::sigaddset(&raw mut only, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, std::ptr::null_mut());
            libc::raise(signal);
        }
    }

    /// The status with which a process ends that the kernel does not let die of a signal; `None` if it does.
    fn exit_status(process: u32, signal: c_int) -> Option<c_int> {
        (process == 1).then_some(128 + signal)
    }

    /// Returns true if a terminal sends the signal for a key, which it then shows as `^C` or `^\`.
    fn is_key(signal: c_int) -> bool {
        signal == libc::SIGINT || signal == libc::SIGQUIT
    }

    /// Goes to the next line if standard error is a terminal that shows what is typed.
    fn end_line() {
        let stderr = rustix::stdio::stderr();
        if let Ok(modes) = rustix::termios::tcgetattr(stderr)
            && modes.local_modes.contains(LocalModes::ECHO)
        {
            let _ = rustix::io::write(stderr, b"\n");
        }
    }

    /// Has the kernel write no core dump of this process.
    fn forbid_core_dump() {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit is valid as long as the call, which only lowers a limit of this process.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
        // Linux does not apply the limit to a program that receives dumps through a pipe (core(5)).
        #[cfg(target_os = "linux")]
        // SAFETY: the call changes a flag of this process and reads no memory.
        unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 0)
        };
    }

    /// Returns true if the signal is ignored.
    fn is_ignored(signal: c_int) -> bool {
        // SAFETY: the structure is plain data for which zero is a valid value, and the call only writes to it.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Sets a signal's action: a [`Handler`] of this file or `SIG_DFL`.
    fn set_action(signal: c_int, action: libc::sighandler_t) {
        // SAFETY: the structure is plain data for which zero is a valid value. The handlers have the type that those without
        // `SA_SIGINFO` have, live forever and only make async-signal-safe calls.
        unsafe {
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = action;
            // Not deferred, so that the same signal once more ends what the first one began.
            new.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
            libc::sigemptyset(&raw mut new.sa_mask);
            libc::sigaction(signal, &raw const new, std::ptr::null_mut());
        }
    }

    #[cfg(test)]
    mod tests {
        use super::exit_status;

        #[test]
        fn only_process_1_exits() {
            assert_eq!(exit_status(1, libc::SIGINT), Some(130));
            assert_eq!(exit_status(1, libc::SIGTERM), Some(143));
            assert_eq!([exit_status(2, libc::SIGINT), exit_status(u32::MAX, libc::SIGHUP)], [None; 2]);
        }
    }
}

#[cfg(unix)]
pub use unix::{die, install, watch_terminal};

/// Other systems end a process on these events by themselves.
#[cfg(not(unix))]
pub fn install() {}
