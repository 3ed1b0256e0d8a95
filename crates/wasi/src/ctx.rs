//! What one guest may reach: its context, and the builder that grants it.
//!
//! In: what the embedder chose. Out: a [`WasiCtx`], the only source of authority of every call.
//!
//! Invariant: deny by default. A context from a fresh builder has no arguments, no variables, three closed streams, no
//! directory and no socket. This file, [`crate::stdio`] and `inherit` are where host authority enters; sockets are opened by
//! the embedder, directories too unless it names them by path.

use std::borrow::Borrow;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use thiserror::Error;
use wasmr_core::limits::{DEFAULT_MAX_FDS, MAX_ARGS_ENV};
use wasmr_runtime::InterruptHandle;

use crate::fd_table::{Descriptor, FdTable, Object, Taken};
use crate::names::Names;
use crate::random::Random;
use crate::rights;
use crate::stdio::{Input, Stdin, Stdout};

/// Why a context could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A string cannot be passed on because the guest would see it end early.
    #[error("{what} `{text}` contains a NUL byte")]
    Nul {
        /// Which kind of string.
        what: &'static str,
        /// The string, for people.
        text: String,
    },
    /// A variable without a name, or with `=` in it.
    #[error("`{0}` cannot be the name of an environment variable")]
    VariableName(String),
    /// A directory without a guest path.
    #[error("a directory needs a path by which the guest knows it")]
    EmptyGuestPath,
    /// Too many bytes of arguments and environment.
    #[error("arguments and environment take {0} bytes, more than the {MAX_ARGS_ENV} allowed")]
    TooManyStrings(usize),
    /// A listener could not be made ready.
    #[error("a listening socket cannot be used")]
    Listener(#[source] std::io::Error),
    /// More directories and sockets than descriptors.
    #[error("standard streams, directories and sockets need {wanted} descriptors, but the limit is {limit}")]
    TooManyFds {
        /// How many the grants need.
        wanted: usize,
        /// How many there may be.
        limit: u32,
    },
}

/// A list of strings as the guest gets it: one buffer, each string terminated by NUL.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// All strings, each with its terminator.
    pub bytes: Vec<u8>,
    /// Where each string starts.
    pub starts: Vec<u32>,
}

impl Strings {
    fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len() as u32);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }
}

/// The state of one guest's WASI: what it was granted and what it has opened.
#[derive(Debug)]
pub struct WasiCtx {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    pub(crate) fds: FdTable,
    pub(crate) interrupt: Option<InterruptHandle>,
    pub(crate) random: Random,
    /// The resolutions of the clocks, which do not change, in nanoseconds: those that the guest asked for.
    pub(crate) resolutions: [Option<u64>; 4],
    /// Bytes that the guest may still write to standard output and error; `None` is no limit.
    pub(crate) output_left: Option<u64>,
}

impl WasiCtx {
    /// A builder that grants nothing yet.
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// What ends the guest's waits. Calls that come through a [`Linker`](wasmr_runtime::Linker) set it to the handle of
    /// their store.
    pub fn set_interrupt_handle(&mut self, handle: Option<InterruptHandle>) {
        self.interrupt = handle;
    }
}

/// A directory to grant.
#[derive(Debug)]
struct Grant {
    directory: cap_std::fs::Dir,
    guest: String,
    read_only: bool,
}

/// Collects grants and limits.
///
/// # Examples
/// ```
/// use wasmr::wasi::{OutputBuffer, Stdout, WasiCtx};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let data = std::env::temp_dir();
/// let output = OutputBuffer::new(1 << 20);
/// let ctx = WasiCtx::builder()
///     .args(["tool", "--verbose"])
///     .envs([("LANG", "C"), ("TZ", "UTC")])
///     .stdout(Stdout::Buffer(output.clone()))
///     .preopened_dir(data, "/data", true)?
///     .max_fds(100)
///     .build()?;
/// # drop(ctx);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WasiCtxBuilder {
    args: Vec<Vec<u8>>,
    env: Vec<(Vec<u8>, Vec<u8>)>,
    stdin: Stdin,
    stdout: Stdout,
    stderr: Stdout,
    directories: Vec<Grant>,
    listeners: Vec<TcpListener>,
    max_fds: u32,
    max_output: Option<u64>,
    random: Random,
}

