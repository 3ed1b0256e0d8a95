//! Signatures: arguments and results of every type, in every number, arrive as they were sent, whoever calls whom and in whatever
//! way: host, interpreter and machine code, directly, through a table, through a reference, as a tail call, into another instance,
//! through the host and back.
//!
//! For each random signature there is a module with *leaves*, which note their arguments in globals and return what the host put
//! into others, and *forwarders*, which call a leaf, a function of the host or another forwarder with the values they got, in
//! another order. The host calls each forwarder with random bits and looks at what arrived, what came back, and what the
//! forwarder's own parameters are after the call. Every signature has a seed of its own, which a failure names.
#![cfg(feature = "jit")]

mod ways;

use std::fmt::Write;

use wasmr::{
    Caller, Engine, Extern, ExternRef, Func, FuncType, Global, GlobalType, Instance, Linker, Module, Stop, Store, V128,
    Val, ValType,
};

use ways::{Body, MAX_COMPILED_SIZE, Way, ways};

const SEED: u64 = 0x5eed_0000_0000_0000;
/// How many random signatures.
const SIGNATURES: u64 = 300;
/// Forwarders of a signature, without those that call others.
const FORWARDERS: usize = 8;
/// Forwarders of a signature that call a forwarder.
const CHAINED: usize = 4;

/// xorshift64*: any sequence will do, as long as it is the same each time.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((self.bits() >> 33) % bound as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// The numbers below `count` in some order.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.below(at + 1));
        }
        order
    }
}

const TYPES: [(ValType, &str); 7] = [
    (ValType::I32, "i32"),
    (ValType::I64, "i64"),
    (ValType::F32, "f32"),
    (ValType::F64, "f64"),
    (ValType::V128, "v128"),
    (ValType::EXTERNREF, "externref"),
    (ValType::FUNCREF, "funcref"),
];

fn name(ty: ValType) -> &'static str {
    TYPES.iter().find(|(other, _)| *other == ty).unwrap().1
}

fn names(types: &[ValType], order: &[usize]) -> String {
    order.iter().map(|&at| name(types[at])).collect::<Vec<_>>().join(" ")
}

struct Signature {
    params: Vec<ValType>,
    results: Vec<ValType>,
}

impl Signature {
    fn random(random: &mut Random) -> Signature {
        let mut list = |most: usize| -> Vec<ValType> {
            let count = random.below(most + 1);
            match random.below(4) {
                // What fills the registers of one kind.
                0 => vec![random.of(&TYPES).0; count],
                1 => (0..count).map(|_| random.of(&TYPES[..5]).0).collect(),
                _ => (0..count).map(|_| random.of(&TYPES).0).collect(),
            }
        };
        Signature { params: list(20), results: list(16) }
    }

    fn has_references(&self) -> bool {
        self.params.iter().chain(&self.results).any(|ty| matches!(ty, ValType::Ref(_)))
    }

    fn func_type(&self) -> FuncType {
        FuncType::new(self.params.clone(), self.results.clone())
    }
}

/// How a forwarder calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Direct,
    Indirect,
    /// By a reference that the code knows.
    KnownRef,
    /// By a reference that it does not.
    Ref,
    ReturnDirect,
    ReturnIndirect,
    ReturnRef,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::Direct,
        Kind::Indirect,
        Kind::KnownRef,
        Kind::Ref,
        Kind::ReturnDirect,
        Kind::ReturnIndirect,
        Kind::ReturnRef,
    ];

    fn is_tail(self) -> bool {
        matches!(self, Kind::ReturnDirect | Kind::ReturnIndirect | Kind::ReturnRef)
    }
}

/// What a forwarder calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Leaf(Body),
    /// A leaf of another instance.
    Other(Body),
    /// A host function over values.
    Host,
    /// A host function over slots; of values if there are references.
    Numeric,
    /// A host function that calls a leaf.
    Bounce(Body),
    /// A forwarder before.
    Forwarder(usize),
}

impl Target {
    const ALL: [Target; 8] = [
        Target::Leaf(Body::Compiled),
        Target::Leaf(Body::Interpreted),
        Target::Other(Body::Compiled),
        Target::Other(Body::Interpreted),
        Target::Host,
        Target::Numeric,
        Target::Bounce(Body::Compiled),
        Target::Bounce(Body::Interpreted),
    ];

    fn name(self) -> String {
        match self {
            Target::Leaf(body) => format!("leaf_{body:?}"),
            Target::Other(body) => format!("other_{body:?}"),
            Target::Host => "host".to_string(),
            Target::Numeric => "numeric".to_string(),
            Target::Bounce(body) => format!("bounce_{body:?}"),
            Target::Forwarder(number) => format!("f{number}"),
        }
    }

