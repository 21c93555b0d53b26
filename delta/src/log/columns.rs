//! Which columns of a Parquet checkpoint are read, and as which types.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use super::pages;

/// How the types of a file's columns are chosen: as Parquet itself has them.
pub(super) fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

/// Runs the reader of Parquet, which panics at some damaged files.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(GAVE_UP.to_owned()))
}

/// What is wrong with a file at which the reader of Parquet panicked.
pub(super) const GAVE_UP: &str = "it contradicts itself: the reader of Parquet gave it up";

/// Reads the metadata of a file, checks it and chooses the types of its columns.
pub(super) fn open(file: &impl ChunkReader) -> Result<ArrowReaderMetadata, ParquetError> {
    let metadata = ArrowReaderMetadata::load(file, options())?;
    let size = file.len();
    pages::check_footer(metadata.metadata(), size).map_err(ParquetError::General)?;
    typed(metadata)
}

/// Replaces the types that Parquet has for INT96, which Spark uses for timestamps in UTC and which
/// overflows nanoseconds.
pub(super) fn typed(metadata: ArrowReaderMetadata) -> Result<ArrowReaderMetadata, ParquetError> {
    let leaves = metadata.metadata().file_metadata().schema_descr().columns();
    let is_int96: Vec<bool> =
        leaves.iter().map(|leaf| leaf.physical_type() == Type::INT96).collect();
    if !is_int96.contains(&true) {
        return Ok(metadata);
    }
    let mut is_int96 = is_int96.into_iter();
    let fields = with_moments(metadata.schema().fields(), &mut is_int96);
    let schema = Arc::new(Schema::new(fields));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options().with_schema(schema))
}

/// Selects the leaf columns whose content no other column of this row group repeats.
pub(super) fn projection(metadata: &ArrowReaderMetadata, group: usize) -> ProjectionMask {
    projection_of(metadata, group, |_| true)
}

/// Checks the pages of a row group that are read, and returns the rows of a batch, at most `rows`.
///
/// # Errors
/// What is wrong with a page.
pub(super) fn rows_at_once(
    metadata: &ArrowReaderMetadata,
    group: usize,
    mask: &ProjectionMask,
    file: &impl ChunkReader,
    mut rows: usize,
) -> Result<usize, String> {
    let columns = metadata.metadata().row_group(group).columns().iter().enumerate();
    for (_, column) in columns.filter(|(leaf, _)| mask.leaf_included(*leaf)) {
        let (start, length) = column.byte_range();
        rows = pages::check(file, start..start + length, rows)?;
    }
    Ok(rows)
}

/// Like [`projection`], for all columns but those of `add`; of `remove` those that make its key.
pub(super) fn others_projection(metadata: &ArrowReaderMetadata) -> ProjectionMask {
    let schema = metadata.metadata().file_metadata().schema_descr();
    let is_wanted = |leaf: &usize| match schema.column(*leaf).path().parts() {
        [action, ..] if action == "add" => false,
        [action, field, ..] if action == "remove" => field == "path" || field == "deletionVector",
        _ => true,
    };
    ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(is_wanted))
}

/// Like [`projection`], for the columns of `add` alone.
pub(super) fn add_projection(metadata: &ArrowReaderMetadata, group: usize) -> ProjectionMask {
    projection_of(metadata, group, |action| action == "add")
}

fn projection_of(
    metadata: &ArrowReaderMetadata,
    group: usize,
    is_read: impl Fn(&str) -> bool,
) -> ProjectionMask {
    let parquet = metadata.metadata();
    let schema = parquet.file_metadata().schema_descr();
    let reads_parsed = lacks_stats(parquet.row_group(group));
    let is_wanted = |leaf: &usize| match schema.column(*leaf).path().parts() {
        [action, ..] if !is_read(action) => false,
        [_, column, ..] if column == "stats_parsed" => reads_parsed,
        [_, column, ..] => column != "partitionValues_parsed",
        _ => true,
    };
    ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(is_wanted))
}

