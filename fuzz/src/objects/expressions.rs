//! Expressions of every type.
//!
//! Most operators that may trap have a guard in front of them, because a call that traps early shows little. Some have none.

use super::body::{Body, Signature};
use super::types::{ABSTRACT, Composite, Field, Heap, Storage, Ty, top};

/// Operators on two numbers.
const BINARY: [(Ty, &[&str]); 4] = [
    (Ty::I32, &["i32.add", "i32.sub", "i32.mul", "i32.xor", "i32.and", "i32.rotl", "i32.shr_u"]),
    (Ty::I64, &["i64.add", "i64.sub", "i64.mul", "i64.or", "i64.shl"]),
    (Ty::F32, &["f32.add", "f32.sub", "f32.mul", "f32.div", "f32.min", "f32.max", "f32.copysign"]),
    (Ty::F64, &["f64.add", "f64.sub", "f64.mul", "f64.div", "f64.min", "f64.max", "f64.copysign"]),
];

/// Operators from one number to another.
const UNARY: [(Ty, Ty, &[&str]); 9] = [
    (Ty::I64, Ty::I32, &["i32.wrap_i64", "i64.eqz"]),
    (Ty::F64, Ty::I32, &["i32.trunc_sat_f64_s"]),
    (Ty::I32, Ty::I64, &["i64.extend_i32_s", "i64.extend_i32_u"]),
    (Ty::F64, Ty::F32, &["f32.demote_f64"]),
    (Ty::I32, Ty::F32, &["f32.convert_i32_s", "f32.reinterpret_i32"]),
    (Ty::F32, Ty::F32, &["f32.sqrt", "f32.nearest", "f32.neg"]),
    (Ty::F32, Ty::F64, &["f64.promote_f32"]),
    (Ty::I64, Ty::F64, &["f64.convert_i64_s", "f64.reinterpret_i64"]),
    (Ty::F64, Ty::F64, &["f64.sqrt", "f64.ceil", "f64.abs"]),
];

/// Atomic operators on 32 bits that read, change and write.
const ATOMIC: [&str; 5] = [
    "i32.atomic.rmw.add",
    "i32.atomic.rmw.xchg",
    "i32.atomic.rmw16.sub_u offset=2",
    "i32.atomic.rmw8.xor_u",
    "i32.atomic.rmw.or",
];

/// A field or element to read, and an object that has it.
struct Readable {
    /// Local with the object.
    object: usize,
    /// Type of the object.
    index: usize,
    /// Number of the field.
    number: usize,
    /// Suffix of the operator for a packed field.
    sign: &'static str,
}

impl Body<'_, '_> {
    /// Adds an expression with one value of a type.
    pub(super) fn value(&mut self, ty: Ty, depth: usize) {
        let depth = if self.is_long() { 0 } else { depth };
        let locals = self.locals_of(ty);
        if !locals.is_empty() && self.source.one_in(if depth == 0 { 1 } else { 4 }) {
            let local = *self.source.pick(&locals);
            self.put(&format!("local.get {local}"));
            return;
        }
        if depth == 0 {
            return self.simple(ty);
        }
        match self.source.below(14) {
            0 => self.read_global(ty, depth),
            1 | 2 => self.call_for(ty, depth),
            3 => self.choose(ty, depth),
            4 => self.read_field(ty, depth),
            5 => self.read_element(ty, depth),
            6 => self.try_for(ty, depth),
            7 => self.block("block", &[ty], |body, _| {
                body.statement(depth - 1);
                body.value(ty, depth - 1);
            }),
            _ => match ty {
                Ty::Ref(nullable, heap) => self.reference(nullable, heap, depth),
                number => self.number(number, depth),
            },
        }
    }

    /// Adds an expression that needs no other.
    fn simple(&mut self, ty: Ty) {
        let number = self.source.number();
        match ty {
            Ty::I32 => self.put(&format!("i32.const {}", number as i32)),
            Ty::I64 => self.put(&format!("i64.const {}", number as i64)),
            Ty::F32 if number.is_multiple_of(5) => self.put("f32.const nan:0x200001"),
            Ty::F32 => self.put(&format!("f32.const {}", number as i32 as f32)),
            Ty::F64 if number.is_multiple_of(5) => self.put("f64.const -nan:0x4000000000001"),
            Ty::F64 => self.put(&format!("f64.const {}", number as i64 as f64)),
            Ty::V128 => self.put(&format!("v128.const i64x2 {} {}", number as i64, number % 9)),
            Ty::Ref(true, heap) if self.source.one_in(2) => self.null(heap),
            Ty::Ref(nullable, heap) => self.create(nullable, heap, 0),
        }
    }

