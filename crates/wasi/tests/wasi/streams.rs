//! Standard streams: within the process, and inherited from a process that was started with pipes, files or a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wasmr_runtime::InterruptHandle;
use wasmr_wasi::rights::{FD_READ, FD_SEEK, FD_TELL, FD_WRITE};
use wasmr_wasi::{Errno, Exit, OutputBuffer, Stdin, Stdout, WasiCtx, WasiCtxBuilder};

use crate::support::{APPEND, Guest, NONBLOCK, OUT, this_binary};

/// Environment variables of a child process: its role, and the file for its report.
const ROLE: &str = "WASMR_TEST_ROLE";
const REPORT: &str = "WASMR_TEST_REPORT";

/// Returns a child process that plays `role`. A role is a test of this file that otherwise does nothing.
fn child(role: &str, report: &Path) -> Command {
    let mut command = this_binary();
    command.args(["--exact", &format!("streams::{role}"), "--nocapture"]).env(ROLE, role).env(REPORT, report);
    command
}

/// Runs `body` in the child, on a guest that inherits all streams, and writes the result to the report.
fn play(role: &str, set: impl FnOnce(&mut WasiCtxBuilder), body: impl FnOnce(&mut Guest) -> String) {
    if std::env::var(ROLE).is_ok_and(|playing| playing == role) {
        let mut builder = WasiCtx::builder();
        builder.stdin(Stdin::Inherit).stdout(Stdout::Inherit).stderr(Stdout::Inherit);
        set(&mut builder);
        let report = body(&mut Guest::new(builder.build().unwrap()));
        std::fs::write(std::env::var_os(REPORT).unwrap(), report).unwrap();
    }
}

/// Returns a directory and the path for the report in it.
fn report() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report");
    (dir, path)
}

#[test]
fn a_limit_on_output_holds_for_both_streams_together_wherever_they_lead() {
    let output = OutputBuffer::new(1000);
    let mut builder = WasiCtx::builder();
    builder.stdout(Stdout::Buffer(output.clone())).stderr(Stdout::Discard).max_output(10);
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!(guest.write(1, b"hello"), Ok(5));
    assert_eq!(guest.write(2, b"abc"), Ok(3));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert_eq!(guest.write(1, b"world"), Ok(2), "what fits");
    assert_eq!((guest.write(1, b"x"), guest.write(2, b"x")), (Err(Errno::Nospc), Err(Errno::Nospc)));
    assert_eq!(guest.write(1, b""), Ok(0), "an empty write always succeeds");
    assert_eq!(output.contents(), b"hellowo");
}

#[test]
fn streams_within_the_process() {
    let output = OutputBuffer::new(8);
    let mut builder = WasiCtx::builder();
    builder.stdin(Stdin::Bytes(b"abc".to_vec())).stdout(Stdout::Buffer(output.clone())).stderr(Stdout::Discard);
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!(guest.read(0, 2), Ok(b"ab".to_vec()));
    assert_eq!(guest.read(0, 2), Ok(b"c".to_vec()));
    assert_eq!(guest.read(0, 2), Ok(vec![]));
    assert_eq!(guest.write(1, b"hello"), Ok(5));
    assert_eq!(guest.write(1, b"world"), Ok(3), "up to the limit");
    assert_eq!(guest.write(1, b"!"), Err(Errno::Nospc));
    assert_eq!(guest.write(2, &[0; 10_000]), Ok(10_000));
    assert_eq!(output.contents(), b"hellowor");
    for fd in 0..3 {
        assert_eq!(guest.fdstat(fd).unwrap().filetype, 0, "no terminal");
        assert_eq!(guest.fd_stat(fd).map(|s| s.size), Ok(0));
        assert_eq!(guest.set_flags(fd, NONBLOCK), Ok(()));
        assert_eq!(guest.close(fd), Ok(()));
        assert_eq!(guest.close(fd), Err(Errno::Badf));
    }
}

#[test]
fn closed_streams_stay_closed() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    for fd in 0..3 {
        assert_eq!(guest.fdstat(fd), Err(Errno::Badf));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
        assert_eq!(guest.close(fd), Err(Errno::Badf));
    }
    assert_eq!(guest.open("f", crate::support::CREAT, FD_WRITE), Ok(4), "no file becomes standard output");
}

