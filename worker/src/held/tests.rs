//! A grant that asks for what a worker must not do reaches no store.

use std::io::ErrorKind;
use std::net::TcpListener;

use deepclone_common::config::Config;
use deepclone_core::ids::{Attempt, Epoch, JobId, TaskFingerprint};
use deepclone_core::spec::Verification;
use deepclone_core::task::{TaskSpec, TaskWork};

use super::*;

#[tokio::test]
async fn a_store_without_the_role_of_a_target_is_not_even_tried() {
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    store.set_nonblocking(true).unwrap();
    let text = format!(
        "[connections.read-only]\nurl = \"s3://lake\"\nroles = [\"source\"]\n\
         aws_endpoint_url = \"http://{}\"\naws_access_key_id = \"id\"\n\
         aws_secret_access_key = \"key\"\n",
        store.local_addr().unwrap(),
    );
    let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
    let fingerprint = connections.offers()[0].fingerprint;
    let side = |root: &str| TaskSide {
        connection: "read-only".to_owned(),
        fingerprint,
        root: root.to_owned(),
    };
    let key = GrantKey {
        job: JobId(uuid::Uuid::from_u128(1)),
        fingerprint: TaskFingerprint([1; 32]),
        attempt: Attempt(1),
        epoch: Epoch(1),
    };
    let spec = TaskSpec {
        source: side("s"),
        target: side("t"),
        verification: Verification::Digest,
        work: TaskWork::Objects(Vec::new()),
    };
    let limits = WorkerLimits::of(1 << 20, 512, None);
    let held = HeldTasks::new(Arc::new(connections), &limits, WorkerMetrics::default());
    let share = JobShare::ALL;
    held.start(
        Grant { key, ttl: Duration::from_secs(30), share, trace: None, spec },
        Instant::now(),
    );
    let ended = held.until(|held| !held.outcomes(1).is_empty());
    // Nobody answers at the store: a worker that tries it waits.
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it waits for the store");
    let outcomes = held.outcomes(1);
    let TaskOutcome::Failed(failure) = &outcomes[0].1 else { panic!("{outcomes:?}") };
    assert_eq!(failure.kind, TaskFailureKind::TargetDenied);
    assert!(failure.message.contains("read-only has no role target"), "{failure:?}");
    let reached = store.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(reached, Err(ErrorKind::WouldBlock), "the store was reached");
}
