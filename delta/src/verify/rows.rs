//! The rows of a data file, as a reader of Parquet finds them: their number, and the nulls and
//! bounds of some columns. Nothing here reads a log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt;
use futures::future::{BoxFuture, FutureExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::DeltaError;
use crate::io;

/// Rows that are unpacked at once.
const ROWS_PER_BATCH: usize = 8192;

/// Rows and columns of a file, and what reading them took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileRows {
    pub(super) rows: u64,
    pub(super) columns: BTreeMap<String, ColumnRows>,
    pub(super) bytes_read: u64,
}

/// What was found of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnRows {
    pub(super) nulls: u64,
    /// The least and the greatest value of a column of whole numbers.
    pub(super) bounds: Option<(i64, i64)>,
}

/// Why the rows of a file are not read.
#[derive(Debug)]
pub(super) enum RowsError {
    /// The store does not answer.
    Store(DeltaError),
    /// The file is damaged.
    Damaged(String),
    /// The file needs what this reader does not know, such as a codec.
    NotKnown(String),
}

/// Reads the rows of the object at `key`, which has `size` bytes, and of these columns.
///
/// # Errors
/// See [`RowsError`].
pub(super) async fn read(
    table: &TableStore,
    (key, size): (&str, u64),
    columns: &BTreeSet<&str>,
) -> Result<FileRows, RowsError> {
    let file = MeteredFile {
        table: table.clone(),
        key: key.to_owned(),
        size,
        told: Arc::new(Mutex::new(Told::default())),
    };
    let told = Arc::clone(&file.told);
    let found = read_rows(file, columns).await;
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    match (told.failed.take(), found) {
        (Some(error), _) => Err(RowsError::Store(error)),
        (None, Ok(found)) => Ok(FileRows { bytes_read: told.bytes_read, ..found }),
        (None, Err(ParquetError::NYI(what))) => Err(RowsError::NotKnown(what)),
        (None, Err(error)) => Err(RowsError::Damaged(error.to_string())),
    }
}

async fn read_rows(file: MeteredFile, columns: &BTreeSet<&str>) -> Result<FileRows, ParquetError> {
    let builder = ParquetRecordBatchStreamBuilder::new(file).await?;
    let schema = builder.parquet_schema();
    let roots = schema.root_schema().get_fields().iter().enumerate();
    let wanted = roots.filter(|(_, field)| field.is_primitive() && columns.contains(field.name()));
    let wanted: Vec<usize> = wanted.map(|(root, _)| root).collect();
    let mask = ProjectionMask::roots(schema, wanted);
    let mut batches = builder.with_projection(mask).with_batch_size(ROWS_PER_BATCH).build()?;
    let mut found = FileRows::default();
    while let Some(batch) = batches.try_next().await? {
        found.rows += batch.num_rows() as u64;
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            found.columns.entry(field.name().clone()).or_default().add(column)?;
        }
    }
    Ok(found)
}

impl ColumnRows {
    fn add(&mut self, column: &ArrayRef) -> Result<(), ParquetError> {
        self.nulls += column.null_count() as u64;
        if !matches!(
            column.data_type(),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64
        ) {
            return Ok(());
        }
        let numbers = cast(column, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        if let (Some(least), Some(most)) = (min(numbers), max(numbers)) {
            let known = self.bounds.unwrap_or((least, most));
            self.bounds = Some((known.0.min(least), known.1.max(most)));
        }
        Ok(())
    }
}

/// Counts of requests that went well, and the first that did not.
#[derive(Debug, Default)]
struct Told {
    bytes_read: u64,
    /// Why the store did not answer.
    failed: Option<DeltaError>,
}

/// A file that is read by ranges, which are counted.
struct MeteredFile {
    table: TableStore,
    key: String,
    size: u64,
    told: Arc<Mutex<Told>>,
}

impl MeteredFile {
    async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ParquetError> {
        let fetched = io::get_ranges(&self.table, &self.key, ranges).await;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(Some(bytes)) => {
                told.bytes_read += bytes.iter().map(|range| range.len() as u64).sum::<u64>();
                Ok(bytes)
            }
            Ok(None) => Err(ParquetError::General("it is missing".to_owned())),
            Err(error) => {
                let text = error.to_string();
                told.failed = Some(error);
                Err(ParquetError::General(text))
            }
        }
    }
}

impl AsyncFileReader for MeteredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { Ok(self.fetch(&[range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.fetch(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(&mut *self, size).await?))
        }
        .boxed()
    }
}
