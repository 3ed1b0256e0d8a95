//! The [hooks](crate::execute::hooks) of every [`ModuleCode`], and with them its constructors. This file uses every file that
//! handlers call through the hooks, and none of those uses this file.

use std::sync::Arc;

use wasmr_module::Module;

use crate::catch::catch_clause;
use crate::code::{CodeOptions, ModuleCode, first_call};
use crate::execute::hooks::Hooks;
use crate::machine_code::instruction_at;
use crate::profile::{event, tier_transition};

static HOOKS: Hooks =
    Hooks { budget_interrupt: event, tier_transition, first_call, catch_clause, instruction_of_code: instruction_at };

impl ModuleCode {
    /// Creates the code of a module, with no function translated and default options.
    pub fn new(module: Arc<Module>) -> Arc<ModuleCode> {
        ModuleCode::with_options(module, CodeOptions::default())
    }

    /// Creates the code of a module, with no function translated.
    pub fn with_options(module: Arc<Module>, options: CodeOptions) -> Arc<ModuleCode> {
        ModuleCode::with_hooks(module, options, &HOOKS)
    }
}
