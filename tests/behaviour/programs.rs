//! Programs with known output, from other engines or from the algorithm itself.

use crate::golden::check;
use crate::harness::Run;
use crate::tiers::on_every_tier;

on_every_tier! {
    /// CoreMark's documentation lists these checksums for the 2K performance run.
    fn coremark(tier) {
        Run::on(tier).guest("coremark.wasm").word("200").end().exits(0).prints(include_str!("../programs/coremark.expected"));
    }

    fn exceptions_of_cpp(tier) {
        Run::on(tier).guest("throw.wasm").end().exits(0).prints(include_str!("../programs/cpp_exceptions.expected")).quietly();
    }

    /// The programs that `benches/compare.py` runs, as text and in binary form. wasmtime and Node.js print the same.
    fn programs_with_collected_objects(tier) {
        let programs = [
            ("trees", "10", "135854\n"),
            ("hashmap", "1", "400000\n"),
            ("objects", "100", "5888826616922358426\n"),
            ("strings", "3", "148595622\n"),
            ("splay", "1", "-268192994\n"),
        ];
        for (name, argument, expected) in programs {
            for form in ["wat", "wasm"] {
                let file = format!("{}/benches/programs/gc/{name}.{form}", env!("CARGO_MANIFEST_DIR"));
                Run::on(tier).words(["--invoke", "run", &file, argument]).end().exits(0).prints(expected);
            }
        }
    }

    fn vector_code_agrees_with_scalar_code(tier) {
        let outcome = Run::on(tier).guest("simd.wasm").end().exits(0).quietly();
        assert_eq!(outcome.stdout.matches(" same").count(), 3, "{}", outcome.stdout);
        check(tier, "simd", &["simd.wasm"]);
    }

    fn mandelbrot(tier) {
        check(tier, "mandel", &["mandel.wasm"]);
    }

    fn primes(tier) {
        let expected = "78498 primes up to 1000000, the last is 999983\n";
        Run::on(tier).guest("sieve.wasm").word("1000000").end().exits(0).prints(expected).quietly();
    }
}
