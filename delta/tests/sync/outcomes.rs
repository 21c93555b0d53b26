//! The one conditional write: unknown outcomes, races, and how little a no-op costs.

use std::sync::Arc;

use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, Repair, SourcePoint};
use deepclone_delta::changes::{ChangeSet, SyncPlan, Within, plan_sync, plan_sync_within};
use deepclone_delta::history::history;
use deepclone_delta::publish::{PublishResult, finish, publish};
use object_store::memory::InMemory;
use uuid::Uuid;

use crate::faults::{Fault, Watched};
use crate::support::*;

async fn planned(source: &Table, target: &Table, job: JobId) -> Box<ChangeSet> {
    match plan_sync(&source.store, &target.store, &spec(), job).await.unwrap() {
        SyncPlan::Change(change_set) => {
            copy(source, target, &change_set).await;
            change_set
        }
        plan => panic!("{plan:?}"),
    }
}

fn job(n: u128) -> JobId {
    JobId(Uuid::from_u128(n))
}

#[tokio::test]
async fn a_put_whose_outcome_is_unknown_is_settled_by_reading_back() {
    for faults in [
        vec![Fault::AppliedButExists],
        vec![Fault::AppliedButPrecondition],
        vec![Fault::AbsentButExists],
        vec![Fault::AppliedButExists, Fault::AbsentButExists, Fault::AbsentButExists],
    ] {
        let source = small_source().await;
        let watched = Watched::new(Arc::new(InMemory::new()));
        let target = Table::on(watched.clone(), "target");
        let change_set = planned(&source, &target, job(1)).await;
        *watched.faults.lock().unwrap() = faults.clone();
        let result = publish(&target.store, &change_set, NOW_MS).await.unwrap();
        assert_eq!(result.version(), Some(0), "{faults:?}");
        assert_eq!(watched.faults.lock().unwrap().len(), 0);
        assert_equal(&source, &target).await;
        assert_valid(&target).await;
    }
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_an_error() {
    let source = small_source().await;
    let watched = Watched::new(Arc::new(InMemory::new()));
    let target = Table::on(watched.clone(), "target");
    let change_set = planned(&source, &target, job(1)).await;
    *watched.faults.lock().unwrap() = vec![Fault::AbsentButExists; 20];
    let error = publish(&target.store, &change_set, NOW_MS).await.unwrap_err();
    assert_eq!(error.failure().reason, Reason::StorageUnavailable);
    assert_eq!(watched.faults.lock().unwrap().len(), 14, "six puts, no more");
}

#[tokio::test]
async fn of_two_syncs_one_wins_and_the_other_rebases() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    let first = planned(&source, &target, job(1)).await;
    source.commit(&[add("d1")]).await;
    let second = planned(&source, &target, job(2)).await;
    let won = publish(&target.store, &second, NOW_MS).await.unwrap();
    assert_eq!(won.version(), Some(1));
    let lost = publish(&target.store, &first, NOW_MS).await.unwrap();
    assert_eq!(lost, PublishResult::Rebase);
    // Planning again finds nothing left to do.
    let again = plan_sync(&source.store, &target.store, &spec(), job(1)).await.unwrap();
    assert!(matches!(again, SyncPlan::UpToDate(_)), "{again:?}");
    assert_equal(&source, &target).await;
    assert_valid(&target).await;
}

#[tokio::test]
async fn somebody_elses_commit_at_our_version_is_told_apart() {
    for (foreign, reason) in [
        (vec![info("VACUUM START")], None),
        (vec![info("WRITE"), add("x1")], Some(Reason::TargetDiverged)),
    ] {
        let mut source = small_source().await;
        let mut target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add("c1")]).await;
        let change_set = planned(&source, &target, job(1)).await;
        target.commit(&foreign).await;
        let result = publish(&target.store, &change_set, NOW_MS).await;
        match reason {
            None => assert_eq!(result.unwrap(), PublishResult::Rebase),
            Some(reason) => assert_eq!(result.unwrap_err().failure().reason, reason),
        }
    }
}

#[tokio::test]
async fn a_sync_that_was_published_before_a_crash_is_found_again() {
    let mut source = small_source().await;
    let target = Table::new("target");
    let change_set = planned(&source, &target, job(7)).await;
    publish(&target.store, &change_set, NOW_MS).await.unwrap();
    source.commit(&[add("c1")]).await;
    let at_a_time = CloneSpec { source_point: SourcePoint::Timestamp(i64::MAX), ..spec() };
    for spec in [spec(), at_a_time] {
        let plan = plan_sync(&source.store, &target.store, &spec, job(7)).await.unwrap();
        let SyncPlan::Published(found) = plan else { panic!("{plan:?}") };
        assert_eq!((found.source_version, found.replica_version), (0, 0));
        assert_eq!(found.metrics, Some(change_set.metrics));
    }
}

