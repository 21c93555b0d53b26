//! `CostService`: what was sent in a month, and what that cost.

use deepclone_core::calendar::zone::Month;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::convert::WireError;
use deepclone_proto::v1::{self, cost_service_server::CostService, get_cost_request::GroupBy};
use tonic::{Request, Response, Status};

use super::convert::{body, refused, status};
use super::show::{self, signed};
use crate::costs::pricing::utc_month;
use crate::effects::Context;
use crate::replications::current_names::CurrentNames;
use crate::state::{StateError, UsageBy, UsageCalendar, UsageQuery, UsageSum};

/// Serves `CostService` from the durable sums.
pub struct CostCalls {
    context: Context,
}

impl CostCalls {
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    async fn sums(&self, query: &UsageQuery) -> Result<Vec<UsageSum>, StateError> {
        let store = &*self.context.store;
        let sums = store.usage(query).await?;
        Ok(match query.by {
            UsageBy::Replication => CurrentNames::read(store).await?.of(sums),
            UsageBy::Owner | UsageBy::Table | UsageBy::Pair | UsageBy::Regions => sums,
        })
    }

    fn row(&self, UsageSum { labels, sums }: UsageSum) -> v1::CostRow {
        v1::CostRow {
            owner: labels.owner,
            replication: labels.replication,
            source: labels.source,
            target: labels.target,
            table: labels.path,
            bytes_read: signed(sums.traffic.bytes),
            source_requests: signed(sums.traffic.source_requests()),
            target_requests: signed(sums.traffic.target_requests()),
            source_lists: signed(sums.traffic.source_lists),
            target_reads: signed(sums.traffic.target_reads),
            target_lists: signed(sums.traffic.target_lists),
            cost: Some(show::cost(&self.context.pricing.of_sums(&sums))),
        }
    }
}

#[tonic::async_trait]
impl CostService for CostCalls {
    async fn get_cost(
        &self,
        request: Request<v1::GetCostRequest>,
    ) -> Result<Response<v1::GetCostResponse>, Status> {
        let v1::GetCostRequest { month, by } = body(request);
        let month = match month.as_str() {
            "" => utc_month(UnixTime(self.context.clock.now_ms())),
            month => month_of(month).map_err(refused)?,
        };
        let by = match GroupBy::try_from(by) {
            Ok(GroupBy::Unspecified | GroupBy::Owner) => UsageBy::Owner,
            Ok(GroupBy::Table) => UsageBy::Table,
            Ok(GroupBy::Pair) => UsageBy::Pair,
            Ok(GroupBy::Replication) => UsageBy::Replication,
            Err(_) => return Err(refused(WireError::invalid("by", format!("{by} is not known")))),
        };
        let month = month.to_string();
        let query = UsageQuery { by, month: month.clone(), calendar: UsageCalendar::Utc };
        let sums = self.sums(&query).await.map_err(|error| status(error.failure()))?;
        let rows = sums.into_iter().map(|sum| self.row(sum)).collect();
        Ok(Response::new(v1::GetCostResponse { month, rows }))
    }
}

fn month_of(text: &str) -> Result<Month, WireError> {
    text.parse().map_err(|error: deepclone_core::calendar::zone::MonthError| {
        WireError::invalid("month", error.to_string())
    })
}
