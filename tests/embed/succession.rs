//! Stores in succession reuse reservations and stacks, and no guest can notice.
//!
//! Before it writes, the guest finds the end of its memory by accesses that trap, and checks that all words in the memory are
//! zero. Then it grows the memory, fills it with ones, and writes ones to the stack in a deep recursion.

use std::thread;

use wasmr::{Engine, Instance, Module, Store, TrapCode};

use crate::support::{in_every_mode, module};

const GUEST: &str = r#"(module
    (memory (export "memory") MIN)
    (func $deep (param i32 i64 i64 i64 i64) (result i64)
        (if (i32.eqz (local.get 0)) (then (return (i64.const -1))))
        (i64.add (local.get 1) (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (i64.const -1) (i64.const -1) (i64.const -1))))
    (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "sum") (param $at i32) (result i64) (local $sum i64)
        (loop $next
            (local.set $sum (i64.or (local.get $sum) (i64.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
        (local.get $sum))
    (func (export "spoil") (param $more i32)
        (drop (memory.grow (local.get $more)))
        (memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))
        (drop (call $deep (i32.const 2000) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))))"#;

const PAGE: i32 = 65536;

/// Creates, uses and drops a store whose memory has `min` pages and grows by `1 + more`.
fn live(engine: &Engine, module: &Module, min: i32, more: i32) {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    let read = instance.get_typed_func::<i32, i32>(&store, "read").unwrap();
    let sum = instance.get_typed_func::<i32, i64>(&store, "sum").unwrap();
    let spoil = instance.get_typed_func::<i32, ()>(&store, "spoil").unwrap();
    let ends_at = |store: &mut Store<()>, pages: i32, byte: i32| {
        assert_eq!(read.call(&mut *store, pages * PAGE - 1).unwrap(), byte);
        for beyond in [pages * PAGE, (pages + 1) * PAGE, 400 * PAGE, -1] {
            let stop = read.call(&mut *store, beyond).unwrap_err();
            assert_eq!(stop.trap_code(), Some(TrapCode::MemoryOutOfBounds), "{beyond:#x} of {pages}");
        }
    };
    ends_at(&mut store, min, 0);
    assert_eq!(sum.call(&mut store, 0).unwrap(), 0, "{min} pages");
    assert_eq!(instance.get_memory(&store, "memory").unwrap().grow(&mut store, 1), Some(min as u64));
    assert_eq!(sum.call(&mut store, min * PAGE).unwrap(), 0, "one more than {min} pages");
    spoil.call(&mut store, more).unwrap();
    ends_at(&mut store, min + 1 + more, 255);
}

in_every_mode! {
    fn a_store_finds_nothing_of_those_before_it(config) {
        let engine = Engine::new(&config);
        let sizes = [1, 2, 3, 20];
        let modules = sizes.map(|min| module(&engine, &GUEST.replace("MIN", &min.to_string())));
        for round in 0..3 {
            for (index, more) in [(0, 40), (0, 0), (1, 0), (0, 1), (3, 10), (2, 0), (0, 300), (1, 5), (0, 0)] {
                live(&engine, &modules[index], sizes[index], more + round);
            }
        }
        thread::scope(|scope| {
            for thread in 0..6 {
                let (engine, modules) = (&engine, &modules);
                scope.spawn(move || {
                    for round in 0..10 {
                        let index = (thread + round) % 3;
                        live(engine, &modules[index], sizes[index], (thread * round % 5) as i32);
                    }
                });
            }
        });
    }
}
