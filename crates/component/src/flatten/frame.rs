//! [`Frame`]: an instantiation of a component that is being executed, with its index spaces; and the definitions that affect only
//! these.

use std::collections::HashMap;
use std::mem;

use wasmparser::ComponentExternalKind;
use wasmparser::component_types::{
    ComponentCoreModuleTypeId, ComponentDefinedTypeId, ComponentFuncTypeId, ComponentInstanceTypeId,
};
use wasmr_module::{ExternKind, Fault};

use super::{Bag, BagId, Flattener, FrameId, Item, MAX_CORE_INSTANCES, Result, item, lost};
use crate::component::{CoreArgs, CoreDef, CoreItem, DefinedResource, FuncDef, ModuleDef, NamedArg, ResourceDef, Step};
use crate::compose::PROGRAM;
use crate::decode::{DeclId, Def};
use crate::error::fault;
use crate::index::{CoreInstanceId, FuncTypeId, InstanceId, ModuleId, ResourceId, TypeId};

/// wasmparser's id of a resource type.
type ParserResource = wasmparser::component_types::ResourceId;

/// An instantiation of a component.
pub(super) struct Frame<'a> {
    pub decl: DeclId,
    /// The frame in whose scope the component was defined. Outer aliases refer to it.
    pub definer: Option<FrameId>,
    pub instance: InstanceId,
    /// Index of the next definition.
    pub next: usize,
    /// Items for the imports, by name.
    pub args: HashMap<&'a str, Item>,
    /// Type of the instance, in the view of the frame that instantiates.
    pub ty: Option<ComponentInstanceTypeId>,
    pub core_instances: Vec<CoreInstance<'a>>,
    /// Core items of each kind.
    core: [Vec<CoreDef>; 5],
    pub modules: Vec<ModuleDef>,
    pub funcs: Vec<FuncDef>,
    pub instances: Vec<BagId>,
    pub components: Vec<(DeclId, FrameId)>,
    pub resources: HashMap<ParserResource, ResourceId>,
    /// Types that were converted.
    pub value_types: HashMap<ComponentDefinedTypeId, TypeId>,
    /// Function types that were converted.
    pub func_types: HashMap<ComponentFuncTypeId, FuncTypeId>,
    pub exports: HashMap<&'a str, Item>,
}

/// A core instance.
pub(super) enum CoreInstance<'a> {
    /// An instance of a module in the binary.
    Own(CoreInstanceId, ModuleId),
    /// An instance of a module of the host.
    Imported(CoreInstanceId),
    /// Items by name.
    Exports(HashMap<&'a str, CoreDef>),
}

/// The result of a frame.
pub(super) struct Ended<'a> {
    pub exports: HashMap<&'a str, Item>,
    pub ty: Option<ComponentInstanceTypeId>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        decl: DeclId,
        definer: Option<FrameId>,
        instance: InstanceId,
        args: HashMap<&'a str, Item>,
        ty: Option<ComponentInstanceTypeId>,
    ) -> Frame<'a> {
        Frame {
            decl,
            definer,
            instance,
            next: 0,
            args,
            ty,
            core_instances: Vec::new(),
            core: Default::default(),
            modules: Vec::new(),
            funcs: Vec::new(),
            instances: Vec::new(),
            components: Vec::new(),
            resources: HashMap::new(),
            value_types: HashMap::new(),
            func_types: HashMap::new(),
            exports: HashMap::new(),
        }
    }

    /// Frees all but the index spaces that outer aliases refer to.
    pub(super) fn end(&mut self) -> Ended<'a> {
        let empty = Frame::new(self.decl, self.definer, self.instance, HashMap::new(), None);
        let Frame { modules, components, exports, ty, .. } = mem::replace(self, empty);
        (self.modules, self.components) = (modules, components);
        Ended { exports, ty }
    }

    /// Returns true if the frame is that of a part: its imports are those of the host or of plugs.
    pub(super) fn is_part(&self) -> bool {
        self.definer.is_none()
    }

    /// Returns the core items of a kind.
    pub(super) fn core(&mut self, kind: ExternKind) -> &mut Vec<CoreDef> {
        &mut self.core[kind as usize]
    }

    /// Returns a core item by kind and index.
    pub(super) fn core_item(&self, kind: ExternKind, index: u32) -> Result<&CoreDef> {
        item(&self.core[kind as usize], index)
    }

    pub(super) fn resource(&self, id: ParserResource) -> Result<ResourceId> {
        self.resources.get(&id).copied().ok_or_else(lost)
    }
}

