//! Parquet files whose footer lies, or is none.

use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData,
};

use crate::checkpoints::{add, parquet, table_of};
use crate::support::Broken;

/// Bytes behind a footer: its length and the mark of the format.
const TAIL: usize = 8;

/// Returns the file with another footer.
fn with_footer(file: &[u8], change: impl Fn(RowGroupMetaData) -> RowGroupMetaData) -> Vec<u8> {
    let bytes = bytes::Bytes::from(file.to_vec());
    let known = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
    let length = u32::from_le_bytes(file[file.len() - TAIL..][..4].try_into().unwrap());
    let mut changed = file[..file.len() - TAIL - usize::try_from(length).unwrap()].to_vec();
    let groups = known.row_groups().iter().cloned().map(change).collect();
    let metadata = ParquetMetaData::new(known.file_metadata().clone(), groups);
    ParquetMetaDataWriter::new(&mut changed, &metadata).finish().unwrap();
    changed
}

/// Changes the first column of each row group.
fn column(
    change: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData,
) -> impl Fn(RowGroupMetaData) -> RowGroupMetaData {
    move |group| {
        let mut columns = group.columns().to_vec();
        columns[0] = change(columns[0].clone());
        group.into_builder().set_column_metadata(columns).build().unwrap()
    }
}

#[tokio::test]
async fn a_file_without_a_footer_is_refused() {
    let mut broken = Broken::default();
    let file = parquet(vec![("add", add(vec![]))], true);
    broken.expect("the file as it is", &table_of(&file).await, Err("no protocol"));
    let last = file.len();
    let tail = |length: u32| [&file[..last - TAIL], &length.to_le_bytes(), b"PAR1"].concat();
    let mut other = file.clone();
    other[last - 1] = b'2';
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("the mark alone", b"PAR1".to_vec()),
        ("two marks", b"PAR1PAR1".to_vec()),
        ("a length alone", b"PAR1\xff\xff\xff\x7fPAR1".to_vec()),
        ("half a file", file[..last / 2].to_vec()),
        ("a footer of 4 GiB", tail(u32::MAX)),
        ("a footer longer than the file", tail(u32::try_from(last).unwrap())),
        ("an empty footer", tail(0)),
        ("another format", other),
    ] {
        broken.expect(what, &table_of(&bytes).await, Err("checkpoint.parquet"));
    }
    broken.none();
}

#[tokio::test]
async fn rows_and_columns_that_lie_are_refused() {
    let mut broken = Broken::default();
    let file = parquet(vec![("add", add(vec![]))], true);
    let of =
        |change: fn(ColumnChunkMetaData) -> ColumnChunkMetaData| with_footer(&file, column(change));
    for (what, bytes) in [
        (
            "2^62 rows",
            with_footer(&file, |group| group.into_builder().set_num_rows(1 << 62).build().unwrap()),
        ),
        (
            "-1 rows",
            with_footer(&file, |group| group.into_builder().set_num_rows(-1).build().unwrap()),
        ),
        (
            "a dictionary that is not there",
            of(|column| {
                let length = column.dictionary_page_offset().map_or(0, |dictionary| {
                    column.compressed_size() - (column.data_page_offset() - dictionary)
                });
                column
                    .into_builder()
                    .set_dictionary_page_offset(None)
                    .set_total_compressed_size(length)
                    .build()
                    .unwrap()
            }),
        ),
        (
            "pages before the file",
            of(|column| {
                column
                    .into_builder()
                    .set_data_page_offset(-1)
                    .set_dictionary_page_offset(None)
                    .build()
                    .unwrap()
            }),
        ),
        (
            "pages behind the file",
            of(|column| {
                column
                    .into_builder()
                    .set_data_page_offset(1 << 40)
                    .set_dictionary_page_offset(None)
                    .build()
                    .unwrap()
            }),
        ),
        (
            "a dictionary behind the file",
            of(|column| {
                column.into_builder().set_dictionary_page_offset(Some(i64::MAX)).build().unwrap()
            }),
        ),
        (
            "a negative length",
            of(|column| column.into_builder().set_total_compressed_size(-7).build().unwrap()),
        ),
        (
            "a length without end",
            of(|column| column.into_builder().set_total_compressed_size(1 << 60).build().unwrap()),
        ),
    ] {
        broken.expect(what, &table_of(&bytes).await, Err("checkpoint.parquet"));
    }
    broken.none();
}
