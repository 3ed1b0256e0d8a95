//! Linear memories: `MemoryObject` in a store, [`Memory`] as its handle.
//!
//! # Two backings
//! - *Guard-paged*: a reservation of address space so large that a 32-bit address plus a 32-bit offset plus the widest
//!   access stays inside. Its base never moves, code accesses it without checks, and pages beyond the current size
//!   fault. Growing is one `mprotect`.
//! - *Checked*: only the pages of the current size. Every access is compared with [`VmMemory::len`], and growing may
//!   move the base. Used for 64-bit memories, for memories with pages of one byte, on hosts where faults do not become
//!   traps, and when the system refuses the reservation (`ulimit -v`).
//!
//! [`VmMemory::guarded`] tells them apart. Results and traps are the same.
//!
//! # Invariants
//! - `len` is a multiple of the page size of the memory's type and never shrinks
//!   ([spec](https://webassembly.github.io/spec/core/exec/runtime.html#memory-instances)).
//! - The first `len` bytes at `base` are readable and writable.
//! - A fresh page is zero, even if the address space belonged to another memory before (see [`crate::sys`]).
//! - An instance caches the base of memory 0 only if that is guard-paged. Such a base never moves, so growing updates
//!   no instance.

use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;

use wasmr_core::count::Count;
use wasmr_core::limits::PAGE_SIZE as PAGE;
use wasmr_core::types::{DEFAULT_PAGE_SIZE_LOG2, MemoryType};

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::limits::{MemoryStrategy, ResourceError};
use crate::store::StoreInner;
use crate::sys::{FAULTS_BECOME_TRAPS, Mapping, Reservation};
use crate::vm::VmMemory;

/// Bytes of a reservation from the base of a guard-paged memory on: any 32-bit address, any 32-bit offset, and a page
/// for the width of the access.
pub const GUARDED_SPACE: usize = (8 << 30) + PAGE as usize;

/// Inaccessible bytes in front of a guard-paged memory, which no correct code can reach. A wrongly sign-extended 32-bit
/// address is at most so far below the base.
const FRONT_GUARD: usize = 2 << 30;

/// Bytes of address space that must be free for a checked memory to grow. Under a limit of address space, a guest could
/// otherwise take everything, and the host's next allocation would abort the process.
const LEFT_TO_THE_HOST: usize = 8 << 20;

/// Checks that address space for `bytes` is free, and `LEFT_TO_THE_HOST` besides. A thread that is started when a guest has taken the
/// rest would otherwise have its stack from what is left to the host.
///
/// # Errors
/// If there is less.
pub fn check_room(bytes: usize) -> std::io::Result<()> {
    Mapping::reserve(bytes + LEFT_TO_THE_HOST).map(drop)
}

#[derive(Debug)]
#[repr(C)]
pub(crate) struct MemoryObject {
    /// First field, so that the address of the object is also that of its `VmMemory`.
    pub(crate) vm: VmMemory,
    backing: Backing,
    ty: MemoryType,
}

#[derive(Debug)]
enum Backing {
    Guarded(Reservation),
    /// `None` while the memory is empty.
    Checked(Option<Mapping>),
}

impl MemoryObject {
    /// Creates a zeroed memory of its minimal size.
    pub(crate) fn new(store: &mut StoreInner, ty: MemoryType) -> Result<MemoryObject, ResourceError> {
        if ty.shared {
            return Err(ResourceError::Sharing { shared: true });
        }
        let asked = u128::from(ty.limits.min) << ty.page_size_log2;
        let bytes = u64::try_from(asked).ok().filter(|&bytes| store.take_memory(bytes));
        let Some(bytes) = bytes else { return Err(store.memory_limit_error(asked)) };
        let guarded = reserve_guarded(store.memory_strategy(), &ty, bytes);
        let guarded = guarded.map(|backing| (backing.base(), Backing::Guarded(backing)));
        let (base, backing) = match guarded.map_or_else(|| MemoryObject::checked(bytes), Ok) {
            Ok(made) => made,
            Err(source) => {
                store.return_memory(bytes);
                return Err(ResourceError::System { what: "a linear memory", source });
            }
        };
        let guarded = matches!(backing, Backing::Guarded(_));
        let len = AtomicUsize::new(bytes as usize);
        Ok(MemoryObject { vm: VmMemory { base: base.as_ptr(), len, guarded, shared: false }, backing, ty })
    }

