//! Commits and checkpoints that are too long for one put: uploads by parts whose answers are lost,
//! late or wrong. Either the commit is published once, or nothing is left of it.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;
use deepclone_delta::changes::{ChangeSet, SyncPlan};
use deepclone_delta::publish::{PublishResult, finish, publish};
use deepclone_delta::snapshot;
use deepclone_tests::by_parts;
use deepclone_tests::stub_store::{Kind, Lie, Manners, Rule, StubStore, error};
use tokio::runtime::{Builder, Runtime};

use crate::bench::{MIB, log_of};

const COMMIT: &str = "_delta_log/00000000000000000000.json";
const TARGET: &str = "s3://copy/r";
const NOW_MS: i64 = 1_800_000_000_000;
/// Of a commit of some 6 MiB.
const PARTS: usize = 2;
const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

fn settings(store: &StubStore) -> [(String, String); 5] {
    [
        ("ENDPOINT_URL", store.endpoint()),
        ("ALLOW_HTTP", "true".to_owned()),
        ("REGION", "us-east-1".to_owned()),
        ("ACCESS_KEY_ID", "k".to_owned()),
        ("SECRET_ACCESS_KEY", "s".to_owned()),
    ]
    .map(|(name, value)| (format!("TARGET_AWS_{name}"), value))
}

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a thread of its own")
}

/// A table whose commit goes by parts, and the store where its replica will be.
struct Case {
    store: StubStore,
    source: TableStore,
    target: TableStore,
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl Case {
    fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::with(Manners { has_checksums: true, ..Manners::default() }, rules)
    }

