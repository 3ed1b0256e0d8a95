//! Helpers of the tests: the macro that makes a test for each mode, and instantiation in one line.

use wasmr::{Config, Engine, Extern, Instance, Mode, Module, Store};

/// Declares tests that run in every mode: `in_every_mode! { fn name(config) { … } }`. `config` is a [`Config`] of the mode.
macro_rules! in_every_mode {
    ($($(#[$meta:meta])* fn $name:ident($config:ident) $body:block)*) => {
        $(
            $(#[$meta])*
            #[test]
            fn $name() {
                for &mode in wasmr::Mode::ALL {
                    #[allow(unused_mut)]
                    let mut $config = $crate::support::config(mode);
                    $body
                }
            }
        )*
    };
}
pub(crate) use in_every_mode;

pub fn config(mode: Mode) -> Config {
    let mut config = Config::new();
    config.mode(mode);
    config
}

/// Compiles a module from text.
#[track_caller]
pub fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns a store with these data, and an instance in it with these imports.
#[track_caller]
pub fn instance<T>(engine: &Engine, text: &str, data: T, imports: &[Extern]) -> (Store<T>, Instance) {
    let mut store = Store::new(engine, data);
    let instance = Instance::new(&mut store, &module(engine, text), imports).unwrap_or_else(|error| panic!("{error}"));
    (store, instance)
}
