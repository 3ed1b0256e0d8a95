//! Composition: which plug provides an import, the order of instantiation, shared imports of the host, and what does not fit.

use std::sync::Arc;

use wasmr_component::{Component, ComposeError, ExportItem, FuncDef, ImportItem, Part, PlugError, ResourceDef, Step};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, ModuleBytes, Validity};

/// Composes components, given by names and texts. The first is the program.
fn compose(parts: &[(&str, &str)]) -> Result<Component, ComposeError> {
    let binary = |text: &str| ModuleBytes::from(wat::parse_str(text).expect("the test's text is well-formed"));
    let binaries: Vec<ModuleBytes> = parts.iter().map(|(_, text)| binary(text)).collect();
    let parts = parts.iter().zip(&binaries).map(|((name, _), bytes)| Part { bytes, name });
    let parts: Vec<Part<'_>> = parts.collect();
    Component::compose(&parts, &Features::default(), &Arc::new(TypeRegistry::new()), &mut |_, _| Validity::Unknown {
        threads: 1,
    })
}

fn plug_error(parts: &[(&str, &str)]) -> PlugError {
    match compose(parts) {
        Err(ComposeError::Plug(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Returns a component that exports the function `get` of an interface, implemented by a core function or by that of an import.
fn numbers(export: &str, import: Option<&str>) -> String {
    let (import, arg) = match import {
        Some(name) => (
            format!(
                r#"(import "{name}" (instance $in (export "get" (func (result u32)))))
                (core func $in (canon lower (func $in "get")))"#
            ),
            r#"(with "" (instance (export "get" (func $in))))"#,
        ),
        None => (String::new(), ""),
    };
    let (core_import, body) = match arg {
        "" => ("", "(i32.const 1)"),
        _ => (r#"(import "" "get" (func $get (result i32)))"#, "(i32.add (call $get) (i32.const 1))"),
    };
    format!(
        r#"(component {import}
            (core module $m {core_import} (func (export "get") (result i32) {body}))
            (core instance $i (instantiate $m {arg}))
            (func $get (result u32) (canon lift (core func $i "get")))
            (instance $out (export "get" (func $get)))
            (export "{export}" (instance $out)))"#
    )
}

/// Returns the importer, import, plug and export of each import that a plug provides.
fn links(component: &Component) -> Vec<[&str; 4]> {
    component.plugs.iter().map(|plug| [&*plug.importer, &*plug.import, &*plug.plug, &*plug.export]).collect()
}

/// Returns the names of the modules in the order of their instantiation.
fn order(component: &Component) -> Vec<&str> {
    let steps = component.steps.iter().filter_map(|step| match step {
        Step::Instantiate { module: wasmr_component::ModuleDef::Own(id), .. } => Some(*id),
        _ => None,
    });
    steps.map(|id| component.modules[id.index()].name()).collect()
}

#[test]
fn plugs_provide_imports_of_the_program_and_of_each_other() {
    let main = numbers("a:main/out", Some("a:one/in"));
    let one = numbers("a:one/in", Some("a:two/in"));
    let two = numbers("a:two/in", None);
    for plugs in [[("one", &*one), ("two", &*two)], [("two", &*two), ("one", &*one)]] {
        let component = compose(&[("main", &*main), plugs[0], plugs[1]]).unwrap();
        assert_eq!(order(&component), ["two:m", "one:m", "main:m"]);
        assert_eq!(
            links(&component),
            [["one", "a:two/in", "two", "a:two/in"], ["main", "a:one/in", "one", "a:one/in"]]
        );
        assert!(component.imports.is_empty() && component.import_paths.is_empty());
        // Only the program's exports remain. Each part is an instance that is in no other.
        assert_eq!(component.exports.items.len(), 1);
        assert_eq!(&*component.exports.items[0].0, "a:main/out");
        assert_eq!(component.instances, [None, None, None]);
        // The functions are called directly, by names that tell where they come from.
        let lowered: Vec<_> = component.lowerings.iter().map(|lowering| lowering.func).collect();
        assert!(lowered.iter().all(|func| matches!(func, FuncDef::Lift(_))), "{lowered:?}");
        let names: Vec<_> = component.lifts.iter().map(|lift| lift.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["a:two/in#get", "a:one/in#get", "a:main/out#get"]);
    }
}

#[test]
fn the_first_plug_with_the_name_provides_it_and_a_compatible_version_will_do() {
    let main = numbers("a:main/out", Some("a:n/in@1.1.0"));
    let of = |version: &str| numbers(&format!("a:n/in@{version}"), None);
    let provider = |plugs: &[&str]| {
        let texts: Vec<String> = plugs.iter().map(|version| of(version)).collect();
        let plugs = plugs.iter().copied().zip(texts.iter().map(String::as_str));
        let parts: Vec<(&str, &str)> = [("main", &*main)].into_iter().chain(plugs).collect();
        match compose(&parts) {
            Ok(component) => component.plugs[0].plug.to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(provider(&["1.1.0"]), "1.1.0");
    assert_eq!(provider(&["1.0.0"]), "1.0.0");
    assert_eq!(provider(&["1.9.0"]), "1.9.0");
    // The name itself comes before a version that is first; the other plug is then of no use, which is an error.
    let unused = "plug `1.2.0` provides nothing: `a:n/in@1.1.0` comes from `1.1.0`";
    assert_eq!(provider(&["1.2.0", "1.1.0"]), unused);
    assert_eq!(provider(&["1.1.0", "1.1.0"]), "plug `1.1.0` provides nothing: `a:n/in@1.1.0` comes from `1.1.0`");
    let unused = "plug `2.0.0` exports nothing that another component imports; it exports `a:n/in@2.0.0`, \
                  and the imports without a plug are `a:n/in@1.1.0`";
    assert_eq!(provider(&["2.0.0"]), unused);
}

#[test]
fn of_plugs_that_the_program_does_not_need_the_one_that_nobody_imports_from_is_named() {
    let (main, leaf) = (numbers("a:main/out", Some("a:n/in")), numbers("a:n/leaf", None));
    let between = numbers("a:n/other", Some("a:n/leaf"));
    let error = compose(&[("main", &main), ("leaf", &leaf), ("between", &between)]).unwrap_err();
    let expected = "plug `between` exports nothing that another component imports; it exports `a:n/other`, \
                    and the imports without a plug are `a:n/in`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_plug_stands_between_the_program_and_another_plug() {
    let main = numbers("a:main/out", Some("a:n/in"));
    let (between, last) = (numbers("a:n/in", Some("a:n/in")), numbers("a:n/in", None));
    let component = compose(&[("main", &main), ("between", &between), ("last", &last)]).unwrap();
    assert_eq!(links(&component), [["between", "a:n/in", "last", "a:n/in"], ["main", "a:n/in", "between", "a:n/in"]]);
    // Alone, its own import is one of the host.
    let component = compose(&[("main", &main), ("between", &between)]).unwrap();
    assert_eq!(links(&component), [["main", "a:n/in", "between", "a:n/in"]]);
    assert_eq!(component.imports.len(), 1);
}

#[test]
fn plugs_that_import_from_each_other_are_refused() {
    let main = numbers("a:main/out", Some("a:one/in"));
    let (one, two) = (numbers("a:one/in", Some("a:two/in")), numbers("a:two/in", Some("a:one/in")));
    let error = plug_error(&[("main", &main), ("one", &one), ("two", &two)]);
    assert_eq!(error, PlugError::Cycle { parts: vec!["one".into(), "two".into()] });
    let text = "plugs import from each other, so that none can be first: `one` from `two` from `one`";
    assert_eq!(error.to_string(), text);
}

/// A component with a resource type of the host and a function of it.
const OPENS: &str = r#"(component
    (import "h:files/types@0.2.0" (instance $types
        (export "file" (type $file (sub resource)))
        (export "open" (func (result (own $file))))))
    (alias export $types "file" (type $file))
    (import "a:plug/size" (instance $plug
        (alias outer 1 $file (type $outer))
        (export "file" (type $file (eq $outer)))
        (export "size" (func (param "of" (borrow $file)) (result u32)))))
    (core func $open (canon lower (func $types "open")))
    (core func $size (canon lower (func $plug "size"))))"#;

/// A plug with a function of a resource type of the host.
fn sizes(version: &str, param: &str) -> String {
    format!(
        r#"(component
        (import "h:files/types@{version}" (instance $types
            (export "file" (type $file (sub resource)))
            (export "[method]file.size" (func (param "self" (borrow $file)) (result u32)))))
        (alias export $types "file" (type $file))
        (core func $size (canon lower (func $types "[method]file.size")))
        (core module $m (import "" "size" (func $size (param i32) (result i32)))
            (func (export "size") (param i32) (result i32) (call $size (local.get 0))))
        (core instance $i (instantiate $m (with "" (instance (export "size" (func $size))))))
        (func $size (param "of" {param}) (result u32) (canon lift (core func $i "size")))
        (component $interface
            (import "file" (type $file (sub resource)))
            (import "size" (func $size (param "of" {param}) (result u32)))
            (export $out "file" (type $file))
            (export "size" (func $size)))
        (instance $out (instantiate $interface (with "file" (type $file)) (with "size" (func $size))))
        (export "a:plug/size" (instance $out)))"#
    )
}

#[test]
fn parts_share_resource_types_of_the_host() {
    for version in ["0.2.0", "0.2.7"] {
        let component = compose(&[("main", OPENS), ("plug", &sizes(version, "(borrow $file)"))]).unwrap();
        assert!(matches!(component.resources[..], [ResourceDef::Import(_)]), "{version}: {:?}", component.resources);
        assert_eq!(links(&component), [["main", "a:plug/size", "plug", "a:plug/size"]]);
    }
    // Of the same name, the import is one, with the items of both. Of different names there are two.
    let component = compose(&[("main", OPENS), ("plug", &sizes("0.2.0", "(borrow $file)"))]).unwrap();
    let [import] = &component.imports[..] else { panic!("{:?}", component.imports) };
    let ImportItem::Instance(instance) = &import.item else { panic!("{import:?}") };
    let names: Vec<&str> = instance.exports.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["file", "[method]file.size", "open"]);
    assert_eq!(compose(&[("main", OPENS), ("plug", &sizes("0.2.7", "(borrow $file)"))]).unwrap().imports.len(), 2);
    // An incompatible version has types of its own.
    let error = plug_error(&[("main", OPENS), ("plug", &sizes("0.3.0", "(borrow $file)"))]);
    let text = "plugs do not fit:\n  \
                `a:plug/size` `file`: `main` imports a resource type, `plug` exports another one\n  \
                `a:plug/size` `size`: `main` imports func(of: borrow<resource>) -> u32, \
                `plug` exports func(of: borrow<resource>) -> u32 with other resource types";
    assert_eq!(error.to_string(), text);
}

#[test]
fn all_differences_are_reported_at_once() {
    let main = r#"(component
        (import "a:b/c" (instance
            (export "r" (type $r (sub resource)))
            (export "f" (func (param "x" u32) (result string)))
            (export "g" (func (param "x" (borrow $r))))
            (export "h" (func))))
        (import "k" (func (param "a" u8)))
        (import "m" (core module)))"#;
    let plug = r#"(component
        (core module $m (func (export "f") (param i32)))
        (core instance $i (instantiate $m))
        (func $f (param "x" u32) (canon lift (core func $i "f")))
        (instance $inner (export "f" (func $f)))
        (instance $out (export "f" (func $f)) (export "h" (instance $inner)))
        (export "a:b/c" (instance $out))
        (export "k" (func $f))
        (export "m" (core module $m)))"#;
    let error = plug_error(&[("main", main), ("plug", plug)]);
    let expected = "plugs do not fit:
  `a:b/c` `r`: `main` imports a resource type, which `plug` does not export
  `a:b/c` `f`: `main` imports func(x: u32) -> string, `plug` exports func(x: u32)
  `a:b/c` `g`: `main` imports func(x: borrow<resource>), which `plug` does not export
  `a:b/c` `h`: `main` imports func(), `plug` exports an instance
  `k`: `main` imports func(a: u8), `plug` exports func(x: u32)
  `m`: `main` imports a core module, which plugs cannot provide, `plug` exports a core module";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_import_of_two_parts_has_one_type() {
    let main = r#"(component
        (import "host" (func (param "a" u8)))
        (import "a:n/in" (instance (export "get" (func (result u32))))))"#;
    let plug =
        numbers("a:n/in", None).replacen("(component", r#"(component (import "host" (func (param "a" u16)))"#, 1);
    let error = plug_error(&[("main", main), ("plug", &plug)]);
    let text = "plugs do not fit:\n  `host`: `main` imports func(a: u8), `plug` imports func(a: u16)";
    assert_eq!(error.to_string(), text);
    let plug = plug.replace("u16", "u8");
    let component = compose(&[("main", main), ("plug", &plug)]).unwrap();
    assert_eq!(component.imports.len(), 1);
}

#[test]
fn faults_name_their_part() {
    let main = numbers("a:main/out", Some("a:n/in"));
    let broken = ModuleBytes::from(wat::parse_str(numbers("a:n/in", None)).unwrap());
    let broken = broken.slice(0..broken.as_ref().len() - 1);
    let main = ModuleBytes::from(wat::parse_str(main).unwrap());
    let parts = [Part { bytes: &main, name: "main" }, Part { bytes: &broken, name: "plug" }];
    let error = Component::compose(&parts, &Features::default(), &Arc::new(TypeRegistry::new()), &mut |_, _| {
        Validity::Unknown { threads: 1 }
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("component `plug`") && text.contains("incomplete download"), "{text}");
}

#[test]
fn a_plug_passes_on_what_it_imports() {
    let plug = r#"(component
        (import "h:n/in" (instance $in (export "get" (func (result u32)))))
        (export "a:n/in" (instance $in)))"#;
    let main = numbers("a:main/out", Some("a:n/in"));
    let component = compose(&[("main", &main), ("plug", plug)]).unwrap();
    assert!(matches!(component.lowerings[0].func, FuncDef::Import(_)));
    assert_eq!(&*component.imports[0].name, "h:n/in");
    let wrong = r#"(component
        (import "h:n/in" (instance $in (export "get" (func (result u64)))))
        (export "a:n/in" (instance $in)))"#;
    let text = plug_error(&[("main", &main), ("plug", wrong)]).to_string();
    assert!(text.contains("`main` imports func() -> u32, `plug` exports func() -> u64"), "{text}");
    // A program passes on what its plug exports.
    let passes = r#"(component
        (import "a:n/in" (instance $in (export "get" (func (result u32)))))
        (export "a:main/out" (instance $in)))"#;
    let component = compose(&[("main", passes), ("plug", &numbers("a:n/in", None))]).unwrap();
    let ExportItem::Instance(exports) = &component.exports.items[0].1 else { panic!() };
    assert!(matches!(exports.items[0].1, ExportItem::Func(FuncDef::Lift(_), _)));
}
