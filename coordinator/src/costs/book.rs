//! What live jobs sent, by month, and what it cost at the prices of that time.
//!
//! A job tells its total again and again. What is new of it is booked in the month in which it is
//! told, at the price that follows on what the month saw before between the same regions. The
//! driver makes the rows that change durable with the facts of the job.

use std::collections::BTreeMap;

use deepclone_core::calendar::zone::Zone;
use deepclone_core::copy_plan::CopyRequests;
use deepclone_core::ids::JobId;
use deepclone_core::machine::Progress;
use deepclone_core::price::{RegionPair, Traffic};
use deepclone_core::unix_time::UnixTime;

use super::priced::Priced;
use super::pricing::{Pricing, utc_month};
use crate::state::{
    JobOrigin, JobSpec, UsageBy, UsageCalendar, UsageLabels, UsageMonths, UsageQuery, UsageRow,
    UsageSum, UsageSums,
};

/// What is not known of a place, in the name of a pair of regions.
const UNKNOWN: &str = "?";

/// The accounts of live jobs.
#[derive(Debug, Default)]
pub struct Book {
    pricing: Pricing,
    /// In milliseconds since 1970.
    now_ms: i64,
    jobs: BTreeMap<JobId, Account>,
}

/// What is paid for, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The names of both connections.
    pub source: &'a str,
    pub target: &'a str,
    /// The table below the source's root; empty for what is of no table.
    pub path: &'a str,
    pub origin: Option<&'a JobOrigin>,
}

/// What one job sent.
#[derive(Debug, Default)]
struct Account {
    /// Booked before this process began, and not told again: of attempts that are no facts.
    before: Traffic,
    booked: Traffic,
    rows: BTreeMap<(UsageMonths, String), UsageSums>,
    /// What all of it cost. `None` before anything was sent.
    cost: Option<Priced>,
}

impl Book {
    /// Returns the accounts that these rows are of, and what this month saw before. `told` is what
    /// each live job tells now: it may be less than was booked.
    #[must_use]
    pub fn recover(
        pricing: Pricing,
        now: UnixTime,
        month: &[UsageSum],
        rows: Vec<UsageRow>,
        told: &BTreeMap<JobId, Traffic>,
    ) -> Self {
        let mut book = Self { pricing, now_ms: now.0, ..Self::default() };
        book.pricing.to_date.read(utc_month(now), month);
        for UsageRow { job, months, sums, .. } in rows {
            let account = book.jobs.entry(job).or_default();
            account.booked = account.booked + sums.traffic;
            let cost = book.pricing.of_sums(&sums);
            account.cost = Some(match account.cost.take() {
                Some(before) => before.plus(&cost),
                None => cost,
            });
            account.rows.insert((months, sums.currency.clone()), sums);
        }
        for (job, told) in told {
            let account = book.jobs.entry(*job).or_default();
            account.before = account.booked.beyond(*told);
            // What was sent before there were accounts is not booked later.
            account.booked = account.booked + told.beyond(account.booked);
        }
        book
    }

    /// Tells the time of what comes from now on.
    pub fn set_now(&mut self, now: UnixTime) {
        self.now_ms = now.0;
    }

    /// Takes the total of a job, and returns the row that it changes.
    pub fn note(&mut self, job: JobId, spec: &JobSpec, total: Traffic) -> Option<UsageRow> {
        self.note_for(job, &Subject::of(spec), total)
    }

    /// As [`Self::note`], of what is no job, under an id of its own.
    pub fn note_for(
        &mut self,
        id: JobId,
        subject: &Subject<'_>,
        total: Traffic,
    ) -> Option<UsageRow> {
        let now = UnixTime(self.now_ms);
        let account = self.jobs.entry(id).or_default();
        let more = (total + account.before).beyond(account.booked);
        if more == Traffic::default() {
            return None;
        }
        account.booked = account.booked + more;
        let regions = self.pricing.regions(subject.source, subject.target);
        let before = self.pricing.to_date.add(utc_month(now), &regions, more);
        let cost = self.pricing.price(subject.source, subject.target, before, more);
        let money = cost.money();
        let currency = money.map(|money| money.currency.code().to_owned()).unwrap_or_default();
        account.cost = Some(match account.cost.take() {
            Some(before) => before.plus(&cost),
            None => cost,
        });
        let (months, labels) = (subject.months(now), subject.labels(&regions));
        let sums = account.rows.entry((months.clone(), currency.clone())).or_default();
        let micros = money.map_or(0, |money| money.micros);
        sums.currency.clone_from(&currency);
        sums.add(&UsageSums { traffic: more, currency, micros });
        Some(UsageRow { job: id, months, labels, sums: sums.clone() })
    }

