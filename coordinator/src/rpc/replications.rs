//! `ReplicationService`: clients declare replications, see how they stand, and steer them.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::limits::TABLE_PATTERNS_MAX;
use deepclone_core::replication::{ReplicationName, ReplicationSpec, SharedBudgetSpec};
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::convert::{WireError, time::timestamp_from_wire};
use deepclone_proto::v1::replication::MonthUsage;
use deepclone_proto::v1::{self, replication_service_server::ReplicationService};
use tonic::{Request, Response, Status};

use super::convert::{body, refused, status};
use super::month_usage::month_usage;
use super::{names, show_replication as show};
use crate::access::caller::Caller;
use crate::effects::Context;
use crate::replications::message::{EngineMessage, EngineReply, Replications, unknown_replication};
use crate::replications::view::ReplicationView;

/// Serves `ReplicationService` over the engine.
pub struct ReplicationCalls {
    engine: Replications,
    context: Context,
}

impl ReplicationCalls {
    #[must_use]
    pub fn new(engine: Replications, context: Context) -> Self {
        Self { engine, context }
    }

    fn now(&self) -> UnixTime {
        UnixTime(self.context.clock.now_ms())
    }

    async fn usage(
        &self,
        views: &[Arc<ReplicationView>],
        now: UnixTime,
    ) -> Result<BTreeMap<String, MonthUsage>, Status> {
        month_usage(&self.context, views, now).await.map_err(|error| status(error.failure()))
    }

    /// Allows a caller to replace the kept set by this one, if both lie in its scope.
    async fn allow_set(&self, caller: &Caller, specs: &[ReplicationSpec]) -> Result<(), Status> {
        if caller.name().is_none() {
            return Ok(());
        }
        specs.iter().try_for_each(|spec| caller.allow_replication(spec))?;
        let fleet = self.engine.ask(EngineMessage::Fleet).await.map_err(status)?;
        fleet.replications.iter().try_for_each(|view| caller.allow_replication(&view.spec))
    }

    /// Allows a caller to steer a replication.
    async fn allow(&self, caller: &Caller, name: &ReplicationName) -> Result<(), Status> {
        caller.concerns(format!("replications/{name}"));
        if caller.name().is_none() {
            return Ok(());
        }
        let fleet = self.engine.ask(EngineMessage::Fleet).await.map_err(status)?;
        let found = fleet.replications.iter().find(|view| view.spec.name == *name);
        let view = found.ok_or_else(|| status(unknown_replication(name)))?;
        caller.allow_replication(&view.spec)
    }

    async fn change(
        &self,
        caller: &Caller,
        name: &str,
        request: impl FnOnce(ReplicationName, EngineReply<Arc<ReplicationView>>) -> EngineMessage,
    ) -> Result<Response<v1::Replication>, Status> {
        let name = names::replication(name).map_err(refused)?;
        self.allow(caller, &name).await?;
        let view = self.engine.ask(|answer| request(name, answer)).await.map_err(status)?;
        Ok(Response::new(show::replication(&view, self.now(), show::Detail::All)))
    }
}

