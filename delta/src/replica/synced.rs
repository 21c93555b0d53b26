//! What our last sync knew of both tables without their files, kept beside the log in
//! `_deepclone/synced.json`, so that the next plan need read only what is newer.
//!
//! It is never trusted alone: it counts only while both commits that it names are the very files
//! that it was written for, as far as the stores' listings tell.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::same_object;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::record::SyncRecord;
use crate::actions::LogAction;
use crate::error::DeltaError;
use crate::io;
use crate::log::LogEntry;
use crate::snapshot::TableState;

const SYNCED: &str = "_deepclone/synced.json";

/// The form of the file that this code reads and writes.
const FORM: u32 = 1;

/// Both tables as the last sync left them.
#[derive(Clone, Debug)]
pub(crate) struct Synced {
    pub(crate) record: SyncRecord,
    /// The source's commit that was synced.
    pub(crate) source_commit: SyncedCommit,
    /// The entity tag of our commit.
    etag: String,
    /// Our commit's in-commit timestamp, if it has one.
    pub(crate) ict: Option<i64>,
    pub(crate) source: TableState,
    pub(crate) replica: TableState,
}

/// What the listing of a log says of a commit's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncedCommit {
    pub(crate) etag: String,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// When it was last written, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

impl SyncedCommit {
    /// Returns what a listing says of the file; `None` without an entity tag.
    pub(crate) fn of(entry: &LogEntry) -> Option<Self> {
        let LogEntry { size, modified_ms, etag, .. } = entry;
        Some(Self { etag: etag.clone()?, size: *size, modified_ms: *modified_ms })
    }

    /// Returns whether the file in a listing is this one.
    fn is(&self, entry: &LogEntry) -> bool {
        entry.etag.as_deref().is_some_and(|etag| same_object(etag, &self.etag))
            && entry.size == self.size
            && entry.modified_ms == self.modified_ms
    }
}

impl Synced {
    pub(crate) fn new(
        record: SyncRecord,
        (source_commit, etag): (SyncedCommit, String),
        ict: Option<i64>,
        source: TableState,
        replica: TableState,
    ) -> Self {
        Self { record, source_commit, etag, ict, source, replica }
    }

    /// Returns whether the file is the source's commit that was synced.
    pub(crate) fn is_source_commit(&self, entry: &LogEntry) -> bool {
        self.source_commit.is(entry)
    }

    /// Returns whether the file is the commit of that sync.
    pub(crate) fn is_commit(&self, entry: &LogEntry) -> bool {
        entry.etag.as_deref().is_some_and(|etag| same_tag(etag, &self.etag))
    }
}

/// Compares two entity tags; some stores quote them only in one of their answers.
fn same_tag(left: &str, right: &str) -> bool {
    same_object(left.trim_matches('"'), right.trim_matches('"'))
}

/// Reads what the last sync knew; a damaged file, or one of another form, counts as none.
pub(crate) async fn read(target: &TableStore) -> Result<Option<Synced>, DeltaError> {
    let fetched = io::get_hint(target, SYNCED).await?;
    let file = fetched.and_then(|found| serde_json::from_slice::<File>(&found.bytes).ok());
    Ok(file.filter(|file| file.form == FORM).and_then(File::parsed))
}

/// Writes what this sync knew, after its commit.
pub(crate) async fn write(target: &TableStore, synced: &Synced) -> Result<(), DeltaError> {
    io::put_json(target, SYNCED, &File::of(synced)).await
}

/// The file. Tables are lists of their actions, verbatim.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    form: u32,
    record: SyncRecord,
    source_commit: SyncedCommit,
    etag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_commit_timestamp: Option<i64>,
    source: Vec<Box<RawValue>>,
    replica: Vec<Box<RawValue>>,
}

impl File {
    fn of(synced: &Synced) -> Self {
        Self {
            form: FORM,
            record: synced.record.clone(),
            source_commit: synced.source_commit.clone(),
            etag: synced.etag.clone(),
            in_commit_timestamp: synced.ict,
            source: actions(&synced.source),
            replica: actions(&synced.replica),
        }
    }

    fn parsed(self) -> Option<Synced> {
        Some(Synced {
            record: self.record,
            source_commit: self.source_commit,
            etag: self.etag,
            ict: self.in_commit_timestamp,
            source: table(&self.source)?,
            replica: table(&self.replica)?,
        })
    }
}

fn actions(table: &TableState) -> Vec<Box<RawValue>> {
    let TableState { protocol, metadata, txns, domains } = table.clone();
    let first = [LogAction::Protocol(protocol), LogAction::Metadata(metadata)].into_iter();
    let txns = txns.into_values().map(LogAction::Txn);
    let all = first.chain(txns).chain(domains.into_values().map(LogAction::DomainMetadata));
    all.filter_map(|action| RawValue::from_string(action.to_json()).ok()).collect()
}

