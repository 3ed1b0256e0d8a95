//! Errors of host functions: the types that they may have, the backtrace that they get, and the access to the original error.

use std::error::Error;
use std::fmt;
use std::num::ParseIntError;

use anyhow::{Context, bail};
use wasmr::{Caller, Engine, Extern, Func, FuncType, HostError, Linker, Stop, Store, Trap, TrapCode, Val};

use crate::support::{in_every_mode, module};

#[derive(Debug, PartialEq)]
struct NoPaper(u32);

impl fmt::Display for NoPaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tray {} is empty", self.0)
    }
}

impl Error for NoPaper {}

/// A guest that calls `f` of module `h` two calls deep.
const GUEST: &str = r#"(module (import "h" "f" (func $f (param i32) (result i32)))
    (func $_ZN5outer4callEv (export "run") (param i32) (result i32) (call $named (local.get 0)))
    (func $named (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1))))"#;

/// Returns the guest without names of functions. Only the export has a name.
fn without_names() -> String {
    GUEST.replace("$_ZN5outer4callEv ", "").replace("(func $named", "(func").replace("$named", "2")
}

/// Returns the stop of the guest with the import that `define` defines, which fails for the argument 0.
#[track_caller]
fn stop_of(engine: &Engine, text: &str, define: impl FnOnce(&mut Linker<()>)) -> Stop {
    let mut linker = Linker::new();
    define(&mut linker);
    let mut store = Store::new(engine, ());
    let instance = linker.instantiate(&mut store, &module(engine, text)).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 7).unwrap(), 8, "the function must succeed for other arguments");
    run.call(&mut store, 0).unwrap_err()
}

fn by_name(n: i32) -> anyhow::Result<i32> {
    if n == 0 {
        bail!(NoPaper(2));
    }
    Ok(n)
}

