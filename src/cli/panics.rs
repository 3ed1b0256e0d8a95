//! What a user sees if wasmr itself is at fault: one sentence, no stack of the host.

use super::report;

/// Replaces the panic message. The process then ends with the usual status of a panic, 101.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        // What was being compiled stays interpreted; the program knows nothing of it.
        if std::thread::current().name() == Some(wasmr::COMPILE_THREAD) {
            return;
        }
        let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let what = info.payload_as_str().unwrap_or("no message");
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            "error: this is a bug in wasmr {version}: please report it with the module and the command line\n  {what}{place}\n"
        );
        report::print(&mut std::io::stderr(), &text);
        // A background thread that panics must not leave the run waiting for it.
        std::process::exit(101);
    }));
}
