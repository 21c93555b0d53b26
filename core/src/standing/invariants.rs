//! What must hold after every step, numbered. The quick ones are checked in production, too, for
//! the replications that a step looked at.

use super::record::RoundRecord;
use super::replication::Replication;
use super::round::{OpenRound, RoundStage, TableStage};
use super::state::Standing;
use super::violation::StandingViolation;
use crate::ids::{JobId, ReplicationId};

impl Standing {
    /// Everything that does not hold: a full recount.
    #[must_use]
    pub fn violations(&self) -> Vec<StandingViolation> {
        let mut found = Vec::new();
        let mut jobs = 0;
        for (id, replication) in &self.replications {
            let what = quick(replication)
                .or_else(|| self.s4_jobs_are_known(*id, replication))
                .or_else(|| self.s5_who_waits_is_woken(*id, replication))
                .or_else(|| self.s6_ready_means_only_turn(*id, replication));
            found.extend(what.map(|what| StandingViolation { replication: *id, what }));
            jobs += replication.round.as_ref().map_or(0, |round| round.jobs().count());
        }
        if !self.chores.is_consistent(self.limits.upkeep_at_once_max) {
            let what = "S8: each audit and vacuum is waited for, due or under way, few at once";
            let first = self.replications.keys().next().copied();
            found.extend(first.map(|replication| StandingViolation { replication, what }));
        }
        if jobs != self.jobs.len() {
            let what = "S4: each job that was submitted is of one table of an open round";
            let of_job = self.jobs.values().map(|(replication, _)| *replication).next();
            found.extend(of_job.map(|replication| StandingViolation { replication, what }));
        }
        found
    }

    pub(super) fn violation(&self, id: ReplicationId) -> Option<StandingViolation> {
        let what = quick(self.replications.get(&id)?)?;
        Some(StandingViolation { replication: id, what })
    }

    fn s4_jobs_are_known(
        &self,
        id: ReplicationId,
        replication: &Replication,
    ) -> Option<&'static str> {
        let tables = &replication.round.as_ref()?.tables;
        let number = replication.record.active?.number;
        let holds = tables.iter().all(|(table_number, table)| match table.stage {
            TableStage::Submitted(ref job) => {
                let number = table.from.unwrap_or(number);
                job.id == JobId::of_round(id, number, *table_number, table.retry)
                    && self.jobs.get(&job.id) == Some(&(id, *table_number))
            }
            TableStage::Waiting | TableStage::Pausing(_) | TableStage::Ended(_) => true,
        });
        (!holds).then_some("S4: each job that was submitted is of one table of an open round")
    }

    fn s5_who_waits_is_woken(
        &self,
        id: ReplicationId,
        replication: &Replication,
    ) -> Option<&'static str> {
        let is_listed = match replication.wake {
            Some(wake) => self.wakes.contains(&(wake, id)),
            None => true,
        };
        let holds = is_listed && replication.wake == replication.next_wake();
        (!holds).then_some("S5: a replication is woken when it has something to do")
    }

    fn s6_ready_means_only_turn(
        &self,
        id: ReplicationId,
        replication: &Replication,
    ) -> Option<&'static str> {
        let holds = self.ready.contains(&id) == replication.may_begin();
        (!holds).then_some("S6: exactly those that wait for their turn are listed as such")
    }
}

/// Those that cost little.
fn quick(replication: &Replication) -> Option<&'static str> {
    s1_one_round_of_the_newest_number(replication)
        .or_else(|| s2_no_job_is_free_while_closed(replication))
        .or_else(|| s7_no_job_is_free_without_room(replication))
        .or_else(|| s3_an_open_round_has_something_open(replication))
}

fn s1_one_round_of_the_newest_number(replication: &Replication) -> Option<&'static str> {
    let holds = match (&replication.record.active, &replication.round) {
        (None, None) => true,
        (Some(active), Some(round)) => {
            active.number == replication.record.rounds && has_stage_of(*active, round)
        }
        (Some(_), None) | (None, Some(_)) => false,
    };
    (!holds).then_some("S1: a round under way is recorded, and is the newest one")
}

fn has_stage_of(active: RoundRecord, round: &OpenRound) -> bool {
    active.is_probed == (round.stage == RoundStage::Copying)
}

fn s2_no_job_is_free_while_closed(replication: &Replication) -> Option<&'static str> {
    let mut jobs = replication.round.iter().flat_map(|round| round.jobs());
    let broken = !replication.window.is_open && jobs.any(|job| !job.is_held);
    broken.then_some("S2: no job is free while the windows are closed")
}

fn s3_an_open_round_has_something_open(replication: &Replication) -> Option<&'static str> {
    let round = replication.round.as_ref()?;
    let is_over = round.stage == RoundStage::Copying
        && round.tables.values().all(|table| matches!(table.stage, TableStage::Ended(_)));
    is_over.then_some("S3: a round whose tables have all ended is over")
}

fn s7_no_job_is_free_without_room(replication: &Replication) -> Option<&'static str> {
    let mut jobs = replication.round.iter().flat_map(|round| round.jobs());
    let broken = jobs.any(|job| !job.is_held && job.held_by_budget().is_some());
    broken.then_some("S7: no job is free that its budgets hold")
}
