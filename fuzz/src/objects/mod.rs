//! Generates programs for garbage collection and exceptions: one to three modules that share types, functions, globals, tables
//! and tags. They are valid by construction, nearly all of their calls come to an end, and most of them return.
//!
//! | file | part |
//! |---|---|
//! | [`source`] | choices |
//! | [`types`] | recursion groups, subtypes, fields |
//! | `constants` | constant expressions |
//! | [`body`] | a function: locals, labels, length |
//! | `expressions` | an expression of each type |
//! | `statements` | operators without results, loops that allocate |
//! | `exceptions` | throws and both forms of `try` |
//! | [`run`] | executes a program on two variants of wasmr, which must agree |
//! | [`walk`] | compares references: a digest of the objects behind them |
//!
//! # Why not wasm-smith?
//! It generates objects too, and [`crate::differential`] uses it. But few of its functions allocate twice, since their operators
//! are chosen without an aim, and a reference that it casts or reads from is null nearly always.

pub mod body;
mod constants;
mod exceptions;
mod expressions;
pub mod run;
pub mod source;
mod statements;
pub mod types;
pub mod walk;

use std::fmt::Write;

use body::{GlobalItem, Scope, Segment, Signature, TableItem, TagItem, function};
use constants::constant;
use source::Source;
use types::{Heap, Ty, Types};

/// The name of the global, in the first module, that bounds the loop iterations and calls of a call by the host.
pub const FUEL_EXPORT: &str = "fuel";

/// Functions of the host.
const HOST: &str = r#"
(type $thunk (func))
(import "host" "collect" (func $collect))
(import "host" "fresh" (func $fresh (param i32) (result externref)))
(import "host" "see" (func $see (param anyref) (result anyref)))
(import "host" "through" (func $through (param funcref)))
(import "host" "catch" (func $catch (param funcref)))
"#;

/// Size of a body that is too large to be inlined.
const TOO_LARGE_TO_INLINE: usize = 130;

/// Size in bytes of the largest body that is compiled if some are to stay interpreted. Few bodies are larger without padding.
pub const MAX_COMPILED_SIZE: usize = 6_000;

/// The text of a program's modules. Each may import from the ones before it, under the names `m0`, `m1` and so on.
pub fn generate(source: &mut Source<'_>) -> Vec<String> {
    let types = Types::generate(source);
    let legacy = source.one_in(3);
    let padding = source.one_in(2);
    let modules = 1 + source.below(3);
    let mut texts = Vec::new();
    let mut imports = String::new();
    let mut inherited = Scope { legacy, ..Scope::default() };
    for number in 0..modules {
        let mut module = Module { source, types: &types, number, scope: inherited.clone(), text: String::new() };
        module.write(&imports, padding);
        let (text, scope) = (module.text, module.scope);
        imports = import_text(&scope);
        texts.push(text);
        inherited = Scope { segments: Vec::new(), legacy, ..scope };
    }
    texts
}

/// Returns imports of all that a scope has.
fn import_text(scope: &Scope) -> String {
    let mut text = format!("(import \"m0\" \"{FUEL_EXPORT}\" (global $fuel (mut i32)))\n");
    let from = |name: &str| format!("(import \"{}\" \"{}\"", &name[1..3], &name[1..]);
    for Signature { name, params, results } in &scope.functions {
        let _ = write!(text, "{} (func {name} ", from(name));
        let _ = writeln!(text, "{}{}))", list("param", params), list("result", results));
    }
    for GlobalItem { name, ty, mutable } in &scope.globals {
        let ty = if *mutable { format!("(mut {ty})") } else { ty.to_string() };
        let _ = writeln!(text, "{} (global {name} {ty}))", from(name));
    }
    for TableItem { name, ty } in &scope.tables {
        let _ = writeln!(text, "{} (table {name} 8 {ty}))", from(name));
    }
    for TagItem { name, params } in &scope.tags {
        let _ = writeln!(text, "{} (tag {name} {}))", from(name), list("param", params));
    }
    text
}

fn list(word: &str, types: &[Ty]) -> String {
    types.iter().map(|ty| format!("({word} {ty}) ")).collect()
}

/// A module in the making.
struct Module<'a, 'b> {
    source: &'a mut Source<'b>,
    types: &'a Types,
    number: usize,
    scope: Scope,
    text: String,
}

