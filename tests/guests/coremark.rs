//! EEMBC CoreMark 1.0 (the crate `coremark`), for a fixed number of iterations: `coremark.wasm [ITERATIONS]`.
//! Prints the checksums, which do not depend on the machine, and on standard error the score, which does.

fn main() {
    let iterations = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20);
    let results = coremark::run(&coremark::Config { iterations, ..Default::default() });
    println!("iterations {}", results.iterations);
    println!("seed {:04x} list {:04x} matrix {:04x}", results.seedcrc, results.crclist, results.crcmatrix);
    println!("state {:04x} final {:04x}", results.crcstate, results.crcfinal);
    eprintln!("{:.1} iterations/s", results.iterations_per_sec());
}
