//! Declarations, and every mistake that is found in them.

mod set;
mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::budget::AtLimit;
use crate::calendar::schedule::Schedule;
use crate::calendar::window::WindowKind;
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::unix_time::UnixTime;

const MINUTE: Duration = Duration::from_secs(60);

fn now() -> UnixTime {
    time("2026-11-26T12:00Z")
}

fn time(text: &str) -> UnixTime {
    UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn name(text: &str) -> ReplicationName {
    text.parse().unwrap()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn spec() -> ReplicationSpec {
    ReplicationSpec {
        name: name("orders-dr"),
        renamed_from: vec![name("orders-backup")],
        takes_over: vec![name("orders-dr")],
        owner: Some("team-finance".into()),
        group: Some("shop".into()),
        labels: BTreeMap::from([("tier".into(), "1".into())]),
        source: "prod".into(),
        target: "dr".into(),
        include: texts(&["sales/**", "crm/customers"]),
        exclude: texts(&["**/tmp_*"]),
        clone: CloneOptions::default(),
        time_zone: "Europe/Berlin".into(),
        schedule: ScheduleSpec {
            due: DueSpec::Every(15 * MINUTE),
            spread: Some(Duration::from_secs(120)),
        },
        on_missed: MissedPolicy::Once,
        on_overlap: OverlapPolicy::Skip,
        on_resume: ResumePolicy::NextSlot,
        windows: vec![window(WindowKind::Deny, "mon-fri", "23:45", "00:15")],
        close_grace: 5 * MINUTE,
        max_lag: Some(MaxLag { warn: Some(30 * MINUTE), page: Some(60 * MINUTE) }),
        budget: Some(BudgetSpec {
            bytes: Some(20_000_000_000_000),
            money: None,
            at_limit: AtLimit::Hold,
        }),
        bandwidth: vec![
            limit("mon-fri", "08:00", "18:00", 50 << 20),
            limit("daily", "12:00", "13:00", 20 << 20),
        ],
        ask_above_bytes: Some(500_000_000_000),
        priority: 10,
        jobs_at_once: 4,
        audit: None,
        vacuum: None,
    }
}

fn window(kind: WindowKind, days: &str, from: &str, to: &str) -> WindowSpec {
    WindowSpec { kind, days: days.into(), from: from.into(), to: to.into() }
}

fn limit(days: &str, from: &str, to: &str, bytes_per_second: u64) -> BandwidthSpec {
    BandwidthSpec { days: days.into(), from: from.into(), to: to.into(), bytes_per_second }
}

fn due(spec: &mut ReplicationSpec, due: DueSpec) {
    spec.schedule = ScheduleSpec { due, spread: None };
}

#[test]
fn a_declaration_without_mistakes_becomes_what_it_means() {
    let checked = spec().check(now()).unwrap();
    assert_eq!(checked.spec, spec());
    assert_eq!(checked.zone, Zone::of_name("Europe/Berlin").unwrap());
    let schedule = Schedule::every(15 * MINUTE).unwrap().with_spread(2 * MINUTE).unwrap();
    assert_eq!(checked.trigger, ReplicationTrigger::Slots(schedule));
    assert!(checked.windows.at(now()).is_open);
    assert!(!checked.windows.at(time("2026-11-26T23:00Z")).is_open);
    assert!(checked.tables.contains("sales/orders"));
    assert!(!checked.tables.contains("sales/tmp_orders"));
    assert_eq!(checked.tables.literals().collect::<Vec<_>>(), ["crm/customers"]);
}

#[test]
fn the_lowest_limit_of_an_hour_counts() {
    let bandwidth = spec().check(now()).unwrap().bandwidth;
    let cases = [
        ("2026-11-26T06:00Z", None, "2026-11-26T07:00Z"),
        ("2026-11-26T07:00Z", Some(50 << 20), "2026-11-26T11:00Z"),
        ("2026-11-26T11:30Z", Some(20 << 20), "2026-11-26T12:00Z"),
        ("2026-11-28T11:30Z", Some(20 << 20), "2026-11-28T12:00Z"),
    ];
    for (at, bytes_per_second, until) in cases {
        let want = RateState { bytes_per_second, until: Some(time(until)) };
        assert_eq!(bandwidth.at(time(at)), want, "{at}");
    }
    let none = RateState { bytes_per_second: None, until: None };
    assert_eq!(BandwidthTimetable::default().at(now()), none);
}

/// What is changed in a right declaration, and the mistakes as `field: message`.
type Case = (fn(&mut ReplicationSpec), &'static [&'static str]);

#[track_caller]
fn refused(cases: &[Case]) {
    for (change, want) in cases {
        let mut spec = spec();
        change(&mut spec);
        let found = match spec.check(now()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found, *want);
    }
}

#[test]
fn a_mistake_in_names_and_tables_is_told() {
    refused(&[
        (
            |spec| spec.renamed_from = vec![name("a"), name("orders-dr"), name("a")],
            &["renamed_from[1]: it is the name itself", "renamed_from[2]: a is there twice"],
        ),
        (
            |spec| spec.takes_over = vec![name("a"), name("b"), name("a")],
            &["takes_over[2]: a is there twice"],
        ),
        (
            |spec| spec.takes_over = (0..33).map(|at| name(&format!("a{at}"))).collect(),
            &["takes_over: there are 33, at most 32"],
        ),
        (|spec| spec.owner = Some(" ".into()), &["owner: it is empty"]),
        (|spec| spec.group = Some("a\nb".into()), &["group: it has a control character"]),
        (
            |spec| spec.labels = BTreeMap::from([("tier".into(), "x".repeat(129))]),
            &["labels.tier: it has 129 bytes, at most 128"],
        ),
        (
            |spec| spec.source = String::new(),
            &["source: it is empty: write the name of a connection"],
        ),
        (
            |spec| spec.target = "prod".into(),
            &["target: it is the source, too: each table would be its own replica"],
        ),
        (
            |spec| spec.include = Vec::new(),
            &["include: it is empty: write a table such as sales/orders, or a pattern such as \
               sales/**"],
        ),
        (
            |spec| spec.include = texts(&["a", "/b", "a", "x/tmp_1"]),
            &[
                "include[1]: \"/b\" has an empty part: write no slash at the beginning or end, \
                 and no two in a row",
                "include[2]: \"a\" is there twice",
                "include[3]: exclude has x/tmp_1, too",
            ],
        ),
        (
            |spec| spec.exclude = texts(&["a**"]),
            &["exclude[0]: \"a**\" has ** beside other letters: it stands for whole parts, as in \
               sales/**"],
        ),
        (
            |spec| {
                spec.clone.allowed_features = vec![String::new()];
                spec.clone.properties = BTreeMap::from([("a".into(), "x".repeat(4_097))]);
            },
            &[
                "clone.allow_features[0]: it is empty",
                "clone.properties.a: it has 4097 bytes, at most 4096",
            ],
        ),
    ]);
}

#[test]
fn a_mistake_in_a_schedule_is_told() {
    refused(&[
        (
            |spec| spec.time_zone = "Berlin".into(),
            &["time_zone: \"Berlin\" is no time zone: write an IANA name such as Europe/Berlin"],
        ),
        (
            |spec| due(spec, DueSpec::Every(Duration::from_secs(59))),
            &["schedule.every: the interval is shorter than a minute"],
        ),
        (
            |spec| spec.schedule.spread = Some(16 * MINUTE),
            &["schedule.spread: the spread is longer than the interval"],
        ),
        (
            |spec| {
                let times = texts(&["2:00", "02:00", "24:00"]);
                due(spec, DueSpec::At { times, days: "mo".into() });
            },
            &[
                "schedule.at[0]: \"2:00\" is no time of day: write it as 09:30, from 00:00 to \
                 23:59",
                "schedule.at[2]: \"24:00\" is no time of day: write it as 09:30, from 00:00 to \
                 23:59",
                "schedule.days: \"mo\" is no day of the week: write mon, tue, wed, thu, fri, sat \
                 or sun",
            ],
        ),
        (
            |spec| due(spec, DueSpec::At { times: Vec::new(), days: "daily".into() }),
            &["schedule.at: no time of day is named"],
        ),
        (
            |spec| due(spec, DueSpec::Cron("0 0 30 2 *".into())),
            &["schedule.cron: cron pattern \"0 0 30 2 *\" names no date that exists"],
        ),
        (
            |spec| {
                let (poll_min, poll_max) = (Duration::ZERO, 25 * 60 * MINUTE);
                spec.schedule.due = DueSpec::OnCommit { poll_min, poll_max };
            },
            &[
                "schedule.spread: commits have no slots: leave it out",
                "schedule.on_commit.poll_min: it is shorter than a second",
                "schedule.on_commit.poll_max: it is longer than 24h",
            ],
        ),
        (
            |spec| due(spec, DueSpec::OnCommit { poll_min: 2 * MINUTE, poll_max: MINUTE }),
            &["schedule.on_commit.poll_max: it is shorter than poll_min"],
        ),
    ]);
}

#[test]
fn a_mistake_in_windows_and_limits_is_told() {
    refused(&[
        (
            |spec| spec.windows.push(window(WindowKind::Allow, "weekdays", "25:00", "9")),
            &[
                "window[1].days: \"weekdays\" is no day of the week: write mon, tue, wed, thu, \
                 fri, sat or sun",
                "window[1].from: \"25:00\" is no time of day: write it as 09:30, from 00:00 to \
                 23:59",
                "window[1].to: \"9\" is no time of day: write it as 09:30, from 00:00 to 23:59, \
                 or 24:00 for the end of the day",
            ],
        ),
        (
            |spec| spec.windows = vec![window(WindowKind::Deny, "sat", "02:00", "02:00")],
            &["window[0].to: the window has no length: a whole day is from 00:00 to 24:00"],
        ),
        (
            |spec| spec.windows = vec![window(WindowKind::Deny, "sat", "00:00", "00:00")],
            &["window[0].to: the window has no length: a whole day is from 00:00 to 24:00"],
        ),
        (|spec| spec.close_grace = 25 * 60 * MINUTE, &["close_grace: it is longer than 24h"]),
        (
            |spec| spec.max_lag = Some(MaxLag { warn: None, page: None }),
            &["max_lag: it has no limit: write warn or page"],
        ),
        (
            |spec| spec.max_lag = Some(MaxLag { warn: Some(MINUTE), page: Some(MINUTE) }),
            &["max_lag.warn: it is not shorter than page"],
        ),
        (
            |spec| {
                let money = Some("300 EUR".parse().unwrap());
                let at_limit = AtLimit::Slow { bytes_per_second: 9 };
                spec.budget = Some(BudgetSpec { bytes: Some(1), money, at_limit });
            },
            &[
                "budget.money: write bytes or money, not both",
                "budget.slow_to: no copy could go on: write 128 KiB/s or more",
            ],
        ),
        (
            |spec| {
                let at_limit = AtLimit::Hold;
                spec.budget = Some(BudgetSpec { bytes: None, money: None, at_limit });
            },
            &["budget: it has no limit: write bytes or money"],
        ),
        (
            |spec| spec.bandwidth = vec![limit("daily", "09:00", "09:00", 1)],
            &[
                "bandwidth[0].rate: no copy could go on: write 128 KiB/s or more",
                "bandwidth[0].to: the window has no length: a whole day is from 00:00 to 24:00",
            ],
        ),
        (|spec| spec.jobs_at_once = 0, &["jobs_at_once: write 1 to 64"]),
        (|spec| spec.jobs_at_once = 65, &["jobs_at_once: write 1 to 64"]),
    ]);
}

#[test]
fn a_lag_that_cannot_be_kept_is_refused() {
    refused(&[
        (|spec| spec.max_lag = Some(MaxLag { warn: None, page: Some(46 * MINUTE) }), &[]),
        (
            |spec| {
                due(spec, DueSpec::Every(15 * MINUTE));
                spec.max_lag = Some(MaxLag { warn: None, page: Some(30 * MINUTE) });
            },
            &["max_lag.page: no sync can start after 2026-11-26T22:30:00Z before \
               2026-11-26T23:15:00Z: that is 45m, and the lag may be 30m at most"],
        ),
        // A warning alone is the limit.
        (
            |spec| {
                due(spec, DueSpec::Every(15 * MINUTE));
                spec.max_lag = Some(MaxLag { warn: Some(30 * MINUTE), page: None });
            },
            &["max_lag.warn: no sync can start after 2026-11-26T22:30:00Z before \
               2026-11-26T23:15:00Z: that is 45m, and the lag may be 30m at most"],
        ),
        (
            |spec| spec.windows = vec![window(WindowKind::Deny, "daily", "00:00", "24:00")],
            &["window: copying is never allowed: some window denies whatever is allowed"],
        ),
        (
            |spec| {
                due(spec, DueSpec::OnCommit { poll_min: MINUTE, poll_max: 20 * MINUTE });
                spec.max_lag = Some(MaxLag { warn: None, page: Some(10 * MINUTE) });
            },
            &[
                "max_lag.page: it is shorter than poll_max: the source may not be asked for that \
                 long",
                "max_lag.page: no sync can start after 2026-11-26T22:44:00Z before \
                 2026-11-26T23:15:00Z: that is 31m, and the lag may be 10m at most",
            ],
        ),
        (
            |spec| {
                due(spec, DueSpec::OnCommit { poll_min: MINUTE, poll_max: 20 * MINUTE });
                spec.max_lag = Some(MaxLag { warn: None, page: Some(31 * MINUTE) });
            },
            &[],
        ),
        // Without a limit, a day of each fourth year is enough.
        (
            |spec| {
                due(spec, DueSpec::Cron("0 0 29 2 *".into()));
                spec.max_lag = None;
            },
            &[],
        ),
    ]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    refused(&[(
        |spec| {
            spec.include.clear();
            spec.time_zone = "Mars".into();
            due(spec, DueSpec::Cron("* * *".into()));
            spec.windows = vec![window(WindowKind::Deny, "daily", "01:00", "01:00")];
            spec.jobs_at_once = 0;
        },
        &[
            "include: it is empty: write a table such as sales/orders, or a pattern such as \
             sales/**",
            "time_zone: \"Mars\" is no time zone: write an IANA name such as Europe/Berlin",
            "schedule.cron: a cron pattern has 5 fields (minute, hour, day of the month, month, \
             day of the week), this one has 3",
            "window[0].to: the window has no length: a whole day is from 00:00 to 24:00",
            "jobs_at_once: write 1 to 64",
        ],
    )]);
}

#[test]
fn what_is_at_its_bound_is_no_mistake() {
    refused(&[
        (|spec| spec.close_grace = 24 * 60 * MINUTE, &[]),
        (|spec| spec.bandwidth[0].bytes_per_second = 128 << 10, &[]),
        (|spec| spec.labels = BTreeMap::from([("x".repeat(128), "x".repeat(128))]), &[]),
        (|spec| spec.takes_over = (0..32).map(|at| name(&format!("a{at}"))).collect(), &[]),
        (|spec| due(spec, DueSpec::OnCommit { poll_min: MINUTE, poll_max: 60 * MINUTE }), &[]),
        (
            |spec| {
                let (poll_min, poll_max) = (Duration::from_secs(1), 24 * 60 * MINUTE);
                due(spec, DueSpec::OnCommit { poll_min, poll_max });
                spec.max_lag = None;
            },
            &[],
        ),
        (|spec| due(spec, DueSpec::OnCommit { poll_min: MINUTE, poll_max: MINUTE }), &[]),
        (
            |spec| {
                spec.include = (0..1_000).map(|at| format!("a{at}")).collect();
                spec.max_lag = None;
                due(spec, DueSpec::At { times: quarters(0..24), days: "daily".into() });
            },
            &[],
        ),
        (
            |spec| {
                spec.include = (0..1_001).map(|at| format!("a{at}")).collect();
                let mut times = quarters(0..24);
                times.push("00:01".into());
                due(spec, DueSpec::At { times, days: "daily".into() });
            },
            &[
                "include: there are 1001, at most 1000",
                "schedule.at: there are 97 times, at most 96",
            ],
        ),
    ]);
}

/// Each quarter of these hours.
fn quarters(hours: std::ops::Range<u32>) -> Vec<String> {
    let times = hours.flat_map(|hour| (0..4).map(move |part| (hour, 15 * part)));
    times.map(|(hour, minute)| format!("{hour:02}:{minute:02}")).collect()
}

#[test]
fn one_mistake_is_told_once() {
    refused(&[
        (
            |spec| {
                let times = texts(&["2:00", "02:00"]);
                due(spec, DueSpec::At { times, days: "daily".into() });
            },
            &["schedule.at[0]: \"2:00\" is no time of day: write it as 09:30, from 00:00 to 23:59"],
        ),
        (
            |spec| spec.windows = vec![window(WindowKind::Deny, "sat", "25:00", "09:00")],
            &["window[0].from: \"25:00\" is no time of day: write it as 09:30, from 00:00 to \
               23:59"],
        ),
    ]);
}

#[test]
fn windows_may_end_at_any_minute_and_be_closed_now() {
    refused(&[
        (|spec| spec.windows = vec![window(WindowKind::Deny, "sat", "23:30", "00:00")], &[]),
        (|spec| spec.windows = vec![window(WindowKind::Deny, "sat", "23:30", "00:01")], &[]),
        (
            |spec| {
                spec.windows = vec![window(WindowKind::Deny, "daily", "00:00", "14:00")];
                spec.max_lag = None;
            },
            &[],
        ),
    ]);
}

#[test]
fn open_hours_are_those_of_the_windows_that_mean_something() {
    let night = time("2026-11-26T23:00Z");
    let mut spec = spec();
    spec.windows.push(window(WindowKind::Deny, "weekdays", "00:00", "24:00"));
    let hours = spec.open_hours();
    assert!(hours.at(now()).is_open && !hours.at(night).is_open);
    spec.time_zone = "Mars".into();
    assert_eq!(spec.open_hours(), Windows::default());
}

#[test]
fn a_shared_budget_holds_those_of_its_owner_or_its_two_connections() {
    let pair = |source: &str, target: &str| {
        let (source, target) = (source.to_owned(), target.to_owned());
        BudgetScope::Pair { source, target }
    };
    for (scope, holds) in [
        (BudgetScope::Owner("team-finance".into()), true),
        (BudgetScope::Owner("team-sales".into()), false),
        (pair("prod", "dr"), true),
        (pair("prod", "bi"), false),
        (pair("test", "dr"), false),
        (pair("test", "bi"), false),
    ] {
        assert_eq!(scope.holds(&spec()), holds, "{scope:?}");
    }
    let ownerless = ReplicationSpec { owner: None, ..spec() };
    assert!(!BudgetScope::Owner("team-finance".into()).holds(&ownerless));
}
