//! The attempts at a task in this epoch. They outlive the plan: a sync that is planned again still
//! knows who was given what, and how often that failed.
//!
//! A grant ends when it is reported, lost or given back. The newest that ended are remembered, so
//! that a report is judged by what this machine knows and not by what its sender claims.

use std::collections::VecDeque;

use super::lease::Lease;
use super::moment::Moment;
use super::retry::Suspect;
use crate::ids::{Attempt, Epoch, GrantKey, WorkerId};
use crate::limits::{DENIED_BY_MAX, GRANTS_REMEMBERED_MAX};
use crate::receipt::TaskFailure;

/// The attempts at a task.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    /// The number of the newest grant.
    pub(super) newest: u32,
    /// Failures that count against the budget.
    pub(super) failures: u32,
    /// Leases that ended without a report.
    pub(super) losses: u32,
    /// Evidence of this epoch's grants up to this one went stale: late reports of them are void.
    pub(super) void_upto: u32,
    /// Who failed it last, and until when another worker is preferred.
    pub(super) avoid: Option<(WorkerId, Moment)>,
    /// Who could not reach an object of it: they are not given it again.
    pub(super) denied_by: Vec<(WorkerId, Suspect)>,
    /// What the last of them said.
    pub(super) denial: Option<TaskFailure>,
    /// Grants that no lease holds any more, the newest last.
    pub(super) ended: VecDeque<EndedGrant>,
}

/// A grant that no lease holds any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndedGrant {
    pub(super) worker: WorkerId,
    pub(super) attempt: Attempt,
    pub(super) epoch: Epoch,
    /// True when its report came.
    pub(super) heard: bool,
}

/// What a grant is to this machine when no lease holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantStanding {
    /// It ended without a report: what comes late still counts.
    Lost,
    /// Its report came: what comes again is a repeat.
    Heard,
    /// It was never given to this worker, as far as the machine knows.
    Unknown,
}

impl Attempts {
    /// Remembers a grant that ended without a report.
    pub(super) fn lost(&mut self, lease: &Lease) {
        self.remember(lease, false);
    }

    /// Remembers a grant whose report came.
    pub(super) fn heard(&mut self, lease: &Lease) {
        self.remember(lease, true);
    }

    /// Notes the late report of a grant that ended without one. False when there is no such grant,
    /// or its report came before.
    pub(super) fn hear_late(&mut self, worker: WorkerId, key: &GrantKey) -> bool {
        let same = |ended: &&mut EndedGrant| {
            (ended.worker, ended.attempt, ended.epoch) == (worker, key.attempt, key.epoch)
        };
        let newest = self.ended.iter_mut().rev().find(same);
        newest.is_some_and(|ended| !std::mem::replace(&mut ended.heard, true))
    }

    fn remember(&mut self, lease: &Lease, heard: bool) {
        if self.ended.len() >= GRANTS_REMEMBERED_MAX {
            self.ended.pop_front();
        }
        let Lease { worker, attempt, epoch, .. } = *lease;
        self.ended.push_back(EndedGrant { worker, attempt, epoch, heard });
    }

    /// Returns what the grant `key` of `worker` is, by the newest entry of it.
    pub(super) fn standing(&self, worker: WorkerId, key: &GrantKey) -> GrantStanding {
        let same = |ended: &&EndedGrant| {
            (ended.worker, ended.attempt, ended.epoch) == (worker, key.attempt, key.epoch)
        };
        match self.ended.iter().rev().find(same) {
            Some(ended) if ended.heard => GrantStanding::Heard,
            Some(_) => GrantStanding::Lost,
            None => GrantStanding::Unknown,
        }
    }

    /// Notes that this worker could not reach an object of the task.
    pub(super) fn deny(&mut self, worker: WorkerId, suspect: Suspect, failure: TaskFailure) {
        if !self.is_denied(worker) && self.denied_by.len() < DENIED_BY_MAX {
            self.denied_by.push((worker, suspect));
        }
        self.denial = Some(failure);
    }

    /// True when this worker could not reach an object of the task.
    pub(super) fn is_denied(&self, worker: WorkerId) -> bool {
        self.denied_by.iter().any(|(denied, _)| *denied == worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobId, TaskFingerprint};
    use crate::limits::LEASE_TTL;
    use crate::receipt::{AttemptCounts, TaskFailureKind};
    use uuid::Uuid;

    #[test]
    fn each_denied_worker_is_remembered_once_up_to_the_bound() {
        let mut attempts = Attempts::default();
        let failure = TaskFailure {
            index: None,
            kind: TaskFailureKind::SourceDenied,
            message: "a".into(),
            spent: AttemptCounts::default(),
        };
        for number in 0..DENIED_BY_MAX as u128 + 3 {
            for _ in 0..2 {
                let worker = WorkerId(Uuid::from_u128(number));
                attempts.deny(worker, Suspect::Source, failure.clone());
            }
            let known = attempts.denied_by.len() as u128;
            assert_eq!(known, (number + 1).min(DENIED_BY_MAX as u128));
        }
        assert!(attempts.is_denied(WorkerId(Uuid::nil())));
        assert!(!attempts.is_denied(WorkerId(Uuid::max())));
    }

    fn key(number: u32) -> GrantKey {
        let (job, fingerprint) = (JobId(Uuid::nil()), TaskFingerprint([0; 32]));
        GrantKey { job, fingerprint, attempt: Attempt(number), epoch: Epoch(1) }
    }

    #[test]
    fn the_newest_grants_are_remembered_up_to_the_bound() {
        let worker = WorkerId(Uuid::from_u128(1));
        let mut attempts = Attempts::default();
        let most = u32::try_from(GRANTS_REMEMBERED_MAX).unwrap();
        for number in 1..=most + 3 {
            attempts.lost(&Lease::new(worker, &key(number), Moment(0), LEASE_TTL));
        }
        let standing = |number| attempts.standing(worker, &key(number));
        assert_eq!(attempts.ended.len(), GRANTS_REMEMBERED_MAX);
        assert_eq!(
            [3, 4, most + 3].map(standing),
            [GrantStanding::Unknown, GrantStanding::Lost, GrantStanding::Lost]
        );
    }
}
