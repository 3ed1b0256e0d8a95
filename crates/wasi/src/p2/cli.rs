//! `wasi:cli/environment` and `wasi:cli/exit`. Standard streams are in [`super::streams`].
//!
//! Strings of the interface are Unicode. Bytes of an argument or a variable that are not UTF-8 become U+FFFD.

use super::{End, P2Ctx};

/// `environment#get-environment`.
pub fn get_environment(ctx: &mut P2Ctx) -> Result<Vec<(String, String)>, End> {
    let pairs = ctx.wasi.env.iter().map(|variable| {
        // The builder made each from a name without `=` and a value.
        let at = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
        (text(&variable[..at]), text(variable.get(at + 1..).unwrap_or_default()))
    });
    Ok(pairs.collect())
}

/// `environment#get-arguments`.
pub fn get_arguments(ctx: &mut P2Ctx) -> Result<Vec<String>, End> {
    Ok(ctx.wasi.args.iter().map(text).collect())
}

/// `environment#initial-cwd`: none, so that programs start at `/` as those of Preview 1 do.
pub fn initial_cwd(_ctx: &mut P2Ctx) -> Result<Option<String>, End> {
    Ok(None)
}

/// `exit#exit`: ends the program with code 0 or 1.
pub fn exit(_ctx: &mut P2Ctx, status: Result<(), ()>) -> Result<(), End> {
    Err(End::Exit(status.is_err().into()))
}

/// `exit#exit-with-code`: ends the program.
pub fn exit_with_code(_ctx: &mut P2Ctx, status_code: u8) -> Result<(), End> {
    Err(End::Exit(status_code.into()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
