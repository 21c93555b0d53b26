//! `DispatchService`: workers register, acquire tasks, report, send heartbeats and leave.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{ConnectionKey, GrantKey, WorkerId};
use deepclone_core::limits::{ACQUIRE_WAIT_MAX, Limits};
use deepclone_core::task::Capacity;
use deepclone_proto::DISPATCH_PROTOCOLS;
use deepclone_proto::convert::outcome::outcome_from_wire;
use deepclone_proto::convert::task::told_to_wire;
use deepclone_proto::convert::time::{duration_from_wire, duration_to_wire};
use deepclone_proto::convert::{WireError, fixed_bytes};
use deepclone_proto::v1::{self, dispatch_service_server::DispatchService};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::bounds;
use super::convert::{body, refused, status};
use crate::access::caller::Caller;
use crate::access::observe::about_worker;
use crate::access::worker_owners::WorkerOwners;
use crate::driver::Handle;
use crate::driver::message::{Message, Registration, Report, TasksWanted};
use crate::driver::snapshot::WorkerDescription;

/// Serves `DispatchService` over the driver.
pub struct Dispatch {
    handle: Handle,
    limits: Limits,
    owners: WorkerOwners,
}

impl Dispatch {
    /// The driver must run with these limits: workers are told of them.
    #[must_use]
    pub fn new(handle: Handle, limits: Limits) -> Self {
        Self { handle, limits, owners: WorkerOwners::default() }
    }

    fn epoch(&self) -> u64 {
        self.handle.epoch().0
    }

    /// Returns the worker in whose name a call is made.
    fn worker(&self, text: &str, caller: &Caller) -> Result<WorkerId, Status> {
        let worker = worker_id(text).map_err(refused)?;
        caller.concerns(format!("workers/{worker}"));
        self.owners.allow(worker, caller).map_err(status)?;
        Ok(worker)
    }

    /// Allows a registration, and notes whose worker it is.
    async fn allow(&self, registration: &Registration, caller: &Caller) -> Result<(), Status> {
        caller.concerns(format!("workers/{}", registration.worker));
        if self.owners.is_full() {
            let known = self.handle.ask(Message::Workers).await.map_err(status)?;
            self.owners.keep(&known.iter().map(|known| known.worker).collect());
        }
        for (key, name) in &registration.info.names {
            let (can_read, can_write) =
                (registration.readable.contains(key), registration.writable.contains(key));
            caller.allow_offer(name, can_read, can_write)?;
        }
        self.owners.register(registration.worker, caller).map_err(status)
    }
}

