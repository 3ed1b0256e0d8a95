//! Instances: [`InstanceObject`] is the Rust side, [`Instance`] its handle, and the [`VmInstance`] inside is the part that code
//! reads.
//!
//! The `VmInstance` is one allocation laid out by [`VmLayout`]. On the Rust side, only this file computes addresses in it.
//!
//! Invariant: once the object is in a store, every entry of every array after the header is filled. This holds even for an
//! instance whose instantiation failed afterwards, because other instances may have references to its functions.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_core::types::GlobalType;
use wasmr_module::{Export, ExternKind, Module};

use crate::context::{AsContext, AsContextMut};
use crate::externs::Extern;
use crate::frame::Fp;
use crate::func::Func;
use crate::global::Global;
use crate::handle::{Handle, StoreId};
use crate::host_error::stop_from;
use crate::instantiate::{InstantiateError, LoadedModule, Provided, instantiate};
use crate::limits::ResourceError;
use crate::memory::Memory;
use crate::segment::Segments;
use crate::shared_memory::SharedMemory;
use crate::store::StoreInner;
use crate::symbol::printable;
use crate::table::{Table, TableObject};
use crate::tag::Tag;
use crate::tier::Executable;
use crate::typed::{TypedFunc, WasmTyList};
use crate::value::TypeMismatch;
use crate::vm::{VmFunc, VmGlobal, VmInstance, VmLayout, VmMemory, VmTable, VmTag};

/// The Rust side of an instance; owns the [`VmInstance`].
pub struct InstanceObject {
    vm: NonNull<VmInstance>,
    layout: VmLayout,
    store: StoreId,
    loaded: LoadedModule,
    /// The actual types of imported globals, which may be subtypes of those that the module declares.
    imported_global_types: Box<[GlobalType]>,
    pub(crate) segments: Segments,
    exported_memory: Option<ExportedMemory>,
}

/// The memory exported as `memory`.
pub(crate) enum ExportedMemory {
    Own(Memory),
    Shared(SharedMemory),
}

impl StoreInner {
    /// Returns all instances, in the order of their creation.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &InstanceObject> {
        // SAFETY: the store owns the instances, and its borrow keeps code from running that could change them.
        self.instances.iter().map(|instance| unsafe { instance.as_ptr().as_ref() })
    }
}

impl InstanceObject {
    /// Creates an instance whose arrays are still zero.
    pub(crate) fn new(store: &mut StoreInner, loaded: &LoadedModule) -> Result<InstanceObject, ResourceError> {
        let layout = VmLayout::for_module(&loaded.module);
        let allocation = allocation(&layout);
        // SAFETY: the size is not 0: a layout includes the header.
        let vm = NonNull::new(unsafe { alloc_zeroed(allocation) }.cast::<VmInstance>());
        let Some(vm) = vm else {
            let source = std::io::ErrorKind::OutOfMemory.into();
            return Err(ResourceError::System { what: "an instance", source });
        };
        let segments = Segments::new(&loaded.module);
        let header = VmInstance {
            memory0_base: ptr::null_mut(),
            budget: loaded.code.initial_budget(),
            memory0_guarded: false,
            engine_word: 0,
            store: store.vm_address(),
            native_stack_limit: ptr::null_mut(),
            loop_frame: Fp::NULL,
            data_dropped: segments.data_dropped(),
            tier_data: loaded.code.vm_data(),
            instance: ptr::null_mut(),
            heap_base: ptr::null_mut(),
        };
        // SAFETY: the allocation is new, and large and aligned enough for a header.
        unsafe { vm.write(header) };
        Ok(InstanceObject {
            vm,
            layout,
            store: store.id(),
            loaded: loaded.clone(),
            imported_global_types: Box::default(),
            segments,
            exported_memory: None,
        })
    }

    /// Moves the object, whose arrays are complete, into the store, and writes its address to the [`VmInstance`].
    pub(crate) fn adopt(mut self, store: &mut StoreInner) -> Instance {
        self.exported_memory = match self.export("memory") {
            Some(Extern::Memory(memory)) => Some(ExportedMemory::Own(memory)),
            Some(Extern::SharedMemory(memory)) => Some(ExportedMemory::Shared(memory)),
            _ => None,
        };
        let vm = self.vm;
        let handle = store.add_instance(self);
        // SAFETY: the allocation lives as long as the object that owns it, which the store now owns.
        unsafe { (*vm.as_ptr()).instance = handle.as_ptr() };
        Instance(handle)
    }

