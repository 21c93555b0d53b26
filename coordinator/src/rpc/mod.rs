//! The gRPC services: they check wire types, ask the driver, and return wire types. They decide
//! nothing.
//!
//! * [`jobs`]: `JobService`, for clients.
//! * [`workers`]: `WorkerService`, for operators.
//! * [`replications`]: `ReplicationService`, for clients.
//! * [`replicas`]: `ReplicaService`, for clients; `show_replica`: what it found as wire types.
//! * [`costs`]: `CostService`, for clients.
//! * [`audit`]: `AuditService`, for operators.
//! * [`dispatch`]: `DispatchService`, for workers.
//! * [`accept`]: a spec resolved and checked before anything else happens.
//! * `bounds`: the sizes of what clients and workers send.
//! * `convert`: requests → their bodies; failures → statuses.
//! * `unread`: streams whose client stops reading.
//! * `update`: what a client changes of a job.
//! * `show`: snapshots of the driver → wire types; `show_replication`: those of replications.
//! * `show_upkeep`: their audits and vacuums.
//! * `month_usage`: what replications sent in their months.
//! * `names`: resource names, pages, filters.

pub mod accept;
pub mod audit;
mod bounds;
mod convert;
pub mod costs;
pub mod dispatch;
mod job_filter;
pub mod jobs;
mod month_usage;
mod names;
pub mod replicas;
pub mod replications;
mod show;
mod show_replica;
mod show_replication;
mod show_upkeep;
mod unread;
mod update;
pub mod workers;

use deepclone_core::failure::Failure;
use deepclone_core::limits::{Limits, MESSAGE_BYTES_MAX};
use deepclone_core::reason::Reason;
use deepclone_proto::FILE_DESCRIPTOR_SET;
use deepclone_proto::v1::audit_service_server::AuditServiceServer;
use deepclone_proto::v1::cost_service_server::CostServiceServer;
use deepclone_proto::v1::dispatch_service_server::DispatchServiceServer;
use deepclone_proto::v1::job_service_server::JobServiceServer;
use deepclone_proto::v1::replica_service_server::ReplicaServiceServer;
use deepclone_proto::v1::replication_service_server::ReplicationServiceServer;
use deepclone_proto::v1::worker_service_server::WorkerServiceServer;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

use self::audit::AuditCalls;
use self::costs::CostCalls;
use self::replicas::ReplicaCalls;
use self::replications::ReplicationCalls;
pub use self::show::state_name;
use crate::driver::Handle;
use crate::effects::Context;
use crate::replications::message::Replications;

/// Returns every service of the coordinator, with health.
pub async fn routes(
    handle: Handle,
    engine: Replications,
    context: Context,
    limits: Limits,
) -> Routes {
    let replications = ReplicationCalls::new(engine.clone(), context.clone());
    let replications =
        ReplicationServiceServer::new(replications).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let costs = CostServiceServer::new(CostCalls::new(context.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let audit = AuditServiceServer::new(AuditCalls::new(context.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let replicas = ReplicaServiceServer::new(ReplicaCalls::new(engine, context.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let jobs = JobServiceServer::new(jobs::Jobs::new(handle.clone(), context))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let workers = WorkerServiceServer::new(workers::Workers::new(handle.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let dispatch = DispatchServiceServer::new(dispatch::Dispatch::new(handle, limits))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<JobServiceServer<jobs::Jobs>>().await;
    reporter.set_serving::<WorkerServiceServer<workers::Workers>>().await;
    reporter.set_serving::<DispatchServiceServer<dispatch::Dispatch>>().await;
    reporter.set_serving::<ReplicationServiceServer<ReplicationCalls>>().await;
    reporter.set_serving::<ReplicaServiceServer<ReplicaCalls>>().await;
    reporter.set_serving::<CostServiceServer<CostCalls>>().await;
    reporter.set_serving::<AuditServiceServer<AuditCalls>>().await;
    Routes::default()
        .add_service(jobs)
        .add_service(workers)
        .add_service(replications)
        .add_service(replicas)
        .add_service(costs)
        .add_service(audit)
        .add_service(dispatch)
        .add_service(health)
}

/// Adds reflection, for clients that come with no descriptors. It takes longer to prepare than all
/// else: a coordinator inside a process of ours goes without.
///
/// # Errors
/// The descriptors do not fit together, which is a bug.
pub fn with_reflection(routes: Routes) -> Result<Routes, Failure> {
    let broken = |error: tonic_reflection::server::Error| {
        Failure::new(Reason::Internal, format!("the descriptors are broken: {error}"))
    };
    Ok(routes
        .add_service(descriptors().build_v1().map_err(broken)?)
        .add_service(descriptors().build_v1alpha().map_err(broken)?))
}

fn descriptors<'a>() -> Builder<'a> {
    Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        // The details that errors carry.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
