//! Runs the programs of `examples/`. They check themselves what they print.

#[path = "../../examples/embed_function.rs"]
mod embed_function;
#[path = "../../examples/host_state.rs"]
mod host_state;
#[path = "../../examples/plugin_host.rs"]
mod plugin_host;
#[path = "../../examples/wasi_in_memory.rs"]
mod wasi_in_memory;

#[test]
fn embed_function_runs() {
    embed_function::main().unwrap();
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
