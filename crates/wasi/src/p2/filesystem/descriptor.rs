//! [`Descriptor`], and the operations on an open file or directory.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

use rustix::fs::Timestamps;
use wasmr_core::limits::MAX_HOST_TRANSFER;

use super::types::{Advice, DescriptorFlags, DescriptorStat, DescriptorType, MetadataHashValue, NewTimestamp};
use super::{ErrorCode, FileResult, report};
use crate::abi::{Filestat, fdflags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::fd_table::Object;
use crate::host::file;
use crate::host::io::{self, Room};
use crate::p2::input::{InputStream, MAX_READ, Source};
use crate::p2::io::{IoError, Origin};
use crate::p2::output::{OutputStream, Sink};
use crate::p2::table::{Bond, Borrow, Own};
use crate::p2::{End, P2Ctx};
use crate::rights;

/// A `descriptor`: a number of the context's descriptor table.
#[derive(Debug)]
pub struct Descriptor {
    fd: u32,
    /// False for a granted directory, which stays when the guest drops the resource.
    is_owned: bool,
}

impl Descriptor {
    /// Returns the descriptor of a file that the guest opened.
    pub(crate) fn owned(fd: u32) -> Descriptor {
        Descriptor { fd, is_owned: true }
    }

    /// Returns the number.
    pub(crate) fn fd(&self) -> u32 {
        self.fd
    }

    /// Closes the file, unless it is a granted directory.
    pub(crate) fn close(self, ctx: &mut WasiCtx) {
        if self.is_owned {
            // The number is this resource's alone, so it is open.
            let _ = ctx.fds.remove(self.fd);
        }
    }
}

/// `wasi:filesystem/preopens#get-directories`. Each call makes new resources of the same directories.
pub fn get_directories(ctx: &mut P2Ctx) -> Result<Vec<(Own<Descriptor>, String)>, End> {
    let mut all = Vec::new();
    for fd in 0..ctx.wasi.fds.end() {
        if let Ok(name) = file::preopen(&ctx.wasi, fd) {
            all.push((ctx.table.push(Descriptor { fd, is_owned: false })?, name.to_owned()));
        }
    }
    Ok(all)
}

/// Returns true if the file has no position, so that its streams read and write in the order of their calls.
fn is_stream(ctx: &WasiCtx, fd: u32, wanted: u64) -> Result<bool, Errno> {
    match io::positioned(ctx, fd, wanted, 0) {
        Ok(_) => Ok(false),
        Err(Errno::Spipe) => ctx.fds.get(fd)?.require(wanted).map(|()| true),
        Err(errno) => Err(errno),
    }
}

/// `[method]descriptor.read-via-stream`.
pub fn read_via_stream(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, offset: u64) -> FileResult<Own<InputStream>> {
    let fd = ctx.table.get(descriptor)?.fd;
    let source = match is_stream(&ctx.wasi, fd, rights::FD_READ) {
        Ok(true) => Source::Fd(fd),
        Ok(false) => Source::File { fd, offset },
        Err(errno) => return report(Err(errno)),
    };
    Ok(Ok(ctx.table.push_child(InputStream::new(source), descriptor, Bond::Keep)?))
}

/// `[method]descriptor.write-via-stream`.
pub fn write_via_stream(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, offset: u64) -> FileResult<Own<OutputStream>> {
    output(ctx, descriptor, |fd| Sink::File { fd, offset })
}

/// `[method]descriptor.append-via-stream`.
pub fn append_via_stream(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<Own<OutputStream>> {
    output(ctx, descriptor, |fd| Sink::Append { fd })
}

fn output(
    ctx: &mut P2Ctx,
    descriptor: Borrow<Descriptor>,
    sink: impl FnOnce(u32) -> Sink,
) -> FileResult<Own<OutputStream>> {
    let fd = ctx.table.get(descriptor)?.fd;
    let sink = match is_stream(&ctx.wasi, fd, rights::FD_WRITE) {
        Ok(true) => Sink::Fd(fd),
        Ok(false) => sink(fd),
        Err(errno) => return report(Err(errno)),
    };
    Ok(Ok(ctx.table.push_child(OutputStream::new(sink), descriptor, Bond::Keep)?))
}

/// `[method]descriptor.advise`.
pub fn advise(
    ctx: &mut P2Ctx,
    descriptor: Borrow<Descriptor>,
    offset: u64,
    length: u64,
    advice: Advice,
) -> FileResult<()> {
    use rustix::fs::Advice as Host;
    let advice = match advice {
        Advice::Normal => Host::Normal,
        Advice::Sequential => Host::Sequential,
        Advice::Random => Host::Random,
        Advice::WillNeed => Host::WillNeed,
        Advice::DontNeed => Host::DontNeed,
        Advice::NoReuse => Host::NoReuse,
    };
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::advise(&ctx.wasi, fd, offset, length, advice))
}

/// `[method]descriptor.sync-data`.
pub fn sync_data(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<()> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::sync(&ctx.wasi, fd, true))
}

/// `[method]descriptor.sync`.
pub fn sync(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<()> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::sync(&ctx.wasi, fd, false))
}

