//! A pseudo-terminal with a process on it. Tests type on it, read what it shows, and check its modes.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use rustix::pty::OpenptFlags;
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, tcgetattr};

use crate::harness::{DEADLINE, Outcome, Running};

/// Opens a terminal. Returns the user's side, and the side that processes have as their streams.
pub fn open() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let control = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&control).unwrap();
    rustix::pty::unlockpt(&control).unwrap();
    let end = rustix::pty::ioctl_tiocgptpeer(&control, flags).unwrap();
    (control, end)
}

/// A terminal's modes.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes(InputModes, OutputModes, ControlModes, LocalModes);

impl Modes {
    pub fn of(terminal: &OwnedFd) -> Modes {
        let modes = tcgetattr(terminal).unwrap();
        Modes(modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes)
    }

    /// Returns true if each key reaches the program at once, keys are not echoed, and output is still processed.
    pub fn are_raw(&self) -> bool {
        let Modes(input, output, _, local) = self;
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        !local.intersects(cooked) && !input.contains(InputModes::ICRNL) && output.contains(OutputModes::OPOST)
    }

    /// Returns true if Ctrl-C sends a signal.
    pub fn have_signals(&self) -> bool {
        self.3.contains(LocalModes::ISIG)
    }
}

/// A terminal on which a process runs.
pub struct Terminal {
    control: OwnedFd,
    /// The processes' side, kept open so that the modes outlive the process.
    end: OwnedFd,
    /// The modes before the process started.
    pub modes_before: Modes,
    pub running: Running,
    /// Everything that the terminal has shown.
    shown: String,
    /// Length of the part of `shown` that [`Terminal::sees`] has returned.
    seen: usize,
}

impl Terminal {
    pub fn new(control: OwnedFd, end: OwnedFd, modes_before: Modes, running: Running) -> Terminal {
        Terminal { control, end, modes_before, running, shown: String::new(), seen: 0 }
    }

    /// Types `text`.
    pub fn types(&self, keys: &str) {
        assert_eq!(rustix::io::write(&self.control, keys.as_bytes()).unwrap(), keys.len());
    }

    /// Waits until `text` is shown. Returns everything shown since the last call, up to and including `text`.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let unseen = &self.shown[self.seen..];
            if let Some(at) = unseen.find(text) {
                let part = unseen[..at + text.len()].to_string();
                self.seen += part.len();
                return part;
            }
            assert!(begin.elapsed() < DEADLINE, "{text:?} is not shown: {:?}", self.shown);
            self.read(Duration::from_millis(50));
        }
    }

    /// Reads output until none comes for `patience`.
    fn read(&mut self, patience: Duration) {
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        let mut buffer = [0; 4096];
        while poll(&mut [PollFd::new(&self.control, PollFlags::IN)], Some(&patience)).unwrap() == 1 {
            let count = rustix::io::read(&self.control, &mut buffer).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// Returns the side that processes have as their streams.
    pub fn end_of_processes(&self) -> &OwnedFd {
        &self.end
    }

    /// Returns the current modes.
    pub fn modes(&self) -> Modes {
        Modes::of(&self.end)
    }

    /// Waits until the modes fulfil a condition.
    #[track_caller]
    pub fn becomes(&mut self, are_such: impl Fn(&Modes) -> bool) {
        let begin = Instant::now();
        while !are_such(&self.modes()) {
            assert!(begin.elapsed() < DEADLINE, "the modes stay {:?}; shown: {:?}", self.modes(), self.shown);
            self.read(Duration::from_millis(10));
        }
    }

    /// Returns the child of the process on the terminal.
    pub fn child(&self) -> Pid {
        let parent = self.running.child.id();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        Pid::from_raw(children.trim().parse().unwrap()).unwrap()
    }

    /// Waits until the child of the process on the terminal is stopped.
    #[track_caller]
    pub fn child_stops(&mut self) {
        let begin = Instant::now();
        let file = format!("/proc/{}/stat", self.child());
        while !std::fs::read_to_string(&file).unwrap().contains(") T ") {
            assert!(begin.elapsed() < DEADLINE, "the child does not stop; shown: {:?}", self.shown);
            self.read(Duration::from_millis(10));
        }
    }

    /// Waits for the process to end. The second result is everything that the terminal has shown.
    #[track_caller]
    pub fn end(self) -> (Outcome, String) {
        let (outcome, shown, _) = self.end_with_modes();
        (outcome, shown)
    }

    /// Waits for the process to end. The third result is the terminal's modes after the end.
    #[track_caller]
    pub fn end_with_modes(mut self) -> (Outcome, String, Modes) {
        let begin = Instant::now();
        while self.running.child.try_wait().unwrap().is_none() && begin.elapsed() < DEADLINE {
            self.read(Duration::from_millis(10));
        }
        self.read(Duration::from_millis(10));
        let modes = self.modes();
        (self.running.end(), self.shown, modes)
    }
}
