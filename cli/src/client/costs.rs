//! The calls of `CostService`.

use deepclone_core::calendar::zone::Month;
use deepclone_core::failure::Failure;
use deepclone_proto::v1;
use deepclone_proto::v1::get_cost_request::GroupBy;

use super::CoordinatorClient;
use super::cost::CostReport;
use super::status::failure;
use crate::args::CostBy;

impl CoordinatorClient {
    /// Returns what was sent in a month, or in the one that runs.
    ///
    /// # Errors
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn cost(&mut self, month: Option<Month>, by: CostBy) -> Result<CostReport, Failure> {
        let by = match by {
            CostBy::Owner => GroupBy::Owner,
            CostBy::Table => GroupBy::Table,
            CostBy::Pair => GroupBy::Pair,
            CostBy::Replication => GroupBy::Replication,
        };
        let month = month.map(|month| month.to_string()).unwrap_or_default();
        let request = v1::GetCostRequest { month, by: by.into() };
        let answer = self.costs.get_cost(request).await.map_err(failure)?;
        CostReport::try_from(answer.into_inner())
    }
}
