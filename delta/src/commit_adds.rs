//! The `add`s of a commit of ours: in memory, or, where there may be very many, as the commit's
//! lines in a file. A plan that is only looked at counts them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use rayon::prelude::*;

use crate::actions::{Add, LogAction};
use crate::error::DeltaError;
use crate::log::named;
use crate::spool::{Spool, lost};

/// Lines that one thread counts or parses at a time.
const LINES_AT_ONCE: usize = 4096;
/// Bytes of most lines.
const LINE_BYTES: usize = 384;
/// What their temporary file holds.
const FILES: &str = "the files of a commit";

/// The `add`s of a commit, in the order of their keys.
#[derive(Clone)]
pub(crate) enum CommitAdds {
    Held(Vec<Add>),
    Spooled(Arc<SpooledAdds>),
    /// Of a plan that is never published.
    Counted(CountedAdds),
}

/// What is left of `add`s that nobody will read.
#[derive(Clone)]
pub(crate) struct CountedAdds {
    files: usize,
    /// The bytes of their lines.
    bytes: u64,
    traits: AddTraits,
}

/// Lines of a commit in a file, each an `add` and its line end, one behind the other.
pub(crate) struct SpooledAdds {
    spool: Spool,
    /// Where each line ends.
    ends: Vec<u64>,
    /// The number of each line, in the order of their keys.
    order: Vec<u32>,
    traits: AddTraits,
}

/// What a checkpoint must know of all its files before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddTraits {
    /// True when a path is not spelled as its key.
    pub(crate) has_spelled_path: bool,
    /// A field that a checkpoint has no column for.
    pub(crate) uncarried: Option<String>,
}

impl AddTraits {
    /// Adds what one file makes of them.
    fn note(&mut self, add: &Add, is_plain: bool) {
        self.has_spelled_path |= !is_plain && !named::is_plain(&add.path);
        if self.uncarried.is_none() {
            self.uncarried = uncarried(add);
        }
    }

    /// Adds those of other files, which follow on these.
    fn join(&mut self, other: Self) {
        self.has_spelled_path |= other.has_spelled_path;
        self.uncarried = self.uncarried.take().or(other.uncarried);
    }
}

/// Returns the name of a field of a file that a checkpoint has no column for.
fn uncarried(add: &Add) -> Option<String> {
    let of = |place: &str, field: &String| format!("{place}.{field}");
    let vector = add.deletion_vector.as_deref();
    let of_vector = || vector?.unknown.keys().next().map(|field| of("deletionVector", field));
    add.unknown.keys().next().map(|field| of("add", field)).or_else(of_vector)
}

/// Lines of `add`s that are being written.
pub(crate) struct AddSpooler {
    spool: Spool,
    /// Where each line ends.
    ends: Vec<u64>,
    /// Lines and bytes that are counted alone.
    counted: CountedAdds,
}

/// Lines of `add`s, one after another.
pub(crate) struct AddLines {
    keeps: bool,
    text: String,
    lengths: Vec<u32>,
    counted: CountedAdds,
}

impl CountedAdds {
    const NONE: Self =
        Self { files: 0, bytes: 0, traits: AddTraits { has_spelled_path: false, uncarried: None } };
}

impl AddLines {
    /// No lines yet, with room for so many. Without `keeps` they are only counted.
    pub(crate) fn new(lines: usize, keeps: bool) -> Self {
        let kept = if keeps { lines } else { 0 };
        Self {
            keeps,
            text: String::with_capacity(kept.max(1) * LINE_BYTES),
            lengths: Vec::with_capacity(kept),
            counted: CountedAdds::NONE,
        }
    }

