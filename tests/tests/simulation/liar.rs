//! A worker that lies: it takes tasks, gives them back, and under another name reports attempts of
//! them that it was never granted.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::random;
use deepclone_proto::v1;
use deepclone_proto::v1::dispatch_service_client::DispatchServiceClient;
use deepclone_proto::v1::task_outcome::Outcome;
use deepclone_proto::v1::task_spec::Work;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::faults::Role;
use crate::network::Network;
use crate::process::Process;
use crate::site::connections;
use crate::world::World;

/// The pause between two lies.
const PAUSE: Duration = Duration::from_secs(4);

/// Lies until the end of what goes wrong.
pub(crate) async fn lie(world: Arc<World>, network: Network, until: CancellationToken) {
    let mut client = DispatchServiceClient::new(network.channel(CancellationToken::new()));
    while !until.is_cancelled() {
        // Who is not heard tries again.
        let _heard = tokio::time::timeout(PAUSE * 5, lie_once(&world, &mut client)).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn register(
    world: &Arc<World>,
    client: &mut DispatchServiceClient<Channel>,
    name: &str,
) -> Result<String, Status> {
    let process = Process::new(Role::Worker);
    let offers = connections(world, &process, false).offers().into_iter();
    let request = v1::RegisterWorkerRequest {
        name: name.to_owned(),
        protocol_min: 2,
        protocol_max: 2,
        version: "liar".to_owned(),
        connections: offers
            .map(|offer| v1::ConnectionOffer {
                name: offer.name,
                fingerprint: offer.fingerprint.to_vec(),
                can_read: offer.can_read,
                can_write: offer.can_write,
            })
            .collect(),
        held: Vec::new(),
        incarnation: random::uuid().as_bytes().to_vec(),
    };
    Ok(client.register_worker(request).await?.into_inner().worker_id)
}

async fn lie_once(
    world: &Arc<World>,
    client: &mut DispatchServiceClient<Channel>,
) -> Result<(), Status> {
    let taker = register(world, client, "taker").await?;
    let liar = register(world, client, "liar").await?;
    let request = v1::AcquireTasksRequest {
        worker_id: taker.clone(),
        bytes_free: 1 << 30,
        objects_free: 8,
        wait: Some(prost_types::Duration { seconds: 3, nanos: 0 }),
    };
    let grants = client.acquire_tasks(request).await?.into_inner().grants;
    let returned = grants.iter().filter_map(|grant| grant.task.clone()).collect();
    let request = v1::DeregisterWorkerRequest { worker_id: taker, returned };
    client.deregister_worker(request).await?;
    for later in [0, 1] {
        let outcomes: Vec<_> = grants.iter().filter_map(|grant| lie_of(grant, later)).collect();
        let count = outcomes.len();
        let request = v1::ReportTasksRequest { worker_id: liar.clone(), outcomes };
        let refused = client.report_tasks(request).await?.into_inner().refused.len();
        world.note(&format_args!("{count} lies, {refused} refused"));
    }
    let request = v1::DeregisterWorkerRequest { worker_id: liar, returned: Vec::new() };
    client.deregister_worker(request).await?;
    Ok(())
}

/// A receipt for an attempt of a task that the liar was never granted.
fn lie_of(grant: &v1::Grant, later: u32) -> Option<v1::TaskOutcome> {
    let Some(Work::Batch(batch)) = grant.spec.as_ref()?.work.as_ref() else { return None };
    let objects = batch.objects.iter().map(|object| v1::ObjectReceipt {
        size: object.size,
        crc64nvme: 7,
        proof: v1::object_receipt::Proof::ReadBack.into(),
        ..Default::default()
    });
    let receipt = v1::Receipt { objects: objects.collect(), ..Default::default() };
    let mut task = grant.task.clone()?;
    task.attempt += later;
    Some(v1::TaskOutcome { task: Some(task), outcome: Some(Outcome::Receipt(receipt)) })
}
