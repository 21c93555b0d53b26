//! Files that are sound and files that are damaged on purpose, their copies, and purges by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use deepclone_core::ids::Epoch;
use deepclone_core::limits::{EVIDENCE_KEPT, JOBS_KEPT};
use deepclone_core::machine::{End, Fact};
use deepclone_core::reason::Reason;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::super::tests::{created, ended, entry, evidence, job};
use super::super::{
    AuditQuery, AuditRow, Batch, Place, PurgeBounds, SqliteStore, StateError, Store as _,
};
use super::backup::{BackupError, backup};
use super::check::{CheckedFile, RowCounts, check};
use super::purge::{PurgeMode, PurgedRows, purge};
use deepclone_core::ids::TargetKey;

const HERE: TargetKey = TargetKey([1; 32]);

/// A database with a live job and an ended one, both with evidence, and an entry of the audit.
struct Kept {
    folder: tempfile::TempDir,
    store: SqliteStore,
    epoch: Epoch,
}

impl Kept {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let store = SqliteStore::open(&Place::File(file)).await.unwrap();
        let epoch = store.lead(Epoch(0)).await.unwrap();
        let kept = Self { folder, store, epoch };
        kept.copy(1, 10).await;
        kept.copy(2, 5).await;
        kept.store.intend(job(1), 0).await.unwrap();
        kept.append(vec![entry(ended(1, End::Cancelled), 100)]).await;
        let row = AuditRow { at_ms: 7, call: "JobService/CreateJob".into(), ..Default::default() };
        kept.store.audit(&[row]).await.unwrap();
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("state.db")
    }

    /// Creates a job with so many rows of evidence.
    async fn copy(&self, number: u128, rows: usize) {
        let seen = |n: usize| (HERE, evidence(&format!("{number}/{n}"), 1, job(number), 0));
        let entries = vec![entry(created(job(number)), 0)];
        let batch = Batch { entries, evidence: (0..rows).map(seen).collect(), usage: vec![] };
        self.store.append(self.epoch, &batch).await.unwrap();
    }

    async fn append(&self, entries: Vec<super::super::Entry>) {
        let batch = Batch { entries, ..Batch::default() };
        self.store.append(self.epoch, &batch).await.unwrap();
    }

    /// Ends the process, as far as the file is concerned.
    async fn stop(self) -> tempfile::TempDir {
        self.store.pool().close().await;
        self.store.readers().close().await;
        drop(self.store);
        self.folder
    }
}

async fn change(file: &Path, statements: &str) {
    let mut connection: SqliteConnection =
        SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
}

fn told(checked: &CheckedFile) -> Vec<String> {
    let line =
        |finding: &super::finding::Finding| format!("{}: {}", finding.about, finding.message);
    checked.findings.iter().map(line).collect()
}

#[tokio::test]
async fn a_sound_file_has_no_findings_while_it_is_used_and_afterwards() {
    let kept = Kept::new().await;
    let wanted =
        RowCounts { live_jobs: 1, ended_jobs: 1, objects: 15, replication_rows: 0, audit: 1 };
    let file = kept.file();
    let checked = check(&file).await.unwrap();
    assert_eq!((told(&checked), checked.counts), (vec![], wanted));
    let folder = kept.stop().await;
    let checked = check(&file).await.unwrap();
    assert_eq!((told(&checked), checked.counts), (vec![], wanted));
    let missing = check(&folder.path().join("none.db")).await.unwrap_err();
    assert_eq!(missing.failure().reason, Reason::InvalidArgument);
    assert!(!folder.path().join("none.db").exists());
}

