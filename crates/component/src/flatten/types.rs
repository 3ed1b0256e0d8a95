//! Converts wasmparser's types of the component model to [`Types`](crate::Types), in the view of a frame: with the resource types
//! that its ids stand for.
//!
//! Each frame remembers the types that it has converted. A type whose parts refer to the same type many times is therefore
//! converted in linear time.

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentDefinedType, ComponentDefinedTypeId, ComponentFuncTypeId, ComponentValType,
};
use wasmr_module::Fault;

use super::{Flattener, FrameId, Result};
use crate::error::fault;
use crate::index::{FuncTypeId, TypeId};
use crate::types::{Case, Field, FuncType, TypeDef, TypeTooLarge};

impl Flattener<'_> {
    /// Converts a function type.
    pub(super) fn func_type(&mut self, at: FrameId, id: ComponentFuncTypeId) -> Result<FuncTypeId> {
        if let Some(&known) = self.frame(at).func_types.get(&id) {
            return Ok(known);
        }
        let parsed = self.parsed;
        let func = &parsed[id];
        let mut params = Vec::new();
        for (name, ty) in &func.params {
            params.push(self.field(at, name.as_str(), ty)?);
        }
        let result = self.optional(at, func.result.as_ref())?;
        let ty = FuncType { params: params.into(), result, is_async: func.async_ };
        let converted = self.component.types.intern_func(ty).map_err(|too| too_large(&too))?;
        self.frame(at).func_types.insert(id, converted);
        Ok(converted)
    }

    /// Converts a value type.
    pub(super) fn value_type(&mut self, at: FrameId, ty: &ComponentValType) -> Result<TypeId> {
        match *ty {
            ComponentValType::Primitive(ty) => self.intern(primitive(ty)),
            ComponentValType::Type(id) => self.defined_type(at, id),
        }
    }

    /// Converts a defined type. Its parts are nested at most 100 deep, which wasmparser checks.
    pub(super) fn defined_type(&mut self, at: FrameId, id: ComponentDefinedTypeId) -> Result<TypeId> {
        if let Some(&known) = self.frame(at).value_types.get(&id) {
            return Ok(known);
        }
        self.budget.pay("")?;
        let parsed = self.parsed;
        let def = match &parsed[id] {
            ComponentDefinedType::Primitive(ty) => primitive(*ty),
            ComponentDefinedType::Record(record) => {
                let mut fields = Vec::new();
                for (name, ty) in &record.fields {
                    fields.push(self.field(at, name.as_str(), ty)?);
                }
                TypeDef::Record(fields.into())
            }
            ComponentDefinedType::Variant(variant) => {
                let mut cases = Vec::new();
                for (name, case) in &variant.cases {
                    self.budget.pay(name.as_str())?;
                    let ty = self.optional(at, case.ty.as_ref())?;
                    cases.push(Case { name: name.as_str().into(), ty });
                }
                TypeDef::Variant(cases.into())
            }
            ComponentDefinedType::List { element, .. } => TypeDef::List(self.value_type(at, element)?),
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                TypeDef::FixedList(self.value_type(at, element)?, *length)
            }
            ComponentDefinedType::Map { key, value, .. } => {
                TypeDef::Map(self.value_type(at, key)?, self.value_type(at, value)?)
            }
            ComponentDefinedType::Tuple(tuple) => {
                let mut types = Vec::new();
                for ty in &tuple.types {
                    types.push(self.value_type(at, ty)?);
                }
                TypeDef::Tuple(types.into())
            }
            ComponentDefinedType::Flags(names) => TypeDef::Flags(self.names(names.iter().map(|name| name.as_str()))?),
            ComponentDefinedType::Enum(names) => TypeDef::Enum(self.names(names.iter().map(|name| name.as_str()))?),
            ComponentDefinedType::Option { ty, .. } => TypeDef::Option(self.value_type(at, ty)?),
            ComponentDefinedType::Result { ok, err, .. } => {
                TypeDef::Result { ok: self.optional(at, ok.as_ref())?, err: self.optional(at, err.as_ref())? }
            }
            ComponentDefinedType::Own(id) => TypeDef::Own(self.frame(at).resource(id.resource())?),
            ComponentDefinedType::Borrow(id) => TypeDef::Borrow(self.frame(at).resource(id.resource())?),
            ComponentDefinedType::Future { ty, .. } => TypeDef::Future(self.optional(at, ty.as_ref())?),
            ComponentDefinedType::Stream { ty, .. } => TypeDef::Stream(self.optional(at, ty.as_ref())?),
        };
        let converted = self.intern(def)?;
        self.frame(at).value_types.insert(id, converted);
        Ok(converted)
    }

    fn field(&mut self, at: FrameId, name: &str, ty: &ComponentValType) -> Result<Field> {
        self.budget.pay(name)?;
        Ok(Field { name: name.into(), ty: self.value_type(at, ty)? })
    }

    fn optional(&mut self, at: FrameId, ty: Option<&ComponentValType>) -> Result<Option<TypeId>> {
        ty.map(|ty| self.value_type(at, ty)).transpose()
    }

    fn names<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<Box<[Box<str>]>> {
        let mut all = Vec::new();
        for name in names {
            self.budget.pay(name)?;
            all.push(name.into());
        }
        Ok(all.into())
    }

    fn intern(&mut self, def: TypeDef) -> Result<TypeId> {
        self.component.types.intern(def).map_err(|too| too_large(&too))
    }
}

fn too_large(error: &TypeTooLarge) -> wasmr_module::ModuleError {
    fault(Fault::OverLimit, error.to_string())
}

fn primitive(ty: PrimitiveValType) -> TypeDef {
    match ty {
        PrimitiveValType::Bool => TypeDef::Bool,
        PrimitiveValType::S8 => TypeDef::S8,
        PrimitiveValType::U8 => TypeDef::U8,
        PrimitiveValType::S16 => TypeDef::S16,
        PrimitiveValType::U16 => TypeDef::U16,
        PrimitiveValType::S32 => TypeDef::S32,
        PrimitiveValType::U32 => TypeDef::U32,
        PrimitiveValType::S64 => TypeDef::S64,
        PrimitiveValType::U64 => TypeDef::U64,
        PrimitiveValType::F32 => TypeDef::F32,
        PrimitiveValType::F64 => TypeDef::F64,
        PrimitiveValType::Char => TypeDef::Char,
        PrimitiveValType::String => TypeDef::String,
        PrimitiveValType::ErrorContext => TypeDef::ErrorContext,
    }
}
