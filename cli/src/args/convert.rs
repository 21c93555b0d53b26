//! The one checked conversion, from unchecked arguments to `CloneSpec` and a few other values.
//!
//! What can be refused without reading a table is refused here, in one line with the flag.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deepclone_common::config::ByteRate;
use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::{JobLimits, LimitsChange};
use deepclone_core::limits::BODY_BYTES_PER_SECOND_MIN;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, Repair, SourcePoint, SourceReplacedPolicy, TableRef,
    Verification,
};
use uuid::Uuid;

use super::location::table_uri;
use super::{
    JobLimitArguments, JobLimitChange, JobListArguments, Limit, ModeArgument, OnDivergence,
    OnSourceReplaced, SpecArguments, VerifyLevel,
};
use crate::refusal::{invalid, not_built_yet};

/// Converts the arguments of a sync; `current_dir` is the base of relative paths.
///
/// # Errors
/// `INVALID_ARGUMENT` or `UNIMPLEMENTED`, with the argument.
pub fn clone_spec(
    arguments: &SpecArguments,
    limits: JobLimits,
    current_dir: &Path,
) -> Result<CloneSpec, Failure> {
    if arguments.mode == ModeArgument::Mirror {
        return Err(not_built_yet("--mode mirror"));
    }
    let (source, target) = tables(
        (&arguments.source, arguments.source_connection.as_deref()),
        (&arguments.target, arguments.target_connection.as_deref()),
        current_dir,
    )?;
    Ok(CloneSpec {
        source,
        target,
        mode: Mode::Clone,
        source_point: source_point(arguments)?,
        partition_filter: partition_filter(arguments)?,
        properties: properties(&arguments.property)?,
        verification: match arguments.verify {
            VerifyLevel::Size => Verification::Size,
            VerifyLevel::Digest => Verification::Digest,
            VerifyLevel::ReadBack => Verification::ReadBack,
        },
        divergence_policy: match arguments.on_divergence {
            OnDivergence::Fail => DivergencePolicy::Fail,
            OnDivergence::Overwrite => DivergencePolicy::Overwrite,
        },
        allowed_features: allowed_features(&arguments.allow_feature)?,
        source_replaced_policy: match arguments.on_source_replaced {
            OnSourceReplaced::Fail => SourceReplacedPolicy::Fail,
            OnSourceReplaced::Reclone => SourceReplacedPolicy::Reclone,
        },
        repair: Repair::Nothing,
        limits,
    })
}

/// Converts the limits that a job is created with.
///
/// # Errors
/// `INVALID_ARGUMENT` for a limit that lets no copy go on.
pub fn job_limits(arguments: &JobLimitArguments) -> Result<JobLimits, Failure> {
    let JobLimitArguments { job_bandwidth, job_concurrency } = *arguments;
    let bytes_per_second = job_bandwidth.map(|rate| enough("--job-bandwidth", rate)).transpose()?;
    Ok(JobLimits { bytes_per_second, concurrency: job_concurrency, held: false })
}

/// Converts a change of a job's limits.
///
/// # Errors
/// As [`job_limits`].
pub fn limits_change(arguments: &JobLimitChange) -> Result<LimitsChange, Failure> {
    let rate = |limit: Limit<ByteRate>| limit.0.map(|rate| enough("--bandwidth", rate)).transpose();
    let copies = |limit: Limit<u32>| match limit.0 {
        Some(0) => Err(invalid("--concurrency 0: write 1 or more, or none")),
        copies => Ok(copies),
    };
    Ok(LimitsChange {
        bytes_per_second: arguments.bandwidth.map(rate).transpose()?,
        concurrency: arguments.concurrency.map(copies).transpose()?,
        held: None,
    })
}

fn enough(flag: &str, rate: ByteRate) -> Result<u64, Failure> {
    let least = ByteRate(BODY_BYTES_PER_SECOND_MIN);
    match rate >= least {
        true => Ok(rate.0),
        false => Err(invalid(format!("{flag} {rate}: write {least} or more"))),
    }
}

