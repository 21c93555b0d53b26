//! Snapshots of small logs in memory.

use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;
use crate::log::{self, CheckpointFiles, LogEntry, LogSegment};

const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
const METADATA: &str = "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"opt\
    ions\":{}},\"schemaString\":\"{}\",\"partitionColumns\":[],\"configuration\":{}}}";

fn add(path: &str, vector: &str) -> String {
    let vector = match vector {
        "" => String::new(),
        inline => format!(
            ",\"deletionVector\":{{\"storageType\":\"i\",\"pathOrInlineDv\":\"{inline}\",\"siz\
                eInBytes\":1,\"cardinality\":1}}"
        ),
    };
    format!(
        "{{\"add\":{{\"path\":\"{path}\",\"partitionValues\":{{}},\"size\":1,\"modificationTim\
            e\":0,\"dataChange\":true{vector}}}}}"
    )
}

/// An `add` that puts the rows of the file into another partition.
fn other(path: &str) -> String {
    add(path, "").replace("\"partitionValues\":{}", "\"partitionValues\":{\"p\":\"1\"}")
}

/// The same `add`, from a commit that says it changes no data.
fn quiet(path: &str) -> String {
    add(path, "").replace("\"dataChange\":true", "\"dataChange\":false")
}

fn remove(path: &str, vector: &str) -> String {
    let text = add(path, vector);
    text.replacen("add", "remove", 1)
}

async fn table(files: &[(&str, String)]) -> TableStore {
    let store = InMemory::new();
    for (name, text) in files {
        let name = match name.parse::<u64>() {
            Ok(version) => format!("{version:020}.json"),
            Err(_) => (*name).to_owned(),
        };
        let key = Path::parse(format!("t/_delta_log/{name}")).unwrap();
        store.put(&key, PutPayload::from(text.clone())).await.unwrap();
    }
    TableStore {
        store: Arc::new(store),
        root: Path::from("t"),
        uri: "memory:///t".to_owned(),
        large: None,
    }
}

fn lines(actions: &[String]) -> String {
    actions.join("\n")
}

fn first(more: &[String]) -> String {
    format!("{PROTOCOL}\n{METADATA}\n{}", lines(more))
}

