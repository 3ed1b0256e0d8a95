//! References in frames and registers of machine code while the collector runs.

use wasmr_runtime::{Caller, ExternRef, Func, Rooted, Stop};

use crate::world::Running;

/// Keeps references in locals, in callers' frames and in exceptions, while `churn` makes far more references than a collection
/// leaves alive.
const KEEPER: &str = r#"(module
    (import "h" "make" (func $make (param i32) (result externref)))
    (import "h" "check" (func $check (param externref i32)))
    (func $churn (local $n i32)
        (local.set $n (i32.const 400))
        (loop $again
            (drop (call $make (local.get $n)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "locals") (local externref externref externref)
        (local.set 0 (call $make (i32.const 10001)))
        (local.set 1 (call $make (i32.const 10002)))
        (local.set 2 (call $make (i32.const 10003)))
        (call $churn)
        (call $check (local.get 0) (i32.const 10001))
        (call $check (local.get 1) (i32.const 10002))
        (call $check (local.get 2) (i32.const 10003)))
    (func $hold (param i32) (local externref)
        (local.set 1 (call $make (local.get 0)))
        (if (local.get 0) (then (call $hold (i32.sub (local.get 0) (i32.const 1)))) (else (call $churn)))
        (call $check (local.get 1) (local.get 0)))
    (func (export "frames") (call $hold (i32.const 40)))
    (tag $e (param externref))
    (func $throw (param externref) (throw $e (local.get 0)))
    (func (export "payload") (local exnref)
        (block $caught (result externref exnref)
            (try_table (catch_ref $e $caught) (call $throw (call $make (i32.const 5))))
            (unreachable))
        (local.set 0)
        (drop)
        (call $churn)
        (block $again (result externref)
            (try_table (catch $e $again) (throw_ref (local.get 0)))
            (unreachable))
        (call $check (i32.const 5))))"#;

fn keeper() -> Running<usize> {
    Running::importing(0, KEEPER, |store| {
        let make = Func::wrap(
            &mut *store,
            |mut caller: Caller<'_, usize>, n: i32| -> Result<Option<Rooted<ExternRef>>, Stop> {
                // Large objects make the collector run often.
                Ok(Some(ExternRef::new(&mut caller, [n; 4096])?))
            },
        );
        let check = Func::wrap(
            store,
            |mut caller: Caller<'_, usize>, reference: Option<Rooted<ExternRef>>, n: i32| -> Result<(), Stop> {
                let reference = reference.ok_or_else(|| Stop::host("null"))?;
                let data = reference.data(&caller).ok_or_else(|| Stop::host(format!("{n} was collected")))?;
                if data.downcast_ref::<[i32; 4096]>() != Some(&[n; 4096]) {
                    return Err(Stop::host(format!("{n} is another")));
                }
                *caller.data_mut() += 1;
                Ok(())
            },
        );
        vec![make.into(), check.into()]
    })
}

#[test]
fn references_in_use_by_machine_code_are_not_collected() {
    let mut running = keeper();
    running.call::<(), ()>("locals", ());
    assert_eq!(*running.store.data(), 3);
    running.call::<(), ()>("frames", ());
    assert_eq!(*running.store.data(), 3 + 41);
    running.call::<(), ()>("payload", ());
    assert_eq!(*running.store.data(), 3 + 41 + 1);
}
