//! Random declarations survive the wire; what a client leaves out has its default.

use std::collections::BTreeMap;

use deepclone_core::spec::{DivergencePolicy, SourceReplacedPolicy, Verification};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use prost::Message as _;

use super::*;

const TEXT: &str = "[a-zé/*, :0-9]{1,12}";

fn names() -> impl Strategy<Value = ReplicationName> {
    "[a-z0-9][a-z0-9-]{0,62}".prop_map(|text| text.parse().unwrap())
}

fn durations() -> impl Strategy<Value = Duration> {
    (0..4_000_000_u64, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn sizes() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn maps() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(TEXT, "[a-z]{0,5}", 0..4)
}

fn clones() -> impl Strategy<Value = CloneOptions> {
    let verification = prop::sample::select(vec![
        Verification::Size,
        Verification::Digest,
        Verification::ReadBack,
    ]);
    let divergence =
        prop::sample::select(vec![DivergencePolicy::Fail, DivergencePolicy::Overwrite]);
    let replaced =
        prop::sample::select(vec![SourceReplacedPolicy::Fail, SourceReplacedPolicy::Reclone]);
    (verification, divergence, replaced, vec(TEXT, 0..3), maps()).prop_map(
        |(
            verification,
            divergence_policy,
            source_replaced_policy,
            allowed_features,
            properties,
        )| {
            CloneOptions {
                verification,
                divergence_policy,
                source_replaced_policy,
                allowed_features,
                properties,
            }
        },
    )
}

fn schedules() -> impl Strategy<Value = ScheduleSpec> {
    let due = prop_oneof![
        durations().prop_map(DueSpec::Every),
        (vec(TEXT, 0..3), TEXT).prop_map(|(times, days)| DueSpec::At { times, days }),
        TEXT.prop_map(DueSpec::Cron),
        (durations(), durations())
            .prop_map(|(poll_min, poll_max)| DueSpec::OnCommit { poll_min, poll_max }),
    ];
    (due, of(durations())).prop_map(|(due, spread)| ScheduleSpec { due, spread })
}

fn policies() -> impl Strategy<Value = (MissedPolicy, OverlapPolicy, ResumePolicy)> {
    (
        prop::sample::select(vec![MissedPolicy::Once, MissedPolicy::Skip]),
        prop::sample::select(vec![OverlapPolicy::Skip, OverlapPolicy::QueueOne]),
        prop::sample::select(vec![ResumePolicy::NextSlot, ResumePolicy::AtOnce]),
    )
}

fn windows() -> impl Strategy<Value = WindowSpec> {
    let kind = prop::sample::select(vec![WindowKind::Allow, WindowKind::Deny]);
    (kind, TEXT, TEXT, TEXT).prop_map(|(kind, days, from, to)| WindowSpec { kind, days, from, to })
}

fn limits() -> impl Strategy<Value = BandwidthSpec> {
    (TEXT, TEXT, TEXT, sizes()).prop_map(|(days, from, to, bytes_per_second)| BandwidthSpec {
        days,
        from,
        to,
        bytes_per_second,
    })
}

fn budgets() -> impl Strategy<Value = BudgetSpec> {
    let money = (0..=i64::MAX, "EUR|USD|CHF")
        .prop_map(|(micros, code)| Money { micros, currency: code.parse().unwrap() });
    let limit = prop_oneof![
        Just((None, None)),
        sizes().prop_map(|bytes| (Some(bytes), None)),
        money.prop_map(|money| (None, Some(money))),
    ];
    let at_limit = prop_oneof![
        Just(AtLimit::Hold),
        sizes().prop_map(|bytes_per_second| AtLimit::Slow { bytes_per_second }),
        Just(AtLimit::AlertOnly),
    ];
    (limit, at_limit).prop_map(|((bytes, money), at_limit)| BudgetSpec { bytes, money, at_limit })
}

fn specs() -> impl Strategy<Value = ReplicationSpec> {
    let who = (names(), vec(names(), 0..3), vec(names(), 0..3), of(TEXT), of(TEXT), maps());
    let what = (TEXT, TEXT, vec(TEXT, 0..4), vec(TEXT, 0..3), clones());
    let when = (TEXT, schedules(), policies(), vec(windows(), 0..3), durations());
    let lag = (of(durations()), of(durations())).prop_map(|(warn, page)| MaxLag { warn, page });
    let how_much = (of(lag), of(budgets()), vec(limits(), 0..3), of(sizes()), any::<i32>());
    let audits = (schedules(), 0..=i32::MAX as u32, any::<bool>()).prop_map(
        |(schedule, sample_millionths, proof_of_use)| AuditSpec {
            schedule,
            sample_millionths,
            proof_of_use,
        },
    );
    let vacuums = (schedules(), of(durations()), any::<bool>())
        .prop_map(|(schedule, retention, with_log)| VacuumSpec { schedule, retention, with_log });
    let upkeep = (of(audits), of(vacuums));
    (who, what, when, how_much, 0..=i32::MAX as u32, upkeep).prop_map(
        |(who, what, when, how_much, jobs_at_once, (audit, vacuum))| {
            let (name, renamed_from, takes_over, owner, group, labels) = who;
            let (source, target, include, exclude, clone) = what;
            let (time_zone, schedule, policies, windows, close_grace) = when;
            let (on_missed, on_overlap, on_resume) = policies;
            let (max_lag, budget, bandwidth, ask_above_bytes, priority) = how_much;
            ReplicationSpec {
                name,
                renamed_from,
                takes_over,
                owner,
                group,
                labels,
                source,
                target,
                include,
                exclude,
                clone,
                time_zone,
                schedule,
                on_missed,
                on_overlap,
                on_resume,
                windows,
                close_grace,
                max_lag,
                budget,
                bandwidth,
                ask_above_bytes,
                priority,
                jobs_at_once,
                audit,
                vacuum,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn declarations_survive_the_wire(spec in specs()) {
        let bytes = v1::ReplicationSpec::from(&spec).encode_to_vec();
        let wire = v1::ReplicationSpec::decode(&bytes[..]).unwrap();
        prop_assert_eq!(ReplicationSpec::try_from(wire), Ok(spec));
    }
}

fn least() -> v1::ReplicationSpec {
    let every = prost_types::Duration { seconds: 900, nanos: 0 };
    v1::ReplicationSpec {
        name: "orders".into(),
        source: "prod".into(),
        target: "dr".into(),
        include: vec!["sales/**".into()],
        schedule: Some(wire::Schedule {
            due: Some(wire::schedule::Due::Every(every)),
            spread: None,
        }),
        ..v1::ReplicationSpec::default()
    }
}

#[test]
fn what_is_left_out_of_a_declaration_is_the_default() {
    let spec = ReplicationSpec::try_from(least()).unwrap();
    assert_eq!(spec.clone, CloneOptions::default());
    assert_eq!((spec.time_zone.as_str(), spec.close_grace), ("UTC", Duration::from_secs(300)));
    assert_eq!(spec.on_missed, MissedPolicy::Once);
    assert_eq!(spec.on_overlap, OverlapPolicy::Skip);
    assert_eq!(spec.on_resume, ResumePolicy::NextSlot);
    assert_eq!((spec.owner, spec.max_lag, spec.budget, spec.ask_above_bytes), Default::default());
    assert_eq!((spec.priority, spec.jobs_at_once), (0, 4));
    assert_eq!((spec.audit, spec.vacuum), (None, None));

    let due = |due| wire::Schedule { due: Some(due), spread: None };
    let at = wire::schedule::Due::At(wire::DailyTimes::default());
    let at = schedule_from_wire(due(at)).unwrap().due;
    assert_eq!(at, DueSpec::At { times: vec![], days: "daily".into() });
    let polls = wire::schedule::Due::OnCommit(wire::OnCommit::default());
    let polls = schedule_from_wire(due(polls)).unwrap().due;
    let (poll_min, poll_max) = (Duration::from_secs(10), Duration::from_secs(300));
    assert_eq!(polls, DueSpec::OnCommit { poll_min, poll_max });
    let hours = bandwidth_from_wire(wire::Bandwidth::default()).unwrap();
    assert_eq!([hours.days, hours.from, hours.to], ["daily", "00:00", "24:00"]);
}

#[test]
fn what_a_declaration_cannot_mean_is_refused_by_field() {
    use wire::budget::Limit;
    let money = |micros, currency: &str| {
        Some(wire::Budget {
            limit: Some(Limit::Money(v1::Money { micros, currency: currency.into() })),
            ..wire::Budget::default()
        })
    };
    let backwards = prost_types::Duration { seconds: -1, nanos: 0 };
    let cases: Vec<(&str, v1::ReplicationSpec)> = vec![
        ("the field spec.name is not valid", v1::ReplicationSpec { name: "A".into(), ..least() }),
        (
            "the field spec.renamed_from is not valid",
            v1::ReplicationSpec { renamed_from: vec![String::new()], ..least() },
        ),
        ("the field spec.schedule is missing", v1::ReplicationSpec { schedule: None, ..least() }),
        (
            "the field spec.schedule.due is missing",
            v1::ReplicationSpec { schedule: Some(wire::Schedule::default()), ..least() },
        ),
        (
            "the field spec.clone.verification is not valid",
            v1::ReplicationSpec {
                clone: Some(wire::CloneOptions { verification: 9, ..<_>::default() }),
                ..least()
            },
        ),
        ("the field spec.on_missed is not valid", v1::ReplicationSpec { on_missed: 9, ..least() }),
        (
            "the field spec.on_overlap is not valid",
            v1::ReplicationSpec { on_overlap: 9, ..least() },
        ),
        ("the field spec.on_resume is not valid", v1::ReplicationSpec { on_resume: 9, ..least() }),
        (
            "the field spec.windows.kind is missing",
            v1::ReplicationSpec { windows: vec![wire::Window::default()], ..least() },
        ),
        (
            "the field spec.close_grace is not valid: a negative duration",
            v1::ReplicationSpec { close_grace: Some(backwards), ..least() },
        ),
        (
            "the field spec.budget.money is not valid: -1 is negative",
            v1::ReplicationSpec { budget: money(-1, "EUR"), ..least() },
        ),
        (
            "the field spec.budget.money is not valid: \"€\" is not a currency",
            v1::ReplicationSpec { budget: money(1, "€"), ..least() },
        ),
        (
            "the field spec.budget.slow_bytes_per_second is not valid: it is for SLOW only",
            v1::ReplicationSpec {
                budget: Some(wire::Budget { slow_bytes_per_second: 1, ..<_>::default() }),
                ..least()
            },
        ),
        (
            "the field spec.ask_above_bytes is not valid: -1 is negative",
            v1::ReplicationSpec { ask_above_bytes: Some(-1), ..least() },
        ),
        (
            "the field spec.jobs_at_once is not valid: -1 is negative",
            v1::ReplicationSpec { jobs_at_once: Some(-1), ..least() },
        ),
    ];
    for (want, wire) in cases {
        let error = ReplicationSpec::try_from(wire).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn replications_are_taken_from_by_their_names() {
    let spec = v1::ReplicationSpec { takes_over: vec!["A".into()], ..least() };
    let error = ReplicationSpec::try_from(spec).unwrap_err().to_string();
    assert!(error.contains("the field spec.takes_over is not valid"), "{error}");
}

#[test]
fn schedules_of_audits_and_vacuums_are_refused_by_their_own_fields() {
    let audit = |schedule| Some(wire::Audit { schedule, ..wire::Audit::default() });
    let vacuum = |schedule| Some(wire::Vacuum { schedule, ..wire::Vacuum::default() });
    let empty = || Some(wire::Schedule::default());
    let missing = "the field spec.schedule.due is missing";
    for (want, wire) in [
        (
            "the field spec.audit.schedule is missing".to_owned(),
            v1::ReplicationSpec { audit: audit(None), ..least() },
        ),
        (
            format!("the field spec.vacuum.schedule is not valid: {missing}"),
            v1::ReplicationSpec { vacuum: vacuum(empty()), ..least() },
        ),
    ] {
        let error = ReplicationSpec::try_from(wire).unwrap_err().to_string();
        assert_eq!(error, want);
    }
}
