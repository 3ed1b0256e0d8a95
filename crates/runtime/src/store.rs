//! [`Store`]: the owner of every live object, the value stack, and the embedder's data.
//!
//! Three types are easily confused. The embedder owns a [`Store`]. A [`StoreInner`] is the same store without the type of the
//! embedder's data, and the rest of this crate uses only this one. A [`VmStore`] is the part of it that tiers read and write,
//! pinned inside the `StoreInner`.
//!
//! # Invariants
//! - A `StoreInner` has one address for its life, kept in [`VmStore::store`]. Every pointer to it is derived from that address.
//! - Objects are added and never removed. An object of a store lives until the store is dropped. So a pointer between objects
//!   of one store never dangles, and instances may refer to each other in cycles. Exceptions and host references are the
//!   exception: `gc` collects them.
//! - At most one thread uses a store at a time. Only [`InterruptHandle`] is shared with others.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::registry::{TypeRegistry, Types};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{HeapType, RefType, TypeId, ValType};

use crate::collect::FreedValue;
use crate::context::{AsContext, AsContextMut, Invariant, StoreContext, StoreContextMut};
use crate::frame::{Fp, Ip, STACK_SLACK};
use crate::gc::GcHeap;
use crate::handle::{Handle, Pinned, StoreId};
use crate::host::HostFunc;
use crate::host_error::stop_from;
use crate::host_slab::SlabObject;
use crate::instance::InstanceObject;
use crate::interrupt::InterruptHandle;
use crate::layer_state::LayerState;
use crate::limits::{MemoryStrategy, ResourceError, StoreLimits};
use crate::memory::MemoryObject;
use crate::object_type::ObjectType;
use crate::rooted::RootScope;
use crate::shared_memory::SharedMemory;
use crate::sys::{self, StackPages};
use crate::table::TableObject;
use crate::tier::Tier;
use crate::trap::HostEnd;
use crate::usage::{GcStats, SharedUsage};
use crate::vm::{VmGlobal, VmStore, VmTag, native_stack_bytes};
use crate::vm_gc::VmHeap;
use crate::walk::Place;

/// Inaccessible bytes below the native stack.
pub(crate) const NATIVE_GUARD: usize = 1 << 20;
/// Bytes of the native stack that are left to the host's frames when compiled code has used up its part.
const NATIVE_HEADROOM: usize = 1 << 20;

/// Configuration of a store.
#[derive(Clone)]
pub struct StoreConfig {
    /// Registry of the types of the store's modules.
    pub registry: Arc<TypeRegistry>,
    /// The tiers.
    pub tier: Arc<dyn Tier>,
    /// Resource limits of the store's guests.
    pub limits: StoreLimits,
    /// Choice between guard-paged and checked memories.
    pub memory: MemoryStrategy,
    /// True if the code of the store's modules uses up fuel.
    pub metered: bool,
    /// Resources that the store shares with the stores of the guest's other threads; `None` for a guest of its own.
    pub usage: Option<SharedUsage>,
    /// True if each allocation in the heap collects, and freed objects are overwritten: for tests.
    pub gc_stress: bool,
}

/// The error of using fuel in a store whose engine does not count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this store counts no fuel: its engine was made without `Config::consume_fuel(true)`")]
pub struct FuelError;

stop_from! { FuelError }

/// The owner of instances and all their objects, and of data of the embedder's choice that host functions see.
///
/// # Examples
/// ```
/// use wasmr::{Caller, Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "host" "put" (func $put (param i32)))
///     (func (export "run") (call $put (i32.const 1)) (call $put (i32.const 2))))"#)?;
/// let mut linker = Linker::new();
/// linker.func_wrap("host", "put", |mut caller: Caller<'_, Vec<i32>>, n: i32| caller.data_mut().push(n))?;
///
/// // A store for each request costs microseconds, and nothing of one request is left for the next.
/// let mut store = Store::new(&engine, Vec::new());
/// let instance = linker.instantiate(&mut store, &module)?;
/// instance.get_typed_func::<(), ()>(&store, "run")?.call(&mut store, ())?;
/// assert_eq!(store.into_data(), [1, 2]);
/// # Ok(())
/// # }
/// ```
pub struct Store<T> {
    inner: NonNull<StoreInner>,
    owned: PhantomData<T>,
    /// Invariant in `T`, because host functions rely on the exact type.
    data: Invariant<T>,
}