/// A database that is lost forgets a job whose commit others followed. Asked again, it is found in
/// the log at no request but the one for its commit, whichever way the sync would be planned.
#[tokio::test]
async fn a_sync_that_others_followed_is_found_again() {
    let target_store = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::new("source");
    // With a checkpoint of each version the log can be cleaned up.
    let configuration = serde_json::json!({"delta.checkpointInterval": "1"});
    source.commit(&[protocol(1, 2), metadata("source-id", configuration), add("a1")]).await;
    let target = Table::on(target_store.clone(), "target");
    let at_a_time = CloneSpec { source_point: SourcePoint::Timestamp(i64::MAX), ..spec() };
    let repair = CloneSpec { repair: Repair::Sizes, ..spec() };
    let mut published = Vec::new();
    for n in 0..3_u128 {
        source.commit(&[add(&format!("c{n}"))]).await;
        let change_set = planned(&source, &target, job(n)).await;
        let result = publish(&target.store, &change_set, tick()).await.unwrap();
        let PublishResult::Published(committed) = result else { panic!("nobody else was there") };
        finish(&target.store, &committed, Some(&change_set)).await.unwrap();
        published.push((change_set.source_version, change_set.metrics));
    }
    // With news and without, what came before is told; another id is no sync of before.
    for has_news in [false, true] {
        if has_news {
            source.commit(&[add("d1")]).await;
        }
        for (n, (source_version, metrics)) in published.iter().enumerate() {
            for spec in [&spec(), &at_a_time, &repair] {
                let again = job(n as u128);
                let plan = plan_both_ways(&source, &target, spec, again).await.unwrap();
                let SyncPlan::Published(found) = plan else { panic!("{n}, {spec:?}: {plan:?}") };
                assert_eq!(
                    (found.source_version, found.metrics),
                    (*source_version, Some(*metrics))
                );
                assert_eq!(found.replica_version, n as u64);
                assert_eq!(found.is_newest, n == 2);
            }
        }
        let plan = plan_both_ways(&source, &target, &spec(), job(9)).await.unwrap();
        assert_eq!(matches!(plan, SyncPlan::Change(_)), has_news, "{plan:?}");
    }
    // One request more for the commit of a sync of before, none for any other.
    let mut requests = Vec::new();
    for id in [0, 9] {
        target_store.take();
        plan_sync(&source.store, &target.store, &spec(), job(id)).await.unwrap();
        requests.push(target_store.take());
    }
    let own = "GET target/_delta_log/00000000000000000000.json".to_owned();
    assert_eq!(requests[0].last(), Some(&own), "{requests:?}");
    assert!(requests[1].starts_with(&requests[0][..requests[0].len() - 1]), "{requests:?}");
    // A commit that was cleaned up tells nothing, and the sync is made.
    target.delete("_delta_log/00000000000000000000.json").await;
    let plan = plan_sync(&source.store, &target.store, &spec(), job(0)).await.unwrap();
    assert!(matches!(plan, SyncPlan::Change(_)), "{plan:?}");
}

/// The record of a sync names those before it, as many as are kept, and never itself.
#[tokio::test]
async fn a_commit_names_the_syncs_before_it_up_to_a_bound() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    const SYNCS: u64 = 36;
    for n in 0..SYNCS {
        source.commit(&[add(&format!("c{n}"))]).await;
        let change_set = planned(&source, &target, job(n.into())).await;
        publish(&target.store, &change_set, tick()).await.unwrap();
    }
    let records = history(&target.store).await.unwrap();
    for record in records {
        let earlier: Vec<_> = record.body.earlier.into_iter().collect();
        let oldest = record.version.saturating_sub(32);
        let expect: Vec<_> = (oldest..record.version).map(|n| (n, job(n.into()).0)).collect();
        assert_eq!(earlier, expect, "{}", record.version);
    }
    source.commit(&[add("d1")]).await;
    for (n, is_known) in [(SYNCS - 33, true), (SYNCS - 34, false)] {
        let plan = plan_sync(&source.store, &target.store, &spec(), job(n.into())).await.unwrap();
        assert_eq!(matches!(plan, SyncPlan::Published(_)), is_known, "{n}: {plan:?}");
    }
}

