//! Memories: both backings, growth, limits, and the embedder's view.

use wasmr_core::types::MemoryType;
use wasmr_runtime::builtins::memory::{data_drop, memory_copy, memory_fill, memory_grow, memory_init};
use wasmr_runtime::sys::{FAULTS_BECOME_TRAPS, is_guarded_address};
use wasmr_runtime::vm::{Status, VmFunc, VmStore};
use wasmr_runtime::{GUARDED_SPACE, Instance, Memory, MemoryStrategy, ResourceError, Store, StoreConfig, StoreLimits};

use crate::fake::World;

const PAGE: usize = 65536;

fn ty(min: u64, max: Option<u64>, is64: bool) -> MemoryType {
    MemoryType { is64, ..MemoryType::new(min, max) }
}

fn store(memory: MemoryStrategy, max_memory_bytes: u64) -> Store<()> {
    let limits = StoreLimits { max_memory_bytes, ..StoreLimits::default() };
    Store::new(StoreConfig { memory, limits, ..World::new().config() }, ())
}

#[test]
fn pages_of_one_byte_count_as_bytes() {
    for is64 in [false, true] {
        let mut store = store(MemoryStrategy::Guarded, 100_000);
        let memory = Memory::new(&mut store, MemoryType { page_size_log2: 0, ..ty(3, None, is64) }).unwrap();
        assert!(!memory.is_guarded(&store), "no page of the processor ends after 3 bytes");
        assert_eq!((memory.size(&store), memory.data_size(&store)), (3, 3));
        memory.data_mut(&mut store).fill(0xaa);
        assert_eq!(memory.grow(&mut store, 2), Some(3));
        assert_eq!(memory.data(&store), [0xaa, 0xaa, 0xaa, 0, 0]);
        assert_eq!(memory.grow(&mut store, 99_996), None, "the store's limit");
        assert_eq!(memory.grow(&mut store, u64::MAX), None);
        assert_eq!(memory.grow(&mut store, 99_995), Some(5));
        assert!(memory.data(&store)[5..].iter().all(|&byte| byte == 0));
        assert!(memory.write(&mut store, 100_000, b"!").is_err());
    }
    // The most that `memory.size` can return with 32 bits.
    assert_eq!(MemoryType { page_size_log2: 0, ..ty(0, None, false) }.max_pages(), u32::MAX.into());
    assert_eq!([false, true].map(|is64| ty(0, None, is64).max_pages()), [1 << 16, 1 << 48]);
}

#[test]
fn a_memory_grows_and_fresh_bytes_are_zero() {
    for (strategy, is64) in
        [(MemoryStrategy::Guarded, false), (MemoryStrategy::Checked, false), (MemoryStrategy::Guarded, true)]
    {
        let mut store = store(strategy, 1 << 30);
        let memory = Memory::new(&mut store, ty(0, Some(20), is64)).unwrap();
        let guarded = FAULTS_BECOME_TRAPS && strategy == MemoryStrategy::Guarded && !is64;
        assert_eq!(memory.is_guarded(&store), guarded);
        assert_eq!((memory.size(&store), memory.data(&store).len()), (0, 0));
        assert_eq!(memory.grow(&mut store, 1), Some(0));
        let base = memory.data(&store).as_ptr();
        memory.data_mut(&mut store).fill(0xaa);
        assert_eq!(memory.grow(&mut store, 0), Some(1));
        assert_eq!(memory.grow(&mut store, 10), Some(1));
        let data = memory.data(&store);
        assert_eq!(data.len(), 11 * PAGE);
        assert!(data[..PAGE].iter().all(|&byte| byte == 0xaa) && data[PAGE..].iter().all(|&byte| byte == 0));
        if guarded {
            assert_eq!(data.as_ptr(), base, "the base of a guard-paged memory never moves");
        }
        assert_eq!(memory.grow(&mut store, 10), None, "beyond the declared maximum");
        assert_eq!(memory.grow(&mut store, u64::MAX), None);
        assert_eq!(memory.size(&store), 11);
        assert_eq!(memory.ty(&store), ty(0, Some(20), is64));
    }
}

#[test]
fn any_32_bit_address_and_offset_stay_in_the_reservation() {
    if !FAULTS_BECOME_TRAPS {
        return;
    }
    let mut store = store(MemoryStrategy::Guarded, 1 << 30);
    let memory = Memory::new(&mut store, ty(0, None, false)).unwrap();
    let base = memory.data(&store).as_ptr().addr();
    let farthest = u32::MAX as usize + u32::MAX as usize + 16;
    assert!(farthest < GUARDED_SPACE);
    assert!(is_guarded_address(base) && is_guarded_address(base + farthest));
    assert!(is_guarded_address(base - 1), "the guard in front is part of the reservation");
    drop(store);
}

#[test]
fn the_limit_is_over_all_memories_of_a_store() {
    for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
        let mut store = store(strategy, 10 * PAGE as u64);
        let first = Memory::new(&mut store, ty(4, None, false)).unwrap();
        let second = Memory::new(&mut store, ty(4, None, false)).unwrap();
        assert_eq!(first.grow(&mut store, 3), None);
        assert_eq!(second.grow(&mut store, 2), Some(4));
        assert_eq!(first.grow(&mut store, 1), None);
        assert_eq!(store.memory_bytes(), 10 * PAGE as u64);
        let error = Memory::new(&mut store, ty(1, None, false)).unwrap_err();
        assert!(matches!(error, ResourceError::MemoryLimit { .. }), "{error}");
    }
}

