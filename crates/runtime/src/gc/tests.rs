//! Tests of the heap without a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmr_core::layout::Layout;
use wasmr_core::registry::{RecGroup, TypeRegistry, Types};
use wasmr_core::types::{CompositeType, FieldType, StorageType, SubType, ValType};

use super::*;
use crate::vm_gc::{CELL_SIZES, LARGEST_CELL};

/// A heap with the descriptors of a struct type with a reference, an array type of references and one of bytes.
struct World {
    heap: GcHeap,
    vm: VmHeap,
    pair: u32,
    list: u32,
    bytes: u32,
    types: Types,
    registry: Arc<TypeRegistry>,
}

/// Offset of the reference in a pair.
const NEXT: u32 = 8;

impl World {
    fn new(limit: usize) -> World {
        World::sharing(limit, SharedUsage::default())
    }

    /// Returns a world whose heap shares its limit with others.
    fn sharing(limit: usize, usage: SharedUsage) -> World {
        World::with(GcHeap::new(limit, usage, false))
    }

    fn with(mut heap: GcHeap) -> World {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let mut vm = VmHeap::absent();
        let any = FieldType { storage: StorageType::Val(ValType::ANYREF), mutable: true };
        let byte = FieldType { storage: StorageType::I8, mutable: true };
        let mut make = |composite| {
            let ty = SubType { is_final: true, supertype: None, composite };
            let id = types.intern(RecGroup { types: vec![ty.clone()] }).unwrap();
            heap.descriptor(&mut vm, &registry, id, &Layout::of(&registry, &ty).unwrap()).unwrap()
        };
        let pair = make(CompositeType::Struct([any].into()));
        let (list, bytes) = (make(CompositeType::Array(any)), make(CompositeType::Array(byte)));
        World { heap, vm, pair, list, bytes, types, registry }
    }

    /// Makes a pair that refers to `next`, if there is room without a collection.
    fn pair(&mut self, next: u32) -> Option<u32> {
        let pair = self.heap.allocate(&mut self.vm, 16, self.pair, 0)?;
        self.heap.bytes_mut(pair + NEXT, 4).copy_from_slice(&next.to_le_bytes());
        Some(pair)
    }

    fn list(&mut self, items: &[u32]) -> u32 {
        let list = self.heap.allocate(&mut self.vm, 8 + 4 * items.len() as u32, self.list, items.len() as u32).unwrap();
        let bytes: Vec<u8> = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        self.heap.bytes_mut(list + 8, bytes.len()).copy_from_slice(&bytes);
        list
    }

    fn collect(&mut self, roots: &[u64]) {
        drop(self.heap.collect(&mut self.vm, |marker| marker.slots(roots)));
    }

    fn collect_native(&mut self, words: &[u64]) {
        drop(self.heap.collect(&mut self.vm, |marker| marker.native_words(words)));
    }
}

#[test]
fn reachable_objects_survive() {
    let mut world = World::new(1 << 30);
    let inner = world.pair(0).unwrap();
    let outer = world.pair(inner).unwrap();
    world.pair(outer).unwrap();
    let list = world.list(&[0, outer, 7]);
    world.collect(&[0, 77, list.into()]);
    assert_eq!(world.heap.count(), 3);
    assert_eq!(world.heap.kind(inner.into()).unwrap().0, Kind::STRUCT);
    assert_eq!(world.heap.kind(list.into()).unwrap().0, Kind::ARRAY);
    world.collect(&[]);
    assert_eq!(world.heap.count(), 0);
}

#[test]
fn cycles_are_freed() {
    let mut world = World::new(1 << 30);
    let first = world.pair(0).unwrap();
    let second = world.pair(first).unwrap();
    world.heap.bytes_mut(first + NEXT, 4).copy_from_slice(&second.to_le_bytes());
    world.collect(&[second.into()]);
    assert_eq!(world.heap.count(), 2);
    world.collect(&[]);
    assert_eq!(world.heap.count(), 0);
}

#[test]
fn a_word_inside_an_object_keeps_it_on_the_native_stack() {
    let mut world = World::new(1 << 30);
    let base = world.vm.base.addr() as u64;
    for word in
        [|at: u32, _| u64::from(at) + 12, |at: u32, _| u64::from(at) << 32, |at: u32, base| base + u64::from(at) + 9]
    {
        let pair = world.pair(0).unwrap();
        world.collect_native(&[word(pair, base)]);
        assert_eq!(world.heap.count(), 1);
        // Slots of the interpreter have references only.
        world.collect(&[u64::from(pair) + 8]);
        assert_eq!(world.heap.count(), 0);
    }
    let list = world.list(&[0; 40_000]);
    world.collect_native(&[u64::from(list) + 100_000]);
    assert_eq!(world.heap.count(), 1);
}

