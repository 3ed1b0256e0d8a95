//! Compilation ahead of time: functions of a module become an image, on several threads, without being linked in this process.
//!
//! The functions that are done when the limit is reached make an image too: calls of functions without code lead to call stubs.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use wasmr_cache::{Builder, Container};

use crate::compile::CompilerContext;
use crate::compiled::CompiledCode;
use crate::error::CompileError;
use crate::image::{Entries, Image, NewFunction, Written};
use crate::module::JitModule;
use crate::translate::Entry;

/// Bytes of a compiler thread's stack. The recursion of the compiler follows the nesting of the function.
const STACK_SIZE: usize = 8 << 20;

/// A compilation ahead of time.
#[derive(Clone, Copy)]
pub struct Precompilation<'a> {
    /// Functions to compile, by index among the defined ones, in order.
    pub functions: &'a [u32],
    /// Number of threads.
    pub threads: usize,
    /// Container whose image gets the functions in addition to its own.
    pub base: Option<&'a Container>,
    /// Limit: returns false if no further function is to be compiled. All threads ask it.
    pub goes_on: Option<&'a (dyn Fn() -> bool + Sync)>,
}

/// Functions that were compiled ahead of time.
#[derive(Debug)]
pub struct Precompiled {
    image: Written,
    /// Number of functions that were compiled.
    pub functions: usize,
    /// Bytes of code of these functions.
    pub code_bytes: usize,
    /// Functions that were refused, by index among the defined ones, each with the reason.
    pub refused: Vec<(u32, CompileError)>,
}

impl Precompiled {
    /// Returns true if the image has the function.
    pub fn contains(&self, defined_index: u32) -> bool {
        self.image.contains(defined_index)
    }

    /// Adds the image to a container.
    pub fn add_to(self, builder: &mut Builder<'_>) {
        self.image.add_to(builder);
    }
}

impl JitModule {
    /// Compiles functions ahead of time. They are not linked in this process.
    ///
    /// # Errors
    /// Returns an error if no code can be made for this host at all. A function that cannot be compiled is no error.
    pub fn precompile(&self, what: &Precompilation<'_>) -> Result<Precompiled, CompileError> {
        let mut base = what.base.and_then(|base| Image::read(base, self.module(), self.options().guarded));
        let in_base = base.iter().flat_map(|image| &image.functions).filter(|record| record.entries.at_start);
        let in_base: HashSet<u32> = in_base.map(|record| record.defined_index).collect();
        let functions: Vec<u32> = what.functions.iter().copied().filter(|index| !in_base.contains(index)).collect();
        let goes_on = |_: &u32| what.goes_on.is_none_or(|goes_on| goes_on());
        let outcomes = self.compile_in_parallel(&functions, &goes_on, what.threads);
        let (mut done, mut refused) = (Vec::with_capacity(outcomes.len()), Vec::new());
        for (index, outcome) in outcomes {
            match outcome {
                Ok(code) => done.push((index, code)),
                Err(CompileError::Unavailable(why)) => return Err(why.into()),
                Err(why) => refused.push((index, why)),
            }
        }
        // Equal modules are equal bytes, on however many threads they were compiled.
        done.sort_unstable_by_key(|(index, _)| *index);
        refused.sort_unstable_by_key(|(index, _)| *index);
        if let Some(image) = &mut base {
            self.keep_trampolines(std::mem::take(&mut image.trampolines))?;
        }
        let mut callable = in_base;
        callable.extend(done.iter().map(|(index, _)| *index));
        for (index, code) in &done {
            self.make_trampolines(*index, code, &|callee| callable.contains(&callee))?;
        }
        let code_bytes = done.iter().map(|(_, code)| code.code.len()).sum();
        let new = done.iter_mut().map(|(index, code)| NewFunction {
            defined_index: *index,
            entries: Entries { at_start: true, at_loop: None, is_dual: false },
            code: std::mem::take(&mut code.code),
            relocs: &code.relocs,
            tables: &code.tables,
        });
        let new: Vec<NewFunction<'_>> = new.collect();
        Ok(Precompiled { image: self.make_image(base.as_ref(), &new), functions: new.len(), code_bytes, refused })
    }

    /// Compiles functions on this number of threads, which take them in order as long as `goes_on` returns true.
    fn compile_in_parallel(
        &self,
        functions: &[u32],
        goes_on: &(dyn Fn(&u32) -> bool + Sync),
        threads: usize,
    ) -> Vec<(u32, Result<CompiledCode, CompileError>)> {
        let outcomes = Mutex::new(Vec::with_capacity(functions.len()));
        let cursor = AtomicUsize::new(0);
        let work = || {
            let mut context = CompilerContext::default();
            let next = || functions.get(cursor.fetch_add(1, Ordering::Relaxed)).copied();
            while let Some(index) = next().filter(goes_on) {
                let outcome = self.compile_safely(index, &mut context);
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
            }
        };
        std::thread::scope(|scope| {
            let start = || {
                let thread = std::thread::Builder::new().name("wasmr-compile".to_owned()).stack_size(STACK_SIZE);
                thread.spawn_scoped(scope, work).ok()
            };
            let started = (0..threads.max(1)).map_while(|_| start()).count();
            if started == 0 {
                work();
            }
        });
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles a function. A panic is the compiler's failure and costs only this function.
    fn compile_safely(&self, index: u32, context: &mut CompilerContext) -> Result<CompiledCode, CompileError> {
        let compile = || self.compile_unlinked(index, Entry::Start, context);
        catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(|_| {
            // The panic may have left the context inconsistent.
            *context = CompilerContext::default();
            Err(CompileError::Codegen("the compiler failed".to_owned()))
        })
    }
}
