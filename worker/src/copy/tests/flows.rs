//! Writes that take some of a flow and fail: what is read again.

use std::sync::OnceLock;

use deepclone_common::store::streaming::Flow;
use futures::StreamExt;
use object_store::local::LocalFileSystem;

use super::*;
use crate::copy::error::CopyError;
use crate::copy::flow::{FirstWrite, Source};
use crate::copy::key::SourceObject;
use crate::copy::length::Length;
use crate::copy::read::{Known, Reading};

const MIB: usize = 1 << 20;

/// A source on a disk, whose bytes come by the mebibyte.
fn case_from_disk(body: &[u8]) -> (Case, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object");
    std::fs::write(&file, body).unwrap();
    let root = Path::from_absolute_path(folder.path()).unwrap();
    let store = Arc::new(LocalFileSystem::new());
    let mut case = case(&[], &[]);
    case.context.source = TableStore { store, root, uri: "file:t".to_owned(), large: None };
    (case, file, folder)
}

/// Tells how long it was there.
struct Told(Arc<OnceLock<Duration>>, Instant);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(self.1.elapsed()).unwrap();
    }
}

async fn source(case: &Case, range: Option<std::ops::Range<u64>>, length: usize) -> Source {
    let object = SourceObject::new(&case.context.source, "object").unwrap();
    let known = Known::Planned(Length::Exact(length as u64));
    Source::new(Reading::open(&case.context, &object, range, &known).await.unwrap())
}

#[tokio::test]
async fn a_write_that_fails_costs_the_bytes_that_it_took() {
    let body = bytes_of(5 * MIB + 3);
    for (range, taken) in [(0, 0), (0, 2), (0, 5), (MIB, 1), (MIB, 3)] {
        let (case, _, _folder) = case_from_disk(&body);
        let wanted = body.slice(range..);
        let ranged = (range > 0).then(|| range as u64..body.len() as u64);
        let source = source(&case, ranged, body.len()).await;
        // Two writes fail after some pieces, the third one takes everything.
        for attempt in 0..2 {
            let flow = source.flow(&case.context).await.unwrap();
            assert_eq!(flow.length, wanted.len() as u64, "{range} {taken} {attempt}");
            let pieces: Vec<_> = flow.pieces.take(taken).collect().await;
            assert_eq!(pieces.len(), taken);
            assert_eq!(case.context.counts.bytes_done(), (taken * MIB) as u64, "they flow");
            assert!(source.ended().await.unwrap().is_none(), "{range} {taken} {attempt}");
        }
        let flow = source.flow(&case.context).await.unwrap();
        let pieces: Vec<_> = flow.pieces.map(Result::unwrap).collect().await;
        assert!(pieces.concat() == wanted, "{range} {taken}: other bytes");
        let digest = source.ended().await.unwrap().expect("all bytes were taken");
        assert_eq!(
            digest.crc64nvme(),
            crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &wanted)
        );
        assert_eq!(case.context.counts.bytes_done(), 0, "whoever writes them counts them now");
        let read = case.context.counts.bytes_read.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(read, (wanted.len() + 2 * taken * MIB) as u64, "{range} {taken}");
    }
}

#[tokio::test]
async fn two_states_of_an_object_are_never_mixed() {
    let body = bytes_of(5 * MIB);
    let (case, file, _folder) = case_from_disk(&body);
    let source = source(&case, None, body.len()).await;
    let flow = source.flow(&case.context).await.unwrap();
    assert_eq!(flow.pieces.take(2).count().await, 2);
    std::fs::write(&file, vec![7; body.len()]).unwrap();
    let error = source.flow(&case.context).await.map(drop).unwrap_err();
    assert_eq!(error.kind, TaskFailureKind::SourceChanged, "{error}");
}