/// Returns false when the row group's counts show that every file has its statistics as JSON.
fn lacks_stats(group: &RowGroupMetaData) -> bool {
    let nulls = |name: &str| {
        let path = ColumnPath::new(vec!["add".to_owned(), name.to_owned()]);
        let column = group.columns().iter().find(|column| *column.column_path() == path)?;
        column.statistics()?.null_count_opt()
    };
    match (nulls("path"), nulls("stats")) {
        (Some(paths), Some(stats)) => stats != paths,
        _ => true,
    }
}

/// Replaces the type of each INT96 leaf by microseconds in UTC.
fn with_moments(fields: &Fields, is_int96: &mut impl Iterator<Item = bool>) -> Fields {
    fields.iter().map(|field| with_moment(field, is_int96)).collect()
}

fn with_moment(field: &FieldRef, is_int96: &mut impl Iterator<Item = bool>) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(with_moments(fields, is_int96)),
        DataType::List(item) => DataType::List(with_moment(item, is_int96)),
        DataType::Map(entries, sorted) => DataType::Map(with_moment(entries, is_int96), *sorted),
        other => match is_int96.next() {
            Some(true) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            _ => other.clone(),
        },
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StructArray,
    };
    use arrow::datatypes::Int32Type;
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::{EnabledStatistics, WriterProperties};

    use super::*;

    fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
        let field =
            |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
        let columns = columns.into_iter().map(|(name, array)| (field(name, &array).into(), array));
        Arc::new(StructArray::from(columns.collect::<Vec<(FieldRef, ArrayRef)>>()))
    }

    #[test]
    fn structs_that_repeat_other_columns_are_not_read() {
        let wide = ["txn.appId", "add.path", "add.stats"];
        let with_stats = [&wide[..], &["add.stats_parsed.numRecords"]].concat();
        for (paths, stats, counts, expect) in [
            ([Some("a"), Some("b")], [Some("{}"), Some("{}")], true, &wide[..]),
            // A row of another action has neither path nor statistics.
            ([Some("a"), None], [Some("{}"), None], true, &wide),
            ([Some("a"), Some("b")], [Some("{}"), None], true, &with_stats),
            ([Some("a"), Some("b")], [Some("{}"), Some("{}")], false, &with_stats),
        ] {
            let texts = |values: [Option<&str>; 2]| -> ArrayRef {
                Arc::new(StringArray::from(values.to_vec()))
            };
            let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
            let add = structure(vec![
                ("path", texts(paths)),
                ("stats", texts(stats)),
                ("stats_parsed", structure(vec![("numRecords", Arc::clone(&numbers))])),
                ("partitionValues_parsed", structure(vec![("p", numbers)])),
            ]);
            let txn = structure(vec![("appId", texts([None, None]))]);
            let batch = RecordBatch::try_from_iter([("txn", txn), ("add", add)]).unwrap();
            let level = if counts { EnabledStatistics::Chunk } else { EnabledStatistics::None };
            let properties = WriterProperties::builder().set_statistics_enabled(level).build();
            let mut writer =
                ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            let metadata = open(&Bytes::from(writer.into_inner().unwrap())).unwrap();
            let mask = projection(&metadata, 0);
            let leaves = metadata.metadata().file_metadata().schema_descr().columns();
            let read: Vec<String> = (0..leaves.len())
                .filter(|leaf| mask.leaf_included(*leaf))
                .map(|leaf| leaves[leaf].path().string())
                .collect();
            assert_eq!(read, expect, "{paths:?} {stats:?} {counts}");
            let mask = add_projection(&metadata, 0);
            let of_adds = (0..leaves.len()).filter(|leaf| mask.leaf_included(*leaf)).count();
            assert_eq!(of_adds, expect.len() - 1, "all but the transaction");
        }
    }

    /// Some writers note their own types beside those of Parquet.
    #[test]
    fn texts_have_the_type_that_parquet_gives_them() {
        let keys: DictionaryArray<Int32Type> = ["a", "a"].into_iter().collect();
        let add = structure(vec![("path", Arc::new(keys))]);
        let batch = RecordBatch::try_from_iter([("add", add)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let metadata = open(&Bytes::from(writer.into_inner().unwrap())).unwrap();
        let DataType::Struct(fields) = metadata.schema().field(0).data_type() else {
            panic!("{:?}", metadata.schema());
        };
        assert_eq!(fields[0].data_type(), &DataType::Utf8);
    }
}
