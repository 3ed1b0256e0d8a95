//! Calls that need no system call: their results are the same if the kernel refuses every system call.
//!
//! A thread filters only its own system calls, so that other tests are not affected.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use wasmr_runtime::InterruptHandle;
use wasmr_wasi::{Errno, Exit, OutputBuffer, Stdin, Stdout, WasiCtx};

use crate::polling::{MONOTONIC, READ_EVENT, REALTIME, WRITE_EVENT, clock, failed, ok, on_fd, poll, put};
use crate::support::{DATA, Guest, OUT, ROOT, host_dir};

/// System calls that a thread needs for memory, for a panic's message, for its end, and for the time if the vDSO is not
/// available.
const NEEDED: [i64; 14] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_exit,
    libc::SYS_futex,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
];

/// Makes the kernel refuse all other system calls of this thread.
fn refuse_system_calls() {
    let arch: TargetArch = std::env::consts::ARCH.try_into().expect("an architecture with filters");
    let needed: BTreeMap<i64, Vec<_>> = NEEDED.map(|call| (call, vec![])).into();
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(needed, refused, SeccompAction::Allow, arch);
    let program: BpfProgram = filter.expect("filter").try_into().expect("program");
    apply_filter(&program).expect("install the filter");
    assert!(rustix::fs::fstat(rustix::stdio::stdin()).is_err_and(|error| error == rustix::io::Errno::PERM));
}

/// Runs `body` on a guest, in a thread that may make no system call after `before`.
fn without_system_calls(before: impl FnOnce(&mut Guest) + Send, body: impl FnOnce(&mut Guest) + Send) {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut builder = WasiCtx::builder();
            builder.arg("prog").env("A", "1").dir(host_dir(dir.path()), "/data", false);
            builder.stdin(Stdin::Bytes(b"four".to_vec())).stdout(Stdout::Buffer(OutputBuffer::new(100)));
            builder.stderr(Stdout::Discard);
            let mut guest = Guest::new(builder.build().unwrap());
            before(&mut guest);
            refuse_system_calls();
            body(&mut guest);
            // Closing the guest's descriptors takes system calls.
            guest
        });
        drop(thread.join().unwrap());
    });
}

/// Returns the resolutions of the clocks.
fn resolutions(guest: &mut Guest) -> [u64; 4] {
    [0, 1, 2, 3].map(|id| {
        guest.call("clock_res_get", &[id, OUT.into()]).unwrap();
        guest.u64(OUT)
    })
}

#[test]
fn a_clock_is_asked_for_its_resolution_once() {
    let mut asked = [0; 4];
    let mut other = Guest::new(WasiCtx::builder().build().unwrap());
    let expected = resolutions(&mut other);
    without_system_calls(
        |guest| asked = resolutions(guest),
        |guest| {
            assert_eq!(resolutions(guest), expected);
            assert_eq!(guest.call("clock_res_get", &[4, OUT.into()]), Err(Errno::Inval));
            guest.fault("clock_res_get", &[1, u64::from(u32::MAX)]);
        },
    );
    assert_eq!(asked, expected);
}