#[test]
fn freed_cells_are_used_again() {
    let mut world = World::new(1 << 30);
    let mut kept = Vec::new();
    for round in 0..40 {
        while let Some(pair) = world.pair(0) {
            if pair % 48 == 0 && kept.len() < 20_000 {
                kept.push(u64::from(pair));
            }
        }
        world.collect(&kept);
        assert_eq!(world.heap.count() as usize, kept.len(), "round {round}");
    }
    assert!(world.heap.used_bytes() < 3 * MIN_BUDGET, "{}", world.heap.used_bytes());
}

#[test]
fn objects_of_all_sizes_do_not_overlap() {
    let mut world = World::new(1 << 30);
    let mut objects: Vec<(u32, usize, u8)> = Vec::new();
    let sizes = CELL_SIZES.iter().flat_map(|&size| [size - 8, size]).chain([LARGEST_CELL + 8, 100_000, 33_000]);
    for (number, size) in sizes.cycle().take(400).enumerate() {
        let len = size - 8;
        let roots: Vec<u64> = objects.iter().map(|&(at, ..)| at.into()).collect();
        let object = world.heap.allocate(&mut world.vm, size, world.bytes, len).unwrap_or_else(|| {
            world.collect(&roots);
            world.heap.allocate(&mut world.vm, size, world.bytes, len).unwrap()
        });
        world.heap.bytes_mut(object + 8, len as usize).fill(number as u8);
        objects.push((object, len as usize, number as u8));
        if number % 7 == 0 {
            objects.swap_remove(number / 3 % objects.len());
        }
    }
    for &(at, len, byte) in &objects {
        assert!(world.heap.bytes(at + 8, len).iter().all(|&found| found == byte), "{len}");
    }
}

#[test]
fn the_limit_holds() {
    let limit = 1 << 20;
    let mut world = World::new(limit);
    let mut last = 0;
    loop {
        let next = world.pair(last).or_else(|| {
            world.collect(&[last.into()]);
            world.pair(last)
        });
        match next {
            Some(pair) => last = pair,
            None => break,
        }
    }
    assert!(world.heap.used_bytes() <= limit);
    assert!(world.heap.count() as usize * 16 > limit / 2);
    world.collect(&[]);
    assert!(world.pair(0).is_some());
    assert!(world.heap.allocate(&mut world.vm, 2 << 20, world.bytes, 0).is_none());
}

#[test]
fn heaps_of_one_guest_share_the_limit() {
    let (limit, usage) = (4 << 20, SharedUsage::default());
    let mut one = World::sharing(limit, usage.clone());
    let mut two = World::sharing(limit, usage.clone());
    let fill = |world: &mut World| (0..).take_while(|_| world.pair(0).is_some()).count() * 16;
    let first = fill(&mut one);
    assert!(first > limit / 2, "{first}");
    assert!(fill(&mut two) < limit - first);
    let stats = usage.gc_stats().unwrap();
    assert_eq!(stats.bytes, one.heap.used_bytes() + two.heap.used_bytes());
    assert!(stats.bytes <= limit && stats.peak_bytes == stats.bytes);
    // A collection in one heap makes room for the other, and so does its end.
    two.collect(&[]);
    one.collect(&[]);
    two.collect(&[]);
    let second = fill(&mut two);
    assert!(second > limit / 2, "{second}");
    drop(two);
    assert_eq!(usage.gc_stats().unwrap().bytes, one.heap.used_bytes());
    assert!(fill(&mut one) > limit / 2);
}

#[test]
fn a_long_list_needs_no_deep_stack() {
    let mut world = World::new(1 << 30);
    let mut last = 0;
    for _ in 0..200_000 {
        last = world.pair(last).unwrap_or_else(|| {
            world.collect(&[last.into()]);
            world.pair(last).unwrap()
        });
    }
    world.collect(&[last.into()]);
    assert_eq!(world.heap.count(), 200_000);
}

#[test]
fn more_objects_than_the_marker_remembers_are_found() {
    let mut world = World::new(1 << 30);
    let items: Vec<u32> = (0..2000)
        .map(|_| {
            let inner = world.pair(0).unwrap();
            world.pair(inner).unwrap()
        })
        .collect();
    let list = world.list(&items);
    world.collect(&[list.into()]);
    assert_eq!(world.heap.count(), 4001);
}

#[test]
fn large_roots_are_read_rarely() {
    let mut world = World::new(1 << 30);
    world.collect(&vec![0; 4 * MIN_BUDGET / 8]);
    let budget = |world: &World| world.heap.parts.as_ref().unwrap().blocks.budget;
    assert_eq!(budget(&world), 4 * MIN_BUDGET);
    world.collect(&[]);
    assert_eq!(budget(&world), MIN_BUDGET);
}

