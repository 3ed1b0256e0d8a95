//! Shared memories: both backings, growth while other threads use them, limits, links, waits.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::MemoryType;
use wasmr_runtime::builtins::memory::{memory_copy, memory_fill, memory_grow, memory_init};
use wasmr_runtime::sys::FAULTS_BECOME_TRAPS;
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, VmStore};
use wasmr_runtime::{
    Caller, Extern, Instance, InstantiateError, Linker, Memory, MemoryStrategy, ResourceError, SharedMemory, Store,
    StoreConfig, StoreLimits, WaitResult,
};

use crate::fake::{NO_ENTRIES, World, call_import};

const PAGE: u64 = 65536;

fn ty(min: u64, max: u64) -> MemoryType {
    MemoryType { shared: true, ..MemoryType::new(min, Some(max)) }
}

fn config(memory: MemoryStrategy, max_memory_bytes: u64) -> StoreConfig {
    let limits = StoreLimits { max_memory_bytes, ..StoreLimits::default() };
    StoreConfig { memory, limits, ..World::new().config() }
}

const STRATEGIES: [MemoryStrategy; 2] = [MemoryStrategy::Guarded, MemoryStrategy::Checked];

#[test]
fn it_grows_in_place_up_to_its_maximum() {
    for strategy in STRATEGIES {
        let memory = SharedMemory::new(config(strategy, 1 << 30), ty(0, 20)).unwrap();
        assert_eq!(memory.is_guarded(), FAULTS_BECOME_TRAPS && strategy == MemoryStrategy::Guarded);
        assert_eq!((memory.size(), memory.data().len(), memory.grow(0)), (0, 0, Some(0)));
        assert_eq!(memory.grow(1), Some(0));
        let base = memory.data().as_ptr();
        memory.write(PAGE - 5, b"first").unwrap();
        assert_eq!((memory.grow(19), memory.grow(1), memory.grow(u64::MAX)), (Some(1), None, None));
        assert_eq!((memory.data().as_ptr(), memory.data().len() as u64), (base, 20 * PAGE), "the base never moves");
        let mut bytes = [1; 10];
        memory.read(PAGE - 5, &mut bytes).unwrap();
        assert_eq!(&bytes, b"first\0\0\0\0\0", "fresh pages are zero");
        memory.write(20 * PAGE - 1, &[7]).unwrap();
    }
}

#[test]
fn copies_of_any_alignment_and_size() {
    let memory = SharedMemory::new(World::new().config(), ty(1, 1)).unwrap();
    for start in 0..17 {
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8 + 1).collect();
            memory.write(start, &[0xff; 64]).unwrap();
            memory.write(start, &bytes).unwrap();
            let mut back = vec![0; len + 1];
            memory.read(start, &mut back).unwrap();
            assert_eq!((&back[..len], back[len]), (&bytes[..], 0xff));
        }
    }
    let outside = |address, len| {
        memory.read(address, &mut vec![0; len]).is_err() && memory.write(address, &vec![0; len]).is_err()
    };
    assert!(
        outside(PAGE, 1) && outside(PAGE - 1, 2) && outside(u64::MAX, 1) && outside(u64::MAX, 2) && !outside(PAGE, 0)
    );
}

#[test]
fn limits_bound_all_memories_of_a_guest() {
    for strategy in STRATEGIES {
        let config = config(strategy, 4 * PAGE);
        let error = SharedMemory::new(config.clone(), ty(5, 9)).unwrap_err();
        assert!(matches!(error, ResourceError::MemoryLimit { used: 0, .. }), "{error}");
        let mut first = Store::new(config, ());
        let mut second = Store::new(first.config_for_thread(), ());
        let shared = SharedMemory::new(second.config_for_thread(), ty(1, 9)).unwrap();
        let own = Memory::new(&mut first, MemoryType::new(2, None)).unwrap();
        assert_eq!((first.memory_bytes(), second.memory_bytes()), (3 * PAGE, 3 * PAGE));
        assert_eq!((shared.grow(2), own.grow(&mut first, 2)), (None, None), "one page is left");
        assert_eq!(shared.grow(1), Some(1));
        let error = Memory::new(&mut second, MemoryType::new(1, None)).unwrap_err();
        assert!(matches!(error, ResourceError::MemoryLimit { .. }), "{error}");
        drop(first);
        assert_eq!(second.memory_bytes(), 2 * PAGE, "a store returns its own memories");
        drop(shared);
        assert_eq!(second.memory_bytes(), 0);
    }
}

#[test]
fn each_kind_of_memory_has_its_constructor() {
    let unshared = SharedMemory::new(World::new().config(), MemoryType::new(1, Some(1))).unwrap_err();
    assert!(matches!(unshared, ResourceError::Sharing { shared: false }), "{unshared}");
    let shared = Memory::new(World::new().store(()), ty(1, 1)).unwrap_err();
    assert!(matches!(shared, ResourceError::Sharing { shared: true }), "{shared}");
}

