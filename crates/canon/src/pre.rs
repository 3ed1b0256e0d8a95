//! [`ComponentPre`]: a component whose imports have definitions, and whatever else does not depend on a store.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmr_component::{
    Builtin, Component, FuncDef, FuncTypeId, InstanceId, OptionsId, ResourceDef, TypeDef, TypeId, Types,
};
use wasmr_core::registry;
use wasmr_core::types::{FuncType, ValType};
use wasmr_runtime::{AsContextMut, LoadedModule, SlabFuncType, Stop};

use crate::host_func::HostFunc;
use crate::instance::Instance;
use crate::linker::Names;
use crate::loaded::LoadedComponent;
use crate::matching::{ComponentLinkError, match_imports};
use crate::resource::{ErasedDtor, ResourceType};
use crate::state::entering;

/// The definition for an item of the host that a component uses.
pub(crate) enum Provided<T> {
    Func(HostFunc<T>),
    Resource(ResourceType, Option<ErasedDtor>),
    Module(LoadedModule),
    /// There is none: a call traps.
    Unknown,
}

/// The error of an instantiation.
#[derive(Debug, thiserror::Error)]
pub enum InstantiateError {
    /// Imports are missing or of another type. Fault: the embedder's.
    #[error(transparent)]
    Link(#[from] ComponentLinkError),
    /// A core module cannot be instantiated.
    #[error(transparent)]
    Core(#[from] wasmr_runtime::InstantiateError),
    /// The start function of a core module stopped. Fault: the guest's.
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// A component without what depends on the type of a store's data.
pub(crate) struct Linked {
    pub(crate) component: Arc<Component>,
    pub(crate) modules: Arc<[LoadedModule]>,
    /// Types of the lowered functions, then of the builtins.
    pub(crate) slab: Box<[SlabFuncType]>,
    /// Owner of those types.
    _types: registry::Types,
    pub(crate) lifts: Box<[LiftFacts]>,
    pub(crate) lowerings: Box<[LoweringFacts]>,
    /// The resource types of the host, by the component's ids.
    pub(crate) host_resources: Box<[Option<ResourceType>]>,
}

/// Facts about a lifted function.
pub(crate) struct LiftFacts {
    /// The instances that a call by the host gets into.
    pub(crate) entered: Box<[InstanceId]>,
    pub(crate) lends: bool,
    /// True for `async func`, a call of which waits for backpressure to end.
    pub(crate) waits: bool,
    /// True if an option makes a call impossible.
    pub(crate) unsupported: bool,
}

/// Facts about a lowered function.
pub(crate) struct LoweringFacts {
    pub(crate) func: FuncDef,
    /// Type of the function, from the view of the caller.
    pub(crate) ty: FuncTypeId,
    pub(crate) options: OptionsId,
    /// The instance that has the import.
    pub(crate) caller: InstanceId,
    /// The instances that a call of a lifted function gets into.
    pub(crate) entered: Box<[InstanceId]>,
    pub(crate) lends: bool,
    /// True for `async func`, a call of which waits for backpressure to end.
    pub(crate) waits: bool,
    pub(crate) unsupported: bool,
    /// Name in messages.
    pub(crate) name: Box<str>,
}

/// The part of a component that its instantiations share.
pub(crate) struct PreInner<T: 'static> {
    pub(crate) linked: Arc<Linked>,
    /// Definitions for [`Component::import_paths`].
    pub(crate) imports: Box<[Provided<T>]>,
}

/// A component whose imports have definitions. Instantiation looks up no names. Cloning is cheap.
pub struct ComponentPre<T: 'static> {
    pub(crate) inner: Arc<PreInner<T>>,
}

impl<T> Clone for ComponentPre<T> {
    fn clone(&self) -> Self {
        ComponentPre { inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for ComponentPre<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentPre").field("component", &self.inner.linked.component.name).finish_non_exhaustive()
    }
}

impl<T: 'static> ComponentPre<T> {
    pub(crate) fn new(
        loaded: &LoadedComponent,
        names: &Names<T>,
        traps_unknown: bool,
    ) -> Result<ComponentPre<T>, ComponentLinkError> {
        let component = &loaded.component;
        let imports = match_imports(loaded, names, traps_unknown)?;
        let host_resources = host_resources(component, |index| match imports[index] {
            Provided::Resource(ty, _) => Some(ty),
            _ => None,
        });
        let mut types = registry::Types::new(&loaded.registry);
        let i32s = |params: usize, results: usize| {
            Arc::new(FuncType::new(vec![ValType::I32; params], vec![ValType::I32; results]))
        };
        let lowered = component.lowerings.iter().map(|lowering| lowering.core_type.clone());
        let builtins = component.builtins.iter().map(|builtin| match builtin {
            Builtin::ResourceNew(..) | Builtin::ResourceRep(..) => i32s(1, 1),
            Builtin::ResourceDrop(..) => i32s(1, 0),
            Builtin::BackpressureInc(_) | Builtin::BackpressureDec(_) => i32s(0, 0),
            Builtin::ContextGet(_, core_type)
            | Builtin::ContextSet(_, core_type)
            | Builtin::Unsupported(_, core_type, _) => core_type.clone(),
        });
        let slab = lowered.chain(builtins).map(|ty| {
            // Lossless: a lowered function has at most 17 parameters, a builtin fewer.
            let arg_slots = ty.arg_slots() as u32;
            SlabFuncType { id: types.intern_func(ty), arg_slots }
        });
        let slab = slab.collect();
        let mut borrows = Borrows { types: &component.types, known: HashMap::new() };
        let lifts = component.lifts.iter().map(|lift| lift_facts(component, &mut borrows, lift)).collect();
        let lowerings = 0..component.lowerings.len();
        let lowerings = lowerings.map(|index| lowering_facts(component, &mut borrows, index)).collect();
        let linked = Linked {
            lifts,
            lowerings,
            component: component.clone(),
            modules: loaded.modules.clone(),
            slab,
            _types: types,
            host_resources,
        };
        Ok(ComponentPre { inner: Arc::new(PreInner { linked: Arc::new(linked), imports }) })
    }

