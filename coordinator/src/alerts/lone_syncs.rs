//! Syncs that are of no replication: the newest one of each target counts.

use std::collections::BTreeMap;

use deepclone_core::alert::{AlertCause, AlertDetail, Sightings};
use deepclone_core::limits::ALERTS_PER_RECEIVER_MAX;

use super::sightings::kind_of;
use crate::observers::LoneEnd;

/// The targets whose newest sync failed, and those that are well since the start.
#[derive(Debug, Default)]
pub(super) struct LoneSyncs {
    failing: BTreeMap<String, (AlertCause, AlertDetail)>,
}

impl LoneSyncs {
    /// Takes what receivers were told before the start: it lasts until a sync says otherwise.
    pub(super) fn recall(&mut self, cause: AlertCause, detail: AlertDetail) {
        // The name of a replication has no such sign.
        if cause.subject.contains("://") {
            self.failing.insert(cause.subject.clone(), (cause, detail));
        }
    }

    /// Takes the end of a sync.
    pub(super) fn ended(&mut self, end: LoneEnd) {
        let LoneEnd { target, failure, .. } = end;
        let Some(failure) = failure else {
            self.failing.remove(&target);
            return;
        };
        if !self.failing.contains_key(&target) && self.failing.len() >= ALERTS_PER_RECEIVER_MAX {
            tracing::warn!(target_uri = %target, "an alert is not kept: too many targets fail");
            return;
        }
        let reason = failure.reason.row().name.to_owned();
        let cause = AlertCause { kind: kind_of(&failure), subject: target.clone(), reason };
        let detail = AlertDetail {
            summary: format!("a sync of {target} failed ({})", cause.reason),
            error: failure.message,
            ..AlertDetail::default()
        };
        self.failing.insert(target, (cause, detail));
    }

    /// Adds the targets whose newest sync failed.
    pub(super) fn add_to(&self, found: &mut Sightings) {
        found.present.extend(self.failing.values().cloned());
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::failure::Failure;
    use deepclone_core::reason::Reason;
    use deepclone_core::unix_time::UnixTime;

    use super::*;

    #[test]
    fn the_newest_sync_of_a_target_counts() {
        let mut syncs = LoneSyncs::default();
        let mut ended = |target: &str, reason: Option<Reason>| {
            let failure = reason.map(|reason| Failure::new(reason, "it fails"));
            syncs.ended(LoneEnd { target: target.to_owned(), at: UnixTime(1), failure });
            let mut found = Sightings::default();
            syncs.add_to(&mut found);
            let line = |cause: AlertCause| format!("{} {}", cause.kind.name(), cause.subject);
            found.present.into_keys().map(line).collect::<Vec<_>>()
        };
        assert_eq!(ended("s3://a", Some(Reason::PermissionDenied)), ["sync_failed s3://a"]);
        let both = ["sync_failed s3://a", "diverged s3://b"];
        assert_eq!(ended("s3://b", Some(Reason::TargetDiverged)), both);
        assert_eq!(ended("s3://a", Some(Reason::TargetConflict)).len(), 2);
        assert_eq!(ended("s3://a", None), ["diverged s3://b"]);
        assert_eq!(ended("s3://b", None), [""; 0]);
    }
}
