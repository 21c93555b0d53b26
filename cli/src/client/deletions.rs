//! The call of `ReplicaService` that proves deletions, converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_delta::deletion::{
    DeletionArrival, DeletionProof, HiddenRows, KeysLeft, ReadableBefore, RecordedSync,
};
use deepclone_proto::convert::time::timestamp_to_wire;
use deepclone_proto::v1;
use deepclone_proto::v1::deletion_proof as wire;

use super::job::milliseconds;
use super::replication::resource;
use super::status::{failure, malformed};
use super::{CoordinatorClient, count};

/// A replica's URI, and what was found of it.
type Found = (String, Result<DeletionProof, Failure>);

impl CoordinatorClient {
    /// Returns of each replica of a replication what is left of what its source deleted up to
    /// `before_ms`.
    ///
    /// # Errors
    /// `REPLICATION_NOT_FOUND` or `COORDINATOR_UNAVAILABLE`.
    pub async fn prove_deletion(
        &mut self,
        replication: &str,
        before_ms: i64,
    ) -> Result<Vec<Found>, Failure> {
        let request = v1::ProveDeletionRequest {
            replication: resource(replication),
            before_time: Some(timestamp_to_wire(before_ms)),
        };
        let answer = self.replicas.prove_deletion(request).await.map_err(failure)?;
        answer.into_inner().replicas.into_iter().map(found).collect()
    }
}

fn found(wire: v1::DeletionProof) -> Result<Found, Failure> {
    if let Some(failed) = wire.failure {
        let failed = Failure::try_from(failed);
        let failed =
            failed.map_err(|error| malformed(format!("DeletionProof.failure: {error}")))?;
        return Ok((wire.target_uri, Err(failed)));
    }
    let is_first = wire.arrived_is_first;
    let arrived = wire.arrived.map(recorded).transpose()?;
    let proof = DeletionProof {
        version: count(wire.target_version),
        newest: wire.newest.map(recorded).transpose()?,
        arrived: arrived.map(|record| DeletionArrival { record, is_first }),
        removed: left(wire.removed),
        unreferenced: left(wire.unreferenced),
        hidden: HiddenRows { rows: count(wire.hidden_rows), files: left(wire.hidden) },
        readable: wire.readable.map(|readable| ReadableBefore {
            first: count(readable.first_version),
            last: count(readable.last_version),
            versions: count(readable.versions),
            until_ms: readable.until_time.as_ref().map(milliseconds),
        }),
        is_diverged: wire.diverged,
        notices: wire.notices,
    };
    Ok((wire.target_uri, Ok(proof)))
}

fn recorded(wire: wire::RecordedSync) -> Result<RecordedSync, Failure> {
    let sync_id = wire.job_id.parse();
    let sync_id = sync_id.map_err(|_| malformed(format!("job_id is {:?}", wire.job_id)))?;
    let time = |time: Option<prost_types::Timestamp>| time.as_ref().map_or(0, milliseconds);
    Ok(RecordedSync {
        version: count(wire.target_version),
        timestamp_ms: time(wire.time),
        source_uri: wire.source_uri,
        source_version: count(wire.source_version),
        source_commit_ms: time(wire.source_time),
        sync_id,
    })
}

fn left(wire: Option<wire::KeysLeft>) -> KeysLeft {
    let wire = wire.unwrap_or_default();
    KeysLeft { objects: count(wire.objects), bytes: count(wire.bytes), keys: wire.keys }
}
