//! Instantiation, in the steps of the specification ("Execution / Modules / Instantiation").
//!
//! Comes in: a module with its code, and something for each import. Goes out: an [`Instance`]; or, sorted by whose
//! fault, all imports that do not fit ([`LinkError`]), a limit, or the guest's own trap.
//!
//! Until step 4 nothing that others can see has changed. From there on the specification keeps what was done when a
//! later step fails, and functions of the new instance may already be in somebody's table: so the instance stays in the
//! store, whole, even if its instantiation failed.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use wasmr_core::registry::Types;
use wasmr_core::subtype::extern_matches;
use wasmr_core::trap::TrapCode;
use wasmr_core::type_text::extern_type_text;
use wasmr_core::types::ExternType;
use wasmr_module::{DataMode, ElementMode, Import, Module};

use crate::builtins;
use crate::const_eval::evaluate;
use crate::context::StoreContextMut;
use crate::externs::Extern;
use crate::func::{Func, call_nullary};
use crate::host::HostFuncDef;
use crate::host_error::stop_from;
use crate::instance::{Instance, InstanceObject};
use crate::limits::ResourceError;
use crate::memory::Memory;
use crate::store::StoreInner;
use crate::symbol::printable;
use crate::table::Table;
use crate::tag::Tag;
use crate::tier::Executable;
use crate::trap::Stop;
use crate::vm::{VmFunc, VmInstance};

/// A module, and what executes its functions.
#[derive(Clone)]
pub struct LoadedModule {
    /// The module.
    pub module: Arc<Module>,
    /// Its functions' entries.
    pub code: Arc<dyn Executable>,
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.module.fmt(f)
    }
}

