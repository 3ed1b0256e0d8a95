//! Hands out canonical type ids: recursion groups go in, [`TypeId`]s come out, and equal types get equal ids.
//!
//! Types live as long as somebody keeps them. A [`Types`] is the share of a module, which interns each of its recursion groups in
//! order, or of a store, for the types of its host functions and tags. From then on every stage compares integers. A group that
//! nobody keeps any more is dropped.
//!
//! # Stale ids
//! An id is never used for a second type, so that one that was kept too long equals nothing and finds nothing. The ids last
//! for 2^31 types; then interning a new type is an error.
//!
//! # Equality
//! The spec makes two types equal if their whole recursion groups are and they stand at the same place in them.
//! A group comes in with the references among its own members made relative ([`RecGroup::local`]) and all other
//! references canonical. In that form equal groups are equal values, and a hash set finds them.
//!
//! # Subtyping
//! Every type has a *display*: its ancestors from the root of its declared supertypes down to itself. As each
//! depth has one place in it, `sub` is a subtype of `sup` exactly if `sub`'s display has `sup` at `sup`'s depth.
//! Validation bounds the depth to 63, and with it the size of a display.
//!
//! # Locking
//! There is one lock, which interning a new group and dropping one take alone. Running code asks for subtypes only, and is answered
//! without the lock: an answer stays true, as ids are not used again, so the latest ones are kept aside.

use std::borrow::Borrow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::types::{CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, SubType, TypeId, ValType};

/// Ids from here on are not canonical: they refer to a member of the [`RecGroup`] that they occur in.
const REC_BASE: u32 = 1 << 31;

/// Ids below [`REC_BASE`] that modules do not get: types of host functions are few, and cannot be refused.
const RESERVED: u32 = 1 << 24;

/// Number of answers about subtypes that are kept aside.
const ANSWERS: usize = 256;

/// A recursion group on its way into the registry.
///
/// References of members to one another, wherever a [`TypeId`] can stand, are [`RecGroup::local`]; all other ids are
/// those of types that somebody keeps in the same registry. A supertype comes before its subtypes.
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

/// The registry has given out all of its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdsUsedUp;

impl std::fmt::Display for IdsUsedUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the engine has seen more than two billion different types; another one is needed for new types")
    }
}

impl std::error::Error for IdsUsedUp {}

/// The canonical types of an engine. See the module's documentation.
#[derive(Debug)]
pub struct TypeRegistry {
    state: RwLock<State>,
    hashing: RandomState,
    answers: Box<[AtomicU64]>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashSet<Shared>,
    /// By the id of their first member.
    by_id: BTreeMap<u32, Arc<Group>>,
    /// The next id.
    next: u32,
}

/// A group in the registry.
#[derive(Debug)]
struct Group {
    first: TypeId,
    hash: u64,
    /// Shares and other groups that keep it.
    users: AtomicUsize,
    /// The members, every reference canonical.
    types: Box<[SubType]>,
    /// The displays of the members; empty if none has a supertype.
    displays: Box<[Box<[TypeId]>]>,
    /// The first members of other groups that are referred to, each once.
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
    /// A registry without types.
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

    /// Number of types in it.
    pub fn len(&self) -> usize {
        self.read().by_id.values().map(|group| group.types.len()).sum()
    }

    /// Returns true if it has no types.
    pub fn is_empty(&self) -> bool {
        self.read().by_id.is_empty()
    }

    /// The type, or `None` if nobody keeps one of that id here.
    pub fn get(&self, id: TypeId) -> Option<Type> {
        let state = self.read();
        let group = state.group(id)?;
        Some(Type { group: group.clone(), index: (id.0 - group.first.0) as usize })
    }

    /// The type.
    ///
    /// # Panics
    /// If nobody keeps one of that id here.
    pub fn sub_type(&self, id: TypeId) -> Type {
        self.get(id).expect("type ids come from this registry, and are kept")
    }

    /// The function type, or `None` if it is another kind of type or nobody keeps it here.
    pub fn func_type(&self, id: TypeId) -> Option<Arc<FuncType>> {
        let state = self.read();
        let group = state.group(id)?;
        group.types[(id.0 - group.first.0) as usize].as_func().cloned()
    }

    /// The id of a function type as [`Types::intern_func`] gives it, if somebody keeps it.
    pub fn find_func(&self, ty: &Arc<FuncType>) -> Option<TypeId> {
        let types = [alone(ty.clone())];
        let incoming = Incoming { hash: self.hash(&types), types: &types };
        self.read().groups.get(&incoming as &dyn Form).map(|group| group.0.first)
    }

    /// Returns true if `sub` is `sup` or declares it, directly or not, as its supertype. Ids that nobody keeps here are subtypes
    /// of nothing but themselves.
    #[inline]
    pub fn is_subtype(&self, sub: TypeId, sup: TypeId) -> bool {
        if sub == sup {
            return true;
        }
        // 31 bits each, the answer, and a bit that is always set. Larger ids are never canonical.
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
    /// The group that has a type.
    fn group(&self, id: TypeId) -> Option<&Arc<Group>> {
        let (_, group) = self.by_id.range(..=id.0).next_back()?;
        ((id.0 - group.first.0) as usize).lt(&group.types.len()).then_some(group)
    }

    /// The group equal to one that comes in, made now if there is none; with one user more.
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

    /// Drops the groups among these that have no user, and those that only they need. Gives them back, each before those that it
    /// needs, to be freed outside of the lock.
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

/// Types that their owner keeps. As long as it lives, their ids mean something.
#[derive(Debug)]
pub struct Types {
    registry: Arc<TypeRegistry>,
    groups: Vec<Arc<Group>>,
}

impl Types {
    /// No types, for now.
    pub fn new(registry: &Arc<TypeRegistry>) -> Types {
        Types { registry: registry.clone(), groups: Vec::new() }
    }

    /// Keeps a group. Returns the id of its first member; the others follow it. An empty group takes no ids, so that its result
    /// means nothing.
    ///
    /// # Errors
    /// If it is new and there are no ids left.
    ///
    /// # Panics
    /// If an id in the group is neither local to it nor kept in this registry, or a supertype comes after its subtype.
    /// Validated modules have neither.
    pub fn intern(&mut self, group: RecGroup) -> Result<TypeId, IdsUsedUp> {
        self.intern_below(group.types, REC_BASE - RESERVED)
    }

    /// Keeps a function type as the host or a type section of the first version of Wasm declares it: final,
    /// without supertype, alone in its group.
    ///
    /// # Panics
    /// If it refers to types that nobody keeps in this registry.
    pub fn intern_func(&mut self, ty: impl Into<Arc<FuncType>>) -> TypeId {
        let id = self.intern_below(vec![alone(ty.into())], REC_BASE);
        id.expect("ids for types of the host are reserved")
    }

    /// Keeps a type that somebody else keeps, too. Returns false if nobody does.
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
                // Whoever is about to drop it looks again, alone.
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

/// A function type as a group of its own.
fn alone(ty: Arc<FuncType>) -> SubType {
    SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
}

/// A group as the hash set sees it, with references as in a [`RecGroup`].
trait Form {
    fn key(&self) -> u64;
    fn types(&self) -> &[SubType];
    /// The id of its first member, once it has one.
    fn first(&self) -> Option<TypeId>;
}

/// A group to look for.
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

/// An id as it is in a [`RecGroup`], in a group of so many members of which the first has an id.
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

/// Makes the references inside a group canonical.
struct Resolver {
    first: TypeId,
    count: u32,
    /// The references to other groups.
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

    /// Takes the given type if, as nearly always, it refers to none.
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
