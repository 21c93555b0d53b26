//! What a turn does in which order, as tables.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::ids::{ConnectionKey, JobId, PlanDigest, TargetKey, TaskFingerprint, WorkerId};
use crate::job_limits::JobLimits;
use crate::limits::{HEARTBEAT_INTERVAL, LEASE_TTL};
use crate::machine::{HeldTask, Plan, PlanTask, Route, TaskOutcome, WorkerState};
use crate::receipt::{ObjectReceipt, Proof, Receipt};
use crate::task::Capacity;

const JOB: JobId = JobId(Uuid::from_u128(1));
const WORKER: WorkerId = WorkerId(Uuid::from_u128(2));
const KEY: ConnectionKey = ConnectionKey([1; 32]);

fn machine() -> Machine {
    Machine::new(Epoch(1), Limits::default())
}

fn submitted() -> Event {
    let route = Route { source: KEY, target: KEY };
    Event::Submitted {
        job: JOB,
        target: TargetKey([2; 32]),
        route,
        spec: vec![],
        limits: JobLimits::default(),
    }
}

fn planned() -> Event {
    let tasks =
        vec![PlanTask { fingerprint: TaskFingerprint([3; 32]), bytes: 9, objects: 1, group: None }];
    let digest = PlanDigest([4; 32]);
    let plan =
        Plan { digest, source_version: 1, replica_version: None, source_is_newest: true, tasks };
    Event::Planned { job: JOB, plan }
}

fn registered() -> Event {
    let connections = BTreeSet::from([KEY]);
    Event::WorkerRegistered {
        worker: WORKER,
        readable: connections.clone(),
        writable: connections,
        held: vec![],
    }
}

fn wanted(deadline: Moment) -> Event {
    Event::TasksWanted { worker: WORKER, capacity: Capacity { bytes: 99, objects: 9 }, deadline }
}

fn heartbeat() -> Event {
    Event::Heartbeat { worker: WORKER, held: Vec::<HeldTask>::new() }
}

/// The kinds of the actions of a turn, without the news for watchers.
fn kinds(turn: Decisions) -> Vec<&'static str> {
    let kind = |action| match action {
        Action::Record(_) => Some("record"),
        Action::Plan { .. } => Some("plan"),
        Action::Grant { .. } => Some("grant"),
        Action::Heard { .. } => Some("heard"),
        Action::Beat { .. } => Some("beat"),
        Action::Publish { .. } => Some("publish"),
        Action::Ended { .. } => Some("ended"),
        Action::PlanAgain { .. } => Some("plan again"),
        Action::Refused { .. } => Some("refused"),
        Action::Violated(_) => Some("violated"),
        Action::Noticed(_) | Action::Changed { .. } => None,
    };
    turn.pending.durable().into_iter().filter_map(kind).collect()
}

#[test]
fn facts_come_apart_from_actions_and_both_keep_their_order() {
    let mut machine = machine();
    let now = Moment(1_000);
    let turn = take(&mut machine, now, [submitted(), registered(), planned()]);
    let [Fact::Created { .. }, Fact::Planned { .. }] = turn.facts[..] else {
        panic!("{:?}", turn.facts)
    };
    assert_eq!(kinds(turn), ["plan"]);

    let turn = take(&mut machine, now, [wanted(now.after(LEASE_TTL))]);
    assert_eq!(turn.facts, []);
    let actions = turn.pending.durable();
    let granted = actions.iter().find_map(|action| match action {
        Action::Grant { tasks, .. } => tasks.first(),
        _ => None,
    });
    let object = ObjectReceipt {
        size: 9,
        crc64nvme: 1,
        source_etag: String::new(),
        target_etag: String::new(),
        existed: false,
        proof: Proof::StoredChecksum,
    };
    let receipt = Receipt { objects: vec![object], ..Receipt::default() };
    let outcomes = vec![(granted.unwrap().key, TaskOutcome::Done(receipt))];
    let reported = Event::Reported { worker: WORKER, outcomes };
    let turn = take(&mut machine, now, [reported, heartbeat()]);
    let [Fact::TaskDone { .. }, Fact::PublishIntended { .. }] = turn.facts[..] else {
        panic!("{:?}", turn.facts)
    };
    assert_eq!(kinds(turn), ["publish", "heard", "beat"]);
}

#[test]
fn the_deadline_is_sent_when_it_has_come_and_not_before() {
    for (wait_ms, events, expected) in [
        (999, vec![], vec![]),
        (1_000, vec![], vec!["grant"]),
        // A turn with events does not put the deadline off.
        (1_000, vec![heartbeat()], vec!["beat", "grant"]),
        // A request ends with the registration that it was made in.
        (1_000, vec![registered(), heartbeat()], vec!["grant", "beat"]),
    ] {
        let mut machine = machine();
        let asked = take(&mut machine, Moment(0), [registered(), wanted(Moment(1_000))]);
        assert_eq!(asked.wake_at, Some(Moment(1_000)));
        let turn = take(&mut machine, Moment(wait_ms), events);
        assert!(turn.wake_at > Some(Moment(wait_ms)), "{:?}", turn.wake_at);
        assert_eq!(kinds(turn), expected, "after {wait_ms} ms");
    }
}

#[test]
fn a_heartbeat_in_the_queue_comes_before_the_deadline_that_would_lose_its_worker() {
    for (events, expected) in
        [(vec![], WorkerState::Lost), (vec![heartbeat()], WorkerState::Active)]
    {
        let mut machine = machine();
        let mut turn = take(&mut machine, Moment(0), [registered()]);
        let end = Moment(0).after(LEASE_TTL);
        let mut now = Moment(0);
        while let Some(wake_at) = turn.wake_at.filter(|&wake_at| wake_at < end) {
            assert!(now < wake_at && wake_at <= now.after(HEARTBEAT_INTERVAL), "{wake_at:?}");
            now = wake_at;
            turn = take(&mut machine, now, []);
            assert_eq!(machine.worker(WORKER).unwrap().state, WorkerState::Active);
        }
        assert_eq!(turn.wake_at, Some(end));
        let _turn = take(&mut machine, end, events);
        assert_eq!(machine.worker(WORKER).unwrap().state, expected);
    }
}

#[test]
fn an_epoch_begins_with_a_turn_that_works_on_what_the_facts_left() {
    let mut earlier = machine();
    let facts = take(&mut earlier, Moment(5), [submitted()]).facts;
    let (machine, turn) = recover(Epoch(2), Limits::default(), Moment(7), facts);
    assert_eq!(machine.epoch(), Epoch(2));
    assert_eq!(turn.wake_at, machine.next_deadline());
    assert_eq!(turn.wake_at, Some(Moment(7).after(HEARTBEAT_INTERVAL)));
    assert_eq!(turn.facts, []);
    assert_eq!(kinds(turn), ["plan"]);
}
