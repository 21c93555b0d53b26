//! The rows of a checkpoint, and how those of files are divided.

use std::borrow::Cow;
use std::ops::Range;

use crate::actions::{DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::commit_adds::CommitAdds;
use crate::log::named;

/// The content of a checkpoint, in the order of its rows.
#[derive(Debug)]
pub(crate) struct CheckpointState<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) txns: Vec<Txn>,
    pub(crate) domains: Vec<DomainMetadata>,
    pub(crate) removes: Vec<Remove>,
    /// Those of a sync that is at hand, or what was read.
    pub(crate) adds: Cow<'a, CommitAdds>,
}

impl CheckpointState<'_> {
    /// The number of tombstones and live files.
    pub(super) fn file_actions(&self) -> usize {
        self.removes.len() + self.adds.len()
    }

    /// What each of its Parquet files says of all paths, which are looked at for it.
    pub(super) fn paths_value(&self) -> &'static str {
        match self.adds.traits().has_spelled_path {
            true => named::SPELLED_PATHS_VALUE,
            false => named::PLAIN_PATHS_VALUE,
        }
    }
}

/// File actions that stand in one file, by their places: tombstones first, then live files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePlaces {
    pub(super) removes: Range<usize>,
    pub(super) adds: Range<usize>,
}

impl FilePlaces {
    pub(super) fn all(state: &CheckpointState<'_>) -> Self {
        Self { removes: 0..state.removes.len(), adds: 0..state.adds.len() }
    }

    /// Divides so many tombstones and live files over files of `most` rows and a last one of fewer.
    pub(super) fn divided(
        removes: usize,
        adds: usize,
        most: usize,
    ) -> impl Iterator<Item = Self> + use<> {
        (0..removes + adds).step_by(most).map(move |start| {
            let end = (start + most).min(removes + adds);
            Self {
                removes: start.min(removes)..end.min(removes),
                adds: start.max(removes) - removes..end.max(removes) - removes,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_file_stands_in_one_sidecar() {
        for (removes, adds, most, expect) in [
            (0, 0, 3, &[][..]),
            (0, 1, 3, &[(0..0, 0..1)]),
            (2, 1, 3, &[(0..2, 0..1)]),
            (3, 0, 3, &[(0..3, 0..0)]),
            (3, 1, 3, &[(0..3, 0..0), (3..3, 0..1)]),
            (4, 6, 3, &[(0..3, 0..0), (3..4, 0..2), (4..4, 2..5), (4..4, 5..6)]),
        ] {
            let found: Vec<_> = FilePlaces::divided(removes, adds, most).collect();
            let expect = expect.iter().cloned().map(|(removes, adds)| FilePlaces { removes, adds });
            assert_eq!(found, expect.collect::<Vec<_>>(), "{removes} {adds} {most}");
        }
    }
}
