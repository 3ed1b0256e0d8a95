//! Constant expressions, which initialise globals, tables and segments.

use super::body::Scope;
use super::source::Source;
use super::types::{Composite, Heap, Storage, Ty, Types, top};

/// Returns a constant expression of a type as text.
pub(super) fn constant(source: &mut Source<'_>, types: &Types, scope: &Scope, ty: Ty, depth: usize) -> String {
    let globals: Vec<&str> = scope
        .globals
        .iter()
        .filter(|global| !global.mutable && types.matches(global.ty, ty))
        .map(|global| global.name.as_str())
        .collect();
    if !globals.is_empty() && source.one_in(4) {
        return format!("(global.get {})", source.pick(&globals));
    }
    let number = source.number();
    match ty {
        Ty::I32 if source.one_in(3) => format!("(i32.mul (i32.const {}) (i32.const 3))", number as i32),
        Ty::I32 => format!("(i32.const {})", number as i32),
        Ty::I64 => format!("(i64.const {})", number as i64),
        Ty::F32 => format!("(f32.const {})", number as i32 as f32),
        Ty::F64 => format!("(f64.const {})", number as i64 as f64),
        Ty::V128 => format!("(v128.const i64x2 {} 3)", number as i64),
        Ty::Ref(true, heap) if depth == 0 || source.one_in(4) => format!("(ref.null {heap})"),
        Ty::Ref(nullable, heap) => reference(source, types, scope, nullable, heap, depth.saturating_sub(1)),
    }
}

fn reference(
    source: &mut Source<'_>,
    types: &Types,
    scope: &Scope,
    nullable: bool,
    heap: Heap,
    depth: usize,
) -> String {
    let integer = |source: &mut Source<'_>| format!("(ref.i31 (i32.const {}))", source.below(100));
    match heap {
        Heap::Type(_) | Heap::Struct | Heap::Array => {
            let subtypes = if let (Heap::Type(index), 0) = (heap, depth) { vec![index] } else { types.below(heap) };
            if subtypes.is_empty() {
                return format!("(ref.null {heap})");
            }
            let index = *source.pick(&subtypes);
            object(source, types, scope, index, depth)
        }
        Heap::Any | Heap::Eq if depth > 0 && !source.one_in(3) => {
            let index = source.below(types.0.len());
            object(source, types, scope, index, depth)
        }
        Heap::Any | Heap::Eq | Heap::I31 => integer(source),
        Heap::Extern => {
            let any = constant(source, types, scope, Ty::Ref(nullable, Heap::Any), depth);
            format!("(extern.convert_any {any})")
        }
        Heap::Func if !scope.thunks.is_empty() => format!("(ref.func {})", source.pick(&scope.thunks)),
        _ => {
            debug_assert!(nullable, "only types with objects are asked for: {}", top(heap));
            format!("(ref.null {heap})")
        }
    }
}

fn object(source: &mut Source<'_>, types: &Types, scope: &Scope, index: usize, depth: usize) -> String {
    let defined = &types.0[index];
    let by_default = defined.is_defaultable() && source.one_in(4);
    let contents = |source: &mut Source<'_>, storage: Storage| {
        constant(source, types, scope, storage.unpacked(), depth.saturating_sub(1))
    };
    match &defined.composite {
        Composite::Struct(_) if by_default => format!("(struct.new_default $t{index})"),
        Composite::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| contents(source, field.storage)).collect();
            format!("(struct.new $t{index} {})", fields.join(" "))
        }
        Composite::Array(_) if by_default => format!("(array.new_default $t{index} (i32.const {}))", source.below(20)),
        Composite::Array(element) if source.one_in(2) => {
            let value = contents(source, element.storage);
            format!("(array.new $t{index} {value} (i32.const {}))", source.below(20))
        }
        Composite::Array(element) => {
            let count = source.below(8);
            let items: Vec<String> = (0..count).map(|_| contents(source, element.storage)).collect();
            format!("(array.new_fixed $t{index} {count} {})", items.join(" "))
        }
    }
}
