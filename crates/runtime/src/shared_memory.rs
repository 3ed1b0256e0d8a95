//! [`SharedMemory`]: a linear memory that several stores, each run by a thread of its own, use at the same time.
//!
//! It belongs to no store. Every instance that imports or defines it has a pointer to the same [`VmMemory`], whose base never
//! moves, and keeps it alive. Growing changes the length, which every thread reads as an atomic.
//!
//! # Backings
//! As for other memories, a 32-bit one is guard-paged if the system gives the address space. All others have *fixed* backing:
//! a reservation as large as the maximum, or as the system permits, whose first pages are accessible. Accesses are compared
//! with the length.
//!
//! # Aliasing rules
//! Other threads may write at any moment, so no Rust reference to the bytes may exist, not even to a part. This file reads and
//! writes with relaxed atomics. [`SharedMemory::data`] returns cells, which an embedder may access by atomics too, or by other
//! means when it knows that no thread writes.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{DEFAULT_PAGE_SIZE_LOG2, MemoryType};

use crate::interrupt::InterruptHandle;
use crate::limits::{MemoryStrategy, ResourceError};
use crate::memory::{MemoryAccessError, check_room, grown_len, reserve_guarded};
use crate::store::{StoreConfig, StoreInner};
use crate::sys::{Mapping, Reservation, page_size};
use crate::usage::SharedUsage;
use crate::vm::VmMemory;
use crate::waiting::{WaitQueues, WaitResult};

/// A linear memory for several threads. Clones are the same memory.
///
/// Other threads may write to it at any time. The methods here copy, and follow the memory model of WebAssembly: copies that
/// race with a write may see any mixture of old and new bytes, and nothing worse.
///
/// # Examples
/// ```
/// use wasmr::{Engine, ExternType, Linker, Module, SharedMemory, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "env" "memory" (memory 1 4 shared))
///     (func (export "count") (param $times i32)
///         (loop (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
///             (br_if 0 (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))"#)?;
/// let ExternType::Memory(ty) = module.module.imports()[0].ty else { return Err("no memory".into()) };
/// let memory = SharedMemory::new(&engine, ty)?;
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             // A store for each thread. Module and code are shared.
///             let mut store = Store::new(&engine, ());
///             let mut linker = Linker::new();
///             linker.define("env", "memory", memory.clone()).unwrap();
///             let instance = linker.instantiate(&mut store, &module).unwrap();
///             instance.get_typed_func::<i32, ()>(&store, "count").unwrap().call(&mut store, 1000).unwrap();
///         });
///     }
/// });
/// let mut count = [0; 4];
/// memory.read(0, &mut count)?;
/// assert_eq!(u32::from_le_bytes(count), 2000);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedMemory(Arc<SharedObject>);

#[derive(Debug)]
#[repr(C)]
struct SharedObject {
    /// First field, so that the address of the object is also that of its `VmMemory`.
    vm: VmMemory,
    ty: MemoryType,
    /// Changes while the memory grows.
    backing: Mutex<Backing>,
    /// Bytes that the backing can ever have.
    most: u64,
    queues: WaitQueues,
    usage: SharedUsage,
    /// Limit of the bytes of all memories of the guest.
    limit: u64,
}

// SAFETY: the object owns its pages. Their bytes are reached by raw pointers and atomics only, whose users answer for races.
// Base and kind never change, the length is an atomic, and everything else has its own lock.
unsafe impl Send for SharedObject {}
// SAFETY: as for `Send`.
unsafe impl Sync for SharedObject {}

#[derive(Debug)]
enum Backing {
    Guarded(Reservation),
    Fixed(Mapping),
}

impl PartialEq for SharedMemory {
    fn eq(&self, other: &SharedMemory) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedMemory {}

impl SharedMemory {
    /// Creates a zeroed memory of its minimal size. It may grow up to the engine's limit for the memories of one store.
    ///
    /// # Errors
    /// If the limit or the system refuses it, or if `ty` is not shared.
    ///
    /// # Panics
    /// If the page size of the type is neither 1 byte nor 64 KiB.
    pub fn new(config: impl Into<StoreConfig>, ty: MemoryType) -> Result<SharedMemory, ResourceError> {
        assert!([0, DEFAULT_PAGE_SIZE_LOG2].contains(&ty.page_size_log2), "pages have 1 byte or 64 KiB");
        let StoreConfig { limits, memory, usage, .. } = config.into();
        SharedMemory::with_usage(ty, memory, limits.max_memory_bytes, &usage.unwrap_or_default())
    }