impl<'a> Flattener<'a> {
    /// Executes a definition that enters no frame.
    pub(super) fn execute(&mut self, at: FrameId, def: &'a Def<'a>) -> Result<()> {
        match *def {
            Def::Import { name, ref ty } => {
                let found = if self.frame(at).is_part() {
                    self.part_import(at, name, ty)?
                } else {
                    let found = *self.frame(at).args.get(name).ok_or_else(lost)?;
                    self.learn(at, ty, found, 0)?;
                    found
                };
                self.append(at, found);
            }
            Def::Module(id) => self.frame(at).modules.push(ModuleDef::Own(id)),
            Def::Component(decl) => self.frame(at).components.push((decl, at)),
            Def::CoreInstance { module, ref args, ty } => self.core_instance(at, module, args, ty)?,
            Def::CoreExports(ref items) => {
                let frame = self.frame(at);
                let mut exports = HashMap::with_capacity(items.len());
                for &(name, kind, index) in items {
                    exports.insert(name, frame.core_item(kind, index)?.clone());
                }
                frame.core_instances.push(CoreInstance::Exports(exports));
                self.budget.pay_items(items.len())?;
            }
            Def::CoreAlias { kind, instance, name } => {
                let def = self.core_export(at, instance, name)?;
                self.frame(at).core(kind).push(def);
            }
            Def::Exports(ref items) => {
                let mut exports = HashMap::with_capacity(items.len());
                for &(name, operand) in items {
                    let found = self.operand(at, operand)?;
                    self.name(name, found);
                    exports.insert(name, found);
                }
                self.budget.pay_items(items.len())?;
                self.append_instance(at, Bag::Exports(exports));
            }
            Def::Alias { kind, instance, name } => {
                let bag = *item(&self.frame(at).instances, instance)?;
                let found = self.lookup(bag, name)?;
                debug_assert!(kind != ComponentExternalKind::Type, "types have ids");
                self.append(at, found);
            }
            Def::OuterModule { count, index } => {
                let outer = self.enclosing(at, count)?;
                let module = *item(&self.frame(outer).modules, index)?;
                self.frame(at).modules.push(module);
            }
            Def::OuterComponent { count, index } => {
                let outer = self.enclosing(at, count)?;
                let component = *item(&self.frame(outer).components, index)?;
                self.frame(at).components.push(component);
            }
            Def::Resource { id, dtor } => {
                let frame = self.frame(at);
                let instance = frame.instance;
                let dtor = match dtor {
                    Some(index) => Some(frame.core_item(ExternKind::Func, index)?.clone()),
                    None => None,
                };
                let resource = self.add_resource(ResourceDef::Defined(DefinedResource { instance, dtor }));
                self.component.steps.push(Step::Resource(resource));
                self.frame(at).resources.insert(id, resource);
            }
            Def::Export { name, item, ref ty } => {
                let found = self.operand(at, item)?;
                self.name(name, found);
                self.append(at, found);
                self.frame(at).exports.insert(name, found);
                if self.frame(at).is_part() && self.part == PROGRAM {
                    self.export(at, name, found, ty)?;
                }
            }
            Def::Lift { .. }
            | Def::Lower { .. }
            | Def::ResourceNew(_)
            | Def::ResourceRep(_)
            | Def::ResourceDrop(_)
            | Def::ContextGet(..)
            | Def::ContextSet(..)
            | Def::BackpressureInc
            | Def::BackpressureDec
            | Def::Unsupported(..) => self.canonical(at, def)?,
            Def::Instance { .. } => unreachable!("`run` enters frames"),
        }
        Ok(())
    }

    /// Adds a resource type.
    pub(super) fn add_resource(&mut self, def: ResourceDef) -> ResourceId {
        // Lossless: the budget is smaller.
        let id = ResourceId(self.component.resources.len() as u32);
        self.component.resources.push(def);
        id
    }

