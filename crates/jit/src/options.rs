//! [`CallPolicy`]: what the code of calls is specialised for, as the engine has it.

/// Limits of what the code of calls is specialised for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallPolicy {
    /// Bytes of a body that is always inlined.
    pub inline: usize,
    /// The same for a call that is known to be executed often.
    pub inline_hot: usize,
    /// Bytes of a body that is inlined into itself.
    pub inline_recursive: usize,
    /// Calls inside one another that are inlined.
    pub inline_depth: usize,
    /// Times that a function is inlined into itself.
    pub recursive_depth: usize,
    /// Bytes that all inlined bodies of a function may have together.
    pub inlined_bytes: usize,
    /// Functions that are told apart in the profile of a call that goes to several.
    pub profiled_targets: usize,
    /// Functions with which a call compares its callee before it does all that a call through a table does.
    pub compared_targets: usize,
}
