//! Hosts that refuse the resources of wasmr's fast paths: executable memory, address space for a guard-paged memory, threads.
//! Every mode runs programs there too, with the same results and traps.
//!
//! The tests imitate such hosts by the shell's limits, and by seccomp filters. A thread of the test installs the filters and
//! then starts the binary, which inherits them.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::process::{Command, Output};

use memmap2::MmapMut;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

const WASMR: &str = env!("CARGO_BIN_EXE_wasmr");

/// Options of each configuration. In all that compile but the third, a function is compiled before its first execution.
const CONFIGURATIONS: [&[&str]; 4] =
    [&["--mode", "interp"], &["--mode", "jit"], &["--mode", "tiered"], &["--mode", "tiered", "-O", "tier-up-after=0"]];

/// A system call to refuse if its arguments have all these bits.
struct Refused {
    call: i64,
    bits: &'static [(u8, u64)],
    errno: u32,
}

/// Refuses executable mappings that are shared, as code memory is, or anonymous. The loader's mappings of libraries are
/// neither.
const NO_CODE_MAPPINGS: &[Refused] = &[
    Refused { call: libc::SYS_mmap, bits: &[(2, EXEC), (3, libc::MAP_SHARED as u64)], errno: libc::EPERM as u32 },
    Refused { call: libc::SYS_mmap, bits: &[(2, EXEC), (3, libc::MAP_ANONYMOUS as u64)], errno: libc::EPERM as u32 },
    Refused { call: libc::SYS_mprotect, bits: &[(2, EXEC)], errno: libc::EACCES as u32 },
    Refused { call: libc::SYS_pkey_mprotect, bits: &[(2, EXEC)], errno: libc::EACCES as u32 },
];
/// Refuses files that exist only in memory.
const NO_MEMORY_FILES: &[Refused] = &[Refused { call: libc::SYS_memfd_create, bits: &[], errno: libc::ENOSYS as u32 }];
/// Refuses threads, whichever call starts them. Calls that start a process do not have this flag.
const NO_THREADS: &[Refused] = &[
    Refused { call: libc::SYS_clone, bits: &[(0, libc::CLONE_THREAD as u64)], errno: libc::EAGAIN as u32 },
    Refused { call: libc::SYS_clone3, bits: &[], errno: libc::ENOSYS as u32 },
];
const EXEC: u64 = libc::PROT_EXEC as u64;

/// Makes the kernel refuse these system calls of this thread and of the processes that it starts.
fn refuse(all: &[Refused]) {
    let arch: TargetArch = std::env::consts::ARCH.try_into().unwrap();
    // A filter returns the same error number for all its calls.
    let mut by_errno: BTreeMap<u32, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
    for Refused { call, bits, errno } in all {
        let rules = by_errno.entry(*errno).or_default().entry(*call).or_default();
        let condition = |&(argument, bits): &(u8, u64)| {
            let masked = SeccompCmpOp::MaskedEq(bits);
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, masked, bits).unwrap()
        };
        let conditions: Vec<_> = bits.iter().map(condition).collect();
        rules.extend((!conditions.is_empty()).then(|| SeccompRule::new(conditions).unwrap()));
    }
    for (errno, rules) in by_errno {
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        apply_filter(&program).unwrap();
    }
}

