//! The state in maps of this process: for simulations, which end a coordinator anywhere and start
//! another over what it made durable. SQLite in memory does its work on a thread of its own, and
//! so never runs the same way twice.
//!
//! Rows are kept encoded, as SQLite keeps them: what cannot be read back is found here, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deepclone_core::ids::{Epoch, JobId, TargetKey};
use deepclone_core::limits::{EVIDENCE_KEPT, JOBS_KEPT, JOBS_KEPT_MAX};
use futures::future::BoxFuture;

use super::usage::first_month_kept;
use super::{
    AuditQuery, AuditRow, Batch, EndedJobsQuery, Entry, Evidence, JobOrder, JobPlace, KnownObject,
    ReplicationRow, RowChange, RowKey, StateError, Store, UsageLabels, UsageMonths, UsageQuery,
    UsageRow, UsageSum, UsageSums, encoding,
};

/// The state in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    epoch: u64,
    sequence: u64,
    facts: BTreeMap<u64, Row>,
    /// Ended jobs in short: their first row, their last limits and plan, their end.
    jobs: BTreeMap<JobId, Vec<(u64, Row)>>,
    objects: BTreeMap<(TargetKey, String), Evidence>,
    publications: BTreeMap<JobId, i64>,
    replications: BTreeMap<RowKey, Vec<u8>>,
    /// Jobs of `usage` that ended.
    usage_ended: BTreeSet<JobId>,
    /// By job, months and currency; also of jobs that ended.
    usage: BTreeMap<(JobId, UsageMonths, String), (UsageLabels, UsageSums)>,
    audit: Vec<AuditRow>,
}

#[derive(Clone, Debug)]
struct Row {
    job: JobId,
    kind: &'static str,
    body: Vec<u8>,
    recorded_ms: i64,
}

