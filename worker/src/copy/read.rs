//! Reads an object, or a range of one, piece by piece, and resumes an answer that was cut where it
//! ended.
//!
//! All answers for one object show one entity tag and one length. A resumed read sends `If-Match`
//! where the tag is a strong one, and accepts only the range that it asked for. Where the store
//! says the checksum of the whole object, the last piece is given only if the bytes have it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::requests::Wanted;
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::receipt::TaskFailureKind;
use deepclone_core::spec::Verification;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore};

use super::context::TaskContext;
use super::counts::Counts;
use super::digests::{Digests, StoreSays};
use super::error::CopyError;
use super::etag::ETag;
use super::key::SourceObject;
use super::length::Length;
use super::retry::ObjectRetry;
use crate::slots::lane::Lane;

/// Bytes that are read of a file at once.
const FILE_PIECE_BYTES: u64 = 1 << 20;
/// Bytes after which an answer that is cut counts as the first one again.
const PROGRESS_BYTES: u64 = 1 << 20;

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

/// What is known of an object before an answer for it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its length as it was planned.
    Planned(Length),
    /// The state that its first answer showed.
    State(SourceState),
}

impl Known {
    fn check(&self, key: &str, now: &SourceState) -> Result<(), CopyError> {
        match self {
            Self::Planned(length) => length.check(key, now.size),
            Self::State(known) => check_same(key, known, now),
        }
    }

    pub(crate) fn etag(&self) -> Option<&ETag> {
        match self {
            Self::Planned(_) => None,
            Self::State(known) => known.etag.as_ref(),
        }
    }
}

/// A read under way: its bytes come by [`Self::next`].
pub(crate) struct Reading {
    store: Arc<dyn ObjectStore>,
    object: SourceObject,
    source: SourceState,
    /// True for all of the object's bytes.
    is_whole: bool,
    /// Where it begins in the object.
    start: u64,
    /// What did not come yet.
    left: Range<u64>,
    /// The bytes before `left` once more, where they are wanted again.
    again: Option<Box<Reading>>,
    /// Of the bytes that came.
    digests: Digests,
    /// Of the whole object, where the store says it.
    stored: Option<StoredChecksum>,
    pieces: BoxStream<'static, Result<Bytes, StoreError>>,
    retry: ObjectRetry,
    /// Bytes that had come when an answer was cut last.
    cut_at: u64,
    counts: Arc<Counts>,
    lane: Lane,
}

impl Reading {
    /// Asks for an object, or a range of it, until the store answers.
    ///
    /// # Errors
    /// The source has no such object, has another one, or does not give it.
    pub(crate) async fn open(
        context: &TaskContext,
        object: &SourceObject,
        range: Option<Range<u64>>,
        known: &Known,
    ) -> Result<Self, CopyError> {
        let store = Arc::clone(&context.source.store);
        let (key, counts) = (&object.key, Arc::clone(&context.counts));
        let mut retry = ObjectRetry::new(&context.counts, Side::Source, StoreOperation::Get);
        let answer = loop {
            let mut options = request(range.clone(), known.etag());
            if range.is_none() && context.verification != Verification::Size {
                options.extensions.insert(Wanted::StoredChecksum);
            }
            counts.read_at(Side::Source);
            let error = match object.at.get(&*store, options).await {
                Ok(answer) => break answer,
                Err(error) => error,
            };
            let Some(pause) = retry.next(&error) else {
                return Err(CopyError::source(key, &error));
            };
            tokio::time::sleep(pause).await;
        };
        let source = SourceState::of(&answer.meta);
        known.check(key, &source)?;
        let is_whole = range.is_none();
        let left = range.unwrap_or(0..source.size);
        check_range(key, &answer, &left)?;
        let start = left.start;
        let stored = answer.extensions.get().copied().filter(|_| is_whole);
        Ok(Self {
            store,
            object: object.clone(),
            source,
            is_whole,
            start,
            left,
            again: None,
            digests: Digests::new(context.second_digest()),
            stored,
            pieces: pieces_of(answer),
            retry: ObjectRetry::new(&context.counts, Side::Source, StoreOperation::Get),
            cut_at: 0,
            counts,
            lane: context.lane.clone(),
        })
    }

