//! Replications as they are → what is so.

use deepclone_core::failure::Failure;
use deepclone_core::readiness::lag::ReplicaFreshness;
use deepclone_core::reason::Reason;

use super::super::sightings::{kind_of, sightings};
use super::views::{
    audited, behind, current, failing, fleet, replication, seconds_ago, with_budget,
};
use crate::replications::upkeep_kept::KeptVacuum;
use crate::replications::view::{ReplicationState, ReplicationView, StateView, TableView};

/// How long ago the coordinator started, in seconds.
const STARTED: u64 = 1_000;

/// What is so, and below it what is not known, one line each.
fn seen(views: Vec<ReplicationView>) -> Vec<String> {
    let found = sightings(&fleet(views), seconds_ago(STARTED));
    let line = |(cause, detail): (&deepclone_core::alert::AlertCause, _)| {
        let detail: &deepclone_core::alert::AlertDetail = detail;
        let tables = detail.tables.join(",");
        format!("{} {} {} [{tables}]", cause.kind.name(), cause.subject, cause.reason)
    };
    let unknown = found.unsettled.iter();
    let unknown = unknown.map(|(kind, subject)| format!("? {} {subject}", kind.name()));
    found.present.iter().map(line).chain(unknown).collect()
}

fn of_tables(tables: Vec<TableView>) -> Vec<String> {
    seen(vec![replication("a", tables)])
}

#[test]
fn failures_are_grouped_by_their_reason() {
    let tables = vec![
        failing("x", Reason::PermissionDenied),
        failing("y", Reason::PermissionDenied),
        failing("z", Reason::TargetDiverged),
        current("ok", 10),
    ];
    let expected = ["sync_failed a PERMISSION_DENIED [x,y]", "diverged a TARGET_DIVERGED [z]"];
    let found = of_tables(tables);
    assert_eq!(found[..2], expected);
    // The lag of tables that fail is not known.
    assert_eq!(found[2..], ["? objective_missed a"]);
    assert_eq!(of_tables(vec![current("ok", 10)]), [""; 0]);
}

#[test]
fn what_an_audit_found_lasts_until_one_finds_nothing() {
    let audited = |path: &str, differences| audited(current(path, 10), differences);
    let found = of_tables(vec![audited("x", Some(2)), audited("y", Some(0)), current("z", 10)]);
    assert_eq!(found, ["diverged a VERIFY_DIFFERENCE [x]"]);
    assert_eq!(of_tables(vec![audited("x", Some(0))]), [""; 0]);
    let tables = vec![audited("x", Some(2))];
    let found = sightings(&fleet(vec![replication("a", tables)]), seconds_ago(STARTED));
    let detail = found.present.values().next().unwrap();
    assert_eq!(detail.summary, "a: an audit found differences (1 table)");
    assert_eq!(detail.error, "OBJECT_MISSING a.parquet: not at the target");
}

#[test]
fn an_audit_or_a_vacuum_that_cannot_be_made_is_a_cause_of_its_own() {
    let audited = |path: &str, differences| audited(current(path, 10), differences);
    let mut both = audited("y", None);
    let failure = both.audit.as_ref().unwrap().failure.clone();
    both.vacuum = Some(KeptVacuum { done: None, failure });
    let tables = vec![audited("x", Some(0)), both, audited("z", None)];
    assert_eq!(of_tables(tables.clone()), ["upkeep_failed a STORAGE_UNAVAILABLE [y,z]"]);
    let found = sightings(&fleet(vec![replication("a", tables)]), seconds_ago(STARTED));
    let detail = found.present.values().next().unwrap();
    let summary = "a: audits or vacuums cannot be made (STORAGE_UNAVAILABLE, 2 tables)";
    assert_eq!(detail.summary, summary);
    assert_eq!(detail.error, "audit of y: no answer");
}

#[test]
fn a_table_of_which_nothing_was_heard_since_the_start_is_not_known_to_be_well() {
    let unknown = ["? sync_failed a", "? diverged a"];
    // It was checked before the start, and nothing since.
    assert_eq!(of_tables(vec![current("x", STARTED + 1)]), unknown);
    assert_eq!(of_tables(vec![current("x", STARTED - 1)]), [""; 0]);
    // It lacks commits: its next sync may fail as that before the start.
    assert_eq!(of_tables(vec![behind("x", 10)]), unknown);
    let mut synced = behind("x", 10);
    synced.synced_at = Some(seconds_ago(STARTED - 1));
    assert_eq!(of_tables(vec![synced]), [""; 0]);
    let mut never = current("x", 10);
    (never.freshness, never.synced_at) = (ReplicaFreshness::default(), None);
    assert_eq!(of_tables(vec![never]), unknown);
}

#[test]
fn a_lag_beyond_what_is_allowed_is_missed_and_a_first_copy_misses_nothing() {
    let synced = |mut table: TableView| {
        table.synced_at = Some(seconds_ago(1));
        table
    };
    let found = of_tables(vec![synced(behind("x", 601)), synced(behind("y", 600))]);
    assert_eq!(found, ["objective_missed a  [x]"]);
    let mut copying = synced(behind("x", 5_000));
    copying.freshness.is_copied = false;
    assert_eq!(of_tables(vec![copying]), [""; 0]);
    let found = sightings(
        &fleet(vec![replication("a", vec![synced(behind("x", 700))])]),
        seconds_ago(STARTED),
    );
    let detail = found.present.values().next().unwrap();
    assert_eq!(detail.summary, "a: 1 table behind by 700 s, of 600 s that are allowed");
    assert_eq!(detail.owner, "team");
}

#[test]
fn a_budget_that_several_share_is_one_cause() {
    let with = |name, key, spent| with_budget(replication(name, vec![]), key, spent);
    let found = seen(vec![with("a", "owner team", 100), with("b", "owner team", 100)]);
    assert_eq!(found, ["budget_reached owner team  []"]);
    assert_eq!(seen(vec![with("a", "owner team", 99)]), [""; 0]);
    // What is left has no room for what is to be copied.
    let state = StateView {
        state: ReplicationState::WaitingForBudget,
        reason: "the budget of the month is used up (replication a)".to_owned(),
        until: None,
    };
    let held = ReplicationView { state, ..with("a", "replication a", 99) };
    assert_eq!(seen(vec![held]), ["budget_reached replication a  []"]);
}

#[test]
fn what_another_writer_did_is_divergence() {
    for (reason, kind) in [
        (Reason::TargetDiverged, "diverged"),
        (Reason::TargetConflict, "diverged"),
        (Reason::StorageUnavailable, "sync_failed"),
        (Reason::NotADeltaTable, "sync_failed"),
    ] {
        assert_eq!(kind_of(&Failure::new(reason, "")).name(), kind);
    }
}