#[test]
fn a_stream_can_become_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = crate::support::granted(dir.path(), false);
    builder.stdout(Stdout::Discard);
    let mut guest = Guest::new(builder.build().unwrap());
    let file = guest.open("f", crate::support::CREAT, FD_WRITE).unwrap();
    guest.call("fd_renumber", &[file.into(), 1]).unwrap();
    guest.write(1, b"redirected").unwrap();
    assert_eq!(guest.contents("f"), Ok(b"redirected".to_vec()));
}

#[test]
fn plays_pipes() {
    play(
        "plays_pipes",
        |_| {},
        |guest| {
            let mut stats = (0..3).map(|fd| guest.fdstat(fd).unwrap()).collect::<Vec<_>>();
            let seekable = stats.iter().any(|s| s.base & (FD_SEEK | FD_TELL) != 0);
            let types: Vec<u8> = stats.drain(..).map(|s| s.filetype).collect();
            let read = guest.read(0, 99).unwrap();
            guest.set_flags(0, NONBLOCK).unwrap();
            let again = guest.read(0, 99);
            guest.write(1, b"to stdout\n").unwrap();
            guest.write(2, b"to stderr\n").unwrap();
            let host = rustix::fs::fcntl_getfl(rustix::stdio::stdin()).unwrap();
            let untouched = !host.contains(rustix::fs::OFlags::NONBLOCK);
            format!("{types:?} {seekable} {read:?} {again:?} {untouched} {:?}", guest.seek(0, 0, 1))
        },
    );
}

#[test]
fn pipes_are_inherited() {
    let (_dir, path) = report();
    let mut child = child("plays_pipes", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hi").unwrap();
    let mut text = [String::new(), String::new()];
    child.stdout.take().unwrap().read_to_string(&mut text[0]).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text[1]).unwrap();
    assert!(child.wait().unwrap().success());
    drop(stdin);
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        "[0, 0, 0] false [104, 105] Err(Again) true Err(Spipe)",
        "no terminal; the host's descriptor keeps its mode"
    );
    assert!(text[0].contains("to stdout\n"), "{text:?}");
    assert!(text[1].contains("to stderr\n"), "{text:?}");
}

#[test]
fn plays_broken_pipe() {
    play(
        "plays_broken_pipe",
        |_| {},
        |guest| {
            let mut result = Ok(0);
            let end = Instant::now() + Duration::from_secs(20);
            while result.is_ok() && Instant::now() < end {
                result = guest.write(2, b"into the void\n");
                std::thread::sleep(Duration::from_millis(5));
            }
            format!("{result:?}")
        },
    );
}

#[test]
fn a_broken_pipe_is_an_error_and_no_signal() {
    let (_dir, path) = report();
    let mut child = child("plays_broken_pipe", &path).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "Err(Pipe)");
}

#[test]
fn plays_files() {
    play(
        "plays_files",
        |_| {},
        |guest| {
            let [input, output] = [0, 2].map(|fd| guest.fdstat(fd).unwrap());
            assert_eq!(input.base & (FD_READ | FD_WRITE | FD_SEEK), FD_READ | FD_SEEK);
            assert_eq!(output.base & (FD_READ | FD_WRITE | FD_SEEK), FD_WRITE | FD_SEEK);
            for (call, rest) in
                [("fd_filestat_set_times", &[1, 1, 5][..]), ("fd_filestat_set_size", &[0]), ("fd_allocate", &[0, 9])]
            {
                for fd in [0, 2] {
                    let slots: Vec<u64> = [fd].iter().chain(rest).copied().collect();
                    assert_eq!(guest.call(call, &slots), Err(Errno::Notcapable), "only its bytes are granted: {call}");
                }
            }
            guest.seek(0, 4, 0).unwrap();
            let read = guest.read(0, 99).unwrap();
            guest.write(2, b"appended").unwrap();
            let mine = u32::from(output.flags) & APPEND;
            format!("{} {} {mine} {read:?} {:?}", input.filetype, output.filetype, guest.tell(2))
        },
    );
}

#[test]
fn files_are_inherited() {
    let (dir, path) = report();
    std::fs::write(dir.path().join("in"), "0123ab").unwrap();
    std::fs::write(dir.path().join("out"), "before ").unwrap();
    let appending = File::options().append(true).open(dir.path().join("out")).unwrap();
    let status = child("plays_files", &path)
        .stdin(File::open(dir.path().join("in")).unwrap())
        .stdout(Stdio::null())
        .stderr(appending)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "4 4 1 [97, 98] Ok(15)");
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "before appended");
}

