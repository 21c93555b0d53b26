//! What people see.

use super::*;

#[test]
fn a_view_says_what_is_done_and_until_when() {
    let mut rig = Rig::of(quarterly());
    assert_eq!(rig.state(), StandingState::Waiting { until: Some(time("12:15")) });
    rig.until("12:15");
    assert_eq!(rig.state(), StandingState::Probing);
    rig.behind("a", &[0, 1, 2]);
    assert_eq!(rig.state(), StandingState::Copying);
    rig.ended(0, JobOutcome::Done);
    rig.ended(1, JobOutcome::Failed { is_retryable: true });
    assert_eq!(rig.state(), StandingState::Copying);
    let view = rig.standing.view(id("a")).unwrap();
    let want = StandingRound {
        number: 1,
        cause: RoundCause::Slot(time("12:15")),
        began: time("12:15"),
        waiting: 0,
        running: 1,
        held: 0,
        retrying: 1,
        done: 1,
        failed: 0,
        cancelled: 0,
    };
    assert_eq!((view.round, view.next), (Some(want), Some(time("12:30"))));
    assert_eq!(rig.standing.view(id("b")), None);
    assert_eq!(rig.standing.replications().collect::<Vec<_>>(), [id("a")]);
}

#[test]
fn a_view_counts_the_tables_of_a_round() {
    let mut rig = Rig::of(Order { windows: closed("12:20", "12:40"), ..quarterly() });
    rig.until("12:15");
    rig.behind("a", &[0, 1, 2, 3, 4, 5, 6]);
    rig.ended(0, JobOutcome::Done);
    rig.ended(1, JobOutcome::Failed { is_retryable: false });
    rig.ended(2, JobOutcome::Cancelled);
    let round = |rig: &Rig| rig.standing.view(id("a")).unwrap().round.unwrap();
    let running = StandingRound {
        number: 1,
        cause: RoundCause::Slot(time("12:15")),
        began: time("12:15"),
        waiting: 2,
        running: 2,
        held: 0,
        retrying: 0,
        done: 1,
        failed: 1,
        cancelled: 1,
    };
    assert_eq!(round(&rig), running);
    rig.until("12:20");
    rig.ended(3, JobOutcome::Failed { is_retryable: true });
    let held = StandingRound { running: 0, held: 1, retrying: 1, ..running };
    assert_eq!(round(&rig), held);
}

/// The fates of the next slots, in words.
fn coming(rig: &Rig) -> Vec<String> {
    let slots = rig.standing.coming_slots(id("a"), 4);
    slots.iter().map(|coming| format!("{} {:?}", shown(coming.slot), coming.fate)).collect()
}

#[test]
fn the_next_slots_say_what_will_become_of_them() {
    let mut rig = Rig::of(quarterly());
    assert_eq!(coming(&rig), ["12:15 Begins", "12:30 Begins", "12:45 Begins", "13:00 Begins"]);
    rig.apply(Order { windows: closed("12:20", "12:50"), ..quarterly() });
    let opens = time("12:50");
    let waits = format!("12:45 WaitsForWindow {{ opens: Some({opens:?}) }}");
    assert_eq!(coming(&rig), ["12:15 Begins", "12:30 JoinsLater", &waits, "13:00 Begins"]);
    rig.paused(Some("12:45"));
    let want = ["12:15 IsSkipped(Paused)", "12:30 IsSkipped(Paused)", &waits, "13:00 Begins"];
    assert_eq!(coming(&rig), want);
    rig.apply(Order { on_resume: ResumePolicy::AtOnce, ..quarterly() });
    assert!(coming(&rig)[1].starts_with("12:30 WaitsForResume"));
    rig.event(StandingEvent::Retired { replication: id("a") });
    assert_eq!(coming(&rig), [""; 0]);
}
