//! The vector operators, by kind: [`bits`] (the whole vector as 128 bits), [`lane`] (moving lanes about), [`int`] and
//! [`float`] (lane by lane), [`widen`] (lanes of another width), [`convert`] (between integer and float lanes).
//!
//! Everything is a loop of known length over an array of lanes, which LLVM turns into vector instructions.

/// Declares operators that treat all lanes alike: `[lane; count] -> result:` opens a group, then each row gives the
/// result of one lane. In the row an operand's name means the lane.
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
