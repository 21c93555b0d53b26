//! The copy engine over memory and disk, with a store between that breaks on order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deepclone_common::connections::{Opened, Writes};
use deepclone_common::local_folder::LocalFolder;
use deepclone_common::store::retry::Patience;
use deepclone_common::store::streaming::{Streaming, StreamingStore};
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::Prior;
use deepclone_core::ids::Attempt;
use deepclone_core::limits::{SLOTS_MAX, WHOLE_OBJECT_BYTES_MAX};
use deepclone_core::machine::TaskOutcome;
use deepclone_core::receipt::{Proof, Receipt, TaskFailureKind};
use deepclone_core::spec::Verification;
use deepclone_core::task::ObjectCopy;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::faulty::Fault;
pub(super) use self::faulty::Faulty;
use super::context::TaskContext;
use super::counts::Counts;
use super::target::Target;
use super::task::copy_task;
use crate::budget::Budget;
use crate::lease::LeaseClock;
use crate::metrics::WorkerMetrics;
use crate::options::WorkerLimits;
use crate::slots::lane::Lane;

mod bandwidth;
mod by_store;
pub(super) mod faulty;
mod flows;
mod parts;
mod proofs;
mod requests;
mod shared;
mod tags;

fn table(store: &Arc<Faulty>) -> TableStore {
    let store = Arc::clone(store) as Arc<dyn ObjectStore>;
    TableStore { store, root: Path::from("lake/t"), uri: "memory:t".to_owned(), large: None }
}

pub(super) struct Case {
    pub(super) source: Arc<Faulty>,
    pub(super) target: Arc<Faulty>,
    pub(super) context: TaskContext,
}

fn lane(memory_bytes: u64) -> Lane {
    let limits = WorkerLimits::of(memory_bytes, SLOTS_MAX, None);
    Lane::new(Budget::new(&limits), Arc::default())
}

pub(super) const KEY: &str = "p=1/a%20b.parquet";
/// The bucket that a store copies from by itself.
const BUCKET: &str = "lake";

pub(super) fn at() -> Path {
    Path::parse(format!("lake/t/{KEY}")).unwrap()
}

pub(super) type Faults<'a> = &'a [(&'static str, u32, Fault)];

pub(super) fn case(source: Faults<'_>, target: Faults<'_>) -> Case {
    let (source, target) = (Faulty::new(source), Faulty::new(target));
    let lane = lane(256 << 20);
    let counts = Arc::new(Counts::new(lane.meter(), WorkerMetrics::default()));
    let (objects, uploads) = (Arc::clone(&target), Arc::clone(&target));
    let streaming = StreamingStore::new(objects, uploads, Streaming::Collected);
    let opened = Opened { table: table(&target), writes: Writes::Store(streaming) };
    let context = TaskContext {
        source: table(&source),
        target: Target::new(opened, Arc::clone(&counts)),
        one_store: None,
        attempt: Attempt(1),
        verification: Verification::Digest,
        lane,
        lease: Arc::new(LeaseClock::new(Instant::now(), Duration::from_secs(3600))),
        stop: CancellationToken::new(),
        counts,
        begun: Arc::default(),
        leftovers: Arc::default(),
    };
    Case { source, target, context }
}

/// A case whose target is a folder of this machine.
pub(super) fn case_on_disk() -> (Case, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::from_absolute_path(folder.path()).unwrap();
    let store = Arc::new(object_store::local::LocalFileSystem::new());
    let table = TableStore { store, root, uri: "file:t".to_owned(), large: None };
    let mut case = case(&[], &[]);
    let writes = Writes::Folder(LocalFolder::root(folder.path()));
    let counts = Arc::clone(&case.context.counts);
    case.context.target = Target::new(Opened { table, writes }, counts);
    (case, folder)
}

pub(super) fn bytes_of(size: usize) -> Bytes {
    /// A prime: no two parts of an object are alike.
    const PERIOD: usize = 65_521;
    let block: Vec<u8> =
        (0..PERIOD.min(size)).map(|index| (index * 31 + index / 251).to_le_bytes()[0]).collect();
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        bytes.extend_from_slice(&block[..block.len().min(size - bytes.len())]);
    }
    bytes.into()
}

pub(super) fn object(size: u64) -> ObjectCopy {
    let path = KEY.to_owned();
    ObjectCopy {
        source_path: path.clone(),
        target_path: path,
        size,
        size_is_minimum: false,
        prior: Prior::Absent,
    }
}

impl Case {
    async fn run(&self, size: u64) -> TaskOutcome {
        copy_task(&self.context, &[object(size)]).await
    }

    async fn done(&self, body: &Bytes) -> Receipt {
        self.source.inner.put(&at(), body.clone().into()).await.unwrap();
        match self.run(body.len() as u64).await {
            TaskOutcome::Done(receipt) => {
                let target = self.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
                assert!(target == *body, "other bytes at the target");
                assert_eq!(receipt.objects[0].size, body.len() as u64);
                assert!(self.context.counts.bytes_done() >= body.len() as u64, "not all is done");
                let digest = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body);
                assert_eq!(receipt.objects[0].crc64nvme, digest);
                receipt
            }
            TaskOutcome::Failed(failure) => panic!("{failure:?}"),
        }
    }

    async fn failed(&self, size: u64) -> (TaskFailureKind, String) {
        match self.run(size).await {
            TaskOutcome::Failed(failure) => {
                assert_eq!(failure.index, Some(0));
                assert!(failure.message.contains(KEY), "{}", failure.message);
                (failure.kind, failure.message)
            }
            TaskOutcome::Done(receipt) => panic!("{receipt:?}"),
        }
    }
}

