//! What a repair brings back: objects of the replica's live files that are missing get their own
//! keys again; where the bytes are wrong, the right ones come under another key, in a commit that
//! swaps the two files, so that no reader ever sees a mixture.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Repair, SourcePoint, SourceReplacedPolicy,
};

use super::build::{Replica, Tables};
use super::up_to_date::{head_record, same_request};
use crate::dv;
use crate::error::DeltaError;
use crate::log;
use crate::names::Replicated;
use crate::names::repaired::{self, ObjectRole};
use crate::replica::hint::{self, ReplicaHint};
use crate::replica::{SyncRecord, last_sync};
use crate::snapshot::{self, Snapshot};
use crate::verify::{Damage, DamageKind, damage};

/// Objects that a notice is written for; of more their number is told.
const NOTICES_MAX: usize = 50;

/// What of a replica is damaged, and how it is brought back.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    /// Keys that are copied again as they are.
    pub(super) missing: BTreeSet<String>,
    /// The keys of wrong bytes, with those that the right ones get.
    moved: BTreeMap<String, String>,
    /// A line for each object, for the operator.
    pub(super) notices: Vec<String>,
}

/// Returns what a repair asks for: the version that the replica has, by its last sync.
///
/// # Errors
/// INVALID_ARGUMENT when another part, other properties or another version is asked for than the
/// last sync had; TARGET_NOT_OURS when the last sync is not known.
pub(super) fn request(
    target: &TableStore,
    synced: Option<&SyncedRequest>,
    spec: &CloneSpec,
) -> Result<CloneSpec, Failure> {
    let refused = |what: String| Failure::new(Reason::InvalidArgument, what);
    let Some(synced) = synced else {
        let message = format!(
            "the newest commit of {} is not that of a sync: repair with --on-divergence overwrite \
             undoes what another writer committed",
            target.uri
        );
        return Err(Failure::new(Reason::TargetNotOurs, message));
    };
    let version = synced.source_version;
    if !synced.is_same {
        let part = match &synced.partition_filter {
            Some(filter) => format!("--where {filter:?}"),
            None => "no --where".to_owned(),
        };
        return Err(refused(format!(
            "a repair keeps what the replica is: the last sync had {part}, and the same --property \
             must be given as then"
        )));
    }
    match spec.source_point {
        SourcePoint::Newest => {}
        SourcePoint::Version(asked) if asked == version => {}
        SourcePoint::Version(_) | SourcePoint::Timestamp(_) => {
            return Err(refused(format!(
                "a repair keeps the source's version that the replica has, {version}: leave out \
                 --version and --timestamp"
            )));
        }
    }
    Ok(CloneSpec {
        source_point: SourcePoint::Version(version),
        // Another source has nothing that this replica lacks.
        source_replaced_policy: SourceReplacedPolicy::Fail,
        ..spec.clone()
    })
}

/// What the last sync of a replica was asked for.
#[derive(Debug)]
pub(super) struct SyncedRequest {
    source_version: u64,
    partition_filter: Option<String>,
    /// Whether the repair asks for the same.
    is_same: bool,
}

impl SyncedRequest {
    pub(super) fn of_record(record: &SyncRecord, spec: &CloneSpec) -> Self {
        Self {
            source_version: record.body.source_version,
            partition_filter: record.body.partition_filter.clone(),
            is_same: same_request(record, spec),
        }
    }

    fn of_hint(hint: &ReplicaHint, spec: &CloneSpec) -> Self {
        Self {
            source_version: hint.source_version,
            partition_filter: hint.partition_filter.clone(),
            is_same: hint.partition_filter == spec.partition_filter,
        }
    }
}

/// Returns what the last sync of a replica was asked for that another writer committed to since,
/// where the policy is to overwrite that. A log that lost its record is told by the hint beside it.
///
/// # Errors
/// The replica cannot be read, or is not ours.
pub(super) async fn overwritten(
    target: &TableStore,
    spec: &CloneSpec,
) -> Result<Option<SyncedRequest>, DeltaError> {
    if spec.divergence_policy != DivergencePolicy::Overwrite {
        return Ok(None);
    }
    let replica = snapshot::read(target, &SourcePoint::Newest).await;
    let replica = replica.map_err(|error| error.of(Side::Target))?;
    let last = last_sync(target, &replica, spec.divergence_policy).await?;
    let by_record = last.record.as_ref().map(|record| SyncedRequest::of_record(record, spec));
    Ok(by_record.or_else(|| Some(SyncedRequest::of_hint(last.hint.as_ref()?, spec))))
}

/// Writes our hint beside the log again where it is lost, damaged, or of another sync than the
/// newest. Returns true when it was.
///
/// # Errors
/// The target does not answer, or cannot be written.
pub async fn restore_hint(target: &TableStore) -> Result<bool, DeltaError> {
    let Some(head) = log::head(target).await? else { return Ok(false) };
    let Some(record) = head_record(target, head).await? else { return Ok(false) };
    if hint::read(target).await?.is_some_and(|hint| hint.version == record.version) {
        return Ok(false);
    }
    hint::write(target, &record).await?;
    Ok(true)
}

/// Finds what is damaged of the objects that `wanted` and the replica share.
///
/// # Errors
/// A store does not answer.
pub(super) async fn find(
    tables: Tables<'_>,
    (wanted, sources): (&Snapshot, &BTreeMap<String, String>),
    replica: &Replica,
    repair: Repair,
) -> Result<Repairs, DeltaError> {
    let reads_bytes = match repair {
        Repair::Nothing => return Ok(Repairs::default()),
        Repair::Sizes => false,
        Repair::Bytes => true,
    };
    let Tables { source, target } = tables;
    let sides = (source, target, sources);
    let found = damage(sides, wanted, &replica.snapshot, reads_bytes).await?;
    let mut vectors = BTreeSet::new();
    for add in wanted.files.values() {
        vectors.extend(dv::object_of(&target.uri, add)?.map(|(path, _)| path));
    }
    let mut repairs = Repairs::default();
    for Damage { key, kind } in found {
        let told = match kind {
            DamageKind::Missing => {
                let told = format!("repair: {key} is missing and is copied again");
                repairs.missing.insert(key);
                told
            }
            DamageKind::Wrong(detail) => {
                let role =
                    if vectors.contains(&key) { ObjectRole::Vectors } else { ObjectRole::DataFile };
                let next = repaired::next(role, &replica.snapshot.metadata.id, &key);
                let told = format!("repair: {key} is wrong ({detail}): {next} takes its place");
                repairs.moved.insert(key, next);
                told
            }
            DamageKind::Unproven(detail) => {
                format!("repair: {key} cannot be judged ({detail}): it stays as it is")
            }
        };
        repairs.notices.push(told);
    }
    let more = repairs.notices.len().saturating_sub(NOTICES_MAX);
    if more > 0 {
        repairs.notices.truncate(NOTICES_MAX);
        repairs.notices.push(format!("repair: and {more} objects more"));
    }
    Ok(repairs)
}

impl Repairs {
    /// Gives the files with wrong bytes the keys that the right ones get.
    ///
    /// # Errors
    /// Two files would have one key.
    pub(super) fn swap(
        &self,
        target: &TableStore,
        replicated: &mut Replicated,
    ) -> Result<(), DeltaError> {
        replicated.rename(target, &self.moved)
    }
}
