//! [`TypeRegistry`]: the canonical types of an engine. Interning a recursion group returns [`TypeId`]s, equal for equal types.
//!
//! A type lives as long as an owner keeps it. Owners are [`Types`]: one for each module, which interns its recursion groups in
//! order, and one for each store, for the types of its host functions and tags. All later stages compare ids only. The
//! registry drops a group when its last owner is gone.
//!
//! # Stale ids
//! The registry never assigns an id twice. An id that outlives its type equals no other id, and look-ups of it fail. There are
//! ids for 2^31 types; after that, interning a new type is an error.
//!
//! # Equality
//! Recursive types are iso-recursive: two types are equal if their recursion groups are equal and they have the same index in
//! them. The specification ([recursive types](https://webassembly.github.io/spec/core/valid/conventions.html#recursive-types))
//! compares *closed* groups, in which the references among the members are relative. A [`RecGroup`] has that form:
//! references among its members are [`RecGroup::local`], all other references are canonical. Equal groups are then equal
//! values, and a hash set finds them.
//!
//! # Subtyping
//! Every type has a *display* (Cohen 1991, see `docs/glossary.md`): the chain of its declared supertypes from the root down to
//! the type itself. Each depth has one entry, so `sub` is a subtype of `sup` exactly if `sub`'s display has `sup` at `sup`'s
//! depth. Validation limits the depth to [63](https://webassembly.github.io/spec/js-api/#limits), and so the size of a display.
//!
//! # Locking
//! Interning a new group and dropping one take the only lock exclusively. Running code only asks about subtypes, usually
//! without the lock: a cache holds recent answers, which stay true because ids are not reused.

use std::borrow::Borrow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::types::{CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, SubType, TypeId, ValType};

/// The first id that is not canonical. This id and larger ones refer to members of the [`RecGroup`] in which they occur.
const REC_BASE: u32 = 1 << 31;

/// Number of ids below [`REC_BASE`] that are reserved for types of host functions. These are few, and interning them cannot
/// fail.
const RESERVED: u32 = 1 << 24;

/// Number of cached answers about subtypes.
const ANSWERS: usize = 256;

/// A recursion group to intern.
///
/// References among the members, including supertypes, are [`RecGroup::local`]. All other ids are of types that an owner keeps
/// in the same registry. A supertype precedes its subtypes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecGroup {
    /// The members, in order.
    pub types: Vec<SubType>,
}

impl RecGroup {
    /// Returns the id by which members refer to the member at `index` of their own group.
    pub const fn local(index: u32) -> TypeId {
        TypeId(REC_BASE + index)
    }
}

/// The registry has assigned all of its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdsUsedUp;

impl std::fmt::Display for IdsUsedUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the engine has seen more than two billion different types; create another engine for new types")
    }
}

impl std::error::Error for IdsUsedUp {}

/// The canonical types of an engine.
#[derive(Debug)]
pub struct TypeRegistry {
    state: RwLock<State>,
    hashing: RandomState,
    answers: Box<[AtomicU64]>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashSet<Shared>,
    /// The groups by the id of their first member.
    by_id: BTreeMap<u32, Arc<Group>>,
    /// The next id to assign.
    next: u32,
}

/// A group in the registry.
#[derive(Debug)]
struct Group {
    first: TypeId,
    hash: u64,
    /// Number of owners and of other groups that keep this group.
    users: AtomicUsize,
    /// The members. All references are canonical.
    types: Box<[SubType]>,
    /// The displays of the members; empty if none has a supertype.
    displays: Box<[Box<[TypeId]>]>,
    /// First members of the other groups that the members refer to, each once. This group keeps those groups.
    needs: Box<[TypeId]>,
}

impl Group {
    fn display(&self, index: usize) -> &[TypeId] {
        self.displays.get(index).map_or(&[], |display| display)
    }
}

/// A type in the registry.
#[derive(Clone, Debug)]
pub struct Type {
    group: Arc<Group>,
    index: usize,
}

impl Deref for Type {
    type Target = SubType;

    fn deref(&self) -> &SubType {
        &self.group.types[self.index]
    }
}

