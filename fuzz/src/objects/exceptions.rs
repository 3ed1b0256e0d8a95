//! Throws, and blocks that catch, in the form of the standard and in the legacy form.

use std::fmt::Write;

use super::body::{Body, Label, TagItem, result_types};
use super::types::{Heap, Ty};

const EXCEPTION: Ty = Ty::Ref(true, Heap::Exn);

impl Body<'_, '_> {
    /// Adds a throw. The code behind it is unreachable.
    pub(super) fn throw(&mut self, depth: usize) {
        let exceptions = self.locals_of(EXCEPTION);
        if !exceptions.is_empty() && self.source.one_in(4) {
            let local = *self.source.pick(&exceptions);
            self.put(&format!("local.get {local} ref.is_null if else local.get {local} throw_ref end"));
        }
        let TagItem { name, params } = self.source.pick(&self.scope.tags).clone();
        for &param in &params {
            self.value(param, depth.min(1));
        }
        self.put(&format!("throw {name}"));
    }

    /// Adds an expression around which exceptions are caught.
    pub(super) fn try_for(&mut self, ty: Ty, depth: usize) {
        if self.scope.legacy && self.source.one_in(2) { self.legacy_try(ty, depth) } else { self.try_table(ty, depth) }
    }

    /// Adds code that often throws, and a value.
    fn attempt(&mut self, ty: Ty, depth: usize) {
        let less = depth.saturating_sub(1);
        if self.source.one_in(2) {
            self.statement(less);
        }
        if self.source.one_in(2) {
            self.value(Ty::I32, less);
            self.put("i32.const 1 i32.and");
            self.block("if", &[], |body, _| body.throw(less));
        }
        self.value(ty, less);
    }

    fn try_table(&mut self, ty: Ty, depth: usize) {
        let less = depth.saturating_sub(1);
        let clauses = 1 + self.source.below(3);
        self.block("block", &[ty], |body, out| {
            let mut landings = Vec::new();
            let mut text = String::new();
            // The innermost block is the last one to be opened.
            for _ in 0..clauses {
                let name = body.name();
                let (tag, reference) = (body.source.pick(&body.scope.tags).clone(), body.source.one_in(2));
                let all = body.source.one_in(4);
                let mut types = if all { Vec::new() } else { tag.params.clone() };
                if reference {
                    types.push(Ty::Ref(false, Heap::Exn));
                }
                let suffix = if reference { "_ref" } else { "" };
                let clause = if all {
                    format!(" (catch_all{suffix} {name})")
                } else {
                    format!(" (catch{suffix} {} {name})", tag.name)
                };
                text.push_str(&clause);
                body.put(&format!("block {name} {}", result_types(&types)));
                landings.push(types);
            }
            let name = body.name();
            body.put(&format!("try_table {name} {} {text}", result_types(&[ty])));
            body.labels.push(Label { name, types: vec![ty] });
            body.attempt(ty, depth);
            body.labels.pop();
            body.put(&format!("end br {out}"));
            for types in landings.iter().rev() {
                body.put("end");
                body.take(types);
                body.value(ty, less);
                body.put(&format!("br {out}"));
            }
            body.put("unreachable");
        });
    }

    /// Takes the payload of an exception from the stack into locals, which later expressions use.
    fn take(&mut self, types: &[Ty]) {
        for &ty in types.iter().rev() {
            let locals = self.locals_for(ty);
            if locals.is_empty() || self.source.one_in(3) {
                self.keep(ty);
            } else {
                let local = *self.source.pick(&locals);
                self.put(&format!("local.set {local}"));
            }
        }
    }

    fn legacy_try(&mut self, ty: Ty, depth: usize) {
        let less = depth.saturating_sub(1);
        let results = result_types(&[ty]);
        if self.source.one_in(4) {
            // An exception passes the clauses of the inner `try`, which is why its body has none.
            let mut opener = String::new();
            let name = self.name();
            let _ = write!(opener, "try {name} {results} try {results}");
            self.put(&opener);
            self.attempt(ty, depth);
            let target = if self.source.one_in(2) { name } else { "1".to_owned() };
            self.put(&format!("delegate {target} catch_all"));
            self.value(ty, less);
            self.put("end");
            return;
        }
        let name = self.name();
        self.put(&format!("try {name} {results}"));
        self.labels.push(Label { name: name.clone(), types: vec![ty] });
        self.attempt(ty, depth);
        for _ in 0..self.source.below(3) {
            let tag = self.source.pick(&self.scope.tags).clone();
            self.put(&format!("catch {}", tag.name));
            self.take(&tag.params);
            self.again(&name, less);
            self.value(ty, less);
        }
        if self.source.one_in(2) {
            self.put("catch_all");
            self.again(&name, less);
            self.value(ty, less);
        }
        self.labels.pop();
        self.put("end");
    }

    /// Adds a `rethrow` in one of some cases.
    fn again(&mut self, name: &str, depth: usize) {
        if self.source.one_in(3) {
            self.value(Ty::I32, depth);
            self.put(&format!("i32.const 3 i32.and i32.eqz if rethrow {name} end"));
        }
    }
}
