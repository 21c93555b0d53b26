//! Names, pages and footers of checkpoints that are written here.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::Field;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowPredicate as _;
use parquet::file::metadata::{KeyValue, OffsetIndexBuilder};
use parquet::file::properties::WriterProperties;

use super::*;

/// The metadata of a file with these paths, two a page.
fn metadata_of(paths: &[Option<&str>]) -> ParquetMetaData {
    let paths: ArrayRef = Arc::new(StringArray::from(paths.to_vec()));
    let field = Field::new("path", DataType::Utf8, true);
    let add: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(field), paths)]));
    let batch = RecordBatch::try_from_iter([("add", add)]).unwrap();
    let plain = KeyValue::new(PLAIN_PATHS.to_owned(), PLAIN_PATHS_VALUE.to_owned());
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(2)
        .set_write_batch_size(2)
        .set_key_value_metadata(Some(vec![plain]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let options = columns::options().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&bytes, options).unwrap();
    ParquetMetaData::clone(metadata.metadata())
}

fn names(paths: &[&str]) -> Names {
    let data = paths.iter().map(|path| (*path).to_owned()).collect();
    Names { data, ..Names::default() }
}

/// The rows that are read; all of them as 0.
fn rows_read(metadata: &ParquetMetaData, names: &Names) -> Option<usize> {
    selection(metadata, 0, names).map(|selected| match selected {
        Selected::All => 0,
        Selected::Ranges(ranges) => ranges.row_count(),
    })
}

#[test]
fn pages_that_may_hold_a_path_are_read() {
    let long = |end: &str| format!("p={}/{end}", "x".repeat(100));
    let (one, two) = (long("1"), long("2"));
    let metadata = metadata_of(&[
        Some("a"),
        Some("c"),
        Some("e"),
        None,
        None,
        None,
        Some(&one),
        Some(&two),
        Some("\u{10ffff}x"),
    ]);
    for (paths, expect) in [
        (&["a"][..], Some(2)),
        (&["b", "d"], Some(2)),
        (&["c", "e"], Some(4)),
        (&["Z", "d", "f"], None),
        // Bounds are cut after 64 bytes.
        (&[&long("1")], Some(2)),
        (&[&long("3")], Some(2)),
        (&["\u{10ffff}x"], Some(1)),
        (&[], None),
    ] {
        assert_eq!(rows_read(&metadata, &names(paths)), expect, "{paths:?}");
    }
    let with_vectors = Names { vectors: ["v".to_owned()].into(), ..names(&["a"]) };
    assert_eq!(rows_read(&metadata, &with_vectors), Some(0));
}

#[test]
fn an_index_that_does_not_fit_the_rows_is_not_used() {
    let metadata = metadata_of(&[Some("a"), Some("b"), Some("c"), Some("d"), Some("e")]);
    for (rows_by_page, expect) in [
        (&[2, 2, 1][..], Some(2)),
        (&[], Some(0)),
        (&[5], Some(0)),
        (&[2, 1, 1, 1], Some(0)),
        (&[4, -2, 3], Some(0)),
        (&[9, 9, 9], Some(0)),
    ] {
        let mut index = OffsetIndexBuilder::new();
        for rows in rows_by_page {
            index.append_row_count(*rows);
            index.append_offset_and_size(0, 1);
        }
        let index = Some(vec![vec![index.build()]]);
        let odd = metadata.clone().into_builder().set_offset_index(index).build();
        assert_eq!(rows_read(&odd, &names(&["a"])), expect, "{rows_by_page:?}");
    }
}

fn add_of(path: &str, vector: Option<(&str, &str)>) -> Add {
    let vector = vector.map(|(kind, path)| {
        serde_json::json!({"storageType": kind, "pathOrInlineDv": path, "offset": 1,
            "sizeInBytes": 30, "cardinality": 2})
    });
    let add = serde_json::json!({"add": {"path": path, "partitionValues": {}, "size": 1,
        "modificationTime": 1, "dataChange": true, "deletionVector": vector}});
    match crate::actions::LogAction::from_json(&add.to_string()).unwrap() {
        crate::actions::LogAction::Add(add) => add,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_named_by_its_object_or_that_of_its_vector() {
    const ROOT: &str = "s3://b/t";
    let absolute = "s3://b/t/v.bin";
    let data = names(&["a b", "p=x/f"]);
    let both = Names { vectors: ["v.bin".to_owned()].into(), ..data.clone() };
    for (path, vector, by_data, by_both) in [
        ("p=x/f", None, true, true),
        ("p=x/g", None, false, false),
        ("a%20b", None, true, true),
        ("s3://b/t/p=x/f", None, true, true),
        ("p=x/./f", None, true, true),
        ("p=x/f", Some(("p", absolute)), true, true),
        ("other", Some(("p", absolute)), false, true),
        ("other", Some(("p", "s3://b/t/w.bin")), false, false),
        // Inline: in no object.
        ("other", Some(("i", "v.bin")), false, false),
    ] {
        let add = add_of(path, vector);
        assert_eq!(data.has(ROOT, &add), by_data, "{path} {vector:?}");
        assert_eq!(both.has(ROOT, &add), by_both, "{path} {vector:?}");
    }
}

#[test]
fn a_plain_path_is_spelled_as_its_key() {
    for (path, expect) in [
        ("p=x/f", true),
        ("a b", true),
        ("a%20b", false),
        ("s3://b/t/f", false),
        ("/f", false),
        ("p=x/./f", false),
        ("p=x//f", false),
    ] {
        assert_eq!(is_plain(path), expect, "{path}");
    }
}

fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let columns = columns
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array));
    Arc::new(StructArray::from(columns.collect::<Vec<_>>()))
}