impl Default for TypeRegistry {
    fn default() -> TypeRegistry {
        TypeRegistry::new()
    }
}

impl TypeRegistry {
    /// Creates a registry without types.
    pub fn new() -> TypeRegistry {
        TypeRegistry {
            state: RwLock::default(),
            hashing: RandomState::new(),
            answers: (0..ANSWERS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of types.
    pub fn len(&self) -> usize {
        self.read().by_id.values().map(|group| group.types.len()).sum()
    }

    /// Returns true if the registry has no types.
    pub fn is_empty(&self) -> bool {
        self.read().by_id.is_empty()
    }

    /// Returns the type with this id, or `None` if no owner keeps it.
    pub fn get(&self, id: TypeId) -> Option<Type> {
        let state = self.read();
        let group = state.group(id)?;
        Some(Type { group: group.clone(), index: (id.0 - group.first.0) as usize })
    }

    /// Returns the type with this id.
    ///
    /// # Panics
    /// If no owner keeps it.
    pub fn sub_type(&self, id: TypeId) -> Type {
        self.get(id).expect("type ids come from this registry, and are kept")
    }

    /// Returns the function type with this id, or `None` if it is another kind of type or no owner keeps it.
    pub fn func_type(&self, id: TypeId) -> Option<Arc<FuncType>> {
        let state = self.read();
        let group = state.group(id)?;
        group.types[(id.0 - group.first.0) as usize].as_func().cloned()
    }

    /// Returns the id that [`Types::intern_func`] would return for a function type, or `None` if no owner keeps that type.
    pub fn find_func(&self, ty: &Arc<FuncType>) -> Option<TypeId> {
        let types = [alone(ty.clone())];
        let incoming = Incoming { hash: self.hash(&types), types: &types };
        self.read().groups.get(&incoming as &dyn Form).map(|group| group.0.first)
    }

    /// Returns true if `sub` is `sup` or declares it, directly or indirectly, as its supertype. An id that no owner keeps is a
    /// subtype of itself only.
    #[inline]
    pub fn is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        if sub == sup {
            return true;
        }
        // Layout of a cached answer: 31 bits for each id, the answer, and a bit that tells the entry from an empty one.
        let question = u64::from(sub.0) << 33 | u64::from(sup.0) << 2 | 1;
        let place = (sub.0.wrapping_mul(31) ^ sup.0) as usize % ANSWERS;
        let answer = self.answers[place].load(Ordering::Relaxed);
        if answer & !2 == question && (sub.0 | sup.0) < REC_BASE {
            return answer & 2 != 0;
        }
        self.look_up_subtype(sub, sup, question, place)
    }

    #[cold]
    fn look_up_subtype(&self, sub: TypeId, sup: TypeId, question: u64, place: usize) -> bool {
        let state = self.read();
        let (Some(sub_group), Some(sup_group)) = (state.group(sub), state.group(sup)) else { return false };
        let depth = sup_group.display((sup.0 - sup_group.first.0) as usize).len().saturating_sub(1);
        let display = sub_group.display((sub.0 - sub_group.first.0) as usize);
        let answer = display.get(depth) == Some(&sup);
        self.answers[place].store(question | u64::from(answer) << 1, Ordering::Relaxed);
        answer
    }

    fn hash(&self, types: &[SubType]) -> u64 {
        self.hashing.hash_one(types)
    }
}

impl State {
    /// Returns the group of a type.
    fn group(&self, id: TypeId) -> Option<&Arc<Group>> {
        let (_, group) = self.by_id.range(..=id.0).next_back()?;
        ((id.0 - group.first.0) as usize).lt(&group.types.len()).then_some(group)
    }

    /// Returns the group that equals `types`, or adds it, and counts one more user of it.
    ///
    /// # Errors
    /// If the group is new and would get an id of `most` or more.
    fn intern(&mut self, types: Vec<SubType>, hash: u64, most: u32) -> Result<Arc<Group>, IdsUsedUp> {
        let incoming = Incoming { hash, types: &types };
        if let Some(Shared(group)) = self.groups.get(&incoming as &dyn Form) {
            group.users.fetch_add(1, Ordering::Relaxed);
            return Ok(group.clone());
        }
        let first = TypeId(self.next);
        let count = u32::try_from(types.len()).ok().filter(|&count| count <= most.saturating_sub(first.0));
        let count = count.ok_or(IdsUsedUp)?;
        let mut resolver = Resolver { first, count, foreign: Vec::new() };
        let types: Box<[SubType]> = types.into_iter().map(|ty| resolver.sub_type(ty)).collect();
        let displays = self.displays(first, &types);
        let mut needs: Vec<TypeId> = Vec::new();
        resolver.foreign.sort_unstable();
        resolver.foreign.dedup();
        for id in resolver.foreign {
            let group = self.group(id).expect("a canonical reference names a type that is kept");
            if needs.last() != Some(&group.first) {
                needs.push(group.first);
            }
        }
        for id in &needs {
            self.by_id[&id.0].users.fetch_add(1, Ordering::Relaxed);
        }
        let group = Group { first, hash, users: AtomicUsize::new(1), types, displays, needs: needs.into() };
        let group = Arc::new(group);
        self.next += count;
        self.groups.insert(Shared(group.clone()));
        self.by_id.insert(first.0, group.clone());
        Ok(group)
    }

    fn displays(&self, first: TypeId, types: &[SubType]) -> Box<[Box<[TypeId]>]> {
        let mut displays: Vec<Box<[TypeId]>> = Vec::new();
        if types.iter().all(|ty| ty.supertype.is_none() && ty.is_final) {
            return displays.into();
        }
        for (index, ty) in types.iter().enumerate() {
            let id = TypeId(first.0 + index as u32);
            let ancestors = ty.supertype.map_or(&[][..], |supertype| match supertype.0.checked_sub(first.0) {
                Some(local) => &displays[local as usize],
                None => {
                    let group = self.group(supertype).expect("a supertype is kept");
                    group.display((supertype.0 - group.first.0) as usize)
                }
            });
            displays.push(ancestors.iter().copied().chain([id]).collect());
        }
        displays.into()
    }

    /// Removes the candidates that have no user, and the groups that only they keep. Returns the removed groups, each before
    /// the groups that it refers to, for the caller to free after it releases the lock.
    fn remove_unused(&mut self, mut candidates: Vec<Arc<Group>>) -> Vec<Arc<Group>> {
        let mut removed = Vec::new();
        while let Some(group) = candidates.pop() {
            let is_here = self.by_id.get(&group.first.0).is_some_and(|here| Arc::ptr_eq(here, &group));
            if !is_here || group.users.load(Ordering::Relaxed) != 0 {
                continue;
            }
            self.by_id.remove(&group.first.0);
            self.groups.remove(&*group as &dyn Form);
            for id in &group.needs {
                let need = &self.by_id[&id.0];
                if need.users.fetch_sub(1, Ordering::Relaxed) == 1 {
                    candidates.push(need.clone());
                }
            }
            removed.push(group);
        }
        if self.groups.capacity() > 4 * self.groups.len().max(64) {
            self.groups.shrink_to(2 * self.groups.len());
        }
        removed
    }
}

/// An owner of types. Their ids stay valid as long as it lives.
#[derive(Debug)]
pub struct Types {
    registry: Arc<TypeRegistry>,
    groups: Vec<Arc<Group>>,
}

impl Types {
    /// Creates an owner without types.
    pub fn new(registry: &Arc<TypeRegistry>) -> Types {
        Types { registry: registry.clone(), groups: Vec::new() }
    }

    /// Interns and keeps a group. Returns the id of its first member; the ids of the others follow. The result for an empty
    /// group has no meaning.
    ///
    /// # Errors
    /// If the group is new and no ids are left.
    ///
    /// # Panics
    /// If an id in the group is neither local nor kept in this registry, or if a supertype comes after its subtype. Validation
    /// excludes both for the groups of modules.
    pub fn intern(&mut self, group: RecGroup) -> Result<TypeId, IdsUsedUp> {
        self.intern_below(group.types, REC_BASE - RESERVED)
    }

    /// Interns and keeps a function type in the form of the [abbreviated
    /// syntax](https://webassembly.github.io/spec/core/text/types.html#recursive-types): final, without a supertype, and alone
    /// in its group. Types of the host and of WebAssembly 1.0 modules have this form.
    ///
    /// # Panics
    /// If the type refers to types that no owner keeps in this registry.
    pub fn intern_func(&mut self, ty: impl Into<Arc<FuncType>>) -> TypeId {
        let id = self.intern_below(vec![alone(ty.into())], REC_BASE);
        id.expect("ids for types of the host are reserved")
    }

    /// Keeps a type that another owner keeps. Returns false if no owner does.
    pub fn keep(&mut self, id: TypeId) -> bool {
        let state = self.registry.read();
        let Some(group) = state.group(id) else { return false };
        group.users.fetch_add(1, Ordering::Relaxed);
        self.groups.push(group.clone());
        true
    }

    fn intern_below(&mut self, types: Vec<SubType>, most: u32) -> Result<TypeId, IdsUsedUp> {
        if types.is_empty() {
            return Ok(TypeId(0));
        }
        let hash = self.registry.hash(&types);
        let known = {
            let state = self.registry.read();
            let known = state.groups.get(&Incoming { hash, types: &types } as &dyn Form);
            known.map(|Shared(group)| {
                // A concurrent `drop` that found no user left checks again under the exclusive lock.
                group.users.fetch_add(1, Ordering::Relaxed);
                group.clone()
            })
        };
        let group = match known {
            Some(group) => group,
            None => {
                let mut state = self.registry.state.write().unwrap_or_else(PoisonError::into_inner);
                state.intern(types, hash, most)?
            }
        };
        let first = group.first;
        self.groups.push(group);
        Ok(first)
    }
}

impl Drop for Types {
    fn drop(&mut self) {
        let mut unused = std::mem::take(&mut self.groups);
        unused.retain(|group| group.users.fetch_sub(1, Ordering::Relaxed) == 1);
        if !unused.is_empty() {
            let mut state = self.registry.state.write().unwrap_or_else(PoisonError::into_inner);
            let removed = state.remove_unused(unused);
            drop(state);
            drop(removed);
        }
    }
}

/// Returns a function type as the only member of its group.
fn alone(ty: Arc<FuncType>) -> SubType {
    SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
}

/// A group as a key of the hash set. The comparison of keys treats references among members as relative, as in a [`RecGroup`].
trait Form {
    fn key(&self) -> u64;
    fn types(&self) -> &[SubType];
    /// Returns the id of the first member, or `None` for a group that is not interned.
    fn first(&self) -> Option<TypeId>;
}

/// A group to look up.
struct Incoming<'a> {
    hash: u64,
    types: &'a [SubType],
}

impl Form for Incoming<'_> {
    fn key(&self) -> u64 {
        self.hash
    }

