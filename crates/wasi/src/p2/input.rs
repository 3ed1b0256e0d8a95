//! [`InputStream`]: bytes from a standard stream, a file or a connection.
//!
//! In: a `Source`. Out: bytes that are there, or the reason why there will be none.
//!
//! Invariants:
//!
//! - A read takes no more from the source than the guest gets: nothing is read ahead, so that another program can go on reading
//!   the same standard input.
//! - A read allocates at most [`MAX_READ`] bytes, whatever number the guest passes.
//! - After the end, or an error, every operation says `closed`.
//! - A stream of a file has its own offset and leaves that of the descriptor alone.

use rustix::event::PollFlags;

use super::End;
use super::io::{IoError, Origin};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Kind, Object};
use crate::host::io::{self, Patience, Room};
use crate::interest::{Interest, wait_for};
use crate::rights;

/// Largest number of bytes that one read returns.
pub const MAX_READ: usize = 64 << 10;

/// The reason why an operation on a stream did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The stream has ended.
    Closed,
    /// The operation failed; the stream is closed from now on.
    Failed(IoError),
    /// The guest ends.
    End(End),
}

impl From<End> for Broken {
    fn from(end: End) -> Broken {
        Broken::End(end)
    }
}

impl Broken {
    /// Returns the reason for a failure of the host, of an operation that messages call `action`.
    pub(crate) fn of(fail: Fail, action: &'static str, origin: Origin) -> Broken {
        match fail {
            Fail::Errno(errno) => Broken::Failed(IoError { errno, origin, action }),
            Fail::Exit(exit) => Broken::End(exit.into()),
        }
    }
}

/// The origin of a stream's bytes.
#[derive(Debug)]
pub(crate) enum Source {
    /// A descriptor that is read at its own position: a standard stream, a pipe.
    Fd(u32),
    /// A file that is read at the stream's offset.
    File { fd: u32, offset: u64 },
    /// A connection.
    Socket(u32),
}

impl Source {
    /// Reads without waiting. Returns 0 at the end.
    fn read(&mut self, ctx: &mut WasiCtx, room: &mut Room) -> Result<usize, Fail> {
        match self {
            Source::Fd(fd) | Source::Socket(fd) => io::read(ctx, *fd, Patience::None, room),
            Source::File { fd, offset } => {
                let read = io::read_at(ctx, *fd, *offset, room)?;
                *offset += read as u64;
                Ok(read)
            }
        }
    }

    fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        match self {
            Source::Fd(fd) | Source::Socket(fd) => fd_interest(ctx, *fd, PollFlags::IN),
            Source::File { .. } => Interest::Ready,
        }
    }

    fn origin(&self) -> Origin {
        match self {
            Source::Fd(_) | Source::File { .. } => Origin::File,
            Source::Socket(_) => Origin::Network,
        }
    }
}

/// Returns the interest in a descriptor's readiness. Regular files and streams within this process are always ready.
pub(crate) fn fd_interest(ctx: &WasiCtx, fd: u32, wanted: PollFlags) -> Interest<'_> {
    use std::os::fd::AsFd as _;
    match ctx.fds.get(fd).map(|descriptor| &descriptor.object) {
        Ok(Object::Host(file)) if file.kind != Kind::File => Interest::Fd(file.fd.as_fd(), wanted),
        _ => Interest::Ready,
    }
}

/// An `input-stream`.
#[derive(Debug)]
pub struct InputStream {
    source: Source,
    is_closed: bool,
}

impl InputStream {
    pub(crate) fn new(source: Source) -> InputStream {
        InputStream { source, is_closed: false }
    }

    /// Returns true if the bytes come from this socket.
    pub(crate) fn is_of_socket(&self, fd: u32) -> bool {
        matches!(self.source, Source::Socket(number) if number == fd)
    }

    /// Ends the stream: what has not been read is lost.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns a stream of standard input, which is closed if the embedder left that closed.
    pub(crate) fn standard(ctx: &WasiCtx) -> InputStream {
        let is_open = ctx.fds.get(0).is_ok_and(|descriptor| descriptor.require(rights::FD_READ).is_ok());
        InputStream { source: Source::Fd(0), is_closed: !is_open }
    }

    /// Reads up to `len` bytes that are there now. Returns none if there are none yet.
    pub(crate) fn read(&mut self, ctx: &mut WasiCtx, len: u64) -> Result<Vec<u8>, Broken> {
        if self.is_closed {
            return Err(Broken::Closed);
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(MAX_READ);
        if len == 0 {
            return Ok(Vec::new());
        }
        let mut room = Room::new(len);
        match self.source.read(ctx, &mut room) {
            Ok(0) => {
                self.is_closed = true;
                Err(Broken::Closed)
            }
            Ok(_) => Ok(room.into_bytes()),
            Err(Fail::Errno(Errno::Again)) => Ok(Vec::new()),
            Err(fail) => {
                self.is_closed = true;
                Err(Broken::of(fail, "read from", self.source.origin()))
            }
        }
    }

    /// Reads up to `len` bytes, after a wait for the first.
    pub(crate) fn blocking_read(&mut self, ctx: &mut WasiCtx, len: u64) -> Result<Vec<u8>, Broken> {
        if len == 0 {
            self.wait(ctx)?;
            return self.read(ctx, 0);
        }
        loop {
            let bytes = self.read(ctx, len)?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            self.wait(ctx)?;
        }
    }

    /// Waits until the stream can be read, or has ended.
    pub(crate) fn wait(&self, ctx: &WasiCtx) -> Result<(), End> {
        wait_for(&ctx.waits, self.interest(ctx)).map_err(End::without_errno)
    }

    /// Returns the interest in bytes, or in the end.
    pub(crate) fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        if self.is_closed { Interest::Ready } else { self.source.interest(ctx) }
    }
}
