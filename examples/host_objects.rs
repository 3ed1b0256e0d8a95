//! Exchanges structs and arrays with a module that uses garbage collection: `cargo run --example host_objects`.
//!
//! The guest keeps a list of words. A word is an array of bytes; a list is a struct with a word and the rest of the list. The host
//! makes words, reads the list, and gives the guest a value of its own, which is dropped when the guest can no longer reach it.

use std::error::Error;
use std::sync::Arc;

use wasmr::{
    ArrayRef, ArrayRefPre, ArrayType, Engine, ExternRef, FieldType, Instance, Module, Rooted, StorageType, Store,
    StructRef, Val,
};

const GUEST: &str = r#"
(module
  (type $word (array (mut i8)))
  (type $list (struct (field $word (ref $word)) (field $rest (ref null $list))))
  (global $list (mut (ref null $list)) (ref.null none))
  (global $tag (mut externref) (ref.null extern))
  (func (export "add") (param $word (ref $word))
    (global.set $list (struct.new $list (local.get $word) (global.get $list))))
  (func (export "list") (result (ref null $list)) (global.get $list))
  (func (export "set_tag") (param externref) (global.set $tag (local.get 0))))
"#;

/// Returns the words of a list.
fn words(store: &mut Store<()>, list: Option<Rooted<StructRef>>) -> Result<Vec<String>, Box<dyn Error>> {
    let mut words = Vec::new();
    let mut next = list;
    while let Some(list) = next {
        if let Val::AnyRef(Some(word)) = list.field(&mut *store, 0)? {
            let bytes = word.unwrap_array(&*store)?.bytes(&*store)?;
            words.push(String::from_utf8_lossy(bytes).into_owned());
        }
        next = match list.field(&mut *store, 1)? {
            Val::AnyRef(Some(rest)) => Some(rest.unwrap_struct(&*store)?),
            _ => None,
        };
    }
    Ok(words)
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;

    // The same type as that of the guest: types are equal if their declarations are.
    let word = ArrayType::new(engine.types(), FieldType { storage: StorageType::I8, mutable: true })?;
    let word = ArrayRefPre::new(&mut store, &word)?;
    let add = instance.get_func(&store, "add").ok_or("the guest has no `add`")?;
    for text in ["collected", "are", "objects"] {
        // References of the host live until their scope ends.
        store.scope(|store| -> Result<(), Box<dyn Error>> {
            let object = ArrayRef::from_bytes(&mut *store, &word, text.as_bytes())?;
            Ok(add.call(store, &[object.into()], &mut [])?)
        })?;
    }
    store.gc();
    let list = instance.get_typed_func::<(), Option<Rooted<StructRef>>>(&store, "list")?;
    let list = list.call(&mut store, ())?;
    let words = words(&mut store, list)?;
    println!("the guest keeps: {}", words.join(" "));
    assert_eq!(words, ["objects", "are", "collected"]);

    let tag = Arc::new("a value of the host");
    let set_tag = instance.get_typed_func::<Option<Rooted<ExternRef>>, ()>(&store, "set_tag")?;
    store.scope(|store| -> Result<(), Box<dyn Error>> {
        let reference = ExternRef::new(&mut *store, tag.clone())?;
        Ok(set_tag.call(store, Some(reference))?)
    })?;
    store.gc();
    println!("owners while the guest has it: {}", Arc::strong_count(&tag));
    assert_eq!(Arc::strong_count(&tag), 2);
    set_tag.call(&mut store, None)?;
    store.gc();
    println!("owners afterwards: {}", Arc::strong_count(&tag));
    assert_eq!(Arc::strong_count(&tag), 1);
    println!("ok");
    Ok(())
}
