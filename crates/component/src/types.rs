//! [`Types`]: the value and function types of the component model, interned: two ids are equal if and only if the types are.
//!
//! Names of types are no part of them. Resource types are compared by [`ResourceId`], which is concrete after the instantiations were
//! executed symbolically.

use std::collections::HashMap;

use crate::index::{FuncTypeId, ResourceId, TypeId};
use crate::shape::{FuncShape, Shape};

/// A [value type](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Explainer.md#type-definitions).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeDef {
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
    /// `char`, a Unicode scalar value.
    Char,
    /// `string`.
    String,
    /// `error-context`.
    ErrorContext,
    /// `list<T>`.
    List(TypeId),
    /// `list<T, N>`, of fixed length.
    FixedList(TypeId, u32),
    /// `map<K, V>`, which has the representation of `list<tuple<K, V>>`.
    Map(TypeId, TypeId),
    /// `record`.
    Record(Box<[Field]>),
    /// `tuple`.
    Tuple(Box<[TypeId]>),
    /// `variant`.
    Variant(Box<[Case]>),
    /// `enum`: the names of its cases.
    Enum(Box<[Box<str>]>),
    /// `flags`: their names, at most 32.
    Flags(Box<[Box<str>]>),
    /// `option<T>`.
    Option(TypeId),
    /// `result<T, E>`.
    Result {
        /// Type of the value of `ok`.
        ok: Option<TypeId>,
        /// Type of the value of `error`.
        err: Option<TypeId>,
    },
    /// `own<R>`.
    Own(ResourceId),
    /// `borrow<R>`.
    Borrow(ResourceId),
    /// `future<T>`.
    Future(Option<TypeId>),
    /// `stream<T>`.
    Stream(Option<TypeId>),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Name.
    pub name: Box<str>,
    /// Type.
    pub ty: TypeId,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// Name.
    pub name: Box<str>,
    /// Type of its payload, if it has one.
    pub ty: Option<TypeId>,
}

/// The type of a component function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    /// Names and types of the parameters.
    pub params: Box<[Field]>,
    /// Type of the result, if there is one.
    pub result: Option<TypeId>,
    /// True for `async func`.
    pub is_async: bool,
}

/// A type nests deeper, or is larger, than this implementation allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a type nests deeper than {}, or its values take more than 256 MiB", Types::MAX_DEPTH)]
pub struct TypeTooLarge;

/// Value and function types with their layouts.
#[derive(Clone, Debug)]
pub struct Types {
    defs: Vec<TypeDef>,
    shapes: Vec<Shape>,
    ids: HashMap<TypeDef, TypeId>,
    funcs: Vec<(FuncType, FuncShape)>,
    func_ids: HashMap<FuncType, FuncTypeId>,
}

impl Default for Types {
    fn default() -> Types {
        Types::new()
    }
}

impl Types {
    /// Deepest nesting of types. Walkers recurse over types on the native stack.
    pub const MAX_DEPTH: u8 = 100;

    /// Returns an empty table.
    pub fn new() -> Types {
        Types { defs: Vec::new(), shapes: Vec::new(), ids: HashMap::new(), funcs: Vec::new(), func_ids: HashMap::new() }
    }

    /// Returns the id of a type, which is added if it is new. Types that it consists of are of this table.
    ///
    /// # Errors
    /// If it nests deeper than [`MAX_DEPTH`](Types::MAX_DEPTH), or its values take 2²⁸ bytes or more.
    pub fn intern(&mut self, def: TypeDef) -> Result<TypeId, TypeTooLarge> {
        if let Some(&id) = self.ids.get(&def) {
            return Ok(id);
        }
        let shape = Shape::of(&def, self).ok_or(TypeTooLarge)?;
        let id = TypeId(u32::try_from(self.defs.len()).map_err(|_| TypeTooLarge)?);
        self.defs.push(def.clone());
        self.shapes.push(shape);
        self.ids.insert(def, id);
        Ok(id)
    }

    /// Returns the id of a function type, which is added if it is new. Its types are of this table.
    ///
    /// # Errors
    /// If its parameters together take 2²⁸ bytes or more.
    pub fn intern_func(&mut self, func: FuncType) -> Result<FuncTypeId, TypeTooLarge> {
        if let Some(&id) = self.func_ids.get(&func) {
            return Ok(id);
        }
        let shape = FuncShape::of(&func, self).ok_or(TypeTooLarge)?;
        let id = FuncTypeId(u32::try_from(self.funcs.len()).map_err(|_| TypeTooLarge)?);
        self.funcs.push((func.clone(), shape));
        self.func_ids.insert(func, id);
        Ok(id)
    }

    /// Returns the id of a type; `None` if the table does not have it.
    pub fn find(&self, def: &TypeDef) -> Option<TypeId> {
        self.ids.get(def).copied()
    }

    /// Returns a type.
    #[inline]
    pub fn def(&self, id: TypeId) -> &TypeDef {
        &self.defs[id.index()]
    }

    /// Returns the layout of a type.
    #[inline]
    pub fn shape(&self, id: TypeId) -> &Shape {
        &self.shapes[id.index()]
    }

    /// Returns a function type.
    #[inline]
    pub fn func(&self, id: FuncTypeId) -> &FuncType {
        &self.funcs[id.index()].0
    }

    /// Returns the layout of a function type.
    #[inline]
    pub fn func_shape(&self, id: FuncTypeId) -> &FuncShape {
        &self.funcs[id.index()].1
    }
}
