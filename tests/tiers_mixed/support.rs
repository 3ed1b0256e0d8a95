//! Runs modules in all configurations: instances with host functions that call back, and the ends of calls in a form that can
//! be compared.

use wasmr::{
    Caller, Engine, Extern, ExternRef, Func, FuncType, Instance, Linker, Module, Rooted, Stop, StopKind, Store, Tag,
    Val, ValType,
};

use crate::configurations::{Body, Configuration, MAX_COMPILED_SIZE};

/// Data of the store, which the host functions share.
#[derive(Default)]
pub struct Data {
    /// Number of calls of the host so far.
    pub calls: u64,
}

/// End of a call, in a form that can be compared between stores.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Results(Vec<Value>),
    Trap { message: String, frames: Vec<FrameText>, total: usize },
    Throw { payload: Vec<Value>, frames: Vec<FrameText>, total: usize },
    Exit(u32),
    Host(String),
}

/// Module, function and offset of a frame.
pub type FrameText = (String, String, Option<usize>);

/// A value without its store.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(Val),
    Null,
    /// A reference to this number, which belongs to the host.
    Extern(u64),
    /// A reference of another kind.
    Reference,
}

impl End {
    #[track_caller]
    pub fn results(&self) -> Vec<Val> {
        let End::Results(values) = self else { panic!("it ended with {self:?}") };
        let number = |value: &Value| if let Value::Number(value) = value { *value } else { panic!("{value:?}") };
        values.iter().map(number).collect()
    }

    /// Returns the only result.
    #[track_caller]
    pub fn i64(&self) -> i64 {
        match self.results()[..] {
            [Val::I64(value)] => value,
            [Val::I32(value)] => i64::from(value),
            _ => panic!("{self:?}"),
        }
    }

    /// Returns the message of the trap, and the names of the functions on the stack, innermost first.
    #[track_caller]
    pub fn trap(&self) -> (&str, Vec<&str>) {
        let End::Trap { message, frames, .. } = self else { panic!("it ended with {self:?}") };
        (message, frames.iter().map(|(_, name, _)| name.as_str()).collect())
    }

    /// Returns the number of frames at the trap.
    #[track_caller]
    pub fn total(&self) -> usize {
        let End::Trap { total, .. } = self else { panic!("it ended with {self:?}") };
        *total
    }

    #[track_caller]
    pub fn assert_trap(&self, message: &str, names: &[&str]) {
        assert_eq!(self.trap(), (message, names.to_vec()));
    }
}

/// A store with an instance of a module, in one configuration.
pub struct Program {
    pub store: Store<Data>,
    pub instance: Instance,
    pub engine: Engine,
}

/// Replaces `PAD0`, `PAD1`, … in `text` by the padding of the bodies with these numbers.
pub fn padded(text: &str, bodies: &[Body]) -> String {
    let mut text = text.to_string();
    for (number, body) in bodies.iter().enumerate() {
        let mark = format!("PAD{number}");
        assert!(text.contains(&mark), "no {mark} in {text}");
        text = text.replace(&mark, &body.padding());
    }
    assert!(!text.contains("PAD"), "{text}");
    text
}

/// Returns all combinations of treatments of `count` functions.
pub fn mixes(count: u32) -> impl Iterator<Item = Vec<Body>> {
    mixes_of(&Body::ALL, count)
}

/// Returns all combinations of treatments of `count` functions, none of which is inlined.
pub fn tier_mixes(count: u32) -> impl Iterator<Item = Vec<Body>> {
    mixes_of(&[Body::Compiled, Body::Interpreted], count)
}

fn mixes_of(choices: &[Body], count: u32) -> impl Iterator<Item = Vec<Body>> {
    let (choices, base) = (choices.to_vec(), choices.len());
    (0..base.pow(count)).map(move |number| (0..count).map(|at| choices[number / base.pow(at) % base]).collect())
}

fn frames(stop: &Stop) -> (Vec<FrameText>, usize) {
    let backtrace = stop.backtrace().expect("traps and exceptions have one");
    let frame = |frame: &wasmr::FrameInfo| {
        let name = frame.func_name().map_or_else(|| frame.func_index().to_string(), str::to_string);
        (frame.module().name().to_string(), name, frame.offset())
    };
    (backtrace.frames.iter().map(frame).collect(), backtrace.total)
}

