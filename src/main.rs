//! The `wasmr` command. The module [`cli`] turns words into an exit code.

mod cli;

fn main() {
    cli::signals::install();
    cli::panics::install();
    let words = std::env::args_os().skip(1).collect();
    let status = cli::run(words, &mut std::io::stdout(), &mut std::io::stderr());
    // The process ends without freeing the guest's memory.
    std::process::exit(status.into());
}
