//! Operations on a path below a directory.

use super::descriptor::{hash, timestamps};
use super::types::{DescriptorFlags, DescriptorStat, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags};
use super::{Descriptor, FileResult, report};
use crate::abi::{Filestat, fdflags};
use crate::errno::Errno;
use crate::exit::Fail;
use crate::host::{open, path};
use crate::p2::table::{Borrow, Own};
use crate::p2::{End, P2Ctx};
use crate::rights;
use crate::sandbox::{OpenHow, check_path};

/// Returns the number of a directory, and its path as bytes, for an operation.
fn below<'p>(ctx: &P2Ctx, directory: Borrow<Descriptor>, path: &'p str) -> Result<Result<(u32, &'p [u8]), Errno>, End> {
    let fd = ctx.table.get(directory)?.fd();
    // The kind of the descriptor is checked before the path, as on the host.
    let checked = ctx.wasi.fds.directory(fd, 0).and_then(|_| check_path(path.as_bytes()));
    Ok(checked.map(|()| (fd, path.as_bytes())))
}

/// `[method]descriptor.create-directory-at`.
pub fn create_directory_at(ctx: &mut P2Ctx, directory: Borrow<Descriptor>, path: String) -> FileResult<()> {
    let place = below(ctx, directory, &path)?;
    report(place.and_then(|(fd, path)| path::create_directory(&ctx.wasi, fd, path)))
}

fn status(
    ctx: &P2Ctx,
    directory: Borrow<Descriptor>,
    flags: PathFlags,
    path: &str,
) -> Result<Result<Filestat, Errno>, End> {
    let follow = flags.contains(PathFlags::SYMLINK_FOLLOW);
    let place = below(ctx, directory, path)?;
    Ok(place.and_then(|(fd, path)| path::stat(&ctx.wasi, fd, path, follow)))
}

/// `[method]descriptor.stat-at`.
pub fn stat_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    path_flags: PathFlags,
    path: String,
) -> FileResult<DescriptorStat> {
    report(status(ctx, directory, path_flags, &path)?.map(DescriptorStat::from))
}

/// `[method]descriptor.metadata-hash-at`.
pub fn metadata_hash_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    path_flags: PathFlags,
    path: String,
) -> FileResult<MetadataHashValue> {
    report(status(ctx, directory, path_flags, &path)?.map(|stat| hash(&stat)))
}

/// `[method]descriptor.set-times-at`.
pub fn set_times_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    path_flags: PathFlags,
    path: String,
    data_access_timestamp: NewTimestamp,
    data_modification_timestamp: NewTimestamp,
) -> FileResult<()> {
    let follow = path_flags.contains(PathFlags::SYMLINK_FOLLOW);
    let place = below(ctx, directory, &path)?;
    report(place.and_then(|(fd, path)| {
        let times = timestamps(data_access_timestamp, data_modification_timestamp)?;
        path::set_times(&ctx.wasi, fd, path, follow, &times)
    }))
}

/// `[method]descriptor.link-at`.
pub fn link_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    old_path_flags: PathFlags,
    old_path: String,
    new_descriptor: Borrow<Descriptor>,
    new_path: String,
) -> FileResult<()> {
    let (old, new) = (below(ctx, directory, &old_path)?, below(ctx, new_descriptor, &new_path)?);
    report(old.and_then(|(old_fd, old_path)| {
        let (new_fd, new_path) = new?;
        // No host call follows a link and stays within a directory.
        if old_path_flags.contains(PathFlags::SYMLINK_FOLLOW) {
            return Err(Errno::Inval);
        }
        path::link(&ctx.wasi, old_fd, old_path, new_fd, new_path)
    }))
}

/// `[method]descriptor.open-at`.
pub fn open_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    path_flags: PathFlags,
    path: String,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> FileResult<Own<Descriptor>> {
    let place = below(ctx, directory, &path)?;
    let opened = place.map_err(Fail::from).and_then(|(fd, path)| {
        let synchronised = [
            (DescriptorFlags::FILE_INTEGRITY_SYNC, fdflags::SYNC),
            (DescriptorFlags::DATA_INTEGRITY_SYNC, fdflags::DSYNC),
            (DescriptorFlags::REQUESTED_WRITE_SYNC, fdflags::RSYNC),
        ];
        let how = OpenHow {
            follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
            create: open_flags.contains(OpenFlags::CREATE),
            directory: open_flags.contains(OpenFlags::DIRECTORY),
            exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
            truncate: open_flags.contains(OpenFlags::TRUNCATE),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
            flags: synchronised.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, bit)| bit).sum(),
        };
        // Rights that a guest could revoke do not exist in this interface; only the access counts.
        let access = [(how.read, rights::FD_READ), (how.write, rights::FD_WRITE)];
        let refused: u64 = access.into_iter().filter(|(wanted, _)| !wanted).map(|(_, right)| right).sum();
        open::open(&mut ctx.wasi, fd, path, how, (rights::ALL & !refused, rights::ALL))
    });
    match report(opened)? {
        Ok(fd) => match ctx.table.push(Descriptor::owned(fd)) {
            Ok(descriptor) => Ok(Ok(descriptor)),
            Err(error) => {
                Descriptor::owned(fd).close(&mut ctx.wasi);
                Err(error.into())
            }
        },
        Err(code) => Ok(Err(code)),
    }
}

/// `[method]descriptor.readlink-at`. A target that is not UTF-8 is `illegal-byte-sequence`.
pub fn readlink_at(ctx: &mut P2Ctx, directory: Borrow<Descriptor>, path: String) -> FileResult<String> {
    let place = below(ctx, directory, &path)?;
    report(
        place.and_then(|(fd, path)| String::from_utf8(path::read_link(&ctx.wasi, fd, path)?).map_err(|_| Errno::Ilseq)),
    )
}

/// `[method]descriptor.remove-directory-at`.
pub fn remove_directory_at(ctx: &mut P2Ctx, directory: Borrow<Descriptor>, path: String) -> FileResult<()> {
    let place = below(ctx, directory, &path)?;
    report(place.and_then(|(fd, path)| path::remove_directory(&ctx.wasi, fd, path)))
}

/// `[method]descriptor.rename-at`.
pub fn rename_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    old_path: String,
    new_descriptor: Borrow<Descriptor>,
    new_path: String,
) -> FileResult<()> {
    let (old, new) = (below(ctx, directory, &old_path)?, below(ctx, new_descriptor, &new_path)?);
    report(old.and_then(|(old_fd, old_path)| {
        let (new_fd, new_path) = new?;
        path::rename(&ctx.wasi, old_fd, old_path, new_fd, new_path)
    }))
}

/// `[method]descriptor.symlink-at`: makes a link at `new_path` with the target `old_path`.
pub fn symlink_at(
    ctx: &mut P2Ctx,
    directory: Borrow<Descriptor>,
    old_path: String,
    new_path: String,
) -> FileResult<()> {
    let place = below(ctx, directory, &new_path)?;
    report(place.and_then(|(fd, new_path)| {
        check_path(old_path.as_bytes())?;
        path::symlink(&ctx.wasi, old_path.as_bytes(), fd, new_path)
    }))
}

/// `[method]descriptor.unlink-file-at`.
pub fn unlink_file_at(ctx: &mut P2Ctx, directory: Borrow<Descriptor>, path: String) -> FileResult<()> {
    let place = below(ctx, directory, &path)?;
    report(place.and_then(|(fd, path)| path::unlink_file(&ctx.wasi, fd, path)))
}