fn table(actions: &[Box<RawValue>]) -> Option<TableState> {
    let (mut protocol, mut metadata) = (None, None);
    let (mut txns, mut domains) = (BTreeMap::new(), BTreeMap::new());
    for action in actions {
        match LogAction::from_json(action.get()).ok()? {
            LogAction::Protocol(found) => protocol = Some(found),
            LogAction::Metadata(found) => metadata = Some(found),
            LogAction::Txn(txn) => drop(txns.insert(txn.app_id.clone(), txn)),
            LogAction::DomainMetadata(found) => drop(domains.insert(found.domain.clone(), found)),
            _ => return None,
        }
    }
    Some(TableState { protocol: protocol?, metadata: metadata?, txns, domains })
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use serde_json::json;
    use std::sync::Arc;

    use super::*;

    fn state(id: &str) -> TableState {
        let lines = [
            json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
                "readerFeatures": ["x"], "writerFeatures": ["x"],
                "future": 9_007_199_254_740_993_i64}}),
            json!({"metaData": {"id": id, "format": {"provider": "parquet", "options": {}},
                "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "partitionColumns": ["p"],
                "configuration": {"a": "b"}, "createdTime": 1, "later": {"x": 1.50}}}),
            json!({"txn": {"appId": "t", "version": 7, "lastUpdated": 8}}),
            json!({"domainMetadata": {"domain": "d", "configuration": "{}", "removed": false}}),
        ];
        let raw = lines.map(|line| RawValue::from_string(line.to_string()).unwrap());
        table(&raw).unwrap()
    }

    fn record() -> SyncRecord {
        let info = json!({"timestamp": 5, "operationParameters": {"source": "s3://b/t"},
            "deepclone": {"syncId": "00000000-0000-0000-0000-000000000001", "mode": "clone",
                "tableId": "i", "checkpointInterval": 10, "lineage": "l", "scope": "s",
                "settings": "e", "sourceId": "a", "sourceVersion": 7, "sourceCommitTime": 4}});
        SyncRecord::parse(3, &info.to_string()).unwrap()
    }

    #[tokio::test]
    async fn what_was_known_comes_back_without_loss_and_a_damaged_file_is_none() {
        let store: Arc<dyn object_store::ObjectStore> = Arc::new(InMemory::new());
        let target =
            TableStore { store, root: Path::from("t"), uri: "memory:///t".to_owned(), large: None };
        assert!(read(&target).await.unwrap().is_none());
        let commit = SyncedCommit { etag: "\"s\"".to_owned(), size: 1, modified_ms: 5_001 };
        let files = (commit, "r".to_owned());
        let known = Synced::new(record(), files, Some(9), state("source"), state("replica"));
        write(&target, &known).await.unwrap();
        let found = read(&target).await.unwrap().unwrap();
        assert_eq!((&found.record, found.ict), (&known.record, Some(9)));
        for (found, known) in [(&found.source, &known.source), (&found.replica, &known.replica)] {
            let texts = |table| actions(table).iter().map(|raw| raw.get().to_owned()).collect();
            let (found, known): (Vec<String>, Vec<String>) = (texts(found), texts(known));
            assert_eq!(found, known);
        }
        let entry = |etag: Option<&str>, size, modified_ms| LogEntry {
            name: String::new(),
            size,
            modified_ms,
            etag: etag.map(str::to_owned),
        };
        for (etag, size, modified_ms, is_source, is_ours) in [
            (Some("\"s\""), 1, 5_001, true, false),
            (Some("\"t\""), 1, 5_001, false, false),
            (Some("\"s\""), 1, 5_002, false, false),
            (Some("\"s\""), 2, 5_001, false, false),
            (Some("\"r\""), 1, 5_001, false, true),
            (Some(""), 1, 5_001, false, false),
            (Some("W/\"s\""), 1, 5_001, false, false),
            (None, 1, 5_001, false, false),
        ] {
            let entry = entry(etag, size, modified_ms);
            assert_eq!(found.is_source_commit(&entry), is_source, "{entry:?}");
            assert_eq!(found.is_commit(&entry), is_ours, "{entry:?}");
        }
        for damaged in [&b"{"[..], br#"{"form":2}"#] {
            io::put(&target, SYNCED, bytes::Bytes::copy_from_slice(damaged).into()).await.unwrap();
            assert!(read(&target).await.unwrap().is_none());
        }
    }
}
