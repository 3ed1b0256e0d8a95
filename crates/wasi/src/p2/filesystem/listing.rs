//! [`DirectoryEntryStream`]: the entries of a directory, one at a time.
//!
//! A stream holds a snapshot (`Listing`), so that a guest that deletes files meanwhile sees each of
//! the others once.

use super::types::DirectoryEntry;
use super::{Descriptor, ErrorCode, FileResult, report};
use crate::errno::Errno;
use crate::host::io;
use crate::listing::Listing;
use crate::p2::P2Ctx;
use crate::p2::table::{Borrow, Own};

/// Limit, in bytes of host memory, on the snapshots of all streams together. One stream alone may exceed it.
const STREAMS_BUDGET: usize = 16 << 20;

/// A `directory-entry-stream`.
#[derive(Debug)]
pub struct DirectoryEntryStream {
    listing: Listing,
    next: usize,
}

impl DirectoryEntryStream {
    /// Returns the size in host memory, in bytes, approximately.
    pub(crate) fn size(&self) -> usize {
        self.listing.size()
    }
}

/// `[method]descriptor.read-directory`.
pub fn read_directory(ctx: &mut P2Ctx, descriptor: Borrow<Descriptor>) -> FileResult<Own<DirectoryEntryStream>> {
    let fd = ctx.table.get(descriptor)?.fd();
    let listing = match io::list(&ctx.wasi, fd) {
        Ok(listing) => listing,
        Err(errno) => return report(Err(errno)),
    };
    let size = listing.size();
    if ctx.listings > 0 && ctx.listings.saturating_add(size) > STREAMS_BUDGET {
        return report(Err(Errno::Nomem));
    }
    // The first two entries are the directory itself and the one above.
    let stream = ctx.table.push(DirectoryEntryStream { listing, next: 2 })?;
    ctx.listings += size;
    Ok(Ok(stream))
}

/// `[method]directory-entry-stream.read-directory-entry`. A name that is not UTF-8 is an error, after which the next entry
/// follows.
pub fn read_directory_entry(
    ctx: &mut P2Ctx,
    stream: Borrow<DirectoryEntryStream>,
) -> FileResult<Option<DirectoryEntry>> {
    let stream = ctx.table.get_mut(stream)?;
    let Some((name, filetype)) = stream.listing.entry(stream.next) else { return Ok(Ok(None)) };
    stream.next += 1;
    Ok(match std::str::from_utf8(name) {
        Ok(name) => Ok(Some(DirectoryEntry { r#type: filetype.into(), name: name.to_owned() })),
        Err(_) => Err(ErrorCode::IllegalByteSequence),
    })
}
