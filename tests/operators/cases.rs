//! Cases to test: one for each numeric row of the operator table, with the operator's text, the types of its operands, and its
//! function in `wasmr_core::ops`. Some cases are expressions of several operators. Also the operands to try for each type.

use std::any::Any;

use wasmr::Val;
use wasmr_core::op::{
    AtomicCmpxchg, AtomicLoad, AtomicRmw, AtomicStore, Binary, Compare, ExtractLane, Load, LoadLane, Op, ReplaceLane,
    Shift, Splat, Store, StoreLane, Unary, Value, VectorBinary, VectorLoad, VectorStore, VectorTernary, VectorTest,
    VectorUnary, Visitor,
};
use wasmr_core::ops;
use wasmr_core::trap::TrapCode;
use wasmr_core::types::ValType;
use wasmr_core::value::V128;

/// True if every tier must return the same NaN, as on x86-64. Elsewhere there is only the interpreter, and LLVM and the
/// processor choose the bits.
pub const NANS_ARE_SETTLED: bool = cfg!(target_arch = "x86_64");

/// Function from an operator's operands to its result or trap.
type Meaning = Box<dyn Fn(&[Val]) -> Result<Val, TrapCode>>;

/// An operator with its immediates, or an expression.
pub struct Case {
    /// The operator or expression in the text format. In an expression, `$0`, `$1`, `$2` stand for the operands.
    pub text: String,
    /// Types of the operands, in order.
    pub operands: Vec<ValType>,
    /// Type of the result.
    pub result: ValType,
    /// Computes the expected result.
    pub meaning: Meaning,
}

#[allow(non_camel_case_types, reason = "the type is spelt so in the text format")]
type v128 = V128;

fn case(text: impl Into<String>, operands: &[ValType], result: ValType, meaning: Meaning) -> Case {
    Case { text: text.into(), operands: operands.to_vec(), result, meaning }
}

/// Returns the Rust value of an operand.
fn operand<T: Value>(args: &[Val], index: usize) -> T {
    let (f32, f64);
    let value: &dyn Any = match &args[index] {
        Val::I32(value) => value,
        Val::I64(value) => value,
        Val::F32(bits) => {
            f32 = f32::from_bits(*bits);
            &f32
        }
        Val::F64(bits) => {
            f64 = f64::from_bits(*bits);
            &f64
        }
        Val::V128(vector) => vector,
        _ => unreachable!("no operator has references"),
    };
    *value.downcast_ref().expect("an operand of the case's type")
}

/// Returns a Rust value as a typed value.
fn typed<T: Value>(value: T) -> Val {
    fn is<V: Copy + Into<Val> + 'static>(value: &dyn Any) -> Option<Val> {
        value.downcast_ref::<V>().map(|&value| value.into())
    }
    let value: &dyn Any = &value;
    let number =
        is::<i32>(value).or_else(|| is::<i64>(value)).or_else(|| is::<f32>(value)).or_else(|| is::<f64>(value));
    number.or_else(|| is::<V128>(value)).expect("a number or a vector")
}

fn unary<A: Value, R: Value>(text: &str, function: impl Fn(A) -> Result<R, TrapCode> + 'static) -> Case {
    let meaning = move |args: &[Val]| function(operand(args, 0)).map(typed);
    case(text, &[A::TYPE], R::TYPE, Box::new(meaning))
}

fn binary<A: Value, B: Value, R: Value>(text: &str, function: impl Fn(A, B) -> Result<R, TrapCode> + 'static) -> Case {
    let meaning = move |args: &[Val]| function(operand(args, 0), operand(args, 1)).map(typed);
    case(text, &[A::TYPE, B::TYPE], R::TYPE, Box::new(meaning))
}

fn ternary(text: &str, function: fn(V128, V128, V128) -> V128) -> Case {
    let meaning = move |args: &[Val]| Ok(Val::V128(function(operand(args, 0), operand(args, 1), operand(args, 2))));
    case(text, &[ValType::V128; 3], ValType::V128, Box::new(meaning))
}

