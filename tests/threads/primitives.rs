//! Locks, barriers, queues, waits and growth.

use std::thread;
use std::time::Duration;

use wasmr::TrapCode;

use super::{in_every_world, times, until};

#[test]
fn a_lock_excludes_all_others() {
    in_every_world(|world| {
        for threads in [2, 4, 8] {
            world.memory.write(4, &[0; 4]).unwrap();
            let count = times(4000) / threads;
            world.on_threads::<i32, ()>(threads, "locked", |_| count as i32);
            let mut counter = [0; 4];
            world.memory.read(4, &mut counter).unwrap();
            assert_eq!(u32::from_le_bytes(counter), threads * count, "{}", world.name);
        }
    });
}

#[test]
fn a_barrier_keeps_threads_in_step() {
    in_every_world(|world| {
        for threads in [2, 3, 8] {
            let rounds = times(600) / threads;
            let late = world.on_threads::<_, i32>(threads, "rounds", |id| (id as i32, threads as i32, rounds as i32));
            assert!(late.iter().all(|&late| late == 0), "{}: {late:?}", world.name);
        }
    });
}

#[test]
fn a_queue_neither_loses_nor_invents_values() {
    in_every_world(|world| {
        for threads in [2, 4, 8] {
            world.memory.write(1024, &[0; 128]).unwrap();
            world.call::<(), ()>("prepare_queue", ());
            let count = times(8000) / threads;
            let popped = world.on_threads::<_, i64>(threads, "exchange", |id| ((1 + id * count) as i32, count as i32));
            let rest: i64 = (0..64).map(|_| i64::from(world.call::<(), i32>("pop", ()))).sum();
            let all = i64::from(threads * count);
            assert_eq!(popped.iter().sum::<i64>() + rest, all * (all + 1) / 2, "{}", world.name);
        }
    });
}

#[test]
fn waits_end_as_the_operators_say() {
    in_every_world(|world| {
        let wait32 =
            |address, expected, timeout| world.call::<(i32, i32, i64), i32>("wait32", (address, expected, timeout));
        let wait64 =
            |address, expected, timeout| world.call::<(i32, i64, i64), i32>("wait64", (address, expected, timeout));
        world.memory.write(512, &[1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
        assert_eq!((wait32(512, 1, 0), wait32(512, 1, 1_000_000), wait32(512, 2, -1)), (2, 2, 1), "{}", world.name);
        assert_eq!((wait64(512, 1 | 2 << 32, 0), wait64(512, 1, i64::MAX)), (2, 1), "{}", world.name);
        thread::scope(|scope| {
            let waiters =
                [scope.spawn(move || wait32(512, 1, -1)), scope.spawn(move || wait64(512, 1 | 2 << 32, i64::MAX))];
            let mut woken = 0;
            until("both wait", || {
                woken += world.call::<(i32, i32), i32>("notify", (512, 1));
                woken == 2
            });
            assert_eq!(waiters.map(|waiter| waiter.join().unwrap()), [0, 0], "{}", world.name);
        });
    });
}

#[test]
fn an_interrupt_ends_a_wait() {
    in_every_world(|world| {
        let (mut store, instance) = world.enter();
        let handle = store.interrupt_handle();
        thread::scope(|scope| {
            let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&store, "wait32").unwrap();
            let waiter = scope.spawn(move || wait.call(&mut store, (512, 0, -1)).unwrap_err().trap_code());
            thread::sleep(Duration::from_millis(5));
            handle.interrupt();
            assert_eq!(waiter.join().unwrap(), Some(TrapCode::Interrupted), "{}", world.name);
        });
        assert_eq!(world.memory.atomic_notify(512, 1), Ok(0), "{}: nobody waits any more", world.name);
    });
}

#[test]
fn a_thread_sees_that_another_one_grew_the_memory() {
    in_every_world(|world| {
        for _ in 0..3 {
            let page = world.memory.size();
            world.memory.write(256, &[0]).unwrap();
            thread::scope(|scope| {
                let watcher = scope.spawn(|| world.call::<(), i32>("until_grown", ()));
                until("the watcher begins", || {
                    let mut has_begun = [0];
                    world.memory.read(256, &mut has_begun).unwrap();
                    has_begun == [1]
                });
                assert_eq!(world.call::<(), i32>("grow", ()) as u64, page);
                until("the new page is seen", || watcher.is_finished());
                assert_eq!(watcher.join().unwrap(), 0, "{}", world.name);
            });
        }
    });
}

#[test]
fn growth_from_many_threads_gives_each_page_once() {
    in_every_world(|world| {
        let pages = |threads| world.on_threads::<(), i32>(threads, "grow", |_| ());
        let mut got: Vec<i32> = (0..10).flat_map(|_| pages(7)).collect();
        got.sort_unstable();
        let refused = got.iter().filter(|&&page| page == -1).count();
        assert_eq!((refused, &got[refused..]), (7, &(1..64).collect::<Vec<_>>()[..]), "{}", world.name);
    });
}
