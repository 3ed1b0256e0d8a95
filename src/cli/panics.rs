//! The message of a panic, which is a bug in wasmr: one sentence, without a backtrace of the host.

use super::report;

/// Installs the panic hook. A panic ends the process with Rust's usual exit code for it, 101.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        // A function whose compilation panics stays interpreted, and the run continues.
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
        // The run must not wait for a background thread that panicked.
        std::process::exit(101);
    }));
}
