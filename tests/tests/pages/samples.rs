//! Replications as the engine would show them: a fleet with every state, and large ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_coordinator::replications::lag_history::{LagHistory, LagSample};
use deepclone_coordinator::replications::view::{
    FleetView, ReplicationCounts, ReplicationState, ReplicationView, RoundView, SlotView,
    StateView, TableJob, TableView,
};
use deepclone_core::budget::{AtLimit, BudgetKey, BudgetUnit, MonthUse};
use deepclone_core::calendar::window::WindowKind;
use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::money::{Currency, Money};
use deepclone_core::readiness::lag::{AnswerValidity, ReplicaFreshness};
use deepclone_core::readiness::retention::{RetentionFacts, SourceRetention};
use deepclone_core::reason::Reason;
use deepclone_core::replication::{
    BudgetSpec, CloneOptions, DueSpec, MaxLag, MissedPolicy, OverlapPolicy, ReplicationSpec,
    ResumePolicy, ScheduleSpec, WindowSpec,
};
use deepclone_core::standing::Pause;
use deepclone_core::unix_time::UnixTime;
use uuid::Uuid;

/// 2026-11-26T13:20Z, 14:20 in Berlin.
pub(crate) const NOW: UnixTime = UnixTime(1_795_699_200_000);

const MINUTE: Duration = Duration::from_secs(60);
const EURO: u64 = 1_000_000;

/// The time so many minutes ago.
pub(crate) fn minutes_ago(minutes: u64) -> UnixTime {
    NOW.before(Duration::from_secs(minutes * 60))
}

/// The time in so many minutes.
pub(crate) fn in_minutes(minutes: u64) -> UnixTime {
    NOW.after(Duration::from_secs(minutes * 60))
}

/// A fleet with something of everything: 9 replications of 1,004 tables.
pub(crate) fn fleet() -> FleetView {
    let mut reference = small("zz-reference", 40);
    let (commits, removed_files) = (720 * 60 * MINUTE, 168 * 60 * MINUTE);
    reference.tables[0].retention.kept = Some(SourceRetention { commits, removed_files });
    fleet_of(vec![
        archive(),
        bi(),
        clickstream(),
        events(),
        experiments(),
        orders_dr(),
        payments_dr(),
        quarterly(),
        reference,
    ])
}

/// These replications, by name.
pub(crate) fn fleet_of(mut views: Vec<ReplicationView>) -> FleetView {
    views.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    FleetView { at: NOW, replications: views.into_iter().map(Arc::new).collect() }
}

/// So many replications of one table each, all of them current.
pub(crate) fn many(count: usize) -> FleetView {
    fleet_of((0..count).map(|number| small(&format!("replication-{number:04}"), 1)).collect())
}

/// A replication of so many tables, all of them current.
pub(crate) fn small(name: &str, tables: u64) -> ReplicationView {
    let tables = (0..tables).map(|number| current(&format!("ref/table_{number:04}"))).collect();
    ReplicationView { tables, ..view(name, None) }
}

/// Twelve tables are denied and late; another one is copied.
pub(crate) fn orders_dr() -> ReplicationView {
    let mut tables: Vec<TableView> =
        (0..187).map(|number| current(&format!("sales/fact_{number:03}"))).collect();
    for (number, table) in tables.iter_mut().take(12).enumerate() {
        let key = format!("{}/part-{number:05}.snappy.parquet", table.path);
        let message = format!("PutBlob of {key} is denied: the token lacks the permission `write`");
        behind(table, 18);
        table.failure = Some(Failure::new(Reason::PermissionDenied, message).with("key", key));
        table.failing_since = Some(minutes_ago(40));
    }
    behind(&mut tables[20], 3);
    let (bytes_total, bytes_done) = (420 << 30, 172 << 30);
    let (id, state) = (JobId(Uuid::from_u128(20)), "COPYING");
    tables[20].job = Some(TableJob { id, state, bytes_total, bytes_done });
    let lag_history = Arc::new(lags());
    let mut view =
        ReplicationView { tables, lag_history, ..view("orders-dr", Some("team-finance")) };
    view.state = state_of(ReplicationState::Running, "", None);
    view.rounds = rounds();
    view.counts = ReplicationCounts {
        rounds_done: 40,
        rounds_failed: 3,
        slots_skipped: 2,
        bytes_read: 7 << 30,
        spent: Some(Money { micros: 1_250_000, currency: Currency::EUR }),
        ..ReplicationCounts::default()
    };
    let own = use_of(BudgetUnit::Money(Currency::EUR), 212 * EURO, 9 * EURO, 300 * EURO);
    let owner = use_of(BudgetUnit::Bytes, 17 << 40, 1 << 40, 20 << 40);
    view.budgets = vec![(key("orders-dr"), own), (key("owner team-finance"), owner)];
    change(&mut view, |spec| {
        spec.group = Some("shop".into());
        spec.renamed_from = vec!["orders-backup".parse().unwrap()];
        spec.exclude = vec!["**/tmp_*".into()];
        let money = Some("300 EUR".parse().unwrap());
        spec.budget = Some(BudgetSpec { bytes: None, money, at_limit: AtLimit::Hold });
    });
    view
}

