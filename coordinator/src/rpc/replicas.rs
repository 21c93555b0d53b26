//! `ReplicaService`: a replica is compared with its source, described and vacuumed by this
//! coordinator.

use deepclone_common::connections::{Resolved, Side};
use deepclone_core::failure::Failure;
use deepclone_core::limits::{REPLICA_CALLS_MAX, SAMPLE_MILLIONTHS_MAX};
use deepclone_core::reason::Reason;
use deepclone_core::replication::ReplicationSpec;
use deepclone_delta::deletion::{DeletionProof, prove};
use deepclone_delta::describe::describe;
use deepclone_delta::history::history_page;
use deepclone_delta::vacuum::VacuumOptions;
use deepclone_delta::verify::{
    Depth, KeptVerdict, PROOF_MILLIONTHS, Sample, VerifyReport, prove_use, verify,
};
use deepclone_proto::convert::WireError;
use deepclone_proto::convert::spec::table_from_wire;
use deepclone_proto::convert::time::{duration_from_wire, timestamp_from_wire};
use deepclone_proto::v1::{self, replica_service_server::ReplicaService};
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Request, Response, Status};

use super::convert::{body, refused, status};
use super::{bounds, names, show_replica};
use crate::access::caller::Caller;
use crate::effects::vacuum::vacuum_replica;
use crate::effects::{Context, guarded};
use crate::replications::message::{EngineMessage, Replications, unknown_replication};

/// Replicas of one replication that are looked at together.
const PROOFS_AT_ONCE: usize = 4;

/// Serves `ReplicaService` with the coordinator's connections.
pub struct ReplicaCalls {
    engine: Replications,
    context: Context,
    /// Bounds the tables that are held in memory for clients.
    calls: Semaphore,
}

/// What a client asks to be compared.
#[derive(Clone, Copy, Debug)]
struct VerifyOrder {
    depth: Depth,
    proof: Option<Sample>,
    is_recorded: bool,
}

impl ReplicaCalls {
    #[must_use]
    pub fn new(engine: Replications, context: Context) -> Self {
        Self { engine, context, calls: Semaphore::new(REPLICA_CALLS_MAX) }
    }

    fn turn(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.calls.try_acquire().map_err(|_| {
            let message = format!("{REPLICA_CALLS_MAX} replicas are looked at already: try later");
            status(Failure::new(Reason::Overloaded, message))
        })
    }

    fn resolve(
        &self,
        table: Option<v1::TableRef>,
        side: Side,
        field: &'static str,
    ) -> Result<Resolved, Status> {
        if let Some(table) = &table {
            bounds::table(field, table).map_err(refused)?;
        }
        let table = table_from_wire(table, field).map_err(refused)?;
        let found = self.context.connections.resolve(&table, side);
        found.map_err(|error| status(error.failure_of(side)))
    }

    /// Proves a deletion in one replica. Its source's log is asked where the replica's does not
    /// tell.
    async fn prove(
        &self,
        spec: &ReplicationSpec,
        path: &str,
        before_ms: i64,
    ) -> (String, Result<DeletionProof, Failure>) {
        let connections = &self.context.connections;
        let open = |connection: &str, side: Side| {
            let resolved = connections
                .below(connection, path)
                .and_then(|table| connections.resolve(&table, side))
                .map_err(|error| error.failure_of(side))?;
            self.context.open(side, &resolved)
        };
        let (now_ms, allowed) = (self.context.clock.now_ms(), &spec.clone.allowed_features);
        let target = match open(&spec.target, Side::Target) {
            Ok(target) => target,
            Err(failure) => return (path.to_owned(), Err(failure)),
        };
        let by_replica = prove(&target, None, before_ms, allowed, now_ms).await;
        let proof = match by_replica {
            Ok(proof) if proof.arrived.is_none() => match open(&spec.source, Side::Source) {
                Ok(source) => prove(&target, Some(&source), before_ms, allowed, now_ms).await,
                Err(failure) => Err(failure.into()),
            },
            settled => settled,
        };
        (target.uri, proof.map_err(|error| error.failure()))
    }

    async fn compare(
        &self,
        source: &Resolved,
        target: &Resolved,
        order: VerifyOrder,
    ) -> Result<VerifyReport, Failure> {
        let source = self.context.open(Side::Source, source)?;
        let target = self.context.open(Side::Target, target)?;
        let failure = |error: deepclone_delta::error::DeltaError| error.failure();
        let mut report = verify(&source, &target, order.depth).await.map_err(failure)?;
        if let Some(sample) = order.proof {
            let proven = prove_use(&target, sample, &mut report).await;
            proven.map_err(|error| error.of(Side::Target).failure())?;
        }
        if order.is_recorded {
            let verdict = KeptVerdict::of(&report, self.context.clock.now_ms());
            verdict.write(&target).await.map_err(failure)?;
        }
        Ok(report)
    }
}