    fn types(&self) -> &[SubType] {
        self.types
    }

    fn first(&self) -> Option<TypeId> {
        None
    }
}

impl Form for Group {
    fn key(&self) -> u64 {
        self.hash
    }

    fn types(&self) -> &[SubType] {
        &self.types
    }

    fn first(&self) -> Option<TypeId> {
        Some(self.first)
    }
}

/// A group in the hash set.
#[derive(Debug)]
struct Shared(Arc<Group>);

impl<'a> Borrow<dyn Form + 'a> for Shared {
    fn borrow(&self) -> &(dyn Form + 'a) {
        &*self.0
    }
}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&*self.0 as &dyn Form).hash(state);
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Shared {}

impl Hash for dyn Form + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key());
    }
}

impl PartialEq for dyn Form + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (these, those) = (self.types(), other.types());
        if self.key() != other.key() || these.len() != those.len() {
            return false;
        }
        let same_id = |this: TypeId, that: TypeId| {
            relative(this, self.first(), these.len()) == relative(that, other.first(), those.len())
        };
        these.iter().zip(those).all(|(this, that)| same_type(this, that, &same_id))
    }
}

impl Eq for dyn Form + '_ {}

/// Returns an id as it would be in a [`RecGroup`], given the id of the group's first member and its number of members.
fn relative(id: TypeId, first: Option<TypeId>, count: usize) -> TypeId {
    let local = first.and_then(|first| id.0.checked_sub(first.0)).filter(|&local| (local as usize) < count);
    local.map_or(id, RecGroup::local)
}