/// What is given for an import.
#[derive(Clone)]
pub(crate) enum Provided {
    /// An object of the store.
    Extern(Extern),
    /// A host function that becomes one for this instance.
    Host(Arc<HostFuncDef>),
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
pub enum InstantiateError {
    /// Imports do not fit. Fault: the embedder's.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A limit, or the system, refuses what the module declares.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// A segment was out of bounds, or the start function stopped. Fault: the guest's.
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// Imports of a module that nothing fits. All of them, so that one message is enough.
#[derive(Clone, Debug)]
pub struct LinkError {
    /// What messages call the module.
    pub importer: String,
    /// The imports.
    pub failures: Vec<ImportFailure>,
}

stop_from! { LinkError }

/// One import that nothing fits.
#[derive(Clone, Debug)]
pub struct ImportFailure {
    /// First part of its name.
    pub module: String,
    /// Second part of its name.
    pub name: String,
    /// What the module asks for.
    pub expected: ExternType,
    /// The same as text.
    pub expected_text: String,
    /// What was there, as text; `None` if nothing.
    pub found_text: Option<String>,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` cannot be linked:", printable(&self.importer))?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        Ok(())
    }
}

impl ImportFailure {
    /// The failure of an import of `module`, where `found` stands in its place.
    pub(crate) fn new(module: &Module, import: &Import, found: Option<ExternType>) -> ImportFailure {
        let registry = module.registry();
        ImportFailure {
            module: import.module.to_string(),
            name: import.name.to_string(),
            expected: import.ty.clone(),
            expected_text: extern_type_text(registry, &import.ty),
            found_text: found.map(|found| extern_type_text(registry, &found)),
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

/// Makes an instance.
///
/// # Panics
/// If the module was validated for another engine, or an object given is of another store.
///
/// # Safety
/// Host functions given were made for the type `T` of this store's data.
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

    // 1. Every import has something of a matching type.
    let provided = match_imports(store, module, provided)?;

    // 2. Allocate: the instance, then its own memories, tables and tags.
    let mut object = InstanceObject::new(store, loaded)?;
    // SAFETY: the contract.
    unsafe { fill_imports(store, &mut object, provided) };
    allocate_own(store, &object, module)?;
    fill_funcs(&object, loaded, store.tier().unresolved_native());
    let instance = object.adopt(store);

    // 3. Initial values of globals, then of tables' elements. Each expression may use the globals before it.
    let object = instance.0.get(store);
    initialize_globals(object, module);
    let vm = object.vm();
    initialize_tables(store, instance, module);

    // 4. Active element segments, then active data segments, in order. The first that does not fit traps; those before
    // it stay. SAFETY: the instance is alive and whole; indices were validated.
    unsafe {
        run_elements(vm, module).map_err(Stop::from)?;
        run_data(vm, module).map_err(Stop::from)?;
    }

    // 5. The start function.
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
    // Only for messages: the type of something that fits is kept by the module.
    let mut unknown = Types::new(registry);
    let mut failures = Vec::new();
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
            (_, found) => failures.push(ImportFailure::new(module, import, found)),
        }
    }
    if failures.is_empty() { Ok(matched) } else { Err(LinkError { importer: module.name().to_owned(), failures }) }
}

/// Writes the pointers to imported objects.
///
/// # Safety
/// Host functions given were made for the type of the store's data.
unsafe fn fill_imports(store: &mut StoreInner, object: &mut InstanceObject, provided: Vec<Provided>) {
    let (mut funcs, mut tables, mut memories, mut globals, mut tags) = (0.., 0.., 0.., 0.., 0..);
    let mut global_types = Vec::new();
    for provided in provided {
        let given = match provided {
            Provided::Extern(given) => given,
            // SAFETY: the contract; the importer stays in the store or is dropped with the call that failed, which
            // calls nothing.
            Provided::Host(def) => Extern::Func(unsafe { def.instantiate(store, object.vm()) }),
        };
        // SAFETY: imports are counted as the layout counted them, and the place is ours alone until the object is
        // adopted.
        unsafe {
            match given {
                Extern::Func(func) => *object.imported_func_place(next(&mut funcs)) = func.as_ptr(),
                Extern::Table(table) => *object.table_place(next(&mut tables)) = table.0.as_ptr().cast(),
                Extern::Memory(memory) => *object.memory_place(next(&mut memories)) = memory.0.as_ptr().cast(),
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

/// Memories, tables and tags that the module defines; then what the header caches of memory 0.
fn allocate_own(store: &mut StoreInner, object: &InstanceObject, module: &Module) -> Result<(), ResourceError> {
    for index in module.imported_memory_count()..module.memories().len() as u32 {
        let memory = Memory::in_store(store, module.memories()[index as usize])?;
        // SAFETY: the index is within the layout.
        unsafe { *object.memory_place(index) = memory.0.as_ptr().cast() };
    }
    for index in module.imported_table_count()..module.tables().len() as u32 {
        let table = Table::in_store(store, module.tables()[index as usize].ty, 0)?;
        // SAFETY: as above.
        unsafe { *object.table_place(index) = table.0.as_ptr().cast() };
    }
    for index in module.imported_tag_count()..module.tags().len() as u32 {
        let tag = Tag::in_store(store, module.tags()[index as usize]);
        // SAFETY: as above.
        unsafe { *object.tag_place(index) = tag.0.as_ptr() };
    }
    if !module.memories().is_empty() {
        // SAFETY: memory 0 exists and was filled by import or above; the header is ours alone.
        unsafe {
            let memory = &(*object.memory(0)).vm;
            let header: *mut VmInstance = object.vm();
            (*header).memory0_guarded = memory.guarded;
            (*header).memory0_base = if memory.guarded { memory.base } else { std::ptr::null_mut() };
        }
    }
    Ok(())
}

/// Returns the records of the functions that the module defines.
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
        // SAFETY: the place is ours alone.
        unsafe { place.write(func) };
    }
}

fn initialize_globals(object: &InstanceObject, module: &Module) {
    let imported = module.imported_global_count();
    for (defined, global) in (0..).zip(&module.globals()[imported as usize..]) {
        if let Some(init) = &global.init {
            let value = evaluate(object, init);
            // SAFETY: the index is within the layout; no code has run that could refer to it.
            unsafe { (*object.defined_global(defined)).value = value };
        }
    }
}

fn initialize_tables(store: &mut StoreInner, instance: Instance, module: &Module) {
    for (index, table) in (0..).zip(module.tables()) {
        if let Some(init) = &table.init {
            let object = instance.0.get(store);
            let [value, _] = evaluate(object, init);
            let table = object.table(index);
            // SAFETY: a table of the store, which is exclusively borrowed.
            unsafe { (*table).elements_mut() }.fill(value);
        }
    }
}

/// # Safety
/// `instance` is alive and whole.
unsafe fn run_elements(instance: *mut VmInstance, module: &Module) -> Result<(), TrapCode> {
    for (index, segment) in (0..).zip(module.elements()) {
        match &segment.mode {
            ElementMode::Passive => {}
            // SAFETY: the contract; indices were validated.
            ElementMode::Declared => unsafe { builtins::table::elem_drop(instance, index) },
            // SAFETY: as above.
            ElementMode::Active { table, offset } => unsafe {
                let [offset, _] = evaluate(&*(*instance).instance, offset);
                let len = builtins::table::segment_len(instance, index);
                builtins::table::table_init(instance, *table, index, offset, 0, len)?;
                builtins::table::elem_drop(instance, index);
            },
        }
    }
    Ok(())
}

/// # Safety
/// `instance` is alive and whole.
unsafe fn run_data(instance: *mut VmInstance, module: &Module) -> Result<(), TrapCode> {
    for (index, segment) in (0..).zip(module.data()) {
        if let DataMode::Active { memory, offset } = &segment.mode {
            // Modules are smaller than 4 GiB.
            let len = segment.range.len() as u32;
            // SAFETY: the contract; indices were validated.
            unsafe {
                let [offset, _] = evaluate(&*(*instance).instance, offset);
                builtins::memory::memory_init(instance, *memory, index, offset, 0, len)?;
                builtins::memory::data_drop(instance, index);
            }
        }
    }
    Ok(())
}

impl Instance {
    /// A function by its index.
    fn func(self, store: &StoreInner, index: u32) -> Func {
        let func = self.0.get(store).func(index);
        // SAFETY: functions of an instance live as long as its store.
        unsafe { Func::from_raw(std::ptr::NonNull::new(func).expect("functions are filled in step 2"), store.id()) }
    }
}
