//! Validation of the function bodies of core modules, on another thread while the calling one goes on with the component.
//!
//! `decode` gives the bodies of each core module here as it comes to them. Most components have a few small modules, whose bodies take
//! about as long as all the rest: types, imports, and the instantiations. A large module is validated at once, on all threads.
//!
//! # Order
//! A fault in a body comes before all faults that are found after its module. So whoever finds one of those asks [`Bodies::finish`]
//! first.

use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use wasmr_module::UncheckedBodies;

use crate::error::ComponentError;

/// Size of the code, in bytes, from which a module's bodies go to the other thread. Starting it takes some 30 µs; validation runs at about
/// 75 MB/s.
const WORTH_A_THREAD: usize = 8 << 10;

/// The function bodies of a core module.
pub(crate) struct ModuleBodies<'a> {
    pub unchecked: UncheckedBodies,
    /// Name of the component in messages.
    pub component: &'a str,
    /// Index of the core module in its component.
    pub index: u32,
    pub name: Option<&'a str>,
    /// Offset of the core module.
    pub offset: u64,
}

impl ModuleBodies<'_> {
    fn validate(&self, threads: usize) -> Result<(), ComponentError> {
        let located = |error| ComponentError::new(&error, self.component).in_module(self.index, self.name, self.offset);
        self.unchecked.validate(threads).map_err(located)
    }
}

/// The other thread, and the way to it.
struct Other<'scope, 'env> {
    modules: Sender<ModuleBodies<'env>>,
    thread: ScopedJoinHandle<'scope, Result<(), ComponentError>>,
}

/// The bodies of a component.
pub(crate) struct Bodies<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    /// `None` until a module gives it work.
    other: Option<Other<'scope, 'env>>,
}

impl<'scope, 'env> Bodies<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>) -> Bodies<'scope, 'env> {
        Bodies { scope, other: None }
    }

    /// Validates the bodies of a module, at once or until [`finish`](Bodies::finish) returns.
    ///
    /// # Errors
    /// A fault that was found at once.
    pub(crate) fn check(&mut self, module: ModuleBodies<'env>) -> Result<(), ComponentError> {
        let (size, threads) = (module.unchecked.size(), module.unchecked.threads);
        let is_large = size >= UncheckedBodies::PARALLEL_BYTES;
        if threads < 2 || is_large || (size < WORTH_A_THREAD && self.other.is_none()) {
            return module.validate(threads);
        }
        let Some(other) = self.other() else { return module.validate(1) };
        // The other thread has ended if it found a fault, which `finish` returns.
        let _ = other.modules.send(module);
        Ok(())
    }

    /// Returns the other thread, which is started if there is none. `None` if the system refuses.
    fn other(&mut self) -> Option<&Other<'scope, 'env>> {
        if self.other.is_none() {
            let (modules, received) = channel::<ModuleBodies<'env>>();
            let work = move || received.iter().try_for_each(|module| module.validate(1));
            let thread = Builder::new().name("wasmr-validate".to_owned()).spawn_scoped(self.scope, work);
            self.other = thread.ok().map(|thread| Other { modules, thread });
        }
        self.other.as_ref()
    }

    /// Waits until all bodies are validated.
    ///
    /// # Errors
    /// The first fault.
    pub(crate) fn finish(self) -> Result<(), ComponentError> {
        let Some(Other { modules, thread }) = self.other else { return Ok(()) };
        drop(modules);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}
