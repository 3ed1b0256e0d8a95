//! Hands out canonical type ids: recursion groups go in, [`TypeId`]s come out, and equal types get equal ids.
//!
//! The module stage interns each recursion group of a module in order; the embedder interns the types of host
//! functions. From then on every stage compares integers. What was interned stays for the registry's life: ids are
//! never used again for another type, so that a stale one cannot be mistaken for a fresh one.
//!
//! # Equality
//! The spec makes two types equal if their whole recursion groups are and they stand at the same place in them.
//! A group comes in with the references among its own members made relative ([`RecGroup::local`]) and all other
//! references canonical. In that form equal groups are equal values, and a hash map finds them.
//!
//! # Subtyping
//! Every type carries its *display*: its ancestors from the root of its declared supertypes down to itself. As each
//! depth has one place in it, `sub` is a subtype of `sup` exactly if `sub`'s display has `sup` at `sup`'s depth.
//! Validation bounds the depth to 63, and with it the size of a display.
//!
//! # Locking
//! Interning locks; asking does not, because casts in running code ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::append_vec::AppendVec;
use crate::types::{CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, SubType, TypeId, ValType};

/// Ids from here on are not canonical: they refer to a member of the [`RecGroup`] that they occur in.
const REC_BASE: u32 = 1 << 31;

/// A recursion group on its way into the registry.
///
/// References of members to one another, wherever a [`TypeId`] can stand, are [`RecGroup::local`]; all other ids are
/// those that the same registry returned. A supertype comes before its subtypes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecGroup {
    /// The members, in order.
    pub types: Vec<SubType>,
}

impl RecGroup {
    /// How members refer to member number `index` of their own group.
    pub const fn local(index: u32) -> TypeId {
        TypeId(REC_BASE + index)
    }
}

/// What the registry knows of a type.
#[derive(Debug)]
struct Entry {
    sub_type: Arc<SubType>,
    /// The ancestors by depth, the type itself last.
    display: Box<[TypeId]>,
}

/// The canonical types of an engine. See the module's documentation.
#[derive(Debug)]
pub struct TypeRegistry {
    entries: AppendVec<Entry>,
    groups: Mutex<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    first_ids: HashMap<RecGroup, TypeId>,
    len: u32,
}

impl Default for TypeRegistry {
    fn default() -> TypeRegistry {
        TypeRegistry::new()
    }
}

impl TypeRegistry {
    /// A registry without types.
    pub fn new() -> TypeRegistry {
        TypeRegistry { entries: AppendVec::new(), groups: Mutex::default() }
    }

    /// The id of the group's first member; the others follow it. An empty group takes no ids, so that its result
    /// means nothing.
    ///
    /// # Panics
    /// If an id in the group is neither local to it nor of this registry, or a supertype comes after its subtype.
    /// Validated modules have neither.
    pub fn intern(&self, group: RecGroup) -> TypeId {
        // A panic below leaves the map as it was: ids are taken last.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&first) = groups.first_ids.get(&group) {
            return first;
        }
        let first = TypeId(groups.len);
        let count = u32::try_from(group.types.len()).ok().filter(|count| *count < REC_BASE - first.0);
        let count = count.expect("types fill the memory before they fill the id space");
        if count == 0 {
            return first;
        }

