//! Bytes that are read at places and leave nothing behind: what may be too much for memory.
//!
//! A few stay in memory; more go to a file without a name, so that it is gone with the process. The
//! folder for such files is that of the system (`TMPDIR`).

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::error::DeltaError;

/// Bytes that stay in memory: so the plans of thousands of small tables need no open file each.
const HELD_BYTES_MAX: u64 = 1 << 20;
/// Bytes that a reader of consecutive bytes asks for at once.
const READ_BYTES: usize = 64 << 10;

/// Bytes that are read at places, and may grow at their end.
#[derive(Clone)]
pub struct Spool {
    place: SpoolPlace,
    bytes: u64,
}

#[derive(Clone)]
enum SpoolPlace {
    Held(Arc<Vec<u8>>),
    File(Arc<File>),
}

impl Spool {
    /// In memory, and empty until something is appended.
    #[must_use]
    pub fn new() -> Self {
        Self { place: SpoolPlace::Held(Arc::default()), bytes: 0 }
    }

    /// Takes a file of `bytes` bytes that is there already.
    pub(crate) fn of(file: File, bytes: u64) -> Self {
        Self { place: SpoolPlace::File(Arc::new(file)), bytes }
    }

    /// The number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes behind what was written.
    ///
    /// # Errors
    /// The folder for temporary files cannot be written, or its disk is full.
    pub(crate) fn append(&mut self, more: &[u8]) -> io::Result<()> {
        let bytes = self.bytes + more.len() as u64;
        if let SpoolPlace::Held(held) = &self.place
            && bytes > HELD_BYTES_MAX
        {
            let file = tempfile::tempfile()?;
            (&file).write_all(held)?;
            self.place = SpoolPlace::File(Arc::new(file));
        }
        match &mut self.place {
            SpoolPlace::Held(held) => Arc::make_mut(held).extend_from_slice(more),
            SpoolPlace::File(file) => (&**file).write_all(more)?,
        }
        self.bytes = bytes;
        Ok(())
    }

    /// As [`Self::append`], and keeps all in memory where no file can be written.
    ///
    /// # Errors
    /// What was written cannot be read.
    pub fn append_anywhere(&mut self, more: &[u8]) -> io::Result<()> {
        let Err(error) = self.append(more) else { return Ok(()) };
        tracing::warn!(%error, "no temporary file can be written: see the disk that TMPDIR names");
        let length = usize::try_from(self.bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut held = self.read(0, length)?;
        held.extend_from_slice(more);
        *self = Self { bytes: held.len() as u64, place: SpoolPlace::Held(Arc::new(held)) };
        Ok(())
    }

    /// True while the bytes are in memory.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.place, SpoolPlace::Held(_))
    }

    /// Reads the bytes from `start` on.
    ///
    /// # Errors
    /// There are fewer, or the disk fails.
    pub fn read(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self.read_at(start, &mut bytes)? {
            count if count == length => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Reads into all of `bytes`, or up to the end; returns how many.
    fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(start)).unwrap_or(usize::MAX);
        let length = bytes.len().min(left);
        let wanted = &mut bytes[..length];
        match &self.place {
            SpoolPlace::File(file) => file.read_exact_at(wanted, start)?,
            SpoolPlace::Held(held) => {
                // No more than is held.
                let from = usize::try_from(start).unwrap_or(usize::MAX).min(held.len());
                wanted.copy_from_slice(&held[from..from + length]);
            }
        }
        Ok(length)
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self::new()
    }
}

impl io::Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append_anywhere(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says that the temporary file of `what` cannot be read.
#[must_use]
pub fn lost(what: &str, error: &dyn fmt::Display) -> DeltaError {
    let message = format!(
        "the temporary file of {what} cannot be read: {error}: see the disk that TMPDIR names"
    );
    Failure::new(Reason::Internal, message).into()
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("bytes", &self.bytes).finish_non_exhaustive()
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
        let reader = SpoolReader { spool: self.clone(), at: start };
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
pub struct SpoolReader {
    spool: Spool,
    at: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.spool.read_at(self.at, bytes)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_at_any_place() {
        let held = usize::try_from(HELD_BYTES_MAX).unwrap();
        for (first, is_held) in [(vec![b'x'; 3], true), (vec![b'x'; held], false)] {
            let start = first.len() as u64;
            let mut spool = Spool::new();
            spool.append(&first).unwrap();
            let before = spool.clone();
            spool.append(b"one ").unwrap();
            spool.append(b"two").unwrap();
            assert_eq!(matches!(spool.place, SpoolPlace::Held(_)), is_held);
            assert_eq!((spool.bytes(), before.bytes()), (start + 7, start));
            assert_eq!(spool.read(start + 2, 4).unwrap(), b"e tw");
            let text =
                |from: u64| io::read_to_string(spool.get_read(start + from).unwrap()).unwrap();
            assert_eq!([0, 4, 7, 9].map(text), ["one two", "two", "", ""]);
            assert_eq!(spool.read(0, first.len()).unwrap(), first);
            assert_eq!(&*spool.get_bytes(start + 4, 3).unwrap(), b"two");
            for (from, length) in [(start + 5, 3), (start + 8, 0), (u64::MAX, 1)] {
                assert!(spool.get_bytes(from, length).is_err(), "{from} {length}");
            }
            assert!(spool.read(start + 6, 2).is_err());
        }
    }

    #[test]
    fn what_no_file_takes_stays_in_memory() {
        let scratch = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(scratch.path(), b"one ").unwrap();
        // Opened to be read alone: the disk takes no more.
        let mut spool = Spool::of(File::open(scratch.path()).unwrap(), 4);
        assert!(spool.append(b"two").is_err());
        spool.write_all(b"two").unwrap();
        assert!(spool.is_held());
        assert_eq!(spool.read(0, 7).unwrap(), b"one two");
    }
}