    /// Returns the part that code reads.
    pub(crate) fn vm(&self) -> *mut VmInstance {
        self.vm.as_ptr()
    }

    /// Returns the module of the instance.
    pub fn module(&self) -> &Arc<Module> {
        &self.loaded.module
    }

    /// Returns the code of the instance's functions.
    pub(crate) fn code(&self) -> &dyn Executable {
        &*self.loaded.code
    }

    /// Returns the layout of the allocation.
    pub fn layout(&self) -> &VmLayout {
        &self.layout
    }

    /// Returns the memory exported as `memory`.
    pub(crate) fn exported_memory(&self) -> Option<&ExportedMemory> {
        self.exported_memory.as_ref()
    }

    /// Returns the address at `offset` in the allocation.
    fn at<F>(&self, offset: u32) -> *mut F {
        debug_assert!(offset as usize + size_of::<F>() <= self.layout.size() as usize);
        // SAFETY: the offset is one of the layout by which this was allocated, for an index that validation bounded.
        unsafe { self.vm.as_ptr().byte_add(offset as usize).cast() }
    }

    /// Returns the address of the pointer to an imported function.
    pub(crate) fn imported_func_place(&self, index: u32) -> *mut *mut VmFunc {
        self.at(self.layout.imported_func(index))
    }

    /// Returns the address of the pointer to an imported global.
    pub(crate) fn imported_global_place(&self, index: u32) -> *mut *mut VmGlobal {
        self.at(self.layout.imported_global(index))
    }

    /// Returns the address of the pointer to a table.
    pub(crate) fn table_place(&self, index: u32) -> *mut *mut VmTable {
        self.at(self.layout.table(index))
    }

    /// Returns the address of the pointer to a memory.
    pub(crate) fn memory_place(&self, index: u32) -> *mut *mut VmMemory {
        self.at(self.layout.memory(index))
    }

    /// Returns the address of the pointer to a tag.
    pub(crate) fn tag_place(&self, index: u32) -> *mut *const VmTag {
        self.at(self.layout.tag(index))
    }

    /// Returns the address of the place of a type's descriptor. The module has struct or array types.
    pub(crate) fn descriptor_place(&self, type_index: u32) -> *mut u32 {
        self.at(self.layout.descriptor(type_index))
    }

    /// Returns the place of a type's descriptor in the heap. The type is a struct or array type.
    pub(crate) fn descriptor(&self, type_index: u32) -> u32 {
        // SAFETY: instantiation fills the place before the object is reachable.
        unsafe { *self.descriptor_place(type_index) }
    }

    /// Returns a defined function, counted from the first defined one.
    pub(crate) fn defined_func(&self, index: u32) -> *mut VmFunc {
        self.at(self.layout.defined_func(index))
    }

    /// Returns a defined global, counted from the first defined one.
    pub(crate) fn defined_global(&self, index: u32) -> *mut VmGlobal {
        self.at(self.layout.defined_global(index))
    }

    pub(crate) fn set_imported_global_types(&mut self, types: Vec<GlobalType>) {
        self.imported_global_types = types.into();
    }

    pub(crate) fn func(&self, index: u32) -> *mut VmFunc {
        match index.checked_sub(self.layout.imported_func_count) {
            Some(defined) => self.defined_func(defined),
            // SAFETY: instantiation fills the pointers to imports before the object is reachable, and the index is an import's.
            None => unsafe { *self.imported_func_place(index) },
        }
    }

    /// Returns the function of that index as a funcref in slot form.
    pub(crate) fn func_slot(&self, index: u32) -> u64 {
        self.func(index).expose_provenance() as u64
    }

    pub(crate) fn global(&self, index: u32) -> *mut VmGlobal {
        match index.checked_sub(self.layout.imported_global_count) {
            Some(defined) => self.defined_global(defined),
            // SAFETY: instantiation fills the pointers to imports before the object is reachable, and the index is an import's.
            None => unsafe { *self.imported_global_place(index) },
        }
    }

    /// Returns the value of the global of that index.
    pub(crate) fn global_value(&self, index: u32) -> [u64; 2] {
        // SAFETY: globals live as long as the store. No code that could write to them runs during the borrow of the object.
        unsafe { (*self.global(index)).value }
    }

    pub(crate) fn memory(&self, index: u32) -> *mut VmMemory {
        // SAFETY: instantiation fills the pointer before the object is reachable.
        unsafe { *self.memory_place(index) }
    }

    pub(crate) fn table(&self, index: u32) -> *mut TableObject {
        // SAFETY: instantiation fills the pointer before the object is reachable. A `VmTable` is the first field of its object.
        unsafe { (*self.table_place(index)).cast() }
    }