/// Opens the read of `body` after `wait`, and beside it a write that ends by `write`.
async fn opened<T, F: Future<Output = T>>(
    (case, body): (&Case, &Bytes),
    wait: Duration,
    write: impl FnOnce(Flow) -> F,
) -> Result<FirstWrite<T>, CopyError> {
    let object = SourceObject::new(&case.context.source, "object").unwrap();
    let known = Known::Planned(Length::Exact(body.len() as u64));
    let opening = async {
        tokio::time::sleep(wait).await;
        Reading::open(&case.context, &object, None, &known).await
    };
    Source::open_beside(&case.context, body.len() as u64, opening, write).await
}

async fn all_of(flow: Flow) -> Vec<u8> {
    flow.pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat()
}

#[tokio::test(start_paused = true)]
async fn a_write_begins_beside_the_read() {
    let body = bytes_of(3 * MIB + 3);
    let (case, _, _folder) = case_from_disk(&body);
    let second = Duration::from_secs(1);
    // The source answers after a second; the write is there at once, and gets all bytes.
    let begun = Instant::now();
    let write = async |flow| (begun.elapsed(), all_of(flow).await);
    let read = opened((&case, &body), second, write).await.unwrap();
    let (began, written) = read.written.expect("the source answered in time");
    assert!(began < second, "{began:?}");
    assert!(written == body, "other bytes");
    assert_eq!(read.source.size, body.len() as u64);
    assert_eq!(read.from.ended().await.unwrap().map(|digests| digests.size()), Some(3_145_731));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_before_the_source_answers_costs_no_byte() {
    let body = bytes_of(3 * MIB + 3);
    let (case, _, _folder) = case_from_disk(&body);
    let read = opened((&case, &body), Duration::from_secs(1), async |_| "refused").await.unwrap();
    assert_eq!(read.written, Some("refused"));
    assert!(read.from.ended().await.unwrap().is_none(), "no byte was written");
    assert!(all_of(read.from.flow(&case.context).await.unwrap()).await == body);
    let read = case.context.counts.bytes_read.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(read, body.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_write_does_not_wait_long_for_the_source() {
    let body = bytes_of(3 * MIB + 3);
    let (case, _, _folder) = case_from_disk(&body);
    let (begun, minute) = (Instant::now(), Duration::from_secs(60));
    let ended = Arc::new(OnceLock::new());
    let kept = Arc::clone(&ended);
    let write = async move |flow| {
        let _told = Told(kept, begun);
        all_of(flow).await
    };
    let read = opened((&case, &body), minute, write).await.unwrap();
    assert_eq!(read.written, None);
    assert!(*ended.get().unwrap() < minute / 10, "{ended:?}");
    assert!(all_of(read.from.flow(&case.context).await.unwrap()).await == body);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_ends_the_write_beside_it() {
    let body = bytes_of(3 * MIB);
    for wait in [1, 60].map(Duration::from_secs) {
        let (case, file, _folder) = case_from_disk(&body);
        std::fs::write(&file, b"another length").unwrap();
        let pieces = async |flow: Flow| flow.pieces.collect::<Vec<_>>().await.len();
        let error = opened((&case, &body), wait, pieces).await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, TaskFailureKind::SourceChanged, "{error}");
    }
}

#[tokio::test]
async fn the_metrics_show_a_copy_while_it_runs() {
    let body = bytes_of(4 * MIB);
    let (case, _, _folder) = case_from_disk(&body);
    let metrics = &case.context.counts.metrics;
    let shown = || (metrics.bytes_read.get(), metrics.bytes_flowing.get(), metrics.requests.get());
    assert_eq!(shown(), (0, 0, 0));
    let source = source(&case, None, body.len()).await;
    let mut flow = source.flow(&case.context).await.unwrap();
    for taken in 1..=2 {
        flow.pieces.next().await.unwrap().unwrap();
        let bytes = taken * MIB as u64;
        assert_eq!(shown(), (bytes, bytes.cast_signed(), 1), "they grow with each piece");
    }
    // A copy that is given up has nothing under way any more.
    drop(flow);
    drop(source);
    assert_eq!(shown(), (2 * MIB as u64, 0, 1));
    assert_eq!(metrics.bytes_written.get(), 0);
    case.context.counts.wrote(MIB as u64);
    assert_eq!(metrics.bytes_written.get(), MIB as u64);
}
