//! Exceptions and host references: through host functions, through guests, and under the collector.

use wasmr_core::types::{FuncType, GlobalType, Limits, RefType, TableType, ValType};
use wasmr_runtime::builtins::exception::{exception_new, exception_payload, exception_tag};
use wasmr_runtime::vm::{Status, VmFunc, VmStore};
use wasmr_runtime::{
    Caller, ExnRef, Extern, ExternRef, Func, Global, Instance, ResourceError, Rooted, Stop, StopKind, Store,
    StoreConfig, StoreLimits, Table, Tag, Val,
};

use crate::fake::{World, call_import};

/// An entry that throws an exception of the module's tag 0 with its own arguments.
unsafe extern "C" fn throw(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, and its tag 0 has the function's parameters.
    unsafe {
        (*store).pending_exception = exception_new((*func).instance, 0, slots);
        (*store).exit_fp = wasmr_runtime::frame::Fp::new(func.cast());
    }
    Status::THROW
}

/// An entry that creates as many exceptions as its argument says and keeps none. Returns the payload of the last.
unsafe extern "C" fn churn(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, and the payload of its tag 0 is one slot.
    unsafe {
        let mut last = 0;
        for number in 0..*slots {
            last = exception_new((*func).instance, 0, &number);
            assert!(!exception_tag(store, last).is_null(), "it is new");
        }
        assert!(exception_tag(store, 0).is_null() && exception_tag(store, 12345).is_null());
        exception_payload(store, last, slots);
    }
    Status::OK
}

/// An entry that creates an exception with its only reference on the value stack, and as many others as its argument says.
/// Returns two bits: the exception is alive while the reference is there, and after it is gone.
unsafe extern "C" fn on_the_stack(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive. The value stack is mapped during a call, and this tier has no frames
    // on it.
    unsafe {
        let exception = exception_new((*func).instance, 0, &7);
        let slot = (*store).stack_base.add(1000);
        let alive_after_churn = || {
            // A freed cell gets another payload.
            for number in 0..*slots {
                exception_new((*func).instance, 0, &(100 + number));
            }
            let mut payload = 0;
            exception_payload(store, exception, &mut payload);
            u64::from(payload == 7)
        };
        *slot = exception;
        let alive = alive_after_churn();
        *slot = 0;
        *slots = alive << 1 | alive_after_churn();
    }
    Status::OK
}

/// An entry that creates exceptions of which each holds the one before, until the limit. Returns their number.
unsafe extern "C" fn chain(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, and the payload of its tag 0 is one reference.
    unsafe {
        let (mut count, mut last) = (0, 0);
        loop {
            (*store).pending_exception = last;
            let next = exception_new((*func).instance, 0, &last);
            if next == 0 {
                break;
            }
            (count, last) = (count + 1, next);
        }
        *slots = count;
        (*store).pending_exception = 0;
    }
    Status::OK
}

const THROWER: &str = r#"(module
    (tag $e (export "e") (param i32 i64))
    (func (export "run") (param i32 i64) unreachable))"#;

#[test]
fn an_uncaught_exception_arrives_with_its_arguments() {
    let world = World::new();
    let mut store = world.store(());
    let instance = Instance::new(&mut store, &world.module(THROWER, &[throw]), &[]).unwrap();
    let run = instance.get_typed_func::<(i32, i64), ()>(&store, "run").unwrap();
    let stop = run.call(&mut store, (-3, 1 << 40)).unwrap_err();
    assert_eq!(stop.backtrace().unwrap().frames.len(), 1);
    let StopKind::Throw(throw) = stop.into_kind() else { panic!("not a throw") };
    let tag = instance.get_export(&store, "e").and_then(Extern::into_tag).unwrap();
    assert_eq!(throw.exception.tag(&store), Some(tag));
    assert_eq!(throw.exception.arguments(&mut store), Some(vec![Val::I32(-3), Val::I64(1 << 40)]));
    assert_eq!(throw.exception.describe(&store).unwrap(), "i32, i64");
}