#[test]
fn impossible_sizes_are_errors_and_large_maxima_are_not() {
    let is64 = |min, max| MemoryType { is64: true, ..ty(min, max) };
    let all = config(MemoryStrategy::Guarded, u64::MAX);
    let memory = SharedMemory::new(all.clone(), is64(1, 1 << 48)).unwrap();
    assert!(!memory.is_guarded());
    assert_eq!((memory.grow(1), memory.grow(1 << 47)), (Some(1), None));
    assert!(matches!(SharedMemory::new(all.clone(), is64(1 << 47, 1 << 48)), Err(ResourceError::System { .. })));
    assert!(matches!(SharedMemory::new(all, is64(u64::MAX, u64::MAX)), Err(ResourceError::MemoryLimit { .. })));
}

#[test]
fn pages_of_one_byte() {
    for is64 in [false, true] {
        let ty = MemoryType { is64, page_size_log2: 0, ..ty(3, 10_000) };
        let memory = SharedMemory::new(World::new().config(), ty).unwrap();
        assert!(!memory.is_guarded());
        assert_eq!((memory.grow(2), memory.grow(8000), memory.size()), (Some(3), Some(5), 8005));
        assert_eq!((memory.grow(1996), memory.data_size()), (None, 8005));
        assert!(memory.write(8004, &[1]).is_ok() && memory.write(8004, &[1; 2]).is_err());
    }
}

const MODULE: &str = r#"(module
    (import "env" "memory" (memory 1 4 shared))
    (import "env" "f" (func (param i32) (result i32)))
    (memory 1)
    (data $d "shared data")
    (export "memory" (memory 0))
    (export "own" (memory 1))
    (func (export "run") (param i32) (result i32) unreachable)
    (func (export "instance") (result i64) unreachable))"#;

/// An entry that returns the address of its instance.
unsafe extern "C" fn tell_instance(_: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the function has one result.
    unsafe { *slots = (*func).instance.expose_provenance() as u64 };
    Status::OK
}

/// Instantiates [`MODULE`] with a memory. `f` reads a byte of the memory through its caller.
fn instantiate(world: &World, store: &mut Store<()>, memory: &SharedMemory) -> Result<Instance, InstantiateError> {
    let module = world.module(MODULE, &[call_import, tell_instance]);
    let mut linker = Linker::new();
    linker.define("env", "memory", memory.clone()).unwrap();
    linker
        .func_wrap("env", "f", |mut caller: Caller<'_, ()>, at: i32| {
            let Some(wasmr_runtime::CallerMemory::Shared(memory)) = caller.memory_and_data().0 else { return -1 };
            let mut byte = [0];
            memory.read(at as u64, &mut byte).map_or(-2, |()| i32::from(byte[0]))
        })
        .unwrap();
    linker.instantiate(store, &module)
}

#[test]
fn instances_of_several_stores_see_one_memory() {
    for strategy in STRATEGIES {
        let world = World::new();
        let config = StoreConfig { memory: strategy, ..world.config() };
        let memory = SharedMemory::new(config.clone(), ty(1, 4)).unwrap();
        let mut first = Store::new(config.clone(), ());
        let mut second = Store::new(config, ());
        let instances = [&mut first, &mut second].map(|store| instantiate(&world, store, &memory).unwrap());
        let [a, b] = instances;
        assert_eq!(a.get_shared_memory(&first, "memory"), Some(memory.clone()));
        assert!(a.get_memory(&first, "memory").is_none() && a.get_shared_memory(&first, "own").is_none());
        assert!(a.get_memory(&first, "own").is_some());
        let run = b.get_typed_func::<i32, i32>(&second, "run").unwrap();
        memory.write(3, &[42]).unwrap();
        assert_eq!(run.call(&mut second, 3).unwrap(), 42);
        let vm = |instance: Instance, store: &mut Store<()>| {
            let tell = instance.get_typed_func::<(), i64>(&*store, "instance").unwrap();
            std::ptr::with_exposed_provenance_mut::<VmInstance>(tell.call(store, ()).unwrap() as usize)
        };
        let (a, b) = (vm(a, &mut first), vm(b, &mut second));
        // SAFETY: both instances are alive, no code runs, and the indices are those of the module.
        unsafe {
            assert_eq!(memory_grow(a, 0, 1), 1);
            assert_eq!(memory_fill(b, 0, PAGE, 9, PAGE), Ok(()), "the other store sees the growth");
            assert_eq!(memory_copy(a, 0, 0, 0, 2 * PAGE - 4, 4), Ok(()));
            assert_eq!(memory_copy(a, 1, 0, 0, 2 * PAGE - 4, 5), Err(TrapCode::MemoryOutOfBounds));
            assert_eq!(memory_init(b, 0, 0, 16, 0, 6), Ok(()));
            assert_eq!(memory_grow(b, 0, 3), u64::from(u32::MAX));
        }
        let mut bytes = [0; 22];
        memory.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\x09\x09\x09\x09\0\0\0\0\0\0\0\0\0\0\0\0shared");
        assert_eq!(run.call(&mut second, 2 * PAGE as i32 - 1).unwrap(), 9);
        assert_eq!(run.call(&mut second, 2 * PAGE as i32).unwrap(), -2);
    }
}

