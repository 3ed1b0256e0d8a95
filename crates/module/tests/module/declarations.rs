//! Tests of the accessors of declarations, section by section.

use crate::common::{load, module, registry};
use wasmr_core::types::{ExternType, HeapType, Limits, RefType, ValType};
use wasmr_core::value::V128;
use wasmr_module::{ConstOp, DataMode, ElementItems, ElementMode, ExternKind, Fault, Features, Module};

#[test]
fn empty() {
    let m = module("(module)");
    assert_eq!(m.bytes(), b"\0asm\x01\0\0\0");
    assert_eq!((m.type_count(), m.func_count(), m.defined_func_count()), (0, 0, 0));
    assert!(m.imports().is_empty() && m.exports().is_empty() && m.start().is_none());
    assert_eq!(m.name(), "test");
    assert_eq!(m.features(), &Features::default());
    assert_eq!(m.names().func_name(0), None);
}

#[test]
fn functions_and_their_types() {
    let m = module(
        r#"(module
            (type $unary (func (param i32) (result i64)))
            (type $none (func))
            (import "env" "f" (func $f (type $unary)))
            (import "env" "g" (func $g (param f32 f64 v128 externref)))
            (func $h (type $none) nop)
            (func $i (type $unary) (local i32) i64.const 7)
            (start $h))"#,
    );
    assert_eq!((m.func_count(), m.imported_func_count(), m.defined_func_count()), (4, 2, 2));
    assert_eq!(m.type_count(), 3);
    assert_eq!(m.func_type(0).params(), [ValType::I32]);
    assert_eq!(m.func_type(0).results(), [ValType::I64]);
    assert_eq!(m.func_type(1).params(), [ValType::F32, ValType::F64, ValType::V128, ValType::EXTERNREF]);
    assert_eq!(m.func_type_id(0), m.func_type_id(3));
    assert_ne!(m.func_type_id(0), m.func_type_id(2));
    assert_eq!(m.func_type_id(0), m.type_id(0));
    assert_eq!(m.func_type_of(1).results(), []);
    assert_eq!(m.start(), Some(2));
    // No locals, nop, end; one group of one i32, i64.const 7, end.
    assert_eq!(m.body(0).bytes, [0x00, 0x01, 0x0b]);
    assert_eq!(m.body(1).bytes, [0x01, 0x01, 0x7f, 0x42, 0x07, 0x0b]);
    for defined in 0..2 {
        let body = m.body(defined);
        assert_eq!(&m.bytes()[body.offset..][..body.bytes.len()], body.bytes);
    }
}

#[test]
fn types_are_canonical_across_modules() {
    let registry = registry();
    let load = |text: &str| Module::new(crate::common::binary(text), "m", &Features::default(), &registry, 1).unwrap();
    let a = load("(module (type (func (param i32))) (type (func)))");
    let b = load("(module (type (func)) (type (func (param i64))) (type (func (param i32))))");
    assert_eq!(a.type_id(0), b.type_id(2));
    assert_eq!(a.type_id(1), b.type_id(0));
    assert_ne!(a.type_id(0), b.type_id(1));
    // A type alone in its group differs from the same type in a larger group.
    let c = load("(module (rec (type (func)) (type (struct))) (type (func)))");
    assert_ne!(c.type_id(0), b.type_id(0));
    assert_eq!(c.type_id(2), b.type_id(0));
}

#[test]
fn recursive_types() {
    let registry = registry();
    let load = |text: &str| Module::new(crate::common::binary(text), "m", &Features::default(), &registry, 1).unwrap();
    let text = "(rec
        (type $list (sub (struct (field $head i8) (field $tail (mut (ref null $list))))))
        (type $visit (func (param (ref $list)) (result (ref null $visit)))))";
    let a = load(&format!("(module {text})"));
    let b = load(&format!(
        "(module (type (func)) {text} (type (sub final $list (struct (field i8) (field (mut (ref null $list)))))))"
    ));
    assert_eq!(a.type_id(0), b.type_id(1));
    assert_eq!(a.type_id(1), b.type_id(2));
    let list = HeapType::Concrete(a.type_id(0));
    let visit = HeapType::Concrete(a.type_id(1));
    let ty = a.func_type_of(1);
    assert_eq!(ty.params(), [ValType::Ref(RefType { nullable: false, heap: list })]);
    assert_eq!(ty.results(), [ValType::Ref(RefType { nullable: true, heap: visit })]);
    assert!(a.as_func_type(0).is_none());
    assert!(a.as_func_type(9).is_none());
    let sub = registry.sub_type(b.type_id(3));
    assert_eq!(sub.supertype, Some(a.type_id(0)));
    assert!(sub.is_final);
    assert!(!registry.sub_type(a.type_id(0)).is_final);
}

