//! Replications at `/metrics`: a series for each replication, none for each table.
//!
//! What is not known is absent and counted as unknown: no failure makes a number look good.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::metrics::catalog::MetricRow;
use deepclone_core::budget::{BudgetUnit, MonthUse};
use deepclone_core::money::{MICROS_PER_UNIT, Money};
use deepclone_core::readiness::verdict::{Readiness, ReadyVerdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use super::lag_summary::LagSummary;
use super::message::{EngineMessage, Replications};
use super::metric_definition::{Definition, Figures, float, number, one, seconds, some, wide};
use super::upkeep_metrics::OF_UPKEEP;
use super::view::{FleetView, ReplicationCounts, ReplicationState};

/// How often the engine is asked.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long it may take to answer before nothing is known.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The replications that `/metrics` shows; `None` while they are not known.
#[derive(Clone, Debug)]
pub struct FleetMetrics {
    shown: watch::Receiver<Option<Arc<FleetView>>>,
}

/// A metric of each group of replications.
struct GroupDefinition {
    name: &'static str,
    help: &'static str,
    /// `group`, and at most one more.
    labels: &'static [&'static str],
    samples: fn(&ReadyVerdict) -> Vec<(&'static str, f64)>,
}

/// A metric of each budget.
struct BudgetDefinition {
    name: &'static str,
    help: &'static str,
    count: fn(&MonthUse) -> u64,
}

const COUNT: (&str, &str) = ("deepclone_replications", "Replications that are kept");
const VIEWED: (&str, &str) = (
    "deepclone_replications_viewed_timestamp_seconds",
    "The moment that all metrics of replications are of; absent while nothing is known of them",
);

const PER_GROUP: [GroupDefinition; 2] = [
    GroupDefinition {
        name: "deepclone_replications_ready",
        help: "Whether all tables of a group can be failed over to: 1 for the answer; an empty \
               group is all replications together",
        labels: &["group", "answer"],
        samples: |verdict| answers(verdict.readiness),
    },
    GroupDefinition {
        name: "deepclone_replications_recovery_point_timestamp_seconds",
        help: "The time up to which all tables of a group are complete; absent while there is none",
        labels: &["group"],
        samples: |verdict| some(verdict.recovery_point.map(seconds)),
    },
];

const PER_REPLICATION: [Definition; 18] = [
    Definition {
        name: "deepclone_replication_state",
        help: "1 for the state that it is in",
        labels: &["replication", "owner", "state"],
        samples: |of| {
            STATES.map(|(state, name)| (name, number(of.view.state.state == state))).to_vec()
        },
    },
    Definition {
        name: "deepclone_replication_ready",
        help: "Whether all its tables can be failed over to: 1 for the answer",
        labels: &["replication", "owner", "answer"],
        samples: |of| answers(of.verdict.readiness),
    },
    Definition {
        name: "deepclone_replication_lag_known",
        help: "1 when its lag is known; 0 also while no table has a complete copy",
        labels: &["replication", "owner"],
        samples: |of| one(number(of.lag.age(of.now).is_some())),
    },
    Definition {
        name: "deepclone_replication_lag_seconds",
        help: "Age of the oldest source commit that one of its tables lacks; absent while unknown",
        labels: &["replication", "owner"],
        samples: |of| some(of.lag.age(of.now).map(|age| age.as_secs_f64())),
    },
    Definition {
        name: "deepclone_replication_lag_at_least_seconds",
        help: "The same of those tables alone whose lag is known; absent when there is none",
        labels: &["replication", "owner"],
        samples: |of| {
            let is_known = of.lag.current + of.lag.behind > 0;
            some(is_known.then(|| of.lag.age_at_least(of.now).as_secs_f64()))
        },
    },
    Definition {
        name: "deepclone_replication_lag_limit_seconds",
        help: "The lag from which on somebody is told; absent without a limit",
        labels: &["replication", "owner", "severity"],
        samples: |of| {
            let most = of.view.spec.max_lag;
            let warn = most.and_then(|most| most.warn).map(|warn| ("warn", warn.as_secs_f64()));
            let page = most.and_then(|most| most.page).map(|page| ("page", page.as_secs_f64()));
            warn.into_iter().chain(page).collect()
        },
    },
    Definition {
        name: "deepclone_replication_source_checked_timestamp_seconds",
        help: "When the source of a table was asked longest ago; absent when none ever answered",
        labels: &["replication", "owner"],
        samples: |of| some(of.lag.checked.map(seconds)),
    },
    Definition {
        name: "deepclone_replication_recovery_point_timestamp_seconds",
        help: "The time up to which all its tables are complete; absent while there is none",
        labels: &["replication", "owner"],
        samples: |of| some(of.verdict.recovery_point.map(seconds)),
    },
    Definition {
        name: "deepclone_replication_last_success_timestamp_seconds",
        help: "When a table was last synced, or found to need no sync; absent when none ever was",
        labels: &["replication", "owner"],
        samples: |of| some(of.lag.synced_at.map(seconds)),
    },
    Definition {
        name: "deepclone_replication_tables",
        help: "Its tables by what is known of their lag; the sum is all of them",
        labels: &["replication", "owner", "condition"],
        samples: |of| {
            let LagSummary { current, behind, unknown, not_copied, .. } = of.lag;
            let counts = [("current", current), ("behind", behind), ("unknown", unknown)];
            let counts = counts.into_iter().chain([("not_copied", not_copied)]);
            counts.map(|(name, tables)| (name, float(tables))).collect()
        },
    },
    Definition {
        name: "deepclone_replication_failing_tables",
        help: "Its tables whose newest sync failed or whose source cannot be read",
        labels: &["replication", "owner"],
        samples: |of| one(float(of.lag.failing)),
    },
    Definition {
        name: "deepclone_replication_retention_headroom_seconds",
        help: "How long its sources still keep what the next sync needs, of the table with the \
               least; 0 when syncs compare whole tables; absent when it is known of none",
        labels: &["replication", "owner"],
        samples: |of| some(of.view.headroom(of.now).0.map(|left| left.as_secs_f64())),
    },
    Definition {
        name: "deepclone_replication_retention_unknown_tables",
        help: "Its tables of which that is not known",
        labels: &["replication", "owner"],
        samples: |of| one(float(of.view.headroom(of.now).1 as u64)),
    },
    Definition {
        name: "deepclone_replication_unapproved_tables",
        help: "Tables that its patterns found and that wait for approval",
        labels: &["replication", "owner"],
        samples: |of| one(float(of.view.unapproved.len() as u64)),
    },
    Definition {
        name: "deepclone_replication_rounds_total",
        help: "Its rounds that ended since the coordinator started: failed if a table was not \
               synced or the sources did not answer, else done",
        labels: &["replication", "owner", "outcome"],
        samples: |of| {
            let ReplicationCounts { rounds_done, rounds_failed, .. } = of.view.counts;
            vec![("done", float(rounds_done)), ("failed", float(rounds_failed))]
        },
    },
    Definition {
        name: "deepclone_replication_slots_skipped_total",
        help: "Slots that had no round since the coordinator started",
        labels: &["replication", "owner"],
        samples: |of| one(float(of.view.counts.slots_skipped)),
    },
    Definition {
        name: "deepclone_replication_read_bytes_total",
        help: "Bytes that its jobs read since the coordinator started, repeats included",
        labels: &["replication", "owner"],
        samples: |of| one(float(of.view.counts.bytes_read)),
    },
    Definition {
        name: "deepclone_replication_spent_money_total",
        help: "What its jobs cost since the coordinator started, in units of the currency: an \
               estimate, without what has no known price",
        labels: &["replication", "owner", "currency"],
        samples: |of| match &of.view.counts.spent {
            Some(Money { micros, currency }) => {
                vec![(currency.code(), wide(*micros) / wide(MICROS_PER_UNIT))]
            }
            None => vec![],
        },
    },
];

const PER_BUDGET: [BudgetDefinition; 3] = [
    BudgetDefinition {
        name: "deepclone_replication_budget_limit",
        help: "What may be spent in the month, in bytes or units of the currency",
        count: |used| used.limit,
    },
    BudgetDefinition {
        name: "deepclone_replication_budget_spent",
        help: "What has been spent in the month; it begins at 0 with each month",
        count: |used| used.spent,
    },
    BudgetDefinition {
        name: "deepclone_replication_budget_reserved",
        help: "What jobs under way may spend beyond that",
        count: |used| used.reserved,
    },
];

const STATES: [(ReplicationState, &str); 7] = [
    (ReplicationState::Running, "running"),
    (ReplicationState::WaitingForSlot, "waiting_for_slot"),
    (ReplicationState::WaitingForWindow, "waiting_for_window"),
    (ReplicationState::WaitingForTurn, "waiting_for_turn"),
    (ReplicationState::WaitingForBudget, "waiting_for_budget"),
    (ReplicationState::Paused, "paused"),
    (ReplicationState::Retired, "retired"),
];

const ANSWERS: [(Readiness, &str); 3] =
    [(Readiness::Yes, "yes"), (Readiness::No, "no"), (Readiness::Unknown, "unknown")];

impl FleetMetrics {
    /// Returns metrics of what is sent here.
    #[must_use]
    pub fn new(shown: watch::Receiver<Option<Arc<FleetView>>>) -> Self {
        Self { shown }
    }
}

/// Returns metrics of what the engine says. It is asked for as long as they are kept.
#[must_use]
pub fn follow(engine: Replications) -> FleetMetrics {
    let (shown, known) = watch::channel(None);
    tokio::spawn(async move {
        while !shown.is_closed() {
            let answer = tokio::time::timeout(ANSWER_MAX, engine.ask(EngineMessage::Fleet)).await;
            // Without an answer nothing is known, least of all that all is well.
            shown.send_replace(answer.ok().and_then(Result::ok));
            tokio::time::sleep(INTERVAL).await;
        }
    });
    FleetMetrics::new(known)
}

impl Collector for FleetMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(fleet) = self.shown.borrow().clone() else { return Ok(()) };
        let count = float(fleet.replications.len() as u64);
        write(&mut encoder, COUNT, &mut std::iter::once((vec![], count)))?;
        write(&mut encoder, VIEWED, &mut std::iter::once((vec![], seconds(fleet.at))))?;
        let groups = groups(&fleet);
        for GroupDefinition { name, help, labels, samples } in &PER_GROUP {
            let mut lines = groups.iter().flat_map(|(group, verdict)| {
                samples(verdict).into_iter().map(|(value, number)| {
                    (labels.iter().copied().zip([*group, value]).collect(), number)
                })
            });
            write(&mut encoder, (name, help), &mut lines)?;
        }
        let figures: Vec<Figures<'_>> =
            fleet.replications.iter().map(|view| Figures::new(view, fleet.at)).collect();
        for Definition { name, help, labels, samples } in PER_REPLICATION.iter().chain(&OF_UPKEEP) {
            let mut lines = figures.iter().flat_map(|of| {
                samples(of).into_iter().map(|(value, number)| {
                    let [replication, owner] = of.names();
                    (labels.iter().copied().zip([replication, owner, value]).collect(), number)
                })
            });
            write(&mut encoder, (name, help), &mut lines)?;
        }
        let budgets = budgets(&fleet);
        for BudgetDefinition { name, help, count } in &PER_BUDGET {
            let mut lines = budgets.iter().map(|((key, unit), used)| {
                (vec![("budget", *key), ("unit", unit.as_str())], in_units(used, count(used)))
            });
            write(&mut encoder, (name, help), &mut lines)?;
        }
        Ok(())
    }
}