fn column(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A file of three rows, two of which are live files.
fn file_with(more: Option<&str>) -> Bytes {
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, None]));
    let vector = || {
        let parts = ["storageType", "pathOrInlineDv", "cardinality"];
        structure(parts.map(|name| (name, column(&[Some("u"), None, None]))).into())
    };
    let files = |paths: &[Option<&str>]| {
        structure(vec![
            ("path", column(paths)),
            ("size", Arc::clone(&longs)),
            ("deletionVector", vector()),
        ])
    };
    let txn = structure(vec![("appId", column(&[None, Some("t"), None]))]);
    let mut columns = vec![
        ("txn", txn),
        ("add", files(&[Some("a"), None, Some("c")])),
        ("remove", files(&[None, Some("b"), None])),
    ];
    columns.extend(more.map(|name| (name, structure(vec![("path", column(&[None; 3]))]))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

async fn stored(bytes: &Bytes) -> TableStore {
    let table = TableStore {
        store: Arc::new(InMemory::new()),
        root: Path::from("t"),
        uri: "memory:///t".to_owned(),
        large: None,
    };
    io::put(&table, "c.parquet", bytes.clone().into()).await.unwrap();
    table
}

#[tokio::test]
async fn the_footer_tells_the_live_files_of_a_file_without_sidecars() {
    for (more, expect) in [(None, Some(2)), (Some("future"), Some(2)), (Some("sidecar"), None)] {
        let bytes = file_with(more);
        let (table, size) = (stored(&bytes).await, bytes.len() as u64);
        let counts = FooterCounts { files: Some(2), may_name_sidecars: expect.is_none() };
        assert_eq!(count(&table, "c.parquet", size).await.unwrap(), counts, "{more:?}");
        let found = read(&table, "c.parquet", size, &Arc::new(names(&["x"]))).await.unwrap();
        assert_eq!(found.is_some(), expect.is_some(), "{more:?}");
        assert_eq!(found.and_then(|found| found.files), expect, "{more:?}");
    }
}

#[tokio::test]
async fn the_names_alone_are_read_of_every_row() {
    let bytes = file_with(None);
    let file = RangedFile::new(&stored(&bytes).await, "c.parquet", bytes.len() as u64);
    let metadata = columns::open(&bytes).unwrap();
    let leaves = metadata.metadata().file_metadata().schema_descr().columns();
    let vectors = Names { vectors: ["v".to_owned()].into(), ..Names::default() };
    let of_vector = ["add.deletionVector.storageType", "add.deletionVector.pathOrInlineDv"];
    for (names, expect) in
        [(names(&["a"]), vec!["add.path"]), (vectors, [&["add.path"][..], &of_vector].concat())]
    {
        let predicate = predicate(&metadata, &file, &Arc::new(names));
        let read: Vec<String> = (0..leaves.len())
            .filter(|leaf| predicate.projection().leaf_included(*leaf))
            .map(|leaf| leaves[leaf].path().string())
            .collect();
        assert_eq!(read, expect);
    }
}

/// What an array holds below a null is no value.
#[test]
fn a_row_without_a_file_or_its_path_matches_no_name() {
    let field = Arc::new(Field::new("path", DataType::Utf8, true));
    let paths = column(&[Some("a"), Some("a"), None, Some("b")]);
    let valid = vec![true, false, true, true].into();
    let add = StructArray::new(vec![field].into(), vec![paths], Some(valid));
    let batch = RecordBatch::try_from_iter([("add", Arc::new(add) as ArrayRef)]).unwrap();
    let found = matching("s3://b/t", &names(&["a", ""]), &batch).unwrap();
    assert_eq!(found, vec![true, false, false, false].into());
}