/// The bound is exact: the commit's own size passes, a byte less is refused before a byte moves.
#[tokio::test]
async fn a_commit_that_is_too_large_is_refused_before_anything_is_copied() {
    let timed = serde_json::json!({"delta.enableInCommitTimestamps": "true"});
    let timestamps = features(&[], &["inCommitTimestamp"]);
    for (protocol, configuration) in [(protocol(1, 2), serde_json::json!({})), (timestamps, timed)]
    {
        let mut source = Table::new("source");
        let first = [info("WRITE"), protocol, metadata("source-id", configuration), add("a1")];
        source.commit(&first).await;
        let target = Table::new("target");
        let odd = serde_json::json!({"tags": {"t": "\u{e9}\u{1}\""}});
        for actions in [vec![add_with("b1", odd.clone())], vec![remove("b1"), add_with("c1", odd)]]
        {
            source.commit(&actions).await;
            let found = planned(&source, &target, job(1)).await;
            let published = publish(&target.store, &found, tick()).await.unwrap();
            let version = published.version().expect("nobody else was there");
            let bytes = target.read(version).await.bytes.len() as u64;
            target.delete(&format!("_delta_log/{version:020}.json")).await;
            let within = async |commit_bytes_max| {
                let within = Within { commit_bytes_max, ..Within::default() };
                plan_sync_within(&source.store, &target.store, &spec(), job(1), &within).await
            };
            assert!(matches!(within(bytes).await, Ok(SyncPlan::Change(_))));
            let failure = within(bytes - 1).await.unwrap_err().failure();
            assert_eq!(failure.reason, Reason::Unimplemented);
            assert!(failure.message.contains(&format!("{bytes} bytes")), "{failure}");
            sync(&source, &target, &spec()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_to_do_is_decided_by_a_file_and_two_listings() {
    let source_store = Watched::new(Arc::new(InMemory::new()));
    let target_store = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(source_store.clone(), "source");
    let target = Table::on(target_store.clone(), "target");
    source.commit(&[protocol(1, 2), metadata("source-id", serde_json::json!({})), add("a1")]).await;
    for n in 1..=11 {
        source.commit(&[add(&format!("b{n}"))]).await;
        sync_equal(&source, &target, &spec()).await;
    }
    for source_point in [SourcePoint::Newest, SourcePoint::Version(11)] {
        let spec = CloneSpec { source_point, ..spec() };
        let (_, _) = (source_store.take(), target_store.take());
        let plan = plan_sync(&source.store, &target.store, &spec, job(1)).await.unwrap();
        let SyncPlan::UpToDate(found) = plan else { panic!("{plan:?}") };
        assert_eq!((found.source_version, found.replica_version), (11, 10));
        assert_eq!(found.metrics.map(|metrics| metrics.source_num_of_files), Some(12));
        let source_requests = source_store.take();
        let target_requests = target_store.take();
        assert_eq!(source_requests, ["LIST source/_delta_log"]);
        assert_eq!(
            target_requests,
            ["GET target/_deepclone/synced.json", "LIST target/_delta_log"]
        );
        let within = Within { reads_whole: true, ..Within::default() };
        plan_sync_within(&source.store, &target.store, &spec, job(1), &within).await.unwrap();
        assert_eq!(
            source_store.take(),
            ["LIST source/_delta_log", "GET source/_delta_log/00000000000000000011.json"]
        );
        // A listing that begins at a hint is believed when the commit after its newest is absent.
        assert_eq!(
            target_store.take(),
            [
                "LIST target/_delta_log after 00000000000000000010",
                "HEAD target/_delta_log/00000000000000000011.json",
                "GET target/_delta_log/00000000000000000010.json"
            ]
        );
    }
}

#[tokio::test]
async fn another_request_is_recorded_even_if_nothing_else_changes() {
    let (key, value) = ("delta.logRetentionDuration", "interval 9 days");
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    let configuration = serde_json::json!({ key: value });
    source.commit(&[protocol(1, 2), metadata("source-id", configuration), add("a1")]).await;
    sync_equal(&source, &target, &spec()).await;
    let properties = [(key.to_owned(), value.to_owned())].into();
    let filtered = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    for other in [CloneSpec { properties, ..spec() }, spec(), filtered] {
        let did = sync(&source, &target, &other).await;
        assert!(matches!(did, Ok(Did::Published { .. })), "{other:?}: {did:?}");
        assert!(matches!(sync(&source, &target, &other).await, Ok(Did::UpToDate)));
    }
}

#[tokio::test]
async fn a_first_sync_lists_a_log_without_a_start_unless_it_is_long() {
    for (others, listings) in [(999, 1), (1000, 2)] {
        let source_store = Watched::new(Arc::new(InMemory::new()));
        let target_store = Watched::new(Arc::new(InMemory::new()));
        let mut source = Table::on(source_store.clone(), "source");
        let target = Table::on(target_store.clone(), "target");
        let first = [protocol(1, 2), metadata("source-id", serde_json::json!({})), add("a1")];
        source.commit(&first).await;
        for n in 0..others {
            source.put(&format!("_delta_log/{n}.other"), Vec::new()).await;
        }
        let (_, _) = (source_store.take(), target_store.take());
        planned(&source, &target, job(1)).await;
        let asked = source_store.take();
        let listed = asked.iter().filter(|one| *one == "LIST source/_delta_log").count();
        assert_eq!(listed, listings, "{asked:?}");
        let asked = target_store.take();
        assert_eq!(asked[..2], ["GET target/_deepclone/synced.json", "LIST target/_delta_log"]);
    }
}
