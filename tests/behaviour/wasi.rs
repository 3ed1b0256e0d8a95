//! WASI calls other than files: clocks and waiting, sockets, and calls with arguments that no program should pass.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::golden::{check_text, compare};
use crate::harness::{DEADLINE, Run, Scratch};
use crate::tiers::on_every_tier;

on_every_tier! {
    fn waiting_for_timers(tier) {
        let running = Run::on(tier).guest("poll.wasm").start();
        compare("poll", "run poll.wasm", &running.end());
    }

    fn waiting_for_input_or_a_timer(tier) {
        let mut running = Run::on(tier).guest("poll.wasm").word("stdin").start();
        std::thread::sleep(Duration::from_millis(100));
        let mut stdin = running.child.stdin.take().unwrap();
        stdin.write_all(b"hello").unwrap();
        let outcome = running.end();
        assert!(outcome.took < Duration::from_secs(15), "the input, not the timer, ends the wait: {:?}", outcome.took);
        outcome.exits(0).prints("stdin or 20 s: errno 0, 1 fired: #1 type 1 error 0\nread: 5 bytes\n").quietly();
    }

    fn waiting_for_input_that_ended(tier) {
        let outcome = Run::on(tier).guest("poll.wasm").word("stdin").end().exits(0);
        assert!(outcome.took < Duration::from_secs(15), "{:?}", outcome.took);
        assert!(outcome.stdout.ends_with("read: 0 bytes\n"), "{}", outcome.stdout);
    }

    fn a_listening_socket_is_handed_in(tier) {
        // The port was free a moment ago. Very likely it still is when the guest gets it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let running = Run::on(tier).words(["--listen", &address.to_string()]).guest("sock.wasm").start();
        let begin = Instant::now();
        let mut stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < DEADLINE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let sent: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        let mut writer = stream.try_clone().unwrap();
        let to_send = sent.clone();
        let writing = std::thread::spawn(move || {
            writer.write_all(&to_send).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent, "{} bytes came back", received.len());
        running.end().exits(0).prints("shutdown: ok\nechoed 10000 bytes\n").quietly();
    }

    fn without_a_listener_there_is_no_socket(tier) {
        Run::on(tier).guest("sock.wasm").end().exits(1).prints("accept: errno 8\n");
    }

    /// The guest passes numbers that crash a host which trusts them.
    fn bad_numbers_are_errors_of_the_guest(tier) {
        compare("wasi_bad_numbers", "run wasi_bad_numbers.wat", &Run::on(tier).guest("wasi_bad_numbers.wat").end());
    }

    /// The first of the two buffers is valid, but nothing is written.
    fn a_pointer_outside_the_memory_traps(tier) {
        let text = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\03\00\00\00\fe\ff\00\00\03\00\00\00hi\0a")
            (func $print (drop (call $write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 32))))
            (func (export "_start") (call $print)))"#;
        check_text(tier, "wasi_pointer_outside", text, &["guest.wat"]);
    }

    fn a_memory_by_another_name_gets_a_message(tier) {
        let text = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (memory (export "mem") 1)
            (func (export "_start")
                (drop (call $yield))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"#;
        check_text(tier, "wasi_memory_not_exported", text, &["guest.wat"]);
    }

    fn calls_without_pointers_work_without_a_memory(tier) {
        let scratch = Scratch::new();
        let text = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "_start") (call $exit (i32.add (i32.const 40) (call $close (i32.const 0))))))"#;
        Run::on(tier).word(scratch.file("m.wat", text)).end().exits(40).quietly();
    }

    fn a_library_without_memory_is_named(tier) {
        let scratch = Scratch::new();
        let library = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $get (param i32 i32) (result i32)))
            (func (export "f") (drop (call $get (i32.const 0) (i32.const 1)))))"#;
        let text = r#"(module (import "lib" "f" (func $f)) (memory (export "memory") 1) (func (export "_start") (call $f)))"#;
        let library = scratch.file("library.wat", library).display().to_string();
        let run = Run::on(tier).words(["--preload", &format!("lib={library}")]).word(scratch.file("m.wat", text));
        run.end().exits(1).prints("").says("`library.wat` called random_get").says("  exports: `f`\n");
    }

    fn the_old_name_of_the_interface_works(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 5))))"#;
        Run::on(tier).word(scratch.file("m.wat", text)).end().exits(5).quietly();
    }
}
