//! An audit asks the replica alone, finds each damage by its name, and a proof of use reads rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, DivergencePolicy, Repair};
use deepclone_delta::describe::describe;
use deepclone_delta::ledger::{LedgerEntry, LedgerWriter};
use deepclone_delta::verify::{
    AuditOrder, DifferenceKind, KeptVerdict, Sample, UseProof, VerifyReport, audit, lost_ledgers,
    restore_ledgers,
};
use parquet::arrow::ArrowWriter;
use serde_json::json;
use uuid::Uuid;

use crate::support::*;

const A1: &str = "p=a/a1.parquet";
const ALL: Sample = Sample { millionths: 1_000_000, seed: 1 };
const LEDGER: &str = "_deepclone/ledger/00000000-0000-0000-0000-000000000007/0000.parquet";
const HINT: &str = "_deepclone/replica.json";
/// Long after every commit.
const LATER_MS: i64 = NOW_MS + 24 * 3_600_000;

/// A replica with its ledger, as a coordinator leaves it.
async fn replica(source: &Table) -> Table {
    let target = Table::new("target");
    sync_equal(source, &target, &spec()).await;
    write_ledger(&target).await;
    target
}

async fn write_ledger(target: &Table) {
    let mut entries = Vec::new();
    for key in target.snapshot().await.files.keys() {
        let bytes = target.get(&key.path).await.unwrap();
        entries.push(LedgerEntry {
            key: key.path.clone(),
            size: bytes.len() as u64,
            crc64nvme: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes),
            source_etag: String::new(),
            worker: "w".to_owned(),
            seen_ms: NOW_MS,
        });
    }
    let mut writer = LedgerWriter::new(&target.store, JobId(Uuid::from_u128(7)));
    writer.append(entries).await.unwrap();
    writer.finish().await.unwrap();
}

async fn look(target: &Table, order: AuditOrder) -> VerifyReport {
    audit(&target.store, order, LATER_MS).await.unwrap()
}

async fn found(target: &Table, sample: Option<Sample>) -> Vec<(DifferenceKind, String)> {
    let report = look(target, AuditOrder { sample, proof: None }).await;
    report.differences.into_iter().map(|found| (found.kind, found.subject)).collect()
}

