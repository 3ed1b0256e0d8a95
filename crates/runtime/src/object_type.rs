//! Struct and array types as the embedder names them: [`StructType`] and [`ArrayType`]; and [`ObjectError`].
//!
//! A type of either kind keeps its canonical type in the engine's registry alive. A store caches the layouts of the types whose
//! objects the host uses ([`ObjectType`]). [`PreparedType`] adds what an allocation of the host needs.

use std::sync::Arc;

use wasmr_core::count::Count;
use wasmr_core::layout::Layout;
use wasmr_core::limits::{MAX_STRUCT_FIELDS, MAX_SUPERTYPES};
use wasmr_core::registry::{IdsUsedUp, RecGroup, Type, TypeRegistry, Types};
use wasmr_core::subtype::object_matches;
use wasmr_core::type_text::type_text;
use wasmr_core::types::{CompositeType, FieldType, HeapType, RefType, StorageType, SubType, TypeId, ValType};

use crate::context::AsContextMut;
use crate::handle::{StoreId, check_store};
use crate::host_error::stop_from;
use crate::limits::ResourceError;
use crate::objects::NewObject;
use crate::rooted::{GcRef, Rooted, Unrooted};
use crate::store::StoreInner;
use crate::value::TypeMismatch;

/// The error of creating a struct or array, or of using one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The handle scope of the object or of a value has ended.
    #[error(transparent)]
    Unrooted(#[from] Unrooted),
    /// A value is not of its field's or element's type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// The number of values is not that of the fields.
    #[error("the struct has {}, not {found}", Count(*.expected, "field"))]
    Count {
        /// Number of fields.
        expected: usize,
        /// Number of values.
        found: usize,
    },
    /// The struct has no such field, or the array no such elements.
    #[error("index {index} is out of bounds: there are {len}")]
    OutOfBounds {
        /// First index that is out of bounds.
        index: u64,
        /// Number of fields or elements.
        len: u64,
    },
    /// The field or the elements cannot be written.
    #[error("the {0} is immutable")]
    Immutable(&'static str),
    /// The elements of the array are no bytes.
    #[error("the elements of the array have another type than `i8`")]
    NotBytes,
    /// The heap is full.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

/// The error of creating a struct or array type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectTypeError {
    /// A struct has more fields than [validation](https://webassembly.github.io/spec/js-api/#limits) permits.
    #[error("a struct type has at most {MAX_STRUCT_FIELDS} fields, not {0}")]
    Fields(usize),
    /// A field refers to a type that no module, store or other type of this engine keeps alive.
    #[error("a field refers to a type that does not exist in this engine")]
    UnknownType,
    /// The supertype is final.
    #[error("the supertype is final")]
    FinalSupertype,
    /// The fields do not begin with those of the supertype, or the element is not like the supertype's.
    #[error("the type does not match its supertype {0}")]
    Supertype(String),
    /// The supertype has too many supertypes itself.
    #[error("a type has at most {MAX_SUPERTYPES} supertypes, one above the other")]
    Depth,
    /// The engine has no ids left for new types.
    #[error(transparent)]
    IdsUsedUp(#[from] IdsUsedUp),
}

stop_from! { ObjectError ObjectTypeError }

/// The permission to declare subtypes of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// The type has no subtypes.
    Final,
    /// The type may have subtypes.
    NonFinal,
}

/// A canonical type and its owner.
#[derive(Clone)]
struct OwnedType {
    registry: Arc<TypeRegistry>,
    ty: Type,
    id: TypeId,
    _owner: Arc<Types>,
}

impl OwnedType {
    fn get(registry: &Arc<TypeRegistry>, id: TypeId) -> Option<OwnedType> {
        let mut types = Types::new(registry);
        if !types.keep(id) {
            return None;
        }
        Some(OwnedType { registry: registry.clone(), ty: registry.sub_type(id), id, _owner: Arc::new(types) })
    }

    fn new(
        registry: &Arc<TypeRegistry>,
        finality: Finality,
        supertype: Option<&OwnedType>,
        composite: CompositeType,
    ) -> Result<OwnedType, ObjectTypeError> {
        let fields = match &composite {
            CompositeType::Struct(fields) => &fields[..],
            CompositeType::Array(element) => std::slice::from_ref(element),
            CompositeType::Func(_) => &[],
        };
        if fields.len() > MAX_STRUCT_FIELDS as usize {
            return Err(ObjectTypeError::Fields(fields.len()));
        }
        let mut types = Types::new(registry);
        for field in fields {
            if let StorageType::Val(ValType::Ref(RefType { heap: HeapType::Concrete(id), .. })) = field.storage
                && !types.keep(id)
            {
                return Err(ObjectTypeError::UnknownType);
            }
        }
        if let Some(supertype) = supertype {
            check_supertype(registry, &composite, supertype)?;
        }
        let supertype = supertype.map(|supertype| supertype.id);
        let ty = SubType { is_final: finality == Finality::Final, supertype, composite };
        let id = types.intern(RecGroup { types: vec![ty] })?;
        Ok(OwnedType { registry: registry.clone(), ty: registry.sub_type(id), id, _owner: Arc::new(types) })
    }
}

/// Checks that a type may be declared as a subtype of `supertype`.
///
/// # Panics
/// If the supertype is of another engine.
fn check_supertype(
    registry: &Arc<TypeRegistry>,
    composite: &CompositeType,
    supertype: &OwnedType,
) -> Result<(), ObjectTypeError> {
    assert!(Arc::ptr_eq(registry, &supertype.registry), "a type of one engine was used with another engine");
    if supertype.ty.is_final {
        return Err(ObjectTypeError::FinalSupertype);
    }
    if !object_matches(registry, composite, &supertype.ty.composite) {
        return Err(ObjectTypeError::Supertype(type_text(registry, supertype.id)));
    }
    let supertypes = std::iter::successors(Some(supertype.id), |&id| registry.sub_type(id).supertype);
    if supertypes.count() > MAX_SUPERTYPES as usize { Err(ObjectTypeError::Depth) } else { Ok(()) }
}

/// Implements what struct and array types have in common.
macro_rules! object_types {
    ($($name:ident)*) => {$(
        impl $name {
            /// Returns the id of the canonical type.
            pub fn id(&self) -> TypeId {
                self.0.id
            }

            /// Returns the permission to declare subtypes.
            pub fn finality(&self) -> Finality {
                if self.0.ty.is_final { Finality::Final } else { Finality::NonFinal }
            }

            /// Returns the declared supertype.
            pub fn supertype(&self) -> Option<$name> {
                $name::from_id(&self.0.registry, self.0.ty.supertype?)
            }

            /// Returns the type of references to objects of the type, for function types and fields.
            pub fn ref_type(&self, nullable: bool) -> RefType {
                RefType { nullable, heap: HeapType::Concrete(self.0.id) }
            }

            pub(crate) fn registry(&self) -> &Arc<TypeRegistry> {
                &self.0.registry
            }
        }

        /// Equal types of one engine are the same type.
        impl PartialEq for $name {
            fn eq(&self, other: &$name) -> bool {
                self.0.id == other.0.id && Arc::ptr_eq(&self.0.registry, &other.0.registry)
            }
        }

        impl Eq for $name {}

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&type_text(&self.0.registry, self.0.id))
            }
        }
    )*};
}

