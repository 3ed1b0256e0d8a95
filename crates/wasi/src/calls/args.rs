//! `args_*`: the program's arguments, and the copying of string lists, which `environ_*` uses too.

use crate::ctx::{Strings, WasiCtx};
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::{MemoryFault, Pointer};

/// [`args_get`]: writes one pointer per argument to `argv` and the strings to `argv_buf`.
///
/// [`args_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#args_get
pub(crate) fn args_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    argv: Pointer,
    argv_buf: Pointer,
) -> Result<(), MemoryFault> {
    copy(&ctx.args, mem, argv, argv_buf)
}

/// [`args_sizes_get`]: writes the number of arguments and the number of their bytes.
///
/// [`args_sizes_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#args_sizes_get
pub(crate) fn args_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    argc: Pointer,
    argv_buf_size: Pointer,
) -> Result<(), MemoryFault> {
    sizes(&ctx.args, mem, argc, argv_buf_size)
}

/// Copies a list of strings into the guest.
pub(crate) fn copy(
    strings: &Strings,
    mem: &mut GuestMemory<'_>,
    pointers: Pointer,
    buf: Pointer,
) -> Result<(), MemoryFault> {
    mem.check(pointers, strings.starts.len() as u32, layout::U32)?;
    mem.write(buf, &strings.bytes)?;
    let addresses: Vec<u8> = strings.starts.iter().flat_map(|start| (buf.address + start).to_le_bytes()).collect();
    mem.write(pointers, &addresses)
}

/// Writes the number of strings and the number of their bytes.
pub(crate) fn sizes(
    strings: &Strings,
    mem: &mut GuestMemory<'_>,
    count: Pointer,
    bytes: Pointer,
) -> Result<(), MemoryFault> {
    mem.write_u32(count, strings.starts.len() as u32)?;
    mem.write_u32(bytes, strings.bytes.len() as u32)
}
