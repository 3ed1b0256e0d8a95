//! Compilation ahead of time: functions of a module become an image, on several threads, without being linked in this process.
//!
//! All functions that are wanted call one another directly, in whichever order they are compiled. A function that is refused has
//! no code, so its callers are compiled once more, with a call through its function record.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use wasmr_cache::Builder;

use crate::compile::CompilerContext;
use crate::compiled::CompiledCode;
use crate::error::CompileError;
use crate::image::{Entries, NewFunction, Written};
use crate::module::JitModule;
use crate::translate::Entry;

/// Bytes of a compiler thread's stack. The recursion of the compiler follows the nesting of the function.
const STACK_SIZE: usize = 8 << 20;

/// Functions that were compiled ahead of time.
#[derive(Debug)]
pub struct Precompiled {
    image: Written,
    /// Number of functions with code.
    pub functions: usize,
    /// Bytes of code.
    pub code_bytes: usize,
    /// Functions without code, by index among the defined ones, each with the reason.
    pub refused: Vec<(u32, CompileError)>,
}

impl Precompiled {
    /// Adds the image to a container.
    pub fn add_to(self, builder: &mut Builder<'_>) {
        self.image.add_to(builder);
    }
}

type Outcome = (u32, Result<CompiledCode, CompileError>);

impl JitModule {
    /// Compiles functions, given by index among the defined ones, on so many threads. They are not linked in this process.
    ///
    /// # Errors
    /// Returns an error if no code can be made for this host at all. A function that cannot be compiled is no error.
    pub fn precompile(&self, functions: &[u32], threads: usize) -> Result<Precompiled, CompileError> {
        let mut callable: HashSet<u32> = functions.iter().copied().collect();
        let mut refused = Vec::new();
        let mut done: Vec<(u32, CompiledCode)> = Vec::with_capacity(functions.len());
        let mut todo = functions.to_vec();
        while !todo.is_empty() {
            let mut is_news = false;
            for (index, outcome) in self.compile_apart(&todo, &callable, threads) {
                match outcome {
                    Ok(code) => done.push((index, code)),
                    Err(CompileError::Unavailable(why)) => return Err(why.into()),
                    Err(why) => {
                        callable.remove(&index);
                        refused.push((index, why));
                        is_news = true;
                    }
                }
            }
            todo.clear();
            if is_news {
                let calls_refused =
                    |(_, code): &(u32, CompiledCode)| code.relocs.iter().any(|reloc| !callable.contains(&reloc.callee));
                let again = done.extract_if(.., |function| calls_refused(function));
                todo.extend(again.map(|(index, _)| index));
            }
        }
        done.sort_unstable_by_key(|(index, _)| *index);
        refused.sort_unstable_by_key(|(index, _)| *index);
        for (index, code) in &done {
            self.make_trampolines(*index, &code.exits)?;
        }
        let entries = Entries { at_start: true, at_loop: None };
        let code_bytes = done.iter().map(|(_, code)| code.code.len()).sum();
        let new: Vec<NewFunction<'_>> = done
            .iter_mut()
            .map(|(index, code)| NewFunction {
                defined_index: *index,
                entries,
                code: std::mem::take(&mut code.code),
                relocs: &code.relocs,
                tables: &code.tables,
            })
            .collect();
        let image = self.make_image(None, &new);
        Ok(Precompiled { image, functions: new.len(), code_bytes, refused })
    }

    /// Compiles functions of which those in `callable` are called directly.
    fn compile_apart(&self, functions: &[u32], callable: &HashSet<u32>, threads: usize) -> Vec<Outcome> {
        let outcomes = Mutex::new(Vec::with_capacity(functions.len()));
        let cursor = AtomicUsize::new(0);
        let work = || {
            let mut context = CompilerContext::default();
            while let Some(&index) = functions.get(cursor.fetch_add(1, Ordering::Relaxed)) {
                let is_direct = |callee| callable.contains(&callee);
                let outcome = self.compile_unlinked(index, Entry::Start, &is_direct, &mut context);
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                let thread = std::thread::Builder::new().name("wasmr-compile".to_owned()).stack_size(STACK_SIZE);
                if thread.spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            // The work is done even if the system refuses to start a thread.
            work();
        });
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