/// A struct type.
///
/// # Examples
/// ```
/// use wasmr::{Engine, FieldType, StorageType, StructType, ValType};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let number = FieldType { storage: StorageType::Val(ValType::I32), mutable: true };
/// let flag = FieldType { storage: StorageType::I8, mutable: false };
/// let ty = StructType::new(engine.types(), [number, flag])?;
/// assert_eq!(ty.fields().len(), 2);
/// assert_eq!(format!("{ty:?}"), "(struct (field (mut i32)) (field i8))");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StructType(OwnedType);

/// An array type.
#[derive(Clone)]
pub struct ArrayType(OwnedType);

object_types! { StructType ArrayType }

impl StructType {
    /// Returns the final type without supertype that has these fields. A module that declares the same type has the same one.
    ///
    /// # Errors
    /// If there are too many fields, or a field refers to a type that does not exist in the engine.
    pub fn new(
        registry: &Arc<TypeRegistry>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType, ObjectTypeError> {
        StructType::with_finality_and_supertype(registry, Finality::Final, None, fields)
    }

    /// Returns the type that has these fields, which begin with those of its supertype, if it has one.
    ///
    /// # Errors
    /// As [`StructType::new`], and if the supertype is final or deep, or a field does not match that of the supertype.
    ///
    /// # Panics
    /// If the supertype is of another engine.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, FieldType, Finality, StorageType, StructType, ValType};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let id = FieldType { storage: StorageType::Val(ValType::I32), mutable: false };
    /// let size = FieldType { storage: StorageType::Val(ValType::F64), mutable: true };
    /// let shape = StructType::with_finality_and_supertype(engine.types(), Finality::NonFinal, None, [id])?;
    /// let circle = StructType::with_finality_and_supertype(engine.types(), Finality::Final, Some(&shape), [id, size])?;
    /// assert_eq!(circle.supertype(), Some(shape));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_finality_and_supertype(
        registry: &Arc<TypeRegistry>,
        finality: Finality,
        supertype: Option<&StructType>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType, ObjectTypeError> {
        let fields = CompositeType::Struct(fields.into_iter().collect());
        OwnedType::new(registry, finality, supertype.map(|ty| &ty.0), fields).map(StructType)
    }

    /// Returns the struct type with this id, such as one from a function type of a module. Returns `None` if the engine has
    /// none.
    pub fn from_id(registry: &Arc<TypeRegistry>, id: TypeId) -> Option<StructType> {
        let ty = OwnedType::get(registry, id)?;
        matches!(ty.ty.composite, CompositeType::Struct(_)).then(|| StructType(ty))
    }

    /// Returns the types of the fields.
    pub fn fields(&self) -> &[FieldType] {
        match &self.0.ty.composite {
            CompositeType::Struct(fields) => fields,
            CompositeType::Array(_) | CompositeType::Func(_) => &[],
        }
    }
}

impl ArrayType {
    /// Returns the final type without supertype that has these elements. A module that declares the same type has the same
    /// one.
    ///
    /// # Errors
    /// If the element refers to a type that does not exist in the engine.
    pub fn new(registry: &Arc<TypeRegistry>, element: FieldType) -> Result<ArrayType, ObjectTypeError> {
        ArrayType::with_finality_and_supertype(registry, Finality::Final, None, element)
    }