/// Makes the cases of a row of the table: one for each lane that the immediate may name, or one if it has none. Accesses to
/// memory have no case.
struct Cases(&'static str);

impl Visitor for Cases {
    type Result = Vec<Case>;

    fn unary<O: Unary>(self) -> Vec<Case> {
        vec![unary(self.0, O::apply)]
    }

    fn binary<O: Binary>(self) -> Vec<Case> {
        vec![binary(self.0, O::apply)]
    }

    fn compare<O: Compare>(self) -> Vec<Case> {
        vec![binary(self.0, |a, b| Ok(O::apply(a, b) as i32))]
    }

    fn vector_unary<O: VectorUnary>(self) -> Vec<Case> {
        vec![unary(self.0, |a| Ok(O::apply(a)))]
    }

    fn vector_binary<O: VectorBinary>(self) -> Vec<Case> {
        vec![binary(self.0, |a, b| Ok(O::apply(a, b)))]
    }

    fn vector_ternary<O: VectorTernary>(self) -> Vec<Case> {
        vec![ternary(self.0, O::apply)]
    }

    fn vector_test<O: VectorTest>(self) -> Vec<Case> {
        vec![unary(self.0, |a| Ok(O::apply(a)))]
    }

    fn shift<O: Shift>(self) -> Vec<Case> {
        vec![binary(self.0, |a, count| Ok(O::apply(a, count)))]
    }

    fn splat<O: Splat>(self) -> Vec<Case> {
        vec![unary(self.0, |a| Ok(O::apply(a)))]
    }

    fn extract_lane<O: ExtractLane>(self) -> Vec<Case> {
        let case = |lane| unary(&format!("{} {lane}", self.0), move |a| Ok(O::apply(a, lane)));
        (0..O::INFO.lanes).map(case).collect()
    }

    fn replace_lane<O: ReplaceLane>(self) -> Vec<Case> {
        let case = |lane| binary(&format!("{} {lane}", self.0), move |a, b| Ok(O::apply(a, b, lane)));
        (0..O::INFO.lanes).map(case).collect()
    }

    fn load<O: Load>(self) -> Vec<Case> {
        Vec::new()
    }

    fn store<O: Store>(self) -> Vec<Case> {
        Vec::new()
    }

    fn vector_load<O: VectorLoad>(self) -> Vec<Case> {
        Vec::new()
    }

    fn vector_store<O: VectorStore>(self) -> Vec<Case> {
        Vec::new()
    }

    fn load_lane<O: LoadLane>(self) -> Vec<Case> {
        Vec::new()
    }

    fn store_lane<O: StoreLane>(self) -> Vec<Case> {
        Vec::new()
    }

    fn atomic_load<O: AtomicLoad>(self) -> Vec<Case> {
        Vec::new()
    }

    fn atomic_store<O: AtomicStore>(self) -> Vec<Case> {
        Vec::new()
    }

    fn atomic_rmw<O: AtomicRmw>(self) -> Vec<Case> {
        Vec::new()
    }

    fn atomic_cmpxchg<O: AtomicCmpxchg>(self) -> Vec<Case> {
        Vec::new()
    }
}

/// Lanes of `i8x16.shuffle`: some choices for which compilers have special code, and some for which they do not.
const SHUFFLES: [[u8; 16]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23],
    [8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31],
    [4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7],
    [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    [31, 0, 30, 1, 17, 16, 3, 3, 12, 25, 8, 19, 2, 29, 11, 6],
];

fn shuffles() -> Vec<Case> {
    let shuffle = |picks: &[u8; 16]| {
        let picks = *picks;
        let lanes: String = picks.iter().map(|pick| format!(" {pick}")).collect();
        let text = format!("i8x16.shuffle{lanes}");
        binary::<V128, V128, V128>(&text, move |a, b| Ok(ops::i8x16_shuffle(a, b, picks)))
    };
    SHUFFLES.iter().map(shuffle).collect()
}

macro_rules! expressions {
    ($($text:literal $function:ident<$($ty:ident),+>($($arg:ident),+) $body:expr;)*) => {
        vec![$($function::<$($ty),+>($text, |$($arg),+| Ok($body))),*]
    };
}

/// Returns expressions that compilers translate as a whole and not operator by operator.
fn expressions() -> Vec<Case> {
    use ops::*;
    expressions! {
        "(i32.eqz (f32.lt $0 $1))" binary<f32, f32, i32>(a, b) !f32_lt(a, b) as i32;
        "(i32.eqz (f64.ge $0 $1))" binary<f64, f64, i32>(a, b) !f64_ge(a, b) as i32;
        "(i32.eqz (i64.eqz $0))" unary<i64, i32>(a) (a != 0) as i32;
        "(select $0 $1 (i32.lt_s $0 $1))" binary<i32, i32, i32>(a, b) a.min(b);
        "(select $0 $1 (i64.gt_u $0 $1))" binary<i64, i64, i64>(a, b) (a as u64).max(b as u64) as i64;
        "(select $0 $1 (f32.lt $0 $1))" binary<f32, f32, f32>(a, b) if a < b { a } else { b };
        "(select $1 $0 (f64.le $0 $1))" binary<f64, f64, f64>(a, b) if a <= b { b } else { a };
        "(select $0 $1 (v128.any_true $0))" binary<v128, v128, v128>(a, b) if v128_any_true(a) != 0 { a } else { b };
        "(if (result i32) (i8x16.all_true $0) (then (i32.const 7)) (else (i32.const 9)))"
            unary<v128, i32>(a) if i8x16_all_true(a) != 0 { 7 } else { 9 };
        "(i32.rem_u (i32.or $0 (i32.const 1)) (i32.or $1 (i32.const 8)))"
            binary<i32, i32, i32>(a, b) ((a as u32 | 1) % (b as u32 | 8)) as i32;
        "(i32.or (i32.shl $0 $1) (i32.shr_u $0 (i32.sub (i32.const 32) $1)))"
            binary<i32, i32, i32>(a, b) i32_shl(a, b) | i32_shr_u(a, 32_i32.wrapping_sub(b));
        "(i64.shr_u (i64.shl $0 (i64.const 32)) (i64.const 32))" unary<i64, i64>(a) a as u32 as i64;
        "(i64.extend_i32_s (i32.wrap_i64 $0))" unary<i64, i64>(a) a as i32 as i64;
        "(f64.mul (f64.promote_f32 (f32.reinterpret_i32 $0)) (f64.const 0))"
            unary<i32, f64>(a) f64_mul(f64_promote_f32(f32_reinterpret_i32(a)), 0.0);
        "(f64.mul (f64.neg $0) (f64.neg $1))" binary<f64, f64, f64>(a, b) f64_mul(f64_neg(a), f64_neg(b));
        "(f32.mul (f32.neg $0) (f32.neg $1))" binary<f32, f32, f32>(a, b) f32_mul(f32_neg(a), f32_neg(b));
        "(f64x2.mul (f64x2.neg $0) (f64x2.neg $1))"
            binary<v128, v128, v128>(a, b) f64x2_mul(f64x2_neg(a), f64x2_neg(b));
        "(f32x4.relaxed_nmadd $0 (f32x4.neg $1) (v128.const f32x4 0 0 0 0))"
            binary<v128, v128, v128>(a, b) f32x4_relaxed_nmadd(a, f32x4_neg(b), V128::default());
        "(f32.add (f32.neg $0) $1)" binary<f32, f32, f32>(a, b) f32_add(f32_neg(a), b);
        "(f64.sub $0 (f64.neg $1))" binary<f64, f64, f64>(a, b) f64_sub(a, f64_neg(b));
        "(f32.demote_f64 (f64.promote_f32 $0))" unary<f32, f32>(a) f32_demote_f64(f64_promote_f32(a));
        "(f64.neg (f64.neg $0))" unary<f64, f64>(a) a;
        "(f32.abs (f32.neg $0))" unary<f32, f32>(a) f32_abs(a);
        "(f64.mul $0 (f64.const 1))" unary<f64, f64>(a) f64_mul(a, 1.0);
        "(f32.sub $0 (f32.const 0))" unary<f32, f32>(a) f32_sub(a, 0.0);
        "(f32.copysign (f32.neg (f32.abs $0)) $1)" binary<f32, f32, f32>(a, b) f32_copysign(a, b);
        "(f64.convert_i64_s (i64.extend_i32_u $0))" unary<i32, f64>(a) f64_convert_i32_u(a);
        "(v128.or (v128.and $0 $1) (v128.andnot $0 $1))" binary<v128, v128, v128>(a, _b) a;
        "(v128.bitselect $0 $1 (i8x16.lt_u $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(a, b, i8x16_lt_u(a, b));
        "(v128.bitselect $0 $1 (i16x8.gt_s $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(a, b, i16x8_gt_s(a, b));
        "(v128.bitselect $1 $0 (i32x4.ge_u $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(b, a, i32x4_ge_u(a, b));
        "(v128.bitselect $0 $1 (i64x2.gt_s $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(a, b, i64x2_gt_s(a, b));
        "(v128.bitselect $0 $1 (f32x4.lt $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(a, b, f32x4_lt(a, b));
        "(v128.bitselect $1 $0 (f64x2.lt $0 $1))"
            binary<v128, v128, v128>(a, b) v128_bitselect(b, a, f64x2_lt(a, b));
        "(v128.bitselect $0 $1 (f64x2.ne $0 $0))"
            binary<v128, v128, v128>(a, b) v128_bitselect(a, b, f64x2_ne(a, a));
        "(f64x2.convert_low_i32x4_u (i32x4.splat $0))"
            unary<i32, v128>(a) f64x2_convert_low_i32x4_u(i32x4_splat(a));
        "(f64x2.convert_low_i32x4_s (i32x4.splat $0))"
            unary<i32, v128>(a) f64x2_convert_low_i32x4_s(i32x4_splat(a));
        "(f32x4.convert_i32x4_u (i32x4.splat $0))" unary<i32, v128>(a) f32x4_convert_i32x4_u(i32x4_splat(a));
        "(i16x8.extmul_low_i8x16_s (i8x16.splat $0) (i8x16.splat $1))"
            binary<i32, i32, v128>(a, b) i16x8_extmul_low_i8x16_s(i8x16_splat(a), i8x16_splat(b));
        "(i32x4.dot_i16x8_s (i16x8.splat $0) $1)"
            binary<i32, v128, v128>(a, b) i32x4_dot_i16x8_s(i16x8_splat(a), b);
        "(i32x4.add (i32x4.extadd_pairwise_i16x8_s (i16x8.extadd_pairwise_i8x16_u $0)) $1)"
            binary<v128, v128, v128>(a, b)
                i32x4_add(i32x4_extadd_pairwise_i16x8_s(i16x8_extadd_pairwise_i8x16_u(a)), b);
        "(i8x16.shl (i8x16.splat $0) $1)" binary<i32, i32, v128>(a, b) i8x16_shl(i8x16_splat(a), b);
        "(i16x8.shr_s (i16x8.shr_s $0 (i32.const 9)) $1)"
            binary<v128, i32, v128>(a, b) i16x8_shr_s(i16x8_shr_s(a, 9), b);
        "(i32x4.extract_lane 2 (i32x4.replace_lane 2 $0 $1))" binary<v128, i32, i32>(_a, b) b;
    }
}

/// Returns the cases of every numeric operator, and the expressions.
pub fn cases() -> Vec<Case> {
    let rows = Op::ALL.iter().flat_map(|op| op.visit(Cases(op.info().name)));
    rows.chain(shuffles()).chain(expressions()).collect()
}

const I32S: [i32; 16] =
    [0, 1, -1, 2, 7, 31, 32, 33, 0x7f, 0x80, 0x7fff, 0x8000, 0x1234_5678, -0x1234_5678, i32::MAX, i32::MIN];

const I64S: [i64; 18] = [
    0,
    1,
    -1,
    3,
    -7,
    63,
    64,
    65,
    0x80,
    0x8000,
    0x8000_0000,
    0xffff_ffff,
    0x1234_5678_9abc_def0,
    -0x1234_5678_9abc_def0,
    0x7fff_ff7f_ffff_ffff,
    1 << 53 | 1,
    i64::MAX,
    i64::MIN,
];

const F32S: [f32; 26] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    -0.99999994,
    8_388_607.5,
    16_777_217.0,
    -2_147_483_648.0,
    -2_147_483_904.0,
    2_147_483_520.0,
    2_147_483_648.0,
    4_294_967_040.0,
    4_294_967_296.0,
    9_223_372_036_854_775_808.0,
    -9_223_373_136_366_403_584.0,
    18_446_742_974_197_923_840.0,
    18_446_744_073_709_551_616.0,
    f32::MIN_POSITIVE / 8.0,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
];