impl Row {
    fn entry(&self) -> Result<Entry, StateError> {
        encoding::decode(self.job, self.kind, &self.body, self.recorded_ms)
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn check_term(&self, epoch: Epoch) -> Result<(), StateError> {
        if self.epoch == epoch.0 { Ok(()) } else { Err(StateError::Deposed) }
    }

    fn load(&self, ended_max: usize) -> Result<Vec<Entry>, StateError> {
        let mut ended: Vec<_> = self.jobs.values().collect();
        ended.sort_by_key(|rows| std::cmp::Reverse(rows.last().map(|(sequence, _)| *sequence)));
        let ended = ended.into_iter().take(ended_max).flatten();
        let live = self.facts.iter().filter(|(_, row)| !self.jobs.contains_key(&row.job));
        let mut rows: Vec<(u64, &Row)> = ended.map(|(sequence, row)| (*sequence, row)).collect();
        rows.extend(live.map(|(sequence, row)| (*sequence, row)));
        rows.sort_by_key(|(sequence, _)| *sequence);
        rows.into_iter().map(|(_, row)| row.entry()).collect()
    }

    fn append(&mut self, batch: &Batch) -> Result<(), StateError> {
        let rows: Vec<Row> = batch
            .entries
            .iter()
            .map(|entry| {
                let (job, kind, body) = encoding::encode(entry);
                Row { job, kind, body, recorded_ms: entry.recorded_ms }
            })
            .collect();
        // All or nothing: what would be refused is looked for first.
        for row in rows.iter().filter(|row| row.kind == "created") {
            let is_there = |other: &Row| other.kind == "created" && other.job == row.job;
            if self.jobs.contains_key(&row.job) || self.facts.values().any(is_there) {
                return Err(StateError::CreatedTwice { job: row.job });
            }
        }
        for row in rows {
            let (job, is_end) = (row.job, row.kind == "ended");
            self.facts.insert(self.sequence, row);
            self.sequence += 1;
            if is_end {
                self.keep_in_short(job);
            }
        }
        for row in &batch.usage {
            let key = (row.job, row.months.clone(), row.sums.currency.clone());
            self.usage.insert(key, (row.labels.clone(), row.sums.clone()));
        }
        for (target, evidence) in &batch.evidence {
            self.objects.insert((*target, evidence.key.clone()), evidence.clone());
        }
        Ok(())
    }

    fn keep_in_short(&mut self, job: JobId) {
        let last = |kind: &str| {
            let mut rows = self.facts.iter().rev();
            rows.find(|(_, row)| row.job == job && row.kind == kind)
        };
        let rows = ["created", "limited", "planned", "ended"].into_iter().filter_map(last);
        let rows = rows.map(|(sequence, row)| (*sequence, row.clone())).collect();
        self.jobs.insert(job, rows);
        self.usage_ended.insert(job);
    }

    fn purge(&mut self, now_ms: i64) {
        let first_month = first_month_kept(now_ms);
        self.usage.retain(|(_, months, _), _| months.of_utc >= first_month);
        let Self { facts, jobs, objects, publications, .. } = self;
        facts.retain(|_, row| !jobs.contains_key(&row.job));
        let ended = |rows: &[(u64, Row)]| rows.last().map(|(at, row)| (*at, row.recorded_ms));
        let jobs_since_ms = before(now_ms, JOBS_KEPT, 1);
        jobs.retain(|_, rows| ended(rows).is_some_and(|(_, ms)| ms >= jobs_since_ms));
        let mut places: Vec<_> = jobs.values().filter_map(|rows| ended(rows)).collect();
        places.sort_unstable_by(|one, other| other.cmp(one));
        if let Some((newest_gone, _)) = places.get(JOBS_KEPT_MAX) {
            jobs.retain(|_, rows| ended(rows).is_some_and(|(at, _)| at > *newest_gone));
        }
        objects.retain(|_, evidence| evidence.recorded_ms >= before(now_ms, EVIDENCE_KEPT, 1));
        publications.retain(|_, recorded_ms| *recorded_ms >= before(now_ms, EVIDENCE_KEPT, 2));
    }

    fn live_usage(&self) -> Vec<UsageRow> {
        let live = self.usage.iter().filter(|((job, ..), _)| !self.usage_ended.contains(job));
        live.map(|((job, months, _), (labels, sums))| UsageRow {
            job: *job,
            months: months.clone(),
            labels: labels.clone(),
            sums: sums.clone(),
        })
        .collect()
    }

    fn usage(&self, query: &UsageQuery) -> Vec<UsageSum> {
        let mut found: BTreeMap<(UsageLabels, String), UsageSums> = BTreeMap::new();
        for ((_, months, currency), (labels, sums)) in &self.usage {
            if months.of(query.calendar) == query.month {
                let key = (query.by.labels(labels), currency.clone());
                let nothing = || UsageSums { currency: currency.clone(), ..UsageSums::default() };
                found.entry(key).or_insert_with(nothing).add(sums);
            }
        }
        let sum = |((labels, _), sums)| UsageSum { labels, sums };
        found.into_iter().map(sum).collect()
    }

    fn evidence(&self, target: TargetKey, keys: &[&str], since_ms: i64) -> Vec<KnownObject> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let found = keys.into_iter().filter_map(|key| self.objects.get(&(target, key.to_owned())));
        found
            .filter(|evidence| evidence.recorded_ms >= since_ms)
            .map(|evidence| KnownObject {
                evidence: evidence.clone(),
                may_be_published: self.publications.contains_key(&evidence.job),
            })
            .collect()
    }
}

fn before(now_ms: i64, kept: std::time::Duration, times: i64) -> i64 {
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    now_ms.saturating_sub(kept_ms.saturating_mul(times))
}

