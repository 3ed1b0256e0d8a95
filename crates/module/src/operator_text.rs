//! An operator as text, for listings and messages: its name and its immediates in the [text
//! format](https://webassembly.github.io/spec/core/text/instructions.html), with indices instead of names. Parsing the text
//! yields the same operator.

use std::fmt::{self, Write};

use wasmparser::{
    AbstractHeapType, BlockType, BrTable, Catch, Handle, HeapType, Ieee32, Ieee64, MemArg, MemArgOrdering,
    MemArgTarget, Operator, Ordering, RefType, ResumeTable, TryTable, UnpackedIndex, V128, ValType,
};

/// Returns an operator with its immediates as text.
pub fn operator_text(operator: &Operator<'_>) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = write_operator(&mut text, operator);
    text
}

macro_rules! writer {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* $(,)? })? => $visit:ident ($($arity:tt)*))*) => {
        /// Returns an operator's name in the text format, without immediates.
        pub(crate) fn operator_name(operator: &Operator<'_>) -> String {
            match operator {
                $(Operator::$op { .. } => visitor_name(stringify!($visit).trim_start_matches("visit_")),)*
                // Unreachable: the list has all operators of this version of the decoder.
                other => format!("{other:?}"),
            }
        }

        fn write_operator(out: &mut String, operator: &Operator<'_>) -> fmt::Result {
            out.push_str(&operator_name(operator));
            #[allow(unreachable_patterns, reason = "the arms above the table handle some of its operators")]
            match operator {
                // The text format orders the immediates of these operators differently from the binary format, or omits some.
                Operator::CallIndirect { type_index, table_index }
                | Operator::ReturnCallIndirect { type_index, table_index } => {
                    unless_zero(out, *table_index)?;
                    write!(out, " (type {type_index})")
                }
                Operator::MemorySize { mem }
                | Operator::MemoryGrow { mem }
                | Operator::MemoryFill { mem }
                | Operator::MemoryDiscard { mem } => unless_zero(out, *mem),
                Operator::MemoryCopy { dst_mem: 0, src_mem: 0 } => Ok(()),
                Operator::MemoryInit { data_index, mem } => {
                    unless_zero(out, *mem)?;
                    write!(out, " {data_index}")
                }
                Operator::TableInit { elem_index, table } => write!(out, " {table} {elem_index}"),
                Operator::TypedSelect { ty } => write!(out, " (result {})", Shown(ty)),
                Operator::RefTestNonNull { hty }
                | Operator::RefCastNonNull { hty }
                | Operator::RefCastDescEqNonNull { hty } => write!(out, " (ref {})", Shown(hty)),
                Operator::RefTestNullable { hty }
                | Operator::RefCastNullable { hty }
                | Operator::RefCastDescEqNullable { hty } => write!(out, " (ref null {})", Shown(hty)),
                Operator::AtomicFence { ordering: Ordering::SeqCst } => Ok(()),
                $(Operator::$op $({ $($arg),* })? => {
                    $($({
                        let shown = Shown($arg).to_string();
                        if !shown.is_empty() {
                            write!(out, " {shown}")?;
                        }
                    })*)?
                    Ok(())
                })*
                _ => Ok(()),
            }
        }
    };
}
wasmparser::for_each_operator!(writer);

/// First words of operator names, which the text format separates by a dot.
const SUBJECTS: &[&str] = &[
    "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2", "memory", "table",
    "local", "global", "ref", "data", "elem", "struct", "array", "any", "extern", "i31", "cont", "atomic",
];

/// Returns the name of an operator in the text format, given the name of its method in the decoder's visitors without `visit_`.
pub(crate) fn visitor_name(word: &str) -> String {
    let word = match word {
        "typed_select" | "typed_select_multi" => "select",
        "ref_test_non_null" | "ref_test_nullable" => "ref_test",
        "ref_cast_non_null" | "ref_cast_nullable" => "ref_cast",
        "ref_cast_desc_eq_non_null" | "ref_cast_desc_eq_nullable" => "ref_cast_desc_eq",
        other => other,
    };
    let Some((subject, rest)) = word.split_once('_').filter(|(subject, _)| SUBJECTS.contains(subject)) else {
        return word.to_owned();
    };
    match rest.strip_prefix("atomic_") {
        Some(what) => match what.split_once('_').filter(|(width, _)| width.starts_with("rmw")) {
            Some((width, what)) => format!("{subject}.atomic.{width}.{what}"),
            None => format!("{subject}.atomic.{what}"),
        },
        None => format!("{subject}.{rest}"),
    }
}

fn unless_zero(out: &mut String, index: u32) -> fmt::Result {
    if index == 0 { Ok(()) } else { write!(out, " {index}") }
}

/// An immediate, displayed in the text format.
pub(crate) struct Shown<'a, T: ?Sized>(pub(crate) &'a T);