in_every_mode! {
    fn a_closure_returns_the_error_it_has(config) {
        let engine = Engine::new(&config);
        let parse = |n: i32| if n == 0 { "zero".to_string() } else { n.to_string() };
        for stop in [
            stop_of(&engine, GUEST, |linker| {
                linker.func_wrap("h", "f", move |n: i32| -> anyhow::Result<i32> { Ok(parse(n).parse()?) }).unwrap();
            }),
            stop_of(&engine, GUEST, |linker| {
                let f = move |n: i32| -> anyhow::Result<i32> { parse(n).parse().context("in the config").context("loading") };
                linker.func_wrap("h", "f", f).unwrap();
            }),
            stop_of(&engine, GUEST, |linker| {
                linker.func_wrap("h", "f", move |n: i32| -> Result<i32, HostError> { Ok(parse(n).parse()?) }).unwrap();
            }),
            stop_of(&engine, GUEST, |linker| {
                linker.func_wrap("h", "f", move |n: i32| -> Result<i32, Stop> { Ok(parse(n).parse()?) }).unwrap();
            }),
            stop_of(&engine, GUEST, |linker| {
                linker.func_wrap("h", "f", move |n: i32| parse(n).parse::<i32>()).unwrap();
            }),
            stop_of(&engine, GUEST, |linker| {
                let ty = FuncType::new([wasmr::ValType::I32], [wasmr::ValType::I32]);
                linker.func_new("h", "f", ty, move |_, params, results| {
                    let n = params[0].i32().context("no number")?;
                    results[0] = Val::I32(parse(n).parse()?);
                    Ok(())
                }).unwrap();
            }),
        ] {
            assert!(stop.is::<ParseIntError>(), "{stop:?}");
            assert!(stop.host_error().is_some() && stop.trap_code().is_none() && stop.exit_code().is_none());
            // The error survives conversion to other error types.
            let error: Box<dyn Error + Send + Sync> = stop.into();
            assert!(error.downcast_ref::<Stop>().unwrap().is::<ParseIntError>());
            let error = anyhow::Error::from_boxed(error).context("cannot run");
            let boxed = error.downcast_ref::<Box<dyn Error + Send + Sync>>();
            let stop = boxed.and_then(|error| error.downcast_ref::<Stop>());
            assert!(stop.is_some_and(Stop::is::<ParseIntError>), "{error:?}");
            let text = format!("{error:#}");
            assert_eq!(text.matches("invalid digit found in string").count(), 1, "the text must have each cause once: {text}");
            assert_eq!(text.matches("wasm backtrace:").count(), 1, "{text}");
        }
        let stop = stop_of(&engine, GUEST, |linker| { linker.func_wrap("h", "f", by_name).unwrap(); });
        assert_eq!(stop.downcast_ref(), Some(&NoPaper(2)));
        let error = anyhow::Error::from(stop);
        assert!(error.downcast_ref::<Stop>().unwrap().is::<NoPaper>());
        let stop = stop_of(&engine, GUEST, |linker| {
            linker.func_wrap("h", "f", |n: i32| if n == 0 { Err("nothing") } else { Ok(n) }).unwrap();
        });
        assert_eq!(stop.host_error().unwrap().to_string(), "nothing");
    }

    fn the_guests_calls_come_with_the_error(config) {
        let engine = Engine::new(&config);
        let stop = stop_of(&engine, GUEST, |linker| { linker.func_wrap("h", "f", by_name).unwrap(); });
        let names: Vec<_> = stop.backtrace().unwrap().frames.iter().map(|frame| frame.readable_name()).collect();
        assert_eq!(names, ["named", "outer::call()"]);
        let text = stop.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["tray 2 is empty", "wasm backtrace:"]);
        assert!(lines[2].ends_with("<module>!named") && lines[3].ends_with("<module>!outer::call()"), "{text}");
        assert_eq!(lines.len(), 4);

        let stop = stop_of(&engine, &without_names(), |linker| { linker.func_wrap("h", "f", by_name).unwrap(); });
        let names: Vec<_> = stop.backtrace().unwrap().frames.iter().map(|frame| frame.readable_name()).collect();
        assert_eq!(names, ["<wasm function 2>", "run"]);
    }

    /// A host function calls the guest again and returns the inner stop within an error of its own.
    fn a_stop_in_another_error_remains_a_stop(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "again" (func $again (param i32)))
            (import "h" "end" (func $end (param i32)))
            (func (export "inner") (param i32) (call $end (local.get 0)))
            (func (export "outer") (param i32) (call $again (local.get 0))))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "again", |mut caller: Caller<'_, ()>, how: u32| -> anyhow::Result<()> {
            let inner = caller.get_export("inner").and_then(Extern::into_func).context("no inner")?;
            let inner = inner.typed::<u32, ()>(&caller)?;
            inner.call(&mut caller, how).context("calling back").context("twice")
        }).unwrap();
        linker.func_wrap("h", "end", |how: u32| -> Result<(), HostError> {
            Err(match how {
                0 => Stop::exit(7).into(),
                1 => Stop::trap(TrapCode::IntegerOverflow).into(),
                _ => NoPaper(how).into(),
            })
        }).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        let outer = instance.get_typed_func::<u32, ()>(&store, "outer").unwrap();
        assert_eq!(outer.call(&mut store, 0).unwrap_err().exit_code(), Some(7));
        let trap = outer.call(&mut store, 1).unwrap_err();
        assert_eq!(trap.trap_code(), Some(TrapCode::IntegerOverflow));
        assert_eq!(trap.downcast_ref::<Trap>().unwrap().backtrace.frames[0].readable_name(), "inner");
        let failure = outer.call(&mut store, 3).unwrap_err();
        assert_eq!(failure.downcast_ref(), Some(&NoPaper(3)));
        assert!(failure.to_string().starts_with("twice"), "the added context must stay: {failure}");
        assert_eq!(failure.backtrace().unwrap().frames[0].readable_name(), "inner");
    }

    fn a_failure_outside_of_the_guest_has_no_backtrace(config) {
        let engine = Engine::new(&config);
        let mut store = Store::new(&engine, ());
        let fails = Func::wrap(&mut store, || -> Result<(), NoPaper> { Err(NoPaper(1)) });
        let stop = fails.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap_err();
        assert_eq!(stop.to_string(), "tray 1 is empty");
        assert_eq!(stop.backtrace().unwrap().total, 0);
    }
}
