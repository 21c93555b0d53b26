//! Checkpoints of every form as actions.
//!
//! A Parquet row becomes JSON text and then an action like any other, so that columns which we do
//! not know survive. `stats_parsed` and `partitionValues_parsed` repeat what other fields say: they
//! are left out, but for the statistics of a file whose `stats` are missing.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoints>

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;
use serde::Deserialize;

use super::names::log_path;
use super::segment::CheckpointFiles;
use super::windows::{self, CheckpointFile, OtherRows};
use super::{columns, pages, row};
use crate::actions::{self, Add, LogAction, Parsed};
use crate::error::DeltaError;
use crate::file_key::LogKey;
use crate::io::{self, ReadBound};
use crate::paths;

/// Files of one checkpoint that are fetched and parsed at once.
const FILES_AT_ONCE_MAX: usize = 8;
/// Files of a checkpoint that are open at once.
const FILES_OPEN_MAX: usize = 256;
/// Rows that are converted at once.
const ROWS_PER_BATCH: usize = 8192;

/// Reads the actions of `checkpoint`, including those of its sidecars.
///
/// # Errors
/// When a file of it is missing or cannot be read; the file is named.
pub(crate) async fn read(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
) -> Result<Parsed, DeltaError> {
    let files = checkpoint.files.iter().map(|entry| log_path(&entry.name)).collect();
    let found = read_files(table, files).await?;
    let mut parsed = Parsed { oddities: found.oddities, ..Parsed::default() };
    parsed.actions.reserve(found.actions.len());
    let mut sidecars = Vec::new();
    for action in found.actions {
        match action {
            LogAction::Other(name, raw) if name == "sidecar" => {
                sidecars.push(sidecar(table, checkpoint, raw.get())?.path);
            }
            LogAction::Other(name, raw) if name == "checkpointMetadata" => {
                check_version(checkpoint, raw.get())?;
            }
            LogAction::CommitInfo(_) | LogAction::Cdc(_) => {}
            action => parsed.actions.push(action),
        }
    }
    parsed.append(read_files(table, sidecars).await?);
    Ok(parsed)
}

/// A checkpoint of which the live files are not read yet.
pub(crate) struct OpenCheckpoint {
    /// What it says besides.
    pub(crate) others: OtherRows,
    /// Live files that it holds as JSON: there are few.
    pub(crate) adds: Vec<Add>,
    /// Where the others are.
    pub(crate) files: Vec<CheckpointFile>,
}

/// Reads what `checkpoint` says, but for its live files.
///
/// # Errors
/// As [`read`]; also for what is unusual, which [`read`] may be able to read.
pub(crate) async fn open(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
) -> Result<OpenCheckpoint, DeltaError> {
    let refused = |problem: &str| DeltaError::damaged(name(checkpoint), problem);
    let mut wave: Vec<String> =
        checkpoint.files.iter().map(|entry| log_path(&entry.name)).collect();
    let (others, adds, files) = (OtherRows::default(), Vec::new(), Vec::new());
    let mut all = OpenCheckpoint { others, adds, files };
    while !wave.is_empty() {
        if all.files.len() + wave.len() > FILES_OPEN_MAX {
            return Err(refused("it has very many files"));
        }
        let reads = std::mem::take(&mut wave).into_iter().map(|path| open_file(table, path));
        let mut reads = stream::iter(reads).buffered(FILES_AT_ONCE_MAX);
        while let Some((file, mut found)) = reads.try_next().await? {
            all.files.extend(file);
            all.others.parsed.oddities.append(&mut found.parsed.oddities);
            all.others.removed.extend(found.removed);
            for action in found.parsed.actions {
                match action {
                    LogAction::Other(name, raw) if name == "sidecar" => {
                        wave.push(sidecar(table, checkpoint, raw.get())?.path);
                    }
                    LogAction::Other(name, raw) if name == "checkpointMetadata" => {
                        check_version(checkpoint, raw.get())?;
                    }
                    LogAction::CommitInfo(_) | LogAction::Cdc(_) => {}
                    LogAction::Add(add) => all.adds.push(add),
                    LogAction::Remove(remove) if paths::is_absolute(&remove.path) => {
                        return Err(refused("a tombstone of it has no relative path"));
                    }
                    LogAction::Remove(remove) => {
                        all.others.removed.insert(windows::hash(&LogKey::of_remove(&remove)));
                    }
                    action => all.others.parsed.actions.push(action),
                }
            }
        }
    }
    Ok(all)
}

/// Opens a file of a checkpoint, and reads what it says but for live files; one of JSON, all of it.
async fn open_file(
    table: &TableStore,
    path: String,
) -> Result<(Option<CheckpointFile>, OtherRows), DeltaError> {
    let mut found = OtherRows::default();
    if path.ends_with(".json") {
        found.parsed = read_file(table, path).await?;
        return Ok((None, found));
    }
    let spool = io::spool(table, &path, ReadBound::LOG).await?;
    let spool = spool.ok_or_else(|| DeltaError::damaged(&path, "it is missing"))?;
    let read = move || {
        let read = columns::guarded(|| {
            let mut file = CheckpointFile::open(spool)?;
            file.others(&mut found)?;
            Ok((Some(file), found))
        });
        read.map_err(|problem| DeltaError::damaged(&path, problem))
    };
    io::compute(read).await
}

