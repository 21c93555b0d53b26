//! The Parquet file: batches of one kind of action each, the other columns null, so that memory
//! is bounded by one batch.

use std::sync::Arc;

use super::columns;
use super::format::Format;
use super::state::CheckpointState;
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// The most rows in one batch.
const BATCH_ROWS: usize = 8192;

/// Writes the whole file.
pub(super) fn write(state: &CheckpointState) -> Result<Vec<u8>, ParquetError> {
    let schema = schema()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
    let mut put = |name: &str, column: ArrayRef| -> Result<(), ParquetError> {
        writer.write(&batch(&schema, name, column)?)
    };
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
    for rows in state.removes.chunks(BATCH_ROWS) {
        put("remove", columns::removes(rows)?)?;
    }
    for rows in state.adds.chunks(BATCH_ROWS) {
        put("add", columns::adds(rows)?)?;
    }
    writer.into_inner()
}

/// Derives the columns' types from columns without rows.
fn schema() -> Result<SchemaRef, ParquetError> {
    let columns = [
        ("txn", columns::txns(&[])?),
        ("add", columns::adds(&[])?),
        ("remove", columns::removes(&[])?),
        ("metaData", columns::metadatas(&[])?),
        ("protocol", columns::protocols(&[])?),
        ("domainMetadata", columns::domains(&[])?),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    Ok(Arc::new(Schema::new(fields)))
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
