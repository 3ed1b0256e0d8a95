//! [`Transfer`]: reads, writes and synchronises a regular file for a thread that shares its context, without the lock of the
//! context.
//!
//! A regular file is always ready, so no wait precedes its transfers, but they may take long all the same: a disk or another
//! computer is behind them. The call makes all its checks under the lock, then ends with [`Exit::Deferred`]. Its thread makes
//! the transfer, with the file kept open, and the host orders the transfers of one file as it does for native threads.
//!
//! A transfer copies its bytes, because threads share the memory, so only [`MAX_TRANSFERS`] threads make one at a time. Those
//! beyond that number make theirs under the lock, and so do calls whose bytes count towards a limit on output.

use std::sync::Arc;

use rustix::io::{preadv, pwritev, readv, retry_on_intr};

use crate::exit::Fail;
use crate::fd_table::{HostFile, sync_host};
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// Transfers that a guest makes at a time without the lock.
pub(crate) const MAX_TRANSFERS: u32 = 8;

/// A transfer that a call left to its thread.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub file: Arc<HostFile>,
    pub what: What,
}

/// The kind of a transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// `fd_read` or, with an offset, `fd_pread`.
    Read { buffers: Buffers, offset: Option<u64> },
    /// `fd_write` or, with an offset, `fd_pwrite`.
    Write { buffers: Buffers, offset: Option<u64>, append: bool },
    /// `fd_sync`, or `fd_datasync` if `data_only`.
    Sync { data_only: bool },
}

/// The buffers of a transfer, and the place for the number of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    pub iovs: Pointer,
    pub iovs_len: u32,
    pub count: Pointer,
}

impl Transfer {
    /// Makes the transfer.
    pub(crate) fn run(&self, mem: &mut GuestMemory<'_>) -> Result<(), Fail> {
        let file = &self.file.fd;
        let (Buffers { count, .. }, bytes) = match self.what {
            What::Read { buffers, offset } => {
                let mut scattered = mem.scatter(buffers.iovs, buffers.iovs_len)?;
                let read = retry_on_intr(|| {
                    scattered.with(|slices| match offset {
                        None => readv(file, slices),
                        Some(offset) => preadv(file, slices, offset),
                    })
                })?;
                scattered.finish(read);
                (buffers, read)
            }
            What::Write { buffers, offset, append } => {
                let gathered = mem.gather(buffers.iovs, buffers.iovs_len)?;
                let written = retry_on_intr(|| match offset {
                    None => self.file.write(append, &gathered.slices()),
                    Some(offset) => pwritev(file, &gathered.slices(), offset),
                })?;
                (buffers, written)
            }
            What::Sync { data_only } => return Ok(sync_host(&self.file.fd, data_only)?),
        };
        Ok(mem.write_u32(count, bytes as u32)?)
    }
}
