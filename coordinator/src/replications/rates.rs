//! The rates of jobs: the limit of a replication, divided among its jobs that may copy.
//!
//! Jobs that begin are counted, and the others told of it, before they get tasks; those that end
//! or are held leave their share to the others afterwards. So the rates that were told never add up
//! to more than the limit.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::job_limits::LimitsChange;
use deepclone_core::standing::StandingAction;

use super::engine::Engine;
use super::entry::{Rate, Table};
use crate::driver::message::Message;

/// What each job of a replication may have of its limit.
pub(super) fn share(limit: Rate, tables: &BTreeMap<TableNumber, Table>) -> Rate {
    let jobs = tables.values().filter(|table| table.rate.may_copy).count() as u64;
    limit.map(|limit| limit / jobs.max(1))
}

/// Divides the limit anew. Returns the jobs that are to be told another rate, those that become
/// slower first.
fn divide(limit: Rate, tables: &mut BTreeMap<TableNumber, Table>) -> Vec<(JobId, Rate)> {
    let share = share(limit, tables);
    let (mut slower, mut faster) = (Vec::new(), Vec::new());
    for table in tables.values_mut().filter(|table| table.rate.may_copy) {
        let Some((job, _)) = table.job else { continue };
        let rate = table.rate.slow.into_iter().chain(share).min();
        let before = table.rate.told.replace(rate);
        match before {
            Some(before) if before == rate => {}
            Some(Some(before)) if rate.is_none_or(|rate| rate > before) => faster.push((job, rate)),
            Some(_) | None => slower.push((job, rate)),
        }
    }
    slower.append(&mut faster);
    slower
}

impl Engine {
    /// Counts the jobs that these actions let copy, and tells the others before they do.
    pub(super) async fn make_room(&mut self, actions: &[StandingAction]) {
        let mut changed = BTreeSet::new();
        for action in actions {
            let place = match action {
                StandingAction::Submit { replication, table, held: false, .. } => {
                    Some((*replication, *table))
                }
                StandingAction::Release { job } => self.standing.place_of(*job),
                _ => None,
            };
            let Some((id, number)) = place else { continue };
            let table = self.entries.get_mut(&id).and_then(|entry| entry.tables.get_mut(&number));
            if table.is_some_and(|table| !std::mem::replace(&mut table.rate.may_copy, true)) {
                changed.insert(id);
            }
        }
        for id in changed {
            self.divide(id).await;
        }
    }

    /// Gives what jobs have left to the others of their replications.
    pub(super) async fn give_room(&mut self) {
        for id in std::mem::take(&mut self.undivided) {
            self.divide(id).await;
        }
    }

    /// Tells the jobs under way what the timetables of their replications allow now.
    pub(super) async fn follow_timetables(&mut self) {
        let now = self.now();
        for (id, entry) in &mut self.entries {
            let rate = entry.checked.bandwidth.at(now).bytes_per_second;
            if std::mem::replace(&mut entry.rate, rate) != rate {
                self.undivided.insert(*id);
            }
        }
        self.give_room().await;
    }

    /// Tells a job what a budget demands now.
    pub(super) async fn slow_to(&mut self, job: JobId, slow: Rate) {
        let Some((id, _, table)) = self.table_of(job) else { return };
        // After a restart it may have been told anything.
        (table.rate.slow, table.rate.told) = (slow, None);
        self.divide(id).await;
    }

    async fn divide(&mut self, id: ReplicationId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        for (job, rate) in divide(entry.rate, &mut entry.tables) {
            let change = LimitsChange { bytes_per_second: Some(rate), ..LimitsChange::default() };
            self.tell(job, |job, reply| Message::Limit(job, change, reply)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::replications::entry::JobRate;
    use crate::replications::kept::KeptTable;

    /// Tables with a job each: whether it may copy, what a budget demands, and what it was told.
    fn tables(jobs: &[(bool, Rate, Option<Rate>)]) -> BTreeMap<TableNumber, Table> {
        let table = |(number, (may_copy, slow, told)): (u32, &(bool, Rate, Option<Rate>))| {
            let mut table = Table::new(KeptTable::unknown(format!("t{number}")));
            table.job = Some((JobId(Uuid::from_u128(u128::from(number))), None));
            table.rate = JobRate { may_copy: *may_copy, slow: *slow, told: *told };
            (TableNumber(number), table)
        };
        (0..).zip(jobs).map(table).collect()
    }

    #[test]
    fn the_limit_of_a_replication_is_divided_among_its_jobs() {
        let (new, held) = ((true, None, None), (false, None, Some(Some(7))));
        let had = |rate| (true, None, Some(rate));
        for (limit, jobs, told) in [
            (None, vec![], vec![]),
            (None, vec![new, had(None)], vec![(0, None)]),
            (None, vec![had(Some(50))], vec![(0, None)]),
            (Some(100), vec![new, had(Some(100)), held], vec![(0, Some(50)), (1, Some(50))]),
            // No rounding passes the limit.
            (
                Some(100),
                vec![had(Some(50)), had(Some(50)), new],
                vec![(0, Some(33)), (1, Some(33)), (2, Some(33))],
            ),
            (Some(100), vec![had(Some(33)), had(Some(33)), had(Some(33))], vec![]),
            // One is slower than its share, and one was told nothing yet: that comes first.
            (
                Some(100),
                vec![had(Some(20)), (true, Some(10), Some(None)), held],
                vec![(1, Some(10)), (0, Some(50))],
            ),
        ] {
            let mut tables = tables(&jobs);
            let rates = divide(limit, &mut tables);
            let rates: Vec<(u128, Rate)> =
                rates.into_iter().map(|(job, rate)| (job.0.as_u128(), rate)).collect();
            assert_eq!(rates, told, "{limit:?} {jobs:?}");
            let copying = tables.values().filter(|table| table.rate.may_copy);
            let sum: u64 = copying.filter_map(|table| table.rate.told.flatten()).sum();
            assert!(limit.is_none_or(|limit| sum <= limit), "{sum} of {limit:?}");
            assert_eq!(divide(limit, &mut tables), [], "{limit:?} {jobs:?}");
        }
    }
}