/// What is done to a sound file, and a part of what is told of it.
const DAMAGES: &[(&str, &str)] = &[
    ("DROP TRIGGER audit_is_never_changed", "schema: the trigger audit_is_never_changed is m"),
    ("DROP INDEX objects_by_job", "schema: the index objects_by_job is missing"),
    (
        "DROP TRIGGER audit_is_never_changed;
         CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT 1; END",
        "schema: the trigger audit_is_never_changed is not what this version makes",
    ),
    ("CREATE TABLE notes (a)", "schema: the table notes is not ours"),
    ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 3", "step 3 is another"),
    ("UPDATE _sqlx_migrations SET success = 0 WHERE version = 10", "step 10 was begun"),
    ("DELETE FROM _sqlx_migrations WHERE version = 10", "step 10 is not taken yet"),
    ("UPDATE _sqlx_migrations SET version = 99 WHERE version = 10", "step 99 is not known"),
    ("DROP TABLE _sqlx_migrations", "migrations: the file is not the database"),
    ("DELETE FROM leader", "leader: 0 rows where there must be one"),
    ("UPDATE leader SET epoch = -1", "leader: the epoch -1 is below 0"),
    (
        "DELETE FROM facts WHERE kind = 'created' AND job = x'00000000000000000000000000000002';
         INSERT INTO facts (job, kind, body, recorded_ms)
         VALUES (x'00000000000000000000000000000002', 'cancel_requested', x'', 0)",
        "has facts and was never created",
    ),
    (
        "INSERT INTO facts (sequence, job, kind, body, recorded_ms)
         VALUES (0, x'00000000000000000000000000000002', 'cancel_requested', x'', 0)",
        "has a fact of before it was created",
    ),
    ("DELETE FROM jobs", "has ended and is not kept"),
    (
        "INSERT INTO facts (job, kind, body, recorded_ms)
         VALUES (x'00000000000000000000000000000001', 'cancel_requested', x'', 0)",
        "has a fact of after its end",
    ),
    ("UPDATE jobs SET has_facts = 0", "has facts that no purge finds"),
    ("UPDATE jobs SET created_sequence = ended_sequence + 1", "in this order"),
    ("UPDATE jobs SET planned_sequence = 99, planned_ms = 0, planned = x''", "in this order"),
    ("DELETE FROM facts WHERE job = x'00000000000000000000000000000002'", "is not known"),
    ("UPDATE jobs SET has_evidence = 0", "has evidence that no purge finds"),
    ("UPDATE objects SET source = x'00' WHERE key = '2/0'", "objects: key 2/0 has a target"),
    ("UPDATE objects_total SET objects = 3", "objects: 3 objects are counted and 15 are there"),
    ("INSERT INTO publications VALUES (x'07', 0)", "publications: job 07 may have published"),
    (
        "INSERT INTO usage (job, month, zone_month, currency, replication, owner, source,
            target, path, regions, bytes, source_reads, target_writes, micros)
         VALUES (x'00000000000000000000000000000001', '2026-11', '2026-11', '', '', '', '',
            '', '', '', 1, 1, 1, 1)",
        "has ended, and what it sent is not in the sums",
    ),
    (
        "INSERT INTO usage_months (month, zone_month, currency, replication, replication_id,
            owner, source, target, path, regions, bytes, source_reads, source_lists,
            target_reads, target_lists, target_writes, micros)
         VALUES ('November', '', '', '', '', '', '', '', '', '', 1, 1, 1, 1, 1, 1, 1)",
        "usage: the month November is no month",
    ),
    ("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'audit'", "audit: entry 1 was not made"),
    ("UPDATE facts SET body = x'ff' WHERE kind = 'created'", "holds a created that cannot be"),
    ("UPDATE facts SET kind = 'dreamt'", "does not know the kind"),
    ("UPDATE jobs SET ended = x'ff'", "holds a ended that cannot be read"),
];

#[tokio::test]
async fn each_damage_is_told_with_its_place() {
    let live = "00000000000000000000000000000002";
    let ended = "00000000000000000000000000000001";
    let kept = Kept::new().await;
    let file = kept.file();
    let folder = kept.stop().await;
    for (number, (damage, wanted)) in DAMAGES.iter().enumerate() {
        let damaged = folder.path().join(format!("{number}.db"));
        std::fs::copy(&file, &damaged).unwrap();
        change(&damaged, damage).await;
        let told = told(&check(&damaged).await.unwrap());
        assert!(told.iter().any(|line| line.contains(wanted)), "{damage}: {told:?}");
        if wanted.starts_with("has ") {
            let named = told.iter().any(|line| line.contains(live) || line.contains(ended));
            assert!(named, "{damage}: {told:?}");
        }
    }
}

