//! The calls of `ReplicaService`, and a replica as it is described, converted from the wire.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::spec::TableRef;
use deepclone_delta::describe::Description;
use deepclone_delta::verify::{
    DeepReport, Depth, Difference, DifferenceKind, ProofFigures, Sample, SecondOpinion, UseProof,
    VerifyReport,
};
use deepclone_proto::v1;
use deepclone_proto::v1::replication as wire;

use super::job::milliseconds;
use super::status::{failure, malformed};
use super::upkeep::{self, AuditVerdictInfo};
use super::{CoordinatorClient, count};

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct VerifyRequest {
    pub depth: Depth,
    /// The number that draws what is read.
    pub seed: u64,
    pub proof_of_use: bool,
    pub record: bool,
}

/// What a comparison by a coordinator found.
#[derive(Clone, Debug)]
pub struct Verified {
    pub source_uri: String,
    pub target_uri: String,
    pub report: VerifyReport,
    /// Differences that are not sent.
    pub more: u64,
}

/// A replica, as a coordinator or this process describes it. Times are in milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct ReplicaInfo {
    pub uri: String,
    pub version: u64,
    pub commit_ms: i64,
    pub table_id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub partition_columns: Vec<String>,
    pub properties: BTreeMap<String, String>,
    pub features: Vec<String>,
    pub files: u64,
    pub bytes: u64,
    pub lineage: String,
    pub source_version: u64,
    pub replication: Option<String>,
    pub last_sync: Option<LastSyncInfo>,
    pub verdict: Option<AuditVerdictInfo>,
    pub notices: Vec<String>,
}

/// A sync as a replica's log records it.
#[derive(Clone, Debug)]
pub struct LastSyncInfo {
    pub target_version: u64,
    pub time_ms: i64,
    pub job_id: String,
    pub submitter: Option<String>,
    pub mode: String,
    pub source_uri: String,
    pub source_id: String,
    pub source_time_ms: i64,
    pub partition_filter: Option<String>,
}

impl CoordinatorClient {
    /// Lets the coordinator compare a replica with its source.
    ///
    /// # Errors
    /// Why one of both cannot be read, or `COORDINATOR_UNAVAILABLE`.
    pub async fn verify(
        &mut self,
        source: &TableRef,
        target: &TableRef,
        asked: VerifyRequest,
    ) -> Result<Verified, Failure> {
        let millionths = match asked.depth {
            Depth::Sample(Sample { millionths, .. }) => millionths,
            Depth::Sizes | Depth::Bytes => 0,
        };
        let request = v1::VerifyReplicaRequest {
            source: Some(source.into()),
            target: Some(target.into()),
            deep: asked.depth == Depth::Bytes,
            sample_millionths: i32::try_from(millionths).unwrap_or(i32::MAX),
            seed: i64::try_from(asked.seed).unwrap_or(i64::MAX),
            proof_of_use: asked.proof_of_use,
            record: asked.record,
        };
        let answer = self.replicas.verify_replica(request).await.map_err(failure)?;
        verified(answer.into_inner(), asked)
    }

    /// Lets the coordinator describe a replica.
    ///
    /// # Errors
    /// Why it cannot be read, or `COORDINATOR_UNAVAILABLE`.
    pub async fn describe(&mut self, target: &TableRef) -> Result<ReplicaInfo, Failure> {
        let request = v1::DescribeReplicaRequest { target: Some(target.into()) };
        let answer = self.replicas.describe_replica(request).await.map_err(failure)?;
        ReplicaInfo::try_from(answer.into_inner())
    }
}

fn verified(wire: v1::VerifyReplicaResponse, asked: VerifyRequest) -> Result<Verified, Failure> {
    let differences = wire.differences.into_iter().map(difference);
    let differences: Vec<Difference> = differences.collect::<Result<_, _>>()?;
    let more = count(wire.differences_total).saturating_sub(differences.len() as u64);
    let second_opinion = match (wire.second_opinion_skipped, wire.second_opinion_differs) {
        (Some(reason), _) => SecondOpinion::Skipped { reason },
        (None, true) => SecondOpinion::Disagrees,
        (None, false) => SecondOpinion::Agrees,
    };
    let sample = match asked.depth {
        Depth::Sample(sample) => Some(sample),
        Depth::Sizes | Depth::Bytes => None,
    };
    let report = VerifyReport {
        source_version: count(wire.source_version),
        replica_version: count(wire.target_version),
        files: count(wire.files),
        objects: count(wire.objects),
        bytes: count(wire.bytes),
        differences,
        second_opinion,
        deep: wire.deep.map(|deep| DeepReport {
            objects: count(deep.objects),
            source_bytes_read: count(deep.source_bytes_read),
            target_bytes_read: count(deep.target_bytes_read),
            bytes: count(deep.bytes),
            bytes_total: count(deep.bytes_total),
            sample,
        }),
        proof: wire.proof.map(proof).transpose()?,
    };
    Ok(Verified { source_uri: wire.source_uri, target_uri: wire.target_uri, report, more })
}