#[test]
fn a_host_function_throws_and_passes_exceptions_on() {
    let world = World::new();
    let mut store = world.store(None::<(Tag, Func)>);
    let tag = Tag::new(&mut store, FuncType::new([ValType::F64], []));
    let thrower = Func::wrap(&mut store, |mut caller: Caller<'_, Option<(Tag, Func)>>| -> Result<(), Stop> {
        let tag = caller.data().unwrap().0;
        let exception = ExnRef::new(&mut caller, tag, &[Val::from(1.5)]).map_err(Stop::host)?;
        Err(Stop::throw(exception))
    });
    *store.data_mut() = Some((tag, thrower));
    let module = world.module(r#"(module (import "h" "f" (func)) (func (export "run") (call 0)))"#, &[call_import]);
    // guest → host function, which calls a host function that throws, and passes the exception on.
    let relay = Func::wrap(&mut store, |mut caller: Caller<'_, Option<(Tag, Func)>>| -> Result<(), Stop> {
        let thrower = caller.data().unwrap().1;
        thrower.call(&mut caller, &[], &mut [])
    });
    let instance = Instance::new(&mut store, &module, &[relay.into()]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
    let StopKind::Throw(throw) = run.call(&mut store, ()).unwrap_err().into_kind() else { panic!("not a throw") };
    assert_eq!(throw.exception.tag(&store), Some(tag));
    assert_eq!(throw.exception.arguments(&mut store), Some(vec![Val::from(1.5)]));
    assert!(ExnRef::new(&mut store, tag, &[]).is_err());
    assert!(ExnRef::new(&mut store, tag, &[Val::I32(1)]).is_err());
}

#[test]
fn a_guest_that_throws_for_ever_stays_within_bounds() {
    let world = World::new();
    // A tenth of the bytes of all exceptions together.
    let limits = StoreLimits { max_gc_heap_bytes: 4 << 20, ..StoreLimits::default() };
    let mut store = Store::new(StoreConfig { limits, ..world.config() }, ());
    let module = world
        .module(r#"(module (tag (param i64)) (func (export "run") (param i64) (result i64) unreachable))"#, &[churn]);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<u64, u64>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 800_000).unwrap(), 799_999);
}

#[test]
fn the_value_stack_keeps_objects_alive() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(
        r#"(module (tag (param i64)) (func (export "run") (param i64) (result i64) unreachable))"#,
        &[on_the_stack],
    );
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<u64, u64>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 1_000_000).unwrap(), 0b10);
}

#[test]
fn reachable_exceptions_are_bounded_by_the_limit() {
    let world = World::new();
    let limits = StoreLimits { max_gc_heap_bytes: 1 << 20, ..StoreLimits::default() };
    let mut store = Store::new(StoreConfig { limits, ..world.config() }, ());
    let module =
        world.module(r#"(module (tag (param exnref)) (func (export "run") (result i64) unreachable))"#, &[chain]);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), u64>(&store, "run").unwrap();
    let count = run.call(&mut store, ()).unwrap();
    assert!((5_000..1 << 18).contains(&count), "{count}");
    assert_eq!(run.call(&mut store, ()).unwrap(), count, "nothing of the first chain is left");
}

#[test]
fn an_exception_without_room_is_reported_as_that() {
    let world = World::new();
    let limits = StoreLimits { max_gc_heap_bytes: 16, ..StoreLimits::default() };
    let mut store = Store::new(StoreConfig { limits, ..world.config() }, ());
    let instance = Instance::new(&mut store, &world.module(THROWER, &[throw]), &[]).unwrap();
    let run = instance.get_typed_func::<(i32, i64), ()>(&store, "run").unwrap();
    let StopKind::Host(failure) = run.call(&mut store, (0, 0)).unwrap_err().into_kind() else {
        panic!("no host error")
    };
    assert!(matches!(failure.error().downcast_ref(), Some(ResourceError::HeapLimit { limit: 16 })));
}

/// Creates garbage until the store must have collected.
fn collect(store: &mut Store<()>) {
    store.scope(|store| {
        let churn = Func::wrap(&mut *store, |mut caller: Caller<'_, ()>| {
            ExternRef::new(&mut caller, [0u8; 1000]).unwrap();
        });
        let churn = churn.typed::<(), ()>(&*store).unwrap();
        // More bytes than those of the stack that the collector reads.
        for _ in 0..20_000 {
            churn.call(&mut *store, ()).unwrap();
        }
    });
}

