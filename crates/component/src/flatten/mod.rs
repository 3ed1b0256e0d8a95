//! Executes the instantiations of a component symbolically: takes the definitions of `decode` and the plan of `compose`, gives the
//! [`Component`].
//!
//! Each instantiation of a component, the outermost and its plugs included, is a [`Frame`], which executes the component's definitions in order.
//! Most only append to an index space of the frame. Those with an effect at run time also append a step: they instantiate a core
//! module, define a resource type or use canonical options. Component instances leave nothing but a number.
//!
//! # Types
//! wasmparser knows a resource type by an id that is the same for all instantiations of a component. Each frame therefore maps these
//! ids to [`ResourceId`]s: it learns them where it defines a resource type, and where its imports and instances bring them in.
//! `types` converts wasmparser's types in the view of a frame.
//!
//! # Limits
//! A component of 1 KB can instantiate another one 2ⁿ times. Instances are counted, and everything that costs memory or time is
//! paid from a [`Budget`]. Frames are on a stack of their own; recursion follows only the nesting of types, which wasmparser
//! limits to 100, and of instances, which [`MAX_INSTANCE_NESTING`] does.

mod canon;
mod exports;
mod frame;
mod imports;
mod plugs;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};
use wasmparser::types::Types as ParserTypes;
use wasmr_core::registry::{self, TypeRegistry};
use wasmr_module::{Fault, Module, ModuleError};

use crate::component::{Component, CoreItem, FuncDef, ImportPath, ModuleDef, Options, Part};
use crate::compose::{ComposeError, PROGRAM, Plan, PlugError, PlugFailure};
use crate::decode::{ComponentDecl, DeclId, Decoded, Def, Operand};
use crate::error::{ComponentError, fault};
use crate::index::{ImportPathId, InstanceId, OptionsId, ResourceId};
use frame::Frame;

type Result<T> = std::result::Result<T, ModuleError>;

/// Most component instances of a component. Composed programs have some tens.
const MAX_INSTANCES: usize = 10_000;

/// Most core instances of a component: as many as a store admits by default (`wasmr_core::limits::DEFAULT_MAX_INSTANCES`).
const MAX_CORE_INSTANCES: usize = 10_000;

/// Deepest nesting of instances within imported or exported instances. Interfaces are one deep.
const MAX_INSTANCE_NESTING: usize = 100;

/// Cost of flattening, in bytes or about as many nanoseconds: the names and types of the largest components take some 100 KB.
const MAX_COST: usize = 64 << 20;

/// Work and memory that flattening may still spend.
struct Budget(usize);

impl Budget {
    /// Cost of a definition or of an item of a type, besides its name.
    const ITEM: usize = 64;

    /// Pays for an item with a name.
    fn pay(&mut self, name: &str) -> Result<()> {
        self.spend(Budget::ITEM + name.len())
    }

    /// Pays for `count` items whose names are not copied.
    fn pay_items(&mut self, count: usize) -> Result<()> {
        self.spend(count.saturating_mul(Budget::ITEM))
    }

    fn spend(&mut self, cost: usize) -> Result<()> {
        match self.0.checked_sub(cost) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(fault(Fault::OverLimit, "its instances have more items than wasmr's limit allows")),
        }
    }
}

/// Number of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameId(usize);

/// Number of an entry in [`Flattener::instances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BagId(usize);

/// An item of the component model.
#[derive(Clone, Copy, Debug)]
enum Item {
    Func(FuncDef),
    Module(ModuleDef),
    /// A component, and the frame in whose scope it was defined.
    Component(DeclId, FrameId),
    Instance(BagId),
    Resource(ResourceId),
    /// A type that is no resource type.
    Type,
}

/// A component instance.
enum Bag<'a> {
    /// Items by name.
    Exports(HashMap<&'a str, Item>),
    /// An instance of the host, which the frame `at` imports.
    Imported { at: FrameId, import: u32, names: Arc<[Box<str>]>, ty: ComponentInstanceTypeId },
}

/// Place of a resource type of the host: the import or its track, and the names within it.
type ResourcePlace = (Box<str>, Box<[Box<str>]>);

