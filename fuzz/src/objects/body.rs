//! The body of one function: locals, labels, the size limit, and the parts that expressions and statements share.
//!
//! The text is written from start to end. Locals are declared when they are needed, and the header is written last. A body is
//! valid by construction: each part leaves the operands on the stack that its caller asked for.

use std::fmt::Write;

use super::source::Source;
use super::types::{Heap, Ty, Types};

/// Size in bytes of a body's text from which only short parts are added.
const LONG: usize = 9_000;

/// A function that a body may call.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Name in the text.
    pub name: String,
    /// Parameters.
    pub params: Vec<Ty>,
    /// Results.
    pub results: Vec<Ty>,
}

/// A global in the reach of a body.
#[derive(Clone, Debug)]
pub struct GlobalItem {
    /// Name in the text.
    pub name: String,
    /// Type of the value.
    pub ty: Ty,
    /// True if it can be replaced.
    pub mutable: bool,
}

/// A table in the reach of a body.
#[derive(Clone, Debug)]
pub struct TableItem {
    /// Name in the text.
    pub name: String,
    /// Type of the elements.
    pub ty: Ty,
}

/// A tag in the reach of a body.
#[derive(Clone, Debug)]
pub struct TagItem {
    /// Name in the text.
    pub name: String,
    /// Types of the payload.
    pub params: Vec<Ty>,
}

/// A passive element segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Name in the text.
    pub name: String,
    /// Type of the items.
    pub ty: Ty,
}

/// All that the functions of a module may use.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Functions.
    pub functions: Vec<Signature>,
    /// Globals.
    pub globals: Vec<GlobalItem>,
    /// Tables.
    pub tables: Vec<TableItem>,
    /// Tags.
    pub tags: Vec<TagItem>,
    /// Passive element segments.
    pub segments: Vec<Segment>,
    /// Functions without parameters and results that may be referred to.
    pub thunks: Vec<String>,
    /// True if bodies may use legacy exceptions.
    pub legacy: bool,
}

/// A block whose label may be branched to.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) types: Vec<Ty>,
}

/// The state of one body.
pub(super) struct Body<'a, 'b> {
    pub(super) source: &'a mut Source<'b>,
    pub(super) types: &'a Types,
    pub(super) scope: &'a Scope,
    pub(super) out: String,
    /// Types of the parameters and locals.
    pub(super) locals: Vec<Ty>,
    pub(super) labels: Vec<Label>,
    params: usize,
    names: usize,
    /// Depth of loops.
    pub(super) loops: usize,
}

/// Writes a function of a module.
pub fn function(
    source: &mut Source<'_>,
    types: &Types,
    scope: &Scope,
    signature: &Signature,
    padding: usize,
    exported: bool,
) -> String {
    let params = &signature.params;
    let mut body = Body {
        source,
        types,
        scope,
        out: String::new(),
        locals: params.clone(),
        labels: Vec::new(),
        params: params.len(),
        names: 0,
        loops: 0,
    };
    for _ in 0..3 + body.source.below(4) {
        let ty = match types.value(body.source) {
            Ty::Ref(_, heap) => Ty::Ref(true, heap),
            number => number,
        };
        body.local(ty);
    }
    body.spend();
    for _ in 0..body.source.below(7) {
        body.statement(3);
    }
    body.results(&signature.results);
    let Body { out, locals, .. } = body;

    let mut text = format!("(func {} ", signature.name);
    if exported {
        let _ = write!(text, "(export \"{}\") ", &signature.name[1..]);
    }
    for ty in params {
        let _ = write!(text, "(param {ty}) ");
    }
    for ty in &signature.results {
        let _ = write!(text, "(result {ty}) ");
    }
    text.push('\n');
    for ty in &locals[params.len()..] {
        let _ = write!(text, "(local {ty}) ");
    }
    text.push_str(&"nop ".repeat(padding));
    text.push_str(&out);
    text.push_str(")\n");
    text
}

impl Body<'_, '_> {
    /// Adds operators.
    pub(super) fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Adds a local.
    pub(super) fn local(&mut self, ty: Ty) -> usize {
        self.locals.push(ty);
        self.locals.len() - 1
    }

    /// Adds a local that can hold a value of the type, whose start value is its default.
    pub(super) fn temporary(&mut self, ty: Ty) -> usize {
        self.local(match ty {
            Ty::Ref(_, heap) => Ty::Ref(true, heap),
            number => number,
        })
    }

    /// Takes the operand into a new local.
    pub(super) fn keep(&mut self, ty: Ty) -> usize {
        let local = self.temporary(ty);
        self.put(&format!("local.set {local}"));
        local
    }

    /// Returns a name that no other label of the function has.
    pub(super) fn name(&mut self) -> String {
        self.names += 1;
        format!("$l{}", self.names)
    }

    /// Returns true if the body is so long that it must come to an end.
    pub(super) fn is_long(&self) -> bool {
        self.out.len() > LONG
    }

    /// Returns the locals that always have a value of a type.
    pub(super) fn locals_of(&self, ty: Ty) -> Vec<usize> {
        let has_value = |index: usize| index < self.params || self.locals[index].is_defaultable();
        (0..self.locals.len()).filter(|&index| has_value(index) && self.types.matches(self.locals[index], ty)).collect()
    }

    /// Returns the locals that can take a value of a type.
    pub(super) fn locals_for(&self, ty: Ty) -> Vec<usize> {
        (0..self.locals.len()).filter(|&index| self.types.matches(ty, self.locals[index])).collect()
    }

    /// Adds code that takes one from the fuel and traps without any.
    pub(super) fn spend(&mut self) {
        self.put("global.get $fuel i32.const 1 i32.sub global.set $fuel");
        self.put("global.get $fuel i32.const 0 i32.lt_s if unreachable end");
    }

    /// Adds a block with a label and results.
    pub(super) fn block(&mut self, opener: &str, results: &[Ty], contents: impl FnOnce(&mut Self, &str)) {
        let name = self.name();
        self.put(&format!("{opener} {name} {}", result_types(results)));
        self.labels.push(Label { name: name.clone(), types: results.to_vec() });
        contents(self, &name);
        self.labels.pop();
        self.put("end");
    }

    /// Adds the results of a function, sometimes by a tail call.
    fn results(&mut self, results: &[Ty]) {
        if self.source.one_in(6) {
            let callees: Vec<Signature> =
                self.scope.functions.iter().filter(|callee| callee.results == results).cloned().collect();
            if !callees.is_empty() {
                let callee = self.source.pick(&callees).clone();
                for &param in &callee.params {
                    self.value(param, 1);
                }
                self.put(&format!("return_call {}", callee.name));
                return;
            }
        }
        for &result in results {
            self.value(result, 3);
        }
    }

    /// Returns the index of a struct type, or of an array type, below `heap`. Returns `None` if there is none.
    pub(super) fn concrete(&mut self, heap: Heap, structs: bool) -> Option<usize> {
        let types: Vec<usize> =
            self.types.below(heap).into_iter().filter(|&index| self.types.0[index].is_struct() == structs).collect();
        if types.is_empty() { None } else { Some(*self.source.pick(&types)) }
    }
}

/// Returns the results of a block as text.
pub(super) fn result_types(types: &[Ty]) -> String {
    types.iter().map(|ty| format!("(result {ty}) ")).collect()
}
