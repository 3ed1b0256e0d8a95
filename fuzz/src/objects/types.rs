//! Types of a generated program: structs and arrays in recursion groups, with supertypes.
//!
//! A field may refer to every type of its own and of earlier groups. A reference that is not null may only lead to an earlier
//! type, so that an object of every type can be created.

use std::fmt;

use super::source::Source;

/// A heap type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heap {
    /// `any`
    Any,
    /// `eq`
    Eq,
    /// `i31`
    I31,
    /// `struct`
    Struct,
    /// `array`
    Array,
    /// `none`
    None,
    /// `func`
    Func,
    /// `nofunc`
    NoFunc,
    /// `extern`
    Extern,
    /// `noextern`
    NoExtern,
    /// `exn`
    Exn,
    /// `noexn`
    NoExn,
    /// The type of this index.
    Type(usize),
}

/// A value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
    /// A reference, and true if it may be null.
    Ref(bool, Heap),
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// A value.
    Value(Ty),
}

/// A field of a struct, or the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Type of the contents.
    pub storage: Storage,
    /// True if the contents can be replaced.
    pub mutable: bool,
}

/// The contents of objects of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composite {
    /// A struct.
    Struct(Vec<Field>),
    /// An array.
    Array(Field),
}

/// A defined type.
#[derive(Clone, Debug)]
pub struct Defined {
    /// Contents.
    pub composite: Composite,
    /// Index of the supertype.
    pub supertype: Option<usize>,
    /// True if it has no subtypes.
    pub is_final: bool,
    /// Number of its recursion group.
    pub group: usize,
}

/// All types of a program.
#[derive(Debug)]
pub struct Types(pub Vec<Defined>);

impl fmt::Display for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Heap::Any => "any",
            Heap::Eq => "eq",
            Heap::I31 => "i31",
            Heap::Struct => "struct",
            Heap::Array => "array",
            Heap::None => "none",
            Heap::Func => "func",
            Heap::NoFunc => "nofunc",
            Heap::Extern => "extern",
            Heap::NoExtern => "noextern",
            Heap::Exn => "exn",
            Heap::NoExn => "noexn",
            Heap::Type(index) => return write!(f, "$t{index}"),
        })
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::I32 => f.write_str("i32"),
            Ty::I64 => f.write_str("i64"),
            Ty::F32 => f.write_str("f32"),
            Ty::F64 => f.write_str("f64"),
            Ty::V128 => f.write_str("v128"),
            Ty::Ref(true, heap) => write!(f, "(ref null {heap})"),
            Ty::Ref(false, heap) => write!(f, "(ref {heap})"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storage = match self.storage {
            Storage::I8 => "i8".to_owned(),
            Storage::I16 => "i16".to_owned(),
            Storage::Value(ty) => ty.to_string(),
        };
        if self.mutable { write!(f, "(mut {storage})") } else { f.write_str(&storage) }
    }
}

impl Storage {
    /// Returns the type of the contents on the operand stack.
    pub fn unpacked(self) -> Ty {
        match self {
            Storage::I8 | Storage::I16 => Ty::I32,
            Storage::Value(ty) => ty,
        }
    }

    /// Returns true if the contents are smaller than a value.
    pub fn is_packed(self) -> bool {
        !matches!(self, Storage::Value(_))
    }

    /// Returns true if `array.new_data` can read the contents.
    pub fn is_number(self) -> bool {
        !matches!(self, Storage::Value(Ty::Ref(..)))
    }
}

impl Ty {
    /// Returns true if locals of the type start with a value.
    pub fn is_defaultable(self) -> bool {
        !matches!(self, Ty::Ref(false, _))
    }
}

impl Defined {
    /// Returns the fields of a struct, or the elements of an array as the only field.
    pub fn fields(&self) -> &[Field] {
        match &self.composite {
            Composite::Struct(fields) => fields,
            Composite::Array(element) => std::slice::from_ref(element),
        }
    }

    /// Returns true if `struct.new_default` or `array.new_default` is valid.
    pub fn is_defaultable(&self) -> bool {
        self.fields().iter().all(|field| field.storage.unpacked().is_defaultable())
    }

    /// Returns true if it is a struct.
    pub fn is_struct(&self) -> bool {
        matches!(self.composite, Composite::Struct(_))
    }
}

impl Types {
    /// Chooses types.
    pub fn generate(source: &mut Source<'_>) -> Types {
        let mut types = Types(Vec::new());
        let groups = 2 + source.below(5);
        for group in 0..groups {
            // Equal groups are the same types.
            if !types.0.is_empty() && source.one_in(5) {
                let copied = types.0[source.below(types.0.len())].clone();
                types.0.push(Defined { group, ..copied });
                continue;
            }
            let end = types.0.len() + 1 + source.below(3);
            while types.0.len() < end {
                let defined = types.defined(source, group, end);
                types.0.push(defined);
            }
        }
        types
    }

    fn defined(&self, source: &mut Source<'_>, group: usize, group_end: usize) -> Defined {
        let open: Vec<usize> = (0..self.0.len()).filter(|&index| !self.0[index].is_final).collect();
        let supertype = if open.is_empty() || source.one_in(3) { None } else { Some(*source.pick(&open)) };
        let inherited = supertype.map(|index| self.0[index].composite.clone());
        let composite = match inherited {
            Some(Composite::Struct(mut fields)) => {
                for field in &mut fields {
                    self.specialise(source, field);
                }
                for _ in 0..source.below(3) {
                    fields.push(self.field(source, group_end));
                }
                Composite::Struct(fields)
            }
            Some(Composite::Array(mut element)) => {
                self.specialise(source, &mut element);
                Composite::Array(element)
            }
            None if source.one_in(3) => Composite::Array(self.field(source, group_end)),
            None => {
                let count = if source.one_in(40) { 60 + source.below(100) } else { source.below(6) };
                Composite::Struct((0..count).map(|_| self.field(source, group_end)).collect())
            }
        };
        Defined { composite, supertype, is_final: source.one_in(4), group }
    }