    /// Returns the type that has these elements, which match those of its supertype, if it has one.
    ///
    /// # Errors
    /// As [`ArrayType::new`], and if the supertype is final or deep, or the element does not match that of the supertype.
    ///
    /// # Panics
    /// If the supertype is of another engine.
    pub fn with_finality_and_supertype(
        registry: &Arc<TypeRegistry>,
        finality: Finality,
        supertype: Option<&ArrayType>,
        element: FieldType,
    ) -> Result<ArrayType, ObjectTypeError> {
        OwnedType::new(registry, finality, supertype.map(|ty| &ty.0), CompositeType::Array(element)).map(ArrayType)
    }

    /// Returns the array type with this id, such as one from a function type of a module. Returns `None` if the engine has
    /// none.
    pub fn from_id(registry: &Arc<TypeRegistry>, id: TypeId) -> Option<ArrayType> {
        let ty = OwnedType::get(registry, id)?;
        matches!(ty.ty.composite, CompositeType::Array(_)).then(|| ArrayType(ty))
    }

    /// Returns the type of the elements.
    pub fn element(&self) -> FieldType {
        match &self.0.ty.composite {
            CompositeType::Array(element) => *element,
            CompositeType::Struct(_) | CompositeType::Func(_) => unreachable!("the constructors check that"),
        }
    }
}

/// A type of objects in a store, with its layout.
#[derive(Debug)]
pub(crate) struct ObjectType {
    pub(crate) id: TypeId,
    ty: Type,
    pub(crate) layout: Layout,
}

impl ObjectType {
    /// Returns true if the field of a struct, or the elements of an array, can be written.
    pub(crate) fn is_mutable(&self, field: usize) -> bool {
        match &self.ty.composite {
            CompositeType::Struct(fields) => fields.get(field).is_some_and(|field| field.mutable),
            CompositeType::Array(element) => element.mutable,
            CompositeType::Func(_) => false,
        }
    }
}

impl StoreInner {
    /// Returns a type of structs or arrays, which the store then keeps alive.
    ///
    /// # Panics
    /// If the id is that of no such type.
    pub(crate) fn object_type(&mut self, id: TypeId) -> Arc<ObjectType> {
        if let Some(ty) = self.object_types.get(&id) {
            return ty.clone();
        }
        assert!(self.types().keep(id), "the type exists");
        let ty = self.registry().sub_type(id);
        let layout = Layout::of(self.registry(), &ty).expect("the type is one of structs or arrays");
        let ty = Arc::new(ObjectType { id, ty, layout });
        self.object_types.insert(id, ty.clone());
        ty
    }

