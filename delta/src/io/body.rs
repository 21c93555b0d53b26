//! The body of an object to write: in memory where it is small, else read from temporary files
//! while it is sent.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use deepclone_common::store::large::LargeBody;
use deepclone_common::store::streaming::{BodyCut, Flow};
use futures::stream::{self, StreamExt as _};
use object_store::PutPayload;

use super::compute::compute;
use crate::error::DeltaError;
use crate::spool::{Spool, lost};

/// Bytes of a piece that is read at once.
const PIECE_BYTES: u64 = 1 << 20;
/// Pieces that are read ahead.
const PIECES_AHEAD: usize = 2;

/// The bytes of an object, one spool after another.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    spools: Vec<Spool>,
}

/// A body as the source of what is sent, and why it could not be read.
pub(super) struct BodySource<'a> {
    body: &'a Body,
    unread: Unread,
}

type Unread = Arc<Mutex<Option<DeltaError>>>;

impl Body {
    pub(crate) fn new(spools: Vec<Spool>) -> Self {
        Self { spools }
    }

    /// The number of bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.spools.iter().map(Spool::bytes).sum()
    }

    /// True when all of it is in memory.
    pub(crate) fn is_held(&self) -> bool {
        self.spools.iter().all(Spool::is_held)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(crate) async fn payload(&self) -> Result<PutPayload, DeltaError> {
        let mut all = Vec::new();
        for (spool, start, length) in self.places(0..self.bytes()) {
            all.push(read(spool, start, length).await?);
        }
        Ok(all.into_iter().collect())
    }

    /// The pieces of a range: the spool of each, where it begins there, and its length.
    fn places(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = (Spool, u64, usize)> + Send + 'static {
        let mut before = 0;
        self.spools.clone().into_iter().flat_map(move |spool| {
            let (begin, bytes) = (before, spool.bytes());
            before += bytes;
            let from = range.start.saturating_sub(begin).min(bytes);
            let end = range.end.saturating_sub(begin).min(bytes).max(from);
            (0..(end - from).div_ceil(PIECE_BYTES)).map(move |piece| {
                let start = from + piece * PIECE_BYTES;
                // No more than a piece.
                let length = usize::try_from(PIECE_BYTES.min(end - start)).unwrap_or_default();
                (spool.clone(), start, length)
            })
        })
    }
}

impl<'a> BodySource<'a> {
    pub(super) fn new(body: &'a Body) -> Self {
        Self { body, unread: Arc::default() }
    }

    /// Reads all of it, as [`Body::payload`] does: for a put from memory.
    pub(super) async fn payload(&self) -> Result<PutPayload, DeltaError> {
        self.body.payload().await
    }

    /// Why it could not be read, if that was so.
    pub(super) fn unread(&self) -> Option<DeltaError> {
        reasons(&self.unread).take()
    }
}

#[async_trait]
impl LargeBody for BodySource<'_> {
    fn length(&self) -> u64 {
        self.body.bytes()
    }

    fn flow(&self, range: Range<u64>) -> Flow {
        let told = Arc::clone(&self.unread);
        let length = range.end.saturating_sub(range.start);
        let pieces = stream::iter(self.body.places(range))
            .map(|(spool, start, length)| read(spool, start, length))
            .buffered(PIECES_AHEAD)
            .map(move |read| read.map_err(|error| cut(&told, error)));
        Flow { length, pieces: pieces.boxed() }
    }

    async fn crc64nvme(&self, range: Range<u64>) -> Result<u64, BodyCut> {
        let places = self.body.places(range);
        let computed = compute(move || {
            let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
            for (spool, start, length) in places {
                let piece = spool.read(start, length).map_err(|error| lost("a body", &error))?;
                digest.update(&piece);
            }
            Ok(digest.finalize())
        });
        computed.await.map_err(|error| cut(&self.unread, error))
    }

    fn is_lost(&self) -> bool {
        reasons(&self.unread).is_some()
    }
}

/// Tells why a body cannot be read; the first reason is kept.
fn cut(told: &Unread, error: DeltaError) -> BodyCut {
    reasons(told).get_or_insert(error);
    BodyCut
}

