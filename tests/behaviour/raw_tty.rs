//! `--raw-tty` passes keys to the guest unchanged, and restores the terminal whatever ends or stops the run.

use rustix::process::{Signal, kill_process};

use crate::harness::{Run, Scratch, WASMR};
use crate::signals::{settle, shell};
use crate::terminal::{Modes, Terminal};
use crate::tiers::{Tier, on_every_tier};

/// A guest that prints "ready" and then obeys keys: `r` returns, `x` exits with 7, `u` and `m` trap, `s` spins. It prints all
/// other keys.
const KEYS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00ready")
    (data (i32.const 16) "\20\00\00\00\01\00\00\00")
    (func $is (param i32) (result i32) (i32.eq (i32.load8_u (i32.const 32)) (local.get 0)))
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
        (loop $next
            (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 64)))
            (if (call $is (i32.const 0x72)) (then (return)))
            (if (call $is (i32.const 0x78)) (then (call $exit (i32.const 7))))
            (if (call $is (i32.const 0x75)) (then (unreachable)))
            (if (call $is (i32.const 0x6d)) (then (drop (i32.load (i32.const -4)))))
            (if (call $is (i32.const 0x73)) (then (loop $spin (br $spin))))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 64)))
            (br $next))))"#;

/// Starts a run and waits until it is ready. Returns its terminal, and the terminal's modes before the run.
#[track_caller]
fn start(tier: Tier, words: &[&str]) -> (Terminal, Modes) {
    let scratch = Scratch::new();
    let module = scratch.file("keys.wat", KEYS);
    let mut terminal = Run::on(tier).words(words).word(module).start_on_terminal();
    let before = terminal.modes_before.clone();
    terminal.sees("ready");
    assert!(terminal.modes().are_raw(), "{:?}", terminal.modes());
    (terminal, before)
}

/// Returns a shell with job control that does not change the terminal's modes.
fn job_control() -> Run {
    shell("bash").words(["--norc", "--noediting", "-i"])
}

on_every_tier! {
    fn keys_reach_the_guest_at_once_and_unseen(tier) {
        let (mut terminal, _) = start(tier, &["--raw-tty"]);
        assert!(!terminal.modes().have_signals());
        let keys = "a\x03\x04\x1a\x1c\x11\x13\r\x7f\u{1b}[A";
        terminal.types(keys);
        assert_eq!(terminal.sees("\u{1b}[A"), keys);
        terminal.types("\n");
        assert_eq!(terminal.sees("\n"), "\r\n", "a line feed must still become CR LF");
        terminal.types("r");
        terminal.end().0.exits(0);
    }

    fn every_end_of_the_guest_restores_the_terminal(tier) {
        for (key, code, message) in [
            ("r", 0, ""),
            ("x", 7, ""),
            ("u", 134, "unreachable"),
            ("m", 134, "out of bounds memory access"),
            ("s", 124, "did not end within 2s (--timeout)"),
        ] {
            let timeout = if key == "s" { "2s" } else { "100s" };
            let (terminal, before) = start(tier, &["--raw-tty", "--timeout", timeout]);
            terminal.types(key);
            let (outcome, shown, after) = terminal.end_with_modes();
            assert_eq!(after, before, "{key}");
            assert!(shown.contains(message), "{shown}");
            outcome.exits(code);
        }
    }

    fn every_signal_restores_the_terminal(tier) {
        for (name, number) in [
            ("HUP", libc::SIGHUP),
            ("INT", libc::SIGINT),
            ("QUIT", libc::SIGQUIT),
            ("TERM", libc::SIGTERM),
            ("USR1", libc::SIGUSR1),
            ("ALRM", libc::SIGALRM),
            ("SEGV", libc::SIGSEGV),
            ("ABRT", libc::SIGABRT),
        ] {
            for key in ["s", "-"] {
                let (terminal, before) = start(tier, &["--raw-tty"]);
                terminal.types(key);
                settle();
                terminal.running.signal(name);
                let (outcome, _, after) = terminal.end_with_modes();
                assert_eq!(after, before, "{name} {key}");
                outcome.was_killed_by(number);
            }
        }
    }

    fn keys_may_stay_signals(tier) {
        for (key, number) in [("\x03", libc::SIGINT), ("\x1c", libc::SIGQUIT)] {
            let (terminal, before) = start(tier, &["--raw-tty=signals"]);
            assert!(terminal.modes().have_signals());
            terminal.types("s");
            settle();
            terminal.types(key);
            let (outcome, _, after) = terminal.end_with_modes();
            assert_eq!(after, before);
            outcome.killed_by(number);
        }
    }

    fn a_stopped_run_gives_the_terminal_back(tier) {
        let scratch = Scratch::new();
        let module = scratch.file("keys.wat", KEYS);
        let mut terminal = job_control().start_on_terminal();
        let before = terminal.modes_before.clone();
        let line = format!("{WASMR} run {} --raw-tty=signals {}\n", tier.0.join(" "), module.display());
        terminal.sees("PROMPT> ");
        terminal.types(&line);
        terminal.sees("ready");
        // Stopped by a key, by SIGTSTP, and by SIGSTOP, which no process can handle.
        for signal in [None, Some(Signal::TSTP), Some(Signal::STOP)] {
            assert!(terminal.modes().are_raw());
            match signal {
                None => terminal.types("\x1a"),
                Some(signal) => kill_process(terminal.child(), signal).unwrap(),
            }
            terminal.sees("Stopped");
            terminal.sees("PROMPT> ");
            assert_eq!(terminal.modes(), before, "{signal:?}");
            terminal.types("fg\n");
            terminal.becomes(Modes::are_raw);
            terminal.types("a");
            terminal.sees("a");
        }
        terminal.types("r");
        terminal.sees("PROMPT> ");
        assert_eq!(terminal.modes(), before);
        terminal.types("exit\n");
        terminal.end().0.exits(0);
    }

    fn a_background_job_waits_for_the_terminal(tier) {
        let scratch = Scratch::new();
        let module = scratch.file("keys.wat", KEYS);
        let mut terminal = job_control().start_on_terminal();
        let before = terminal.modes_before.clone();
        terminal.sees("PROMPT> ");
        terminal.types(&format!("{WASMR} run {} --raw-tty {} &\n", tier.0.join(" "), module.display()));
        terminal.sees("PROMPT> ");
        terminal.child_stops();
        assert_eq!(terminal.modes(), before);
        terminal.types("fg\n");
        terminal.becomes(Modes::are_raw);
        terminal.sees("ready");
        terminal.types("x");
        terminal.becomes(|modes| *modes == before);
        // Without this, the terminal could echo the command before the shell's prompt.
        terminal.sees("PROMPT> ");
        terminal.types("echo code $?\n");
        terminal.sees("\r\ncode 7\r\n");
        terminal.types("exit\n");
        terminal.end().0.exits(0);
    }

    fn without_a_terminal_it_does_nothing(tier) {
        let scratch = Scratch::new();
        let module = scratch.file("keys.wat", KEYS);
        Run::on(tier).word("--raw-tty").word(module).stdin("abr").end().exits(0).prints("readyab").quietly();
    }
}

#[test]
fn a_module_that_does_not_load_changes_nothing() {
    let terminal = Run::bare().words(["run", "--raw-tty", "no-such-file.wasm"]).start_on_terminal();
    let before = terminal.modes_before.clone();
    let (outcome, _, after) = terminal.end_with_modes();
    assert_eq!(after, before);
    outcome.exits(1);
}
