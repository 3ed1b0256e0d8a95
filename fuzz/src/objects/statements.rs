//! Statements: operators that leave nothing on the stack.

use super::body::{Body, Signature, TableItem};
use super::types::{Field, Heap, Ty};

/// Elements that every operator on parts of arrays can work on: a guard makes sure that the arrays have so many.
const PART: usize = 6;

impl Body<'_, '_> {
    /// Adds a statement.
    pub(super) fn statement(&mut self, depth: usize) {
        if self.is_long() || depth == 0 {
            return self.set_local(0);
        }
        let less = depth - 1;
        match self.source.below(23) {
            0..=2 => self.set_local(depth),
            3 | 4 => self.set_field(less),
            5 => self.set_element(less),
            6 | 7 => self.parts_of_arrays(less),
            8 => self.set_global(less),
            9 | 10 => self.tables(less),
            11 => self.call_any(less),
            12 | 13 => self.repeat(less),
            14 => self.many_objects(less),
            15 => {
                self.value(Ty::I32, less);
                self.block("if", &[], |body, _| {
                    body.statement(less);
                    body.put("else");
                    body.statement(less);
                });
            }
            16 => self.seldom(less, |body| body.throw(less)),
            17 => {
                self.try_for(Ty::I32, depth);
                self.put("drop");
            }
            18 => self.put("call $collect"),
            19 => self.branch(less),
            20 => self.memory(less),
            21 => self.through_the_host(less),
            _ => {
                self.value(Ty::Ref(true, Heap::Func), less);
                let local = self.keep(Ty::Ref(true, Heap::Func));
                self.block("block", &[Ty::Ref(true, Heap::Func)], |body, name| {
                    body.put(&format!("local.get {local} br_on_cast_fail {name} funcref (ref $thunk) call_ref $thunk"));
                    body.put("ref.null nofunc");
                });
                self.put("drop");
            }
        }
    }

    fn set_local(&mut self, depth: usize) {
        let local = self.source.below(self.locals.len());
        let ty = self.locals[local];
        self.value(ty, depth);
        let others = self.locals_for(ty);
        if others.len() > 1 && self.source.one_in(4) {
            let other = *self.source.pick(&others);
            self.put(&format!("local.tee {local} local.set {other}"));
        } else {
            self.put(&format!("local.set {local}"));
        }
    }

    fn mutable_field(&mut self, structs: bool) -> Option<(usize, usize, Field)> {
        let mut found = Vec::new();
        for (index, defined) in self.types.0.iter().enumerate().filter(|(_, defined)| defined.is_struct() == structs) {
            let fields = defined.fields().iter().enumerate().filter(|(_, field)| field.mutable);
            found.extend(fields.map(|(number, &field)| (index, number, field)));
        }
        if found.is_empty() { None } else { Some(*self.source.pick(&found)) }
    }

    fn set_field(&mut self, depth: usize) {
        let Some((index, number, field)) = self.mutable_field(true) else { return self.set_local(depth) };
        let object = self.kept_object(index, depth);
        self.put(&format!("local.get {object}"));
        self.field_value(field, depth);
        self.put(&format!("struct.set $t{index} {number}"));
    }

    fn set_element(&mut self, depth: usize) {
        let Some((index, _, element)) = self.mutable_field(false) else { return self.set_local(depth) };
        let object = self.kept_object(index, depth);
        self.put(&format!("local.get {object} array.len"));
        self.block("if", &[], |body, _| {
            body.put(&format!("local.get {object}"));
            body.value(Ty::I32, depth);
            body.put(&format!("local.get {object} array.len i32.rem_u"));
            body.field_value(element, depth);
            body.put(&format!("array.set $t{index}"));
        });
    }

