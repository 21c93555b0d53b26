//! Files of replications: one with everything, in both forms, and bad ones.

mod bad;
mod example;
mod shared;

use std::path::Path;
use std::time::Duration;

use deepclone_core::budget::AtLimit;
use deepclone_core::calendar::window::WindowKind;
use deepclone_core::replication::{
    AuditSpec, BandwidthSpec, BudgetSpec, DueSpec, MaxLag, MissedPolicy, OverlapPolicy,
    ResumePolicy, ScheduleSpec, SpecError, VacuumSpec, WindowSpec,
};
use deepclone_core::spec::{DivergencePolicy, SourceReplacedPolicy, Verification};

use super::*;

const EVERYTHING: &str = include_str!("everything.toml");

/// The time is 2026-11-26T12:00Z.
const NOW: UnixTime = UnixTime(1_795_694_400_000);

fn read(text: &str) -> ReplicationFile {
    ReplicationFile::read("r.toml", text, FileForm::Toml, NOW).unwrap()
}

#[test]
fn both_forms_say_the_same() {
    let yaml = include_str!("everything.yaml");
    let yaml = ReplicationFile::read("r.yaml", yaml, FileForm::Yaml, NOW).unwrap();
    assert_eq!(read(EVERYTHING).specs, yaml.specs);
    assert_eq!(read(EVERYTHING).checked, yaml.checked);
}

#[test]
fn a_file_says_everything() {
    let file = read(EVERYTHING);
    let orders = &file.specs[0];
    let text = |text: &str| text.to_owned();
    let hours = |number: u64| Duration::from_secs(number * 3_600);
    assert_eq!((orders.renamed_from.len(), orders.takes_over.len()), (2, 2));
    assert_eq!(orders.owner, Some(text("team-finance")));
    assert_eq!(orders.group, Some(text("shop")));
    assert_eq!(orders.labels["cost centre"], "4711");
    assert_eq!([orders.source.as_str(), orders.target.as_str()], ["prod", "dr"]);
    assert_eq!(orders.include, ["sales/orders", "sales/eu/**"]);
    assert_eq!(orders.exclude, ["**/tmp_*"]);
    assert_eq!(orders.clone.verification, Verification::ReadBack);
    assert_eq!(orders.clone.divergence_policy, DivergencePolicy::Overwrite);
    assert_eq!(orders.clone.source_replaced_policy, SourceReplacedPolicy::Reclone);
    assert_eq!(orders.clone.allowed_features, ["newFeature"]);
    assert_eq!(orders.clone.properties["delta.appendOnly"], "true");
    assert_eq!(orders.time_zone, "Europe/Berlin");
    assert_eq!(orders.schedule.due, DueSpec::Every(hours(1)));
    assert_eq!(orders.schedule.spread, Some(Duration::from_secs(120)));
    assert_eq!(orders.on_missed, MissedPolicy::Skip);
    assert_eq!(orders.on_overlap, OverlapPolicy::QueueOne);
    assert_eq!(orders.on_resume, ResumePolicy::AtOnce);
    let window = |kind, days, from, to| WindowSpec {
        kind,
        days: text(days),
        from: text(from),
        to: text(to),
    };
    let deny = window(WindowKind::Deny, "mon-fri", "08:00", "18:00");
    assert_eq!(orders.windows, [deny, window(WindowKind::Allow, "daily", "06:00", "24:00")]);
    assert_eq!(orders.close_grace, Duration::from_secs(600));
    assert_eq!(orders.max_lag, Some(MaxLag { warn: Some(hours(2)), page: Some(hours(12)) }));
    let at_limit = AtLimit::Slow { bytes_per_second: 10_000_000 };
    let bytes = Some(1_500_000_000_000);
    assert_eq!(orders.budget, Some(BudgetSpec { bytes, money: None, at_limit }));
    let limit = |days, from, to, bytes_per_second| BandwidthSpec {
        days: text(days),
        from: text(from),
        to: text(to),
        bytes_per_second,
    };
    let weekend = limit("sat,sun", "08:00", "20:00", 50 << 20);
    assert_eq!(orders.bandwidth, [weekend, limit("daily", "00:00", "24:00", 200_000_000)]);
    assert_eq!(orders.ask_above_bytes, Some(500_000_000_000));
    assert_eq!((orders.priority, orders.jobs_at_once), (-5, 8));
    let schedule = ScheduleSpec { due: DueSpec::Every(hours(6)), spread: None };
    let audit = AuditSpec { schedule, sample_millionths: 50_000, proof_of_use: true };
    assert_eq!(orders.audit, Some(audit));
    let due = DueSpec::At { times: vec![text("03:00")], days: text("daily") };
    let schedule = ScheduleSpec { due, spread: None };
    let retention = Some(hours(30 * 24));
    assert_eq!(orders.vacuum, Some(VacuumSpec { schedule, retention, with_log: true }));

    let customers = &file.specs[1];
    assert_eq!((customers.target.as_str(), customers.exclude.len()), ("bi", 0));
    let times = vec![text("02:00"), text("14:00")];
    assert_eq!(customers.schedule.due, DueSpec::At { times, days: text("mon-fri") });
    let money = Some("300 EUR".parse().unwrap());
    let at_limit = AtLimit::AlertOnly;
    assert_eq!(customers.budget, Some(BudgetSpec { bytes: None, money, at_limit }));
    assert_eq!(file.specs[2].schedule.due, DueSpec::Cron(text("*/20 * * * *")));
    let due = |at: usize| file.specs[at].schedule.due.clone();
    let polls = |min, max| DueSpec::OnCommit {
        poll_min: Duration::from_secs(min),
        poll_max: Duration::from_secs(max),
    };
    assert_eq!([due(3), due(4)], [polls(5, 60), polls(10, 300)]);
    assert_eq!(due(5), DueSpec::At { times: vec![text("03:30")], days: text("daily") });
}

