//! Validates function bodies, on several threads when there is enough code.
//!
//! Comes from `decode` at the end of the code section; reads straight out of the module's bytes. Work is handed out in
//! chunks of neighbouring bodies of about [`CHUNK_BYTES`] through one atomic cursor; each thread keeps one set of
//! wasmparser's allocations for all its bodies.
//!
//! Invariant: the error given is the first by byte offset, whatever the threads do. Chunks are handed out in order, so
//! when one fails all earlier ones are done or being worked on; those run to their end and only later ones are skipped.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidatorAllocations, FunctionBody, OperatorsReader, ValidatorResources,
    WasmFeatures,
};

use crate::decls::{BodyRange, Declarations};
use crate::error::{Fault, ModuleError};
use crate::execution;

/// How much code makes other threads worth their start (some 30 µs each, at about 75 MB/s).
const PARALLEL_BYTES: usize = 256 << 10;

/// How much code a thread takes at a time: large against the cost of taking it, small against the whole.
const CHUNK_BYTES: usize = 64 << 10;

/// The bodies of a module that are to be validated.
pub(crate) struct Bodies<'a> {
    pub binary: &'a [u8],
    /// What it declares; all of `bodies` are validated.
    pub decls: &'a Declarations,
    /// wasmparser's view of the same.
    pub resources: &'a ValidatorResources,
    /// The features of a valid module.
    pub features: WasmFeatures,
    /// Those of them that are executed, or all if the module is only inspected.
    pub executed: WasmFeatures,
}

/// The index of a function and what is wrong with it.
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
                            // Later chunks are of no interest any more.
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
                // If the system gives no thread, this one does the work.
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

    /// Where each chunk ends, as an index into the bodies.
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
        // Not `size > 0`: a body of no bytes is there to be refused.
        if ends.last() != Some(&self.decls.bodies.len()) {
            ends.push(self.decls.bodies.len());
        }
        ends
    }

    /// Validates a body, and refuses it if it is to be run and needs what is not executed. Returns the allocations.
    fn validate_one(
        &self,
        defined: usize,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, Found> {
        // Nearly every body is valid with what is executed alone. Any other one is looked at again: it may be invalid, use a
        // type of a feature that is not executed, which is all right, or an operator of it.
        let result = match self.validate_with(self.executed, defined, allocations) {
            Err(_) if self.executed != self.features => {
                self.validate_with(self.features, defined, FuncValidatorAllocations::default()).and_then(
                    |allocations| execution::check_body(&self.body(defined, self.features)).map(|()| allocations),
                )
            }
            result => result,
        };
        result.map_err(|error| (self.decls.imported.funcs + defined as u32, error))
    }

    /// Validates a body with a set of features. Returns the allocations.
    fn validate_with(
        &self,
        features: WasmFeatures,
        defined: usize,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, ModuleError> {
        let index = self.decls.imported.funcs + defined as u32;
        let body = self.body(defined, features);
        let to_validate =
            FuncToValidate { resources: self.resources, index, ty: self.decls.funcs[index as usize], features };
        let mut validator = to_validate.into_validator(allocations);
        match validator.validate(&body) {
            Ok(()) => Ok(validator.into_allocations()),
            Err(error) => {
                let malformed = decoding_error(&body).is_some_and(|first| first.offset() <= error.offset());
                let fault = if malformed { Fault::Malformed } else { Fault::Invalid };
                let error = ModuleError::from_parser(&error, fault);
                let named = error.missing_feature().zip(error.offset()).and_then(|(feature, offset)| {
                    execution::refuse_at(&self.body(defined, features | feature.bits()), offset)
                });
                Err(named.unwrap_or(error))
            }
        }
    }

    fn body(&self, defined: usize, features: WasmFeatures) -> FunctionBody<'_> {
        let BodyRange { start, end } = self.decls.bodies[defined];
        let bytes = &self.binary[start as usize..end as usize];
        FunctionBody::new(BinaryReader::new_features(bytes, u64::from(start), features))
    }
}

/// The first error that decoding a body gives when nothing is validated.
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
