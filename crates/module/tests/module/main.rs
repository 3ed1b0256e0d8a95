//! Tests of the module crate through its public interface.
mod common;
mod declarations;
mod errors;
mod hostile;
mod names;
mod operator_class;
mod operators;
mod outline;
mod required_features;
