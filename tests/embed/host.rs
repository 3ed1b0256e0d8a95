//! Host functions: state, the caller's exports, values of every type, calls back into the guest, and every kind of failure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmr::{
    Caller, Engine, ExnRef, Extern, ExternRef, Func, FuncType, Linker, Rooted, Stop, StopKind, Store, Tag, TrapCode,
    V128, Val, ValType,
};

use crate::support::{in_every_mode, instance, module};

in_every_mode! {
    fn a_host_function_keeps_state_in_the_store(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "add" (func $add (param i64) (result i64)))
            (func (export "run") (param i64) (result i64) (call $add (local.get 0)) (call $add (local.get 0)) (i64.sub)))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "add", |mut caller: Caller<'_, Vec<i64>>, value: i64| {
            caller.data_mut().push(value);
            caller.data().iter().sum::<i64>()
        }).unwrap();
        // Two stores of one linker have data of their own.
        for seed in [5, 7] {
            let mut store = Store::new(&engine, vec![seed]);
            let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
            let run = instance.get_typed_func::<i64, i64>(&store, "run").unwrap();
            assert_eq!(run.call(&mut store, 10).unwrap(), -10);
            store.data_mut().push(1);
            assert_eq!(store.into_data(), [seed, 10, 10, 1]);
        }
    }

    fn a_host_function_sees_the_exports_of_the_instance_that_calls(config) {
        let engine = Engine::new(&config);
        let text = |byte: u8| format!(r#"(module (import "h" "peek" (func $peek (result i32)))
            (memory (export "memory") 1) (data (i32.const 9) "\{byte:02x}")
            (global (export "g") (mut i32) (i32.const {byte}))
            (func (export "run") (result i32) (call $peek)))"#);
        let mut linker = Linker::new();
        linker.func_wrap("h", "peek", |mut caller: Caller<'_, ()>| -> Result<u32, Stop> {
            assert!(caller.get_export("nothing").is_none());
            let global = caller.get_export("g").and_then(Extern::into_global).unwrap();
            let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
            let mut byte = [0];
            memory.read(&caller, 9, &mut byte)?;
            memory.write(&mut caller, 10, &[byte[0] + 1])?;
            let value = global.get(&mut caller).i32().unwrap();
            global.set(&mut caller, Val::I32(value * 2))?;
            Ok(u32::from(byte[0]))
        }).unwrap();
        let mut store = Store::new(&engine, ());
        for byte in [3, 200] {
            let instance = linker.instantiate(&mut store, &module(&engine, &text(byte))).unwrap();
            let run = instance.get_typed_func::<(), u32>(&store, "run").unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), u32::from(byte));
            assert_eq!(instance.get_memory(&store, "memory").unwrap().data(&store)[10], byte + 1);
            assert_eq!(instance.get_global(&store, "g").unwrap().get(&mut store), Val::I32(i32::from(byte) * 2));
        }
    }

    fn values_of_every_type_pass_both_ways(config) {
        let engine = Engine::new(&config);
        let types = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128, ValType::FUNCREF, ValType::EXTERNREF];
        let names = "i32 i64 f32 f64 v128 funcref externref";
        let gets: String = (0..7).map(|index| format!("(local.get {index})")).collect();
        let text = format!(r#"(module (import "h" "echo" (func $echo (param {names}) (result {names})))
            (func (export "run") (param {names}) (result {names}) (call $echo {gets})))"#);
        let mut store = Store::new(&engine, 0);
        let echo = Func::new(&mut store, FuncType::new(types, types), |mut caller: Caller<'_, u32>, params, results| {
            *caller.data_mut() += 1;
            results.copy_from_slice(params);
            Ok(())
        });
        let host_value = ExternRef::new(&mut store, String::from("mine")).unwrap();
        let instance = wasmr::Instance::new(&mut store, &module(&engine, &text), &[echo.into()]).unwrap();
        let run = instance.get_func(&store, "run").unwrap();
        let params = [
            Val::I32(-1), Val::I64(i64::MIN), Val::F32(0x7fa0_0001), Val::F64(0xfff4_0000_0000_0001),
            Val::V128(V128::from_u128(1 << 127 | 3)), Val::FuncRef(Some(echo)), Val::ExternRef(Some(host_value)),
        ];
        let mut results = [Val::I32(0); 7];
        run.call(&mut store, &params, &mut results).unwrap();
        assert_eq!(results, params);
        let nulls = [Val::FuncRef(None), Val::ExternRef(None)];
        run.call(&mut store, &[&params[..5], &nulls].concat(), &mut results).unwrap();
        assert_eq!(results[5..], nulls);
        assert_eq!(*store.data(), 2);
        // The same as a function over Rust types.
        type All = (i32, u64, f32, f64, V128, Option<Func>, Option<Rooted<ExternRef>>);
        let run = instance.get_typed_func::<All, All>(&store, "run").unwrap();
        let all: All = (7, u64::MAX, 0.5, -0.25, V128::default(), Some(run.func()), None);
        assert_eq!(run.call(&mut store, all).unwrap(), all);
    }

    fn a_host_function_calls_back_into_the_guest(config) {
        let engine = Engine::new(&config);
        // Fibonacci numbers, with every other call through the host.
        let text = r#"(module (import "h" "fib" (func $fib (param i32) (result i32)))
            (func (export "fib") (param i32) (result i32)
              (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                               (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "fib", |mut caller: Caller<'_, u32>, n: u32| -> Result<u32, Stop> {
            *caller.data_mut() += 1;
            let fib = caller.get_export("fib").and_then(Extern::into_func).unwrap();
            fib.typed::<u32, u32>(&caller)?.call(&mut caller, n)
        }).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let fib = instance.get_typed_func::<u32, u32>(&store, "fib").unwrap();
        assert_eq!(fib.call(&mut store, 15).unwrap(), 610);
        assert_eq!(*store.data(), 1972);
    }

    fn every_stop_reaches_the_caller_of_the_guest(config) {
        let engine = Engine::new(&config);
        let text = r#"(module $named (import "h" "stop" (func $stop (param i32)))
            (func $outer (export "run") (param i32) (call $inner (local.get 0)) (unreachable))
            (func $inner (param i32) (call $stop (local.get 0))))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "stop", |mut caller: Caller<'_, Option<Tag>>, how: u32| -> Result<(), Stop> {
            Err(match how {
                0 => Stop::trap(TrapCode::IntegerOverflow),
                1 => Stop::exit(42),
                2 => Stop::host(std::io::Error::other("disk on fire")),
                _ => {
                    let tag = caller.data().unwrap();
                    Stop::throw(ExnRef::new(&mut caller, tag, &[Val::I64(9)]).unwrap())
                }
            })
        }).unwrap();
        let mut store = Store::new(&engine, None);
        let tag = Tag::new(&mut store, FuncType::new([ValType::I64], []));
        *store.data_mut() = Some(tag);
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let run = instance.get_typed_func::<u32, ()>(&store, "run").unwrap();

        let stop = run.call(&mut store, 0).unwrap_err();
        assert_eq!(stop.trap_code(), Some(TrapCode::IntegerOverflow));
        let names: Vec<_> = stop.backtrace().unwrap().frames.iter().map(|frame| frame.func_name()).collect();
        assert_eq!(names, [Some("inner"), Some("outer")], "the backtrace must begin at the host function's caller");
        assert_eq!(run.call(&mut store, 1).unwrap_err().exit_code(), Some(42));
        let stop = run.call(&mut store, 2).unwrap_err();
        assert_eq!(stop.host_error().unwrap().to_string(), "disk on fire");
        assert!(stop.is::<std::io::Error>());
        let StopKind::Throw(throw) = run.call(&mut store, 3).unwrap_err().into_kind() else { panic!("not thrown") };
        assert_eq!(throw.exception.tag(&store), Some(tag));
        assert_eq!(throw.exception.arguments(&mut store), Some(vec![Val::I64(9)]));
        // The store works after all of them.
        assert_eq!(run.call(&mut store, 1).unwrap_err().exit_code(), Some(42));
    }

    fn the_guest_catches_what_a_host_function_throws(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "throw" (func $throw (param i32))) (import "h" "tag" (tag $tag (param i32)))
            (func (export "run") (param i32) (result i32)
              (block $caught (result i32)
                (try_table (catch $tag $caught) (call $throw (local.get 0)))
                (i32.const -1))))"#;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new();
        let tag = Tag::new(&mut store, FuncType::new([ValType::I32], []));
        linker.define("h", "tag", tag).unwrap();
        linker.func_wrap("h", "throw", move |mut caller: Caller<'_, ()>, value: i32| -> Result<(), Stop> {
            if value == 0 {
                return Ok(());
            }
            Err(Stop::throw(ExnRef::new(&mut caller, tag, &[Val::I32(value * 2)])?))
        }).unwrap();
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
        assert_eq!((run.call(&mut store, 21).unwrap(), run.call(&mut store, 0).unwrap()), (42, -1));
    }

    fn a_panic_crosses_the_guest_and_leaves_the_store_usable(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "f" (func $f (param i32))) (func (export "run") (param i32) (call $f (local.get 0))))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "f", |n: i32| assert!(n > 0, "not positive")).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let run = instance.get_typed_func::<i32, ()>(&store, "run").unwrap();
        let payload = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 0))).unwrap_err();
        assert!(payload.downcast_ref::<&str>().is_some_and(|text| text.contains("not positive")));
        run.call(&mut store, 1).unwrap();
    }

    fn results_of_a_wrong_type_are_the_host_functions_failure(config) {
        let engine = Engine::new(&config);
        let mut store = Store::new(&engine, ());
        let liar = Func::new(&mut store, FuncType::new([], [ValType::I32]), |_, _, results| {
            results[0] = Val::I64(1);
            Ok(())
        });
        let mut results = [Val::I32(0)];
        let stop = liar.call(&mut store, &[], &mut results).unwrap_err();
        let error = stop.host_error().unwrap();
        assert_eq!(error.to_string(), "result 0 of a host function: expected a value of type i32, found i64");
        assert_eq!(error.source().unwrap().to_string(), "expected a value of type i32, found i64");
    }

    fn arguments_that_do_not_fit_are_errors_of_the_call(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (func (export "f") (param i32) (result f32) (f32.const 1)))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        let f = instance.get_func(&store, "f").unwrap();
        let mut one = [Val::I32(0)];
        for (params, results, said) in [
            (&[][..], &mut one[..], "takes 1 parameter, not 0"),
            (&[Val::I64(0)], &mut [Val::I32(0)], "parameter 0: expected a value of type i32, found i64"),
            (&[Val::I32(0)], &mut [], "returns 1 result, but there is room for 0"),
        ] {
            let stop = f.call(&mut store, params, results).unwrap_err();
            assert!(stop.to_string().contains(said), "{stop}");
        }
        assert!(f.typed::<i32, f32>(&store).is_ok());
        let error = f.typed::<i32, f64>(&store).unwrap_err().to_string();
        assert!(error.contains("(func (param i32) (result f64))") && error.contains("(result f32)"), "{error}");
        assert_eq!(
            instance.get_typed_func::<i64, ()>(&store, "f").unwrap_err().to_string(),
            "the function exported as `f` has type (func (param i32) (result f32)), expected (func (param i64))"
        );
        assert!(instance.get_typed_func::<(), ()>(&store, "g").unwrap_err().to_string().contains("`g`"));
    }

    fn values_show_what_they_are(config) {
        let mut store = Store::new(&Engine::new(&config), ());
        let reference = ExternRef::new(&mut store, 1).unwrap();
        let values = [
            (Val::I32(-1), "I32(-1)"), (Val::from(1.5f32), "F32(1.5)"), (Val::from(-0.0f64), "F64(-0.0)"),
            (Val::F32(0x7fc0_0001), "F32(NaN 0x7fc00001)"), (Val::FuncRef(None), "FuncRef(null)"),
            (Val::V128(V128::from_u128(5)), "V128(0x00000000000000000000000000000005)"),
        ];
        for (value, expected) in values {
            assert_eq!(format!("{value:?}"), expected);
        }
        let shown = format!("{:?}", Val::from(reference));
        assert!(shown.starts_with("ExternRef(0x") && shown.ends_with(')'), "{shown}");
    }
}
