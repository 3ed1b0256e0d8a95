//! Calls of host and instance functions, and every way in which they can end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmr_core::limits::MAX_NATIVE_DEPTH;
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_core::value::V128;
use wasmr_runtime::{Caller, ExternRef, Func, Instance, Linker, Rooted, Stop, StopKind, Val};

use crate::fake::{World, add_one, call_import, trap};

const IMPORTER: &str = r#"(module
    (import "host" "f" (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (param i32) (result i32) (call 0 (local.get 0))))"#;

#[test]
fn closures_of_every_shape_become_functions() {
    let world = World::new();
    let mut store = world.store(10u32);
    let plain = Func::wrap(&mut store, |a: i32, b: u64| (b, a));
    let mut results = [Val::I32(0), Val::I32(0)];
    plain.call(&mut store, &[Val::I32(-1), Val::I64(7)], &mut results).unwrap();
    assert_eq!(results, [Val::I64(7), Val::I32(-1)]);

    let with_data = Func::wrap(&mut store, |mut caller: Caller<'_, u32>, by: u32| {
        *caller.data_mut() += by;
        *caller.data()
    });
    let typed = with_data.typed::<u32, u32>(&store).unwrap();
    assert_eq!(typed.call(&mut store, 5).unwrap(), 15);
    assert_eq!(*store.data(), 15);

    let vectors = Func::wrap(&mut store, |a: V128, b: f32, c: V128| (c, b, a));
    let typed = vectors.typed::<(V128, f32, V128), (V128, f32, V128)>(&store).unwrap();
    let (one, two) = (V128::from_u128(1 << 100), V128::from_u128(2));
    assert_eq!(typed.call(&mut store, (one, 1.5, two)).unwrap(), (two, 1.5, one));

    let fallible = Func::wrap(&mut store, || -> Result<(), Stop> { Err(Stop::exit(3)) });
    assert_eq!(fallible.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap_err().exit_code(), Some(3));

    let ty = FuncType::new([ValType::F64], [ValType::F64, ValType::F64]);
    let dynamic = Func::new(&mut store, ty, |_: Caller<'_, u32>, params, results| {
        results.copy_from_slice(&[params[0], Val::F64(0)]);
        Ok(())
    });
    let mut results = [Val::I32(0); 2];
    dynamic.call(&mut store, &[Val::from(2.5)], &mut results).unwrap();
    assert_eq!(results[0].f64(), Some(2.5));
}

