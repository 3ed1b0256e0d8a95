//! An engine keeps nothing of modules that were dropped. Each round loads a module with types that no other module has, and
//! drops it. Some modules are instantiated and called, and some are compiled, with trampolines for their own signatures.
//!
//! `WASMR_FORGET_ROUNDS=1000000 cargo test --release --test forgets` runs a million rounds.

use std::fs;
use std::time::{Duration, Instant};

use wasmr::{Caller, Config, Engine, ExternType, Linker, Mode, Module, Store, Val};

/// Returns the number of resident bytes of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Returns parameter types that no other round has.
fn types(round: usize) -> String {
    let bits = (0..24).map(|bit| if round >> bit & 1 == 1 { "i64 " } else { "f64 " });
    bits.collect()
}

/// Loads a module, calls it if `is_called`, and drops it. Returns the number of arguments that the host function received.
fn live_and_die(engine: &Engine, round: usize, is_called: bool) -> usize {
    let own = types(round);
    let gets: String = (0..24).map(|index| format!("(local.get {index})")).collect();
    let text = format!(
        "(module
            (rec (type $list (sub (struct (field (ref null $list)) (field (ref null $own)))))
                 (type $own (sub (func (param {own})))))
            (type $more (sub $list (struct (field (ref null $list)) (field (ref null $own)) (field i32))))
            (type $plain (func (param {own})))
            (import \"host\" \"look\" (func $look (type $plain)))
            (tag (type $plain))
            (table funcref (elem $run))
            (func $run (type $own) {gets} (call $look))
            (func (export \"run\") (type $plain) {gets} (call_indirect (type $own) (i32.const 0))))"
    );
    let module = Module::new(engine, text).unwrap();
    if !is_called {
        return 0;
    }
    let ty = module.get_export("run").unwrap();
    let ExternType::Func(id) = ty else { panic!("{ty:?} is no function type") };
    let ty = module.registry().func_type(id).unwrap();
    let mut linker = Linker::new();
    let look = |mut caller: Caller<'_, usize>, args: &[Val], _: &mut [Val]| {
        *caller.data_mut() += args.len();
        Ok(())
    };
    linker.func_new("host", "look", (*ty).clone(), look).unwrap();
    let mut store = Store::new(engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_func(&store, "run").unwrap();
    let args: Vec<Val> = ty.params().iter().map(|&ty| Val::default_for(module.registry(), ty).unwrap()).collect();
    run.call(&mut store, &args, &mut []).unwrap();
    *store.data()
}

#[test]
fn modules_leave_nothing_behind() {
    let rounds: usize = std::env::var("WASMR_FORGET_ROUNDS").map_or(6000, |rounds| rounds.parse().unwrap());
    let engines: Vec<Engine> = Mode::ALL.iter().map(|&mode| Engine::new(Config::new().mode(mode))).collect();
    let registries: Vec<_> = engines.iter().map(|engine| engine.types().clone()).collect();
    let mut before = 0;
    for round in 0..rounds {
        // One in four is called, one in sixteen in a mode that compiles first.
        let engine = &engines[round / 16 % engines.len()];
        let (is_called, in_jit) = (round % 4 == 0, round % 16 == 0);
        let engine = if is_called && !in_jit { &engines[0] } else { engine };
        assert_eq!(live_and_die(engine, round, is_called), if is_called { 24 } else { 0 });
        if round == rounds / 6 {
            before = resident();
        }
    }
    #[cfg(feature = "jit")]
    assert!(
        engines.iter().any(|engine| engine.report().functions > rounds as u64 / 100),
        "some modules must have been compiled"
    );
    let after = resident();
    println!("{rounds} modules: {before} bytes became {after}");
    assert!(after <= before + (2 << 20), "{before} bytes became {after}");
    // A compiler thread holds the last module a little longer than the caller that waited for its code.
    let began = Instant::now();
    for registry in registries {
        while !registry.is_empty() {
            assert!(began.elapsed() < Duration::from_secs(30), "{} types are left", registry.len());
            std::thread::yield_now();
        }
    }
}