    fn checked(bytes: u64) -> std::io::Result<(NonNull<u8>, Backing)> {
        if bytes == 0 {
            return Ok((NonNull::dangling(), Backing::Checked(None)));
        }
        let bytes = usize::try_from(bytes).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
        let mapping = Mapping::allocate(bytes)?;
        Ok((mapping.base(), Backing::Checked(Some(mapping))))
    }

    /// Returns the current size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.vm.size() as u64 >> self.ty.page_size_log2
    }

    /// Returns the type with the current size as its minimum, which an [import is matched
    /// against](https://webassembly.github.io/spec/core/exec/modules.html#instantiation).
    pub(crate) fn current_type(&self) -> MemoryType {
        let mut ty = self.ty;
        ty.limits.min = self.pages();
        ty
    }

    /// Makes the memory `len` bytes long, which the store has granted.
    fn enlarge(&mut self, len: usize) -> std::io::Result<()> {
        match &mut self.backing {
            Backing::Guarded(reservation) => reservation.enlarge(len)?,
            Backing::Checked(Some(mapping)) if len <= mapping.size() => {}
            Backing::Checked(Some(mapping)) => {
                let _free = Mapping::reserve(LEFT_TO_THE_HOST)?;
                mapping.enlarge(len)?;
                self.vm.base = mapping.base().as_ptr();
            }
            Backing::Checked(empty) => {
                let _free = Mapping::reserve(LEFT_TO_THE_HOST)?;
                let mapping = empty.insert(Mapping::allocate(len)?);
                self.vm.base = mapping.base().as_ptr();
            }
        }
        *self.vm.len.get_mut() = len;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: by the invariants of the module, `len` bytes at `base` are readable, and `base` is not null. The
        // shared borrow of the store excludes guest code, which alone writes them.
        unsafe { std::slice::from_raw_parts(self.vm.base, self.vm.size()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: by the invariants of the module, `len` bytes at `base` are readable and writable. The exclusive
        // borrow of the store excludes guest code.
        unsafe { std::slice::from_raw_parts_mut(self.vm.base, self.vm.size()) }
    }
}

/// Reserves address space for a memory of type `ty` whose first `bytes` are accessible. Returns `None` if the memory cannot be
/// guard-paged.
pub(crate) fn reserve_guarded(strategy: MemoryStrategy, ty: &MemoryType, bytes: u64) -> Option<Reservation> {
    let may_be = strategy == MemoryStrategy::Guarded && FAULTS_BECOME_TRAPS && ty.may_be_guarded();
    if may_be { Reservation::new(FRONT_GUARD, GUARDED_SPACE, usize::try_from(bytes).ok()?).ok() } else { None }
}

/// Returns the size in bytes of a memory of type `ty` after it grew by `delta` from `pages` pages; `None` if the type does not
/// allow it.
pub(crate) fn grown_len(ty: &MemoryType, pages: u64, delta: u64) -> Option<u64> {
    let most = ty.max_pages();
    let max = ty.limits.max.unwrap_or(most).min(most);
    let pages = pages.checked_add(delta).filter(|&pages| pages <= max)?;
    pages.checked_mul(1 << ty.page_size_log2).filter(|&bytes| bytes <= isize::MAX as u64)
}

/// Grows a memory by `delta` pages. Returns the size before in pages, or `None` with nothing changed.
///
/// # Safety
/// `memory` is a memory of `store`, and no reference to it is in use.
pub(crate) unsafe fn grow(store: &mut StoreInner, memory: *mut MemoryObject, delta: u64) -> Option<u64> {
    // SAFETY: the caller promises a memory of `store`, hence alive, to which no other reference is in use.
    let memory = unsafe { &mut *memory };
    let before = memory.pages();
    if delta == 0 {
        return Some(before);
    }
    let len = grown_len(&memory.ty, before, delta)?;
    let more = len - memory.vm.size() as u64;
    if !store.take_memory(more) {
        return None;
    }
    if memory.enlarge(len as usize).is_err() {
        store.return_memory(more);
        return None;
    }
    Some(before)
}

/// A linear memory in a store.
///
/// # Examples
/// ```
/// use wasmr::{Engine, Instance, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (memory (export "memory") 1 3) (data (i32.const 8) "hello")
///     (func (export "first") (param i32) (result i32) (i32.load8_u (local.get 0))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let memory = instance.get_memory(&store, "memory").ok_or("no such export")?;
///
/// // Copies are checked; a borrow of the whole costs nothing.
/// let mut text = [0; 5];
/// memory.read(&store, 8, &mut text)?;
/// assert_eq!(&text, b"hello");
/// memory.data_mut(&mut store)[8] = b'j';
/// let first = instance.get_typed_func::<i32, i32>(&store, "first")?;
/// assert_eq!(first.call(&mut store, 8)?, i32::from(b'j'));
///
/// assert_eq!(memory.grow(&mut store, 2), Some(1), "the size before");
/// assert_eq!(memory.grow(&mut store, 1), None, "the maximum is three pages");
/// assert!(memory.write(&mut store, 3 << 16, b"!").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub(crate) Handle<MemoryObject>);

/// The error of a range that is not within a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range of {} at address {address:#x} is not within the memory", Count(*.len, "byte"))]
pub struct MemoryAccessError {
    /// First address of the range.
    pub address: u64,
    /// Length of the range in bytes.
    pub len: usize,
}

stop_from! { MemoryAccessError }

impl Memory {
    /// Creates a zeroed memory of the host.
    ///
    /// # Errors
    /// If the store's limit or the system refuses it, or if `ty` is shared: [`SharedMemory`](crate::SharedMemory) has those.
    ///
    /// # Panics
    /// If the page size of the type is neither 1 byte nor 64 KiB.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory, ResourceError> {
        assert!([0, DEFAULT_PAGE_SIZE_LOG2].contains(&ty.page_size_log2), "pages have 1 byte or 64 KiB");
        let mut store = store.as_context_mut();
        Memory::in_store(store.inner_mut(), ty)
    }

    pub(crate) fn in_store(store: &mut StoreInner, ty: MemoryType) -> Result<Memory, ResourceError> {
        let object = MemoryObject::new(store, ty)?;
        Ok(Memory(store.add_memory(object)))
    }

    /// Returns the type that the memory was created with.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.0.get(store.as_context().inner()).ty
    }

    /// Returns the current size in pages, which have 64 KiB or one byte.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.0.get(store.as_context().inner()).pages()
    }

    /// Returns the current size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.0.get(store.as_context().inner()).vm.size()
    }

    /// Returns true if the memory is guard-paged: an access out of bounds faults, so that code compares nothing.
    pub fn is_guarded(&self, store: impl AsContext) -> bool {
        self.0.get(store.as_context().inner()).vm.guarded
    }

    /// Returns the contents.
    pub fn data<'a, C: AsContext>(&self, store: &'a C) -> &'a [u8] {
        self.0.get(store.as_context().inner()).bytes()
    }

    /// Returns the contents for writing.
    pub fn data_mut<'a, C: AsContextMut>(&self, store: &'a mut C) -> &'a mut [u8] {
        self.0.get_mut(store.as_context_mut().into_inner()).bytes_mut()
    }

    /// Returns the contents and the embedder's data, both for writing.
    pub fn data_and_store_mut<'a, C: AsContextMut>(&self, store: &'a mut C) -> (&'a mut [u8], &'a mut C::Data) {
        let (inner, data) = store.as_context_mut().split();
        (self.0.get_mut(inner).bytes_mut(), data)
    }

    /// Copies from the memory at `address` into `buffer`.
    ///
    /// # Errors
    /// If the range is not within the memory.
    pub fn read(&self, store: impl AsContext, address: u64, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let context = store.as_context();
        let source = within(address, buffer.len()).and_then(|range| self.0.get(context.inner()).bytes().get(range));
        let source = source.ok_or(MemoryAccessError { address, len: buffer.len() })?;
        buffer.copy_from_slice(source);
        Ok(())
    }

    /// Copies `buffer` into the memory at `address`.
    ///
    /// # Errors
    /// If the range is not within the memory, which is then unchanged.
    pub fn write(&self, mut store: impl AsContextMut, address: u64, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        let mut context = store.as_context_mut();
        let memory = self.0.get_mut(context.inner_mut()).bytes_mut();
        let target = within(address, buffer.len()).and_then(|range| memory.get_mut(range));
        target.ok_or(MemoryAccessError { address, len: buffer.len() })?.copy_from_slice(buffer);
        Ok(())
    }

    /// Grows the memory by `delta` pages. Returns the size before in pages, or `None` if its type, the store's limits
    /// or the system refuse.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Option<u64> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        self.0.check(store);
        // SAFETY: `check` found it a memory of this store, and the exclusive borrow excludes other references.
        unsafe { grow(store, self.0.as_ptr(), delta) }
    }
}

fn within(address: u64, len: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(address).ok()?;
    Some(start..start.checked_add(len)?)
}
