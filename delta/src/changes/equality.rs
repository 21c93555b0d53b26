//! Whether two `add`s of one logical file are equal.
//!
//! Statistics and unknown fields are compared by value, not by text: key order, white space and
//! the spelling of numbers do not matter, every digit does. Partition values are compared as they
//! are written: an empty text and null mean the same to the protocol, not to every reader.
//! `dataChange` is not part of the file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::actions::{Add, DeletionVector, Unknown};

/// Returns whether the replica's `add` has the fields of the source's, so that no re-add is needed.
pub(crate) fn same_fields(replica: &Add, source: &Add) -> bool {
    replica.size == source.size
        && replica.modification_time == source.modification_time
        && replica.base_row_id == source.base_row_id
        && replica.default_row_commit_version == source.default_row_commit_version
        && replica.clustering_provider == source.clustering_provider
        && replica.partition_values == source.partition_values
        && same_tags(replica, source)
        && same_vector(replica.deletion_vector.as_deref(), source.deletion_vector.as_deref())
        && same_unknown(&replica.unknown, &source.unknown)
        && same_stats(replica.stats.as_deref(), source.stats.as_deref())
}

/// Returns whether the source's `add` may stand for other bytes than the replica's of the same
/// size: the file was replaced in place, or its modification time was changed. Statistics that were
/// added, left out or rounded do not count.
pub(crate) fn is_replaced(replica: &Add, source: &Add) -> bool {
    replica.modification_time != source.modification_time
        || stats_contradict(replica.stats.as_deref(), source.stats.as_deref())
}

/// Returns whether two statistics have different counts of rows or nulls, or different bounds of
/// one column. Bounds are compared only where both are tight: a deletion vector widens them.
fn stats_contradict(left: Option<&str>, right: Option<&str>) -> bool {
    if left == right {
        return false;
    }
    let parse = |stats: Option<&str>| serde_json::from_str::<StatsNumbers>(stats?).ok();
    let (Some(left), Some(right)) = (parse(left), parse(right)) else { return false };
    let rows = |stats: &StatsNumbers| canonical(stats.num_records.as_ref()?.get());
    if let (Some(left), Some(right)) = (rows(&left), rows(&right))
        && left != right
    {
        return true;
    }
    let tight = |stats: &StatsNumbers| stats.tight_bounds.unwrap_or(true);
    tight(&left)
        && tight(&right)
        && [
            (End::Least, &left.min_values, &right.min_values),
            (End::Most, &left.max_values, &right.max_values),
            (End::Least, &left.null_count, &right.null_count),
        ]
        .into_iter()
        .any(|(bound, left, right)| values_differ(bound, left.as_deref(), right.as_deref()))
}

/// Which end of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Least,
    Most,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatsNumbers {
    num_records: Option<Box<RawValue>>,
    tight_bounds: Option<bool>,
    min_values: Option<Box<RawValue>>,
    max_values: Option<Box<RawValue>>,
    null_count: Option<Box<RawValue>>,
}

/// Returns whether a value that both have under the same names differs.
fn values_differ(bound: End, left: Option<&RawValue>, right: Option<&RawValue>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return false };
    let fields =
        |json: &RawValue| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(json.get()).ok();
    if let (Some(left), Some(right)) = (fields(left), fields(right)) {
        return left.iter().any(|(name, left)| {
            values_differ(bound, Some(left), right.get(name).map(|right| &**right))
        });
    }
    let number = |json: &RawValue| exact_number(json.get()).filter(|_| is_number(json.get()));
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left != right;
    }
    let text = |json: &RawValue| serde_json::from_str::<String>(json.get()).ok();
    matches!((text(left), text(right)), (Some(l), Some(r)) if texts_differ(bound, &l, &r))
}

/// Characters of a text that are compared: a date. Writers spell the rest of a time in many ways,
/// and cut long texts.
const TEXT_CHARS_MAX: usize = 10;

/// Returns whether neither text can be a cut form of the other. The last character of a cut upper
/// bound may be raised.
fn texts_differ(bound: End, left: &str, right: &str) -> bool {
    let shorter = left.chars().count().min(right.chars().count());
    let kept = match bound {
        End::Least => shorter,
        End::Most => shorter.saturating_sub(1),
    };
    let start = |text: &'_ str| text.chars().take(kept.min(TEXT_CHARS_MAX)).collect::<String>();
    start(left) != start(right)
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Formats JSON in one spelling: keys sorted, no white space, numbers as digits and exponent.
/// `None` when the text is not JSON, or nested too deep.
pub(crate) fn canonical(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    write_canonical(&mut out, json.trim(), DEPTH_MAX)?;
    Some(out)
}

/// Levels of JSON that are compared by value. A deeper text is compared as it is, so that no depth
/// exhausts the stack.
const DEPTH_MAX: usize = 400;

fn same_tags(left: &Add, right: &Add) -> bool {
    let tags = |add: &'_ Add| add.tags.clone().filter(|tags| !tags.is_empty());
    left.tags == right.tags || tags(left) == tags(right)
}

fn same_vector(left: Option<&DeletionVector>, right: Option<&DeletionVector>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => {
            left.size_in_bytes == right.size_in_bytes
                && left.cardinality == right.cardinality
                && same_unknown(&left.unknown, &right.unknown)
        }
        _ => false,
    }
}

fn same_unknown(left: &Unknown, right: &Unknown) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|((left_key, left), (right_key, right))| {
            left_key == right_key && same_json(left.get(), right.get())
        })
}

fn same_json(left: &str, right: &str) -> bool {
    left == right || canonical(left).is_some_and(|left| Some(left) == canonical(right))
}

/// Returns whether statistics are equal. If the source has none any more, because its checkpoint
/// keeps none, the replica keeps its own.
fn same_stats(replica: Option<&str>, source: Option<&str>) -> bool {
    match (replica, source) {
        (None, Some(_)) => false,
        (_, None) => true,
        (Some(replica), Some(source)) => same_json(replica, source),
    }
}

fn write_canonical(out: &mut String, json: &str, depth_max: usize) -> Option<()> {
    let depth_max = depth_max.checked_sub(1)?;
    match json.bytes().next()? {
        b'{' => {
            let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).ok()?;
            out.push('{');
            for (name, value) in fields {
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                write_canonical(out, value.get(), depth_max)?;
                out.push(',');
            }
            out.push('}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            out.push('[');
            for item in items {
                write_canonical(out, item.get(), depth_max)?;
                out.push(',');
            }
            out.push(']');
        }
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            out.push_str(&serde_json::to_string(&text).ok()?);
        }
        b'-' | b'0'..=b'9' => out.push_str(&exact_number(json)?),
        _ => out.push_str(json),
    }
    Some(())
}

/// Formats a number in one spelling that keeps every digit: `12.50` → `125e-1`, `0.0` → `0`.
fn exact_number(text: &str) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let mantissa = significant.trim_end_matches('0');
    if mantissa.is_empty() {
        return Some("0".to_owned());
    }
    let dropped = i64::try_from(significant.len() - mantissa.len()).ok()?;
    let scale = i64::try_from(fraction.len()).ok()?;
    Some(format!("{sign}{mantissa}e{}", exponent.checked_add(dropped)?.checked_sub(scale)?))
}

#[cfg(test)]
mod tests;