/// `[method]descriptor.get-flags`.
pub fn get_flags(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<DescriptorFlags> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(flags(&ctx.wasi, fd))
}

fn flags(ctx: &WasiCtx, fd: u32) -> Result<DescriptorFlags, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let rows = match &descriptor.object {
        Object::Directory(directory) if directory.read_only => return Ok(DescriptorFlags::READ),
        Object::Directory(_) => return Ok(DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY),
        Object::Virtual(_) => return Ok(DescriptorFlags::READ),
        _ => [
            (descriptor.rights_base & rights::FD_READ != 0, DescriptorFlags::READ),
            (descriptor.rights_base & rights::FD_WRITE != 0, DescriptorFlags::WRITE),
            (descriptor.flags & fdflags::SYNC != 0, DescriptorFlags::FILE_INTEGRITY_SYNC),
            (descriptor.flags & fdflags::DSYNC != 0, DescriptorFlags::DATA_INTEGRITY_SYNC),
            (descriptor.flags & fdflags::RSYNC != 0, DescriptorFlags::REQUESTED_WRITE_SYNC),
        ],
    };
    Ok(rows.into_iter().filter(|(set, _)| *set).fold(DescriptorFlags::empty(), |flags, (_, flag)| flags | flag))
}

/// `[method]descriptor.get-type`.
pub fn get_type(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<DescriptorType> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(ctx.wasi.fds.get(fd).map(|descriptor| descriptor.object.filetype().into()))
}

/// `[method]descriptor.set-size`.
pub fn set_size(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, size: u64) -> FileResult<()> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::set_size(&ctx.wasi, fd, size))
}

/// Returns two times as the host takes them.
pub(super) fn timestamps(access: NewTimestamp, modification: NewTimestamp) -> Result<Timestamps, Errno> {
    Ok(Timestamps { last_access: access.host()?, last_modification: modification.host()? })
}

/// `[method]descriptor.set-times`.
pub fn set_times(
    ctx: &mut P2Ctx,
    descriptor: Borrow<Descriptor>,
    data_access_timestamp: NewTimestamp,
    data_modification_timestamp: NewTimestamp,
) -> FileResult<()> {
    let fd = ctx.table.get(descriptor)?.fd;
    let times = timestamps(data_access_timestamp, data_modification_timestamp);
    report(times.and_then(|times| file::set_times(&ctx.wasi, fd, &times)))
}

/// `[method]descriptor.read`: reads at most [`MAX_READ`] bytes. The second value is true at the end of the file.
pub fn read(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, length: u64, offset: u64) -> FileResult<(Vec<u8>, bool)> {
    let fd = ctx.table.get(descriptor)?.fd;
    let mut room = Room::new(usize::try_from(length).unwrap_or(usize::MAX).min(MAX_READ));
    let read = io::read_at(&ctx.wasi, fd, offset, &mut room);
    report(read.map(|read| (room.into_bytes(), read == 0 && length > 0)))
}

/// `[method]descriptor.write`: writes at most [`MAX_HOST_TRANSFER`] bytes.
pub fn write(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, buffer: &[u8], offset: u64) -> FileResult<u64> {
    let fd = ctx.table.get(descriptor)?.fd;
    let buffer = &buffer[..buffer.len().min(MAX_HOST_TRANSFER)];
    let written = io::write_at(&mut ctx.wasi, fd, offset, &[std::io::IoSlice::new(buffer)]);
    report(written.map(|written| written as u64))
}

/// `[method]descriptor.stat`.
pub fn stat(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<DescriptorStat> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::stat(&ctx.wasi, fd).map(DescriptorStat::from))
}

/// `[method]descriptor.is-same-object`.
pub fn is_same_object(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>, other: Borrow<Descriptor>) -> Result<bool, End> {
    let identity = |descriptor: Borrow<Descriptor>| {
        let stat = file::stat(&ctx.wasi, ctx.table.get(descriptor)?.fd);
        Ok::<_, End>(stat.map(|stat| (stat.dev, stat.ino)))
    };
    let (one, two) = (identity(descriptor)?, identity(other)?);
    Ok(one.is_ok() && one == two)
}

/// `[method]descriptor.metadata-hash`.
pub fn metadata_hash(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<MetadataHashValue> {
    let fd = ctx.table.get(descriptor)?.fd;
    report(file::stat(&ctx.wasi, fd).map(|stat| hash(&stat)))
}

/// Returns the hash of a file's status, with a key of this process.
///
/// C libraries return `lower` as the inode number, and programs take a file with another number for another file. So only
/// `upper` changes with the file's contents.
pub(super) fn hash(stat: &Filestat) -> MetadataHashValue {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    let key = KEY.get_or_init(RandomState::new);
    let identity = (stat.dev, stat.ino);
    MetadataHashValue { lower: key.hash_one(identity), upper: key.hash_one((identity, stat.size, stat.mtim)) }
}

/// `filesystem-error-code`.
pub fn filesystem_error_code(ctx: &mut P2Ctx, err: Borrow<IoError>) -> Result<Option<ErrorCode>, End> {
    let error = ctx.table.get(err)?;
    Ok(match error.origin {
        Origin::File => Some(error.errno.into()),
        Origin::Network => None,
    })
}