impl Store for MemoryStore {
    fn lead(&self, at_least: Epoch) -> BoxFuture<'_, Result<Epoch, StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            tables.epoch = at_least.0.max(tables.epoch + 1);
            Ok(Epoch(tables.epoch))
        })
    }

    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>> {
        Box::pin(async move { self.lock().load(ended_max) })
    }

    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>> {
        Box::pin(async move {
            let tables = self.lock();
            let rows = tables.jobs.get(&job);
            rows.map(|rows| rows.iter().map(|(_, row)| row.entry()).collect()).transpose()
        })
    }

    fn ended_jobs<'a>(
        &'a self,
        query: &'a EndedJobsQuery,
    ) -> BoxFuture<'a, Result<Vec<Vec<Entry>>, StateError>> {
        Box::pin(async move {
            let tables = self.lock();
            let place = |(job, rows): (&JobId, &Vec<(u64, Row)>)| {
                let created_ms = rows.first().map(|(_, row)| row.recorded_ms)?;
                Some(JobPlace { created_ms, job: *job })
            };
            let all = tables.jobs.iter().filter_map(place);
            let mut places: Vec<_> = all.filter(|place| query.fits(*place)).collect();
            places.sort_unstable();
            if query.order == JobOrder::NewestFirst {
                places.reverse();
            }
            let rows_of = |place: &JobPlace| {
                let rows = tables.jobs.get(&place.job).into_iter().flatten();
                rows.map(|(_, row)| row.entry()).collect()
            };
            places.iter().take(query.size).map(rows_of).collect()
        })
    }

    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            tables.check_term(epoch)?;
            tables.purge(now_ms);
            Ok(false)
        })
    }

    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            tables.check_term(epoch)?;
            tables.append(batch)
        })
    }

    fn has_evidence(&self, target: TargetKey) -> BoxFuture<'_, Result<bool, StateError>> {
        let has = self.lock().objects.keys().any(|(of, _)| *of == target);
        Box::pin(async move { Ok(has) })
    }

    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>> {
        Box::pin(async move { Ok(self.lock().evidence(target, keys, since_ms)) })
    }

    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(async move {
            self.lock().publications.insert(job, now_ms);
            Ok(())
        })
    }

    fn replication_rows(&self) -> BoxFuture<'_, Result<Vec<ReplicationRow>, StateError>> {
        Box::pin(async move {
            let rows = self.lock().replications.clone().into_iter();
            Ok(rows.map(|(key, body)| ReplicationRow { key, body }).collect())
        })
    }

    fn change_rows<'a>(
        &'a self,
        epoch: Epoch,
        changes: &'a [RowChange],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            tables.check_term(epoch)?;
            for RowChange { key, body } in changes {
                match body {
                    Some(body) => tables.replications.insert(key.clone(), body.clone()),
                    None => tables.replications.remove(key),
                };
            }
            Ok(())
        })
    }

    fn live_usage(&self) -> BoxFuture<'_, Result<Vec<UsageRow>, StateError>> {
        Box::pin(async move { Ok(self.lock().live_usage()) })
    }

    fn usage<'a>(
        &'a self,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageSum>, StateError>> {
        Box::pin(async move { Ok(self.lock().usage(query)) })
    }

    fn audit<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            for row in rows {
                let id = tables.audit.last().map_or(1, |last| last.id + 1);
                tables.audit.push(AuditRow { id, ..row.clone() });
            }
            Ok(())
        })
    }

    fn audited<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> BoxFuture<'a, Result<Vec<AuditRow>, StateError>> {
        Box::pin(async move {
            let is_asked_for = |row: &&AuditRow| {
                query.before.is_none_or(|before| row.id < before)
                    && query.since_ms.is_none_or(|since_ms| row.at_ms >= since_ms)
                    && query.principal.as_ref().is_none_or(|name| row.principal == *name)
                    && query.resource.as_ref().is_none_or(|name| row.resource == *name)
            };
            let tables = self.lock();
            let newest = tables.audit.iter().rev().filter(is_asked_for);
            Ok(newest.take(query.size).cloned().collect())
        })
    }

    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move {
            let mut tables = self.lock();
            for key in keys {
                tables.objects.remove(&(target, key.clone()));
            }
            Ok(())
        })
    }
}
