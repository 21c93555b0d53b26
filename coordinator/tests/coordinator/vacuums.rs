//! Replicas whose syncs a coordinator lists, and which it vacuums for clients.

use std::fs;
use std::time::{Duration, SystemTime};

use deepclone_coordinator::state::Place;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::audit_service_client::AuditServiceClient;
use deepclone_proto::v1::replica_service_client::ReplicaServiceClient;

use crate::guarded::{Guarded, reason};
use crate::support::{Lake, Running, Worker};

/// Syncs one file more of a source, and returns the id of the job.
async fn sync(running: &mut Running, lake: &Lake, version: u64) -> String {
    lake.commit("orders", version, &[(&format!("f{version}.parquet"), b"abc")]);
    let job = running.create(lake.spec("orders", "copy")).await.unwrap();
    let ended = running.finish(&job.name).await;
    assert_eq!(ended.state(), v1::job::State::Succeeded, "{ended:?}");
    job.name.trim_start_matches("jobs/").to_owned()
}

/// Puts an object of 7 bytes beside the replica's that a failed sync left so many days ago.
fn leave(lake: &Lake, name: &str, days: u64) {
    let path = lake.path("copy").join(name);
    fs::write(&path, [0; 7]).unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
}

fn asked(lake: &Lake) -> v1::VacuumReplicaRequest {
    let target = lake.spec("orders", "copy").target;
    v1::VacuumReplicaRequest { target, ..Default::default() }
}

