#!/usr/bin/env bash
# Runs the pointer-heavy tests that Miri can interpret: it finds undefined behaviour that a run on a processor does not show,
# such as a reference that outlives its object, two exclusive references, or memory that is read before it is written.
#
#   scripts/miri.sh           all of them
#   scripts/miri.sh FILTER    those of the runtime's tests on live objects whose names contain FILTER
#
# Wants a nightly toolchain with the components miri and rust-src. Takes minutes, and so is not part of `.ci/run`.
#
# The target is another processor than the usual host's: that build has no assembly, no handler of faults and no machine code,
# which Miri does not know. What is left of the system, pages, is in crates/runtime/src/sys/miri.rs.
# Slots and words hold pointers as integers, hence permissive provenance.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 MIRIFLAGS="${MIRIFLAGS:--Zmiri-permissive-provenance -Zmiri-disable-isolation}"
# A folder of its own: its cache is of no use to others.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"

test_with() {
    cargo +nightly miri test --locked --target aarch64-unknown-linux-gnu "$@"
}

if [ $# -gt 0 ]; then
    test_with -p wasmr-runtime --test runtime -- "$@"
    exit
fi
# The crates below follow no pointers. Left out are tests that need system calls which Miri lacks, and those that allocate
# thousands of objects or megabytes, which take minutes each.
test_with -p wasmr-runtime --lib -- --skip sys:: --skip interrupt:: --skip ref_heap::
test_with -p wasmr-runtime --test runtime -- calls:: linking:: instantiation:: memories:: tables:: throws_and_passes an_uncaught_exception \
    --skip a_memory_grows --skip no_byte_of --skip without_address_space
