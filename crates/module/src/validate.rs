//! Validates function bodies, on several threads if there is enough code.
//!
//! `decode` calls this file at the end of the code section. Threads take chunks of neighbouring bodies, about [`CHUNK_BYTES`]
//! each, from one atomic cursor. Each thread reuses wasmparser's allocations for all of its bodies.
//!
//! Invariant: the returned error is the one at the lowest byte offset, independent of scheduling. Threads take chunks in order.
//! When a chunk fails, all earlier chunks are complete or in progress; those run to their end, and only later chunks are
//! skipped.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidatorAllocations, FunctionBody, OperatorsReader, ValidatorResources,
    WasmFeatures,
};

use crate::decls::{BodyRange, Declarations};
use crate::error::{Fault, ModuleError};

/// Minimum size of the code, in bytes, for several threads. Starting one takes some 30 µs; validation runs at about 75 MB/s.
const PARALLEL_BYTES: usize = 256 << 10;

/// Bytes of code in a chunk: large compared with the cost of taking a chunk, small compared with the whole.
const CHUNK_BYTES: usize = 64 << 10;

/// The bodies of a module, with the context for their validation.
pub(crate) struct Bodies<'a> {
    pub binary: &'a [u8],
    /// Declarations of the module, with the bodies to validate.
    pub decls: &'a Declarations,
    /// wasmparser's form of the declarations.
    pub resources: &'a ValidatorResources,
    /// Features that a valid module may use.
    pub features: WasmFeatures,
}

/// The index of a function, and its error.
type Found = (u32, ModuleError);

impl Bodies<'_> {
    /// Validates all bodies on up to `threads` threads.
    pub(crate) fn validate(&self, threads: usize) -> Result<(), Found> {
        let ends = self.chunk_ends();
        let code: usize = self.decls.bodies.iter().map(BodyRange::len).sum();
        let threads = if code < PARALLEL_BYTES { 1 } else { threads.min(ends.len()) };
        let cursor = AtomicUsize::new(0);
        let found: Mutex<Option<(usize, Found)>> = Mutex::new(None);
        let work = || {
            let mut allocations = FuncValidatorAllocations::default();
            loop {
                let chunk = cursor.fetch_add(1, Ordering::Relaxed);
                let Some(&end) = ends.get(chunk) else { break };
                let start = if chunk == 0 { 0 } else { ends[chunk - 1] };
                for defined in start..end {
                    match self.validate_one(defined, allocations) {
                        Ok(reusable) => allocations = reusable,
                        Err(error) => {
                            // No thread needs to take a later chunk.
                            cursor.store(ends.len(), Ordering::Relaxed);
                            let mut found = found.lock().expect("no thread panics while it holds this");
                            if found.as_ref().is_none_or(|(first, _)| defined < *first) {
                                *found = Some((defined, error));
                            }
                            return;
                        }
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // If the system refuses to start a thread, the calling thread does the work.
                let builder = std::thread::Builder::new().name("wasmr-validate".to_owned());
                if builder.spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        match found.into_inner().expect("no thread panics while it holds this") {
            Some((_, found)) => Err(found),
            None => Ok(()),
        }
    }

    /// Returns the end of each chunk as an index into the bodies.
    fn chunk_ends(&self) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut size = 0;
        for (index, body) in self.decls.bodies.iter().enumerate() {
            size += body.len();
            if size >= CHUNK_BYTES {
                ends.push(index + 1);
                size = 0;
            }
        }
        // Not `size > 0`: validation must also see a body of no bytes, to refuse it.
        if ends.last() != Some(&self.decls.bodies.len()) {
            ends.push(self.decls.bodies.len());
        }
        ends
    }

    /// Validates a body and returns the allocations for reuse.
    fn validate_one(
        &self,
        defined: usize,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, Found> {
        let index = self.decls.imported.funcs + defined as u32;
        let body = self.body(defined);
        let ty = self.decls.funcs[index as usize];
        let to_validate = FuncToValidate { resources: self.resources, index, ty, features: self.features };
        let mut validator = to_validate.into_validator(allocations);
        match validator.validate(&body) {
            Ok(()) => Ok(validator.into_allocations()),
            Err(error) => {
                let malformed = decoding_error(&body).is_some_and(|first| first.offset() <= error.offset());
                let fault = if malformed { Fault::Malformed } else { Fault::Invalid };
                Err((index, ModuleError::from_parser(&error, fault)))
            }
        }
    }

    fn body(&self, defined: usize) -> FunctionBody<'_> {
        let BodyRange { start, end } = self.decls.bodies[defined];
        let bytes = &self.binary[start as usize..end as usize];
        FunctionBody::new(BinaryReader::new_features(bytes, u64::from(start), self.features))
    }
}

/// Returns the first error of decoding a body without validation.
fn decoding_error(body: &FunctionBody<'_>) -> Option<wasmparser::Error> {
    let decode = || {
        for local in body.get_locals_reader()? {
            local?;
        }
        let mut operators: OperatorsReader<'_> = body.get_operators_reader()?;
        while !operators.eof() {
            operators.read()?;
        }
        operators.finish()
    };
    decode().err()
}