/// Converts both tables of a command, each typed with the name of its connection.
///
/// # Errors
/// `INVALID_ARGUMENT` for a malformed path or URI.
pub fn tables(
    source: (&str, Option<&str>),
    target: (&str, Option<&str>),
    current_dir: &Path,
) -> Result<(TableRef, TableRef), Failure> {
    let source = table(Side::Source, source.0, source.1, current_dir)?;
    let target = table(Side::Target, target.0, target.1, current_dir)?;
    Ok((source, target))
}

/// Converts one table, typed with the name of its connection.
///
/// # Errors
/// `INVALID_ARGUMENT` for a malformed path or URI.
pub fn table(
    side: Side,
    typed: &str,
    connection: Option<&str>,
    current_dir: &Path,
) -> Result<TableRef, Failure> {
    let uri = table_uri(side, typed, current_dir)?;
    Ok(TableRef { uri, connection: connection.map(ToOwned::to_owned) })
}

/// Parses the id of a job, with or without the `jobs/` of its resource name.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is not a UUID.
pub fn job_id(typed: &str) -> Result<Uuid, Failure> {
    let bare = typed.strip_prefix("jobs/").unwrap_or(typed);
    bare.parse().map_err(|_| invalid(format!("{typed:?} is not a job's id: expected a UUID")))
}

fn source_point(arguments: &SpecArguments) -> Result<SourcePoint, Failure> {
    if let Some(version) = arguments.version {
        return match i64::try_from(version) {
            Ok(_) => Ok(SourcePoint::Version(version)),
            Err(_) => Err(invalid(format!("--version {version} is too large"))),
        };
    }
    let Some(text) = &arguments.timestamp else { return Ok(SourcePoint::Newest) };
    time_ms("--timestamp", text).map(SourcePoint::Timestamp)
}

/// Reads a time, as milliseconds since 1970.
///
/// # Errors
/// `INVALID_ARGUMENT` with the flag.
pub fn time_ms(flag: &str, text: &str) -> Result<i64, Failure> {
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| {
        let example = "2024-05-01T00:00:00Z";
        invalid(format!("{flag} {text:?} is not an RFC 3339 time such as {example}"))
    })?;
    Ok(time.timestamp_millis())
}

/// Returns the filter of `ListJobs` that the flags mean.
///
/// # Errors
/// `INVALID_ARGUMENT` with the flag.
pub fn job_filter(arguments: &JobListArguments) -> Result<String, Failure> {
    let JobListArguments { state, source, target, submitter, since, until, .. } = arguments;
    for (flag, time) in [("--since", since), ("--until", until)] {
        time.as_deref().map(|text| time_ms(flag, text)).transpose()?;
    }
    let state = state.as_ref().map(|state| state.to_ascii_uppercase().replace('-', "_"));
    let conditions = [
        ("state =", &state),
        ("source =", source),
        ("target =", target),
        ("submitter =", submitter),
        ("create_time >=", since),
        ("create_time <", until),
    ];
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let conditions = conditions.into_iter().filter_map(|(condition, value)| {
        value.as_deref().map(|value| format!("{condition} {}", quoted(value)))
    });
    Ok(conditions.collect::<Vec<_>>().join(" AND "))
}

fn partition_filter(arguments: &SpecArguments) -> Result<Option<String>, Failure> {
    match arguments.partition_filter.as_deref().map(str::trim) {
        Some("") => Err(invalid("--where is empty: leave it out to sync all partitions")),
        other => Ok(other.map(ToOwned::to_owned)),
    }
}

fn properties(typed: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut properties = BTreeMap::new();
    for property in typed {
        let Some((key, value)) = property.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(invalid(format!("--property {property:?} is not KEY=VALUE")));
        };
        if properties.insert(key.to_owned(), value.to_owned()).is_some_and(|old| old != value) {
            return Err(invalid(format!("--property {key} is given twice, with two values")));
        }
    }
    Ok(properties)
}

fn allowed_features(typed: &[String]) -> Result<Vec<String>, Failure> {
    if typed.iter().any(|name| name.trim().is_empty()) {
        return Err(invalid("--allow-feature is empty: give the name of a table feature"));
    }
    let names: BTreeSet<String> = typed.iter().cloned().collect();
    Ok(names.into_iter().collect())
}