#[test]
fn handles_are_roots_until_their_scope_ends() {
    let mut world = World::new(1 << 30);
    let outer = world.pair(0).unwrap();
    let outer_place = world.heap.add_handle(outer.into());
    let scope = world.heap.open_scope();
    let inner = world.pair(0).unwrap();
    let place = world.heap.add_handle(inner.into());
    let object = world.pair(0).unwrap();
    let owned = world.heap.add_owned(object);
    let clone = owned.clone();
    world.collect(&[]);
    assert_eq!(world.heap.count(), 3);
    assert_eq!(world.heap.handle(place), Some(inner.into()));
    world.heap.close_scope(scope);
    assert_eq!(world.heap.handle(place), None);
    let again = world.heap.add_handle(outer.into());
    assert!(world.heap.handle(place).is_none(), "a new handle is not taken for the old one");
    assert_eq!([outer_place, again].map(|place| world.heap.handle(place)), [Some(outer.into()); 2]);
    world.collect(&[]);
    assert_eq!(world.heap.count(), 2);
    drop(owned);
    world.collect(&[]);
    assert_eq!(world.heap.count(), 2);
    drop(clone);
    world.collect(&[]);
    assert_eq!(world.heap.count(), 1);
}

#[test]
fn dropped_owned_roots_take_no_memory() {
    let mut world = World::new(1 << 30);
    let object = world.pair(0).unwrap();
    let kept: Vec<_> = (0..100).map(|_| world.heap.add_owned(object)).collect();
    for _ in 0..100_000 {
        drop(world.heap.add_owned(object));
    }
    assert!(world.heap.owned.len() <= 4 * kept.len(), "{}", world.heap.owned.len());
}

#[test]
fn values_of_the_host_are_dropped() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut world = World::new(1 << 30);
    let mut values = Vec::new();
    for _ in 0..3 {
        let value = Box::new(Counted(dropped.clone()));
        values.push(u64::from(world.heap.new_host_value(&mut world.vm, value).unwrap().ok().unwrap()));
    }
    world.collect(&values[1..2]);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert!(world.heap.host_value(values[1]).unwrap().is::<Counted>());
    drop(world);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn exceptions_keep_their_payload() {
    let mut world = World::new(1 << 30);
    let pair = world.pair(0).unwrap();
    let payload = [1, u64::from(pair), u64::MAX];
    let tag = NonNull::<VmTag>::dangling();
    let exception = world.heap.new_exception(&mut world.vm, tag, &payload).unwrap().unwrap();
    world.collect(&[exception.into()]);
    assert_eq!(world.heap.count(), 2);
    let (found, slots) = world.heap.exception(exception.into()).unwrap();
    assert_eq!((found, slots), (tag, &payload[..]));
    assert!(world.heap.exception(pair.into()).is_none() && world.heap.exception(0).is_none());
    assert!(world.heap.exception(3).is_none());
}

#[test]
#[should_panic(expected = "leads to no object")]
fn a_stress_test_finds_a_reference_to_a_freed_object() {
    let mut world = World::with(GcHeap::new(1 << 30, SharedUsage::default(), true));
    let freed = world.pair(0).unwrap();
    world.collect(&[]);
    let holder = world.pair(freed + 16).unwrap();
    world.collect(&[holder.into()]);
}

#[test]
fn equal_types_have_one_descriptor_and_displays_have_ancestors() {
    let mut world = World::new(1 << 30);
    let mut ids = Vec::new();
    for depth in 0..20 {
        let supertype = ids.last().copied();
        let field = FieldType { storage: StorageType::I8, mutable: true };
        let ty = SubType { is_final: false, supertype, composite: CompositeType::Struct(vec![field; depth].into()) };
        ids.push(world.types.intern(RecGroup { types: vec![ty] }).unwrap());
    }
    let World { heap, vm, registry, .. } = &mut world;
    let mut descriptor = |id| {
        let layout = Layout::of(registry, &registry.sub_type(id)).unwrap();
        heap.descriptor(vm, registry, id, &layout).unwrap()
    };
    let deepest = descriptor(ids[19]);
    let places: Vec<u32> = ids.iter().map(|&id| descriptor(id)).collect();
    assert_eq!(places[19], deepest);
    let found: VmDescriptor = world.heap.memory().unwrap().read(deepest);
    assert_eq!((found.depth, found.display_len), (19, 20));
    let display = std::mem::offset_of!(VmDescriptor, display) as u32;
    for (index, &place) in (0..).zip(&places) {
        assert_eq!(world.heap.memory().unwrap().read_u32_at(deepest, (display + 4 * index) as usize), place);
    }
}
