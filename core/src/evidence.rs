//! What proves that the target holds an object's bytes, and for how long (I6).
//!
//! *Evidence* is what a receipt recorded of one object. It serves only the source that the bytes
//! were read from. A publication relies on it without looking at the object while it is fresh: a
//! VACUUM of the replica deletes objects that no commit refers to once they are old. Evidence of
//! an earlier job is handed to a worker as a [`Prior`], and the worker proves it again with
//! [`judge`] before it skips the copy.

use crate::ids::SourceKey;
use crate::limits::EVIDENCE_FRESH_MAX;
use crate::receipt::Proof;

/// What is at the target under an object's key before the copy, as far as the plan knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prior {
    /// Nothing, as far as is known.
    #[default]
    Absent,
    /// An object of the replica, with unknown bytes.
    Unproven,
    /// An earlier copy from the same source.
    Copied(PriorCopy),
}

/// What the receipt of an earlier copy recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorCopy {
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// The source's entity tag when they were read; empty where it has none.
    pub source_etag: String,
    /// The target's entity tag after they were written; empty where it has none.
    pub target_etag: String,
    /// True when the copy was written by a sync that was never published: no commit can refer to
    /// it, so it may be replaced.
    pub replaceable: bool,
}

/// What an earlier receipt recorded of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The source that the copy was made from.
    pub source: SourceKey,
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// The source's entity tag when they were read; empty where it has none.
    pub source_etag: String,
    /// The target's entity tag after the copy; empty where it has none.
    pub target_etag: String,
    /// True when the copy found the object instead of writing it.
    pub existed: bool,
    /// True when a commit of another job that refers to it may be in the target's log.
    pub may_be_published: bool,
}

/// What a worker is told of the target's object before it copies one from `source`. `in_use`: the
/// replica's head refers to the key.
#[must_use]
pub fn prior(recorded: Option<Recorded>, source: SourceKey, in_use: bool) -> Prior {
    match recorded.filter(|recorded| recorded.source == source) {
        Some(recorded) => Prior::Copied(PriorCopy {
            crc64nvme: recorded.crc64nvme,
            source_etag: recorded.source_etag,
            target_etag: recorded.target_etag,
            replaceable: !in_use && !recorded.existed && !recorded.may_be_published,
        }),
        None if in_use => Prior::Unproven,
        None => Prior::Absent,
    }
}

/// An object as its store describes it, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub size: u64,
    /// Entity tag; empty where there is none.
    pub etag: String,
    /// CRC-64/NVME of the whole object, where the store keeps one.
    pub crc64nvme: Option<u64>,
}

/// What two descriptions tell of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target holds the source's bytes, which have this digest.
    Same {
        /// CRC-64/NVME of the bytes.
        crc64nvme: u64,
        /// A stored checksum, or unchanged tags.
        proof: Proof,
    },
    /// It holds other bytes.
    Different,
    /// It holds the source's bytes if they have this digest: read them at the target.
    ReadTarget {
        /// CRC-64/NVME of the source's bytes.
        crc64nvme: u64,
    },
    /// The source's bytes must be read: nothing tells their digest.
    ReadSource,
}

/// Decides whether the target holds the source's bytes, without reading the source where a stored
/// checksum or an unchanged entity tag tells its digest.
#[must_use]
pub fn judge(prior: &Prior, source: &Described, target: &Described) -> Verdict {
    if source.size != target.size {
        return Verdict::Different;
    }
    if let (Some(read), Some(stored)) = (source.crc64nvme, target.crc64nvme) {
        return match read == stored {
            true => Verdict::Same { crc64nvme: read, proof: Proof::StoredChecksum },
            false => Verdict::Different,
        };
    }
    if let Prior::Copied(copy) = prior
        && same_object(&copy.source_etag, &source.etag)
    {
        let crc64nvme = copy.crc64nvme;
        return match same_object(&copy.target_etag, &target.etag) {
            true => Verdict::Same { crc64nvme, proof: Proof::Earlier },
            false => Verdict::ReadTarget { crc64nvme },
        };
    }
    match source.crc64nvme {
        Some(crc64nvme) => Verdict::ReadTarget { crc64nvme },
        None => Verdict::ReadSource,
    }
}