    pub(crate) fn tag(&self, index: u32) -> *const VmTag {
        // SAFETY: instantiation fills the pointer before the object is reachable.
        unsafe { *self.tag_place(index) }
    }

    /// Passes the values of the globals defined here, and the items of element segments, to the collector.
    pub(crate) fn for_each_root(&self, mark: &mut dyn FnMut(&[u64])) {
        let count = self.module().globals().len() as u32 - self.layout.imported_global_count;
        for index in 0..count {
            // SAFETY: the globals are part of the allocation, and no guest code runs during a collection.
            mark(unsafe { &(*self.defined_global(index)).value });
        }
        self.segments.for_each_root(mark);
    }

    /// Returns the instance's export of that name.
    pub(crate) fn export(&self, name: &str) -> Option<Extern> {
        self.module().export(name).map(|export| self.exported(export))
    }

    /// Returns the object of an export of the module.
    fn exported(&self, export: &Export) -> Extern {
        let (index, store) = (export.index, self.store);
        // SAFETY: every object that an instance refers to is in its store and lives as long as the store.
        unsafe {
            match export.kind {
                ExternKind::Func => Extern::Func(Func::from_raw(non_null(self.func(index)), store)),
                ExternKind::Table => Extern::Table(Table(Handle::new(non_null(self.table(index)), store))),
                ExternKind::Memory if (*self.memory(index)).shared => {
                    Extern::SharedMemory(SharedMemory::from_vm(self.memory(index)))
                }
                // A `VmMemory` that is not shared is the first field of its object.
                ExternKind::Memory => Extern::Memory(Memory(Handle::new(non_null(self.memory(index).cast()), store))),
                ExternKind::Global => {
                    let handle = Handle::new(non_null(self.global(index)), store);
                    let imported = self.imported_global_types.get(index as usize).copied();
                    let ty = imported.unwrap_or_else(|| self.module().globals()[index as usize].ty);
                    Extern::Global(Global { handle, ty })
                }
                ExternKind::Tag => Extern::Tag(Tag(Handle::new(non_null(self.tag(index).cast_mut()), store))),
            }
        }
    }
}

fn non_null<F>(pointer: *mut F) -> NonNull<F> {
    NonNull::new(pointer).expect("every array of an instance is filled before code can reach it")
}

fn allocation(layout: &VmLayout) -> Layout {
    Layout::from_size_align(layout.size() as usize, align_of::<VmGlobal>().max(align_of::<VmInstance>()))
        .expect("an instance's size is bounded by the counts of its module")
}

impl Drop for InstanceObject {
    fn drop(&mut self) {
        // SAFETY: `new` allocated the memory with this layout. Either the store is being dropped, whose objects alone refer to
        // it, or instantiation failed before `adopt` and no code can reach it. Nothing in it needs to be dropped.
        unsafe { dealloc(self.vm.as_ptr().cast(), allocation(&self.layout)) };
    }
}

impl std::fmt::Debug for InstanceObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstanceObject").field("module", self.module()).finish_non_exhaustive()
    }
}

/// An instance of a module in a store.
///
/// # Examples
/// ```
/// use wasmr::{Engine, Instance, Module, Store, Val};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (global (export "answer") i32 (i32.const 42))
///     (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let answer = instance.get_global(&store, "answer").ok_or("no such export")?;
/// assert_eq!(answer.get(&mut store), Val::I32(42));
/// let double = instance.get_typed_func::<i32, i32>(&store, "double")?;
/// assert_eq!(double.call(&mut store, 21)?, 42);
/// assert_eq!(
///     instance.get_typed_func::<i64, i64>(&store, "double").unwrap_err().to_string(),
///     "the function exported as `double` has type (func (param i32) (result i32)), expected (func (param i64) (result i64))"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(pub(crate) Handle<InstanceObject>);

/// The error of looking up an exported function with Rust types.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No function is exported under that name.
    #[error("no function is exported as `{}`", printable(.name))]
    Missing {
        /// Name that was looked up.
        name: String,
    },
    /// The function has another type.
    #[error("the function exported as `{}` has type {found}, expected {expected}", printable(.name))]
    Type {
        /// Name of the export.
        name: String,
        /// Type that was asked for, as text.
        expected: String,
        /// Type of the function, as text.
        found: String,
    },
}

stop_from! { ExportError }

