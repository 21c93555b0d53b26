//! The replica's metadata: the source's, without what belongs to the source alone, with the
//! properties that were asked for, under the replica's own id.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use sha2::{Digest, Sha256};

use super::equality::canonical;
use super::{CommitTime, Configuration, further_marks};
use crate::actions::{Metadata, Protocol};
use crate::features::{
    Family, WRITER_LISTS, has_change_data_feed, has_in_commit_timestamps, is_refused_alone,
    supports_any, switched_on,
};
use crate::publish::checkpoint::duration_ms;
use crate::snapshot::Snapshot;

/// Properties of the source that mean nothing at the replica, by prefix.
const STRIPPED: &[&str] = &[
    "delta.universalFormat.",
    "io.unitycatalog.",
    "delta.requireCheckpointProtectionBeforeVersion",
    "delta.coordinatedCommits.",
    ENABLEMENT_VERSION,
    ENABLEMENT_TIMESTAMP,
];

/// Properties that engines manage themselves, by prefix: nobody sets them from outside.
const RESERVED: &[&str] = &[
    "delta.columnMapping.",
    "delta.constraints.",
    "delta.feature.",
    "delta.identity.",
    "delta.minReaderVersion",
    "delta.minWriterVersion",
    "delta.redirect",
    "delta.rowTracking.",
    ROW_TRACKING_SUSPENDED,
];

/// The version in which in-commit timestamps were turned on.
pub(crate) const ENABLEMENT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
/// The in-commit timestamp of that version.
pub(crate) const ENABLEMENT_TIMESTAMP: &str = "delta.inCommitTimestampEnablementTimestamp";
const ROW_TRACKING_SUSPENDED: &str = "delta.rowTrackingSuspended";

/// The source's properties as the replica shall have them, without its own time keeping.
pub(crate) fn configuration(
    source: &Metadata,
    overrides: &Configuration,
) -> Result<Configuration, Failure> {
    let mut result: Configuration = source
        .configuration
        .iter()
        .filter(|(key, _)| !starts_with_any(key, STRIPPED))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let before = families(&result);
    for (key, value) in overrides {
        if starts_with_any(key, STRIPPED) || starts_with_any(key, RESERVED) {
            return Err(refused(key, "it is managed by the table format, not by users"));
        }
        if let Some(expected) = misspelled(key, value) {
            return Err(refused(key, &format!("{value:?} is not {expected}")));
        }
        result.insert(key.clone(), value.clone());
        if let Some(family) = families(&result).difference(&before).next() {
            let feature = family.first().copied().unwrap_or_default();
            let why = format!("it would activate the table feature {feature}");
            return Err(refused(key, &why).with("feature", feature));
        }
    }
    Ok(result)
}

/// Takes away the properties that would activate a feature which the source's protocol does not
/// support and that would not be without effect at the replica: because it supports the feature,
/// or because Spark refuses to read it (any protocol with lists that lack the feature, and some
/// properties in every protocol). The others stay. Returns a notice for each that is left out.
pub(crate) fn leave_out_inert(
    configuration: &mut Configuration,
    source: &Snapshot,
    replica: &Protocol,
) -> Vec<String> {
    let schema = &source.metadata.schema_string;
    let mut notices = Vec::new();
    for switch in switched_on(configuration) {
        let is_heeded = replica.min_writer_version >= WRITER_LISTS
            || supports_any(replica, switch.family)
            || is_refused_alone(&switch, schema);
        if supports_any(&source.protocol, switch.family) || !is_heeded {
            continue;
        }
        configuration.remove(&switch.property);
        notices.push(format!(
            "the property {} is left out: the source's protocol does not support {}, so it has no \
             effect there",
            switch.property,
            switch.family.first().copied().unwrap_or_default()
        ));
    }
    notices
}

fn families(configuration: &Configuration) -> BTreeSet<Family> {
    switched_on(configuration).into_iter().map(|switch| switch.family).collect()
}

