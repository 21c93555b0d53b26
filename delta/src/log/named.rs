//! The live files of a checkpoint that name certain objects, read without the rest of it.
//!
//! Of a Parquet file only the names are read, then the rows that matched. A file of ours has its
//! rows in the order of their paths, and says so where every path is spelled as its key
//! ([`PLAIN_PATHS`]): then its index tells which pages may hold a path.

use std::collections::BTreeSet;
use std::ops::{Bound, Range};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter, RowSelection,
};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::{columns, pages, row};
use crate::actions::{Add, Parsed};
use crate::error::DeltaError;
use crate::{dv, io, paths};

/// The name, in the metadata of each checkpoint of ours, of what its paths are:
/// [`PLAIN_PATHS_VALUE`] when each is spelled as its key.
pub(crate) const PLAIN_PATHS: &str = "deepclone.paths";
/// The value that says so.
pub(crate) const PLAIN_PATHS_VALUE: &str = "plain";
/// The value where some have another spelling.
pub(crate) const SPELLED_PATHS_VALUE: &str = "spelled";

/// Rows that are converted at once.
const ROWS_PER_BATCH: usize = 4096;
/// Bytes at a file's end that are fetched with its footer.
const FOOTER_BYTES: usize = 64 << 10;

/// Objects of a table, by decoded key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) data: BTreeSet<String>,
    pub(crate) vectors: BTreeSet<String>,
}

impl Names {
    /// Returns whether the live file `add` of the table at `root_uri` lies in one of the objects.
    pub(crate) fn has(&self, root_uri: &str, add: &Add) -> bool {
        let vector = add.deletion_vector.as_deref();
        self.has_parts(
            root_uri,
            &add.path,
            vector.map(|vector| (vector.storage_type.as_str(), vector.path_or_inline.as_str())),
        )
    }

    fn has_parts(&self, root_uri: &str, path: &str, vector: Option<(&str, &str)>) -> bool {
        if self.has_data(root_uri, path) {
            return true;
        }
        let Some((kind, path)) = vector.filter(|_| !self.vectors.is_empty()) else { return false };
        let key = dv::object_key(root_uri, kind, path);
        matches!(key, Ok(Some(key)) if self.vectors.contains(&key))
    }

    fn has_data(&self, root_uri: &str, path: &str) -> bool {
        if is_plain(path) {
            return self.data.contains(path);
        }
        paths::decode(root_uri, path).is_ok_and(|decoded| self.data.contains(&decoded.key))
    }
}

/// What was read of a Parquet file.
pub(super) struct NamedRows {
    pub(super) parsed: Parsed,
    /// The number of all its live files, where the footer tells.
    pub(super) files: Option<u64>,
    /// True when this code wrote it.
    pub(super) is_ours: bool,
}

/// Returns whether the path of a log is spelled as its key.
pub(crate) fn is_plain(path: &str) -> bool {
    paths::is_own_key(path)
        || (!path.contains('%') && !paths::is_absolute(path) && !paths::is_roundabout(path))
}

/// Reads the live files in the Parquet file `path` of `size` bytes that lie in the objects `names`;
/// `None` for one that may name sidecars.
///
/// # Errors
/// When it cannot be read; a damaged one is named.
pub(super) async fn read(
    table: &TableStore,
    path: &str,
    size: u64,
    names: &Arc<Names>,
) -> Result<Option<NamedRows>, DeltaError> {
    let file = RangedFile::new(table, path, size);
    let failed = Arc::clone(&file.failed);
    let rows = AssertUnwindSafe(read_rows(file, names)).catch_unwind().await;
    let rows = rows.unwrap_or_else(|_| Err(columns::GAVE_UP.to_owned()));
    rows.map_err(|problem| cause(&failed, path, problem))
}

/// What the footer of a Parquet file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FooterCounts {
    /// The number of its live files, where it tells.
    pub(super) files: Option<u64>,
    /// True when it may name sidecars.
    pub(super) may_name_sidecars: bool,
}

/// Reads the footer of the Parquet file `path` of `size` bytes.
///
/// # Errors
/// As [`read`].
pub(super) async fn count(
    table: &TableStore,
    path: &str,
    size: u64,
) -> Result<FooterCounts, DeltaError> {
    let mut file = RangedFile::new(table, path, size);
    let load = ArrowReaderMetadata::load_async(&mut file, columns::options());
    let metadata = match AssertUnwindSafe(load).catch_unwind().await {
        Ok(metadata) => metadata.map_err(|error| error.to_string()),
        Err(_) => Err(columns::GAVE_UP.to_owned()),
    };
    let metadata = metadata.map_err(|problem| cause(&file.failed, path, problem))?;
    pages::check_footer(metadata.metadata(), size)
        .map_err(|problem| DeltaError::damaged(path, problem))?;
    let files = live_files(metadata.metadata());
    Ok(FooterCounts { files, may_name_sidecars: has_sidecars(&metadata) })
}