// SAFETY: the store owns every object that its pointers lead to. Host functions and host references are `Send + Sync` by their
// bounds, tiers by their traits, and the data by the bound here.
unsafe impl<T: Send> Send for Store<T> {}
// SAFETY: a shared store gives only shared borrows of plain memory and of the data, which is `Sync` by the bound here.
unsafe impl<T: Sync> Sync for Store<T> {}

/// A store without the type of its data.
pub struct StoreInner {
    pub(crate) vm: VmStore,
    id: StoreId,
    registry: Arc<TypeRegistry>,
    /// Types of the objects that the host made here. Modules keep the types of instances.
    types: Types,
    pub(crate) tier: Arc<dyn Tier>,
    limits: StoreLimits,
    memory_strategy: MemoryStrategy,
    metered: bool,
    /// Bytes of this store's own memories together.
    memory_bytes: u64,
    /// Elements of this store's tables together.
    table_elements: u64,
    /// Use of the limits by this store, by those of the guest's other threads, and by shared memories.
    usage: SharedUsage,
    /// Shared memories to which instances of the store refer.
    shared_memories: Vec<SharedMemory>,
    interrupt: InterruptHandle,
    /// Number of active calls from the host, each inside a host function of the one before.
    pub(crate) boundary_depth: u32,
    pub(crate) stack: Option<StackPages>,
    pub(crate) native_stack: Option<StackPages>,
    /// End of the run by the host, between `Status::HOST` and the boundary that reports it.
    pub(crate) host_end: Option<HostEnd>,
    /// Frames that the exception in flight has left, innermost first. The stacks no longer have them. Empty if there is none.
    pub(crate) left: Vec<Place>,
    pub(crate) heap: GcHeap,
    /// Values of the host that collections freed and that were not dropped yet.
    pub(crate) freed: Vec<FreedValue>,
    /// Types of structs and arrays that the host uses.
    pub(crate) object_types: HashMap<TypeId, Arc<ObjectType>>,
    memories: Vec<Pinned<MemoryObject>>,
    pub(crate) tables: Vec<Pinned<TableObject>>,
    pub(crate) globals: Vec<Pinned<VmGlobal>>,
    tags: Vec<Pinned<VmTag>>,
    /// Memory of [`VmStore::payload`].
    pub(crate) payload: Vec<u64>,
    host_funcs: Vec<Pinned<HostFunc>>,
    pub(crate) slabs: Vec<Pinned<SlabObject>>,
    pub(crate) instances: Vec<Pinned<InstanceObject>>,
    /// Code that functions of the store lead to and that belongs to no instance.
    code: Vec<Arc<dyn Any + Send + Sync>>,
    /// State of a layer above this crate; `None` until it is first used.
    pub(crate) extension: Option<LayerState>,
    /// The embedder's data, a boxed `T`.
    data: NonNull<()>,
}

impl<T> Store<T> {
    /// Creates an empty store. An engine can be its configuration.
    pub fn new(config: impl Into<StoreConfig>, data: T) -> Store<T> {
        let config = config.into();
        let usage = config.usage.unwrap_or_default();
        let interrupt = InterruptHandle::new();
        let vm = VmStore {
            stack_base: ptr::null_mut(),
            stack_limit: ptr::null_mut(),
            stack_top: ptr::null_mut(),
            trap_code: TrapCode::Unreachable,
            exit_fp: Fp::NULL,
            exit_ip: Ip::NULL,
            registers: ptr::null_mut(),
            run_stack: ptr::null_mut(),
            pending_exception: 0,
            unallocated_tag: ptr::null(),
            payload: ptr::null_mut(),
            caller: ptr::null_mut(),
            fuel: 0,
            interrupt: interrupt.flag(),
            store: ptr::null_mut(),
            tail_func: ptr::null_mut(),
            tail_slots: ptr::null_mut(),
            activation: ptr::null_mut(),
            native_exit_fp: ptr::null(),
            native_stack_top: ptr::null_mut(),
            native_stack_limit: ptr::null_mut(),
            native_libcalls: ptr::null(),
            heap: VmHeap::absent(),
        };
        let inner = NonNull::from(Box::leak(Box::new(StoreInner {
            vm,
            id: StoreId::fresh(),
            types: Types::new(&config.registry),
            registry: config.registry,
            tier: config.tier,
            limits: config.limits,
            memory_strategy: config.memory,
            metered: config.metered,
            memory_bytes: 0,
            table_elements: 0,
            usage: usage.clone(),
            shared_memories: Vec::new(),
            interrupt,
            boundary_depth: 0,
            stack: None,
            native_stack: None,
            host_end: None,
            left: Vec::new(),
            heap: GcHeap::new(config.limits.max_gc_heap_bytes, usage, config.gc_stress),
            freed: Vec::new(),
            object_types: HashMap::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            payload: Vec::new(),
            host_funcs: Vec::new(),
            slabs: Vec::new(),
            instances: Vec::new(),
            code: Vec::new(),
            extension: None,
            data: NonNull::from(Box::leak(Box::new(data))).cast(),
        })));
        // SAFETY: the allocation is new, and no one else has its address yet.
        unsafe { (*inner.as_ptr()).vm.store = inner.as_ptr() };
        Store { inner, owned: PhantomData, data: PhantomData }
    }