/// NaNs: canonical, negative, with a payload, and signalling.
const F32_NANS: [u32; 5] = [0x7fc0_0000, 0xffc0_0000, 0x7fc1_2345, 0x7fa0_0000, 0xff80_0001];

const F64S: [f64; 28] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.5,
    -3.5,
    -0.9999999999999999,
    0.1,
    16_777_217.0,
    4_503_599_627_370_495.5,
    -2_147_483_648.0,
    -2_147_483_648.9,
    -2_147_483_649.0,
    2_147_483_647.9,
    2_147_483_648.0,
    4_294_967_295.5,
    4_294_967_296.0,
    9_223_372_036_854_774_784.0,
    9_223_372_036_854_775_808.0,
    -9_223_372_036_854_777_856.0,
    18_446_744_073_709_549_568.0,
    18_446_744_073_709_551_616.0,
    3.5e38,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

const F64_NANS: [u64; 5] =
    [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff8_0000_dead_beef, 0x7ff4_0000_0000_0000, 0xfff0_0000_0000_0001];

/// Returns values of a type on which an operator may be wrong.
pub fn values(ty: ValType) -> Vec<Val> {
    match ty {
        ValType::I32 => I32S.map(Val::I32).to_vec(),
        ValType::I64 => I64S.map(Val::I64).to_vec(),
        ValType::F32 => F32S.map(f32::to_bits).into_iter().chain(F32_NANS).map(Val::F32).collect(),
        ValType::F64 => F64S.map(f64::to_bits).into_iter().chain(F64_NANS).map(Val::F64).collect(),
        ValType::V128 => vectors().into_iter().map(Val::V128).collect(),
        ValType::Ref(_) => Vec::new(),
    }
}

