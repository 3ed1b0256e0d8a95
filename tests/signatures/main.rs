//! Signatures: arguments and results of every type and number arrive unchanged. Callers and callees are in the host, in the
//! interpreter and in machine code. Calls are direct, through a table, through a reference, tail calls, into another instance,
//! and through the host and back.
//!
//! For each random [`signature`] there is a [`plan`]: a module with leaves and forwarders. A *leaf* notes its arguments in
//! globals, and returns values that the host put into other globals. A *forwarder* calls a leaf, a host function or another
//! forwarder with its own parameters, in another order. A [`trial`] calls each forwarder with random bits. It compares the
//! arguments at the leaf, the results, and the forwarder's own parameters after the call. Every signature has its own seed,
//! which a failure names.
#![cfg(feature = "jit")]

#[path = "../configurations/mod.rs"]
mod configurations;
mod plan;
mod random;
mod signature;
mod trial;

use wasmr::Engine;

use configurations::{Configuration, MAX_COMPILED_SIZE, configurations};
use plan::Plan;
use random::Random;
use signature::{Signature, TYPES};
use trial::{Trial, shown};

const FIRST_SEED: u64 = 0x5eed_0000_0000_0000;
/// Number of random signatures.
const SIGNATURES: u64 = 300;

/// Carries out plans in all configurations in which the first call already executes the final tier.
fn check(max_compiled_size: usize, plans: impl Iterator<Item = Plan>) {
    let configurations = configurations(max_compiled_size).into_iter().enumerate();
    let configurations: Vec<Configuration> = configurations
        .filter(|(number, configuration)| *number == 0 || configuration.compiles_at_once)
        .map(|(_, configuration)| configuration)
        .collect();
    let engines: Vec<Engine> = configurations.iter().map(Configuration::engine).collect();
    let mut count = 0;
    for plan in plans {
        let modules = [plan.module(), plan.other_module()]
            .map(|text| wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}: {}", shown(&text))));
        for (configuration, engine) in configurations.iter().zip(&engines) {
            Trial::new(engine, &plan, &modules).run(&configuration.name);
        }
        count += 1;
    }
    for (configuration, engine) in configurations.iter().zip(&engines) {
        let report = engine.report();
        assert_eq!(report.functions >= 2 * count, configuration.compiles_at_once, "{}: {report}", configuration.name);
        assert!(report.refused == 0 || max_compiled_size < usize::MAX, "{}: {report}", configuration.name);
    }
}

#[test]
fn random_signatures_keep_their_values() {
    check(MAX_COMPILED_SIZE, (0..SIGNATURES).map(|number| Plan::new(FIRST_SEED + number, None)));
}

#[test]
fn every_number_of_values_of_one_type_is_kept() {
    let counts = [0, 1, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17];
    let signatures = TYPES
        .iter()
        .flat_map(|(ty, _)| counts.map(|count| Signature { params: vec![*ty; count], results: vec![*ty; 17 - count] }));
    check(
        MAX_COMPILED_SIZE,
        signatures.zip(FIRST_SEED + SIGNATURES..).map(|(signature, seed)| Plan::new(seed, Some(signature))),
    );
}

#[test]
fn signatures_wider_than_any_frame_keep_their_values() {
    let plan = |(seed, (params, results)): (u64, (usize, usize))| {
        let mut random = Random(seed);
        let mut list = |count: usize| (0..count).map(|_| random.of(&TYPES).0).collect();
        let signature = Signature { params: list(params), results: list(results) };
        Plan::new(seed, Some(signature))
    };
    // Wide signatures make bodies larger than their padding does. With the first limit all are compiled, with the others some.
    for most in [usize::MAX, 10_000, 4_000] {
        let plans = (FIRST_SEED + SIGNATURES + 100..).zip([(400, 3), (2, 300), (150, 150), (1000, 1000)]);
        check(most, plans.map(plan));
    }
}
