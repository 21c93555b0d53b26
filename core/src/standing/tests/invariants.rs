//! Each invariant is broken by hand, and named.

use super::super::job::{JobBudget, RoundJob};
use super::super::replication::Replication;
use super::super::round::{OpenRound, RoundStage, TableStage};
use super::*;

type Break = fn(&mut Standing);

/// Tables 0 and 2 of `a` are copied, table 1 is tried again at 12:16; `b` waits for its turn.
fn rig() -> Rig {
    let mut rig = Rig::with_limits(StandingLimits {
        rounds_max: 1,
        rounds_per_pair_max: 1,
        ..StandingLimits::default()
    });
    rig.apply(quarterly());
    rig.apply(Order { name: "b".to_owned(), ..every(HOUR) });
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2]);
    rig.ended(1, JobOutcome::Failed { is_retryable: true });
    rig.event(StandingEvent::RunRequested { replication: id("b") });
    rig
}

fn replication(standing: &mut Standing) -> &mut Replication {
    standing.replications.get_mut(&id("a")).unwrap()
}

fn active(standing: &mut Standing) -> &mut RoundRecord {
    replication(standing).record.active.as_mut().unwrap()
}

fn round(standing: &mut Standing) -> &mut OpenRound {
    replication(standing).round.as_mut().unwrap()
}

fn job(standing: &mut Standing) -> &mut RoundJob {
    round(standing).jobs_mut().next().unwrap()
}

/// Lists `a` for this time.
fn list(standing: &mut Standing, wake: UnixTime) {
    replication(standing).wake = Some(wake);
    standing.wakes.insert((wake, id("a")));
}

/// Rules about one replication, which are looked at in production, too.
fn quick_breaks() -> Vec<(&'static str, Vec<Break>)> {
    let s1: Vec<Break> = vec![
        |standing| replication(standing).record.active = None,
        |standing| replication(standing).round = None,
        |standing| replication(standing).record.rounds = 9,
        |standing| active(standing).number = 9,
        |standing| active(standing).is_probed = false,
        |standing| round(standing).stage = RoundStage::Probing,
    ];
    let s2: Vec<Break> = vec![|standing| replication(standing).window.is_open = false];
    let s3: Vec<Break> = vec![|standing| {
        for table in round(standing).tables.values_mut() {
            table.stage = TableStage::Ended(TableEnd::Done);
        }
    }];
    let s7: Vec<Break> = vec![|standing| job(standing).budget = JobBudget::NotPlanned];
    vec![("S1:", s1), ("S2:", s2), ("S3:", s3), ("S7:", s7)]
}

/// Rules about what is listed beside the replications.
fn breaks_of_lists() -> Vec<(&'static str, Vec<Break>)> {
    let s4: Vec<Break> = vec![
        |standing| standing.jobs.clear(),
        |standing| assert!(standing.jobs.pop_first().is_some()),
        |standing| {
            for (_, table) in standing.jobs.values_mut() {
                *table = TableNumber(9);
            }
        },
        |standing| {
            let other = JobId::of_round(id("a"), 9, TableNumber(0), 0);
            let old = std::mem::replace(&mut job(standing).id, other);
            let place = standing.jobs.remove(&old).unwrap();
            standing.jobs.insert(other, place);
        },
        |standing| {
            let other = JobId::of_round(id("a"), 9, TableNumber(0), 0);
            standing.jobs.insert(other, (id("a"), TableNumber(9)));
        },
    ];
    let s5: Vec<Break> = vec![
        |standing| standing.wakes.clear(),
        |standing| replication(standing).wake = None,
        |standing| list(standing, time("12:17")),
    ];
    let s6: Vec<Break> =
        vec![|standing| standing.ready.clear(), |standing| assert!(standing.ready.insert(id("a")))];
    let s8: Vec<Break> = vec![
        |standing| {
            let chore = (id("a"), TableNumber(0), UpkeepKind::Audit);
            standing.chores.wakes.insert((time("13:00"), chore));
        },
        |standing| {
            let chore = |table| (id("a"), TableNumber(table), UpkeepKind::Audit);
            standing.chores.running.extend((0..100).map(chore));
        },
    ];
    vec![("S4:", s4), ("S5:", s5), ("S6:", s6), ("S8:", s8)]
}

#[test]
fn each_broken_invariant_is_named() {
    for (what, breaks) in quick_breaks().into_iter().chain(breaks_of_lists()) {
        for (number, break_it) in breaks.into_iter().enumerate() {
            let mut rig = rig();
            break_it(&mut rig.standing);
            let found = rig.standing.violations();
            let is_named = found.iter().any(|violation| violation.what.starts_with(what));
            assert!(is_named, "{what} ({number}): {found:?}");
        }
    }
}

#[test]
fn a_step_tells_what_does_not_hold() {
    let mut rig = rig();
    replication(&mut rig.standing).record.rounds = 9;
    let mut actions = Vec::new();
    let event = StandingEvent::RunRequested { replication: id("b") };
    rig.standing.step(rig.now, event, &mut actions);
    assert_eq!(actions, []);
    let event = StandingEvent::RunRequested { replication: id("a") };
    rig.standing.step(rig.now, event, &mut actions);
    let what = "S1: a round under way is recorded, and is the newest one";
    let violation = StandingViolation { replication: id("a"), what };
    assert!(actions.contains(&StandingAction::Violated(violation)), "{actions:?}");
}
