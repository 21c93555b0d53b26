//! Tables of cases. A [`Rig`] is a scheduler with a clock and a database; its invariants hold after
//! every step.

mod budgets;
mod clock;
mod commits;
mod held;
mod invariants;
mod missed;
mod overlap;
mod pauses;
mod restarts;
mod retries;
mod turns;
mod upkeep;
mod views;
mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::budget::BudgetEntry;
use crate::calendar::schedule::Schedule;
use crate::calendar::window::{Window, WindowKind};
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::replication::{MissedPolicy, OverlapPolicy, ReplicationTrigger, ResumePolicy};
use crate::unix_time::UnixTime;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A time of 2026-11-26, which is a Thursday, as `12:05`; or one of another day of that month, as
/// `27T12:05`.
fn time(text: &str) -> UnixTime {
    let text = if text.contains('T') { text.to_owned() } else { format!("26T{text}") };
    let time: jiff::Timestamp = format!("2026-11-{text}Z").parse().unwrap();
    UnixTime(time.as_millisecond())
}

/// As [`time`] reads it.
fn shown(time: UnixTime) -> String {
    let text = time.to_string().replace("2026-11-", "").replace(":00Z", "").replace('Z', "");
    text.strip_prefix("26T").unwrap_or(&text).to_owned()
}

/// Every quarter of an hour, at all times.
fn quarterly() -> Order {
    every(15 * MINUTE)
}

fn every(interval: Duration) -> Order {
    Order {
        name: "a".to_owned(),
        trigger: ReplicationTrigger::Slots(Schedule::every(interval).unwrap()),
        windows: Windows::default(),
        close_grace: 5 * MINUTE,
        on_missed: MissedPolicy::Once,
        on_overlap: OverlapPolicy::Skip,
        on_resume: ResumePolicy::NextSlot,
        priority: 0,
        jobs_at_once: 2,
        pair: 1,
        budgets: Vec::new(),
        upkeep: BTreeMap::new(),
    }
}

/// Closed daily between these times of UTC.
fn closed(from: &str, to: &str) -> Windows {
    let days = "daily".parse().unwrap();
    Windows::new(vec![Window::new(WindowKind::Deny, days, from, to, Zone::UTC).unwrap()])
}

fn id(name: &str) -> ReplicationId {
    ReplicationId::derive(name)
}

/// A scheduler, what it made durable, and what it did, in words.
struct Rig {
    standing: Standing,
    now: UnixTime,
    orders: BTreeMap<ReplicationId, Order>,
    records: BTreeMap<ReplicationId, ReplicationRecord>,
    tables: BTreeMap<(ReplicationId, u64), BTreeMap<TableNumber, TableRecord>>,
    entries: Vec<BudgetEntry>,
    upkeep: BTreeMap<(ReplicationId, TableNumber, UpkeepKind), UpkeepRecord>,
    said: Vec<String>,
}

impl Rig {
    fn new() -> Self {
        Self::with_limits(StandingLimits::default())
    }

