//! The interpreter `wasmi` as the reference engine.

use wasmi::{
    Caller, Config, Engine, Error, Extern, ExternRef, F32, F64, Func, FuncType, Global, Instance, Linker, Memory,
    MemoryType, Module, Mutability, Ref, Store, Table, TableType, TrapCode, V128, Val, ValType,
};

use super::Running;
use crate::value::{AGAIN, End, Host, Outcome, Random, Type, Value};

/// Instances in wasmi.
pub struct Wasmi {
    store: Store<Host>,
    instances: Vec<Instance>,
}

/// Validates a module.
pub fn load(wasm: &[u8]) -> Result<(Engine, Module), String> {
    let mut config = Config::default();
    config.set_max_recursion_depth(10_000).set_max_stack_height(256 << 20);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, wasm).map_err(|error| error.to_string())?;
    Ok((engine, module))
}

impl Wasmi {
    /// Creates `count` instances that share the imports of [`crate::modules::IMPORTS`].
    pub fn start(engine: &Engine, module: &Module, count: usize) -> Result<Wasmi, End> {
        let mut store = Store::new(engine, Host::default());
        let mut linker = Linker::new(engine);
        for import in module.imports() {
            let name = import.name();
            if linker.get(&store, "env", name).is_none() {
                define(&mut store, &mut linker, name, import.ty());
            }
        }
        let mut instances = Vec::new();
        for _ in 0..count {
            instances.push(linker.instantiate_and_start(&mut store, module).map_err(|error| end(&error))?);
        }
        Ok(Wasmi { store, instances })
    }
}

fn define(store: &mut Store<Host>, linker: &mut Linker<Host>, name: &str, ty: &wasmi::ExternType) {
    const IMMUTABLE: Mutability = Mutability::Const;
    let object: Extern = match (name, ty) {
        (_, wasmi::ExternType::Func(ty)) => {
            define_func(linker, name, ty.clone());
            return;
        }
        ("memory", _) => Memory::new(store, MemoryType::new(1, Some(4))).expect("a small memory").into(),
        ("table", _) => Table::new(store, TableType::new(ValType::FuncRef, 10, Some(20)), Val::FuncRef(Ref::Null))
            .expect("a small table")
            .into(),
        ("constant", _) => Global::new(store, Val::I32(7), IMMUTABLE).into(),
        ("wide", _) => Global::new(store, Val::I64(-3), IMMUTABLE).into(),
        ("counter", _) => Global::new(store, Val::I32(1000), Mutability::Var).into(),
        ("float", _) => Global::new(store, Val::F64(F64::from(1.5)), Mutability::Var).into(),
        ("lanes", _) => Global::new(store, Val::V128(V128::from(1 << 77)), Mutability::Var).into(),
        _ => return,
    };
    linker.define("env", name, object).expect("each name is defined once");
}

fn define_func(linker: &mut Linker<Host>, name: &str, ty: FuncType) {
    let own_name = name.to_owned();
    let kinds: Vec<Type> = ty.results().iter().map(|&ty| kind(ty)).collect();
    let func = linker.func_new("env", name, ty, move |mut caller, params, results| {
        let args: Vec<Value> = params.iter().map(|value| from_val(&caller, value)).collect();
        if own_name == AGAIN
            && let Some((export, seed)) = caller.data_mut().enter(&args)
        {
            let outcome = call_back(&mut caller, &export, seed);
            caller.data_mut().leave();
            outcome?;
        }
        let given = caller.data_mut().call(&own_name, &args, &kinds).ok_or_else(|| Error::new(HOST_ENDED))?;
        for (result, value) in results.iter_mut().zip(given) {
            match value {
                // A reference result is the parameter of its type, if there is one.
                Value::Func(_) => {
                    let found = params.iter().find(|p| matches!(p, Val::FuncRef(_)));
                    *result = found.cloned().unwrap_or(Val::FuncRef(Ref::Null));
                }
                Value::Extern(_) => {
                    let found = params.iter().find(|p| matches!(p, Val::ExternRef(_)));
                    *result = found.cloned().unwrap_or(Val::ExternRef(Ref::Null));
                }
                number => *result = number_to_val(&number).expect("not a reference"),
            }
        }
        Ok(())
    });
    func.expect("each name is defined once");
}

/// Calls an export of the calling instance, if its parameters and results are numbers.
fn call_back(caller: &mut Caller<'_, Host>, export: &str, seed: u64) -> Result<(), Error> {
    let Some(Extern::Func(func)) = caller.get_export(export) else { return Ok(()) };
    let ty = func.ty(&*caller);
    let (params, results): (Vec<Type>, Vec<Type>) =
        (ty.params().iter().map(|&ty| kind(ty)).collect(), ty.results().iter().map(|&ty| kind(ty)).collect());
    if !params.iter().chain(&results).all(|ty| ty.is_number()) {
        return Ok(());
    }
    let mut random = Random::new(seed);
    let args: Vec<Val> =
        params.iter().map(|&ty| number_to_val(&random.value(ty, &[])).expect("not a reference")).collect();
    let mut given = vec![Val::I32(0); results.len()];
    func.call(&mut *caller, &args, &mut given)?;
    let given = given.iter().map(|value| from_val(&*caller, value)).collect();
    caller.data_mut().got(given);
    Ok(())
}