    /// Adds an operator on a part of an array.
    fn parts_of_arrays(&mut self, depth: usize) {
        let Some((index, _, element)) = self.mutable_field(false) else { return self.set_local(depth) };
        let object = self.kept_object(index, depth);
        let (start, length) = (self.source.below(4), self.source.below(PART - 3));
        let fits = format!("local.get {object} array.len i32.const {PART} i32.ge_u");
        let guarded = !self.source.one_in(12);
        match (self.source.below(4), self.segment_of(element)) {
            (0, _) => {
                self.guard(guarded, &fits, |body| {
                    body.put(&format!("local.get {object} i32.const {start}"));
                    body.field_value(element, depth);
                    body.put(&format!("i32.const {length} array.fill $t{index}"));
                });
            }
            (1, _) if element.storage.is_number() => {
                self.guard(guarded, &fits, |body| {
                    body.put(&format!("local.get {object} i32.const {start} i32.const 33 i32.const {length}"));
                    body.put(&format!("array.init_data $t{index} $data"));
                });
            }
            (2, Some(segment)) => {
                // The segments have six items.
                self.guard(guarded, &fits, |body| {
                    body.put(&format!("local.get {object} i32.const {start} i32.const 1 i32.const {length}"));
                    body.put(&format!("array.init_elem $t{index} {segment}"));
                });
            }
            _ => {
                let sources: Vec<usize> = (0..self.types.0.len())
                    .filter(|&from| {
                        let from = &self.types.0[from];
                        let storage = from.fields().first().map(|field| field.storage);
                        !from.is_struct()
                            && storage.is_some_and(|storage| {
                                storage == element.storage
                                    || !storage.is_number()
                                        && self.types.matches(storage.unpacked(), element.storage.unpacked())
                            })
                    })
                    .collect();
                let from = *self.source.pick(&sources);
                let other = if from == index && self.source.one_in(2) { object } else { self.kept_object(from, depth) };
                let other_start = self.source.below(4);
                let fits = format!("{fits} local.get {other} array.len i32.const {PART} i32.ge_u i32.and");
                self.guard(guarded, &fits, |body| {
                    body.put(&format!(
                        "local.get {object} i32.const {start} local.get {other} i32.const {other_start}"
                    ));
                    body.put(&format!("i32.const {length} array.copy $t{index} $t{from}"));
                });
            }
        }
    }

    fn guard(&mut self, guarded: bool, condition: &str, contents: impl FnOnce(&mut Self)) {
        if guarded {
            self.put(condition);
            self.block("if", &[], |body, _| contents(body));
        } else {
            contents(self);
        }
    }

    fn set_global(&mut self, depth: usize) {
        let mutable: Vec<_> = self.scope.globals.iter().filter(|global| global.mutable).cloned().collect();
        if mutable.is_empty() {
            return self.set_local(depth);
        }
        let global = self.source.pick(&mutable).clone();
        self.value(global.ty, depth);
        self.put(&format!("global.set {}", global.name));
    }

    fn tables(&mut self, depth: usize) {
        let TableItem { name, ty } = self.source.pick(&self.scope.tables).clone();
        match self.source.below(6) {
            0 => {
                self.value(ty, depth);
                self.put(&format!("i32.const 1 table.grow {name} drop"));
            }
            1 => {
                self.put("i32.const 1");
                self.value(ty, depth);
                self.put(&format!("i32.const 3 table.fill {name}"));
            }
            2 => self.put(&format!("i32.const 0 i32.const 2 i32.const 3 table.copy {name} {name}")),
            3 => {
                let segments: Vec<_> =
                    self.scope.segments.iter().filter(|segment| self.types.matches(segment.ty, ty)).cloned().collect();
                if segments.is_empty() {
                    return;
                }
                let segment = self.source.pick(&segments).name.clone();
                self.put(&format!("i32.const 1 i32.const 0 i32.const 2 table.init {name} {segment}"));
            }
            4 => {
                let locals = self.locals_for(ty);
                let index = self.source.below(6);
                self.put(&format!("i32.const {index} table.get {name}"));
                if locals.is_empty() {
                    self.put("drop");
                } else {
                    let local = *self.source.pick(&locals);
                    self.put(&format!("local.set {local}"));
                }
            }
            _ => {
                let index = self.source.below(6);
                self.put(&format!("i32.const {index}"));
                self.value(ty, depth);
                self.put(&format!("table.set {name}"));
            }
        }
    }

    fn call_any(&mut self, depth: usize) {
        if self.scope.functions.is_empty() || self.loops > 1 {
            return self.set_local(depth);
        }
        let callee: Signature = self.source.pick(&self.scope.functions).clone();
        for &param in &callee.params {
            self.value(param, depth);
        }
        self.put(&format!("call {}", callee.name));
        for &result in callee.results.iter().rev() {
            let locals = self.locals_for(result);
            if locals.is_empty() {
                self.put("drop");
            } else {
                let local = *self.source.pick(&locals);
                self.put(&format!("local.set {local}"));
            }
        }
    }