fn same_type(this: &SubType, that: &SubType, same_id: &dyn Fn(TypeId, TypeId) -> bool) -> bool {
    let same_val = |this: ValType, that: ValType| match (this, that) {
        (
            ValType::Ref(RefType { nullable: this_null, heap: HeapType::Concrete(this) }),
            ValType::Ref(RefType { nullable: that_null, heap: HeapType::Concrete(that) }),
        ) => this_null == that_null && same_id(this, that),
        _ => this == that,
    };
    let same_vals = |this: &[ValType], that: &[ValType]| {
        this.len() == that.len() && this.iter().zip(that).all(|(&this, &that)| same_val(this, that))
    };
    let same_field = |this: &FieldType, that: &FieldType| {
        this.mutable == that.mutable
            && match (this.storage, that.storage) {
                (StorageType::Val(this), StorageType::Val(that)) => same_val(this, that),
                (this, that) => this == that,
            }
    };
    let same_supertype = match (this.supertype, that.supertype) {
        (Some(this), Some(that)) => same_id(this, that),
        (this, that) => this == that,
    };
    this.is_final == that.is_final
        && same_supertype
        && match (&this.composite, &that.composite) {
            (CompositeType::Func(this), CompositeType::Func(that)) => {
                same_vals(this.params(), that.params()) && same_vals(this.results(), that.results())
            }
            (CompositeType::Struct(this), CompositeType::Struct(that)) => {
                this.len() == that.len() && this.iter().zip(that.iter()).all(|(this, that)| same_field(this, that))
            }
            (CompositeType::Array(this), CompositeType::Array(that)) => same_field(this, that),
            _ => false,
        }
}

