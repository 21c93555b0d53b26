//! Replicas that a coordinator compares with their sources, and describes.

use deepclone_coordinator::state::Place;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;

use crate::replications::{apply, lake, rounds, run, sales};
use crate::support::{Lake, Running, Worker};

/// A coordinator with a replica of two files.
async fn synced(lake: &Lake) -> Running {
    lake.commit("orders", 0, &[("a.parquet", b"a"), ("b.parquet", b"bb")]);
    let mut running = Running::start(lake, &Place::Private).await;
    let _working = Worker::register(&running, lake, "w").await.work();
    let job = running.create(lake.spec("orders", "copy")).await.unwrap();
    let ended = running.finish(&job.name).await;
    assert_eq!(ended.state(), v1::job::State::Succeeded, "{ended:?}");
    running
}

fn request(lake: &Lake) -> v1::VerifyReplicaRequest {
    let spec = lake.spec("orders", "copy");
    v1::VerifyReplicaRequest { source: spec.source, target: spec.target, ..Default::default() }
}

async fn verify(
    running: &mut Running,
    request: v1::VerifyReplicaRequest,
) -> Result<v1::VerifyReplicaResponse, Failure> {
    let answer = running.replicas.verify_replica(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

async fn describe(running: &mut Running, lake: &Lake) -> Result<v1::ReplicaDescription, Failure> {
    let target = lake.spec("orders", "copy").target;
    let answer = running.replicas.describe_replica(v1::DescribeReplicaRequest { target }).await;
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_compared_and_what_was_found_is_described() {
    let lake = Lake::new();
    let mut running = synced(&lake).await;
    let clean = verify(&mut running, request(&lake)).await.unwrap();
    assert_eq!((clean.differences_total, clean.files, clean.objects), (0, 2, 2), "{clean:?}");
    assert_eq!((clean.source_version, clean.target_version, clean.bytes), (0, 0, 3));
    assert_eq!((clean.deep, clean.proof), (None, None));
    let before = describe(&mut running, &lake).await.unwrap();
    assert_eq!((before.files, before.bytes, before.version), (2, 3, 0), "{before:?}");
    assert!(before.verdict.is_none() && before.last_sync.is_some(), "{before:?}");

    std::fs::remove_file(lake.path("copy/a.parquet")).unwrap();
    let recorded = v1::VerifyReplicaRequest { record: true, deep: true, ..request(&lake) };
    let found = verify(&mut running, recorded).await.unwrap();
    let [one] = &found.differences[..] else { panic!("{found:?}") };
    assert_eq!((&*one.kind, &*one.subject), ("OBJECT_MISSING", "a.parquet"));
    assert_eq!(found.deep.unwrap().bytes_total, 3);
    let verdict = describe(&mut running, &lake).await.unwrap().verdict.unwrap();
    assert_eq!((verdict.differences_total, verdict.differences), (1, found.differences));
    // A file without rows of Parquet is not what the log says.
    let proof_of_use = v1::VerifyReplicaRequest { proof_of_use: true, ..request(&lake) };
    let refuted = verify(&mut running, proof_of_use).await.unwrap().proof.unwrap();
    assert_eq!(refuted.answer(), v1::replication::use_proof::Answer::Refuted, "{refuted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_proved_of_each_replica_of_a_replication() {
    let lake = lake();
    let mut running = Running::start(&lake, &Place::Private).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[sales()], false).await.unwrap();
    run(&mut running, "sales").await;
    rounds(&mut running, "sales", 1).await;
    let of = |name: &str, seconds: i64| v1::ProveDeletionRequest {
        replication: name.to_owned(),
        before_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
    };
    let sales = "replications/sales";
    // Long ago; and far ahead, which only the source's log tells.
    for (seconds, arrives) in [(1_000, true), (4_000_000_000, true)] {
        let found = running.replicas.prove_deletion(of(sales, seconds)).await.unwrap();
        let replicas = found.into_inner().replicas;
        let paths: Vec<&str> = replicas.iter().map(|one| &*one.target_uri).collect();
        assert!(paths[0].ends_with("out/sales/items") && paths[1].ends_with("out/sales/orders"));
        for proof in &replicas {
            assert_eq!((proof.arrived.is_some(), &proof.failure), (arrives, &None), "{proof:?}");
            assert_eq!(proof.removed.as_ref().map(|left| left.objects), Some(0), "{proof:?}");
        }
    }
    // One that cannot be judged hides no other.
    let log = "in/sales/orders/_delta_log/00000000000000000000.json";
    std::fs::remove_file(lake.path(log)).unwrap();
    let found = running.replicas.prove_deletion(of(sales, 4_000_000_000)).await.unwrap();
    let failures = found.into_inner().replicas.into_iter().map(|one| one.failure);
    let reasons: Vec<_> = failures.map(|one| one.map(|failure| failure.reason)).collect();
    assert_eq!(reasons, [None, Some("NOT_A_DELTA_TABLE".to_owned())]);
    let refused = running.replicas.prove_deletion(of("replications/none", 0)).await.unwrap_err();
    assert_eq!(from_status(&refused).reason, Reason::ReplicationNotFound);
    let dateless = v1::ProveDeletionRequest { before_time: None, ..of(sales, 0) };
    let refused = running.replicas.prove_deletion(dateless).await.unwrap_err();
    assert!(from_status(&refused).message.contains("before_time"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_or_read_is_refused_by_field_or_reason() {
    let lake = Lake::new();
    let mut running = synced(&lake).await;
    let elsewhere =
        |uri: &str| Some(v1::TableRef { uri: uri.to_owned(), connection: "nobody".to_owned() });
    for (request, reason, part) in [
        (v1::VerifyReplicaRequest { source: None, ..request(&lake) }, "", "source"),
        (v1::VerifyReplicaRequest { target: None, ..request(&lake) }, "", "target"),
        (v1::VerifyReplicaRequest { seed: -1, ..request(&lake) }, "", "seed"),
        (
            v1::VerifyReplicaRequest { sample_millionths: 1_000_001, ..request(&lake) },
            "",
            "sample_millionths",
        ),
        (
            v1::VerifyReplicaRequest { deep: true, sample_millionths: 1, ..request(&lake) },
            "",
            "sample_millionths",
        ),
        (
            v1::VerifyReplicaRequest { target: elsewhere("file:///copy"), ..request(&lake) },
            "",
            "nobody",
        ),
        (
            v1::VerifyReplicaRequest { target: request(&lake).source, ..request(&lake) },
            "TARGET_NOT_OURS",
            "orders",
        ),
    ] {
        let refused = verify(&mut running, request).await.unwrap_err();
        let wanted = if reason.is_empty() { "INVALID_ARGUMENT" } else { reason };
        assert_eq!(refused.reason.row().name, wanted, "{refused}");
        assert!(refused.message.contains(part), "{part}: {refused}");
    }
    std::fs::remove_dir_all(lake.path("copy")).unwrap();
    let gone = describe(&mut running, &lake).await.unwrap_err();
    assert_eq!(gone.reason, Reason::NotADeltaTable, "{gone}");
}
