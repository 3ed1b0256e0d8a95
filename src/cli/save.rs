//! Stores in the cache what a run learnt, and continues to learn when the run is over.
//!
//! In: the modules of the run, or the core modules of its component, at its end. Out: entries in the cache. A forked process writes them, so that the run ends at once. It
//! then becomes `wasmr compile --into-cache`, which compiles the functions that the run executed but that were not worth compiling
//! for one run. This takes at most three times the processor time of the run, within the range of [`LEARNING_TIME`], and only time that
//! no other process wants. Unsafe: forks.
//!
//! # Limits of the forked process
//! The forked process makes the entries from its copy of this process's memory. Only the thread that forked exists in it. A lock that
//! a compiler thread held at that moment is never released there, so an alarm ends the process if it waits for one. For this reason
//! it stores entries and compiles nothing itself. The memory of guests is left out of the copy, because copying its page tables could
//! take milliseconds.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use wasmr::Module;
use wasmr::cache::Cache;

use super::usage::Usage;

/// Seconds after which the forked process gives up storing.
const STORING_LIMIT: u32 = 10;

/// Seconds after which the program that it executes gives up compiling.
const LEARNING_LIMIT: u32 = 600;

/// Least and most processor time for compiling after a run.
const LEARNING_TIME: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Stores what was learnt of these modules, if that is enough for any of them. Returns at once. `learn` has the options of the command
/// that continues to learn of `program`; `None` if nothing is to be compiled.
pub fn store(cache: &Cache, modules: &[Module], learn: Option<Vec<OsString>>, program: &Path) {
    if !modules.iter().any(Module::has_news) {
        return;
    }
    let used = Usage::now().map_or(Duration::ZERO, |usage| usage.cpu);
    wasmr_runtime::sys::leave_memories_out_of_forks();
    // SAFETY: the child calls nothing that needs the other threads, but for memory allocation, which the C library keeps usable in
    // the child, and locks of the engine, for which the alarm is.
    if unsafe { libc::fork() } == 0 {
        let files = modules.iter().filter_map(Module::file).map(AsRawFd::as_raw_fd);
        leave_run(files.chain([cache.as_fd().as_raw_fd()]).collect());
        let mut is_stored = false;
        for module in modules {
            // Best effort: without an entry the next run learns again.
            is_stored |= module.store_in_cache().unwrap_or(false);
        }
        if let Some(words) = learn.filter(|_| is_stored) {
            let limit = (3 * used).clamp(LEARNING_TIME.0, LEARNING_TIME.1).as_millis();
            // The process may never get a processor.
            end_after(LEARNING_LIMIT);
            be_idle();
            // Returns only if the program cannot be started.
            let limit = format!("--limit={limit}ms");
            let _ = Command::new("/proc/self/exe").args(words).arg(limit).arg("--").arg(program).exec();
        }
        // SAFETY: `_exit` ends the process without running handlers, which belong to the parent.
        unsafe { libc::_exit(0) };
    }
}

/// Detaches the forked process from the run: from its terminal, and from its pipes and sockets, which must not stay open after it.
/// `kept` are the descriptors that stay open.
fn leave_run(mut kept: Vec<RawFd>) {
    kept.sort_unstable();
    // SAFETY: the calls change only this process. Nothing of what follows uses the descriptors that are closed. The standard streams
    // become the null device, so that no file takes their numbers.
    unsafe {
        end_after(STORING_LIMIT);
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for stream in 0..=2 {
            if null < 0 || libc::dup2(null, stream) < 0 {
                libc::_exit(0);
            }
        }
        let mut first = 3;
        for fd in kept.into_iter().filter_map(|fd| u32::try_from(fd).ok()) {
            if fd > first {
                close(first..=fd - 1);
            }
            first = first.max(fd + 1);
        }
        close(first..=u32::MAX);
    }
}

/// Closes all open descriptors with these numbers. Ends the process if that is impossible.
///
/// # Safety
/// Nothing uses the descriptors any more.
unsafe fn close(numbers: RangeInclusive<u32>) {
    #[cfg(target_os = "linux")]
    // SAFETY: the caller promises that nobody uses the descriptors.
    if unsafe { libc::close_range(*numbers.start(), *numbers.end(), 0) } == 0 {
        return;
    }
    // Linux before 5.9 and other systems have no such call, and some sandboxes refuse it.
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let Ok(open) = std::fs::read_dir(folder) else {
        // SAFETY: as in `store`.
        unsafe { libc::_exit(0) }
    };
    let open: Vec<u32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in open.into_iter().filter(|number| numbers.contains(number)) {
        // SAFETY: as above. The descriptor of the listing itself is closed already, and the call then fails.
        unsafe { libc::close(number as RawFd) };
    }
}

/// Lets an alarm end this process after some seconds, also if its parent ignored or blocked the signal.
fn end_after(seconds: u32) {
    // SAFETY: the calls change only how this process, which has one thread, takes this signal. `sigemptyset` makes a set of the bytes.
    unsafe {
        let mut alarm = std::mem::zeroed();
        libc::sigemptyset(&mut alarm);
        libc::sigaddset(&mut alarm, libc::SIGALRM);
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, &alarm, std::ptr::null_mut());
        libc::alarm(seconds);
    }
}

/// Lets all other processes go first.
fn be_idle() {
    // SAFETY: the calls change only the scheduling of this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        #[cfg(target_os = "linux")]
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &libc::sched_param { sched_priority: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_comes_also_if_the_parent_ignored_it() {
        // SAFETY: the child calls only functions that a signal handler may call, and ends without running handlers.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::signal(libc::SIGALRM, libc::SIG_IGN);
                end_after(1);
                libc::sleep(10);
                libc::_exit(0);
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM, "{status:#x}");
    }
}
