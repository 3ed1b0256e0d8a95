//! Stores in the cache what a run learnt. In: the modules of the run, at its end. Out: entries in the cache, written by a forked
//! process, so that the run ends at once. Unsafe: forks.
//!
//! The forked process makes the entries from its copy of this process's memory. Only the thread that forked exists in it. A lock that
//! a compiler thread held at that moment is never released there, so an alarm ends the process if it waits for one. The memory
//! of guests is left out of the copy; copying its page tables could take milliseconds.

use std::os::fd::{AsFd, AsRawFd};

use wasmr::Module;
use wasmr::cache::Cache;

/// Seconds after which the forked process gives up.
const TIME_LIMIT: u32 = 20;

/// Stores what was learnt of these modules, if that is enough. Returns at once.
pub fn store(cache: &Cache, modules: &[Module]) {
    if !modules.iter().any(Module::has_news) {
        return;
    }
    wasmr_runtime::sys::leave_memories_out_of_forks();
    // SAFETY: the child calls nothing that needs the other threads, but for memory allocation, which the C library keeps usable in
    // the child, and locks of the engine, for which the alarm is.
    if unsafe { libc::fork() } == 0 {
        in_child(cache, modules);
        // SAFETY: `_exit` ends the process without running handlers, which belong to the parent.
        unsafe { libc::_exit(0) };
    }
}

fn in_child(cache: &Cache, modules: &[Module]) {
    let kept = cache.as_fd().as_raw_fd();
    // SAFETY: the calls change only this process. Its descriptors are closed, as pipes and sockets of the run must not stay open
    // after it; nothing of what follows uses them.
    unsafe {
        libc::alarm(TIME_LIMIT);
        if kept > 0 {
            libc::close_range(0, kept as u32 - 1, 0);
        }
        libc::close_range(kept as u32 + 1, u32::MAX, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
    }
    for module in modules {
        // Best effort: without an entry the next run learns again.
        let _ = module.store_in_cache();
    }
}