macro_rules! as_numbers {
    ($($ty:ty)*) => {$(
        impl fmt::Display for Shown<'_, $ty> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}
as_numbers!(u8 u32 i32 i64);

macro_rules! as_floats {
    ($($ty:ident $float:ident $mantissa_bits:literal;)*) => {$(
        impl fmt::Display for Shown<'_, $ty> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = $float::from_bits(self.0.bits());
                let sign = if value.is_sign_negative() { "-" } else { "" };
                let mantissa = self.0.bits() & ((1 << $mantissa_bits) - 1);
                if value.is_infinite() {
                    write!(f, "{sign}inf")
                } else if !value.is_nan() {
                    // The shortest decimal that parses to the same bits.
                    write!(f, "{value:?}")
                } else if mantissa == 1 << ($mantissa_bits - 1) {
                    write!(f, "{sign}nan")
                } else {
                    write!(f, "{sign}nan:{mantissa:#x}")
                }
            }
        }
    )*};
}
as_floats! {
    Ieee32 f32 23;
    Ieee64 f64 52;
}

impl fmt::Display for Shown<'_, V128> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i32x4")?;
        self.0.bytes().as_chunks().0.iter().try_for_each(|lane| write!(f, " {:#010x}", u32::from_le_bytes(*lane)))
    }
}

impl fmt::Display for Shown<'_, [u8; 16]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|lane| lane.to_string()).join(" "))
    }
}

impl fmt::Display for Shown<'_, MemArg> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemArg { align, max_align, offset, target, ordering } = *self.0;
        let mut words = Vec::new();
        match target {
            MemArgTarget::Memory(0) => {}
            MemArgTarget::Memory(index) | MemArgTarget::Array(index) => words.push(index.to_string()),
        }
        if offset != 0 {
            words.push(format!("offset={offset}"));
        }
        if align != max_align {
            words.push(format!("align={}", 1u64 << align));
        }
        if let Some(MemArgOrdering::Op(ordering) | MemArgOrdering::Rmw(ordering)) = ordering {
            words.push(Shown(&ordering).to_string());
        }
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for Shown<'_, Ordering> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Ordering::AcqRel => "acqrel",
            Ordering::SeqCst => "seqcst",
        })
    }
}

impl fmt::Display for Shown<'_, BlockType> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BlockType::Empty => Ok(()),
            BlockType::Type(ty) => write!(f, "(result {})", Shown(ty)),
            BlockType::FuncType(index) => write!(f, "(type {index})"),
        }
    }
}

impl fmt::Display for Shown<'_, BrTable<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in self.0.targets() {
            // Validation has read all targets.
            write!(f, "{} ", target.map_err(|_| fmt::Error)?)?;
        }
        write!(f, "{}", self.0.default())
    }
}

impl fmt::Display for Shown<'_, TryTable> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let ty = Shown(&self.0.ty).to_string();
        words.extend((!ty.is_empty()).then_some(ty));
        words.extend(self.0.catches.iter().map(|catch| match catch {
            Catch::One { tag, label } => format!("(catch {tag} {label})"),
            Catch::OneRef { tag, label } => format!("(catch_ref {tag} {label})"),
            Catch::All { label } => format!("(catch_all {label})"),
            Catch::AllRef { label } => format!("(catch_all_ref {label})"),
        }));
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for Shown<'_, ResumeTable> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.0.handlers.iter().map(|handle| match handle {
            Handle::OnLabel { tag, label } => format!("(on {tag} {label})"),
            Handle::OnSwitch { tag } => format!("(on {tag} switch)"),
        });
        f.write_str(&handlers.collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Shown<'_, ValType> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValType::Ref(ty) => write!(f, "{}", Shown(ty)),
            other => write!(f, "{other}"),
        }
    }
}

/// The types of a typed `select`.
impl fmt::Display for Shown<'_, Vec<ValType>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(result")?;
        self.0.iter().try_for_each(|ty| write!(f, " {}", Shown(ty)))?;
        f.write_char(')')
    }
}

impl fmt::Display for Shown<'_, RefType> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let null = if self.0.is_nullable() { "null " } else { "" };
        write!(f, "(ref {null}{})", Shown(&self.0.heap_type()))
    }
}

impl fmt::Display for Shown<'_, HeapType> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = |index: UnpackedIndex| index.as_module_index().map_or(String::from("?"), |index| index.to_string());
        match *self.0 {
            HeapType::Abstract { shared: false, ty } => f.write_str(abstract_name(ty)),
            HeapType::Abstract { shared: true, ty } => write!(f, "(shared {})", abstract_name(ty)),
            HeapType::Concrete(ty) => f.write_str(&index(ty)),
            HeapType::Exact(ty) => write!(f, "(exact {})", index(ty)),
        }
    }
}

fn abstract_name(ty: AbstractHeapType) -> &'static str {
    match ty {
        AbstractHeapType::Func => "func",
        AbstractHeapType::Extern => "extern",
        AbstractHeapType::Any => "any",
        AbstractHeapType::None => "none",
        AbstractHeapType::NoExtern => "noextern",
        AbstractHeapType::NoFunc => "nofunc",
        AbstractHeapType::Eq => "eq",
        AbstractHeapType::Struct => "struct",
        AbstractHeapType::Array => "array",
        AbstractHeapType::I31 => "i31",
        AbstractHeapType::Exn => "exn",
        AbstractHeapType::NoExn => "noexn",
        AbstractHeapType::Cont => "cont",
        AbstractHeapType::NoCont => "nocont",
    }
}
