//! Replications as rows of the state. Values of the scheduler are kept as JSON, a declaration as a
//! message of the API.

use std::collections::BTreeMap;

use deepclone_core::budget::{BudgetEntry, BudgetKey, BudgetUnit};
use deepclone_core::calendar::zone::{Month, Zone};
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::replication::{ReplicationSpec, SharedBudgetSpec};
use deepclone_core::standing::{ReplicationRecord, TableRecord, UpkeepKind, UpkeepRecord};
use deepclone_core::unix_time::UnixTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kept::{KeptTable, Times};
use super::lag_history::{LagBlock, LagHistory};
use super::view::RoundView;
use crate::state::{
    ALERT_ROWS, ReplicationRow, RowChange, RowKey, StateError, decode_replication,
    decode_shared_budget, encode_replication, encode_shared_budget,
};

/// The kind of the rows that hold declarations.
pub(super) const SPEC: &str = "spec";
const TIMES: &str = "times";
const OWNER: &str = "owner";
const LOOKED: &str = "looked";
const RECORD: &str = "record";
const OPEN: &str = "open";
const TABLE: &str = "table";
const ROUND: &str = "round";
const LAG: &str = "lag";
const UPKEEP: &str = "upkeep";
const BUDGET: &str = "budget";
const SHARED_BUDGET: &str = "shared budget";
const BYTES: &str = "bytes";

/// Everything that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) replications: BTreeMap<ReplicationId, KeptReplication>,
    pub(super) budgets: Vec<BudgetEntry>,
    /// The budgets of several replications.
    pub(super) shared: Vec<SharedBudgetSpec>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptBudget {
    budget: String,
    /// `bytes`, or the code of a currency.
    unit: String,
    year: i16,
    month: i8,
    job: JobId,
    reserved: Option<u64>,
    spent: u64,
}

/// Everything that is kept of a replication.
#[derive(Debug)]
pub(super) struct KeptReplication {
    pub(super) spec: ReplicationSpec,
    pub(super) times: Times,
    /// What identifies it at its targets; `None` in a state of before that was kept.
    pub(super) owner: Option<Uuid>,
    /// Its sources have been listed under its declaration.
    pub(super) has_looked: bool,
    pub(super) record: Option<ReplicationRecord>,
    /// The tables of rounds under way, and of some that ended: by round and table.
    pub(super) open: BTreeMap<(u64, TableNumber), TableRecord>,
    pub(super) tables: BTreeMap<TableNumber, KeptTable>,
    /// What ran, the oldest first.
    pub(super) rounds: Vec<RoundView>,
    pub(super) lag: LagHistory,
    /// When audits and vacuums of its tables are due.
    pub(super) upkeep: Vec<((TableNumber, UpkeepKind), UpkeepRecord)>,
}

pub(super) fn spec(id: ReplicationId, spec: &ReplicationSpec, times: Times) -> [RowChange; 2] {
    let row = |kind: &str, body| put(id, kind, String::new(), body);
    [row(SPEC, encode_replication(spec)), row(TIMES, json(&times))]
}

/// Keeps what identifies a replication at its targets.
pub(super) fn owner(id: ReplicationId, owner: Uuid) -> RowChange {
    put(id, OWNER, String::new(), json(&owner))
}

/// Keeps whether the sources have been listed under the declaration of a replication.
pub(super) fn looked(id: ReplicationId, has_looked: bool) -> RowChange {
    let body = has_looked.then(|| json(&true));
    RowChange { key: key(id, LOOKED, String::new()), body }
}

pub(super) fn record(id: ReplicationId, record: &ReplicationRecord) -> RowChange {
    put(id, RECORD, String::new(), json(record))
}

pub(super) fn open(
    id: ReplicationId,
    round: u64,
    table: TableNumber,
    record: &TableRecord,
) -> RowChange {
    put(id, OPEN, open_part(round, table), json(record))
}

