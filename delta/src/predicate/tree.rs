//! The checked tree of a predicate, and its truth for the partition values of one file.

use std::cmp::Ordering;

use super::columns::PartitionColumn;
use super::value::{self, Value};
use crate::actions::Texts;
use crate::error::DeltaError;

/// A node. Its truth has three values: `None` is unknown.
#[derive(Clone, Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(PartitionColumn, Comparison, Value),
    In(PartitionColumn, Vec<Value>),
    IsNull(PartitionColumn),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Node {
    pub(super) fn truth(&self, values: &Texts) -> Result<Option<bool>, DeltaError> {
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

    pub(super) fn canonical(&self) -> String {
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

fn all(nodes: &[Node], values: &Texts) -> Result<Option<bool>, DeltaError> {
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

/// Parses the column's value in a file; an empty text is null for every type:
/// <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#partition-value-serialization>
fn value_of(column: &PartitionColumn, values: &Texts) -> Result<Option<Value>, DeltaError> {
    let text = values.get(&column.physical_name).flatten();
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

    /// Returns the comparison with its sides exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
