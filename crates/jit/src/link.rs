//! Puts compiled code where it can be executed, and fills in the addresses of what it calls.
//!
//! Comes in: [`CompiledCode`]. Goes out: the address at which it is executed. Cranelift's `JITModule` is the link editor; the
//! memory that it writes to is ours: the writable view of one [`CodeSpace`] a process, of which each linker takes chunks. So
//! nothing is ever writable and executable at one address, no page changes its protection, and distances between code are
//! the same in both views.
//!
//! Code is not freed before its linker is: frames and slots may lead to it.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{BranchProtection, JITBuilder, JITMemoryKind, JITMemoryProvider, JITModule};
use cranelift_module::{FuncId, Module, ModuleResult};
use wasmr_runtime::sys::{CodeSpace, Image};

use crate::Unavailable;
use crate::compile::CompiledCode;

/// Address space for all compiled code of the process.
const SIZE: usize = 512 << 20;
/// What a linker takes at a time, at least.
const CHUNK: usize = 64 << 10;
/// Functions start at multiples of this.
const ALIGN: u64 = 32;

struct Arena {
    space: CodeSpace,
    /// Which chunks are taken.
    taken: Mutex<Vec<bool>>,
}

/// First address of the arena, 0 before there is one; its size is [`SIZE`].
static START: AtomicUsize = AtomicUsize::new(0);

/// The arena. If the system refuses it, it is asked for again the next time.
fn arena() -> Result<&'static Arena, Unavailable> {
    static ARENA: OnceLock<Arena> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(arena) = ARENA.get() {
        return Ok(arena);
    }
    let here = arena as fn() -> Result<&'static Arena, Unavailable>;
    let image = Image::around(here as usize).ok_or(Unavailable::Host("the program's own code cannot be found"))?;
    let refused = |error: io::Error| Unavailable::Memory(error.to_string());
    let space = CodeSpace::near(image.all, SIZE).map_err(refused)?;
    START.store(space.base(), Ordering::Release);
    Ok(ARENA.get_or_init(|| Arena { space, taken: Mutex::new(vec![false; SIZE / CHUNK]) }))
}

/// Whether an address is one of compiled code. Takes no lock and allocates nothing.
pub fn is_code(address: usize) -> bool {
    let start = START.load(Ordering::Acquire);
    start != 0 && address.wrapping_sub(start) < SIZE
}

impl Arena {
    /// Takes as many chunks as hold `size` bytes: their positions in the space.
    fn take(&self, size: usize) -> Option<Range<usize>> {
        let count = size.div_ceil(CHUNK);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.windows(count).position(|window| window.iter().all(|taken| !taken))?;
        taken[first..first + count].fill(true);
        Some(first * CHUNK..(first + count) * CHUNK)
    }

    fn give_back(&self, range: &Range<usize>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken[range.start / CHUNK..range.end / CHUNK].fill(false);
    }
}

/// The memory of one linker.
struct Room {
    arena: &'static Arena,
    chunks: Vec<Range<usize>>,
    /// What is left of the last of them.
    free: Range<usize>,
}

impl JITMemoryProvider for Room {
    fn allocate(&mut self, size: usize, align: u64, _kind: JITMemoryKind) -> io::Result<*mut u8> {
        let align = align as usize;
        let mut at = self.free.start.next_multiple_of(align);
        if at > self.free.end || self.free.end - at < size {
            self.free = self.arena.take(size).ok_or(io::ErrorKind::OutOfMemory)?;
            self.chunks.push(self.free.clone());
            // Chunks start at multiples of pages.
            at = self.free.start;
        }
        self.free.start = at + size;
        self.arena.space.writable(at)
    }

    unsafe fn free_memory(&mut self) {}

    fn finalize(&mut self, _branch_protection: BranchProtection) -> ModuleResult<()> {
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.chunks.iter().for_each(|chunk| self.arena.give_back(chunk));
    }
}

/// Links functions that call one another.
pub struct Linker {
    module: JITModule,
    /// From where code is written to where it is executed.
    distance: usize,
}

impl std::fmt::Debug for Linker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker").finish_non_exhaustive()
    }
}

impl Linker {
    /// A linker with no code yet.
    ///
    /// # Errors
    /// If the system lets nobody execute what they wrote.
    pub fn new(isa: OwnedTargetIsa) -> Result<Linker, Unavailable> {
        let arena = arena()?;
        let start = arena.space.writable(0).map_err(|error| Unavailable::Memory(error.to_string()))?;
        let distance = arena.space.base().wrapping_sub(start.addr());
        let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
        builder.memory_provider(Box::new(Room { arena, chunks: Vec::new(), free: 0..0 }));
        Ok(Linker { module: JITModule::new(builder), distance })
    }

    /// A function that is to be defined later.
    ///
    /// # Errors
    /// If the linker refuses.
    pub fn declare(&mut self, signature: &Signature) -> Result<FuncId, Unavailable> {
        self.module.declare_anonymous_function(signature).map_err(|error| Unavailable::Compiler(error.to_string()))
    }

    /// Puts a function's code in place: where it starts.
    ///
    /// # Errors
    /// If there is no room.
    pub fn define(&mut self, id: FuncId, code: &CompiledCode) -> Result<usize, Unavailable> {
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
    use crate::compile::{Scratch, compile_with};
    use crate::isa;

    /// Links a function that returns.
    fn link(linker: &mut Linker) -> Result<usize, Unavailable> {
        use cranelift_codegen::ir::InstBuilder;
        use cranelift_codegen::isa::CallConv;

        let isa = isa::host()?;
        let signature = Signature::new(CallConv::SystemV);
        let id = linker.declare(&signature)?;
        let code = compile_with(&*isa, id, &mut Scratch::default(), |func, context| {
            func.signature = signature;
            let mut builder = cranelift_frontend::FunctionBuilder::new(func, context);
            let block = builder.create_block();
            builder.switch_to_block(block);
            builder.seal_all_blocks();
            builder.ins().return_(&[]);
            builder.finalize(isa.frontend_config());
        });
        linker.define(id, &code.expect("it is compiled"))
    }

    #[test]
    fn room_that_is_given_back_is_used_again() {
        let arena = arena().unwrap();
        let mut linker = Linker::new(isa::host().unwrap()).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| arena.take(1)).collect();
        let refused = link(&mut linker).unwrap_err();
        assert!(!refused.is_permanent(), "{refused}");
        all.iter().for_each(|chunk| arena.give_back(chunk));
        let address = link(&mut linker).unwrap();
        assert!(is_code(address));
        let taken = || arena.taken.lock().unwrap().iter().filter(|taken| **taken).count();
        let before = taken();
        drop(linker);
        assert!(taken() < before, "a linker takes its memory with it");
    }
}
