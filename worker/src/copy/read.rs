//! Reading: whole objects and ranges, with a cut answer resumed where it ended.
//!
//! All answers for one object show one entity tag and one length; a resumed read says `If-Match`
//! where the tag is a strong one, and takes nothing but the range that it asked for.

use std::ops::Range;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, Retry};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore};

use super::Counts;
use super::error::CopyError;

/// What is known of an object before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// Exactly this.
    Exact(u64),
    /// At least this.
    AtLeast(u64),
}

impl Length {
    /// # Errors
    /// OBJECT_CHANGED when the object `key` cannot be the planned one.
    pub(crate) fn check(self, key: &str, size: u64) -> Result<(), CopyError> {
        let (is_planned, planned) = match self {
            Self::Exact(planned) => (size == planned, format!("{planned}")),
            Self::AtLeast(least) => (size >= least, format!("at least {least}")),
        };
        if is_planned {
            return Ok(());
        }
        let why = format!("has {size} bytes, and the table's log says {planned}");
        Err(CopyError::changed(key, &why))
    }
}

/// Bytes of an object, with what the store says of the whole.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) digest: Digest,
    /// Empty where the store has none.
    pub(crate) etag: String,
    /// The object's whole length.
    pub(crate) size: u64,
}

/// The digest of an object's bytes.
pub(crate) fn new_digest() -> Digest {
    Digest::new(CrcAlgorithm::Crc64Nvme)
}

/// Which bytes to read.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// All, if there are no more than `most`.
    Whole {
        /// The planned length.
        length: Length,
        /// The most bytes that there is room for.
        most: u64,
    },
    /// A range of the object with this tag and length.
    Part {
        /// The range.
        range: Range<u64>,
        /// The tag seen first; empty: none known.
        etag: String,
        /// The object's length.
        size: u64,
    },
}

/// What a read ended in.
#[derive(Clone, Debug)]
pub(crate) enum ReadOutcome {
    /// The bytes.
    Read(Box<Piece>),
    /// There are more bytes than room: nothing of them was kept.
    Larger {
        /// The object's length.
        size: u64,
        /// Its tag.
        etag: String,
    },
}

/// Reads what `want` says of the source's object.
pub(crate) async fn read(
    store: &dyn ObjectStore,
    path: &Path,
    key: &str,
    want: &Want,
    counts: &Counts,
) -> Result<ReadOutcome, CopyError> {
    let mut piece = match want {
        Want::Whole { .. } => None,
        Want::Part { etag, size, .. } => Some(empty_piece(etag.clone(), *size)),
    };
    let mut retry = Retry::new(Patience::OBJECT);
    loop {
        match read_on(store, path, key, want, &mut piece, counts).await {
            Ok(None) => {
                let piece = piece.ok_or_else(|| CopyError::changed(key, "gave no answer"))?;
                return Ok(ReadOutcome::Read(Box::new(piece)));
            }
            Ok(Some(larger)) => return Ok(larger),
            Err(Cut::Final(error)) => return Err(error),
            Err(Cut::Store(error)) => {
                let Some(pause) = retry.next(&error) else {
                    return Err(CopyError::source(key, &error));
                };
                // Without a tag nothing says that the rest is of the same object.
                if let (Some(known), Want::Whole { .. }) = (&piece, want)
                    && known.etag.is_empty()
                {
                    piece = None;
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

enum Cut {
    Store(StoreError),
    Final(CopyError),
}

impl From<object_store::Error> for Cut {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error.into())
    }
}

fn empty_piece(etag: String, size: u64) -> Piece {
    Piece { chunks: Vec::new(), digest: new_digest(), etag, size }
}

/// One request for what is still missing.
async fn read_on(
    store: &dyn ObjectStore,
    path: &Path,
    key: &str,
    want: &Want,
    piece: &mut Option<Piece>,
    counts: &Counts,
) -> Result<Option<ReadOutcome>, Cut> {
    let have = piece.as_ref().map_or(0, |piece| piece.digest.get_amount());
    let (wanted, options) = request(want, piece.as_ref(), have);
    counts.request();
    let answer = store.get_opts(path, options).await?;
    let etag = answer.meta.e_tag.clone().unwrap_or_default();
    let size = answer.meta.size;
    let known = match piece {
        Some(known) => {
            check_same(key, known, &etag, size)?;
            known
        }
        None => {
            if let Want::Whole { length, most } = want {
                length.check(key, size).map_err(Cut::Final)?;
                if size > *most {
                    return Ok(Some(ReadOutcome::Larger { size, etag }));
                }
            }
            piece.insert(empty_piece(etag, size))
        }
    };
    let wanted = wanted.unwrap_or(0..size);
    if answer.range != wanted {
        let why = format!("answered bytes {:?} instead of {wanted:?}", answer.range);
        return Err(Cut::Final(CopyError::changed(key, &why)));
    }
    take(answer, known, counts).await?;
    let whole = match want {
        Want::Whole { .. } => known.size,
        Want::Part { range, .. } => range.end - range.start,
    };
    match known.digest.get_amount().cmp(&whole) {
        std::cmp::Ordering::Equal => Ok(None),
        std::cmp::Ordering::Less => {
            let message = format!("{} of {whole} bytes came", known.digest.get_amount());
            Err(Cut::Store(StoreError::new(StoreErrorKind::Transient, message)))
        }
        std::cmp::Ordering::Greater => {
            Err(Cut::Final(CopyError::changed(key, "gave more bytes than its length")))
        }
    }
}

fn request(want: &Want, piece: Option<&Piece>, have: u64) -> (Option<Range<u64>>, GetOptions) {
    let range = match (want, piece) {
        (Want::Part { range, .. }, _) => Some(range.start + have..range.end),
        (Want::Whole { .. }, Some(piece)) if have > 0 => Some(have..piece.size),
        (Want::Whole { .. }, _) => None,
    };
    let etag = piece.map(|piece| piece.etag.clone()).filter(|etag| is_strong(etag));
    let options = GetOptions {
        range: range.clone().map(GetRange::Bounded),
        if_match: etag,
        ..GetOptions::default()
    };
    (range, options)
}

/// `If-Match` compares strongly: a weak tag never matches there, and some stores say so with 412.
/// An answer's own tag is compared with the known one all the same.
fn is_strong(etag: &str) -> bool {
    !etag.is_empty() && !etag.starts_with("W/")
}

fn check_same(key: &str, known: &Piece, etag: &str, size: u64) -> Result<(), Cut> {
    if size != known.size {
        let why = format!("has {size} bytes now and had {} before", known.size);
        return Err(Cut::Final(CopyError::changed(key, &why)));
    }
    if etag != known.etag {
        return Err(Cut::Final(CopyError::changed(key, "was replaced while it was read")));
    }
    Ok(())
}

async fn take(answer: GetResult, piece: &mut Piece, counts: &Counts) -> Result<(), Cut> {
    if matches!(answer.payload, GetResultPayload::File(..)) {
        // As a stream, files come in small pieces, each through the blocking pool.
        let bytes = answer.bytes().await?;
        counts.read(bytes.len());
        piece.digest.update(&bytes);
        piece.chunks.push(bytes);
        return Ok(());
    }
    let mut stream = answer.into_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        counts.read(bytes.len());
        piece.digest.update(&bytes);
        piece.chunks.push(bytes);
    }
    Ok(())
}
