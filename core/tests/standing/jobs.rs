//! A model of the jobs and of the sources: how long things take, and how they end.

use deepclone_core::budget::Cost;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::standing::{JobOutcome, ProbeResult, StandingEvent};

use crate::model::Job;
use crate::random::Random;
use crate::scenario::{MINUTE_MS, SECOND_MS};
use crate::world::{Occurrence, World};

/// How often a job tells what it sent.
const REPORT_MS: u64 = 40 * MINUTE_MS;

impl World {
    /// Probes of one round answer alike, whoever asks.
    pub(crate) fn ask(&mut self, id: ReplicationId, round: Option<u64>) {
        let failures = self.database.records[&id].active.map_or(0, |active| active.probe_failures);
        let key = (id, round.unwrap_or(0), failures, self.polls);
        let (now, seed) = (self.now, self.seed);
        if round.is_none() {
            self.polls += 1;
        }
        let answer_ms = SECOND_MS * (1 + self.keyed(id, &[seed, key.1]).within(0..90));
        let at = *self.asked.entry(key).or_insert(now + answer_ms);
        self.at(at.max(now), Occurrence::Answers(self.life, id, round, failures));
    }

    /// The source's answer to a probe or a poll.
    pub(crate) fn answer(&mut self, id: ReplicationId, round: Option<u64>, failures: u32) {
        let parts = [self.seed, round.unwrap_or(self.now), u64::from(failures), 1];
        let fails = self.keyed(id, &parts).chance(self.faults.probe_fails);
        let model = &self.models[&id];
        let behind = model.tables.iter().filter(|(_, table)| table.source > table.replica);
        let result = match fails {
            true => ProbeResult::Failed,
            false => ProbeResult::Behind(behind.map(|(number, _)| *number).collect()),
        };
        self.event(match round {
            Some(round) => StandingEvent::Probed { replication: id, round, result },
            None => StandingEvent::Polled { replication: id, result },
        });
    }

    /// A job is submitted, for the first time or again.
    pub(crate) fn submit(
        &mut self,
        id: ReplicationId,
        table: TableNumber,
        job: JobId,
        is_held: bool,
    ) {
        if self.jobs.contains_key(&job) {
            self.at(self.now, Occurrence::Tells(self.life, job));
            return;
        }
        let mut random = Random::keyed(&[self.seed, job.0.as_u64_pair().0]);
        let faults = self.faults;
        let outcome = if random.chance(faults.job_fails) {
            JobOutcome::Failed { is_retryable: true }
        } else if random.chance(faults.job_ends_badly) {
            random.one_of(&[JobOutcome::Failed { is_retryable: false }, JobOutcome::Cancelled])
        } else {
            JobOutcome::Done
        };
        let cost = random.within(1..60);
        let twice = random.chance(faults.sends_twice);
        let sends = if twice { cost * 2 } else { cost };
        let minutes = random.one_of(&[1, 2, 5, 10, 20, 50, 200]);
        let work_ms = MINUTE_MS * minutes;
        let version = self.models[&id].tables[&table].source;
        let planned_at = self.now + SECOND_MS * random.within(2..90);
        let new = Job {
            replication: id,
            table,
            is_held,
            is_planned: false,
            ended: None,
            cost,
            sends,
            work_ms,
            done_ms: 0,
            since: None,
            next: None,
            stopped_at: None,
            told: 0,
            version,
            outcome,
        };
        self.jobs.insert(job, new);
        self.at(planned_at, Occurrence::JobIsPlanned(job));
    }

    pub(crate) fn hold(&mut self, job: JobId, is_held: bool) {
        let now = self.now;
        if let Some(found) = self.jobs.get_mut(&job) {
            found.is_held = is_held;
            found.stop(now);
        }
        self.go_on(job);
    }

    pub(crate) fn job_is_planned(&mut self, job: JobId) {
        let Some(found) = self.jobs.get_mut(&job) else { return };
        found.is_planned = true;
        self.tell_all(job);
        self.go_on(job);
    }

    /// Time passed for a job.
    pub(crate) fn job_moves(&mut self, job: JobId) {
        let now = self.now;
        let Some(found) = self.jobs.get_mut(&job) else { return };
        if found.next != Some(now) || found.since.is_none() {
            return;
        }
        found.stop(now);
        found.told = found.sent();
        if found.done_ms == found.work_ms {
            found.ended = Some(found.outcome);
            let (id, table, version) = (found.replication, found.table, found.version);
            if found.outcome == JobOutcome::Done {
                let model = self.models.get_mut(&id).unwrap();
                let table = model.tables.get_mut(&table).unwrap();
                table.replica = version.max(table.replica);
                table.has_replica = true;
            }
        }
        let id = found.replication;
        self.tell(job);
        self.tell_replicas(id);
        self.go_on(job);
    }

    /// Tells the scheduler how a job stands.
    pub(crate) fn tell_all(&mut self, job: JobId) {
        self.tell(job);
        let found = &self.jobs[&job];
        if found.is_planned && found.ended.is_none() {
            let cost = Cost { bytes: found.cost.saturating_sub(found.told), money: None };
            self.event(StandingEvent::JobPlanned { job, cost });
        }
    }

    /// Tells the scheduler what a job sent, and whether it ended.
    fn tell(&mut self, job: JobId) {
        let found = self.jobs[&job].clone();
        if found.is_planned {
            let total = Cost { bytes: found.told, money: None };
            self.event(StandingEvent::JobSent { job, total });
        }
        if let Some(outcome) = found.ended {
            self.event(StandingEvent::JobEnded { job, outcome });
        }
    }

    fn go_on(&mut self, job: JobId) {
        let now = self.now;
        let Some(found) = self.jobs.get_mut(&job) else { return };
        if found.is_planned && !found.is_held && found.ended.is_none() && found.since.is_none() {
            found.since = Some(now);
            // It was held and released at once.
            if found.stopped_at == Some(now) && found.next.is_some_and(|next| next > now) {
                return;
            }
            let next = now + REPORT_MS.min(found.work_ms - found.done_ms);
            found.next = Some(next);
            self.at(next, Occurrence::JobMoves(job));
        }
    }

    pub(crate) fn keyed(&self, id: ReplicationId, parts: &[u64]) -> Random {
        let mut all = vec![id.0.as_u64_pair().0];
        all.extend(parts);
        Random::keyed(&all)
    }
}