    /// What it says of itself when it notes the arguments.
    fn number(self) -> i32 {
        Target::ALL.iter().position(|other| *other == self).unwrap() as i32
    }
}

#[derive(Clone, Copy, Debug)]
struct Forwarder {
    kind: Kind,
    body: Body,
    target: Target,
    /// Which order its parameters and results have: 0 is the signature's.
    orders: [usize; 2],
    /// What notes the arguments in the end.
    end: Target,
}

/// All that is tried with one signature.
struct Plan {
    signature: Signature,
    /// Two orders of the parameters, then two of the results. `order[at]` is the signature's number of the one at `at`.
    orders: [[Vec<usize>; 2]; 2],
    /// Where a leaf's results come from: a parameter, or what the host put into a global.
    sources: Vec<Option<usize>>,
    forwarders: Vec<Forwarder>,
    /// What it was made from.
    seed: u64,
}

impl Plan {
    /// A plan for this signature, or a random one. Seeds that follow one another go through all combinations.
    fn new(seed: u64, signature: Option<Signature>) -> Plan {
        let random = &mut Random(seed);
        let signature = signature.unwrap_or_else(|| Signature::random(random));
        let first = (seed - SEED) as usize * FORWARDERS;
        let Signature { params, results } = &signature;
        let orders = [params.len(), results.len()].map(|count| [(0..count).collect(), random.order(count)]);
        let source = |ty: &ValType| {
            let same: Vec<usize> = (0..params.len()).filter(|&at| params[at] == *ty).collect();
            (!same.is_empty() && random.below(3) == 0).then(|| random.of(&same))
        };
        let sources = results.iter().map(source).collect();
        let mut plan = Plan { signature, orders, sources, forwarders: Vec::new(), seed };
        for combination in first..first + FORWARDERS {
            let kind = Kind::ALL[combination % 7];
            let target = Target::ALL[combination / 7 % 8];
            let body = random.of(&Body::ALL);
            plan.forward(&mut *random, kind, body, target);
        }
        for _ in 0..CHAINED {
            let target = Target::Forwarder(random.below(plan.forwarders.len()));
            let (kind, body) = (random.of(&Kind::ALL), random.of(&Body::ALL));
            plan.forward(&mut *random, kind, body, target);
        }
        plan
    }

    fn forward(&mut self, random: &mut Random, kind: Kind, body: Body, target: Target) {
        let called = self.orders_of(target);
        let orders = [random.below(2), if kind.is_tail() { called[1] } else { random.below(2) }];
        let end = match target {
            Target::Forwarder(number) => self.forwarders[number].end,
            Target::Bounce(body) => Target::Leaf(body),
            other => other,
        };
        self.forwarders.push(Forwarder { kind, body, target, orders, end });
    }

    /// Whose parameters and results are in which order.
    fn orders_of(&self, target: Target) -> [usize; 2] {
        if let Target::Forwarder(number) = target { self.forwarders[number].orders } else { [0, 0] }
    }

    /// `(global …)` imports for arguments and results.
    fn imported_globals(&self) -> String {
        let mut text = "(import \"h\" \"who\" (global $who (mut i32)))\n".to_string();
        for (letter, types) in [("p", &self.signature.params), ("r", &self.signature.results)] {
            for (at, &ty) in types.iter().enumerate() {
                let ty = name(ty);
                writeln!(text, "(import \"h\" \"{letter}{at}\" (global ${letter}{at} (mut {ty})))").unwrap();
            }
        }
        text
    }

    fn types(&self) -> String {
        let Signature { params, results } = &self.signature;
        let mut text = String::new();
        for (a, param_order) in self.orders[0].iter().enumerate() {
            for (b, result_order) in self.orders[1].iter().enumerate() {
                let (params, results) = (names(params, param_order), names(results, result_order));
                writeln!(text, "(type $t{a}{b} (func (param {params}) (result {results})))").unwrap();
            }
        }
        text
    }

    fn leaf(&self, who: Target, body: Body) -> String {
        let notes: String =
            (0..self.signature.params.len()).map(|at| format!("local.get {at} global.set $p{at} ")).collect();
        let result = |(at, source): (usize, &Option<usize>)| match source {
            Some(param) => format!("local.get {param} "),
            None => format!("global.get $r{at} "),
        };
        let results: String = self.sources.iter().enumerate().map(result).collect();
        let (padding, who) = (body.padding(), who.number());
        format!(
            "(func $leaf_{body:?} (export \"leaf_{body:?}\") (type $t00) {padding} i32.const {who} global.set $who\n  \
             {notes} {results})\n"
        )
    }

