//! WASI from the guest's side: every call by name, with raw arguments, on real directories, pipes and sockets.
//!
//! The suite runs twice: on the kernel as it is, and in a second process on a kernel that behaves as before Linux 5.6, without
//! `openat2`. Both ways of resolving a path must give the same results. Without the second run, `openat2` would hide faults of
//! the fallback.

mod escapes;
mod fifos;
mod files;
mod hostile;
mod listing;
mod namespace;
mod paths;
mod pointers;
mod polling;
mod process;
mod read_only;
mod rights;
mod root;
mod sockets;
mod streams;
mod support;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod system_calls;
mod unstable;

/// Runs all other tests in a process for which the kernel behaves like an old one.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn the_same_on_an_old_kernel() {
    if std::env::var_os(support::OLD_KERNEL).is_none() {
        support::expect_success(support::this_binary().env(support::OLD_KERNEL, "1"));
    }
}
