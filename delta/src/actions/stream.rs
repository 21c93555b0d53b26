//! A commit file: a stream of JSON values, parsed in parallel.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde_json::value::RawValue;

use super::error::ParseError;
use super::kinds::LogAction;
use super::oddity::Oddity;
use super::parse;

/// Values of a commit that one thread parses at a time.
const VALUES_PER_PART: usize = 1024;

/// The content of a log file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its actions, in the file's order.
    pub actions: Vec<LogAction>,
    /// What was ignored in it.
    pub oddities: BTreeSet<Oddity>,
}

impl Parsed {
    /// Appends the content of one JSON value.
    pub(crate) fn push(&mut self, (action, oddity): (Option<LogAction>, Option<Oddity>)) {
        self.actions.extend(action);
        self.oddities.extend(oddity);
    }

    /// Appends the content of another file.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.actions.append(&mut other.actions);
        self.oddities.append(&mut other.oddities);
    }

    /// Joins parts in order, and frees each as it is moved.
    pub(crate) fn joined(parts: Vec<Self>) -> Self {
        let mut whole = Self::default();
        whole.actions.reserve(parts.iter().map(|part| part.actions.len()).sum());
        parts.into_iter().for_each(|part| whole.append(part));
        whole
    }
}

/// Parses a commit: a stream of JSON values, which need not be one a line.
///
/// # Errors
/// When the text is not UTF-8 or JSON, or a value is no action; the value's number from 1 is named.
pub fn parse_commit(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let values = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<&RawValue>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ParseError(error.to_string()))?;
    let parts: Vec<Parsed> = values
        .par_chunks(VALUES_PER_PART)
        .enumerate()
        .map(|(part, values)| parse_part(part * VALUES_PER_PART, values))
        .collect::<Result<_, _>>()?;
    Ok(Parsed::joined(parts))
}

fn parse_part(first: usize, values: &[&RawValue]) -> Result<Parsed, ParseError> {
    let mut parsed = Parsed::default();
    for (index, raw) in values.iter().enumerate() {
        let value = parse::value(raw.get())
            .map_err(|error| ParseError(format!("action {}: {error}", first + index + 1)))?;
        parsed.push(value);
    }
    Ok(parsed)
}
