//! Types of imports and exports, for embedders that look before they link: [`ComponentItem`], [`ComponentFunc`], [`ComponentInstance`],
//! [`Type`].
//!
//! Each is a view of the declarations of a component, [`wasmr_component::Component`]. It is displayed in WIT syntax.

use std::fmt;

use wasmr_component::{
    Component, ExportItem, Exports, FuncTypeId, ImportItem, InstanceType, ResourceDef, ResourceId, TypeDef, TypeId,
    named_func_type_text, named_val_type_text,
};

use crate::loaded::LoadedComponent;

/// The type of an import or an export.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ComponentItem<'a> {
    /// A function.
    ComponentFunc(ComponentFunc<'a>),
    /// An instance: an interface with its functions and types.
    ComponentInstance(ComponentInstance<'a>),
    /// A core module.
    Module,
    /// A resource type.
    Resource,
    /// A value type.
    Type(Type<'a>),
    /// A type or component that cannot be used at run time.
    Other,
}

impl<'a> ComponentItem<'a> {
    fn of_import(component: &'a Component, item: &'a ImportItem) -> ComponentItem<'a> {
        match item {
            ImportItem::Func(ty) => ComponentItem::ComponentFunc(ComponentFunc { component, ty: *ty }),
            ImportItem::Instance(instance) => {
                ComponentItem::ComponentInstance(ComponentInstance { component, items: Items::Imported(instance) })
            }
            ImportItem::Module { .. } => ComponentItem::Module,
            ImportItem::Resource(_) => ComponentItem::Resource,
            ImportItem::Type(id) => ComponentItem::Type(Type { component, id: *id }),
            ImportItem::OtherType => ComponentItem::Other,
        }
    }

    fn of_export(component: &'a Component, item: &'a ExportItem) -> ComponentItem<'a> {
        match item {
            ExportItem::Func(_, ty) => ComponentItem::ComponentFunc(ComponentFunc { component, ty: *ty }),
            ExportItem::Instance(exports) => {
                ComponentItem::ComponentInstance(ComponentInstance { component, items: Items::Exported(exports) })
            }
            ExportItem::Module(_) => ComponentItem::Module,
            ExportItem::Resource(_) => ComponentItem::Resource,
            ExportItem::Type(id) => ComponentItem::Type(Type { component, id: *id }),
            ExportItem::Other => ComponentItem::Other,
        }
    }
}

impl fmt::Display for ComponentItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComponentItem::ComponentFunc(func) => func.fmt(f),
            ComponentItem::ComponentInstance(_) => f.write_str("instance"),
            ComponentItem::Module => f.write_str("core module"),
            ComponentItem::Resource => f.write_str("resource"),
            ComponentItem::Type(ty) => write!(f, "type {ty}"),
            ComponentItem::Other => f.write_str("type of an item"),
        }
    }
}

impl LoadedComponent {
    /// Returns the names of the imports, such as `wasi:cli/stdout@0.2.0`, and their types, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = (&str, ComponentItem<'_>)> {
        let component = &*self.component;
        component.imports.iter().map(|import| (&*import.name, ComponentItem::of_import(component, &import.item)))
    }

    /// Returns the names of the exports and their types, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = (&str, ComponentItem<'_>)> {
        let component = &*self.component;
        component.exports.items.iter().map(|(name, item)| (&**name, ComponentItem::of_export(component, item)))
    }

    /// Returns the type of the import of this name, if there is one.
    pub fn get_import(&self, name: &str) -> Option<ComponentItem<'_>> {
        self.imports().find_map(|(import, item)| (import == name).then_some(item))
    }

    /// Returns the type of the export of this name, if there is one.
    pub fn get_export(&self, name: &str) -> Option<ComponentItem<'_>> {
        self.exports().find_map(|(export, item)| (export == name).then_some(item))
    }
}

