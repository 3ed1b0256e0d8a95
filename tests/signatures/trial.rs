//! [`Trial`]: instantiates a [`Plan`]'s modules and compares each value that arrives with the value that was sent.

use wasmr::{
    Caller, Engine, Extern, ExternRef, Func, Global, GlobalType, Instance, Linker, Module, Stop, Store, V128, Val,
    ValType,
};

use crate::configurations::Body;
use crate::plan::{Plan, Target};
use crate::random::Random;

/// Values that a host function received, and values that it returns.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) noted: Vec<Val>,
    pub(crate) results: Vec<Val>,
    pub(crate) sources: Vec<Option<usize>>,
}

/// Returns the values in this order.
pub(crate) fn in_order(values: &[Val], order: &[usize]) -> Vec<Val> {
    order.iter().map(|&at| values[at]).collect()
}

pub(crate) fn write_slots(values: &[Val], slots: &mut [u64]) {
    let mut words = Vec::new();
    for value in values {
        match *value {
            Val::I32(value) => words.push(u64::from(value as u32)),
            Val::I64(value) => words.push(value as u64),
            Val::F32(bits) => words.push(u64::from(bits)),
            Val::F64(bits) => words.push(bits),
            Val::V128(vector) => words.extend(vector.lanes::<[u64; 2]>()),
            _ => unreachable!("references have no numeric form"),
        }
    }
    slots[..words.len()].copy_from_slice(&words);
}

pub(crate) fn read_slots(types: &[ValType], slots: &[u64]) -> Vec<Val> {
    let mut slots = slots.iter().copied();
    let mut next = || slots.next().unwrap();
    let value = |ty: &ValType| match *ty {
        ValType::I32 => Val::I32(next() as u32 as i32),
        ValType::I64 => Val::I64(next() as i64),
        ValType::F32 => Val::F32(next() as u32),
        ValType::F64 => Val::F64(next()),
        _ => Val::V128(V128::from_lanes([next(), next()])),
    };
    types.iter().map(value).collect()
}

/// The instances of a plan in a store.
pub(crate) struct Trial<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) store: Store<Data>,
    pub(crate) instance: Instance,
    /// Globals for arguments, then globals for results.
    pub(crate) globals: [Vec<Global>; 2],
    /// Global in which the leaf or host function that notes arguments identifies itself.
    pub(crate) who: Global,
    /// References to choose from.
    pub(crate) references: Vec<(ValType, Val)>,
}

impl<'a> Trial<'a> {
    /// Instantiates the plan's modules, which are in the binary format.
    pub(crate) fn new(engine: &Engine, plan: &'a Plan, [module, other]: &[Vec<u8>; 2]) -> Trial<'a> {
        let mut store = Store::new(engine, Data { sources: plan.sources.clone(), ..Data::default() });
        let mut linker = Linker::new();
        let mut make = |letter: &str, types: &[ValType]| -> Vec<Global> {
            let make = |(at, &ty): (usize, &ValType)| {
                let zero = Val::default_for(engine.types(), ty).unwrap();
                let global = Global::new(&mut store, GlobalType::new(ty, true), zero).unwrap();
                linker.define("h", &format!("{letter}{at}"), global).unwrap();
                global
            };
            types.iter().enumerate().map(make).collect()
        };
        let globals = [make("p", &plan.signature.params), make("r", &plan.signature.results)];

        let who = Global::new(&mut store, GlobalType::new(ValType::I32, true), Val::I32(-1)).unwrap();
        linker.define("h", "who", who).unwrap();

        let ty = plan.signature.func_type();
        let over_values = |store: &mut Store<Data>, name: Target| {
            Func::new(store, ty.clone(), move |mut caller: Caller<'_, Data>, params, results| {
                who.set(&mut caller, Val::I32(name.number()))?;
                let Data { noted, results: given, sources } = caller.data_mut();
                *noted = params.to_vec();
                for (at, result) in results.iter_mut().enumerate() {
                    *result = sources[at].map_or(given[at], |param| params[param]);
                }
                Ok(())
            })
        };
        let host = over_values(&mut store, Target::Host);
        linker.define("h", "host", host).unwrap();
        let numeric = if plan.signature.has_references() {
            over_values(&mut store, Target::Numeric)
        } else {
            let types = plan.signature.params.clone();
            Func::new_numeric(&mut store, ty.clone(), move |mut caller: Caller<'_, Data>, slots| {
                who.set(&mut caller, Val::I32(Target::Numeric.number()))?;
                let Data { noted, results: given, sources } = caller.data_mut();
                *noted = read_slots(&types, slots);
                let results: Vec<Val> =
                    sources.iter().zip(given).map(|(source, given)| source.map_or(*given, |at| noted[at])).collect();
                write_slots(&results, slots);
                Ok(())
            })
        };
        linker.define("h", "numeric", numeric).unwrap();

