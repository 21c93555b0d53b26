//! Costs as the coordinator shows them, converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_core::money::Money;
use deepclone_proto::v1;

use super::status::malformed;

/// A cost by a table of prices: an estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostInfo {
    /// An amount by the prices of a table.
    Known {
        /// What it comes to.
        money: Money,
        /// The name of the table.
        price_table: String,
    },
    /// Why it is not known, in one line.
    Unknown(String),
}

/// What was sent, and what that cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentInfo {
    /// Bytes that were read from the source.
    pub bytes_read: i64,
    /// Requests to the source.
    pub source_requests: i64,
    /// Requests to the target.
    pub target_requests: i64,
    /// What that cost; `None` when nobody said.
    pub cost: Option<CostInfo>,
}

/// What was sent in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostReport {
    /// As `2026-11`, of UTC.
    pub month: String,
    /// One for each of what was asked for.
    pub rows: Vec<CostRowInfo>,
}

/// One sum. The names by which it was not summed up are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRowInfo {
    /// The owner of the replication.
    pub owner: String,
    /// The name of the replication.
    pub replication: String,
    /// The connection that was copied from.
    pub source: String,
    /// The connection that was copied to.
    pub target: String,
    /// The path of the table, or its URI.
    pub table: String,
    /// What was sent for it.
    pub sent: SentInfo,
    /// Those of the requests that are priced apart.
    pub kinds: RequestKinds,
}

/// Requests that are priced apart: the others are reads of the source, and writes to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestKinds {
    /// Pages of listings at the source.
    pub source_lists: i64,
    /// Objects that were read or described at the target.
    pub target_reads: i64,
    /// Pages of listings at the target.
    pub target_lists: i64,
}

impl TryFrom<v1::GetCostResponse> for CostReport {
    type Error = Failure;

    fn try_from(wire: v1::GetCostResponse) -> Result<Self, Failure> {
        let rows = wire.rows.into_iter().map(CostRowInfo::try_from).collect::<Result<_, _>>()?;
        Ok(Self { month: wire.month, rows })
    }
}

impl TryFrom<v1::CostRow> for CostRowInfo {
    type Error = Failure;

    fn try_from(wire: v1::CostRow) -> Result<Self, Failure> {
        Ok(Self {
            owner: wire.owner,
            replication: wire.replication,
            source: wire.source,
            target: wire.target,
            table: wire.table,
            sent: SentInfo {
                bytes_read: wire.bytes_read,
                source_requests: wire.source_requests,
                target_requests: wire.target_requests,
                cost: cost(wire.cost)?,
            },
            kinds: RequestKinds {
                source_lists: wire.source_lists,
                target_reads: wire.target_reads,
                target_lists: wire.target_lists,
            },
        })
    }
}

impl TryFrom<v1::Cost> for CostInfo {
    type Error = Failure;

    fn try_from(wire: v1::Cost) -> Result<Self, Failure> {
        let Some(money) = wire.money else { return Ok(Self::Unknown(wire.unknown)) };
        let currency = money.currency.parse();
        let currency = currency.map_err(|error| malformed(format!("Cost.money: {error}")))?;
        let money = Money { micros: money.micros, currency };
        Ok(Self::Known { money, price_table: wire.price_table })
    }
}

impl TryFrom<v1::Sent> for SentInfo {
    type Error = Failure;

    fn try_from(wire: v1::Sent) -> Result<Self, Failure> {
        Ok(Self {
            bytes_read: wire.bytes_read,
            source_requests: wire.source_requests,
            target_requests: wire.target_requests,
            cost: cost(wire.cost)?,
        })
    }
}

/// Converts a cost that may be absent.
pub(super) fn cost(wire: Option<v1::Cost>) -> Result<Option<CostInfo>, Failure> {
    wire.map(CostInfo::try_from).transpose()
}
