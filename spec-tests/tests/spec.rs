//! The official suite, one named test per file and tier.
fn main() {}
