//! How far a Parquet file may unpack: what its footer and the headers of its pages claim, checked
//! before the reader believes them.
//!
//! The reader allocates what a page says of itself, and repeats a value of a dictionary in each row
//! that names it. A file of some KiB could so take all memory of a coordinator.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/>

use std::ops::Range;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

/// Bytes to which any part of a file may unpack.
const UNPACKED_BYTES_MIN: u64 = 64 << 20;
/// How many times its own length a larger part may unpack to: repeated texts of statistics reach
/// some fifty.
const UNPACKED_TIMES_MAX: u64 = 256;
/// Bytes that the rows of one batch may take by one column, if each holds all of a dictionary.
const BATCH_BYTES_MAX: u64 = 256 << 20;
const BATCH_ROWS_MIN: u64 = 16;
/// Bytes of most headers of pages, and by how much more are read of a longer one.
const HEADER_BYTES: u64 = 1024;
const HEADER_GROWTH: u64 = 64;
/// How deep the structures of a page's header may nest.
const DEPTH_MAX: u32 = 8;

/// Returns the bytes to which `length` bytes of a file may unpack.
pub(super) fn unpacked_max(length: u64) -> u64 {
    UNPACKED_BYTES_MIN.max(length.saturating_mul(UNPACKED_TIMES_MAX))
}

/// Checks that the columns which the footer names lie in a file of `size` bytes.
///
/// # Errors
/// The column that does not.
pub(super) fn check_footer(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    for group in metadata.row_groups() {
        if group.num_rows() < 0 {
            return Err(format!("a row group has {} rows", group.num_rows()));
        }
        for column in group.columns() {
            let data = column.data_page_offset();
            // Its length counts from the dictionary on, where there is one.
            let start = u64::try_from(column.dictionary_page_offset().unwrap_or(data)).ok();
            let length = u64::try_from(column.compressed_size()).ok();
            let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
            let is_inside = end.is_some_and(|end| end <= size)
                && u64::try_from(data).is_ok_and(|data| data <= size);
            if !is_inside || column.num_values() < 0 {
                let name = column.column_path().string();
                return Err(format!("the footer puts the column {name} outside the file"));
            }
        }
    }
    Ok(())
}

/// Checks the headers of the pages in these bytes of a file, one after another; of the pages
/// themselves none is read. Returns the rows of a batch by which these pages keep within bounds, at
/// most `rows`.
///
/// # Errors
/// A header that cannot be read, or pages that unpack too far.
pub(super) fn check(
    file: &impl ChunkReader,
    bytes: Range<u64>,
    rows: usize,
) -> Result<usize, String> {
    let length = bytes.end - bytes.start;
    let most = unpacked_max(length);
    let (mut at, mut unpacked, mut dictionary) = (bytes.start, 0_u64, 0_u64);
    while at < bytes.end {
        let (page, header_bytes) = page_at(file, at, bytes.end - at)?;
        unpacked = unpacked.saturating_add(page.unpacked);
        if unpacked > most {
            return Err(format!(
                "its pages unpack to {unpacked} bytes and more, and {length} bytes may to {most}"
            ));
        }
        if page.is_dictionary {
            dictionary = dictionary.max(page.unpacked);
        }
        let end = (at + header_bytes).checked_add(page.packed);
        at = end.filter(|end| *end <= bytes.end).ok_or("a page is longer than its column")?;
    }
    let fitting = (BATCH_BYTES_MAX / dictionary.max(1)).max(BATCH_ROWS_MIN);
    Ok(usize::try_from(fitting).map_or(rows, |fitting| fitting.min(rows)))
}

/// Reads the header of the page at `at`, of which the column has `left` bytes; and its length.
fn page_at(file: &impl ChunkReader, at: u64, left: u64) -> Result<(PageSizes, u64), String> {
    let mut length = HEADER_BYTES.min(left);
    loop {
        let bytes = usize::try_from(length).map_err(|_| "a column is too long".to_owned())?;
        let bytes = file.get_bytes(at, bytes).map_err(|error| error.to_string())?;
        let mut header = Header { rest: &bytes, depth: 0 };
        match header.page() {
            Some(page) => return Ok((page, length - header.rest.len() as u64)),
            None if length == left => return Err("the header of a page cannot be read".to_owned()),
            // The least and the greatest value of a page may be long.
            None => length = length.saturating_mul(HEADER_GROWTH).min(left),
        }
    }
}

/// What the header of a page tells.
struct PageSizes {
    is_dictionary: bool,
    unpacked: u64,
    packed: u64,
}

/// The number of a dictionary page among the types of pages.
const DICTIONARY_PAGE: i64 = 2;

/// A header in Thrift's compact protocol that is being read.
///
/// <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>
struct Header<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl Header<'_> {
    fn page(&mut self) -> Option<PageSizes> {
        let (mut kind, mut unpacked, mut packed) = (None, None, None);
        let mut id = 0;
        while let Some(field) = self.field(&mut id)? {
            match (id, field) {
                (1, 5) => kind = Some(self.integer()?),
                (2, 5) => unpacked = Some(self.integer()?),
                (3, 5) => packed = Some(self.integer()?),
                (_, field) => self.skip(field)?,
            }
        }
        Some(PageSizes {
            is_dictionary: kind? == DICTIONARY_PAGE,
            unpacked: u64::try_from(unpacked?).ok()?,
            packed: u64::try_from(packed?).ok()?,
        })
    }

    /// Reads the next field's number and type; the inner `None` is the end of the structure.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        match byte >> 4 {
            0 => *id = self.integer()?,
            more => *id = id.checked_add(i64::from(more))?,
        }
        Some(Some(byte & 0x0f))
    }

    fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            // A field's type is the value of a boolean.
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.take(length)
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = match byte >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                self.repeat(count, &[byte & 0x0f])
            }
            11 => match self.varint()? {
                0 => Some(()),
                count => {
                    let byte = self.byte()?;
                    self.repeat(count, &[byte >> 4, byte & 0x0f])
                }
            },
            12 => self.deeper(|header| {
                let mut id = 0;
                while let Some(field) = header.field(&mut id)? {
                    header.skip(field)?;
                }
                Some(())
            }),
            _ => None,
        }
    }

    /// Skips `count` times values of these types. Each takes a byte at the least, but a structure's
    /// fields that are booleans.
    fn repeat(&mut self, count: u64, kinds: &[u8]) -> Option<()> {
        if count > self.rest.len() as u64 {
            return None;
        }
        self.deeper(|header| {
            for _ in 0..count {
                for kind in kinds {
                    match kind {
                        1 | 2 => header.byte().map(drop)?,
                        kind => header.skip(*kind)?,
                    }
                }
            }
            Some(())
        })
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        let result = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        result
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn take(&mut self, length: usize) -> Option<()> {
        self.rest = self.rest.get(length..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests;