#[tokio::test]
async fn damaged_pages_and_other_files_are_findings_and_many_are_told_in_short() {
    let kept = Kept::new().await;
    let file = kept.file();
    let folder = kept.stop().await;
    let mut bytes = std::fs::read(&file).unwrap();
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0x5a);
    let damaged = folder.path().join("damaged.db");
    std::fs::write(&damaged, bytes).unwrap();
    let found = told(&check(&damaged).await.unwrap());
    assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("file: ")), "{found:?}");

    let text = folder.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to have a header".repeat(99)).unwrap();
    let found = told(&check(&text).await.unwrap());
    assert!(found.len() == 1 && found[0].contains("not a database"), "{found:?}");

    change(&file, "UPDATE objects SET source = x'00'").await;
    let found = told(&check(&file).await.unwrap());
    assert_eq!(found.len(), 15, "{found:?}");
    let more = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
                INSERT INTO publications SELECT cast('job ' || i AS BLOB), 0 FROM n";
    change(&file, more).await;
    let found = told(&check(&file).await.unwrap());
    let last = found.iter().rfind(|line| line.starts_with("publications"));
    assert_eq!(last.unwrap(), "publications: and 10 more of this kind");
}

#[tokio::test]
async fn a_backup_is_whole_while_the_database_is_written_and_replaces_nothing() {
    let kept = Kept::new().await;
    let to = kept.path("copy.db");
    // A writer in the middle of a transaction is not waited for, and not seen.
    let mut writing = kept.store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("DELETE FROM objects").execute(&mut *writing).await.unwrap();
    let bytes = backup(&kept.file(), &to).await.unwrap();
    writing.rollback().await.unwrap();
    assert_eq!(bytes, std::fs::metadata(&to).unwrap().len());
    let checked = check(&to).await.unwrap();
    assert_eq!((told(&checked), checked.counts.objects), (vec![], 15));
    let mode = std::os::unix::fs::PermissionsExt::mode(&to.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let again = backup(&kept.file(), &to).await.unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");
    assert_eq!(again.failure().reason, Reason::InvalidArgument);
    let own = backup(&kept.file(), &kept.file()).await.unwrap_err();
    assert!(matches!(own, BackupError::Exists { .. }), "{own}");
    let nowhere = backup(&kept.file(), &kept.path("no/copy.db")).await.unwrap_err();
    assert_eq!(nowhere.failure().reason, Reason::StorageUnavailable, "{nowhere}");
    let missing = backup(&kept.path("none.db"), &kept.path("other.db")).await.unwrap_err();
    assert_eq!(missing.failure().reason, Reason::InvalidArgument, "{missing}");
    assert_eq!(left_beside(&kept), ["copy.db"]);

    // A coordinator goes on from it, in a higher epoch.
    let restored = SqliteStore::open(&Place::File(to)).await.unwrap();
    assert!(restored.lead(Epoch(0)).await.unwrap() > kept.epoch);
    assert_eq!(restored.load(9).await.unwrap(), kept.store.load(9).await.unwrap());
    let all = AuditQuery { size: 9, ..AuditQuery::default() };
    let (theirs, ours) = (restored.audited(&all).await, kept.store.audited(&all).await);
    assert_eq!(theirs.unwrap(), ours.unwrap());
}

/// What lies beside the database and is not its own.
fn left_beside(kept: &Kept) -> Vec<String> {
    let names = std::fs::read_dir(kept.folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with("state.db")).collect()
}

#[tokio::test]
async fn no_backup_is_made_of_a_damaged_database_or_of_something_else() {
    let kept = Kept::new().await;
    let (file, to) = (kept.file(), kept.path("copy.db"));
    let folder = kept.stop().await;
    let other = folder.path().join("other.db");
    change(
        &{
            std::fs::write(&other, "").unwrap();
            other.clone()
        },
        "CREATE TABLE a (b)",
    )
    .await;
    let refused = backup(&other, &to).await.unwrap_err();
    assert!(refused.to_string().contains("is not the database of a coordinator"), "{refused}");
    let damage = "PRAGMA writable_schema = ON;
                  UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'objects_by_job'";
    change(&file, damage).await;
    let refused = backup(&file, &to).await.unwrap_err();
    assert_eq!(refused.failure().reason, Reason::Internal, "{refused}");
    let left = std::fs::read_dir(folder.path()).unwrap();
    let partial = |name: &String| name.contains("partial") || name.starts_with("copy");
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.find(partial), None);
}

