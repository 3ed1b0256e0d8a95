//! Text of imports and exports.

use wasmr_component::World;
use wasmr_module::Features;

fn world(text: &str) -> World {
    let bytes = wat::parse_str(text).expect("the test's text is well-formed").into();
    World::new(&bytes, "test", &Features::default()).expect("the test's component is valid")
}

const TEXT: &str = r#"(component
    (import "wasi:io/streams@0.2.0" (instance $streams
        (export "input-stream" (type $i (sub resource)))
        (type $error (variant (case "last-operation-failed" string) (case "closed")))
        (export "stream-error" (type $error' (eq $error)))
        (type $result (result (list u8) (error $error')))
        (export "[method]input-stream.read" (func (param "self" (borrow $i)) (param "len" u64) (result $result)))
        (export "[static]input-stream.empty" (func (result (own $i))))
        (export "[constructor]input-stream" (func (param "list" (option string)) (result (own $i))))))
    (alias export $streams "input-stream" (type $i))
    (alias export $streams "stream-error" (type $e))
    (import "wasi:cli/stdin@0.2.0" (instance
        (alias outer 1 $i (type $outer))
        (export "input-stream" (type $i (eq $outer)))
        (alias outer 1 $e (type $outer-error))
        (export "failure" (type $e (eq $outer-error)))
        (export "get-stdin" (func (result (own $i))))
        (export "last" (func (result $e)))))
    (import "wasi:io/more@0.2.0" (instance
        (alias outer 1 $i (type $outer))
        (export "input-stream" (type (eq $outer)))))
    (import "log" (func (param "record" (tuple u8 char f64))))
    (import "plain" (instance
        (type $mode (flags "a" "b")) (export "mode" (type $m (eq $mode)))
        (type $point (record (field "x" s32) (field "from" $m))) (export "point" (type $p (eq $point)))
        (type $alias (list $p)) (export "points" (type $ps (eq $alias)))
        (type $same (enum "n")) (export "same" (type $s (eq $same)))
        (export "same-again" (type $again (eq $s)))
        (export "f" (func (param "p" $ps) (param "s" $again) (result (result))))))
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $m (instantiate $m))
    (func $run (result (result)) (canon lift (core func $m "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))"#;

#[test]
fn a_world_is_printed() {
    let expected = r#"package root:component;

world root {
  import wasi:io/streams@0.2.0;
  import wasi:cli/stdin@0.2.0;
  import wasi:io/more@0.2.0;
  import log: func(%record: tuple<u8, char, f64>);
  import plain: interface {
    flags mode {
      a,
      b,
    }
    record point {
      x: s32,
      %from: mode,
    }
    type points = list<point>;
    enum same {
      n,
    }
    type same-again = same;
    f: func(p: points, s: same-again) -> result;
  }
  export wasi:cli/run@0.2.0;
}

package wasi:io@0.2.0 {
  interface streams {
    resource input-stream {
      read: func(len: u64) -> result<list<u8>, stream-error>;
      empty: static func() -> input-stream;
      constructor(%list: option<string>);
    }
    variant stream-error {
      last-operation-failed(string),
      closed,
    }
  }

  interface more {
    use streams.{input-stream};
  }
}

package wasi:cli@0.2.0 {
  interface stdin {
    use wasi:io/streams@0.2.0.{input-stream};
    use wasi:io/streams@0.2.0.{stream-error as failure};
    get-stdin: func() -> input-stream;
    last: func() -> failure;
  }

  interface run {
    run: func() -> result;
  }
}
"#;
    let world = world(TEXT);
    assert_eq!(world.to_string(), expected);
    let read = &world.imports[0].members[2];
    assert_eq!(read.0, "[method]input-stream.read");
    assert_eq!(read.1, "func(self: borrow<input-stream>, len: u64) -> result<list<u8>, stream-error>");
}

#[test]
fn instances_of_one_component_have_their_own_resource_types() {
    let world = world(
        r#"(component
            (component $c (type $t (resource (rep i32))) (export $t' "t" (type $t))
                (core func $n (canon resource.new $t))
                (func (export "[constructor]t") (param "rep" u32) (result (own $t')) (canon lift (core func $n))))
            (instance $a (instantiate $c)) (instance $b (instantiate $c))
            (export "a" (instance $a)) (export "b" (instance $b)))"#,
    );
    for export in &world.exports {
        assert_eq!(export.members[0].1, "resource t {\n  constructor(rep: u32);\n}", "{}", export.name);
    }
}