#[test]
fn an_import_matches_only_memories_of_its_kind() {
    let world = World::new();
    let mut store = world.store(());
    let link = |store: &mut Store<()>, text: &str, memory: Extern| {
        Instance::new(store, &world.module(text, NO_ENTRIES), &[memory]).map(drop).map_err(|error| error.to_string())
    };
    let shared = SharedMemory::new(world.config(), ty(1, 4)).unwrap();
    let own = Memory::new(&mut store, MemoryType::new(1, Some(4))).unwrap();
    let wants_shared = r#"(module (import "m" "m" (memory 1 4 shared)))"#;
    let wants_own = r#"(module (import "m" "m" (memory 1 4)))"#;
    assert_eq!(link(&mut store, wants_shared, shared.clone().into()), Ok(()));
    assert_eq!(link(&mut store, wants_own, own.into()), Ok(()));
    assert!(
        link(&mut store, wants_own, shared.clone().into())
            .unwrap_err()
            .contains("expected (memory 1 4), found (memory 1 4 shared)")
    );
    assert!(link(&mut store, wants_shared, own.into()).is_err());
    let larger = r#"(module (import "m" "m" (memory 2 4 shared)))"#;
    assert!(link(&mut store, larger, shared.clone().into()).is_err());
    shared.grow(1).unwrap();
    assert_eq!(link(&mut store, larger, shared.into()), Ok(()), "the current size counts");
}

#[test]
fn an_instance_keeps_a_memory_that_it_defines() {
    let world = World::new();
    let mut store = world.store(());
    let module = world.module(r#"(module (memory (export "m") 1 2 shared) (data (i32.const 1) "x"))"#, NO_ENTRIES);
    let [one, other] =
        [(); 2].map(|()| Instance::new(&mut store, &module, &[]).unwrap().get_shared_memory(&store, "m").unwrap());
    assert_ne!(one, other);
    assert_eq!(store.memory_bytes(), 2 * PAGE);
    let mut byte = [0];
    one.read(1, &mut byte).unwrap();
    assert_eq!(byte, *b"x");
    let config = store.config_for_thread();
    drop(store);
    assert_eq!(other.grow(1), Some(1), "it outlives the store");
    drop((one, other));
    assert_eq!(Store::new(config, ()).memory_bytes(), 0);
}

#[test]
fn threads_that_grow_at_once_get_each_page_once() {
    for strategy in STRATEGIES {
        let memory = SharedMemory::new(config(strategy, 150 * PAGE), ty(0, 200)).unwrap();
        let mut got: Vec<u64> = thread::scope(|scope| {
            let grow = || {
                (0..100)
                    .filter_map(|_| {
                        let page = memory.grow(1)?;
                        memory.write(page * PAGE, &[1]).unwrap();
                        assert!(memory.data_size() as u64 > page * PAGE);
                        Some(page)
                    })
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(grow)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        got.sort_unstable();
        assert_eq!(got, (0..150).collect::<Vec<_>>());
    }
}

#[test]
fn waits_and_notifications() {
    let memory = SharedMemory::new(World::new().config(), ty(1, 1)).unwrap();
    let soon = Some(Duration::from_millis(1));
    memory.write(8, &5u64.to_le_bytes()).unwrap();
    assert_eq!(memory.atomic_wait32(8, 5, soon), Ok(WaitResult::TimedOut));
    assert_eq!(memory.atomic_wait32(8, 4, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait64(8, 5, soon), Ok(WaitResult::TimedOut));
    assert_eq!(memory.atomic_wait64(8, 5 << 32, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait32(2, 0, soon), Err(TrapCode::UnalignedAtomic));
    assert_eq!(memory.atomic_wait64(4, 0, soon), Err(TrapCode::UnalignedAtomic));
    assert_eq!(memory.atomic_wait32(PAGE, 0, soon), Err(TrapCode::MemoryOutOfBounds));
    assert_eq!(memory.atomic_wait64(u64::MAX - 7, 0, soon), Err(TrapCode::MemoryOutOfBounds));
    assert_eq!(
        (memory.atomic_notify(PAGE, 1), memory.atomic_notify(1, 1)),
        (Err(TrapCode::MemoryOutOfBounds), Err(TrapCode::UnalignedAtomic))
    );
    thread::scope(|scope| {
        let waiter = scope.spawn(|| memory.atomic_wait32(8, 5, None));
        while memory.atomic_notify(8, u32::MAX) == Ok(0) {
            thread::yield_now();
        }
        assert_eq!(waiter.join().unwrap(), Ok(WaitResult::Ok));
    });
    // Cells give atomics to the embedder.
    let cell = &memory.data()[8];
    // SAFETY: the cell lives as long as the memory, and every access is atomic.
    assert_eq!(unsafe { AtomicU8::from_ptr(cell.get()) }.fetch_add(1, Ordering::SeqCst), 5);
    let mut byte = [0];
    memory.read(8, &mut byte).unwrap();
    assert_eq!(byte, [6]);
}
