//! Once faults stop, every job ends; and only faults make one fail.

use deepclone_core::limits::NO_WORKERS_WAIT;
use deepclone_core::machine::End;
use deepclone_core::reason::Reason;

use crate::scenario::Kind;
use crate::world::World;

/// When all is over.
pub(crate) fn at_the_end(world: &World) {
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