#[tokio::test]
async fn a_clean_replica_is_audited_without_its_source() {
    let source = small_source().await;
    let target = replica(&source).await;
    let report = look(&target, AuditOrder { sample: Some(ALL), proof: None }).await;
    assert_eq!(report.differences, []);
    let deep = report.deep.unwrap();
    assert_eq!((deep.objects, deep.source_bytes_read), (report.objects, 0));
    assert_eq!((deep.target_bytes_read, deep.bytes), (deep.bytes_total, report.bytes));
    assert_eq!((report.source_version, report.replica_version), (0, 0));
    let kept = KeptVerdict::of(&report, 5);
    kept.write(&target.store).await.unwrap();
    assert_eq!(KeptVerdict::read(&target.store).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn each_damage_is_found_by_one_audit_and_named() {
    let source = small_source().await;
    for (damage, sample, kinds) in [
        ("missing", None, vec![(DifferenceKind::ObjectMissing, A1)]),
        ("cut", None, vec![(DifferenceKind::ObjectSize, A1)]),
        ("changed", Some(ALL), vec![(DifferenceKind::ObjectBytes, A1)]),
        ("changed", None, vec![]),
        ("hint", None, vec![(DifferenceKind::Hint, HINT)]),
        ("ledger", None, vec![(DifferenceKind::Ledger, "_deepclone/ledger")]),
        (
            "ledger damaged",
            None,
            vec![(DifferenceKind::Ledger, "_deepclone/ledger"), (DifferenceKind::Ledger, LEDGER)],
        ),
        ("log", None, vec![(DifferenceKind::Log, "s3://target/target")]),
        ("not ours", None, vec![(DifferenceKind::Diverged, "s3://target/target")]),
    ] {
        let target = replica(&source).await;
        match damage {
            "missing" => target.delete(A1).await,
            "cut" => target.object(A1, 3).await,
            "changed" => target.put(A1, vec![b'!'; 12]).await,
            "hint" => target.delete(HINT).await,
            "ledger" => target.delete(LEDGER).await,
            "ledger damaged" => target.put(LEDGER, b"no parquet".to_vec()).await,
            "log" => target.delete("_delta_log/00000000000000000000.json").await,
            _ => {
                target.delete(HINT).await;
                let actions = [
                    metadata("other", json!({})),
                    json!({"protocol":
                    {"minReaderVersion": 1, "minWriterVersion": 2}}),
                ];
                let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
                target.raw_commit(0, &lines.join("\n")).await;
            }
        }
        let named = found(&target, sample).await;
        let named: Vec<_> = named.iter().map(|(kind, subject)| (*kind, &**subject)).collect();
        assert_eq!(named, kinds, "{damage}");
    }
}

#[tokio::test]
async fn a_hint_may_be_written_after_the_commit() {
    let source = small_source().await;
    let target = replica(&source).await;
    target.delete(HINT).await;
    let described = describe(&target.store).await.unwrap();
    let record_ms = described.last_sync.unwrap().timestamp_ms;
    for (after_ms, is_told) in [(0, false), (59_999, false), (60_000, true)] {
        let report = audit(&target.store, AuditOrder::default(), record_ms + after_ms).await;
        assert_eq!(!report.unwrap().differences.is_empty(), is_told, "{after_ms}");
    }
}

#[tokio::test]
async fn a_commit_of_another_writer_is_named_and_a_repair_undoes_it_by_policy() {
    let source = small_source().await;
    let mut target = replica(&source).await;
    target.commit(&[info("WRITE"), remove("a1")]).await;
    let report = look(&target, AuditOrder::default()).await;
    let [one] = &report.differences[..] else { panic!("{report:?}") };
    assert_eq!(one.kind, DifferenceKind::Diverged);
    assert_eq!(one.detail, "the replica's version 1 (WRITE) is not ours");
    let repair = CloneSpec { repair: Repair::Sizes, ..spec() };
    let refused = sync(&source, &target, &repair).await.unwrap_err();
    assert_eq!(refused, Reason::TargetNotOurs);
    let overwrite = CloneSpec { divergence_policy: DivergencePolicy::Overwrite, ..repair };
    let did = sync(&source, &target, &overwrite).await.unwrap();
    assert!(matches!(did, Did::Published { version: 2, .. }), "{did:?}");
    assert_eq!(found(&target, Some(ALL)).await, []);
}

#[tokio::test]
async fn a_log_that_lost_its_record_is_named_and_repaired_by_the_hint_beside_it() {
    let source = small_source().await;
    let target = replica(&source).await;
    let log = target.get("_delta_log/00000000000000000000.json").await.unwrap();
    let log = String::from_utf8(log).unwrap();
    let is_lost = |line: &&str| !line.contains("\"txn\"") && !line.contains("\"commitInfo\"");
    let rest: Vec<&str> = log.lines().filter(is_lost).collect();
    target.raw_commit(0, &rest.join("\n")).await;
    let named = found(&target, Some(ALL)).await;
    assert_eq!(named, [(DifferenceKind::Diverged, "s3://target/target".to_owned())]);
    let (repair, divergence_policy) = (Repair::Bytes, DivergencePolicy::Overwrite);
    let overwrite = CloneSpec { repair, divergence_policy, ..spec() };
    let did = sync(&source, &target, &overwrite).await.unwrap();
    assert!(matches!(did, Did::Published { version: 1, .. }), "{did:?}");
    assert_eq!(found(&target, Some(ALL)).await, []);
}

#[tokio::test]
async fn lost_ledgers_are_recorded_again_for_what_the_source_has() {
    let source = small_source().await;
    let target = replica(&source).await;
    let count = target.snapshot().await.files.len() as u64;
    target.put(LEDGER, b"no parquet".to_vec()).await;
    target.put(A1, vec![b'!'; 12]).await;
    assert_eq!(lost_ledgers(&target.store).await.unwrap(), (count, vec![LEDGER.to_owned()]));
    let restored = |n| {
        let ledger = JobId(Uuid::from_u128(n));
        restore_ledgers(&source.store, &target.store, ledger, LATER_MS)
    };
    let did = restored(8).await.unwrap();
    assert_eq!((did.objects, did.unproven), (count - 1, 1));
    assert_eq!((did.removed, did.source_bytes_read), (vec![LEDGER.to_owned()], 12 * count));
    assert_eq!(target.get(LEDGER).await, None);
    target.put(A1, source.get(A1).await.unwrap()).await;
    assert_eq!(restored(9).await.unwrap().objects, 1);
    assert_eq!(found(&target, Some(ALL)).await, []);
    assert_eq!(restored(10).await.unwrap(), Default::default());
}

/// A replica of one file of Parquet whose statistics the log has.
async fn proven(stats: &str) -> Table {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(9)]));
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let mut source = Table::new("source");
    let add = add_with("a1", json!({"stats": stats, "size": bytes.len()}));
    let both = [features(&[], &[]), metadata("source-id", json!({})), add];
    source.commit(&both).await;
    source.put(A1, bytes.clone()).await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    target.put(A1, bytes).await;
    write_ledger(&target).await;
    target
}