/// Drops what was kept of a table while its round was under way.
pub(super) fn closed(id: ReplicationId, round: u64, table: TableNumber) -> RowChange {
    RowChange { key: key(id, OPEN, open_part(round, table)), body: None }
}

pub(super) fn table(id: ReplicationId, number: TableNumber, kept: &KeptTable) -> RowChange {
    put(id, TABLE, number.0.to_string(), json(kept))
}

pub(super) fn round(id: ReplicationId, round: &RoundView) -> RowChange {
    put(id, ROUND, round_part(round), json(round))
}

/// Drops a round that is too old to be shown.
pub(super) fn forgotten(id: ReplicationId, round: &RoundView) -> RowChange {
    RowChange { key: key(id, ROUND, round_part(round)), body: None }
}

/// Keeps when an audit or a vacuum of a table is due, or drops it.
pub(super) fn upkeep(
    id: ReplicationId,
    table: TableNumber,
    kind: UpkeepKind,
    record: Option<&UpkeepRecord>,
) -> RowChange {
    let part = format!("{}/{}", upkeep_word(kind), table.0);
    RowChange { key: key(id, UPKEEP, part), body: record.map(json) }
}

fn upkeep_word(kind: UpkeepKind) -> &'static str {
    match kind {
        UpkeepKind::Audit => "audit",
        UpkeepKind::Vacuum => "vacuum",
    }
}

/// Keeps a block of samples of the lag.
pub(super) fn lag(id: ReplicationId, number: u32, block: &LagBlock) -> RowChange {
    put(id, LAG, number.to_string(), json(block))
}

/// Drops a block of samples that are too old.
pub(super) fn lag_gone(id: ReplicationId, number: u32) -> RowChange {
    RowChange { key: key(id, LAG, number.to_string()), body: None }
}

/// Keeps what a job reserved and spent under a budget.
pub(super) fn budget(entry: &BudgetEntry) -> RowChange {
    let unit = match entry.unit {
        BudgetUnit::Bytes => BYTES.to_owned(),
        BudgetUnit::Money(currency) => currency.code().to_owned(),
    };
    let part = format!("{unit} {} {}", entry.month, entry.job);
    let kept = KeptBudget {
        budget: entry.budget.0.clone(),
        unit,
        year: entry.month.year,
        month: entry.month.month,
        job: entry.job,
        reserved: entry.reserved,
        spent: entry.spent,
    };
    let key = RowKey { owner: entry.budget.0.clone(), kind: BUDGET.to_owned(), part };
    RowChange { key, body: Some(json(&kept)) }
}

/// Keeps a budget of several replications, or drops it.
pub(super) fn shared_budget(key: &BudgetKey, spec: Option<&SharedBudgetSpec>) -> RowChange {
    let (owner, kind, part) = (key.0.clone(), SHARED_BUDGET.to_owned(), String::new());
    RowChange { key: RowKey { owner, kind, part }, body: spec.map(encode_shared_budget) }
}

/// Drops what jobs spent before the month before that of `now`: no budget asks for it. Returns the
/// rows to drop, and the entries that stay.
pub(super) fn old_budgets(
    entries: Vec<BudgetEntry>,
    now: UnixTime,
) -> (Vec<RowChange>, Vec<BudgetEntry>) {
    let two_months = std::time::Duration::from_secs(62 * 24 * 60 * 60);
    let first = Zone::UTC.month(now.before(two_months));
    let is_old = |entry: &BudgetEntry| {
        entry.reserved.is_none() && first.is_some_and(|first| entry.month < first)
    };
    let (old, kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_old);
    let dropped = old.iter().map(|entry| RowChange { body: None, ..budget(entry) });
    (dropped.collect(), kept)
}

