//! Functions and loops change tier while several threads execute them.

use wasmr::TrapCode;

use super::configurations::{Body, MAX_COMPILED_SIZE, configurations};
use super::{World, times};

/// Many functions that call each other directly and through a table, with loops and a trap at the end. Every third stays
/// interpreted, and every third is never inlined.
fn program(functions: u32) -> String {
    let mut text = String::from(
        "(module (import \"env\" \"memory\" (memory 1 1 shared)) (type $f (func (param i32 i32) (result i32)))\n",
    );
    for index in 0..functions {
        let next = (index + 1) % functions;
        let padding = Body::ALL[index as usize % 3].padding();
        text += &format!(
            "(func $f{index} (type $f) (local $sum i32) {padding}
                (if (i32.eqz (local.get 1)) (then (return (i32.xor (local.get 0) (i32.const {index})))))
                (loop $l
                    (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get 0) (i32.const {}))))
                    (br_if $l (i32.and (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 7))))
                (i32.add
                    (call $f{next} (local.get $sum) (i32.sub (local.get 1) (i32.const 1)))
                    (call_indirect (type $f) (local.get $sum) (i32.const 0)
                        (i32.rem_u (i32.and (local.get $sum) (i32.const 0xffff)) (i32.const {functions})))))\n",
            2 * index + 3
        );
    }
    let names: Vec<String> = (0..functions).map(|index| format!("$f{index}")).collect();
    text += &format!(
        "(table funcref (elem {}))
        (func (export \"run\") (param $id i32) (param $times i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31))
                    (call $f0 (local.get $sum) (i32.const {functions}))))
                (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
            (local.get $sum))
        (func (export \"trap\") (param $times i32)
            (loop $again
                (drop (call $f0 (local.get $times) (i32.const {functions})))
                (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
            (drop (i32.atomic.load (i32.const 0x10000)))))",
        names.join(" ")
    );
    text
}

#[test]
fn threads_tier_up_together() {
    let text = program(40);
    let mut expected = None;
    for configuration in configurations(MAX_COMPILED_SIZE) {
        for round in 0..times(2) {
            // Code of its own for each round, so that everything becomes hot on all threads at once.
            let world = World::new(format!("{}, round {round}", configuration.name), configuration.engine(), &text);
            let results = world.on_threads::<_, i32>(8, "run", |id| (id as i32, 60));
            let expected = *expected.get_or_insert(results[0]);
            assert!(results.iter().all(|&result| result == expected), "{}: {results:?}", world.name);
            // Not once for each thread.
            let compiled = world.engine.report().functions;
            assert!(compiled <= 41 && (compiled > 0 || !configuration.compiles_at_once), "{}: {compiled}", world.name);
        }
    }
}

#[test]
fn every_thread_has_its_own_trap() {
    let text = program(10);
    for configuration in configurations(MAX_COMPILED_SIZE) {
        let world = World::new(configuration.name.clone(), configuration.engine(), &text);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let (mut store, instance) = world.enter();
                    let trap = instance.get_typed_func::<i32, ()>(&store, "trap").unwrap();
                    for times in 1..=times(20) {
                        let stop = trap.call(&mut store, times as i32).unwrap_err();
                        assert_eq!(stop.trap_code(), Some(TrapCode::MemoryOutOfBounds), "{}: {stop}", world.name);
                        assert_eq!(stop.backtrace().map(|trace| trace.total), Some(1), "{}", world.name);
                    }
                });
            }
        });
    }
}
