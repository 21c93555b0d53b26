//! Rounds as events of lineage: the parents of those of their syncs.

use deepclone_core::ids::ReplicationId;
use deepclone_core::standing::{RoundCause, RoundOutcome, StandingFact};
use deepclone_core::unix_time::UnixTime;

use super::engine::Engine;
use crate::lineage::moment::{LineageMoment, LineageSubject, RoundMoment, RoundStep};

impl Engine {
    /// Returns what is to be told once these facts are durable.
    pub(super) fn round_moments(&self, facts: &[StandingFact]) -> Vec<LineageMoment> {
        if !self.context.observers.lineage.is_wanted() {
            return Vec::new();
        }
        let moment = |fact: &StandingFact| match fact {
            StandingFact::RoundBegan { replication, round, cause, at } => {
                self.round_moment(*replication, *round, *cause, *at, RoundStep::Started)
            }
            StandingFact::RoundEnded { replication, round } => {
                let step = step(&round.outcome);
                self.round_moment(*replication, round.number, round.cause, round.ended, step)
            }
            _ => None,
        };
        facts.iter().filter_map(moment).collect()
    }

    fn round_moment(
        &self,
        id: ReplicationId,
        number: u64,
        cause: RoundCause,
        at: UnixTime,
        step: RoundStep,
    ) -> Option<LineageMoment> {
        let replication = self.entries.get(&id)?.spec.name.to_string();
        let slot = cause.slots().map(|(newest, _)| newest);
        let of = LineageSubject::Round(RoundMoment { replication, id, number, slot, step });
        Some(LineageMoment { at, of })
    }
}

fn step(outcome: &RoundOutcome) -> RoundStep {
    match outcome {
        RoundOutcome::Copied { failed: 0, .. } => RoundStep::Completed,
        RoundOutcome::Copied { failed, .. } => {
            RoundStep::Failed(format!("tables that were not synced: {failed}"))
        }
        RoundOutcome::ProbeFailed => RoundStep::Failed("the sources did not answer".to_owned()),
    }
}
