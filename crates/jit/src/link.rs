//! Links compiled code: copies it to code memory, fills in the distances of its callees, and returns the address at which it can be
//! executed.
//!
//! All code of the process is in one mapping with two views: the linker writes to the one, and the other is executable
//! ([`CodeAllocator`]). No address is therefore both writable and executable, and no page changes its protection. Each linker
//! has a [`CodeRegion`]. Code of a file, which was linked earlier, is mapped over the executable view instead of copied.
//!
//! The only relocations are direct calls within a module: compiled code has no address of the host program
//! ([`libcalls`](crate::libcalls)).
//!
//! Code is freed together with its linker and not before, since frames and function records may point to it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use wasmr_runtime::sys::{CodeAllocator, CodeMapping, CodeRegion, ProgramImage};

use crate::call_stub::STUB_LEN;
use crate::compiled::CallReloc;
use crate::error::Unavailable;

/// Bytes of address space for all compiled code of the process.
const SIZE: usize = 512 << 20;
/// Least number of bytes that a linker allocates at a time.
const CHUNK: usize = 64 << 10;
/// Alignment of functions in bytes: a cache line. With half of it, a loop over a branch table took 5.0 or 2.2 ns a round, depending on
/// the functions before it.
pub(crate) const ALIGN: usize = 64;

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
    let image =
        ProgramImage::around(here as usize).ok_or(Unavailable::Host("the program's own code cannot be found"))?;
    let mapping = CodeMapping::near(image.all, SIZE).map_err(refused)?;
    Ok(CODE_MEMORY.get_or_init(|| CodeAllocator::new(mapping, CHUNK)))
}

/// Returns true if `address` is in the memory of compiled code. A signal handler may call this: it takes no lock and allocates
/// nothing.
pub(crate) fn is_code(address: usize) -> bool {
    CODE_MEMORY.get().is_some_and(|memory| memory.contains(address))
}

/// Returns a copy of linked code.
///
/// # Safety
/// The code was linked, and its linker is alive.
pub(crate) unsafe fn code_at(address: usize, len: usize) -> Vec<u8> {
    // SAFETY: linked code is readable and does not change, as the caller promises that it is still there.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(address), len) }.to_vec()
}

/// Links functions that may call one another directly.
#[derive(Debug)]
pub(crate) struct Linker {
    region: CodeRegion,
    /// Addresses of call stubs, by callee.
    stubs: HashMap<u32, usize>,
}

impl Linker {
    /// Creates a linker without code.
    ///
    /// # Errors
    /// Returns an error if the system provides no executable memory.
    pub(crate) fn new() -> Result<Linker, Unavailable> {
        Ok(Linker { region: code_memory()?.region(), stubs: HashMap::new() })
    }

    /// Copies code to code memory. `address_of` returns the address of the callee of a direct call, given the address of the code
    /// itself; `None` if the callee has no code. `stub` returns the code of a call stub. Returns the executable address of the code.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left.
    pub(crate) fn link(
        &mut self,
        code: &mut [u8],
        relocs: &[CallReloc],
        address_of: impl Fn(u32, usize) -> Option<usize>,
        stub: &dyn Fn(u32) -> [u8; STUB_LEN],
    ) -> Result<usize, Unavailable> {
        for reloc in relocs {
            if address_of(reloc.callee, 0).is_none() && !self.stubs.contains_key(&reloc.callee) {
                let address = self.place(&stub(reloc.callee), STUB_LEN)?;
                self.stubs.insert(reloc.callee, address);
            }
        }
        let address = self.base() + self.region.find(code.len(), ALIGN).map_err(refused)?;
        for reloc in relocs {
            let callee = address_of(reloc.callee, address).unwrap_or_else(|| self.stubs[&reloc.callee]);
            reloc.write(code, address, callee).expect("all code is in one mapping of less than 2 GiB");
        }
        self.place(code, ALIGN)
    }

    /// Copies code that calls nothing directly, or whose calls are linked, to code memory. Returns the executable address.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left.
    pub(crate) fn place(&mut self, code: &[u8], align: usize) -> Result<usize, Unavailable> {
        let at = self.region.find(code.len(), align).map_err(refused)?;
        // SAFETY: the bytes are free in a region of this linker, which `&mut self` uses alone. Nothing knows their address yet.
        unsafe { self.region.allocator().mapping().write(at, code) }.map_err(refused)?;
        self.region.use_up_to(at + code.len());
        Ok(self.base() + at)
    }

    /// Returns the first address of the executable view.
    fn base(&self) -> usize {
        self.region.allocator().mapping().base()
    }

    /// Maps code that is linked already: `len` bytes of a file, from `offset` on, a multiple of the page size. Returns the address.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left, or if the system refuses to map the file.
    pub(crate) fn map(&mut self, file: &File, offset: u64, len: usize) -> Result<usize, Unavailable> {
        Ok(self.base() + self.region.map_file(file, offset, len).map_err(refused)?)
    }
}

/// Converts an error of the code memory.
fn refused(error: io::Error) -> Unavailable {
    Unavailable::Memory(error.to_string())
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// `ret`.
    const RETURN: u8 = 0xc3;

    #[test]
    fn calls_get_the_distance_of_their_callee() {
        let mut linker = Linker::new().unwrap();
        let callee = linker.place(&[RETURN], ALIGN).unwrap();
        // `call callee; return; call self; call stub`, of which the last two are never executed.
        let mut code = [0xe8, 0, 0, 0, 0, RETURN, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0];
        let relocs = [(1, 7), (7, 8), (12, 9)].map(|(offset, callee)| CallReloc { offset, callee });
        let address_of = |func, own| match func {
            7 => Some(callee),
            8 => Some(own),
            _ => None,
        };
        let stub = |func| [func as u8; STUB_LEN];
        let address = linker.link(&mut code, &relocs, address_of, &stub).unwrap();
        assert_eq!(address % ALIGN, 0);
        let field = |at: usize| i32::from_le_bytes(code[at..at + 4].try_into().unwrap()) as isize;
        assert_eq!(address.wrapping_add_signed(5 + field(1)), callee);
        assert_eq!(address.wrapping_add_signed(11 + field(7)), address);
        // SAFETY: the linker has put the stub there.
        assert_eq!(unsafe { code_at(address.wrapping_add_signed(16 + field(12)), STUB_LEN) }, stub(9));
        let again = linker.link(&mut code, &relocs, address_of, &stub).unwrap();
        assert_eq!(again.wrapping_sub(address), ALIGN, "a callee has one stub");
        // SAFETY: the code calls a function that returns, and returns.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(address)() };
    }

    #[test]
    fn freed_code_memory_is_used_again() {
        let memory = code_memory().unwrap();
        let mut linker = Linker::new().unwrap();
        let one_more = || {
            let mut region = memory.region();
            region.find(1, 1).ok().map(|_| region)
        };
        let all: Vec<CodeRegion> = std::iter::from_fn(one_more).collect();
        let refused = linker.place(&[RETURN], ALIGN).unwrap_err();
        assert!(!refused.is_permanent(), "{refused}");
        drop(all);
        let address = linker.place(&[RETURN], ALIGN).unwrap();
        assert!(is_code(address));
        let before = memory.taken();
        drop(linker);
        assert!(memory.taken() < before, "a dropped linker frees its code memory");
    }
}