#[test]
fn numeric_functions_see_slots_and_cannot_leave_malformed_ones() {
    let world = World::new();
    let mut store = world.store(());
    let ty = FuncType::new([ValType::I32, ValType::I32], [ValType::I32]);
    let sum = Func::new_numeric(&mut store, ty, |_: Caller<'_, ()>, slots| {
        slots[0] = slots[0].wrapping_add(slots[1]) | 0xdead << 32;
        Ok(())
    });
    let mut results = [Val::I32(0)];
    sum.call(&mut store, &[Val::I32(2), Val::I32(3)], &mut results).unwrap();
    assert_eq!(results, [Val::I32(5)]);
    let identity = Func::wrap(&mut store, |n: u64| n);
    assert!(identity.typed::<u64, u32>(&store).is_err());
    let refs = FuncType::new([ValType::EXTERNREF], []);
    let made = catch_unwind(AssertUnwindSafe(|| Func::new_numeric(&mut store, refs, |_: Caller<'_, ()>, _| Ok(()))));
    assert!(made.is_err(), "a reference is not a number");
}

#[test]
fn wrong_arguments_are_errors_of_the_call() {
    let world = World::new();
    let mut store = world.store(());
    let func = Func::wrap(&mut store, |_: i32| {});
    let message = |params: &[Val], results: &mut [Val], store: &mut _| {
        let stop = func.call(store, params, results).unwrap_err();
        assert!(matches!(stop.kind(), StopKind::Host(_)));
        stop.to_string()
    };
    assert!(message(&[], &mut [], &mut store).contains("takes 1 parameter, not 0"));
    assert!(message(&[Val::I32(0)], &mut [Val::I32(0)], &mut store).contains("returns 0 results"));
    assert_eq!(message(&[Val::I64(0)], &mut [], &mut store), "parameter 0: expected a value of type i32, found i64");
    let mismatch = func.typed::<i64, ()>(&store).unwrap_err();
    assert_eq!(mismatch.to_string(), "expected a value of type (func (param i64)), found (func (param i32))");
}

#[test]
fn a_host_function_with_results_of_other_types_fails() {
    let world = World::new();
    let mut store = world.store(());
    let ty = FuncType::new([], [ValType::I32]);
    let liar = Func::new(&mut store, ty, |_: Caller<'_, ()>, _, results| {
        results[0] = Val::I64(1);
        Ok(())
    });
    let stop = liar.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
    assert_eq!(stop.to_string(), "result 0 of a host function: expected a value of type i32, found i64");
}

#[test]
fn a_trap_has_its_place() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(r#"(module $m (func $boom (export "run")))"#, &[trap]);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
    let stop = run.call(&mut store, ()).unwrap_err();
    assert_eq!(stop.trap_code(), Some(TrapCode::Unreachable));
    let backtrace = stop.backtrace().unwrap();
    assert_eq!((backtrace.frames.len(), backtrace.total), (1, 1));
    assert_eq!(backtrace.frames[0].func_name(), Some("boom"));
    assert_eq!(backtrace.frames[0].offset(), Some(0x2a));
    assert_eq!(stop.to_string(), "wasm trap: unreachable\nwasm backtrace:\n   0: 0x2a - test.wasm!boom");
}

#[test]
fn a_trap_of_a_host_function_gets_the_place_of_its_caller_and_keeps_an_inner_one() {
    let world = World::new();
    let mut store = world.store(());
    let importer = world.module(IMPORTER, &[call_import]);
    let mut linker = Linker::new();
    linker
        .func_wrap("host", "f", |_: i32| -> Result<i32, Stop> { Err(Stop::trap(TrapCode::IntegerOverflow)) })
        .unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    let stop = run.call(&mut store, 0).unwrap_err();
    assert_eq!(stop.trap_code(), Some(TrapCode::IntegerOverflow));
    assert_eq!(stop.backtrace().unwrap().frames[0].func_index(), 1);

    // host → importer → host → another module, which traps: the innermost place is reported.
    let inner = world.module(r#"(module (func) (func) (func (export "run")))"#, &[trap, trap, trap]);
    let inner = Instance::new(&mut store, &inner, &[]).unwrap().get_func(&store, "run").unwrap();
    let mut linker = Linker::new();
    linker
        .func_wrap("host", "f", move |mut caller: Caller<'_, ()>, _: i32| -> Result<i32, Stop> {
            inner.call(&mut caller, &[], &mut [])?;
            Ok(0)
        })
        .unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    let stop = run.call(&mut store, 0).unwrap_err();
    assert_eq!(stop.trap_code(), Some(TrapCode::Unreachable));
    assert_eq!(stop.backtrace().unwrap().frames[0].func_index(), 2);
}

#[test]
fn errors_of_the_host_arrive_unchanged() {
    #[derive(Debug, thiserror::Error)]
    #[error("no paper")]
    struct NoPaper(u32);

    let world = World::new();
    let mut store = world.store(());
    let importer = world.module(IMPORTER, &[call_import]);
    let mut linker = Linker::new();
    linker.func_wrap("host", "f", |n: u32| -> Result<i32, Stop> { Err(Stop::host(NoPaper(n))) }).unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_typed_func::<u32, u32>(&store, "run").unwrap();
    match run.call(&mut store, 9).unwrap_err().into_kind() {
        StopKind::Host(failure) => assert_eq!(failure.error().downcast_ref::<NoPaper>().unwrap().0, 9),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_of_a_host_function_passes_through_the_guest() {
    let world = World::new();
    let mut store = world.store(());
    let importer = world.module(IMPORTER, &[call_import]);
    let mut linker = Linker::new();
    linker.func_wrap("host", "f", |_: i32| -> i32 { panic!("of the host") }).unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    for _ in 0..2 {
        let payload = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 0))).unwrap_err();
        assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "of the host");
    }
    let fine = Func::wrap(&mut store, || 1i32);
    assert_eq!(fine.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 1, "the store is usable");
}

#[test]
fn host_and_guest_nest_to_a_limit_and_then_trap() {
    static DEEPEST: AtomicUsize = AtomicUsize::new(0);
    let world = World::new();
    let mut store = world.store(None::<Func>);
    let importer = world.module(IMPORTER, &[call_import]);
    let mut linker = Linker::new();
    linker
        .func_wrap("host", "f", |mut caller: Caller<'_, Option<Func>>, n: i32| -> Result<i32, Stop> {
            DEEPEST.fetch_max(n as usize, Ordering::Relaxed);
            let again = caller.data().unwrap();
            let mut results = [Val::I32(0)];
            again.call(&mut caller, &[Val::I32(n + 1)], &mut results)?;
            Ok(0)
        })
        .unwrap();
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let run = instance.get_func(&store, "run").unwrap();
    *store.data_mut() = Some(run);
    for _ in 0..3 {
        let stop = run.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(stop.trap_code(), Some(TrapCode::StackExhausted));
        assert!(!stop.backtrace().unwrap().frames.is_empty());
    }
    assert_eq!(DEEPEST.load(Ordering::Relaxed) + 1, MAX_NATIVE_DEPTH as usize);
}

