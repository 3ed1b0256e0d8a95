//! Selects the dispatch of the interpreter. `wasmr_tail` is set where the optimiser turns a call in tail position into a jump:
//! x86-64, optimised, no debug assertions. Other builds use a driver loop. `wasmr_baseline` is set where functions can
//! have machine code of the baseline compiler as well: builds with `wasmr_tail` for Linux. `WASMR_DISPATCH=loop` forces the driver loop.

fn main() {
    println!("cargo:rerun-if-env-changed=WASMR_DISPATCH");
    println!("cargo:rustc-check-cfg=cfg(wasmr_tail)");
    println!("cargo:rustc-check-cfg=cfg(wasmr_baseline)");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let optimised = var("OPT_LEVEL") != "0";
    let x86_64 = var("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if !optimised {
        // Cargo shows these warnings only to users of the crate as a path or repository dependency.
        println!("cargo:warning=the interpreter is built without optimisation and runs some thirty times slower");
        println!("cargo:warning=paste the four lines that the documentation of wasmr begins with into your Cargo.toml");
    }
    let debug_assertions = std::env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_some();
    if optimised && x86_64 && !debug_assertions && var("WASMR_DISPATCH") != "loop" {
        println!("cargo:rustc-cfg=wasmr_tail");
        if var("CARGO_CFG_TARGET_OS") == "linux" {
            println!("cargo:rustc-cfg=wasmr_baseline");
        }
    }
}