impl Default for WasiCtxBuilder {
    fn default() -> Self {
        WasiCtxBuilder {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Stdin::default(),
            stdout: Stdout::default(),
            stderr: Stdout::default(),
            directories: Vec::new(),
            listeners: Vec::new(),
            max_fds: DEFAULT_MAX_FDS,
            max_output: None,
            random: Random::default(),
        }
    }
}

impl WasiCtxBuilder {
    /// Appends an argument; the first is the program's name.
    pub fn arg(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.args.push(arg.as_ref().to_vec());
        self
    }

    /// Appends arguments.
    pub fn args<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_vec()));
        self
    }

    /// Appends an environment variable. A name given twice is passed twice.
    pub fn env(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.env.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Appends environment variables: pairs of a name and a value, or references to such.
    pub fn envs<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        variables: impl IntoIterator<Item: Borrow<(N, V)>>,
    ) -> &mut Self {
        for variable in variables {
            let (name, value) = variable.borrow();
            self.env(name, value);
        }
        self
    }

    /// Chooses standard input.
    pub fn stdin(&mut self, stdin: Stdin) -> &mut Self {
        self.stdin = stdin;
        self
    }

    /// Chooses standard output.
    pub fn stdout(&mut self, stdout: Stdout) -> &mut Self {
        self.stdout = stdout;
        self
    }

    /// Chooses standard error.
    pub fn stderr(&mut self, stderr: Stdout) -> &mut Self {
        self.stderr = stderr;
        self
    }

    /// Gives the guest this process's own three streams.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.stdin(Stdin::Inherit).stdout(Stdout::Inherit).stderr(Stdout::Inherit)
    }

    /// Grants all below `directory`, which the guest knows as `guest`. With `read_only` every change is `ROFS`.
    pub fn dir(&mut self, directory: cap_std::fs::Dir, guest: impl Into<String>, read_only: bool) -> &mut Self {
        self.directories.push(Grant { directory, guest: guest.into(), read_only });
        self
    }

    /// Grants accepting connections on `listener`.
    pub fn listener(&mut self, listener: TcpListener) -> &mut Self {
        self.listeners.push(listener);
        self
    }

    /// Takes random bytes from `source` instead of a generator that the host seeds, for runs that can be repeated.
    ///
    /// # Examples
    /// ```
    /// # use wasmr_wasi::WasiCtx;
    /// let mut next = 0u8;
    /// let mut builder = WasiCtx::builder();
    /// builder.random(move |bytes| bytes.fill_with(|| {
    ///     next = next.wrapping_add(1);
    ///     next
    /// }));
    /// ```
    pub fn random(&mut self, source: impl FnMut(&mut [u8]) + Send + Sync + 'static) -> &mut Self {
        self.random = Random::Source(Box::new(source));
        self
    }

    /// Limits the descriptors that the guest holds at once, standard streams and grants included; their numbers stay below
    /// the limit. One more is `MFILE`. At first [`DEFAULT_MAX_FDS`]. The `/` that [`build`](Self::build) may add raises it by one.
    pub fn max_fds(&mut self, max_fds: u32) -> &mut Self {
        self.max_fds = max_fds;
        self
    }

    /// Limits the bytes written to standard output and error together; more is `NOSPC`. No limit at first.
    pub fn max_output(&mut self, max_output: u64) -> &mut Self {
        self.max_output = Some(max_output);
        self
    }

    /// Builds the context, and leaves the builder as fresh as at first. Descriptors 0 to 2 are the streams, directories follow
    /// from 3 in the order they were granted, then listeners: guests look for directories from 3 up to the first number that
    /// is none.
    ///
    /// If no directory is granted as `/` or `.`, and no listener, one more follows the last: `/`, with the names of the others in
    /// it, so that guests can list it. If there is only one other, paths below `/` that do not begin with its name continue in it.
    pub fn build(&mut self) -> Result<WasiCtx, BuildError> {
        std::mem::take(self).into_ctx()
    }

    fn into_ctx(self) -> Result<WasiCtx, BuildError> {
        let wanted = 3 + self.directories.len() + self.listeners.len();
        if wanted > self.max_fds as usize {
            return Err(BuildError::TooManyFds { wanted, limit: self.max_fds });
        }

        let mut args = Strings::default();
        for arg in &self.args {
            no_nul("argument", arg)?;
            args.push(&[arg]);
        }
        let mut env = Strings::default();
        for (name, value) in &self.env {
            no_nul("environment variable", name)?;
            no_nul("value", value)?;
            if name.is_empty() || name.contains(&b'=') {
                return Err(BuildError::VariableName(String::from_utf8_lossy(name).into_owned()));
            }
            env.push(&[name, b"=", value]);
        }
        let bytes = args.bytes.len() + env.bytes.len();
        if bytes > MAX_ARGS_ENV {
            return Err(BuildError::TooManyStrings(bytes));
        }

        // A listener keeps the number behind the last directory, where guests end their search for directories.
        let granted = self.directories.iter().map(|grant| &*grant.guest);
        let root = if self.listeners.is_empty() { Names::root(granted) } else { None };
        let mut fds = FdTable::new(self.max_fds.saturating_add(u32::from(root.is_some())));
        fds.push_standard(match self.stdin {
            Stdin::Closed => None,
            Stdin::Inherit => Descriptor::inherit(rustix::stdio::stdin(), rights::FD_READ),
            Stdin::Bytes(bytes) => Some(Descriptor::internal(Object::Input(Input::new(bytes)), rights::FD_READ)),
        });
        for (stream, fd) in [(self.stdout, rustix::stdio::stdout()), (self.stderr, rustix::stdio::stderr())] {
            let descriptor = match stream {
                Stdout::Closed => None,
                Stdout::Inherit => Descriptor::inherit(fd, rights::FD_WRITE),
                Stdout::Discard => Some(Descriptor::internal(Object::Discard, rights::FD_WRITE)),
                Stdout::Buffer(buffer) => Some(Descriptor::internal(Object::Output(buffer), rights::FD_WRITE)),
            };
            fds.push_standard(descriptor.map(|descriptor| Descriptor { metered: true, ..descriptor }));
        }
        let full = |_| BuildError::TooManyFds { wanted, limit: self.max_fds };
        for Grant { directory, guest, read_only } in self.directories {
            no_nul("guest path", guest.as_bytes())?;
            if guest.is_empty() {
                return Err(BuildError::EmptyGuestPath);
            }
            let descriptor = Descriptor::preopen(directory.into_std_file(), guest.into_boxed_str(), read_only);
            fds.insert(descriptor).map_err(full)?;
        }
        if let Some(root) = root {
            let object = Object::Names(root);
            let root = Descriptor::directory(object, rights::DIRECTORY, rights::ALL, Taken::default());
            fds.insert(root).map_err(full)?;
        }
        for listener in self.listeners {
            listener.set_nonblocking(true).map_err(BuildError::Listener)?;
            fds.insert(Descriptor::listener(OwnedFd::from(listener))).map_err(full)?;
        }
        Ok(WasiCtx {
            args,
            env,
            fds,
            interrupt: None,
            random: self.random,
            resolutions: [None; 4],
            output_left: self.max_output,
        })
    }
}

/// Refuses a string that holds the terminator.
fn no_nul(what: &'static str, text: &[u8]) -> Result<(), BuildError> {
    if text.contains(&0) {
        return Err(BuildError::Nul { what, text: String::from_utf8_lossy(text).escape_debug().to_string() });
    }
    Ok(())
}