    /// Creates an empty store with limits other than those of `config`.
    pub fn with_limits(config: impl Into<StoreConfig>, limits: StoreLimits, data: T) -> Store<T> {
        Store::new(StoreConfig { limits, ..config.into() }, data)
    }

    /// Returns the embedder's data.
    pub fn data(&self) -> &T {
        self.as_context().data()
    }

    /// Returns the embedder's data for writing.
    pub fn data_mut(&mut self) -> &mut T {
        self.as_context_mut().split().1
    }

    /// Drops the store and returns the data.
    pub fn into_data(self) -> T {
        let mut this = ManuallyDrop::new(self);
        this.as_context_mut().drop_host_values();
        // SAFETY: `this` is never dropped, so its parts are freed only here. `new` leaked both from boxes. The objects are
        // dropped before the data, as in `drop`.
        unsafe {
            let data = Box::from_raw(this.as_context().inner().data.cast::<T>().as_ptr());
            drop(Box::from_raw(this.inner.as_ptr()));
            *data
        }
    }

    /// Returns the limits that the store was created with.
    pub fn limits(&self) -> &StoreLimits {
        &self.as_context().inner().limits
    }

    /// Returns the configuration of a store for another thread of the same guest. The limits bound both stores together.
    pub fn config_for_thread(&self) -> StoreConfig {
        self.as_context().config_for_thread()
    }

    /// Returns the registry of the types of the store's modules.
    pub fn registry(&self) -> &Arc<TypeRegistry> {
        &self.as_context().inner().registry
    }

    /// Sets the guest's remaining fuel (see [`wasmr_core::fuel`]). The guest traps with "all fuel consumed" when it is used up.
    /// A new store has none.
    ///
    /// # Errors
    /// If the engine does not count fuel (`Config::consume_fuel`), so that this would be no limit.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), FuelError> {
        self.as_context_mut().inner_mut().set_fuel(fuel)
    }

    /// Returns the remaining fuel.
    ///
    /// # Errors
    /// As [`set_fuel`](Store::set_fuel).
    pub fn fuel(&self) -> Result<u64, FuelError> {
        self.as_context().inner().fuel()
    }

    /// Maps the stack of the store's guest now, which its first call does otherwise.
    ///
    /// # Errors
    /// If the system refuses memory for it.
    pub fn reserve_stack(&mut self) -> Result<(), ResourceError> {
        self.as_context_mut().inner_mut().ensure_stack()
    }

    /// Returns a handle by which another thread can stop the guest.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.as_context().inner().interrupt.clone()
    }

    /// Returns the size of all linear memories together, in bytes. Those of the guest's other threads count as well.
    pub fn memory_bytes(&self) -> u64 {
        self.as_context().inner().usage.memory_bytes()
    }

    /// Runs `body` in a handle scope. When the scope ends, it releases the [`Rooted`](crate::Rooted) references that `body`
    /// obtained. References obtained outside of scopes and of host functions last until the store is dropped.
    pub fn scope<R>(&mut self, body: impl FnOnce(&mut Store<T>) -> R) -> R {
        let scope = RootScope::new(self);
        body(&mut *scope.context)
    }

    /// Collects garbage now. The heap otherwise collects when it has grown by as much as survived the last collection.
    pub fn gc(&mut self) {
        self.as_context_mut().gc();
    }

    /// Returns figures about the heaps of collected objects, those of the guest's other threads included; `None` if none was used.
    pub fn gc_stats(&self) -> Option<GcStats> {
        self.as_context().inner().usage.gc_stats()
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        self.as_context_mut().drop_host_values();
        // SAFETY: `new` leaked both from boxes, and the store is their only owner. The objects are dropped first: host closures
        // may own anything, but never the data, which only the store reaches.
        unsafe {
            let data = self.as_context().inner().data.cast::<T>();
            drop(Box::from_raw(self.inner.as_ptr()));
            drop(Box::from_raw(data.as_ptr()));
        }
    }
}