/// Message that identifies a stop by a host function.
const HOST_ENDED: &str = "the host ended the guest";

fn kind(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::FuncRef => Type::Func,
        ValType::ExternRef => Type::Extern,
    }
}

fn number_to_val(value: &Value) -> Option<Val> {
    Some(match *value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(V128::from(bits)),
        _ => return None,
    })
}

fn from_val(store: &impl wasmi::AsContext, value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value as u32),
        Val::I64(value) => Value::I64(*value as u64),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(func) => Value::Func(func.val().map(|_| String::new())),
        Val::ExternRef(reference) => {
            Value::Extern(reference.val().map(|reference| {
                *reference.data(store.as_context()).downcast_ref().expect("the host only made numbers")
            }))
        }
    }
}

fn end(error: &Error) -> End {
    let Some(code) = error.as_trap_code() else {
        return match error.kind() {
            wasmi::errors::ErrorKind::Message(text) if &**text == HOST_ENDED => End::Host,
            // wasmi has separate errors for segments out of bounds.
            wasmi::errors::ErrorKind::Memory(wasmi::errors::MemoryError::OutOfBoundsAccess) => {
                End::Trap("out of bounds memory access")
            }
            wasmi::errors::ErrorKind::Table(
                wasmi::errors::TableError::InitOutOfBounds
                | wasmi::errors::TableError::CopyOutOfBounds
                | wasmi::errors::TableError::FillOutOfBounds
                | wasmi::errors::TableError::SetOutOfBounds,
            ) => End::Trap("out of bounds table access"),
            wasmi::errors::ErrorKind::Instantiation(wasmi::errors::InstantiationError::ElementSegmentDoesNotFit {
                ..
            }) => End::Trap("out of bounds table access"),
            other => End::Limit(format!("{other:?}")),
        };
    };
    End::Trap(match code {
        TrapCode::UnreachableCodeReached => "unreachable",
        TrapCode::MemoryOutOfBounds => "out of bounds memory access",
        TrapCode::TableOutOfBounds => "out of bounds table access",
        TrapCode::IndirectCallToNull => "uninitialized element",
        TrapCode::IntegerDivisionByZero => "integer divide by zero",
        TrapCode::IntegerOverflow => "integer overflow",
        TrapCode::BadConversionToInteger => "invalid conversion to integer",
        TrapCode::BadSignature => "indirect call type mismatch",
        other => return End::Limit(other.to_string()),
    })
}

impl Wasmi {
    fn func(&self, instance: usize, name: &str) -> Option<Func> {
        self.instances[instance].get_func(&self.store, name)
    }
}

impl Running for Wasmi {
    fn call(&mut self, instance: usize, name: &str, args: &[Value]) -> Outcome {
        let func = self.func(instance, name).expect("it is exported");
        let mut params = Vec::new();
        for arg in args {
            params.push(match arg {
                Value::Func(None) => Val::FuncRef(Ref::Null),
                Value::Func(Some(name)) => Val::FuncRef(self.func(instance, name).map_or(Ref::Null, Ref::Val)),
                Value::Extern(None) => Val::ExternRef(Ref::Null),
                Value::Extern(Some(number)) => Val::ExternRef(Ref::Val(ExternRef::new(&mut self.store, *number))),
                number => number_to_val(number).expect("a type of this engine"),
            });
        }
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &params, &mut results).map_err(|error| end(&error))?;
        Ok(results.iter().map(|value| from_val(&self.store, value)).collect())
    }

    fn global(&mut self, instance: usize, name: &str) -> Value {
        let global = self.instances[instance].get_global(&self.store, name).expect("it is exported");
        from_val(&self.store, &global.get(&self.store))
    }

    fn set_global(&mut self, instance: usize, name: &str, value: Value) {
        let Some(global) = self.instances[instance].get_global(&self.store, name) else { return };
        let value = number_to_val(&value).expect("only numbers are set");
        global.set(&mut self.store, value).expect("it is mutable and of that type");
    }

    fn memory(&self, instance: usize, name: &str) -> &[u8] {
        self.instances[instance].get_memory(&self.store, name).expect("it is exported").data(&self.store)
    }

    fn table(&mut self, instance: usize, name: &str) -> Vec<bool> {
        let table = self.instances[instance].get_table(&self.store, name).expect("it is exported");
        let size = table.size(&self.store);
        (0..size)
            .map(|index| {
                matches!(
                    table.get(&self.store, index).expect("it is inside"),
                    Val::FuncRef(Ref::Null) | Val::ExternRef(Ref::Null)
                )
            })
            .collect()
    }

    fn host(&self) -> &Host {
        self.store.data()
    }

    fn host_mut(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}
