//! Snapshots of the driver → wire types.

use std::time::Duration;

use deepclone_core::machine::{End, JobState, Progress, WorkerState};
use deepclone_core::receipt::ProofCounts;
use deepclone_proto::convert::replication::money_to_wire;
use deepclone_proto::convert::spec::limits_to_wire;
use deepclone_proto::convert::time::{duration_to_wire, timestamp_to_wire};
use deepclone_proto::v1;

use crate::costs::priced::Priced;
use crate::driver::snapshot::{JobSnapshot, WorkerSnapshot};
use crate::state::JobSent;

/// Returns a job as clients see it.
pub(super) fn job(snapshot: &JobSnapshot) -> v1::Job {
    let is_planned = snapshot.source_version.is_some();
    v1::Job {
        name: format!("jobs/{}", snapshot.job),
        spec: Some(v1::CloneSpec {
            limits: limits_to_wire(snapshot.limits),
            ..(&snapshot.job_spec.spec).into()
        }),
        state: state(snapshot.state).into(),
        failure: match &snapshot.end {
            Some(End::Failed(failure)) => Some(failure.into()),
            _ => None,
        },
        progress: is_planned.then(|| progress(snapshot)),
        result: result(snapshot),
        create_time: Some(timestamp_to_wire(snapshot.created_ms)),
        end_time: snapshot.ended_ms.map(timestamp_to_wire),
        sent: snapshot.sent.as_ref().map(sent),
        submitter: snapshot.job_spec.submitter.clone().unwrap_or_default(),
    }
}

fn sent(sent: &JobSent) -> v1::Sent {
    v1::Sent {
        bytes_read: signed(sent.traffic.bytes),
        source_requests: signed(sent.traffic.source_requests()),
        target_requests: signed(sent.traffic.target_requests()),
        cost: Some(cost(&sent.cost)),
    }
}

/// Returns a cost as clients see it.
pub(super) fn cost(cost: &Priced) -> v1::Cost {
    match cost {
        Priced::Known { money, price_table } => v1::Cost {
            money: Some(money_to_wire(*money)),
            price_table: price_table.clone(),
            unknown: String::new(),
        },
        Priced::Unknown(why) => v1::Cost { unknown: why.clone(), ..v1::Cost::default() },
    }
}

/// Returns the name of a state on the wire.
#[must_use]
pub fn state_name(state: JobState) -> &'static str {
    self::state(state).as_str_name()
}

/// Returns a state as it is on the wire.
pub(super) fn state(state: JobState) -> v1::job::State {
    match state {
        JobState::Queued => v1::job::State::Queued,
        JobState::Planning => v1::job::State::Planning,
        JobState::Copying => v1::job::State::Copying,
        JobState::WaitingForWorkers => v1::job::State::WaitingForWorkers,
        JobState::Held => v1::job::State::Held,
        JobState::Publishing => v1::job::State::Publishing,
        JobState::Succeeded => v1::job::State::Succeeded,
        JobState::Failed => v1::job::State::Failed,
        JobState::Cancelling => v1::job::State::Cancelling,
        JobState::Cancelled => v1::job::State::Cancelled,
    }
}

fn progress(snapshot: &JobSnapshot) -> v1::Progress {
    let figures = &snapshot.progress;
    v1::Progress {
        source_version: snapshot.source_version.map(signed),
        objects_total: signed(figures.objects_total),
        objects_done: signed(figures.objects_done),
        bytes_total: signed(figures.bytes_total),
        bytes_copied: signed(figures.bytes_done.saturating_add(figures.bytes_moving)),
        tasks_total: short(figures.tasks_total),
        tasks_done: short(figures.tasks_done),
        workers: short(u64::from(figures.workers)),
        notices: snapshot.note.notices.clone(),
    }
}

fn result(snapshot: &JobSnapshot) -> Option<v1::Result> {
    let Some(End::Succeeded { source_version, replica_version, up_to_date }) = &snapshot.end else {
        return None;
    };
    let Progress { objects_copied, objects_skipped, bytes_read, bytes_written, proofs, .. } =
        snapshot.progress;
    let ended_ms = snapshot.ended_ms.unwrap_or(snapshot.created_ms);
    let duration_ms = u64::try_from(ended_ms - snapshot.created_ms).unwrap_or(0);
    Some(v1::Result {
        source_version: Some(signed(*source_version)),
        target_version: Some(signed(*replica_version)),
        up_to_date: *up_to_date,
        objects_copied: signed(objects_copied),
        objects_skipped: signed(objects_skipped),
        bytes_read: signed(bytes_read),
        bytes_written: signed(bytes_written),
        clone_metrics: snapshot.note.clone_metrics.clone(),
        tasks: signed(snapshot.progress.tasks_total),
        workers: short(u64::from(snapshot.progress.workers_used)),
        duration: Some(duration_to_wire(Duration::from_millis(duration_ms))),
        objects_copied_by_store: signed(snapshot.progress.objects_copied_by_store),
        proofs: Some(proof_counts(proofs)),
    })
}

fn proof_counts(counts: ProofCounts) -> v1::ProofCounts {
    v1::ProofCounts {
        length: signed(counts.length),
        earlier: signed(counts.earlier),
        stored_checksum: signed(counts.stored_checksum),
        read_back: signed(counts.read_back),
    }
}

/// Returns a worker as operators see it.
pub(super) fn worker(snapshot: &WorkerSnapshot) -> v1::Worker {
    let state = match snapshot.state {
        WorkerState::Active => v1::worker::State::Active,
        WorkerState::Draining => v1::worker::State::Draining,
        WorkerState::Lost => v1::worker::State::Lost,
    };
    v1::Worker {
        name: format!("workers/{}", snapshot.worker),
        state: state.into(),
        version: snapshot.info.version.clone(),
        connections: snapshot.info.connections.clone(),
        last_seen_time: Some(timestamp_to_wire(snapshot.last_seen_ms)),
        display_name: snapshot.info.name.clone(),
        set_aside: snapshot
            .set_aside
            .iter()
            .map(|aside| v1::SetAside {
                connection: aside.connection.clone(),
                reason: aside.reason.clone(),
                until_time: Some(timestamp_to_wire(aside.until_ms)),
            })
            .collect(),
    }
}

/// Returns a counter as it is on the wire: signed, as AIP-141 asks.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns a small counter as it is on the wire: signed, too.
pub(super) fn short(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
