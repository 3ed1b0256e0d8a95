//! wasmi, by its plainest API.

use ::wasmi::{Engine, Linker, Module, Store, TypedFunc};

use crate::Runtime;

/// wasmi.
pub struct Wasmi;

impl Runtime for Wasmi {
    const NAME: &'static str = "wasmi";
    type Prepared = (Engine, Module, Linker<()>);
    type Store = Store<()>;
    type Func = TypedFunc<i32, i32>;

    fn prepare(binary: &[u8]) -> Self::Prepared {
        let engine = Engine::default();
        let module = Module::new(&engine, binary).expect("the guest is valid");
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "add", |a: i32, b: i32| -> i32 { a.wrapping_add(b) }).expect("a new name");
        (engine, module, linker)
    }

    fn store((engine, _, _): &Self::Prepared) -> Self::Store {
        Store::new(engine, ())
    }

    fn export((_, module, linker): &Self::Prepared, store: &mut Self::Store, name: &str) -> Self::Func {
        let instance = linker.instantiate_and_start(&mut *store, module).expect("its import is there");
        instance.get_typed_func(&mut *store, name).expect("it is exported")
    }

    fn call(store: &mut Self::Store, func: &Self::Func, argument: i32) -> i32 {
        func.call(store, argument).expect("it does not trap")
    }
}
