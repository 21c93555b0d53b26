//! The patterns of a replication's tables.

use std::collections::BTreeSet;

use super::error::Mistakes;
use super::pattern::{TablePattern, TablePatternError};
use super::selection::TableSelection;
use crate::limits::TABLE_PATTERNS_MAX;

/// Returns the patterns that are right.
pub(super) fn selection(
    include: &[String],
    exclude: &[String],
    mistakes: &mut Mistakes,
) -> TableSelection {
    let why = "it is empty: write a table such as sales/orders, or a pattern such as sales/**";
    mistakes.add_if(include.is_empty(), "include", why);
    let included = patterns("include", include, mistakes);
    let excluded = patterns("exclude", exclude, mistakes);
    let selection = TableSelection {
        include: included.iter().map(|(_, pattern)| pattern.clone()).collect(),
        exclude: excluded.into_iter().map(|(_, pattern)| pattern).collect(),
    };
    for (at, pattern) in included.iter().filter(|(_, pattern)| pattern.is_literal()) {
        let is_lost = selection.excludes(pattern.as_str());
        mistakes.add_if(
            is_lost,
            format!("include[{at}]"),
            format_args!("exclude has {pattern}, too"),
        );
    }
    selection
}

/// Each with its place in the list.
fn patterns(field: &str, texts: &[String], mistakes: &mut Mistakes) -> Vec<(usize, TablePattern)> {
    let count = texts.len();
    let why = format!("there are {count}, at most {TABLE_PATTERNS_MAX}");
    mistakes.add_if(count > TABLE_PATTERNS_MAX, field, why);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        mistakes.add_if(!seen.insert(text), field.clone(), format_args!("{text:?} is there twice"));
        let pattern: Result<TablePattern, TablePatternError> = text.parse();
        found.extend(mistakes.take(field, pattern).map(|pattern| (at, pattern)));
    }
    found
}