    /// Appends an item to the index space of its kind. Types are in the index space of wasmparser.
    fn append(&mut self, at: FrameId, found: Item) {
        let frame = self.frame(at);
        match found {
            Item::Func(func) => frame.funcs.push(func),
            Item::Module(module) => frame.modules.push(module),
            Item::Component(decl, definer) => frame.components.push((decl, definer)),
            Item::Instance(bag) => frame.instances.push(bag),
            Item::Resource(_) | Item::Type => {}
        }
    }

    fn append_instance(&mut self, at: FrameId, bag: Bag<'a>) {
        let id = BagId(self.instances.len());
        self.instances.push(bag);
        self.frame(at).instances.push(id);
    }

    /// Returns the frame `count` levels outside of a frame, in the order of definitions.
    fn enclosing(&self, at: FrameId, count: u32) -> Result<FrameId> {
        let mut outer = at;
        for _ in 0..count {
            outer = self.frames[outer.0].definer.ok_or_else(lost)?;
        }
        Ok(outer)
    }

    /// Instantiates a core module.
    fn core_instance(
        &mut self,
        at: FrameId,
        module: u32,
        args: &[(&'a str, u32)],
        ty: ComponentCoreModuleTypeId,
    ) -> Result<()> {
        if self.core_instances as usize == MAX_CORE_INSTANCES {
            let message = format!("it has more than {MAX_CORE_INSTANCES} core instances");
            return Err(fault(Fault::OverLimit, message));
        }
        let id = CoreInstanceId(self.core_instances);
        self.core_instances += 1;
        let instance = self.frame(at).instance;
        let module = *item(&self.frame(at).modules, module)?;
        let args: HashMap<&str, u32> = args.iter().copied().collect();
        let args = match module {
            ModuleDef::Own(own) => {
                let modules = self.modules;
                let imports = modules[own.index()].imports();
                self.budget.pay_items(imports.len())?;
                let mut defs = Vec::with_capacity(imports.len());
                // Imports from one module are mostly next to each other.
                let (mut module, mut instance) = ("", None);
                for import in imports {
                    if instance.is_none() || *import.module != *module {
                        module = &import.module;
                        instance = args.get(module).copied();
                    }
                    defs.push(self.core_export(at, instance.ok_or_else(lost)?, &import.name)?);
                }
                CoreArgs::InOrder(defs.into())
            }
            ModuleDef::Import(_) => {
                let mut named = Vec::new();
                let parsed = self.parsed;
                for (module, name) in parsed[ty].imports.keys() {
                    self.budget.pay(module)?;
                    self.budget.pay(name)?;
                    let instance = *args.get(module.as_str()).ok_or_else(lost)?;
                    let def = self.core_export(at, instance, name)?;
                    named.push(NamedArg { module: module.as_str().into(), name: name.as_str().into(), def });
                }
                CoreArgs::ByName(named.into())
            }
        };
        self.component.steps.push(Step::Instantiate { module, args, instance });
        self.frame(at).core_instances.push(match module {
            ModuleDef::Own(module) => CoreInstance::Own(id, module),
            ModuleDef::Import(_) => CoreInstance::Imported(id),
        });
        Ok(())
    }

    /// Returns an export of a core instance.
    fn core_export(&mut self, at: FrameId, instance: u32, name: &str) -> Result<CoreDef> {
        match item(&self.frames[at.0].core_instances, instance)? {
            &CoreInstance::Own(instance, module) => {
                let exports = self.module_exports[module.index()].get_or_insert_with(|| {
                    let all = self.modules[module.index()].exports().iter();
                    all.map(|export| (&*export.name, CoreItem::Index(export.kind, export.index))).collect()
                });
                Ok(CoreDef::Export(instance, exports.get(name).cloned().ok_or_else(lost)?))
            }
            &CoreInstance::Imported(instance) => Ok(CoreDef::Export(instance, CoreItem::Name(name.into()))),
            CoreInstance::Exports(exports) => exports.get(name).cloned().ok_or_else(lost),
        }
    }
}