    fn null(&mut self, heap: Heap) {
        let bottom = match top(heap) {
            Heap::Func => Heap::NoFunc,
            Heap::Extern => Heap::NoExtern,
            Heap::Exn => Heap::NoExn,
            _ => Heap::None,
        };
        let heap = if self.source.one_in(2) { heap } else { bottom };
        self.put(&format!("ref.null {heap}"));
    }

    /// Adds an expression for a reference.
    fn reference(&mut self, nullable: bool, heap: Heap, depth: usize) {
        if top(heap) != Heap::Any {
            return self.create(nullable, heap, depth);
        }
        match self.source.below(8) {
            0 => self.cast(nullable, heap, depth),
            1 if nullable && self.source.one_in(3) => self.null(heap),
            2 if !nullable => {
                self.block("block", &[Ty::Ref(false, heap)], |body, name| {
                    body.value(Ty::Ref(true, heap), depth - 1);
                    body.put(&format!("br_on_non_null {name}"));
                    body.create(false, heap, depth - 1);
                });
            }
            _ => self.create(nullable, heap, depth),
        }
    }

    /// Adds an expression that casts a value, with another value for failures, or sometimes without.
    fn cast(&mut self, nullable: bool, heap: Heap, depth: usize) {
        let any = Ty::Ref(true, *self.source.pick(&[Heap::Any, Heap::Any, Heap::Eq]));
        let any = if self.types.matches(Ty::Ref(true, heap), any) { any } else { Ty::Ref(true, Heap::Any) };
        let to = Ty::Ref(nullable, heap);
        match self.source.below(10) {
            0 => {
                self.value(any, depth - 1);
                self.put(&format!("ref.cast {to}"));
            }
            1..=4 => self.block("block", &[to], |body, name| {
                body.value(any, depth - 1);
                body.put(&format!("br_on_cast {name} {any} {to} drop"));
                body.value(to, depth - 1);
            }),
            5..=7 => {
                // The failing value is of the difference of the two types.
                let rest = if nullable { Ty::Ref(false, Heap::Any) } else { any };
                self.block("block", &[to], |body, outer| {
                    body.block("block", &[rest], |body, name| {
                        body.value(any, depth - 1);
                        body.put(&format!("br_on_cast_fail {name} {any} {to} br {outer}"));
                    });
                    body.put("drop");
                    body.value(to, depth - 1);
                });
            }
            _ => {
                self.value(any, depth - 1);
                let local = self.keep(any);
                self.put(&format!("local.get {local} ref.test {to}"));
                self.put(&format!("if (result {to}) local.get {local} ref.cast {to} else"));
                self.value(to, depth - 1);
                self.put("end");
            }
        }
    }