#[tokio::test]
async fn an_independent_reader_proves_counts_and_rows_or_refutes_them() {
    let right =
        r#"{"numRecords":3,"nullCount":{"id":1},"minValues":{"id":3},"maxValues":{"id":9}}"#;
    let target = proven(right).await;
    let order = AuditOrder { sample: None, proof: Some(ALL) };
    let report = look(&target, order).await;
    assert_eq!(report.differences, []);
    let Some(UseProof::Proven(figures)) = report.proof else { panic!("{report:?}") };
    assert_eq!((figures.records, figures.files_read), (Some(3), 1));
    assert_eq!((figures.rows_read, figures.columns_read), (3, 1));
    assert!(figures.bytes_read > 0);
    for (stats, what) in [
        (right.replace("\"numRecords\":3", "\"numRecords\":4"), "3 rows, the log says 4"),
        (right.replace("{\"id\":1}", "{\"id\":0}"), "1 nulls in id, the log says 0"),
        (right.replace("{\"id\":9}", "{\"id\":8}"), "id from 3 to 9, the log says 3 to 8"),
    ] {
        let report = look(&proven(&stats).await, order).await;
        assert!(matches!(report.proof, Some(UseProof::Refuted(_))), "{report:?}");
        let told: BTreeSet<_> = report.differences.iter().map(|found| &*found.detail).collect();
        assert_eq!(told, [what].into(), "{stats}");
        assert_eq!(report.differences[0].kind, DifferenceKind::ProofOfUse);
    }
    // A file that no reader of Parquet reads.
    let target = replica(&small_source().await).await;
    let report = look(&target, order).await;
    assert!(matches!(report.proof, Some(UseProof::Refuted(_))), "{report:?}");
}

#[tokio::test]
async fn what_the_reader_does_not_know_is_not_provable_and_not_wrong() {
    let mut source = Table::new("source");
    let both = ["futureThing"];
    source.commit(&[features(&both, &both), metadata("source-id", json!({})), add("a1")]).await;
    let target = Table::new("target");
    let allowed = CloneSpec { allowed_features: vec!["futureThing".to_owned()], ..spec() };
    sync_equal(&source, &target, &allowed).await;
    write_ledger(&target).await;
    let report = look(&target, AuditOrder { sample: None, proof: Some(ALL) }).await;
    assert!(matches!(report.proof, Some(UseProof::NotProvable { .. })), "{report:?}");
    assert_eq!(report.differences, []);
}