/// Reads the rows of all replications and budgets.
///
/// # Errors
/// A row that cannot be read, by its key.
pub(super) fn read(rows: Vec<ReplicationRow>) -> Result<Kept, StateError> {
    let mut by_owner: BTreeMap<String, Vec<ReplicationRow>> = BTreeMap::new();
    let (mut budgets, mut shared) = (Vec::new(), Vec::new());
    for row in rows {
        match row.key.kind.as_str() {
            // Receivers of alerts read them.
            ALERT_ROWS => {}
            BUDGET => budgets.push(budget_of(&row)?),
            SHARED_BUDGET => shared.push(decode_shared_budget(&row.body)?),
            _ => by_owner.entry(row.key.owner.clone()).or_default().push(row),
        }
    }
    let replications = by_owner.iter().map(|(owner, rows)| Ok((id_of(owner)?, of_one(rows)?)));
    Ok(Kept { replications: replications.collect::<Result<_, StateError>>()?, budgets, shared })
}

fn budget_of(row: &ReplicationRow) -> Result<BudgetEntry, StateError> {
    let KeptBudget { budget, unit, year, month, job, reserved, spent } = value(row)?;
    let unit = match unit.as_str() {
        BYTES => BudgetUnit::Bytes,
        code => BudgetUnit::Money(code.parse().map_err(|error| damaged(&row.key, error))?),
    };
    let (budget, month) = (BudgetKey(budget), Month { year, month });
    Ok(BudgetEntry { budget, unit, month, job, reserved, spent })
}

fn of_one(rows: &[ReplicationRow]) -> Result<KeptReplication, StateError> {
    let one = |kind: &str| rows.iter().find(|row| row.key.kind == kind);
    let all = |kind: &'static str| rows.iter().filter(move |row| row.key.kind == kind);
    let missing = || damaged_kind("declaration of a replication", "it is missing");
    let declared = one(SPEC).ok_or_else(missing)?;
    let spec = decode_replication(&declared.body)?;
    let record = one(RECORD).map(value).transpose()?;
    let tables = all(TABLE).map(|row| Ok((number(&row.key.part, row)?, value(row)?)));
    let open = all(OPEN).map(|row| {
        let (round, table) = row.key.part.split_once('/').unwrap_or_default();
        let round = round.parse().map_err(|error| damaged(&row.key, error))?;
        Ok(((round, number(table, row)?), value(row)?))
    });
    let upkeep = all(UPKEEP).map(|row| {
        let (word, table) = row.key.part.split_once('/').unwrap_or_default();
        let known = [UpkeepKind::Audit, UpkeepKind::Vacuum].into_iter();
        let kind = known.into_iter().find(|kind| upkeep_word(*kind) == word);
        let kind = kind.ok_or_else(|| damaged(&row.key, "nobody knows this kind"))?;
        Ok(((number(table, row)?, kind), value(row)?))
    });
    let mut rounds: Vec<RoundView> = all(ROUND).map(value).collect::<Result<_, _>>()?;
    rounds.sort_by_key(|round| (round.began, round.number));
    let lag: Vec<LagBlock> = all(LAG).map(value).collect::<Result<_, _>>()?;
    Ok(KeptReplication {
        spec,
        times: value(one(TIMES).ok_or_else(missing)?)?,
        owner: one(OWNER).map(value).transpose()?,
        has_looked: one(LOOKED).is_some(),
        record,
        open: open.collect::<Result<_, StateError>>()?,
        tables: tables.collect::<Result<_, StateError>>()?,
        rounds,
        lag: LagHistory::of_blocks(lag),
        upkeep: upkeep.collect::<Result<_, StateError>>()?,
    })
}

fn put(id: ReplicationId, kind: &str, part: String, body: Vec<u8>) -> RowChange {
    RowChange { key: key(id, kind, part), body: Some(body) }
}

fn key(id: ReplicationId, kind: &str, part: String) -> RowKey {
    RowKey { owner: id.to_string(), kind: kind.to_owned(), part }
}

fn open_part(round: u64, table: TableNumber) -> String {
    format!("{round}/{}", table.0)
}

