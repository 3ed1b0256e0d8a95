//! Gives a component resources of the host: `cargo run --example component_resources`.
//!
//! The host has notebooks, and a component refers to them by handles: it opens notebooks, writes lines into them, and drops them. The
//! notebooks are data of the store. A handle stands for a number that the host chose, here an index.

use std::error::Error;

use wasmr::component::{Component, Linker, Resource, ResourceType};
use wasmr::{Engine, Stop, Store, StoreContextMut};

/// The component that uses the host. Compilers write such components from the interface `acme:office/notebooks`.
const GUEST: &str = r#"
(component
  (import "acme:office/notebooks" (instance $notebooks
    (export "notebook" (type $notebook (sub resource)))
    (type $kind' (enum "lined" "plain"))
    (export "kind" (type $kind (eq $kind')))
    (export "[constructor]notebook" (func (param "kind" $kind) (result (own $notebook))))
    (export "[method]notebook.write" (func (param "self" (borrow $notebook)) (param "line" string) (result (result u32 (error string)))))))
  (alias export $notebooks "notebook" (type $notebook))
  (core module $Memory
    (memory (export "memory") 1)
    (data (i32.const 0) "buy bread")
    (data (i32.const 16) "call the plumber")
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
  (core instance $memory (instantiate $Memory))
  (core func $open (canon lower (func $notebooks "[constructor]notebook")))
  (core func $write (canon lower (func $notebooks "[method]notebook.write")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $drop (canon resource.drop $notebook))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "host" "open" (func $open (param i32) (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    ;; Opens a lined and a plain notebook, writes two lines into the first and one into the second, and keeps the second open.
    ;; Returns the number of lines in the first.
    (func (export "plan") (result i32) (local $lined i32) (local $plain i32)
      (local.set $lined (call $open (i32.const 0)))
      (local.set $plain (call $open (i32.const 1)))
      (call $write (local.get $lined) (i32.const 0) (i32.const 9) (i32.const 64))
      (call $write (local.get $plain) (i32.const 0) (i32.const 9) (i32.const 64))
      (call $write (local.get $lined) (i32.const 16) (i32.const 16) (i32.const 64))
      (call $drop (local.get $lined))
      ;; A `result`: 1 at 64 for an error, else the number at 68.
      (if (i32.load8_u (i32.const 64)) (then unreachable))
      (i32.load (i32.const 68)))
    ;; Writes lines until the host refuses one. Returns the text of the refusal.
    (func (export "scribble") (result i32) (local $plain i32)
      (local.set $plain (call $open (i32.const 1)))
      (loop $more
        (call $write (local.get $plain) (i32.const 0) (i32.const 9) (i32.const 64))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
      (i32.const 68))
    ;; Uses a handle after it was dropped.
    (func (export "cheat") (local $plain i32)
      (local.set $plain (call $open (i32.const 1)))
      (call $drop (local.get $plain))
      (call $write (local.get $plain) (i32.const 0) (i32.const 9) (i32.const 64))))
  (core instance $main (instantiate $Main (with "memory" (instance $memory))
    (with "host" (instance (export "open" (func $open)) (export "write" (func $write)) (export "drop" (func $drop))))))
  (func (export "plan") (result u32) (canon lift (core func $main "plan")))
  (func (export "scribble") (result string)
    (canon lift (core func $main "scribble") (memory (core memory $memory "memory"))))
  (func (export "cheat") (canon lift (core func $main "cheat"))))
"#;

wasmr::component::enumeration! {
    /// The paper of a notebook.
    enum Kind "kind" {
        Lined "lined",
        Plain "plain",
    }
}

/// A notebook.
struct Notebook {
    kind: Kind,
    lines: Vec<String>,
}

impl Notebook {
    /// Most lines that a notebook has room for.
    const ROOM: usize = 3;
}

/// State that the host keeps for one guest.
#[derive(Default)]
struct Office {
    /// Open notebooks, by number. A closed one leaves its place empty.
    open: Vec<Option<Notebook>>,
    closed: Vec<Notebook>,
}

/// Returns a linker with the interface `acme:office/notebooks`.
fn linker() -> Result<Linker<Office>, Box<dyn Error>> {
    let mut linker = Linker::<Office>::new();
    let mut notebooks = linker.instance("acme:office/notebooks")?;
    // Called when the guest drops its handle. Handles that a guest still has at its end are not dropped: the data of the store are there.
    let close = |mut store: StoreContextMut<'_, Office>, number: u32| -> Result<(), Stop> {
        let office = store.data_mut();
        office.closed.extend(office.open[number as usize].take());
        Ok(())
    };
    notebooks.resource("notebook", ResourceType::host::<Notebook>(), close)?;
    let open = |mut store: StoreContextMut<'_, Office>, (kind,): (Kind,)| -> Result<Resource<Notebook>, Stop> {
        let open = &mut store.data_mut().open;
        open.push(Some(Notebook { kind, lines: Vec::new() }));
        Ok(Resource::new_own(open.len() as u32 - 1))
    };
    notebooks.func_wrap("[constructor]notebook", open)?;
    // The outer error would end the call of the guest; the inner one is a value that the guest gets.
    let write = |mut store: StoreContextMut<'_, Office>,
                 (notebook, line): (Resource<Notebook>, String)|
     -> Result<Result<u32, String>, Stop> {
        let notebook =
            store.data_mut().open[notebook.rep() as usize].as_mut().expect("a handle is of an open notebook");
        if notebook.lines.len() == Notebook::ROOM {
            return Ok(Err(format!("the notebook is full: it has room for {} lines", Notebook::ROOM)));
        }
        notebook.lines.push(line);
        Ok(Ok(notebook.lines.len() as u32))
    };
    notebooks.func_wrap("[method]notebook.write", write)?;
    Ok(linker)
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let component = Component::new(&engine, GUEST)?;
    // Looks up the imports and compares their types once, for any number of instances.
    let component = linker()?.prepare(&component)?;

    let mut store = Store::new(&engine, Office::default());
    let instance = component.instantiate(&mut store)?;
    let lines = instance.get_typed_func::<(), u32>(&mut store, "plan")?.call(&mut store, ())?;
    let refusal = instance.get_typed_func::<(), String>(&mut store, "scribble")?.call(&mut store, ())?;
    let Office { open, closed } = store.data();
    for notebook in closed {
        println!("closed: {} notebook with {:?}", notebook.kind.name(), notebook.lines);
    }
    for notebook in open.iter().flatten() {
        println!("open: {} notebook with {} lines", notebook.kind.name(), notebook.lines.len());
    }
    println!("the last line was refused: {refusal}");
    assert_eq!(
        (lines, closed.len(), &closed[0].lines[..]),
        (2, 1, &["buy bread", "call the plumber"].map(str::to_owned)[..])
    );
    assert_eq!(open.iter().flatten().map(|notebook| notebook.lines.len()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(refusal, "the notebook is full: it has room for 3 lines");

    // Each instance has handles of its own. A dropped one is a trap, and no function of the host is called.
    let mut store = Store::new(&engine, Office::default());
    let instance = component.instantiate(&mut store)?;
    let stop = instance.get_typed_func::<(), ()>(&mut store, "cheat")?.call(&mut store, ()).unwrap_err();
    println!("cheating: {}", stop.to_string().lines().next().unwrap_or_default());
    assert!(stop.to_string().contains("unknown handle"), "{stop}");
    assert_eq!(store.data().closed.len(), 1);
    println!("ok");
    Ok(())
}