    /// Creates a memory that counts towards the limits of a store.
    pub(crate) fn in_store(store: &StoreInner, ty: MemoryType) -> Result<SharedMemory, ResourceError> {
        SharedMemory::with_usage(ty, store.memory_strategy(), store.limits().max_memory_bytes, store.usage())
    }

    fn with_usage(
        ty: MemoryType,
        strategy: MemoryStrategy,
        limit: u64,
        usage: &SharedUsage,
    ) -> Result<SharedMemory, ResourceError> {
        if !ty.shared {
            return Err(ResourceError::Sharing { shared: false });
        }
        let asked = u128::from(ty.limits.min) << ty.page_size_log2;
        let bytes = u64::try_from(asked).ok().filter(|&bytes| usage.take_memory(bytes, limit));
        let Some(bytes) = bytes else {
            return Err(ResourceError::MemoryLimit { asked, limit, used: usage.memory_bytes() });
        };
        let backing = match reserve_guarded(strategy, &ty, bytes) {
            Some(reservation) => Backing::Guarded(reservation),
            None => Backing::Fixed(fixed(&ty, bytes, limit).map_err(|source| {
                usage.return_memory(bytes);
                ResourceError::System { what: "a shared memory", source }
            })?),
        };
        let (base, guarded, most) = match &backing {
            Backing::Guarded(reservation) => (reservation.base(), true, u64::MAX),
            Backing::Fixed(mapping) => (mapping.base(), false, mapping.size() as u64),
        };
        let len = AtomicUsize::new(bytes as usize);
        Ok(SharedMemory(Arc::new(SharedObject {
            vm: VmMemory { base: base.as_ptr(), len, guarded, shared: true },
            ty,
            backing: Mutex::new(backing),
            most,
            queues: WaitQueues::default(),
            usage: usage.clone(),
            limit,
        })))
    }

    /// Returns the part that code reads.
    pub(crate) fn vm(&self) -> *mut VmMemory {
        Arc::as_ptr(&self.0).cast::<VmMemory>().cast_mut()
    }

    /// Returns the memory to which `vm` belongs.
    ///
    /// # Safety
    /// [`vm`](SharedMemory::vm) of a memory that is alive returned the pointer.
    pub(crate) unsafe fn from_vm(vm: *const VmMemory) -> SharedMemory {
        let object = vm.cast::<SharedObject>();
        // SAFETY: the caller promises that this is the address of the object in a live `Arc`, of which the result is one
        // more owner.
        unsafe {
            Arc::increment_strong_count(object);
            SharedMemory(Arc::from_raw(object))
        }
    }

    /// Returns the type that the memory was created with.
    pub fn ty(&self) -> MemoryType {
        self.0.ty
    }

    /// Returns the type with the current size as its minimum.
    pub(crate) fn current_type(&self) -> MemoryType {
        let mut ty = self.0.ty;
        ty.limits.min = self.size();
        ty
    }

    /// Returns the current size in pages, which have 64 KiB or one byte.
    pub fn size(&self) -> u64 {
        self.data_size() as u64 >> self.0.ty.page_size_log2
    }

    /// Returns the current size in bytes. Another thread may make the memory larger at any time, but never smaller.
    pub fn data_size(&self) -> usize {
        self.0.vm.size()
    }

    /// Returns true if the memory is guard-paged: an access out of bounds faults, so that code compares nothing.
    pub fn is_guarded(&self) -> bool {
        self.0.vm.guarded
    }

    /// Returns the bytes that the memory has now. Other threads may write to each of them at any time: access them by atomics,
    /// for instance through [`AtomicU8::from_ptr`], unless no guest and no other thread runs.
    pub fn data(&self) -> &[UnsafeCell<u8>] {
        // SAFETY: the first `data_size` bytes at the base stay accessible as long as the memory lives. A reference to an
        // `UnsafeCell` permits writes by others.
        unsafe { std::slice::from_raw_parts(self.0.vm.base.cast(), self.data_size()) }
    }

    /// Copies from the memory at `address` into `buffer`.
    ///
    /// # Errors
    /// If the range is not within the memory.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let from = self.range(address, buffer.len())?;
        // SAFETY: the range is inside the memory, whose bytes all threads access by atomics or as the guest's code does.
        unsafe { read_shared(from, buffer) };
        Ok(())
    }

