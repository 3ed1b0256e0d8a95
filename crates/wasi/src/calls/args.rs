//! `args_*`: the program's arguments, and the copying of string lists that `environ_*` shares.

use crate::ctx::{Strings, WasiCtx};
use crate::errno::Errno;
use crate::memory::GuestMemory;

/// `args_get(argv, argv_buf)`: writes one pointer per argument to `argv` and the strings to `argv_buf`.
pub(crate) fn args_get(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, argv: u32, argv_buf: u32) -> Result<(), Errno> {
    copy(&ctx.args, mem, argv, argv_buf)
}

/// `args_sizes_get(argc, argv_buf_size)`: writes how many arguments there are and how many bytes they take.
pub(crate) fn args_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    argc: u32,
    argv_buf_size: u32,
) -> Result<(), Errno> {
    sizes(&ctx.args, mem, argc, argv_buf_size)
}

/// Copies a list of strings into the guest.
pub(crate) fn copy(strings: &Strings, mem: &mut GuestMemory<'_>, pointers: u32, buf: u32) -> Result<(), Errno> {
    mem.write(buf, &strings.bytes)?;
    let slots = mem.slice_mut(pointers, strings.starts.len() as u32 * 4)?;
    for (slot, start) in slots.chunks_exact_mut(4).zip(&strings.starts) {
        slot.copy_from_slice(&(buf + start).to_le_bytes());
    }
    Ok(())
}

/// Writes the number of strings and of their bytes.
pub(crate) fn sizes(strings: &Strings, mem: &mut GuestMemory<'_>, count: u32, bytes: u32) -> Result<(), Errno> {
    mem.write_u32(count, strings.starts.len() as u32)?;
    mem.write_u32(bytes, strings.bytes.len() as u32)
}
