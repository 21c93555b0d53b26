//! The lines as JSON: what people and their tools read, without a word of Rust in it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, PlanDigest, TaskFingerprint};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::TaskFailureKind;
use serde_json::Value;
use uuid::Uuid;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the JSON line of a fact says.
fn line(fact: &Fact) -> Value {
    let captured = Captured::default();
    let writer = captured.clone();
    let lines = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let mut story = JobStory::new(None);
    let progress = Progress::default();
    tracing::subscriber::with_default(lines, || tell(fact, &mut story, &progress));
    let bytes = captured.0.lock().unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["fields"].take()
}

#[test]
fn what_is_not_there_is_left_out_and_what_is_there_is_shown_plainly() {
    let job = JobId(Uuid::from_u128(1));
    let planned = |replica_version| Fact::Planned {
        job,
        digest: PlanDigest([5; 32]),
        source_version: 0,
        replica_version,
    };
    let first = line(&planned(None));
    assert_eq!((&first["source_version"], first.get("replica_version")), (&0.into(), None));
    assert_eq!(first["job"], job.to_string());
    assert_eq!(line(&planned(Some(7)))["replica_version"], 7);
    let ended = |end| Fact::Ended { job, end, progress: Progress::default() };
    let (fingerprint, kind) = (TaskFingerprint([4; 32]), TaskFailureKind::Throttled);
    for fact in [
        planned(None),
        planned(Some(7)),
        Fact::TaskFailed { job, fingerprint, kind },
        Fact::CancelRequested { job },
        Fact::Limited { job, limits: JobLimits::default() },
        Fact::Limited { job, limits: JobLimits { concurrency: Some(1), ..Default::default() } },
        Fact::PublishIntended { job },
        Fact::Published { job, version: 0 },
        ended(End::Succeeded { source_version: 0, replica_version: 0, up_to_date: true }),
        ended(End::Failed(Failure::new(Reason::Internal, "it failed").with("key", "a"))),
        ended(End::Cancelled),
    ] {
        let text = line(&fact).to_string();
        assert!(!text.contains("Some(") && !text.contains("None"), "{text}");
    }
}
