//! Links compiled code: copies [`CompiledCode`] to code memory, fills in the addresses of its callees, and returns the address
//! at which it can be executed.
//!
//! Cranelift's `JITModule` applies the relocations. It writes to memory of ours: the writable view of the process's
//! [`CodeAllocator`], of which each linker has a [`CodeRegion`]. No address is therefore both writable and executable, no page
//! changes its protection, and the distances between pieces of code are the same in both views.
//!
//! Code is freed together with its linker and not before, since frames and function records may point to it.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{BranchProtection, JITBuilder, JITMemoryKind, JITMemoryProvider, JITModule};
use cranelift_module::{FuncId, Module, ModuleResult};
use wasmr_runtime::sys::{CodeAllocator, CodeMapping, CodeRegion, Image};

use crate::compiled::CompiledCode;
use crate::error::Unavailable;

/// Bytes of address space for all compiled code of the process.
const SIZE: usize = 512 << 20;
/// Least number of bytes that a linker allocates at a time.
const CHUNK: usize = 64 << 10;
/// Alignment of functions in bytes.
const ALIGN: u64 = 32;

static CODE_MEMORY: OnceLock<CodeAllocator> = OnceLock::new();

/// Returns the process's code memory. After a failure the next call tries again to map it.
///
/// # Errors
/// Returns an error if the address space cannot be mapped close to the program's own code.
fn code_memory() -> Result<&'static CodeAllocator, Unavailable> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(memory) = CODE_MEMORY.get() {
        return Ok(memory);
    }
    let here = code_memory as fn() -> Result<&'static CodeAllocator, Unavailable>;
    let image = Image::around(here as usize).ok_or(Unavailable::Host("the program's own code cannot be found"))?;
    let refused = |error: io::Error| Unavailable::Memory(error.to_string());
    let mapping = CodeMapping::near(image.all, SIZE).map_err(refused)?;
    Ok(CODE_MEMORY.get_or_init(|| CodeAllocator::new(mapping, CHUNK)))
}

/// Returns true if `address` is in the memory of compiled code. A signal handler may call this: it takes no lock and allocates
/// nothing.
pub(crate) fn is_code(address: usize) -> bool {
    CODE_MEMORY.get().is_some_and(|memory| memory.contains(address))
}

/// The code memory of one linker.
struct LinkerMemory(CodeRegion);

impl JITMemoryProvider for LinkerMemory {
    fn allocate(&mut self, size: usize, align: u64, _kind: JITMemoryKind) -> io::Result<*mut u8> {
        let at = self.0.find(size, align as usize)?;
        self.0.use_up_to(at + size);
        self.0.allocator().mapping().writable(at)
    }

    unsafe fn free_memory(&mut self) {}

    fn finalize(&mut self, _branch_protection: BranchProtection) -> ModuleResult<()> {
        Ok(())
    }
}

/// Links functions that may call one another directly.
pub(crate) struct Linker {
    module: JITModule,
    /// Bytes from the writable address of code to the executable one.
    distance: usize,
}

impl std::fmt::Debug for Linker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker").finish_non_exhaustive()
    }
}

impl Linker {
    /// Creates a linker without code.
    ///
    /// # Errors
    /// Returns an error if the system provides no executable memory.
    pub(crate) fn new(isa: OwnedTargetIsa) -> Result<Linker, Unavailable> {
        let memory = code_memory()?;
        let start = memory.mapping().writable(0).map_err(|error| Unavailable::Memory(error.to_string()))?;
        let distance = memory.mapping().base().wrapping_sub(start.addr());
        let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
        builder.memory_provider(Box::new(LinkerMemory(memory.region())));
        Ok(Linker { module: JITModule::new(builder), distance })
    }

    /// Declares a function that [`define`](Linker::define) links later.
    ///
    /// # Errors
    /// Returns an error if Cranelift rejects the declaration.
    pub(crate) fn declare(&mut self, signature: &Signature) -> Result<FuncId, Unavailable> {
        self.module.declare_anonymous_function(signature).map_err(|error| Unavailable::Compiler(error.to_string()))
    }

    /// Links the code of a declared function. Returns its executable address.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left.
    pub(crate) fn define(&mut self, id: FuncId, code: &CompiledCode) -> Result<usize, Unavailable> {
        let failed = |error: cranelift_module::ModuleError| Unavailable::Memory(error.to_string());
        self.module.define_function_bytes(id, ALIGN, &code.code, &code.relocs).map_err(failed)?;
        self.module.finalize_definitions().map_err(failed)?;
        let written = self.module.get_finalized_function(id);
        Ok(written.addr().wrapping_add(self.distance))
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::compile::{CompilerContext, compile_with};
    use crate::isa;

    /// Links a function that only returns.
    fn link(linker: &mut Linker) -> Result<usize, Unavailable> {
        use cranelift_codegen::ir::InstBuilder;
        use cranelift_codegen::isa::CallConv;

        let isa = isa::host()?;
        let signature = Signature::new(CallConv::SystemV);
        let id = linker.declare(&signature)?;
        let code = compile_with(&*isa, id, &mut CompilerContext::default(), |func, function_builder| {
            func.signature = signature;
            let mut builder = cranelift_frontend::FunctionBuilder::new(func, function_builder);
            let block = builder.create_block();
            builder.switch_to_block(block);
            builder.seal_all_blocks();
            builder.ins().return_(&[]);
            builder.finalize(isa.frontend_config());
        });
        linker.define(id, &code.expect("it is compiled"))
    }

    #[test]
    fn freed_code_memory_is_used_again() {
        let memory = code_memory().unwrap();
        let mut linker = Linker::new(isa::host().unwrap()).unwrap();
        let one_more = || {
            let mut region = memory.region();
            region.find(1, 1).ok().map(|_| region)
        };
        let all: Vec<CodeRegion> = std::iter::from_fn(one_more).collect();
        let refused = link(&mut linker).unwrap_err();
        assert!(!refused.is_permanent(), "{refused}");
        drop(all);
        let address = link(&mut linker).unwrap();
        assert!(is_code(address));
        let before = memory.taken();
        drop(linker);
        assert!(memory.taken() < before, "a dropped linker frees its code memory");
    }
}
