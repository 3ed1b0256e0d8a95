//! [`State`]: what the component layer keeps in a store. Every instantiation of a component has a [`Live`] there, and every component
//! instance in it an [`InstanceState`].
//!
//! # Flags of an instance
//! - `may_leave` is false while the ABI itself calls the guest (`realloc`, `post-return`): the guest may call no import then.
//! - `is_entered` is true while a call from outside is active. Who may enter meanwhile is decided in [`State::enter`] alone.
//! - `backpressure` counts the reasons for which the instance starts no `async func`.
//! - `failure` is set by the first call that ended early. The instance may be in any state, so it is never entered again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmr_component::{ResourceId, StringEncoding};
use wasmr_runtime::{Func as CoreFunc, HostSlab, Instance as CoreInstance, Memory, Stop};

use crate::borrow::Scope;
use crate::error::{AbiError, Result, trap};
use crate::handles::{Handle, HandleKind, HandleTable};
use crate::resource::{ResourceInfo, ResourceKey, ResourceType};

/// A component instance: its position in [`State::instances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstanceKey(pub(crate) u32);

/// The component layer's part of a store.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) live: Vec<Live>,
    pub(crate) instances: Vec<InstanceState>,
    pub(crate) resources: Vec<ResourceInfo>,
    /// The resource types that the host implements.
    host_resources: BTreeMap<ResourceType, ResourceKey>,
    /// The embedder's handles.
    pub(crate) host: HandleTable,
    /// The calls that lend handles and have not returned, the outermost first.
    pub(crate) scopes: Vec<Scope>,
    /// Storage of the running task, for `context.get` and `context.set`. Whoever starts a task keeps that of the task before.
    pub(crate) context: Context,
    /// Number of scopes so far.
    pub(crate) opened_scopes: u64,
    /// Number of instantiations so far.
    pub(crate) instantiations: u64,
    /// Number that no other store of the process has; 0 if none was asked for.
    identity: u64,
}

/// [Storage](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Concurrency.md#thread-local-storage) of a task: zeros at
/// its start.
pub(crate) type Context = [u64; 2];

/// An instantiation of a component.
pub(crate) struct Live {
    /// Position of its first component instance in [`State::instances`].
    pub(crate) first_instance: u32,
    pub(crate) core: Vec<CoreInstance>,
    pub(crate) options: SharedOptions,
    /// The core functions of lifts, where they are known.
    pub(crate) lifts: Vec<Option<CoreFunc>>,
    /// The types in the store of the component's resources.
    pub(crate) resources: Vec<ResourceKey>,
    /// The lowered functions, then the builtins.
    pub(crate) slab: HostSlab,
}

/// The canonical options of an instantiation; empty until its step makes them. The closure of the slab has them as well, so that a call
/// finds its options without the store.
pub(crate) type SharedOptions = Arc<[OnceLock<LiveOptions>]>;

/// Canonical options with live objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveOptions {
    pub(crate) live: u32,
    pub(crate) instance: InstanceKey,
    pub(crate) encoding: StringEncoding,
    pub(crate) memory: Option<Memory>,
    pub(crate) realloc: Option<CoreFunc>,
    pub(crate) post_return: Option<CoreFunc>,
}

/// A component instance.
pub(crate) struct InstanceState {
    pub(crate) handles: HandleTable,
    pub(crate) may_leave: bool,
    /// The calls of `backpressure.inc` less those of `backpressure.dec`.
    pub(crate) backpressure: u16,
    parent: Option<InstanceKey>,
    is_entered: bool,
    failure: Option<Arc<str>>,
}

impl InstanceState {
    pub(crate) fn new(parent: Option<InstanceKey>) -> InstanceState {
        InstanceState {
            handles: HandleTable::default(),
            may_leave: true,
            backpressure: 0,
            parent,
            is_entered: false,
            failure: None,
        }
    }
}