    /// Creates an instance of the component. Start functions of its core modules run.
    ///
    /// # Errors
    /// If a core module cannot be instantiated, or its start function stops.
    ///
    /// # Panics
    /// If the component was loaded for another engine than the store's.
    pub fn instantiate(&self, store: impl AsContextMut<Data = T>) -> Result<Instance, InstantiateError> {
        crate::instantiate::instantiate(&self.inner, store)
    }
}

/// Returns the resource types of the host, by the component's ids. `imported` returns the type for an item of the host.
pub(crate) fn host_resources(
    component: &Component,
    imported: impl Fn(usize) -> Option<ResourceType>,
) -> Box<[Option<ResourceType>]> {
    let of = |def: &ResourceDef| match def {
        ResourceDef::Import(path) => imported(path.index()),
        ResourceDef::Defined(_) => None,
    };
    component.resources.iter().map(of).collect()
}

/// Returns the instance that contains another one.
fn parent(component: &Component) -> impl Fn(InstanceId) -> Option<InstanceId> {
    |id| component.instances.get(id.index()).copied().flatten()
}

fn lift_facts(component: &Component, borrows: &mut Borrows<'_>, lift: &wasmr_component::Lift) -> LiftFacts {
    let options = &component.options[lift.options.index()];
    LiftFacts {
        entered: entering(options.instance, None, parent(component)).into(),
        lends: borrows.of_func(lift.ty),
        waits: component.types.func(lift.ty).is_async,
        unsupported: options.is_async,
    }
}

fn lowering_facts(component: &Component, borrows: &mut Borrows<'_>, index: usize) -> LoweringFacts {
    let lowering = &component.lowerings[index];
    let options = &component.options[lowering.options.index()];
    let (entered, name, is_async) = match lowering.func {
        FuncDef::Lift(id) => {
            let lift = &component.lifts[id.index()];
            let callee = &component.options[lift.options.index()];
            let entered = entering(callee.instance, Some(options.instance), parent(component));
            (entered.into(), lift.name.clone().unwrap_or_default(), callee.is_async)
        }
        FuncDef::Import(path) => (Box::default(), path_text(component, path.index()).into(), false),
    };
    let lends = borrows.of_func(lowering.ty);
    LoweringFacts {
        func: lowering.func,
        ty: lowering.ty,
        options: lowering.options,
        caller: options.instance,
        entered,
        lends,
        waits: component.types.func(lowering.ty).is_async,
        unsupported: options.is_async || is_async,
        name,
    }
}

/// Returns the name of an item of the host: the import, and the names within it.
pub(crate) fn path_text(component: &Component, index: usize) -> String {
    let path = &component.import_paths[index];
    let mut text = component.imports[path.import as usize].name.to_string();
    for name in &path.names {
        text.push('#');
        text.push_str(name);
    }
    text
}

/// Knowledge of the types that contain borrows, each looked at once.
struct Borrows<'a> {
    types: &'a Types,
    known: HashMap<TypeId, bool>,
}

impl Borrows<'_> {
    /// Returns true if a function has parameters with borrows.
    fn of_func(&mut self, func: FuncTypeId) -> bool {
        let types = self.types;
        types.func(func).params.iter().any(|param| self.of_type(param.ty))
    }

    fn of_type(&mut self, ty: TypeId) -> bool {
        let types = self.types;
        if !types.shape(ty).has_handles {
            return false;
        }
        if let Some(&known) = self.known.get(&ty) {
            return known;
        }
        let def = types.def(ty);
        let found = matches!(def, TypeDef::Borrow(_)) || def.components().any(|part| self.of_type(part));
        self.known.insert(ty, found);
        found
    }
}
