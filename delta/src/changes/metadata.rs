//! The replica's metadata: the source's, without what is valid for the source alone, with the
//! properties of the user, under the replica's own id.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use sha2::{Digest, Sha256};

use super::equality::canonical;
use super::identity_marks::further;
use crate::actions::{Configuration, Metadata, Protocol};
use crate::change_set::CommitTime;
use crate::properties::{self, ENABLEMENT_TIMESTAMP, ENABLEMENT_VERSION};
use crate::protocol::{
    Family, WRITER_LISTS, has_change_data_feed, has_in_commit_timestamps, is_refused_alone,
    supports_any, switched_on,
};
use crate::snapshot::Snapshot;

/// Prefixes of properties that are valid for the source alone.
const STRIPPED: &[&str] = &[
    "delta.universalFormat.",
    "io.unitycatalog.",
    "delta.requireCheckpointProtectionBeforeVersion",
    "delta.coordinatedCommits.",
    ENABLEMENT_VERSION,
    ENABLEMENT_TIMESTAMP,
];

/// Prefixes of properties that engines manage themselves, so that users cannot set them.
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

const ROW_TRACKING_SUSPENDED: &str = "delta.rowTrackingSuspended";

/// The properties that are asked for: the source's that are valid for a replica, and those of the
/// user.
pub(crate) struct AskedProperties(Configuration);

/// The properties that have the same effect at the replica as at the source.
pub(crate) struct HeededProperties {
    pub(crate) configuration: Configuration,
    /// One for each property that is left out.
    pub(crate) notices: Vec<String>,
}

/// All properties, the replica's own among them.
pub(super) struct CompleteProperties {
    configuration: Configuration,
    pub(super) commit_time: CommitTime,
}

impl AskedProperties {
    /// Sets `overrides` over the properties of `source`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a property that is not the user's to set, would activate a feature, or
    /// has a value that Spark cannot parse.
    pub(crate) fn new(source: &Metadata, overrides: &Configuration) -> Result<Self, Failure> {
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
            if let Err(expected) = properties::check(key, value) {
                return Err(refused(key, &format!("{value:?} is not {expected}")));
            }
            result.insert(key.clone(), value.clone());
            if let Some(family) = families(&result).difference(&before).next() {
                let feature = family.first().copied().unwrap_or_default();
                let why = format!("it would activate the table feature {feature}");
                return Err(refused(key, &why).with("feature", feature));
            }
        }
        Ok(Self(result))
    }

    /// Leaves out the properties that would activate a feature which the source's protocol does
    /// not support and that would not be without effect at the replica: because it supports the
    /// feature, or because Spark refuses to read it (any protocol with lists that lack the
    /// feature, and some properties in every protocol).
    pub(crate) fn heeded(self, source: &Snapshot, replica: &Protocol) -> HeededProperties {
        let Self(mut configuration) = self;
        let schema = &source.metadata.schema_string;
        let mut notices = Vec::new();
        for switch in switched_on(&configuration) {
            let is_heeded = replica.min_writer_version >= WRITER_LISTS
                || supports_any(replica, switch.family)
                || is_refused_alone(&switch, schema);
            if supports_any(&source.protocol, switch.family) || !is_heeded {
                continue;
            }
            configuration.remove(&switch.property);
            notices.push(format!(
                "the property {} is left out: the source's protocol does not support {}, so it \
                 has no effect there",
                switch.property,
                switch.family.first().copied().unwrap_or_default()
            ));
        }
        HeededProperties { configuration, notices }
    }
}