/// The state of flattening.
struct Flattener<'a> {
    decls: &'a [ComponentDecl<'a>],
    modules: &'a [Arc<Module>],
    /// Exports of each core module by name, once one was looked up. Large modules have thousands, of which others import most.
    module_exports: Vec<Option<HashMap<&'a str, CoreItem>>>,
    parsed: &'a ParserTypes,
    parts: &'a [Part<'a>],
    plan: &'a Plan<'a>,
    component: Component,
    frames: Vec<Frame<'a>>,
    instances: Vec<Bag<'a>>,
    options: HashMap<Options, OptionsId>,
    paths: HashMap<ImportPath, ImportPathId>,
    core_instances: u32,
    core_types: registry::Types,
    budget: Budget,
    /// Number of the part that is being flattened.
    part: usize,
    /// Frames of the parts.
    part_frames: Vec<Option<FrameId>>,
    /// Indices in [`Component::imports`] by name.
    imports: HashMap<Box<str>, u32>,
    /// Resource types of the host, each with the part that had it first.
    resources: HashMap<ResourcePlace, (ResourceId, usize)>,
    /// Differences between the types of the parts.
    failures: Vec<PlugFailure>,
}

/// Flattens a component and its plugs.
pub(crate) fn flatten(
    decoded: Decoded<'_>,
    parts: &[Part<'_>],
    plan: &Plan<'_>,
    registry: &Arc<TypeRegistry>,
) -> std::result::Result<Component, ComposeError> {
    let Decoded { decls, parts: roots, modules, types } = decoded;
    let mut flattener = Flattener {
        decls: &decls,
        modules: &modules,
        module_exports: vec![None; modules.len()],
        parsed: &types,
        parts,
        plan,
        component: Component::empty(parts[PROGRAM].name, modules.clone()),
        frames: Vec::new(),
        instances: Vec::new(),
        options: HashMap::new(),
        paths: HashMap::new(),
        core_instances: 0,
        core_types: registry::Types::new(registry),
        budget: Budget(MAX_COST),
        part: PROGRAM,
        part_frames: vec![None; parts.len()],
        imports: HashMap::new(),
        resources: HashMap::new(),
        failures: Vec::new(),
    };
    for &part in &plan.order {
        flattener.part(part, roots[part]).map_err(|error| ComponentError::new(&error, parts[part].name))?;
    }
    let Flattener { mut component, core_types, failures, .. } = flattener;
    if !failures.is_empty() {
        return Err(PlugError::Types(failures).into());
    }
    component.core_types = Some(core_types);
    Ok(component)
}

impl<'a> Flattener<'a> {
    fn frame(&mut self, id: FrameId) -> &mut Frame<'a> {
        &mut self.frames[id.0]
    }

    /// Adds a frame, which is to execute next. `creator` instantiates the component, in the scope of `definer` it was defined.
    fn enter(
        &mut self,
        decl: DeclId,
        creator: Option<FrameId>,
        definer: Option<FrameId>,
        args: HashMap<&'a str, Item>,
        ty: Option<ComponentInstanceTypeId>,
    ) -> Result<FrameId> {
        if self.frames.len() == MAX_INSTANCES {
            let message = format!("it has more than {MAX_INSTANCES} component instances");
            return Err(fault(Fault::OverLimit, message));
        }
        let id = FrameId(self.frames.len());
        // Lossless: `MAX_INSTANCES` is smaller.
        self.frames.push(Frame::new(decl, definer, InstanceId(id.0 as u32), args, ty));
        self.component.instances.push(creator.map(|creator| self.frames[creator.0].instance));
        Ok(id)
    }

    /// Flattens a part. Those that provide its imports were flattened before.
    fn part(&mut self, part: usize, root: DeclId) -> Result<()> {
        self.part = part;
        let frame = self.enter(root, None, None, HashMap::new(), None)?;
        self.part_frames[part] = Some(frame);
        self.run(frame)
    }

    /// Executes the frame of a part, and those that it enters.
    fn run(&mut self, root: FrameId) -> Result<()> {
        let mut active = vec![root];
        while let Some(&at) = active.last() {
            let frame = &mut self.frames[at.0];
            let decls = self.decls;
            let Some(def) = decls[frame.decl.0].defs.get(frame.next) else {
                active.pop();
                self.leave(at, active.last().copied())?;
                continue;
            };
            frame.next += 1;
            self.budget.pay("")?;
            if let Def::Instance { component, args, ty } = def {
                active.push(self.instantiate(at, *component, args, *ty)?);
            } else {
                self.execute(at, def)?;
            }
        }
        Ok(())
    }

    /// Begins the instantiation of a component.
    fn instantiate(
        &mut self,
        at: FrameId,
        component: u32,
        args: &'a [(&'a str, Operand)],
        ty: ComponentInstanceTypeId,
    ) -> Result<FrameId> {
        let (decl, definer) = *item(&self.frame(at).components, component)?;
        let mut items = HashMap::with_capacity(args.len());
        for &(name, operand) in args {
            self.budget.pay("")?;
            items.insert(name, self.operand(at, operand)?);
        }
        self.enter(decl, Some(at), Some(definer), items, Some(ty))
    }

    /// Ends a frame. Its exports are an instance of the frame that entered it.
    fn leave(&mut self, at: FrameId, parent: Option<FrameId>) -> Result<()> {
        // Other parts may use the exports and resource types of a part.
        let Some(parent) = parent else { return Ok(()) };
        let ended = self.frame(at).end();
        let bag = BagId(self.instances.len());
        self.instances.push(Bag::Exports(ended.exports));
        self.frame(parent).instances.push(bag);
        match ended.ty {
            Some(ty) => self.learn(parent, &ComponentEntityType::Instance(ty), Item::Instance(bag), 0),
            None => Ok(()),
        }
    }

    /// Learns the resource types that an item of a type brings into a frame.
    fn learn(&mut self, at: FrameId, ty: &ComponentEntityType, item: Item, depth: usize) -> Result<()> {
        use wasmparser::component_types::ComponentAnyTypeId;
        self.budget.pay("")?;
        match (ty, item) {
            (ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. }, Item::Resource(resource)) => {
                self.frame(at).resources.insert(id.resource(), resource);
            }
            (ComponentEntityType::Instance(id), Item::Instance(bag)) => {
                check_nesting(depth)?;
                let parsed = self.parsed;
                for (name, export) in &parsed[*id].exports {
                    if matches!(export.ty, ComponentEntityType::Type { .. } | ComponentEntityType::Instance(_)) {
                        let found = self.lookup(bag, name)?;
                        self.learn(at, &export.ty, found, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns an export of an instance.
    fn lookup(&mut self, bag: BagId, name: &str) -> Result<Item> {
        self.find(bag, name)?.ok_or_else(lost)
    }

    /// Returns an export of an instance; `None` if it has none of that name.
    fn find(&mut self, bag: BagId, name: &str) -> Result<Option<Item>> {
        match &self.instances[bag.0] {
            Bag::Exports(exports) => Ok(exports.get(name).copied()),
            &Bag::Imported { at, import, ref names, ty } => {
                let parsed = self.parsed;
                let Some(export) = parsed[ty].exports.get(name) else { return Ok(None) };
                let names = names.iter().cloned().chain([name.into()]).collect();
                self.imported(at, import, names, &export.ty).map(Some)
            }
        }
    }

    /// Returns an item that a definition uses.
    fn operand(&mut self, at: FrameId, operand: Operand) -> Result<Item> {
        use wasmparser::component_types::ComponentAnyTypeId;
        let frame = self.frame(at);
        Ok(match operand {
            Operand::Func(index) => Item::Func(*item(&frame.funcs, index)?),
            Operand::Instance(index) => Item::Instance(*item(&frame.instances, index)?),
            Operand::Module(index) => Item::Module(*item(&frame.modules, index)?),
            Operand::Component(index) => {
                let (decl, definer) = *item(&frame.components, index)?;
                Item::Component(decl, definer)
            }
            Operand::Type(ComponentAnyTypeId::Resource(id)) => Item::Resource(frame.resource(id.resource())?),
            Operand::Type(_) => Item::Type,
        })
    }
}

/// Returns an entry of an index space.
fn item<T>(space: &[T], index: u32) -> Result<&T> {
    space.get(index as usize).ok_or_else(lost)
}

/// Returns the error for a reference that the validator should have refused.
fn lost() -> ModuleError {
    fault(Fault::Invalid, "a definition refers to an item that does not exist")
}

/// Refuses instances that are nested too deep.
fn check_nesting(depth: usize) -> Result<()> {
    if depth < MAX_INSTANCE_NESTING {
        return Ok(());
    }
    let message = format!("its instances are nested more than {MAX_INSTANCE_NESTING} deep");
    Err(fault(Fault::OverLimit, message))
}