async fn vacuum(
    running: &mut Running,
    request: v1::VacuumReplicaRequest,
) -> Result<v1::VacuumReplicaResponse, Failure> {
    let answer = running.replicas.vacuum_replica(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

async fn page(
    running: &mut Running,
    request: v1::ReadHistoryRequest,
) -> Result<v1::ReadHistoryResponse, Failure> {
    let answer = running.replicas.read_history(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_syncs_of_a_replica_are_listed_by_pages() {
    let lake = Lake::new();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let mut jobs = Vec::new();
    for version in 0..5 {
        jobs.insert(0, sync(&mut running, &lake, version).await);
    }
    let target = lake.spec("orders", "copy").target;
    let first = v1::ReadHistoryRequest { target, ..Default::default() };
    for (page_size, lengths) in [(0, vec![5]), (2, vec![2, 2, 1]), (5, vec![5]), (1_001, vec![5])] {
        let mut pages = Vec::new();
        let mut request = v1::ReadHistoryRequest { page_size, ..first.clone() };
        loop {
            let found = page(&mut running, request.clone()).await.unwrap();
            request.page_token = found.next_page_token.clone();
            pages.push(found);
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(pages.iter().map(|page| page.syncs.len()).collect::<Vec<_>>(), lengths);
        let syncs: Vec<_> = pages.into_iter().flat_map(|page| page.syncs).collect();
        assert!(syncs.iter().map(|sync| &sync.job_id).eq(&jobs), "{syncs:?}");
        let versions = syncs.iter().map(|sync| (sync.target_version, sync.source_version));
        assert!(versions.eq((0..5).rev().map(|version| (version, version))), "{syncs:?}");
        let figures = syncs[0].figures.unwrap();
        assert_eq!((figures.source_num_of_files, figures.num_copied_files), (5, 1));
        assert_eq!((figures.source_table_size, figures.copied_files_size), (15, 3));
        assert!(syncs[0].time.is_some() && syncs[0].source_uri.ends_with("/orders"), "{syncs:?}");
    }
    for (request, part) in [
        (v1::ReadHistoryRequest { target: None, ..first.clone() }, "target"),
        (v1::ReadHistoryRequest { page_size: -1, ..first.clone() }, "page_size"),
        (v1::ReadHistoryRequest { page_token: "x".to_owned(), ..first.clone() }, "page_token"),
    ] {
        let refused = page(&mut running, request).await.unwrap_err();
        assert_eq!(refused.reason, Reason::InvalidArgument, "{refused}");
        assert!(refused.message.contains(part), "{part}: {refused}");
    }
    // Beyond the log there is nothing.
    let page_token = u64::MAX.to_string();
    let beyond = v1::ReadHistoryRequest { page_token, ..first.clone() };
    assert!(page(&mut running, beyond).await.unwrap().syncs.is_empty());
    fs::remove_dir_all(lake.path("copy")).unwrap();
    assert_eq!(page(&mut running, first).await.unwrap_err().reason, Reason::NotADeltaTable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_vacuumed_once_it_is_meant() {
    let lake = Lake::new();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    sync(&mut running, &lake, 0).await;
    leave(&lake, "old", 30);
    leave(&lake, "new", 0);
    let trial = v1::VacuumReplicaRequest { validate_only: true, ..asked(&lake) };
    let would = vacuum(&mut running, trial).await.unwrap();
    let [one] = &would.objects[..] else { panic!("{would:?}") };
    assert_eq!((&*one.key, &*one.kind, one.bytes), ("old", "UNREFERENCED", 7));
    assert!(one.write_time.is_some() && lake.path("copy/old").exists(), "{would:?}");
    let [sum] = &would.kinds[..] else { panic!("{would:?}") };
    assert_eq!((&*sum.kind, sum.objects, sum.bytes), ("UNREFERENCED", 1, 7));
    assert_eq!((would.target_version, would.oldest_kept_version), (0, 0));
    assert_eq!(would.retention.unwrap().seconds, 7 * 86_400);

    for (request, part) in [
        (v1::VacuumReplicaRequest { target: None, ..asked(&lake) }, "target"),
        (v1::VacuumReplicaRequest { break_time_travel: true, ..asked(&lake) }, "break_time_travel"),
        (
            v1::VacuumReplicaRequest { allowed_features: vec![String::new(); 65], ..asked(&lake) },
            "allowed_features",
        ),
        (
            v1::VacuumReplicaRequest {
                retention: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
                ..asked(&lake)
            },
            "retention",
        ),
        (
            v1::VacuumReplicaRequest {
                retention: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
                ..asked(&lake)
            },
            "60 seconds are less",
        ),
    ] {
        let refused = vacuum(&mut running, request).await.unwrap_err();
        assert_eq!(refused.reason, Reason::InvalidArgument, "{refused}");
        assert!(refused.message.contains(part), "{part}: {refused}");
    }
    // Another one that runs, or was killed.
    let notice = lake.path("copy/_deepclone/vacuum.json");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let id = uuid::Uuid::nil();
    fs::write(&notice, format!(r#"{{"id":"{id}","batch":1,"time":{now}}}"#)).unwrap();
    let refused = vacuum(&mut running, asked(&lake)).await.unwrap_err();
    assert_eq!(refused.reason, Reason::TargetBusy, "{refused}");
    fs::remove_file(&notice).unwrap();
    assert!(lake.path("copy/old").exists(), "nothing is deleted yet");

    let retention = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let shorter = v1::VacuumReplicaRequest { retention, break_time_travel: true, ..asked(&lake) };
    let done = vacuum(&mut running, shorter).await.unwrap();
    assert_eq!((&done.objects, done.retention.unwrap().seconds), (&would.objects, 60));
    assert!(!lake.path("copy/old").exists() && lake.path("copy/new").exists());
    assert!(lake.path("copy/f0.parquet").exists() && !notice.exists());
    sync(&mut running, &lake, 1).await;
}

/// Deleting is for operators, within their scope, and stands on record; a trial does not.
#[tokio::test]
async fn a_vacuum_is_for_operators_and_on_record() {
    let lake = Lake::new();
    lake.commit("copy", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut replicas = ReplicaServiceClient::new(guarded.channel.clone());
    for (of, validate_only, expected) in [
        ("viewer", false, Reason::AccessDenied),
        ("submitter", false, Reason::AccessDenied),
        ("submitter", true, Reason::AccessDenied),
        // They may, and it is no replica.
        ("operator", true, Reason::TargetNotOurs),
        ("operator", false, Reason::TargetNotOurs),
    ] {
        let request = v1::VacuumReplicaRequest { validate_only, ..asked(&lake) };
        let answer = replicas.vacuum_replica(guarded.by(of, request)).await;
        assert_eq!(reason(answer), expected, "{of} {validate_only}");
    }
    let target = lake.spec("hr/pay", "hr/copy").target;
    let history = v1::ReadHistoryRequest { target, ..Default::default() };
    let answer = replicas.read_history(guarded.by("sales", history)).await;
    assert_eq!(reason(answer), Reason::AccessDenied, "out of scope");
    let mut audit = AuditServiceClient::new(guarded.channel.clone());
    let message =
        v1::ListAuditEventsRequest { principal: "operator".to_owned(), ..Default::default() };
    let events = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
    let events = events.into_inner().events;
    let shown: Vec<_> = events.iter().map(|of| (&*of.call, &*of.resource, &*of.outcome)).collect();
    let uri = lake.uri("copy");
    assert_eq!(shown, [("ReplicaService/VacuumReplica", &*uri, "TARGET_NOT_OURS")]);
    guarded.stop().await;
}