#[tonic::async_trait]
impl ReplicaService for ReplicaCalls {
    async fn verify_replica(
        &self,
        request: Request<v1::VerifyReplicaRequest>,
    ) -> Result<Response<v1::VerifyReplicaResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let order = order(&request).map_err(refused)?;
        let source = self.resolve(request.source, Side::Source, "source")?;
        let target = self.resolve(request.target, Side::Target, "target")?;
        caller.concerns(target.uri.clone());
        caller.allow_replica(Some(&source), &target)?;
        let _turn = self.turn()?;
        let report = guarded(self.compare(&source, &target, order)).await.map_err(status)?;
        Ok(Response::new(show_replica::report(&source.uri, &target.uri, &report)))
    }

    async fn describe_replica(
        &self,
        request: Request<v1::DescribeReplicaRequest>,
    ) -> Result<Response<v1::ReplicaDescription>, Status> {
        let caller = Caller::of(&request);
        let target = self.resolve(body(request).target, Side::Target, "target")?;
        caller.allow_replica(None, &target)?;
        let _turn = self.turn()?;
        let table = self.context.open(Side::Target, &target).map_err(status)?;
        let described = async { describe(&table).await.map_err(|error| error.failure()) };
        let found = guarded(described).await.map_err(status)?;
        Ok(Response::new(show_replica::description(&target.uri, &found)))
    }

    async fn prove_deletion(
        &self,
        request: Request<v1::ProveDeletionRequest>,
    ) -> Result<Response<v1::ProveDeletionResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let name = names::replication(&request.replication).map_err(refused)?;
        let field = "before_time";
        let before = request.before_time.ok_or(WireError::Missing { field }).map_err(refused)?;
        let before_ms = timestamp_from_wire(before, field).map_err(refused)?;
        let fleet = self.engine.ask(EngineMessage::Fleet).await.map_err(status)?;
        let view = fleet.replications.iter().find(|view| view.spec.name == name);
        let view = view.ok_or_else(|| status(unknown_replication(&name)))?;
        caller.allow_replication(&view.spec)?;
        let _turn = self.turn()?;
        let synced = view.tables.iter().filter(|table| table.synced.is_some());
        let proofs = synced.map(|table| self.prove(&view.spec, &table.path, before_ms).boxed());
        let proofs: Vec<_> = proofs.collect();
        let proving =
            async { Ok(stream::iter(proofs).buffered(PROOFS_AT_ONCE).collect::<Vec<_>>().await) };
        let found = guarded(proving).await.map_err(status)?;
        let replicas = found.iter().map(|(uri, proof)| show_replica::deletion(uri, proof));
        Ok(Response::new(v1::ProveDeletionResponse { replicas: replicas.collect() }))
    }

    async fn read_history(
        &self,
        request: Request<v1::ReadHistoryRequest>,
    ) -> Result<Response<v1::ReadHistoryResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let commits_max = names::page_size(request.page_size).map_err(refused)? as u64;
        let below = page_token(&request.page_token).map_err(refused)?;
        let target = self.resolve(request.target, Side::Target, "target")?;
        caller.allow_replica(None, &target)?;
        let _turn = self.turn()?;
        let table = self.context.open(Side::Target, &target).map_err(status)?;
        let read = async {
            let page = history_page(&table, below, commits_max).await;
            page.map_err(|error| error.of(Side::Target).failure())
        };
        let found = guarded(read).await.map_err(status)?;
        Ok(Response::new(show_replica::history(&target.uri, &found)))
    }

    // A change goes on to its end when the caller hangs up, and is on record then, too.
    async fn vacuum_replica(
        &self,
        request: Request<v1::VacuumReplicaRequest>,
    ) -> Result<Response<v1::VacuumReplicaResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let options = vacuum_options(&request).map_err(refused)?;
        let target = self.resolve(request.target, Side::Target, "target")?;
        caller.concerns(target.uri.clone());
        if options.dry_run {
            caller.tries();
        }
        caller.allow_replica(None, &target)?;
        let _turn = self.turn()?;
        let vacuumed = guarded(vacuum_replica(&self.context, &target, &options)).await;
        let found = vacuumed.map_err(status)?;
        let (uri, objects) = (&target.uri, found.report.objects.len());
        if !options.dry_run {
            tracing::info!(uri, objects, "a vacuum has ended");
        }
        Ok(Response::new(show_replica::vacuum(uri, &found)))
    }
}

/// Reads the version below which a page of a history begins; `None` for the first page.
fn page_token(token: &str) -> Result<Option<u64>, WireError> {
    let below = Some(token).filter(|token| !token.is_empty()).map(str::parse);
    below.transpose().map_err(|_| WireError::invalid("page_token", "it is none of ours"))
}

fn vacuum_options(request: &v1::VacuumReplicaRequest) -> Result<VacuumOptions, WireError> {
    let field = "retention";
    let retain = request.retention;
    let retain = retain.map(|retain| duration_from_wire(Some(retain), field)).transpose()?;
    if request.break_time_travel && retain.is_none() {
        let why = "it is for a `retention` that is shorter than what the table says";
        return Err(WireError::invalid("break_time_travel", why));
    }
    bounds::features("allowed_features", &request.allowed_features)?;
    Ok(VacuumOptions {
        retain,
        may_break_time_travel: request.break_time_travel,
        allowed_features: request.allowed_features.clone(),
        with_log: request.with_log,
        dry_run: request.validate_only,
        ..VacuumOptions::default()
    })
}

fn order(request: &v1::VerifyReplicaRequest) -> Result<VerifyOrder, WireError> {
    let field = "sample_millionths";
    let millionths = u32::try_from(request.sample_millionths)
        .map_err(|_| WireError::invalid(field, "it is negative"))?;
    if millionths > SAMPLE_MILLIONTHS_MAX {
        return Err(WireError::invalid(field, "it is more than all"));
    }
    let seed = u64::try_from(request.seed);
    let seed = seed.map_err(|_| WireError::invalid("seed", "it is negative"))?;
    let depth = match (request.deep, millionths) {
        (true, 0) => Depth::Bytes,
        (true, _) => return Err(WireError::invalid(field, "it is not for a deep comparison")),
        (false, 0) => Depth::Sizes,
        (false, millionths) => Depth::Sample(Sample { millionths, seed }),
    };
    let proof = Sample { millionths: PROOF_MILLIONTHS, seed };
    let proof = request.proof_of_use.then_some(proof);
    Ok(VerifyOrder { depth, proof, is_recorded: request.record })
}
