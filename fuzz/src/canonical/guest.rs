//! The text of the component: two guests that differ in the encoding of strings, of which the first calls the second.
//!
//! Both have the same functions over plain memory. `f` leaves its core parameters at [`PARAMS`], and returns the core results that are at
//! [`RESULTS`]. `call` does the reverse with the function that the guest imports: of the host for the second guest, of the second one for
//! the first. `all` returns the whole memory, `write` writes bytes to the address that `aim` was called with.

use std::fmt::Write;

use super::abi::{Encoding, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS};
use super::types::{Core, Named, Type};

/// Address of the core parameters, 8 bytes each.
pub const PARAMS: u32 = 64;

/// Address of the core results.
pub const RESULTS: u32 = 512;

/// First address that the allocator returns.
pub const START: u32 = 4096;

/// Address of a result that is returned in memory.
pub const OUT: u32 = 0x1_8000;

/// Address of the values that a guest passes.
pub const SENT: u32 = 0x2_0000;

/// Size of the memory at the beginning, in pages.
pub const PAGES: u32 = 4;

/// The types of `f`.
#[derive(Debug)]
pub struct Signature {
    /// Types of the parameters, as a tuple.
    pub params: Type,
    /// Type of the result.
    pub result: Option<Type>,
}

impl Signature {
    /// Returns the core parameters of the function, as it is exported.
    fn core_params(&self) -> Vec<Core> {
        let flat = self.params.flat();
        if flat.len() > MAX_FLAT_PARAMS { vec![Core::I32] } else { flat }
    }

    /// Returns the core results of the function, as it is exported.
    fn core_results(&self) -> Vec<Core> {
        let flat = self.result.as_ref().map(Type::flat).unwrap_or_default();
        if flat.len() > MAX_FLAT_RESULTS { vec![Core::I32] } else { flat }
    }

    /// Returns true if the result is returned in memory.
    pub fn returns_in_memory(&self) -> bool {
        self.result.as_ref().is_some_and(|ty| ty.flat().len() > MAX_FLAT_RESULTS)
    }

