//! A worker that is known, holds nothing, and reports the tasks of others as done or failed.
//!
//! It does not announce grants of earlier epochs, which are taken at their holder's word (see
//! docs/decisions/0013-whose-word-counts.md).

use std::collections::BTreeSet;

use deepclone_core::ids::{Attempt, Epoch, GrantKey, JobId, WorkerId};
use deepclone_core::machine::{Event, HeldTask, TaskOutcome};
use deepclone_core::receipt::{ObjectReceipt, Proof, TaskFailure, TaskFailureKind};

use crate::world::World;

pub(crate) fn id() -> WorkerId {
    WorkerId::derive("liar", b"1")
}

fn lie() -> ObjectReceipt {
    ObjectReceipt {
        size: 1,
        crc64nvme: 7,
        source_etag: String::new(),
        target_etag: String::new(),
        existed: true,
        proof: Proof::ReadBack,
    }
}

/// Returns what it sends in one second.
pub(crate) fn lies(world: &mut World) -> Vec<Event> {
    let worker = id();
    let planned: Vec<(JobId, Vec<u8>)> =
        world.seen.plans.iter().map(|(&job, (_, tasks))| (job, tasks.clone())).collect();
    let mut told = Vec::new();
    let mut held = Vec::new();
    for (job, tasks) in planned {
        let Some(last) = (tasks.len() as u64).checked_sub(1) else { continue };
        let number = tasks[world.random.within(0..last + 1) as usize];
        let names = world.names(job, number);
        let fingerprint = match names.len() {
            1 => names[0],
            count => names[world.random.within(0..count as u64) as usize],
        };
        let attempt = Attempt(world.random.within(1..4) as u32);
        let epoch = Epoch(world.life.saturating_sub(1) + world.random.within(0..3));
        let task = GrantKey { job, fingerprint, attempt, epoch };
        if epoch.0 >= world.life {
            held.push(task);
        }
        let outcome = if world.random.chance(700) {
            TaskOutcome::Done(crate::worker::receipt(number, lie()))
        } else {
            let (kind, message) = (TaskFailureKind::TargetConflict, "a lie".to_owned());
            TaskOutcome::Failed(TaskFailure {
                index: None,
                kind,
                message,
                spent: Default::default(),
            })
        };
        told.push((task, outcome));
    }
    let beats = held
        .iter()
        .map(|&task| HeldTask { key: task, bytes_done: u64::MAX, bytes_read: u64::MAX })
        .collect();
    // With a connection that no job needs: it is never given a task.
    let (readable, writable) = (BTreeSet::new(), BTreeSet::new());
    vec![
        Event::WorkerRegistered { worker, readable, writable, held },
        Event::Heartbeat { worker, held: beats },
        Event::Reported { worker, outcomes: told },
    ]
}

/// Takes out of a late announcement the grants whose epoch has passed on the way.
pub(crate) fn arrives(life: u64, event: &mut Event) {
    if let Event::WorkerRegistered { worker, held, .. } = event
        && *worker == id()
    {
        held.retain(|key| key.epoch.0 >= life);
    }
}
