//! `--raw-tty`: the terminal on standard input in raw mode while the guest runs.
//!
//! In: [`RawKeys`]. [`prepare`] reads the modes of the terminal and [`enter`] sets raw mode. From then on, every end of the process calls
//! [`leave`] (at exit, and in the handlers of [`signals`](super::signals)). A stop calls [`pause`] and a continuation [`resume`].
//!
//! Raw mode is the result of `cfmakeraw` (termios(3)) on the original modes, except that the terminal still processes output: a line
//! feed of the guest or of a message of wasmr starts a new line.
//!
//! # Invariants
//! - Modes change only while [`change`] holds the lock, with all signals blocked. A SIGCONT that comes together with a SIGTERM on
//!   another thread cannot make the terminal raw after [`leave`].
//! - A process in the background changes nothing, because another process uses the terminal.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::flags::RawKeys;
use super::mask;

struct Terminal {
    /// A duplicate, as the guest may close its standard input.
    fd: OwnedFd,
    found: Termios,
    raw: Termios,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// True while the terminal should be raw whenever this process is in the foreground.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Records the terminal on standard input and its modes, before the engine installs its signal handlers. Returns true if signals must
/// now restore the terminal ([`watch_terminal`](super::signals::watch_terminal)). If standard input is no terminal, nothing is recorded
/// and nothing becomes raw: pipes and files neither echo nor wait for a line.
pub fn prepare(keys: RawKeys) -> std::io::Result<bool> {
    let stdin = rustix::stdio::stdin();
    let Ok(found) = tcgetattr(stdin) else { return Ok(false) };
    let mut raw = found.clone();
    raw.make_raw();
    raw.output_modes = found.output_modes;
    if keys == RawKeys::Signals {
        raw.local_modes |= found.local_modes & LocalModes::ISIG;
    }
    let fd = stdin.try_clone_to_owned()?;
    Ok(TERMINAL.set(Terminal { fd, found, raw }).is_ok())
}

/// Sets raw mode. In the background, this process stops itself until it is brought to the foreground, as the system stops a background
/// process that sets modes ([tcsetattr](https://pubs.opengroup.org/onlinepubs/9799919799/functions/tcsetattr.html)). A job that continued
/// to run would get no notice when it comes to the foreground.
pub fn enter() {
    change(|terminal| {
        IS_WANTED.store(true, Ordering::Relaxed);
        terminal.set(&terminal.raw);
    });
    while TERMINAL.get().is_some_and(Terminal::is_in_background) && stop_job() {}
}

/// Restores the terminal for good. Async-signal-safe.
pub extern "C" fn leave() {
    change(|terminal| {
        if IS_WANTED.swap(false, Ordering::Relaxed) {
            terminal.set(&terminal.found);
        }
    });
}

/// Restores the terminal while the process is stopped. Async-signal-safe.
pub fn pause() {
    change(|terminal| {
        if IS_WANTED.load(Ordering::Relaxed) {
            terminal.set(&terminal.found);
        }
    });
}

/// Sets raw mode again after a pause. Async-signal-safe.
pub fn resume() {
    change(|terminal| {
        if IS_WANTED.load(Ordering::Relaxed) {
            terminal.set(&terminal.raw);
        }
    });
}

/// Number of times that the process was continued.
static CONTINUED: AtomicU32 = AtomicU32::new(0);

/// Stops the job until a shell continues it. Returns false if it did not stop: no shell controls it, or SIGTTOU is ignored.
fn stop_job() -> bool {
    let before = CONTINUED.load(Ordering::SeqCst);
    let is_sent = rustix::process::kill_current_process_group(rustix::process::Signal::TTOU).is_ok();
    is_sent && CONTINUED.load(Ordering::SeqCst) != before
}

/// Sets raw mode again after the process was continued. Async-signal-safe.
pub fn continued() {
    CONTINUED.fetch_add(1, Ordering::SeqCst);
    resume();
}

impl Terminal {
    /// Returns true if another process group is in the foreground. A terminal that is not the controlling one has no foreground.
    fn is_in_background(&self) -> bool {
        tcgetpgrp(&self.fd).is_ok_and(|group| group != rustix::process::getpgrp())
    }

    /// Sets the modes, unless this process is in the background.
    fn set(&self, modes: &Termios) {
        if self.is_in_background() {
            return;
        }
        // The change is immediate, because waiting for output to drain could take forever. A terminal that hung up needs no modes.
        let _ = tcsetattr(&self.fd, OptionalActions::Now, modes);
    }
}

/// Runs `work` with the terminal, one thread at a time and with all signals blocked. Does nothing if there is no terminal.
fn change(work: impl FnOnce(&Terminal)) {
    static IS_LOCKED: AtomicBool = AtomicBool::new(false);
    let Some(terminal) = TERMINAL.get() else { return };
    let mask = mask::block_all();
    // The holder of the lock makes a few system calls that do not block, and no signal interrupts it.
    while IS_LOCKED.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    work(terminal);
    IS_LOCKED.store(false, Ordering::Release);
    mask::unblock(&mask);
}