/// Counts the live files by the footer; `None` where it does not tell.
fn live_files(metadata: &ParquetMetaData) -> Option<u64> {
    let Some(leaf) = path_leaf(metadata) else { return Some(0) };
    let in_group = |group: &RowGroupMetaData| {
        let nulls = group.column(leaf).statistics()?.null_count_opt()?;
        u64::try_from(group.num_rows()).ok()?.checked_sub(nulls)
    };
    metadata.row_groups().iter().map(in_group).sum()
}

/// Returns why a file was not read: what the store answered, or `problem` with its content.
fn cause(failed: &Mutex<Option<DeltaError>>, path: &str, problem: String) -> DeltaError {
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    failed.unwrap_or_else(|| DeltaError::damaged(path, problem))
}

fn has_sidecars(metadata: &ArrowReaderMetadata) -> bool {
    metadata.schema().field_with_name("sidecar").is_ok()
}

async fn read_rows(mut file: RangedFile, names: &Arc<Names>) -> Result<Option<NamedRows>, String> {
    let text = |error: ParquetError| error.to_string();
    let options = columns::options().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load_async(&mut file, options).await.map_err(text)?;
    pages::check_footer(metadata.metadata(), file.size)?;
    let metadata = columns::typed(metadata).map_err(text)?;
    file.is_open = true;
    if has_sidecars(&metadata) {
        return Ok(None);
    }
    let (mut parsed, mut unpacked) = (Parsed::default(), 0_u64);
    for group in 0..metadata.metadata().num_row_groups() {
        let Some(selection) = selection(metadata.metadata(), group, names) else { continue };
        let filter = RowFilter::new(vec![Box::new(predicate(&metadata, &file, names))]);
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(file.clone(), metadata.clone())
                .with_projection(columns::add_projection(&metadata, group))
                .with_row_groups(vec![group])
                .with_batch_size(ROWS_PER_BATCH)
                .with_row_filter(filter);
        if let Selected::Ranges(ranges) = selection {
            builder = builder.with_row_selection(ranges);
        }
        let mut batches = builder.build().map_err(text)?;
        while let Some(batch) = batches.try_next().await.map_err(text)? {
            unpacked = unpacked.saturating_add(batch.get_array_memory_size() as u64);
            if unpacked > pages::unpacked_max(file.size) {
                return Err(format!("its rows take {unpacked} bytes and more when they are read"));
            }
            row::append_actions(&mut parsed, &batch)?;
        }
    }
    let metadata = metadata.metadata();
    let (files, is_ours) = (live_files(metadata), paths_value(metadata).is_some());
    Ok(Some(NamedRows { parsed, files, is_ours }))
}

/// Which rows of a row group may match.
enum Selected {
    All,
    Ranges(RowSelection),
}

/// Chooses the rows of the row group by the file's index; `None` when none can match.
fn selection(metadata: &ParquetMetaData, group: usize, names: &Names) -> Option<Selected> {
    let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(usize::MAX);
    let is_plain = paths_value(metadata) == Some(PLAIN_PATHS_VALUE);
    if !names.vectors.is_empty() || !is_plain {
        return Some(Selected::All);
    }
    let Some(pages) = pages(metadata, group, rows) else { return Some(Selected::All) };
    let ranges: Vec<_> =
        pages.into_iter().filter(|page| page.may_hold(&names.data)).map(|page| page.rows).collect();
    if ranges.is_empty() {
        return None;
    }
    Some(Selected::Ranges(RowSelection::from_consecutive_ranges(ranges.into_iter(), rows)))
}

/// A page of paths.
struct Page<'a> {
    /// Its least and its greatest path; `None` for a page without paths.
    bounds: Option<(&'a [u8], &'a [u8])>,
    /// Its rows in the row group.
    rows: Range<usize>,
}

impl Page<'_> {
    fn may_hold(&self, paths: &BTreeSet<String>) -> bool {
        let Some((least, most)) = self.bounds else { return false };
        let Ok(least) = std::str::from_utf8(least) else { return true };
        paths
            .range::<str, _>((Bound::Included(least), Bound::Unbounded))
            .next()
            .is_some_and(|path| path.as_bytes() <= most)
    }
}

/// Returns what a file of ours says of its paths; `None` for one of another engine.
fn paths_value(metadata: &ParquetMetaData) -> Option<&str> {
    let known = metadata.file_metadata().key_value_metadata()?;
    known.iter().find(|pair| pair.key == PLAIN_PATHS)?.value.as_deref()
}