fn guest(name: &str) -> String {
    format!("{}/tests/guests/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Exit code and printed text of a run, without figures of speed and the depth of a recursion.
type Outcome = (Option<i32>, String, String);

fn outcome(output: Output) -> Outcome {
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .filter(|line| !line.contains("iterations/s") && !line.ends_with(" more"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Guests to run: file, arguments, expected exit code.
const PROGRAMS: [(&str, &[&str], i32); 8] = [
    ("hello.wasm", &[], 0),
    ("coremark.wasm", &["2"], 0),
    ("throw.wasm", &[], 0),
    ("mandel.wasm", &[], 0),
    ("simd.wasm", &[], 0),
    ("deep.wasm", &["10000"], 0),
    ("trap.wasm", &["load"], 134),
    ("trap.wasm", &["stack"], 134),
];

/// Runs all programs in all configurations, started by `command` and under the filters `refused`. Checks that they end and
/// print as with the interpreter on the unrestricted host.
fn check(command: &(dyn Fn() -> Command + Sync), refused: &[&[Refused]]) {
    let usual: Vec<Outcome> = PROGRAMS
        .iter()
        .map(|(name, words, code)| {
            let run = plain().args(["run", "--mode", "interp"]).arg(guest(name)).args(*words).output();
            let usual = outcome(run.unwrap());
            assert_eq!(usual.0, Some(*code), "{name}: {usual:?}");
            usual
        })
        .collect();
    // A filter holds until its thread ends, so a thread of its own installs it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            refused.iter().for_each(|all| refuse(all));
            for configuration in CONFIGURATIONS {
                for ((name, words, _), usual) in PROGRAMS.iter().zip(&usual) {
                    let output =
                        command().arg("run").args(configuration).arg(guest(name)).args(*words).output().unwrap();
                    assert_eq!(outcome(output), *usual, "{name} {words:?}, {configuration:?}");
                }
            }
        });
    });
}

/// Returns a command that runs a program without a cache.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("WASMR_CACHE_DIR", "/dev/null");
    command
}

fn plain() -> Command {
    command(WASMR)
}

/// Returns commands that start the binary with `kib` KiB of address space.
fn within(kib: u64) -> impl Fn() -> Command {
    move || {
        let mut command = command("sh");
        command.args(["-c", &format!("ulimit -v {kib} && exec \"$@\""), "sh", WASMR]);
        command
    }
}

#[test]
fn filters_refuse_what_they_name() {
    let make = || MmapMut::map_anon(1).unwrap().make_exec();
    assert!(make().is_ok());
    let refused = std::thread::spawn(move || {
        refuse(NO_CODE_MAPPINGS);
        refuse(NO_THREADS);
        (make().is_err(), std::thread::Builder::new().spawn(|| ()).is_err())
    });
    assert_eq!(refused.join().unwrap(), (true, true));
}

#[test]
fn without_executable_memory() {
    check(&plain, &[NO_CODE_MAPPINGS]);
}

#[test]
fn without_files_in_memory() {
    check(&plain, &[NO_MEMORY_FILES]);
}

#[test]
fn without_threads() {
    check(&plain, &[NO_THREADS]);
}

#[test]
fn with_little_address_space() {
    // From the address space of a 215 MB container to a little less than the 10 GiB that a guard-paged memory reserves.
    for kib in [215_000, 1_500_000, 9_500_000] {
        check(&within(kib), &[]);
    }
}

#[test]
fn with_little_address_space_and_no_code_or_threads() {
    check(&within(150_000), &[NO_CODE_MAPPINGS, NO_THREADS]);
}

#[test]
fn with_too_little_address_space_to_run_there_is_an_error() {
    let program = "(module (memory 1) (func (export \"run\") (result i32) (local $i i32)
        (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))
        (local.get $i)))";
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("little_address_space.wat");
    std::fs::write(&file, program).unwrap();
    for configuration in [CONFIGURATIONS[1], CONFIGURATIONS[3]] {
        // Begins at about the least address space in which the binary can be loaded.
        for kib in (26_000..100_000).step_by(5_000) {
            let run =
                within(kib)().arg("run").args(configuration).args(["--invoke", "run"]).arg(&file).output().unwrap();
            let (code, stdout, stderr) = outcome(run);
            match code {
                Some(0) => assert_eq!(stdout, "100000", "{configuration:?}, {kib}"),
                // wasmr reports the error, or the loader (code 127).
                Some(1 | 127) => assert!(stdout.is_empty() && !stderr.is_empty(), "{configuration:?}, {kib}: {stderr}"),
                // In builds with a larger binary, the system may kill the process before its first instruction.
                other => assert!(kib < 40_000, "{configuration:?}, {kib}: {other:?} {stdout} {stderr}"),
            }
        }
    }
}
