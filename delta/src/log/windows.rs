//! A Parquet file of a checkpoint, a window of its rows at a time: memory is bounded by the window
//! and not by the file. While one window is converted, the next one is decoded.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use rayon::prelude::*;

use super::add_columns::VectorColumns;
use super::{columns, pages, row};
use crate::actions::{Add, LogAction, Oddity, Parsed};
use crate::file_key::LogKey;
use crate::spool::Spool;
use crate::{dv, paths};

/// Rows of a batch, and batches of a window.
const BATCH_ROWS: usize = 2048;
const WINDOW_BATCHES: usize = 8;
/// The column of tombstones.
const REMOVE: &str = "remove";

/// A Parquet file of a checkpoint.
pub(crate) struct CheckpointFile {
    spool: Spool,
    metadata: ArrowReaderMetadata,
    /// Bytes that its rows may take and have taken.
    unpacked_max: u64,
    unpacked: u64,
    /// For each row, whether it is something else than a live file.
    is_other: Vec<bool>,
}

/// The rows of a checkpoint that are no live files.
#[derive(Default)]
pub(crate) struct OtherRows {
    /// What they say, but for tombstones.
    pub(crate) parsed: Parsed,
    /// The hashes of the keys of removed files: see [`hash`].
    pub(crate) removed: HashSet<u64>,
}

/// Returns the hash by which removed files are kept.
pub(crate) fn hash(key: &LogKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl CheckpointFile {
    /// Reads its footer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn open(spool: Spool) -> Result<Self, String> {
        let metadata = columns::open(&spool).map_err(|error| error.to_string())?;
        let unpacked_max = pages::unpacked_max(spool.bytes());
        Ok(Self { spool, metadata, unpacked_max, unpacked: 0, is_other: Vec::new() })
    }

    /// Reads the rows that are no live files, of which there are few, or little is wanted.
    ///
    /// # Errors
    /// What is wrong with the file, or a tombstone that only the whole state can judge.
    pub(crate) fn others(&mut self, found: &mut OtherRows) -> Result<(), String> {
        for group in 0..self.groups() {
            let mask = columns::others_projection(&self.metadata);
            let mut batches = self.batches(group, mask)?;
            while let Some(batch) = self.next(&mut batches)? {
                self.take_others(&batch, found)?;
            }
        }
        Ok(())
    }

    fn take_others(&mut self, batch: &RecordBatch, found: &mut OtherRows) -> Result<(), String> {
        let (rows, first) = (batch.num_rows(), self.is_other.len());
        self.is_other.resize(first + rows, false);
        let mut has_other = false;
        for (place, field) in batch.schema().fields().iter().enumerate() {
            let column = batch.column(place);
            if column.null_count() == rows {
                continue;
            }
            for row in (0..rows).filter(|row| column.is_valid(*row)) {
                if std::mem::replace(&mut self.is_other[first + row], true) {
                    return Err("a row of it holds two actions".to_owned());
                }
            }
            match field.name() == REMOVE {
                true => take_removed(column, &mut found.removed)?,
                false => has_other = true,
            }
        }
        if has_other {
            let schema = batch.schema();
            let is_kept = |place: &usize| schema.field(*place).name() != REMOVE;
            let kept: Vec<usize> = (0..batch.num_columns()).filter(is_kept).collect();
            let batch = batch.project(&kept).map_err(|error| error.to_string())?;
            let mut parsed = Parsed::default();
            row::append_actions(&mut parsed, &batch)?;
            // The other rows are files.
            parsed.oddities.remove(&Oddity::NoAction);
            found.parsed.append(parsed);
        }
        Ok(())
    }

    /// Reads the rows that are live files, once the others are read. `convert` gets those of one
    /// batch, on any thread; `take` gets what it made of them, in order.
    ///
    /// # Errors
    /// What is wrong with the file, or what one of the two says.
    pub(crate) fn files<T: Send>(
        self,
        convert: impl Fn(Vec<Add>) -> Result<T, String> + Sync,
        take: impl FnMut(T) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        columns::guarded(|| self.unguarded_files(convert, take))
    }

    fn unguarded_files<T: Send>(
        mut self,
        convert: impl Fn(Vec<Add>) -> Result<T, String> + Sync,
        mut take: impl FnMut(T) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        let is_other = std::mem::take(&mut self.is_other);
        let mut first = 0;
        for group in 0..self.groups() {
            let mask = columns::add_projection(&self.metadata, group);
            let mut batches = self.batches(group, mask)?;
            let mut window = self.window(&mut batches)?;
            while !window.is_empty() {
                let converted = |(first, batch): (usize, RecordBatch)| {
                    let rows = is_other.get(first..first + batch.num_rows());
                    convert(files_of(&batch, rows.unwrap_or_default())?)
                };
                let placed: Vec<_> = window
                    .into_iter()
                    .map(|batch| {
                        let at = first;
                        first += batch.num_rows();
                        (at, batch)
                    })
                    .collect();
                let (next, taken) = rayon::join(
                    || self.window(&mut batches),
                    || {
                        let made = placed.into_par_iter().map(converted);
                        let made: Vec<T> = made.collect::<Result<_, String>>()?;
                        made.into_iter().try_for_each(&mut take)
                    },
                );
                taken?;
                window = next?;
            }
        }
        match first == is_other.len() {
            true => Ok(()),
            false => Err("its columns have different numbers of rows".to_owned()),
        }
    }

    fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    fn batches(
        &self,
        group: usize,
        mask: ProjectionMask,
    ) -> Result<ParquetRecordBatchReader, String> {
        let rows = columns::rows_at_once(&self.metadata, group, &mask, &self.spool, BATCH_ROWS)?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.spool.clone(),
            self.metadata.clone(),
        )
        .with_projection(mask)
        .with_row_groups(vec![group])
        .with_batch_size(rows)
        .build()
        .map_err(|error| error.to_string())
    }

    fn window(
        &mut self,
        batches: &mut ParquetRecordBatchReader,
    ) -> Result<Vec<RecordBatch>, String> {
        let mut window = Vec::with_capacity(WINDOW_BATCHES);
        while window.len() < WINDOW_BATCHES
            && let Some(batch) = self.next(batches)?
        {
            window.push(batch);
        }
        Ok(window)
    }

    fn next(
        &mut self,
        batches: &mut ParquetRecordBatchReader,
    ) -> Result<Option<RecordBatch>, String> {
        let Some(batch) = batches.next() else { return Ok(None) };
        let batch = batch.map_err(|error| error.to_string())?;
        self.unpacked = self.unpacked.saturating_add(batch.get_array_memory_size() as u64);
        if self.unpacked > self.unpacked_max {
            let bytes = self.unpacked;
            return Err(format!("its rows take {bytes} bytes and more when they are read"));
        }
        Ok(Some(batch))
    }
}