impl Instance {
    /// Creates an instance whose imports are `imports`, in the module's order. Runs its start function, but neither `_start`
    /// nor `_initialize` (see [`Instance::initialize`]).
    ///
    /// # Errors
    /// As [`InstantiateError`] lists.
    ///
    /// # Panics
    /// If there are more `imports` than the module has, one is of another store, or the module is of another engine.
    pub fn new<C: AsContextMut>(
        store: C,
        module: &LoadedModule,
        imports: &[Extern],
    ) -> Result<Instance, InstantiateError> {
        Instance::with_imports(store, module, imports.to_vec())
    }

    /// Creates an instance as [`Instance::new`] does.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    #[doc(hidden)]
    pub fn with_imports<C: AsContextMut>(
        mut store: C,
        module: &LoadedModule,
        imports: Vec<Extern>,
    ) -> Result<Instance, InstantiateError> {
        let expected = module.module.imports().len();
        assert!(imports.len() <= expected, "{} objects were given for {expected} imports", imports.len());
        let mut provided: Vec<_> = imports.into_iter().map(|object| Some(Provided::Extern(object))).collect();
        provided.resize_with(expected, || None);
        let mut context = store.as_context_mut();
        // SAFETY: no host function definitions are given, only objects. `instantiate` checks that they are of this store.
        unsafe { instantiate(&mut context, module, provided) }
    }

    /// Returns the module of the instance.
    pub fn module<'a, C: AsContext>(&self, store: &'a C) -> &'a Arc<Module> {
        self.0.get(store.as_context().inner()).module()
    }

    /// Returns the object at an index of an index space of the module.
    ///
    /// # Panics
    /// If the module has no such object.
    #[doc(hidden)]
    pub fn object(&self, store: impl AsContext, kind: ExternKind, index: u32) -> Extern {
        let object = self.0.get(store.as_context().inner());
        let module = object.module();
        let count = match kind {
            ExternKind::Func => module.imported_func_count() as usize + module.defined_func_count() as usize,
            ExternKind::Table => module.tables().len(),
            ExternKind::Memory => module.memories().len(),
            ExternKind::Global => module.globals().len(),
            ExternKind::Tag => module.tags().len(),
        };
        assert!((index as usize) < count, "the module has no {kind:?} {index}");
        object.exported(&Export { name: "".into(), kind, index })
    }

    /// Returns the export of that name.
    pub fn get_export(&self, store: impl AsContext, name: &str) -> Option<Extern> {
        self.0.get(store.as_context().inner()).export(name)
    }

    /// Returns all exports, in the module's order.
    pub fn exports<'a, C: AsContext>(&self, store: &'a C) -> impl Iterator<Item = (&'a str, Extern)> {
        let object = self.0.get(store.as_context().inner());
        object.module().exports().iter().map(|export| (&*export.name, object.exported(export)))
    }

    /// Returns the function exported under that name.
    pub fn get_func(&self, store: impl AsContext, name: &str) -> Option<Func> {
        self.get_export(store, name).and_then(Extern::into_func)
    }

    /// Returns the shared memory exported under that name.
    pub fn get_shared_memory(&self, store: impl AsContext, name: &str) -> Option<SharedMemory> {
        self.get_export(store, name).and_then(Extern::into_shared_memory)
    }

    /// Returns the memory exported under that name, if no other thread shares it.
    pub fn get_memory(&self, store: impl AsContext, name: &str) -> Option<Memory> {
        self.get_export(store, name).and_then(Extern::into_memory)
    }

    /// Returns the table exported under that name.
    pub fn get_table(&self, store: impl AsContext, name: &str) -> Option<Table> {
        self.get_export(store, name).and_then(Extern::into_table)
    }

    /// Returns the global exported under that name.
    pub fn get_global(&self, store: impl AsContext, name: &str) -> Option<Global> {
        self.get_export(store, name).and_then(Extern::into_global)
    }

    /// Returns the tag exported under that name.
    pub fn get_tag(&self, store: impl AsContext, name: &str) -> Option<Tag> {
        self.get_export(store, name).and_then(Extern::into_tag)
    }

    /// Returns the function exported under that name, with Rust types.
    ///
    /// # Errors
    /// If no function is exported under that name, or its type is another.
    pub fn get_typed_func<P: WasmTyList, R: WasmTyList>(
        &self,
        store: impl AsContext,
        name: &str,
    ) -> Result<TypedFunc<P, R>, ExportError> {
        let func = self.get_func(&store, name).ok_or_else(|| ExportError::Missing { name: name.to_owned() })?;
        func.typed(store).map_err(|TypeMismatch { expected, found }| ExportError::Type {
            name: name.to_owned(),
            expected,
            found,
        })
    }
}