    /// Copies `buffer` into the memory at `address`.
    ///
    /// # Errors
    /// If the range is not within the memory, which is then unchanged.
    pub fn write(&self, address: u64, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        let to = self.range(address, buffer.len())?;
        // SAFETY: as in `read`.
        unsafe { write_shared(to, buffer) };
        Ok(())
    }

    /// Returns the first byte of a range, if the whole range is in the memory.
    fn range(&self, address: u64, len: usize) -> Result<*mut u8, MemoryAccessError> {
        let end = address.checked_add(len as u64).filter(|&end| end <= self.data_size() as u64);
        let error = MemoryAccessError { address, len };
        // SAFETY: `address` is at most the memory's size.
        end.map(|_| unsafe { self.0.vm.base.add(address as usize) }).ok_or(error)
    }

    /// Grows the memory by `delta` pages, for all threads. Returns the size before in pages, or `None` if its type, the limits
    /// or the system refuse.
    pub fn grow(&self, delta: u64) -> Option<u64> {
        let object = &*self.0;
        let mut backing = object.backing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = object.vm.size() as u64;
        let pages = before >> object.ty.page_size_log2;
        if delta == 0 {
            return Some(pages);
        }
        let len = grown_len(&object.ty, pages, delta).filter(|&len| len <= object.most)?;
        let more = len - before;
        if !object.usage.take_memory(more, object.limit) {
            return None;
        }
        let enlarged = match &mut *backing {
            Backing::Guarded(reservation) => reservation.enlarge(len as usize),
            Backing::Fixed(mapping) => make_accessible(mapping, before as usize, len as usize),
        };
        if enlarged.is_err() {
            object.usage.return_memory(more);
            return None;
        }
        // A thread that sees the new length may access the new pages.
        object.vm.len.store(len as usize, Ordering::SeqCst);
        Some(pages)
    }

    /// Ends up to `count` waits at `address`, the longest first. Returns their number: `memory.atomic.notify`.
    ///
    /// # Errors
    /// A trap if the address is not within the memory or not a multiple of 4.
    pub fn atomic_notify(&self, address: u64, count: u32) -> Result<u32, TrapCode> {
        self.aligned::<4>(address)?;
        Ok(self.0.queues.notify(address, count))
    }

