//! Guests with known results, runs of them with a cache of their own, and the processes that runs leave.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The binary under test.
pub(crate) const WASMR: &str = env!("CARGO_BIN_EXE_wasmr");

/// Time after which a test fails that waits for something. It is generous, because tests share slow machines.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// Variable that names the cache. Processes that a run leaves inherit it, and are found by it.
const CACHE_DIR: &str = "WASMR_CACHE_DIR";

/// A library: one function, which the program calls in a loop.
pub(crate) const LIBRARY: &str = r#"(module $library
    (func (export "mix") (param $a i64) (param $b i64) (result i64) (local $i i32)
        (loop $again
            (local.set $a (i64.rotl (i64.xor (local.get $a) (local.get $b)) (i64.const 13)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))
        (local.get $a)))"#;

/// Returns a program whose memory has this type. `run` computes a number in functions that call one another in every way, `fail` does the
/// same and then accesses an address outside.
pub(crate) fn program(index: &str) -> String {
    format!(
        r#"(module $program
    (type $op (func (param i64) (result i64)))
    (import "library" "mix" (func $mix (param i64 i64) (result i64)))
    (memory {index} 1)
    (table funcref (elem $add $rotate $square))
    (func $add (param i64) (result i64) (i64.add (local.get 0) (i64.const 7)))
    (func $rotate (param i64) (result i64) (i64.rotl (local.get 0) (i64.const 9)))
    (func $square (param i64) (result i64) (i64.mul (local.get 0) (local.get 0)))
    (func $step (param $x i64) (param $i i32) (result i64) (local $at {index})
        (local.set $at ({index}.and ({at_of_i}) ({index}.const 0xff8)))
        ({index_store} (local.get $at) (i64.xor (local.get $x) (i64.load (local.get $at))))
        (call $mix (i64.load (local.get $at))
            (call_indirect (type $op) (local.get $x) (i32.rem_u (local.get $i) (i32.const 3)))))
    (func $run (export "run") (param $n i32) (result i64) (local $x i64)
        (loop $again
            (local.set $x (call $step (local.get $x) (local.get $n)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
    (func $descend (param $n i32) (result i64)
        (if (result i64) (local.get $n)
            (then (i64.add (i64.const 1) (call $descend (i32.sub (local.get $n) (i32.const 1)))))
            (else (i64.load ({index}.const 0xfffffff0)))))
    (func (export "fail") (param $n i32) (result i64)
        (i64.add (call $run (local.get $n)) (call $descend (i32.const 5)))))"#,
        at_of_i = if index == "i64" { "i64.extend_i32_u (local.get $i)" } else { "local.get $i" },
        index_store = "i64.store",
    )
}

/// Writes a program with this type of memory addresses, and its library.
pub(crate) fn write_guest(dir: &Path, index: &str) -> Guest {
    let file = |name: String, text: &str| {
        let path = dir.join(name);
        fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    };
    Guest {
        program: file(format!("program-{index}.wasm"), &program(index)),
        library: file("library.wasm".to_owned(), LIBRARY),
    }
}

/// A program and its library.
pub(crate) struct Guest {
    pub(crate) program: PathBuf,
    pub(crate) library: PathBuf,
}

/// Exports that are called, each with its argument.
const CALLS: [[&str; 2]; 2] = [["run", "3000"], ["fail", "40"]];

impl Guest {
    /// Runs both exports with `command`, which is `wasmr run` with options. Checks that they end as without a cache.
    #[track_caller]
    pub(crate) fn check(&self, mut command: impl FnMut() -> Command, context: &str) {
        for (call, expected) in CALLS.iter().zip(self.expected()) {
            let end = self.end(command(), call);
            assert_eq!(end, *expected, "{context}, {}", call[0]);
        }
    }

    /// Returns the ends of all calls without a cache.
    pub(crate) fn expected(&self) -> &'static [End] {
        static ENDS: [OnceLock<Vec<End>>; 2] = [const { OnceLock::new() }; 2];
        let is_64 = self.program.to_str().is_some_and(|path| path.contains("i64"));
        ENDS[usize::from(is_64)].get_or_init(|| {
            let without = || wasmr_run(Path::new("/dev/null"), &["--mode", "interp"]);
            let ends: Vec<End> = CALLS.iter().map(|call| self.end(without(), call)).collect();
            assert_eq!((ends[0].code, ends[1].code), (Some(0), Some(134)), "{ends:#?}");
            assert!(ends[1].stderr.contains("descend"), "{ends:#?}");
            ends
        })
    }

    pub(crate) fn start_words(&self, command: &mut Command, call: &[&str; 2]) {
        let mut preload = std::ffi::OsString::from("library=");
        preload.push(&self.library);
        command.arg("--preload").arg(preload).args(["--invoke", call[0]]).arg(&self.program).arg(call[1]);
    }

    fn end(&self, mut command: Command, call: &[&str; 2]) -> End {
        self.start_words(&mut command, call);
        End::of(command.output().unwrap())
    }
}

/// End of a run: exit code, or signal, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl End {
    pub(crate) fn of(output: Output) -> End {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let Output { status, stdout, stderr } = output;
        End { code: status.code(), signal: status.signal(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// Returns `wasmr run` with options and a cache in a directory.
pub(crate) fn wasmr_run(cache: &Path, options: &[&str]) -> Command {
    wasmr_run_with(Path::new(WASMR), cache, options)
}

/// Does the same as [`wasmr_run`] with another binary.
pub(crate) fn wasmr_run_with(binary: &Path, cache: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.arg("run").args(options).env(CACHE_DIR, cache).env_remove("WASMR_LOG").stdin(Stdio::null());
    command
}

/// Returns `wasmr run` with options, started by a shell after `script`.
pub(crate) fn wasmr_after(script: &str, cache: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script} && exec \"$@\""), "sh", WASMR, "run"]).args(options);
    command.env(CACHE_DIR, cache).env_remove("WASMR_LOG").stdin(Stdio::null());
    command
}

/// A directory for one test, with a cache.
pub(crate) struct Bed(PathBuf);

impl Bed {
    pub(crate) fn new() -> Bed {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cache-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Bed(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    pub(crate) fn guest(&self) -> Guest {
        write_guest(&self.0, "i32")
    }

    /// Returns `wasmr run` with options.
    pub(crate) fn run(&self, options: &[&str]) -> Command {
        wasmr_run(&self.cache(), options)
    }

    /// Returns the entries of the cache.
    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        files(&self.cache(), "wasmr")
    }

    /// Waits until all processes have ended that runs with this cache left.
    #[track_caller]
    pub(crate) fn settle(&self) {
        settle(&self.cache());
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for pid in processes_of(&self.cache()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        // If this fails, the files stay below target/.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the files in a directory with this extension, sorted.
pub(crate) fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension() == Some(OsStr::new(extension))).collect();
    files.sort();
    files
}

/// Waits until all processes have ended that use a cache in this directory.
#[track_caller]
pub(crate) fn settle(cache: &Path) {
    wait_until("the processes that store entries have ended", || processes_of(cache).is_empty());
}

/// Returns the processes with a cache in this directory, by their environment. Zombies have none.
pub(crate) fn processes_of(cache: &Path) -> Vec<Pid> {
    let variable = [CACHE_DIR.as_bytes(), b"=", cache.as_os_str().as_encoded_bytes()].concat();
    let has_variable = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable)
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    pids.filter(has_variable).filter_map(Pid::from_raw).collect()
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "waiting for this takes too long: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command with this standard input.
pub(crate) fn end_with_input(mut command: Command, input: &[u8]) -> End {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    End::of(child.wait_with_output().unwrap())
}

/// Returns a number of `--stats=json`.
#[track_caller]
pub(crate) fn stat(end: &End, name: &str) -> u64 {
    let (_, rest) = end.stderr.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("{end:#?}"));
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

/// A sequence of numbers that look random.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // Numbers of Knuth's MMIX generator; the upper bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Returns the number of rounds of a test with random choices, and their seeds.
pub(crate) fn rounds() -> impl Iterator<Item = u64> {
    let rounds = std::env::var("WASMR_TORTURE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    1..=rounds
}
