//! What was made durable, by the keys that the facts name.

use std::collections::BTreeMap;

use deepclone_core::budget::{BudgetEntry, BudgetKey};
use deepclone_core::calendar::zone::Month;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::standing::{
    Order, ReplicationRecord, StandingFact, StoredReplication, TableRecord, UpkeepKind,
    UpkeepRecord,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    pub(crate) orders: BTreeMap<ReplicationId, Order>,
    pub(crate) records: BTreeMap<ReplicationId, ReplicationRecord>,
    tables: BTreeMap<(ReplicationId, u64), BTreeMap<TableNumber, TableRecord>>,
    pub(crate) upkeep: BTreeMap<(ReplicationId, TableNumber, UpkeepKind), UpkeepRecord>,
    entries: BTreeMap<(BudgetKey, Month, JobId), BudgetEntry>,
}

impl Database {
    pub(crate) fn store(&mut self, fact: &StandingFact) {
        match fact {
            StandingFact::Replication { replication, record } => {
                self.records.insert(*replication, (**record).clone());
            }
            StandingFact::Table { replication, round, table, record } => {
                let tables = self.tables.entry((*replication, *round)).or_default();
                tables.insert(*table, *record);
            }
            StandingFact::Budget(entry) => {
                let key = (entry.budget.clone(), entry.month, entry.job);
                self.entries.insert(key, entry.clone());
            }
            StandingFact::RoundEnded { replication, round } => {
                self.tables.remove(&(*replication, round.number));
            }
            StandingFact::Upkeep { replication, table, kind, record } => {
                let key = (*replication, *table, *kind);
                match record {
                    Some(record) => self.upkeep.insert(key, *record),
                    None => self.upkeep.remove(&key),
                };
            }
            StandingFact::RoundBegan { .. } | StandingFact::Skipped { .. } => {}
        }
    }

    pub(crate) fn stored(&self) -> Vec<StoredReplication> {
        let stored = |(id, record): (&ReplicationId, &ReplicationRecord)| {
            let round = record.active.map_or(0, |active| active.number);
            let tables = self.tables.get(&(*id, round)).cloned().unwrap_or_default();
            StoredReplication {
                replication: *id,
                order: self.orders[id].clone(),
                record: record.clone(),
                tables: tables.into_iter().collect(),
                upkeep: self
                    .upkeep
                    .iter()
                    .filter(|((of, ..), _)| of == id)
                    .map(|((_, table, kind), record)| ((*table, *kind), *record))
                    .collect(),
            }
        };
        self.records.iter().map(stored).collect()
    }

    pub(crate) fn entries(&self) -> Vec<BudgetEntry> {
        self.entries.values().cloned().collect()
    }
}