/// The type of a function. It is displayed in WIT syntax: `func(name: string) -> u32`.
#[derive(Clone, Copy)]
pub struct ComponentFunc<'a> {
    component: &'a Component,
    ty: FuncTypeId,
}

impl<'a> ComponentFunc<'a> {
    /// Returns a view of a function type of a component.
    pub fn new(component: &'a Component, ty: FuncTypeId) -> ComponentFunc<'a> {
        ComponentFunc { component, ty }
    }

    /// Returns the names and types of the parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&'a str, Type<'a>)> + use<'a> {
        let component = self.component;
        let params = component.types.func(self.ty).params.iter();
        params.map(move |param| (&*param.name, Type { component, id: param.ty }))
    }

    /// Returns the type of the result, if there is one.
    pub fn result(&self) -> Option<Type<'a>> {
        let component = self.component;
        component.types.func(self.ty).result.map(|id| Type { component, id })
    }

    /// Returns true if the type is that of an `async func`.
    pub fn is_async(&self) -> bool {
        self.component.types.func(self.ty).is_async
    }
}

impl fmt::Display for ComponentFunc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named_func_type_text(&self.component.types, self.ty, &|id| resource_name(self.component, id)))
    }
}

impl fmt::Debug for ComponentFunc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type of an instance.
#[derive(Clone, Copy)]
pub struct ComponentInstance<'a> {
    component: &'a Component,
    items: Items<'a>,
}

/// Exports of an instance, as they are declared for an import or an export.
#[derive(Clone, Copy)]
enum Items<'a> {
    Imported(&'a InstanceType),
    Exported(&'a Exports),
}

impl<'a> ComponentInstance<'a> {
    /// Returns the names and types of the exports, in order.
    pub fn exports(&self) -> impl Iterator<Item = (&'a str, ComponentItem<'a>)> + use<'a> {
        let component = self.component;
        let (imported, exported) = match self.items {
            Items::Imported(instance) => (instance.exports.as_slice(), [].as_slice()),
            Items::Exported(exports) => ([].as_slice(), exports.items.as_slice()),
        };
        let imported = imported.iter().map(move |(name, item)| (&**name, ComponentItem::of_import(component, item)));
        imported.chain(exported.iter().map(move |(name, item)| (&**name, ComponentItem::of_export(component, item))))
    }

    /// Returns the type of the export of this name, if there is one.
    pub fn get_export(&self, name: &str) -> Option<ComponentItem<'a>> {
        self.exports().find_map(|(export, item)| (export == name).then_some(item))
    }
}

impl fmt::Debug for ComponentInstance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.exports()).finish()
    }
}

/// A value type. It is displayed in WIT syntax: `list<u8>`.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    component: &'a Component,
    id: TypeId,
}

