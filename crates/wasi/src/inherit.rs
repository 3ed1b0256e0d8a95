//! Grants taken over from this process: directories by path, variables, arguments.
//!
//! In: calls of the builder's methods. Out: the same grants as from [`WasiCtxBuilder::dir`], [`env`](WasiCtxBuilder::env) and
//! [`arg`](WasiCtxBuilder::arg). No grant is made unless the embedder calls one of these methods.
//!
//! # Why does this file exist?
//! An embedder with an open [`Dir`](cap_std::fs::Dir) does not need it. Most embedders name a directory by its path, as
//! elsewhere in Rust. This file alone uses the process's authority for that, so that the rest of the crate has none.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::ctx::WasiCtxBuilder;

impl WasiCtxBuilder {
    /// Grants the directory at `path` and everything below it. Its guest path is `guest`. With `read_only`, every change fails
    /// with `ROFS`.
    ///
    /// # Errors
    /// The host's error, with a text that names the directory, if the directory cannot be opened.
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

    /// Passes all environment variables of this process to the guest.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            // Some systems have names that begin with `=`. A guest could not separate such a name from its value.
            if !name.contains(&b'=') {
                self.env(name, value);
            }
        }
        self
    }

    /// Passes all arguments of this process to the guest, including the program's name.
    pub fn inherit_args(&mut self) -> &mut Self {
        for arg in std::env::args_os() {
            self.arg(arg.as_bytes());
        }
        self
    }
}