impl State {
    /// Returns a number that no other store of the process has.
    pub(crate) fn identity(&mut self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.identity == 0 {
            self.identity = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        self.identity
    }

    #[inline]
    pub(crate) fn instance(&mut self, key: InstanceKey) -> &mut InstanceState {
        &mut self.instances[key.0 as usize]
    }

    /// Returns an error if the instance may call no import now.
    #[inline]
    pub(crate) fn check_may_leave(&mut self, key: InstanceKey) -> std::result::Result<(), Stop> {
        if self.instance(key).may_leave { Ok(()) } else { Err(cannot_leave()) }
    }

    /// Returns an error if the instance starts no `async func` now: nothing else runs in it that could end the backpressure.
    #[cold]
    pub(crate) fn check_pressure(&mut self, key: InstanceKey, name: &str) -> std::result::Result<(), Stop> {
        match self.instance(key).backpressure {
            0 => Ok(()),
            _ => Err(trap(format!("`{name}` waits for ever: its component instance has backpressure"))),
        }
    }

    /// Notes that a call from outside begins. `entered` are the instances that the call gets into ([`entering`]).
    ///
    /// This is the only place that knows the rule against re-entrance
    /// ([specification](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md#component-instance-state)),
    /// which a later version of the specification removes.
    #[inline]
    pub(crate) fn enter(
        &mut self,
        entered: impl Iterator<Item = InstanceKey> + Clone,
    ) -> std::result::Result<(), Stop> {
        for key in entered.clone() {
            let instance = self.instance(key);
            if std::mem::replace(&mut instance.is_entered, true) || instance.failure.is_some() {
                return Err(self.refuse(entered, key));
            }
        }
        Ok(())
    }

    /// Returns the error of a call that cannot get into instance `refused`, and forgets that it got into those before.
    #[cold]
    fn refuse(&mut self, entered: impl Iterator<Item = InstanceKey>, refused: InstanceKey) -> Stop {
        self.leave(entered.take_while(|key| *key != refused));
        let instance = self.instance(refused);
        match &instance.failure {
            Some(failure) => {
                let text = format!("cannot enter component instance, which failed earlier: {failure}");
                instance.is_entered = false;
                trap(text)
            }
            None => trap("cannot enter component instance: a call of it is active"),
        }
    }

    /// Returns the instances that a call of `callee` by `caller`, or by the host, gets into.
    pub(crate) fn entering(&self, callee: InstanceKey, caller: Option<InstanceKey>) -> Vec<InstanceKey> {
        entering(callee, caller, |key| self.instances[key.0 as usize].parent)
    }

    /// Notes that a call from outside returned.
    #[inline]
    pub(crate) fn leave(&mut self, entered: impl Iterator<Item = InstanceKey>) {
        for key in entered {
            self.instance(key).is_entered = false;
        }
    }

    /// Notes that a call from outside ended early.
    #[cold]
    pub(crate) fn fail(&mut self, entered: impl Iterator<Item = InstanceKey>, stop: &Stop) {
        let text = first_line(stop);
        for key in entered {
            let instance = self.instance(key);
            instance.is_entered = false;
            instance.may_leave = true;
            instance.failure.get_or_insert_with(|| text.clone());
        }
    }

    /// Returns the type in the store of a component's resource.
    #[inline]
    pub(crate) fn resource(&self, live: u32, id: ResourceId) -> ResourceKey {
        self.live[live as usize].resources[id.index()]
    }

    /// Adds a resource type, unless it is a type of the host that the store knows.
    pub(crate) fn add_resource(&mut self, info: ResourceInfo) -> ResourceKey {
        let key = ResourceKey(self.resources.len() as u32);
        if info.implementer.is_none() {
            if let Some(&known) = self.host_resources.get(&info.ty) {
                return known;
            }
            self.host_resources.insert(info.ty, key);
        }
        self.resources.push(info);
        key
    }

    /// Returns the handle table of an instance, or the embedder's.
    pub(crate) fn table(&mut self, owner: Option<InstanceKey>) -> &mut HandleTable {
        match owner {
            Some(key) => &mut self.instance(key).handles,
            None => &mut self.host,
        }
    }

    /// Returns the handle with an index, which must be of type `ty`.
    pub(crate) fn handle(&mut self, owner: InstanceKey, index: u32, ty: ResourceKey) -> Result<&mut Handle> {
        let found = self.instance(owner).handles.get(index)?.ty;
        if found != ty {
            return Err(self.wrong_type(index, ty, found));
        }
        self.instance(owner).handles.get(index)
    }

    #[cold]
    fn wrong_type(&self, index: u32, expected: ResourceKey, found: ResourceKey) -> AbiError {
        let is_guests = |key: ResourceKey| self.resources[key.0 as usize].implementer.is_some();
        let kind = |key| if is_guests(key) { "guest-defined resource" } else { "host-defined resource" };
        let other = if is_guests(expected) == is_guests(found) { "different " } else { "" };
        let (expected, found) = (kind(expected), kind(found));
        AbiError::trap(format!(
            "handle index {index} used with the wrong type, expected {expected} but found a {other}{found}"
        ))
    }

    /// Takes an owned resource out of an instance. Returns its representation.
    pub(crate) fn take_own(&mut self, owner: InstanceKey, index: u32, ty: ResourceKey) -> Result<u32> {
        let Handle { rep, lends, kind, .. } = *self.handle(owner, index, ty)?;
        if kind != HandleKind::Own {
            return Err(AbiError::trap(format!("handle index {index} is a borrow, expected an owned resource")));
        }
        if lends != 0 {
            return Err(AbiError::trap("cannot remove owned resource while borrowed"));
        }
        self.instance(owner).handles.remove(index);
        Ok(rep)
    }

    /// Gives an owned resource to an instance. Returns the index of its handle.
    pub(crate) fn give_own(&mut self, owner: InstanceKey, ty: ResourceKey, rep: u32) -> Result<u32> {
        self.instance(owner).handles.add(Handle { ty, rep, lends: 0, kind: HandleKind::Own })
    }
}

/// Returns the instances that a call of `callee` by `caller`, or by the host, gets into: the callee and those of its ancestors that are no
/// ancestors of the caller, the innermost first. `parent` returns the instance that contains another one.
pub(crate) fn entering<I: Copy + PartialEq>(callee: I, caller: Option<I>, parent: impl Fn(I) -> Option<I>) -> Vec<I> {
    let ancestors = |instance: Option<I>| std::iter::successors(instance, |instance| parent(*instance));
    let is_callers = |instance: &I| ancestors(caller).any(|ancestor| ancestor == *instance);
    ancestors(Some(callee)).take_while(|instance| !is_callers(instance)).collect()
}

/// Returns the first line of a stop's message, without the words that tell a trap.
fn first_line(stop: &Stop) -> Arc<str> {
    let text = stop.to_string();
    let line = text.lines().next().unwrap_or_default();
    Arc::from(line.strip_prefix("wasm trap: ").unwrap_or(line))
}

#[cold]
fn cannot_leave() -> Stop {
    trap("cannot leave component instance")
}
