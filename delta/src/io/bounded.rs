//! Reads the body of an object up to a bound: its length, and that of its lines.

use bytes::{Bytes, BytesMut};
use deepclone_core::limits::{LOG_FILE_BYTES_MAX, LOG_LINE_BYTES_MAX, SMALL_FILE_BYTES_MAX};
use futures::TryStreamExt;
use object_store::{Error, GetResult, GetResultPayload};

use crate::spool::Spool;

/// What an object may be that is read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBound {
    bytes_max: u64,
    line_bytes_max: u64,
}

impl ReadBound {
    /// A file of the log, or of ours, that grows with the table.
    pub const LOG: Self = Self { bytes_max: LOG_FILE_BYTES_MAX, line_bytes_max: u64::MAX };
    /// A commit, whose lines are bounded, too.
    pub const COMMIT: Self = Self { line_bytes_max: LOG_LINE_BYTES_MAX, ..Self::LOG };
    /// A hint, or figures of one version.
    pub const SMALL: Self = Self { bytes_max: SMALL_FILE_BYTES_MAX, line_bytes_max: u64::MAX };

    fn excess(self, bytes: u64) -> Option<String> {
        let most = self.bytes_max;
        (bytes > most)
            .then(|| format!("it has {bytes} bytes and more, and at most {most} are read"))
    }
}

/// Reads the whole body; the inner error is what lies beyond the bound.
pub(super) async fn collect(
    result: GetResult,
    bound: ReadBound,
) -> Result<Result<Bytes, String>, Error> {
    let size = result.meta.size;
    if let Some(problem) = bound.excess(size) {
        return Ok(Err(problem));
    }
    if matches!(result.payload, GetResultPayload::File(..)) && size <= bound.line_bytes_max {
        return result.bytes().await.map(Ok);
    }
    let mut stream = result.into_stream();
    let (mut whole, mut line) = (Bytes::new(), 0_u64);
    let mut joined = BytesMut::new();
    while let Some(part) = stream.try_next().await? {
        line = match part.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => (part.len() - at - 1) as u64,
            None => line + part.len() as u64,
        };
        if line > bound.line_bytes_max {
            let most = bound.line_bytes_max;
            return Ok(Err(format!("a line of it has more than {most} bytes")));
        }
        let read = (whole.len() + joined.len() + part.len()) as u64;
        if let Some(problem) = bound.excess(read) {
            return Ok(Err(problem));
        }
        // Most objects come in one part, which is not copied.
        if whole.is_empty() && joined.is_empty() {
            whole = part;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut whole));
        joined.extend_from_slice(&part);
    }
    Ok(Ok(if joined.is_empty() { whole } else { joined.freeze() }))
}

/// Fetches the whole body into a file; the inner error is why that cannot be.
pub(super) async fn spool(
    result: GetResult,
    bound: ReadBound,
) -> Result<Result<Spool, String>, Error> {
    if let Some(problem) = bound.excess(result.meta.size) {
        return Ok(Err(problem));
    }
    if let GetResultPayload::File(file, _) = result.payload {
        return Ok(Ok(Spool::of(file, result.meta.size)));
    }
    let mut stream = result.into_stream();
    let full = |error: std::io::Error| format!("it cannot be kept in a temporary file: {error}");
    let mut spool = Spool::new();
    while let Some(part) = stream.try_next().await? {
        if let Some(problem) = bound.excess(spool.bytes() + part.len() as u64) {
            return Ok(Err(problem));
        }
        if let Err(error) = spool.append(&part) {
            return Ok(Err(full(error)));
        }
    }
    Ok(Ok(spool))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use futures::StreamExt;
    use futures::stream;
    use object_store::{ObjectMeta, path::Path};

    use super::*;

    /// An answer that says `size` and sends parts of these lengths, the last byte of each marked
    /// true being a line end; and how many parts were taken.
    async fn read(size: u64, parts: &[(usize, bool)], bound: ReadBound) -> (Option<usize>, usize) {
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&taken);
        let parts: Vec<_> = parts.to_vec();
        let body = stream::iter(parts).map(move |(length, is_ended)| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let mut part = vec![b'x'; length];
            if let Some(last) = part.last_mut().filter(|_| is_ended) {
                *last = b'\n';
            }
            Ok(part.into())
        });
        let location = Path::from("x");
        let last_modified = chrono::DateTime::UNIX_EPOCH;
        let meta = ObjectMeta { location, last_modified, size, e_tag: None, version: None };
        let range: Range<u64> = 0..size;
        let payload = GetResultPayload::Stream(body.boxed());
        let (attributes, extensions) = Default::default();
        let result = GetResult { payload, meta, range, attributes, extensions };
        let found = collect(result, bound).await.unwrap();
        let found = found.map_err(|problem| assert!(!problem.contains('\n'), "{problem}"));
        (found.ok().map(|bytes| bytes.len()), taken.load(std::sync::atomic::Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bounds_and_no_further() {
        let bound = ReadBound { bytes_max: 100, line_bytes_max: 30 };
        for (size, parts, found, taken) in [
            (0, &[][..], Some(0), 0),
            (20, &[(20, false)], Some(20), 1),
            (60, &[(30, true), (30, true)], Some(60), 2),
            (100, &[(30, true), (30, false), (40, true)], Some(100), 3),
            // More than the bound: not one part is asked for.
            (101, &[(101, true)], None, 0),
            (1 << 40, &[(30, true)], None, 0),
            // A line that goes on, and a body longer than it says.
            (90, &[(20, false), (20, false), (50, true)], None, 2),
            (20, &[(30, true), (30, true), (30, true), (30, true), (30, true)], None, 4),
        ] {
            assert_eq!(read(size, parts, bound).await, (found, taken), "{size} {parts:?}");
        }
        // A commit of one line of 1 GiB is given up after 64 MiB of it.
        let parts = vec![(1 << 20, false); 1 << 10];
        assert_eq!(read(1 << 30, &parts, ReadBound::COMMIT).await, (None, 65));
    }
}