impl Module<'_, '_> {
    fn write(&mut self, imports: &str, padding: bool) {
        self.text.push_str("(module\n");
        if self.number > 0 && self.source.one_in(2) {
            // The same types have other numbers here.
            self.text.push_str("(type (struct (field i64 i8))) (rec (type (array (mut f32))) (type (struct)))\n");
        }
        self.text.push_str(&self.types.text());
        self.text.push_str(HOST);
        self.text.push_str(imports);
        self.text.push_str("(memory (export \"memory\") 1 1)\n");
        if self.number == 0 {
            let _ = writeln!(self.text, "(global $fuel (export \"{FUEL_EXPORT}\") (mut i32) (i32.const 0))");
        }
        let bytes: String = (0..1024).map(|index| format!("\\{:02x}", (index * 37 + self.number) % 256)).collect();
        let _ = writeln!(self.text, "(data $data \"{bytes}\")");
        self.tags();
        // The start values of tables may only use imported globals.
        self.tables();
        self.globals();
        self.segments();
        self.functions(padding);
        let thunks = self.scope.thunks.join(" ");
        let _ = writeln!(self.text, "(elem declare func {thunks}))");
    }

    fn tags(&mut self) {
        let count = self.source.below(3) + usize::from(self.number == 0);
        for index in 0..count {
            let params: Vec<Ty> = (0..self.source.below(4)).map(|_| self.types.value(self.source)).collect();
            let name = format!("$m{}e{index}", self.number);
            let _ = writeln!(self.text, "(tag {name} (export \"{}\") {})", &name[1..], list("param", &params));
            self.scope.tags.push(TagItem { name, params });
        }
    }

    fn constant(&mut self, ty: Ty) -> String {
        constant(self.source, self.types, &self.scope, ty, 3)
    }

    fn globals(&mut self) {
        for index in 0..2 + self.source.below(6) {
            let ty = self.types.value(self.source);
            let mutable = !self.source.one_in(3);
            let name = format!("$m{}g{index}", self.number);
            let value = self.constant(ty);
            let text = if mutable { format!("(mut {ty})") } else { ty.to_string() };
            let _ = writeln!(self.text, "(global {name} (export \"{}\") {text} {value})", &name[1..]);
            self.scope.globals.push(GlobalItem { name, ty, mutable });
        }
    }

    fn tables(&mut self) {
        for index in 0..1 + self.source.below(3) {
            let heap = match self.source.below(4) {
                0 => Heap::Any,
                1 => *self.source.pick(&[Heap::Func, Heap::Extern, Heap::Eq]),
                _ => Heap::Type(self.source.below(self.types.0.len())),
            };
            let nullable = !self.source.one_in(4) || heap == Heap::Func;
            let ty = Ty::Ref(nullable, heap);
            let name = format!("$m{}t{index}", self.number);
            let value = if nullable && self.source.one_in(2) { String::new() } else { self.constant(ty) };
            let _ = writeln!(self.text, "(table {name} (export \"{}\") 8 12 {ty} {value})", &name[1..]);
            self.scope.tables.push(TableItem { name: name.clone(), ty });
            if self.source.one_in(2) {
                let (first, second) = (self.constant(ty), self.constant(ty));
                let _ = writeln!(
                    self.text,
                    "(elem (table {name}) (offset (i32.const 3)) {ty} (item {first}) (item {second}))"
                );
            }
        }
    }

    fn segments(&mut self) {
        let arrays: Vec<Ty> = self
            .types
            .0
            .iter()
            .filter(|defined| !defined.is_struct())
            .map(|defined| defined.fields()[0].storage.unpacked())
            .filter(|ty| matches!(ty, Ty::Ref(..)))
            .collect();
        for index in 0..1 + self.source.below(3) {
            let ty = if arrays.is_empty() { Ty::Ref(true, Heap::Any) } else { *self.source.pick(&arrays) };
            let name = format!("$m{}s{index}", self.number);
            let items: Vec<String> = (0..6).map(|_| format!("(item {})", self.constant(ty))).collect();
            let _ = writeln!(self.text, "(elem {name} {ty} {})", items.join(" "));
            self.scope.segments.push(Segment { name, ty });
        }
    }

    fn functions(&mut self, padding: bool) {
        let thunks = 1 + self.source.below(2);
        let thunk = |index: usize| format!("$m{}h{index}", self.number);
        let names: Vec<String> = (0..thunks).map(thunk).collect();
        self.scope.thunks.extend(names.iter().cloned());
        let count = 3 + self.source.below(5);
        for index in 0..count + thunks {
            let signature = if let Some(name) = names.get(index) {
                Signature { name: name.clone(), params: Vec::new(), results: Vec::new() }
            } else {
                let params = (0..self.source.below(5)).map(|_| self.types.value(self.source)).collect();
                let results = (0..*self.source.pick(&[0, 1, 1, 1, 1, 2, 3])).map(|_| self.types.value(self.source));
                let results = results.collect();
                Signature { name: format!("$m{}f{index}", self.number), params, results }
            };
            let nops = match self.source.below(4) {
                0 if padding => MAX_COMPILED_SIZE,
                1 => TOO_LARGE_TO_INLINE,
                _ => 0,
            };
            let text = function(self.source, self.types, &self.scope, &signature, nops, true);
            self.text.push_str(&text);
            self.scope.functions.push(signature);
        }
    }
}