    /// Adds a line; `is_plain` when the file's path is surely spelled as its key.
    pub(crate) fn push(&mut self, add: &Add, is_plain: bool) {
        if !self.keeps {
            self.text.clear();
        }
        let start = self.text.len();
        LogAction::write_add(&mut self.text, add);
        self.text.push('\n');
        let bytes = self.text.len() - start;
        if self.keeps {
            self.lengths.push(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
        self.counted.files += 1;
        self.counted.bytes += bytes as u64;
        self.counted.traits.note(add, is_plain);
    }
}

impl AddSpooler {
    pub(crate) fn new() -> Self {
        Self { spool: Spool::new(), ends: Vec::new(), counted: CountedAdds::NONE }
    }

    /// Writes lines behind the others, or counts them.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub(crate) fn append(&mut self, lines: AddLines) -> io::Result<()> {
        self.counted.files += lines.counted.files;
        self.counted.bytes += lines.counted.bytes;
        self.counted.traits.join(lines.counted.traits);
        if !lines.keeps {
            return Ok(());
        }
        let mut end = self.spool.bytes();
        self.spool.append(lines.text.as_bytes())?;
        for length in lines.lengths {
            end += u64::from(length);
            self.ends.push(end);
        }
        Ok(())
    }

    /// Ends the writing. `order` has the number of each line, in the order of the keys.
    pub(crate) fn finish(self, order: Vec<u32>) -> CommitAdds {
        let Self { spool, ends, counted } = self;
        if ends.len() < counted.files {
            return CommitAdds::Counted(counted);
        }
        CommitAdds::Spooled(Arc::new(SpooledAdds { spool, ends, order, traits: counted.traits }))
    }
}

/// Says that lines are wanted that were only counted.
fn not_kept() -> DeltaError {
    let message = "this plan was made to be looked at: it has no lines of a commit";
    Failure::new(Reason::Internal, message).into()
}

impl SpooledAdds {
    /// Reads some of the files, in the order of their keys.
    fn some(&self, places: Range<usize>) -> Result<Vec<Add>, DeltaError> {
        let read = |place: usize| {
            let number = self.order[place] as usize;
            let start = if number == 0 { 0 } else { self.ends[number - 1] };
            // Lines have lengths of 32 bits.
            let length = usize::try_from(self.ends[number] - start).unwrap_or_default();
            let line = self.spool.read(start, length).map_err(|error| lost(FILES, &error))?;
            let text = std::str::from_utf8(&line).map_err(|error| lost(FILES, &error))?;
            match LogAction::from_json(text) {
                Ok(LogAction::Add(add)) => Ok(add),
                Ok(_) => Err(lost(FILES, &"a line is no file")),
                Err(error) => Err(lost(FILES, &error)),
            }
        };
        places.into_par_iter().with_min_len(LINES_AT_ONCE / 8).map(read).collect()
    }
}

impl CommitAdds {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Held(adds) => adds.len(),
            Self::Spooled(spooled) => spooled.order.len(),
            Self::Counted(counted) => counted.files,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts the bytes of their lines.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Held(adds) => adds.par_chunks(LINES_AT_ONCE).map(bytes_of).sum(),
            Self::Spooled(spooled) => spooled.spool.bytes(),
            Self::Counted(counted) => counted.bytes,
        }
    }

    /// Writes their lines behind `head`; returns the file that they are in already.
    ///
    /// # Errors
    /// A temporary file cannot be read, or the lines were only counted.
    pub(crate) fn write(&self, head: &mut Spool) -> Result<Option<Spool>, DeltaError> {
        match self {
            Self::Held(adds) => {
                let mut lines = String::new();
                for adds in adds.chunks(LINES_AT_ONCE) {
                    lines.clear();
                    for add in adds {
                        LogAction::write_add(&mut lines, add);
                        lines.push('\n');
                    }
                    head.append_anywhere(lines.as_bytes()).map_err(|error| lost(FILES, &error))?;
                }
                Ok(None)
            }
            Self::Spooled(spooled) => Ok(Some(spooled.spool.clone())),
            Self::Counted(_) => Err(not_kept()),
        }
    }

    /// What a checkpoint must know of all of them.
    pub(crate) fn traits(&self) -> AddTraits {
        match self {
            Self::Held(adds) => {
                let mut traits = AddTraits::default();
                adds.iter().for_each(|add| traits.note(add, false));
                traits
            }
            Self::Spooled(spooled) => spooled.traits.clone(),
            Self::Counted(counted) => counted.traits.clone(),
        }
    }

    /// Returns those at some places of the order of their keys, in chunks of at most `most`.
    pub(crate) fn chunks(
        &self,
        places: Range<usize>,
        most: usize,
    ) -> impl Iterator<Item = Result<Cow<'_, [Add]>, DeltaError>> {
        let end = places.end.min(self.len());
        (places.start..end).step_by(most).map(move |start| {
            let places = start..end.min(start + most);
            match self {
                Self::Held(adds) => Ok(Cow::Borrowed(&adds[places])),
                Self::Spooled(spooled) => spooled.some(places).map(Cow::Owned),
                Self::Counted(_) => Err(not_kept()),
            }
        })
    }
}