    /// Where it counts what it does.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    pub(crate) fn source(&self) -> &SourceState {
        &self.source
    }

    /// Bytes that are to come.
    pub(crate) fn left(&self) -> u64 {
        self.again.as_ref().map_or(0, |again| again.left()) + self.left.end - self.left.start
    }

    /// Begins again with the first byte. What has not come yet is not asked for a second time.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn rewind(&mut self, context: &TaskContext) -> Result<(), CopyError> {
        let came = self.start..self.left.start;
        if came.is_empty() {
            return Ok(());
        }
        let known = Known::State(self.source.clone());
        if self.is_whole && self.source.etag.is_none() {
            // Nothing says that two answers are of the same object.
            *self = Self::open(context, &self.object, None, &known).await?;
            return Ok(());
        }
        let again = Self::open(context, &self.object, Some(came), &known);
        self.again = Some(Box::new(Box::pin(again).await?));
        Ok(())
    }

    /// The digests of the bytes that came.
    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The next bytes, never empty; `None` after the last ones.
    ///
    /// # Errors
    /// The source stopped to give the object, or has another one now.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, CopyError> {
        if let Some(again) = &mut self.again {
            if let Some(bytes) = Box::pin(again.next()).await? {
                return Ok(Some(bytes));
            }
            if again.digests.crc64nvme() != self.digests.crc64nvme() {
                return Err(CopyError::changed(&self.object.key, "was replaced while it was read"));
            }
            self.again = None;
        }
        while !self.left.is_empty() {
            let error = match self.pieces.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                Some(Ok(bytes)) => {
                    self.lane.flow(bytes.len()).await;
                    return self.take(bytes).map(Some);
                }
                Some(Err(error)) => error,
                None => {
                    let message = format!("the answer ended {} bytes early", self.left());
                    StoreError::new(StoreErrorKind::Transient, message)
                }
            };
            self.resume(error).await?;
        }
        Ok(None)
    }

    /// All bytes, in pieces. Their room is reserved by the caller.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn collect(mut self) -> Result<(Vec<Bytes>, Digests), CopyError> {
        let mut chunks = Vec::new();
        while let Some(bytes) = self.next().await? {
            chunks.push(bytes);
        }
        Ok((chunks, self.digests))
    }

    fn take(&mut self, bytes: Bytes) -> Result<Bytes, CopyError> {
        let key = &self.object.key;
        let length = bytes.len() as u64;
        if length > self.left.end - self.left.start {
            return Err(CopyError::changed(key, "gave more bytes than its length"));
        }
        self.left.start += length;
        self.counts.read(bytes.len());
        self.digests.update(&bytes);
        if self.left.is_empty() && self.digests.compare(self.stored) == StoreSays::Other {
            let message = format!("the bytes of {key} are not those that the source's store took");
            return Err(CopyError::new(TaskFailureKind::Corrupt, message));
        }
        Ok(bytes)
    }

    /// Asks for what is left.
    async fn resume(&mut self, mut error: StoreError) -> Result<(), CopyError> {
        let key = &self.object.key;
        let came = self.digests.size();
        if came - self.cut_at >= PROGRESS_BYTES {
            self.retry = ObjectRetry::new(&self.counts, Side::Source, StoreOperation::Get);
        }
        self.cut_at = came;
        loop {
            // Without a tag nothing says that the rest is of the same object.
            let can_go_on = came == 0 || !self.is_whole || self.source.etag.is_some();
            let pause = self.retry.next(&error).filter(|_| can_go_on);
            let Some(pause) = pause else { return Err(CopyError::source(key, &error)) };
            tokio::time::sleep(pause).await;
            self.counts.read_at(Side::Source);
            let options = request(Some(self.left.clone()), self.source.etag.as_ref());
            match self.object.at.get(&*self.store, options).await {
                Ok(answer) => {
                    check_same(key, &self.source, &SourceState::of(&answer.meta))?;
                    check_range(key, &answer, &self.left)?;
                    self.pieces = pieces_of(answer);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }
}

fn request(range: Option<Range<u64>>, etag: Option<&ETag>) -> GetOptions {
    GetOptions {
        range: range.map(GetRange::Bounded),
        if_match: etag.filter(|etag| etag.is_strong()).map(|etag| etag.as_str().to_owned()),
        ..GetOptions::default()
    }
}

fn check_range(key: &str, answer: &GetResult, wanted: &Range<u64>) -> Result<(), CopyError> {
    if answer.range == *wanted {
        return Ok(());
    }
    let why = format!("answered bytes {:?} instead of {wanted:?}", answer.range);
    Err(CopyError::changed(key, &why))
}

/// An answer's own tag is compared with the known one, whether or not it was asked to match.
fn check_same(key: &str, known: &SourceState, now: &SourceState) -> Result<(), CopyError> {
    if now.size != known.size {
        let why = format!("has {} bytes now and had {} before", now.size, known.size);
        return Err(CopyError::changed(key, &why));
    }
    if now.etag != known.etag {
        return Err(CopyError::changed(key, "was replaced while it was read"));
    }
    Ok(())
}

fn pieces_of(answer: GetResult) -> BoxStream<'static, Result<Bytes, StoreError>> {
    match answer.payload {
        GetResultPayload::File(file, _) => pieces_of_file(file, answer.range),
        GetResultPayload::Stream(pieces) => pieces.map_err(StoreError::from).boxed(),
    }
}

fn pieces_of_file(file: File, range: Range<u64>) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let pieces = stream::try_unfold((Arc::new(file), range), |(file, left)| async move {
        let opened = Arc::clone(&file);
        let wanted = usize::try_from((left.end - left.start).min(FILE_PIECE_BYTES));
        let (wanted, at) = (wanted.unwrap_or_default(), left.start);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; wanted];
            let count = opened.read_at(&mut bytes, at)?;
            bytes.truncate(count);
            Ok::<_, io::Error>(bytes)
        });
        let bytes = read.await.unwrap_or_else(|error| Err(error.into()))?;
        // Nothing more is wanted, or the file was cut short: the reader knows its length.
        if bytes.is_empty() {
            return Ok(None);
        }
        let left = at + bytes.len() as u64..left.end;
        Ok(Some((Bytes::from(bytes), (file, left))))
    });
    pieces.boxed()
}