    /// Replaces the type of a field that cannot be written by a subtype, sometimes.
    fn specialise(&self, source: &mut Source<'_>, field: &mut Field) {
        if let Field { storage: Storage::Value(Ty::Ref(nullable, heap)), mutable: false } = *field
            && source.one_in(2)
        {
            let known: Vec<usize> = (0..self.0.len()).filter(|&index| self.is_sub(Heap::Type(index), heap)).collect();
            if !known.is_empty() {
                field.storage = Storage::Value(Ty::Ref(nullable, Heap::Type(*source.pick(&known))));
            }
        }
    }

    fn field(&self, source: &mut Source<'_>, group_end: usize) -> Field {
        let mutable = !source.one_in(3);
        let storage = match source.below(16) {
            0 => Storage::I8,
            1 => Storage::I16,
            2 | 3 => Storage::Value(Ty::I32),
            4 => Storage::Value(Ty::I64),
            5 => Storage::Value(Ty::F32),
            6 => Storage::Value(Ty::F64),
            7 => Storage::Value(Ty::V128),
            8 => Storage::Value(Ty::Ref(true, *source.pick(&ABSTRACT))),
            9 if !self.0.is_empty() && source.one_in(2) => {
                Storage::Value(Ty::Ref(false, Heap::Type(source.below(self.0.len()))))
            }
            9 => Storage::Value(Ty::Ref(false, *source.pick(&[Heap::I31, Heap::Eq, Heap::Any]))),
            _ => Storage::Value(Ty::Ref(true, Heap::Type(source.below(group_end)))),
        };
        Field { storage, mutable }
    }

    /// Returns a type of values: a number, or a reference that may be null, or sometimes one that may not.
    pub fn value(&self, source: &mut Source<'_>) -> Ty {
        match source.below(16) {
            0..=2 => Ty::I32,
            3 => Ty::I64,
            4 => Ty::F32,
            5 => Ty::F64,
            6 => Ty::V128,
            7 | 8 => Ty::Ref(true, *source.pick(&ABSTRACT)),
            9 => Ty::Ref(false, Heap::Type(source.below(self.0.len()))),
            _ => Ty::Ref(true, Heap::Type(source.below(self.0.len()))),
        }
    }

    /// Returns true if one heap type is a declared subtype of the other.
    pub fn is_sub(&self, sub: Heap, of: Heap) -> bool {
        if sub == of {
            return true;
        }
        let is_struct = |index: usize| self.0[index].is_struct();
        match (sub, of) {
            (Heap::Type(index), Heap::Type(_)) => {
                self.0[index].supertype.is_some_and(|supertype| self.is_sub(Heap::Type(supertype), of))
            }
            (Heap::Type(_), Heap::Any | Heap::Eq) => true,
            (Heap::Type(index), Heap::Struct) => is_struct(index),
            (Heap::Type(index), Heap::Array) => !is_struct(index),
            (Heap::Eq, Heap::Any) => true,
            (Heap::I31 | Heap::Struct | Heap::Array, Heap::Any | Heap::Eq) => true,
            (Heap::None, _) => matches!(top(of), Heap::Any),
            (Heap::NoFunc, Heap::Func) | (Heap::NoExtern, Heap::Extern) | (Heap::NoExn, Heap::Exn) => true,
            _ => false,
        }
    }

    /// Returns true if a value of one type is also one of the other.
    pub fn matches(&self, sub: Ty, of: Ty) -> bool {
        match (sub, of) {
            (Ty::Ref(sub_null, sub), Ty::Ref(null, of)) => (null || !sub_null) && self.is_sub(sub, of),
            _ => sub == of,
        }
    }

    /// Returns the indices of the types below a heap type.
    pub fn below(&self, heap: Heap) -> Vec<usize> {
        (0..self.0.len()).filter(|&index| self.is_sub(Heap::Type(index), heap)).collect()
    }

    /// Returns the declarations as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut start = 0;
        while start < self.0.len() {
            let group = self.0[start].group;
            let end = (start..self.0.len()).find(|&index| self.0[index].group != group).unwrap_or(self.0.len());
            text.push_str("(rec\n");
            for (index, defined) in self.0.iter().enumerate().take(end).skip(start) {
                let contents = match &defined.composite {
                    Composite::Struct(fields) => {
                        let fields: Vec<String> = fields.iter().map(|field| format!("(field {field})")).collect();
                        format!("(struct {})", fields.join(" "))
                    }
                    Composite::Array(element) => format!("(array {element})"),
                };
                let is_final = if defined.is_final { "final " } else { "" };
                let supertype = defined.supertype.map(|index| format!("$t{index} ")).unwrap_or_default();
                text.push_str(&format!("  (type $t{index} (sub {is_final}{supertype}{contents}))\n"));
            }
            text.push_str(")\n");
            start = end;
        }
        text
    }
}

/// Heap types that the specification defines.
pub const ABSTRACT: [Heap; 9] =
    [Heap::Any, Heap::Eq, Heap::Extern, Heap::Struct, Heap::Array, Heap::I31, Heap::Func, Heap::Exn, Heap::None];

/// Returns the greatest type of a hierarchy.
pub fn top(heap: Heap) -> Heap {
    match heap {
        Heap::Func | Heap::NoFunc => Heap::Func,
        Heap::Extern | Heap::NoExtern => Heap::Extern,
        Heap::Exn | Heap::NoExn => Heap::Exn,
        _ => Heap::Any,
    }
}
