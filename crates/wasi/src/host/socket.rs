//! Host sockets of the descriptor table.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::net::{Shutdown, shutdown, sockopt};

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::fd_table::Object;

/// Returns the host's descriptor of `fd`.
///
/// # Errors
/// `BADF` if it is not open, `NOTSOCK` if it is no descriptor of the host.
pub(crate) fn descriptor(ctx: &WasiCtx, fd: u32) -> Result<BorrowedFd<'_>, Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Host(file) => Ok(file.fd.as_fd()),
        _ => Err(Errno::Notsock),
    }
}

/// Ends a direction of a connection.
pub(crate) fn end(ctx: &WasiCtx, fd: u32, how: Shutdown) {
    if let Ok(fd) = descriptor(ctx, fd) {
        // The only error is that the connection has ended.
        let _ = shutdown(fd, how);
    }
}

/// Returns a number of bytes that a stream socket accepts once `poll(2)` reports it writable.
///
/// Linux reports that if at least a third of the buffer is free ([`tcp_stream_is_writeable`]). A quarter leaves room for what the
/// host stores beside the bytes.
///
/// [`tcp_stream_is_writeable`]: https://elixir.bootlin.com/linux/v6.12/source/include/net/sock.h#L1273
pub(crate) fn ready_room(ctx: &WasiCtx, fd: u32) -> Result<u64, Errno> {
    Ok((sockopt::socket_send_buffer_size(descriptor(ctx, fd)?)? / 4).max(1) as u64)
}