async fn read_files(table: &TableStore, files: Vec<String>) -> Result<Parsed, DeltaError> {
    let reads = files.into_iter().map(|path| read_file(table, path));
    let found: Vec<Parsed> = stream::iter(reads).buffered(FILES_AT_ONCE_MAX).try_collect().await?;
    Ok(Parsed::joined(found))
}

pub(super) async fn read_file(table: &TableStore, path: String) -> Result<Parsed, DeltaError> {
    let is_json = path.ends_with(".json");
    let bound = if is_json { ReadBound::COMMIT } else { ReadBound::LOG };
    let fetched = io::get(table, &path, bound).await?;
    let bytes = fetched.ok_or_else(|| DeltaError::damaged(&path, "it is missing"))?.bytes;
    io::compute(move || parse(&path, &bytes)).await
}

pub(super) fn parse(path: &str, bytes: &Bytes) -> Result<Parsed, DeltaError> {
    let parsed = match path.ends_with(".json") {
        true => actions::parse_commit(bytes).map_err(|error| error.to_string()),
        false => columns::guarded(|| parse_parquet(bytes)),
    };
    let mut parsed = parsed.map_err(|problem| DeltaError::damaged(path, problem))?;
    if parsed.actions.is_empty() && path.ends_with(".json") {
        return Err(DeltaError::damaged(path, "the checkpoint is empty"));
    }
    parsed.actions.iter_mut().for_each(drop_parsed_of);
    Ok(parsed)
}

pub(super) fn drop_parsed_of(action: &mut LogAction) {
    if let LogAction::Add(add) = action {
        row::drop_parsed(add);
    }
}

fn parse_parquet(bytes: &Bytes) -> Result<Parsed, String> {
    let text = |error: parquet::errors::ParquetError| error.to_string();
    let metadata = columns::open(bytes).map_err(text)?;
    let (unpacked, unpacked_max) = (AtomicU64::new(0), pages::unpacked_max(bytes.len() as u64));
    let groups: Vec<Parsed> = (0..metadata.metadata().num_row_groups())
        .into_par_iter()
        .map(|group| {
            let mask = columns::projection(&metadata, group);
            let rows = columns::rows_at_once(&metadata, group, &mask, bytes, ROWS_PER_BATCH)?;
            let reader =
                ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone())
                    .with_projection(mask)
                    .with_row_groups(vec![group])
                    .with_batch_size(rows)
                    .build()
                    .map_err(text)?;
            let mut parsed = Parsed::default();
            for batch in reader {
                let batch = batch.map_err(|error| error.to_string())?;
                let bytes = batch.get_array_memory_size() as u64;
                let all = unpacked.fetch_add(bytes, Relaxed).saturating_add(bytes);
                if all > unpacked_max {
                    return Err(format!("its rows take {all} bytes and more when they are read"));
                }
                row::append_actions(&mut parsed, &batch)?;
            }
            Ok(parsed)
        })
        .collect::<Result<_, String>>()?;
    Ok(Parsed::joined(groups))
}

/// A sidecar as a checkpoint names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SidecarFile {
    /// Relative to the table's folder.
    pub(super) path: String,
    /// Its length in bytes, if it is told.
    pub(super) size: Option<u64>,
}

/// Reads the `sidecar` action `text` of `checkpoint`.
pub(super) fn sidecar(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
    text: &str,
) -> Result<SidecarFile, DeltaError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        path: String,
        size_in_bytes: Option<u64>,
    }
    let Named { path, size_in_bytes } = serde_json::from_str(text)
        .map_err(|error| DeltaError::damaged(name(checkpoint), format!("sidecar: {error}")))?;
    Ok(SidecarFile { path: paths::decode_sidecar(&table.uri, &path)?, size: size_in_bytes })
}

/// Checks the `checkpointMetadata` action `text` of `checkpoint`.
pub(super) fn check_version(checkpoint: &CheckpointFiles, text: &str) -> Result<(), DeltaError> {
    #[derive(Deserialize)]
    struct CheckpointMetadata {
        version: u64,
    }
    let CheckpointMetadata { version } = serde_json::from_str(text).map_err(|error| {
        DeltaError::damaged(name(checkpoint), format!("checkpointMetadata: {error}"))
    })?;
    if version != checkpoint.version {
        let problem = format!("its checkpointMetadata is of version {version}");
        return Err(DeltaError::damaged(name(checkpoint), problem));
    }
    Ok(())
}

