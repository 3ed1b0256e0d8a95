//! [`Guest`]: the data of the stores of a run: the program's WASI context, and its threads if it may start any.
//!
//! A program that does not import `wasi.thread-spawn` has a context of its own, without a lock.

use wasmr::Module;
#[cfg(feature = "component")]
use wasmr::wasi::p2::P2Ctx;
use wasmr::wasi::{SharedWasiCtx, ThreadData, WasiAccess, WasiCtx, WasiThreads, imports_threads};

/// Data of a store.
#[derive(Debug)]
pub enum Guest {
    /// A program without threads.
    Single(Box<WasiCtx>),
    /// A component.
    #[cfg(feature = "component")]
    Component(Box<P2Ctx>),
    /// A program that may start threads.
    Threaded {
        /// The context of all threads.
        wasi: SharedWasiCtx,
        /// The threads.
        threads: WasiThreads<Guest>,
    },
}

impl Guest {
    /// Returns the data for a program that may have `max_threads` threads at once, beside its main one.
    pub fn new(wasi: WasiCtx, program: &Module, max_threads: u32) -> Guest {
        if imports_threads(program) {
            Guest::Threaded { wasi: SharedWasiCtx::new(wasi), threads: WasiThreads::new(max_threads) }
        } else {
            Guest::Single(Box::new(wasi))
        }
    }

    /// Returns the context of a host call.
    pub fn wasi(&mut self) -> WasiAccess<'_> {
        match self {
            Guest::Single(wasi) => WasiAccess::Own(wasi),
            #[cfg(feature = "component")]
            Guest::Component(ctx) => WasiAccess::Own(ctx.wasi_mut()),
            Guest::Threaded { wasi, .. } => WasiAccess::Shared(wasi),
        }
    }
}

impl ThreadData for Guest {
    fn for_thread(&self) -> Option<Guest> {
        match self {
            Guest::Single(_) => None,
            #[cfg(feature = "component")]
            Guest::Component(_) => None,
            Guest::Threaded { wasi, threads } => Some(Guest::Threaded { wasi: wasi.clone(), threads: threads.clone() }),
        }
    }

    fn threads(&self) -> Option<&WasiThreads<Guest>> {
        match self {
            Guest::Single(_) => None,
            #[cfg(feature = "component")]
            Guest::Component(_) => None,
            Guest::Threaded { threads, .. } => Some(threads),
        }
    }
}
