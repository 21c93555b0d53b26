//! A declaration as the scheduler sees it.

use deepclone_core::replication::{
    CheckedReplication, MissedPolicy, OverlapPolicy, ReplicationTrigger, ResumePolicy,
};
use deepclone_core::standing::{OnMissed, OnOverlap, OnResume, Order, Trigger};
use sha2::{Digest as _, Sha256};

/// Returns what a replication wants of the scheduler.
pub(super) fn order(checked: &CheckedReplication) -> Order {
    let spec = &checked.spec;
    Order {
        name: spec.name.to_string(),
        trigger: match &checked.trigger {
            ReplicationTrigger::Slots(schedule) => Trigger::Schedule(schedule.clone()),
            ReplicationTrigger::Commits { poll_min, poll_max } => {
                Trigger::OnCommit { poll_min: *poll_min, poll_max: *poll_max }
            }
        },
        windows: checked.windows.clone(),
        close_grace: spec.close_grace,
        on_missed: match spec.on_missed {
            MissedPolicy::Once => OnMissed::Once,
            MissedPolicy::Skip => OnMissed::Skip,
        },
        on_overlap: match spec.on_overlap {
            OverlapPolicy::Skip => OnOverlap::Skip,
            OverlapPolicy::QueueOne => OnOverlap::QueueOne,
        },
        on_resume: match spec.on_resume {
            ResumePolicy::NextSlot => OnResume::NextSlot,
            ResumePolicy::AtOnce => OnResume::AtOnce,
        },
        priority: spec.priority,
        jobs_at_once: spec.jobs_at_once,
        pair: pair(&spec.source, &spec.target),
        budgets: Vec::new(),
    }
}

fn pair(source: &str, target: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(target)
        .finalize();
    digest.iter().take(8).fold(0, |pair, byte| pair << 8 | u64::from(*byte))
}
