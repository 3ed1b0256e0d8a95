//! [`Component`]: the result of decoding, and all that instantiation needs.
//!
//! Nothing here is a name to look up at run time, except the names of the host's items and of imported core modules.

use std::sync::Arc;

use wasmr_core::registry::{self, TypeRegistry};
use wasmr_core::types::{ExternType, FuncType as CoreType};
use wasmr_module::binary_checks::has_component_header;
use wasmr_module::{ExternKind, Features, Module, ModuleBytes, Validity};

use crate::compose::{ComposeError, Plan};
use crate::decode::{self, Decoding};
use crate::error::ComponentError;
use crate::flatten;
use crate::index::{
    BuiltinId, CoreInstanceId, FuncTypeId, ImportPathId, InstanceId, LiftId, LoweringId, ModuleId, OptionsId,
    ResourceId, TypeId,
};
use crate::types::Types;

/// A decoded and validated component.
#[derive(Debug)]
pub struct Component {
    /// Name in messages.
    pub name: Box<str>,
    /// Value and function types.
    pub types: Types,
    /// The component's imports, in order.
    pub imports: Vec<Import>,
    /// The items of the host that the component uses, each once.
    pub import_paths: Vec<ImportPath>,
    /// The core modules that are in the binary.
    pub modules: Vec<Arc<Module>>,
    /// The steps of instantiation, in order.
    pub steps: Vec<Step>,
    /// The component instances: the parent of each, which is `None` for the component itself and for its plugs.
    pub instances: Vec<Option<InstanceId>>,
    /// The resource types.
    pub resources: Vec<ResourceDef>,
    /// Canonical options of lifted and lowered functions.
    pub options: Vec<Options>,
    /// The functions made by `canon lift`.
    pub lifts: Vec<Lift>,
    /// The functions made by `canon lower`.
    pub lowerings: Vec<Lowering>,
    /// The other canonical functions.
    pub builtins: Vec<Builtin>,
    /// The component's exports.
    pub exports: Exports,
    /// The imports that plugs provide.
    pub plugs: Vec<Plug>,
    /// Owner of the types of core functions in [`ImportItem::Module`].
    pub(crate) core_types: Option<registry::Types>,
}

impl Component {
    /// Decodes and validates a component. `name` is its name in messages, usually the file's base name. Types of core functions are
    /// interned in `types`.
    ///
    /// `validity` is called for each core module in order, and says whether the module was validated earlier. The component around the
    /// modules is always validated.
    ///
    /// # Errors
    /// The first fault in the order of the sections, or an outline that does not fit its module.
    pub fn new(
        bytes: &ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        validity: &mut dyn FnMut(usize) -> Validity,
    ) -> Result<Component, ComponentError> {
        let part = Part { bytes, name };
        Component::compose(&[part], features, types, &mut |_, module| validity(module))
            .map_err(ComposeError::without_plugs)
    }

    /// Composes a component, the first of `parts`, with plugs: components whose exports are what it or another plug imports, by name
    /// and type. Each plug is instantiated once. An import that no plug exports remains an import of the composition, whose exports are
    /// those of the first part.
    ///
    /// The first plug, in the order of `parts`, that exports the name of an import provides it. A compatible version will do if
    /// no plug has the name itself ([`NameMap`](crate::NameMap)). A plug's own exports do not count for its imports, so that a plug can
    /// stand between a component and another plug.
    ///
    /// `validity` is as for [`Component::new`], by the number of the part and that of the module within it.
    ///
    /// # Errors
    /// The first fault of a part; a plug that is of no use; plugs that import from each other; or all items of plugs that are not of
    /// the type of the import.
    pub fn compose(
        parts: &[Part<'_>],
        features: &Features,
        types: &Arc<TypeRegistry>,
        validity: &mut dyn FnMut(usize, usize) -> Validity,
    ) -> Result<Component, ComposeError> {
        let decoded = decode::decode(&Decoding { parts, features, registry: types }, validity)?;
        let plan = Plan::new(&decoded, parts)?;
        flatten::flatten(decoded, parts, &plan, types)
    }

    /// Returns true if bytes have the header of a component, of whatever version. A module has the same first four bytes.
    pub fn is_component(bytes: &[u8]) -> bool {
        has_component_header(bytes)
    }

    /// Returns a component with its core modules, to be filled.
    pub(crate) fn empty(name: &str, modules: Vec<Arc<Module>>) -> Component {
        Component {
            name: name.into(),
            types: Types::new(),
            imports: Vec::new(),
            import_paths: Vec::new(),
            modules,
            steps: Vec::new(),
            instances: Vec::new(),
            resources: Vec::new(),
            options: Vec::new(),
            lifts: Vec::new(),
            lowerings: Vec::new(),
            builtins: Vec::new(),
            exports: Exports::default(),
            plugs: Vec::new(),
            core_types: None,
        }
    }
}

/// A component of a composition.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The binary.
    pub bytes: &'a ModuleBytes,
    /// Name in messages, usually the file's base name.
    pub name: &'a str,
}

