//! The engine's state as views, with words for people.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::budget::HoldCause;
use deepclone_core::ids::ReplicationId;
use deepclone_core::limits::REPLICA_LOOK_INTERVAL;
use deepclone_core::money::Money;
use deepclone_core::readiness::lag::AnswerValidity;
use deepclone_core::replication::ReplicationTrigger;
use deepclone_core::standing::{
    ComingSlot, EndedRound, RoundCause, RoundOutcome, SkipReason, SkippedSlots, SlotFate,
    StandingState as Standing, UpkeepKind,
};
use deepclone_core::unix_time::UnixTime;
use tokio::time::Instant;

use super::engine::{Engine, VIEW_AGE_MAX};
use super::entry::{ReplicationEntry, RoundSent, Table};
use super::news::JobFigures;
use super::order::budgets;
use super::view::{
    FleetView, ReplicationCounts, ReplicationState, ReplicationView, RoundView, SlotView,
    StateView, TableJob, TableView,
};
use crate::rpc::state_name;

/// Slots that are shown.
const SLOTS_SHOWN: usize = 5;
/// How long an answer of a source counts at least.
const VALID_MIN: Duration = Duration::from_secs(15 * 60);
/// How long an answer counts where it is asked for by slots: the time between two of them, at most
/// this.
const VALID_MAX: Duration = Duration::from_secs(25 * 60 * 60);

impl Engine {
    /// All replications, as they were at most a second ago.
    pub(super) fn fleet(&mut self) -> Arc<FleetView> {
        if let Some((made, view)) = &self.view
            && made.elapsed() < VIEW_AGE_MAX
        {
            return Arc::clone(view);
        }
        let ids = self.entries.values().filter(|entry| !entry.is_retired).map(|entry| entry.id);
        let mut replications: Vec<_> = ids.filter_map(|id| self.show(id)).map(Arc::new).collect();
        replications.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
        let view = Arc::new(FleetView { at: self.now(), replications });
        self.view = Some((Instant::now(), Arc::clone(&view)));
        view
    }

    /// One replication as it is now.
    pub(super) fn show(&self, id: ReplicationId) -> Option<ReplicationView> {
        let (entry, view) = (self.entries.get(&id)?, self.standing.view(id)?);
        let slots = self.standing.coming_slots(id, SLOTS_SHOWN);
        let nothing = Money { micros: 0, currency: self.context.pricing.table.currency };
        let gap = slots.windows(2).map(|pair| pair[1].slot.since(pair[0].slot)).max();
        let mut tables: Vec<TableView> = entry
            .tables
            .iter()
            .filter(|(_, table)| is_shown(table))
            .map(|(number, table)| {
                let next = |kind| self.standing.upkeep(id, *number, kind)?.next;
                TableView {
                    next_audit: next(UpkeepKind::Audit),
                    next_vacuum: next(UpkeepKind::Vacuum),
                    ..shown(entry, table)
                }
            })
            .collect();
        tables.sort_by(|one, other| one.path.cmp(&other.path));
        Some(ReplicationView {
            spec: Arc::clone(&entry.spec),
            state: state(view.state, entry),
            pause: view.pause,
            tables,
            unapproved: entry.unapproved(),
            slots: slots.iter().map(slot).collect(),
            rounds: entry.history.iter().cloned().collect(),
            counts: ReplicationCounts {
                spent: entry.counts.spent.or(Some(nothing)),
                ..entry.counts
            },
            budgets: budgets(&entry.checked, &self.budgets)
                .iter()
                .map(|budget| {
                    let used = self.standing.ledger().month_use(budget, self.now());
                    (budget.key.clone(), used)
                })
                .collect(),
            lag_history: Arc::clone(&entry.lag_history),
            valid_for: valid_for(entry, gap),
            created: entry.created,
            updated: entry.updated,
        })
    }
}

/// Answers come with each round or poll, those of replicas at times only: one that is older than
/// two of them says nothing.
fn valid_for(entry: &ReplicationEntry, gap: Option<Duration>) -> AnswerValidity {
    let between = match &entry.checked.trigger {
        ReplicationTrigger::Commits { poll_max, .. } => *poll_max,
        ReplicationTrigger::Slots(_) => gap.unwrap_or(VALID_MAX),
    };
    let source = between.saturating_mul(2).clamp(VALID_MIN, VALID_MAX.saturating_mul(2));
    AnswerValidity { source, replica: source.max(REPLICA_LOOK_INTERVAL.saturating_mul(2)) }
}

/// A table that waits for approval is none of its tables yet, unless nobody knows how large it is.
fn is_shown(table: &Table) -> bool {
    !table.waits_for_approval() || table.failure.is_some()
}

fn shown(entry: &ReplicationEntry, table: &Table) -> TableView {
    let check_failed = entry.probe_failure.is_some()
        || table.is_gone
        || table.kept.is_replica_changed
        || table.failure.is_some();
    let gone = || {
        use deepclone_core::failure::Failure;
        use deepclone_core::reason::Reason;
        let message = "its source was not found when the sources were listed last";
        Failure::new(Reason::NotADeltaTable, message)
    };
    let failure = match table.is_gone {
        true => Some(gone()),
        false => table.failure.clone().or_else(|| entry.probe_failure.clone()),
    };
    TableView {
        path: table.kept.path.clone(),
        freshness: table.freshness(check_failed),
        source_version: table.kept.source_version,
        synced: table.kept.synced,
        synced_at: table.kept.synced_at,
        failing_since: table.failing_since.filter(|_| failure.is_some()),
        failure,
        job: table.job.as_ref().map(|(id, figures)| job(*id, figures.as_ref())),
        retention: table.retention(),
        audit: table.kept.audit.clone(),
        vacuum: table.kept.vacuum.clone(),
        next_audit: None,
        next_vacuum: None,
    }
}