#[tonic::async_trait]
impl DispatchService for Dispatch {
    async fn register_worker(
        &self,
        request: Request<v1::RegisterWorkerRequest>,
    ) -> Result<Response<v1::RegisterWorkerResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        bounds::registration(&request).map_err(refused)?;
        about_worker(&request.name);
        let protocol = protocol(&request).map_err(refused)?;
        let registration = registration(request).map_err(refused)?;
        self.allow(&registration, &caller).await?;
        let worker = registration.worker;
        let epoch = self
            .handle
            .ask(|reply| Message::Register(registration, reply))
            .await
            .map_err(status)?;
        Ok(Response::new(v1::RegisterWorkerResponse {
            leader_epoch: epoch.0,
            protocol,
            heartbeat_interval: Some(duration_to_wire(self.limits.heartbeat_interval)),
            lease_ttl: Some(duration_to_wire(self.limits.lease_ttl)),
            worker_id: worker.to_string(),
        }))
    }

    async fn acquire_tasks(
        &self,
        request: Request<v1::AcquireTasksRequest>,
    ) -> Result<Response<v1::AcquireTasksResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        let wait = duration_from_wire(request.wait, "wait").map_err(refused)?;
        let wanted = TasksWanted {
            worker: self.worker(&request.worker_id, &caller)?,
            capacity: Capacity { bytes: request.bytes_free, objects: request.objects_free },
            wait: wait.min(ACQUIRE_WAIT_MAX),
        };
        let grants =
            self.handle.ask(|reply| Message::Acquire(wanted, reply)).await.map_err(status)?;
        Ok(Response::new(v1::AcquireTasksResponse {
            leader_epoch: self.epoch(),
            grants: grants.iter().map(Into::into).collect(),
        }))
    }

    async fn report_tasks(
        &self,
        request: Request<v1::ReportTasksRequest>,
    ) -> Result<Response<v1::ReportTasksResponse>, Status> {
        let received = Instant::now();
        let caller = Caller::of(&request);
        let mut request = body(request);
        bounds::report(&mut request).map_err(refused)?;
        let worker = self.worker(&request.worker_id, &caller)?;
        let outcomes = request
            .outcomes
            .into_iter()
            .map(outcome_from_wire)
            .collect::<Result<_, _>>()
            .map_err(refused)?;
        let report = Report { worker, outcomes, received };
        let refused =
            self.handle.ask(|reply| Message::Report(report, reply)).await.map_err(status)?;
        let refused = refused.iter().map(Into::into).collect();
        Ok(Response::new(v1::ReportTasksResponse { leader_epoch: self.epoch(), refused }))
    }

    async fn send_heartbeat(
        &self,
        request: Request<v1::SendHeartbeatRequest>,
    ) -> Result<Response<v1::SendHeartbeatResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        bounds::held("held", request.held.len()).map_err(refused)?;
        let worker = self.worker(&request.worker_id, &caller)?;
        let held = request
            .held
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_, _>>()
            .map_err(refused)?;
        let beat = self
            .handle
            .ask(|reply| Message::Heartbeat(worker, held, reply))
            .await
            .map_err(status)?;
        Ok(Response::new(v1::SendHeartbeatResponse {
            leader_epoch: self.epoch(),
            abandon: beat.abandon.iter().map(Into::into).collect(),
            drain: beat.drain,
            shares: beat.shares.into_iter().map(told_to_wire).collect(),
        }))
    }

    async fn deregister_worker(
        &self,
        request: Request<v1::DeregisterWorkerRequest>,
    ) -> Result<Response<v1::DeregisterWorkerResponse>, Status> {
        let caller = Caller::of(&request);
        let request = body(request);
        bounds::held("returned", request.returned.len()).map_err(refused)?;
        let worker = self.worker(&request.worker_id, &caller)?;
        let returned = keys(request.returned).map_err(refused)?;
        self.handle.ask(|reply| Message::Leave(worker, returned, reply)).await.map_err(status)?;
        Ok(Response::new(v1::DeregisterWorkerResponse {}))
    }
}

/// Returns the highest version of the protocol that both sides speak.
fn protocol(request: &v1::RegisterWorkerRequest) -> Result<u32, WireError> {
    let (ours_min, ours_max) = (*DISPATCH_PROTOCOLS.start(), *DISPATCH_PROTOCOLS.end());
    let (theirs_min, theirs_max) = (request.protocol_min, request.protocol_max);
    let common = ours_max.min(theirs_max);
    if common < ours_min.max(theirs_min) {
        let why = format!(
            "the worker speaks {theirs_min} to {theirs_max}, the coordinator {ours_min} to \
             {ours_max}: run versions that overlap"
        );
        return Err(WireError::invalid("protocol_max", why));
    }
    Ok(common)
}

fn registration(request: v1::RegisterWorkerRequest) -> Result<Registration, WireError> {
    let incarnation: [u8; 16] = fixed_bytes(&request.incarnation, "incarnation")?;
    let (mut readable, mut writable) = (BTreeSet::new(), BTreeSet::new());
    let (mut connections, mut names) = (Vec::new(), BTreeMap::new());
    for offer in request.connections {
        let fingerprint = fixed_bytes(&offer.fingerprint, "connections.fingerprint")?;
        let key = ConnectionKey::derive(&offer.name, &fingerprint);
        if offer.can_read {
            readable.insert(key);
        }
        if offer.can_write {
            writable.insert(key);
        }
        names.insert(key, offer.name.clone());
        connections.push(offer.name);
    }
    Ok(Registration {
        worker: WorkerId::derive(&request.name, &incarnation),
        info: WorkerDescription {
            name: request.name,
            version: request.version,
            connections,
            names,
        },
        readable,
        writable,
        held: keys(request.held)?,
    })
}

fn keys(keys: Vec<v1::GrantKey>) -> Result<Vec<GrantKey>, WireError> {
    keys.into_iter().map(TryInto::try_into).collect()
}

fn worker_id(text: &str) -> Result<WorkerId, WireError> {
    let id = Uuid::parse_str(text);
    id.map(WorkerId).map_err(|_| WireError::invalid("worker_id", "it is no UUID"))
}
