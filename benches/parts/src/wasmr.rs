//! wasmr, by its plainest API: in its default mode, and with the interpreter alone.

use ::wasmr::{Config, Engine, Linker, Mode, Module, Store, StoreLimits, TypedFunc};

use crate::Runtime;

/// Declares a configuration: name of the type, name in the results, mode.
macro_rules! ways {
    ($($(#[$doc:meta])* $way:ident $name:literal $mode:expr;)*) => {$(
        $(#[$doc])*
        pub struct $way;

        impl Runtime for $way {
            const NAME: &'static str = $name;
            type Prepared = (Engine, Module, Linker<()>);
            type Store = Store<()>;
            type Func = TypedFunc<i32, i32>;

            fn prepare(binary: &[u8]) -> Self::Prepared {
                prepare($mode, binary)
            }

            fn store((engine, _, _): &Self::Prepared) -> Self::Store {
                let limits =
                    StoreLimits { max_instances: usize::MAX, max_table_elements: u64::MAX, ..StoreLimits::default() };
                Store::with_limits(engine, limits, ())
            }

            fn export((_, module, linker): &Self::Prepared, store: &mut Self::Store, name: &str) -> Self::Func {
                let instance = linker.instantiate(&mut *store, module).expect("its import is there");
                instance.get_typed_func(&mut *store, name).expect("it is exported")
            }

            fn call(store: &mut Self::Store, func: &Self::Func, argument: i32) -> i32 {
                func.call(store, argument).expect("it does not trap")
            }
        }
    )*};
}

ways! {
    /// wasmr in its default mode: hot functions are compiled.
    Wasmr "wasmr" Mode::default();
    /// wasmr's interpreter.
    WasmrInterp "wasmr interp" Mode::Interp;
}

fn prepare(mode: Mode, binary: &[u8]) -> (Engine, Module, Linker<()>) {
    let engine = Engine::new(Config::new().mode(mode));
    let module = Module::new(&engine, binary).expect("the guest is valid");
    let mut linker = Linker::new();
    linker.func_wrap("host", "add", |a: i32, b: i32| -> i32 { a.wrapping_add(b) }).expect("a new name");
    (engine, module, linker)
}