    fn leaves(&self, who: fn(Body) -> Target) -> String {
        [Body::Compiled, Body::Interpreted].map(|body| self.leaf(who(body), body)).concat()
    }

    /// The module of the other instance.
    fn other_module(&self) -> String {
        format!("(module {} {} {})", self.types(), self.imported_globals(), self.leaves(Target::Other))
    }

    fn forwarder(&self, number: usize) -> String {
        let Forwarder { kind, body, target, orders, .. } = self.forwarders[number];
        let [own_params, own_results] = [&self.orders[0][orders[0]], &self.orders[1][orders[1]]];
        let called = self.orders_of(target);
        let [params, results] = [&self.orders[0][called[0]], &self.orders[1][called[1]]];
        let param = |which: usize| own_params.iter().position(|&other| other == which).unwrap();
        let mut text = format!("(func $f{number} (export \"f{number}\") (type $t{}{})", orders[0], orders[1]);
        for (at, &ty) in self.signature.results.iter().enumerate() {
            write!(text, " (local $x{at} {})", name(ty)).unwrap();
        }
        write!(text, "\n  {}", body.padding()).unwrap();
        for &which in params {
            write!(text, "local.get {} ", param(which)).unwrap();
        }
        let (ty, callee) = (format!("$t{}{}", called[0], called[1]), target.name());
        let at = self.table().iter().position(|name| *name == callee).unwrap();
        let call = match kind {
            Kind::Direct => format!("call ${callee}"),
            Kind::Indirect => format!("i32.const {at} call_indirect (type {ty})"),
            Kind::KnownRef => format!("ref.func ${callee} call_ref {ty}"),
            Kind::Ref => format!("global.get $g{number} call_ref {ty}"),
            Kind::ReturnDirect => format!("return_call ${callee}"),
            Kind::ReturnIndirect => format!("i32.const {at} return_call_indirect (type {ty})"),
            Kind::ReturnRef => format!("global.get $g{number} return_call_ref {ty}"),
        };
        write!(text, "{call} ").unwrap();
        if !kind.is_tail() {
            // What the call left of the parameters.
            for which in 0..self.signature.params.len() {
                write!(text, "local.get {} global.set $q{which} ", param(which)).unwrap();
            }
            for which in results.iter().rev() {
                write!(text, "local.set $x{which} ").unwrap();
            }
            for which in own_results {
                write!(text, "local.get $x{which} ").unwrap();
            }
        }
        writeln!(text, ")\n(global $g{number} (mut (ref null {ty})) (ref.func ${callee}))").unwrap();
        text
    }

    /// What the table holds.
    fn table(&self) -> Vec<String> {
        let targets = Target::ALL.iter().map(|target| target.name());
        targets.chain((0..self.forwarders.len()).map(|number| format!("f{number}"))).collect()
    }

    fn module(&self) -> String {
        let mut text = format!("(module {} {}", self.types(), self.imported_globals());
        for target in &Target::ALL[2..] {
            let name = target.name();
            writeln!(text, "(import \"h\" \"{name}\" (func ${name} (type $t00)))").unwrap();
        }
        for (at, &ty) in self.signature.params.iter().enumerate() {
            let zero = match name(ty) {
                "v128" => "(v128.const i64x2 0 0)".to_string(),
                "externref" => "(ref.null extern)".to_string(),
                "funcref" => "(ref.null func)".to_string(),
                number => format!("({number}.const 0)"),
            };
            writeln!(text, "(global $q{at} (export \"q{at}\") (mut {}) {zero})", name(ty)).unwrap();
        }
        let table: Vec<String> = self.table().iter().map(|name| format!("${name}")).collect();
        writeln!(text, "(table funcref (elem {}))", table.join(" ")).unwrap();
        text += &self.leaves(Target::Leaf);
        for number in 0..self.forwarders.len() {
            text += &self.forwarder(number);
        }
        text + ")"
    }
}

/// What the host notes and gives.
#[derive(Default)]
struct Data {
    noted: Vec<Val>,
    results: Vec<Val>,
    sources: Vec<Option<usize>>,
}

/// The values at these places.
fn in_order(values: &[Val], order: &[usize]) -> Vec<Val> {
    order.iter().map(|&at| values[at]).collect()
}

