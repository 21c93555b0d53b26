//! Entity tags: how a store tells two states of one object apart.

use object_store::ObjectMeta;

/// The entity tag of an object; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ETag(String);

impl ETag {
    /// The tag, or `None` where the text is empty: the store has none.
    pub(crate) fn new(text: impl Into<String>) -> Option<Self> {
        Some(Self(text.into())).filter(|tag| !tag.0.is_empty())
    }

    /// The tag in an answer of a store.
    pub(crate) fn of(meta: &ObjectMeta) -> Option<Self> {
        meta.e_tag.clone().and_then(Self::new)
    }

    /// True when it can match in `If-Match`, which compares strongly: some stores answer a weak tag
    /// there with 412.
    pub(crate) fn is_strong(&self) -> bool {
        !self.0.starts_with("W/")
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The tag as receipts and evidence hold it: empty where the store has none.
pub(crate) fn recorded(tag: Option<&ETag>) -> String {
    tag.map(|tag| tag.0.clone()).unwrap_or_default()
}