#[test]
fn reachable_objects_survive_and_others_do_not() {
    let world = World::new();
    let mut store = world.store(());
    let (table, globals, owned, lost) = store.scope(|store| {
        let mut value = |n: u32| ExternRef::new(&mut *store, n).unwrap();
        let [in_table, in_global, in_exception, owned, lost] = [1, 2, 3, 4, 5].map(&mut value);
        let owned = owned.to_owned_rooted(&mut *store).unwrap();
        let ty = TableType { limits: Limits { min: 2, max: None }, is64: false, element: RefType::EXTERNREF };
        let table = Table::new(&mut *store, ty, Val::ExternRef(None)).unwrap();
        table.set(&mut *store, 1, in_table.into()).unwrap();
        let ty = |content| GlobalType { content, mutable: true };
        let global = Global::new(&mut *store, ty(ValType::EXTERNREF), in_global.into()).unwrap();
        let tag = Tag::new(&mut *store, FuncType::new([ValType::EXTERNREF], []));
        let exception = ExnRef::new(&mut *store, tag, &[in_exception.into()]).unwrap();
        let holder = Global::new(&mut *store, ty(ValType::EXNREF), exception.into()).unwrap();
        (table, [global, holder], owned, lost)
    });
    collect(&mut store);
    let in_table = table.get(&mut store, 1).unwrap();
    let in_global = globals[0].get(&mut store);
    let Val::ExnRef(Some(exception)) = globals[1].get(&mut store) else { panic!("no exception") };
    let in_exception = exception.arguments(&mut store).unwrap()[0];
    for (number, kept) in [(1, in_table), (2, in_global), (3, in_exception), (4, owned.to_rooted(&mut store).into())] {
        let Val::ExternRef(Some(kept)) = kept else { panic!("{kept:?}") };
        assert_eq!(kept.data(&store).unwrap().downcast_ref::<u32>(), Some(&number));
    }
    assert!(lost.data(&store).is_none());
    let taker = Func::wrap(&mut store, |_: Option<Rooted<ExternRef>>| {});
    let stop = taker.call(&mut store, &[Val::from(lost)], &mut []).unwrap_err();
    assert!(matches!(stop.kind(), StopKind::Host(_)), "a reference without a scope is no value");
    let typed = taker.typed::<Option<Rooted<ExternRef>>, ()>(&store).unwrap();
    let stop = typed.call(&mut store, Some(lost)).unwrap_err();
    assert!(stop.to_string().contains("its handle scope has ended"), "{stop}");
}

#[test]
fn handles_outside_of_scopes_survive() {
    let world = World::new();
    let mut store = world.store(());
    let held = ExternRef::new(&mut store, 9u32).unwrap();
    collect(&mut store);
    assert_eq!(held.data(&store).unwrap().downcast_ref::<u32>(), Some(&9));
}

#[test]
fn globals_of_an_instance_keep_objects_alive() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(r#"(module (global (export "g") (mut externref) (ref.null extern)))"#, &[]);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let global = instance.get_global(&store, "g").unwrap();
    store.scope(|store| {
        let value = ExternRef::new(&mut *store, 11u32).unwrap();
        global.set(&mut *store, value.into()).unwrap();
    });
    collect(&mut store);
    let Val::ExternRef(Some(value)) = global.get(&mut store) else { panic!("no reference") };
    assert_eq!(value.data(&store).unwrap().downcast_ref::<u32>(), Some(&11));
}
