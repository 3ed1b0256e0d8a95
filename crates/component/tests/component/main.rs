//! Tests of the component crate through its public interface.
mod common;
mod flatten;