/// Returns vectors with extreme lanes of every type, equal lanes and different ones.
fn vectors() -> Vec<V128> {
    let f32s: Vec<u32> = F32S.map(f32::to_bits).into_iter().chain(F32_NANS).collect();
    let f64s: Vec<u64> = F64S.map(f64::to_bits).into_iter().chain(F64_NANS).collect();
    let mut vectors = vec![
        V128([0; 16]),
        V128([0xff; 16]),
        V128::from_lanes(std::array::from_fn::<u8, 16, _>(|i| i as u8)),
        V128::from_lanes(std::array::from_fn::<u8, 16, _>(|i| 22 - i as u8 * 3 % 23)),
        V128::from_lanes(std::array::from_fn::<u8, 16, _>(|i| (i * 73 + 41) as u8)),
        V128::from_lanes([0x7f_u8, 0x80, 0x81, 0xff, 0, 1, 0x7e, 0xfe, 0x80, 0x80, 0x7f, 0x7f, 2, 0xfd, 0x10, 0xef]),
        V128::from_lanes([i8::MIN; 16]),
        V128::from_lanes([i16::MIN; 8]),
        V128::from_lanes([i32::MIN; 4]),
        V128::from_lanes([i64::MIN; 2]),
        V128::from_lanes([i16::MAX; 8]),
        V128::from_lanes([i16::MIN, i16::MAX, -1, 0, 1, 255, 256, -129]),
        V128::from_lanes([i16::MAX, i16::MIN, 1, 0, -1, -128, 128, 0x4000]),
        V128::from_lanes([i32::MIN, i32::MAX, -1, 0]),
        V128::from_lanes([32_768, -32_769, 65_535, 65_536]),
        V128::from_lanes([i64::MIN, i64::MAX]),
        V128::from_lanes([-1_i64, 0]),
        V128::from_lanes([0_i64, 1 << 32]),
        V128::from_lanes([f32::NAN; 4]),
        V128::from_lanes([f64::NAN; 2]),
    ];
    // Every float meets every other through the pairs of these vectors, in some lane and order.
    vectors
        .extend((0..f32s.len()).step_by(4).map(|i| V128::from_lanes([0, 1, 2, 3].map(|j| f32s[(i + j) % f32s.len()]))));
    vectors.extend(
        (0..f32s.len()).step_by(3).map(|i| V128::from_lanes([0, 7, 11, 5].map(|j| f32s[(i + j) % f32s.len()]))),
    );
    vectors.extend((0..f64s.len()).step_by(2).map(|i| V128::from_lanes([0, 1].map(|j| f64s[(i + j) % f64s.len()]))));
    vectors.extend((0..f64s.len()).step_by(3).map(|i| V128::from_lanes([5, 0].map(|j| f64s[(i + j) % f64s.len()]))));
    vectors
}

