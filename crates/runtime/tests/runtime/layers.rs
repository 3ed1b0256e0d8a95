//! The interface for a layer above the runtime: functions in slabs, calls over slots, state beside the embedder's data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasmr_core::limits::MAX_NATIVE_DEPTH;
use wasmr_core::registry::Types;
use wasmr_core::types::{FuncType, Limits, MemoryType, ValType};
use wasmr_module::ExternKind;
use wasmr_runtime::{
    AsContextMut, Extern, HostSlab, Instance, Memory, MemoryPair, Parts, SlabFuncType, Stop, Store, StoreContextMut,
};

use crate::fake::{World, add_one, call_import};

const IMPORTER: &str = r#"(module
    (import "host" "f" (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (param i32) (result i32) (call 0 (local.get 0))))"#;

fn memory(store: &mut Store<u32>, pages: u64) -> Memory {
    let limits = Limits { min: pages, max: None };
    let ty = MemoryType { limits, shared: false, is64: false, page_size_log2: 16 };
    Memory::new(store, ty).unwrap()
}

/// Returns a slab of three functions, of which number `n` adds `n` times the store's data, and number 2 fails.
fn slab(store: &mut Store<u32>) -> HostSlab {
    let mut types = Types::new(store.registry());
    let id = types.intern_func(FuncType::new([ValType::I32], [ValType::I32]));
    let types = Arc::new(types);
    let call = move |context: StoreContextMut<'_, u32>, number: u32, slots: &mut [u64]| {
        let _owner = &types;
        if number == 2 {
            return Err(Stop::host("the third function fails"));
        }
        slots[0] = u64::from((slots[0] as u32).wrapping_add(number * *context.data()));
        Ok(())
    };
    // SAFETY: the closure owns the type, which takes one slot, and leaves a zero-extended result.
    unsafe { HostSlab::new(store, &[SlabFuncType { id, arg_slots: 1 }; 3], call) }
}

#[test]
fn functions_of_a_slab_get_their_number() {
    let world = World::new();
    let mut store = world.store(10u32);
    let slab = slab(&mut store);
    let mut slots = [5];
    for (number, expected) in [(0, 5), (1, 15), (1, 25)] {
        // SAFETY: the function has one parameter, an `i32`.
        unsafe { slab.get(&store, number).call_slots(&mut store, &mut slots).unwrap() };
        assert_eq!(slots, [expected]);
    }
    // SAFETY: as above.
    let stop = unsafe { slab.get(&store, 2).call_slots(&mut store, &mut slots) }.unwrap_err();
    assert_eq!(stop.to_string(), "the third function fails");
    assert!(catch_unwind(AssertUnwindSafe(|| slab.get(&store, 3))).is_err());
    // SAFETY: as above; the slots are too few, which is checked.
    assert!(catch_unwind(AssertUnwindSafe(|| unsafe { slab.get(&store, 1).call_slots(&mut store, &mut []) })).is_err());

    let loaded = world.module(IMPORTER, &[call_import]);
    let func = slab.get(&store, 1);
    let instance = Instance::new(&mut store, &loaded, &[func.into()]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 7).unwrap(), 17);
}

#[test]
fn calls_over_slots_end_at_the_deepest_nesting() {
    let world = World::new();
    let mut store = world.store(0u32);
    let loaded = world.module(r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#, &[add_one]);
    let instance = Instance::new(&mut store, &loaded, &[]).unwrap();
    let Extern::Func(func) = instance.object(&store, ExternKind::Func, 0) else { panic!("it is a function") };
    let mut slots = [u64::from(u32::MAX)];
    // SAFETY: the function has one parameter, an `i32`.
    unsafe { func.call_slots(&mut store, &mut slots).unwrap() };
    assert_eq!(slots, [0]);
    assert!(catch_unwind(AssertUnwindSafe(|| instance.object(&store, ExternKind::Func, 1))).is_err());

    fn deeper(context: &mut StoreContextMut<'_, u32>, id: wasmr_core::types::TypeId) -> Result<(), Stop> {
        *context.data_mut() += 1;
        let call = move |mut context: StoreContextMut<'_, u32>, _: u32, _: &mut [u64]| deeper(&mut context, id);
        // SAFETY: the store of the test keeps the type, which takes no slots.
        unsafe {
            let slab = HostSlab::new(&mut *context, &[SlabFuncType { id, arg_slots: 0 }], call);
            let func = slab.get(&*context, 0);
            func.call_slots(context, &mut [])
        }
    }
    let id = Types::new(store.registry()).intern_func(FuncType::new([], []));
    let stop = deeper(&mut store.as_context_mut(), id).unwrap_err();
    assert_eq!(stop.trap_code(), Some(wasmr_core::trap::TrapCode::StackExhausted));
    assert_eq!(*store.data(), MAX_NATIVE_DEPTH + 1);
}

#[test]
fn state_memory_and_data_are_borrowed_together() {
    let world = World::new();
    let mut store = world.store(3u32);
    let first = memory(&mut store, 1);
    let second = memory(&mut store, 2);
    *store.as_context_mut().extension::<u64>() = 7;
    let Parts { memory, extension, data } = store.as_context_mut().into_parts::<u64>(Some(first));
    assert_eq!((memory.len(), *extension, *data), (1 << 16, 7, 3));
    memory[0] = 1;
    *extension += 1;
    *data += 1;
    let Parts { memory, extension, data: () } = store.as_context_mut().without_data().into_parts::<u64>(None);
    assert_eq!((memory.len(), *extension, *store.data()), (0, 8, 4));

    match first.with_target(&mut store, second) {
        MemoryPair::Two(from, to) => to[1] = from[0],
        MemoryPair::Same(_) => panic!("they are two"),
    }
    assert_eq!(second.data(&store)[..2], [0, 1]);
    assert!(matches!(first.with_target(&mut store, first), MemoryPair::Same(bytes) if bytes.len() == 1 << 16));
    assert!(catch_unwind(AssertUnwindSafe(|| *store.as_context_mut().extension::<u8>())).is_err());
}
