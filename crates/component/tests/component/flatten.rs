//! Steps and definitions of small components.

use wasmr_component::{
    Builtin, Component, CoreArgs, CoreDef, CoreInstanceId, CoreItem, ExportItem, FuncDef, ImportItem, InstanceId,
    LiftId, LoweringId, ModuleDef, ResourceDef, Step, TypeDef,
};
use wasmr_module::{ExternKind, Fault};

use crate::common::{component, error};

/// Returns the core arguments of each instantiation.
fn instantiations(component: &Component) -> Vec<(ModuleDef, Vec<CoreDef>)> {
    let steps = component.steps.iter().filter_map(|step| match step {
        Step::Instantiate { module, args: CoreArgs::InOrder(args), .. } => Some((*module, args.to_vec())),
        _ => None,
    });
    steps.collect()
}

#[test]
fn a_lifted_function() {
    let component = component(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "len") (param i32 i32) (result i32) (local.get 1)))
            (core instance $i (instantiate $m))
            (func (export "len") (param "s" string) (result u32)
                (canon lift (core func $i "len") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
    );
    assert_eq!((component.modules.len(), &component.instances[..]), (1, &[None][..]));
    assert_eq!(component.modules[0].name(), "test:m");
    assert!(matches!(&component.steps[..], [Step::Instantiate { .. }, Step::Options(_)]));
    let (name, ExportItem::Func(func, ty)) = &component.exports.items[0] else { panic!() };
    assert_eq!((&**name, *func), ("len", FuncDef::Lift(LiftId(0))));
    let ty = component.types.func(*ty);
    assert_eq!((&*ty.params[0].name, component.types.def(ty.params[0].ty)), ("s", &TypeDef::String));
    let lift = &component.lifts[0];
    assert_eq!(lift.name.as_deref(), Some("len"));
    let export = |kind, index| CoreDef::Export(CoreInstanceId(0), CoreItem::Index(kind, index));
    assert_eq!(lift.func, export(ExternKind::Func, 1));
    let options = &component.options[lift.options.index()];
    assert_eq!(options.memory, Some(export(ExternKind::Memory, 0)));
    assert_eq!(options.realloc, Some(export(ExternKind::Func, 0)));
}

#[test]
fn a_lowered_import() {
    let component = component(
        r#"(component
            (import "host" (instance $host
                (export "r" (type $r (sub resource)))
                (export "get" (func (param "r" (borrow $r)) (result u32)))
                (export "unused" (func))))
            (alias export $host "r" (type $r))
            (core func $get (canon lower (func $host "get")))
            (core func $drop (canon resource.drop $r))
            (core module $m (import "b" "drop" (func (param i32))) (import "a" "get" (func (param i32) (result i32))))
            (core instance (instantiate $m
                (with "a" (instance (export "get" (func $get))))
                (with "b" (instance (export "drop" (func $drop)))))))"#,
    );
    let (_, args) = &instantiations(&component)[0];
    assert_eq!(args[1], CoreDef::Lowering(LoweringId(0)));
    let FuncDef::Import(path) = component.lowerings[0].func else { panic!() };
    assert_eq!(component.import_paths[path.index()].names[..], ["get".into()]);
    assert!(component.import_paths.iter().all(|path| path.names[..] != ["unused".into()]));
    let ResourceDef::Import(path) = component.resources[0] else { panic!() };
    assert_eq!(component.import_paths[path.index()].names[..], ["r".into()]);
    assert!(matches!(component.builtins[0], Builtin::ResourceDrop(_, InstanceId(0))));
    let ImportItem::Instance(host) = &component.imports[0].item else { panic!() };
    assert_eq!(host.exports.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["r", "get", "unused"]);
}

#[test]
fn each_instantiation_has_its_own_resource_types() {
    let component = component(
        r#"(component
            (component $c
                (type $r' (resource (rep i32)))
                (export $r "r" (type $r'))
                (core func $new (canon resource.new $r'))
                (func (export "make") (param "rep" u32) (result (own $r)) (canon lift (core func $new))))
            (instance $a (instantiate $c))
            (instance $b (instantiate $c))
            (export "a" (instance $a))
            (export "b" (instance $b)))"#,
    );
    assert_eq!(component.instances, [None, Some(InstanceId(0)), Some(InstanceId(0))]);
    assert_eq!((component.resources.len(), component.lifts.len()), (2, 2));
    let of = |at: usize| {
        let ExportItem::Instance(exports) = &component.exports.items[at].1 else { panic!() };
        let (ExportItem::Resource(resource), ExportItem::Func(_, ty)) = (&exports.items[0].1, &exports.items[1].1)
        else {
            panic!()
        };
        let result = component.types.func(*ty).result.unwrap();
        assert_eq!(component.types.def(result), &TypeDef::Own(*resource));
        *resource
    };
    assert_ne!(of(0), of(1));
    assert_eq!(component.lifts[1].name.as_deref(), Some("b#make"));
    assert_eq!(component.options[component.lifts[1].options.index()].instance, InstanceId(2));
}

#[test]
fn a_component_links_two_others() {
    let component = component(
        r#"(component
            (core module $outer (func (export "f") (result i32) (i32.const 1)))
            (component $a
                (core instance $i (instantiate $outer))
                (func (export "f") (result u32) (canon lift (core func $i "f"))))
            (component $b
                (import "f" (func $f (result u32)))
                (core func $f' (canon lower (func $f)))
                (core module $m (import "" "f" (func $f (result i32))) (export "f" (func $f)))
                (core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
                (func (export "g") (result u32) (canon lift (core func $i "f"))))
            (instance $a (instantiate $a))
            (instance $b (instantiate $b (with "f" (func $a "f"))))
            (func (export "h") (alias export $b "g")))"#,
    );
    assert_eq!(component.lowerings[0].func, FuncDef::Lift(LiftId(0)));
    assert_eq!(component.options[component.lowerings[0].options.index()].instance, InstanceId(2));
    let modules: Vec<&str> = component.modules.iter().map(|module| module.name()).collect();
    assert_eq!(modules, ["test:outer", "test:m"]);
    assert!(matches!(component.exports.items[0].1, ExportItem::Func(FuncDef::Lift(LiftId(1)), _)));
    assert!(component.imports.is_empty());
}

#[test]
fn unsupported_parts_are_named() {
    let cases = [
        (r#"(component (import "c" (component)))"#, "import 0 is a component, which wasmr does not support"),
        (
            r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f"))) (start $f))"#,
            "values",
        ),
        (r#"(component (import "v" (value u32)))"#, "wasmr does not support values in components"),
        (r#"(component (core func (canon error-context.drop)))"#, "error contexts"),
    ];
    for (text, message) in cases {
        let error = error(text);
        assert_eq!(error.fault(), Fault::Unsupported, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn instances_that_double_at_every_level_are_over_a_limit() {
    let mut text = String::from("(component (component $c0)\n");
    for level in 1..40 {
        let inner = level - 1;
        text += &format!(
            "(component $c{level} (alias outer 1 $c{inner} (component $c))
                (instance (instantiate $c)) (instance (instantiate $c)))\n"
        );
    }
    text += "(instance (instantiate $c39)))";
    let error = error(&text);
    assert_eq!(error.fault(), Fault::OverLimit);
    assert_eq!(error.message(), "it has more than 10000 component instances");
}
