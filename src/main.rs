//! The `wasmr` command: words in, exit status out. Everything else is in [`cli`].

mod cli;

fn main() {
    cli::signals::install();
    cli::panics::install();
    let words = std::env::args_os().skip(1).collect();
    let status = cli::run(words, &mut std::io::stdout(), &mut std::io::stderr());
    // Ends at once: nobody needs the memory of the guest back.
    std::process::exit(status.into());
}