    /// Adds an expression for a reference, which is not null unless the type has no objects that can be created.
    pub(super) fn create(&mut self, nullable: bool, heap: Heap, depth: usize) {
        match heap {
            Heap::Type(_) | Heap::Struct | Heap::Array => {
                let subtypes = self.types.below(heap);
                match heap {
                    // At the end only types with lower numbers than the one asked for, so that creation comes to an end.
                    Heap::Type(index) if depth == 0 => self.object(index, 0),
                    _ if subtypes.is_empty() => self.missing(nullable, heap),
                    _ => {
                        let index = *self.source.pick(&subtypes);
                        self.object(index, depth);
                    }
                }
            }
            Heap::I31 => self.small_integer(depth),
            Heap::Any | Heap::Eq if depth == 0 => self.small_integer(0),
            Heap::Any if self.source.one_in(5) => {
                self.value(Ty::Ref(true, Heap::Extern), depth - 1);
                self.put("any.convert_extern");
                if !nullable {
                    self.not_null(Heap::Any, "i32.const 5 ref.i31");
                }
            }
            Heap::Any | Heap::Eq => match self.source.below(4) {
                0 => self.small_integer(depth),
                _ => {
                    let index = self.source.below(self.types.0.len());
                    self.object(index, depth);
                }
            },
            Heap::Extern => {
                match self.source.below(3) {
                    0 if depth > 0 => {
                        self.value(Ty::Ref(true, Heap::Any), depth - 1);
                        self.put("extern.convert_any");
                    }
                    1 => self.put("i32.const -7 ref.i31 extern.convert_any"),
                    _ => {
                        let number = self.source.below(1000);
                        self.put(&format!("i32.const {number} call $fresh"));
                    }
                }
                if !nullable {
                    self.not_null(Heap::Extern, "i32.const 1 call $fresh ref.as_non_null");
                }
            }
            Heap::Func => {
                let thunk = self.source.pick(&self.scope.thunks).clone();
                self.put(&format!("ref.func {thunk}"));
            }
            Heap::Exn => {
                self.block("block", &[Ty::Ref(false, Heap::Exn)], |body, name| {
                    body.put(&format!("try_table (catch_all_ref {name})"));
                    body.throw(depth);
                    body.put("end unreachable");
                });
            }
            Heap::None | Heap::NoFunc | Heap::NoExtern | Heap::NoExn => self.missing(nullable, heap),
        }
    }

    /// Adds a null in place of a reference that no object can have.
    fn missing(&mut self, nullable: bool, heap: Heap) {
        self.put(&format!("ref.null {heap}"));
        if !nullable {
            self.put("ref.as_non_null");
        }
    }

    /// Replaces a null on the stack.
    fn not_null(&mut self, heap: Heap, other: &str) {
        let kept = self.keep(Ty::Ref(true, heap));
        self.block("block", &[Ty::Ref(false, heap)], |body, name| {
            body.put(&format!("local.get {kept} br_on_non_null {name} {other}"));
        });
    }

    fn small_integer(&mut self, depth: usize) {
        self.value(Ty::I32, depth.saturating_sub(1));
        self.put("ref.i31");
    }

    /// Adds an expression for a new object of a type.
    fn object(&mut self, index: usize, depth: usize) {
        let defined = self.types.0[index].clone();
        let less = depth.saturating_sub(1);
        let by_default = defined.is_defaultable() && self.source.one_in(if depth == 0 { 2 } else { 5 });
        match defined.composite {
            Composite::Struct(_) if by_default => self.put(&format!("struct.new_default $t{index}")),
            Composite::Struct(fields) => {
                let many = fields.len() > 20;
                for field in fields {
                    self.field_value(field, if many { 0 } else { less });
                }
                self.put(&format!("struct.new $t{index}"));
            }
            Composite::Array(_) if by_default => {
                self.length(less);
                self.put(&format!("array.new_default $t{index}"));
            }
            Composite::Array(element) => match (self.source.below(4), self.segment_of(element)) {
                (0, _) if element.storage.is_number() => {
                    let (offset, length) = (self.source.below(40), self.source.below(17));
                    // The data segment has 1024 bytes.
                    self.put(&format!("i32.const {offset} i32.const {length} array.new_data $t{index} $data"));
                }
                (1, Some(segment)) => {
                    let (offset, length) = (self.source.below(3), self.source.below(4));
                    self.put(&format!("i32.const {offset} i32.const {length} array.new_elem $t{index} {segment}"));
                }
                (2, _) => {
                    self.field_value(element, less);
                    self.length(less);
                    self.put(&format!("array.new $t{index}"));
                }
                _ => {
                    let count = self.source.below(if depth == 0 { 2 } else { 6 });
                    for _ in 0..count {
                        self.field_value(element, less);
                    }
                    self.put(&format!("array.new_fixed $t{index} {count}"));
                }
            },
        }
    }

    /// Returns the name of an element segment whose items an array can hold.
    pub(super) fn segment_of(&mut self, element: Field) -> Option<String> {
        let Storage::Value(ty @ Ty::Ref(..)) = element.storage else { return None };
        let fitting: Vec<_> =
            self.scope.segments.iter().filter(|segment| self.types.matches(segment.ty, ty)).cloned().collect();
        if fitting.is_empty() { None } else { Some(self.source.pick(&fitting).name.clone()) }
    }

