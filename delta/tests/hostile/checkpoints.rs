//! Parquet checkpoints with columns of other types, and ones that unpack to far more than they are.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Builder, Int64Array, ListArray, ListBuilder, MapBuilder,
    RecordBatch, StringArray, StringBuilder, StructArray,
};
use arrow::datatypes::{Field, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::support::{Broken, FIRST, METADATA, PROTOCOL, read};

const CHECKPOINT: &str = "_delta_log/00000000000000000001.checkpoint.parquet";

pub(crate) fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
    let columns = columns.into_iter().map(|(name, array)| (Arc::new(field(name, &array)), array));
    Arc::new(StructArray::from(columns.collect::<Vec<_>>()))
}

pub(crate) fn parquet(columns: Vec<(&str, ArrayRef)>, is_dictionary: bool) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let codec = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(is_dictionary)
        .set_dictionary_page_size_limit(16 << 20)
        .set_data_page_size_limit(1 << 30)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// The columns of a live file, some of them replaced.
pub(crate) fn add(replaced: Vec<(&'static str, ArrayRef)>) -> ArrayRef {
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("path", texts(&["x"])),
        ("size", longs(&[1])),
        ("modificationTime", longs(&[1])),
        ("dataChange", Arc::new(BooleanArray::from(vec![true]))),
    ];
    for (name, column) in replaced {
        match columns.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = column,
            None => columns.push((name, column)),
        }
    }
    structure(columns)
}

/// Reads a table whose checkpoint is these bytes; its log holds the commits only from it on.
pub(crate) async fn table_of(
    checkpoint: &[u8],
) -> Result<deepclone_delta::snapshot::Snapshot, deepclone_core::failure::Failure> {
    let next = "_delta_log/00000000000000000002.json";
    let first = format!("{PROTOCOL}\n{METADATA}");
    read(&[(CHECKPOINT, checkpoint), (next, first.as_bytes())]).await
}

/// The columns of a whole checkpoint with this `add`.
fn with_table(add: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let ints = |value: i32| -> ArrayRef { Arc::new(arrow::array::Int32Array::from(vec![value])) };
    let protocol = structure(vec![("minReaderVersion", ints(1)), ("minWriterVersion", ints(2))]);
    let format = structure(vec![("provider", texts(&["parquet"]))]);
    let metadata = structure(vec![
        ("id", texts(&["a"])),
        ("format", format),
        ("schemaString", texts(&["{\"type\":\"struct\",\"fields\":[]}"])),
    ]);
    // One row holds one action: each column is null in the rows of the others.
    let row = |column: &ArrayRef, at: usize| -> ArrayRef {
        let rows: Vec<Option<u64>> = (0..3).map(|row| (row == at).then_some(0)).collect();
        let rows = arrow::array::UInt64Array::from(rows);
        arrow::compute::take(column, &rows, None).unwrap()
    };
    vec![("protocol", row(&protocol, 0)), ("metaData", row(&metadata, 1)), ("add", row(&add, 2))]
}

#[tokio::test]
async fn columns_of_other_types_are_refused_by_their_name() {
    let mut broken = Broken::default();
    let nested: ArrayRef = {
        let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        lists.values().values().append_value("x");
        lists.values().append(true);
        lists.append(true);
        Arc::new(lists.finish())
    };
    let map_of_numbers: ArrayRef = {
        let mut map = MapBuilder::new(None, Int32Builder::new(), Int32Builder::new());
        map.keys().append_value(1);
        map.values().append_value(2);
        map.append(true).unwrap();
        Arc::new(map.finish())
    };
    let list_of_numbers: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)])]));
    for (what, replaced, wanted) in [
        ("as it should be", vec![], Ok(1)),
        ("a number for a path", vec![("path", longs(&[7]))], Err("add.path")),
        ("lists for a path", vec![("path", Arc::clone(&nested))], Err("add.path")),
        ("a text for a size", vec![("size", texts(&["1"]))], Err("add.size")),
        ("a negative size", vec![("size", longs(&[-1]))], Err("add.size")),
        ("a list for a size", vec![("size", Arc::clone(&list_of_numbers))], Err("add.size")),
        ("a number for a flag", vec![("dataChange", longs(&[1]))], Err("add.dataChange")),
        ("lists for statistics", vec![("stats", Arc::clone(&nested))], Err("add.stats")),
        (
            "a map of numbers",
            vec![("partitionValues", map_of_numbers)],
            Err("key must be a string"),
        ),
        ("a list for a map", vec![("partitionValues", nested)], Err("add.partitionValues")),
        ("a number for a vector", vec![("deletionVector", longs(&[1]))], Err("add.deletionVector")),
        (
            "a vector with nothing",
            vec![("deletionVector", structure(vec![("x", longs(&[1]))]))],
            Err("add.deletionVector.storageType is missing"),
        ),
    ] {
        let bytes = parquet(with_table(add(replaced)), true);
        broken.expect(what, &table_of(&bytes).await, wanted);
    }
    for (what, columns, wanted) in [
        ("a number for an action", with_table(longs(&[1])), Err("add")),
        ("a text for an action", with_table(texts(&["x"])), Err("add")),
        ("no column that is known", vec![("future", longs(&[1]))], Err("no protocol")),
        ("no path", with_table(structure(vec![("size", longs(&[1]))])), Err("add.path is missing")),
    ] {
        broken.expect(what, &table_of(&parquet(columns, true)).await, wanted);
    }
    broken.none();
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_takes_memory() {
    let mut broken = Broken::default();
    let large = "x".repeat(80 << 20);
    let plain = parquet(with_table(add(vec![("path", texts(&[&large]))])), false);
    assert!(plain.len() < 1 << 20, "{} bytes", plain.len());
    broken.expect("a page of 80 MiB", &table_of(&plain).await, Err("unpack to"));
    // A text of a dictionary that very many rows name.
    let text = "y".repeat(1 << 20);
    let values = arrow::array::StringArray::from(vec![text.as_str()]);
    let rows = arrow::array::Int32Array::from(vec![0; 2_000]);
    let named = arrow::array::DictionaryArray::new(rows, Arc::new(values));
    let columns = vec![("appId", Arc::new(named) as ArrayRef), ("version", longs(&[1; 2_000]))];
    let bytes = parquet(vec![("txn", structure(columns))], true);
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    broken.expect("2,000 times 1 MiB", &table_of(&bytes).await, Err("its rows take"));
    // The same checkpoint gives way to an older state that is whole.
    let first = format!("{PROTOCOL}\n{METADATA}");
    let second = "_delta_log/00000000000000000001.json";
    let objects =
        [(FIRST, first.as_bytes()), (second, b"{\"commitInfo\":{}}"), (CHECKPOINT, &plain)];
    broken.expect("commits beside a bomb", &read(&objects).await, Ok(0));
    broken.none();
}
