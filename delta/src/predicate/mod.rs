//! `--where`: a predicate over partition columns, in SQL's three-valued logic.
//!
//! Words: a *column* has the name that users know and a physical name in `partitionValues`; values
//! are compared by the column's type, as text only if it is a string. Flow: schema →
//! [`PartitionColumn`]s → [`Predicate::parse`] → [`Predicate::matches`] a file.

mod columns;
mod parse;
mod tree;
mod value;

use crate::actions::Texts;
use crate::error::DeltaError;

pub use columns::{ColumnType, PartitionColumn, partition_columns};
use tree::Node;

/// A predicate whose columns and types are checked.
#[derive(Clone, Debug)]
pub struct Predicate {
    root: Node,
}

impl Predicate {
    /// Parses `text` over `columns`.
    ///
    /// # Errors
    /// What is wrong and at which character, from 1.
    pub fn parse(text: &str, columns: &[PartitionColumn]) -> Result<Self, DeltaError> {
        let root = parse::parse(text, columns).map_err(|error| {
            let parse::Mistake { at, problem } = error;
            DeltaError::Invalid(format!("the predicate is wrong at character {at}: {problem}"))
        })?;
        Ok(Self { root })
    }

    /// Returns whether a file with these partition values (by physical name) matches; unknown
    /// counts as no.
    ///
    /// # Errors
    /// When a value is not of its column's type.
    pub fn matches(&self, partition_values: &Texts) -> Result<bool, DeltaError> {
        Ok(self.root.truth(partition_values)? == Some(true))
    }

    /// Formats the predicate in one spelling.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.root.canonical()
    }
}

#[cfg(test)]
mod tests;
