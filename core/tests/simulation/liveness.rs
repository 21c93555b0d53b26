//! Once faults stop, every job ends; and only faults make one fail.

use deepclone_core::machine::End;
use deepclone_core::reason::Reason;

use crate::scenario::Kind;
use crate::world::World;

/// When all is over.
pub(crate) fn at_the_end(world: &World) {
    let ends = crate::safety::ends(world);
    for (job, plan) in &world.jobs {
        let Some(end) = ends.get(job) else {
            let view = world.machine.as_ref().and_then(|machine| machine.job(*job));
            panic!("{job} never ended, at {} ms: {view:?}", world.now);
        };
        match end {
            End::Succeeded { .. } => {}
            End::Cancelled => assert!(plan.cancel_ms.is_some(), "nobody cancelled {job}"),
            End::Failed(failure) => {
                let faulty = matches!(world.scenario.kind, Kind::Losses | Kind::Chaos);
                let expected = matches!(
                    failure.reason,
                    Reason::StorageUnavailable | Reason::CorruptCopy | Reason::TargetBusy
                );
                assert!(faulty && expected, "{job} failed: {failure:?}");
            }
        }
    }
}