/// The kind of a value type, with the types that it consists of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TypeKind<'a> {
    /// `bool`.
    Bool,
    /// `s8`.
    S8,
    /// `u8`.
    U8,
    /// `s16`.
    S16,
    /// `u16`.
    U16,
    /// `s32`.
    S32,
    /// `u32`.
    U32,
    /// `s64`.
    S64,
    /// `u64`.
    U64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `char`.
    Char,
    /// `string`.
    String,
    /// `error-context`.
    ErrorContext,
    /// `list<T>`.
    List(Type<'a>),
    /// `list<T, N>`, of fixed length.
    FixedList(Type<'a>, u32),
    /// `map<K, V>`.
    Map(Type<'a>, Type<'a>),
    /// `record`: names and types of its fields.
    Record(Vec<(&'a str, Type<'a>)>),
    /// `tuple`.
    Tuple(Vec<Type<'a>>),
    /// `variant`: names and payloads of its cases.
    Variant(Vec<(&'a str, Option<Type<'a>>)>),
    /// `enum`: names of its cases.
    Enum(Vec<&'a str>),
    /// `flags`: their names.
    Flags(Vec<&'a str>),
    /// `option<T>`.
    Option(Type<'a>),
    /// `result<T, E>`.
    Result {
        /// Type of the value of `ok`.
        ok: Option<Type<'a>>,
        /// Type of the value of `error`.
        err: Option<Type<'a>>,
    },
    /// `own<R>`: the name of the resource type, if it has one.
    Own(Option<&'a str>),
    /// `borrow<R>`: the name of the resource type, if it has one.
    Borrow(Option<&'a str>),
    /// `future<T>`.
    Future(Option<Type<'a>>),
    /// `stream<T>`.
    Stream(Option<Type<'a>>),
}

impl<'a> Type<'a> {
    /// Returns the kind of the type.
    pub fn kind(&self) -> TypeKind<'a> {
        let component = self.component;
        let part = |id: &TypeId| Type { component, id: *id };
        let names = |names: &'a [Box<str>]| names.iter().map(|name| &**name).collect();
        match component.types.def(self.id) {
            TypeDef::Bool => TypeKind::Bool,
            TypeDef::S8 => TypeKind::S8,
            TypeDef::U8 => TypeKind::U8,
            TypeDef::S16 => TypeKind::S16,
            TypeDef::U16 => TypeKind::U16,
            TypeDef::S32 => TypeKind::S32,
            TypeDef::U32 => TypeKind::U32,
            TypeDef::S64 => TypeKind::S64,
            TypeDef::U64 => TypeKind::U64,
            TypeDef::F32 => TypeKind::F32,
            TypeDef::F64 => TypeKind::F64,
            TypeDef::Char => TypeKind::Char,
            TypeDef::String => TypeKind::String,
            TypeDef::ErrorContext => TypeKind::ErrorContext,
            TypeDef::List(element) => TypeKind::List(part(element)),
            TypeDef::FixedList(element, len) => TypeKind::FixedList(part(element), *len),
            TypeDef::Map(key, value) => TypeKind::Map(part(key), part(value)),
            TypeDef::Record(fields) => {
                TypeKind::Record(fields.iter().map(|field| (&*field.name, part(&field.ty))).collect())
            }
            TypeDef::Tuple(all) => TypeKind::Tuple(all.iter().map(part).collect()),
            TypeDef::Variant(cases) => {
                TypeKind::Variant(cases.iter().map(|case| (&*case.name, case.ty.as_ref().map(part))).collect())
            }
            TypeDef::Enum(cases) => TypeKind::Enum(names(cases)),
            TypeDef::Flags(flags) => TypeKind::Flags(names(flags)),
            TypeDef::Option(some) => TypeKind::Option(part(some)),
            TypeDef::Result { ok, err } => TypeKind::Result { ok: ok.as_ref().map(part), err: err.as_ref().map(part) },
            TypeDef::Own(id) => TypeKind::Own(resource_name(component, *id)),
            TypeDef::Borrow(id) => TypeKind::Borrow(resource_name(component, *id)),
            TypeDef::Future(ty) => TypeKind::Future(ty.as_ref().map(part)),
            TypeDef::Stream(ty) => TypeKind::Stream(ty.as_ref().map(part)),
        }
    }
}

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named_val_type_text(&self.component.types, self.id, &|id| resource_name(self.component, id)))
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the name under which a resource type is imported, or else exported.
fn resource_name(component: &Component, id: ResourceId) -> Option<&str> {
    if let ResourceDef::Import(path) = component.resources.get(id.index())? {
        let path = &component.import_paths[path.index()];
        let name = path.names.last().unwrap_or(&component.imports[path.import as usize].name);
        return Some(name);
    }
    exported_name(&component.exports, id)
}

fn exported_name(exports: &Exports, id: ResourceId) -> Option<&str> {
    exports.items.iter().find_map(|(name, item)| match item {
        ExportItem::Resource(resource) if *resource == id => Some(&**name),
        ExportItem::Instance(exports) => exported_name(exports, id),
        _ => None,
    })
}