impl HeededProperties {
    /// Adds what the replica keeps itself. Row tracking that the source dropped and the replica
    /// still lists is suspended, for our `add`s carry no row ids; in-commit timestamps keep the
    /// replica's own enablement.
    pub(super) fn with_own(
        self,
        source: &Protocol,
        protocol: &Protocol,
        replica: Option<&Snapshot>,
    ) -> CompleteProperties {
        let mut configuration = self.configuration;
        let lists = |protocol: &Protocol| supports_any(protocol, &["rowTracking"]);
        if lists(protocol) && !lists(source) {
            configuration.insert(ROW_TRACKING_SUSPENDED.to_owned(), "true".to_owned());
        }
        let commit_time = commit_time(protocol, &configuration, replica);
        if let (CommitTime::InCommit { .. }, Some(replica)) = (commit_time, replica) {
            for key in [ENABLEMENT_VERSION, ENABLEMENT_TIMESTAMP] {
                let kept = replica.metadata.configuration.get(key);
                configuration.extend(kept.map(|value| (key.to_owned(), value.clone())));
            }
        }
        CompleteProperties { configuration, commit_time }
    }
}

impl CompleteProperties {
    /// Builds the metadata action under the replica's own id: kept once there is one, else derived
    /// from the sync that makes the replica.
    pub(super) fn metadata(
        self,
        source: &Metadata,
        replica: Option<&Metadata>,
        sync: JobId,
    ) -> Metadata {
        let schema_string = match replica {
            Some(replica) => further(&source.schema_string, &replica.schema_string),
            None => source.schema_string.clone(),
        };
        Metadata {
            schema_string,
            id: replica.map_or_else(|| new_id(sync), |replica| replica.id.clone()),
            created_time: replica.and_then(|replica| replica.created_time),
            configuration: self.configuration,
            ..source.clone()
        }
    }
}

/// Decides how the commit records its time.
fn commit_time(
    protocol: &Protocol,
    configuration: &Configuration,
    replica: Option<&Snapshot>,
) -> CommitTime {
    if !has_in_commit_timestamps(protocol, configuration) {
        return CommitTime::FileTime;
    }
    let Some(replica) = replica else {
        return CommitTime::InCommit { above_ms: 0 };
    };
    let above_ms = replica.ict.unwrap_or(replica.commit_ms);
    match has_in_commit_timestamps(&replica.protocol, &replica.metadata.configuration) {
        true => CommitTime::InCommit { above_ms },
        false => CommitTime::TurnsOn { above_ms },
    }
}

/// Returns the notice for the sync in which the replica's change data feed turns on.
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

/// Returns whether the two are equal but for their creation time.
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

fn families(configuration: &Configuration) -> BTreeSet<Family> {
    switched_on(configuration).into_iter().map(|switch| switch.family).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::actions::LogAction;

    #[test]
    fn the_id_of_a_replica_is_a_uuid_that_follows_from_its_first_sync() {
        let id = |sync: u128| new_id(JobId(uuid::Uuid::from_u128(sync)));
        assert_eq!(uuid::Uuid::parse_str(&id(1)).unwrap().get_version_num(), 4);
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
    }

    #[test]
    fn a_change_of_any_field_of_the_metadata_is_noticed() {
        let metadata = |key: &str, value: Value| {
            let mut fields = json!({"id": "i", "name": "n", "description": "d", "createdTime": 1,
                "format": {"provider": "parquet", "options": {}}, "schemaString": "{}",
                "partitionColumns": ["p"], "configuration": {"a": "b"}, "future": {"x": 1.0}});
            fields[key] = value;
            let text = json!({ "metaData": fields }).to_string();
            let LogAction::Metadata(metadata) = LogAction::from_json(&text).unwrap() else {
                unreachable!()
            };
            metadata
        };
        for (key, value, expect) in [
            ("id", json!("i"), true),
            ("createdTime", json!(2), true),
            ("future", json!({"x": 1}), true),
            ("id", json!("j"), false),
            ("name", json!("m"), false),
            ("description", json!(null), false),
            ("format", json!({"provider": "orc", "options": {}}), false),
            ("schemaString", json!("{ }"), false),
            ("partitionColumns", json!([]), false),
            ("configuration", json!({"a": "c"}), false),
            ("future", json!({"x": 2}), false),
            ("farther", json!(1), false),
        ] {
            let (known, changed) = (metadata("id", json!("i")), metadata(key, value.clone()));
            assert_eq!(same(&known, &changed), expect, "{key} {value}");
        }
    }
}