/// True when two entity tags name the same bytes: both strong, and equal.
#[must_use]
pub fn same_object(left: &str, right: &str) -> bool {
    !left.is_empty() && !left.starts_with("W/") && left == right
}

/// True when a bad object at the target, tagged `target_etag` now, is what an unpublished sync of
/// ours wrote there: it may be deleted and copied again.
#[must_use]
pub fn is_replaceable(prior: &Prior, target_etag: &str) -> bool {
    match prior {
        Prior::Copied(copy) => copy.replaceable && same_object(&copy.target_etag, target_etag),
        Prior::Absent | Prior::Unproven => false,
    }
}

/// How long evidence of an earlier job is worth a second look, in milliseconds.
#[must_use]
pub fn prior_age_max_ms(retention_ms: i64) -> i64 {
    retention_ms.max(0) / 2
}

/// What a publication asks of one object's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The source that the evidence was made with.
    pub source: SourceKey,
    /// True when the job that publishes made it.
    pub is_own: bool,
    /// True when the copy found the object instead of writing it: it may be old enough for a
    /// VACUUM whatever the evidence's own age is.
    pub existed: bool,
    /// Milliseconds since the object was seen.
    pub age_ms: i64,
}

/// True when a publication from `source` may rely on the evidence without looking at the object;
/// `retention_ms` is how long the target keeps objects that no commit refers to.
#[must_use]
pub fn is_fresh(evidence: &Freshness, source: SourceKey, retention_ms: i64) -> bool {
    let fresh_ms_max = i64::try_from(EVIDENCE_FRESH_MAX.as_millis()).unwrap_or(i64::MAX);
    let age_ms_max = prior_age_max_ms(retention_ms).min(fresh_ms_max);
    evidence.is_own
        && !evidence.existed
        && evidence.source == source
        && (0..age_ms_max).contains(&evidence.age_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(size: u64, etag: &str, crc64nvme: Option<u64>) -> Described {
        Described { size, etag: etag.to_owned(), crc64nvme }
    }

    fn copied(source_etag: &str, target_etag: &str, replaceable: bool) -> Prior {
        let (source_etag, target_etag) = (source_etag.to_owned(), target_etag.to_owned());
        Prior::Copied(PriorCopy { crc64nvme: 7, source_etag, target_etag, replaceable })
    }

    #[test]
    fn the_source_is_read_only_when_nothing_tells_its_digest() {
        let same = |proof| Verdict::Same { crc64nvme: 7, proof };
        let (stored, earlier) = (same(Proof::StoredChecksum), same(Proof::Earlier));
        let read_target = Verdict::ReadTarget { crc64nvme: 7 };
        let (none, unproven) = (Prior::Absent, Prior::Unproven);
        let seen = copied("s", "t", false);
        for (prior, source, target, expect) in [
            (&none, (9, "s", Some(7)), (9, "t", Some(7)), stored),
            (&none, (9, "s", Some(7)), (9, "t", Some(8)), Verdict::Different),
            (&none, (9, "s", Some(7)), (8, "t", Some(7)), Verdict::Different),
            (&unproven, (9, "s", Some(7)), (9, "t", None), read_target),
            (&unproven, (9, "s", None), (9, "t", Some(7)), Verdict::ReadSource),
            // Equal tags of two stores prove nothing.
            (&unproven, (9, "x", None), (9, "x", None), Verdict::ReadSource),
            (&seen, (9, "s", None), (9, "t", None), earlier),
            (&seen, (9, "s", None), (9, "other", None), read_target),
            (&seen, (9, "other", None), (9, "t", None), Verdict::ReadSource),
            (&seen, (8, "s", None), (9, "t", None), Verdict::Different),
            // Stored checksums are stronger than what was recorded.
            (&seen, (9, "s", Some(7)), (9, "t", Some(7)), stored),
            (&seen, (9, "s", Some(1)), (9, "t", Some(2)), Verdict::Different),
            (&copied("", "", false), (9, "", None), (9, "", None), Verdict::ReadSource),
            (&copied("W/s", "t", false), (9, "W/s", None), (9, "t", None), Verdict::ReadSource),
            (&copied("s", "W/t", false), (9, "s", None), (9, "W/t", None), read_target),
        ] {
            let (source, target) =
                (described(source.0, source.1, source.2), described(target.0, target.1, target.2));
            assert_eq!(judge(prior, &source, &target), expect, "{prior:?} {source:?} {target:?}");
        }
    }

    #[test]
    fn a_record_serves_its_own_source_and_may_be_replaced_only_before_any_commit() {
        let (source, other) = (SourceKey([1; 32]), SourceKey([2; 32]));
        let recorded = |source, existed, may_be_published| Recorded {
            source,
            crc64nvme: 7,
            source_etag: "s".to_owned(),
            target_etag: "t".to_owned(),
            existed,
            may_be_published,
        };
        for (recorded, in_use, expect) in [
            (None, false, Prior::Absent),
            (None, true, Prior::Unproven),
            (Some(recorded(other, false, false)), false, Prior::Absent),
            (Some(recorded(other, false, false)), true, Prior::Unproven),
            (Some(recorded(source, false, false)), false, copied("s", "t", true)),
            (Some(recorded(source, false, false)), true, copied("s", "t", false)),
            (Some(recorded(source, true, false)), false, copied("s", "t", false)),
            (Some(recorded(source, false, true)), false, copied("s", "t", false)),
        ] {
            assert_eq!(prior(recorded.clone(), source, in_use), expect, "{recorded:?} {in_use}");
        }
    }

    #[test]
    fn only_an_object_of_an_unpublished_sync_may_be_replaced() {
        for (prior, etag, expect) in [
            (copied("s", "t", true), "t", true),
            (copied("s", "t", false), "t", false),
            (copied("s", "t", true), "other", false),
            (copied("s", "", true), "", false),
            (Prior::Unproven, "t", false),
            (Prior::Absent, "t", false),
        ] {
            assert_eq!(is_replaceable(&prior, etag), expect, "{prior:?} {etag}");
        }
    }

    #[test]
    fn evidence_ages_by_the_targets_retention() {
        const HOUR_MS: i64 = 3_600_000;
        const WEEK_MS: i64 = 7 * 24 * HOUR_MS;
        let (source, other) = (SourceKey([1; 32]), SourceKey([2; 32]));
        let own = Freshness { source, is_own: true, existed: false, age_ms: 0 };
        for (evidence, retention_ms, expect) in [
            (own, WEEK_MS, true),
            (Freshness { age_ms: 24 * HOUR_MS - 1, ..own }, WEEK_MS, true),
            (Freshness { age_ms: 24 * HOUR_MS, ..own }, WEEK_MS, false),
            (Freshness { age_ms: HOUR_MS / 2 - 1, ..own }, HOUR_MS, true),
            (Freshness { age_ms: HOUR_MS / 2, ..own }, HOUR_MS, false),
            (own, 0, false),
            (own, -1, false),
            // A clock that was set back tells nothing.
            (Freshness { age_ms: -1, ..own }, WEEK_MS, false),
            (Freshness { existed: true, ..own }, WEEK_MS, false),
            (Freshness { is_own: false, ..own }, WEEK_MS, false),
            (Freshness { source: other, ..own }, WEEK_MS, false),
        ] {
            assert_eq!(is_fresh(&evidence, source, retention_ms), expect, "{evidence:?}");
        }
    }
}