fn job(id: deepclone_core::ids::JobId, figures: Option<&JobFigures>) -> TableJob {
    TableJob {
        id,
        state: figures.map_or("QUEUED", |figures| state_name(figures.state)),
        bytes_total: figures.map_or(0, |figures| figures.bytes_total),
        bytes_done: figures.map_or(0, |figures| figures.bytes_done),
    }
}

fn state(state: Standing, entry: &ReplicationEntry) -> StateView {
    use ReplicationState as Shown;
    let view = |state, reason: &str, until| StateView { state, reason: reason.to_owned(), until };
    match state {
        Standing::Waiting { until } => match entry.checked.trigger {
            ReplicationTrigger::Slots(_) => view(Shown::WaitingForSlot, "no slot is due", until),
            ReplicationTrigger::Commits { .. } => {
                view(Shown::WaitingForSlot, "no new commit was seen", until)
            }
        },
        Standing::WaitingForWindow { opens } => {
            view(Shown::WaitingForWindow, "the windows are closed", opens)
        }
        Standing::WaitingForTurn { .. } => {
            view(Shown::WaitingForTurn, "other replications go first", None)
        }
        Standing::Probing => view(Shown::Running, "asking the sources", None),
        Standing::ProbingAgain { at } => {
            view(Shown::Running, "the sources did not answer: they are asked again", Some(at))
        }
        Standing::Copying => view(Shown::Running, "copying", None),
        Standing::Retrying { at } => {
            view(Shown::Running, "a job failed: it is tried again", Some(at))
        }
        Standing::HeldByWindow { opens } => {
            view(Shown::WaitingForWindow, "copying is held: the windows are closed", opens)
        }
        Standing::HeldByBudget { budget, cause } => match cause {
            HoldCause::Limit { until: None, .. } => {
                view(Shown::WaitingForBudget, "a copy needs more than the budget of a month", None)
            }
            HoldCause::Limit { until, .. } => {
                let why = format!("the budget of the month is used up ({budget})");
                view(Shown::WaitingForBudget, &why, until)
            }
            HoldCause::PriceUnknown => {
                view(Shown::WaitingForBudget, "what a copy costs is not known", None)
            }
            HoldCause::CurrencyDiffers { .. } => {
                view(Shown::WaitingForBudget, "the price is in another currency", None)
            }
        },
        Standing::Paused { until } => view(Shown::Paused, "somebody paused it", until),
        Standing::Retired => view(Shown::Retired, "its replicas stay as they are", None),
    }
}

fn slot(slot: &ComingSlot) -> SlotView {
    let note = match slot.fate {
        SlotFate::Begins => String::new(),
        SlotFate::WaitsForWindow { opens: Some(opens) } => {
            format!("the windows are closed until {opens}")
        }
        SlotFate::WaitsForWindow { opens: None } => "the windows do not open".to_owned(),
        SlotFate::JoinsLater => {
            "the windows are closed: one round is for this and a later slot".to_owned()
        }
        SlotFate::WaitsForResume { .. } => "paused: a round begins when the pause ends".to_owned(),
        SlotFate::IsSkipped(why) => format!("skipped: {}", skip_reason(why)),
    };
    SlotView { at: slot.slot, note }
}

fn skip_reason(why: SkipReason) -> &'static str {
    match why {
        SkipReason::Missed => "nothing ran in its time",
        SkipReason::Overlap => "the round before was under way",
        SkipReason::Paused => "paused",
        SkipReason::Withdrawn => "the replication was retired",
    }
}

fn cause_text(cause: RoundCause) -> String {
    match cause {
        RoundCause::Slot(slot) => format!("the slot {slot}"),
        RoundCause::Queued(slot) => format!("the slot {slot}, which came during the round before"),
        RoundCause::Missed { newest, count } => {
            format!("{count} slots that were not served in their time, the newest {newest}")
        }
        RoundCause::ByHand => "asked for".to_owned(),
        RoundCause::SourceChanged => "a commit of the source".to_owned(),
        RoundCause::Resumed => "the end of a pause".to_owned(),
    }
}

/// A round that began.
pub(super) fn began(number: u64, cause: RoundCause, at: UnixTime) -> RoundView {
    RoundView {
        number: Some(number),
        cause: cause_text(cause),
        began: at,
        ended: None,
        done: 0,
        failed: 0,
        bytes_read: 0,
        cost: None,
    }
}

/// A round that ended.
pub(super) fn ended(round: &EndedRound, sent: RoundSent) -> RoundView {
    let (done, failed, note) = match round.outcome {
        RoundOutcome::Copied { done, failed, cancelled, held } => {
            let parts = [(cancelled, "cancelled"), (held, "held by a budget")];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            (done, failed, parts.map(|(count, what)| format!("; {count} {what}")).collect())
        }
        RoundOutcome::ProbeFailed => (0, 0, "; the sources did not answer".to_owned()),
    };
    RoundView {
        number: Some(round.number),
        cause: cause_text(round.cause) + &note,
        began: round.began,
        ended: Some(round.ended),
        done,
        failed,
        bytes_read: sent.bytes_read,
        cost: sent.cost.map(Into::into),
    }
}

/// Slots that were skipped.
pub(super) fn skipped(slots: &SkippedSlots, at: UnixTime) -> RoundView {
    let why = skip_reason(slots.why);
    let what = match slots.count {
        1 => format!("a slot was skipped: {why}"),
        count => format!("{count} slots were skipped: {why}"),
    };
    RoundView {
        number: None,
        cause: what,
        began: slots.newest,
        ended: Some(at),
        done: 0,
        failed: 0,
        bytes_read: 0,
        cost: None,
    }
}