#[tonic::async_trait]
impl ReplicationService for ReplicationCalls {
    async fn apply_replications(
        &self,
        request: Request<v1::ApplyReplicationsRequest>,
    ) -> Result<Response<v1::ApplyReplicationsResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let specs = request.replications.into_iter().map(ReplicationSpec::try_from);
        let specs = specs.collect::<Result<Vec<_>, WireError>>().map_err(refused)?;
        let budgets = request.budgets.into_iter().map(SharedBudgetSpec::try_from);
        let budgets = budgets.collect::<Result<Vec<_>, WireError>>().map_err(refused)?;
        let validate_only = request.validate_only;
        caller.concerns(match &specs[..] {
            [spec] => format!("replications/{}", spec.name),
            specs => format!("replications: {}", specs.len()),
        });
        if validate_only {
            caller.tries();
        }
        self.allow_set(&caller, &specs).await?;
        let apply = |answer| EngineMessage::Apply { specs, budgets, validate_only, answer };
        let diffs = self.engine.ask(apply).await.map_err(status)?;
        let changes = show::changes(&diffs);
        let budgets = show::budget_changes(&diffs.budgets);
        Ok(Response::new(v1::ApplyReplicationsResponse { changes, budgets }))
    }

    async fn get_replication(
        &self,
        request: Request<v1::GetReplicationRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let name = names::replication(&body(request).name).map_err(refused)?;
        let fleet = self.engine.ask(EngineMessage::Fleet).await.map_err(status)?;
        let found = fleet.replications.iter().find(|view| view.spec.name == name);
        let view = found.ok_or_else(|| status(unknown_replication(&name)))?;
        let view = Arc::clone(view);
        let mut usage = self.usage(std::slice::from_ref(&view), fleet.at).await?;
        Ok(Response::new(v1::Replication {
            month_usage: usage.remove(view.spec.name.as_str()),
            ..show::replication(&view, fleet.at, show::Detail::All)
        }))
    }

    async fn list_replications(
        &self,
        request: Request<v1::ListReplicationsRequest>,
    ) -> Result<Response<v1::ListReplicationsResponse>, Status> {
        let request = body(request);
        let size = names::page_size(request.page_size).map_err(refused)?;
        let group = Some(request.group.as_str()).filter(|group| !group.is_empty());
        let fleet = self.engine.ask(EngineMessage::Fleet).await.map_err(status)?;
        let after = request.page_token.as_str();
        let mut rest = fleet.of_group(group).filter(|view| view.spec.name.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(size).cloned().collect();
        let is_more = rest.next().is_some();
        let last = page.last().filter(|_| is_more).map(|view| view.spec.name.to_string());
        let mut usage = self.usage(&page, fleet.at).await?;
        let shown = page.iter().map(|view| v1::Replication {
            month_usage: usage.remove(view.spec.name.as_str()),
            ..show::replication(view, fleet.at, show::Detail::Short)
        });
        Ok(Response::new(v1::ListReplicationsResponse {
            replications: shown.collect(),
            next_page_token: last.unwrap_or_default(),
            verdict: Some(show::verdict(&fleet, group)),
        }))
    }

    async fn pause_replication(
        &self,
        request: Request<v1::PauseReplicationRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let caller = Caller::of(&request);
        let v1::PauseReplicationRequest { name, until_time } = body(request);
        let until = until_time.map(|until| timestamp_from_wire(until, "until_time"));
        let until = until.transpose().map_err(refused)?.map(UnixTime);
        if until.is_some_and(|until| until <= self.now()) {
            return Err(refused(WireError::invalid("until_time", "it is over")));
        }
        let pause = |name, answer| EngineMessage::Pause(name, until, answer);
        self.change(&caller, &name, pause).await
    }

    async fn resume_replication(
        &self,
        request: Request<v1::ResumeReplicationRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let caller = Caller::of(&request);
        self.change(&caller, &body(request).name, EngineMessage::Resume).await
    }

    async fn run_replication(
        &self,
        request: Request<v1::RunReplicationRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let caller = Caller::of(&request);
        self.change(&caller, &body(request).name, EngineMessage::Run).await
    }

    async fn approve_tables(
        &self,
        request: Request<v1::ApproveTablesRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let caller = Caller::of(&request);
        let v1::ApproveTablesRequest { name, paths } = body(request);
        if !(1..=TABLE_PATTERNS_MAX).contains(&paths.len()) {
            let why = format!("there are {}: give 1 to {TABLE_PATTERNS_MAX}", paths.len());
            return Err(refused(WireError::invalid("paths", why)));
        }
        let approve = |name, answer| EngineMessage::Approve(name, paths, answer);
        self.change(&caller, &name, approve).await
    }

    async fn retire_replication(
        &self,
        request: Request<v1::RetireReplicationRequest>,
    ) -> Result<Response<v1::Replication>, Status> {
        let caller = Caller::of(&request);
        self.change(&caller, &body(request).name, EngineMessage::Retire).await
    }
}
