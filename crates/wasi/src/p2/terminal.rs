//! `wasi:cli/terminal-*`: the terminals behind the standard streams. The resources have no functions yet; a guest learns from
//! them that a stream is a terminal.

use rustix::termios::isatty;

use super::table::Own;
use super::{End, P2Ctx};
use crate::fd_table::{Kind, Object};

/// The input side of a terminal.
#[derive(Debug)]
pub struct TerminalInput;

/// The output side of a terminal.
#[derive(Debug)]
pub struct TerminalOutput;

/// `wasi:cli/terminal-stdin#get-terminal-stdin`.
pub fn stdin(ctx: &mut P2Ctx) -> Result<Option<Own<TerminalInput>>, End> {
    Ok(if is_terminal(ctx, 0) { Some(ctx.table.push(TerminalInput)?) } else { None })
}

/// `wasi:cli/terminal-stdout#get-terminal-stdout`.
pub fn stdout(ctx: &mut P2Ctx) -> Result<Option<Own<TerminalOutput>>, End> {
    Ok(if is_terminal(ctx, 1) { Some(ctx.table.push(TerminalOutput)?) } else { None })
}

/// `wasi:cli/terminal-stderr#get-terminal-stderr`.
pub fn stderr(ctx: &mut P2Ctx) -> Result<Option<Own<TerminalOutput>>, End> {
    Ok(if is_terminal(ctx, 2) { Some(ctx.table.push(TerminalOutput)?) } else { None })
}

fn is_terminal(ctx: &P2Ctx, fd: u32) -> bool {
    match ctx.wasi.fds.get(fd).map(|descriptor| &descriptor.object) {
        Ok(Object::Host(file)) => file.kind == Kind::Terminal && isatty(&file.fd),
        _ => false,
    }
}