#[test]
fn absurd_sizes_are_errors_before_anything_is_mapped() {
    let mut store = store(MemoryStrategy::Guarded, u64::MAX);
    for pages in [1 << 48, u64::MAX / PAGE as u64, u64::MAX] {
        assert!(Memory::new(&mut store, ty(pages, None, true)).is_err());
    }
    assert_eq!(store.memory_bytes(), 0);
    let memory = Memory::new(&mut store, ty(1, None, true)).unwrap();
    assert_eq!(memory.grow(&mut store, 1 << 47), None, "the system refuses");
    assert_eq!(memory.grow(&mut store, 1), Some(1), "and nothing was lost");
}

#[test]
fn the_host_reads_and_writes_within_bounds() {
    let mut store = store(MemoryStrategy::Guarded, 1 << 30);
    let memory = Memory::new(&mut store, ty(1, None, false)).unwrap();
    memory.write(&mut store, 65533, &[1, 2, 3]).unwrap();
    let mut buffer = [0; 3];
    memory.read(&store, 65533, &mut buffer).unwrap();
    assert_eq!(buffer, [1, 2, 3]);
    assert!(memory.write(&mut store, 65534, &[1, 2, 3]).is_err());
    assert!(memory.read(&store, u64::MAX, &mut buffer).is_err());
    memory.read(&store, 65536, &mut []).unwrap();
    assert!(memory.read(&store, 65537, &mut []).is_err());
    assert_eq!(memory.data(&store)[65533], 1, "a refused write changes nothing");
}

#[test]
fn no_byte_of_an_earlier_guest_is_visible() {
    for _ in 0..50 {
        let mut store = store(MemoryStrategy::Guarded, 1 << 30);
        let memory = Memory::new(&mut store, ty(4, None, false)).unwrap();
        assert!(memory.data(&store).iter().all(|&byte| byte == 0));
        memory.data_mut(&mut store).fill(0xaa);
        memory.grow(&mut store, 2).unwrap();
        assert!(memory.data(&store)[4 * PAGE..].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn without_address_space_memories_are_checked_and_work() {
    const CHILD: &str = "WASMR_TEST_LIMITED_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let program = std::env::current_exe().unwrap();
        let this = "memories::without_address_space_memories_are_checked_and_work";
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 4000000 && exec \"$0\" --exact \"$1\" --test-threads=1"])
            .arg(program)
            .arg(this)
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let mut store = store(MemoryStrategy::Guarded, 1 << 30);
    let memory = Memory::new(&mut store, ty(1, None, false)).unwrap();
    assert!(!memory.is_guarded(&store));
    memory.write(&mut store, 5, b"x").unwrap();
    assert_eq!(memory.grow(&mut store, 1000), Some(1));
    assert_eq!(memory.data(&store)[5], b'x');
}

/// An entry that executes bulk operations on memory 0. Returns the outcomes as bits, the first one highest.
unsafe extern "C" fn bulk(_: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the instance of a running function is alive, with a memory and a passive data segment. The function has one
    // result.
    unsafe {
        let instance = (*func).instance;
        let outcomes = [
            memory_fill(instance, 0, 65530, 7, 6).is_ok(),
            memory_fill(instance, 0, 65530, 9, 7).is_ok(),
            memory_fill(instance, 0, u64::MAX, 9, 2).is_ok(),
            memory_init(instance, 0, 0, 0, 1, 3).is_ok(),
            memory_init(instance, 0, 0, 0, 2, 3).is_ok(),
            memory_copy(instance, 0, 0, 1, 0, 3).is_ok(),
            memory_copy(instance, 0, 0, 0, 65536, 1).is_ok(),
            memory_grow(instance, 0, 1) == 1,
            memory_grow(instance, 0, 1) == u64::from(u32::MAX),
            memory_fill(instance, 0, 65530, 8, 7).is_ok(),
        ];
        data_drop(instance, 0);
        let dropped = [
            memory_init(instance, 0, 0, 0, 0, 1).is_ok(),
            memory_init(instance, 0, 0, 0, 0, 0).is_ok(),
            memory_init(instance, 0, 0, 131073, 0, 0).is_ok(),
        ];
        let all = outcomes.iter().chain(&dropped);
        *slots = all.fold(0, |bits, &ok| bits << 1 | u64::from(ok));
    }
    Status::OK
}

#[test]
fn bulk_operations_check_their_ranges_first() {
    let world = World::new();
    let module = world.module(
        r#"(module (memory (export "memory") 1 2) (data "abcd") (func (export "run") (result i64) unreachable))"#,
        &[bulk],
    );
    for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
        let mut store = Store::new(StoreConfig { memory: strategy, ..world.config() }, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(), u64>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 0b1_0010_1011_1010);
        let memory = instance.get_memory(&store, "memory").unwrap();
        assert_eq!(memory.data(&store)[..4], *b"bbcd");
        assert_eq!(memory.data(&store)[65529..65538], [0, 8, 8, 8, 8, 8, 8, 8, 0]);
    }
}
