//! The stable output: JSON objects key by key, and the text for people.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::job_limits::JobLimits;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, TableRef};
use uuid::Uuid;

use super::*;
use crate::client::job::{Change, JobInfo, JobProgress, JobProofs, JobResult, JobStatus};
use crate::client::worker::{SetAsideInfo, WorkerInfo, WorkerStatus};

const ID: Uuid = Uuid::from_u128(0x0190_a6b4_5d3e_7c21_9f0a_2b1c_3d4e_5f60);

fn spec() -> CloneSpec {
    CloneSpec {
        source: TableRef { uri: "s3://lake/t".into(), connection: None },
        target: TableRef { uri: "gs://dr/t".into(), connection: None },
        mode: deepclone_core::spec::Mode::Clone,
        source_point: deepclone_core::spec::SourcePoint::Newest,
        partition_filter: None,
        properties: BTreeMap::new(),
        verification: deepclone_core::spec::Verification::Digest,
        divergence_policy: deepclone_core::spec::DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: deepclone_core::spec::SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    }
}

fn job(state: JobStatus) -> JobInfo {
    JobInfo {
        id: ID,
        spec: spec(),
        state,
        progress: JobProgress::default(),
        create_time_ms: Some(0),
        end_time_ms: None,
        sent: None,
        submitter: None,
    }
}

