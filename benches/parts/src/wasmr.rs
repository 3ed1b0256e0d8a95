//! wasmr, by its plainest API.

use ::wasmr::{Engine, Linker, Module, Store, StoreLimits, TypedFunc};

use crate::Runtime;

/// wasmr.
pub struct Wasmr;

impl Runtime for Wasmr {
    const NAME: &'static str = "wasmr";
    type Prepared = (Engine, Module, Linker<()>);
    type Store = Store<()>;
    type Func = TypedFunc<i32, i32>;

    fn prepare(binary: &[u8]) -> Self::Prepared {
        let engine = Engine::default();
        let module = Module::new(&engine, binary).expect("the guest is valid");
        let mut linker = Linker::new();
        linker.func_wrap("host", "add", |a: i32, b: i32| -> i32 { a.wrapping_add(b) }).expect("a new name");
        (engine, module, linker)
    }

    fn store((engine, _, _): &Self::Prepared) -> Self::Store {
        let limits = StoreLimits { max_instances: usize::MAX, max_table_elements: u64::MAX, ..StoreLimits::default() };
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
