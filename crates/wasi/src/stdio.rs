//! Sources and destinations of a guest's standard streams.
//!
//! In: the embedder's choice, [`Stdin`] or [`Stdout`]. Out: an object for the descriptor table. `Input` and [`OutputBuffer`]
//! are streams within this process, for embedders and tests.
//!
//! All three streams are *closed* by default: the guest's calls on them fail with `BADF`. The number of a stream that the
//! embedder left closed is never assigned, so that no file that the guest opens becomes its standard output.

use std::io::{IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::errno::Errno;

/// A guest's standard input.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// No stream; every use is `BADF`.
    #[default]
    Closed,
    /// The stream of this process.
    Inherit,
    /// The bytes, then end of file.
    Bytes(Vec<u8>),
}

/// A guest's standard output or standard error.
#[derive(Clone, Debug, Default)]
pub enum Stdout {
    /// No stream; every use is `BADF`.
    #[default]
    Closed,
    /// The stream of this process.
    Inherit,
    /// Accepts all bytes and drops them.
    Discard,
    /// Keeps the bytes for the embedder to read.
    Buffer(OutputBuffer),
}

/// Bytes of an in-process standard input, and the position in them.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    position: usize,
}

impl Input {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Input { bytes, position: 0 }
    }

    /// Fills `buffers` with the next bytes. Returns their number, 0 at the end.
    pub(crate) fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> usize {
        let before = self.position;
        for buffer in buffers {
            let taken = buffer.len().min(self.left());
            buffer[..taken].copy_from_slice(&self.bytes[self.position..self.position + taken]);
            self.position += taken;
        }
        self.position - before
    }

    /// Returns the number of bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }
}

/// Bytes that a guest wrote, up to a limit. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct OutputBuffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl OutputBuffer {
    /// Returns an empty buffer for `limit` bytes. Writing more fails with `NOSPC` in the guest.
    pub fn new(limit: usize) -> Self {
        OutputBuffer { bytes: Arc::default(), limit }
    }

    /// Returns a copy of the bytes written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes and returns the bytes written so far. The limit counts from 0 again.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends the bytes that fit. Returns their number.
    ///
    /// # Errors
    /// `NOSPC` if none fits.
    pub(crate) fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = bytes.len();
        for buffer in buffers {
            let room = self.limit.saturating_sub(bytes.len());
            bytes.extend_from_slice(&buffer[..buffer.len().min(room)]);
        }
        let written = bytes.len() - before;
        let wanted = buffers.iter().any(|buffer| !buffer.is_empty());
        if written == 0 && wanted { Err(Errno::Nospc) } else { Ok(written) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, OutputBuffer};
    use crate::errno::Errno;
    use std::io::{IoSlice, IoSliceMut};

    #[test]
    fn input_ends() {
        let mut input = Input::new(b"abc".to_vec());
        let (mut one, mut two) = ([0; 2], [0; 2]);
        assert_eq!(input.read(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]), 3);
        assert_eq!((one, two), (*b"ab", *b"c\0"));
        assert_eq!(input.read(&mut [IoSliceMut::new(&mut one)]), 0);
    }

    #[test]
    fn output_is_limited() {
        let output = OutputBuffer::new(4);
        assert_eq!(output.write(&[IoSlice::new(b"abc"), IoSlice::new(b"def")]), Ok(4));
        assert_eq!(output.write(&[IoSlice::new(b"x")]), Err(Errno::Nospc));
        assert_eq!(output.write(&[]), Ok(0));
        assert_eq!(output.take(), b"abcd");
        assert_eq!(output.write(&[IoSlice::new(b"x")]), Ok(1));
    }
}
