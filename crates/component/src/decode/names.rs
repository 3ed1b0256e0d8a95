//! The names of core modules in the custom section `component-name`, for messages.
//!
//! Reading stops at the first malformed part, because errors in a custom section do not make a component invalid.

use std::collections::HashMap;

use wasmparser::{BinaryReader, ComponentName, ComponentNameSectionReader};
use wasmr_module::CustomSections;

/// Most names that are kept. A component may have as many core modules.
const MAX_NAMES: usize = 1000;

/// Returns the names of core modules by index. `binary` is a component with its header.
pub(crate) fn core_modules(binary: &[u8]) -> HashMap<u32, &str> {
    let mut names = HashMap::new();
    let Some((_, range)) = CustomSections::new(binary).find(|(name, _)| *name == "component-name") else {
        return names;
    };
    for subsection in ComponentNameSectionReader::new(BinaryReader::new(&binary[range], 0)) {
        let Ok(subsection) = subsection else { break };
        let ComponentName::CoreModules(map) = subsection else { continue };
        for naming in map.into_iter().take(MAX_NAMES) {
            let Ok(naming) = naming else { break };
            names.entry(naming.index).or_insert(naming.name);
        }
    }
    names
}