#[tokio::test]
async fn a_file_that_others_lock_is_not_called_damaged() {
    let kept = Kept::new().await;
    let to = kept.path("copy.db");
    backup(&kept.file(), &to).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&to);
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let locked = check(&to).await.unwrap_err();
    assert!(locked.failure().message.contains("locked"), "{locked}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(told(&check(&to).await.unwrap()), [""; 0]);
}

#[tokio::test]
async fn a_name_that_sqlite_cannot_take_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let kept = Kept::new().await;
    let to = kept.folder.path().join(std::ffi::OsStr::from_bytes(b"copy\xff.db"));
    let refused = backup(&kept.file(), &to).await.unwrap_err();
    assert!(refused.to_string().contains("UTF-8"), "{refused}");
    let left = std::fs::read_dir(kept.folder.path()).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|name| name.as_bytes().starts_with(b"copy")));
}

fn ms(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap()
}

#[tokio::test]
async fn a_purge_by_hand_drops_what_a_coordinator_would_and_more_if_asked_and_counts_it() {
    let kept = Kept::new().await;
    let file = kept.file();
    let bounds = PurgeBounds::default();
    let used = purge(&file, 0, &bounds, PurgeMode::Drop).await.unwrap_err();
    assert!(matches!(used, StateError::Locked { .. }), "{used}");
    let _folder = kept.stop().await;
    let facts = PurgedRows { facts: 2, ..PurgedRows::default() };
    let all = PurgedRows { facts: 2, objects: 10, jobs: 1, ..PurgedRows::default() };
    let day = Duration::from_secs(86_400);
    let evidence_alone = PurgedRows { jobs: 0, ..all };
    let rows = [
        (100, PurgeBounds::default(), facts),
        (100 + ms(EVIDENCE_KEPT) + 1, PurgeBounds::default(), evidence_alone),
        (100 + ms(JOBS_KEPT) + 1, PurgeBounds::default(), all),
        (100 + ms(day), PurgeBounds::older_than(day), facts),
        (101 + ms(day), PurgeBounds::older_than(day), all),
    ];
    for (now_ms, bounds, wanted) in rows {
        let counted = purge(&file, now_ms, &bounds, PurgeMode::DryRun).await.unwrap();
        assert_eq!(counted, wanted, "{now_ms}");
    }
    let bounds = PurgeBounds::older_than(day);
    let dropped = purge(&file, 101 + ms(day), &bounds, PurgeMode::Drop).await.unwrap();
    assert_eq!(dropped, all, "the counting dropped nothing");
    let again = purge(&file, 101 + ms(day), &bounds, PurgeMode::Drop).await.unwrap();
    assert_eq!(again, PurgedRows::default());
    let checked = check(&file).await.unwrap();
    let left = RowCounts { live_jobs: 1, ended_jobs: 0, objects: 5, replication_rows: 0, audit: 1 };
    assert_eq!((told(&checked), checked.counts), (vec![], left));
}

#[tokio::test]
async fn no_other_version_s_file_is_purged() {
    let kept = Kept::new().await;
    let file = kept.file();
    let folder = kept.stop().await;
    change(&file, "UPDATE _sqlx_migrations SET version = 99 WHERE version = 10").await;
    let refused = purge(&file, 0, &PurgeBounds::default(), PurgeMode::Drop).await.unwrap_err();
    assert!(matches!(refused, StateError::OtherSchema { .. }), "{refused}");
    let none = folder.path().join("none.db");
    let missing = purge(&none, 0, &PurgeBounds::default(), PurgeMode::DryRun).await.unwrap_err();
    assert!(matches!(missing, StateError::File { .. }), "{missing}");
    let left = std::fs::read_dir(folder.path()).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.find(|name| name.starts_with("none")), None);
}

#[tokio::test]
async fn facts_of_live_jobs_stay_whatever_age_is_asked_for() {
    let kept = Kept::new().await;
    kept.append(vec![entry(Fact::CancelRequested { job: job(2) }, 0)]).await;
    let file = kept.file();
    let _folder = kept.stop().await;
    let bounds = PurgeBounds::older_than(Duration::ZERO);
    purge(&file, i64::MAX, &bounds, PurgeMode::Drop).await.unwrap();
    let store = SqliteStore::open(&Place::File(file)).await.unwrap();
    let left = store.load(9).await.unwrap();
    assert!(left.iter().all(|entry| entry.fact.job() == job(2)) && left.len() == 2, "{left:?}");
}
