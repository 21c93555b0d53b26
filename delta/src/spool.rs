//! A file that is read at places and leaves nothing behind: what is too much to be kept in memory.
//!
//! It has no name, or is one that is only read, so that it is gone with the process. The folder for
//! such files is that of the system (`TMPDIR`).

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that a reader of consecutive bytes asks for at once.
const READ_BYTES: usize = 64 << 10;

/// A file that is read at places, and may grow at its end.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    bytes: u64,
}

impl Spool {
    /// Makes an empty one.
    ///
    /// # Errors
    /// The folder for temporary files cannot be written.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { file: Arc::new(tempfile::tempfile()?), bytes: 0 })
    }

    /// Takes a file of `bytes` bytes that is there already.
    pub(crate) fn of(file: File, bytes: u64) -> Self {
        Self { file: Arc::new(file), bytes }
    }

    /// Its length in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes behind what was written.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub(crate) fn append(&mut self, more: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(more)?;
        self.bytes += more.len() as u64;
        Ok(())
    }

    /// Reads the bytes from `start` on.
    ///
    /// # Errors
    /// There are fewer, or the disk fails.
    pub(crate) fn read(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

impl Length for Spool {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Spool {
    type T = BufReader<SpoolReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let reader = SpoolReader { file: Arc::clone(&self.file), at: start };
        Ok(BufReader::with_capacity(READ_BYTES, reader))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let is_inside = start.checked_add(length as u64).is_some_and(|end| end <= self.bytes);
        if !is_inside {
            return Err(ParquetError::EOF("a part of it lies behind its end".to_owned()));
        }
        Ok(self.read(start, length)?.into())
    }
}

/// Reads a spool from a place on.
pub(crate) struct SpoolReader {
    file: Arc<File>,
    at: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_at_any_place() {
        let mut spool = Spool::new().unwrap();
        spool.append(b"one ").unwrap();
        spool.append(b"two").unwrap();
        assert_eq!((spool.bytes(), spool.read(2, 4).unwrap().as_slice()), (7, &b"e tw"[..]));
        let readers: Vec<_> = [0, 4, 7].map(|start| spool.get_read(start).unwrap()).into();
        let texts: Vec<String> =
            readers.into_iter().map(|r| io::read_to_string(r).unwrap()).collect();
        assert_eq!(texts, ["one two", "two", ""]);
        assert_eq!(&*spool.get_bytes(4, 3).unwrap(), b"two");
        for (start, length) in [(5, 3), (8, 0), (u64::MAX, 1)] {
            assert!(spool.get_bytes(start, length).is_err(), "{start} {length}");
        }
        assert!(spool.read(6, 2).is_err());
    }
}
