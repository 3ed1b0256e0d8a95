//! The process that stores entries after a run: the run ends without it, and it holds nothing of the run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::default_signals;
use crate::support::{Bed, End, processes_of, wait_until};

/// Returns a program that executes many functions which are not worth compiling in one run, and prints its result.
fn long_to_learn() -> Vec<u8> {
    let body = "(i32.add (i32.popcnt (local.get 0))) (i32.rotl (local.get 0))\n".repeat(400);
    let functions: String =
        (0..200).map(|number| format!("(func $f{number} (param i32) (result i32) (i32.const 1) {body})\n")).collect();
    let calls: String = (0..200).map(|number| format!("(drop (call $f{number} (i32.const 1)))\n")).collect();
    let text = format!(
        "(module {functions} (func (export \"run\") (result i32) (local $i i32)
            (loop $again {calls} (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 200)))) (i32.const 42)))"
    );
    wat::parse_str(text).unwrap()
}

/// Returns true if the process has become a compiler. From then on it holds nothing of the run.
fn is_learning(pid: Pid) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.windows(12).any(|window| window == b"--into-cache")
}

/// Waits for the process that learns, and stops it.
fn stop_learning(bed: &Bed) -> Pid {
    let mut found = None;
    wait_until("a process learns after the run", || {
        found = processes_of(&bed.cache()).into_iter().find(|pid| is_learning(*pid));
        found.is_some_and(|pid| kill_process(pid, Signal::STOP).is_ok() && !is_loading(pid))
    });
    found.unwrap()
}

/// Returns true if the system's loader has a library of a stopped program open. Lets the process go on then.
fn is_loading(pid: Pid) -> bool {
    let is_library = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    let is_loading = open_files(pid).iter().any(is_library);
    if is_loading {
        kill_process(pid, Signal::CONT).unwrap();
    }
    is_loading
}

/// Returns the files that a process has open.
fn open_files(pid: Pid) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    open.map(|entry| fs::read_link(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn what_learns_holds_nothing_of_the_run() {
    check_learning();
}

#[test]
fn what_learns_holds_nothing_of_the_run_on_an_old_kernel() {
    on_a_host_that_refuses(libc::SYS_close_range, None, libc::ENOSYS, check_learning);
}

#[test]
fn a_host_without_another_process() {
    let bed = Bed::new();
    let guest = bed.guest();
    // Of the ways to make a process or thread, only `fork` asks for the child's number in the child's memory.
    let is_fork = Some(libc::CLONE_CHILD_SETTID as u64);
    on_a_host_that_refuses(libc::SYS_clone, is_fork, libc::EAGAIN, || {
        for mode in ["jit", "tiered", "interp"] {
            guest.check(|| bed.run(&["--mode", mode]), mode);
        }
    });
    assert!(bed.entries().is_empty(), "nobody could store any");
}

/// Calls a function on a thread whose processes have a system call refused, if its first argument has these bits.
fn on_a_host_that_refuses(call: i64, bits: Option<u64>, errno: i32, function: impl FnOnce() + Send) {
    let bits = bits.map(|bits| {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), bits).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    });
    let rules = BTreeMap::from([(call, bits.into_iter().collect())]);
    let (arch, refused) = (std::env::consts::ARCH.try_into().unwrap(), SeccompAction::Errno(errno as u32));
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            seccompiler::apply_filter(&program).unwrap();
            function();
        });
    });
}

fn check_learning() {
    let bed = Bed::new();
    let module = bed.path().join("long.wasm");
    fs::write(&module, long_to_learn()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = bed.run(&["--listen", &port.to_string(), "--invoke", "run"]);
    let mut child =
        command.arg(&module).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = Pid::from_child(&child);
    let learning = stop_learning(&bed);
    // It is stopped and does not end, but the pipes and the socket do.
    let mut texts = [String::new(), String::new()];
    child.stdout.take().unwrap().read_to_string(&mut texts[0]).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut texts[1]).unwrap();
    assert_eq!((&*texts[0], &*texts[1]), ("42\n", ""));
    assert!(child.wait().unwrap().success());
    TcpListener::bind(port).unwrap();
    let open = open_files(learning);
    let allowed = [Path::new("/dev/null"), &module];
    let is_own = |path: &Path| path.starts_with(bed.cache()) || path.starts_with("/memfd:wasmr code (deleted)");
    assert!(open.iter().all(|path| allowed.contains(&&**path) || is_own(path)), "{open:?}");
    assert_ne!(status(learning).unwrap().session, status(rustix::process::getpid()).unwrap().session);
    assert_ne!(learning, run);
    kill_process(learning, Signal::CONT).unwrap();
    bed.settle();
    wait_until("nothing is left, not even a zombie of this process", || {
        test_kill_process(learning).is_err() || is_of_others(learning)
    });
}

/// Returns true if the process is no child of this one, so that it is for others to collect it.
fn is_of_others(pid: Pid) -> bool {
    status(pid).is_none_or(|status| status.parent != std::process::id())
}

/// A part of what `proc(5)` says of a process.
struct Status {
    parent: u32,
    /// Session. 0 if its leader is outside of this process's PID namespace, as in a container.
    session: u32,
}

/// Returns `None` if there is no such process.
fn status(pid: Pid) -> Option<Status> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which stands in parentheses: state, parent, process group, session.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    Some(Status { parent: fields[1].parse().unwrap(), session: fields[3].parse().unwrap() })
}

#[test]
fn a_pipe_is_read_once() {
    let bed = Bed::new();
    let pipe = bed.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, long_to_learn()).unwrap())
    };
    let end = End::of(bed.run(&["--invoke", "run"]).arg(&pipe).output().unwrap());
    writer.join().unwrap();
    assert_eq!((end.code, &*end.stdout), (Some(0), "42\n"), "{end:#?}");
    // A process that opened the pipe again would wait for a writer.
    bed.settle();
}

#[test]
fn modules_of_odd_names_do_no_harm() {
    let bed = Bed::new();
    for name in ["--help", "-o", "a b.wasm", "\u{1b}[31m.wasm", "'$(touch hacked)'.wasm"] {
        fs::write(bed.path().join(name), long_to_learn()).unwrap();
        let mut command = bed.run(&["--invoke", "run", "--"]);
        let end = End::of(command.arg(name).current_dir(bed.path()).output().unwrap());
        assert_eq!((end.code, &*end.stdout, &*end.stderr), (Some(0), "42\n", ""), "{name}");
        bed.settle();
        fs::remove_file(bed.path().join(name)).unwrap();
    }
    let mut left: Vec<_> = fs::read_dir(bed.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["cache"]);
}

#[test]
fn a_run_that_is_killed_leaves_no_process() {
    let bed = Bed::new();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/loop.wasm");
    for (signal, number) in [(Signal::INT, libc::SIGINT), (Signal::TERM, libc::SIGTERM), (Signal::KILL, libc::SIGKILL)]
    {
        let mut command = bed.run(&["--mode", "jit"]);
        default_signals::restore(&mut command);
        let mut child = command.arg(&guest).arg("spin").stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut status = None;
        wait_until("the signal ends the run", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.and_then(|status| status.signal()), Some(number));
        assert!(processes_of(&bed.cache()).is_empty(), "{signal:?}");
    }
}