    /// Returns the text of the component.
    pub fn component(&self, encodings: [Encoding; 2]) -> String {
        let mut named = Named::default();
        let mut ty = String::new();
        for (index, param) in self.params.fields().unwrap_or_default().into_iter().enumerate() {
            let param = param.text(&mut named);
            let _ = write!(ty, " (param \"p{index}\" {param})");
        }
        if let Some(result) = &self.result {
            let result = result.text(&mut named);
            let _ = write!(ty, " (result {result})");
        }
        let types = format!("{}(import \"g\" (func $g{ty}))", named.text);
        let with: String = (0..named.count).map(|index| format!(" (with \"t{index}\" (type $t{index}))")).collect();
        let [first, second] = encodings.map(|encoding| self.guest(&ty, encoding));
        format!(
            r#"(component
            {types}
            (component $A {types} {first})
            (component $B {types} {second})
            (instance $b (instantiate $B{with} (with "g" (func $g))))
            (instance $a (instantiate $A{with} (with "g" (func $b "f"))))
            (export "a" (instance $a))
            (export "b" (instance $b)))"#
        )
    }

    fn guest(&self, ty: &str, encoding: Encoding) -> String {
        let encoding = match encoding {
            Encoding::Utf8 => "string-encoding=utf8",
            Encoding::Utf16 => "string-encoding=utf16",
            Encoding::Compact => "string-encoding=latin1+utf16",
        };
        let (params, results) = (self.core_params(), self.core_results());
        let list =
            |word: &str, all: &[Core]| all.iter().map(|core| format!(" ({word} {})", core.name())).collect::<String>();
        let mut lowered_params = params.clone();
        let (mut out, mut lowered_results) = (String::new(), results.clone());
        if self.returns_in_memory() {
            lowered_params.push(Core::I32);
            out = format!("(i32.const {OUT})");
            lowered_results.clear();
        }
        let keep: String =
            (0..).zip(&params).map(|(at, &core)| store(PARAMS + 8 * at, core, &format!("(local.get {at})"))).collect();
        let give: String = (0..).zip(&results).map(|(at, &core)| load(RESULTS + 8 * at, core)).collect();
        let arguments: String = (0..).zip(&params).map(|(at, &core)| load(PARAMS + 8 * at, core)).collect();
        let call = format!("(call $g {arguments} {out})");
        let call = match lowered_results.first() {
            Some(&core) => store(RESULTS, core, &call),
            None => call,
        };
        format!(
            r#"
            (core module $Libc
                (memory (export "memory") {PAGES})
                (global $free (mut i32) (i32.const {START}))
                (global $grows (mut i32) (i32.const 0))
                (global $aim (mut i32) (i32.const 0))
                (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
                    (local $at i32)
                    (if (i32.and (global.get $grows) (i32.lt_u (memory.size) (i32.const 40)))
                        (then (drop (memory.grow (i32.const 1)))))
                    (if (i32.and (i32.ne (local.get $old_size) (i32.const 0)) (i32.le_u (local.get $size) (local.get $old_size)))
                        (then (return (local.get $old))))
                    (local.set $at (i32.and
                        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get $align))))
                    (if (i32.or
                            (i32.gt_u (local.get $size) (i32.const {OUT}))
                            (i32.gt_u (i32.add (local.get $at) (local.get $size)) (i32.const {OUT})))
                        (then (return (i32.const -8))))
                    (global.set $free (i32.add (local.get $at) (local.get $size)))
                    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
                    (local.get $at))
                (func (export "place") (param i32 i32 i32 i32) (result i32) (global.get $aim))
                (func (export "aim") (param i32) (global.set $aim (local.get 0)))
                (func (export "written") (param i32 i32))
                (func (export "grows") (param i32) (global.set $grows (local.get 0)))
                (func (export "all") (result i32)
                    (i32.store (i32.const 0) (i32.const 0))
                    (i32.store (i32.const 4) (i32.shl (memory.size) (i32.const 16)))
                    (i32.const 0)))
            (core instance $libc (instantiate $Libc))
            (alias core export $libc "memory" (core memory $memory))
            (core func $g' (canon lower (func $g) {encoding} (memory $memory) (realloc (core func $libc "realloc"))))
            (core module $M
                (import "libc" "memory" (memory {PAGES}))
                (import "" "g" (func $g{lowered_params}{lowered_results}))
                (func (export "f"){params}{results} {keep} {give})
                (func (export "post"){returned} (memory.fill (i32.const {SENT}) (i32.const 0xdd) (i32.const 0x10000)))
                (func (export "call") {call}))
            (core instance $m (instantiate $M (with "libc" (instance $libc)) (with "" (instance (export "g" (func $g'))))))
            (func (export "f"){ty} (canon lift (core func $m "f") {encoding} (memory $memory)
                (realloc (core func $libc "realloc")) (post-return (core func $m "post"))))
            (func (export "call") (canon lift (core func $m "call")))
            (func (export "aim") (param "at" u32) (canon lift (core func $libc "aim")))
            (func (export "write") (param "bytes" (list u8))
                (canon lift (core func $libc "written") (memory $memory) (realloc (core func $libc "place"))))
            (func (export "grows") (param "grows" bool) (canon lift (core func $libc "grows")))
            (func (export "all") (result (list u8)) (canon lift (core func $libc "all") (memory $memory)))"#,
            lowered_params = list("param", &lowered_params),
            lowered_results = list("result", &lowered_results),
            params = list("param", &params),
            results = list("result", &results),
            returned = list("param", &results),
        )
    }
}

/// Returns an instruction that stores a core value as 8 bytes.
fn store(at: u32, core: Core, value: &str) -> String {
    let bits = match core {
        Core::I32 => format!("(i64.extend_i32_u {value})"),
        Core::I64 => value.to_string(),
        Core::F32 => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
        Core::F64 => format!("(i64.reinterpret_f64 {value})"),
    };
    format!("(i64.store (i32.const {at}) {bits})")
}

/// Returns an instruction that loads a core value.
fn load(at: u32, core: Core) -> String {
    format!("({}.load (i32.const {at}))", core.name())
}
