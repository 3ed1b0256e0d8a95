//! Threads of a script: `(thread $name (shared (module $m)) …)` and `(wait $name)`, of the proposal [threads].
//!
//! A thread has a store of its own. Of the module that it shares with the thread that starts it, it has the shared memories, because
//! all other objects belong to a store. Its directives count like those outside of threads, once it was waited for. A script ends
//! when all its threads have ended.
//!
//! [threads]: https://github.com/WebAssembly/threads/blob/main/proposals/threads/Overview.md

use std::panic::resume_unwind;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::report::Report;
use crate::{Extern, Instance, Linker, SharedMemory, Store};

/// Bytes of a thread's stack: as many as the main thread has on Linux, as threads load modules, too.
const STACK_SIZE: usize = 8 << 20;

/// The part of a module that several threads can use.
#[derive(Clone)]
pub struct SharedModule {
    /// Name of the module in the script.
    pub name: String,
    /// Exported memories, with their names.
    memories: Vec<(String, SharedMemory)>,
}

impl SharedModule {
    /// Returns the shared memories of an instance.
    pub fn new(name: &str, instance: Instance, store: &Store<()>) -> SharedModule {
        let memories = instance.exports(store).filter_map(|(export, object)| match object {
            Extern::SharedMemory(memory) => Some((export.to_string(), memory)),
            _ => None,
        });
        SharedModule { name: name.to_string(), memories: memories.collect() }
    }

    /// Lets modules import the memories by a name.
    pub fn offer(&self, linker: &mut Linker<()>, name: &str) -> Result<(), String> {
        for (export, memory) in &self.memories {
            linker.define(name, export, memory.clone()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// The running threads that one thread of a script started.
pub struct Threads<'scope, 'env> {
    /// Ends after all threads.
    pub scope: &'scope Scope<'scope, 'env>,
    /// In the order of their starts, with their names.
    running: Vec<(String, ScopedJoinHandle<'scope, Report>)>,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    /// Returns no threads.
    pub fn new(scope: &'scope Scope<'scope, 'env>) -> Threads<'scope, 'env> {
        Threads { scope, running: Vec::new() }
    }

    /// Starts a thread.
    pub fn start(&mut self, name: &str, run: impl FnOnce() -> Report + Send + 'scope) -> Result<(), String> {
        let thread = Builder::new().name(format!("script ${name}")).stack_size(STACK_SIZE);
        let thread = thread.spawn_scoped(self.scope, run).map_err(|error| format!("cannot start a thread: {error}"))?;
        self.running.push((name.to_string(), thread));
        Ok(())
    }

    /// Waits for the last thread of a name, and adds its directives to `report`.
    pub fn wait(&mut self, name: &str, report: &mut Report) -> Result<(), String> {
        let last = self.running.iter().rposition(|(other, _)| other == name);
        let (_, thread) = self.running.remove(last.ok_or_else(|| format!("there is no thread ${name}"))?);
        join(thread, report);
        Ok(())
    }

    /// Waits for all threads.
    pub fn wait_for_all(self, report: &mut Report) {
        for (_, thread) in self.running {
            join(thread, report);
        }
    }
}

/// Waits for a thread, and adds its directives to `report`.
fn join(thread: ScopedJoinHandle<'_, Report>, report: &mut Report) {
    let of_thread = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
    report.passed += of_thread.passed;
    report.failures.extend(of_thread.failures);
}
