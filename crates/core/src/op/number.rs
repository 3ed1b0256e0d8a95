//! The operators of the table as numbers ([`Op`]), and the types of the facts in their rows.
//!
//! This file is separate from the marker types, because their traits (`shapes.rs`) use these types.

use crate::types::ValType;

/// The facts of an operator's row, without its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpInfo {
    /// The operator's name in the text format.
    pub name: &'static str,
    /// The shape of its row.
    pub shape: Shape,
    /// Types of the operands, deepest in the stack first, without the address of a memory access.
    pub operands: &'static [ValType],
    /// Type of the result, if the operator has one.
    pub result: Option<ValType>,
    /// Number of lanes among which a lane immediate selects; 0 if the operator has none.
    pub lanes: u8,
    /// The memory access, if the operator makes one.
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

/// The size of a memory access, and the extension of a narrow integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Number of bytes.
    pub bytes: u8,
    /// True if a load extends the integer by its sign, false if by zeros.
    pub signed: bool,
}

/// Passes the shapes to a macro: for each the name of its trait and of its [`Visitor`](super::Visitor) method.
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
            AtomicLoad atomic_load
            AtomicStore atomic_store
            AtomicRmw atomic_rmw
            AtomicCmpxchg atomic_cmpxchg
        }
    };
}
pub(super) use for_each_shape;

macro_rules! shape {
    ($($shape:ident $method:ident)*) => {
        /// The shapes of rows, named like their traits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Shape {
            $(#[doc = concat!("Operators of shape [`", stringify!($shape), "`](trait@super::", stringify!($shape), ").")] $shape,)*
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
            /// All operators, in the order of the table.
            pub const ALL: &[Op] = &[$($($(Op::$op,)*)*)*];
        }
    };
}
crate::for_each_op!(op);