fn round_part(round: &RoundView) -> String {
    match round.number {
        Some(number) => number.to_string(),
        None => format!("skipped {}", round.began.0),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Only maps with keys that are no texts fail, and none of these has one.
    serde_json::to_vec(value).unwrap_or_default()
}

fn value<T: DeserializeOwned>(row: &ReplicationRow) -> Result<T, StateError> {
    serde_json::from_slice(&row.body).map_err(|error| damaged(&row.key, error))
}

fn number(text: &str, row: &ReplicationRow) -> Result<TableNumber, StateError> {
    text.parse().map(TableNumber).map_err(|error| damaged(&row.key, error))
}

fn id_of(owner: &str) -> Result<ReplicationId, StateError> {
    let corrupt = |_| damaged_kind("replication", format!("{owner:?} is no id"));
    Uuid::parse_str(owner).map(ReplicationId).map_err(corrupt)
}

fn damaged(key: &RowKey, error: impl std::fmt::Display) -> StateError {
    let kind = format!("{} {} of the replication {}", key.kind, key.part, key.owner);
    StateError::Damaged { kind, why: error.to_string() }
}

fn damaged_kind(kind: &str, why: impl Into<String>) -> StateError {
    StateError::Damaged { kind: kind.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use deepclone_core::budget::AtLimit;
    use deepclone_core::replication::{BudgetScope, BudgetSpec};

    use super::*;

    #[test]
    fn what_was_spent_long_ago_is_dropped_unless_its_job_goes_on() {
        // 2026-11-26.
        let now = UnixTime(1_795_700_000_000);
        let entry = |month, reserved| BudgetEntry {
            budget: BudgetKey("replication a".to_owned()),
            unit: BudgetUnit::Bytes,
            month: Month { year: 2026, month },
            job: JobId(Uuid::from_u128(1)),
            reserved,
            spent: 7,
        };
        let entries = vec![
            entry(11, None),
            entry(10, None),
            entry(9, None),
            entry(8, None),
            entry(8, Some(1)),
        ];
        let (dropped, kept) = old_budgets(entries, now);
        assert_eq!(dropped.len(), 1);
        assert_eq!((dropped[0].body.clone(), &*dropped[0].key.kind), (None, BUDGET));
        assert!(dropped[0].key.part.starts_with("bytes 2026-08 "), "{dropped:?}");
        let months: Vec<_> = kept.iter().map(|entry| entry.month.month).collect();
        assert_eq!(months, [11, 10, 9, 8]);
    }

    #[test]
    fn a_budget_is_read_as_it_was_kept_and_garbage_is_named() {
        let entry = BudgetEntry {
            budget: BudgetKey("replication a".to_owned()),
            unit: BudgetUnit::Money("EUR".parse().unwrap()),
            month: Month { year: 2026, month: 11 },
            job: JobId(Uuid::from_u128(1)),
            reserved: Some(5),
            spent: 7,
        };
        let RowChange { key, body } = budget(&entry);
        let row = ReplicationRow { key: key.clone(), body: body.unwrap() };
        assert_eq!(read(vec![row]).unwrap().budgets, [entry]);
        let error = read(vec![ReplicationRow { key, body: b"x".to_vec() }]).unwrap_err();
        assert!(
            error.to_string().contains("bytes") || error.to_string().contains("EUR"),
            "{error}"
        );
        let spec = SharedBudgetSpec {
            scope: BudgetScope::Owner("o".to_owned()),
            budget: BudgetSpec { bytes: Some(5), money: None, at_limit: AtLimit::Hold },
            time_zone: "UTC".to_owned(),
        };
        let RowChange { key, body } = shared_budget(&spec.scope.key(), Some(&spec));
        let row = ReplicationRow { key, body: body.unwrap() };
        assert_eq!(read(vec![row]).unwrap().shared, [spec]);
        let key = RowKey { owner: "x".to_owned(), kind: SPEC.to_owned(), part: String::new() };
        let error = read(vec![ReplicationRow { key, body: vec![] }]).unwrap_err();
        assert!(error.to_string().contains("is no id"), "{error}");
    }
}
