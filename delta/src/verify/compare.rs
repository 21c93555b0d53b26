//! The comparisons: each appends its differences.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;

use super::report::{Difference, DifferenceKind};
use crate::actions::Configuration;
use crate::changes::{AskedProperties, further_marks, same_fields};
use crate::error::DeltaError;
use crate::protocol::{is_dropped, supported};
use crate::replica::{SyncRecord, identity};
use crate::snapshot::Snapshot;
use crate::{dv, io};

/// The objects that were checked.
#[derive(Clone, Debug)]
pub(super) struct ObjectsSeen {
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// The length of every object below the table's folder.
    pub(super) sizes: BTreeMap<String, u64>,
}

/// Compares the live keys, and the fields of shared ones.
pub(super) fn files(source: &Snapshot, replica: &Snapshot, found: &mut Vec<Difference>) {
    let mut tell = |kind, path: &str, detail: &str| {
        found.push(Difference { kind, subject: path.to_owned(), detail: detail.to_owned() });
    };
    for (key, add) in &source.files {
        match replica.files.get(key) {
            None => {
                tell(
                    DifferenceKind::FileMissing,
                    &key.path,
                    "live at the source, not at the replica",
                );
            }
            Some(known) if !same_fields(known, add) => {
                tell(DifferenceKind::FileDiffers, &key.path, "a field other than the path differs");
            }
            Some(_) => {}
        }
    }
    for key in replica.files.keys().filter(|key| !source.files.contains_key(key)) {
        tell(DifferenceKind::FileUnexpected, &key.path, "live at the replica, not at the source");
    }
}

/// Requires every feature of the source except those that are never carried.
pub(super) fn protocol(source: &Snapshot, replica: &Snapshot, found: &mut Vec<Difference>) {
    let (source, replica) = (supported(&source.protocol), supported(&replica.protocol));
    for name in source.writer.difference(&replica.writer) {
        if !is_dropped(name) {
            found.push(Difference {
                kind: DifferenceKind::Protocol,
                subject: name.clone(),
                detail: "the source's protocol lists it, the replica's does not".to_owned(),
            });
        }
    }
}

/// Compares schema, partitioning, name and description, and the properties if the user set none.
pub(super) fn metadata(
    source: &Snapshot,
    replica: &Snapshot,
    record: Option<&SyncRecord>,
    found: &mut Vec<Difference>,
) -> Result<(), DeltaError> {
    let (wanted, has) = (&source.metadata, &replica.metadata);
    let mut tell = |subject: &str, same: bool| {
        if !same {
            found.push(Difference {
                kind: DifferenceKind::Metadata,
                subject: subject.to_owned(),
                detail: "differs from the source's".to_owned(),
            });
        }
    };
    // The replica keeps the further mark of its identity columns.
    let schema = further_marks(&wanted.schema_string, &has.schema_string);
    tell("schemaString", schema == has.schema_string);
    tell("partitionColumns", wanted.partition_columns == has.partition_columns);
    tell("name", wanted.name == has.name);
    tell("description", wanted.description == has.description);
    let nothing = Configuration::new();
    let plain = identity::settings(&nothing);
    if record.is_some_and(|record| record.body.settings == plain) {
        let heeded = AskedProperties::new(wanted, &nothing)?.heeded(source, &replica.protocol);
        for (key, value) in heeded.configuration {
            tell(&key, has.configuration.get(&key) == Some(&value));
        }
    }
    Ok(())
}

/// Checks the presence and size of every object of the replica's live files, with one listing.
pub(super) async fn objects(
    target: &TableStore,
    replica: &Snapshot,
    found: &mut Vec<Difference>,
) -> Result<ObjectsSeen, DeltaError> {
    let sizes = io::sizes(target).await?;
    let mut wanted: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for (key, add) in &replica.files {
        wanted.insert(key.path.clone(), (add.size, false));
        if let Some((path, least)) = dv::object_of(&target.uri, add)? {
            let (known, _) = wanted.entry(path).or_insert((least, true));
            *known = least.max(*known);
        }
    }
    let (mut count, mut bytes) = (0, 0);
    for (path, (size, is_minimum)) in wanted {
        count += 1;
        let (kind, detail) = match sizes.get(&path) {
            None => (DifferenceKind::ObjectMissing, "not at the target".to_owned()),
            Some(there) if *there == size || (is_minimum && *there > size) => {
                bytes += there;
                continue;
            }
            Some(there) => {
                let least = if is_minimum { "at least " } else { "" };
                let detail = format!("{there} bytes at the target, {least}{size} in the log");
                (DifferenceKind::ObjectSize, detail)
            }
        };
        found.push(Difference { kind, subject: path, detail });
    }
    Ok(ObjectsSeen { count, bytes, sizes })
}
