//! The host of WASI 0.2: the interfaces that components import.
//!
//! In: a [`P2Ctx`], which wraps the same [`WasiCtx`] as Preview 1 has, with the same grants and limits. Out: plain Rust
//! functions, one per function of an interface, that block where the interface does. Nothing here knows how a component passes
//! values.
//!
//! | file | its one job |
//! |---|---|
//! | [`table`] | resources of the host by number, their parents and their limit |
//! | [`io`] | `wasi:io/error` |
//! | [`poll`] | `wasi:io/poll`: pollables as recipes, the wait for several |
//! | [`input`], [`output`] | streams: sources and sinks, permits, errors |
//! | [`streams`] | `wasi:io/streams`: the functions over both |
//! | [`cli`], [`terminal`] | `wasi:cli` |
//! | `error_codes` | the macro for the error codes of an interface |
//! | [`clocks`], [`random`] | `wasi:clocks`, `wasi:random` |
//! | [`filesystem`] | `wasi:filesystem` |
//! | [`sockets`] | `wasi:sockets` |
//!
//! # Failures
//! A function of an interface can fail in two ways. Results of the interface (`result<_, stream-error>`) are values that the
//! guest handles. [`End`] ends the guest: it exits, was interrupted, or broke a rule of the interface ([`Misuse`]), which the
//! specification calls a trap.

pub mod cli;
pub mod clocks;
mod error_codes;
pub mod filesystem;
mod handles;
pub mod input;
pub mod interfaces;
pub mod io;
pub mod link;
pub mod output;
pub mod poll;
pub mod random;
pub mod sockets;
pub mod streams;
pub mod table;
pub mod terminal;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::{Exit, Fail};
use table::{Kind, Object, Own, Table, TableError};

/// A guest's grants, and the resources that it holds.
#[derive(Debug)]
pub struct P2Ctx {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: Table,
    /// Bytes of host memory in the snapshots of directories.
    pub(crate) listings: usize,
}

impl P2Ctx {
    /// Returns a context with these grants and no resources.
    pub fn new(wasi: WasiCtx) -> P2Ctx {
        P2Ctx { wasi, table: Table::default(), listings: 0 }
    }

    /// Returns the grants.
    pub fn wasi_mut(&mut self) -> &mut WasiCtx {
        &mut self.wasi
    }

    /// Returns the resources.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Drops a resource, and what only it kept: a descriptor closes its file.
    ///
    /// # Errors
    /// [`Misuse::Table`] if other resources use it.
    pub fn drop_resource<T: Kind>(&mut self, resource: Own<T>) -> Result<(), End> {
        for object in self.table.remove(resource)? {
            match object {
                Object::Descriptor(descriptor) => descriptor.close(&mut self.wasi),
                Object::OutputStream(mut stream) => stream.leave(&mut self.wasi),
                Object::DirectoryEntryStream(stream) => self.listings -= stream.size(),
                Object::TcpSocket(socket) => socket.close(&mut self.wasi),
                Object::UdpSocket(socket) => socket.close(&mut self.wasi),
                Object::ResolveAddressStream(stream) => stream.close(&mut self.wasi),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A broken rule of an interface. The guest traps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misuse {
    /// `poll` of no pollable.
    #[error("poll: the list of pollables is empty")]
    EmptyPoll,
    /// A write of more bytes than `check-write` permitted.
    #[error("{function}: {len} bytes, but check-write permitted {permitted}")]
    BeyondPermit {
        /// Name of the function.
        function: &'static str,
        /// Number of bytes to write.
        len: u64,
        /// Number of bytes permitted.
        permitted: u64,
    },
    /// A longer list than the function takes.
    #[error("{function}: {len} bytes, but at most {limit} are allowed")]
    TooLong {
        /// Name of the function.
        function: &'static str,
        /// Number of bytes.
        len: u64,
        /// Largest number of bytes.
        limit: u64,
    },
    /// New streams of a UDP socket whose old ones have not been dropped.
    #[error("stream: datagram streams of an earlier call have not been dropped")]
    StreamsInUse,
    /// More datagrams than `check-send` permitted.
    #[error("send: {len} datagrams, but check-send permitted {permitted}")]
    UnpermittedSend {
        /// Number of datagrams to send.
        len: usize,
        /// Number of datagrams permitted.
        permitted: usize,
    },
    /// A resource was used wrongly.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The host failed in a way for which the interface has no error.
    #[error("{function}: {errno}")]
    Host {
        /// Name of the function.
        function: &'static str,
        /// The host's error.
        errno: Errno,
    },
}

/// The end of the guest in a host function.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum End {
    /// The guest exits with this code.
    #[error("exit with code {0}")]
    Exit(u32),
    /// The embedder interrupted the guest.
    #[error("interrupted")]
    Interrupted,
    /// The guest traps.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl End {
    /// Returns the end of a call whose interface has no error. Only a wait fails like this.
    pub(crate) fn without_errno(fail: Fail) -> End {
        match fail {
            Fail::Exit(exit) => exit.into(),
            Fail::Errno(errno) => Misuse::Host { function: "poll", errno }.into(),
        }
    }
}

impl From<TableError> for End {
    fn from(error: TableError) -> End {
        End::Misuse(error.into())
    }
}

impl From<Exit> for End {
    fn from(exit: Exit) -> End {
        match exit {
            Exit::Code(code) => End::Exit(code),
            // The context of a component is not shared, so no call is deferred, and nothing here reads a guest's memory.
            Exit::Interrupted | Exit::Deferred | Exit::Memory(_) => End::Interrupted,
        }
    }
}
