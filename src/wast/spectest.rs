//! The host module `spectest`, from which scripts import. Its contents are fixed by the
//! [reference interpreter](https://github.com/WebAssembly/spec/blob/main/interpreter/README.md).

use crate::{
    Extern, Func, FuncType, Global, GlobalType, Limits, Linker, Memory, MemoryType, RefType, SharedMemory, Store,
    Table, TableType, Val, ValType,
};

/// Printing functions: name and parameters. They print nothing.
const PRINTERS: [(&str, &[ValType]); 7] = [
    ("print", &[]),
    ("print_i32", &[ValType::I32]),
    ("print_i64", &[ValType::I64]),
    ("print_f32", &[ValType::F32]),
    ("print_f64", &[ValType::F64]),
    ("print_i32_f32", &[ValType::I32, ValType::F32]),
    ("print_f64_f64", &[ValType::F64, ValType::F64]),
];

/// Defines `spectest` in a linker.
pub fn define(store: &mut Store<()>, linker: &mut Linker<()>) -> Result<(), String> {
    for (name, params) in PRINTERS {
        let ty = FuncType::new(params, []);
        let func = Func::new(&mut *store, ty, |_caller, _args, _results| Ok(()));
        offer(linker, name, func);
    }

    let globals = [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::from(666.6f32)),
        ("global_f64", Val::from(666.6f64)),
    ];
    let types = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    for ((name, value), content) in globals.into_iter().zip(types) {
        let global = Global::new(&mut *store, GlobalType { content, mutable: false }, value);
        offer(linker, name, global.map_err(|error| error.to_string())?);
    }

    let limits = Limits { min: 10, max: Some(20) };
    for (name, is64) in [("table", false), ("table64", true)] {
        let ty = TableType { limits, is64, element: RefType::FUNCREF };
        let table = Table::new(&mut *store, ty, Val::FuncRef(None));
        offer(linker, name, table.map_err(|error| error.to_string())?);
    }

    let ty = MemoryType::new(1, Some(2));
    let memory = Memory::new(&mut *store, ty);
    offer(linker, "memory", memory.map_err(|error| error.to_string())?);
    let shared = SharedMemory::new(store.config_for_thread(), MemoryType { shared: true, ..ty });
    offer(linker, "shared_memory", shared.map_err(|error| error.to_string())?);
    Ok(())
}

fn offer(linker: &mut Linker<()>, name: &str, object: impl Into<Extern>) {
    linker.define("spectest", name, object).expect("every name is offered once");
}
