//! `wasi:io/streams`, and the standard streams of `wasi:cli`.
//!
//! A failed operation becomes a `stream-error`: [`StreamError`], whose error is a resource of its own.

use wasmr_canon::variant;

use super::input::{Broken, InputStream};
use super::io::IoError;
use super::output::OutputStream;
use super::poll::{self, Pollable};
use super::table::{Borrow, Own};
use super::{End, P2Ctx};

variant! {
    /// A `stream-error`.
    #[derive(Debug, PartialEq)]
    pub enum StreamError "stream-error" {
        /// The operation failed; the stream is closed from now on.
        LastOperationFailed(Own<IoError>) "last-operation-failed",
        /// The stream is closed.
        Closed "closed",
    }
}

/// Result of a function over streams.
pub type StreamResult<T> = Result<Result<T, StreamError>, End>;

/// Converts the outcome of an operation.
fn report<T>(ctx: &mut P2Ctx, outcome: Result<T, Broken>) -> StreamResult<T> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Broken::Closed) => Ok(Err(StreamError::Closed)),
        Err(Broken::Failed(error)) => Ok(Err(StreamError::LastOperationFailed(ctx.table.push(error)?))),
        Err(Broken::End(end)) => Err(end),
    }
}

/// `[method]input-stream.read`.
pub fn read(ctx: &mut P2Ctx, stream: Borrow<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
    let outcome = ctx.table.get_mut(stream)?.read(&mut ctx.wasi, len);
    report(ctx, outcome)
}

/// `[method]input-stream.blocking-read`.
pub fn blocking_read(ctx: &mut P2Ctx, stream: Borrow<InputStream>, len: u64) -> StreamResult<Vec<u8>> {
    let outcome = ctx.table.get_mut(stream)?.blocking_read(&mut ctx.wasi, len);
    report(ctx, outcome)
}

/// `[method]input-stream.skip`.
pub fn skip(ctx: &mut P2Ctx, stream: Borrow<InputStream>, len: u64) -> StreamResult<u64> {
    Ok(read(ctx, stream, len)?.map(|bytes| bytes.len() as u64))
}

/// `[method]input-stream.blocking-skip`.
pub fn blocking_skip(ctx: &mut P2Ctx, stream: Borrow<InputStream>, len: u64) -> StreamResult<u64> {
    Ok(blocking_read(ctx, stream, len)?.map(|bytes| bytes.len() as u64))
}

/// `[method]input-stream.subscribe`.
pub fn subscribe_input(ctx: &mut P2Ctx, stream: Borrow<InputStream>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, stream)
}

/// `[method]output-stream.check-write`.
pub fn check_write(ctx: &mut P2Ctx, stream: Borrow<OutputStream>) -> StreamResult<u64> {
    let outcome = ctx.table.get_mut(stream)?.check_write(&mut ctx.wasi);
    report(ctx, outcome)
}

/// `[method]output-stream.write`.
pub fn write(ctx: &mut P2Ctx, stream: Borrow<OutputStream>, contents: &[u8]) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.write(&mut ctx.wasi, contents);
    report(ctx, outcome)
}

/// `[method]output-stream.blocking-write-and-flush`.
pub fn blocking_write_and_flush(ctx: &mut P2Ctx, stream: Borrow<OutputStream>, contents: &[u8]) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.blocking_write(&mut ctx.wasi, "blocking-write-and-flush", contents);
    report(ctx, outcome)
}

/// `[method]output-stream.flush`.
pub fn flush(ctx: &mut P2Ctx, stream: Borrow<OutputStream>) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.flush(&mut ctx.wasi);
    report(ctx, outcome)
}

/// `[method]output-stream.blocking-flush`.
pub fn blocking_flush(ctx: &mut P2Ctx, stream: Borrow<OutputStream>) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.blocking_flush(&mut ctx.wasi);
    report(ctx, outcome)
}

/// `[method]output-stream.subscribe`.
pub fn subscribe_output(ctx: &mut P2Ctx, stream: Borrow<OutputStream>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, stream)
}

/// `[method]output-stream.write-zeroes`.
pub fn write_zeroes(ctx: &mut P2Ctx, stream: Borrow<OutputStream>, len: u64) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.write_zeroes(&mut ctx.wasi, len);
    report(ctx, outcome)
}

/// `[method]output-stream.blocking-write-zeroes-and-flush`.
pub fn blocking_write_zeroes_and_flush(ctx: &mut P2Ctx, stream: Borrow<OutputStream>, len: u64) -> StreamResult<()> {
    let outcome = ctx.table.get_mut(stream)?.blocking_write_zeroes(&mut ctx.wasi, len);
    report(ctx, outcome)
}

/// `[method]output-stream.splice`: moves up to `len` bytes that can be moved without waiting.
pub fn splice(ctx: &mut P2Ctx, stream: Borrow<OutputStream>, src: Borrow<InputStream>, len: u64) -> StreamResult<u64> {
    let moved = try_splice(ctx, stream, src, len);
    report(ctx, moved)
}

fn try_splice(
    ctx: &mut P2Ctx,
    stream: Borrow<OutputStream>,
    src: Borrow<InputStream>,
    len: u64,
) -> Result<u64, Broken> {
    let permit = ctx.table.get_mut(stream).map_err(End::from)?.check_write(&mut ctx.wasi)?;
    let bytes = ctx.table.get_mut(src).map_err(End::from)?.read(&mut ctx.wasi, len.min(permit))?;
    ctx.table.get_mut(stream).map_err(End::from)?.write(&mut ctx.wasi, &bytes)?;
    Ok(bytes.len() as u64)
}

/// `[method]output-stream.blocking-splice`: waits until both streams are ready, then moves bytes.
pub fn blocking_splice(
    ctx: &mut P2Ctx,
    stream: Borrow<OutputStream>,
    src: Borrow<InputStream>,
    len: u64,
) -> StreamResult<u64> {
    loop {
        let output = ctx.table.get_mut(stream)?;
        let permit = output.check_write(&mut ctx.wasi);
        match permit {
            Ok(0) => output.wait(&ctx.wasi)?,
            Ok(_) => break,
            Err(broken) => return report(ctx, Err(broken)),
        }
    }
    ctx.table.get(src)?.wait(&ctx.wasi)?;
    splice(ctx, stream, src, len)
}

/// `wasi:cli/stdin#get-stdin`.
pub fn get_stdin(ctx: &mut P2Ctx) -> Result<Own<InputStream>, End> {
    let stream = InputStream::standard(&ctx.wasi);
    Ok(ctx.table.push(stream)?)
}

/// `wasi:cli/stdout#get-stdout`.
pub fn get_stdout(ctx: &mut P2Ctx) -> Result<Own<OutputStream>, End> {
    let stream = OutputStream::standard(&ctx.wasi, 1);
    Ok(ctx.table.push(stream)?)
}

/// `wasi:cli/stderr#get-stderr`.
pub fn get_stderr(ctx: &mut P2Ctx) -> Result<Own<OutputStream>, End> {
    let stream = OutputStream::standard(&ctx.wasi, 2);
    Ok(ctx.table.push(stream)?)
}
