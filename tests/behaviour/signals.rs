//! Termination signals kill wasmr whatever it is doing, and shells see that a signal killed it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use rustix::termios::{Action, tcflow};

use crate::harness::{Run, Running, Scratch, WASMR, guest};
#[cfg(feature = "jit")]
use crate::tiers::NO_CACHE;
use crate::tiers::{Tier, on_every_tier};

/// The signals by which people and supervisors end a program, by name and number.
const TERMINATION: [(&str, i32); 4] =
    [("HUP", libc::SIGHUP), ("INT", libc::SIGINT), ("QUIT", libc::SIGQUIT), ("TERM", libc::SIGTERM)];

/// Waits until the guest, which has just printed something, is in the following loop or call.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Sends the signal and checks that it kills the process within seconds.
#[track_caller]
fn dies(mut running: Running, (name, number): (&str, i32)) {
    let stdin = running.child.stdin.take();
    running.signal(name);
    let outcome = running.end();
    drop(stdin);
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
    outcome.killed_by(number).quietly();
}

/// A program that writes half a line and sleeps.
const HALF_A_LINE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00begun")
    (data (i32.const 80) "\01\00\00\00\00\00\00\00\00\c8\17\a8\04\00\00\00")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
        (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 32)))))"#;

/// Returns a shell with a prompt that tests can recognise.
pub fn shell(program: &str) -> Run {
    Run::of(program).env("PS1", "PROMPT> ").env("TERM", "dumb").env("ENV", "").env("BASH_ENV", "")
}

/// Returns the shell command that runs a module in a configuration.
pub fn command_line(tier: Tier, module: &Path) -> String {
    format!("{WASMR} run {} {}", tier.0.join(" "), module.display())
}

on_every_tier! {
    fn wasmr_dies_of_the_signal(tier) {
        for signal in TERMINATION {
            for how in ["spin", "sleep", "read"] {
                let mut running = Run::on(tier).guest("loop.wasm").word(how).start();
                running.wait_for_output("ready\n");
                settle();
                dies(running, signal);
            }
        }
    }

    fn a_guest_dies_while_its_output_is_blocked(tier) {
        for signal in TERMINATION {
            let mut running = Run::on(tier).guest("spew.wasm").start();
            // Soon after, the pipe is full and the guest blocks.
            running.wait_for_output("line 1000\n");
            settle();
            running.signal(signal.0);
            running.end().killed_by(signal.1).quietly();
        }
    }

    fn ignored_signals_stay_ignored(tier) {
        let script = "trap '' HUP INT QUIT; exec \"$@\"";
        let run = Run::of("sh").words(["-c", script, "sh", WASMR, "run"]).tier(tier);
        let mut running = run.guest("loop.wasm").word("sleep").start();
        running.wait_for_output("ready\n");
        for name in ["HUP", "INT", "QUIT"] {
            running.signal(name);
        }
        settle();
        assert_eq!(running.child.try_wait().unwrap(), None);
        dies(running, ("TERM", libc::SIGTERM));
    }

    fn a_key_ends_a_loop_of_the_shell(tier) {
        let scratch = Scratch::new();
        let module = scratch.file("guest.wat", HALF_A_LINE);
        let script = format!("for i in 1 2 3; do echo round $i; {}; done; echo finished", command_line(tier, &module));
        let mut terminal = shell("bash").words(["-c", &script]).start_on_terminal();
        terminal.sees("begun");
        settle();
        terminal.types("\x03");
        let (outcome, shown) = terminal.end();
        assert_eq!(shown, "round 1\r\nbegun^C");
        outcome.killed_by(libc::SIGINT);
    }

    fn the_prompt_stands_on_its_own_line(tier) {
        let scratch = Scratch::new();
        let module = scratch.file("guest.wat", HALF_A_LINE);
        for shell in [shell("sh").word("-i"), shell("bash").words(["--norc", "-i"])] {
            let mut terminal = shell.start_on_terminal();
            for (key, shown) in [("\x03", "^C\r\nPROMPT> "), ("\x1c", "^\\Quit\r\nPROMPT> ")] {
                terminal.types(&command_line(tier, &module));
                terminal.types("\n");
                terminal.sees("begun");
                settle();
                terminal.types(key);
                assert_eq!(terminal.sees("PROMPT> "), shown);
            }
            terminal.types("echo code $?\n");
            terminal.sees("\r\ncode 131\r\n");
            terminal.types("exit 3\n");
            terminal.end().0.exits(3);
        }
    }
}

#[test]
fn every_command_dies_of_a_signal_while_it_reads() {
    for signal in TERMINATION {
        for command in ["run", "validate", "inspect", "explore"] {
            let running = Run::bare().words([command, "-"]).start();
            settle();
            dies(running, signal);
        }
    }
}

#[test]
fn a_command_dies_while_its_output_is_blocked() {
    let scratch = Scratch::new();
    let exports: String = (0..10_000).map(|number| format!("(export \"name {number}\" (func 0))")).collect();
    let module = scratch.file("guest.wat", format!("(module (func) {exports})"));
    for signal in TERMINATION {
        let mut running = Run::bare().words(["inspect", "--json"]).word(&module).start();
        running.wait_for_output("exports");
        settle();
        running.signal(signal.0);
        running.end().killed_by(signal.1).quietly();
    }
}