fn difference(wire: wire::Difference) -> Result<Difference, Failure> {
    let kind = DifferenceKind::of_name(&wire.kind);
    let kind = kind.ok_or_else(|| malformed(format!("Difference.kind is {:?}", wire.kind)))?;
    Ok(Difference { kind, subject: wire.subject, detail: wire.detail })
}

fn proof(wire: wire::UseProof) -> Result<UseProof, Failure> {
    use wire::use_proof::Answer;
    let figures = ProofFigures {
        records: wire.records.map(count),
        files_read: count(wire.files_read),
        rows_read: count(wire.rows_read),
        columns_read: count(wire.columns_read),
        bytes_read: count(wire.bytes_read),
    };
    match wire.answer() {
        Answer::Unspecified => Err(malformed(format!("UseProof.answer is {}", wire.answer))),
        Answer::Proven => Ok(UseProof::Proven(figures)),
        Answer::Refuted => Ok(UseProof::Refuted(figures)),
        Answer::NotProvable => Ok(UseProof::NotProvable { reason: wire.reason }),
    }
}

impl TryFrom<v1::ReplicaDescription> for ReplicaInfo {
    type Error = Failure;

    fn try_from(wire: v1::ReplicaDescription) -> Result<Self, Failure> {
        let time = |time: Option<prost_types::Timestamp>| time.as_ref().map_or(0, milliseconds);
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let last_sync = |sync: v1::replica_description::LastSync| LastSyncInfo {
            target_version: count(sync.target_version),
            time_ms: time(sync.time),
            job_id: sync.job_id,
            submitter: given(sync.submitter),
            mode: sync.mode,
            source_uri: sync.source_uri,
            source_id: sync.source_id,
            source_time_ms: time(sync.source_time),
            partition_filter: sync.partition_filter,
        };
        Ok(Self {
            uri: wire.uri,
            version: count(wire.version),
            commit_ms: time(wire.commit_time),
            table_id: wire.table_id,
            name: wire.name,
            description: wire.description,
            partition_columns: wire.partition_columns,
            properties: wire.properties,
            features: wire.features,
            files: count(wire.files),
            bytes: count(wire.bytes),
            lineage: wire.lineage,
            source_version: count(wire.source_version),
            replication: given(wire.replication),
            last_sync: wire.last_sync.map(last_sync),
            verdict: wire.verdict.map(upkeep::verdict).transpose()?,
            notices: wire.notices,
        })
    }
}

impl ReplicaInfo {
    /// Returns what this process read of the replica at `uri`.
    #[must_use]
    pub fn of(uri: &str, found: Description) -> Self {
        let last_sync = found.last_sync.map(|record| LastSyncInfo {
            target_version: record.version,
            time_ms: record.timestamp_ms,
            job_id: record.body.sync_id.to_string(),
            submitter: record.body.submitter,
            mode: record.body.mode,
            source_uri: record.source_uri,
            source_id: record.body.source_id,
            source_time_ms: record.body.source_commit_time,
            partition_filter: record.body.partition_filter,
        });
        Self {
            uri: uri.to_owned(),
            version: found.version,
            commit_ms: found.commit_ms,
            table_id: found.metadata.id,
            name: found.metadata.name,
            description: found.metadata.description,
            partition_columns: found.metadata.partition_columns,
            properties: found.metadata.configuration,
            features: found.features,
            files: found.files,
            bytes: found.bytes,
            lineage: found.lineage,
            source_version: found.source_version,
            replication: found.owner.map(|owner| owner.name),
            last_sync,
            verdict: found.verdict.map(AuditVerdictInfo::from),
            notices: found.notices,
        }
    }
}