fn payments_dr() -> ReplicationView {
    let mut view = small("payments-dr", 64);
    behind(&mut view.tables[7], 21);
    behind(&mut view.tables[8], 16);
    view.state = state_of(ReplicationState::WaitingForTurn, "4 rounds of this pair run", None);
    change(&mut view, |spec| {
        (spec.owner, spec.group) = (Some("team-payments".into()), Some("shop".into()));
    });
    view
}

/// All is well, and it may not copy now.
fn bi() -> ReplicationView {
    let mut view = small("bi", 512);
    view.state = state_of(
        ReplicationState::WaitingForWindow,
        "copying is denied in the office hours",
        Some(in_minutes(460)),
    );
    view.slots[0] = SlotView { at: in_minutes(10), note: "the window opens 22:00 CET".into() };
    change(&mut view, |spec| {
        spec.owner = Some("analytics".into());
        spec.max_lag = None;
        spec.windows = vec![window(WindowKind::Allow, "daily", "22:00", "06:00")];
    });
    view
}

/// The source has not been asked for too long.
fn clickstream() -> ReplicationView {
    let mut view = small("clickstream", 96);
    for table in &mut view.tables {
        table.freshness.checked = Some(minutes_ago(47));
    }
    change(&mut view, |spec| spec.owner = Some("team-web".into()));
    view
}

/// It runs at commits, in another zone.
fn events() -> ReplicationView {
    let mut view = small("events", 24);
    view.slots.clear();
    change(&mut view, |spec| {
        spec.time_zone = "America/Sao_Paulo".into();
        let (poll_min, poll_max) = (MINUTE, 10 * MINUTE);
        spec.schedule =
            ScheduleSpec { due: DueSpec::OnCommit { poll_min, poll_max }, spread: None };
    });
    view
}

/// Its first copy is under way; large tables wait for approval.
fn archive() -> ReplicationView {
    let mut view = small("archive", 41);
    for table in view.tables.iter_mut().take(9) {
        *table = TableView { path: table.path.clone(), ..absent("") };
    }
    view.unapproved = vec![("logs/raw_2019".into(), 900 << 30), ("logs/raw_2020".into(), 2 << 40)];
    change(&mut view, |spec| {
        (spec.owner, spec.max_lag) = (Some("platform".into()), None);
        spec.ask_above_bytes = Some(500 << 30);
    });
    view
}

/// Names that want to be looked at, and a limit that is spent.
fn experiments() -> ReplicationView {
    let mut view = small("experiments", 10);
    view.tables[0].path = "ml/gnp.\u{202e}selas/<script>alert(1)</script>".into();
    view.tables[1].path = format!("ml/{}", "a_very_long_name_without_a_space".repeat(5));
    view.budgets = vec![(key("experiments"), use_of(BudgetUnit::Bytes, 5 << 40, 0, 5 << 40))];
    view.state = state_of(
        ReplicationState::WaitingForBudget,
        "the limit of November is spent",
        Some(in_minutes(6_400)),
    );
    change(&mut view, |spec| spec.owner = Some("research & <development>".into()));
    view
}

fn quarterly() -> ReplicationView {
    let mut view = small("quarterly-close-of-the-books-for-the-auditors-of-all-countries", 30);
    let until = Some(in_minutes(3_000));
    view.state = state_of(ReplicationState::Paused, "by hand", until);
    view.pause = Some(Pause { until });
    view.slots.clear();
    view
}

/// A replication that is well and waits for its slot, without tables.
pub(crate) fn view(name: &str, owner: Option<&str>) -> ReplicationView {
    let slots = (0..5).map(|n| SlotView { at: in_minutes(10 + 15 * n), note: String::new() });
    ReplicationView {
        spec: Arc::new(spec(name, owner)),
        state: state_of(ReplicationState::WaitingForSlot, "", None),
        pause: None,
        tables: Vec::new(),
        unapproved: Vec::new(),
        slots: slots.collect(),
        rounds: Vec::new(),
        counts: ReplicationCounts::default(),
        budgets: Vec::new(),
        lag_history: Arc::default(),
        valid_for: AnswerValidity { source: 30 * MINUTE, replica: 30 * MINUTE },
        created: minutes_ago(100_000),
        updated: minutes_ago(5_000),
    }
}

