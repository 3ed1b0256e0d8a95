//! Opening a FIFO: the wait for its other end, as in [POSIX open].
//!
//! In: a FIFO that [`crate::sandbox`] opened without waiting. Out: the same FIFO, after another process has opened its other
//! end.
//!
//! # Why does the host's `open` not wait?
//! Only a signal could end that wait. Both functions here try repeatedly, at most 16 ms apart, and sleep in `poll(2)`
//! meanwhile. A writer that wrote, or that opened and closed the FIFO, wakes a waiting reader at once. A writer that has not
//! written, or that opened the FIFO before the reader did, causes no such event. The next try finds it if it still has the
//! FIFO open.
//!
//! [POSIX open]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/open.html

use std::fs::File;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno as HostErrno;
use rustix::path::DecInt;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};
use rustix_linux_procfs::proc_self_fd;

use crate::errno::Errno;
use crate::exit::Fail;
use crate::wait::{Pauses, Waits, Watched};

/// Waits until the FIFO `reader`, open for reading, has had a writer.
pub(crate) fn until_written(waits: &Waits, reader: BorrowedFd<'_>) -> Result<(), Fail> {
    // With a writer that has not written, a read reports "would block" instead of the end. Nothing else shows that there is a
    // writer. `tee(2)` returns the same results as a read and consumes no byte.
    let (_copy, copier) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(Errno::from)?;
    let mut pauses = Pauses::default();
    loop {
        match tee(reader, &copier, 1, SpliceFlags::NONBLOCK) {
            Ok(0) | Err(HostErrno::INTR) => {}
            Ok(_) | Err(HostErrno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut fds = [Watched::new(reader, PollFlags::IN)];
        pauses.pause(waits, &mut fds)?;
        if !fds[0].seen.is_empty() {
            return Ok(());
        }
    }
}

/// Waits until a process reads the FIFO that `named` refers to without access (`O_PATH`), and opens it for writing.
///
/// The open goes through `/proc/self/fd`, so that it reaches the same file even if another file has taken over its path.
///
/// # Errors
/// `NXIO` if the host has no `/proc`.
pub(crate) fn open_when_read(waits: &Waits, named: &File, extra: OFlags) -> Result<File, Fail> {
    let descriptors = proc_self_fd().map_err(|_| Errno::Nxio)?;
    let how = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | extra;
    let mut pauses = Pauses::default();
    loop {
        match openat(descriptors, DecInt::from_fd(named), how, Mode::empty()) {
            Ok(writer) => {
                let (opened, wanted) = (fstat(&writer)?, fstat(named)?);
                let same = (opened.st_dev, opened.st_ino) == (wanted.st_dev, wanted.st_ino);
                return if same { Ok(writer.into()) } else { Err(Errno::Nxio.into()) };
            }
            Err(HostErrno::NXIO) => pauses.pause(waits, &mut [])?,
            Err(error) => return Err(error.into()),
        }
    }
}
