//! What a client asks for: `CloneSpec` and its policies.

use deepclone_core::job_limits::JobLimits;
use deepclone_core::limits::BODY_BYTES_PER_SECOND_MIN;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, Repair, SourcePoint, SourceReplacedPolicy, TableRef,
    Verification,
};

use super::time::{timestamp_from_wire, timestamp_to_wire};
use super::{WireError, required, unknown_enum};
use crate::v1;

impl From<&CloneSpec> for v1::CloneSpec {
    fn from(spec: &CloneSpec) -> Self {
        Self {
            source: Some((&spec.source).into()),
            target: Some((&spec.target).into()),
            mode: mode_to_wire(spec.mode).into(),
            source_point: source_point_to_wire(spec.source_point),
            partition_filter: spec.partition_filter.clone().unwrap_or_default(),
            properties: spec.properties.clone(),
            verification: verification_to_wire(spec.verification).into(),
            divergence_policy: divergence_to_wire(spec.divergence_policy).into(),
            allowed_features: spec.allowed_features.clone(),
            source_replaced_policy: replaced_to_wire(spec.source_replaced_policy).into(),
            limits: limits_to_wire(spec.limits),
            repair: repair_to_wire(spec.repair).into(),
        }
    }
}

impl TryFrom<v1::CloneSpec> for CloneSpec {
    type Error = WireError;

    fn try_from(spec: v1::CloneSpec) -> Result<Self, WireError> {
        Ok(Self {
            source: table_from_wire(spec.source, "spec.source")?,
            target: table_from_wire(spec.target, "spec.target")?,
            mode: mode_from_wire(spec.mode)?,
            source_point: source_point_from_wire(spec.source_point)?,
            partition_filter: Some(spec.partition_filter).filter(|filter| !filter.is_empty()),
            properties: spec.properties,
            verification: match verification_from_client(spec.verification) {
                Some(verification) => verification,
                None => return Err(unknown_enum("spec.verification", spec.verification)),
            },
            divergence_policy: divergence_from_wire(spec.divergence_policy)?,
            allowed_features: spec.allowed_features,
            source_replaced_policy: replaced_from_wire(spec.source_replaced_policy)?,
            limits: limits_from_wire(spec.limits)?,
            repair: repair_from_wire(spec.repair)?,
        })
    }
}

impl From<&TableRef> for v1::TableRef {
    fn from(table: &TableRef) -> Self {
        Self { uri: table.uri.clone(), connection: table.connection.clone().unwrap_or_default() }
    }
}

/// Returns a table that a client names.
///
/// # Errors
/// It is missing, or has no URI.
pub fn table_from_wire(
    table: Option<v1::TableRef>,
    field: &'static str,
) -> Result<TableRef, WireError> {
    let table = required(table, field)?;
    if table.uri.is_empty() {
        return Err(WireError::invalid(field, "it has no uri"));
    }
    let connection = Some(table.connection).filter(|name| !name.is_empty());
    Ok(TableRef { uri: table.uri, connection })
}

/// Returns the wire form of a job's limits; `None` when there are none.
#[must_use]
pub fn limits_to_wire(limits: JobLimits) -> Option<v1::JobLimits> {
    let JobLimits { bytes_per_second, concurrency, held } = limits;
    (!limits.is_none()).then(|| v1::JobLimits {
        bytes_per_second: bytes_per_second.map(|rate| i64::try_from(rate).unwrap_or(i64::MAX)),
        concurrency: concurrency.map(|copies| i32::try_from(copies).unwrap_or(i32::MAX)),
        held: held.then_some(true),
    })
}

/// Returns the limits of a job.
///
/// # Errors
/// A limit that lets no copy go on.
pub fn limits_from_wire(limits: Option<v1::JobLimits>) -> Result<JobLimits, WireError> {
    let v1::JobLimits { bytes_per_second, concurrency, held } = limits.unwrap_or_default();
    let rate = bytes_per_second.map(|rate| {
        let enough = u64::try_from(rate).ok().filter(|rate| *rate >= BODY_BYTES_PER_SECOND_MIN);
        let why = || format!("it is {rate}: write {BODY_BYTES_PER_SECOND_MIN} or more");
        enough.ok_or_else(|| WireError::invalid("spec.limits.bytes_per_second", why()))
    });
    let copies = concurrency.map(|copies| {
        let enough = u32::try_from(copies).ok().filter(|copies| *copies >= 1);
        let why = || format!("it is {copies}: write 1 or more");
        enough.ok_or_else(|| WireError::invalid("spec.limits.concurrency", why()))
    });
    Ok(JobLimits {
        bytes_per_second: rate.transpose()?,
        concurrency: copies.transpose()?,
        held: held.unwrap_or_default(),
    })
}

fn source_point_to_wire(point: SourcePoint) -> Option<v1::clone_spec::SourcePoint> {
    use v1::clone_spec::SourcePoint as Wire;
    match point {
        SourcePoint::Newest => None,
        // Versions of a Delta log are signed 64-bit numbers.
        SourcePoint::Version(version) => {
            Some(Wire::Version(i64::try_from(version).unwrap_or(i64::MAX)))
        }
        SourcePoint::Timestamp(time_ms) => Some(Wire::Timestamp(timestamp_to_wire(time_ms))),
    }
}

