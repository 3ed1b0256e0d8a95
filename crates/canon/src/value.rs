//! [`Val`]: a component value whose type is known only at run time.

use crate::resource::ResourceAny;

/// A value of a component type. `f32` and `f64` compare as numbers, except that a NaN equals every NaN.
#[derive(Clone, Debug)]
pub enum Val {
    /// `bool`.
    Bool(bool),
    /// `s8`.
    S8(i8),
    /// `u8`.
    U8(u8),
    /// `s16`.
    S16(i16),
    /// `u16`.
    U16(u16),
    /// `s32`.
    S32(i32),
    /// `u32`.
    U32(u32),
    /// `s64`.
    S64(i64),
    /// `u64`.
    U64(u64),
    /// `f32`.
    F32(f32),
    /// `f64`.
    F64(f64),
    /// `char`.
    Char(char),
    /// `string`.
    String(String),
    /// `list<T>`, of any or of a fixed length.
    List(List),
    /// `map<K, V>`: the entries in their order.
    Map(Vec<(Val, Val)>),
    /// `record`: names and values of its fields, in the type's order.
    Record(Vec<(String, Val)>),
    /// `tuple`.
    Tuple(Vec<Val>),
    /// `variant`: name and payload of the case.
    Variant(String, Option<Box<Val>>),
    /// `enum`: name of the case.
    Enum(String),
    /// `option<T>`.
    Option(Option<Box<Val>>),
    /// `result<T, E>`.
    Result(Result<Option<Box<Val>>, Option<Box<Val>>>),
    /// `flags`: names of the flags that are set.
    Flags(Vec<String>),
    /// `own<R>` or `borrow<R>`.
    Resource(ResourceAny),
}

impl Val {
    /// Returns a string.
    pub fn string(text: impl Into<String>) -> Val {
        Val::String(text.into())
    }

    /// Returns a list of bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Val {
        Val::List(List::U8(bytes.into()))
    }

    /// Returns the bytes of a `list<u8>`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Val::List(List::U8(bytes)) = self { Some(bytes) } else { None }
    }

    /// Returns the text of a `string`.
    pub fn as_str(&self) -> Option<&str> {
        if let Val::String(text) = self { Some(text) } else { None }
    }

    /// Returns the name of the kind of type, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Val::Bool(_) => "bool",
            Val::S8(_) => "s8",
            Val::U8(_) => "u8",
            Val::S16(_) => "s16",
            Val::U16(_) => "u16",
            Val::S32(_) => "s32",
            Val::U32(_) => "u32",
            Val::S64(_) => "s64",
            Val::U64(_) => "u64",
            Val::F32(_) => "f32",
            Val::F64(_) => "f64",
            Val::Char(_) => "char",
            Val::String(_) => "string",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Record(_) => "record",
            Val::Tuple(_) => "tuple",
            Val::Variant(..) => "variant",
            Val::Enum(_) => "enum",
            Val::Option(_) => "option",
            Val::Result(_) => "result",
            Val::Flags(_) => "flags",
            Val::Resource(_) => "resource",
        }
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::S8(a), Val::S8(b)) => a == b,
            (Val::U8(a), Val::U8(b)) => a == b,
            (Val::S16(a), Val::S16(b)) => a == b,
            (Val::U16(a), Val::U16(b)) => a == b,
            (Val::S32(a), Val::S32(b)) => a == b,
            (Val::U32(a), Val::U32(b)) => a == b,
            (Val::S64(a), Val::S64(b)) => a == b,
            (Val::U64(a), Val::U64(b)) => a == b,
            (Val::F32(a), Val::F32(b)) => a == b || a.is_nan() && b.is_nan(),
            (Val::F64(a), Val::F64(b)) => a == b || a.is_nan() && b.is_nan(),
            (Val::Char(a), Val::Char(b)) => a == b,
            (Val::String(a), Val::String(b)) | (Val::Enum(a), Val::Enum(b)) => a == b,
            (Val::List(a), Val::List(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            (Val::Map(a), Val::Map(b)) => a == b,
            (Val::Record(a), Val::Record(b)) => a == b,
            (Val::Tuple(a), Val::Tuple(b)) => a == b,
            (Val::Variant(a, x), Val::Variant(b, y)) => a == b && x == y,
            (Val::Option(a), Val::Option(b)) => a == b,
            (Val::Result(a), Val::Result(b)) => a == b,
            (Val::Flags(a), Val::Flags(b)) => a.len() == b.len() && a.iter().all(|name| b.contains(name)),
            (Val::Resource(a), Val::Resource(b)) => a == b,
            _ => false,
        }
    }
}

/// Declares [`List`]: one row for each type of numbers.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {
        /// The elements of a list. Numbers are kept as such, so that a byte takes one byte.
        #[derive(Clone, Debug)]
        pub enum List {
            /// Elements of any one type.
            Vals(Vec<Val>),
            $($(#[$doc])* $name(Vec<$number>),)*
        }

        impl List {
            /// Returns the number of elements.
            pub fn len(&self) -> usize {
                match self {
                    List::Vals(all) => all.len(),
                    $(List::$name(all) => all.len(),)*
                }
            }

            /// Returns the element at an index.
            pub fn get(&self, index: usize) -> Option<Val> {
                match self {
                    List::Vals(all) => all.get(index).cloned(),
                    $(List::$name(all) => all.get(index).copied().map(Val::$name),)*
                }
            }
        }

        $(
            impl From<Vec<$number>> for List {
                fn from(all: Vec<$number>) -> List {
                    List::$name(all)
                }
            }

            impl From<$number> for Val {
                fn from(value: $number) -> Val {
                    Val::$name(value)
                }
            }
        )*
    };
}

lists! {
    /// `list<s8>`.
    S8(i8);
    /// `list<u8>`.
    U8(u8);
    /// `list<s16>`.
    S16(i16);
    /// `list<u16>`.
    U16(u16);
    /// `list<s32>`.
    S32(i32);
    /// `list<u32>`.
    U32(u32);
    /// `list<s64>`.
    S64(i64);
    /// `list<u64>`.
    U64(u64);
    /// `list<f32>`.
    F32(f32);
    /// `list<f64>`.
    F64(f64);
}

impl List {
    /// Returns true if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the elements one after another.
    pub fn iter(&self) -> impl Iterator<Item = Val> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl From<Vec<Val>> for List {
    fn from(all: Vec<Val>) -> List {
        List::Vals(all)
    }
}

impl<L: Into<List>> From<L> for Val {
    fn from(list: L) -> Val {
        Val::List(list.into())
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Val {
        Val::Bool(value)
    }
}

impl From<char> for Val {
    fn from(value: char) -> Val {
        Val::Char(value)
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::String(text.to_owned())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::String(text)
    }
}
