//! `wasi:io/streams` on standard streams within the process.

use super::built;
use crate::ctx::WasiCtx;
use crate::p2::filesystem::ErrorCode;
use crate::p2::filesystem::descriptor::filesystem_error_code;
use crate::p2::input::MAX_READ;
use crate::p2::io::to_debug_string;
use crate::p2::output::MAX_PERMIT;
use crate::p2::streams::*;
use crate::p2::{End, random::MAX_RANDOM};
use crate::p2::{Misuse, P2Ctx, cli, random, terminal};
use crate::stdio::{OutputBuffer, Stdin, Stdout};

fn with_output(limit: usize) -> (P2Ctx, OutputBuffer) {
    let buffer = OutputBuffer::new(limit);
    (built(WasiCtx::builder().stdout(Stdout::Buffer(buffer.clone()))), buffer)
}

#[test]
fn input_ends_with_closed() {
    let mut ctx = built(WasiCtx::builder().stdin(Stdin::Bytes(b"abcdef".to_vec())));
    let stdin = get_stdin(&mut ctx).unwrap().borrow();
    assert_eq!(read(&mut ctx, stdin, 0).unwrap(), Ok(vec![]));
    assert_eq!(blocking_read(&mut ctx, stdin, 0).unwrap(), Ok(vec![]));
    assert_eq!(read(&mut ctx, stdin, 2).unwrap(), Ok(b"ab".to_vec()));
    // Nothing was read ahead: another stream goes on where this one stopped.
    let other = get_stdin(&mut ctx).unwrap().borrow();
    assert_eq!(skip(&mut ctx, other, 1).unwrap(), Ok(1));
    assert_eq!(blocking_read(&mut ctx, stdin, u64::MAX).unwrap(), Ok(b"def".to_vec()));
    for _ in 0..2 {
        assert_eq!(blocking_read(&mut ctx, stdin, 1).unwrap(), Err(StreamError::Closed));
        assert_eq!(read(&mut ctx, stdin, 0).unwrap(), Err(StreamError::Closed));
        assert_eq!(blocking_skip(&mut ctx, stdin, 1).unwrap(), Err(StreamError::Closed));
    }
}

#[test]
fn a_read_is_capped_whatever_the_guest_asks_for() {
    let mut ctx = built(WasiCtx::builder().stdin(Stdin::Bytes(vec![1; MAX_READ + 5])));
    let stdin = get_stdin(&mut ctx).unwrap().borrow();
    assert_eq!(read(&mut ctx, stdin, u64::MAX).unwrap().map(|bytes| bytes.len()), Ok(MAX_READ));
    assert_eq!(read(&mut ctx, stdin, u64::MAX).unwrap().map(|bytes| bytes.len()), Ok(5));
}

#[test]
fn streams_that_the_embedder_left_closed_are_closed() {
    let mut ctx = built(&mut WasiCtx::builder());
    let (stdin, stdout) = (get_stdin(&mut ctx).unwrap().borrow(), get_stdout(&mut ctx).unwrap().borrow());
    let stderr = get_stderr(&mut ctx).unwrap().borrow();
    assert_eq!(blocking_read(&mut ctx, stdin, 1).unwrap(), Err(StreamError::Closed));
    assert_eq!(check_write(&mut ctx, stdout).unwrap(), Err(StreamError::Closed));
    assert_eq!(blocking_write_and_flush(&mut ctx, stderr, b"x").unwrap(), Err(StreamError::Closed));
    assert_eq!(terminal::stdin(&mut ctx), Ok(None));
    assert_eq!(terminal::stdout(&mut ctx), Ok(None));
    assert_eq!(terminal::stderr(&mut ctx), Ok(None));
}

#[test]
fn a_write_needs_a_permit() {
    let (mut ctx, buffer) = with_output(99);
    let stdout = get_stdout(&mut ctx).unwrap().borrow();
    let function = "write";
    assert_eq!(
        write(&mut ctx, stdout, b"x").unwrap_err(),
        Misuse::BeyondPermit { function, len: 1, permitted: 0 }.into()
    );
    assert_eq!(check_write(&mut ctx, stdout).unwrap(), Ok(MAX_PERMIT));
    assert_eq!(write(&mut ctx, stdout, b"one ").unwrap(), Ok(()));
    assert_eq!(write_zeroes(&mut ctx, stdout, 2).unwrap(), Ok(()));
    let left = MAX_PERMIT - 6;
    let error = write_zeroes(&mut ctx, stdout, left + 1).unwrap_err();
    assert_eq!(error.to_string(), format!("write-zeroes: {} bytes, but check-write permitted {left}", left + 1));
    assert_eq!(flush(&mut ctx, stdout).unwrap(), Ok(()));
    assert!(write(&mut ctx, stdout, b"x").is_err(), "a flush ends the permit");
    assert_eq!(blocking_flush(&mut ctx, stdout).unwrap(), Ok(()));
    assert_eq!(buffer.take(), b"one \0\0");
}