#[test]
fn imports_and_exports() {
    let m = module(
        r#"(module
            (import "a" "func" (func (param i32)))
            (import "a" "table" (table 1 2 funcref))
            (import "b" "memory" (memory 3))
            (import "b" "global" (global (mut i64)))
            (import "c" "tag" (tag (param i32)))
            (table i64 4 externref)
            (memory i64 5 6)
            (global i32 (i32.const 1))
            (tag)
            (func)
            (export "z func" (func 1))
            (export "table" (table 1))
            (export "" (memory 1))
            (export "global" (global 0))
            (export "tag" (tag 1)))"#,
    );
    let names: Vec<_> = m.imports().iter().map(|i| format!("{}.{}", i.module, i.name)).collect();
    assert_eq!(names, ["a.func", "a.table", "b.memory", "b.global", "c.tag"]);
    assert_eq!(m.imports()[0].ty, ExternType::Func(m.func_type_id(0)));
    assert_eq!(m.imports()[4].ty, ExternType::Tag(m.func_type_id(0)));
    let ExternType::Table(table) = &m.imports()[1].ty else { panic!("a table") };
    assert_eq!((table.limits, table.element), (Limits { min: 1, max: Some(2) }, RefType::FUNCREF));
    let ExternType::Global(global) = &m.imports()[3].ty else { panic!("a global") };
    assert_eq!((global.content, global.mutable), (ValType::I64, true));

    assert_eq!(m.imported_table_count(), 1);
    assert_eq!(m.imported_memory_count(), 1);
    assert_eq!(m.imported_global_count(), 1);
    assert_eq!(m.imported_tag_count(), 1);
    assert_eq!((m.tables().len(), m.memories().len(), m.globals().len(), m.tags().len()), (2, 2, 2, 2));
    assert!(m.globals()[0].init.is_none());
    assert_eq!(m.memories()[0].limits, Limits { min: 3, max: None });
    assert!(!m.memories()[0].is64);
    assert_eq!(m.memories()[1].limits, Limits { min: 5, max: Some(6) });
    assert!(m.memories()[1].is64 && m.tables()[1].ty.is64);

    assert_eq!(m.exports().iter().map(|e| &*e.name).collect::<Vec<_>>(), ["z func", "table", "", "global", "tag"]);
    for export in m.exports() {
        assert_eq!(m.export(&export.name), Some(export));
    }
    assert_eq!(m.export("nothing"), None);
    let kind = |name: &str| m.export(name).map(|e| (e.kind, e.index));
    assert_eq!(kind("z func"), Some((ExternKind::Func, 1)));
    assert_eq!(kind("table"), Some((ExternKind::Table, 1)));
    assert_eq!(kind(""), Some((ExternKind::Memory, 1)));
    assert_eq!(kind("global"), Some((ExternKind::Global, 0)));
    assert_eq!(kind("tag"), Some((ExternKind::Tag, 1)));
    let ty = |name: &str| m.export_type(m.export(name).unwrap());
    assert_eq!(ty("z func"), ExternType::Func(m.func_type_id(1)));
    assert_eq!(ty("table"), ExternType::Table(m.tables()[1].ty));
    assert_eq!(ty(""), ExternType::Memory(m.memories()[1]));
    assert_eq!(ty("global"), ExternType::Global(m.globals()[0].ty));
    assert_eq!(ty("tag"), ExternType::Tag(m.tags()[1]));
}