fn source_point_from_wire(
    point: Option<v1::clone_spec::SourcePoint>,
) -> Result<SourcePoint, WireError> {
    use v1::clone_spec::SourcePoint as Wire;
    match point {
        None => Ok(SourcePoint::Newest),
        Some(Wire::Version(version)) => u64::try_from(version)
            .map(SourcePoint::Version)
            .map_err(|_| WireError::invalid("spec.version", format!("{version} is negative"))),
        Some(Wire::Timestamp(timestamp)) => {
            Ok(SourcePoint::Timestamp(timestamp_from_wire(timestamp, "spec.timestamp")?))
        }
    }
}

fn mode_to_wire(mode: Mode) -> v1::clone_spec::Mode {
    match mode {
        Mode::Clone => v1::clone_spec::Mode::Clone,
    }
}

fn mode_from_wire(number: i32) -> Result<Mode, WireError> {
    use v1::clone_spec::Mode as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Unspecified | Wire::Clone) => Ok(Mode::Clone),
        Ok(Wire::Mirror) => Err(WireError::NotBuilt { field: "spec.mode", value: "MIRROR" }),
        Err(_) => Err(unknown_enum("spec.mode", number)),
    }
}

/// Returns the wire form of a verification.
pub(super) fn verification_to_wire(verification: Verification) -> v1::Verification {
    match verification {
        Verification::Size => v1::Verification::Size,
        Verification::Digest => v1::Verification::Digest,
        Verification::ReadBack => v1::Verification::ReadBack,
    }
}

/// Returns the verification with this number from a client, where unspecified means the default, or
/// `None` for an unknown number.
pub(super) fn verification_from_client(number: i32) -> Option<Verification> {
    match v1::Verification::try_from(number).ok()? {
        v1::Verification::Unspecified => Some(Verification::default()),
        v1::Verification::Size => Some(Verification::Size),
        v1::Verification::Digest => Some(Verification::Digest),
        v1::Verification::ReadBack => Some(Verification::ReadBack),
    }
}

/// Returns the verification with this number from one of our processes. Unspecified is refused.
pub(super) fn verification_from_peer(number: i32) -> Result<Verification, WireError> {
    if number == i32::from(v1::Verification::Unspecified) {
        return Err(WireError::Missing { field: "verification" });
    }
    verification_from_client(number).ok_or_else(|| unknown_enum("verification", number))
}

pub(super) fn divergence_to_wire(policy: DivergencePolicy) -> v1::clone_spec::DivergencePolicy {
    match policy {
        DivergencePolicy::Fail => v1::clone_spec::DivergencePolicy::Fail,
        DivergencePolicy::Overwrite => v1::clone_spec::DivergencePolicy::Overwrite,
    }
}

pub(super) fn divergence_from_wire(number: i32) -> Result<DivergencePolicy, WireError> {
    use v1::clone_spec::DivergencePolicy as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Unspecified | Wire::Fail) => Ok(DivergencePolicy::Fail),
        Ok(Wire::Overwrite) => Ok(DivergencePolicy::Overwrite),
        Err(_) => Err(unknown_enum("spec.divergence_policy", number)),
    }
}

fn repair_to_wire(repair: Repair) -> v1::clone_spec::Repair {
    match repair {
        Repair::Nothing => v1::clone_spec::Repair::Nothing,
        Repair::Sizes => v1::clone_spec::Repair::Sizes,
        Repair::Bytes => v1::clone_spec::Repair::Bytes,
    }
}

fn repair_from_wire(number: i32) -> Result<Repair, WireError> {
    use v1::clone_spec::Repair as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Unspecified | Wire::Nothing) => Ok(Repair::Nothing),
        Ok(Wire::Sizes) => Ok(Repair::Sizes),
        Ok(Wire::Bytes) => Ok(Repair::Bytes),
        Err(_) => Err(unknown_enum("spec.repair", number)),
    }
}

pub(super) fn replaced_to_wire(
    policy: SourceReplacedPolicy,
) -> v1::clone_spec::SourceReplacedPolicy {
    match policy {
        SourceReplacedPolicy::Fail => v1::clone_spec::SourceReplacedPolicy::Refuse,
        SourceReplacedPolicy::Reclone => v1::clone_spec::SourceReplacedPolicy::Reclone,
    }
}

pub(super) fn replaced_from_wire(number: i32) -> Result<SourceReplacedPolicy, WireError> {
    use v1::clone_spec::SourceReplacedPolicy as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Unspecified | Wire::Refuse) => Ok(SourceReplacedPolicy::Fail),
        Ok(Wire::Reclone) => Ok(SourceReplacedPolicy::Reclone),
        Err(_) => Err(unknown_enum("spec.source_replaced_policy", number)),
    }
}
