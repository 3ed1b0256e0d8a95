//! Instantiation: executes the steps of a component in order.
//!
//! The functions that core modules import exist from the beginning. A start function may thus call one whose memory does not exist yet,
//! which traps.

use std::sync::{Arc, OnceLock};

use wasmr_component::{CoreArgs, CoreDef, CoreItem, LiftId, ModuleDef, ResourceDef, Step};
use wasmr_runtime::{
    AsContextMut, Extern, Func as CoreFunc, HostSlab, Instance as CoreInstance, LoadedModule, Stop, StoreContextMut,
};

use crate::error::trap;
use crate::instance::Instance;
use crate::lower::Importer;
use crate::pre::{InstantiateError, Linked, PreInner, Provided};
use crate::resource::{ResourceInfo, ResourceKey, ResourceType, TypeOf};
use crate::state::{InstanceKey, InstanceState, Live, LiveOptions, SharedOptions, State};

/// Creates an instance of a component.
pub(crate) fn instantiate<T: 'static>(
    pre: &Arc<PreInner<T>>,
    mut store: impl AsContextMut<Data = T>,
) -> Result<Instance, InstantiateError> {
    let linked = &pre.linked;
    let mut store = store.as_context_mut();
    let live = prepare(pre, &mut store);
    let mut erased = store.as_context_mut().without_data();
    // Start functions are no part of a guest's task that instantiates through the host.
    let context = std::mem::take(&mut erased.extension::<State>().context);
    let done = execute(pre, live, &mut erased);
    erased.extension::<State>().context = context;
    if let Err(error) = done {
        let state: &mut State = erased.extension();
        let first = state.live[live as usize].first_instance;
        let all = (0..linked.component.instances.len() as u32).map(|index| InstanceKey(first + index));
        let stop = trap(format!("its instantiation failed: {error}"));
        state.fail(all, &stop);
        return Err(error);
    }
    Ok(Instance { linked: linked.clone(), live })
}

/// Adds an instantiation, none of whose steps was executed, to the store. Returns its number.
fn prepare<T: 'static>(pre: &Arc<PreInner<T>>, store: &mut StoreContextMut<'_, T>) -> u32 {
    let linked = &*pre.linked;
    let component = &*linked.component;
    let state: &mut State = store.extension();
    let live = state.live.len() as u32;
    let first_instance = state.instances.len() as u32;
    let options: SharedOptions = component.options.iter().map(|_| OnceLock::new()).collect();
    let importer = Importer { pre: pre.clone(), live, first_instance, options: options.clone() };
    let call = move |store: StoreContextMut<'_, T>, number: u32, slots: &mut [u64]| importer.call(store, number, slots);
    // SAFETY: `linked` owns the types, which are of numbers, and the closure owns `linked`. The walkers leave a core value of the
    // function's type, zero-extended: `flat` and `scalar` for lowered functions, `builtins` for the others.
    let slab = unsafe { HostSlab::new(store.as_context_mut(), &linked.slab, call) };
    let state: &mut State = store.extension();
    for parent in &component.instances {
        let parent = parent.map(|parent| InstanceKey(first_instance + parent.0));
        state.instances.push(InstanceState::new(parent));
    }
    let mut resources = Vec::with_capacity(component.resources.len());
    state.instantiations += 1;
    let instantiation = state.instantiations;
    for (index, def) in (0..).zip(&component.resources) {
        let info = match def {
            ResourceDef::Defined(defined) => ResourceInfo {
                ty: ResourceType(TypeOf::Guest { store: state.identity(), instantiation, index }),
                implementer: Some(InstanceKey(first_instance + defined.instance.0)),
                dtor: None,
                host_dtor: None,
            },
            ResourceDef::Import(path) => match &pre.imports[path.index()] {
                Provided::Resource(ty, dtor) => {
                    ResourceInfo { ty: *ty, implementer: None, dtor: None, host_dtor: dtor.clone() }
                }
                // `matching` provides a resource type for each that is imported.
                _ => ResourceInfo {
                    ty: ResourceType(TypeOf::Guest { store: state.identity(), instantiation, index }),
                    implementer: None,
                    dtor: None,
                    host_dtor: None,
                },
            },
        };
        let key: ResourceKey = state.add_resource(info);
        resources.push(key);
    }
    state.live.push(Live {
        first_instance,
        core: Vec::with_capacity(component.steps.len()),
        options,
        lifts: vec![None; component.lifts.len()],
        resources,
        slab,
    });
    live
}

