//! Which failures are attempted again, when, and what a job fails with when none is left.

use std::time::Duration;

use crate::ids::TaskFingerprint;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::receipt::TaskFailureKind;

/// True when another attempt may succeed; the other kinds fail the job at once.
pub(super) fn heals(kind: TaskFailureKind) -> bool {
    match kind {
        TaskFailureKind::Transient
        | TaskFailureKind::Throttled
        | TaskFailureKind::Corrupt
        | TaskFailureKind::LeaseExpired
        | TaskFailureKind::UploadLost => true,
        TaskFailureKind::SourceNotFound
        | TaskFailureKind::SourceChanged
        | TaskFailureKind::SourceDenied
        | TaskFailureKind::TargetDenied
        | TaskFailureKind::TargetConflict => false,
    }
}

/// The side of a task at which a worker failed, perhaps by its own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    Source,
    Target,
}

/// Returns the side of a failure that may be the worker's own (its clock, its token, its mount):
/// another worker is asked before it is believed. `None` when the worker is not at fault.
pub(super) fn suspect(kind: TaskFailureKind) -> Option<Suspect> {
    match kind {
        TaskFailureKind::SourceDenied | TaskFailureKind::SourceNotFound => Some(Suspect::Source),
        TaskFailureKind::TargetDenied => Some(Suspect::Target),
        TaskFailureKind::Transient
        | TaskFailureKind::Throttled
        | TaskFailureKind::Corrupt
        | TaskFailureKind::LeaseExpired
        | TaskFailureKind::UploadLost
        | TaskFailureKind::SourceChanged
        | TaskFailureKind::TargetConflict => None,
    }
}

/// Returns what a job fails with when a task fails with this kind for good.
pub(super) fn reason(kind: TaskFailureKind) -> Reason {
    match kind {
        TaskFailureKind::Transient
        | TaskFailureKind::Throttled
        | TaskFailureKind::LeaseExpired
        | TaskFailureKind::UploadLost => Reason::StorageUnavailable,
        TaskFailureKind::SourceNotFound => Reason::ObjectVanished,
        TaskFailureKind::SourceChanged => Reason::ObjectChanged,
        TaskFailureKind::SourceDenied | TaskFailureKind::TargetDenied => Reason::PermissionDenied,
        TaskFailureKind::TargetConflict => Reason::TargetConflict,
        TaskFailureKind::Corrupt => Reason::CorruptCopy,
    }
}

/// Returns the pause after the n-th failure, n from 1: it doubles up to a bound, and half of it is
/// jitter that follows from the task and n alone.
pub(super) fn backoff(limits: &Limits, fingerprint: TaskFingerprint, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let full = limits.backoff_min.saturating_mul(1 << doublings).min(limits.backoff_max);
    let mut word = [0; 8];
    word.copy_from_slice(&fingerprint.0[..8]);
    let mixed = scramble(u64::from_be_bytes(word) ^ u64::from(failures));
    let half_ms = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX);
    Duration::from_millis(half_ms + mixed % (half_ms + 1))
}

/// The finaliser of SplitMix64: inputs that differ little give outputs that differ much.
fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_and_stay_bounded() {
        let limits = Limits::default();
        let pause = |task: u8, n| backoff(&limits, TaskFingerprint([task; 32]), n);
        for task in 0..50 {
            for n in 1..100 {
                let full = limits.backoff_min.saturating_mul(1 << (n - 1).min(20));
                let full = full.min(limits.backoff_max);
                assert!(pause(task, n) >= full / 2, "{task} {n}");
                assert!(pause(task, n) <= full, "{task} {n}");
            }
        }
        let distinct: std::collections::BTreeSet<_> = (0..50).map(|task| pause(task, 3)).collect();
        assert!(distinct.len() > 40, "{distinct:?}");
    }

    #[test]
    fn the_jitter_follows_from_the_task_and_the_failure() {
        // The first number of SplitMix64 from the seed 0.
        assert_eq!(scramble(0), 0xe220_a839_7b1d_cdaf);
        let limits = Limits::default();
        for (n, full_ms) in [(1, 500), (2, 1_000), (3, 2_000), (7, 30_000), (99, 30_000)] {
            let word = u64::from_be_bytes([3; 8]) ^ u64::from(n);
            let expected = full_ms / 2 + scramble(word) % (full_ms / 2 + 1);
            let pause = backoff(&limits, TaskFingerprint([3; 32]), n);
            assert_eq!(pause, Duration::from_millis(expected), "{n}");
        }
    }

    #[test]
    fn a_failure_that_cannot_heal_names_its_cause() {
        use TaskFailureKind as Kind;
        for (kind, again, expected) in [
            (Kind::Transient, true, Reason::StorageUnavailable),
            (Kind::Throttled, true, Reason::StorageUnavailable),
            (Kind::LeaseExpired, true, Reason::StorageUnavailable),
            (Kind::Corrupt, true, Reason::CorruptCopy),
            (Kind::SourceNotFound, false, Reason::ObjectVanished),
            (Kind::SourceChanged, false, Reason::ObjectChanged),
            (Kind::SourceDenied, false, Reason::PermissionDenied),
            (Kind::TargetDenied, false, Reason::PermissionDenied),
            (Kind::TargetConflict, false, Reason::TargetConflict),
        ] {
            assert_eq!((heals(kind), reason(kind)), (again, expected), "{kind:?}");
        }
    }
}