    /// It is 12:05, and there is no replication.
    fn with_limits(limits: StandingLimits) -> Self {
        let now = time("12:05");
        Self {
            standing: Standing::new(limits, now),
            now,
            orders: BTreeMap::new(),
            records: BTreeMap::new(),
            tables: BTreeMap::new(),
            entries: Vec::new(),
            upkeep: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// It is 12:05, and this replication waits for its first slot.
    fn of(order: Order) -> Self {
        let mut rig = Self::new();
        rig.apply(order);
        assert_eq!(rig.said(), [""; 0]);
        rig
    }

    fn apply(&mut self, order: Order) {
        let replication = id(&order.name);
        self.orders.insert(replication, order.clone());
        self.event(StandingEvent::Applied { replication, order: Box::new(order) });
    }

    fn event(&mut self, event: StandingEvent) {
        let mut actions = Vec::new();
        self.standing.step(self.now, event, &mut actions);
        self.take(actions);
    }

    /// Time passes: the scheduler is woken whenever it wants to be.
    fn until(&mut self, text: &str) {
        let until = time(text);
        assert!(until >= self.now, "{text} is over");
        while let Some(at) = self.standing.next_deadline().filter(|at| *at <= until) {
            assert!(at > self.now, "{} again", shown(at));
            self.now = at;
            self.event(StandingEvent::Woken);
        }
        self.jump(text);
    }

    /// The clock is set, or nothing ran meanwhile.
    fn jump(&mut self, text: &str) {
        self.now = time(text);
        self.event(StandingEvent::Woken);
    }

    /// Nothing ran from now on until then.
    fn restart(&mut self, text: &str) {
        self.now = time(text);
        let stored: Vec<StoredReplication> = self
            .records
            .iter()
            .map(|(id, record)| {
                let number = record.active.map_or(0, |active| active.number);
                let tables = self.tables.get(&(*id, number)).cloned().unwrap_or_default();
                StoredReplication {
                    replication: *id,
                    order: self.orders[id].clone(),
                    record: record.clone(),
                    tables: tables.into_iter().collect(),
                    upkeep: self
                        .upkeep
                        .iter()
                        .filter(|((of, ..), _)| of == id)
                        .map(|((_, table, kind), record)| ((*table, *kind), *record))
                        .collect(),
                }
            })
            .collect();
        let mut actions = Vec::new();
        let limits = self.standing.limits;
        self.standing =
            Standing::recover(limits, self.now, stored, self.entries.clone(), &mut actions);
        self.take(actions);
    }

    fn paused(&mut self, until: Option<&str>) {
        self.event(StandingEvent::Paused { replication: id("a"), until: until.map(time) });
    }

    fn resumed(&mut self) {
        self.event(StandingEvent::Resumed { replication: id("a") });
    }

    fn run_requested(&mut self) {
        self.event(StandingEvent::RunRequested { replication: id("a") });
    }

    /// The source answers: these tables are behind.
    fn behind(&mut self, name: &str, tables: &[u32]) {
        let tables = tables.iter().map(|table| TableNumber(*table)).collect();
        self.probed(name, ProbeResult::Behind(tables));
    }

    fn probed(&mut self, name: &str, result: ProbeResult) {
        let round = self.records[&id(name)].rounds;
        self.event(StandingEvent::Probed { replication: id(name), round, result });
    }

    /// The newest job of a table ends.
    fn ended(&mut self, table: u32, outcome: JobOutcome) {
        let (table, rounds) = (TableNumber(table), self.records[&id("a")].rounds);
        let TableRecord { retry, from, .. } = self.tables[&(id("a"), rounds)][&table];
        let job = JobId::of_round(id("a"), from.unwrap_or(rounds), table, retry);
        self.event(StandingEvent::JobEnded { job, outcome });
    }

    /// A whole round with nothing to do.
    fn nothing_behind(&mut self) {
        self.behind("a", &[]);
    }

    fn state(&self) -> StandingState {
        self.standing.view(id("a")).unwrap().state
    }

    /// What was done since this was last asked for.
    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    #[track_caller]
    fn check(&mut self, want: &[&str]) {
        assert_eq!(self.said(), want);
    }

    fn take(&mut self, actions: Vec<StandingAction>) {
        for action in actions {
            let words = match action {
                StandingAction::Record(fact) => self.store(fact),
                StandingAction::Probe { round, .. } => Some(format!("probe {round}")),
                StandingAction::Poll { .. } => Some("poll".to_owned()),
                StandingAction::Submit { replication, round, table, job, held } => {
                    let newest = self.records[&replication].rounds;
                    let TableRecord { retry, from, .. } =
                        self.tables[&(replication, newest)][&table];
                    assert_eq!(round, from.unwrap_or(newest));
                    assert_eq!(job, JobId::of_round(replication, round, table, retry));
                    let held = if held { " held" } else { "" };
                    Some(format!("submit {round}.{}.{retry}{held}", table.0))
                }
                StandingAction::Hold { job, .. } => Some(format!("hold {}", self.table(job))),
                StandingAction::Release { job } => Some(format!("release {}", self.table(job))),
                StandingAction::Recall { job } => Some(format!("recall {}", self.table(job))),
                StandingAction::SlowTo { job, rate } => {
                    let rate = rate.map_or("any rate".to_owned(), |rate| rate.to_string());
                    Some(format!("slow {} to {rate}", self.table(job)))
                }
                StandingAction::Alert { job, budget, .. } => {
                    Some(format!("alert {budget} of {}", self.table(job)))
                }
                StandingAction::Upkeep { table, kind, .. } => Some(format!(
                    "{} {}",
                    if kind == UpkeepKind::Audit { "audit" } else { "vacuum" },
                    table.0
                )),
                StandingAction::Violated(violation) => panic!("{violation:?}"),
            };
            let at = shown(self.now);
            self.said.extend(words.map(|words| format!("{at} {words}")));
        }
        assert_eq!(self.standing.violations(), []);
    }

    fn table(&self, job: JobId) -> u32 {
        self.standing.place_of(job).unwrap().1.0
    }

    fn store(&mut self, fact: StandingFact) -> Option<String> {
        match fact {
            StandingFact::Replication { replication, record } => {
                self.records.insert(replication, *record);
                None
            }
            StandingFact::Table { replication, round, table, record } => {
                self.tables.entry((replication, round)).or_default().insert(table, record);
                None
            }
            StandingFact::Budget(entry) => {
                let key = |entry: &BudgetEntry| {
                    (entry.budget.clone(), entry.unit, entry.month, entry.job)
                };
                self.entries.retain(|old| key(old) != key(&entry));
                self.entries.push(entry);
                None
            }
            StandingFact::Upkeep { replication, table, kind, record } => {
                let key = (replication, table, kind);
                match record {
                    Some(record) => self.upkeep.insert(key, record),
                    None => self.upkeep.remove(&key),
                };
                None
            }
            StandingFact::RoundBegan { round, cause, .. } => {
                let cause = match cause {
                    RoundCause::Slot(slot) => format!("slot {}", shown(slot)),
                    RoundCause::Queued(slot) => format!("queued {}", shown(slot)),
                    RoundCause::Missed { newest, count } => {
                        format!("missed {} ({count})", shown(newest))
                    }
                    RoundCause::ByHand => "by hand".to_owned(),
                    RoundCause::SourceChanged => "source changed".to_owned(),
                    RoundCause::Resumed => "resumed".to_owned(),
                };
                Some(format!("began {round}: {cause}"))
            }
            StandingFact::RoundEnded { round, .. } => Some(match round.outcome {
                RoundOutcome::Copied { done, failed, cancelled, held } => {
                    let held = if held > 0 { format!(" {held} held") } else { String::new() };
                    format!("ended {}: {done} {failed} {cancelled}{held}", round.number)
                }
                RoundOutcome::ProbeFailed => format!("ended {}: probe failed", round.number),
            }),
            StandingFact::Skipped { slots, .. } => {
                let SkippedSlots { newest, count, why } = slots;
                Some(format!("skipped {} ({count}): {why:?}", shown(newest)))
            }
        }
    }
}

#[test]
fn each_slot_has_a_round() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:14");
    rig.check(&[]);
    rig.until("12:16");
    rig.check(&["12:15 began 1: slot 12:15", "12:15 probe 1"]);
    rig.behind("a", &[4, 7, 9]);
    rig.check(&["12:16 submit 1.4.0", "12:16 submit 1.7.0"]);
    rig.until("12:20");
    rig.ended(4, JobOutcome::Done);
    rig.ended(7, JobOutcome::Done);
    rig.check(&["12:20 submit 1.9.0"]);
    rig.ended(9, JobOutcome::Done);
    rig.check(&["12:20 ended 1: 3 0 0"]);
    rig.until("12:30");
    rig.check(&["12:30 began 2: slot 12:30", "12:30 probe 2"]);
    rig.nothing_behind();
    rig.check(&["12:30 ended 2: 0 0 0"]);
}

#[test]
fn the_spread_delays_a_slot_and_the_slot_keeps_its_name() {
    let mut order = quarterly();
    let schedule = Schedule::every(15 * MINUTE).unwrap().with_spread(10 * MINUTE).unwrap();
    order.trigger = ReplicationTrigger::Slots(schedule);
    let starts = time("12:00").after(order.delay());
    assert!(starts > time("12:06"));
    let mut rig = Rig::of(order);
    rig.until("12:15");
    let at = shown(starts);
    rig.check(&[&format!("{at} began 1: slot 12:00"), &format!("{at} probe 1")]);
}

#[test]
fn what_is_late_doubled_or_unknown_changes_nothing() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.behind("a", &[0, 0]);
    rig.check(&["12:15 began 1: slot 12:15", "12:15 probe 1", "12:15 submit 1.0.0"]);
    rig.behind("a", &[5]);
    rig.probed("a", ProbeResult::Failed);
    rig.ended(0, JobOutcome::Done);
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.behind("a", &[5]);
    let job = JobId::of_round(id("a"), 9, TableNumber(0), 0);
    rig.event(StandingEvent::JobEnded { job, outcome: JobOutcome::Done });
    rig.event(StandingEvent::RunRequested { replication: id("unknown") });
    rig.event(StandingEvent::Polled { replication: id("a"), result: ProbeResult::Failed });
    rig.check(&["12:15 ended 1: 1 0 0"]);
}

