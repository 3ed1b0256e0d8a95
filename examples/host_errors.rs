//! Host functions that fail, and the errors that their caller gets: `cargo run --example host_errors`.
//!
//! The guest asks the host for settings by number. The host's function returns `anyhow::Result`, so that `?` passes on any error. The
//! caller of the guest distinguishes errors by type, and prints the guest's backtrace.

use anyhow::{Context, bail};
use wasmr::{Engine, Linker, Module, Stop, Store, Trap};

const GUEST: &str = r#"
(module $guest
  (import "host" "setting" (func $setting (param i32) (result i32)))
  (func $scaled (param i32) (result i32) (i32.mul (call $setting (local.get 0)) (i32.const 10)))
  (func (export "run") (param i32) (result i32) (i32.div_u (i32.const 1000) (call $scaled (local.get 0)))))
"#;

/// A custom error of this program.
#[derive(Debug)]
struct UnknownSetting(u32);

impl std::fmt::Display for UnknownSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no setting {}", self.0)
    }
}

impl std::error::Error for UnknownSetting {}

const SETTINGS: &[&str] = &["20", "0", "many"];

/// `host.setting(number) -> value`.
fn setting(number: u32) -> anyhow::Result<i32> {
    let Some(text) = SETTINGS.get(number as usize) else { bail!(UnknownSetting(number)) };
    text.parse().with_context(|| format!("setting {number} is {text:?}"))
}

/// Describes the outcome of a call.
fn outcome(result: &Result<i32, Stop>) -> String {
    match result {
        Ok(value) => format!("value {value}"),
        Err(stop) if stop.is::<std::num::ParseIntError>() => "not a number".to_owned(),
        Err(stop) => match (stop.downcast_ref::<UnknownSetting>(), stop.downcast_ref::<Trap>()) {
            (Some(UnknownSetting(number)), _) => format!("setting {number} is missing"),
            (None, Some(trap)) => format!("trap: {}", trap.code),
            (None, None) => "something else".to_owned(),
        },
    }
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> anyhow::Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut linker = Linker::new();
    linker.func_wrap("host", "setting", setting)?;
    let mut store = Store::new(&engine, ());
    let run = linker.instantiate(&mut store, &module)?.get_typed_func::<u32, i32>(&store, "run")?;

    let expected = ["value 5", "trap: integer divide by zero", "not a number", "setting 3 is missing"];
    for (number, expected) in (0..).zip(expected) {
        let result = run.call(&mut store, number);
        println!("{number}: {}", outcome(&result));
        assert_eq!(outcome(&result), expected);
    }

    // An `anyhow::Error` around a stop shows the message once, with the guest's calls below it.
    let error = anyhow::Error::from(run.call(&mut store, 3).unwrap_err()).context("cannot run the guest");
    println!("{error:?}");
    let text = format!("{error:#}");
    assert!(text.contains("guest!scaled") && text.contains("guest!run"), "{text}");
    assert!(error.downcast_ref::<Stop>().is_some_and(Stop::is::<UnknownSetting>));
    println!("ok");
    Ok(())
}