fn metrics(names_and_numbers: &[(&str, i64)]) -> BTreeMap<String, i64> {
    names_and_numbers.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

fn result() -> JobResult {
    JobResult {
        source_version: 12,
        target_version: 3,
        up_to_date: false,
        objects_copied: 5,
        objects_skipped: 1,
        bytes_read: 2048,
        bytes_written: 2048,
        clone_metrics: metrics(&[
            ("source_table_size", 4096),
            ("source_num_of_files", 8),
            ("num_removed_files", 2),
            ("num_copied_files", 6),
            ("removed_files_size", 100),
            ("copied_files_size", 2560),
        ]),
        tasks: 2,
        workers: 2,
        duration: Duration::from_millis(1234),
        objects_copied_by_store: 3,
        proofs: JobProofs { length: 1, earlier: 0, stored_checksum: 3, read_back: 2 },
    }
}

#[test]
fn a_syncs_object_has_exactly_the_fixed_keys() {
    let answer = clone::answer(&job(JobStatus::Succeeded(result())), &result()).unwrap();
    let wanted = concat!(
        r#"{"source_table_size":4096,"source_num_of_files":8,"num_removed_files":2,"#,
        r#""num_copied_files":6,"removed_files_size":100,"copied_files_size":2560,"#,
        r#""job_id":"0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60","mode":"clone","source_version":12,"#,
        r#""target_version":3,"up_to_date":false,"objects_copied":5,"objects_skipped":1,"#,
        r#""bytes_read":2048,"bytes_written":2048,"tasks":2,"workers":2,"duration_ms":1234,"#,
        r#""objects_copied_by_store":3,"#,
        r#""proofs":{"length":1,"earlier":0,"stored_checksum":3,"read_back":2}}"#,
    );
    assert_eq!(answer.json, wanted);
    let wanted = "\
synced
  source    s3://lake/t  (version 12)
  target    gs://dr/t  (version 3)
  table     8 files, 4.0 KiB
  added     6 files, 2.5 KiB
  removed   2 files, 100 B
  copied    5 objects, 2.0 KiB (3 by the store itself; 1 more were there already)
  proved    2 read back, 3 by stored checksum, 1 by length alone
  duration  1.2 s, 1.6 KiB/s
  job       0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60";
    assert_eq!(answer.text, wanted);
    assert_eq!(answer.exit, 0);
}

#[test]
fn up_to_date_the_sources_figures_are_known_or_null_and_the_others_zero() {
    let up_to_date = |clone_metrics| JobResult {
        source_version: 12,
        target_version: 3,
        up_to_date: true,
        clone_metrics,
        ..JobResult::default()
    };
    let known = metrics(&[("source_table_size", 10), ("source_num_of_files", 1)]);
    for (known, size) in [(known, serde_json::json!(10)), (metrics(&[]), serde_json::Value::Null)] {
        let result = up_to_date(known);
        let answer = clone::answer(&job(JobStatus::Succeeded(result.clone())), &result).unwrap();
        let object: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
        assert_eq!(object["source_table_size"], size);
        assert_eq!(object["num_copied_files"], 0);
        assert_eq!(object["removed_files_size"], 0);
        assert_eq!(object["up_to_date"], true);
        assert!(answer.text.starts_with("already up to date"), "{}", answer.text);
    }
}

#[test]
fn a_plans_object_and_text() {
    let change = Change {
        source_version: 12,
        progress: JobProgress {
            objects_total: 5,
            bytes_total: 2048,
            tasks_total: 1,
            notices: vec!["a note".into()],
            ..JobProgress::default()
        },
        source_requests: 5,
        target_requests: 7,
        clone_metrics: result().clone_metrics,
        up_to_date: false,
        target_version: None,
        cost: None,
    };
    let answer = plan::answer(&spec(), &change).unwrap();
    let wanted = concat!(
        r#"{"source_table_size":4096,"source_num_of_files":8,"num_removed_files":2,"#,
        r#""num_copied_files":6,"removed_files_size":100,"copied_files_size":2560,"#,
        r#""source":"s3://lake/t","target":"gs://dr/t","mode":"clone","source_version":12,"#,
        r#""target_version":null,"up_to_date":false,"objects":5,"bytes":2048,"tasks":1,"#,
        r#""source_requests":5,"target_requests":7,"notices":["a note"]}"#,
    );
    assert_eq!(answer.json, wanted);
    let wanted = "\
a sync would move (nothing was moved now)
  source    s3://lake/t  (version 12)
  target    gs://dr/t  (new)
  add       6 files, 2.5 KiB
  remove    2 files, 100 B
  copy      5 objects, 2.0 KiB
  requests  5 to the source, 7 to the target";
    assert_eq!(answer.text, wanted);
}

#[test]
fn jobs_in_every_kind_of_state() {
    let failure = Failure::new(Reason::ObjectVanished, "a/b is gone").with("key", "a/b");
    let answer = job::one(&job(JobStatus::Failed(failure))).unwrap();
    let object: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
    let wanted = serde_json::json!({
        "job_id": "0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60",
        "state": "FAILED",
        "source": "s3://lake/t",
        "target": "gs://dr/t",
        "mode": "clone",
        "limits": {"bytes_per_second": null, "concurrency": null},
        "create_time": "1970-01-01T00:00:00.000Z",
        "end_time": null,
        "progress": {
            "source_version": null, "objects_total": 0, "objects_done": 0, "bytes_total": 0,
            "bytes_copied": 0, "tasks_total": 0, "tasks_done": 0, "workers": 0, "notices": [],
        },
        "result": null,
        "failure": {
            "code": 3, "reason": "OBJECT_VANISHED", "message": "a/b is gone",
            "details": {"key": "a/b"},
        },
    });
    assert_eq!(object, wanted);
    assert!(answer.text.contains("failure  a/b is gone (OBJECT_VANISHED)"), "{}", answer.text);

    let list = job::many(&[job(JobStatus::Succeeded(result())), job(JobStatus::Copying)]).unwrap();
    let object: serde_json::Value = serde_json::from_str(&list.json).unwrap();
    assert_eq!(object["jobs"][0]["result"]["target_version"], 3);
    assert_eq!(object["jobs"][0]["result"]["proofs"]["stored_checksum"], 3);
    let done = job::one(&job(JobStatus::Succeeded(result()))).unwrap();
    assert!(done.text.contains("\n  proved   2 read back, 3 by"), "{}", done.text);
    assert_eq!(object["jobs"][1]["state"], "COPYING");
    assert_eq!(list.text.lines().count(), 3, "{}", list.text);
    assert_eq!(job::many(&[]).unwrap().text, "no jobs");
    assert_eq!(job::many(&[]).unwrap().json, r#"{"jobs":[]}"#);
}

#[test]
fn a_jobs_limits_are_shown_where_it_has_some() {
    for (bytes_per_second, concurrency, shown) in [
        (None, None, None),
        (Some(50 << 20), None, Some("limits  50MiB/s\n")),
        (None, Some(1), Some("limits  1 copy at once\n")),
        (Some(131_072), Some(64), Some("limits  128KiB/s, 64 copies at once\n")),
    ] {
        let mut limited = job(JobStatus::Copying);
        limited.spec.limits = JobLimits { bytes_per_second, concurrency, held: false };
        let answer = job::one(&limited).unwrap();
        let object: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
        assert_eq!(object["limits"]["bytes_per_second"].as_u64(), bytes_per_second);
        assert_eq!(object["limits"]["concurrency"].as_u64(), concurrency.map(u64::from));
        assert_eq!(answer.text.contains("limits"), shown.is_some(), "{}", answer.text);
        let unaligned = answer.text.replace("limits   ", "limits  ");
        assert!(unaligned.contains(shown.unwrap_or_default()), "{}", answer.text);
    }
}

#[test]
fn workers_as_a_table_and_as_an_object() {
    let worker = WorkerInfo {
        id: ID,
        name: "w-1".into(),
        state: WorkerStatus::Draining,
        version: "0.1.0".into(),
        connections: vec!["lake".into(), "dr".into()],
        last_seen_time_ms: Some(1000),
        set_aside: vec![SetAsideInfo {
            connection: "lake".into(),
            reason: "cannot read a: the token expired".into(),
            until_time_ms: Some(2000),
        }],
    };
    let answer = worker::many(std::slice::from_ref(&worker)).unwrap();
    let wanted = concat!(
        r#"{"workers":[{"worker_id":"0190a6b4-5d3e-7c21-9f0a-2b1c3d4e5f60","name":"w-1","#,
        r#""state":"DRAINING","version":"0.1.0","connections":["lake","dr"],"#,
        r#""last_seen_time":"1970-01-01T00:00:01.000Z","set_aside":[{"connection":"lake","#,
        r#""reason":"cannot read a: the token expired","#,
        r#""until_time":"1970-01-01T00:00:02.000Z"}]}]}"#,
    );
    assert_eq!(answer.json, wanted);
    assert!(answer.text.contains("w-1   DRAINING  0.1.0"), "{}", answer.text);
    let aside = "\nw-1: set aside for the connection lake until 1970-01-01T00:00:02.000Z: cannot";
    assert!(answer.text.contains(aside), "{}", answer.text);
}

#[test]
fn a_failure_is_one_line_a_hint_and_one_object_without_secrets() {
    let failure = Failure::new(Reason::TargetDiverged, "s3://id:SECRET@b/t has\nforeign commits");
    let text = error::text(&failure);
    assert!(text.starts_with("error: s3://***@b/t has foreign commits\n hint: --on-div"));
    let failure = Failure::new(Reason::NotADeltaTable, "file:///x holds no _delta_log");
    assert_eq!(error::text(&failure), "error: file:///x holds no _delta_log");
    let wanted = concat!(
        r#"{"error":{"code":3,"reason":"NOT_A_DELTA_TABLE","#,
        r#""message":"file:///x holds no _delta_log"}}"#,
    );
    assert_eq!(error::json(&failure), wanted);
}
