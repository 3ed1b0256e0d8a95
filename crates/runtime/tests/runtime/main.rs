//! Live objects without a real tier: functions' entries are written in Rust here ([`fake`]), so that these tests see
//! exactly what the runtime does on its own. Real execution is tested with the interpreter.

mod calls;
mod exceptions;
mod fake;
mod instantiation;
mod linking;
mod memories;
mod tables;
