//! The operators of the table as numbers ([`Op`]), with the facts of their rows but for the meaning.
//!
//! Apart from the marker types, because the traits that those implement name both.

use crate::types::ValType;

/// The facts of an operator's row but for its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpInfo {
    /// The operator's name in the text format.
    pub name: &'static str,
    /// The shape of its row.
    pub shape: Shape,
    /// Types of the operands, the deepest first, without the address of an access to memory.
    pub operands: &'static [ValType],
    /// Type of the result, if the operator has one.
    pub result: Option<ValType>,
    /// Number of lanes of the vector that a lane immediate counts; 0 if the operator has none.
    pub lanes: u8,
    /// The access to memory, if the operator makes one.
    pub access: Option<Access>,
}

impl OpInfo {
    pub(super) const fn new(
        name: &'static str,
        shape: Shape,
        operands: &'static [ValType],
        result: Option<ValType>,
    ) -> OpInfo {
        OpInfo { name, shape, operands, result, lanes: 0, access: None }
    }

    pub(super) const fn lanes(self, lanes: u8) -> OpInfo {
        OpInfo { lanes, ..self }
    }

    pub(super) const fn access(self, access: Access) -> OpInfo {
        OpInfo { access: Some(access), ..self }
    }
}

/// Size of an access to memory, and the extension of a narrow integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Number of bytes.
    pub bytes: u8,
    /// True if a value wider than that is extended by its sign.
    pub signed: bool,
}

/// Passes the shapes to a macro: the name of each, which is also its trait's, and of the [`Visitor`](super::Visitor)'s method.
macro_rules! for_each_shape {
    ($macro:ident) => {
        $macro! {
            Unary unary
            Binary binary
            Compare compare
            VectorUnary vector_unary
            VectorBinary vector_binary
            VectorTernary vector_ternary
            VectorTest vector_test
            Shift shift
            Splat splat
            ExtractLane extract_lane
            ReplaceLane replace_lane
            Load load
            Store store
            VectorLoad vector_load
            VectorStore vector_store
            LoadLane load_lane
            StoreLane store_lane
        }
    };
}
pub(super) use for_each_shape;

macro_rules! shape {
    ($($shape:ident $method:ident)*) => {
        /// The shapes of rows, named as their traits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Shape {
            $(#[doc = concat!("Operators of [`", stringify!($shape), "`](super::shapes::", stringify!($shape), ").")] $shape,)*
        }
    };
}
for_each_shape!(shape);

macro_rules! op {
    ($($immediate:ident { $($shape:ident { $(
        $function:ident $op:ident $text:literal $($operand:ident)+ $([$lanes:literal])? -> $result:ident;
    )* })* })*) => {
        /// An operator of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Op { $($($(#[doc = concat!("`", $text, "`")] $op,)*)*)* }

        impl Op {
            /// Every operator of the table, in its order.
            pub const ALL: &[Op] = &[$($($(Op::$op,)*)*)*];
        }
    };
}
crate::for_each_op!(op);
