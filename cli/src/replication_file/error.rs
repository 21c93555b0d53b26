//! Mistakes in a file, with their lines.

use std::error::Error;
use std::fmt;

use deepclone_core::visible::{one_line, visible};

/// One mistake in a file of replications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The name of the file, as it was given.
    pub file: String,
    /// The first line is 1.
    pub line: usize,
    /// The field by its path in the replication; empty for what is in none.
    pub field: String,
    /// The name of the replication, or its place such as `replication[2]`; empty for what is in
    /// none.
    pub replication: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// Every mistake of a file, in the order of lines; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileErrors(pub Vec<FileError>);

/// As `replications.toml:14: orders-dr: window[1].to: …`.
impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.file, self.line)?;
        for part in [&self.replication, &self.field] {
            if !part.is_empty() {
                write!(formatter, "{}: ", visible(part))?;
            }
        }
        formatter.write_str(&one_line(&self.message))
    }
}

/// One line for each.
impl fmt::Display for FileErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at > 0 { "\n" } else { "" };
            write!(formatter, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl Error for FileError {}

impl Error for FileErrors {}