#[test]
fn what_is_left_out_has_its_default() {
    let file = read(
        "version = 1\n[[replication]]\nname = \"a\"\nsource = \"b\"\ntarget = \"c\"\n\
         include = \"d\"\nschedule = { every = \"1h\" }\n",
    );
    let spec = &file.specs[0];
    assert_eq!((&spec.owner, &spec.group, spec.time_zone.as_str()), (&None, &None, "UTC"));
    assert_eq!(spec.clone, deepclone_core::replication::CloneOptions::default());
    assert_eq!((spec.on_missed, spec.on_overlap), (MissedPolicy::Once, OverlapPolicy::Skip));
    assert_eq!(spec.on_resume, ResumePolicy::NextSlot);
    assert_eq!(spec.close_grace, Duration::from_secs(300));
    assert_eq!((spec.max_lag, spec.budget, spec.ask_above_bytes), (None, None, None));
    assert_eq!((spec.priority, spec.jobs_at_once), (0, 4));
    assert_eq!((&spec.audit, &spec.vacuum), (&None, &None));
}

#[test]
fn the_form_is_told_by_the_ending() {
    let cases = [
        ("a.toml", FileForm::Toml),
        ("a", FileForm::Toml),
        ("a.yaml", FileForm::Yaml),
        ("b/a.YML", FileForm::Yaml),
    ];
    for (name, form) in cases {
        assert_eq!(FileForm::of(Path::new(name)), form, "{name}");
    }
}

#[test]
fn what_others_find_has_its_line() {
    let located = |index, field: &str| {
        let error = SpecError::new(field, "it is wrong");
        read(EVERYTHING).located(&SetError { index, error }).to_string()
    };
    assert_eq!(located(Some(0), "window[1].to"), "r.toml:40: orders: window[1].to: it is wrong");
    // The nearest field around it.
    assert_eq!(
        located(Some(0), "window[1].days"),
        "r.toml:37: orders: window[1].days: it is wrong"
    );
    assert_eq!(located(Some(1), "budget.at"), "r.toml:62: customers: budget.at: it is wrong");
    assert_eq!(located(Some(1), "what"), "r.toml:56: customers: what: it is wrong");
    assert_eq!(located(None, "replication"), "r.toml:19: replication: it is wrong");
}
