//! Compilation ahead of time: functions of a module become an image, without being linked in this process.
//!
//! Without a limit, functions are compiled on several threads, in any order, and call one another directly. A function that is
//! refused has no code, so its callers are compiled once more, with a call through its function record. With a limit, one
//! thread compiles function after function, and each calls those before it directly: what is done when the limit is reached
//! is then an image.

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
    /// Limit: returns false if no further function is to be compiled. With a limit, there is one thread.
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

/// Functions with code, and those that were refused.
#[derive(Default)]
struct Outcomes {
    done: Vec<(u32, CompiledCode)>,
    refused: Vec<(u32, CompileError)>,
}

impl JitModule {
    /// Compiles functions ahead of time. They are not linked in this process.
    ///
    /// # Errors
    /// Returns an error if no code can be made for this host at all. A function that cannot be compiled is no error.
    pub fn precompile(&self, what: &Precompilation<'_>) -> Result<Precompiled, CompileError> {
        let base = what.base.and_then(|base| Image::read(base, self.module(), self.options().guarded));
        let in_base = base.iter().flat_map(|image| &image.functions).filter(|record| record.entries.at_start);
        let in_base: HashSet<u32> = in_base.map(|record| record.defined_index).collect();
        let functions: Vec<u32> = what.functions.iter().copied().filter(|index| !in_base.contains(index)).collect();
        let Outcomes { mut done, mut refused } = match what.goes_on {
            Some(goes_on) => self.compile_in_order(&functions, in_base, goes_on)?,
            None => self.compile_all(functions, in_base, what.threads)?,
        };
        // Equal modules are equal bytes, on however many threads they were compiled.
        done.sort_unstable_by_key(|(index, _)| *index);
        refused.sort_unstable_by_key(|(index, _)| *index);
        if let Some(container) = what.base {
            self.load_trampolines(container)?;
        }
        for (index, code) in &done {
            self.make_trampolines(*index, &code.exits)?;
        }
        let code_bytes = done.iter().map(|(_, code)| code.code.len()).sum();
        let new = done.iter_mut().map(|(index, code)| NewFunction {
            defined_index: *index,
            entries: Entries { at_start: true, at_loop: None },
            code: std::mem::take(&mut code.code),
            relocs: &code.relocs,
            tables: &code.tables,
        });
        let new: Vec<NewFunction<'_>> = new.collect();
        Ok(Precompiled { image: self.make_image(base.as_ref(), &new), functions: new.len(), code_bytes, refused })
    }

    /// Compiles functions one after the other, as long as `goes_on` returns true.
    fn compile_in_order(
        &self,
        functions: &[u32],
        mut callable: HashSet<u32>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Outcomes, CompileError> {
        let mut outcomes = Outcomes::default();
        let mut context = CompilerContext::default();
        for &index in functions.iter().take_while(|_| goes_on()) {
            let is_direct = |callee| callee == index || callable.contains(&callee);
            if outcomes.add(index, self.compile_safely(index, &is_direct, &mut context))? {
                callable.insert(index);
            }
        }
        Ok(outcomes)
    }

    /// Compiles functions on so many threads, until all that were not refused call one another directly.
    fn compile_all(
        &self,
        mut todo: Vec<u32>,
        mut callable: HashSet<u32>,
        threads: usize,
    ) -> Result<Outcomes, CompileError> {
        let mut outcomes = Outcomes::default();
        callable.extend(&todo);
        while !todo.is_empty() {
            for (index, outcome) in self.compile_in_parallel(&todo, &callable, threads) {
                if !outcomes.add(index, outcome)? {
                    callable.remove(&index);
                }
            }
            let calls_refused =
                |(_, code): &mut (u32, CompiledCode)| code.relocs.iter().any(|reloc| !callable.contains(&reloc.callee));
            todo = outcomes.done.extract_if(.., calls_refused).map(|(index, _)| index).collect();
        }
        Ok(outcomes)
    }

    /// Compiles functions of which those in `callable` are called directly.
    fn compile_in_parallel(
        &self,
        functions: &[u32],
        callable: &HashSet<u32>,
        threads: usize,
    ) -> Vec<(u32, Result<CompiledCode, CompileError>)> {
        let outcomes = Mutex::new(Vec::with_capacity(functions.len()));
        let cursor = AtomicUsize::new(0);
        let work = || {
            let mut context = CompilerContext::default();
            while let Some(&index) = functions.get(cursor.fetch_add(1, Ordering::Relaxed)) {
                let outcome = self.compile_safely(index, &|callee| callable.contains(&callee), &mut context);
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
    fn compile_safely(
        &self,
        index: u32,
        is_direct: &dyn Fn(u32) -> bool,
        context: &mut CompilerContext,
    ) -> Result<CompiledCode, CompileError> {
        let compile = || self.compile_unlinked(index, Entry::Start, is_direct, context);
        catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(|_| {
            // The panic may have left the context inconsistent.
            *context = CompilerContext::default();
            Err(CompileError::Codegen("the compiler failed".to_owned()))
        })
    }
}

impl Outcomes {
    /// Adds the outcome of a function. Returns true if the function has code.
    ///
    /// # Errors
    /// Returns the reason if no code can be made at all.
    fn add(&mut self, index: u32, outcome: Result<CompiledCode, CompileError>) -> Result<bool, CompileError> {
        match outcome {
            Ok(code) => self.done.push((index, code)),
            Err(CompileError::Unavailable(why)) => return Err(why.into()),
            Err(why) => {
                self.refused.push((index, why));
                return Ok(false);
            }
        }
        Ok(true)
    }
}