#[test]
fn a_round_by_hand_begins_at_once() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:07");
    rig.run_requested();
    rig.check(&["12:07 began 1: by hand", "12:07 probe 1"]);
    // One more, however often it is asked for.
    rig.run_requested();
    rig.run_requested();
    rig.nothing_behind();
    rig.check(&["12:07 ended 1: 0 0 0", "12:07 began 2: by hand", "12:07 probe 2"]);
    rig.nothing_behind();
    rig.until("12:15");
    rig.check(&["12:07 ended 2: 0 0 0", "12:15 began 3: slot 12:15", "12:15 probe 3"]);
}

#[test]
fn one_that_is_retired_ends_what_runs_and_begins_nothing() {
    let mut rig = Rig::of(quarterly());
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2]);
    rig.said();
    rig.event(StandingEvent::Retired { replication: id("a") });
    rig.run_requested();
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.until("12:50");
    rig.check(&[]);
    rig.ended(1, JobOutcome::Done);
    rig.check(&["12:50 ended 1: 1 0 2"]);
    // A pause of it would outlast its return.
    rig.paused(None);
    assert_eq!(rig.state(), StandingState::Retired);
    rig.restart("13:50");
    rig.until("14:10");
    rig.check(&[]);
    // It may be wanted again, and owes nothing of the time between.
    rig.apply(quarterly());
    rig.until("14:20");
    rig.check(&["14:15 began 2: slot 14:15", "14:15 probe 2"]);
}

#[test]
fn another_schedule_owes_nothing_of_the_past() {
    let mut rig = Rig::of(every(HOUR));
    rig.until("14:40");
    rig.said();
    rig.nothing_behind();
    rig.apply(quarterly());
    rig.check(&["14:40 ended 1: 0 0 0"]);
    rig.until("14:50");
    rig.check(&["14:45 began 2: slot 14:45", "14:45 probe 2"]);
}
