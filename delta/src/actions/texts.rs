//! Optional texts by key, as partition values and tags are: few, and in every file of a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A key and its text.
type Entry = (Box<str>, Option<Box<str>>);

/// Optional texts by key, sorted by key. A file has few of them, and a table very many files, so
/// they take no more memory than they need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(Box<[Entry]>);

impl Texts {
    /// Returns the text under `key`; the outer `None` is for an absent key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Option<&str>> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()?;
        Some(self.0[at].1.as_deref())
    }

    /// Lists the keys with their texts, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, text)| (key.as_ref(), text.as_deref()))
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true when there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The last one counts of texts with one key.
impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, Option<V>)> for Texts {
    fn from_iter<I: IntoIterator<Item = (K, Option<V>)>>(texts: I) -> Self {
        let mut texts: Vec<Entry> =
            texts.into_iter().map(|(key, text)| (key.into(), text.map(Into::into))).collect();
        if !texts.is_sorted_by(|(a, _), (b, _)| a < b) {
            let sorted: BTreeMap<_, _> = texts.into_iter().collect();
            texts = sorted.into_iter().collect();
        }
        Self(texts.into())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<Box<str>, Option<Box<str>>>::deserialize(deserializer)?;
        Ok(Self(texts.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_sorted_by_key_and_the_last_of_one_key_counts() {
        let texts: Texts =
            [("b", Some("1")), ("a", None), ("b", Some("2")), ("", Some(""))].into_iter().collect();
        let listed: Vec<_> = texts.iter().collect();
        assert_eq!(listed, [("", Some("")), ("a", None), ("b", Some("2"))]);
        assert_eq!((texts.len(), texts.is_empty()), (3, false));
        for (key, expect) in [("a", Some(None)), ("b", Some(Some("2"))), ("c", None)] {
            assert_eq!(texts.get(key), expect, "{key}");
        }
        let parsed: Texts = serde_json::from_str(r#"{"b":"1","a":null,"b":"2","":""}"#).unwrap();
        assert_eq!(parsed, texts);
        let twice: Texts = [("a", Some("1")), ("a", Some("2"))].into_iter().collect();
        assert_eq!(twice.iter().collect::<Vec<_>>(), [("a", Some("2"))]);
        let falling: Texts = [("b", Some("1")), ("a", Some("2"))].into_iter().collect();
        assert_eq!(falling.iter().collect::<Vec<_>>(), [("a", Some("2")), ("b", Some("1"))]);
    }
}
