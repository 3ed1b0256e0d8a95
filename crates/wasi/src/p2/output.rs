//! [`OutputStream`]: bytes to a standard stream, a file or a connection.
//!
//! In: bytes of the guest, lent for the call. Out: the same bytes at the `Sink`. Bytes go to the host in the call that writes
//! them; nothing is collected. Only if the host accepts a part, the rest is *pending*: `check-write` permits nothing until it is
//! gone. `blocking-flush` waits for that, and for room for more.
//!
//! Invariants:
//!
//! - The guest writes at most as many bytes as `check-write` permitted since the last write; else it traps. So no more than
//!   [`MAX_PERMIT`] bytes are pending.
//! - A failed operation reports its error once. From then on every operation says `closed`.

use std::io::IoSlice;

use rustix::event::PollFlags;
use rustix::net::Shutdown;

use super::input::{Broken, fd_interest};
use super::io::{IoError, Origin};
use super::{End, Misuse};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Kind, Object};
use crate::host::io::{self, Patience, READY_PIPE};
use crate::host::socket;
use crate::interest::{Interest, wait_any, wait_for};
use crate::rights;

/// Largest number of bytes that `check-write` permits.
pub const MAX_PERMIT: u64 = 1 << 20;

/// Largest number of bytes that a write with a flush takes.
pub const MAX_BLOCKING_WRITE: u64 = 4096;

/// Zeros for `write-zeroes`.
static ZEROS: [u8; 4096] = [0; 4096];

/// The destination of a stream's bytes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A descriptor that is written at its own position: a standard stream, a pipe.
    Fd(u32),
    /// A file that is written at the stream's offset.
    File { fd: u32, offset: u64 },
    /// A file whose end each write extends.
    Append { fd: u32 },
    /// A connection.
    Socket(u32),
}

impl Sink {
    /// Writes without waiting. Returns the number of bytes written.
    fn write(&mut self, ctx: &mut WasiCtx, bytes: &[u8]) -> Result<usize, Fail> {
        let buffers = [IoSlice::new(bytes)];
        match self {
            Sink::Fd(fd) | Sink::Socket(fd) => io::write(ctx, *fd, Patience::None, &buffers),
            Sink::File { fd, offset } => {
                let written = io::write_at(ctx, *fd, *offset, &buffers)?;
                *offset += written as u64;
                Ok(written)
            }
            Sink::Append { fd } => Ok(io::append(ctx, *fd, &buffers)?),
        }
    }

    /// Returns the number of bytes that a write surely takes now.
    fn permit(&self, ctx: &WasiCtx) -> Result<u64, Fail> {
        match self {
            Sink::Fd(fd) => match ctx.fds.get(*fd).map(|descriptor| &descriptor.object) {
                Ok(Object::Host(file)) if file.kind != Kind::File => {
                    let is_ready = !wait_any(&ctx.waits, &[self.interest(ctx)], false)?.is_empty();
                    Ok(if is_ready { READY_PIPE as u64 } else { 0 })
                }
                _ => Ok(MAX_PERMIT),
            },
            Sink::File { .. } | Sink::Append { .. } => Ok(MAX_PERMIT),
            Sink::Socket(fd) => {
                let is_ready = !wait_any(&ctx.waits, &[self.interest(ctx)], false)?.is_empty();
                Ok(if is_ready { socket::ready_room(ctx, *fd)?.min(MAX_PERMIT) } else { 0 })
            }
        }
    }

    fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        match self {
            Sink::Fd(fd) | Sink::Socket(fd) => fd_interest(ctx, *fd, PollFlags::OUT),
            Sink::File { .. } | Sink::Append { .. } => Interest::Ready,
        }
    }

    fn origin(&self) -> Origin {
        match self {
            Sink::Fd(_) | Sink::File { .. } | Sink::Append { .. } => Origin::File,
            Sink::Socket(_) => Origin::Network,
        }
    }
}

/// State of a stream.
#[derive(Debug)]
enum State {
    Open,
    /// An operation failed that had no caller to tell: the next one does.
    Failed(IoError),
    /// The guest ended sending, and the host has not accepted all bytes yet.
    Ending,
    Closed,
}

/// An `output-stream`.
#[derive(Debug)]
pub struct OutputStream {
    sink: Sink,
    state: State,
    /// Number of bytes that may be written until the next `check-write`.
    permit: u64,
    /// Bytes that the host has not accepted yet.
    pending: Vec<u8>,
}