/// Returns the live files of the newest version, or the error.
async fn live(files: &[(&str, String)]) -> Result<Vec<String>, String> {
    let table = table(files).await;
    match read(&table, &SourcePoint::Newest).await {
        Ok(snapshot) => Ok(snapshot
            .files
            .keys()
            .map(|key| format!("{}{}", key.path, key.dv.as_deref().unwrap_or_default()))
            .collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn the_newest_reference_to_a_logical_file_wins() {
    type Case = (Vec<String>, Result<Vec<&'static str>, &'static str>);
    let climbing: Vec<String> = (10..50).map(|n| add(&format!("../{n}"), "")).collect();
    let cases: Vec<Case> = vec![
        (vec![add("a", ""), remove("a", "")], Ok(vec![])),
        (vec![add("a", ""), remove("a", ""), add("a", "")], Ok(vec!["a"])),
        (vec![add("a", ""), lines(&[remove("a", ""), add("a", "x")])], Ok(vec!["aix"])),
        (vec![add("a", ""), lines(&[add("a", "x"), remove("a", "")])], Ok(vec!["aix"])),
        (vec![add("a", ""), add("a", "")], Ok(vec!["a"])),
        (vec![remove("zz", "")], Ok(vec![])),
        (vec![add("/else/a", ""), remove("/else/a", "")], Ok(vec![])),
        (vec![remove("/else/a", "")], Ok(vec![])),
        (vec![add("/else/a", "")], Err("outside")),
        (vec![add("../a", "")], Err("climbs")),
        // The first of many is named.
        (vec![lines(&climbing)], Err("../10")),
        (vec![add("a", ""), add("a", "x")], Err("twice")),
        (vec![add("a", "x"), remove("a", "")], Ok(vec!["aix"])),
        (vec![lines(&[add("a", ""), remove("a", "")])], Err("both adds and removes a")),
        (vec![lines(&[remove("a", ""), add("a", "")])], Err("both adds and removes a")),
        (vec![lines(&[remove("a", ""), add("a", "")]), remove("a", "")], Ok(vec![])),
        (vec![lines(&[add("a", ""), add("a", "")])], Ok(vec!["a"])),
        (vec![lines(&[add("a", ""), quiet("a")])], Ok(vec!["a"])),
        (vec![lines(&[add("a", ""), other("a")])], Err("adds a twice")),
        (vec![lines(&[add("a", ""), other("a"), other("a")])], Err("adds a twice")),
        (vec![lines(&[add("a", ""), other("a")]), other("a")], Ok(vec!["a"])),
        (vec![lines(&[add("a", ""), other("a")]), remove("a", "")], Ok(vec![])),
        // The same in a commit after the one that added the file.
        (vec![add("a", ""), lines(&[remove("a", ""), add("a", "")])], Err("adds and removes a")),
        (vec![add("a", ""), lines(&[add("a", ""), other("a")])], Err("adds a twice")),
    ];
    for (commits, wanted) in cases {
        let mut files = vec![("0", first(&[]))];
        let names = ["1", "2", "3"];
        files.extend(names.into_iter().zip(commits.iter().cloned()));
        match (live(&files).await, wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted, "{commits:?}"),
            (Err(error), Err(wanted)) => assert!(error.contains(wanted), "{commits:?}: {error}"),
            (found, wanted) => panic!("{commits:?}: {found:?}, not {wanted:?}"),
        }
    }
}

/// Spark and the kernel match an `add` and its `remove` by the text of the path.
#[tokio::test]
async fn spellings_of_one_path_are_told_apart_and_never_live_together() {
    let root = "memory:///t";
    let spellings = [
        ("p=bar%2Dbar/x", "p=bar-bar/x"),
        ("p=a%3ab/x", "p=a%3Ab/x"),
        ("a", "memory:///t/a"),
        ("a", "/t/a"),
        ("memory:///t/a", "memory:/t/a"),
    ];
    for (one, other) in spellings.into_iter().chain(spellings.map(|(a, b)| (b, a))) {
        let key = crate::paths::decode(root, one).unwrap().key;
        let run = |commits: Vec<String>| async move {
            let mut files = vec![("0", first(&[]))];
            files.extend(["1", "2", "3"].into_iter().zip(commits));
            live(&files).await
        };
        let kept = run(vec![add(one, ""), remove(other, "")]).await;
        assert_eq!(kept, Ok(vec![key.clone()]), "a remove of {other} leaves {one} alone");
        let re_spelled = run(vec![add(one, ""), lines(&[remove(one, ""), add(other, "")])]).await;
        assert_eq!(re_spelled, Ok(vec![key.clone()]), "{one} becomes {other}");
        for vector in ["", "x"] {
            let both = run(vec![add(one, ""), add(other, vector)]).await.unwrap_err();
            assert!(both.contains(&format!("{one:?}")), "{both}");
            assert!(both.contains(&format!("{other:?}")), "{both}");
            let one_left = run(vec![add(one, ""), add(other, vector), remove(one, "")]).await;
            assert_eq!(one_left.map(|files| files.len()), Ok(1), "{one} {other}");
        }
    }
    // Spark qualifies the one that has no scheme, the kernel does not.
    for (one, other) in [("/t/a", "memory:/t/a"), ("memory:/t/a", "/t/a")] {
        let files = |more: &[String]| {
            let mut files = vec![("0", first(&[add(one, "")])), ("1", remove(other, ""))];
            files.extend(["2"].into_iter().zip(more.iter().cloned()));
            files
        };
        let doubt = live(&files(&[])).await.unwrap_err();
        assert!(doubt.contains(one) && doubt.contains(other), "{doubt}");
        assert_eq!(live(&files(&[remove(one, "")])).await, Ok(vec![]));
        assert_eq!(live(&files(&[add(one, "")])).await, Ok(vec!["a".to_owned()]));
    }
}

#[tokio::test]
async fn damaged_logs_are_refused_with_the_file() {
    let zero = || ("0", first(&[add("a", "")]));
    type Case = (Vec<(&'static str, String)>, Reason, &'static str);
    let cases: Vec<Case> = vec![
        (vec![], Reason::NotADeltaTable, "memory:///t"),
        (vec![("x.txt", "x".into())], Reason::NotADeltaTable, "memory:///t"),
        (vec![zero(), ("2", add("b", ""))], Reason::DamagedLog, "1.json"),
        (vec![("1", first(&[]))], Reason::DamagedLog, "0.json"),
        (vec![zero(), ("1", "{\"add\":".into())], Reason::DamagedLog, "1.json"),
        (vec![zero(), ("1", "hello".into())], Reason::DamagedLog, "1.json"),
        (vec![("0", String::new())], Reason::DamagedLog, "no protocol"),
        (vec![("0", METADATA.into())], Reason::DamagedLog, "no protocol"),
        (vec![("0", PROTOCOL.into())], Reason::DamagedLog, "no metadata"),
    ];
    for (files, reason, wanted) in cases {
        let table = table(&files).await;
        let failure = read(&table, &SourcePoint::Newest).await.unwrap_err().failure();
        assert_eq!(failure.reason, reason, "{files:?}: {failure}");
        assert!(failure.message.contains(wanted), "{files:?}: {failure}");
    }
}

const CHECKPOINT: &str =
    "00000000000000000001.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";

#[tokio::test]
async fn a_hint_only_hints() {
    let commits = || {
        vec![
            ("0", first(&[add("a", "")])),
            ("1", add("b", "")),
            ("2", add("c", "")),
            (CHECKPOINT, first(&[add("a", ""), add("b", "")])),
        ]
    };
    for hint in [
        "",
        "{}",
        "garbage",
        r#"{"version":0}"#,
        r#"{"version":1}"#,
        r#"{"version":2}"#,
        r#"{"version":77}"#,
        r#"{"version":18446744073709551615}"#,
    ] {
        let mut files = commits();
        files.push(("_last_checkpoint", hint.to_owned()));
        assert_eq!(live(&files).await.unwrap(), ["a", "b", "c"], "{hint}");
        let table = table(&files).await;
        assert_eq!(log::head(&table).await.unwrap(), Some(2), "{hint}");
        for version in 0..=2 {
            let snapshot = read(&table, &SourcePoint::Version(version)).await.unwrap();
            assert_eq!(snapshot.files.len() as u64, version + 1, "{hint}");
        }
    }
}

#[tokio::test]
async fn a_damaged_checkpoint_gives_way_only_to_the_whole_truth() {
    let whole = vec![
        ("0", first(&[add("a", "")])),
        ("1", add("b", "")),
        ("2", add("c", "")),
        ("_last_checkpoint", r#"{"version":1}"#.to_owned()),
    ];
    for damage in [
        "",
        "{\"add\":",
        PROTOCOL,
        &first(&["{\"checkpointMetadata\":{\"version\":9}}".to_owned()]),
        &first(&["{\"sidecar\":{\"path\":\"gone.parquet\"}}".to_owned()]),
    ] {
        let mut files = whole.clone();
        files.push((CHECKPOINT, damage.to_owned()));
        assert_eq!(live(&files).await.unwrap(), ["a", "b", "c"], "{damage}");
        files.remove(0);
        let error = live(&files).await.unwrap_err();
        assert!(error.contains("damaged"), "{damage}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_held_in_a_version_is_named() {
    let table = table(&[("0", first(&[])), ("1", add("b", ""))]).await;
    let error = read(&table, &SourcePoint::Version(2)).await.unwrap_err().failure();
    assert_eq!(error.reason, Reason::InvalidArgument);
    assert!(error.message.contains("it holds 0 to 1"), "{error}");
    let error = read(&table, &SourcePoint::Timestamp(5)).await.unwrap_err().failure();
    assert_eq!(error.reason, Reason::InvalidArgument);
    assert!(error.message.contains("1970-01-01"), "{error}");
    let newest = read(&table, &SourcePoint::Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(newest.version, 1);
    let zero = read(&table, &SourcePoint::Version(0)).await.unwrap();
    let at_zero = read(&table, &SourcePoint::Timestamp(zero.commit_ms)).await.unwrap();
    assert_eq!(at_zero.version, 0);
}

#[tokio::test]
async fn in_commit_timestamps_tell_the_time() {
    let protocol = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatu\
        res\":[\"inCommitTimestamp\"]}}";
    let metadata = METADATA.replace(
        "\"configuration\":{}",
        "\"configuration\":{\"delta.enableInCommitTimestamps\":\"true\"}",
    );
    let info = |at: i64| format!("{{\"commitInfo\":{{\"inCommitTimestamp\":{at}}}}}");
    let table = table(&[
        ("0", lines(&[info(1000), protocol.to_owned(), metadata])),
        ("1", lines(&[info(2000), add("a", "")])),
        ("2", lines(&[info(3000), add("b", "")])),
    ])
    .await;
    for (at, version) in [(1000, 0), (1999, 0), (2000, 1), (2999, 1), (3000, 2), (9999, 2)] {
        let snapshot = read(&table, &SourcePoint::Timestamp(at)).await.unwrap();
        assert_eq!(snapshot.version, version, "{at}");
    }
    assert!(read(&table, &SourcePoint::Timestamp(999)).await.is_err());
    let newest = read(&table, &SourcePoint::Newest).await.unwrap();
    assert_eq!((newest.commit_ms, newest.ict), (3000, Some(3000)));
}

const IN_COMMIT: &str = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\
    \"writerFeatures\":[\"inCommitTimestamp\"]}}";

/// Metadata with in-commit timestamps and these properties.
fn in_commit(more: &str) -> String {
    let on = format!("\"configuration\":{{\"delta.enableInCommitTimestamps\":\"true\"{more}}}");
    METADATA.replace("\"configuration\":{}", &on)
}

fn at(ms: i64) -> String {
    format!("{{\"commitInfo\":{{\"inCommitTimestamp\":{ms}}}}}")
}

#[tokio::test]
async fn before_in_commit_timestamps_the_files_tell_the_time() {
    const ENABLED_MS: i64 = 4_000_000_000_000;
    let property = "delta.inCommitTimestampEnablement";
    let enabled = format!(",\"{property}Version\":\"1\",\"{property}Timestamp\":\"{ENABLED_MS}\"");
    let table = table(&[
        ("0", first(&[])),
        ("1", lines(&[at(ENABLED_MS), IN_COMMIT.to_owned(), in_commit(&enabled)])),
        ("2", lines(&[at(ENABLED_MS + 1000), add("a", "")])),
    ])
    .await;
    let zero_ms = read(&table, &SourcePoint::Version(0)).await.unwrap().commit_ms;
    for (at_ms, version) in [
        (zero_ms, 0),
        (ENABLED_MS - 1, 0),
        (ENABLED_MS, 1),
        (ENABLED_MS + 999, 1),
        (ENABLED_MS + 1000, 2),
    ] {
        let snapshot = read(&table, &SourcePoint::Timestamp(at_ms)).await.unwrap();
        assert_eq!(snapshot.version, version, "{at_ms}");
    }
    assert!(read(&table, &SourcePoint::Timestamp(zero_ms - 1)).await.is_err());
}

/// The commits below the oldest checkpoint give no version any more.
#[tokio::test]
async fn a_time_before_the_oldest_checkpoint_is_not_held() {
    let checkpoint = CHECKPOINT.replace("1.checkpoint", "2.checkpoint");
    let table = table(&[
        (&checkpoint, lines(&[IN_COMMIT.to_owned(), in_commit(""), add("a", "")])),
        ("1", at(1000)),
        ("2", at(2000)),
        ("3", at(3000)),
    ])
    .await;
    for at_ms in [999, 1000, 1999] {
        let error = read(&table, &SourcePoint::Timestamp(at_ms)).await.unwrap_err().to_string();
        assert!(error.contains("before the oldest version, 2,"), "{at_ms}: {error}");
    }
    let held = read(&table, &SourcePoint::Timestamp(2000)).await.unwrap();
    assert_eq!((held.version, held.commit_ms, held.ict), (2, 2000, Some(2000)));
}

#[test]
fn a_version_was_written_when_its_file_was() {
    let entry = |modified_ms| LogEntry { name: String::new(), size: 1, modified_ms, etag: None };
    for (version, checkpoint, commits, expect) in [
        (1, None, &[(0, 10), (1, 20)][..], 20),
        // Times that do not grow are corrected.
        (1, None, &[(0, 10), (1, 5)], 11),
        (1, Some((1, 30)), &[(0, 10), (1, 20)], 20),
        // Only the checkpoint is left.
        (2, Some((2, 30)), &[(0, 10), (1, 20)], 30),
        (2, Some((2, 30)), &[], 30),
    ] {
        let checkpoints = checkpoint
            .map(|(version, at)| CheckpointFiles { version, files: vec![entry(at)] })
            .into_iter()
            .collect();
        let commits = commits.iter().map(|(version, at)| (*version, entry(*at))).collect();
        let segment = LogSegment { version, checkpoints, commits };
        assert_eq!(time::written_ms(&segment), expect, "{segment:?}");
    }
}

#[tokio::test]
async fn a_time_that_a_commit_tells_twice_is_the_last_one() {
    let protocol = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatu\
        res\":[\"inCommitTimestamp\"]}}";
    let metadata = METADATA.replace("{}}}", "{\"delta.enableInCommitTimestamps\":\"true\"}}}");
    let info = "{\"commitInfo\":{\"inCommitTimestamp\":1,\"inCommitTimestamp\":2}}";
    let lines = lines(&[info.to_owned(), protocol.to_owned(), metadata]);
    let newest = read(&table(&[("0", lines)]).await, &SourcePoint::Newest).await.unwrap();
    assert_eq!(newest.ict, Some(2));
    assert_eq!(newest.notices.len(), 1);
}

#[tokio::test]
async fn the_newest_of_each_kind_wins_and_tombstones_are_kept_apart() {
    let domain = |removed| {
        format!(
            "{{\"domainMetadata\":{{\"domain\":\"d\",\"configuration\":\"c\",\
             \"removed\":{removed}}}}}"
        )
    };
    let txn = |version| format!("{{\"txn\":{{\"appId\":\"x\",\"version\":{version}}}}}");
    let table = table(&[
        ("0", first(&[domain(false), txn(7), add("a", "")])),
        ("1", lines(&[txn(3), remove("a", "")])),
        ("2", domain(true)),
    ])
    .await;
    let at_one = read(&table, &SourcePoint::Version(1)).await.unwrap();
    assert_eq!((at_one.domains.len(), at_one.txns["x"].version), (1, 3));
    let both = read_with_tombstones(&table, &SourcePoint::Newest).await.unwrap();
    assert!(both.snapshot.domains.is_empty() && both.snapshot.files.is_empty());
    assert_eq!(both.tombstones.keys().map(|key| key.path.as_str()).collect::<Vec<_>>(), ["a"]);
}

/// The coordinator reads on a runtime with several threads.
#[test]
fn reading_can_move_between_threads() {
    fn assert_send<T: Send>(_: impl FnOnce(&'static TableStore) -> T) {}
    assert_send(|table| read(table, &SourcePoint::Newest));
    assert_send(log::head);
    assert_send(|table| log::list(table, None));
}
