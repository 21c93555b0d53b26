//! The objects that a plan copies, as one table: a plan of a large table has millions of them, and
//! they are kept for as long as the job lives.
//!
//! The paths stand in a few large blocks; an object is a row of numbers that says where its path
//! is. An object that is asked for is a view of both.

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;

/// Bytes of a block of paths, unless one path is longer.
const BLOCK_BYTES: usize = 1 << 20;

/// An object that the replica's head does not reference yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyObject<'a> {
    /// The key relative to the target table's folder, decoded.
    pub target_path: &'a str,
    /// The key relative to the source table's folder where it is another one.
    pub renamed_from: Option<&'a str>,
    /// Its length in bytes; for a deletion vector's object the least that it can be.
    pub size: u64,
    /// True for deletion vectors, whose object's size is not in the log.
    pub size_is_minimum: bool,
    /// The modification time in the source's log, in milliseconds since 1970; 0 for deletion
    /// vectors, which have none.
    pub modified_ms: i64,
    /// True when the replica's head refers to the key, so that what is there must be proved, not
    /// replaced.
    pub in_use: bool,
}

impl<'a> CopyObject<'a> {
    /// Returns the key relative to the source table's folder, decoded. It may have empty segments,
    /// which `TableStore::object` can name.
    #[must_use]
    pub fn source_path(&self) -> &'a str {
        self.renamed_from.unwrap_or(self.target_path)
    }
}

/// The objects of a plan.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CopyObjects {
    blocks: Vec<String>,
    rows: Vec<ObjectRow>,
    /// The source's keys of the objects that have another one at the target, by place.
    renamed: BTreeMap<usize, String>,
}

/// Where objects stand since they were sorted.
pub(crate) struct NewOrder {
    /// The place that each object had before.
    pub(crate) places: Vec<u32>,
    /// The place of the first object that has the path of the one before it.
    pub(crate) twice: Option<usize>,
}

/// An object without its path.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ObjectRow {
    /// Where its path is.
    block: u32,
    start: u32,
    length: u32,
    size_is_minimum: bool,
    in_use: bool,
    size: u64,
    modified_ms: i64,
}