fn spec(name: &str, owner: Option<&str>) -> ReplicationSpec {
    ReplicationSpec {
        name: name.parse().unwrap(),
        renamed_from: Vec::new(),
        takes_over: Vec::new(),
        owner: owner.map(Into::into),
        group: None,
        labels: BTreeMap::from([("tier".into(), "1".into())]),
        source: "prod".into(),
        target: "dr".into(),
        include: vec!["sales/**".into()],
        exclude: Vec::new(),
        clone: CloneOptions::default(),
        time_zone: "Europe/Berlin".into(),
        schedule: ScheduleSpec { due: DueSpec::Every(15 * MINUTE), spread: Some(2 * MINUTE) },
        on_missed: MissedPolicy::Once,
        on_overlap: OverlapPolicy::Skip,
        on_resume: ResumePolicy::NextSlot,
        windows: vec![window(WindowKind::Deny, "mon-fri", "23:45", "00:15")],
        close_grace: 5 * MINUTE,
        max_lag: Some(MaxLag { warn: Some(10 * MINUTE), page: Some(15 * MINUTE) }),
        budget: None,
        bandwidth: Vec::new(),
        ask_above_bytes: None,
        priority: 0,
        jobs_at_once: 4,
        audit: None,
        vacuum: None,
    }
}

/// The lag of a week: a round each quarter of an hour, an hour without an answer, and a limit that
/// is passed since 20 minutes ago.
fn lags() -> LagHistory {
    let mut history = LagHistory::default();
    for ago in (0..=7_u32 * 24 * 12).rev().map(|step| step * 5) {
        let lag = match ago {
            180..240 => None,
            0..20 => Some(18.min(23 - ago)),
            _ => Some(ago * 7 % 11),
        };
        history.note(LagSample { at: minutes_ago(ago.into()), lag: lag.map(|lag| MINUTE * lag) });
    }
    history
}

fn rounds() -> Vec<RoundView> {
    let round = |number: u64, began: u64, took: u64, failed| RoundView {
        number: Some(number),
        cause: "slot".into(),
        began: minutes_ago(began),
        ended: Some(minutes_ago(began - took)),
        done: 5,
        failed,
        bytes_read: 31 << 30,
        cost: None,
    };
    let skipped = RoundView {
        number: None,
        cause: "2 slots came while a round was under way".into(),
        began: minutes_ago(50),
        ended: None,
        done: 0,
        failed: 0,
        bytes_read: 0,
        cost: None,
    };
    let running = RoundView { ended: None, ..round(1412, 4, 0, 0) };
    vec![running, round(1411, 20, 6, 12), skipped, round(1410, 80, 34, 12), round(1409, 95, 5, 0)]
}

/// A table that lacked nothing when its source was asked, 20 seconds ago.
pub(crate) fn current(path: &str) -> TableView {
    TableView {
        freshness: ReplicaFreshness {
            is_copied: true,
            checked: Some(NOW.before(Duration::from_secs(20))),
            replica_checked: Some(minutes_ago(8)),
            ..ReplicaFreshness::default()
        },
        source_version: Some(4_182),
        synced: Some((4_182, 977)),
        synced_at: Some(minutes_ago(14)),
        ..absent(path)
    }
}

/// A table that is not copied.
pub(crate) fn absent(path: &str) -> TableView {
    TableView {
        path: path.into(),
        freshness: ReplicaFreshness::default(),
        source_version: None,
        synced: None,
        synced_at: None,
        failure: None,
        failing_since: None,
        job: None,
        retention: RetentionFacts::default(),
        audit: None,
        vacuum: None,
        next_audit: None,
        next_vacuum: None,
    }
}

/// Lets a table lack a commit of so many minutes ago.
pub(crate) fn behind(table: &mut TableView, minutes: u64) {
    table.freshness.lacks_since = Some(minutes_ago(minutes));
    table.source_version = Some(4_183);
}

pub(crate) fn state_of(
    state: ReplicationState,
    reason: &str,
    until: Option<UnixTime>,
) -> StateView {
    StateView { state, reason: reason.into(), until }
}

pub(crate) fn change(view: &mut ReplicationView, how: impl FnOnce(&mut ReplicationSpec)) {
    how(Arc::make_mut(&mut view.spec));
}

fn window(kind: WindowKind, days: &str, from: &str, to: &str) -> WindowSpec {
    WindowSpec { kind, days: days.into(), from: from.into(), to: to.into() }
}

fn key(name: &str) -> BudgetKey {
    BudgetKey(name.into())
}

fn use_of(unit: BudgetUnit, spent: u64, reserved: u64, limit: u64) -> MonthUse {
    MonthUse { month: Month { year: 2026, month: 11 }, unit, limit, spent, reserved }
}