impl Case {
    /// Returns the operator or expression applied to these operands, as text.
    pub fn with_operands(&self, operands: &[String]) -> String {
        if !self.text.starts_with('(') {
            return format!("({} {})", self.text, operands.join(" "));
        }
        let replace = |text: String, (index, operand): (usize, &String)| text.replace(&format!("${index}"), operand);
        operands.iter().enumerate().fold(self.text.clone(), replace)
    }

    /// Returns choices of constant operands: none, one of several, or all.
    pub fn constants(&self) -> Vec<Vec<Option<Val>>> {
        let open = vec![None; self.operands.len()];
        let mut constants = vec![open.clone()];
        if self.operands.len() > 1 {
            for (place, &ty) in self.operands.iter().enumerate() {
                for value in values(ty).into_iter().step_by(if ty == ValType::V128 { 5 } else { 1 }) {
                    let mut one = open.clone();
                    one[place] = Some(value);
                    constants.push(one);
                }
            }
        }
        constants.extend(self.arguments(&open, 40).iter().map(|all| all.iter().copied().map(Some).collect()));
        constants
    }

    /// Returns combinations of operands with these constants. If there are more than `max`, returns a selection that has every
    /// value in every place.
    pub fn arguments(&self, constants: &[Option<Val>], max: usize) -> Vec<Vec<Val>> {
        let places = self.operands.iter().zip(constants);
        let values: Vec<Vec<Val>> =
            places.map(|(&ty, &constant)| constant.map_or_else(|| values(ty), |value| vec![value])).collect();
        let total: usize = values.iter().map(Vec::len).product();
        // A step that is coprime to the number of combinations reaches every value in every place.
        let step = (total.div_ceil(max)..).find(|step| gcd(*step, total) == 1).expect("a prime above is one");
        let combination = |mut index: usize| {
            let mut pick = |values: &Vec<Val>| {
                let value = values[index % values.len()];
                index /= values.len();
                value
            };
            values.iter().map(&mut pick).collect()
        };
        (0..total).step_by(step).map(combination).collect()
    }

