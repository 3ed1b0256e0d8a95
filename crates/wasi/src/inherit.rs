//! What a context takes over from the process that makes it: directories by path, variables, arguments.
//!
//! In: calls of the builder's methods. Out: the same grants as by [`WasiCtxBuilder::dir`], [`env`](WasiCtxBuilder::env) and
//! [`arg`](WasiCtxBuilder::arg). Nothing here happens unless the embedder calls it by name.
//!
//! # Why here?
//! Whoever holds a [`Dir`](cap_std::fs::Dir) can do without this file. But an embedder names a directory by its path, as
//! everywhere else in Rust, and then this is the place that uses the process's authority, so that the rest of the crate has none.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::ctx::WasiCtxBuilder;

impl WasiCtxBuilder {
    /// Grants all below the directory at `path`, which the guest knows as `guest`. With `read_only` every change is `ROFS`.
    ///
    /// # Errors
    /// The directory cannot be opened. The message names it.
    pub fn preopened_dir(
        &mut self,
        path: impl AsRef<Path>,
        guest: impl Into<String>,
        read_only: bool,
    ) -> io::Result<&mut Self> {
        let path = path.as_ref();
        let directory = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot grant the directory `{}`: {error}", path.display()))
        })?;
        Ok(self.dir(directory, guest, read_only))
    }

    /// Passes on all environment variables of this process.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            // Some systems have names that begin with `=`, which a guest could not take apart.
            if !name.contains(&b'=') {
                self.env(name, value);
            }
        }
        self
    }

    /// Passes on all arguments of this process, the program's name included.
    pub fn inherit_args(&mut self) -> &mut Self {
        for arg in std::env::args_os() {
            self.arg(arg.as_bytes());
        }
        self
    }
}
