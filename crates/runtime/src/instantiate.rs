//! Instantiation, in the steps of the [specification](https://webassembly.github.io/spec/core/exec/modules.html#instantiation).
//!
//! In: a module with its code, and an object for each import. Out: an [`Instance`], or an error that says which party is at
//! fault: all imports that do not fit ([`LinkError`]), a limit, or the guest's own trap.
//!
//! Steps 1 to 3 change nothing that others can see. From step 4 on, the specification keeps the effects of earlier steps when a
//! later one fails, and functions of the new instance may already be in another instance's table. So the complete instance
//! stays in the store even if its instantiation failed.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use wasmr_core::count::Count;
use wasmr_core::registry::Types;
use wasmr_core::subtype::extern_matches;
use wasmr_core::trap::TrapCode;
use wasmr_core::type_text::extern_type_text;
use wasmr_core::types::ExternType;
use wasmr_module::{ConstExpr, DataMode, ElementItems, ElementMode, Import, Module};

use crate::builtins;
use crate::const_eval::{evaluate, evaluate_pure};
use crate::context::StoreContextMut;
use crate::externs::Extern;
use crate::func::{Func, call_nullary};
use crate::host::HostFuncDef;
use crate::host_error::stop_from;
use crate::instance::{Instance, InstanceObject};
use crate::limits::ResourceError;
use crate::memory::Memory;
use crate::shared_memory::SharedMemory;
use crate::store::StoreInner;
use crate::symbol::printable;
use crate::table::Table;
use crate::tag::Tag;
use crate::tier::Executable;
use crate::trap::Stop;
use crate::vm::{VmFunc, VmInstance};

/// A module and the code of its functions.
#[derive(Clone)]
pub struct LoadedModule {
    /// The module.
    pub module: Arc<Module>,
    /// The entry pointers of its functions.
    pub code: Arc<dyn Executable>,
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.module.fmt(f)
    }
}

/// A definition for an import.
#[derive(Clone)]
pub(crate) enum Provided {
    /// An object of the store.
    Extern(Extern),
    /// A host function definition, instantiated for this instance.
    Host(Arc<HostFuncDef>),
}

/// The error of an instantiation.
#[derive(Debug, thiserror::Error)]
pub enum InstantiateError {
    /// Imports are missing or of another type. Fault: the embedder's.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A limit or the system refuses an object that the module declares.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// A segment was out of bounds, or the start function stopped. Fault: the guest's.
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// The imports of a module for which no definition fits.
///
/// A module chooses the number of its imports and the length of their types, so an error describes only the first
/// [`MAX_FAILURES`](LinkError::MAX_FAILURES).
#[derive(Clone, Debug)]
pub struct LinkError {
    /// Name of the module in messages.
    pub importer: String,
    /// One failure per import, in the order of the imports.
    pub failures: Vec<ImportFailure>,
    /// Number of imports without a fitting definition that `failures` does not have.
    pub more: usize,
}

stop_from! { LinkError }

/// An import for which no definition fits.
#[derive(Clone, Debug)]
pub struct ImportFailure {
    /// First part of its name.
    pub module: String,
    /// Second part of its name.
    pub name: String,
    /// Type that the module requires.
    pub expected: ExternType,
    /// Type that the module requires, as text.
    pub expected_text: String,
    /// Type of the definition, as text; `None` if there is none.
    pub found_text: Option<String>,
}

impl LinkError {
    /// Number of imports that an error describes: enough to recognise the toolchain, and few enough to read.
    pub const MAX_FAILURES: usize = 10;

    /// Returns an error without failures.
    pub fn new(importer: &str) -> LinkError {
        LinkError { importer: importer.to_owned(), failures: Vec::new(), more: 0 }
    }

    /// Adds an import without a fitting definition. Calls `describe` if the error describes this one, too.
    pub fn add(&mut self, describe: impl FnOnce() -> ImportFailure) {
        if self.failures.len() < Self::MAX_FAILURES {
            self.failures.push(describe());
        } else {
            self.more += 1;
        }
    }

