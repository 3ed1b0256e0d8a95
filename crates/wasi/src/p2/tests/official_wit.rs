//! Compares the table of interfaces with the official WIT in `wit/`: names, parameters, types and versions.

use std::collections::{BTreeMap, BTreeSet};

use wasmr_canon::{Interface as Expected, LiftParams, LowerReturn, ResourceType};
use wasmr_component::{Case, Field, FuncType, ResourceId, TypeDef, TypeId, Types};
use wit_parser::{Function as WitFunction, Handle, Resolve, Stability, Type, TypeDefKind, TypeOwner};

use crate::p2::interfaces::{Function, Row, VERSION, Visitor, visit};
use crate::p2::table::Kind;

/// Interfaces that the host does not define: `run` is an export of components.
const LEFT_OUT: &[&str] = &["wasi:cli/run"];

/// The packages, each after those that it uses.
const PACKAGES: &[(&str, &str)] = &[
    ("io.wit", include_str!("../../../wit/io.wit")),
    ("clocks.wit", include_str!("../../../wit/clocks.wit")),
    ("random.wit", include_str!("../../../wit/random.wit")),
    ("filesystem.wit", include_str!("../../../wit/filesystem.wit")),
    ("sockets.wit", include_str!("../../../wit/sockets.wit")),
    ("cli.wit", include_str!("../../../wit/cli.wit")),
];

type Check = Box<dyn Fn(&Expected<'_>, &FuncType) -> Result<(), String>>;

/// The table's rows by interface and name.
#[derive(Default)]
struct Ours {
    interface: String,
    functions: BTreeMap<(String, String), (Row, Check)>,
    resources: BTreeMap<(String, String), ResourceType>,
}

impl Visitor for Ours {
    fn interface(&mut self, name: &'static str) -> bool {
        self.interface = name.to_owned();
        true
    }

    fn resource<T: Kind + 'static>(&mut self) {
        let last = self.resources.insert((self.interface.clone(), T::NAME.to_owned()), ResourceType::host::<T>());
        assert!(last.is_none(), "{} is listed twice", T::NAME);
    }

    fn function<P: LiftParams + 'static, R: LowerReturn + 'static>(&mut self, row: Row, _: impl Function<P, R>) {
        assert_eq!(row.interface, self.interface);
        let check = |expected: &Expected<'_>, func: &FuncType| {
            P::check(expected, func)?;
            R::check_payload(expected, func.result)
        };
        let last =
            self.functions.insert((self.interface.clone(), row.name.to_owned()), (row, Box::new(check) as Check));
        assert!(last.is_none(), "{} is listed twice", row.name);
    }
}

/// Types of the official WIT as those of a component.
struct Official<'a> {
    resolve: &'a Resolve,
    ours: &'a Ours,
    types: Types,
    /// Resource types by their ids, each with its interface and name.
    resources: Vec<(String, String)>,
}

