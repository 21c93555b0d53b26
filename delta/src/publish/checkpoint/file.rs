//! The Parquet files of a checkpoint: batches of one kind of action each, the other columns null,
//! so that memory is bounded by one row group. Live files stand in the order of their keys in pages
//! of few rows, so that a reader that wants some of them by their path needs few pages.

use std::sync::Arc;

use super::columns;
use super::format::Format;
use super::state::{CheckpointState, FilePlaces};
use crate::error::DeltaError;
use crate::log::named;
use crate::spool::Spool;
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// The most rows in one batch.
const BATCH_ROWS: usize = 8192;
/// The most rows of a row group, and of a page.
const GROUP_ROWS: usize = 1 << 16;
const PAGE_ROWS: usize = 4096;
/// Columns whose values are nearly all different.
const UNLIKE: [[&str; 2]; 3] = [["add", "path"], ["add", "stats"], ["remove", "path"]];

/// Writes a classic checkpoint, which is one file.
///
/// # Errors
/// A value that Parquet cannot hold; a temporary file with the live files cannot be read.
pub(super) fn write_all(state: &CheckpointState<'_>) -> Result<Spool, DeltaError> {
    let mut writer = opened(state).map_err(unwritten)?;
    writer.put_files(state, &FilePlaces::all(state))?;
    writer.rows.into_inner().map_err(unwritten)
}

/// Writes a sidecar, which holds some of the file actions; `paths` is what it says of all paths.
///
/// # Errors
/// As [`write_all`].
pub(super) fn write_sidecar(
    state: &CheckpointState<'_>,
    rows: &FilePlaces,
    paths: &str,
) -> Result<Spool, DeltaError> {
    let mut writer = FileWriter::of(file_columns(), paths).map_err(unwritten)?;
    writer.put_files(state, rows)?;
    writer.rows.into_inner().map_err(unwritten)
}

fn unwritten(error: ParquetError) -> DeltaError {
    DeltaError::damaged("checkpoint", format!("not written: {error}"))
}

/// A file that is being written.
struct FileWriter {
    schema: SchemaRef,
    rows: ArrowWriter<Spool>,
}

impl FileWriter {
    fn of(columns: Columns, paths: &str) -> Result<Self, ParquetError> {
        let schema = schema_of(columns?);
        let options = ArrowWriterOptions::new()
            .with_properties(properties(paths))
            .with_skip_arrow_metadata(true);
        let rows = ArrowWriter::try_new_with_options(Spool::new(), schema.clone(), options)?;
        Ok(Self { schema, rows })
    }

    fn put(&mut self, name: &str, column: ArrayRef) -> Result<(), ParquetError> {
        self.rows.write(&batch(&self.schema, name, column)?)
    }

    fn put_files(
        &mut self,
        state: &CheckpointState<'_>,
        rows: &FilePlaces,
    ) -> Result<(), DeltaError> {
        for removes in state.removes[rows.removes.clone()].chunks(BATCH_ROWS) {
            let column = columns::removes(removes).map_err(ParquetError::from);
            self.put("remove", column.map_err(unwritten)?).map_err(unwritten)?;
        }
        for adds in state.adds.chunks(rows.adds.clone(), BATCH_ROWS) {
            let column = columns::adds(&adds?).map_err(ParquetError::from).map_err(unwritten)?;
            self.put("add", column).map_err(unwritten)?;
        }
        Ok(())
    }
}

/// Writes all rows but those of files.
fn opened(state: &CheckpointState<'_>) -> Result<FileWriter, ParquetError> {
    let mut writer = FileWriter::of(all_columns(), state.paths_value())?;
    let mut put = |name: &str, column: ArrayRef| writer.put(name, column);
    put("protocol", columns::protocols(std::slice::from_ref(&state.protocol))?)?;
    let metadata: Vec<_> = Format::parse(&state.metadata.format)
        .map(|format| (state.metadata.clone(), format))
        .into_iter()
        .collect();
    put("metaData", columns::metadatas(&metadata)?)?;
    for rows in state.txns.chunks(BATCH_ROWS) {
        put("txn", columns::txns(rows)?)?;
    }
    for rows in state.domains.chunks(BATCH_ROWS) {
        put("domainMetadata", columns::domains(rows)?)?;
    }
    Ok(writer)
}

fn properties(paths: &str) -> WriterProperties {
    let paths = KeyValue::new(named::PLAIN_PATHS.to_owned(), paths.to_owned());
    let builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_key_value_metadata(Some(vec![paths]));
    let without_dictionary = |builder: WriterPropertiesBuilder, column: [&str; 2]| {
        builder.set_column_dictionary_enabled(
            ColumnPath::from(column.map(str::to_owned).to_vec()),
            false,
        )
    };
    UNLIKE.into_iter().fold(builder, without_dictionary).build()
}

/// Columns without rows, for their types.
type Columns = Result<Vec<(&'static str, ArrayRef)>, ArrowError>;

fn all_columns() -> Columns {
    Ok(vec![
        ("txn", columns::txns(&[])?),
        ("add", columns::adds(&[])?),
        ("remove", columns::removes(&[])?),
        ("metaData", columns::metadatas(&[])?),
        ("protocol", columns::protocols(&[])?),
        ("domainMetadata", columns::domains(&[])?),
    ])
}

fn file_columns() -> Columns {
    Ok(vec![("add", columns::adds(&[])?), ("remove", columns::removes(&[])?)])
}

fn schema_of(columns: Vec<(&'static str, ArrayRef)>) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn batch(schema: &SchemaRef, name: &str, column: ArrayRef) -> Result<RecordBatch, ParquetError> {
    let rows = column.len();
    let columns = schema
        .fields()
        .iter()
        .map(|field| match field.name() == name {
            true => column.clone(),
            false => new_null_array(field.data_type(), rows),
        })
        .collect();
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
