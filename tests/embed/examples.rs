//! Runs the programs of `examples/`, which check their results themselves.

#[cfg(feature = "component")]
#[path = "../../examples/component_plugins.rs"]
mod component_plugins;
#[cfg(feature = "component")]
#[path = "../../examples/component_resources.rs"]
mod component_resources;
#[cfg(feature = "component")]
#[path = "../../examples/component_wasi.rs"]
mod component_wasi;
#[path = "../../examples/embed_function.rs"]
mod embed_function;
#[path = "../../examples/host_errors.rs"]
mod host_errors;
#[path = "../../examples/host_objects.rs"]
mod host_objects;
#[path = "../../examples/host_state.rs"]
mod host_state;
#[path = "../../examples/linking.rs"]
mod linking;
#[path = "../../examples/plugin_host.rs"]
mod plugin_host;
#[path = "../../examples/wasi_directory.rs"]
mod wasi_directory;
#[path = "../../examples/wasi_in_memory.rs"]
mod wasi_in_memory;

#[test]
fn embed_function_runs() {
    embed_function::main().unwrap();
}

#[test]
fn host_objects_runs() {
    host_objects::main().unwrap();
}

#[test]
fn host_state_runs() {
    host_state::main().unwrap();
}

#[test]
fn plugin_host_runs() {
    plugin_host::main().unwrap();
}

#[test]
fn wasi_in_memory_runs() {
    wasi_in_memory::main().unwrap();
}

#[test]
fn host_errors_runs() {
    host_errors::main().unwrap();
}

#[test]
fn linking_runs() {
    linking::main().unwrap();
}

#[test]
fn wasi_directory_runs() {
    wasi_directory::main().unwrap();
}

#[cfg(feature = "component")]
#[test]
fn component_plugins_runs() {
    component_plugins::main().unwrap();
}

#[cfg(feature = "component")]
#[test]
fn component_resources_runs() {
    component_resources::main().unwrap();
}

#[cfg(feature = "component")]
#[test]
fn component_wasi_runs() {
    component_wasi::main().unwrap();
}
