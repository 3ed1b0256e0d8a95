//! Termination signals: wasmr dies of them, as a program without handlers does. Unsafe: installs signal handlers.
//!
//! A shell, `make` or `xargs` learns from the wait status of a child that a signal killed it, and stops its own work. After an exit
//! code of 130 it continues, see [Proper handling of SIGINT/SIGQUIT](https://www.cons.org/cracauer/sigint.html). wasmr installs the
//! handlers before it reads the command line, so that every command ends in the same way, whatever its threads do. No output is
//! lost: neither the guest's output nor wasmr's complete lines are buffered.
//!
//! # Why handlers at all?
//! - The kernel ignores every signal without a handler for process 1, the usual case in a container: `docker stop` would wait ten
//!   seconds and kill. There the process exits with 128 plus the signal's number.
//! - SIGQUIT writes no core dump. The dump would contain gigabytes of reserved memory and nothing useful about the guest. Faults and
//!   aborts of wasmr itself dump core as usual.
//!
//! While the terminal is raw ([`terminal`](super::terminal)), every signal that ends or stops the process restores it first.
//!
//! wasmr ignores SIGXFSZ, so that a guest whose file grows beyond the limit of `ulimit -f` gets `FBIG`, as
//! [POSIX](https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html) specifies.
//!
//! # Why does no handler end the line after `^C`?
//! A shell whose child dies of SIGINT ends the line itself, and reports `Quit` after `^\`. After an exit code it does neither, so
//! process 1 ends the line.

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, Ordering};

    use libc::c_int;
    use rustix::termios::LocalModes;

    use crate::cli::terminal;

    /// Signals with which people and supervisors end a program.
    const TERMINATION: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

    /// Faults and aborts of wasmr itself. Faults of the guest never reach these handlers.
    const FAULTS: [c_int; 7] =
        [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGSYS, libc::SIGTRAP];

    /// Other signals whose default action ends a process, except for process 1.
    const OTHERS: [c_int; 6] =
        [libc::SIGALRM, libc::SIGPROF, libc::SIGUSR1, libc::SIGUSR2, libc::SIGVTALRM, libc::SIGXCPU];

    type Handler = extern "C" fn(c_int);

    /// Installs the handlers of termination signals. A signal that the parent process set to be ignored (`nohup`, background jobs)
    /// stays ignored.
    pub fn install() {
        TERMINATION.into_iter().for_each(|signal| handle(signal, end));
        // SAFETY: `SIG_IGN` is a valid action for SIGXFSZ, and the call reads no memory.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    }

    /// Installs handlers that restore the terminal when a signal ends or stops the process. The engine installs its handlers of faults
    /// later, and they pass on faults that are not the guest's.
    pub fn watch_terminal() {
        FAULTS.into_iter().for_each(|signal| handle(signal, end));
        if std::process::id() != 1 {
            OTHERS.into_iter().for_each(|signal| handle(signal, end));
        }
        handle(libc::SIGTSTP, stop);
        handle(libc::SIGCONT, go_on);
        // The thread of --timeout and the panic hook end the process by `exit`. POSIX guarantees room for 32 functions; this is the only
        // one.
        // SAFETY: `terminal::leave` is an `extern "C" fn()` of static lifetime, and it checks by itself whether there is work.
        unsafe { libc::atexit(terminal::leave) };
    }

    /// Installs a handler unless the signal is ignored.
    fn handle(signal: c_int, handler: Handler) {
        if !is_ignored(signal) {
            set_action(signal, handler as usize);
        }
    }

    /// Handles signals that end the process. Like all handlers here, it makes only async-signal-safe calls.
    extern "C" fn end(signal: c_int) {
        /// True after the first signal.
        static ENDING: AtomicBool = AtomicBool::new(false);
        let is_first = !ENDING.swap(true, Ordering::SeqCst);
        terminal::leave();
        // A write to a stopped terminal blocks. A second signal, of any kind and on any thread, ends the process then.
        if is_first && exit_status(std::process::id(), signal).is_some() && is_key(signal) {
            end_line();
        }
        die(signal)
    }

    /// Handles SIGTSTP: restores the terminal and stops the process.
    extern "C" fn stop(signal: c_int) {
        terminal::pause();
        set_action(signal, libc::SIG_DFL);
        raise(signal);
        // The process was continued.
        set_action(signal, stop as Handler as usize);
        terminal::resume();
    }

    /// Handles SIGCONT, which also comes after SIGSTOP and when a background job is brought to the foreground.
    extern "C" fn go_on(_: c_int) {
        terminal::continued();
    }

    /// Ends the process by a signal, or by an exit code if the kernel does not let it die of the signal.
    pub fn die(signal: c_int) -> ! {
        terminal::leave();
        if signal == libc::SIGQUIT {
            forbid_core_dump();
        }
        if exit_status(std::process::id(), signal).is_none() {
            set_action(signal, libc::SIG_DFL);
            raise(signal);
        }
        // SAFETY: `_exit` is async-signal-safe, accepts any status and reads no memory.
        unsafe { libc::_exit(128 + signal) }
    }

    /// Unblocks a signal and sends it to the calling thread.
    fn raise(signal: c_int) {
        // SAFETY: the set is plain data for which zero is a valid value, and `sigemptyset` initialises it before its use. The calls have
        // no other preconditions and are async-signal-safe.
        unsafe {
            let mut only = std::mem::zeroed();
            libc::sigemptyset(&raw mut only);
            libc::sigaddset(&raw mut only, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, std::ptr::null_mut());
            libc::raise(signal);
        }
    }

    /// Returns the exit code of a process that the kernel does not let die of a signal, or `None` if the kernel does.
    fn exit_status(process: u32, signal: c_int) -> Option<c_int> {
        (process == 1).then_some(128 + signal)
    }

    /// Returns true if a terminal sends the signal for a key, which it echoes as `^C` or `^\`.
    fn is_key(signal: c_int) -> bool {
        signal == libc::SIGINT || signal == libc::SIGQUIT
    }

    /// Starts a new line if standard error is a terminal that echoes keys.
    fn end_line() {
        let stderr = rustix::stdio::stderr();
        if let Ok(modes) = rustix::termios::tcgetattr(stderr)
            && modes.local_modes.contains(LocalModes::ECHO)
        {
            let _ = rustix::io::write(stderr, b"\n");
        }
    }

    /// Disables core dumps of this process.
    fn forbid_core_dump() {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit is a local variable that outlives the call, which only reads it.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
        // Linux does not apply the limit to a program that receives dumps through a pipe (core(5)).
        #[cfg(target_os = "linux")]
        // SAFETY: with `PR_SET_DUMPABLE`, the call changes a flag of this process and reads no memory.
        unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 0)
        };
    }

    /// Returns true if the signal is ignored.
    fn is_ignored(signal: c_int) -> bool {
        // SAFETY: the structure is plain data for which zero is a valid value, and with a null action the call only writes to it.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Sets a signal's action: a [`Handler`] of this file or `SIG_DFL`.
    fn set_action(signal: c_int, action: libc::sighandler_t) {
        // SAFETY: the structure is plain data for which zero is a valid value. The handlers have the type of handlers without
        // `SA_SIGINFO`, are static functions, and make only async-signal-safe calls.
        unsafe {
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = action;
            // The signal is not deferred while its handler runs, so that a second one ends a handler that blocks.
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

/// Does nothing: other systems end a process on these events by themselves.
#[cfg(not(unix))]
pub fn install() {}