fn value(store: &mut Store<Data>, value: Val) -> Value {
    match value {
        Val::ExternRef(None) | Val::FuncRef(None) | Val::ExnRef(None) | Val::AnyRef(None) => Value::Null,
        Val::ExternRef(Some(reference)) => {
            Value::Extern(*reference.data(store).and_then(|data| data.downcast_ref::<u64>()).expect("still there"))
        }
        Val::FuncRef(_) | Val::ExnRef(_) | Val::AnyRef(_) => Value::Reference,
        number => Value::Number(number),
    }
}

impl Program {
    /// Instantiates modules in this order and keeps the last instance. Each module can import from the modules before it by
    /// their names, and from the host.
    pub fn linked(configuration: &Configuration, modules: &[(&str, &str)]) -> Program {
        let engine = configuration.engine();
        let mut store = Store::new(&engine, Data::default());
        let mut linker = host(&mut store);
        let mut last = None;
        for (name, text) in modules {
            let module = Module::from_bytes(&engine, text.as_bytes().to_vec(), name);
            let module = module.unwrap_or_else(|error| panic!("{error}: {}", shown(modules)));
            let instance =
                linker.instantiate(&mut store, &module).unwrap_or_else(|error| panic!("{error}: {}", shown(modules)));
            linker.instance(&store, name, instance).unwrap();
            last = Some(instance);
        }
        Program { instance: last.expect("a module at least"), store, engine }
    }

    pub fn new(configuration: &Configuration, text: &str) -> Program {
        Program::linked(configuration, &[("main", text)])
    }

    pub fn func(&self, name: &str) -> Func {
        self.instance.get_func(&self.store, name).unwrap_or_else(|| panic!("no export {name}"))
    }

    /// Calls an export.
    pub fn call(&mut self, name: &str, params: &[Val]) -> End {
        let func = self.func(name);
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        match func.call(&mut self.store, params, &mut results) {
            Ok(()) => End::Results(results.into_iter().map(|result| value(&mut self.store, result)).collect()),
            Err(stop) => self.end(stop),
        }
    }

    fn end(&mut self, stop: Stop) -> End {
        match stop.kind() {
            StopKind::Trap(trap) => {
                let (frames, total) = frames(&stop);
                End::Trap { message: trap.code.message().to_string(), frames, total }
            }
            StopKind::Throw(throw) => {
                let payload = throw.exception.arguments(&mut self.store).expect("still there");
                let payload = payload.into_iter().map(|argument| value(&mut self.store, argument)).collect();
                let (frames, total) = frames(&stop);
                End::Throw { payload, frames, total }
            }
            StopKind::Exit(code) => End::Exit(*code),
            StopKind::Host(failure) => End::Host(failure.error().to_string()),
        }
    }

