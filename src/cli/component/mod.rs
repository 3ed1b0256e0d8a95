//! Components on the command line.
//!
//! - [`names`]: the functions that a component exports, and the one that `--invoke` names.
//! - [`call`]: arguments of the command line, and the result as text.
//! - `wave`: component values as text.

pub(super) mod call;
pub(super) mod names;
mod wave;
