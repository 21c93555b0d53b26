//! The call of `ReplicaService` that vacuums a replica, and what a vacuum did, converted from the
//! wire.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::spec::TableRef;
use deepclone_delta::vacuum::{DeletedKind, VacuumOptions, VacuumReport};
use deepclone_proto::convert::time::duration_to_wire;
use deepclone_proto::v1;
use deepclone_proto::v1::vacuum_replica_response as wire;

use super::job::milliseconds;
use super::status::{failure, malformed};
use super::{CoordinatorClient, count};

/// The most objects that are told one by one.
const OBJECTS_TOLD_MAX: usize = 1_000;

/// What a vacuum of a coordinator or of this process did, or would do.
#[derive(Clone, Debug)]
pub struct VacuumAnswer {
    /// The replica, as its connection names it without credentials.
    pub target_uri: String,
    pub version: u64,
    pub oldest_kept: u64,
    pub retention_ms: i64,
    pub kinds: BTreeMap<DeletedKind, KindSum>,
    /// The first thousand of what went.
    pub objects: Vec<DeletedInfo>,
    /// Uploads that it threw away, or would; `None` where the store lists none.
    pub uploads: Option<u64>,
    /// The vacuum only said what it would delete.
    pub is_dry_run: bool,
}

/// What of one kind went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSum {
    pub objects: u64,
    pub bytes: u64,
}

/// An object that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedInfo {
    pub key: String,
    pub kind: DeletedKind,
    pub bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
}

impl CoordinatorClient {
    /// Lets the coordinator vacuum a replica. It goes on when this process ends.
    ///
    /// # Errors
    /// Why the replica is refused, cannot be read, or an object of it cannot be deleted;
    /// `COORDINATOR_UNAVAILABLE`.
    pub async fn vacuum(
        &mut self,
        target: &TableRef,
        options: &VacuumOptions,
    ) -> Result<VacuumAnswer, Failure> {
        let request = v1::VacuumReplicaRequest {
            target: Some(target.into()),
            retention: options.retain.map(duration_to_wire),
            break_time_travel: options.may_break_time_travel,
            with_log: options.with_log,
            allowed_features: options.allowed_features.clone(),
            validate_only: options.dry_run,
        };
        let answer = self.replicas.vacuum_replica(request).await.map_err(failure)?;
        vacuumed(answer.into_inner(), options.dry_run)
    }
}

fn vacuumed(wire: v1::VacuumReplicaResponse, is_dry_run: bool) -> Result<VacuumAnswer, Failure> {
    let retention = wire.retention.unwrap_or_default();
    let millis = i64::from(retention.nanos) / 1_000_000;
    let kind_sum = |sum: wire::KindSum| {
        let (objects, bytes) = (count(sum.objects), count(sum.bytes));
        Ok((kind(&sum.kind)?, KindSum { objects, bytes }))
    };
    let deleted = |object: wire::DeletedObject| {
        Ok(DeletedInfo {
            kind: kind(&object.kind)?,
            key: object.key,
            bytes: count(object.bytes),
            modified_ms: object.write_time.as_ref().map_or(0, milliseconds),
        })
    };
    Ok(VacuumAnswer {
        target_uri: wire.target_uri,
        version: count(wire.target_version),
        oldest_kept: count(wire.oldest_kept_version),
        retention_ms: retention.seconds.saturating_mul(1_000).saturating_add(millis),
        kinds: wire.kinds.into_iter().map(kind_sum).collect::<Result<_, Failure>>()?,
        objects: wire.objects.into_iter().map(deleted).collect::<Result<_, Failure>>()?,
        uploads: wire.uploads.map(count),
        is_dry_run,
    })
}

fn kind(name: &str) -> Result<DeletedKind, Failure> {
    let kind = DeletedKind::of_name(name);
    kind.ok_or_else(|| malformed(format!("DeletedObject.kind is {name:?}")))
}

impl VacuumAnswer {
    /// Returns what a vacuum by this process did to the replica at `target_uri`.
    #[must_use]
    pub fn of(
        target_uri: &str,
        report: VacuumReport,
        uploads: Option<u64>,
        is_dry_run: bool,
    ) -> Self {
        let mut kinds: BTreeMap<DeletedKind, KindSum> = BTreeMap::new();
        for object in &report.objects {
            let sum = kinds.entry(object.kind).or_default();
            sum.objects += 1;
            sum.bytes += object.size;
        }
        let objects = report.objects.into_iter().take(OBJECTS_TOLD_MAX).map(|object| DeletedInfo {
            key: object.key,
            kind: object.kind,
            bytes: object.size,
            modified_ms: object.modified_ms,
        });
        Self {
            target_uri: target_uri.to_owned(),
            version: report.version,
            oldest_kept: report.oldest_kept,
            retention_ms: report.retention_ms,
            kinds,
            objects: objects.collect(),
            uploads,
            is_dry_run,
        }
    }

    /// Returns the sum of all kinds.
    #[must_use]
    pub fn sum(&self) -> KindSum {
        self.kinds.values().fold(KindSum::default(), |all, sum| KindSum {
            objects: all.objects + sum.objects,
            bytes: all.bytes + sum.bytes,
        })
    }
}