#[test]
fn a_poll_without_a_wait_makes_no_system_call() {
    let handle = InterruptHandle::new();
    for with_handle in [false, true] {
        without_system_calls(
            |guest| guest.ctx.set_interrupt_handle(with_handle.then(|| handle.clone())),
            |guest| {
                for due in [
                    clock(1, MONOTONIC, 0, 0),
                    clock(1, MONOTONIC, 1, 1),
                    clock(1, REALTIME, 0, 0),
                    clock(1, REALTIME, 1, 1),
                ] {
                    assert_eq!(poll(guest, &[due]), Ok(vec![ok(1, 0, 0)]));
                    // Beside other clocks that are not due, none of which is waited for.
                    let later = [clock(2, MONOTONIC, u64::MAX, 0), due, clock(3, REALTIME, u64::MAX, 1)];
                    assert_eq!(poll(guest, &later), Ok(vec![ok(1, 0, 0)]));
                }
                // Subscriptions that are events at once, with and without a clock that is due.
                let never = clock(4, MONOTONIC, u64::MAX, 0);
                assert_eq!(poll(guest, &[clock(5, 2, 0, 0), never]), Ok(vec![failed(5, 0, Errno::Notsup)]));
                let bad = failed(6, READ_EVENT, Errno::Badf);
                assert_eq!(poll(guest, &[on_fd(6, READ_EVENT, 99), never]), Ok(vec![bad]));
                let both = [on_fd(6, READ_EVENT, 99), clock(7, MONOTONIC, 0, 0)];
                assert_eq!(poll(guest, &both), Ok(vec![bad, ok(7, 0, 0)]));
                let ready = [on_fd(8, READ_EVENT, 0), on_fd(9, WRITE_EVENT, 1), on_fd(10, READ_EVENT, ROOT), never];
                let expected = vec![ok(8, READ_EVENT, 4), ok(9, WRITE_EVENT, 1), ok(10, READ_EVENT, 1)];
                assert_eq!(poll(guest, &ready), Ok(expected));
                assert_eq!(poll(guest, &[clock(1, 4, 0, 0)]), Err(Errno::Inval));
                // A real wait makes a system call, which the kernel refuses here.
                assert_eq!(poll(guest, &[never]), Err(Errno::Perm));
            },
        );
    }
}

#[test]
fn a_guest_that_polls_without_waiting_is_interrupted() {
    let handle = InterruptHandle::new();
    let mut guest = Guest::new(WasiCtx::builder().build().unwrap());
    guest.ctx.set_interrupt_handle(Some(handle.clone()));
    for due in [clock(1, MONOTONIC, 0, 0), clock(1, REALTIME, 1, 1), clock(1, 2, 0, 0), on_fd(1, READ_EVENT, 99)] {
        let slots = put(&mut guest, &[due]);
        assert_eq!(guest.try_call("poll_oneoff", &slots), Ok(0));
        handle.interrupt();
        assert_eq!(guest.try_call("poll_oneoff", &slots), Err(Exit::Interrupted));
        handle.clear();
    }
}

#[test]
fn calls_that_the_context_can_answer_make_no_system_call() {
    without_system_calls(
        |guest| guest.call("random_get", &[DATA.into(), 16]).unwrap(),
        |guest| {
            for (sizes, get) in [("args_sizes_get", "args_get"), ("environ_sizes_get", "environ_get")] {
                guest.call(sizes, &[OUT.into(), (OUT + 4).into()]).unwrap();
                assert_eq!(guest.u32(OUT), 1);
                guest.call(get, &[OUT.into(), DATA.into()]).unwrap();
            }
            for fd in 0..=ROOT {
                let before = guest.fdstat(fd).unwrap();
                guest.set_flags(fd, before.flags.into()).unwrap();
                let rights = [fd.into(), before.base, before.inheriting];
                guest.call("fd_fdstat_set_rights", &rights).unwrap();
                assert_eq!(guest.fdstat(fd), Ok(before));
            }
            for fd in 0..ROOT {
                guest.call("fd_filestat_get", &[fd.into(), DATA.into()]).unwrap();
            }
            guest.call("fd_prestat_get", &[ROOT.into(), OUT.into()]).unwrap();
            assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 5));
            guest.call("fd_prestat_dir_name", &[ROOT.into(), DATA.into(), 5]).unwrap();
            assert_eq!(guest.bytes(DATA, 5), *b"/data");
            assert_eq!(guest.read(0, 2), Ok(b"fo".to_vec()));
            assert_eq!(guest.write(1, b"out"), Ok(3));
            assert_eq!(guest.write(2, b"lost"), Ok(4));
            guest.call("random_get", &[DATA.into(), 16]).unwrap();
            guest.call("fd_renumber", &[2, 1]).unwrap();
            assert_eq!(guest.call("proc_raise", &[1]), Err(Errno::Notsup));
        },
    );
}
