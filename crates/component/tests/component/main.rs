//! Tests of the component crate through its public interface.
mod common;
mod compose;
mod flatten;
mod hostile;
mod outlines;
mod wit;