/// An import that a plug provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// Name of the component that imports.
    pub importer: Box<str>,
    /// Name of the import.
    pub import: Box<str>,
    /// Name of the plug.
    pub plug: Box<str>,
    /// Name of the plug's export.
    pub export: Box<str>,
}

/// An import of a component.
#[derive(Clone, Debug)]
pub struct Import {
    /// Name, such as `wasi:cli/stdout@0.2.0`.
    pub name: Box<str>,
    /// Type that the item must have.
    pub item: ImportItem,
    /// Name of the component that imports it, which is a plug if no other part has the import.
    pub importer: Box<str>,
}

/// The type of an item of the host.
#[derive(Clone, Debug)]
pub enum ImportItem {
    /// A function.
    Func(FuncTypeId),
    /// An instance.
    Instance(InstanceType),
    /// A core module: the types of its imports by module and name, and of its exports by name.
    Module {
        /// Types of the imports that an instantiation may provide.
        imports: Vec<(Box<str>, Box<str>, ExternType)>,
        /// Types of the exports that are used.
        exports: Vec<(Box<str>, ExternType)>,
    },
    /// A resource type.
    Resource(ResourceId),
    /// A value type, which must be this one.
    Type(TypeId),
    /// A function type, an instance type or another type that names nothing at run time.
    OtherType,
}

/// The type of an instance: its exports.
#[derive(Clone, Debug, Default)]
pub struct InstanceType {
    /// Names and types of the exports, in order.
    pub exports: Vec<(Box<str>, ImportItem)>,
}

/// A path to an item of the host: an import, and names of exports within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImportPath {
    /// Index in [`Component::imports`].
    pub import: u32,
    /// Names of exports, each within the instance before it.
    pub names: Box<[Box<str>]>,
}

/// A step of instantiation.
#[derive(Clone, Debug)]
pub enum Step {
    /// Instantiates a core module: the next [`CoreInstanceId`].
    Instantiate {
        /// The module.
        module: ModuleDef,
        /// The module's imports. For a module in the binary, they are in the order of [`Module::imports`].
        args: CoreArgs,
        /// The component instance that it is part of.
        instance: InstanceId,
    },
    /// Looks up the objects of canonical options, which exist from now on.
    Options(OptionsId),
    /// Creates a resource type, whose destructor exists from now on.
    Resource(ResourceId),
}

/// The objects for the imports of a core module.
#[derive(Clone, Debug)]
pub enum CoreArgs {
    /// In the order of the imports.
    InOrder(Box<[CoreDef]>),
    /// By name, for a module of the host, whose order of imports is unknown before instantiation.
    ByName(Box<[NamedArg]>),
}

/// An object for an import of a core module, by the import's name.
#[derive(Clone, Debug)]
pub struct NamedArg {
    /// First part of the import's name.
    pub module: Box<str>,
    /// Second part of the import's name.
    pub name: Box<str>,
    /// The object.
    pub def: CoreDef,
}

/// A core module to instantiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleDef {
    /// A module in the binary.
    Own(ModuleId),
    /// A module of the host.
    Import(ImportPathId),
}

/// A core function, memory, table, global or tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CoreDef {
    /// An export of a core instance.
    Export(CoreInstanceId, CoreItem),
    /// A lowered component function.
    Lowering(LoweringId),
    /// A canonical builtin.
    Builtin(BuiltinId),
}

