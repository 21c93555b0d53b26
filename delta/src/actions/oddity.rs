//! What in a log breaks the format's rules but does not change the state. It is read as Spark reads
//! it, and the operator gets a notice.

use std::collections::BTreeMap;
use std::fmt;

/// A kind of oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// A commit without bytes, or with white space alone.
    EmptyCommit,
    /// An object, or a row of a checkpoint, without an action.
    NoAction,
    /// `metaData` or `protocol` twice with one content.
    RepeatedAction,
    /// A key twice in `commitInfo`.
    RepeatedKey,
    /// Several actions in one object, none of them known.
    UnknownActions,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyCommit => "says nothing: read as a version without changes",
            Self::NoAction => "holds an object with no action: passed over",
            Self::RepeatedAction => "repeats its protocol or metaData word for word: read once",
            Self::RepeatedKey => "holds a key twice in commitInfo: the last one counts",
            Self::UnknownActions => {
                "holds several actions that nobody knows in one object: \
                                     passed over"
            }
        })
    }
}

/// The oddities of a log: for each kind the first file that has it, and the number of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oddities(BTreeMap<Oddity, (String, u64)>);

impl Oddities {
    pub(crate) fn note(&mut self, file: &str, oddity: Oddity) {
        let (_, files) = self.0.entry(oddity).or_insert_with(|| (file.to_owned(), 0));
        *files += 1;
    }

    pub(crate) fn has(&self, oddity: Oddity) -> bool {
        self.0.contains_key(&oddity)
    }

    /// Formats one line for each kind.
    pub(crate) fn notices(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(oddity, (file, files))| match files - 1 {
            0 => format!("{file} {oddity}"),
            more => format!("{file} {oddity} (and {more} more log files)"),
        })
    }
}
