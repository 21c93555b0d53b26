//! A site: one coordinator with its state, and its workers. Each starts again after its death.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::connections::{Connections, Side};
use deepclone_common::telemetry::spans::Spans;
use deepclone_coordinator::effects::Context;
use deepclone_coordinator::embedded::Embedded;
use deepclone_core::limits::{Limits, SLOTS_MAX};
use deepclone_worker::metrics::WorkerMetrics;
use deepclone_worker::{CoordinatorEndpoint, WorkerLimits, WorkerOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clouds::{NORTH, SOUTH};
use crate::faults::Role;
use crate::network::Network;
use crate::process::Process;
use crate::scenario::Scenario;
use crate::state::{KeptState, ProcessState};
use crate::store::SimulatedStore;
use crate::world::World;

/// Memory of a worker: enough for a few parts.
const MEMORY_BYTES: u64 = 64 << 20;
/// How long a worker that should leave goes on.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Both buckets, as a process sees them.
pub(crate) fn connections(
    world: &Arc<World>,
    process: &Arc<Process>,
    keeps_checksums: bool,
) -> Arc<Connections> {
    let bucket = |bucket| {
        let (world, process) = (Arc::clone(world), Arc::clone(process));
        Arc::new(SimulatedStore { world, process, bucket, keeps_checksums })
    };
    let connections = Connections::default()
        .with_store(NORTH, &format!("s3://{NORTH}"), &[Side::Source], bucket(NORTH))
        .and_then(|both| {
            both.with_store(SOUTH, &format!("s3://{SOUTH}"), &[Side::Target], bucket(SOUTH))
        });
    Arc::new(connections.unwrap())
}

/// How long a process is away.
fn downtime(world: &World) -> Duration {
    Duration::from_millis(world.lock().random.within(100..20_000))
}

/// Runs coordinators, one after another, over one state.
pub(crate) async fn coordinators(world: Arc<World>, network: Network, scenario: Arc<Scenario>) {
    let Scenario { task_objects_max, group_bytes_min, .. } = *scenario;
    let limits = Limits { task_objects_max, group_bytes_min, ..Limits::default() };
    let mut kept = Arc::new(KeptState::default());
    loop {
        let process = Process::new(Role::Coordinator);
        let connections = connections(&world, &process, scenario.keeps_checksums);
        let state = ProcessState {
            world: Arc::clone(&world),
            process: Arc::clone(&process),
            kept: Arc::clone(&kept),
        };
        let context = Context::new(connections, Arc::new(state), &limits);
        let context = context.with_clock(world.clock());
        let started = tokio::select! {
            biased;
            () = process.death.cancelled() => None,
            started = Embedded::start_in(context, limits) => Some(started),
        };
        match started {
            None => {}
            Some(Err(failure)) => world.violate(format!("no coordinator: {failure}")),
            Some(Ok(embedded)) => {
                world.note(&format_args!("a coordinator runs"));
                network.lead_to(Some((embedded.dial(), process.death.clone())));
                process.death.cancelled().await;
                network.lead_to(None);
            }
        }
        world.note(&format_args!("a coordinator died"));
        tokio::time::sleep(downtime(&world)).await;
        if scenario.loses_state && world.lock().random.chance(300) {
            world.note(&format_args!("its state is lost"));
            kept = Arc::new(KeptState::default());
        }
    }
}

/// Runs a worker, again and again.
pub(crate) async fn worker(
    world: Arc<World>,
    network: Network,
    scenario: Arc<Scenario>,
    name: String,
) {
    loop {
        let process = Process::new(Role::Worker);
        let connections = connections(&world, &process, scenario.keeps_checksums);
        let options = WorkerOptions {
            name: name.clone(),
            limits: WorkerLimits::of(MEMORY_BYTES, SLOTS_MAX, None),
            drain_max: DRAIN_MAX,
            metrics: WorkerMetrics::default(),
            spans: Spans::default(),
        };
        let channel = network.channel(process.death.clone());
        let coordinators = vec![CoordinatorEndpoint {
            url: "http://simulated".to_owned(),
            channel: channel.into(),
        }];
        let (registered, _seen) = watch::channel(None);
        let leaves = CancellationToken::new();
        let run =
            deepclone_worker::run(options, coordinators, connections, registered, leaves.clone());
        let end = tokio::select! {
            biased;
            () = process.death.cancelled() => Ok(()),
            end = run => end,
        };
        if let Err(failure) = end {
            world.violate(format!("{name} is refused: {failure}"));
        }
        world.note(&format_args!("{name} died"));
        tokio::time::sleep(downtime(&world)).await;
    }
}