/// Reads the live files of a batch; `is_other` tells for each row whether it is something else.
fn files_of(batch: &RecordBatch, is_other: &[bool]) -> Result<Vec<Add>, String> {
    let add = batch.column_by_name("add").ok_or("it has no column of files")?;
    let is_whole = is_other.len() == batch.num_rows()
        && is_other.iter().enumerate().all(|(row, is_other)| add.is_valid(row) != *is_other);
    if !is_whole {
        return Err("a row of it holds no action, or two".to_owned());
    }
    let mut parsed = Parsed::default();
    row::append_actions(&mut parsed, batch)?;
    let adds = parsed.actions.into_iter().filter_map(|action| match action {
        LogAction::Add(mut add) => {
            row::drop_parsed(&mut add);
            Some(add)
        }
        _ => None,
    });
    Ok(adds.collect())
}

/// Keeps the hashes of the removed files of a column.
fn take_removed(column: &ArrayRef, removed: &mut HashSet<u64>) -> Result<(), String> {
    const UNUSUAL: &str = "its tombstones have columns of other types";
    let remove = column.as_struct_opt().ok_or(UNUSUAL)?;
    let path = remove.column_by_name("path").and_then(|path| path.as_string_opt::<i32>());
    let path = path.ok_or(UNUSUAL)?;
    let vectors = match remove.column_by_name("deletionVector") {
        Some(vectors) => Some(VectorColumns::of(vectors).ok_or(UNUSUAL)?),
        None => None,
    };
    for row in (0..remove.len()).filter(|row| remove.is_valid(*row)) {
        if path.is_null(row) || paths::is_absolute(path.value(row)) {
            return Err("a tombstone of it has no relative path".to_owned());
        }
        let vector = vectors.as_ref().filter(|vectors| vectors.has(row));
        let dv = match vector {
            Some(vectors) => Some(dv::unique_id(&vectors.get(row).ok_or(UNUSUAL)?)),
            None => None,
        };
        removed.insert(hash(&LogKey { path: path.value(row).to_owned(), dv }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// A file of a checkpoint with one live file.
    fn checkpoint() -> CheckpointFile {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["a.parquet"])),
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(Int64Array::from(vec![2])),
            Arc::new(BooleanArray::from(vec![true])),
        ];
        let fields = [
            ("path", DataType::Utf8),
            ("size", DataType::Int64),
            ("modificationTime", DataType::Int64),
            ("dataChange", DataType::Boolean),
        ];
        let fields = fields.map(|(name, kind)| Field::new(name, kind, true)).to_vec();
        let add: ArrayRef = Arc::new(StructArray::new(fields.into(), columns, None));
        let batch = RecordBatch::try_from_iter([("add", add)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let mut spool = Spool::new();
        spool.append(&writer.into_inner().unwrap()).unwrap();
        CheckpointFile::open(spool).unwrap()
    }

    #[test]
    fn a_panic_while_files_are_read_is_what_is_wrong_with_the_file() {
        let mut file = checkpoint();
        file.others(&mut OtherRows::default()).unwrap();
        let panics = |_| -> Result<(), String> { panic!("as the reader of Parquet does") };
        let refused = file.files(panics, |()| Ok(())).unwrap_err();
        assert_eq!(refused, columns::GAVE_UP);
    }
}
