//! Why JSON is no action.

/// Why a piece of JSON is no action: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) String);

impl ParseError {
    pub(super) fn json(place: &str, error: &serde_json::Error) -> Self {
        Self(format!("{place}: {error}"))
    }
}