fn name(checkpoint: &CheckpointFiles) -> String {
    log_path(checkpoint.files.first().map_or("", |entry| &entry.name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::actions::Oddity;
    use crate::log::LogEntry;

    /// A Parquet file with one transaction, and a second row that is null in all its columns.
    fn parquet_file(version: i64, codec: Compression) -> Bytes {
        let fields = [("appId", DataType::Utf8), ("version", DataType::Int64)];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("a"), None])),
            Arc::new(Int64Array::from(vec![Some(version), None])),
        ];
        let fields: Vec<Field> =
            fields.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
        let valid = Some(vec![true, false].into());
        let txn: ArrayRef = Arc::new(StructArray::new(fields.into(), columns, valid));
        let batch = RecordBatch::try_from_iter([("txn", txn)]).unwrap();
        let properties = WriterProperties::builder().set_compression(codec).build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn a_checkpoint_is_read_in_every_compression() {
        for codec in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::BROTLI(Default::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::ZSTD(Default::default()),
        ] {
            let parsed = parse("c.parquet", &parquet_file(7, codec)).unwrap();
            assert!(
                matches!(parsed.actions.as_slice(), [LogAction::Txn(txn)] if txn.version == 7),
                "{codec}: {parsed:?}"
            );
            assert_eq!(parsed.oddities, [Oddity::NoAction].into());
        }
    }

    #[test]
    fn the_last_column_may_have_a_dictionary_that_is_longer_than_the_footer() {
        let text = |n: u64| format!("{:064x}", Sha256::digest(n.to_le_bytes()));
        let ids: Vec<String> = (0..4000).map(|n| text(n % 2000)).collect();
        let ids: ArrayRef = Arc::new(StringArray::from(ids));
        let versions: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4000));
        let columns = vec![("version", versions), ("appId", ids)];
        let fields = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
        let fields: Vec<Field> = fields.collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let txn: ArrayRef = Arc::new(StructArray::new(fields.into(), columns, None));
        let batch = RecordBatch::try_from_iter([("txn", txn)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let bytes = Bytes::from(writer.into_inner().unwrap());
        assert_eq!(parse("c.parquet", &bytes).unwrap().actions.len(), 4000);
    }

    #[tokio::test]
    async fn a_checkpoint_with_sidecars_is_read_whole_or_refused_with_the_file() {
        let store = InMemory::new();
        let (name, sidecar) = ("5.checkpoint.x.json", "t/_delta_log/_sidecars/s.parquet");
        let bytes = parquet_file(7, Compression::SNAPPY);
        store.put(&Path::from(sidecar), bytes.into()).await.unwrap();
        let (root, uri) = (Path::from("t"), "memory:///t".to_owned());
        let table = TableStore { store: Arc::new(store), root, uri, large: None };
        let entry = LogEntry { name: name.to_owned(), size: 1, modified_ms: 0, etag: None };
        let checkpoint = CheckpointFiles { version: 5, files: vec![entry] };
        let (of_5, txn) =
            (r#"{"checkpointMetadata":{"version":5}}"#, r#"{"txn":{"appId":"b","version":1}}"#);
        for (lines, expect) in [
            (vec![of_5, txn], Ok(&["b"][..])),
            (vec![of_5, txn, r#"{"sidecar":{"path":"s.parquet"}}"#], Ok(&["b", "a"])),
            (
                vec![r#"{"sidecar":{"path":"memory:///t/_delta_log/_sidecars/s.parquet"}}"#],
                Ok(&["a"]),
            ),
            // An action that we do not know, and what tells of the commit alone.
            (vec![r#"{"future":{"version":6}}"#, r#"{"commitInfo":{}}"#], Ok(&["future"])),
            (vec![r#"{"checkpointMetadata":{"version":6}}"#], Err([name, "of version 6"])),
            (vec![r#"{"checkpointMetadata":{}}"#], Err([name, "checkpointMetadata: missing"])),
            (vec![r#"{"sidecar":{}}"#], Err([name, "sidecar: missing field"])),
            (vec![r#"{"sidecar":{"path":"gone.parquet"}}"#], Err(["gone.parquet", "is missing"])),
        ] {
            let key = Path::from(format!("t/_delta_log/{name}"));
            table.store.put(&key, lines.join("\n").into()).await.unwrap();
            match (read(&table, &checkpoint).await, expect) {
                (Ok(parsed), Ok(expect)) => {
                    let shown = |action: &LogAction| match action {
                        LogAction::Txn(txn) => txn.app_id.clone(),
                        action => action.name().to_owned(),
                    };
                    let found: Vec<String> = parsed.actions.iter().map(shown).collect();
                    assert_eq!(found, expect, "{lines:?}");
                }
                (Err(error), Err(pieces)) => {
                    let text = error.to_string();
                    assert!(pieces.iter().all(|piece| text.contains(piece)), "{lines:?}: {text}");
                }
                (found, expect) => panic!("{lines:?}: {found:?}, not {expect:?}"),
            }
        }
    }
}
