//! Tests of the table: counts and names of the specification, and agreement of numbers and marker types.

use std::collections::HashSet;

use super::*;

macro_rules! names {
    ($($immediate:ident { $($shape:ident { $(
        $function:ident $op:ident $text:literal $($operand:ident)+ $([$lanes:literal])? -> $result:ident;
    )* })* })*) => {
        [$($($((stringify!($function), stringify!($op), $text)),*),*),*]
    };
}

#[test]
fn every_operator_has_one_row() {
    let mut counts = Vec::new();
    for op in Op::ALL {
        let shape = op.shape();
        match counts.last_mut() {
            Some((last, count)) if *last == shape => *count += 1,
            _ => counts.push((shape, 1)),
        }
    }
    use Shape::*;
    let numeric = [
        // 136 scalar operators.
        (Unary, 60),
        (Binary, 44),
        (Compare, 32),
        // 236 SIMD operators without constant, shuffle and the 22 that access memory; 20 relaxed SIMD operators.
        (VectorUnary, 54),
        (VectorBinary, 127),
        (VectorTernary, 10),
        (VectorTest, 9),
        (Shift, 12),
        (Splat, 6),
        (ExtractLane, 8),
        (ReplaceLane, 6),
    ];
    let memory = [(Load, 14), (Store, 9), (VectorLoad, 13), (VectorStore, 1)];
    // The 67 operators of threads without fence, notify and the two waits.
    let atomic = [(AtomicLoad, 7), (AtomicStore, 7), (AtomicRmw, 42), (AtomicCmpxchg, 7)];
    let lanes = [(LoadLane, 4), (StoreLane, 4)];
    assert_eq!(counts, [numeric.as_slice(), &memory, &atomic, &lanes].concat());
    assert_eq!(numeric.iter().map(|(_, count)| count).sum::<usize>(), 136 + 236 - 24 + 20);
}

#[test]
fn the_names_of_a_row_agree() {
    let mut seen = HashSet::new();
    for (function, operator, text) in crate::for_each_op!(names) {
        assert!(seen.insert(function), "two rows for {function}");
        assert_eq!(text.replace('.', "_"), function);
        assert_eq!(operator.to_lowercase(), function.replace('_', ""));
    }
}

/// Visitor that returns the number, the facts and the shape of a marker type.
struct Seen;

macro_rules! seen {
    ($($shape:ident $method:ident)*) => {
        impl Visitor for Seen {
            type Result = (Op, OpInfo, Shape);
            $(fn $method<O: $shape>(self) -> (Op, OpInfo, Shape) { (O::OP, O::INFO, Shape::$shape) })*
        }
    };
}
seen! {
    Unary unary Binary binary Compare compare VectorUnary vector_unary VectorBinary vector_binary
    VectorTernary vector_ternary VectorTest vector_test Shift shift Splat splat ExtractLane extract_lane
    ReplaceLane replace_lane Load load Store store VectorLoad vector_load VectorStore vector_store LoadLane load_lane
    StoreLane store_lane AtomicLoad atomic_load AtomicStore atomic_store AtomicRmw atomic_rmw
    AtomicCmpxchg atomic_cmpxchg
}

#[test]
fn a_visitor_gets_the_operator_s_marker_type() {
    for &op in Op::ALL {
        assert_eq!(op.visit(Seen), (op, *op.info(), op.shape()));
    }
}

#[test]
fn narrow_numbers_are_zero_extended_in_slots() {
    assert_eq!((-1_i32).to_slot(), 0xffff_ffff);
    assert_eq!((-0.0_f32).to_slot(), 0x8000_0000);
    assert_eq!(i32::from_slot(0xffff_ffff_0000_0005), 5, "the upper half is ignored");
    assert_eq!(f64::from_slot(0xfff4_0000_0000_0001).to_slot(), 0xfff4_0000_0000_0001);
}

#[test]
fn facts_agree_with_names() {
    for op in Op::ALL {
        let info = op.info();
        let (ty, rest) = info.name.split_once('.').expect("every name has a dot");
        if info.lanes != 0 && info.access.is_none() {
            assert!(ty.ends_with(&format!("x{}", info.lanes)), "{}", info.name);
        }
        if let Some(access) = info.access {
            let digits: String = rest
                .trim_start_matches(|c: char| c.is_alphabetic() || c == '.')
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            let lanes = if rest.starts_with("atomic") { "" } else { rest };
            let lanes = lanes.split_once('x').map_or(1, |(_, count)| count[..1].parse().expect("a count"));
            let bits = digits.parse().map_or_else(|_| ty[1..].parse().expect("a width"), |bits: u32| bits * lanes);
            assert_eq!(u32::from(access.bytes) * 8, bits, "{}", info.name);
            assert_eq!(access.signed, rest.ends_with("_s") && ty != "v128", "{}", info.name);
            if info.lanes != 0 {
                assert_eq!(u32::from(info.lanes) * bits, 128, "{}", info.name);
            }
        }
    }
}