    fn length(&mut self, depth: usize) {
        self.value(Ty::I32, depth);
        let mask = *self.source.pick(&[7, 7, 15, 15, 31, 255, 4095, 65_535]);
        self.put(&format!("i32.const {mask} i32.and"));
    }

    /// Adds an expression for the contents of a field.
    pub(super) fn field_value(&mut self, field: Field, depth: usize) {
        match field.storage.unpacked() {
            // Fields that lead to their own type end lists.
            Ty::Ref(true, heap) if depth == 0 => {
                let locals = self.locals_of(Ty::Ref(true, heap));
                if locals.is_empty() || self.source.one_in(3) {
                    self.null(heap);
                } else {
                    let local = *self.source.pick(&locals);
                    self.put(&format!("local.get {local}"));
                }
            }
            ty => self.value(ty, depth),
        }
    }

    /// Adds an expression for an object that is not null, and keeps it in a local.
    pub(super) fn kept_object(&mut self, index: usize, depth: usize) -> usize {
        let heap = Heap::Type(index);
        if self.source.one_in(12) {
            self.value(Ty::Ref(true, heap), depth);
        } else {
            self.value(Ty::Ref(false, heap), depth);
        }
        self.keep(Ty::Ref(true, heap))
    }

    fn read_global(&mut self, ty: Ty, depth: usize) {
        let fitting: Vec<String> = self
            .scope
            .globals
            .iter()
            .filter(|global| self.types.matches(global.ty, ty))
            .map(|global| global.name.clone())
            .collect();
        if fitting.is_empty() {
            return self.value(ty, depth - 1);
        }
        let name = self.source.pick(&fitting).clone();
        self.put(&format!("global.get {name}"));
    }

    fn call_for(&mut self, ty: Ty, depth: usize) {
        let callees: Vec<Signature> = self
            .scope
            .functions
            .iter()
            .filter(|callee| matches!(callee.results[..], [result] if self.types.matches(result, ty)))
            .cloned()
            .collect();
        if callees.is_empty() || self.loops > 1 {
            return self.value(ty, depth - 1);
        }
        let callee = self.source.pick(&callees).clone();
        for &param in &callee.params {
            self.value(param, depth - 1);
        }
        self.put(&format!("call {}", callee.name));
    }

    fn choose(&mut self, ty: Ty, depth: usize) {
        if self.source.one_in(2) {
            self.value(ty, depth - 1);
            self.value(ty, depth - 1);
            self.value(Ty::I32, depth - 1);
            self.put(&format!("select (result {ty})"));
        } else {
            self.value(Ty::I32, depth - 1);
            self.block("if", &[ty], |body, _| {
                body.value(ty, depth - 1);
                body.put("else");
                body.value(ty, depth - 1);
            });
        }
    }

    /// Adds an expression that reads a field of a struct.
    fn read_field(&mut self, ty: Ty, depth: usize) {
        let Some(Readable { object, index, number, sign }) = self.readable(ty, true, depth) else {
            return self.value(ty, depth - 1);
        };
        self.put(&format!("local.get {object} struct.get{sign} $t{index} {number}"));
    }

    /// Adds an expression that reads an element of an array.
    fn read_element(&mut self, ty: Ty, depth: usize) {
        let Some(Readable { object, index, sign, .. }) = self.readable(ty, false, depth) else {
            return self.value(ty, depth - 1);
        };
        if self.source.one_in(12) {
            self.put(&format!("local.get {object}"));
            self.value(Ty::I32, depth - 1);
            self.put(&format!("array.get{sign} $t{index}"));
            return;
        }
        self.put(&format!("local.get {object} array.len"));
        self.block("if", &[ty], |body, _| {
            body.put(&format!("local.get {object}"));
            body.value(Ty::I32, depth - 1);
            // The index may have had side effects, so the length is read last.
            body.put(&format!("local.get {object} array.len i32.rem_u array.get{sign} $t{index} else"));
            body.value(ty, depth - 1);
        });
    }

    /// Chooses a field of a struct, or the elements of an array, and keeps an object that has it. Returns `None` if no type has one.
    fn readable(&mut self, ty: Ty, in_struct: bool, depth: usize) -> Option<Readable> {
        let fields = self.fields_of(ty, in_struct);
        if fields.is_empty() {
            return None;
        }
        let (index, number, field) = *self.source.pick(&fields);
        let object = self.kept_object(index, depth - 1);
        Some(Readable { object, index, number, sign: self.sign(field) })
    }