    /// Returns `value` if there are no failures.
    ///
    /// # Errors
    /// This error, if there are.
    pub fn or<T>(self, value: T) -> Result<T, LinkError> {
        if self.failures.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Returns the text about the imports that the error does not describe; `None` if it describes all.
    pub fn more_text(&self) -> Option<String> {
        (self.more > 0).then(|| format!("and {}", Count(self.more, "more import")))
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` cannot be linked:", printable(&self.importer))?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        self.more_text().map_or(Ok(()), |more| write!(f, "\n  {more}"))
    }
}

impl ImportFailure {
    /// Returns the failure of an import of `module` whose definition is of type `found`.
    pub(crate) fn new(module: &Module, import: &Import, found: Option<ExternType>) -> ImportFailure {
        let expected_text = extern_type_text(module.registry(), &import.ty);
        let found_text = found.map(|found| {
            let text = extern_type_text(module.registry(), &found);
            let is_alike = text == expected_text;
            if is_alike { format!("{text} with another nested type, supertype or recursion group") } else { text }
        });
        ImportFailure {
            module: import.module.to_string(),
            name: import.name.to_string(),
            expected: import.ty.clone(),
            expected_text,
            found_text,
        }
    }
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (module, name, expected) = (printable(&self.module), printable(&self.name), &self.expected_text);
        match &self.found_text {
            None => write!(f, "unknown import `{module}` `{name}`: {expected}"),
            Some(found) => {
                write!(f, "incompatible import type for `{module}` `{name}`: expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for LinkError {}

/// Creates an instance.
///
/// # Panics
/// If the module was validated for another engine, or an object is of another store.
///
/// # Safety
/// Host function definitions in `provided` were made for the type `T` of this store's data.
pub(crate) unsafe fn instantiate<T>(
    context: &mut StoreContextMut<'_, T>,
    loaded: &LoadedModule,
    provided: Vec<Option<Provided>>,
) -> Result<Instance, InstantiateError> {
    let store = context.inner_mut();
    let module = &loaded.module;
    assert!(
        Arc::ptr_eq(module.registry(), store.registry()),
        "a module of one engine was instantiated in a store of another"
    );
    store.check_instance_limit()?;

    // 1. Match every import with an object of a matching type.
    let provided = match_imports(store, module, provided)?;

    // 2. Allocate the instance, then its own memories, tables and tags.
    let mut object = InstanceObject::new(store, loaded)?;
    // SAFETY: the caller promises that host function definitions were made for the type of this store's data.
    unsafe { fill_imports(store, &mut object, provided) };
    allocate_own(store, &object, module)?;
    fill_descriptors(store, &object, module)?;
    fill_funcs(&object, loaded, store.tier().unresolved_native());
    let instance = object.adopt(store);

    // 3. Initialise the globals, then the elements of tables. Each expression may use the globals before it.
    initialize_globals(store, instance, module)?;
    initialize_tables(store, instance, module)?;
    evaluate_elements(store, instance, module)?;
    let vm = instance.0.get(store).vm();

    // 4. Run the active element segments, then the active data segments, in order. The first one out of bounds traps; the
    // effects of those before it stay.
    // SAFETY: the instance is alive and complete, and no reference into the store is used after this.
    unsafe {
        run_elements(vm, module).map_err(Stop::from)?;
        run_data(vm, module).map_err(Stop::from)?;
    }

    // 5. Call the start function.
    if let Some(index) = module.start() {
        let start = Instance::func(instance, context.inner(), index);
        call_nullary(context, start)?;
    }
    Ok(instance)
}

fn match_imports(
    store: &StoreInner,
    module: &Module,
    provided: Vec<Option<Provided>>,
) -> Result<Vec<Provided>, LinkError> {
    let registry = store.registry();
    // Only for messages: the module keeps the type of a definition that fits.
    let mut unknown = Types::new(registry);
    let mut error = LinkError::new(module.name());
    let mut matched = Vec::with_capacity(provided.len());
    for (import, provided) in module.imports().iter().zip(provided) {
        let found = provided.as_ref().map(|provided| match provided {
            Provided::Extern(object) => object.current_type(store),
            Provided::Host(def) => {
                let known = registry.find_func(def.ty());
                ExternType::Func(known.unwrap_or_else(|| unknown.intern_func(def.ty().clone())))
            }
        });
        match (provided, found) {
            (Some(provided), Some(found)) if extern_matches(registry, &found, &import.ty) => matched.push(provided),
            (_, found) => error.add(|| ImportFailure::new(module, import, found)),
        }
    }
    error.or(matched)
}

/// Writes the pointers to imported objects.
///
/// # Safety
/// Host function definitions in `provided` were made for the type of the store's data.
unsafe fn fill_imports(store: &mut StoreInner, object: &mut InstanceObject, provided: Vec<Provided>) {
    let (mut funcs, mut tables, mut memories, mut globals, mut tags) = (0.., 0.., 0.., 0.., 0..);
    let mut global_types = Vec::new();
    for provided in provided {
        let given = match provided {
            Provided::Extern(given) => given,
            // SAFETY: the caller promises a definition for this store's data. The importer either stays in the store or is
            // dropped with the failed instantiation, after which no call can reach the function.
            Provided::Host(def) => Extern::Func(unsafe { def.instantiate(store, object.vm()) }),
        };
        // SAFETY: imports are counted in the order of the layout. No one else reads the arrays until `adopt`.
        unsafe {
            match given {
                Extern::Func(func) => *object.imported_func_place(next(&mut funcs)) = func.as_ptr(),
                Extern::Table(table) => *object.table_place(next(&mut tables)) = table.0.as_ptr().cast(),
                Extern::Memory(memory) => *object.memory_place(next(&mut memories)) = memory.0.as_ptr().cast(),
                Extern::SharedMemory(memory) => {
                    *object.memory_place(next(&mut memories)) = memory.vm();
                    store.keep_shared_memory(memory);
                }
                Extern::Global(global) => {
                    *object.imported_global_place(next(&mut globals)) = global.handle.as_ptr();
                    global_types.push(global.ty);
                }
                Extern::Tag(tag) => *object.tag_place(next(&mut tags)) = tag.0.as_ptr(),
            }
        }
    }
    object.set_imported_global_types(global_types);
}

fn next(counter: &mut std::ops::RangeFrom<u32>) -> u32 {
    let index = counter.start;
    counter.start += 1;
    index
}

/// Allocates the memories, tables and tags that the module defines, then sets the header's cache of memory 0.
fn allocate_own(store: &mut StoreInner, object: &InstanceObject, module: &Module) -> Result<(), ResourceError> {
    for index in module.imported_memory_count()..module.memories().len() as u32 {
        let ty = module.memories()[index as usize];
        let memory = if ty.shared {
            let memory = SharedMemory::in_store(store, ty)?;
            store.keep_shared_memory(memory.clone());
            memory.vm()
        } else {
            Memory::in_store(store, ty)?.0.as_ptr().cast()
        };
        // SAFETY: the index is within the layout, and no one else reads the arrays until `adopt`.
        unsafe { *object.memory_place(index) = memory };
    }
    for index in module.imported_table_count()..module.tables().len() as u32 {
        let table = Table::in_store(store, module.tables()[index as usize].ty, 0)?;
        // SAFETY: the index is within the layout, and no one else reads the arrays until `adopt`.
        unsafe { *object.table_place(index) = table.0.as_ptr().cast() };
    }
    for index in module.imported_tag_count()..module.tags().len() as u32 {
        let tag = Tag::in_store(store, module.tags()[index as usize]);
        // SAFETY: the index is within the layout, and no one else reads the arrays until `adopt`.
        unsafe { *object.tag_place(index) = tag.0.as_ptr() };
    }
    if !module.memories().is_empty() {
        // SAFETY: memory 0 exists, imported or allocated above. No one else uses the header until `adopt`.
        unsafe {
            let memory = &*object.memory(0);
            let header: *mut VmInstance = object.vm();
            (*header).memory0_guarded = memory.guarded;
            (*header).memory0_base = if memory.guarded { memory.base } else { std::ptr::null_mut() };
        }
    }
    Ok(())
}

/// Writes the address of the heap, and the places of the descriptors of the module's struct and array types, which it makes where
/// they do not exist.
fn fill_descriptors(store: &mut StoreInner, object: &InstanceObject, module: &Module) -> Result<(), ResourceError> {
    if module.has_objects() {
        store.create_heap()?;
    }
    let header: *mut VmInstance = object.vm();
    // SAFETY: no one else uses the header until `adopt`.
    unsafe { (*header).heap_base = store.vm.heap.base };
    if !module.has_objects() {
        return Ok(());
    }
    for index in 0..module.type_count() {
        if let Some(layout) = module.layout(index) {
            let StoreInner { heap, vm, .. } = store;
            let descriptor = heap.descriptor(&mut vm.heap, module.registry(), module.type_id(index), layout)?;
            // SAFETY: the index is within the layout, and no one else reads the array until `adopt`.
            unsafe { *object.descriptor_place(index) = descriptor };
        }
    }
    Ok(())
}

/// Writes the records of the functions that the module defines.
fn fill_funcs(object: &InstanceObject, loaded: &LoadedModule, native: *const c_void) {
    let module = &loaded.module;
    let arg_slots: Vec<u32> = (0..module.type_count())
        .map(|index| module.as_func_type(index).map_or(0, |ty| ty.arg_slots() as u32))
        .collect();
    for defined in 0..module.defined_func_count() {
        let index = module.imported_func_count() + defined;
        let type_index = module.func_type_index(index);
        let first = loaded.code.first_entry(defined);
        let place = object.defined_func(defined);
        let func = VmFunc {
            code: first.code,
            instance: object.vm(),
            entry: first.entry,
            type_id: module.type_id(type_index),
            index,
            arg_slots: arg_slots[type_index as usize],
            data: std::ptr::null(),
            native,
            native_context: place.cast(),
        };
        // SAFETY: the record is inside the allocation, and no one else uses it until `adopt`.
        unsafe { place.write(func) };
    }
}

fn initialize_globals(store: &mut StoreInner, instance: Instance, module: &Module) -> Result<(), ResourceError> {
    let imported = module.imported_global_count();
    for (defined, global) in (0..).zip(&module.globals()[imported as usize..]) {
        if let Some(init) = &global.init {
            let value = evaluate(store, instance, init, &[])?;
            // SAFETY: the index is within the layout, and no code that could use the global has run yet.
            unsafe { (*instance.0.get(store).defined_global(defined)).value = value };
        }
    }
    Ok(())
}

fn initialize_tables(store: &mut StoreInner, instance: Instance, module: &Module) -> Result<(), ResourceError> {
    for (index, table) in (0..).zip(module.tables()) {
        if let Some(init) = &table.init {
            let [value, _] = evaluate(store, instance, init, &[])?;
            let table = instance.0.get(store).table(index);
            // SAFETY: the table is one of the store, which is borrowed exclusively.
            unsafe { (*table).elements_mut() }.fill(value);
        }
    }
    Ok(())
}

/// Evaluates the items of element segments that make objects.
fn evaluate_elements(store: &mut StoreInner, instance: Instance, module: &Module) -> Result<(), ResourceError> {
    for (index, segment) in (0..).zip(module.elements()) {
        if let ElementItems::Exprs(exprs) = &segment.items
            && exprs.iter().any(ConstExpr::allocates)
        {
            let mut items = Vec::with_capacity(exprs.len());
            for expr in exprs {
                let [item, _] = evaluate(store, instance, expr, &items)?;
                items.push(item);
            }
            instance.0.get_mut(store).segments.add_evaluated(index, items.into());
        }
    }
    Ok(())
}

/// # Safety
/// `instance` is alive and complete, in a store that no Rust reference is using.
unsafe fn run_elements(instance: *mut VmInstance, module: &Module) -> Result<(), TrapCode> {
    for (index, segment) in (0..).zip(module.elements()) {
        match &segment.mode {
            ElementMode::Passive => {}
            // SAFETY: the caller promises such an instance, and the module's indices were validated.
            ElementMode::Declared => unsafe { builtins::table::elem_drop(instance, index) },
            // SAFETY: the caller promises such an instance, and the module's indices were validated.
            ElementMode::Active { table, offset } => unsafe {
                let [offset, _] = evaluate_pure(&*(*instance).instance, offset);
                let len = builtins::table::segment_len(instance, index);
                builtins::table::table_init(instance, *table, index, offset, 0, len)?;
                builtins::table::elem_drop(instance, index);
            },
        }
    }
    Ok(())
}

/// # Safety
/// `instance` is alive and complete, in a store that no Rust reference is using.
unsafe fn run_data(instance: *mut VmInstance, module: &Module) -> Result<(), TrapCode> {
    for (index, segment) in (0..).zip(module.data()) {
        let (memory, address) = match &segment.mode {
            DataMode::Passive => continue,
            DataMode::Active { memory, address } => (*memory, *address),
            DataMode::Computed { memory, offset } => {
                // SAFETY: the caller promises such an instance.
                (*memory, evaluate_pure(unsafe { &*(*instance).instance }, offset)[0])
            }
        };
        // Modules are smaller than 4 GiB, so the length fits.
        let len = segment.range.len() as u32;
        // SAFETY: the caller promises such an instance, and the module's indices were validated.
        unsafe {
            builtins::memory::memory_init(instance, memory, index, address, 0, len)?;
            builtins::memory::data_drop(instance, index);
        }
    }
    Ok(())
}

impl Instance {
    /// Returns the function of that index.
    fn func(self, store: &StoreInner, index: u32) -> Func {
        let func = self.0.get(store).func(index);
        // SAFETY: functions of an instance are in its store and live as long as the store.
        unsafe { Func::from_raw(std::ptr::NonNull::new(func).expect("functions are filled in step 2"), store.id()) }
    }
}
