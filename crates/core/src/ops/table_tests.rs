//! The tables against the functions: every row names a function of its table's shape, no row is missing or doubled,
//! and the three names of a row agree.

use super::*;
use crate::trap::TrapCode;
use crate::value::V128 as v128;
use std::collections::HashSet;

/// A row's function, operator and text name.
type Names = (&'static str, &'static str, &'static str);

macro_rules! unary {
    ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => {
        vec![$({ let _: fn($a) -> $r = $name; names!($name $op $text) }),*]
    };
}
macro_rules! trapping_unary {
    ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => {
        vec![$({ let _: fn($a) -> Result<$r, TrapCode> = $name; names!($name $op $text) }),*]
    };
}
macro_rules! binary {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => {
        vec![$({ let _: fn($a, $b) -> $r = $name; names!($name $op $text) }),*]
    };
}
macro_rules! trapping_binary {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => {
        vec![$({ let _: fn($a, $b) -> Result<$r, TrapCode> = $name; names!($name $op $text) }),*]
    };
}
macro_rules! test {
    ($($name:ident $op:ident $text:literal $a:ident -> i32;)*) => {
        vec![$({ let _: fn($a) -> bool = $name; names!($name $op $text) }),*]
    };
}
macro_rules! compare {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> i32;)*) => {
        vec![$({ let _: fn($a, $b) -> bool = $name; names!($name $op $text) }),*]
    };
}
macro_rules! ternary {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident $c:ident -> $r:ident;)*) => {
        vec![$({ let _: fn($a, $b, $c) -> $r = $name; names!($name $op $text) }),*]
    };
}
macro_rules! extract {
    ($($name:ident $op:ident $text:literal v128 lane $count:literal -> $r:ident;)*) => {
        vec![$({ let _: fn(v128, u8) -> $r = $name; lane_count::<$count>($text); names!($name $op $text) }),*]
    };
}
macro_rules! replace {
    ($($name:ident $op:ident $text:literal v128 $a:ident lane $count:literal -> v128;)*) => {
        vec![$({ let _: fn(v128, $a, u8) -> v128 = $name; lane_count::<$count>($text); names!($name $op $text) }),*]
    };
}
macro_rules! names {
    ($name:ident $op:ident $text:literal) => {
        (stringify!($name), stringify!($op), $text)
    };
}

/// The count in a row is the one in the operator's name.
fn lane_count<const COUNT: usize>(text: &str) {
    assert!(text.split('.').next().is_some_and(|shape| shape.ends_with(&format!("x{COUNT}"))), "{text}");
}

fn tables() -> Vec<(&'static str, usize, Vec<Names>)> {
    vec![
        ("unary", 50, crate::for_each_unary_op!(unary)),
        ("trapping unary", 8, crate::for_each_trapping_unary_op!(trapping_unary)),
        ("binary", 36, crate::for_each_binary_op!(binary)),
        ("trapping binary", 8, crate::for_each_trapping_binary_op!(trapping_binary)),
        ("test", 2, crate::for_each_test_op!(test)),
        ("compare", 32, crate::for_each_compare_op!(compare)),
        ("simd unary", 54, crate::for_each_simd_unary_op!(unary)),
        ("simd binary", 127, crate::for_each_simd_binary_op!(binary)),
        ("simd ternary", 10, crate::for_each_simd_ternary_op!(ternary)),
        ("simd test", 9, crate::for_each_simd_test_op!(unary)),
        ("simd shift", 12, crate::for_each_simd_shift_op!(binary)),
        ("simd splat", 6, crate::for_each_simd_splat_op!(unary)),
        ("simd extract", 8, crate::for_each_simd_extract_op!(extract)),
        ("simd replace", 6, crate::for_each_simd_replace_op!(replace)),
    ]
}

#[test]
fn every_operator_has_one_row() {
    let tables = tables();
    for (table, count, rows) in &tables {
        assert_eq!(rows.len(), *count, "{table}");
    }
    // 136 scalar operators; 236 of SIMD less constant, shuffle and 22 that touch memory; 20 of relaxed SIMD.
    assert_eq!(tables.iter().map(|t| t.2.len()).sum::<usize>(), 136 + 236 - 24 + 20);

    let mut seen = HashSet::new();
    for (name, operator, text) in tables.iter().flat_map(|t| &t.2) {
        assert!(seen.insert(*name), "{name} twice");
        assert_eq!(text.replace('.', "_"), *name);
        assert_eq!(operator.to_lowercase(), name.replace('_', ""));
    }
}
