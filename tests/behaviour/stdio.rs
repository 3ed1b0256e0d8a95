//! The standard streams: bytes pass unchanged, and missing or broken streams are errors of the guest.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::harness::{Run, WASMR, guest};
use crate::tiers::on_every_tier;

on_every_tier! {
    fn input_reaches_output_byte_by_byte(tier) {
        let mut bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 128) as u8).collect();
        bytes.extend("\u{1b}[31m escape, \r\n and no last line feed".bytes());
        let text = String::from_utf8(bytes.clone()).unwrap();
        Run::on(tier).guest("cat.wasm").stdin(bytes).end().exits(0).prints(&text).quietly();
    }

    fn empty_input(tier) {
        Run::on(tier).guest("cat.wasm").end().exits(0).prints("").quietly();
    }

    fn output_is_there_before_the_guest_ends(tier) {
        let mut running = Run::on(tier).guest("loop.wasm").word("sleep").start();
        running.wait_for_output("ready\n");
        running.signal("TERM");
        running.end().killed_by(libc::SIGTERM);
    }

    fn a_reader_that_goes_away_is_an_error_for_the_guest(tier) {
        let mut running = Run::on(tier).guest("spew.wasm").start();
        running.wait_for_output("line 10\n");
        drop(running.child.stdout.take());
        running.end().exits(4).says("Broken pipe");
    }

    fn a_full_device_is_an_error_for_the_guest(tier) {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let running = Run::on(tier).guest("spew.wasm").word("1").start_with_stdout(Stdio::from(full));
        running.end().exits(4).says("No space left on device");
    }

    fn a_full_device_fails_invoke(tier) {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let run = Run::on(tier).words(["--invoke", "fib"]).guest("../../examples/fib.wat").word("5");
        run.start_with_stdout(Stdio::from(full)).end().exits(1).says("cannot print the results");
    }

    fn closed_streams_do_no_harm(tier) {
        // If a closed descriptor stayed free, the module's file or a directory would become the guest's standard stream.
        let shell = |redirect: &str, module: &str, words: &[&str]| {
            let script = format!("exec \"$@\" {redirect}");
            let run = Run::of("sh").words(["-c", &script, "sh", WASMR, "run"]).tier(tier).word("--dir=.");
            run.word(guest(module)).words(words).end()
        };
        shell("<&-", "cat.wasm", &[]).prints("");
        shell("<&-", "hello.wasm", &[]).exits(0).prints("hello from wasm\n");
        shell(">&-", "hello.wasm", &[]).prints("");
        shell("<&- >&- 2>&-", "exit.wasm", &["7"]).exits(7);
        shell("2>&-", "trap.wasm", &["divide"]).exits(134).prints("before\n");
        shell(">&- 2>&-", "spew.wasm", &["10"]).prints("");
    }
}
