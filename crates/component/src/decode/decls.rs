//! [`ComponentDecl`]: the definitions of a component, in order, before any is executed. `flatten` executes them.
//!
//! Each definition appends to one index space of its component, by the
//! [binary format](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md). Indices refer to those index
//! spaces. Types are ids of wasmparser's validator, so that type definitions need no entry here, except those of resources.

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentCoreModuleTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId,
    ResourceId,
};
use wasmparser::{CanonicalOption, ComponentExternalKind};
use wasmr_module::ExternKind;

use crate::component::CoreFuncType;
use crate::index::ModuleId;

/// A component of the binary: the outermost, or one nested in another.
#[derive(Debug, Default)]
pub(crate) struct ComponentDecl<'a> {
    pub defs: Vec<Def<'a>>,
}

/// Number of a component of the binary. Nested components have lower numbers than the component around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeclId(pub usize);

/// A use of an item of the component model, by the index space of its kind. Types are used by id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand {
    Func(u32),
    Instance(u32),
    Module(u32),
    Component(u32),
    Type(ComponentAnyTypeId),
}

/// A definition.
#[derive(Debug)]
pub(crate) enum Def<'a> {
    /// An import.
    Import { name: &'a str, ty: ComponentEntityType },
    /// A core module.
    Module(ModuleId),
    /// A nested component.
    Component(DeclId),
    /// Instantiates a core module with core instances by name.
    CoreInstance { module: u32, args: Box<[(&'a str, u32)]>, ty: ComponentCoreModuleTypeId },
    /// Makes a core instance of core items, by kind and index.
    CoreExports(Box<[(&'a str, ExternKind, u32)]>),
    /// Gives an export of a core instance an index.
    CoreAlias { kind: ExternKind, instance: u32, name: &'a str },
    /// Instantiates a component.
    Instance { component: u32, args: Box<[(&'a str, Operand)]>, ty: ComponentInstanceTypeId },
    /// Makes an instance of items.
    Exports(Box<[(&'a str, Operand)]>),
    /// Gives an export of an instance an index.
    Alias { kind: ComponentExternalKind, instance: u32, name: &'a str },
    /// Gives a core module of an enclosing component, `count` levels out, an index.
    OuterModule { count: u32, index: u32 },
    /// Gives a component of an enclosing component, `count` levels out, an index.
    OuterComponent { count: u32, index: u32 },
    /// Defines a resource type.
    Resource { id: ResourceId, dtor: Option<u32> },
    /// `canon lift`.
    Lift { core_func: u32, ty: ComponentFuncTypeId, options: Box<[CanonicalOption]> },
    /// `canon lower`.
    Lower { func: u32, ty: ComponentFuncTypeId, options: Box<[CanonicalOption]>, core_type: CoreFuncType },
    /// `canon resource.new`.
    ResourceNew(ResourceId),
    /// `canon resource.rep`.
    ResourceRep(ResourceId),
    /// `canon resource.drop`.
    ResourceDrop(ResourceId),
    /// `canon context.get`, with the number of the word.
    ContextGet(u32, CoreFuncType),
    /// `canon context.set`, with the number of the word.
    ContextSet(u32, CoreFuncType),
    /// `canon backpressure.inc`.
    BackpressureInc,
    /// `canon backpressure.dec`.
    BackpressureDec,
    /// A canonical builtin that cannot be executed, by its name.
    Unsupported(&'static str, CoreFuncType),
    /// An export, which is also the next item of its kind.
    Export { name: &'a str, item: Operand, ty: ComponentEntityType },
}
