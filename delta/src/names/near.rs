//! Keys that differ only in the case of letters, or in the form of their Unicode: some file systems
//! take them for one name.

use std::hash::{DefaultHasher, Hasher as _};

use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use crate::copy_objects::CopyObjects;

/// Two keys of the target that some file systems take for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearNames {
    /// A key that is to be copied.
    pub one: String,
    /// Another one, or one that is live.
    pub other: String,
    /// True when they meet only where case is folded.
    pub by_case: bool,
    /// True when they meet only where Unicode is normalised.
    pub by_form: bool,
}

/// Bytes of a key that is folded without a text of its own.
const SHORT_BYTES: usize = 256;
/// Pairs after which no more are looked for: a few of each kind are told.
const PAIRS_MAX: usize = 1_000;
/// The kinds of pairs: by case, by form, by both.
const KINDS: usize = 3;

/// Finds one pair of each kind among the planned keys, and between them and the live ones.
pub(crate) fn near_names<'a>(
    planned: &CopyObjects,
    live: impl Iterator<Item = &'a str>,
) -> Vec<NearNames> {
    let mut found: Vec<NearNames> = Vec::new();
    let key = |place: usize| planned.get(place).target_path;
    // Hashes and places, so that keys that may meet stand beside each other.
    let mut folded: Vec<(u64, usize)> =
        (0..planned.len()).into_par_iter().map(|place| (folded_hash(key(place)), place)).collect();
    folded.par_sort_unstable();
    let mut pairs = Vec::new();
    for alike in folded.chunk_by(|(a, _), (b, _)| a == b).filter(|alike| alike.len() > 1) {
        for (at, (_, one)) in alike.iter().enumerate() {
            let others = alike[..at].iter().map(|(_, other)| *other);
            pairs.extend(
                others
                    .filter(|other| fold(key(*other)) == fold(key(*one)))
                    .map(|other| (*one, other)),
            );
        }
        if pairs.len() > PAIRS_MAX {
            break;
        }
    }
    pairs.sort_unstable();
    for (one, other) in pairs {
        note(&mut found, key(one), key(other));
    }
    for other in live {
        let hash = folded_hash(other);
        let first = folded.partition_point(|(known, _)| *known < hash);
        let alike = folded[first..].iter().take_while(|(known, _)| *known == hash);
        for (_, place) in alike {
            let key = key(*place);
            if found.len() < KINDS && key != other && fold(key) == fold(other) {
                note(&mut found, key, other);
            }
        }
    }
    found
}

/// Hashes the text that [`fold`] gives.
fn folded_hash(key: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    let mut short = [0; SHORT_BYTES];
    match short.get_mut(..key.len()).filter(|_| key.is_ascii()) {
        // As most keys are.
        Some(folded) => {
            folded.copy_from_slice(key.as_bytes());
            folded.make_ascii_lowercase();
            hash.write(folded);
        }
        None => hash.write(fold(key).as_bytes()),
    }
    hash.finish()
}

fn note(found: &mut Vec<NearNames>, one: &str, other: &str) {
    let (composed, other_composed) = (composed(one), composed(other));
    let near = NearNames {
        by_case: composed != other_composed,
        by_form: one.to_lowercase() != other.to_lowercase(),
        one: one.to_owned(),
        other: other.to_owned(),
    };
    let same = |known: &NearNames| (known.by_case, known.by_form) == (near.by_case, near.by_form);
    if !found.iter().any(same) {
        found.push(near);
    }
}

fn composed(key: &str) -> String {
    key.nfc().collect()
}

/// Maps all names that may meet to one text.
fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    // Twice: the small form of a letter may have another composition.
    key.nfd().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy_objects::copied;

    #[test]
    fn keys_that_may_meet_are_told_with_what_makes_them_meet() {
        // Planned, live, and the pairs: (one, other, by case, by form).
        type Pair<'a> = (&'a str, &'a str, bool, bool);
        let cases: [(&[&str], &[&str], &[Pair<'_>]); 10] = [
            (&["p=a/x", "p=b/x"], &["p=c/x"], &[]),
            (&["p=A/x", "p=a/x"], &[], &[("p=a/x", "p=A/x", true, false)]),
            (&["p=A/x", "p=a/y"], &[], &[]),
            (&["p=A/x"], &["p=a/x"], &[("p=A/x", "p=a/x", true, false)]),
            (&[], &["p=A/x", "p=a/x"], &[]),
            // A file that is copied again.
            (&["p=a/x"], &["p=a/x"], &[]),
            (&["\u{e9}", "e\u{301}"], &[], &[("e\u{301}", "\u{e9}", false, true)]),
            (&["\u{e9}"], &["E\u{301}"], &[("\u{e9}", "E\u{301}", true, true)]),
            // One pair of each kind.
            (&["A", "a", "B", "b"], &[], &[("a", "A", true, false)]),
            (
                &["A", "a", "\u{e9}", "e\u{301}"],
                &[],
                &[("a", "A", true, false), ("e\u{301}", "\u{e9}", false, true)],
            ),
        ];
        for (planned, live, wanted) in cases {
            let found = near_names(&copied(planned), live.iter().copied());
            let found: Vec<Pair<'_>> = found
                .iter()
                .map(|near| (near.one.as_str(), near.other.as_str(), near.by_case, near.by_form))
                .collect();
            assert_eq!(found, wanted, "{planned:?} {live:?}");
        }
    }
}