#[tokio::test]
async fn a_small_object_costs_two_requests() {
    for size in [0, 1, 100_000] {
        let case = case(&[], &[]);
        let receipt = case.done(&bytes_of(size)).await;
        assert_eq!((case.source.count("get"), case.target.count("put")), (1, 1));
        for (store, kind) in [(&case.source, "head"), (&case.target, "head"), (&case.target, "get")]
        {
            assert_eq!(store.count(kind), 0, "{kind}");
        }
        assert_eq!(receipt.requests, 2);
        assert_eq!((receipt.bytes_read, receipt.bytes_written), (size as u64, size as u64));
        assert!(!receipt.objects[0].existed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_on_the_way_is_mended() {
    let body = bytes_of(100_000);
    let cases: [(Faults<'_>, Faults<'_>, u32, bool); 6] = [
        (&[("get", 1, Fault::Throttle)], &[], 3, false),
        (&[("get", 1, Fault::Cut(40_000))], &[], 3, false),
        (&[("get", 1, Fault::Short(40_000))], &[], 3, false),
        (&[("get", 1, Fault::Cut(10)), ("get", 2, Fault::Cut(10))], &[], 4, false),
        (&[], &[("put", 1, Fault::Throttle)], 3, false),
        // The write was done: its twin says "exists", and the bytes say that it is ours.
        (&[], &[("put", 1, Fault::LoseAnswer)], 4, true),
    ];
    for (source, target, requests, existed) in cases {
        let case = case(source, target);
        let receipt = case.done(&body).await;
        assert_eq!(receipt.requests, requests, "{source:?} {target:?}");
        assert_eq!(receipt.objects[0].existed, existed, "{source:?} {target:?}");
        assert_eq!(receipt.objects_written_before, u32::from(existed), "{source:?} {target:?}");
        // It is read back at the target then.
        assert_eq!(receipt.target_reads, u32::from(existed), "{source:?} {target:?}");
        assert_eq!(receipt.bytes_read, body.len() as u64, "{source:?}: resumed, not repeated");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_stays_broken_fails_the_task_after_bounded_tries() {
    let faults: Vec<_> = (1..20).map(|number| ("get", number, Fault::Throttle)).collect();
    let case = case(&faults, &[]);
    case.source.inner.put(&at(), bytes_of(10).into()).await.unwrap();
    let (kind, _) = case.failed(10).await;
    assert_eq!(kind, TaskFailureKind::Throttled);
    assert_eq!(case.source.count("get"), Patience::OBJECT.attempts_max);
    assert_eq!(case.target.count("put"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_the_planned_one_is_named() {
    let missing = case(&[], &[]);
    assert_eq!(missing.failed(10).await.0, TaskFailureKind::SourceNotFound);

    let shorter = case(&[], &[]);
    shorter.source.inner.put(&at(), bytes_of(9).into()).await.unwrap();
    let (kind, message) = shorter.failed(10).await;
    assert_eq!(kind, TaskFailureKind::SourceChanged);
    assert!(message.contains("9 bytes") && message.contains("10"), "{message}");

    let replaced = case(&[("get", 1, Fault::Cut(4)), ("get", 2, Fault::OtherTag)], &[]);
    replaced.source.inner.put(&at(), bytes_of(10).into()).await.unwrap();
    assert_eq!(replaced.failed(10).await.0, TaskFailureKind::SourceChanged);
    for case in [missing, shorter, replaced] {
        assert_eq!(case.target.count("put"), 0);
    }
}

#[tokio::test]
async fn an_object_that_is_there_is_compared_and_never_overwritten() {
    let large = usize::try_from(WHOLE_OBJECT_BYTES_MAX).unwrap() + 5;
    for size in [1_000, large] {
        let body = bytes_of(size);
        let equal = case(&[], &[]);
        equal.target.inner.put(&at(), body.clone().into()).await.unwrap();
        let receipt = equal.done(&body).await;
        assert!(receipt.objects[0].existed);
        assert_eq!(receipt.objects[0].proof, Proof::ReadBack);
        assert_eq!(equal.target.count("upload"), equal.target.count("abort"));

        let mut other_bytes = body.to_vec();
        other_bytes[size - 1] ^= 1;
        for other in [Bytes::from(other_bytes), body.slice(1..)] {
            let case = case(&[], &[]);
            case.source.inner.put(&at(), body.clone().into()).await.unwrap();
            case.target.inner.put(&at(), other.clone().into()).await.unwrap();
            assert_eq!(case.failed(size as u64).await.0, TaskFailureKind::TargetConflict);
            let kept = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
            assert!(kept == other);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_object_goes_by_parts_of_one_tag() {
    let size = usize::try_from(WHOLE_OBJECT_BYTES_MAX).unwrap() + 7;
    let body = bytes_of(size);
    let good = case(&[("get", 2, Fault::Cut(1_000)), ("get", 3, Fault::Throttle)], &[]);
    let receipt = good.done(&body).await;
    assert_eq!((good.target.count("upload"), good.target.count("put")), (1, 0));
    assert_eq!(receipt.bytes_read, size as u64);

    let changed = case(&[("get", 3, Fault::OtherTag)], &[]);
    changed.source.inner.put(&at(), body.clone().into()).await.unwrap();
    assert_eq!(changed.failed(size as u64).await.0, TaskFailureKind::SourceChanged);
    assert!(changed.target.inner.head(&at()).await.is_err());
}

#[tokio::test]
async fn a_length_that_the_log_only_bounds_is_read_as_it_is() {
    for (least, real) in [(10, 11), (10, 3 << 20), (10, (16 << 20) + 1)] {
        let case = case(&[], &[]);
        let body = bytes_of(real);
        case.source.inner.put(&at(), body.clone().into()).await.unwrap();
        let object = ObjectCopy { size_is_minimum: true, ..object(least) };
        let TaskOutcome::Done(receipt) = copy_task(&case.context, &[object]).await else {
            panic!("{real}");
        };
        assert_eq!(receipt.objects[0].size, real as u64);
        let target = case.target.inner.get(&at()).await.unwrap().bytes().await.unwrap();
        assert!(target == body);
    }
    let case = case(&[], &[]);
    case.source.inner.put(&at(), bytes_of(9).into()).await.unwrap();
    let object = ObjectCopy { size_is_minimum: true, ..object(10) };
    let outcome = copy_task(&case.context, &[object]).await;
    let TaskOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, TaskFailureKind::SourceChanged);
}

#[tokio::test(start_paused = true)]
async fn no_write_starts_after_the_lease() {
    for size in [10, WHOLE_OBJECT_BYTES_MAX + 1] {
        let mut case = case(&[], &[]);
        let lease = LeaseClock::new(Instant::now(), Duration::from_secs(1));
        case.context.lease = Arc::new(lease);
        tokio::time::advance(Duration::from_secs(2)).await;
        let body = bytes_of(usize::try_from(size).unwrap());
        case.source.inner.put(&at(), body.into()).await.unwrap();
        assert_eq!(case.failed(size).await.0, TaskFailureKind::LeaseExpired);
        assert_eq!((case.target.count("put"), case.target.count("upload")), (0, 0));
        case.context.lease.extend(Instant::now(), Duration::from_secs(1));
        assert!(matches!(case.run(size).await, TaskOutcome::Done(_)));
    }
}

#[tokio::test]
async fn read_back_reads_the_target() {
    let mut case = case(&[], &[]);
    case.context.verification = Verification::ReadBack;
    let receipt = case.done(&bytes_of(1_000)).await;
    assert_eq!(receipt.objects[0].proof, Proof::ReadBack);
    assert_eq!(case.target.count("get"), 1);
}

#[tokio::test]
async fn on_disk_a_large_object_is_linked_and_leaves_nothing_behind() {
    let (case, folder) = case_on_disk();
    let size = WHOLE_OBJECT_BYTES_MAX + 3;
    let body = bytes_of(usize::try_from(size).unwrap());
    case.source.inner.put(&at(), body.clone().into()).await.unwrap();
    for existed in [false, true] {
        let outcome = case.run(size).await;
        let TaskOutcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
        assert_eq!(receipt.objects[0].existed, existed);
    }
    assert!(std::fs::read(folder.path().join(KEY)).unwrap() == body);
    assert_eq!(files(&folder.path().join("_deepclone/tmp")), 0);

    std::fs::write(folder.path().join(KEY), b"other").unwrap();
    assert_eq!(case.failed(size).await.0, TaskFailureKind::TargetConflict);
    assert_eq!(std::fs::read(folder.path().join(KEY)).unwrap(), b"other");
}

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn on_disk_temporary_files_that_nobody_writes_are_swept_away() {
    let (case, folder) = case_on_disk();
    let temporary = folder.path().join("_deepclone/tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    std::fs::write(temporary.join("of-a-killed-process"), "x").unwrap();
    let written = std::fs::File::create(temporary.join("of-a-living-one")).unwrap();
    written.lock().unwrap();

    let body = bytes_of(100);
    case.source.inner.put(&at(), body.clone().into()).await.unwrap();
    assert!(matches!(case.run(100).await, TaskOutcome::Done(_)));
    assert!(std::fs::read(folder.path().join(KEY)).unwrap() == body);
    assert!(temporary.join("of-a-living-one").exists());
    assert_eq!(files(&temporary), 1);
    // Nothing but the object itself lies in its folder.
    assert_eq!(files(folder.path().join(KEY).parent().unwrap()), 1);

    std::fs::write(folder.path().join(KEY), b"other").unwrap();
    assert_eq!(case.failed(100).await.0, TaskFailureKind::TargetConflict);
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_two_parts_copies_any_number_of_them() {
    let size = usize::try_from(WHOLE_OBJECT_BYTES_MAX + 9).unwrap();
    let mut case = case(&[], &[]);
    case.context.lane = lane(2 * WHOLE_OBJECT_BYTES_MAX);
    let body = bytes_of(size);
    let copied = case.done(&body);
    tokio::time::timeout(Duration::from_secs(60), copied).await.expect("it hangs");
}
