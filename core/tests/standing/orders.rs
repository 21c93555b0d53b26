//! The replications of a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::budget::{AtLimit, BudgetAmount, BudgetKey, MonthBudget};
use deepclone_core::calendar::schedule::Schedule;
use deepclone_core::calendar::window::{Window, WindowKind};
use deepclone_core::calendar::windows::Windows;
use deepclone_core::calendar::zone::Zone;
use deepclone_core::replication::{MissedPolicy, OverlapPolicy, ReplicationTrigger, ResumePolicy};
use deepclone_core::standing::{Order, UpkeepKind};

use crate::random::Random;
use crate::scenario::Kind;

const ZONES: [&str; 5] =
    ["Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu"];
pub(crate) const AUDITED_EACH: Duration = Duration::from_secs(6 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// The order of a number. Those of one seed differ.
pub(crate) fn order(kind: Kind, number: u64, random: &mut Random) -> Order {
    Order {
        name: format!("replication-{number}"),
        trigger: trigger(kind, random),
        windows: windows(random),
        close_grace: MINUTE * random.one_of(&[0, 5, 30]),
        on_missed: random.one_of(&[MissedPolicy::Once, MissedPolicy::Skip]),
        on_overlap: random.one_of(&[OverlapPolicy::Skip, OverlapPolicy::QueueOne]),
        on_resume: random.one_of(&[ResumePolicy::NextSlot, ResumePolicy::AtOnce]),
        priority: random.one_of(&[0, 0, 0, 5, -5]),
        jobs_at_once: random.one_of(&[1, 2, 4]),
        pair: random.within(0..12),
        budgets: budgets(number, random),
        upkeep: upkeep(number),
    }
}

/// What a tenth of the replications has; it draws nothing, so that all else stays as it was.
fn upkeep(number: u64) -> BTreeMap<UpkeepKind, Schedule> {
    if !number.is_multiple_of(10) {
        return BTreeMap::new();
    }
    let audit = Schedule::every(AUDITED_EACH).unwrap().with_spread(MINUTE * 30).unwrap();
    let vacuum = Schedule::at(&["02:30"], "daily".parse().unwrap(), Zone::UTC).unwrap();
    [(UpkeepKind::Audit, audit), (UpkeepKind::Vacuum, vacuum)].into()
}

/// How long it is from slot to slot, if that is always the same.
pub(crate) fn interval(order: &Order) -> Option<Duration> {
    match &order.trigger {
        ReplicationTrigger::Slots(schedule) => {
            let from = deepclone_core::unix_time::UnixTime(0);
            let next = schedule.next_after(from)?;
            let interval = next.since(from);
            (Schedule::every(interval).as_ref() == Ok(schedule)).then_some(interval)
        }
        ReplicationTrigger::Commits { .. } => None,
    }
}

fn trigger(kind: Kind, random: &mut Random) -> ReplicationTrigger {
    let zone = Zone::of_name(random.one_of(&ZONES)).unwrap();
    // After a restart the source is asked at once, so that rounds of commits differ.
    let follows = !matches!(kind, Kind::Restarts | Kind::Twin) && random.chance(150);
    if follows {
        let poll_min = MINUTE * random.one_of(&[20, 60]);
        return ReplicationTrigger::Commits { poll_min, poll_max: 8 * poll_min };
    }
    let schedule = match random.within(0..10) {
        0..=4 => Schedule::every(MINUTE * random.one_of(&[20, 180, 360, 360, 720, 720, 1440])),
        5..=7 => {
            let times: &[&str] = random.one_of(&[
                &["02:00", "02:30"][..],
                &["02:15", "14:00"][..],
                &["23:50", "00:10", "12:00"][..],
            ]);
            Schedule::at(times, "daily".parse().unwrap(), zone)
        }
        _ => {
            let patterns =
                ["30 2 * * *", "0 */4 * * *", "*/40 1-3 * * *", "15 6 * * mon-fri", "0 3 1 * *"];
            Schedule::cron(random.one_of(&patterns), zone)
        }
    };
    let spread = MINUTE * random.one_of(&[0, 0, 5, 15]);
    ReplicationTrigger::Slots(schedule.unwrap().with_spread(spread).unwrap())
}

fn windows(random: &mut Random) -> Windows {
    let count = random.one_of(&[0, 0, 1, 2]);
    let window = |_| {
        let zone = Zone::of_name(random.one_of(&ZONES)).unwrap();
        let days = random.one_of(&["daily", "mon-fri", "sat,sun"]).parse().unwrap();
        let kind = random.one_of(&[WindowKind::Deny, WindowKind::Deny, WindowKind::Allow]);
        let hours = match kind {
            WindowKind::Deny => [("23:45", "00:15"), ("01:30", "02:30"), ("08:00", "17:00")],
            WindowKind::Allow => [("18:00", "07:00"), ("00:00", "12:00"), ("02:00", "03:00")],
        };
        let (from, to) = random.one_of(&hours);
        Window::new(kind, days, from, to, zone).unwrap()
    };
    Windows::new((0..count).map(window).collect())
}

fn budgets(number: u64, random: &mut Random) -> Vec<MonthBudget> {
    let budget = |name: String, limit: u64, at_limit| MonthBudget {
        key: BudgetKey(name),
        limit: BudgetAmount::Bytes(limit),
        zone: Zone::of_name("Europe/Berlin").unwrap(),
        at_limit,
    };
    let mut budgets = Vec::new();
    if random.chance(200) {
        let slow = AtLimit::Slow { bytes_per_second: 1 };
        let at_limit = random.one_of(&[AtLimit::Hold, AtLimit::Hold, AtLimit::AlertOnly, slow]);
        let limit = random.within(500..5_000);
        budgets.push(budget(format!("replication {number}"), limit, at_limit));
    }
    if random.chance(150) {
        budgets.push(budget("owner".to_owned(), 20_000, AtLimit::Hold));
    }
    budgets
}