impl<T> AsContext for Store<T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        // SAFETY: the store owns `inner` and its data of type `T`. The shared borrow of `self` excludes changes.
        unsafe { StoreContext::new(self.inner) }
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        // SAFETY: the store owns `inner` and its data of type `T`. The exclusive borrow of `self` excludes all other uses.
        unsafe { StoreContextMut::new(self.inner) }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data", self.data()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StoreInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreInner").field("instances", &self.instances.len()).finish_non_exhaustive()
    }
}

impl StoreInner {
    pub(crate) fn fuel(&self) -> Result<u64, FuelError> {
        if self.metered { Ok(self.vm.fuel) } else { Err(FuelError) }
    }

    pub(crate) fn set_fuel(&mut self, fuel: u64) -> Result<(), FuelError> {
        self.fuel()?;
        self.vm.fuel = fuel;
        Ok(())
    }

    /// Returns the configuration of a store for another thread of the same guest.
    pub(crate) fn config_for_thread(&self) -> StoreConfig {
        StoreConfig {
            registry: self.registry.clone(),
            tier: self.tier.clone(),
            limits: self.limits,
            memory: self.memory_strategy,
            metered: self.metered,
            gc_stress: self.heap.is_stressed(),
            usage: Some(self.usage.clone()),
        }
    }

    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    /// Returns the address of the part that tiers use, derived from that of the whole.
    pub(crate) fn vm_address(&self) -> *mut VmStore {
        // SAFETY: `vm.store` is the address of this live store since `new`; the expression computes the address of a field and
        // reads nothing.
        unsafe { &raw mut (*self.vm.store).vm }
    }

    pub(crate) fn registry(&self) -> &Arc<TypeRegistry> {
        &self.registry
    }

    /// Keeps code alive as long as the store lives.
    pub(crate) fn keep_code(&mut self, code: Arc<dyn Any + Send + Sync>) {
        if !self.code.iter().any(|kept| Arc::ptr_eq(kept, &code)) {
            self.code.push(code);
        }
    }

    /// Returns the types that the store keeps alive.
    pub(crate) fn types(&mut self) -> &mut Types {
        &mut self.types
    }