/// An export of a core instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CoreItem {
    /// By kind and index, in an instance of a module in the binary.
    Index(ExternKind, u32),
    /// By name, in an instance of a module of the host.
    Name(Box<str>),
}

/// A resource type.
#[derive(Clone, Debug)]
pub enum ResourceDef {
    /// A resource type of the host or of another component.
    Import(ImportPathId),
    /// A resource type that the component defines.
    Defined(DefinedResource),
}

/// A resource type that the component defines.
#[derive(Clone, Debug)]
pub struct DefinedResource {
    /// The component instance whose functions implement it.
    pub instance: InstanceId,
    /// The destructor, a core function of type `(func (param i32))`.
    pub dtor: Option<CoreDef>,
}

/// The encoding of strings in a linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringEncoding {
    /// `utf8`.
    Utf8,
    /// `utf16`.
    Utf16,
    /// `latin1+utf16`: Latin-1, or UTF-16 if the length has its highest bit set.
    CompactUtf16,
}

/// [Canonical options](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md#canonical-abi-options).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// The component instance that the core functions belong to.
    pub instance: InstanceId,
    /// The encoding of strings.
    pub encoding: StringEncoding,
    /// The memory.
    pub memory: Option<CoreDef>,
    /// The allocator.
    pub realloc: Option<CoreDef>,
    /// The function that is called after the results of a lifted function were read.
    pub post_return: Option<CoreDef>,
    /// True for the `async` option.
    pub is_async: bool,
    /// The callback of an asynchronously lifted function.
    pub callback: Option<CoreDef>,
}

/// The type of a core function.
pub type CoreFuncType = Arc<CoreType>;

/// A core function that is called as a component function.
#[derive(Clone, Debug)]
pub struct Lift {
    /// The core function.
    pub func: CoreDef,
    /// The type of the component function.
    pub ty: FuncTypeId,
    /// The options.
    pub options: OptionsId,
    /// Name in messages: that of the first export of the function, if it has one.
    pub name: Option<Box<str>>,
}

/// A component function that is called as a core function.
#[derive(Clone, Debug)]
pub struct Lowering {
    /// The component function.
    pub func: FuncDef,
    /// Type of the function, from the view of the caller.
    pub ty: FuncTypeId,
    /// The options.
    pub options: OptionsId,
    /// The type of the core function.
    pub core_type: CoreFuncType,
}

/// A component function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FuncDef {
    /// A function of the host or of another component.
    Import(ImportPathId),
    /// A lifted core function.
    Lift(LiftId),
}

/// A canonical function that is neither a lift nor a lower.
#[derive(Clone, Debug)]
pub enum Builtin {
    /// `resource.new`, in a component instance.
    ResourceNew(ResourceId, InstanceId),
    /// `resource.rep`, in a component instance.
    ResourceRep(ResourceId, InstanceId),
    /// `resource.drop`, in a component instance.
    ResourceDrop(ResourceId, InstanceId),
    /// `context.get`: returns a word of the running task's storage. The type tells the size of the word.
    ContextGet(u32, CoreFuncType),
    /// `context.set`: changes a word of the running task's storage.
    ContextSet(u32, CoreFuncType),
    /// `backpressure.inc`, in a component instance.
    BackpressureInc(InstanceId),
    /// `backpressure.dec`, in a component instance.
    BackpressureDec(InstanceId),
    /// A function that this version cannot execute, with its name in the specification, in a component instance. A call fails.
    Unsupported(&'static str, CoreFuncType, InstanceId),
}

/// The exports of a component or an instance, in order.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// Names and items.
    pub items: Vec<(Box<str>, ExportItem)>,
}

/// An export.
#[derive(Clone, Debug)]
pub enum ExportItem {
    /// A function and its type.
    Func(FuncDef, FuncTypeId),
    /// An instance.
    Instance(Exports),
    /// A core module.
    Module(ModuleDef),
    /// A resource type.
    Resource(ResourceId),
    /// A value type.
    Type(TypeId),
    /// A type or component that cannot be used at run time.
    Other,
}