#[test]
fn a_caller_knows_the_calling_instance() {
    let world = World::new();
    let mut store = world.store(vec![1u8, 2, 3]);
    let importer = world.module(IMPORTER, &[call_import]);
    let mut linker = Linker::new();
    linker
        .func_wrap("host", "f", |mut caller: Caller<'_, Vec<u8>>, at: i32| {
            assert!(caller.get_export("run").unwrap().into_func().is_some());
            assert!(caller.get_export("nothing").is_none());
            let (memory, data) = caller.memory_and_data();
            let memory = memory.unwrap().into_bytes().unwrap();
            memory[at as usize..][..3].copy_from_slice(data);
            data.push(4);
            memory.len() as i32
        })
        .unwrap();
    let first = linker.instantiate(&mut store, &importer).unwrap();
    let second = linker.instantiate(&mut store, &importer).unwrap();
    let run = second.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 8).unwrap(), 65536);
    assert_eq!(store.data().len(), 4);
    let memory = |instance: Instance| instance.get_memory(&store, "memory").unwrap();
    assert_eq!(memory(second).data(&store)[8..12], [1, 2, 3, 0]);
    assert!(memory(first).data(&store).iter().all(|&byte| byte == 0));

    let alone = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u8>>| {
        assert!(caller.get_export("memory").is_none());
        assert!(caller.module().is_none());
        assert!(caller.memory_and_data().0.is_none());
    });
    alone.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap();
}

#[test]
fn references_of_the_host_return_unchanged() {
    let world = World::new();
    let mut store = world.store(());
    let text = ExternRef::new(&mut store, String::from("kept")).unwrap();
    let identity = Func::wrap(&mut store, |r: Option<Rooted<ExternRef>>| r);
    let typed = identity.typed::<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>(&store).unwrap();
    let back = typed.call(&mut store, Some(text)).unwrap().unwrap();
    assert_eq!(back, text);
    assert_eq!(back.data(&store).unwrap().downcast_ref::<String>().unwrap(), "kept");
    assert_eq!(typed.call(&mut store, None).unwrap(), None);

    let pass = Func::wrap(&mut store, |f: Option<Func>| f);
    let mut results = [Val::I32(0)];
    pass.call(&mut store, &[Val::from(identity)], &mut results).unwrap();
    assert_eq!(results, [Val::from(identity)]);
}

#[test]
fn objects_of_another_store_are_refused() {
    let world = World::new();
    let (mut one, mut other) = (world.store(()), world.store(()));
    let func = Func::wrap(&mut one, || {});
    let taker = Func::wrap(&mut other, |_: Option<Func>| {});
    let panics = |body: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(body)).is_err();
    assert!(panics(&mut || drop(func.call(&mut other, &[], &mut []))));
    assert!(panics(&mut || drop(taker.call(&mut other, &[Val::from(func)], &mut []))));
    drop(one);
    let mut reborn = world.store(());
    assert!(panics(&mut || drop(func.call(&mut reborn, &[], &mut []))));
}

#[test]
fn everything_is_dropped_with_the_store() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let world = World::new();
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = || Counted(drops.clone());
    let mut store = world.store(counted());
    let captured = counted();
    Func::wrap(&mut store, move || {
        let _ = &captured;
    });
    ExternRef::new(&mut store, counted()).unwrap();
    let module = world.module(IMPORTER, &[add_one]);
    let f = Func::wrap(&mut store, |n: i32| n);
    Instance::new(&mut store, &module, &[f.into()]).unwrap();
    drop(store);
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&module.code), 1);

    let store = world.store(counted());
    let data = store.into_data();
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    drop(data);
    assert_eq!(drops.load(Ordering::Relaxed), 4);
}

#[test]
fn a_store_moves_to_another_thread_and_can_be_interrupted_from_here() {
    let world = World::new();
    let mut store = world.store(());
    let handle = store.interrupt_handle();
    let module = world.module("(module (func (export \"f\") (param i32) (result i32) unreachable))", &[add_one]);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    handle.interrupt();
    std::thread::spawn(move || {
        let f = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
        assert_eq!(f.call(&mut store, 1).unwrap_err().trap_code(), Some(TrapCode::Interrupted));
        assert!(store.interrupt_handle().is_interrupted());
        store.interrupt_handle().clear();
        assert_eq!(f.call(&mut store, 1).unwrap(), 2);
    })
    .join()
    .unwrap();
    assert!(!handle.is_interrupted());
}
