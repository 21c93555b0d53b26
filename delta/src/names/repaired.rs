//! The key of an object that was brought back beside a damaged one.
//!
//! A published object is never overwritten, so the right bytes get another key: a data file's name
//! has the mark before its extension, the folder of a deletion vector's object has it at its end.
//! The key tells the one that it replaces, so that no other record of it is needed. It tells it in
//! the table alone where it was made: the replica of a replica has such keys as its source's own.

use sha2::{Digest as _, Sha256};

use crate::hash::hex;

/// What a mark begins with, before its number and digest.
const MARK: &str = "repaired-";
/// Hex digits, in a mark, of the SHA-256 of the table's id and the replaced key.
const DIGEST_CHARACTERS: usize = 8;

/// The object whose place another one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectRole {
    DataFile,
    /// An object of deletion vectors, whose name tells its id.
    Vectors,
}

/// Returns the key for the next copy of the object at `key` of the table with the id `table`. The
/// object may be such a copy itself.
pub(crate) fn next(role: ObjectRole, table: &str, key: &str) -> String {
    let (first, number) = original(role, table, key).unwrap_or_else(|| (key.to_owned(), 0));
    let mark = format!("{MARK}{}-{}", number + 1, digest(table, &first));
    let (folder, name) = split(&first);
    match role {
        ObjectRole::DataFile => match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
            Some((stem, extension)) => joined(folder, &format!("{stem}.{mark}.{extension}")),
            None => joined(folder, &format!("{name}.{mark}")),
        },
        ObjectRole::Vectors if folder.is_empty() => format!("{mark}/{name}"),
        ObjectRole::Vectors => format!("{folder}.{mark}/{name}"),
    }
}

/// Returns the key whose place the object at `key` took, and how many copies of it there were;
/// `None` for any other object.
pub(crate) fn original(role: ObjectRole, table: &str, key: &str) -> Option<(String, u32)> {
    let (folder, name) = split(key);
    let marked = match role {
        ObjectRole::DataFile => name,
        ObjectRole::Vectors => folder,
    };
    let at = marked.rfind(MARK)?;
    let (before, mark) = (&marked[..at], &marked[at + MARK.len()..]);
    let (number, rest) = mark.split_once('-')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    let (told, after) = rest.split_at_checked(DIGEST_CHARACTERS)?;
    let before = before.strip_suffix('.').unwrap_or(before);
    let first = match role {
        ObjectRole::DataFile => joined(folder, &format!("{before}{after}")),
        ObjectRole::Vectors if after.is_empty() => joined(before, name),
        ObjectRole::Vectors => return None,
    };
    (digest(table, &first) == told).then_some((first, number))
}

fn digest(table: &str, key: &str) -> String {
    let digest = Sha256::new().chain_update(table).chain_update([0]).chain_update(key).finalize();
    hex(&digest[..DIGEST_CHARACTERS / 2])
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "f5d1a2c0-4b0e-4a52-9d57-6c6a4cf3a0b1";

    #[test]
    fn a_copy_tells_what_it_replaces_and_so_do_the_copies_of_it() {
        for (role, key) in [
            (ObjectRole::DataFile, "part-0.c000.snappy.parquet"),
            (ObjectRole::DataFile, "day=1/part-0.parquet"),
            (ObjectRole::DataFile, "d.e/no extension"),
            (ObjectRole::DataFile, "d/.parquet"),
            (ObjectRole::DataFile, "a.repaired-1-00000000.parquet"),
            (ObjectRole::Vectors, "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"),
            (ObjectRole::Vectors, "ab/deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"),
            (ObjectRole::Vectors, "a/b.c/deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"),
        ] {
            assert_eq!(original(role, TABLE, key), None, "{key}");
            let mut copy = key.to_owned();
            for number in 1..4 {
                let next = next(role, TABLE, &copy);
                assert_ne!(next, copy);
                assert_eq!(original(role, TABLE, &next), Some((key.to_owned(), number)), "{next}");
                copy = next;
            }
        }
        let copy = next(ObjectRole::DataFile, TABLE, "day=1/part-0.snappy.parquet");
        assert_eq!(copy, "day=1/part-0.snappy.repaired-1-368e4343.parquet");
    }

    #[test]
    fn a_name_that_only_looks_like_a_copy_is_none() {
        for key in ["x.repaired-1-12345678.parquet", "repaired-", "x.repaired-0-", "repaired-1-é"]
        {
            assert_eq!(original(ObjectRole::DataFile, TABLE, key), None, "{key}");
            assert_eq!(
                original(ObjectRole::Vectors, TABLE, &format!("{key}/v.bin")),
                None,
                "{key}"
            );
        }
        // The digest is that of the key in its own folder.
        let moved = next(ObjectRole::DataFile, TABLE, "a/x.parquet").replacen("a/", "b/", 1);
        assert_eq!(original(ObjectRole::DataFile, TABLE, &moved), None);
        // And in its own table.
        let own = next(ObjectRole::DataFile, TABLE, "x.parquet");
        assert_eq!(original(ObjectRole::DataFile, "another", &own), None);
    }
}