/// As the list that they are, wherever it is kept.
impl fmt::Debug for CommitAdds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for chunk in self.chunks(0..self.len(), LINES_AT_ONCE) {
            match chunk {
                Ok(adds) => list.entries(adds.iter()),
                Err(error) => list.entry(&error),
            };
        }
        list.finish()
    }
}

impl From<Vec<Add>> for CommitAdds {
    fn from(adds: Vec<Add>) -> Self {
        Self::Held(adds)
    }
}

/// Counts the bytes of the lines of these `add`s.
fn bytes_of(adds: &[Add]) -> u64 {
    let mut text = String::new();
    let line = |add: &Add| {
        text.clear();
        LogAction::write_add(&mut text, add);
        text.len() as u64 + 1
    };
    adds.iter().map(line).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn add(path: &str, more: &[(&str, serde_json::Value)]) -> Add {
        let mut add = json!({"path": path, "partitionValues": {"p": null}, "size": 1,
            "modificationTime": 2, "dataChange": true, "stats": "{\"numRecords\":1}"});
        for (name, value) in more {
            add[*name] = value.clone();
        }
        match LogAction::from_json(&json!({ "add": add }).to_string()).unwrap() {
            LogAction::Add(add) => add,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_of_lines_says_what_memory_says() {
        let future = [("future", json!({"a": [1.50, "\n"]}))];
        let adds =
            vec![add("a%20b", &[]), add("b", &future), add("c", &[("tags", json!({"t": "x"}))])];
        let (mut spooler, mut counter) = (AddSpooler::new(), AddSpooler::new());
        // Written in another order, in two parts.
        for part in [&[2, 0][..], &[1]] {
            let lines = |keeps| {
                let mut lines = AddLines::new(part.len(), keeps);
                part.iter().for_each(|&at: &usize| lines.push(&adds[at], false));
                lines
            };
            spooler.append(lines(true)).unwrap();
            counter.append(lines(false)).unwrap();
        }
        let spooled = spooler.finish(vec![1, 2, 0]);
        assert!(matches!(spooled, CommitAdds::Spooled(_)));
        let counted = counter.finish(vec![1, 2, 0]);
        let held = CommitAdds::Held(adds);
        assert_eq!((counted.len(), counted.bytes()), (held.len(), held.bytes()));
        assert_eq!(counted.traits(), held.traits());
        let refused = counted.write(&mut Spool::new()).err().unwrap().failure();
        assert!(refused.message.contains("made to be looked at"), "{refused:?}");
        assert!(counted.chunks(0..3, 2).all(|chunk| chunk.is_err()));
        assert_eq!(format!("{spooled:?}"), format!("{held:?}"));
        assert_eq!((spooled.len(), spooled.bytes()), (held.len(), held.bytes()));
        let traits = AddTraits { has_spelled_path: true, uncarried: Some("add.future".to_owned()) };
        assert_eq!((held.traits(), spooled.traits()), (traits.clone(), traits));
        let text = |adds: &CommitAdds| {
            let mut head = Spool::new();
            let spool = adds.write(&mut head).unwrap().unwrap_or(head);
            let body = spool.read(0, usize::try_from(spool.bytes()).unwrap()).unwrap();
            let mut lines: Vec<_> = body.split_inclusive(|byte| *byte == b'\n').collect();
            lines.sort_unstable();
            lines.concat()
        };
        assert_eq!(text(&spooled), text(&held));
        for (places, expect) in [
            (0..3, &["a%20b b", "c"][..]),
            (1..3, &["b c"]),
            (2..9, &["c"]),
            (0..1, &["a%20b"]),
            (3..3, &[]),
        ] {
            for adds in [&spooled, &held] {
                let paths = |chunk: Result<Cow<'_, [Add]>, DeltaError>| -> String {
                    let paths: Vec<String> =
                        chunk.unwrap().iter().map(|add| add.path.clone()).collect();
                    paths.join(" ")
                };
                let found: Vec<String> = adds.chunks(places.clone(), 2).map(paths).collect();
                assert_eq!(found, expect, "{places:?}");
            }
        }
    }
}
