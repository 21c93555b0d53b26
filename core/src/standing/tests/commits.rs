//! Replications that follow commits.

use super::*;

fn following() -> Order {
    let (poll_min, poll_max) = (MINUTE, 6 * MINUTE);
    Order { trigger: ReplicationTrigger::Commits { poll_min, poll_max }, ..quarterly() }
}

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.apply(following());
    rig
}

fn polled(rig: &mut Rig, tables: &[u32]) {
    let tables = tables.iter().map(|table| TableNumber(*table)).collect();
    let result = ProbeResult::Behind(tables);
    rig.event(StandingEvent::Polled { replication: id("a"), result });
}

fn source_changed(rig: &mut Rig) {
    rig.event(StandingEvent::SourceChanged { replication: id("a") });
}

#[test]
fn the_source_is_asked_ever_later_while_nothing_changes() {
    let mut rig = rig();
    rig.check(&["12:05 poll"]);
    for at in ["12:06", "12:08", "12:12", "12:18", "12:24"] {
        polled(&mut rig, &[]);
        rig.until(at);
        rig.check(&[&format!("{at} poll")]);
    }
    // While an answer is awaited, nothing is asked.
    rig.until("12:40");
    rig.check(&[]);
    polled(&mut rig, &[2]);
    rig.check(&["12:40 began 1: source changed", "12:40 probe 1"]);
    rig.behind("a", &[2]);
    rig.until("12:50");
    rig.ended(2, JobOutcome::Done);
    rig.check(&["12:40 submit 1.2.0", "12:50 ended 1: 1 0 0"]);
    rig.until("12:51");
    rig.check(&["12:51 poll"]);
}

#[test]
fn a_notice_begins_a_round_at_once_and_one_more_while_it_runs() {
    let mut rig = rig();
    polled(&mut rig, &[]);
    rig.said();
    source_changed(&mut rig);
    rig.check(&["12:05 began 1: source changed", "12:05 probe 1"]);
    source_changed(&mut rig);
    source_changed(&mut rig);
    rig.restart("12:05");
    rig.check(&["12:05 probe 1"]);
    rig.nothing_behind();
    rig.check(&["12:05 ended 1: 0 0 0", "12:05 began 2: source changed", "12:05 probe 2"]);
}

#[test]
fn failed_polls_are_asked_again_ever_later() {
    let mut rig = rig();
    for at in ["12:06", "12:08", "12:12"] {
        let result = ProbeResult::Failed;
        rig.event(StandingEvent::Polled { replication: id("a"), result });
        rig.said();
        rig.until(at);
        rig.check(&[&format!("{at} poll")]);
    }
}

#[test]
fn nothing_is_asked_while_paused_or_closed() {
    let mut rig = Rig::new();
    rig.apply(Order { windows: closed("12:00", "12:10"), ..following() });
    rig.until("12:10");
    rig.check(&["12:10 poll"]);
    polled(&mut rig, &[]);
    rig.paused(Some("12:30"));
    source_changed(&mut rig);
    rig.until("12:30");
    rig.check(&[]);
    rig.until("12:31");
    rig.check(&["12:31 poll"]);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_polls() {
    let mut rig = rig();
    polled(&mut rig, &[]);
    rig.jump("09:00");
    rig.said();
    rig.until("09:02");
    rig.check(&["09:02 poll"]);
}

#[test]
fn a_notice_for_a_schedule_is_nothing() {
    let mut rig = Rig::of(quarterly());
    source_changed(&mut rig);
    rig.check(&[]);
}

#[test]
fn a_round_without_tables_and_an_order_of_the_same_trigger_bring_no_poll_forward() {
    let mut rig = rig();
    for at in ["12:06", "12:08", "12:12"] {
        polled(&mut rig, &[]);
        rig.until(at);
    }
    polled(&mut rig, &[]);
    rig.said();
    rig.apply(Order { priority: 3, ..following() });
    rig.check(&[]);
    for (tables, next) in [(&[][..], "12:18"), (&[4], "12:19")] {
        rig.run_requested();
        rig.behind("a", tables);
        if let [table] = tables {
            rig.ended(*table, JobOutcome::Done);
        }
        rig.said();
        rig.until(next);
        rig.check(&[&format!("{next} poll")]);
        polled(&mut rig, &[]);
        rig.said();
    }
}