/// Lists the pages of the paths; `None` when the file has no index of them that fits its rows.
fn pages(metadata: &ParquetMetaData, group: usize, rows: usize) -> Option<Vec<Page<'_>>> {
    let leaf = path_leaf(metadata)?;
    let ColumnIndexMetaData::BYTE_ARRAY(bounds) = metadata.column_index()?.get(group)?.get(leaf)?
    else {
        return None;
    };
    let places = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    if bounds.num_pages() != places.len() as u64 || places.first()?.first_row_index != 0 {
        return None;
    }
    let first = |page: usize| match places.get(page) {
        Some(place) => usize::try_from(place.first_row_index).ok(),
        None => Some(rows),
    };
    (0..places.len())
        .map(|page| {
            let bounds = match bounds.is_null_page(page) {
                true => None,
                false => Some((bounds.min_value(page)?, bounds.max_value(page)?)),
            };
            let rows = first(page)?..first(page + 1)?;
            (rows.start <= rows.end).then_some(Page { bounds, rows })
        })
        .collect()
}

fn path_leaf(metadata: &ParquetMetaData) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|leaf| schema.column(*leaf).path().parts() == ["add", "path"])
}

/// Builds the test of a row by its names.
fn predicate(
    metadata: &ArrowReaderMetadata,
    file: &RangedFile,
    names: &Arc<Names>,
) -> ArrowPredicateFn<impl FnMut(RecordBatch) -> Result<BooleanArray, ArrowError> + Send + 'static>
{
    let schema = metadata.metadata().file_metadata().schema_descr();
    let is_name = |leaf: &usize| match schema.column(*leaf).path().parts() {
        [add, path] => add == "add" && path == "path",
        [add, vector, part] => {
            let is_part = part == "storageType" || part == "pathOrInlineDv";
            add == "add" && vector == "deletionVector" && is_part && !names.vectors.is_empty()
        }
        _ => false,
    };
    let mask = ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(is_name));
    let (root_uri, names) = (file.table.uri.clone(), Arc::clone(names));
    ArrowPredicateFn::new(mask, move |batch: RecordBatch| matching(&root_uri, &names, &batch))
}

fn matching(
    root_uri: &str,
    names: &Names,
    batch: &RecordBatch,
) -> Result<BooleanArray, ArrowError> {
    let add = batch.column_by_name("add").and_then(|column| column.as_struct_opt());
    let Some(add) = add else { return Ok(vec![false; batch.num_rows()].into()) };
    let paths = texts(add, "path")?;
    let vector = add.column_by_name("deletionVector").and_then(|column| column.as_struct_opt());
    let (kinds, vectors) = match vector {
        Some(vector) => (texts(vector, "storageType")?, texts(vector, "pathOrInlineDv")?),
        None => (None, None),
    };
    let at = |texts: &Option<StringArray>, row: usize| -> Option<String> {
        let texts = texts.as_ref()?;
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let is_match = |row: usize| {
        let Some(paths) = paths.as_ref().filter(|paths| add.is_valid(row) && paths.is_valid(row))
        else {
            return false;
        };
        let vector = at(&kinds, row).zip(at(&vectors, row));
        let vector = vector.as_ref().map(|(kind, path)| (kind.as_str(), path.as_str()));
        names.has_parts(root_uri, paths.value(row), vector)
    };
    Ok((0..batch.num_rows()).map(is_match).collect::<Vec<bool>>().into())
}

/// Returns a column of texts, whatever form of text the file has.
fn texts(columns: &StructArray, name: &str) -> Result<Option<StringArray>, ArrowError> {
    let Some(column) = columns.column_by_name(name) else { return Ok(None) };
    Ok(Some(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()))
}

/// A file that is read by ranges.
#[derive(Clone)]
struct RangedFile {
    table: TableStore,
    path: String,
    /// Its length in bytes.
    size: u64,
    /// True once its footer is read: every other range begins with a page.
    is_open: bool,
    /// Why the store did not answer, beside the text that the reader of Parquet is told.
    failed: Arc<Mutex<Option<DeltaError>>>,
}

impl RangedFile {
    fn new(table: &TableStore, path: &str, size: u64) -> Self {
        let failed = Arc::default();
        Self { table: table.clone(), path: path.to_owned(), size, is_open: false, failed }
    }

    async fn fetch(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ParquetError> {
        match io::get_ranges(&self.table, &self.path, ranges).await {
            Ok(Some(bytes)) if self.is_open => {
                for pages in &bytes {
                    let whole = 0..pages.len() as u64;
                    pages::check(pages, whole, ROWS_PER_BATCH).map_err(ParquetError::General)?;
                }
                Ok(bytes)
            }
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(ParquetError::General("it is missing".to_owned())),
            Err(error) => {
                let text = error.to_string();
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(ParquetError::General(text))
            }
        }
    }
}

impl AsyncFileReader for RangedFile {
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
            let reader = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(FOOTER_BYTES))
                .with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(&mut *self, size).await?))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