#[test]
fn a_script_test_dies_of_a_signal() {
    let scratch = Scratch::new();
    let text = r#"(module (func (export "f") (loop (br 0)))) (invoke "f")"#;
    let script = scratch.file("endless.wast", text);
    for mode in wasmr::Mode::ALL {
        for signal in TERMINATION {
            let running = Run::bare().words(["wast", "--mode", mode.name()]).word(&script).start();
            settle();
            dies(running, signal);
        }
    }
}

/// A program that says `ready` and then calls a hundred functions of 40 KB each.
#[cfg(feature = "jit")]
fn slow_to_compile() -> String {
    let body = "(i32.add (i32.const 77)) (i32.xor (i32.const 99)) (i32.rotl (i32.const 3))\n".repeat(4_000);
    let functions: String =
        (0..100).map(|number| format!("(func $f{number} (param i32) (result i32) (local.get 0) {body})\n")).collect();
    let calls: String = (0..100).map(|number| format!("(drop (call $f{number} (i32.const 1)))\n")).collect();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\08\00\00\00\06\00\00\00ready\n")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
                {calls})
            {functions})"#
    )
}

#[test]
#[cfg(feature = "jit")]
fn signals_kill_while_threads_compile() {
    let scratch = Scratch::new();
    let module = scratch.file("guest.wasm", wat::parse_str(slow_to_compile()).unwrap());
    for tier in [Tier(&["--mode", "jit"], NO_CACHE), Tier(&["-O", "tier-up-after=0,compile-threads=4"], NO_CACHE)] {
        for signal in TERMINATION {
            let mut running = Run::on(tier).word(&module).start();
            running.wait_for_output("ready\n");
            settle();
            dies(running, signal);
        }
    }
}

#[test]
fn sigquit_dumps_no_core() {
    let scratch = Scratch::new();
    // If the limit cannot be raised, the test runs with the lower limit.
    let script = "ulimit -c unlimited 2>/dev/null; exec \"$@\"";
    let run = Run::of("sh").words(["-c", script, "sh", WASMR]).guest("loop.wasm").word("sleep");
    let mut running = run.current_dir(scratch.path()).start();
    running.wait_for_output("ready\n");
    dies(running, ("QUIT", libc::SIGQUIT));
}

/// Returns a command that runs `wasmr` as process 1 of a new namespace, or `None` if the system permits no namespace.
fn as_process_1() -> Option<Run> {
    let unshare = || Run::of("unshare").words(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
    let is_possible = std::process::Command::new("unshare").args(["--user", "--pid", "--fork", "true"]).status();
    is_possible.is_ok_and(|status| status.success()).then(|| unshare().word(WASMR))
}

#[test]
fn process_1_exits_with_the_code_that_a_shell_shows() {
    for (signal, shown) in [
        (Signal::HUP, "ready\r\n"),
        (Signal::INT, "ready\r\n\r\n"),
        (Signal::QUIT, "ready\r\n\r\n"),
        (Signal::TERM, "ready\r\n"),
    ] {
        let Some(run) = as_process_1() else { return };
        let mut terminal = run.guest("loop.wasm").word("sleep").start_on_terminal();
        terminal.sees("ready\r\n");
        settle();
        kill_process(terminal.child(), signal).unwrap();
        let (outcome, all) = terminal.end();
        assert_eq!(all, shown, "{signal:?}");
        outcome.exits(128 + signal.as_raw());
    }
}

#[test]
fn process_1_ends_the_line_of_a_key() {
    let Some(run) = as_process_1() else { return };
    let mut terminal = run.guest("loop.wasm").word("sleep").start_on_terminal();
    terminal.sees("ready\r\n");
    settle();
    terminal.types("\x03");
    let (outcome, all) = terminal.end();
    assert_eq!(all, "ready\r\n^C\r\n");
    outcome.exits(130);
}

#[test]
fn a_second_signal_ends_the_clean_up() {
    let Some(run) = as_process_1() else { return };
    let mut terminal = run.guest("loop.wasm").word("sleep").start_on_terminal();
    terminal.sees("ready\r\n");
    let wasmr = terminal.child();
    // Output to the terminal is suspended, as by Ctrl-S, so wasmr's clean-up waits when it ends the line there.
    tcflow(terminal.end_of_processes(), Action::OOff).unwrap();
    kill_process(wasmr, Signal::INT).unwrap();
    settle();
    assert_eq!(terminal.running.child.try_wait().unwrap(), None);
    kill_process(wasmr, Signal::TERM).unwrap();
    terminal.end().0.exits(143);
}

#[test]
fn commands_die_if_the_reader_of_their_output_is_gone() {
    let module = guest("../../examples/fib.wat");
    let module = module.to_str().unwrap();
    for words in [&["inspect", module][..], &["completions", "bash"], &["explore", "--func", "fib", module]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = Run::bare().words(words).start_with_stdout(Stdio::from(writer)).end();
        outcome.killed_by(libc::SIGPIPE).quietly();
    }
}
