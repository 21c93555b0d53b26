//! Arrow columns for the actions. Every field is nullable, as Spark writes it; maps and lists are
//! named as its readers expect (`key_value`, `element`).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames,
    StringArray, StringBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::format::Format;
use crate::actions::{Add, DeletionVector, DomainMetadata, Metadata, Protocol, Remove, Texts, Txn};

type Column = Result<ArrayRef, ArrowError>;

pub(super) fn protocols(rows: &[Protocol]) -> Column {
    let version = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    record(vec![
        ("minReaderVersion", int32(rows, |row| Some(version(row.min_reader_version)))),
        ("minWriterVersion", int32(rows, |row| Some(version(row.min_writer_version)))),
        ("readerFeatures", lists(rows.iter().map(|row| row.reader_features.as_deref()))),
        ("writerFeatures", lists(rows.iter().map(|row| row.writer_features.as_deref()))),
    ])
}

pub(super) fn metadatas(rows: &[(Metadata, Format)]) -> Column {
    let format = record(vec![
        ("provider", texts(rows, |(_, format)| Some(format.provider.as_str()))),
        (
            "options",
            some_maps(rows.iter().map(|(_, format)| {
                Some(format.options.iter().map(|(key, value)| (key.as_str(), value.as_deref())))
            }))?,
        ),
    ])?;
    record(vec![
        ("id", texts(rows, |(row, _)| Some(row.id.as_str()))),
        ("name", texts(rows, |(row, _)| row.name.as_deref())),
        ("description", texts(rows, |(row, _)| row.description.as_deref())),
        ("format", format),
        ("schemaString", texts(rows, |(row, _)| Some(row.schema_string.as_str()))),
        (
            "partitionColumns",
            lists(rows.iter().map(|(row, _)| Some(row.partition_columns.as_slice()))),
        ),
        (
            "configuration",
            some_maps(rows.iter().map(|(row, _)| {
                Some(
                    row.configuration
                        .iter()
                        .map(|(key, value)| (key.as_str(), Some(value.as_str()))),
                )
            }))?,
        ),
        ("createdTime", int64(rows, |(row, _)| row.created_time)),
    ])
}

pub(super) fn txns(rows: &[Txn]) -> Column {
    record(vec![
        ("appId", texts(rows, |row| Some(row.app_id.as_str()))),
        ("version", int64(rows, |row| Some(row.version))),
        ("lastUpdated", int64(rows, |row| row.last_updated)),
    ])
}

pub(super) fn domains(rows: &[DomainMetadata]) -> Column {
    record(vec![
        ("domain", texts(rows, |row| Some(row.domain.as_str()))),
        ("configuration", texts(rows, |row| Some(row.configuration.as_str()))),
        ("removed", bools(rows, |row| Some(row.removed))),
    ])
}

/// Builds the column of tombstones, without statistics and tags, as the protocol requires.
pub(super) fn removes(rows: &[Remove]) -> Column {
    record(vec![
        ("path", texts(rows, |row| Some(row.path.as_str()))),
        ("deletionTimestamp", int64(rows, |row| row.deletion_timestamp)),
        ("dataChange", bools(rows, |row| Some(row.data_change))),
        ("extendedFileMetadata", bools(rows, |row| row.extended_file_metadata)),
        ("partitionValues", maps(rows.iter().map(|row| row.partition_values.as_ref()))?),
        ("size", int64(rows, |row| row.size.map(signed))),
        ("deletionVector", vectors(rows.iter().map(|row| row.deletion_vector.as_deref()))?),
        ("baseRowId", int64(rows, |row| row.base_row_id)),
        ("defaultRowCommitVersion", int64(rows, |row| row.default_row_commit_version)),
    ])
}

/// Builds the column of live files. A checkpoint changes no data, so `dataChange` is false.
pub(super) fn adds(rows: &[Add]) -> Column {
    record(vec![
        ("path", texts(rows, |row| Some(row.path.as_str()))),
        ("partitionValues", maps(rows.iter().map(|row| Some(&row.partition_values)))?),
        ("size", int64(rows, |row| Some(signed(row.size)))),
        ("modificationTime", int64(rows, |row| Some(row.modification_time))),
        ("dataChange", bools(rows, |_| Some(false))),
        ("stats", texts(rows, |row| row.stats.as_deref())),
        ("tags", maps(rows.iter().map(|row| row.tags.as_ref()))?),
        ("deletionVector", vectors(rows.iter().map(|row| row.deletion_vector.as_deref()))?),
        ("baseRowId", int64(rows, |row| row.base_row_id)),
        ("defaultRowCommitVersion", int64(rows, |row| row.default_row_commit_version)),
        ("clusteringProvider", texts(rows, |row| row.clustering_provider.as_deref())),
    ])
}

fn vectors<'a>(rows: impl Iterator<Item = Option<&'a DeletionVector>>) -> Column {
    let rows: Vec<Option<&DeletionVector>> = rows.collect();
    let fields: Vec<(&str, ArrayRef)> = vec![
        ("storageType", texts(&rows, |row| row.map(|row| row.storage_type.as_str()))),
        ("pathOrInlineDv", texts(&rows, |row| row.map(|row| row.path_or_inline.as_str()))),
        ("offset", int32(&rows, |row| row.and_then(|row| row.offset))),
        ("sizeInBytes", int32(&rows, |row| row.map(|row| row.size_in_bytes))),
        ("cardinality", int64(&rows, |row| row.map(|row| row.cardinality))),
    ];
    let valid = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    nullable_record(fields, Some(valid))
}

fn record(fields: Vec<(&str, ArrayRef)>) -> Column {
    nullable_record(fields, None)
}

fn nullable_record(fields: Vec<(&str, ArrayRef)>, valid: Option<NullBuffer>) -> Column {
    let (names, columns): (Vec<&str>, Vec<ArrayRef>) = fields.into_iter().unzip();
    let fields: Fields = names
        .iter()
        .zip(&columns)
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    Ok(Arc::new(StructArray::try_new(fields, columns, valid)?))
}

fn texts<'a, T>(rows: &'a [T], field: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(field).collect::<StringArray>())
}

fn int32<T>(rows: &[T], field: impl Fn(&T) -> Option<i32>) -> ArrayRef {
    Arc::new(rows.iter().map(field).collect::<Int32Array>())
}

fn int64<T>(rows: &[T], field: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(field).collect::<Int64Array>())
}

fn bools<T>(rows: &[T], field: impl Fn(&T) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.iter().map(field).collect::<BooleanArray>())
}

fn lists<'a>(rows: impl Iterator<Item = Option<&'a [String]>>) -> ArrayRef {
    let element = Field::new("element", DataType::Utf8, true);
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(element);
    for row in rows {
        for item in row.unwrap_or_default() {
            builder.values().append_value(item);
        }
        builder.append(row.is_some());
    }
    Arc::new(builder.finish())
}

fn maps<'a>(rows: impl Iterator<Item = Option<&'a Texts>>) -> Column {
    some_maps(rows.map(|row| row.map(Texts::iter)))
}

fn some_maps<'a, I>(rows: impl Iterator<Item = Option<I>>) -> Column
where
    I: Iterator<Item = (&'a str, Option<&'a str>)>,
{
    let names = MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        let valid = row.is_some();
        for (key, value) in row.into_iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(value);
        }
        builder.append(valid)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