    /// Waits at `address` if the memory has the value `expected` there: `memory.atomic.wait32`. Without a timeout the wait ends
    /// by a notification only.
    ///
    /// # Errors
    /// A trap if the address is not within the memory or not a multiple of 4.
    pub fn atomic_wait32(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, TrapCode> {
        self.wait32(address, expected, timeout, None)
    }

    /// Waits at `address` if the memory has the value `expected` there: `memory.atomic.wait64`. Without a timeout the wait ends
    /// by a notification only.
    ///
    /// # Errors
    /// A trap if the address is not within the memory or not a multiple of 8.
    pub fn atomic_wait64(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, TrapCode> {
        self.wait64(address, expected, timeout, None)
    }

    /// As [`atomic_wait32`](SharedMemory::atomic_wait32), with a handle that ends the wait.
    ///
    /// # Errors
    /// As there, and [`TrapCode::Interrupted`].
    pub(crate) fn wait32(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
        interrupt: Option<&InterruptHandle>,
    ) -> Result<WaitResult, TrapCode> {
        let at = self.aligned::<4>(address)?;
        // SAFETY: the four bytes are in the memory and aligned, and the memory outlives the call.
        let value = unsafe { AtomicU32::from_ptr(at.cast()) };
        let is_expected = || u32::from_le(value.load(Ordering::SeqCst)) == expected;
        self.0.queues.wait(address, is_expected, timeout, interrupt).map_err(|_| TrapCode::Interrupted)
    }

    /// As [`atomic_wait64`](SharedMemory::atomic_wait64), with a handle that ends the wait.
    ///
    /// # Errors
    /// As there, and [`TrapCode::Interrupted`].
    pub(crate) fn wait64(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
        interrupt: Option<&InterruptHandle>,
    ) -> Result<WaitResult, TrapCode> {
        let at = self.aligned::<8>(address)?;
        // SAFETY: the eight bytes are in the memory and aligned, and the memory outlives the call.
        let value = unsafe { AtomicU64::from_ptr(at.cast()) };
        let is_expected = || u64::from_le(value.load(Ordering::SeqCst)) == expected;
        self.0.queues.wait(address, is_expected, timeout, interrupt).map_err(|_| TrapCode::Interrupted)
    }

    /// Returns the first of `SIZE` bytes at `address`, which must be a multiple of `SIZE`. The base is a multiple of the page
    /// size.
    fn aligned<const SIZE: usize>(&self, address: u64) -> Result<*mut u8, TrapCode> {
        if !address.is_multiple_of(SIZE as u64) {
            return Err(TrapCode::UnalignedAtomic);
        }
        self.range(address, SIZE).map_err(|_| TrapCode::MemoryOutOfBounds)
    }
}

impl Drop for SharedObject {
    fn drop(&mut self) {
        self.usage.return_memory(self.vm.size() as u64);
    }
}

/// Reserves address space for a memory that is not guard-paged: as much as it may ever have, or half of that, and so on, down
/// to its first `bytes`, which become accessible.
fn fixed(ty: &MemoryType, bytes: u64, limit: u64) -> std::io::Result<Mapping> {
    let too_large = |_| std::io::Error::from(std::io::ErrorKind::OutOfMemory);
    let least = usize::try_from(bytes).map_err(too_large)?.max(page_size());
    let most = ty.limits.max.and_then(|pages| pages.checked_mul(1 << ty.page_size_log2)).unwrap_or(u64::MAX).min(limit);
    let mut size = usize::try_from(most).unwrap_or(usize::MAX).min(isize::MAX as usize / 2).max(least);
    loop {
        match check_room(size).and_then(|()| Mapping::reserve(size)) {
            Ok(mut mapping) => {
                make_accessible(&mut mapping, 0, bytes as usize)?;
                return Ok(mapping);
            }
            Err(refused) if size == least => return Err(refused),
            Err(_) => size = (size / 2).next_multiple_of(page_size()).max(least),
        }
    }
}

/// Makes the first `len` bytes of a mapping accessible, of which the first `before` are already.
fn make_accessible(mapping: &mut Mapping, before: usize, len: usize) -> std::io::Result<()> {
    let [before, len] = [before, len].map(|bytes| bytes.next_multiple_of(page_size()));
    mapping.make_accessible(before, len - before)
}

/// Bytes of the words that copies are made of.
const WORD: usize = size_of::<u64>();

/// Copies from shared memory.
///
/// # Safety
/// As many bytes as the buffer has are accessible at `from`, and no reference to them exists.
unsafe fn read_shared(from: *mut u8, buffer: &mut [u8]) {
    let (head, rest) = buffer.split_at_mut(from.align_offset(WORD).min(buffer.len()));
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    // SAFETY: the caller promises the bytes. The words begin where the address is a multiple of their size.
    unsafe {
        read_bytes(from, head);
        let mut at = from.add(head.len());
        for word in words {
            *word = AtomicU64::from_ptr(at.cast()).load(Ordering::Relaxed).to_ne_bytes();
            at = at.add(WORD);
        }
        read_bytes(at, tail);
    }
}

/// Copies to shared memory.
///
/// # Safety
/// As for [`read_shared`].
unsafe fn write_shared(to: *mut u8, buffer: &[u8]) {
    let (head, rest) = buffer.split_at(to.align_offset(WORD).min(buffer.len()));
    let (words, tail) = rest.as_chunks::<WORD>();
    // SAFETY: as in `read_shared`.
    unsafe {
        write_bytes(to, head);
        let mut at = to.add(head.len());
        for word in words {
            AtomicU64::from_ptr(at.cast()).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
            at = at.add(WORD);
        }
        write_bytes(at, tail);
    }
}

/// # Safety
/// As for [`read_shared`].
unsafe fn read_bytes(from: *mut u8, buffer: &mut [u8]) {
    for (index, byte) in buffer.iter_mut().enumerate() {
        // SAFETY: the caller promises the bytes.
        *byte = unsafe { AtomicU8::from_ptr(from.add(index)) }.load(Ordering::Relaxed);
    }
}

/// # Safety
/// As for [`read_shared`].
unsafe fn write_bytes(to: *mut u8, buffer: &[u8]) {
    for (index, &byte) in buffer.iter().enumerate() {
        // SAFETY: the caller promises the bytes.
        unsafe { AtomicU8::from_ptr(to.add(index)) }.store(byte, Ordering::Relaxed);
    }
}