    fn with(manners: Manners, rules: impl IntoIterator<Item = Rule>) -> Self {
        // No write of a file of the log may overwrite another.
        let is_of_log = |key: &str| key.contains("/_delta_log/0");
        let manners = Manners { demands_conditions: Some(is_of_log), ..manners };
        let store = StubStore::with("copy", manners);
        rules.into_iter().for_each(|rule| store.add(rule));
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("_delta_log");
        std::fs::create_dir(&log).expect("a new folder");
        let objects: BTreeMap<_, _> =
            ["a", "b", "c"].map(|name| (format!("{name}.parquet"), "x".into())).into();
        std::fs::write(folder.path().join(COMMIT), log_of(&objects)).expect("a new file");
        by_parts::tag(folder.path(), 0, 2 * MIB);
        let source = by_parts::source(folder.path());
        let target = by_parts::target(TARGET, &settings(&store));
        let runtime = runtime();
        Self { store, source, target, folder, runtime }
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn change(&self) -> Box<ChangeSet> {
        self.wait(by_parts::change(&self.source, &self.target))
    }

    /// Plans the sync and publishes its commit.
    fn publish(&self) -> Result<PublishResult, Failure> {
        let change = self.change();
        let published = publish(&self.target, &change, NOW_MS);
        self.wait(published).map_err(|error| error.failure())
    }

    fn count(&self, kind: Kind) -> usize {
        self.store.seen_of(kind, COMMIT).len()
    }

    /// How often an upload was opened, a part written, and an upload completed.
    fn counts(&self) -> [usize; 3] {
        [Kind::CreateUpload, Kind::PutPart, Kind::Complete].map(|kind| self.count(kind))
    }

    #[track_caller]
    fn is_published(&self, case: &str) {
        let published = self.publish().unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(published.version(), Some(0), "{case}: {published:?}");
        let adds = |table| self.wait(by_parts::adds(table, 0));
        assert!(adds(&self.source) == adds(&self.target), "{case}: other actions");
        assert_eq!(self.count(Kind::Put), 0, "{case}: one put");
        assert_eq!(self.store.uploads(), [""; 0], "{case}: an upload is left");
    }

    /// Publishing fails, and nothing is left behind.
    #[track_caller]
    fn is_refused(&self, case: &str) -> Failure {
        let failure = self.publish().expect_err(case);
        assert!(failure.message.contains(COMMIT), "{case}: {failure}");
        assert_eq!(self.store.get(&format!("r/{COMMIT}")), None, "{case}: it is published");
        assert_eq!(self.store.uploads(), [""; 0], "{case}: an upload is left");
        failure
    }
}

fn once(kind: Kind, lie: impl Into<Lie>) -> Rule {
    Rule::once(kind, lie).on(COMMIT)
}

#[test]
fn a_commit_that_is_too_long_for_one_put_goes_by_parts() {
    for manners in [
        Manners { has_checksums: true, ..Manners::default() },
        // It says nothing of what it took.
        Manners::default(),
        Manners { demands_checksums: true, ..Manners::default() },
    ] {
        let case = Case::with(manners, []);
        case.is_published("no lies");
        assert_eq!(case.counts(), [1, PARTS, 1]);
        for part in case.store.seen_of(Kind::PutPart, COMMIT) {
            assert!(part.headers.contains_key(CHECKSUM), "{part:?}");
        }
        let completion = &case.store.seen_of(Kind::Complete, COMMIT)[0];
        assert_eq!(completion.headers["if-none-match"], "*");
    }
}

#[test]
fn a_completion_whose_answer_is_lost_is_settled_by_reading_back() {
    for lie in [
        Lie::Close,
        Lie::CutAt(40),
        Lie::ErrorInside("InternalError"),
        error(500, "InternalError").into(),
        error(503, "SlowDown").into(),
        error(404, "NoSuchUpload").into(),
        error(412, "PreconditionFailed").into(),
        error(409, "ConditionalRequestConflict").into(),
    ] {
        let case = Case::new([once(Kind::Complete, lie.clone()).though_done()]);
        case.is_published(&format!("{lie:?}"));
        assert_eq!(case.counts(), [1, PARTS, 1], "{lie:?}");
        let read = &case.store.seen_of(Kind::Get, COMMIT)[0];
        assert!(read.headers.contains_key("range"), "{lie:?}: it was read whole to be known");
    }
}

#[test]
fn a_completion_that_made_nothing_is_sent_again_for_the_same_upload() {
    for lie in [
        Lie::Close,
        Lie::ErrorInside("SlowDown"),
        error(500, "InternalError").into(),
        error(503, "SlowDown").into(),
        error(409, "ConditionalRequestConflict").into(),
        error(412, "PreconditionFailed").into(),
    ] {
        let case = Case::new([once(Kind::Complete, lie.clone())]);
        case.is_published(&format!("{lie:?}"));
        assert_eq!(case.counts(), [1, PARTS, 2], "{lie:?}");
        assert!(case.count(Kind::Head) >= 1, "{lie:?}: nobody looked what is there in between");
    }
}

#[test]
fn an_upload_that_the_store_lost_is_begun_again() {
    for (kind, code, status, counts) in [
        (Kind::Complete, "NoSuchUpload", 404, [2, 2 * PARTS, 2]),
        (Kind::Complete, "InvalidPart", 400, [2, 2 * PARTS, 2]),
    ] {
        let case = Case::new([once(kind, error(status, code))]);
        case.is_published(code);
        assert_eq!(case.counts(), counts, "{code}");
    }
    let case = Case::new([once(Kind::PutPart, error(404, "NoSuchUpload"))]);
    case.is_published("a lost upload");
    assert_eq!(case.count(Kind::CreateUpload), 2);
}

#[test]
fn a_part_that_fails_is_sent_again_alone() {
    for lie in [
        Lie::Close,
        error(503, "SlowDown").into(),
        error(400, "RequestTimeout").into(),
        error(400, "BadDigest").into(),
        Lie::Header(CHECKSUM, Some("AAAAAAAAAAA=")),
    ] {
        let case = Case::new([once(Kind::PutPart, lie.clone()).after(1)]);
        case.is_published(&format!("{lie:?}"));
        assert_eq!(case.counts(), [1, PARTS + 1, 1], "{lie:?}");
    }
}

#[test]
fn what_lasts_is_told_and_nothing_is_left() {
    let denied = || Lie::from(error(403, "AccessDenied"));
    for (kind, lie) in [
        (Kind::CreateUpload, denied()),
        (Kind::PutPart, denied()),
        (Kind::Complete, denied()),
        (Kind::Complete, error(500, "InternalError").into()),
        (Kind::Complete, Lie::Close),
    ] {
        let case = Case::new([Rule::always(kind, lie.clone()).on(COMMIT)]);
        let failure = case.is_refused(&format!("{kind:?} {lie:?}"));
        assert_eq!(case.count(Kind::Put), 0, "{failure}");
        let opened = usize::from(kind != Kind::CreateUpload);
        assert_eq!(case.count(Kind::Abort), opened, "{kind:?} {lie:?}");
    }
    // An abort is tried again, too.
    let abort = once(Kind::Abort, error(503, "SlowDown"));
    let case = Case::new([Rule::always(Kind::PutPart, denied()).on(COMMIT), abort]);
    case.is_refused("an abort that fails once");
    assert_eq!(case.count(Kind::Abort), 2);
}

#[test]
fn an_upload_that_nobody_heard_of_is_thrown_away() {
    let case = Case::new([once(Kind::CreateUpload, Lie::Close).though_done()]);
    case.is_published("a lost opening");
    assert_eq!(case.count(Kind::CreateUpload), 2);
}

#[test]
fn a_commit_of_another_writer_stays() {
    let theirs = concat!(
        "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n",
        "{\"txn\":{\"appId\":\"a\",\"version\":1}}\n",
    );
    let case = Case::new([]);
    let change = case.change();
    case.store.put(&format!("r/{COMMIT}"), theirs);
    let failure = case.wait(publish(&case.target, &change, NOW_MS)).expect_err("theirs is there");
    assert_eq!(failure.failure().reason, Reason::TargetDiverged);
    assert_eq!(case.store.get(&format!("r/{COMMIT}")).as_deref(), Some(theirs.as_bytes()));
    assert_eq!(case.store.uploads(), [""; 0]);
    assert_eq!(case.counts(), [1, PARTS, 1]);
}

#[test]
fn of_two_syncs_one_wins_and_the_other_is_planned_again() {
    let case = Case::new([]);
    let (one, two) = (case.change(), case.change());
    let one = publish(&case.target, &one, NOW_MS);
    let two = publish(&case.target, &two, NOW_MS + 1);
    let (one, two) = case.wait(async { tokio::join!(one, two) });
    let ended = [one, two].map(|ended| ended.expect("no error").version());
    assert!(ended.contains(&Some(0)) && ended.contains(&None), "{ended:?}");
    let again = case.wait(by_parts::plan(&case.source, &case.target));
    assert!(matches!(again, SyncPlan::UpToDate(_)), "{again:?}");
    assert_eq!(case.store.uploads(), [""; 0], "an upload is left");
}

#[test]
fn a_checkpoint_goes_by_parts_too() {
    const CHECKPOINT: &str = "_delta_log/00000000000000000001.checkpoint.parquet";
    let lost = Rule::once(Kind::Complete, Lie::Close).on(CHECKPOINT).though_done();
    let case = Case::new([lost]);
    case.is_published("the first version");
    let second = case.folder.path().join("_delta_log/00000000000000000001.json");
    let more = BTreeMap::from([("d.parquet".to_owned(), "x".into())]);
    let log = log_of(&more);
    let adds: Vec<_> = log.lines().filter(|line| line.contains("\"add\"")).collect();
    std::fs::write(&second, adds.concat()).expect("a new file");
    let change = case.change();
    let published = case.wait(publish(&case.target, &change, NOW_MS)).expect("a second version");
    let PublishResult::Published(committed) = published else { panic!("{published:?}") };
    let finished = case.wait(finish(&case.target, &committed, Some(&change)));
    assert!(finished.expect("a checkpoint").checkpoint);
    assert_eq!(case.store.seen_of(Kind::Complete, CHECKPOINT).len(), 1);
    assert_eq!(case.store.seen_of(Kind::Put, CHECKPOINT).len(), 0);
    assert_eq!(case.store.uploads(), [""; 0], "an upload is left");
    let state = case.wait(snapshot::read(&case.target, &SourcePoint::Newest));
    assert_eq!(state.expect("a table").files.len(), 4);
}

#[test]
fn a_sync_that_is_published_again_finds_its_commit() {
    let case = Case::new([]);
    let change = case.change();
    for time in [NOW_MS, NOW_MS + 5] {
        let published = case.wait(publish(&case.target, &change, time)).expect("it is there");
        let PublishResult::Published(committed) = published else { panic!("{published:?}") };
        // That of the first time, with its tag.
        assert_eq!(committed.record.timestamp_ms, NOW_MS);
        assert!(committed.etag.is_some());
    }
    assert_eq!(case.counts(), [2, 2 * PARTS, 2]);
    assert_eq!(case.store.uploads(), [""; 0], "an upload is left");
    let reads = case.store.seen_of(Kind::Get, COMMIT);
    assert!(reads.iter().all(|read| read.headers.contains_key("range")), "{reads:?}");
}

#[test]
fn a_target_is_tried_before_a_commit_by_parts() {
    const UNFIT: Option<Reason> = Some(Reason::TargetUnsuitable);
    const SHORT: u64 = 5 << 30;
    const LONG: u64 = SHORT + 1;
    let ignores = Manners { ignores_conditions: true, ..Manners::default() };
    let locked = Manners { demands_checksums: true, ..Manners::default() };
    let honest = Manners::default;
    let denied = || Rule::always(Kind::Complete, error(403, "AccessDenied"));
    let absent = || Rule::always(Kind::Complete, error(501, "NotImplemented"));
    let busy = || Rule::always(Kind::Complete, error(503, "SlowDown")).times(5);
    let lost = || Rule::always(Kind::Complete, Lie::Close).times(3).though_done();
    for (manners, rule, wanted, part) in [
        (honest(), None, None, ""),
        (locked, None, None, ""),
        (ignores, None, UNFIT, "both succeed"),
        (honest(), Some(denied()), Some(Reason::PermissionDenied), "cannot be written"),
        (honest(), Some(absent()), UNFIT, "if-none-match"),
        (honest(), Some(busy()), None, ""),
        (honest(), Some(lost()), None, ""),
    ] {
        let case = format!("{manners:?} {rule:?}");
        let store = StubStore::with("copy", manners);
        rule.into_iter().for_each(|rule| store.add(rule));
        let settings = settings(&store);
        let tried = by_parts::tried(TARGET, &settings, &[SHORT, LONG, LONG]);
        let answers = runtime().block_on(tried);
        assert_eq!(answers[0], Ok(()), "{case}: one put");
        let found = answers[1].as_ref().err();
        assert_eq!(found.map(|failure| failure.reason), wanted, "{case}: {answers:?}");
        let said = found.map(|failure| failure.message.as_str()).unwrap_or_default();
        assert!(said.contains(part), "{case}: {said}");
        assert!(store.keys().is_empty(), "{case}: {:?}", store.keys());
        assert_eq!(store.uploads(), [""; 0], "{case}: an upload is left");
        if wanted.is_none() {
            // Eight rounds at least, and once alone.
            let completions = store.seen_of(Kind::Complete, "_deepclone/probe-").len();
            assert!((32..=48).contains(&completions), "{case}: {completions}");
        }
    }
}