    /// Returns the fields of structs, or the elements of arrays, that a value of a type can be read from.
    fn fields_of(&self, ty: Ty, structs: bool) -> Vec<(usize, usize, Field)> {
        let mut found = Vec::new();
        for (index, defined) in self.types.0.iter().enumerate().filter(|(_, defined)| defined.is_struct() == structs) {
            for (number, &field) in defined.fields().iter().enumerate() {
                if self.types.matches(field.storage.unpacked(), ty) {
                    found.push((index, number, field));
                }
            }
        }
        found
    }

    fn sign(&mut self, field: Field) -> &'static str {
        match (field.storage.is_packed(), self.source.one_in(2)) {
            (false, _) => "",
            (true, true) => "_s",
            (true, false) => "_u",
        }
    }

    /// Adds an expression for a number.
    fn number(&mut self, ty: Ty, depth: usize) {
        let less = depth - 1;
        match (ty, self.source.below(8)) {
            (Ty::I32, 0) => {
                self.block("block", &[Ty::Ref(false, Heap::I31)], |body, name| {
                    body.value(Ty::Ref(true, Heap::Eq), less);
                    body.put(&format!("br_on_cast {name} eqref (ref i31) drop i32.const 9 ref.i31"));
                });
                self.put("i31.get_s");
            }
            (Ty::I32, 1) => {
                let any = Ty::Ref(true, *self.source.pick(&[Heap::Any, Heap::Eq]));
                self.value(any, less);
                let to = if self.source.one_in(2) {
                    Heap::Type(self.source.below(self.types.0.len()))
                } else {
                    *self.source.pick(&[Heap::I31, Heap::Struct, Heap::Array, Heap::Eq, Heap::None])
                };
                let null = if self.source.one_in(3) { "null " } else { "" };
                self.put(&format!("ref.test (ref {null}{to})"));
            }
            (Ty::I32, 2) => {
                self.value(Ty::Ref(true, Heap::Eq), less);
                self.value(Ty::Ref(true, Heap::Eq), less);
                self.put("ref.eq");
            }
            (Ty::I32, 3) => {
                if let Some(index) = self.concrete(Heap::Array, false) {
                    let object = self.kept_object(index, less);
                    self.put(&format!("local.get {object} array.len"));
                } else {
                    self.value(Ty::I32, less);
                }
            }
            (Ty::I32, 4) => {
                let heap = *self.source.pick(&ABSTRACT);
                self.value(Ty::Ref(true, heap), less);
                self.put("ref.is_null");
            }
            (Ty::I32, 5) => {
                self.value(Ty::Ref(false, Heap::I31), less);
                let sign = if self.source.one_in(2) { "s" } else { "u" };
                self.put(&format!("i31.get_{sign}"));
            }
            (Ty::I32, 6) => {
                self.value(Ty::I32, less);
                self.put("i32.const 1020 i32.and");
                self.value(Ty::I32, less);
                let operator = *self.source.pick(&ATOMIC);
                self.put(operator);
            }
            (Ty::V128, _) => {
                self.value(Ty::V128, less);
                if self.source.one_in(2) {
                    self.value(Ty::V128, less);
                    let operator = *self.source.pick(&["i8x16.add", "v128.xor", "f32x4.mul", "i64x2.sub", "f64x2.div"]);
                    self.put(operator);
                } else {
                    self.value(Ty::I32, less);
                    self.put("i32x4.replace_lane 2");
                }
            }
            (_, 0..=3) => self.unary(ty, less),
            _ => {
                let Some(&(_, operators)) = BINARY.iter().find(|(of, _)| *of == ty) else { return self.simple(ty) };
                self.value(ty, less);
                self.value(ty, less);
                let operator = *self.source.pick(operators);
                self.put(operator);
            }
        }
    }

    fn unary(&mut self, ty: Ty, depth: usize) {
        let fitting: Vec<_> = UNARY.iter().filter(|(_, to, _)| *to == ty).collect();
        let &(from, _, operators) = *self.source.pick(&fitting);
        self.value(from, depth);
        let operator = *self.source.pick(operators);
        self.put(operator);
    }
}
