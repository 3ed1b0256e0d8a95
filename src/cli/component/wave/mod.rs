//! Component values as text, in [WAVE](https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave).
//!
//! [`read`] makes values of what a user types, led by their types; [`write`] makes text of results. Recursion is bounded by the depth
//! of types. `text` is the scanner: blanks, words, and quoted characters.
//!
//! # Why not the crate `wasm-wave`?
//! An error here names the place among the arguments (`argument 2 opts.mode[3]`) as well as in the text, and a list of bytes is
//! written without a value per byte. The crate would also bring a generator of scanners to every build.
//!
//! # Beyond WAVE
//! Integers may be hexadecimal, as for the functions of core modules. A case or flag that has the name of a keyword needs no `%` where
//! the type leaves no doubt.

mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub(super) use read::{arguments, value};
pub(super) use text::Fault;
pub(super) use write::text_of;

/// Words that stand for values of some type. A case of that name is written with `%` before it.
const KEYWORDS: [&str; 8] = ["true", "false", "inf", "nan", "some", "none", "ok", "err"];
