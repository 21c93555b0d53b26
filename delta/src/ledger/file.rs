//! One Parquet file of the ledger: six columns, none of them null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::entry::LedgerEntry;
use crate::error::DeltaError;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error("it has no column {0} of the kind that is expected")]
    Column(&'static str),
}

/// A file that is being written. Its rows are encoded as they come.
#[derive(Debug)]
pub(super) struct LedgerFileWriter {
    rows: ArrowWriter<Vec<u8>>,
    count: usize,
}

impl LedgerFileWriter {
    pub(super) fn new() -> Result<Self, DeltaError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let rows = ArrowWriter::try_new(Vec::new(), schema(), Some(properties));
        Ok(Self { rows: rows.map_err(unwritten)?, count: 0 })
    }

    /// The number of its rows.
    pub(super) fn rows(&self) -> usize {
        self.count
    }

    pub(super) fn append(&mut self, entries: &[LedgerEntry]) -> Result<(), DeltaError> {
        self.count += entries.len();
        self.rows.write(&batch(entries).map_err(unwritten)?).map_err(unwritten)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, DeltaError> {
        self.rows.into_inner().map_err(unwritten)
    }
}

fn unwritten(error: impl std::fmt::Display) -> DeltaError {
    DeltaError::damaged("the ledger", format!("not written: {error}"))
}

/// Decodes the rows of the file at `path`.
pub(super) fn decode(path: &str, bytes: Bytes) -> Result<Vec<LedgerEntry>, DeltaError> {
    read(bytes).map_err(|error| DeltaError::damaged(path, format!("it is no ledger: {error}")))
}

fn utc() -> Arc<str> {
    Arc::from("UTC")
}

fn schema() -> SchemaRef {
    let field = |name: &str, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field("key", DataType::Utf8),
        field("size", DataType::Int64),
        field("crc64nvme", DataType::UInt64),
        field("source_etag", DataType::Utf8),
        field("worker", DataType::Utf8),
        field("time", DataType::Timestamp(TimeUnit::Millisecond, Some(utc()))),
    ]))
}

fn batch(entries: &[LedgerEntry]) -> Result<RecordBatch, ArrowError> {
    let texts = |text: fn(&LedgerEntry) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(entries.iter().map(text)))
    };
    let sizes = entries.iter().map(|entry| entry.size.cast_signed());
    let times = entries.iter().map(|entry| entry.seen_ms);
    let columns: Vec<ArrayRef> = vec![
        texts(|entry| &entry.key),
        Arc::new(Int64Array::from_iter_values(sizes)),
        Arc::new(UInt64Array::from_iter_values(entries.iter().map(|entry| entry.crc64nvme))),
        texts(|entry| &entry.source_etag),
        texts(|entry| &entry.worker),
        Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone(utc())),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn read(bytes: Bytes) -> Result<Vec<LedgerEntry>, FileError> {
    let mut entries = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let (keys, etags) = (column::<StringArray>(&batch, "key")?, "source_etag");
        let etags = column::<StringArray>(&batch, etags)?;
        let workers = column::<StringArray>(&batch, "worker")?;
        let sizes = column::<Int64Array>(&batch, "size")?;
        let digests = column::<UInt64Array>(&batch, "crc64nvme")?;
        let times = column::<TimestampMillisecondArray>(&batch, "time")?;
        entries.extend((0..batch.num_rows()).map(|row| LedgerEntry {
            key: keys.value(row).to_owned(),
            size: sizes.value(row).cast_unsigned(),
            crc64nvme: digests.value(row),
            source_etag: etags.value(row).to_owned(),
            worker: workers.value(row).to_owned(),
            seen_ms: times.value(row),
        }));
    }
    Ok(entries)
}

/// Returns a column, if it has this type and no nulls.
fn column<'a, T: Array + 'static>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a T, FileError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<T>());
    column.filter(|column| column.null_count() == 0).ok_or(FileError::Column(name))
}