impl Official<'_> {
    fn name_of(&self, interface: wit_parser::InterfaceId) -> String {
        let interface = &self.resolve.interfaces[interface];
        let package = &self.resolve.packages[interface.package.unwrap()].name;
        format!("{}:{}/{}", package.namespace, package.name, interface.name.as_deref().unwrap())
    }

    fn resource(&mut self, mut id: wit_parser::TypeId) -> ResourceId {
        while let TypeDefKind::Type(Type::Id(of)) = &self.resolve.types[id].kind {
            id = *of;
        }
        let ty = &self.resolve.types[id];
        assert!(matches!(ty.kind, TypeDefKind::Resource));
        let TypeOwner::Interface(interface) = ty.owner else { panic!("a resource without interface") };
        let key = (self.name_of(interface), ty.name.clone().unwrap());
        let known = self.resources.iter().position(|known| *known == key);
        let index = known.unwrap_or_else(|| {
            self.resources.push(key);
            self.resources.len() - 1
        });
        ResourceId(index as u32)
    }

    fn option(&mut self, ty: &Option<Type>) -> Option<TypeId> {
        ty.as_ref().map(|ty| self.ty(ty))
    }

    fn ty(&mut self, ty: &Type) -> TypeId {
        let def = match ty {
            Type::Bool => TypeDef::Bool,
            Type::U8 => TypeDef::U8,
            Type::U16 => TypeDef::U16,
            Type::U32 => TypeDef::U32,
            Type::U64 => TypeDef::U64,
            Type::S32 => TypeDef::S32,
            Type::String => TypeDef::String,
            Type::Id(id) => {
                let resolve = self.resolve;
                match &resolve.types[*id].kind {
                    TypeDefKind::Type(of) => return self.ty(of),
                    TypeDefKind::List(of) => TypeDef::List(self.ty(of)),
                    TypeDefKind::Option(of) => TypeDef::Option(self.ty(of)),
                    TypeDefKind::Result(result) => {
                        TypeDef::Result { ok: self.option(&result.ok), err: self.option(&result.err) }
                    }
                    TypeDefKind::Tuple(tuple) => TypeDef::Tuple(tuple.types.iter().map(|ty| self.ty(ty)).collect()),
                    TypeDefKind::Record(record) => {
                        let field = |field: &wit_parser::Field| Field {
                            name: field.name.as_str().into(),
                            ty: self.ty(&field.ty),
                        };
                        TypeDef::Record(record.fields.iter().map(field).collect())
                    }
                    TypeDefKind::Variant(variant) => {
                        let case = |case: &wit_parser::Case| Case {
                            name: case.name.as_str().into(),
                            ty: self.option(&case.ty),
                        };
                        TypeDef::Variant(variant.cases.iter().map(case).collect())
                    }
                    TypeDefKind::Enum(all) => {
                        TypeDef::Enum(all.cases.iter().map(|case| &*case.name).map(Box::from).collect())
                    }
                    TypeDefKind::Flags(all) => {
                        TypeDef::Flags(all.flags.iter().map(|flag| &*flag.name).map(Box::from).collect())
                    }
                    TypeDefKind::Handle(Handle::Own(id)) => TypeDef::Own(self.resource(*id)),
                    TypeDefKind::Handle(Handle::Borrow(id)) => TypeDef::Borrow(self.resource(*id)),
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        };
        self.types.intern(def).unwrap()
    }

    /// Compares a function with its row.
    fn compare(&mut self, interface: &str, function: &WitFunction) -> Result<(), String> {
        let ours = self.ours;
        let Some((row, check)) = ours.functions.get(&(interface.to_owned(), function.name.clone())) else {
            return Err("it is missing".to_owned());
        };
        let params: Vec<&str> = function.params.iter().map(|param| &*param.name).collect();
        if row.params != params {
            return Err(format!("its parameters are {params:?}"));
        }
        match &function.stability {
            Stability::Stable { since, .. } if since.to_string() == row.since => {}
            // The official WIT lacks the version of `check-send`.
            Stability::Unknown if row.since == "0.2.0" => {}
            other => return Err(format!("it is {other:?}")),
        }
        let params =
            function.params.iter().map(|param| Field { name: param.name.as_str().into(), ty: self.ty(&param.ty) });
        let params = params.collect();
        let func = FuncType { params, result: self.option(&function.result), is_async: false };
        let resources: Vec<_> = self.resources.iter().map(|key| ours.resources.get(key).copied()).collect();
        check(&Expected::new(&self.types, &resources), &func)
    }
}

#[test]
fn the_table_is_the_official_one() {
    let mut resolve = Resolve::default();
    for (path, source) in PACKAGES {
        let package = resolve.push_source(path, source).unwrap();
        assert_eq!(resolve.packages[package].name.version.as_ref().unwrap().to_string(), VERSION);
    }
    let mut ours = Ours::default();
    visit(&mut ours);
    let mut official = Official { resolve: &resolve, ours: &ours, types: Types::default(), resources: Vec::new() };
    let (mut wrong, mut functions, mut resources) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (id, interface) in resolve.interfaces.iter() {
        let name = official.name_of(id);
        if LEFT_OUT.contains(&&*name) || matches!(interface.stability, Stability::Unstable { .. }) {
            continue;
        }
        for function in interface.functions.values() {
            functions.insert((name.clone(), function.name.clone()));
            if let Err(why) = official.compare(&name, function) {
                wrong.push(format!("{name} {}: {why}", function.name));
            }
        }
        for (ty, id) in &interface.types {
            if matches!(resolve.types[*id].kind, TypeDefKind::Resource) {
                resources.insert((name.clone(), ty.clone()));
            }
        }
    }
    assert!(functions.len() > 110);
    wrong.extend(
        ours.functions.keys().filter(|key| !functions.contains(*key)).map(|key| format!("{key:?} is not official")),
    );
    let known: BTreeSet<_> = ours.resources.keys().cloned().collect();
    wrong.extend(known.symmetric_difference(&resources).map(|key| format!("the resource {key:?} is on one side only")));
    assert!(wrong.is_empty(), "the table differs from the official WIT:\n  {}\n", wrong.join("\n  "));
}