        let resolver = Resolver { first, count };
        let members: Vec<Arc<SubType>> = group.types.iter().map(|ty| Arc::new(resolver.sub_type(ty))).collect();
        let mut displays: Vec<Box<[TypeId]>> = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let id = TypeId(first.0 + index as u32);
            let ancestors = member.supertype.map_or(&[][..], |supertype| match supertype.0.checked_sub(first.0) {
                Some(local) => &displays[local as usize],
                None => self.display(supertype),
            });
            displays.push(ancestors.iter().copied().chain([id]).collect());
        }
        for (id, (sub_type, display)) in (first.0..).zip(members.into_iter().zip(displays)) {
            self.entries.set(id, Entry { sub_type, display });
        }
        groups.len += count;
        groups.first_ids.insert(group, first);
        first
    }

    /// The id of a function type as the host or a type section of the first version of Wasm declares it: final,
    /// without supertype, alone in its group. Its ids are canonical.
    pub fn intern_func(&self, ty: FuncType) -> TypeId {
        let composite = CompositeType::Func(Arc::new(ty));
        self.intern(RecGroup { types: vec![SubType { is_final: true, supertype: None, composite }] })
    }

    /// The type, or `None` if the id is not of this registry.
    #[inline]
    pub fn get(&self, id: TypeId) -> Option<&SubType> {
        self.entries.get(id.0).map(|entry| &*entry.sub_type)
    }

    /// The type, shared.
    ///
    /// # Panics
    /// If the id is not of this registry.
    pub fn sub_type(&self, id: TypeId) -> Arc<SubType> {
        self.entry(id).sub_type.clone()
    }

    /// The function type, or `None` if it is another kind of type or not of this registry.
    pub fn func_type(&self, id: TypeId) -> Option<Arc<FuncType>> {
        self.get(id)?.as_func().cloned()
    }

    /// The type's ancestors by depth, from the root of its supertypes down to itself. `sub` is a subtype of `sup`
    /// exactly if the displays agree at the last place of `sup`'s.
    ///
    /// # Panics
    /// If the id is not of this registry.
    pub fn display(&self, id: TypeId) -> &[TypeId] {
        &self.entry(id).display
    }

    /// Whether `sub` is `sup` or declares it, directly or not, as its supertype. Ids of other registries are subtypes
    /// of nothing but themselves.
    #[inline]
    pub fn is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        if sub == sup {
            return true;
        }
        let (Some(sub), Some(sup_entry)) = (self.entries.get(sub.0), self.entries.get(sup.0)) else {
            return false;
        };
        sub.display.get(sup_entry.display.len() - 1) == Some(&sup)
    }

    fn entry(&self, id: TypeId) -> &Entry {
        self.entries.get(id.0).expect("type ids come from this registry")
    }
}

/// Makes the references inside a group canonical.
struct Resolver {
    first: TypeId,
    count: u32,
}

impl Resolver {
    fn id(&self, id: TypeId) -> TypeId {
        match id.0.checked_sub(REC_BASE) {
            Some(local) => {
                assert!(local < self.count, "a local reference names a member of its group");
                TypeId(self.first.0 + local)
            }
            None => {
                assert!(id < self.first, "a canonical reference names an interned type");
                id
            }
        }
    }

    fn sub_type(&self, ty: &SubType) -> SubType {
        let composite = match &ty.composite {
            CompositeType::Func(func) => CompositeType::Func(self.func_type(func)),
            CompositeType::Struct(fields) => {
                CompositeType::Struct(fields.iter().map(|field| self.field_type(*field)).collect())
            }
            CompositeType::Array(element) => CompositeType::Array(self.field_type(*element)),
        };
        SubType { is_final: ty.is_final, supertype: ty.supertype.map(|id| self.id(id)), composite }
    }

    /// Shares the given type if, as nearly always, nothing in it is local.
    fn func_type(&self, ty: &Arc<FuncType>) -> Arc<FuncType> {
        let resolve = |types: &[ValType]| types.iter().map(|ty| self.val_type(*ty)).collect::<Box<[_]>>();
        let resolved = FuncType::new(resolve(ty.params()), resolve(ty.results()));
        if resolved == **ty { ty.clone() } else { Arc::new(resolved) }
    }

    fn field_type(&self, field: FieldType) -> FieldType {
        let storage = match field.storage {
            StorageType::Val(ty) => StorageType::Val(self.val_type(ty)),
            packed => packed,
        };
        FieldType { storage, ..field }
    }

    fn val_type(&self, ty: ValType) -> ValType {
        match ty {
            ValType::Ref(RefType { nullable, heap: HeapType::Concrete(id) }) => {
                ValType::Ref(RefType { nullable, heap: HeapType::Concrete(self.id(id)) })
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
