//! `--where`: a predicate over partition columns, in SQL's three-valued logic.
//!
//! Words: a *column* has the name people use and the physical name under which `partitionValues`
//! hold it; values are compared by the column's type, never as text unless it is a string.
//! Flow: schema → [`PartitionColumn`]s → [`Predicate::parse`] → [`Predicate::matches`] a file.

mod columns;
mod parse;
mod value;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::error::DeltaError;

pub use columns::{ColumnType, PartitionColumn, partition_columns};
use value::Value;

/// A checked predicate.
#[derive(Clone, Debug)]
pub struct Predicate {
    root: Node,
}

/// A truth of three values comes from each node: `None` is unknown.
#[derive(Clone, Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(PartitionColumn, Comparison, Value),
    In(PartitionColumn, Vec<Value>),
    IsNull(PartitionColumn),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Predicate {
    /// The predicate that `text` means over `columns`.
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

    /// Whether a file with these partition values (by physical name) belongs: unknown is no.
    ///
    /// # Errors
    /// When a value is not of its column's type.
    pub fn matches(
        &self,
        partition_values: &BTreeMap<String, Option<String>>,
    ) -> Result<bool, DeltaError> {
        Ok(self.root.truth(partition_values)? == Some(true))
    }

    /// One text for all spellings of the predicate.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.root.canonical()
    }
}

impl Node {
    fn truth(&self, values: &BTreeMap<String, Option<String>>) -> Result<Option<bool>, DeltaError> {
        Ok(match self {
            Self::And(nodes) => all(nodes, values)?,
            Self::Or(nodes) => {
                let mut truth = Some(false);
                for node in nodes {
                    match node.truth(values)? {
                        Some(true) => return Ok(Some(true)),
                        None => truth = None,
                        Some(false) => {}
                    }
                }
                truth
            }
            Self::Not(node) => node.truth(values)?.map(|truth| !truth),
            Self::Compare(column, comparison, literal) => value_of(column, values)?
                .map(|value| comparison.holds(value::compare(&value, literal))),
            Self::In(column, literals) => value_of(column, values)?.map(|value| {
                literals.iter().any(|literal| value::compare(&value, literal) == Ordering::Equal)
            }),
            Self::IsNull(column) => Some(value_of(column, values)?.is_none()),
        })
    }

    fn canonical(&self) -> String {
        let join = |nodes: &[Self], word: &str| {
            let mut texts: Vec<_> = nodes.iter().map(Self::canonical).collect();
            texts.sort();
            texts.dedup();
            match texts.as_slice() {
                [text] => text.clone(),
                _ => format!("({})", texts.join(word)),
            }
        };
        match self {
            Self::And(nodes) => join(nodes, " AND "),
            Self::Or(nodes) => join(nodes, " OR "),
            Self::Not(node) => format!("NOT {}", node.canonical()),
            Self::Compare(column, comparison, literal) => {
                format!("{} {} {literal}", column.quoted(), comparison.sign())
            }
            Self::In(column, literals) => {
                let mut texts: Vec<_> = literals.iter().map(Value::to_string).collect();
                texts.sort();
                texts.dedup();
                format!("{} IN ({})", column.quoted(), texts.join(", "))
            }
            Self::IsNull(column) => format!("{} IS NULL", column.quoted()),
        }
    }
}

fn all(
    nodes: &[Node],
    values: &BTreeMap<String, Option<String>>,
) -> Result<Option<bool>, DeltaError> {
    let mut truth = Some(true);
    for node in nodes {
        match node.truth(values)? {
            Some(false) => return Ok(Some(false)),
            None => truth = None,
            Some(true) => {}
        }
    }
    Ok(truth)
}

/// The column's value in a file; an empty text is null for every type.
/// <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#partition-value-serialization>
fn value_of(
    column: &PartitionColumn,
    values: &BTreeMap<String, Option<String>>,
) -> Result<Option<Value>, DeltaError> {
    let text = values.get(&column.physical_name).and_then(Option::as_deref);
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    value::parse(&column.column_type, text).map(Some).ok_or_else(|| {
        let problem =
            format!("the partition value {text:?} of {} is no {}", column.name, column.column_type);
        DeltaError::damaged("add.partitionValues", problem)
    })
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The comparison with its sides exchanged.
    fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

#[cfg(test)]
mod tests;