        let other = Module::new(engine, other).unwrap();
        let other = linker.instantiate(&mut store, &other).unwrap();
        for body in [Body::Compiled, Body::Interpreted] {
            let leaf = other.get_func(&store, &format!("leaf_{body:?}")).unwrap();
            linker.define("h", &Target::Other(body).name(), leaf).unwrap();
            let export = format!("leaf_{body:?}");
            let bounce = move |mut caller: Caller<'_, Data>, params: &[Val], results: &mut [Val]| -> Result<(), Stop> {
                let leaf = caller.get_export(&export).and_then(Extern::into_func).unwrap();
                leaf.call(&mut caller, params, results)
            };
            let bounce = Func::new(&mut store, ty.clone(), bounce);
            linker.define("h", &Target::Bounce(body).name(), bounce).unwrap();
        }
        let module = Module::new(engine, module).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mut references = vec![(ValType::EXTERNREF, Val::ExternRef(None)), (ValType::FUNCREF, Val::FuncRef(None))];
        for number in 0..3 {
            references.push((ValType::EXTERNREF, ExternRef::new(&mut store, number).unwrap().into()));
            references.push((ValType::FUNCREF, instance.get_func(&store, &format!("f{number}")).unwrap().into()));
        }
        Trial { plan, store, instance, globals, who, references }
    }

    pub(crate) fn values(&self, random: &mut Random, types: &[ValType]) -> Vec<Val> {
        let mut value = |&ty: &ValType| match ty {
            ValType::I32 => Val::I32(random.bits() as i32),
            ValType::I64 => Val::I64(random.bits() as i64),
            // Any bits, including those of signalling NaNs.
            ValType::F32 => Val::F32(random.bits() as u32 | if random.below(4) == 0 { 0x7f80_0000 } else { 0 }),
            ValType::F64 => Val::F64(random.bits() | if random.below(4) == 0 { 0x7ff0_0000_0000_0000 } else { 0 }),
            ValType::V128 => Val::V128(V128::from_lanes([random.bits(), random.bits()])),
            ValType::Ref(_) => {
                let fit: Vec<Val> =
                    self.references.iter().filter(|(other, _)| *other == ty).map(|(_, value)| *value).collect();
                random.of(&fit)
            }
        };
        types.iter().map(&mut value).collect()
    }

    /// Calls a function whose parameters and results are in these orders. Returns the number of the leaf or host function at
    /// which the arguments arrived, the arguments there, and the results, all in the signature's order.
    pub(crate) fn call(
        &mut self,
        func: Func,
        orders: [usize; 2],
        params: &[Val],
        given: &[Val],
    ) -> (Val, Vec<Val>, Vec<Val>) {
        let Trial { plan, store, globals, who, .. } = self;
        who.set(&mut *store, Val::I32(-1)).unwrap();
        for (global, value) in globals[1].iter().zip(given) {
            global.set(&mut *store, *value).unwrap();
        }
        for global in &globals[0] {
            let zero = Val::default_for(&store.registry().clone(), global.ty(&*store).content).unwrap();
            global.set(&mut *store, zero).unwrap();
        }
        store.data_mut().results = given.to_vec();
        store.data_mut().noted.clear();
        let params = in_order(params, &plan.orders[0][orders[0]]);
        let order = &plan.orders[1][orders[1]];
        let mut results = vec![Val::I32(0); given.len()];
        func.call(&mut *store, &params, &mut results).unwrap_or_else(|stop| panic!("{stop}"));
        let mut in_place = results.clone();
        for (&at, result) in order.iter().zip(results) {
            in_place[at] = result;
        }
        let noted = std::mem::take(&mut store.data_mut().noted);
        let noted =
            if noted.is_empty() { globals[0].iter().map(|global| global.get(&mut *store)).collect() } else { noted };
        (who.get(&mut *store), noted, in_place)
    }

    pub(crate) fn expected(&self, params: &[Val], given: &[Val]) -> Vec<Val> {
        given.iter().zip(&self.plan.sources).map(|(given, source)| source.map_or(*given, |at| params[at])).collect()
    }

    pub(crate) fn run(&mut self, configuration: &str) {
        let random = &mut Random(self.plan.seed);
        let context = || format!("{configuration}, seed {:#x}:\n{}\n", self.plan.seed, shown(&self.plan.module()));
        let signature = &self.plan.signature;
        for round in 0..2 {
            for body in [Body::Compiled, Body::Interpreted] {
                let [params, given] = [&signature.params, &signature.results].map(|types| self.values(random, types));
                let leaf = self.instance.get_func(&self.store, &format!("leaf_{body:?}")).unwrap();
                let (who, arrived, came) = self.call(leaf, [0, 0], &params, &given);
                assert_eq!(who, Val::I32(Target::Leaf(body).number()), "{}", context());
                assert_eq!(arrived, params, "arguments of the leaf {body:?}, call {round}, {}", context());
                assert_eq!(
                    came,
                    self.expected(&params, &given),
                    "results of the leaf {body:?}, call {round}, {}",
                    context()
                );
            }
            for (number, forwarder) in self.plan.forwarders.iter().enumerate() {
                let [params, given] = [&signature.params, &signature.results].map(|types| self.values(random, types));
                let func = self.instance.get_func(&self.store, &format!("f{number}")).unwrap();
                let (who, arrived, came) = self.call(func, forwarder.orders, &params, &given);
                let context = || format!("call {round} of f{number}, {forwarder:?}, {}", context());
                assert_eq!(who, Val::I32(forwarder.end.number()), "end of the chain, {}", context());
                assert_eq!(arrived, params, "arguments, {}", context());
                assert_eq!(came, self.expected(&params, &given), "results, {}", context());
                if !forwarder.kind.is_tail() {
                    let global = |at: usize| self.instance.get_global(&self.store, &format!("q{at}")).unwrap();
                    let globals: Vec<Global> = (0..params.len()).map(global).collect();
                    let kept: Vec<Val> = globals.iter().map(|global| global.get(&mut self.store)).collect();
                    assert_eq!(kept, params, "parameters after the call, {}", context());
                }
            }
        }
    }
}

/// Returns the module's text with a short comment in place of each padding.
pub(crate) fn shown(text: &str) -> String {
    let mut text = text.to_string();
    for body in [Body::Interpreted, Body::Compiled] {
        text = text.replace(&body.padding(), &format!("(; {body:?} ;) "));
    }
    text
}
