//! The calls of `ReplicationService`.

use deepclone_core::failure::Failure;
use deepclone_core::replication::{ReplicationSpec, SharedBudgetSpec};
use deepclone_proto::convert::time::timestamp_to_wire;
use deepclone_proto::v1;

use super::replication::{ReplicationInfo, SetChanges, VerdictInfo, resource, verdict};
use super::status::failure;
use super::{CoordinatorClient, PAGE_SIZE};

impl CoordinatorClient {
    /// Makes these replications and shared budgets those that are kept; with `validate_only` only
    /// says what would change.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the replication and the field at fault, or
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn apply(
        &mut self,
        specs: &[ReplicationSpec],
        budgets: &[SharedBudgetSpec],
        validate_only: bool,
    ) -> Result<SetChanges, Failure> {
        let replications = specs.iter().map(Into::into).collect();
        let budgets = budgets.iter().map(Into::into).collect();
        let request = v1::ApplyReplicationsRequest { replications, validate_only, budgets };
        let answer = self.replications.apply_replications(request).await.map_err(failure)?;
        SetChanges::try_from(answer.into_inner())
    }

    /// Returns the replications of a group, or all, and whether they can be failed over to.
    ///
    /// # Errors
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn replications(
        &mut self,
        group: Option<&str>,
    ) -> Result<(Vec<ReplicationInfo>, VerdictInfo), Failure> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListReplicationsRequest {
                page_size: PAGE_SIZE,
                page_token,
                group: group.unwrap_or_default().to_owned(),
            };
            let answer = self.replications.list_replications(request).await.map_err(failure)?;
            let page = answer.into_inner();
            for replication in page.replications {
                found.push(ReplicationInfo::try_from(replication)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok((found, verdict(page.verdict.unwrap_or_default())?));
            }
        }
    }

    /// Returns a replication with its tables.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn replication(&mut self, name: &str) -> Result<ReplicationInfo, Failure> {
        let request = v1::GetReplicationRequest { name: resource(name) };
        let answer = self.replications.get_replication(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }

    /// Begins no more rounds, until a time in milliseconds since 1970 or until it is resumed.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn pause(
        &mut self,
        name: &str,
        until_ms: Option<i64>,
    ) -> Result<ReplicationInfo, Failure> {
        let until_time = until_ms.map(timestamp_to_wire);
        let request = v1::PauseReplicationRequest { name: resource(name), until_time };
        let answer = self.replications.pause_replication(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn resume(&mut self, name: &str) -> Result<ReplicationInfo, Failure> {
        let request = v1::ResumeReplicationRequest { name: resource(name) };
        let answer = self.replications.resume_replication(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }

    /// Lets tables be copied that wait for approval.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND`, `INVALID_ARGUMENT` naming a path that is none of its tables, or
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn approve(
        &mut self,
        name: &str,
        paths: &[String],
    ) -> Result<ReplicationInfo, Failure> {
        let request = v1::ApproveTablesRequest { name: resource(name), paths: paths.to_vec() };
        let answer = self.replications.approve_tables(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }

    /// Asks for a round beside the schedule.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn run_round(&mut self, name: &str) -> Result<ReplicationInfo, Failure> {
        let request = v1::RunReplicationRequest { name: resource(name) };
        let answer = self.replications.run_replication(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }

    /// Ends a replication for good.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn retire(&mut self, name: &str) -> Result<ReplicationInfo, Failure> {
        let request = v1::RetireReplicationRequest { name: resource(name) };
        let answer = self.replications.retire_replication(request).await.map_err(failure)?;
        ReplicationInfo::try_from(answer.into_inner())
    }
}
