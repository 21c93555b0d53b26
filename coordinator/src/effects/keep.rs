//! Keeping the objects of a plan for as long as its job lives. Evidence of earlier jobs from the
//! same source goes with them: a worker proves such an object again instead of copying it.

use std::collections::HashMap;
use std::sync::Arc;

use deepclone_core::evidence::{Prior, Recorded, prior, prior_age_max_ms};
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, SourceKey, TargetKey};
use deepclone_core::task::ObjectCopy;
use deepclone_delta::sync::{self, CopyObject, CopyObjects, Work};

use super::Context;
use crate::kept_objects::KeptObjects;
use crate::state::{EVIDENCE_KEYS_MAX, KnownObject};

/// Objects that are encoded at once where nothing is known of any.
const OBJECTS_AT_ONCE: usize = 1 << 16;

/// Keeps the objects of a job's plan, each with what is known of an earlier copy from this very
/// source, unless that is too old to be proven again.
///
/// # Errors
/// The state cannot be read, or a temporary file can neither be written nor read.
pub(super) async fn objects(
    context: &Context,
    (job, target, source): (JobId, TargetKey, SourceKey),
    work: &Work,
    objects: Arc<CopyObjects>,
) -> Result<KeptObjects, Failure> {
    let of_state = |error: crate::state::StateError| error.failure();
    let head_ms = work.replica_commit_ms();
    let since_ms = context.clock.now_ms() - prior_age_max_ms(work.retention_ms());
    let has_evidence = context.store.has_evidence(target).await.map_err(of_state)?;
    let most = if has_evidence { EVIDENCE_KEYS_MAX } else { OBJECTS_AT_ONCE };
    let mut kept = KeptObjects::default();
    for start in (0..objects.len()).step_by(most) {
        let places = start..objects.len().min(start + most);
        let mut known = HashMap::new();
        if has_evidence {
            let keys = places.clone().map(|place| objects.get(place).target_path);
            let keys: Vec<&str> = keys.collect();
            let found = context.store.evidence(target, &keys, since_ms).await.map_err(of_state)?;
            known.extend(found.into_iter().map(|known| (known.evidence.key.clone(), known)));
        }
        let (objects, mut shelf) = (Arc::clone(&objects), kept);
        let append = move || {
            let kept_of = |object: CopyObject<'_>| {
                let copy = known.get(object.target_path);
                let copy = copy.map(|known| (known, recorded(known, job, head_ms)));
                object_copy(&object, copy, source)
            };
            shelf.append(places.len(), |place| kept_of(objects.get(start + place)))?;
            Ok(shelf)
        };
        kept = sync::compute(append).await.map_err(|error| error.failure())?;
    }
    Ok(kept)
}

/// What a grant tells of an object, without its key at the source where that is the target's. An
/// earlier copy of another size is none of it.
fn object_copy(
    object: &CopyObject<'_>,
    copy: Option<(&KnownObject, Recorded)>,
    source: SourceKey,
) -> ObjectCopy {
    let mut told = ObjectCopy {
        source_path: object.renamed_from.unwrap_or_default().to_owned(),
        target_path: object.target_path.to_owned(),
        size: object.size,
        size_is_minimum: object.size_is_minimum,
        prior: Prior::Absent,
    };
    let copy = copy.filter(|(known, _)| told.fits(known.evidence.size));
    told.prior = prior(copy.map(|(_, recorded)| recorded), source, object.in_use);
    told
}

/// Returns what is known of an object, for the rules of evidence. A commit of the replica that is
/// younger than the copy may be that of a coordinator with another state, and refer to the object.
fn recorded(known: &KnownObject, job: JobId, head_ms: Option<i64>) -> Recorded {
    let evidence = &known.evidence;
    let committed_since = head_ms.is_some_and(|head_ms| evidence.recorded_ms <= head_ms);
    Recorded {
        source: evidence.source,
        crc64nvme: evidence.crc64nvme,
        source_etag: evidence.source_etag.clone(),
        target_etag: evidence.target_etag.clone(),
        existed: evidence.existed,
        may_be_published: committed_since || (known.may_be_published && evidence.job != job),
    }
}
