//! Runs the binary as a user would, with a deadline, and reports its end.
//!
//! In: arguments, standard input, directories of the test. Out: an [`Outcome`], or a [`Terminal`] to talk to. A run that does
//! not end within [`DEADLINE`] is killed and fails its test, so that a hang is a failure and not a stuck CI job.
//!
//! If the tests run under `nohup` or as a background job, some signals are ignored. A run resets them to their default action.
//! The code for that is `unsafe`, because it runs between `fork` and `exec`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit};

use crate::default_signals;
use crate::terminal::{self, Modes, Terminal};
use crate::tiers::{NO_CACHE, Tier};

/// Time after which a run counts as hanging. It is generous, because tests share slow machines.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// True if memories are guard-paged in this build. They are not with the interpreter's driver loop, in which a fault cannot
/// become a trap.
pub const GUARDS_MEMORIES: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"))
    && !matches!(option_env!("WASMR_DISPATCH"), Some(dispatch) if matches!(dispatch.as_bytes(), b"loop"));

/// The binary under test.
pub const WASMR: &str = env!("CARGO_BIN_EXE_wasmr");

/// Returns the path of a guest in `tests/guests/`.
pub fn guest(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests").join(name);
    assert!(path.is_file(), "{} does not exist", path.display());
    path
}

/// A directory for one test, removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Makes a directory and returns its path.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, the files stay below target/.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command to run: its arguments, environment and standard input.
pub struct Run {
    command: Command,
    stdin: Vec<u8>,
}

impl Run {
    /// Returns the command `wasmr run` with the options of a configuration, without module and arguments.
    pub fn on(tier: Tier) -> Run {
        Run::bare().word("run").tier(tier)
    }

    /// Returns the command `wasmr` without arguments.
    pub fn bare() -> Run {
        Run::of(WASMR)
    }

    /// Returns another command, such as a shell that starts the binary.
    pub fn of(program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(program);
        command.env_remove("WASMR_LOG").env_remove("RUST_BACKTRACE").env("WASMR_CACHE_DIR", NO_CACHE);
        Run { command, stdin: Vec::new() }
    }

    /// Adds the options of a configuration, and sets its cache.
    pub fn tier(self, tier: Tier) -> Run {
        self.words(tier.0).env("WASMR_CACHE_DIR", tier.1)
    }

    pub fn word(mut self, word: impl AsRef<OsStr>) -> Run {
        self.command.arg(word);
        self
    }

    pub fn words<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Run {
        self.command.args(words);
        self
    }

    /// Adds `--dir HOST::GUEST`.
    pub fn dir(self, host: &Path, guest: &str) -> Run {
        let mut spec = OsString::from(host);
        spec.push("::");
        spec.push(guest);
        self.word("--dir").word(spec)
    }

    pub fn guest(self, name: &str) -> Run {
        self.word(guest(name))
    }

    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    pub fn current_dir(mut self, dir: &Path) -> Run {
        self.command.current_dir(dir);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Run {
        self.stdin = bytes.into();
        self
    }

    /// Runs the command to its end.
    #[track_caller]
    pub fn end(self) -> Outcome {
        let stdin = self.stdin.clone();
        let mut running = self.start();
        let mut pipe = running.child.stdin.take().unwrap();
        // A guest may end without reading its input, so a broken pipe is no failure.
        std::thread::spawn(move || {
            let _ = pipe.write_all(&stdin);
        });
        running.end()
    }

    /// Starts the command with pipes on all three streams. Standard input stays open.
    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn()
    }

    /// Starts the command with this standard output and an empty standard input.
    #[track_caller]
    pub fn start_with_stdout(mut self, stdout: Stdio) -> Running {
        self.command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        self.spawn()
    }

    /// Starts the command on a new terminal, which is all three streams.
    #[track_caller]
    pub fn start_on_terminal(mut self) -> Terminal {
        let (control, end) = terminal::open();
        let stream = || Stdio::from(end.try_clone().unwrap());
        self.command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: after `fork`, the closure must neither take a lock nor allocate. It only makes two system calls.
        unsafe {
            self.command.pre_exec(|| {
                rustix::process::setsid()?;
                Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
            })
        };
        let modes = Modes::of(&end);
        Terminal::new(control, end, modes, self.spawn())
    }

    #[track_caller]
    fn spawn(mut self) -> Running {
        default_signals::restore(&mut self.command);
        // SAFETY: after `fork`, the closure must neither take a lock nor allocate. It only makes system calls.
        unsafe {
            self.command.pre_exec(|| {
                // Tests of core dumps raise the limit again.
                let limit = rustix::process::getrlimit(Resource::Core);
                Ok(rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit })?)
            })
        };
        let shown = format!("{:?}", self.command);
        let begin = Instant::now();
        let child = self.command.spawn().unwrap_or_else(|e| panic!("{shown}: {e}"));
        Running { child, begin, shown }
    }
}

/// A process that has started.
pub struct Running {
    pub child: Child,
    begin: Instant,
    shown: String,
}

impl Running {
    /// Reads standard output up to and including `text`, and no further.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str) {
        let mut seen = Vec::new();
        let mut byte = [0];
        let pipe = self.child.stdout.as_mut().unwrap();
        while !seen.ends_with(text.as_bytes()) {
            match pipe.read(&mut byte) {
                Ok(1) => seen.push(byte[0]),
                _ => panic!("{}: ended before it printed {text:?}: {:?}", self.shown, String::from_utf8_lossy(&seen)),
            }
        }
    }

    /// Sends a signal by name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end and collects the output that was not read yet.
    #[track_caller]
    pub fn end(mut self) -> Outcome {
        let stdout = drain(self.child.stdout.take());
        let stderr = drain(self.child.stderr.take());
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.begin.elapsed() > DEADLINE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("{}: still running after {DEADLINE:?}", self.shown);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Outcome {
            status,
            took: self.begin.elapsed(),
            stdout: String::from_utf8_lossy(&stdout.join().unwrap()).into_owned(),
            stderr: String::from_utf8_lossy(&stderr.join().unwrap()).into_owned(),
            shown: self.shown,
        }
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// End of a run.
#[derive(Debug)]
pub struct Outcome {
    status: ExitStatus,
    pub took: Duration,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

impl Outcome {
    /// Returns the exit code. Fails if a signal killed the process.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed by signal {:?}\n{self:#?}", self.status.signal()))
    }

    /// Checks that a signal killed the process, without a core dump.
    #[track_caller]
    pub fn killed_by(self, signal: i32) -> Outcome {
        assert!(!self.status.core_dumped(), "{}: {self:#?}", self.status);
        self.was_killed_by(signal)
    }

    /// Checks that a signal killed the process, with or without a core dump.
    #[track_caller]
    pub fn was_killed_by(self, signal: i32) -> Outcome {
        assert_eq!(self.status.signal(), Some(signal), "{}: {self:#?}", self.status);
        self
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Outcome {
        assert_eq!(
            self.code(),
            code,
            "exit code of {}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Checks all of standard output.
    #[track_caller]
    pub fn prints(self, expected: &str) -> Outcome {
        assert_eq!(self.stdout, expected, "standard output of {}\n--- stderr\n{}", self.shown, self.stderr);
        self
    }

    /// Checks that standard error holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Outcome {
        assert!(self.stderr.contains(text), "standard error of {} lacks {text:?}:\n{}", self.shown, self.stderr);
        self
    }

    /// Checks that nothing was written to standard error.
    #[track_caller]
    pub fn quietly(self) -> Outcome {
        assert_eq!(self.stderr, "", "standard error of {}", self.shown);
        self
    }
}
