//! [`CallPolicy`]: limits of inlining and guarded calls, which the engine sets.

/// Limits of inlining and guarded calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallPolicy {
    /// Most bytes of a body that is inlined at any call site.
    pub inline: usize,
    /// Most bytes of a body that is inlined at a hot call site.
    pub inline_hot: usize,
    /// Most bytes of a recursive function that is inlined into itself.
    pub inline_recursive: usize,
    /// Most inlined bodies inside one another.
    pub inline_depth: usize,
    /// Most copies of a recursive function inside one another.
    pub recursive_depth: usize,
    /// Most bytes of all inlined bodies of a function together.
    pub inlined_bytes: usize,
    /// Most callees in the profile of a call site.
    pub profiled_targets: usize,
    /// Most callees that a guarded call compares with.
    pub compared_targets: usize,
}
