//! `deepclone cost`: what was sent in a month, from a coordinator or from this machine's state.

use std::path::{Path, PathBuf};

use deepclone_common::clock::Clock;
use deepclone_common::config::Config;
use deepclone_coordinator::costs::priced::Priced;
use deepclone_coordinator::costs::pricing::Pricing;
use deepclone_coordinator::costs::pricing::utc_month;
use deepclone_coordinator::replications::current_names::CurrentNames;
use deepclone_coordinator::state::{
    Place, SqliteStore, StateError, Store as _, UsageBy, UsageCalendar, UsageQuery, UsageSum,
};
use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_core::unix_time::UnixTime;

use super::context::CommandContext;
use crate::args::{CostArguments, CostBy};
use crate::client::cost::{CostInfo, CostReport, CostRowInfo, RequestKinds, SentInfo};
use crate::embedded::state_file::{files, state_home};
use crate::refusal::invalid;
use crate::render::output::aside;
use crate::render::{CommandOutput, cost_report};

/// Runs `deepclone cost`.
///
/// # Errors
/// A month that is none, or a coordinator that does not answer. Without a coordinator: no state.
pub async fn run(
    arguments: &CostArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let month: Option<Month> = arguments
        .month
        .as_deref()
        .map(|month| month.parse().map_err(|error| invalid(format!("--month: {error}"))))
        .transpose()?;
    let report = match context.coordinator_url() {
        Some(url) => context.connect(url).await?.cost(month, arguments.by).await?,
        None => of_this_machine(month, arguments.by, context).await?,
    };
    cost_report::answer(&report, arguments.by)
}

/// Reads what the commands of this machine sent, from all their states.
async fn of_this_machine(
    month: Option<Month>,
    by: CostBy,
    context: &CommandContext,
) -> Result<CostReport, Failure> {
    let home = state_home(|name| std::env::var(name).ok());
    let found = home.map(|home| files(&home)).unwrap_or_default();
    if found.is_empty() {
        return Err(invalid(
            "`deepclone cost` needs a coordinator: give --coordinator URL or set \
             DEEPCLONE_COORDINATOR; this machine has no state of its own",
        ));
    }
    let month = month.unwrap_or_else(|| utc_month(UnixTime(Clock::System.now_ms())));
    let query = UsageQuery {
        by: match by {
            CostBy::Owner => UsageBy::Owner,
            CostBy::Table => UsageBy::Table,
            CostBy::Pair => UsageBy::Pair,
            CostBy::Replication => UsageBy::Replication,
        },
        month: month.to_string(),
        calendar: UsageCalendar::Utc,
    };
    let table = Config::load(context.global.config.as_deref())?.prices.table()?;
    let pricing = Pricing { table: table.into(), ..Pricing::default() };
    let sums = added(sums_of(&found, &query).await?);
    let rows = sums.into_iter().map(|sum| row(&pricing, sum)).collect();
    Ok(CostReport { month: query.month, rows })
}

/// Reads every file that no other process uses.
async fn sums_of(files: &[PathBuf], query: &UsageQuery) -> Result<Vec<UsageSum>, Failure> {
    let mut sums = Vec::new();
    for path in files {
        match read(path, query).await {
            Ok(found) => sums.extend(found),
            Err(StateError::Locked { path }) => {
                aside(&format!("note: {path} is in use, and not counted"));
            }
            Err(error) => return Err(error.failure()),
        }
    }
    Ok(sums)
}

async fn read(path: &Path, query: &UsageQuery) -> Result<Vec<UsageSum>, StateError> {
    let store = SqliteStore::open(&Place::File(path.to_owned())).await?;
    let sums = store.usage(query).await?;
    Ok(match query.by {
        UsageBy::Replication => CurrentNames::read(&store).await?.of(sums),
        UsageBy::Owner | UsageBy::Table | UsageBy::Pair | UsageBy::Regions => sums,
    })
}

/// Adds the sums of the same labels and currency, in their order.
fn added(sums: Vec<UsageSum>) -> Vec<UsageSum> {
    let mut all: Vec<UsageSum> = Vec::new();
    for sum in sums {
        let is_same = |other: &&mut UsageSum| {
            other.labels == sum.labels && other.sums.currency == sum.sums.currency
        };
        match all.iter_mut().find(is_same) {
            Some(known) => known.sums.add(&sum.sums),
            None => all.push(sum),
        }
    }
    all.sort_by(|one, other| one.labels.cmp(&other.labels));
    all
}

fn row(pricing: &Pricing, UsageSum { labels, sums }: UsageSum) -> CostRowInfo {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let cost = match pricing.of_sums(&sums) {
        Priced::Known { money, price_table } => CostInfo::Known { money, price_table },
        Priced::Unknown(why) => CostInfo::Unknown(why),
    };
    CostRowInfo {
        owner: labels.owner,
        replication: labels.replication,
        source: labels.source,
        target: labels.target,
        table: labels.path,
        sent: SentInfo {
            bytes_read: signed(sums.traffic.bytes),
            source_requests: signed(sums.traffic.source_requests()),
            target_requests: signed(sums.traffic.target_requests()),
            cost: Some(cost),
        },
        kinds: RequestKinds {
            source_lists: signed(sums.traffic.source_lists),
            target_reads: signed(sums.traffic.target_reads),
            target_lists: signed(sums.traffic.target_lists),
        },
    }
}
