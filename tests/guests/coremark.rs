//! EEMBC CoreMark 1.0 (the crate `coremark`), with a fixed number of iterations: `coremark.wasm [ITERATIONS]`. Prints the
//! checksums, which do not depend on the machine. Prints the score, which does, on standard error.

fn main() {
    let iterations = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20);
    let results = coremark::run(&coremark::Config { iterations, ..Default::default() });
    println!("iterations {}", results.iterations);
    println!("seed {:04x} list {:04x} matrix {:04x}", results.seedcrc, results.crclist, results.crcmatrix);
    println!("state {:04x} final {:04x}", results.crcstate, results.crcfinal);
    eprintln!("{:.1} iterations/s", results.iterations_per_sec());
}