    /// Returns the descriptor of a type of objects.
    ///
    /// # Errors
    /// If the heap is full.
    pub(crate) fn object_descriptor(&mut self, ty: &ObjectType) -> Result<u32, ResourceError> {
        self.create_heap()?;
        let registry = self.registry().clone();
        self.heap.descriptor(&mut self.vm.heap, &registry, ty.id, &ty.layout)
    }

    /// Panics unless a type is of the store's engine.
    #[track_caller]
    pub(crate) fn check_registry(&self, registry: &Arc<TypeRegistry>) {
        assert!(Arc::ptr_eq(self.registry(), registry), "a type of one engine was used with a store of another engine");
    }
}

/// A struct or array type that is prepared for allocations in a store.
#[derive(Clone, Debug)]
pub(crate) struct PreparedType {
    store: StoreId,
    pub(crate) ty: Arc<ObjectType>,
    descriptor: u32,
}

impl PreparedType {
    /// Prepares a type of `registry`. The store keeps the type alive.
    ///
    /// # Errors
    /// If the heap is full.
    ///
    /// # Panics
    /// If the registry is that of another engine.
    pub(crate) fn new(
        mut store: impl AsContextMut,
        registry: &Arc<TypeRegistry>,
        id: TypeId,
    ) -> Result<PreparedType, ResourceError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        store.check_registry(registry);
        let ty = store.object_type(id);
        let descriptor = store.object_descriptor(&ty)?;
        Ok(PreparedType { store: store.id(), ty, descriptor })
    }

    /// Panics unless the type was prepared for the store.
    #[track_caller]
    pub(crate) fn check_store(&self, store: &StoreInner) {
        check_store(self.store, store);
    }

    /// Makes an object in the store that the type was prepared for. `roots` are the references among its values. May collect.
    ///
    /// # Errors
    /// If the heap is full.
    pub(crate) fn allocate<T: GcRef>(
        &self,
        mut store: impl AsContextMut,
        new: NewObject<'_>,
        roots: &[u64],
    ) -> Result<Rooted<T>, ObjectError> {
        let mut context = store.as_context_mut();
        let made = context.inner_mut().new_object(self.descriptor, new, roots);
        context.drop_freed();
        let store = context.inner_mut();
        match made {
            Some(made) => Ok(Rooted::from_object(store, made)),
            None => Err(store.heap.full().into()),
        }
    }
}

impl<T: GcRef> Rooted<T> {
    /// Returns a struct or array, and its type.
    #[track_caller]
    pub(crate) fn object(&self, store: &mut StoreInner) -> Result<(u32, Arc<ObjectType>), Unrooted> {
        let slot = self.slot(store)?;
        let (_, id) = store.heap.kind(slot).expect("the object is a struct or an array");
        Ok((slot as u32, store.object_type(id)))
    }
}
