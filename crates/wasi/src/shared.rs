//! [`SharedWasiCtx`]: one context for all threads of a guest, which have the same descriptors.
//!
//! The calls of all threads run one after the other, under a lock. A call that has to wait ends with
//! [`Exit::Deferred`](crate::exit::Exit). Its thread then sleeps without the lock, and makes the same call again: so a thread
//! that reads from a silent terminal stops no other. A descriptor that another thread closes meanwhile is not there any more
//! at the second try.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmr_runtime::InterruptHandle;

use crate::ctx::WasiCtx;
use crate::exit::{Exit, Fail};
use crate::wait::{Deferral, Waits};

/// A context that several threads use. Clones are the same context.
#[derive(Clone, Debug)]
pub struct SharedWasiCtx(Arc<Mutex<WasiCtx>>);

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
        SharedWasiCtx(Arc::new(Mutex::new(ctx)))
    }

    fn lock(&self) -> MutexGuard<'_, WasiCtx> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call under the lock, and waits without it.
    pub(crate) fn call(
        &self,
        interrupt: Option<InterruptHandle>,
        mut call: impl FnMut(&mut WasiCtx) -> Result<u32, Exit>,
    ) -> Result<u32, Exit> {
        let mut last: Option<Deferral> = None;
        loop {
            let mut ctx = self.lock();
            ctx.waits = Waits::deferring(interrupt.clone(), last.as_ref());
            let outcome = call(&mut ctx);
            let deferral = ctx.waits.deferral.take().and_then(|place| place.into_inner());
            drop(ctx);
            let (Err(Exit::Deferred), Some(deferral)) = (&outcome, deferral) else { return outcome };
            // The copies of descriptors in `last` were open until here.
            match last.insert(deferral).sleep(interrupt.clone()) {
                Ok(()) => {}
                Err(Fail::Errno(errno)) => return Ok(errno as u32),
                Err(Fail::Exit(exit)) => return Err(exit),
            }
        }
    }
}