fn execute<T: 'static>(
    pre: &PreInner<T>,
    live: u32,
    store: &mut StoreContextMut<'_, ()>,
) -> Result<(), InstantiateError> {
    let linked = &*pre.linked;
    let component = &*linked.component;
    for step in &component.steps {
        match step {
            Step::Instantiate { module, args, .. } => {
                let module = match *module {
                    ModuleDef::Own(id) => &linked.modules[id.index()],
                    ModuleDef::Import(path) => match &pre.imports[path.index()] {
                        Provided::Module(module) => module,
                        _ => return Err(trap("an imported core module has no definition").into()),
                    },
                };
                let externs = externs(store, linked, live, module, args)?;
                let instance = CoreInstance::with_imports(&mut *store, module, externs)?;
                store.extension::<State>().live[live as usize].core.push(instance);
            }
            Step::Options(id) => {
                let options = &component.options[id.index()];
                let mut find =
                    |def: &Option<CoreDef>| def.as_ref().map(|def| resolve(store, linked, live, def)).transpose();
                let memory = find(&options.memory)?.and_then(Extern::into_memory);
                let realloc = find(&options.realloc)?.and_then(Extern::into_func);
                let post_return = find(&options.post_return)?.and_then(Extern::into_func);
                let here = &store.extension::<State>().live[live as usize];
                let instance = InstanceKey(here.first_instance + options.instance.0);
                let made = LiveOptions { live, instance, encoding: options.encoding, memory, realloc, post_return };
                // Each step is executed once.
                let _ = here.options[id.index()].set(made);
            }
            Step::Resource(id) => {
                let ResourceDef::Defined(defined) = &component.resources[id.index()] else { continue };
                if let Some(dtor) = &defined.dtor {
                    let dtor = resolve(store, linked, live, dtor)?.into_func();
                    let state: &mut State = store.extension();
                    let key = state.resource(live, *id);
                    state.resources[key.0 as usize].dtor = dtor;
                }
            }
        }
    }
    Ok(())
}

/// Returns the objects for the imports of a core module.
fn externs(
    store: &mut StoreContextMut<'_, ()>,
    linked: &Linked,
    live: u32,
    module: &LoadedModule,
    args: &CoreArgs,
) -> Result<Vec<Extern>, Stop> {
    match args {
        CoreArgs::InOrder(defs) => {
            // A `Result` is collected without knowing the number.
            let mut externs = Vec::with_capacity(defs.len());
            for def in defs {
                externs.push(resolve(store, linked, live, def)?);
            }
            Ok(externs)
        }
        CoreArgs::ByName(named) => {
            let def = |import: &wasmr_module::Import| {
                let found = named.iter().find(|arg| arg.module == import.module && arg.name == import.name);
                found.ok_or_else(|| trap(format!("no definition for `{}` `{}`", import.module, import.name)))
            };
            module.module.imports().iter().map(|import| resolve(store, linked, live, &def(import)?.def)).collect()
        }
    }
}

/// Returns an object. The steps before made it.
fn resolve(store: &mut StoreContextMut<'_, ()>, linked: &Linked, live: u32, def: &CoreDef) -> Result<Extern, Stop> {
    let here = &store.extension::<State>().live[live as usize];
    let slab = here.slab;
    match def {
        CoreDef::Lowering(id) => Ok(Extern::Func(slab.get(&*store, id.0))),
        CoreDef::Builtin(id) => Ok(Extern::Func(slab.get(&*store, linked.component.lowerings.len() as u32 + id.0))),
        CoreDef::Export(id, item) => {
            let Some(&instance) = here.core.get(id.index()) else {
                return Err(trap("a core instance was used before it exists"));
            };
            match item {
                CoreItem::Index(kind, index) => Ok(instance.object(&*store, *kind, *index)),
                CoreItem::Name(name) => instance
                    .get_export(&*store, name)
                    .ok_or_else(|| trap(format!("a core module of the host has no export `{name}`"))),
            }
        }
    }
}

/// Returns the core function of a lift, which is looked up once.
#[inline]
pub(crate) fn resolve_lift(
    store: &mut StoreContextMut<'_, ()>,
    linked: &Linked,
    live: u32,
    lift: LiftId,
) -> Result<CoreFunc, Stop> {
    let known = store.extension::<State>().live[live as usize].lifts[lift.index()];
    match known {
        Some(func) => Ok(func),
        None => find_lift(store, linked, live, lift),
    }
}

#[cold]
fn find_lift(store: &mut StoreContextMut<'_, ()>, linked: &Linked, live: u32, lift: LiftId) -> Result<CoreFunc, Stop> {
    let def = &linked.component.lifts[lift.index()].func;
    let Some(func) = resolve(store, linked, live, def)?.into_func() else {
        return Err(trap("a lifted object is no function"));
    };
    store.extension::<State>().live[live as usize].lifts[lift.index()] = Some(func);
    Ok(func)
}
