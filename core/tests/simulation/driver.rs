//! The coordinator's driver: it queues events, takes turns through [`deepclone_core::turn`] as the
//! real one does, and may die before, between and after a turn's facts and actions.

use deepclone_core::ids::{Epoch, GrantKey, JobId};
use deepclone_core::limits::Limits;
use deepclone_core::machine::{Action, Event, Moment, TaskOutcome};
use deepclone_core::turn::{self, Decisions};

use crate::worker::Answer;
use crate::world::{Driver, Occurrence, World};

/// Events that a small turn takes at the most; half of all turns are small.
const SMALL_TURN_EVENTS_MAX: u64 = 4;

impl World {
    /// Queues an event. While the coordinator is down, only a client that submits tries again.
    pub(crate) fn arrive(&mut self, event: Event) {
        if self.machine.is_none() {
            self.submit_later(&event);
            return;
        }
        self.driver.inbox.push_back((self.now, event));
        self.take_turn_soon();
    }

    fn submit_later(&mut self, event: &Event) {
        if matches!(event, Event::Submitted { .. }) {
            self.at(self.now + 500, Occurrence::Arrives(event.clone()));
        }
    }

    fn take_turn_soon(&mut self) {
        if !self.driver.turn_is_due {
            self.driver.turn_is_due = true;
            let soon = self.now + self.random.within(0..20);
            let at = soon.max(self.driver.stalled_until);
            self.at(at, Occurrence::TurnBegins(self.life));
        }
    }

    pub(crate) fn take_turn(&mut self) {
        self.driver.turn_is_due = false;
        let Some(mut machine) = self.machine.take() else { return };
        let events = self.next_events();
        for event in &events {
            crate::safety::arrived(self, event);
        }
        let now = Moment(self.now);
        let mut steps = 0;
        let turn = turn::take_inspected(&mut machine, now, events.iter().cloned(), |machine| {
            let violations = machine.violations();
            let event = events.get(steps).unwrap_or(&Event::DeadlineReached);
            assert!(violations.is_empty(), "{violations:?} after {event:?}");
            steps += 1;
        });
        assert!(turn.wake_at.is_none_or(|at| at > now), "the deadline stays due");
        self.machine = Some(machine);
        if !self.driver.inbox.is_empty() {
            self.take_turn_soon();
        }
        self.end_turn(turn, events);
    }

    /// The events of the next turn. The real driver takes up to a batch; the rest waits. What a
    /// report tells is older by the time that it waited.
    fn next_events(&mut self) -> Vec<Event> {
        let waiting = self.driver.inbox.len();
        let most = match self.random.chance(500) {
            true => self.random.within(1..SMALL_TURN_EVENTS_MAX + 1) as usize,
            false => waiting,
        };
        let now = self.now;
        let taken = self.driver.inbox.drain(..most.min(waiting));
        let aged = taken.map(|(arrived, mut event)| {
            if let Event::Reported { outcomes, .. } = &mut event {
                for (_, outcome) in outcomes {
                    if let TaskOutcome::Done(receipt) = outcome {
                        receipt.elapsed_ms += now - arrived;
                    }
                }
            }
            event
        });
        aged.collect()
    }

    /// Ends a turn (I4), unless the coordinator dies on the way.
    fn end_turn(&mut self, turn: Decisions, events: Vec<Event>) {
        let Decisions { facts, pending, wake_at } = turn;
        let crash = self.random.chance(self.faults().crash);
        if crash && self.random.chance(500) {
            // Nothing of the turn is durable.
            return self.crash(&events);
        }
        for fact in facts {
            self.note(&fact);
            crate::safety::recorded(self, &fact);
            self.step_recorded(&fact);
            let source = self.jobs[&fact.job()].source;
            self.known.record(&fact, source, self.now);
            self.facts.push(fact);
        }
        let actions = pending.durable();
        let most = if crash { self.random.within(0..actions.len() as u64 + 1) } else { u64::MAX };
        for (_, action) in (0..most).zip(actions) {
            self.note(&action);
            self.release(action);
        }
        if crash {
            return self.crash(&events);
        }
        for event in events {
            self.acknowledge(event);
        }
        self.wake_at(wake_at);
    }