impl OutputStream {
    pub(crate) fn new(sink: Sink) -> OutputStream {
        OutputStream { sink, state: State::Open, permit: 0, pending: Vec::new() }
    }

    /// Returns a stream of standard output (1) or standard error (2), which is closed if the embedder left that closed.
    pub(crate) fn standard(ctx: &WasiCtx, fd: u32) -> OutputStream {
        let is_open = ctx.fds.get(fd).is_ok_and(|descriptor| descriptor.require(rights::FD_WRITE).is_ok());
        let state = if is_open { State::Open } else { State::Closed };
        OutputStream { state, ..OutputStream::new(Sink::Fd(fd)) }
    }

    /// Fails if the stream is closed, or if an earlier operation failed.
    fn check_open(&mut self) -> Result<(), Broken> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open => {
                self.state = State::Open;
                Ok(())
            }
            State::Failed(error) => Err(Broken::Failed(error)),
            State::Ending => {
                self.state = State::Ending;
                Err(Broken::Closed)
            }
            State::Closed => Err(Broken::Closed),
        }
    }

    /// Closes the stream after a failure of the host.
    fn broken(&mut self, fail: Fail) -> Broken {
        let broken = Broken::of(fail, "write to", self.sink.origin());
        if let Broken::Failed(_) = broken {
            self.state = State::Closed;
            self.pending = Vec::new();
        }
        broken
    }

    /// Writes what the host accepts of the pending bytes. Returns true if none are left.
    fn drain(&mut self, ctx: &mut WasiCtx) -> Result<bool, Broken> {
        while !self.pending.is_empty() {
            match self.sink.write(ctx, &self.pending) {
                // A host that takes nothing, and has no error either, would be asked for ever.
                Ok(0) => return Err(self.broken(Errno::Io.into())),
                Ok(written) => drop(self.pending.drain(..written)),
                Err(Fail::Errno(Errno::Again)) => return Ok(false),
                Err(fail) => return Err(self.broken(fail)),
            }
        }
        if let (State::Ending, Sink::Socket(fd)) = (&self.state, &self.sink) {
            socket::end(ctx, *fd, Shutdown::Write);
            self.state = State::Closed;
        }
        Ok(true)
    }

    /// Returns true if the bytes go to this socket.
    pub(crate) fn is_of_socket(&self, fd: u32) -> bool {
        matches!(self.sink, Sink::Socket(number) if number == fd)
    }

    /// Ends sending on a connection, as soon as the host has accepted all bytes.
    pub(crate) fn end(&mut self, ctx: &mut WasiCtx) -> Result<(), End> {
        if let State::Open = self.state {
            self.state = State::Ending;
        }
        match self.drain(ctx) {
            Err(Broken::End(end)) => Err(end),
            _ => Ok(()),
        }
    }

    /// Writes what the host accepts of `bytes`. Returns the rest.
    fn send<'b>(&mut self, ctx: &mut WasiCtx, mut bytes: &'b [u8]) -> Result<&'b [u8], Broken> {
        while !bytes.is_empty() {
            match self.sink.write(ctx, bytes) {
                Ok(0) => return Err(self.broken(Errno::Io.into())),
                Ok(written) => bytes = &bytes[written..],
                Err(Fail::Errno(Errno::Again)) => break,
                Err(fail) => return Err(self.broken(fail)),
            }
        }
        Ok(bytes)
    }

    /// Waits until the host accepts bytes.
    pub(crate) fn wait(&self, ctx: &WasiCtx) -> Result<(), End> {
        wait_for(&ctx.waits, self.interest(ctx)).map_err(End::without_errno)
    }

    /// `check-write`: returns the number of bytes that the next write may have.
    pub(crate) fn check_write(&mut self, ctx: &mut WasiCtx) -> Result<u64, Broken> {
        self.check_open()?;
        self.permit = 0;
        if self.drain(ctx)? {
            self.permit = self.sink.permit(ctx).map_err(|fail| self.broken(fail))?;
        }
        Ok(self.permit)
    }

    /// Takes `len` bytes from the permit.
    fn spend(&mut self, function: &'static str, len: u64) -> Result<(), Broken> {
        match self.permit.checked_sub(len) {
            Some(left) => {
                self.permit = left;
                Ok(())
            }
            None => Err(End::from(Misuse::BeyondPermit { function, len, permitted: self.permit }).into()),
        }
    }

    /// `write`.
    pub(crate) fn write(&mut self, ctx: &mut WasiCtx, bytes: &[u8]) -> Result<(), Broken> {
        self.spend("write", bytes.len() as u64)?;
        self.check_open()?;
        // Bytes of an earlier write go first.
        let rest = if self.drain(ctx)? { self.send(ctx, bytes)? } else { bytes };
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// `write-zeroes`.
    pub(crate) fn write_zeroes(&mut self, ctx: &mut WasiCtx, len: u64) -> Result<(), Broken> {
        self.spend("write-zeroes", len)?;
        self.check_open()?;
        let mut left = len as usize;
        while left > 0 && self.drain(ctx)? {
            let piece = &ZEROS[..left.min(ZEROS.len())];
            left -= piece.len();
            let rest = self.send(ctx, piece)?.len();
            self.pending.resize(rest, 0);
        }
        self.pending.resize(self.pending.len() + left, 0);
        Ok(())
    }

    /// `blocking-write-and-flush`, and with zeros `blocking-write-zeroes-and-flush`, which is `function` in messages.
    pub(crate) fn blocking_write(
        &mut self,
        ctx: &mut WasiCtx,
        function: &'static str,
        bytes: &[u8],
    ) -> Result<(), Broken> {
        let len = bytes.len() as u64;
        check_blocking(function, len)?;
        self.check_open()?;
        self.drain_all(ctx)?;
        let mut rest = self.send(ctx, bytes)?;
        while !rest.is_empty() {
            self.wait(ctx)?;
            rest = self.send(ctx, rest)?;
        }
        Ok(())
    }

    /// `blocking-write-zeroes-and-flush`.
    pub(crate) fn blocking_write_zeroes(&mut self, ctx: &mut WasiCtx, len: u64) -> Result<(), Broken> {
        let function = "blocking-write-zeroes-and-flush";
        check_blocking(function, len)?;
        self.blocking_write(ctx, function, &ZEROS[..len as usize])
    }

    /// `flush`: bytes are on their way already.
    pub(crate) fn flush(&mut self, ctx: &mut WasiCtx) -> Result<(), Broken> {
        self.check_open()?;
        self.permit = 0;
        self.drain(ctx).map(drop)
    }

    /// Waits until the host has accepted all bytes.
    fn drain_all(&mut self, ctx: &mut WasiCtx) -> Result<(), Broken> {
        while !self.drain(ctx)? {
            self.wait(ctx)?;
        }
        Ok(())
    }

    /// `blocking-flush`: waits until the host has accepted all bytes and the stream can be written again.
    pub(crate) fn blocking_flush(&mut self, ctx: &mut WasiCtx) -> Result<(), Broken> {
        self.check_open()?;
        self.drain_all(ctx)?;
        Ok(self.wait(ctx)?)
    }

    /// Returns the interest in room for bytes, or in an error.
    pub(crate) fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        match self.state {
            State::Open | State::Ending => self.sink.interest(ctx),
            State::Failed(_) | State::Closed => Interest::Ready,
        }
    }

    /// Writes pending bytes when the host is ready for them. Returns true if `check-write` now permits something or reports an
    /// error.
    pub(crate) fn proceed(&mut self, ctx: &mut WasiCtx) -> Result<bool, End> {
        if self.pending.is_empty() || !matches!(self.state, State::Open | State::Ending) {
            return Ok(true);
        }
        match self.drain(ctx) {
            Ok(done) => Ok(done),
            Err(Broken::End(end)) => Err(end),
            Err(Broken::Failed(error)) => {
                self.state = State::Failed(error);
                Ok(true)
            }
            Err(Broken::Closed) => Ok(true),
        }
    }

    /// Ends the stream's use: pending bytes that the host accepts now are still written.
    pub(crate) fn leave(&mut self, ctx: &mut WasiCtx) {
        // The interface has no place for an error here.
        let _ = self.drain(ctx);
        if let (State::Ending, Sink::Socket(fd)) = (&self.state, &self.sink) {
            socket::end(ctx, *fd, Shutdown::Write);
        }
    }
}

/// Checks the length of a write with a flush.
fn check_blocking(function: &'static str, len: u64) -> Result<(), Broken> {
    if len > MAX_BLOCKING_WRITE {
        return Err(End::from(Misuse::TooLong { function, len, limit: MAX_BLOCKING_WRITE }).into());
    }
    Ok(())
}
