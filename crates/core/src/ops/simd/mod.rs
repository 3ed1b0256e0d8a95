//! Vector operators: on 128 bits ([`bits`]), moves of lanes ([`lane`]), lane by lane ([`int`] and [`float`]), with lanes of
//! another width as result ([`widen`]), and between integer and float lanes ([`convert`]).
//!
//! Each is a loop of constant length over an array of lanes, which LLVM compiles to vector instructions.

/// Declares operators that treat all lanes alike. `[lane; count] -> result:` starts a group. Each of its rows computes the
/// result of one lane from the operands' lanes, which have the operands' names.
macro_rules! lanewise {
    ([$lane:ty; $count:literal] -> $result:ty: $($name:ident($($arg:ident),+) $body:block)*) => {
        operators! {$(
            $name($($arg: V128),+) -> V128 {
                $(let $arg = $arg.lanes::<[$lane; $count]>();)+
                V128::from_lanes::<[$result; $count]>(std::array::from_fn(|i| {
                    $(let $arg = $arg[i];)+
                    $body
                }))
            }
        )*}
    };
}

mod bits;
mod convert;
mod float;
mod int;
mod lane;
mod widen;

pub use bits::*;
pub use convert::*;
pub use float::*;
pub use int::*;
pub use lane::*;
pub use widen::*;
