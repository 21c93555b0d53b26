//! The columns of `add` in a checkpoint, read to files without a detour over JSON: only columns
//! that an `add` has fields for, in the types that writers give them.

use arrow::array::{
    Array, AsArray, BooleanArray, Int32Array, Int64Array, MapArray, StringArray, StructArray,
};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::actions::{Add, DeletionVector, Texts};

/// The columns of one batch.
pub(super) struct AddColumns<'a> {
    all: &'a StructArray,
    path: &'a StringArray,
    size: &'a Int64Array,
    modification_time: &'a Int64Array,
    data_change: &'a BooleanArray,
    partition_values: Option<TextsColumn<'a>>,
    stats: Option<&'a StringArray>,
    tags: Option<TextsColumn<'a>>,
    deletion_vector: Option<VectorColumns<'a>>,
    base_row_id: Option<&'a Int64Array>,
    default_row_commit_version: Option<&'a Int64Array>,
    clustering_provider: Option<&'a StringArray>,
}

impl<'a> AddColumns<'a> {
    /// Takes the columns apart; `None` when one is missing, unknown or of another type.
    pub(super) fn of(all: &'a StructArray) -> Option<Self> {
        let mut columns = Columns { all, taken: 0 };
        let found = Self {
            all,
            path: columns.take("path")?.as_string_opt()?,
            size: columns.take("size")?.as_primitive_opt::<Int64Type>()?,
            modification_time: columns.take("modificationTime")?.as_primitive_opt::<Int64Type>()?,
            data_change: columns.take("dataChange")?.as_boolean_opt()?,
            partition_values: columns.optional("partitionValues", TextsColumn::of)?,
            stats: columns.optional("stats", |column| column.as_string_opt())?,
            tags: columns.optional("tags", TextsColumn::of)?,
            deletion_vector: columns.optional("deletionVector", VectorColumns::of)?,
            base_row_id: columns.optional("baseRowId", long)?,
            default_row_commit_version: columns.optional("defaultRowCommitVersion", long)?,
            clustering_provider: columns.optional("clusteringProvider", |c| c.as_string_opt())?,
        };
        (columns.taken == all.num_columns()).then_some(found)
    }

    /// Reads the file in `row`; `None` when there is none, or a field of it is missing.
    pub(super) fn get(&self, row: usize) -> Option<Add> {
        if self.all.is_null(row) {
            return None;
        }
        Some(Add {
            path: text(self.path, row)?,
            partition_values: at(self.partition_values.as_ref(), row, TextsColumn::get)
                .unwrap_or_default(),
            size: u64::try_from(number(self.size, row)?).ok()?,
            modification_time: number(self.modification_time, row)?,
            data_change: self.data_change.is_valid(row).then(|| self.data_change.value(row))?,
            stats: at(self.stats, row, text),
            tags: at(self.tags.as_ref(), row, TextsColumn::get),
            deletion_vector: match self.deletion_vector.as_ref() {
                Some(vectors) if vectors.has(row) => Some(Box::new(vectors.get(row)?)),
                _ => None,
            },
            base_row_id: at(self.base_row_id, row, number),
            default_row_commit_version: at(self.default_row_commit_version, row, number),
            clustering_provider: at(self.clustering_provider, row, text),
            unknown: Default::default(),
        })
    }
}

/// The columns of deletion vectors.
pub(super) struct VectorColumns<'a> {
    all: &'a StructArray,
    storage_type: &'a StringArray,
    path_or_inline: &'a StringArray,
    offset: Option<&'a Int32Array>,
    size_in_bytes: &'a Int32Array,
    cardinality: &'a Int64Array,
}

impl<'a> VectorColumns<'a> {
    pub(super) fn of(column: &'a dyn Array) -> Option<Self> {
        let all = column.as_struct_opt()?;
        let mut columns = Columns { all, taken: 0 };
        let int = |column: &'a dyn Array| column.as_primitive_opt::<Int32Type>();
        let found = Self {
            all,
            storage_type: columns.take("storageType")?.as_string_opt()?,
            path_or_inline: columns.take("pathOrInlineDv")?.as_string_opt()?,
            offset: columns.optional("offset", int)?,
            size_in_bytes: int(columns.take("sizeInBytes")?)?,
            cardinality: long(columns.take("cardinality")?)?,
        };
        (columns.taken == all.num_columns()).then_some(found)
    }

    pub(super) fn has(&self, row: usize) -> bool {
        self.all.is_valid(row)
    }

    pub(super) fn get(&self, row: usize) -> Option<DeletionVector> {
        let int = |column: &Int32Array, row| column.is_valid(row).then(|| column.value(row));
        Some(DeletionVector {
            storage_type: text(self.storage_type, row)?,
            path_or_inline: text(self.path_or_inline, row)?,
            offset: at(self.offset, row, int),
            size_in_bytes: int(self.size_in_bytes, row)?,
            cardinality: number(self.cardinality, row)?,
            unknown: Default::default(),
        })
    }
}

/// A column of optional texts by key.
struct TextsColumn<'a> {
    all: &'a MapArray,
    keys: &'a StringArray,
    texts: &'a StringArray,
}

impl<'a> TextsColumn<'a> {
    fn of(column: &'a dyn Array) -> Option<Self> {
        let all = column.as_map_opt()?;
        Some(Self { all, keys: all.keys().as_string_opt()?, texts: all.values().as_string_opt()? })
    }

    fn get(&self, row: usize) -> Option<Texts> {
        if self.all.is_null(row) {
            return None;
        }
        let ends = self.all.value_offsets();
        let place = |end: i32| usize::try_from(end).ok();
        let entries = place(ends[row])?..place(ends[row + 1])?;
        let entry = |at: usize| {
            (self.keys.value(at), self.texts.is_valid(at).then(|| self.texts.value(at)))
        };
        Some(entries.map(entry).collect())
    }
}

/// Columns that are taken one by one.
struct Columns<'a> {
    all: &'a StructArray,
    taken: usize,
}

impl<'a> Columns<'a> {
    fn take(&mut self, name: &str) -> Option<&'a dyn Array> {
        let column = self.all.column_by_name(name)?;
        self.taken += 1;
        Some(column.as_ref())
    }

    /// Takes a column that may be missing; the outer `None` is for another type.
    #[expect(clippy::option_option, reason = "missing and of another type differ")]
    fn optional<T>(
        &mut self,
        name: &str,
        typed: impl FnOnce(&'a dyn Array) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.take(name) {
            Some(column) => typed(column).map(Some),
            None => Some(None),
        }
    }
}

fn long(column: &dyn Array) -> Option<&Int64Array> {
    column.as_primitive_opt::<Int64Type>()
}

fn at<C: Copy, T>(column: Option<C>, row: usize, get: impl Fn(C, usize) -> Option<T>) -> Option<T> {
    column.and_then(|column| get(column, row))
}

fn text(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn number(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}
