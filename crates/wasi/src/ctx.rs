//! The context of one guest: its grants and its state, and the builder that makes it.
//!
//! In: the embedder's choices. Out: a [`WasiCtx`], the only source of authority of every call.
//!
//! Invariant: deny by default. A context from a fresh builder has no arguments, no variables, three closed streams, no
//! directory and no socket. Host authority enters only here, in [`crate::stdio`] and in `inherit`. The embedder opens sockets
//! itself, and directories too unless it names them by path.

use std::borrow::Borrow;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use thiserror::Error;
use wasmr_core::limits::{DEFAULT_MAX_FDS, MAX_ARGS_ENV};
use wasmr_runtime::InterruptHandle;

use crate::fd_table::{Descriptor, FdTable, Object, Revoked};
#[cfg(feature = "component")]
use crate::network::NetworkGrants;
use crate::random::Random;
use crate::rights;
use crate::stdio::{Input, Stdin, Stdout};
use crate::virtual_dir::VirtualDir;
use crate::wait::Waits;

/// The reason why a context could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A string contains NUL, so the guest would see it end early.
    #[error("{what} `{text}` contains a NUL byte")]
    Nul {
        /// Kind of string.
        what: &'static str,
        /// The string, for messages.
        text: String,
    },
    /// A variable has no name, or a name with `=` in it.
    #[error("`{0}` cannot be the name of an environment variable")]
    VariableName(String),
    /// A directory has no guest path.
    #[error("a directory is granted under an empty guest path")]
    EmptyGuestPath,
    /// Arguments and environment have too many bytes.
    #[error("arguments and environment take {0} bytes, but the limit is {MAX_ARGS_ENV}")]
    TooManyStrings(usize),
    /// A listener could not be made non-blocking.
    #[error("cannot make a listening socket non-blocking")]
    Listener(#[source] std::io::Error),
    /// Streams, directories and sockets exceed the limit on descriptors.
    #[error("standard streams, directories and sockets need {wanted} descriptors, but the limit is {limit}")]
    TooManyFds {
        /// Number of descriptors that the grants need.
        wanted: usize,
        /// Limit on descriptors.
        limit: u32,
    },
}

/// A list of strings in the guest's layout: one buffer, each string terminated by NUL.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// All strings, each with its terminator.
    pub bytes: Vec<u8>,
    /// Offset of each string in `bytes`.
    pub starts: Vec<u32>,
}

impl Strings {
    /// Returns the strings, without their terminators.
    #[cfg(feature = "component")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.starts.iter().skip(1).map(|start| *start as usize).chain([self.bytes.len()]);
        self.starts.iter().zip(ends).map(|(start, end)| &self.bytes[*start as usize..end - 1])
    }

    fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len() as u32);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }
}

/// A guest's grants and the descriptors that it has opened.
#[derive(Debug)]
pub struct WasiCtx {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    pub(crate) fds: FdTable,
    pub(crate) waits: Waits,
    pub(crate) random: Random,
    /// Resolution of each clock in nanoseconds, kept from the guest's first question because it never changes.
    pub(crate) resolutions: [Option<u64>; 4],
    /// Bytes that the guest may still write to standard output and error together; `None` if there is no limit.
    pub(crate) output_left: Option<u64>,
    #[cfg(feature = "component")]
    pub(crate) network: NetworkGrants,
}

impl WasiCtx {
    /// Returns a builder without grants.
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// Sets the handle that ends the guest's waits. Calls through a [`Linker`](wasmr_runtime::Linker) set it to the handle of
    /// their store.
    pub fn set_interrupt_handle(&mut self, handle: Option<InterruptHandle>) {
        self.waits = Waits::until(handle);
    }
}

/// A directory to grant.
#[derive(Debug)]
struct Grant {
    directory: cap_std::fs::Dir,
    guest: String,
    read_only: bool,
}

/// Builder of a [`WasiCtx`]: grants and limits.
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
    #[cfg(feature = "component")]
    pub(crate) network: NetworkGrants,
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
            #[cfg(feature = "component")]
            network: NetworkGrants::default(),
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

    /// Appends an environment variable. If a name is given twice, the guest gets both variables.
    pub fn env(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.env.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Appends environment variables, as pairs of name and value or references to pairs.
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

    /// Connects the guest to this process's own three streams.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.stdin(Stdin::Inherit).stdout(Stdout::Inherit).stderr(Stdout::Inherit)
    }

    /// Grants `directory` and everything below it. Its guest path is `guest`. With `read_only`, every change fails with
    /// `ROFS`.
    pub fn dir(&mut self, directory: cap_std::fs::Dir, guest: impl Into<String>, read_only: bool) -> &mut Self {
        self.directories.push(Grant { directory, guest: guest.into(), read_only });
        self
    }

    /// Grants the guest to accept connections on `listener`.
    pub fn listener(&mut self, listener: TcpListener) -> &mut Self {
        self.listeners.push(listener);
        self
    }

    /// Takes random bytes from `source` instead of a generator that the host seeds, for reproducible runs.
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

    /// Limits the number of descriptors that the guest holds at once, including standard streams and grants. All descriptor
    /// numbers stay below the limit. Opening one more fails with `MFILE`. Default: [`DEFAULT_MAX_FDS`]. If
    /// [`build`](Self::build) adds a root directory, the limit is one higher.
    pub fn max_fds(&mut self, max_fds: u32) -> &mut Self {
        self.max_fds = max_fds;
        self
    }

    /// Limits the number of bytes written to standard output and error together. Writing more fails with `NOSPC`. Default: no
    /// limit.
    pub fn max_output(&mut self, max_output: u64) -> &mut Self {
        self.max_output = Some(max_output);
        self
    }

    /// Builds the context and resets the builder to its defaults.
    ///
    /// Descriptors 0 to 2 are the streams. Directories follow from 3 in the order of their grants, then listeners. Guests
    /// search for granted directories from 3 upward and stop at the first descriptor that is not one.
    ///
    /// If directories but no listener are granted, and none as `/` or `.`, one more directory follows the last: `/`. It holds
    /// the guest paths of the grants, so that guests can list them. If only one directory is granted, paths below `/` that do
    /// not begin with its guest path continue in it.
    ///
    /// # Errors
    /// [`BuildError`] for a string that cannot be passed to the guest, or for grants beyond a limit.
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

        // The root takes the number after the last granted directory, at which a guest's search for directories would end
        // otherwise. A listener has that number already, so there is no root beside listeners.
        let granted = self.directories.iter().map(|grant| &*grant.guest);
        let root = if self.listeners.is_empty() { VirtualDir::root(granted) } else { None };
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
            fds.push_standard(descriptor.map(|descriptor| Descriptor { output_limited: true, ..descriptor }));
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
            let object = Object::Virtual(root);
            let root = Descriptor::directory(object, rights::DIRECTORY, rights::ALL, Revoked::default());
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
            waits: Waits::default(),
            random: self.random,
            resolutions: [None; 4],
            output_left: self.max_output,
            #[cfg(feature = "component")]
            network: self.network,
        })
    }
}

/// Fails for a string that contains NUL.
fn no_nul(what: &'static str, text: &[u8]) -> Result<(), BuildError> {
    if text.contains(&0) {
        return Err(BuildError::Nul { what, text: String::from_utf8_lossy(text).escape_debug().to_string() });
    }
    Ok(())
}