    /// Adds a loop.
    fn repeat(&mut self, depth: usize) {
        let counter = self.local(Ty::I32);
        let rounds = if self.loops == 0 { 2 + self.source.below(30) } else { 2 };
        self.counted(counter, rounds, |body| {
            for _ in 0..1 + body.source.below(3) {
                body.statement(depth);
            }
        });
    }

    fn counted(&mut self, counter: usize, rounds: usize, contents: impl FnOnce(&mut Self)) {
        self.loops += 1;
        self.put(&format!("i32.const 0 local.set {counter}"));
        let name = self.name();
        self.put(&format!("loop {name}"));
        self.spend();
        contents(self);
        self.put(&format!("local.get {counter} i32.const 1 i32.add local.tee {counter} i32.const {rounds} i32.lt_u"));
        self.put(&format!("br_if {name} end"));
        self.loops -= 1;
    }

    /// Adds a loop that creates objects, of which each may lead to the last one, while others live only in the frame.
    fn many_objects(&mut self, depth: usize) {
        let index = self.source.below(self.types.0.len());
        let ty = Ty::Ref(true, Heap::Type(index));
        let last = self.local(ty);
        let counter = self.local(Ty::I32);
        let rounds = if self.loops == 0 { 10 + self.source.below(90) } else { 3 };
        self.counted(counter, rounds, |body| {
            // An operand below the object lives across its creation.
            let below = body.types.value(body.source);
            body.value(below, depth.min(1));
            body.create(false, Heap::Type(index), 1);
            body.put(&format!("local.set {last}"));
            body.keep(below);
            if body.source.one_in(3) {
                body.statement(depth.min(1));
            }
        });
        let globals: Vec<_> = self
            .scope
            .globals
            .iter()
            .filter(|global| global.mutable && self.types.matches(ty, global.ty))
            .map(|global| global.name.clone())
            .collect();
        if !globals.is_empty() {
            let global = self.source.pick(&globals).clone();
            self.put(&format!("local.get {last} global.set {global}"));
        }
    }

    /// Adds code that runs in one of eight cases.
    fn seldom(&mut self, depth: usize, contents: impl FnOnce(&mut Self)) {
        self.value(Ty::I32, depth);
        self.put("i32.const 7 i32.and i32.eqz");
        self.block("if", &[], |body, _| contents(body));
    }

    /// Adds a conditional branch out of an enclosing block.
    fn branch(&mut self, depth: usize) {
        if self.labels.is_empty() {
            return self.set_local(depth);
        }
        let index = self.source.below(self.labels.len());
        let (name, types) = (self.labels[index].name.clone(), self.labels[index].types.clone());
        for &ty in &types {
            self.value(ty, depth);
        }
        self.value(Ty::I32, depth);
        self.put(&format!("br_if {name}"));
        for _ in types {
            self.put("drop");
        }
    }

    fn memory(&mut self, depth: usize) {
        self.value(Ty::I32, depth);
        self.put("i32.const 0xfff8 i32.and");
        match self.source.below(4) {
            0 => {
                self.value(Ty::I64, depth);
                self.put("i64.store");
            }
            1 => {
                self.value(Ty::I64, depth);
                self.put("i64.atomic.store");
            }
            2 => {
                self.value(Ty::I64, depth);
                self.value(Ty::I64, depth);
                self.put("i64.atomic.rmw.cmpxchg drop");
            }
            _ => {
                self.value(Ty::F32, depth);
                self.put("f32.store");
            }
        }
    }

    fn through_the_host(&mut self, depth: usize) {
        match self.source.below(4) {
            0 => {
                self.value(Ty::Ref(true, Heap::Func), depth);
                let through = *self.source.pick(&["through", "through", "catch"]);
                self.put(&format!("call ${through}"));
            }
            _ => {
                self.value(Ty::Ref(true, Heap::Any), depth);
                self.put("call $see");
                let locals = self.locals_for(Ty::Ref(true, Heap::Any));
                if locals.is_empty() {
                    self.put("drop");
                } else {
                    let local = *self.source.pick(&locals);
                    self.put(&format!("local.set {local}"));
                }
            }
        }
    }
}
