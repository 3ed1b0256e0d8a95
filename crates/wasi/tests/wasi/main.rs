//! WASI from the guest's side: every call by name, with raw arguments, on real directories, pipes and sockets.
//!
//! The whole suite runs twice, with the kernel's `openat2` and in a second process without it: the two ways of resolving a
//! path must not be told apart. Faults in the slow way hide behind the fast one.

mod escapes;
mod files;
mod hostile;
mod listing;
mod paths;
mod polling;
mod process;
mod read_only;
mod rights;
mod sockets;
mod streams;
mod support;
mod unstable;

/// Runs all other tests in a process that cannot use `openat2`.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn the_same_without_openat2() {
    if std::env::var_os(support::NO_OPENAT2).is_none() {
        support::expect_success(support::this_binary().env(support::NO_OPENAT2, "1"));
    }
}
