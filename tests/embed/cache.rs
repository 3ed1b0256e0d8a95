//! A cache that engines of one process share, one after the other, like processes.

#![cfg(feature = "jit")]

use std::sync::Arc;

use wasmr::cache::Cache;
use wasmr::{Config, Engine, Instance, Mode, Module, Precompile, Store, TierReport, Tuning};

/// A directory with a cache, removed when dropped.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Directory {
        Directory(tempfile::tempdir().unwrap())
    }

    /// Returns a configuration that compiles every function before its first call.
    fn config(&self) -> Config {
        let mut config = Config::new();
        config.mode(Mode::Jit).cache(Some(Arc::new(Cache::open(&self.0.path().join("cache")).unwrap())));
        config
    }
}

const LIBRARY: &str = r#"(module $library (type (func (param f64 f64) (result f64))) (func (export "g")))"#;

/// A program whose code depends on the numbers of its types.
const PROGRAM: &str = r#"(module $program
    (type $unary (func (param i32) (result i32)))
    (table 1 funcref) (elem (i32.const 0) $double)
    (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "f") (param i32) (result i32) (call_indirect (type $unary) (local.get 0) (i32.const 0))))"#;

/// Calls the program in an engine of its own, after it has loaded the other modules. Returns what was compiled and loaded.
fn run(config: &Config, before: &[&str]) -> TierReport {
    let engine = Engine::new(config);
    let others: Vec<Module> = before.iter().map(|text| Module::new(&engine, text).unwrap()).collect();
    let module = Module::new(&engine, PROGRAM).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
    assert_eq!(func.call(&mut store, 21).unwrap(), 42);
    drop(others);
    engine.report()
}

#[test]
fn the_second_engine_compiles_nothing() {
    let dir = Directory::new();
    let first = run(&dir.config(), &[]);
    assert!(first.functions > 0 && first.loaded == 0, "{first:?}");
    let second = run(&dir.config(), &[]);
    assert_eq!((second.functions, second.loaded), (0, first.functions));
}

#[test]
fn a_program_has_an_entry_for_each_number_of_types_before_it() {
    let dir = Directory::new();
    for before in [&[][..], &[LIBRARY], &[LIBRARY, PROGRAM]] {
        assert_eq!(run(&dir.config(), before).loaded, 0);
    }
    for before in [&[LIBRARY, PROGRAM][..], &[LIBRARY], &[]] {
        let report = run(&dir.config(), before);
        assert!(report.functions == 0 && report.loaded > 0, "{report:?}");
    }
}

#[test]
fn a_limit_of_size_holds_for_its_process_only() {
    let dir = Directory::new();
    let mut limited = dir.config();
    limited.tuning(Tuning { max_compiled_size: 1, ..Tuning::default() });
    let first = run(&limited, &[]);
    assert!(first.functions == 0 && first.refused > 0, "{first:?}");
    let second = run(&dir.config(), &[]);
    assert!(second.functions > 0 && second.refused == 0, "{second:?}");
}

#[test]
fn settings_have_entries_of_their_own() {
    let dir = Directory::new();
    let changes: [fn(&mut Config); 3] = [
        |_| {},
        |config| {
            config.spectre_guards(false);
        },
        |config| {
            config.feature(wasmr::Feature::TailCall, false);
        },
    ];
    let with = |change: &fn(&mut Config)| {
        let mut config = dir.config();
        change(&mut config);
        run(&config, &[])
    };
    assert!(changes.iter().all(|change| with(change).loaded == 0));
    assert!(changes.iter().all(|change| with(change).functions == 0));
}

#[test]
fn functions_are_compiled_into_the_cache_once() {
    let dir = Directory::new();
    let size_after = |_: u32| {
        let engine = Engine::new(&dir.config());
        let module = Module::new(&engine, PROGRAM).unwrap();
        let compiled = module.precompile_into_cache(&engine, &Precompile::default()).unwrap();
        drop(module);
        let info = Cache::open(&dir.0.path().join("cache")).unwrap().info().unwrap();
        (compiled.functions, info.entries, info.bytes)
    };
    let first = size_after(0);
    assert_eq!((first.0, first.1), (2, 1));
    let second = size_after(1);
    assert_eq!(second, (0, 1, first.2));
    assert_eq!(run(&dir.config(), &[]).functions, 0);
}

/// A component with two core modules, of which the second depends on the numbers of its types.
#[cfg(feature = "component")]
#[test]
fn the_modules_of_a_component_are_validated_and_compiled_once() {
    let text = format!(
        "(component
            (core module $library (type (func (param f64 f64) (result f64))) (func (export \"g\")))
            (core {}
            (core instance (instantiate $program)))",
        &PROGRAM[1..]
    );
    let dir = Directory::new();
    let run = || {
        let engine = Engine::new(&dir.config());
        let component = wasmr::component::Component::from_bytes(&engine, text.clone().into_bytes(), "c.wat").unwrap();
        let names: Vec<&str> = component.modules().iter().map(Module::name).collect();
        assert_eq!(names, ["c.wat:library", "c.wat:program"]);
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &component.modules()[1], &[]).unwrap();
        let func = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
        assert_eq!(func.call(&mut store, 21).unwrap(), 42);
        let cached: Vec<Option<bool>> = component.modules().iter().map(Module::was_cached).collect();
        assert_eq!(component.was_cached(), Some(cached.contains(&Some(true))));
        drop((component, store));
        (cached, engine.report())
    };
    let (cached, first) = run();
    assert_eq!(cached, [Some(false), Some(false)]);
    assert!(first.functions > 0 && first.loaded == 0, "{first:?}");
    let (cached, second) = run();
    // The first module is small, and has no code.
    assert_eq!(cached, [Some(false), Some(true)]);
    assert_eq!((second.functions, second.loaded), (0, first.functions));
}