/// Writes one metric with all its series.
fn write(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    lines: &mut dyn Iterator<Item = (Vec<(&str, &str)>, f64)>,
) -> Result<(), fmt::Error> {
    if let Some(name) = name.strip_suffix("_total") {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, number) in lines {
            ConstCounter::new(number).encode(family.encode_family(&labels)?)?;
        }
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, number) in lines {
        let gauge = ConstGauge::new(number);
        if labels.is_empty() {
            return gauge.encode(family);
        }
        gauge.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Returns whether each group can be failed over to, and all replications together.
fn groups(fleet: &FleetView) -> BTreeMap<&str, ReadyVerdict> {
    let named = fleet.replications.iter().filter_map(|view| view.spec.group.as_deref());
    let named = named.map(|group| (group, Some(group)));
    let groups: BTreeMap<_, _> = named.chain([("", None)]).collect();
    groups.into_iter().map(|(name, group)| (name, fleet.verdict(group))).collect()
}

/// Returns each budget once, however many replications fall under it, by its name and unit.
fn budgets(fleet: &FleetView) -> BTreeMap<(&str, String), &MonthUse> {
    let all = fleet.replications.iter().flat_map(|view| &view.budgets);
    let named = all.map(|(key, used)| {
        let unit = match used.unit {
            BudgetUnit::Bytes => "bytes".to_owned(),
            BudgetUnit::Money(currency) => currency.code().to_owned(),
        };
        ((key.0.as_str(), unit), used)
    });
    named.collect()
}

/// Describes the metrics of replications, in the order in which they are shown.
#[must_use]
pub fn rows() -> Vec<MetricRow> {
    let plain = [COUNT, VIEWED].map(|(name, help)| row(name, &[], help));
    let groups =
        PER_GROUP.iter().map(|GroupDefinition { name, help, labels, .. }| row(name, labels, help));
    let replications = PER_REPLICATION
        .iter()
        .chain(&OF_UPKEEP)
        .map(|Definition { name, help, labels, .. }| row(name, labels, help));
    let budgets = PER_BUDGET
        .iter()
        .map(|BudgetDefinition { name, help, .. }| row(name, &["budget", "unit"], help));
    plain.into_iter().chain(groups).chain(replications).chain(budgets).collect()
}

fn row(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricRow {
    match name.ends_with("_total") {
        true => MetricRow::counter(name, labels, help),
        false => MetricRow::gauge(name, labels, help),
    }
}

fn answers(readiness: Readiness) -> Vec<(&'static str, f64)> {
    ANSWERS.map(|(is, name)| (name, number(readiness == is))).to_vec()
}

fn in_units(used: &MonthUse, count: u64) -> f64 {
    match used.unit {
        BudgetUnit::Bytes => float(count),
        BudgetUnit::Money(_) => float(count) / wide(MICROS_PER_UNIT),
    }
}
