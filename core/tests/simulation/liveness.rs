//! Once faults stop, every job ends; and only faults make one fail.

use deepclone_core::limits::NO_WORKERS_WAIT;
use deepclone_core::machine::End;
use deepclone_core::reason::Reason;

use crate::scenario::Kind;
use crate::world::World;

/// How long a job may take with a worker that moves nothing, and one that is well: it is seen to be
/// slow within 15 seconds, and the other one needs less than a minute for a task.
const WITH_A_SLOW_WORKER_MS: u64 = 120_000;

/// When all is over.
pub(crate) fn at_the_end(world: &World) {
    if world.scenario.kind == Kind::Slow {
        for (job, plan) in &world.jobs {
            // Jobs of one target go one after another.
            let most = plan.submit_ms + WITH_A_SLOW_WORKER_MS * world.jobs.len() as u64;
            let ended = world.seen.ended_ms.get(job);
            assert!(ended.is_some_and(|&at| at <= most), "{job} ended at {ended:?} ms");
        }
    }
    let ends = &world.seen.ends;
    for (job, plan) in &world.jobs {
        let Some(end) = ends.get(job) else {
            let view = world.machine.as_ref().and_then(|machine| machine.job(*job));
            panic!("{job} never ended, at {} ms: {view:?}", world.now);
        };
        match end {
            End::Succeeded { .. } => {}
            End::Cancelled => assert!(plan.cancel_ms.is_some(), "nobody cancelled {job}"),
            End::Failed(failure) => {
                let expected = match (world.scenario.kind, failure.reason) {
                    (
                        Kind::Losses | Kind::Chaos,
                        Reason::StorageUnavailable | Reason::CorruptCopy | Reason::TargetBusy,
                    ) => true,
                    // Equal names, and nobody may overwrite anything.
                    (
                        Kind::Contents,
                        Reason::TargetConflict
                        | Reason::ObjectChanged
                        | Reason::StorageUnavailable
                        | Reason::CorruptCopy
                        | Reason::TargetBusy,
                    ) => true,
                    // The newest version needs what the source lost.
                    (Kind::Vanish, Reason::ObjectVanished) => plan.damaged.is_some(),
                    (Kind::Deserted, Reason::NoWorkers) => {
                        let deserted = world.scenario.desert_ms.unwrap_or(0).max(plan.submit_ms);
                        let waited = world.seen.ended_ms[job].saturating_sub(deserted);
                        u128::from(waited) >= NO_WORKERS_WAIT.as_millis()
                    }
                    _ => false,
                };
                assert!(expected, "{job} failed: {failure:?}");
            }
        }
    }
}
