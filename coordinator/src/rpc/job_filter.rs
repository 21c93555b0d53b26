//! Reads the filter and the order of `ListJobs`: as much of AIP-160 and AIP-132 as jobs need.
//!
//! A filter is a list of conditions with `AND` between them: a field, an operator and a value,
//! which may stand in quotation marks.

use std::ops::Range;

use deepclone_core::machine::JobState;
use deepclone_proto::convert::WireError;
use deepclone_proto::convert::time::timestamp_from_text;
use deepclone_proto::v1;

use super::show;
use crate::driver::job_query::{JobFilter, UriPattern};
use crate::state::JobOrder;

/// The longest filter: two URIs and the rest.
const FILTER_BYTES_MAX: usize = 16 << 10;

/// Reads a filter; an empty one takes every job.
pub(super) fn job_filter(text: &str) -> Result<JobFilter, WireError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(invalid("it is too long"));
    }
    let mut filter = JobFilter::default();
    let mut words = words(text)?.into_iter();
    while let Some(word) = words.next() {
        let missing = || invalid("write FIELD = VALUE, and AND between two of them");
        let (operator, value) = (words.next(), words.next());
        let (operator, value) = operator.zip(value).ok_or_else(missing)?;
        add(&mut filter, &word.text, &operator.text, value.text)?;
        let and = words.next();
        if and.is_some_and(|and| and.is_quoted || and.text != "AND" || words.len() == 0) {
            return Err(missing());
        }
    }
    Ok(filter)
}

/// Reads an order; an empty one is the newest first.
pub(super) fn job_order(text: &str) -> Result<JobOrder, WireError> {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [] | ["create_time", "desc"] => Ok(JobOrder::NewestFirst),
        ["create_time"] => Ok(JobOrder::OldestFirst),
        _ => Err(WireError::invalid("order_by", "write `create_time` or `create_time desc`")),
    }
}

fn add(
    filter: &mut JobFilter,
    field: &str,
    operator: &str,
    value: String,
) -> Result<(), WireError> {
    match (field, operator) {
        ("state", "=") => set(&mut filter.state, state(&value)?),
        ("source", "=") => set(&mut filter.source, UriPattern::new(&value)),
        ("target", "=") => set(&mut filter.target, UriPattern::new(&value)),
        ("submitter", "=") => set(&mut filter.submitter, value),
        ("create_time", _) => created(&mut filter.created_ms, operator, &value),
        _ => {
            Err(invalid("a condition is state, source, target or submitter = …, or create_time …"))
        }
    }
}

fn set<T>(into: &mut Option<T>, value: T) -> Result<(), WireError> {
    match into.replace(value) {
        None => Ok(()),
        Some(_) => Err(invalid("it has a field twice")),
    }
}

/// Narrows the time of creation. What contradicts itself takes no job.
fn created(range: &mut Range<i64>, operator: &str, value: &str) -> Result<(), WireError> {
    let at = timestamp_from_text(value, "filter")?;
    match operator {
        ">=" => range.start = range.start.max(at),
        ">" => range.start = range.start.max(at.saturating_add(1)),
        "<" => range.end = range.end.min(at),
        "<=" => range.end = range.end.min(at.saturating_add(1)),
        _ => return Err(invalid("create_time is compared by >=, >, < or <=")),
    }
    Ok(())
}

fn state(value: &str) -> Result<JobState, WireError> {
    let why = || invalid("write `state = NAME`, with a name of Job.State");
    let wire = v1::job::State::from_str_name(value).ok_or_else(why)?;
    JobState::ALL.into_iter().find(|state| show::state(*state) == wire).ok_or_else(why)
}

/// A word of a filter, without its quotation marks.
struct FilterWord {
    text: String,
    is_quoted: bool,
}

/// Takes a filter apart.
fn words(text: &str) -> Result<Vec<FilterWord>, WireError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (text, is_quoted, after) = match first {
            '"' => {
                let (text, after) = quoted(&rest[1..])?;
                (text, true, after)
            }
            '=' | '<' | '>' => {
                let end = rest.len() - rest.trim_start_matches(['=', '<', '>']).len();
                (rest[..end].to_owned(), false, &rest[end..])
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '<' | '>' | '"');
                let end = rest.find(ends).unwrap_or(rest.len());
                (rest[..end].to_owned(), false, &rest[end..])
            }
        };
        words.push(FilterWord { text, is_quoted });
        rest = after.trim_start();
    }
    Ok(words)
}

/// Reads up to the end of a quotation; `\"` and `\\` stand for `"` and `\`.
fn quoted(text: &str) -> Result<(String, &str), WireError> {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((out, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => out.push(escaped),
                _ => return Err(invalid("only \\\" and \\\\ may follow a backslash")),
            },
            other => out.push(other),
        }
    }
    Err(invalid("a quotation mark is not closed"))
}

fn invalid(why: &'static str) -> WireError {
    WireError::invalid("filter", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_list_of_conditions() {
        let all = JobFilter::default();
        let failed = JobFilter { state: Some(JobState::Failed), ..all.clone() };
        let whole = |uri: &str| Some(UriPattern::Whole(uri.to_owned()));
        let begins = |uri: &str| Some(UriPattern::Beginning(uri.to_owned()));
        let day = 1_795_737_600_000;
        for (text, expected) in [
            ("", all.clone()),
            (" \n", all.clone()),
            ("state = FAILED", failed.clone()),
            ("state=\"FAILED\"", failed.clone()),
            ("source = \"s3://a b\"", JobFilter { source: whole("s3://a b"), ..all.clone() }),
            ("target=s3://dr/*", JobFilter { target: begins("s3://dr/"), ..all.clone() }),
            (
                r#"submitter = "a\"b\\ AND" AND state = FAILED"#,
                JobFilter { submitter: Some("a\"b\\ AND".to_owned()), ..failed.clone() },
            ),
            (
                "create_time >= \"2026-11-27T00:00:00Z\" AND create_time<2026-11-28T00:00:00Z",
                JobFilter { created_ms: day..day + 86_400_000, ..all.clone() },
            ),
            (
                "create_time > 2026-11-27T00:00:00Z AND create_time <= 2026-11-27T00:00:00Z",
                JobFilter { created_ms: day + 1..day + 1, ..all },
            ),
        ] {
            assert_eq!(job_filter(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_field() {
        let long = format!("source = {}", "x".repeat(FILTER_BYTES_MAX));
        for text in [
            "state",
            "state =",
            "state = GONE",
            "state > FAILED",
            "state = FAILED AND",
            "state = FAILED OR state = SUCCEEDED",
            "state = FAILED \"AND\" source = a",
            "state = FAILED AND state = FAILED",
            "source = a AND source = b",
            "submitter = a AND submitter = b",
            "colour = red",
            "source = \"a",
            "source = \"a\\n\"",
            "create_time = 2026-11-27T00:00:00Z",
            "create_time >= yesterday",
            "= = =",
            &long,
        ] {
            let refused = job_filter(text).unwrap_err();
            assert!(matches!(refused, WireError::Invalid { field: "filter", .. }), "{text}");
        }
    }

    #[test]
    fn jobs_have_two_orders() {
        for (text, expected) in [
            ("", Some(JobOrder::NewestFirst)),
            ("create_time desc", Some(JobOrder::NewestFirst)),
            (" create_time ", Some(JobOrder::OldestFirst)),
            ("create_time asc", None),
            ("state", None),
        ] {
            assert_eq!(job_order(text).ok(), expected, "{text}");
        }
    }
}
