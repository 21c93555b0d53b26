//! Vacuums of ours beside the syncs, by processes that may die. What they remove was never needed:
//! the checkers excuse nobody of ours.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::store::table::TableStore;
use deepclone_core::reason::Reason;
use deepclone_delta::vacuum::{VacuumOptions, vacuum};
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::clouds::SOUTH;
use crate::faults::Role;
use crate::process::Process;
use crate::store::SimulatedStore;
use crate::world::World;

/// How long vacuums keep what was removed, and what no commit names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    /// What the replicas say.
    pub(crate) retention_seconds: u64,
    pub(crate) breaks_time_travel: bool,
}

/// Vacuums a replica again and again, until the end of what goes wrong.
pub(crate) async fn repeat(
    world: Arc<World>,
    target: &'static str,
    (every_ms, kept): (u64, Keeping),
    until: CancellationToken,
) {
    let mut random = world.lock().random.fork();
    loop {
        let pause = Duration::from_millis(random.within(every_ms / 2..every_ms * 3 / 2));
        tokio::select! {
            biased;
            () = until.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let process = Process::new(Role::Vacuum);
        tokio::select! {
            biased;
            () = process.death.cancelled() => world.note(&format_args!("a vacuum died")),
            () = once(&world, &process, target, kept) => {}
        }
    }
}

async fn once(world: &Arc<World>, process: &Arc<Process>, target: &str, kept: Keeping) {
    let (shared, process) = (Arc::clone(world), Arc::clone(process));
    let store = SimulatedStore { world: shared, process, bucket: SOUTH, keeps_checksums: false };
    let uri = format!("s3://{SOUTH}/{target}");
    let table = TableStore { store: Arc::new(store), root: Path::from(target), uri, large: None };
    // A run is shorter than two days: here nothing is kept longer than the replica says, and in
    // half of the runs what was removed goes at once.
    let unreferenced_kept_min = Duration::from_secs(kept.retention_seconds);
    let retain = kept.breaks_time_travel.then_some(Duration::ZERO);
    let options = VacuumOptions {
        retain,
        may_break_time_travel: true,
        unreferenced_kept_min,
        ..VacuumOptions::default()
    };
    match vacuum(&table, &options, &world.clock(), &|_, _| ()).await {
        Ok(report) => {
            world.note(&format_args!("a vacuum of {target}: {} gone", report.objects.len()));
            world.lock().vacuumed += report.objects.len() as u64;
        }
        Err(error) => {
            let failure = error.failure();
            let is_expected = matches!(
                failure.reason,
                Reason::StorageUnavailable | Reason::TargetBusy | Reason::NotADeltaTable
            );
            match is_expected {
                true => world.note(&format_args!("a vacuum of {target} failed: {failure}")),
                false => world.violate(format!("a vacuum of {target} failed: {failure}")),
            }
        }
    }
}