/// Replaces the local references in a group by canonical ids.
struct Resolver {
    first: TypeId,
    count: u32,
    /// References to types of other groups.
    foreign: Vec<TypeId>,
}

impl Resolver {
    fn id(&mut self, id: TypeId) -> TypeId {
        match id.0.checked_sub(REC_BASE) {
            Some(local) => {
                assert!(local < self.count, "a local reference names a member of its group");
                TypeId(self.first.0 + local)
            }
            None => {
                self.foreign.push(id);
                id
            }
        }
    }

    fn sub_type(&mut self, ty: SubType) -> SubType {
        let composite = match ty.composite {
            CompositeType::Func(func) => CompositeType::Func(self.func_type(func)),
            CompositeType::Struct(fields) => {
                CompositeType::Struct(fields.iter().map(|field| self.field_type(*field)).collect())
            }
            CompositeType::Array(element) => CompositeType::Array(self.field_type(element)),
        };
        SubType { is_final: ty.is_final, supertype: ty.supertype.map(|id| self.id(id)), composite }
    }

    /// Returns the type with canonical references: `ty` itself if, as nearly always, it has no references to defined types.
    fn func_type(&mut self, ty: Arc<FuncType>) -> Arc<FuncType> {
        let refers = |ty: &ValType| matches!(ty, ValType::Ref(RefType { heap: HeapType::Concrete(_), .. }));
        if !ty.params().iter().chain(ty.results()).any(refers) {
            return ty;
        }
        let mut resolve = |types: &[ValType]| types.iter().map(|ty| self.val_type(*ty)).collect::<Box<[_]>>();
        Arc::new(FuncType::new(resolve(ty.params()), resolve(ty.results())))
    }

    fn field_type(&mut self, field: FieldType) -> FieldType {
        let storage = match field.storage {
            StorageType::Val(ty) => StorageType::Val(self.val_type(ty)),
            packed => packed,
        };
        FieldType { storage, ..field }
    }

    fn val_type(&mut self, ty: ValType) -> ValType {
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
