//! Reads whole objects and ranges, and resumes an answer that was cut where it ended.
//!
//! All answers for one object show one entity tag and one length. A resumed read sends `If-Match`
//! where the tag is a strong one, and accepts only the range that it asked for.

use std::ops::Range;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, Retry};
use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore};

use super::counts::Counts;
use super::error::CopyError;
use super::etag::ETag;
use super::key::SourceObject;

/// The length of an object as the table's log tells it, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// The log tells it.
    Exact(u64),
    /// The log tells a lower bound.
    AtLeast(u64),
}

impl Length {
    pub(crate) fn least(self) -> u64 {
        let (Self::Exact(size) | Self::AtLeast(size)) = self;
        size
    }

    /// # Errors
    /// SOURCE_CHANGED when the object `key` cannot be the planned one.
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

/// The source's object as the first answer describes it: the others must show the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceState {
    /// The length of the whole object.
    pub(crate) size: u64,
    pub(crate) etag: Option<ETag>,
}

impl SourceState {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self { size: meta.size, etag: ETag::of(meta) }
    }
}

/// Bytes of an object, whole or a range.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) chunks: Vec<Bytes>,
    /// The digest of these bytes.
    pub(crate) digest: Digest,
    pub(crate) source: SourceState,
}

/// An empty digest; receipts hold its algorithm's.
pub(crate) fn new_digest() -> Digest {
    Digest::new(CrcAlgorithm::Crc64Nvme)
}

/// Which bytes to read.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// All, if there are no more than `most`.
    Whole {
        /// The length as it was planned.
        length: Length,
        /// Bytes that there is room for.
        most: u64,
    },
    /// A range of the object in this state.
    Part {
        /// The bytes to read.
        range: Range<u64>,
        /// The state that its first answer showed.
        of: SourceState,
    },
}

/// How a read ended.
#[derive(Clone, Debug)]
pub(crate) enum ReadOutcome {
    /// All wanted bytes were read.
    Read(Box<Piece>),
    /// The object is larger than the room: nothing of it was kept.
    Larger(SourceState),
}

/// Reads the bytes that `want` names.
///
/// # Errors
/// The source has no such object, has another one, or does not give it.
pub(crate) async fn read(
    store: &dyn ObjectStore,
    object: &SourceObject,
    want: &Want,
    counts: &Counts,
) -> Result<ReadOutcome, CopyError> {
    let key = &object.key;
    let mut piece = match want {
        Want::Whole { .. } => None,
        Want::Part { of, .. } => Some(empty_piece(of.clone())),
    };
    let mut retry = Retry::new(Patience::OBJECT);
    loop {
        match read_on(store, object, want, &mut piece, counts).await {
            Ok(None) => {
                let piece = piece.ok_or_else(|| CopyError::changed(key, "gave no answer"))?;
                return Ok(ReadOutcome::Read(Box::new(piece)));
            }
            Ok(Some(larger)) => return Ok(ReadOutcome::Larger(larger)),
            Err(Cut::Final(error)) => return Err(error),
            Err(Cut::Store(error)) => {
                let Some(pause) = retry.next(&error) else {
                    return Err(CopyError::source(key, &error));
                };
                // Without a tag nothing says that the rest is of the same object.
                if let (Some(known), Want::Whole { .. }) = (&piece, want)
                    && known.source.etag.is_none()
                {
                    piece = None;
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Why one request did not end the read.
enum Cut {
    Store(StoreError),
    Final(CopyError),
}

impl From<StoreError> for Cut {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<object_store::Error> for Cut {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error.into())
    }
}

fn empty_piece(source: SourceState) -> Piece {
    Piece { chunks: Vec::new(), digest: new_digest(), source }
}

/// Sends one request for what is still missing. Returns the object's state where it is larger than
/// the room.
async fn read_on(
    store: &dyn ObjectStore,
    object: &SourceObject,
    want: &Want,
    piece: &mut Option<Piece>,
    counts: &Counts,
) -> Result<Option<SourceState>, Cut> {
    let key = &object.key;
    let have = piece.as_ref().map_or(0, |piece| piece.digest.get_amount());
    let (wanted, options) = request(want, piece.as_ref(), have);
    counts.request();
    let answer = object.at.get(store, options).await?;
    let source = SourceState::of(&answer.meta);
    let wanted = wanted.unwrap_or(0..source.size);
    let known = match piece {
        Some(known) => {
            check_same(key, &known.source, &source)?;
            known
        }
        None => {
            if let Want::Whole { length, most } = want {
                length.check(key, source.size).map_err(Cut::Final)?;
                if source.size > *most {
                    return Ok(Some(source));
                }
            }
            piece.insert(empty_piece(source))
        }
    };
    if answer.range != wanted {
        let why = format!("answered bytes {:?} instead of {wanted:?}", answer.range);
        return Err(Cut::Final(CopyError::changed(key, &why)));
    }
    take(answer, known, counts).await?;
    let whole = match want {
        Want::Whole { .. } => known.source.size,
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
        (Want::Whole { .. }, Some(piece)) if have > 0 => Some(have..piece.source.size),
        (Want::Whole { .. }, _) => None,
    };
    let etag = piece.and_then(|piece| piece.source.etag.as_ref()).filter(|etag| etag.is_strong());
    let options = GetOptions {
        range: range.clone().map(GetRange::Bounded),
        if_match: etag.map(|etag| etag.as_str().to_owned()),
        ..GetOptions::default()
    };
    (range, options)
}

/// An answer's own tag is compared with the known one, whether or not it was asked to match.
fn check_same(key: &str, known: &SourceState, now: &SourceState) -> Result<(), Cut> {
    if now.size != known.size {
        let why = format!("has {} bytes now and had {} before", now.size, known.size);
        return Err(Cut::Final(CopyError::changed(key, &why)));
    }
    if now.etag != known.etag {
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