    /// Keeps alive the type that a value type refers to, if it refers to one.
    pub(crate) fn keep_types_of(&mut self, ty: ValType) {
        if let ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) = ty {
            self.types.keep(id);
        }
    }

    pub(crate) fn tier(&self) -> &Arc<dyn Tier> {
        &self.tier
    }

    pub(crate) fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    pub(crate) fn interrupt(&self) -> &InterruptHandle {
        &self.interrupt
    }

    pub(crate) fn memory_strategy(&self) -> MemoryStrategy {
        self.memory_strategy
    }

    pub(crate) fn data(&self) -> NonNull<()> {
        self.data
    }

    /// Maps the value stack if the store has none yet.
    #[inline]
    pub(crate) fn ensure_stack(&mut self) -> Result<(), ResourceError> {
        if self.stack.is_some() { Ok(()) } else { self.map_stack() }
    }

    #[cold]
    fn map_stack(&mut self) -> Result<(), ResourceError> {
        let slots = self.limits.max_stack_bytes / size_of::<u64>();
        let stack = slots
            .checked_add(STACK_SLACK)
            .and_then(|slots| slots.checked_mul(size_of::<u64>()))
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
            .and_then(StackPages::upward)
            .map_err(|source| ResourceError::System { what: "the value stack", source })?;
        self.vm.stack_base = stack.base().as_ptr().cast();
        self.vm.stack_top = self.vm.stack_base;
        // SAFETY: the mapping has `STACK_SLACK` more than `slots` slots.
        self.vm.stack_limit = unsafe { self.vm.stack_base.add(slots) };
        self.stack = Some(stack);
        Ok(())
    }

    /// Maps the native stack if the store has none yet: [`native_stack_bytes`], the headroom for the host's frames, and the
    /// guard.
    pub(crate) fn ensure_native_stack(&mut self) -> Result<(), ResourceError> {
        if self.native_stack.is_some() {
            return Ok(());
        }
        let refused = |source| ResourceError::System { what: "the native stack", source };
        let page = sys::page_size();
        let below = NATIVE_GUARD + NATIVE_HEADROOM;
        let size = native_stack_bytes(self.limits.max_stack_bytes)
            .and_then(|size| size.checked_add(below))
            .and_then(|size| size.checked_next_multiple_of(page));
        let size = size.ok_or_else(|| refused(io::Error::from(io::ErrorKind::OutOfMemory)))?;
        let stack = StackPages::downward(NATIVE_GUARD, size).map_err(refused)?;
        // SAFETY: `below` is less than `size`, which is the size of the mapping: both addresses are inside it or at its end.
        unsafe {
            self.vm.native_stack_top = stack.base().as_ptr().add(size);
            self.vm.native_stack_limit = stack.base().as_ptr().add(below);
        }
        self.native_stack = Some(stack);
        Ok(())
    }

    /// Takes `bytes` from the memory limit. Returns false and takes nothing if less is left.
    pub(crate) fn take_memory(&mut self, bytes: u64) -> bool {
        let is_taken = self.usage.take_memory(bytes, self.limits.max_memory_bytes);
        self.memory_bytes += if is_taken { bytes } else { 0 };
        is_taken
    }

    /// Returns bytes taken by [`take_memory`](StoreInner::take_memory) to the limit, after the system refused them.
    pub(crate) fn return_memory(&mut self, bytes: u64) {
        self.usage.return_memory(bytes);
        self.memory_bytes -= bytes;
    }

    pub(crate) fn memory_limit_error(&self, asked: u128) -> ResourceError {
        ResourceError::MemoryLimit { asked, limit: self.limits.max_memory_bytes, used: self.usage.memory_bytes() }
    }

    /// Takes `count` elements from the table limit. Returns false and takes nothing if fewer are left.
    pub(crate) fn take_elements(&mut self, count: u64) -> bool {
        let is_taken = self.usage.take_elements(count, self.limits.max_table_elements);
        self.table_elements += if is_taken { count } else { 0 };
        is_taken
    }

    /// Returns elements taken by [`take_elements`](StoreInner::take_elements) to the limit, after the system refused them.
    pub(crate) fn return_elements(&mut self, count: u64) {
        self.usage.return_elements(count);
        self.table_elements -= count;
    }

    pub(crate) fn table_limit_error(&self, asked: u64) -> ResourceError {
        ResourceError::TableLimit { asked, limit: self.limits.max_table_elements, used: self.usage.table_elements() }
    }

    /// Returns an error if the store has as many instances as it may have.
    pub(crate) fn check_instance_limit(&self) -> Result<(), ResourceError> {
        let limit = self.limits.max_instances;
        if self.instances.len() < limit { Ok(()) } else { Err(ResourceError::InstanceLimit { limit }) }
    }

    pub(crate) fn usage(&self) -> &SharedUsage {
        &self.usage
    }

    /// Keeps a shared memory alive as long as the store lives.
    pub(crate) fn keep_shared_memory(&mut self, memory: SharedMemory) {
        if !self.shared_memories.contains(&memory) {
            self.shared_memories.push(memory);
        }
    }

    pub(crate) fn add_memory(&mut self, memory: MemoryObject) -> Handle<MemoryObject> {
        keep(self.id, &mut self.memories, memory)
    }

    pub(crate) fn add_table(&mut self, table: TableObject) -> Handle<TableObject> {
        keep(self.id, &mut self.tables, table)
    }

    pub(crate) fn add_global(&mut self, global: VmGlobal) -> Handle<VmGlobal> {
        keep(self.id, &mut self.globals, global)
    }

    pub(crate) fn add_tag(&mut self, tag: VmTag) -> Handle<VmTag> {
        keep(self.id, &mut self.tags, tag)
    }

    pub(crate) fn add_host_func(&mut self, func: HostFunc) -> Handle<HostFunc> {
        keep(self.id, &mut self.host_funcs, func)
    }

    pub(crate) fn add_instance(&mut self, instance: InstanceObject) -> Handle<InstanceObject> {
        keep(self.id, &mut self.instances, instance)
    }
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        self.usage.return_memory(self.memory_bytes);
        self.usage.return_elements(self.table_elements);
    }
}

fn keep<O>(store: StoreId, list: &mut Vec<Pinned<O>>, object: O) -> Handle<O> {
    let pinned = Pinned::new(object);
    let address = pinned.as_ptr();
    list.push(pinned);
    // SAFETY: the list belongs to the store and never shrinks, so that the pinned object stays at its address until the store
    // is dropped.
    unsafe { Handle::new(address, store) }
}
