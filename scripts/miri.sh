#!/usr/bin/env bash
# Runs the pointer-heavy tests that Miri can interpret. Miri finds undefined behaviour that a run on a processor does not show,
# such as a reference that outlives its object, two exclusive references, or memory that is read before it is written.
#
#   scripts/miri.sh           all these tests
#   scripts/miri.sh FILTER    the integration tests of the runtime crate whose names contain FILTER
#
# Needs a nightly toolchain with the components miri and rust-src. Takes minutes, and is therefore not part of `.ci/run`.
#
# The target is AArch64, because its build has no assembly, no fault handler and no machine code, which Miri cannot interpret.
# It needs only pages from the system; crates/runtime/src/sys/miri.rs provides them.
# Slots and code words hold pointers as integers, which requires permissive provenance.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 MIRIFLAGS="${MIRIFLAGS:--Zmiri-permissive-provenance -Zmiri-disable-isolation}"
# A separate folder, because no other build can use these files.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"

test_with() {
    cargo +nightly miri test --locked --target aarch64-unknown-linux-gnu "$@"
}

if [ $# -gt 0 ]; then
    test_with -p wasmr-runtime --test runtime -- "$@"
    exit
fi
# The crates that the runtime depends on follow no raw pointers. The list leaves out tests that need system calls which Miri
# lacks, and tests that allocate thousands of objects or megabytes, which take minutes each.
test_with -p wasmr-runtime --lib -- --skip sys:: --skip interrupt:: --skip a_long_list --skip more_objects_than \
    --skip large_roots --skip freed_cells --skip the_limit_holds --skip objects_of_all_sizes
test_with -p wasmr-runtime --test runtime -- calls:: linking:: instantiation:: memories:: tables:: throws_and_passes an_uncaught_exception \
    --skip a_memory_grows --skip no_byte_of --skip without_address_space