#[test]
fn a_write_with_a_flush_is_short() {
    let (mut ctx, buffer) = with_output(1 << 20);
    let stdout = get_stdout(&mut ctx).unwrap().borrow();
    assert_eq!(blocking_write_and_flush(&mut ctx, stdout, &[1; 4096]).unwrap(), Ok(()));
    assert_eq!(blocking_write_zeroes_and_flush(&mut ctx, stdout, 4096).unwrap(), Ok(()));
    assert_eq!(buffer.take(), [[1; 4096], [0; 4096]].concat());
    let too_long = |function| End::from(Misuse::TooLong { function, len: 4097, limit: 4096 });
    assert_eq!(
        blocking_write_and_flush(&mut ctx, stdout, &[1; 4097]).unwrap_err(),
        too_long("blocking-write-and-flush")
    );
    assert_eq!(
        blocking_write_zeroes_and_flush(&mut ctx, stdout, 4097).unwrap_err(),
        too_long("blocking-write-zeroes-and-flush")
    );
    assert_eq!(buffer.take(), b"");
}

#[test]
fn an_error_is_reported_once_and_then_the_stream_is_closed() {
    let (mut ctx, buffer) = with_output(3);
    let stdout = get_stdout(&mut ctx).unwrap().borrow();
    check_write(&mut ctx, stdout).unwrap().unwrap();
    let Err(StreamError::LastOperationFailed(error)) = write(&mut ctx, stdout, b"abcdef").unwrap() else {
        panic!("the buffer is too small");
    };
    assert_eq!(buffer.take(), b"abc");
    let text = to_debug_string(&mut ctx, error.borrow()).unwrap();
    assert_eq!(text, "cannot write to a file or standard stream: nospc");
    assert_eq!(filesystem_error_code(&mut ctx, error.borrow()), Ok(Some(ErrorCode::InsufficientSpace)));
    for _ in 0..2 {
        assert_eq!(check_write(&mut ctx, stdout).unwrap(), Err(StreamError::Closed));
        assert_eq!(flush(&mut ctx, stdout).unwrap(), Err(StreamError::Closed));
        assert_eq!(blocking_write_and_flush(&mut ctx, stdout, b"x").unwrap(), Err(StreamError::Closed));
    }
}

#[test]
fn the_limit_on_output_is_that_of_both_streams() {
    let buffer = OutputBuffer::new(99);
    let mut builder = WasiCtx::builder();
    builder.stdout(Stdout::Buffer(buffer.clone())).stderr(Stdout::Buffer(buffer.clone())).max_output(5);
    let mut ctx = built(&mut builder);
    let (stdout, stderr) = (get_stdout(&mut ctx).unwrap().borrow(), get_stderr(&mut ctx).unwrap().borrow());
    assert_eq!(blocking_write_and_flush(&mut ctx, stdout, b"abc").unwrap(), Ok(()));
    let outcome = blocking_write_and_flush(&mut ctx, stderr, b"def").unwrap();
    assert!(matches!(outcome, Err(StreamError::LastOperationFailed(_))), "{outcome:?}");
    assert_eq!(buffer.take(), b"abcde");
}

#[test]
fn splice_moves_what_is_there() {
    let buffer = OutputBuffer::new(99);
    let mut builder = WasiCtx::builder();
    let mut ctx = built(builder.stdin(Stdin::Bytes(b"abcdef".to_vec())).stdout(Stdout::Buffer(buffer.clone())));
    let (stdin, stdout) = (get_stdin(&mut ctx).unwrap().borrow(), get_stdout(&mut ctx).unwrap().borrow());
    assert_eq!(splice(&mut ctx, stdout, stdin, 2).unwrap(), Ok(2));
    assert_eq!(blocking_splice(&mut ctx, stdout, stdin, 99).unwrap(), Ok(4));
    assert_eq!(splice(&mut ctx, stdout, stdin, 2).unwrap(), Err(StreamError::Closed));
    assert_eq!(buffer.take(), b"abcdef");
}

#[test]
fn the_environment_is_text() {
    let mut builder = WasiCtx::builder();
    builder.args([&b"prog"[..], b"", b"\xff"]).env("A", "1=2").env("B", "");
    let mut ctx = built(&mut builder);
    assert_eq!(cli::get_arguments(&mut ctx).unwrap(), ["prog", "", "\u{fffd}"]);
    let variables = [("A", "1=2"), ("B", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(cli::get_environment(&mut ctx).unwrap(), variables);
    assert_eq!(cli::initial_cwd(&mut ctx), Ok(None));
    assert_eq!(cli::exit(&mut ctx, Ok(())), Err(End::Exit(0)));
    assert_eq!(cli::exit(&mut ctx, Err(())), Err(End::Exit(1)));
    assert_eq!(cli::exit_with_code(&mut ctx, 255), Err(End::Exit(255)));
}

#[test]
fn random_bytes_are_limited() {
    let mut next = 0u8;
    let mut ctx = built(WasiCtx::builder().random(move |bytes| {
        bytes.fill_with(|| {
            next = next.wrapping_add(1);
            next
        });
    }));
    assert_eq!(random::bytes(&mut ctx, 3), Ok(vec![1, 2, 3]));
    assert_eq!(random::number(&mut ctx), Ok(u64::from_le_bytes([4, 5, 6, 7, 8, 9, 10, 11])));
    assert_ne!(random::seed(&mut ctx).unwrap(), (0, 0));
    assert_eq!(random::bytes(&mut ctx, MAX_RANDOM).map(|bytes| bytes.len()), Ok(MAX_RANDOM as usize));
    let function = "get-random-bytes";
    for len in [MAX_RANDOM + 1, u64::MAX] {
        assert_eq!(random::bytes(&mut ctx, len), Err(Misuse::TooLong { function, len, limit: MAX_RANDOM }.into()));
    }
}