    /// Returns true if `actual` is acceptable for the `expected` result: they are equal, or where [`NANS_ARE_SETTLED`] is
    /// false, both are computed NaNs.
    pub fn allows(&self, expected: Val, actual: Val) -> bool {
        if NANS_ARE_SETTLED {
            return expected == actual;
        }
        let name = self.text.trim_start_matches('(').split(' ').next().expect("never empty");
        let Some((shape, operator)) = name.split_once('.') else { return expected == actual };
        let bitwise = ["abs", "neg", "copysign", "pmin", "pmax", "splat", "lane", "reinterpret"];
        if bitwise.iter().any(|bitwise| operator.contains(bitwise)) {
            return expected == actual;
        }
        match (expected, actual) {
            (Val::F32(expected), Val::F32(actual)) => same_f32(expected, actual),
            (Val::F64(expected), Val::F64(actual)) => same_f64(expected, actual),
            (Val::V128(expected), Val::V128(actual)) if shape == "f32x4" && !is_comparison(operator) => {
                let pairs = expected.lanes::<[u32; 4]>().into_iter().zip(actual.lanes::<[u32; 4]>());
                pairs.into_iter().all(|(expected, actual)| same_f32(expected, actual))
            }
            (Val::V128(expected), Val::V128(actual)) if shape == "f64x2" && !is_comparison(operator) => {
                let pairs = expected.lanes::<[u64; 2]>().into_iter().zip(actual.lanes::<[u64; 2]>());
                pairs.into_iter().all(|(expected, actual)| same_f64(expected, actual))
            }
            _ => expected == actual,
        }
    }
}

fn is_comparison(operator: &str) -> bool {
    ["eq", "ne", "lt", "gt", "le", "ge"].contains(&operator)
}

fn same_f32(expected: u32, actual: u32) -> bool {
    if f32::from_bits(expected).is_nan() { actual & 0x7fc0_0000 == 0x7fc0_0000 } else { expected == actual }
}

fn same_f64(expected: u64, actual: u64) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    if f64::from_bits(expected).is_nan() { actual & QUIET == QUIET } else { expected == actual }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Returns a value as a constant operator.
pub fn constant(value: Val) -> String {
    match value {
        Val::I32(value) => format!("(i32.const {value})"),
        Val::I64(value) => format!("(i64.const {value})"),
        Val::F32(bits) => {
            let (value, payload) = (f32::from_bits(bits), u64::from(bits & 0x7f_ffff));
            format!("(f32.const {})", float(value.is_nan(), bits >> 31 != 0, payload, format!("{value:e}")))
        }
        Val::F64(bits) => {
            let (value, payload) = (f64::from_bits(bits), bits & 0xf_ffff_ffff_ffff);
            format!("(f64.const {})", float(value.is_nan(), bits >> 63 != 0, payload, format!("{value:e}")))
        }
        Val::V128(vector) => {
            let [a, b, c, d] = vector.lanes::<[i32; 4]>();
            format!("(v128.const i32x4 {a} {b} {c} {d})")
        }
        _ => unreachable!("no operator has references"),
    }
}

/// Returns a float in the text format: a NaN with this sign and payload, or `number`.
fn float(nan: bool, negative: bool, payload: u64, number: String) -> String {
    let sign = if negative { "-" } else { "" };
    if nan { format!("{sign}nan:{payload:#x}") } else { number }
}
