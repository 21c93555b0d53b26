//! The words by which users write the choices of a replication.

use super::spec::{MissedPolicy, OverlapPolicy, ResumePolicy};
use crate::calendar::window::WindowKind;
use crate::spec::{DivergencePolicy, SourceReplacedPolicy, Verification};

/// A choice that is written as a word.
pub trait Word: Copy + Eq + 'static {
    /// Every choice with its word, the default first.
    const WORDS: &[(&str, Self)];

    /// Returns the choice of a word.
    ///
    /// # Errors
    /// The word is not one of them.
    fn of_word(text: &str) -> Result<Self, WordError> {
        let found = Self::WORDS.iter().find(|(word, _)| *word == text);
        let words = || Self::WORDS.iter().map(|(word, _)| *word).collect();
        let error = || WordError { text: text.to_owned(), words: words() };
        found.map(|(_, choice)| *choice).ok_or_else(error)
    }

    /// The word of this choice.
    #[must_use]
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, choice)| *choice == self);
        found.map_or("", |(word, _)| word)
    }
}

/// A text that is none of the words of a choice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not known: write {}", words.join(" or "))]
pub struct WordError {
    text: String,
    words: Vec<&'static str>,
}

/// The word of an [`AtLimit`](crate::budget::AtLimit), without the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimitWord {
    Hold,
    Slow,
    AlertOnly,
}

impl Word for AtLimitWord {
    const WORDS: &[(&str, Self)] =
        &[("hold", Self::Hold), ("slow", Self::Slow), ("alert_only", Self::AlertOnly)];
}

impl Word for MissedPolicy {
    const WORDS: &[(&str, Self)] = &[("once", Self::Once), ("skip", Self::Skip)];
}

impl Word for OverlapPolicy {
    const WORDS: &[(&str, Self)] = &[("skip", Self::Skip), ("queue_one", Self::QueueOne)];
}

impl Word for ResumePolicy {
    const WORDS: &[(&str, Self)] = &[("next_slot", Self::NextSlot), ("at_once", Self::AtOnce)];
}

impl Word for WindowKind {
    const WORDS: &[(&str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}

impl Word for Verification {
    const WORDS: &[(&str, Self)] =
        &[("digest", Self::Digest), ("size", Self::Size), ("read-back", Self::ReadBack)];
}

impl Word for DivergencePolicy {
    const WORDS: &[(&str, Self)] = &[("fail", Self::Fail), ("overwrite", Self::Overwrite)];
}

impl Word for SourceReplacedPolicy {
    const WORDS: &[(&str, Self)] = &[("fail", Self::Fail), ("reclone", Self::Reclone)];
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: Word + Debug>(words: &str) {
        for (word, choice) in T::WORDS {
            assert_eq!((T::of_word(word), choice.word()), (Ok(*choice), *word));
        }
        let error = T::of_word("mirror").unwrap_err().to_string();
        assert_eq!(error, format!("\"mirror\" is not known: write {words}"));
    }

    #[test]
    fn a_choice_is_written_by_its_word() {
        check::<AtLimitWord>("hold or slow or alert_only");
        check::<MissedPolicy>("once or skip");
        check::<OverlapPolicy>("skip or queue_one");
        check::<ResumePolicy>("next_slot or at_once");
        check::<WindowKind>("allow or deny");
        check::<Verification>("digest or size or read-back");
        check::<DivergencePolicy>("fail or overwrite");
        check::<SourceReplacedPolicy>("fail or reclone");
    }

    #[test]
    fn the_default_comes_first() {
        assert_eq!(MissedPolicy::WORDS[0].1, MissedPolicy::default());
        assert_eq!(OverlapPolicy::WORDS[0].1, OverlapPolicy::default());
        assert_eq!(ResumePolicy::WORDS[0].1, ResumePolicy::default());
        assert_eq!(Verification::WORDS[0].1, Verification::default());
        assert_eq!(DivergencePolicy::WORDS[0].1, DivergencePolicy::default());
        assert_eq!(SourceReplacedPolicy::WORDS[0].1, SourceReplacedPolicy::default());
    }
}
