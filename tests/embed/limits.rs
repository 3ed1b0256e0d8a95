//! Limits of stores, modules and WASI contexts that an embedder sets, and the errors that guests and the embedder get.

use wasmr::wasi::{self, OutputBuffer, Stdout, WasiCtx};
use wasmr::{Engine, Fault, Instance, InstantiateError, Linker, Module, ResourceError, Store, StoreLimits, TrapCode};

use crate::support::{in_every_mode, module};

/// Returns the resource error of an instantiation.
#[track_caller]
fn lacking(result: Result<Instance, InstantiateError>) -> ResourceError {
    match result {
        Err(InstantiateError::Resource(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing lacked"),
    }
}

in_every_mode! {
    fn memory_is_limited_over_all_memories_of_a_store(config) {
        let engine = Engine::new(config.max_memory(3 << 16));
        let one = module(&engine, r#"(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#);
        let mut store = Store::new(&engine, ());
        let first = Instance::new(&mut store, &one, &[]).unwrap();
        let second = Instance::new(&mut store, &one, &[]).unwrap();
        let grow = |store: &mut Store<()>, instance: Instance, pages: i32| {
            instance.get_typed_func::<i32, i32>(&*store, "grow").unwrap().call(store, pages).unwrap()
        };
        assert_eq!((grow(&mut store, first, 2), grow(&mut store, first, 1), grow(&mut store, second, 1)), (-1, 1, -1));
        assert_eq!(store.memory_bytes(), 3 << 16);
        let ResourceError::MemoryLimit { asked, limit, used } = lacking(Instance::new(&mut store, &one, &[])) else { panic!() };
        assert_eq!((asked, limit, used), (1 << 16, 3 << 16, 3 << 16));
        // Another store of the same engine may have a limit of its own.
        let mut store = Store::with_limits(&engine, StoreLimits { max_memory_bytes: 1 << 16, ..StoreLimits::default() }, ());
        let instance = Instance::new(&mut store, &one, &[]).unwrap();
        assert_eq!((grow(&mut store, instance, 1), grow(&mut store, instance, 0)), (-1, 1));
    }

    fn table_elements_are_limited_over_all_tables_of_a_store(config) {
        let engine = Engine::new(config.max_table_elements(10));
        let text = r#"(module (table 4 externref) (func (export "grow") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0))))"#;
        let module = module(&engine, text);
        let mut store = Store::new(&engine, ());
        let first = Instance::new(&mut store, &module, &[]).unwrap();
        Instance::new(&mut store, &module, &[]).unwrap();
        let grow = first.get_typed_func::<i32, i32>(&store, "grow").unwrap();
        assert_eq!((grow.call(&mut store, 3).unwrap(), grow.call(&mut store, 2).unwrap()), (-1, 4));
        assert!(matches!(lacking(Instance::new(&mut store, &module, &[])), ResourceError::TableLimit { asked: 4, limit: 10, used: 10 }));
    }

    fn instances_are_limited(config) {
        let engine = Engine::new(config.max_instances(2));
        let module = module(&engine, "(module)");
        let mut store = Store::new(&engine, ());
        for _ in 0..2 {
            Instance::new(&mut store, &module, &[]).unwrap();
        }
        assert!(matches!(lacking(Instance::new(&mut store, &module, &[])), ResourceError::InstanceLimit { limit: 2 }));
    }

    fn the_stack_is_limited_and_works_after_an_overflow(config) {
        let engine = Engine::new(config.max_stack(64 << 10));
        let text = r#"(module (func $f (export "f") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))"#;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
        let f = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
        for _ in 0..3 {
            assert_eq!(f.call(&mut store, 1 << 20).unwrap_err().trap_code(), Some(TrapCode::StackExhausted));
            assert_eq!(f.call(&mut store, 100).unwrap(), 100);
        }
    }

    fn module_size_is_limited_before_anything_is_read(config) {
        let engine = Engine::new(config.max_module_size(16));
        assert!(Module::new(&engine, "(module)").is_ok());
        let error = Module::new(&engine, "(module (func) (func))").unwrap_err();
        assert_eq!((error.fault(), error.message()), (Fault::OverLimit, "it has 22 bytes, but the limit is 16"));
        // The size is checked first: these bytes are not a module at all.
        assert_eq!(Module::new(&engine, [0xff; 17]).unwrap_err().fault(), Fault::OverLimit);
    }

    fn output_and_descriptors_of_a_context_are_limited(config) {
        let engine = Engine::new(&config);
        let text = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "hello") (data (i32.const 32) ".")
            (func (export "write") (param i32) (result i32)
              (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (func (export "open") (result i32)
              (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8))))"#;
        let (ok, mfile, nospc) = (0, 33, 51);
        let output = OutputBuffer::new(100);
        let dir = wasi::Dir::from_std_file(std::fs::File::open(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let ctx = WasiCtx::builder().stdout(Stdout::Buffer(output.clone())).stderr(Stdout::Discard).max_output(12).max_fds(6).dir(dir, "/", true).build();
        let mut linker = Linker::new();
        wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
        let mut store = Store::new(&engine, ctx.unwrap());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let write = instance.get_typed_func::<i32, i32>(&store, "write").unwrap();
        let results = [1, 2, 1, 1, 2].map(|fd| write.call(&mut store, fd).unwrap());
        assert_eq!(results, [ok, ok, ok, nospc, nospc]);
        assert_eq!(output.contents(), b"hellohe");
        let open = instance.get_typed_func::<(), i32>(&store, "open").unwrap();
        assert_eq!([(); 3].map(|()| open.call(&mut store, ()).unwrap()), [ok, ok, mfile]);
        let error = WasiCtx::builder().max_fds(2).build().unwrap_err();
        assert!(error.to_string().contains("the limit is 2"), "{error}");
    }

    fn unmetered_code_has_no_fuel_limit(config) {
        let mut store = Store::new(&Engine::new(&config), ());
        assert!(store.fuel().is_err());
        assert!(store.set_fuel(10).unwrap_err().to_string().contains("consume_fuel"));
        let mut store = Store::new(&Engine::new(config.consume_fuel(true)), ());
        assert_eq!(store.fuel(), Ok(0));
        store.set_fuel(10).unwrap();
        assert_eq!(store.fuel(), Ok(10));
    }
}