fn reasons(of: &Unread) -> MutexGuard<'_, Option<DeltaError>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(spool: Spool, start: u64, length: usize) -> Result<Bytes, DeltaError> {
    let read = move || spool.read(start, length).map_err(|error| lost("a body", &error));
    compute(read).await.map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use deepclone_common::connections::{Connections, Side};
    use deepclone_common::local_folder::LocalFolder;
    use deepclone_common::store::counted::{StoreCounts, counted};
    use deepclone_common::store::error::StoreErrorKind;
    use deepclone_common::store::large::{LargeWrites, PutLimits, Writes};
    use deepclone_common::store::streaming::{Streaming, StreamingStore};
    use deepclone_common::store::table::TableStore;
    use deepclone_core::spec::TableRef;
    use futures::TryStreamExt as _;
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::super::{PutOutcome, ReadBound, get, put_body_if_absent};
    use super::*;

    /// A small spool and one that is in a file, and their bytes.
    fn body() -> (Body, Vec<u8>) {
        let bytes: Vec<u8> =
            (0..3_500_000_u32).flat_map(u32::to_le_bytes).take(3_500_000).collect();
        let spools = [&bytes[..10], &bytes[10..]].map(|part| {
            let mut spool = Spool::new();
            spool.append(part).unwrap();
            spool
        });
        assert_eq!(spools.each_ref().map(Spool::is_held), [true, false]);
        (Body::new(spools.to_vec()), bytes)
    }

    fn memory(large: bool) -> TableStore {
        let store = Arc::new(InMemory::new());
        let streaming = StreamingStore::new(store.clone(), store.clone(), Streaming::Collected);
        let large = large.then(|| LargeWrites::new(Writes::Store(streaming)));
        TableStore { store, root: Path::from("t"), uri: "memory:///t".to_owned(), large }
    }

    #[tokio::test]
    async fn a_large_body_is_written_whole_where_nothing_is() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = LocalFolder::root(scratch.path());
        let disk = TableStore {
            store: Arc::new(LocalFileSystem::new()),
            root: Path::from_absolute_path(scratch.path()).unwrap(),
            uri: "file:///t".to_owned(),
            large: Some(LargeWrites::new(Writes::Folder(folder))),
        };
        let limits = PutLimits { one_put_bytes_max: 2 << 20, part_bytes: 1 << 20 };
        let mut parts = memory(true);
        parts.large = parts.large.map(|large| large.within(limits));
        for (what, table, writes) in [
            ("disk", disk, 1),
            ("store", memory(true), 1),
            ("held", memory(false), 1),
            // An opening, four parts, a completion, and the look for what others left.
            ("parts", parts, 7),
        ] {
            let counts = Arc::new(StoreCounts::default());
            let table = counted(table, Arc::clone(&counts));
            let (body, bytes) = body();
            let put = put_body_if_absent(&table, "log/0", &body).await.unwrap();
            assert!(matches!(put, PutOutcome::Written(Some(_))), "{what}: {put:?}");
            assert_eq!(counts.writes(), writes, "{what}");
            let mut other = Spool::new();
            other.write_all(&vec![b'x'; 2 << 20]).unwrap();
            let put = put_body_if_absent(&table, "log/0", &Body::new(vec![other])).await.unwrap();
            let PutOutcome::Unsettled(error) = put else { panic!("{what}: {put:?}") };
            assert_eq!(error.kind, StoreErrorKind::AlreadyExists, "{what}");
            let there = get(&table, "log/0", ReadBound::LOG).await.unwrap().unwrap();
            assert!(there.bytes == bytes, "{what}: other bytes");
        }
    }

    #[tokio::test]
    async fn a_large_file_is_known_by_the_tag_that_listings_tell() {
        let scratch = tempfile::tempdir().unwrap();
        let uri = format!("file://{}/t", scratch.path().display());
        let wanted = TableRef { uri, connection: None };
        let connections = Connections::default()
            .with_ad_hoc(&[(&wanted, Side::Target)], &BTreeMap::new())
            .unwrap();
        let found = connections.resolve(&wanted, Side::Target).unwrap();
        let table = connections.open(&found).unwrap();
        let put = put_body_if_absent(&table, "log/0", &body().0).await.unwrap();
        let PutOutcome::Written(Some(tag)) = put else { panic!("{put:?}") };
        let listed: Vec<_> = table.store.list(Some(&table.root)).try_collect().await.unwrap();
        let tags: Vec<_> = listed.into_iter().filter_map(|meta| meta.e_tag).collect();
        assert_eq!(tags, [tag]);
    }

    #[tokio::test]
    async fn a_range_is_read_across_all_spools() {
        let (body, bytes) = body();
        let end = bytes.len();
        for range in [0..end, 0..3, 3..10, 3..17, 10..10, 10..11, 9..(2 << 20), 2_000_000..end] {
            let sent = BodySource::new(&body);
            let asked = range.start as u64..range.end as u64;
            let flow = sent.flow(asked.clone());
            assert_eq!(flow.length, range.len() as u64, "{range:?}");
            let pieces: Vec<Bytes> = flow.pieces.try_collect().await.unwrap();
            assert!(pieces.concat() == bytes[range.clone()], "{range:?}: other bytes");
            let wanted =
                crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes[range.clone()]);
            assert_eq!(sent.crc64nvme(asked).await, Ok(wanted), "{range:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_cannot_be_read_is_no_fault_of_the_store() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(5).unwrap();
        let body = Body::new(vec![Spool::of(file, 2 << 20)]);
        let table = memory(true);
        let error = put_body_if_absent(&table, "log/0", &body).await.unwrap_err().to_string();
        assert!(error.contains("the temporary file of a body cannot be read"), "{error}");
        assert!(get(&table, "log/0", ReadBound::LOG).await.unwrap().is_none());
    }
}