    /// What a job sent, and what that cost. `None` when nothing is known to have been sent.
    #[must_use]
    pub fn sent(&self, job: JobId) -> Option<(Traffic, Priced)> {
        let account = self.jobs.get(&job)?;
        Some((account.booked, account.cost.clone()?))
    }

    /// What this traffic would cost now.
    #[must_use]
    pub fn price(&self, spec: &JobSpec, traffic: Traffic) -> Priced {
        let (source, target) = (&spec.source.connection, &spec.target.connection);
        self.pricing.price_next(source, target, UnixTime(self.now_ms), traffic)
    }

    /// Forgets jobs that ended.
    pub fn retain(&mut self, is_live: impl Fn(JobId) -> bool) {
        self.jobs.retain(|job, _| is_live(*job));
    }
}

/// What a job tells that it sent: what its workers reported or may have read, and what the
/// coordinator read.
#[must_use]
pub fn told(progress: &Progress, logs: Traffic) -> Traffic {
    let workers = Traffic {
        bytes: progress.bytes_read.saturating_add(progress.bytes_unreported),
        source_reads: progress.source_requests,
        target_reads: progress.target_reads,
        target_writes: progress
            .requests
            .saturating_sub(progress.source_requests)
            .saturating_sub(progress.target_reads),
        ..Traffic::default()
    };
    workers + logs
}

/// What a plan has still to send: the requests in proportion to the bytes.
#[must_use]
pub fn ahead(progress: &Progress, requests: CopyRequests) -> Traffic {
    let done = progress.bytes_done.saturating_add(progress.bytes_moving);
    let bytes = progress.bytes_total.saturating_sub(done);
    let part = |requests: u64| {
        let part = u128::from(requests) * u128::from(bytes);
        let part = part.div_ceil(u128::from(progress.bytes_total.max(1)));
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    Traffic {
        bytes,
        source_reads: part(requests.source),
        target_writes: part(requests.target),
        ..Traffic::default()
    }
}

/// Asks for what the month of this time saw, by regions.
#[must_use]
pub fn by_regions(now: UnixTime) -> UsageQuery {
    UsageQuery {
        by: UsageBy::Regions,
        month: utc_month(now).to_string(),
        calendar: UsageCalendar::Utc,
    }
}

impl<'a> Subject<'a> {
    fn of(spec: &'a JobSpec) -> Self {
        Self {
            source: &spec.source.connection,
            target: &spec.target.connection,
            path: match spec.source.connection.starts_with('@') {
                // The root of a connection of the command line is the table.
                true => &spec.source.uri,
                false => &spec.source.root,
            },
            origin: spec.origin.as_ref(),
        }
    }

    fn months(&self, now: UnixTime) -> UsageMonths {
        let of_utc = utc_month(now).to_string();
        let zone = self.origin.and_then(|origin| Zone::of_name(&origin.time_zone));
        let of_zone = zone.and_then(|zone| zone.month(now)).map(|month| month.to_string());
        UsageMonths { of_zone: of_zone.unwrap_or_else(|| of_utc.clone()), of_utc }
    }

    fn labels(&self, regions: &RegionPair) -> UsageLabels {
        let name =
            |region: &Option<_>| region.as_ref().map_or(UNKNOWN.to_owned(), ToString::to_string);
        let origin = self.origin.cloned().unwrap_or_default();
        UsageLabels {
            replication: origin.replication,
            replication_id: origin.id.map(|id| id.to_string()).unwrap_or_default(),
            owner: origin.owner,
            source: self.source.to_owned(),
            target: self.target.to_owned(),
            path: self.path.to_owned(),
            regions: format!("{} {}", name(&regions.source), name(&regions.target)),
        }
    }
}

#[cfg(test)]
mod tests;