impl CopyObjects {
    /// The number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the object at this place.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn get(&self, place: usize) -> CopyObject<'_> {
        let row = &self.rows[place];
        CopyObject {
            target_path: path(&self.blocks, row),
            renamed_from: self.renamed.get(&place).map(String::as_str),
            size: row.size,
            size_is_minimum: row.size_is_minimum,
            modified_ms: row.modified_ms,
            in_use: row.in_use,
        }
    }

    /// Returns how many bytes the two keys of the object at this place have together.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn key_bytes(&self, place: usize) -> usize {
        let target = self.rows[place].length as usize;
        target + self.renamed.get(&place).map_or(target, String::len)
    }

    /// All objects, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = CopyObject<'_>> + ExactSizeIterator {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Returns the size of the object at this place, and whether that is the least it can be.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn size(&self, place: usize) -> (u64, bool) {
        (self.rows[place].size, self.rows[place].size_is_minimum)
    }

    /// Their sizes, in order.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(|row| row.size)
    }

    /// Their paths at the target, in order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| path(&self.blocks, row))
    }

    /// Adds an object behind the others.
    pub(crate) fn push(&mut self, object: CopyObject<'_>) {
        let length = object.target_path.len();
        if self.blocks.last().is_none_or(|block| block.len() + length > BLOCK_BYTES) {
            self.blocks.push(String::new());
        }
        let block = self.blocks.len() - 1;
        let start = self.blocks[block].len();
        self.blocks[block].push_str(object.target_path);
        if let Some(key) = object.renamed_from {
            self.renamed.insert(self.rows.len(), key.to_owned());
        }
        self.rows.push(ObjectRow {
            block: short(block),
            start: short(start),
            length: short(length),
            size_is_minimum: object.size_is_minimum,
            in_use: object.in_use,
            size: object.size,
            modified_ms: object.modified_ms,
        });
    }

    /// Adds the objects of `more` behind the others.
    pub(crate) fn append(&mut self, more: Self) {
        let (blocks, rows) = (self.blocks.len(), self.rows.len());
        self.blocks.extend(more.blocks.into_iter().map(|mut block| {
            // The last one of each part is never filled.
            block.shrink_to_fit();
            block
        }));
        self.rows.extend(
            more.rows.into_iter().map(|row| ObjectRow { block: short(blocks) + row.block, ..row }),
        );
        self.renamed.extend(more.renamed.into_iter().map(|(place, key)| (rows + place, key)));
    }

    /// Sorts them by their path at the target.
    pub(crate) fn sort(&mut self) -> NewOrder {
        let (blocks, rows) = (&self.blocks, &mut self.rows);
        let common = common_prefix(rows.iter().map(|row| path(blocks, row)));
        let mut keys: Vec<SortKey> = rows
            .par_iter()
            .enumerate()
            .map(|(place, row)| SortKey::new(&bytes(blocks, row)[common..], short(place)))
            .collect();
        keys.par_sort_unstable_by(|a, b| {
            let rest = |key: &SortKey| bytes(blocks, &rows[key.place as usize]);
            a.first.cmp(&b.first).then_with(|| rest(a).cmp(rest(b)))
        });
        let is_same = |place: &usize| {
            let (a, b) = (&keys[place - 1], &keys[*place]);
            let path = |key: &SortKey| bytes(blocks, &rows[key.place as usize]);
            a.first == b.first && path(a) == path(b)
        };
        let twice = (1..keys.len()).into_par_iter().find_first(is_same);
        // In the memory of the keys.
        let places: Vec<u32> = keys.into_iter().map(|key| key.place).collect();
        reorder(rows, &places);
        if !self.renamed.is_empty() {
            let mut renamed = std::mem::take(&mut self.renamed);
            let moved = places.iter().enumerate();
            let source = |(to, from): (usize, &u32)| Some((to, renamed.remove(&(*from as usize))?));
            self.renamed = moved.filter_map(source).collect();
        }
        NewOrder { places, twice }
    }

    /// Returns the place of the object with this path, where they are sorted.
    pub(crate) fn find(&self, target_path: &str) -> Option<usize> {
        self.rows.binary_search_by(|row| path(&self.blocks, row).cmp(target_path)).ok()
    }

    /// Lets an object have this size at the least.
    pub(crate) fn raise(&mut self, place: usize, size: u64) {
        let row = &mut self.rows[place];
        row.size = row.size.max(size);
    }

    /// Notes the key that an object has at the source.
    pub(crate) fn rename(&mut self, place: usize, source: String) {
        self.renamed.insert(place, source);
    }
}

impl fmt::Debug for CopyObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> FromIterator<CopyObject<'a>> for CopyObjects {
    fn from_iter<I: IntoIterator<Item = CopyObject<'a>>>(objects: I) -> Self {
        let mut all = Self::default();
        objects.into_iter().for_each(|object| all.push(object));
        all
    }
}

/// Moves the row at each of `places`, all of them in their new order, to its new place. In place:
/// the rows of a large table are a good part of all memory.
fn reorder(rows: &mut [ObjectRow], places: &[u32]) {
    let mut is_moved = vec![false; places.len()];
    for start in 0..places.len() {
        if is_moved[start] {
            continue;
        }
        let first = rows[start];
        let mut to = start;
        loop {
            is_moved[to] = true;
            let from = places[to] as usize;
            if from == start {
                rows[to] = first;
                break;
            }
            rows[to] = rows[from];
            to = from;
        }
    }
}

/// The first bytes of a path behind what all have in common, which order most of them, and its
/// place: what is compared stands together in memory.
struct SortKey {
    first: [u32; 3],
    place: u32,
}

impl SortKey {
    fn new(rest: &[u8], place: u32) -> Self {
        let mut first = [0; 3];
        for (number, bytes) in first.iter_mut().zip(rest.chunks(4)) {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            *number = u32::from_be_bytes(four);
        }
        Self { first, place }
    }
}

