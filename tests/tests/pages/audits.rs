//! Audits on the pages and in the metrics: what was found, when, and what could not be looked at.

use std::time::Duration;

use deepclone_coordinator::replications::upkeep_kept::{KeptAudit, UpkeepFailure};
use deepclone_coordinator::replications::view::{ReplicationView, TableView};
use deepclone_core::replication::{AuditSpec, DueSpec, ScheduleSpec};
use deepclone_delta::verify::{Difference, DifferenceKind, KeptVerdict, ProofFigures, UseProof};

use crate::figures::metrics;
use crate::samples::{change, fleet_of, minutes_ago, small};
use crate::site::Site;

fn verdict(minutes: u64, differences: u64, proof: UseProof) -> KeptVerdict {
    KeptVerdict {
        time_ms: minutes_ago(minutes).0,
        replica_version: 977,
        source_version: 4_182,
        differences,
        objects_compared: 0,
        bytes_compared: 0,
        sample: None,
        found: vec![Difference {
            kind: DifferenceKind::ObjectMissing,
            subject: "part-1.parquet".into(),
            detail: "part-1.parquet is not at the target".into(),
        }],
        objects: 12,
        target_bytes_read: 0,
        source_bytes_read: 0,
        proof: Some(proof),
    }
}

fn audited(table: &mut TableView, verdict: Option<KeptVerdict>, fails: bool) {
    let failure = fails.then(|| UpkeepFailure {
        at: minutes_ago(3),
        reason: "STORAGE_UNAVAILABLE".into(),
        message: "no answer of the store".into(),
    });
    table.audit = Some(KeptAudit { verdict, failure });
}

/// One that is clean and proven, one that differs, one that could not be looked at again, and one
/// that never was.
fn site() -> ReplicationView {
    let mut view = small("a", 4);
    change(&mut view, |spec| {
        let due = DueSpec::Every(Duration::from_secs(6 * 3_600));
        let schedule = ScheduleSpec { due, spread: None };
        spec.audit = Some(AuditSpec { schedule, sample_millionths: 50_000, proof_of_use: true });
    });
    let figures = ProofFigures { records: Some(57), ..ProofFigures::default() };
    let proven = || UseProof::Proven(figures);
    let unknown = UseProof::NotProvable { reason: "an unknown feature".into() };
    audited(&mut view.tables[0], Some(verdict(20, 0, proven())), false);
    audited(&mut view.tables[1], Some(verdict(40, 2, proven())), false);
    audited(&mut view.tables[2], Some(verdict(90, 0, unknown)), true);
    view.counts.audits_failed = 1;
    view
}

#[tokio::test]
async fn what_audits_found_stands_on_the_first_page_and_on_that_of_the_replication() {
    let site = Site::of(fleet_of(vec![site()])).await;
    for address in ["/", "/replications/a"] {
        let words = site.words(address).await;
        for part in [
            "Audits found differences in 1 replica",
            "2 of 4 replicas what their syncs recorded",
            "; 1 never audited; the newest try of 1 could not be made",
            "Proof of use: delta-rs reads what the log says in 2 replicas",
            "; 1 it cannot open",
            "An audit found differences: deepclone repair brings back what is damaged",
            "part-1.parquet is not at the target",
        ] {
            assert!(words.contains(part), "{address}: {part:?} is not in {words}");
        }
    }
    let words = site.words("/replications/a").await;
    for part in ["2 differences", ": clean", "no answer of the store", "every 6 h, 5% of the bytes"]
    {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    let none = Site::of(fleet_of(vec![small("b", 2)])).await.words("/").await;
    assert!(!none.contains("udit"), "{none}");
}

#[tokio::test]
async fn metrics_tell_when_replicas_were_audited_and_what_was_found() {
    let lines = metrics(&Site::of(fleet_of(vec![site()])).await).await;
    let seconds = |minutes| minutes_ago(minutes).0 / 1_000;
    for (name, more, value) in [
        ("audited_timestamp_seconds", "", format!("{}.0", seconds(90))),
        ("audit_tables", ",answer=\"clean\"", "2.0".into()),
        ("audit_tables", ",answer=\"differs\"", "1.0".into()),
        ("audit_tables", ",answer=\"never\"", "1.0".into()),
        ("audit_differences", "", "2.0".into()),
        ("audits_total", ",outcome=\"failed\"", "1.0".into()),
        ("use_proven_timestamp_seconds", "", format!("{}.0", seconds(40))),
        ("use_proof_tables", ",answer=\"proven\"", "2.0".into()),
        ("use_proof_tables", ",answer=\"not_provable\"", "1.0".into()),
    ] {
        let start = format!("deepclone_replication_{name}{{replication=\"a\",owner=");
        let is_it = |line: &&String| line.starts_with(&start) && line.contains(more);
        let line = lines.iter().find(is_it).unwrap_or_else(|| panic!("{name}{more}: {lines:#?}"));
        assert!(line.ends_with(&format!(" {value}")), "{line} is not {value}");
    }
}