#[test]
fn constant_expressions() {
    let m = module(
        r#"(module
            (import "e" "g" (global $g i32))
            (func $f)
            (elem declare func $f)
            (global i32 (i32.const -1))
            (global i64 (i64.const -2))
            (global f32 (f32.const nan:0x200001))
            (global f64 (f64.const -0x1p-1074))
            (global v128 (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
            (global funcref (ref.null func))
            (global (ref func) (ref.func $f))
            (global i32 (global.get $g))
            (global i32 (i32.sub (i32.mul (global.get $g) (i32.const 3)) (i32.const 4)))
            (global i64 (i64.add (i64.const 1) (i64.const 2))))"#,
    );
    let ops = |index: usize| m.globals()[index].init.as_ref().unwrap().ops();
    assert_eq!(ops(1), [ConstOp::I32Const(-1)]);
    assert_eq!(ops(2), [ConstOp::I64Const(-2)]);
    assert_eq!(ops(3), [ConstOp::F32Const(0x7fa0_0001)]);
    assert_eq!(ops(4), [ConstOp::F64Const(0x8000_0000_0000_0001)]);
    assert_eq!(ops(5), [ConstOp::V128Const(V128(std::array::from_fn(|i| i as u8)))]);
    assert_eq!(ops(6), [ConstOp::RefNull(HeapType::Func)]);
    assert_eq!(ops(7), [ConstOp::RefFunc(0)]);
    assert_eq!(ops(8), [ConstOp::GlobalGet(0)]);
    let expected =
        [ConstOp::GlobalGet(0), ConstOp::I32Const(3), ConstOp::I32Mul, ConstOp::I32Const(4), ConstOp::I32Sub];
    assert_eq!(ops(9), expected);
    assert_eq!(ops(10), [ConstOp::I64Const(1), ConstOp::I64Const(2), ConstOp::I64Add]);
    assert_eq!(m.globals()[9].init.as_ref().unwrap().as_single(), None);
    assert_eq!(m.globals()[1].init.as_ref().unwrap().as_single(), Some(ConstOp::I32Const(-1)));
}

#[test]
fn element_segments() {
    let m = module(
        r#"(module
            (table 10 funcref)
            (table $t 10 externref)
            (table $u 2 (ref func) (ref.func $b))
            (func $a) (func $b)
            (elem (i32.const 1) $a $b)
            (elem func $b)
            (elem declare func $a)
            (elem (table $t) (offset (i32.const 2)) externref (ref.null extern)))"#,
    );
    assert_eq!(m.tables()[2].init.as_ref().unwrap().ops(), [ConstOp::RefFunc(1)]);
    assert!(m.tables()[0].init.is_none());
    let [active, passive, declared, exprs] = m.elements() else { panic!("four segments") };
    let ElementMode::Active { table: 0, offset } = &active.mode else { panic!("active in table 0") };
    assert_eq!(offset.ops(), [ConstOp::I32Const(1)]);
    let ElementItems::Funcs(funcs) = &active.items else { panic!("functions") };
    assert_eq!(**funcs, [0, 1]);
    assert_eq!(active.ty, RefType { nullable: false, heap: HeapType::Func });
    assert!(matches!(passive.mode, ElementMode::Passive));
    assert!(matches!(declared.mode, ElementMode::Declared));
    assert!(matches!(exprs.mode, ElementMode::Active { table: 1, .. }));
    assert_eq!(exprs.ty, RefType::EXTERNREF);
    let ElementItems::Exprs(items) = &exprs.items else { panic!("expressions") };
    assert_eq!(items[0].ops(), [ConstOp::RefNull(HeapType::Extern)]);
}

#[test]
fn data_segments() {
    let m = module(
        r#"(module
            (memory 1) (memory $other 1)
            (data (i32.const 8) "hello")
            (data "passive")
            (data (memory $other) (offset (i32.const 9)) "")
            (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0))))"#,
    );
    let [active, passive, empty] = m.data() else { panic!("three segments") };
    assert_eq!(m.data_bytes(active), b"hello");
    assert_eq!(&m.bytes()[active.range.start as usize..active.range.end as usize], b"hello");
    assert_eq!(m.data_bytes(passive), b"passive");
    assert_eq!(m.data_bytes(empty), b"");
    assert_eq!(active.mode, DataMode::Active { memory: 0, address: 8 });
    assert_eq!(passive.mode, DataMode::Passive);
    assert_eq!(empty.mode, DataMode::Active { memory: 1, address: 9 });
}

#[test]
fn types_in_code_are_converted() {
    let m = module("(module (type (func (param i32) (result i64 i64))) (type (struct)))");
    let by_type = m.block_sig(wasmparser::BlockType::FuncType(0));
    assert_eq!((by_type.params(), by_type.results()), (&[ValType::I32][..], &[ValType::I64, ValType::I64][..]));
    let single = m.block_sig(wasmparser::BlockType::Type(wasmparser::ValType::F32));
    assert_eq!((single.params(), single.results()), (&[][..], &[ValType::F32][..]));
    let empty = m.block_sig(wasmparser::BlockType::Empty);
    assert_eq!((empty.params(), empty.results()), (&[][..], &[][..]));
    let index = wasmparser::UnpackedIndex::Module(1);
    assert_eq!(m.heap_type(wasmparser::HeapType::Concrete(index)), HeapType::Concrete(m.type_id(1)));
    assert_eq!(m.ref_type(wasmparser::RefType::FUNCREF), RefType::FUNCREF);
    assert_eq!(m.val_type(wasmparser::ValType::V128), ValType::V128);
}

#[test]
fn a_module_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&module("(module)"));
}

#[test]
fn names_of_imports_in_groups_are_limited() {
    // A group of `count` functions without a name, each imported from a module with a name of 100,000 bytes.
    let group = |count: u32| {
        let mut imports = vec![1];
        let leb = |out: &mut Vec<u8>, mut value: u32| {
            while value >= 0x80 {
                out.push(value as u8 | 0x80);
                value >>= 7;
            }
            out.push(value as u8);
        };
        leb(&mut imports, 100_000);
        imports.extend([b'm'; 100_000]);
        imports.extend([0, 0x7e, 0, 0]);
        leb(&mut imports, count);
        imports.extend(std::iter::repeat_n(0, count as usize));
        let mut binary = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
        leb(&mut binary, imports.len() as u32);
        binary.extend(imports);
        binary
    };
    assert_eq!(load(group(80)).unwrap().imports().len(), 80);
    let error = load(group(500_000)).unwrap_err();
    assert_eq!(error.fault(), Fault::OverLimit, "{error}");
}
