//! Mistakes in what a user declares.

use std::fmt;

/// One mistake, by the field that it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SpecError {
    /// A path such as `window[1].from`, counted from 0.
    pub field: String,
    /// In one line, without the field.
    pub message: String,
}

/// One mistake in a set of replications.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SetError {
    /// The place of the replication in the set, from 0; `None`: the set itself.
    pub index: Option<usize>,
    pub error: SpecError,
}

impl SpecError {
    pub fn new(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

/// With the path of the field from the set on: `replication[2].window[1].from`.
impl fmt::Display for SetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(formatter, "replication[{index}].{}", self.error),
            None => self.error.fmt(formatter),
        }
    }
}

/// Collects mistakes instead of stopping at the first one.
#[derive(Default)]
pub(super) struct Mistakes(Vec<SpecError>);

impl Mistakes {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.0.push(SpecError::new(field, message));
    }

    pub(super) fn add_if(
        &mut self,
        is_mistake: bool,
        field: impl Into<String>,
        message: impl fmt::Display,
    ) {
        if is_mistake {
            self.add(field, message);
        }
    }

    /// Returns the value, or `None` and remembers the mistake.
    pub(super) fn take<T, E: fmt::Display>(
        &mut self,
        field: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// Adds mistakes of a part, whose own field is `path`.
    pub(super) fn extend_below(&mut self, path: &str, part: Self) {
        self.0.extend(part.0.into_iter().map(|SpecError { field, message }| {
            let separator = if field.is_empty() { "" } else { "." };
            SpecError { field: format!("{path}{separator}{field}"), message }
        }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_errors(self) -> Vec<SpecError> {
        self.0
    }
}
