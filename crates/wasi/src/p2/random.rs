//! `wasi:random`: bytes of the context's source, which is the host's generator unless the embedder chose another.
//!
//! The insecure interfaces return bytes of the same source: it is as fast as an insecure one would be.

use wasmr_core::limits::HOST_CHUNK;

use super::{End, Misuse, P2Ctx};
use crate::wait;

/// Largest number of bytes that one call returns. The host allocates them.
pub const MAX_RANDOM: u64 = 64 << 20;

/// `random#get-random-bytes`, and `insecure#get-insecure-random-bytes`.
///
/// # Errors
/// [`Misuse::TooLong`] for more than [`MAX_RANDOM`] bytes.
pub fn bytes(ctx: &mut P2Ctx, len: u64) -> Result<Vec<u8>, End> {
    if len > MAX_RANDOM {
        return Err(Misuse::TooLong { function: "get-random-bytes", len, limit: MAX_RANDOM }.into());
    }
    let mut bytes = vec![0; len as usize];
    fill(ctx, &mut bytes)?;
    Ok(bytes)
}

/// `random#get-random-u64`, and `insecure#get-insecure-random-u64`.
pub fn number(ctx: &mut P2Ctx) -> Result<u64, End> {
    let mut bytes = [0; 8];
    fill(ctx, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// `insecure-seed#insecure-seed`.
pub fn seed(ctx: &mut P2Ctx) -> Result<(u64, u64), End> {
    Ok((number(ctx)?, number(ctx)?))
}

/// Fills `bytes` piece after piece, so that an interrupt ends the call.
fn fill(ctx: &mut P2Ctx, bytes: &mut [u8]) -> Result<(), End> {
    for piece in bytes.chunks_mut(HOST_CHUNK) {
        wait::check(&ctx.wasi.waits)?;
        ctx.wasi.random.fill(piece).map_err(|errno| Misuse::Host { function: "get-random-bytes", errno })?;
    }
    Ok(())
}
