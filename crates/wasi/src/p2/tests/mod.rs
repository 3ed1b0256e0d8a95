//! Rules of the interfaces of WASI 0.2, each in a test, on the functions themselves.

mod files;
mod official_wit;
mod paths;
mod poll;
mod sockets;
mod streams;

use std::path::Path;

use super::P2Ctx;
use super::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use super::filesystem::{Descriptor, ErrorCode, paths as at};
use super::table::{Borrow, Own};
use crate::ctx::{WasiCtx, WasiCtxBuilder};

const NO_FLAGS: PathFlags = PathFlags::empty();
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;

fn built(builder: &mut WasiCtxBuilder) -> P2Ctx {
    P2Ctx::new(builder.build().unwrap())
}

fn host_dir(path: &Path) -> cap_std::fs::Dir {
    cap_std::fs::Dir::from_std_file(std::fs::File::open(path).unwrap())
}

/// Returns a context with one granted directory, and its descriptor.
fn in_dir(path: &Path, read_only: bool) -> (P2Ctx, Borrow<Descriptor>) {
    let mut ctx = built(WasiCtx::builder().dir(host_dir(path), "/", read_only));
    let mut all = super::filesystem::descriptor::get_directories(&mut ctx).unwrap();
    assert_eq!(all.len(), 1);
    let (root, name) = all.remove(0);
    assert_eq!(name, "/");
    (ctx, root.borrow())
}

fn open(
    ctx: &mut P2Ctx,
    root: Borrow<Descriptor>,
    path: &str,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Result<Own<Descriptor>, ErrorCode> {
    at::open_at(ctx, root, FOLLOW, path.into(), open_flags, flags).unwrap()
}