/// Returns how many bytes all these begin with.
fn common_prefix<'a>(mut paths: impl Iterator<Item = &'a str>) -> usize {
    let Some(first) = paths.next() else { return 0 };
    paths.fold(first.len(), |common, path| {
        let same = first.bytes().zip(path.bytes()).take(common).take_while(|(a, b)| a == b);
        same.count()
    })
}

fn bytes<'a>(blocks: &'a [String], row: &ObjectRow) -> &'a [u8] {
    let start = row.start as usize;
    &blocks[row.block as usize].as_bytes()[start..start + row.length as usize]
}

fn path<'a>(blocks: &'a [String], row: &ObjectRow) -> &'a str {
    let start = row.start as usize;
    &blocks[row.block as usize][start..start + row.length as usize]
}

#[expect(clippy::cast_possible_truncation, reason = "what is read of a log is bounded far below")]
fn short(number: usize) -> u32 {
    number as u32
}

/// Objects of no bytes with these paths, in this order.
#[cfg(test)]
pub(crate) fn copied(paths: &[&str]) -> CopyObjects {
    let object = |target_path| CopyObject {
        target_path,
        renamed_from: None,
        size: 0,
        size_is_minimum: false,
        modified_ms: 0,
        in_use: false,
    };
    paths.iter().copied().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(target_path: &str, renamed_from: Option<&'static str>, size: u64) -> CopyObjects {
        let (modified_ms, size_is_minimum, in_use) = (size.cast_signed(), size == 2, size == 3);
        let object =
            CopyObject { target_path, renamed_from, size, size_is_minimum, modified_ms, in_use };
        [object].into_iter().collect()
    }

    #[test]
    fn two_objects_of_one_path_are_noticed() {
        let long = "of one folder with a long name/".repeat(3);
        let other = format!("{long}x");
        for (paths, twice) in [
            (&["b", "a", "b"][..], Some(2)),
            (&["a", "b", "ab"], None),
            (&[&long, &other], None),
            (&[&other, &long, &other, &long], Some(1)),
            (&[""], None),
        ] {
            assert_eq!(copied(paths).sort().twice, twice, "{paths:?}");
        }
    }

    #[test]
    fn objects_are_found_again_in_the_order_of_their_paths() {
        let long = "p".repeat(BLOCK_BYTES);
        let parts = [
            ("c", None, 1),
            ("a", Some("x//a"), 2),
            (long.as_str(), None, 3),
            ("b", Some("/b"), 4),
        ];
        let mut all = CopyObjects::default();
        for (path, renamed_from, size) in parts {
            all.append(object(path, renamed_from, size));
        }
        let mut pushed = CopyObjects::default();
        all.iter().for_each(|object| pushed.push(object));
        assert!(pushed.iter().eq(all.iter()), "in other blocks");
        let sorted = all.sort();
        assert_eq!((&sorted.places[..], sorted.twice), (&[1, 3, 0, 2][..], None));
        let sizes: Vec<u64> = all.iter().map(|object| object.size).collect();
        assert_eq!(sizes, [2, 4, 1, 3]);
        for (place, (path, renamed_from, size)) in
            [1, 3, 0, 2].map(|at| parts[at]).iter().enumerate()
        {
            assert_eq!(all.find(path), Some(place));
            let found = all.get(place);
            assert_eq!((found.target_path, found.size), (*path, *size));
            assert_eq!(all.key_bytes(place), path.len() + found.source_path().len());
            assert_eq!(found.source_path(), renamed_from.unwrap_or(path));
            assert_eq!((found.size_is_minimum, found.in_use), (*size == 2, *size == 3));
        }
        assert_eq!(all.find("d"), None);
        all.raise(0, 9);
        all.raise(1, 1);
        all.rename(2, "z".to_owned());
        let raised: Vec<_> = all.iter().map(|object| (object.size, object.source_path())).collect();
        assert_eq!(raised[..3], [(9, "x//a"), (4, "/b"), (1, "z")]);
    }
}
