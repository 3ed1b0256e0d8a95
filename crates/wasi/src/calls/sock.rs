//! `sock_*`: connections on listeners that the embedder granted.
//!
//! Preview 1 has no call that makes a socket. Common errors: `BADF` if the descriptor is not open, `NOTSOCK` if it is no
//! socket, `NOTCAPABLE` if the right was revoked, `AGAIN` if the call would wait and `NONBLOCK` is set.

use std::io::IoSliceMut;
use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::fs::fstat;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketFlags, accept_with,
    recvmsg, sendmsg, shutdown,
};

use crate::abi::{fdflags, flags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::{Exit, Fail};
use crate::fd_table::{Descriptor, HostFd, HostFile, Kind, Object};
use crate::host::io::wait_mode;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;

/// `riflags`: keep the bytes for the next call.
const RECV_PEEK: u16 = 1;
/// `riflags`: wait until the buffers are full.
const RECV_WAITALL: u16 = 2;
/// `roflags`: a message was longer than the buffers.
const RECV_DATA_TRUNCATED: u16 = 1;

/// Returns the socket of `fd` for an operation that needs the rights `wanted`.
fn socket(ctx: &WasiCtx, fd: u32, wanted: u64) -> Result<(&HostFile, &Descriptor), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::Host(file) if matches!(file.kind, Kind::Socket | Kind::Listener) => {
            descriptor.require(wanted)?;
            Ok((file, descriptor))
        }
        _ => Err(Errno::Notsock),
    }
}

/// [`sock_accept`]: waits for a connection and writes its descriptor. The only flag, `NONBLOCK`, is set on the new descriptor.
///
/// # Errors
/// `INVAL` for any other flag, `MFILE` if no number is free.
///
/// [`sock_accept`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sock_accept
pub(crate) fn sock_accept(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    new_flags: u32,
    accepted: Pointer,
) -> Result<(), Fail> {
    let new_flags = flags(new_flags, fdflags::NONBLOCK)?;
    ctx.fds.check_free()?;
    let (file, descriptor) = socket(ctx, fd, rights::SOCK_ACCEPT)?;
    let mode = wait_mode(file, descriptor.flags, &ctx.waits);
    let host_flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connection = mode.run(file.fd.as_fd(), PollFlags::IN, || accept_with(&file.fd, host_flags))?;
    let (rights_base, revoked) = (rights::SOCKET & descriptor.rights_inheriting, descriptor.revoked.inherited());
    let stat = fstat(&connection)?;
    let object = Object::Host(HostFile::new(HostFd::Owned(connection), &stat).into());
    let number = ctx.fds.insert(Descriptor {
        object,
        rights_base,
        rights_inheriting: 0,
        revoked,
        flags: new_flags,
        output_limited: false,
    })?;
    Ok(mem.write_u32(accepted, number)?)
}

/// [`sock_recv`]: receives into the buffers. Writes the number of bytes, and `ro_flags`, which tell whether a message was cut.
///
/// `PEEK` keeps the bytes for the next call. `WAITALL` without `PEEK` continues until the buffers are full or the peer has
/// ended the stream.
///
/// [`sock_recv`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sock_recv
#[allow(clippy::too_many_arguments)]
pub(crate) fn sock_recv(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    ri_data: Pointer,
    ri_data_len: u32,
    ri_flags: u32,
    nread: Pointer,
    ro_flags: Pointer,
) -> Result<(), Fail> {
    let mut buffers = mem.scatter(ri_data, ri_data_len)?;
    let ri_flags = flags(ri_flags, RECV_PEEK | RECV_WAITALL)?;
    let (file, descriptor) = socket(ctx, fd, rights::FD_READ)?;
    let mode = wait_mode(file, descriptor.flags, &ctx.waits);
    let peek = if ri_flags & RECV_PEEK != 0 { RecvFlags::PEEK } else { RecvFlags::empty() };
    let (received, truncated) = buffers.with(|buffers| {
        let mut rest: &mut [IoSliceMut<'_>] = buffers;
        let mut received = 0;
        let mut truncated = 0;
        while !rest.is_empty() {
            let receive = || recvmsg(&file.fd, rest, &mut RecvAncillaryBuffer::default(), peek);
            let message = match mode.run(file.fd.as_fd(), PollFlags::IN, receive) {
                Ok(message) => message,
                // Received bytes are returned rather than lost to an error. The next call reports the error again.
                Err(Fail::Errno(_) | Fail::Exit(Exit::Deferred)) if received > 0 => break,
                Err(fail) => return Err(fail),
            };
            received += message.bytes;
            if message.flags.contains(ReturnFlags::TRUNC) {
                truncated = RECV_DATA_TRUNCATED;
            }
            if ri_flags != RECV_WAITALL || message.bytes == 0 {
                break;
            }
            IoSliceMut::advance_slices(&mut rest, message.bytes);
        }
        Ok((received, truncated))
    })?;
    buffers.finish(received);
    mem.write_u32(nread, received as u32)?;
    Ok(mem.write_u16(ro_flags, truncated)?)
}

/// [`sock_send`]: sends the buffers and writes the number of bytes sent.
///
/// # Errors
/// `INVAL` for any flag, because none is defined. `PIPE` if the connection has ended.
///
/// [`sock_send`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sock_send
pub(crate) fn sock_send(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    si_data: Pointer,
    si_data_len: u32,
    si_flags: u32,
    nwritten: Pointer,
) -> Result<(), Fail> {
    let gathered = mem.gather(si_data, si_data_len)?;
    let buffers = gathered.slices();
    flags(si_flags, 0)?;
    let (file, descriptor) = socket(ctx, fd, rights::FD_WRITE)?;
    let mode = wait_mode(file, descriptor.flags, &ctx.waits);
    let sent = mode.run(file.fd.as_fd(), PollFlags::OUT, || {
        sendmsg(&file.fd, &buffers, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)
    })?;
    Ok(mem.write_u32(nwritten, sent as u32)?)
}

/// [`sock_shutdown`]: ends receiving (1), sending (2) or both (3).
///
/// # Errors
/// `INVAL` for any other `how`, `NOTCONN` without a connection.
///
/// [`sock_shutdown`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sock_shutdown
pub(crate) fn sock_shutdown(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32, how: u32) -> Result<(), Errno> {
    let (file, _) = socket(ctx, fd, rights::SOCK_SHUTDOWN)?;
    // On Linux `shutdown` ends listening, also for other processes that hold the socket.
    if file.kind == Kind::Listener {
        return Err(Errno::Notconn);
    }
    let how = match how {
        1 => Shutdown::Read,
        2 => Shutdown::Write,
        3 => Shutdown::Both,
        _ => return Err(Errno::Inval),
    };
    Ok(shutdown(&file.fd, how)?)
}