    /// Returns the value of an exported global.
    pub fn global(&mut self, name: &str) -> i64 {
        match self.instance.get_global(&self.store, name).expect("an exported global").get(&mut self.store) {
            Val::I32(value) => i64::from(value),
            Val::I64(value) => value,
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a linker with the host module `h`:
/// - `call: [i32] → [i32]` calls the caller's export `back` with the argument and passes a stop on.
/// - `catch: [i32] → [i32]` is like `call`, but returns -7 if the call stops.
/// - `count: [i32] → [i32]` counts its calls and returns the argument plus 1.
/// - `throw: [i64] → []` throws an exception with the tag `tag`.
/// - `trap`, `exit: [i32] → []`, `fail` and `panic` end the call in other ways.
/// - `extern: [i64] → [externref]` makes a reference to a number, and `number: [externref] → [i64]` returns that number.
fn host(store: &mut Store<Data>) -> Linker<Data> {
    let mut linker = Linker::new();
    let tag = Tag::new(&mut *store, FuncType::new([ValType::I64], []));
    linker.define("h", "tag", tag).unwrap();
    let back = |caller: &mut Caller<'_, Data>, arg: i32| -> Result<i32, Stop> {
        caller.data_mut().calls += 1;
        let back = caller.get_export("back").and_then(Extern::into_func).expect("an export to call");
        back.typed::<i32, i32>(&*caller)?.call(&mut *caller, arg)
    };
    let call = move |mut caller: Caller<'_, Data>, arg: i32| back(&mut caller, arg);
    linker.func_wrap("h", "call", call).unwrap();
    let catch = move |mut caller: Caller<'_, Data>, arg: i32| back(&mut caller, arg).unwrap_or(-7);
    linker.func_wrap("h", "catch", catch).unwrap();
    linker
        .func_wrap("h", "count", |mut caller: Caller<'_, Data>, arg: i32| {
            caller.data_mut().calls += 1;
            arg.wrapping_add(1)
        })
        .unwrap();
    linker
        .func_wrap("h", "throw", move |mut caller: Caller<'_, Data>, arg: i64| -> Result<(), Stop> {
            Err(Stop::throw(wasmr::ExnRef::new(&mut caller, tag, &[Val::I64(arg)])?))
        })
        .unwrap();
    linker.func_wrap("h", "trap", || -> Result<(), Stop> { Err(wasmr::TrapCode::IntegerOverflow.into()) }).unwrap();
    linker.func_wrap("h", "exit", |code: u32| -> Result<(), Stop> { Err(Stop::exit(code)) }).unwrap();
    linker.func_wrap("h", "fail", || -> Result<(), Stop> { Err(Stop::host("disk on fire")) }).unwrap();
    linker.func_wrap("h", "panic", || -> () { panic!("a host function that panics") }).unwrap();
    linker
        .func_wrap(
            "h",
            "extern",
            |mut caller: Caller<'_, Data>, number: i64| -> Result<Option<Rooted<ExternRef>>, Stop> {
                Ok(Some(ExternRef::new(&mut caller, number as u64)?))
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "h",
            "number",
            |caller: Caller<'_, Data>, reference: Option<Rooted<ExternRef>>| -> Result<i64, Stop> {
                let data = reference.and_then(|reference| reference.data(&caller)?.downcast_ref::<u64>().copied());
                Ok(data.ok_or_else(|| Stop::host("the reference is gone"))? as i64)
            },
        )
        .unwrap();
    linker
}

/// Returns all configurations, with the usual limit on compiled bodies.
pub fn configurations() -> Vec<Configuration> {
    crate::configurations::configurations(MAX_COMPILED_SIZE)
}

/// One call of an export.
pub type Call<'a> = (&'a str, &'a [Val]);

/// Makes these calls in every configuration, one after the other in one instance. Returns their ends.
///
/// # Panics
/// Panics if the ends differ between configurations.
#[track_caller]
pub fn same_ends(modules: &[(&str, &str)], calls: &[Call<'_>]) -> Vec<End> {
    same_ends_in(&configurations(), modules, calls)
}

/// Does the same as [`same_ends`] in these configurations only.
#[track_caller]
pub fn same_ends_in(configurations: &[Configuration], modules: &[(&str, &str)], calls: &[Call<'_>]) -> Vec<End> {
    let mut expected: Option<Vec<End>> = None;
    for configuration in configurations {
        let mut program = Program::linked(configuration, modules);
        let ends: Vec<End> = calls.iter().map(|(name, params)| program.call(name, params)).collect();
        let report = program.engine.report();
        let all_compiled = !modules.iter().any(|(_, text)| text.contains(&Body::Interpreted.padding()));
        assert!(report.refused == 0 || !all_compiled, "[{}] {report} in {}", configuration.name, shown(modules));
        let expected = expected.get_or_insert_with(|| ends.clone());
        for ((call, end), expected) in calls.iter().zip(&ends).zip(expected) {
            assert_eq!(end, &*expected, "[{}] {call:?} in {}", configuration.name, shown(modules));
        }
    }
    expected.unwrap_or_default()
}

/// Returns the modules' text, with a short comment in place of each padding.
pub fn shown(modules: &[(&str, &str)]) -> String {
    let mut text: String = modules.iter().map(|(name, text)| format!("\n;; {name}\n{text}")).collect();
    for body in [Body::Interpreted, Body::Compiled] {
        text = text.replace(&body.padding(), &format!("(; {body:?} ;) "));
    }
    text
}
