//! Where a guest's standard streams lead.
//!
//! In: the embedder's choice. Out: an object for the descriptor table. [`Stdin`] and [`Stdout`] are what the builder takes;
//! `Input` and [`OutputBuffer`] are streams that live in this process, for embedders and tests.
//!
//! Nothing is inherited unless the embedder says so: the default of all three streams is *closed*, which the guest sees as
//! `BADF`. The number of a closed stream stays taken, so that no file the guest opens can become its standard output.

use std::io::{IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::errno::Errno;

/// A guest's standard input.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// None; using it is `BADF`.
    #[default]
    Closed,
    /// This process's own.
    Inherit,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
}

/// A guest's standard output or standard error.
#[derive(Clone, Debug, Default)]
pub enum Stdout {
    /// None; using it is `BADF`.
    #[default]
    Closed,
    /// This process's own.
    Inherit,
    /// Accepts everything and keeps nothing.
    Discard,
    /// Kept for the embedder to read.
    Buffer(OutputBuffer),
}

/// Bytes that a guest reads once.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    position: usize,
}

impl Input {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Input { bytes, position: 0 }
    }

    /// Fills `buffers` from what is left; 0 at the end.
    pub(crate) fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> usize {
        let before = self.position;
        for buffer in buffers {
            let taken = buffer.len().min(self.left());
            buffer[..taken].copy_from_slice(&self.bytes[self.position..self.position + taken]);
            self.position += taken;
        }
        self.position - before
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }
}

/// What a guest wrote, up to a limit. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct OutputBuffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl OutputBuffer {
    /// An empty buffer that takes `limit` bytes; what exceeds it is `NOSPC` to the guest.
    pub fn new(limit: usize) -> Self {
        OutputBuffer { bytes: Arc::default(), limit }
    }

    /// A copy of what has been written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what has been written so far; the limit counts anew.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends what fits; `NOSPC` if nothing does.
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