fn write_slots(values: &[Val], slots: &mut [u64]) {
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

fn read_slots(types: &[ValType], slots: &[u64]) -> Vec<Val> {
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

/// A plan made real in a store.
struct Trial<'a> {
    plan: &'a Plan,
    store: Store<Data>,
    instance: Instance,
    /// The globals of arguments and of results.
    globals: [Vec<Global>; 2],
    /// The global in which whoever notes arguments says so.
    who: Global,
    /// References to choose from.
    references: Vec<(ValType, Val)>,
}

impl<'a> Trial<'a> {
    /// The modules are those of the plan, in the binary format.
    fn new(engine: &Engine, plan: &'a Plan, [module, other]: &[Vec<u8>; 2]) -> Trial<'a> {
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

    fn values(&self, random: &mut Random, types: &[ValType]) -> Vec<Val> {
        let mut value = |&ty: &ValType| match ty {
            ValType::I32 => Val::I32(random.bits() as i32),
            ValType::I64 => Val::I64(random.bits() as i64),
            // Any bits, those of signalling NaNs among them.
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

    /// Calls a function whose parameters and results are in these orders. Where the arguments arrived, which they were, and what
    /// came back, in the signature's order.
    fn call(&mut self, func: Func, orders: [usize; 2], params: &[Val], given: &[Val]) -> (Val, Vec<Val>, Vec<Val>) {
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

    fn expected(&self, params: &[Val], given: &[Val]) -> Vec<Val> {
        given.iter().zip(&self.plan.sources).map(|(given, source)| source.map_or(*given, |at| params[at])).collect()
    }

    fn run(&mut self, way: &str) {
        let random = &mut Random(self.plan.seed);
        let context = || format!("{way}, seed {:#x}:\n{}\n", self.plan.seed, shown(&self.plan.module()));
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
                assert_eq!(who, Val::I32(forwarder.end.number()), "who was called, {}", context());
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

/// The module without what makes bodies long.
fn shown(text: &str) -> String {
    let mut text = text.to_string();
    for body in [Body::Interpreted, Body::Compiled] {
        text = text.replace(&body.padding(), &format!("(; {body:?} ;) "));
    }
    text
}

/// Carries out plans in all ways in which the first call shows something.
fn check(max_compiled_size: usize, plans: impl Iterator<Item = Plan>) {
    let ways = ways(max_compiled_size).into_iter().enumerate();
    let ways: Vec<Way> =
        ways.filter(|(number, way)| *number == 0 || way.compiles_at_once).map(|(_, way)| way).collect();
    let engines: Vec<Engine> = ways.iter().map(Way::engine).collect();
    let mut count = 0;
    for plan in plans {
        let modules = [plan.module(), plan.other_module()]
            .map(|text| wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}: {}", shown(&text))));
        for (way, engine) in ways.iter().zip(&engines) {
            Trial::new(engine, &plan, &modules).run(&way.name);
        }
        count += 1;
    }
    for (way, engine) in ways.iter().zip(&engines) {
        let report = engine.report();
        assert_eq!(report.functions >= 2 * count, way.compiles_at_once, "{}: {report}", way.name);
        assert!(report.refused == 0 || max_compiled_size < usize::MAX, "{}: {report}", way.name);
    }
}

#[test]
fn random_signatures_keep_their_values() {
    check(MAX_COMPILED_SIZE, (0..SIGNATURES).map(|number| Plan::new(SEED + number, None)));
}

#[test]
fn every_number_of_values_of_one_type_is_kept() {
    let counts = [0, 1, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17];
    let signatures = TYPES
        .iter()
        .flat_map(|(ty, _)| counts.map(|count| Signature { params: vec![*ty; count], results: vec![*ty; 17 - count] }));
    check(
        MAX_COMPILED_SIZE,
        signatures.zip(SEED + SIGNATURES..).map(|(signature, seed)| Plan::new(seed, Some(signature))),
    );
}

#[test]
fn signatures_wider_than_any_frame_keep_their_values() {
    let plan = |(seed, (params, results)): (u64, (usize, usize))| {
        let mut random = Random(seed);
        let mut list = |count: usize| (0..count).map(|_| random.of(&TYPES).0).collect();
        let signature = Signature { params: list(params), results: list(results) };
        Plan::new(seed, Some(signature))
    };
    // Bodies are larger than padding makes them: by one limit all are compiled, by the others some.
    for most in [usize::MAX, 10_000, 4_000] {
        let plans = (SEED + SIGNATURES + 100..).zip([(400, 3), (2, 300), (150, 150), (1000, 1000)]);
        check(most, plans.map(plan));
    }
}
