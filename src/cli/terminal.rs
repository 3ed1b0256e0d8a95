//! `--raw-tty`: the terminal on standard input in raw mode while the guest runs.
//!
//! In: [`RawKeys`]. [`prepare`] looks at the terminal, [`enter`] makes it raw, and from then on whatever ends the process calls
//! [`leave`] (at exit, and in the handlers of [`signals`](super::signals)), whatever stops and continues it [`pause`] and [`resume`].
//!
//! Raw is what `cfmakeraw` of termios(3) makes of the modes found, except that output is still processed, so that a line feed of the
//! guest or of a message of wasmr's begins a line.
//!
//! # Invariants
//! - Modes change only while [`exclusively`] holds the lock, with all signals blocked: a SIGCONT that comes with SIGTERM, on
//!   another thread, cannot make the terminal raw after it was left.
//! - A process in the background changes nothing: the terminal is somebody else's then.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::flags::RawKeys;
use super::mask;

struct Terminal {
    /// The guest may close its standard input.
    fd: OwnedFd,
    found: Termios,
    raw: Termios,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// The terminal is to be raw while this process is in the foreground.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Notes the terminal on standard input and arranges for its modes to be restored, before the engine takes signals of its own.
/// Returns true if whatever ends or stops the process must now restore it ([`watch_terminal`](super::signals::watch_terminal)).
/// Without a terminal there nothing is noted, and nothing will be raw: pipes and files neither echo nor wait for a line.
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

/// Makes the terminal raw. In the background this process is stopped until it is brought to the foreground, as the system stops
/// one there that sets modes ([tcsetattr](https://pubs.opengroup.org/onlinepubs/9799919799/functions/tcsetattr.html)): a job that runs on
/// would not be told when it comes to the foreground.
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

/// Makes the terminal raw again after a pause. Async-signal-safe.
pub fn resume() {
    change(|terminal| {
        if IS_WANTED.load(Ordering::Relaxed) {
            terminal.set(&terminal.raw);
        }
    });
}

/// Number of times that the process was continued.
static CONTINUED: AtomicU32 = AtomicU32::new(0);

/// Stops the job until a shell continues it. Returns false if it was not stopped: no shell controls it, or SIGTTOU is ignored.
fn stop_job() -> bool {
    let before = CONTINUED.load(Ordering::SeqCst);
    let is_sent = rustix::process::kill_current_process_group(rustix::process::Signal::TTOU).is_ok();
    is_sent && CONTINUED.load(Ordering::SeqCst) != before
}

/// Makes the terminal raw again when the process was continued. Async-signal-safe.
pub fn continued() {
    CONTINUED.fetch_add(1, Ordering::SeqCst);
    resume();
}

impl Terminal {
    /// Returns true if other processes have the terminal. One that is not the controlling terminal has no foreground.
    fn is_in_background(&self) -> bool {
        tcgetpgrp(&self.fd).is_ok_and(|group| group != rustix::process::getpgrp())
    }

    /// Sets the modes, unless this process is in the background.
    fn set(&self, modes: &Termios) {
        if self.is_in_background() {
            return;
        }
        // Now, as to wait for output to drain could take for ever. A terminal that hung up needs no modes.
        let _ = tcsetattr(&self.fd, OptionalActions::Now, modes);
    }
}

/// Runs `work` with the terminal, one thread at a time and without signals; not at all if there is no terminal.
fn change(work: impl FnOnce(&Terminal)) {
    static IS_LOCKED: AtomicBool = AtomicBool::new(false);
    let Some(terminal) = TERMINAL.get() else { return };
    let mask = mask::block_all();
    // The holder makes a few system calls that do not wait, and no signal interrupts it.
    while IS_LOCKED.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    work(terminal);
    IS_LOCKED.store(false, Ordering::Release);
    mask::unblock(&mask);
}