/// What the property's value should be and is not: Spark cannot read a table any more that keeps a
/// duration or number which it cannot parse.
fn misspelled(key: &str, value: &str) -> Option<&'static str> {
    let number = |min: i64| value.trim().parse::<i64>().is_ok_and(|number| number >= min);
    let (fits, expected) = match key {
        "delta.checkpointInterval" | "delta.randomPrefixLength" => {
            (number(1), "a number of at least 1")
        }
        "delta.dataSkippingNumIndexedCols" => (number(-1), "a number of at least -1"),
        "delta.deletedFileRetentionDuration"
        | "delta.logRetentionDuration"
        | "delta.setTransactionRetentionDuration" => {
            (duration_ms(value).is_some(), "a duration such as \"interval 7 days\"")
        }
        "delta.appendOnly"
        | "delta.checkpoint.writeStatsAsJson"
        | "delta.checkpoint.writeStatsAsStruct"
        | "delta.enableExpiredLogCleanup"
        | "delta.randomizeFilePrefixes" => (is_bool(value), "true or false"),
        _ if key.starts_with("delta.enable") => (is_bool(value), "true or false"),
        _ => (true, ""),
    };
    (!fits).then_some(expected)
}

fn is_bool(value: &str) -> bool {
    ["true", "false"].iter().any(|known| value.trim().eq_ignore_ascii_case(known))
}

/// Row tracking that the source dropped and the replica still lists is suspended: our `add`s
/// carry no row ids.
pub(super) fn suspend_row_tracking(
    configuration: &mut Configuration,
    source: &Protocol,
    replica: &Protocol,
) {
    let lists = |protocol: &Protocol| supports_any(protocol, &["rowTracking"]);
    if lists(replica) && !lists(source) {
        configuration.insert(ROW_TRACKING_SUSPENDED.to_owned(), "true".to_owned());
    }
}

/// How the commit tells its time, and the replica's own enablement properties carried over.
pub(super) fn commit_time(
    configuration: &mut Configuration,
    protocol: &Protocol,
    replica: Option<&Snapshot>,
) -> CommitTime {
    if !has_in_commit_timestamps(protocol, configuration) {
        return CommitTime::FileTime;
    }
    let Some(replica) = replica else {
        return CommitTime::InCommit { above_ms: 0 };
    };
    let above_ms = replica.ict.unwrap_or(replica.commit_ms);
    if !has_in_commit_timestamps(&replica.protocol, &replica.metadata.configuration) {
        return CommitTime::TurnsOn { above_ms };
    }
    for key in [ENABLEMENT_VERSION, ENABLEMENT_TIMESTAMP] {
        if let Some(value) = replica.metadata.configuration.get(key) {
            configuration.insert(key.to_owned(), value.clone());
        }
    }
    CommitTime::InCommit { above_ms }
}

/// What an operator should know where the replica's change data feed turns on: told once, not by
/// every sync that follows.
pub(super) fn feed_notice(
    described: &Metadata,
    protocol: &Protocol,
    replica: Option<&Snapshot>,
) -> Option<String> {
    let had_feed = replica.is_some_and(|replica| {
        has_change_data_feed(&replica.protocol, &replica.metadata.configuration)
    });
    let turns_on = has_change_data_feed(protocol, &described.configuration) && !had_feed;
    turns_on.then(|| {
        "the source's change data feed is on: the replica's own is coarser, with one version a \
         sync and whole files removed and added; the source's change files are not copied"
            .to_owned()
    })
}

/// The metadata action under the replica's own id: kept once there is one, else derived from the
/// sync that makes the replica.
pub(super) fn build(
    source: &Metadata,
    configuration: Configuration,
    replica: Option<&Metadata>,
    sync: JobId,
) -> Metadata {
    let schema_string = match replica {
        Some(replica) => further_marks(&source.schema_string, &replica.schema_string),
        None => source.schema_string.clone(),
    };
    Metadata {
        schema_string,
        id: replica.map_or_else(|| new_id(sync), |replica| replica.id.clone()),
        created_time: replica.and_then(|replica| replica.created_time),
        configuration,
        ..source.clone()
    }
}

/// True when the two say the same.
pub(super) fn same(left: &Metadata, right: &Metadata) -> bool {
    let unknown = |metadata: &Metadata| -> BTreeMap<String, Option<String>> {
        metadata.unknown.iter().map(|(key, raw)| (key.clone(), canonical(raw.get()))).collect()
    };
    left.id == right.id
        && left.name == right.name
        && left.description == right.description
        && canonical(left.format.get()) == canonical(right.format.get())
        && left.schema_string == right.schema_string
        && left.partition_columns == right.partition_columns
        && left.configuration == right.configuration
        && unknown(left) == unknown(right)
}

fn new_id(sync: JobId) -> String {
    let digest = Sha256::new().chain_update(b"replica\0").chain_update(sync.0).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
}

fn starts_with_any(key: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}

fn refused(key: &str, why: &str) -> Failure {
    Failure::new(
        Reason::InvalidArgument,
        format!("the property {key} cannot be set on a replica: {why}"),
    )
    .with("property", key)
}