#[test]
fn plays_terminal() {
    play(
        "plays_terminal",
        |_| {},
        |guest| {
            let fdstat = guest.fdstat(0).unwrap();
            guest.write(2, b"prompt> ").unwrap();
            let line = guest.read(0, 99).unwrap();
            let is_tty = fdstat.filetype == 2 && fdstat.base & (FD_SEEK | FD_TELL) == 0;
            format!("{is_tty} {:?} {:?}", String::from_utf8(line).unwrap(), guest.seek(0, 0, 1))
        },
    );
}

#[test]
fn a_terminal_is_recognised_as_libc_does_it() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let (_dir, path) = report();
    let mut host = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&host).unwrap();
    unlockpt(&host).unwrap();
    let name = ptsname(&host, Vec::new()).unwrap();
    let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = child("plays_terminal", &path).stdin(open()).stdout(Stdio::null()).stderr(open()).spawn().unwrap();
    host.write_all(b"typed\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "true \"typed\\n\" Err(Spipe)");
}

#[test]
fn plays_limited_output() {
    play(
        "plays_limited_output",
        |builder| {
            builder.max_output(10);
        },
        |guest| {
            let written =
                [(1, &b"12345"[..]), (2, b"67"), (1, b"890123"), (2, b"x")].map(|(fd, text)| guest.write(fd, text));
            let empty = guest.write(1, b"");
            format!("{written:?} {empty:?}")
        },
    );
}

#[test]
fn inherited_output_is_limited_over_both_streams() {
    let (_dir, path) = report();
    let output = child("plays_limited_output", &path).output().unwrap();
    assert!(output.status.success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "[Ok(5), Ok(2), Ok(3), Err(Nospc)] Ok(0)");
    assert!(String::from_utf8_lossy(&output.stdout).contains("12345890"));
}

#[test]
fn plays_limited_file() {
    play(
        "plays_limited_file",
        |builder| {
            builder.max_output(10);
        },
        |guest| {
            let written = [0, 0, 4, 4].map(|at| guest.pwrite(2, b"1234567", at));
            format!("{written:?} {:?}", guest.write(2, b"x"))
        },
    );
}

#[test]
fn inherited_output_is_limited_wherever_in_a_file_it_is_written() {
    let (dir, path) = report();
    let out = File::create(dir.path().join("out")).unwrap();
    assert!(child("plays_limited_file", &path).stdout(Stdio::null()).stderr(out).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "[Ok(7), Ok(3), Err(Nospc), Err(Nospc)] Err(Nospc)");
}

#[test]
fn plays_nonblocking_writer() {
    play(
        "plays_nonblocking_writer",
        |_| {},
        |guest| {
            guest.set_flags(2, NONBLOCK).unwrap();
            let mut result = Ok(0);
            while result.is_ok() {
                result = guest.write(2, &[b'x'; 100_000]);
            }
            format!("{result:?}")
        },
    );
}

#[test]
fn a_nonblocking_long_write_does_not_wait() {
    let (_dir, path) = report();
    let mut child =
        child("plays_nonblocking_writer", &path).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    assert!(ended.is_some_and(|status| status.success()), "the guest must not hang in a write to a full pipe");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "Err(Again)");
}

#[test]
fn plays_interrupted() {
    if std::env::var(ROLE).is_ok_and(|playing| playing == "plays_interrupted") {
        let handle = InterruptHandle::new();
        play(
            "plays_interrupted",
            |_| (),
            |guest| {
                guest.ctx.set_interrupt_handle(Some(handle.clone()));
                assert_eq!(guest.read(0, 99), Ok(b"first".to_vec()));
                assert_eq!(guest.write(2, &[b'x'; 10_000]), Ok(4096), "no more than cannot block");
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(60));
                        handle.interrupt();
                    });
                    guest.put(0x800, &[0, 16, 0, 0, 8, 0, 0, 0]);
                    let stopped = guest.try_call("fd_read", &[0, 0x800, 1, OUT.into()]);
                    assert_eq!(stopped, Err(Exit::Interrupted));
                });
                "interrupted".into()
            },
        );
    }
}

#[test]
fn an_interrupt_ends_a_read_of_a_silent_stream() {
    let (_dir, path) = report();
    let mut child = child("plays_interrupted", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"first").unwrap();
    let mut stderr = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&stderr));
    drop(stdin);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "interrupted");
}
