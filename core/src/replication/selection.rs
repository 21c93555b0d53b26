//! Which tables a replication holds.

use super::pattern::TablePattern;

/// The tables that a pattern includes and none excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSelection {
    pub include: Vec<TablePattern>,
    pub exclude: Vec<TablePattern>,
}

impl TableSelection {
    /// Whether the table at this path below the root is one of them.
    #[must_use]
    pub fn contains(&self, table: &str) -> bool {
        self.include.iter().any(|pattern| pattern.matches(table)) && !self.excludes(table)
    }

    /// Whether a pattern takes the table away, whatever includes it.
    #[must_use]
    pub fn excludes(&self, table: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(table))
    }

    /// The tables that are named one by one: the source need not be listed for them.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        let literals = self.include.iter().filter(|pattern| pattern.is_literal());
        literals.map(TablePattern::as_str).filter(|table| !self.excludes(table))
    }
}
