//! [`SharedWasiCtx`]: one context for all threads of a guest, which have the same descriptors.
//!
//! The calls of all threads run one after the other, under a lock. A call that has to wait ends with
//! [`Exit::Deferred`](crate::exit::Exit). Its thread then sleeps without the lock, and makes the same call again: so a thread
//! that reads from a silent terminal stops no other. A descriptor that another thread closes meanwhile is not there any more
//! at the second try. Bytes of regular files move without the lock, too ([`crate::transfer`]).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmr_runtime::InterruptHandle;

use crate::ctx::WasiCtx;
use crate::exit::{Exit, Fail};
use crate::transfer::{MAX_TRANSFERS, Transfer};
use crate::wait::{Deferral, Sleep, Waits};

/// A context that several threads use. Clones are the same context.
#[derive(Clone, Debug)]
pub struct SharedWasiCtx(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ctx: Mutex<WasiCtx>,
    /// Transfers that are being made without the lock. It becomes larger only under the lock.
    transfers: AtomicU32,
}

/// A step of a call.
pub(crate) enum Step<'a> {
    /// The call itself, under the lock.
    Call(&'a mut WasiCtx),
    /// The transfer that completes it, without the lock.
    Transfer(&'a Transfer),
}

/// The context of a host call.
#[derive(Debug)]
pub enum WasiAccess<'a> {
    /// A context that only the calling store has.
    Own(&'a mut WasiCtx),
    /// A context that other threads use as well.
    Shared(&'a SharedWasiCtx),
}

impl SharedWasiCtx {
    /// Makes a context usable by several threads.
    pub fn new(ctx: WasiCtx) -> SharedWasiCtx {
        SharedWasiCtx(Arc::new(Shared { ctx: Mutex::new(ctx), transfers: AtomicU32::new(0) }))
    }

    fn lock(&self) -> MutexGuard<'_, WasiCtx> {
        self.0.ctx.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call by the steps that `make` performs, and waits without the lock.
    pub(crate) fn call(
        &self,
        interrupt: Option<InterruptHandle>,
        mut make: impl FnMut(Step<'_>) -> Result<u32, Exit>,
    ) -> Result<u32, Exit> {
        let mut last: Option<Sleep> = None;
        loop {
            let mut ctx = self.lock();
            let may_leave = self.0.transfers.load(Ordering::Relaxed) < MAX_TRANSFERS;
            ctx.waits = Waits::deferring(interrupt.clone(), last.as_ref(), may_leave);
            let outcome = make(Step::Call(&mut ctx));
            let deferral = ctx.waits.deferral.take().and_then(|place| place.into_inner());
            let (Err(Exit::Deferred), Some(deferral)) = (&outcome, deferral) else { return outcome };
            let sleep = match deferral {
                Deferral::Sleep(sleep) => sleep,
                Deferral::Transfer(transfer) => {
                    self.0.transfers.fetch_add(1, Ordering::Relaxed);
                    drop(ctx);
                    let outcome = make(Step::Transfer(&transfer));
                    self.0.transfers.fetch_sub(1, Ordering::Relaxed);
                    return outcome;
                }
            };
            drop(ctx);
            // The copies of descriptors in `last` were open until here.
            match last.insert(sleep).sleep(interrupt.clone()) {
                Ok(()) => {}
                Err(Fail::Errno(errno)) => return Ok(errno as u32),
                Err(Fail::Exit(exit)) => return Err(exit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Outcome;
    use crate::memory::GuestMemory;
    use crate::table::find;

    /// Makes a call. Returns its error number, and true if it made a transfer while nobody had the lock.
    fn make(ctx: &SharedWasiCtx, memory: &mut [u8], name: &str, args: &[u64]) -> (u32, bool) {
        let call = find("wasi_snapshot_preview1", name).unwrap();
        let mut memory = GuestMemory::new(Some(memory));
        let mut without_lock = false;
        let errno = ctx.call(None, |step| match step {
            Step::Call(ctx) => (call.func)(ctx, &mut memory, args),
            Step::Transfer(transfer) => {
                without_lock = ctx.0.ctx.try_lock().is_ok();
                transfer.run(&mut memory).outcome()
            }
        });
        (errno.unwrap(), without_lock)
    }

    /// Returns a memory with one buffer of 5 bytes at 64.
    fn memory(bytes: &[u8; 5]) -> Vec<u8> {
        let mut memory = vec![0; 256];
        memory[..8].copy_from_slice(&[64, 0, 0, 0, 5, 0, 0, 0]);
        memory[64..69].copy_from_slice(bytes);
        memory[128] = b'f';
        memory
    }

    /// Returns a context with an open file, and the number of its descriptor.
    fn with_file(dir: &std::path::Path) -> (SharedWasiCtx, u64) {
        let dir = cap_std::fs::Dir::from_std_file(std::fs::File::open(dir).unwrap());
        let ctx = SharedWasiCtx::new(WasiCtx::builder().dir(dir, "/", false).build().unwrap());
        let mut memory = memory(b"     ");
        let all = crate::rights::ALL;
        assert_eq!(make(&ctx, &mut memory, "path_open", &[3, 0, 128, 1, 1, all, all, 0, 200]), (0, false));
        (ctx, memory[200].into())
    }

    #[test]
    fn bytes_of_files_move_without_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (ctx, fd) = with_file(dir.path());
        let mut memory = memory(b"hello");
        assert_eq!(make(&ctx, &mut memory, "fd_write", &[fd, 0, 1, 200]), (0, true));
        assert_eq!(make(&ctx, &mut memory, "fd_pwrite", &[fd, 0, 1, 5, 200]), (0, true));
        assert_eq!(make(&ctx, &mut memory, "fd_sync", &[fd]), (0, true));
        assert_eq!(make(&ctx, &mut memory, "fd_datasync", &[fd]), (0, true));
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"hellohello");
        memory[64..69].fill(0);
        memory[200] = 0;
        // The position is behind the first five bytes.
        assert_eq!(make(&ctx, &mut memory, "fd_pread", &[fd, 0, 1, 1, 200]), (0, true));
        assert_eq!((&memory[64..69], memory[200]), (&b"elloh"[..], 5));
        assert_eq!(make(&ctx, &mut memory, "fd_read", &[fd, 0, 1, 200]), (0, true));
        assert_eq!((&memory[64..69], memory[200]), (&b"hello"[..], 5));
        assert_eq!(make(&ctx, &mut memory, "fd_read", &[fd, 0, 1, 200]), (0, true));
        assert_eq!(memory[200], 0, "the end of the file");
        // APPEND
        assert_eq!(make(&ctx, &mut memory, "fd_fdstat_set_flags", &[fd, 1]), (0, false));
        assert_eq!(make(&ctx, &mut memory, "fd_seek", &[fd, 0, 0, 200]), (0, false));
        assert_eq!(make(&ctx, &mut memory, "fd_write", &[fd, 0, 1, 200]), (0, true));
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"hellohellohello");
        assert_eq!(ctx.0.transfers.load(Ordering::Relaxed), 0);
        // Checks come first, and calls without bytes make no transfer.
        let badf = crate::Errno::Badf as u32;
        assert_eq!(make(&ctx, &mut memory, "fd_read", &[fd + 1, 0, 1, 200]), (badf, false));
        assert_eq!(make(&ctx, &mut memory, "fd_read", &[fd, 0, 0, 200]), (0, false));
    }

    #[test]
    fn few_transfers_are_made_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (ctx, fd) = with_file(dir.path());
        let mut memory = memory(b"hello");
        ctx.0.transfers.store(MAX_TRANSFERS, Ordering::Relaxed);
        assert_eq!(make(&ctx, &mut memory, "fd_write", &[fd, 0, 1, 200]), (0, false));
        ctx.0.transfers.store(MAX_TRANSFERS - 1, Ordering::Relaxed);
        assert_eq!(make(&ctx, &mut memory, "fd_write", &[fd, 0, 1, 200]), (0, true));
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"hellohello");
    }
}