    fn wake_at(&mut self, wake_at: Option<Moment>) {
        let Some(Moment(wake_at)) = wake_at else { return };
        let at = wake_at.max(self.driver.stalled_until);
        if self.driver.alarm_at.is_none_or(|alarm| alarm <= self.now || at < alarm) {
            self.driver.alarm_at = Some(at);
            self.at(at, Occurrence::TurnBegins(self.life));
        }
    }

    fn release(&mut self, action: Action) {
        crate::safety::released(self, &action);
        let epoch = Epoch(self.life);
        match action {
            Action::Plan { job } => {
                let pause = self.random.within(50..3_000);
                let event = self.plan(job);
                self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            }
            Action::PlanAgain { job, task, .. } => {
                let pause = self.random.within(50..3_000);
                let event = self.plan_again(job, task);
                self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            }
            Action::Publish { job } => self.begin_publish(job),
            Action::Heard { known, .. } => self.driver.heard.push_back(known),
            Action::Grant { worker, tasks } => {
                tasks.iter().for_each(|task| self.step_is_granted(&task.key));
                self.send(Occurrence::Answered(worker, Answer::Granted(epoch, tasks)));
            }
            Action::Beat { worker, abandon, shares: _, drain: _, known } => {
                let answer = Answer::Beat { epoch, abandon, known };
                self.send(Occurrence::Answered(worker, answer));
            }
            Action::Record(fact) => panic!("a fact among the actions: {fact:?}"),
            Action::Violated(violation) => panic!("{violation:?}"),
            Action::Ended { job } => self.abort(job, None),
            Action::Refused { .. } | Action::Noticed(_) | Action::Changed { .. } => {}
        }
    }

    fn begin_publish(&mut self, job: JobId) {
        let (base, tasks) = self.seen.plans[&job].clone();
        let target = self.jobs[&job].target;
        if let Some(missing) = self.missing(job, &tasks) {
            let event = Event::PublishEnded { job, outcome: missing };
            let pause = self.random.within(10..200);
            self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            return;
        }
        let lands = self.now + self.random.within(10..250);
        let settles = lands + self.random.within(1..2_000);
        self.known.intend(job);
        self.in_flight.insert((target, job));
        let logged = |number: u8| (number, self.generations[&(job, number)]);
        let tasks = tasks.into_iter().map(logged).collect();
        self.at(lands, Occurrence::CommitLands { job, base, tasks });
        self.at(settles, Occurrence::CommitSettles { life: self.life, job, base });
    }

    fn acknowledge(&mut self, event: Event) {
        match event {
            Event::WorkerRegistered { worker, .. } => {
                let answer = Answer::Registered(Epoch(self.life));
                self.send(Occurrence::Answered(worker, answer));
            }
            Event::Reported { worker, outcomes } => {
                let keys: Vec<GrantKey> = outcomes.into_iter().map(|(key, _)| key).collect();
                let known = self.driver.heard.pop_front().unwrap();
                let answer = if known { Answer::Heard(keys) } else { Answer::Unknown };
                self.send(Occurrence::Answered(worker, answer));
            }
            _ => {}
        }
    }

    /// The coordinator dies; the events of its turn and those that wait are lost.
    fn crash(&mut self, events: &[Event]) {
        let stalled_until = self.driver.stalled_until;
        let lost =
            std::mem::replace(&mut self.driver, Driver { stalled_until, ..Driver::default() });
        for event in events.iter().chain(lost.inbox.iter().map(|(_, event)| event)) {
            self.submit_later(event);
        }
        self.machine = None;
        self.life += 1;
        let pause = self.random.within(300..12_000);
        self.at(self.now + pause, Occurrence::CoordinatorStarts);
    }

    pub(crate) fn start_coordinator(&mut self) {
        let (epoch, limits, now) = (Epoch(self.life), Limits::default(), Moment(self.now));
        let (machine, turn) = turn::recover(epoch, limits, now, self.facts.iter().cloned());
        let violations = machine.violations();
        assert!(violations.is_empty(), "{violations:?} after recovery");
        self.machine = Some(machine);
        self.end_turn(turn, Vec::new());
    }

    /// The driver stands still: the turns that it would take come later.
    pub(crate) fn stall(&mut self, until: u64) {
        self.driver.stalled_until = until;
        self.driver.alarm_at = None;
        self.put_turns_off(until);
    }
}
