//! [`Plan`]: the calls to try with one signature, and the modules that make them, as text.

use std::fmt::Write;

use crate::FIRST_SEED;
use wasmr::ValType;

use crate::configurations::Body;
use crate::random::Random;
use crate::signature::{Signature, name, names};

/// Number of forwarders of a signature that do not call a forwarder.
pub(crate) const FORWARDERS: usize = 8;
/// Number of forwarders of a signature that call a forwarder.
pub(crate) const CHAINED: usize = 4;

/// Kind of call that a forwarder makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Direct,
    Indirect,
    /// Through a reference that the compiler knows, from `ref.func`.
    KnownRef,
    /// Through a reference that the compiler does not know, from a global.
    Ref,
    ReturnDirect,
    ReturnIndirect,
    ReturnRef,
}

impl Kind {
    pub(crate) const ALL: [Kind; 7] = [
        Kind::Direct,
        Kind::Indirect,
        Kind::KnownRef,
        Kind::Ref,
        Kind::ReturnDirect,
        Kind::ReturnIndirect,
        Kind::ReturnRef,
    ];

    pub(crate) fn is_tail(self) -> bool {
        matches!(self, Kind::ReturnDirect | Kind::ReturnIndirect | Kind::ReturnRef)
    }
}

/// Callee of a forwarder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    Leaf(Body),
    /// A leaf of another instance.
    Other(Body),
    /// A host function with values as arguments.
    Host,
    /// A host function with slots as arguments, or with values if the signature has references.
    Numeric,
    /// A host function that calls a leaf.
    Bounce(Body),
    /// The forwarder with this number, which is lower than the caller's.
    Forwarder(usize),
}

impl Target {
    pub(crate) const ALL: [Target; 8] = [
        Target::Leaf(Body::Compiled),
        Target::Leaf(Body::Interpreted),
        Target::Other(Body::Compiled),
        Target::Other(Body::Interpreted),
        Target::Host,
        Target::Numeric,
        Target::Bounce(Body::Compiled),
        Target::Bounce(Body::Interpreted),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Target::Leaf(body) => format!("leaf_{body:?}"),
            Target::Other(body) => format!("other_{body:?}"),
            Target::Host => "host".to_string(),
            Target::Numeric => "numeric".to_string(),
            Target::Bounce(body) => format!("bounce_{body:?}"),
            Target::Forwarder(number) => format!("f{number}"),
        }
    }

    /// Returns the number that a leaf notes beside its arguments, to identify itself.
    pub(crate) fn number(self) -> i32 {
        Target::ALL.iter().position(|other| *other == self).unwrap() as i32
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Forwarder {
    pub(crate) kind: Kind,
    pub(crate) body: Body,
    pub(crate) target: Target,
    /// Indices into [`Plan::orders`] of the order of the parameters and of the results.
    pub(crate) orders: [usize; 2],
    /// Leaf or host function that notes the arguments at the end of the chain.
    pub(crate) end: Target,
}

/// The calls to try with one signature.
pub(crate) struct Plan {
    pub(crate) signature: Signature,
    /// Two orders of the parameters, then two of the results. The first of each is the signature's own. `order[at]` is the
    /// position in the signature of the value at `at`.
    pub(crate) orders: [[Vec<usize>; 2]; 2],
    /// Source of each result of a leaf: the parameter with this position, or with `None` a global that the host has set.
    pub(crate) sources: Vec<Option<usize>>,
    pub(crate) forwarders: Vec<Forwarder>,
    /// Seed of the random choices.
    pub(crate) seed: u64,
}

impl Plan {
    /// Makes a plan for this signature, or for a random one. Consecutive seeds go through all combinations of call and callee.
    pub(crate) fn new(seed: u64, signature: Option<Signature>) -> Plan {
        let random = &mut Random(seed);
        let signature = signature.unwrap_or_else(|| Signature::random(random));
        let first = (seed - FIRST_SEED) as usize * FORWARDERS;
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

    pub(crate) fn forward(&mut self, random: &mut Random, kind: Kind, body: Body, target: Target) {
        let called = self.orders_of(target);
        let orders = [random.below(2), if kind.is_tail() { called[1] } else { random.below(2) }];
        let end = match target {
            Target::Forwarder(number) => self.forwarders[number].end,
            Target::Bounce(body) => Target::Leaf(body),
            other => other,
        };
        self.forwarders.push(Forwarder { kind, body, target, orders, end });
    }

    /// Returns the orders of the parameters and results of a callee.
    pub(crate) fn orders_of(&self, target: Target) -> [usize; 2] {
        if let Target::Forwarder(number) = target { self.forwarders[number].orders } else { [0, 0] }
    }

    /// Returns imports of the globals for arguments and results.
    pub(crate) fn imported_globals(&self) -> String {
        let mut text = "(import \"h\" \"who\" (global $who (mut i32)))\n".to_string();
        for (letter, types) in [("p", &self.signature.params), ("r", &self.signature.results)] {
            for (at, &ty) in types.iter().enumerate() {
                let ty = name(ty);
                writeln!(text, "(import \"h\" \"{letter}{at}\" (global ${letter}{at} (mut {ty})))").unwrap();
            }
        }
        text
    }

    pub(crate) fn types(&self) -> String {
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

    pub(crate) fn leaf(&self, who: Target, body: Body) -> String {
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

    pub(crate) fn leaves(&self, who: fn(Body) -> Target) -> String {
        [Body::Compiled, Body::Interpreted].map(|body| self.leaf(who(body), body)).concat()
    }

    /// Returns the module of the other instance.
    pub(crate) fn other_module(&self) -> String {
        format!("(module {} {} {})", self.types(), self.imported_globals(), self.leaves(Target::Other))
    }

    pub(crate) fn forwarder(&self, number: usize) -> String {
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
            // Notes the parameters as they are after the call.
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

    /// Returns the names of the functions in the table.
    pub(crate) fn table(&self) -> Vec<String> {
        let targets = Target::ALL.iter().map(|target| target.name());
        targets.chain((0..self.forwarders.len()).map(|number| format!("f{number}"))).collect()
    }

    pub(crate) fn module(&self) -> String {
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
