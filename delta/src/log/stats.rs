//! Statistics that a checkpoint keeps as a struct (`stats_parsed`), as the JSON text that
//! `add.stats` holds elsewhere.
//!
//! A reader skips a file by its bounds, so one that is not exact loses rows. Numbers keep every
//! digit; a value that JSON cannot express exactly (NaN, an infinity, bytes, a year of five digits)
//! is left out, and so is an upper bound of text that may have been cut off. A zero of floating
//! point is written such that both zeros lie within the bounds: readers order them, writers do not.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics>

use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use chrono::{DateTime, Datelike, NaiveDateTime};

use super::value::{write_exact, write_value};
use crate::actions::json_text;

/// A text of this many UTF-16 units or more may be a prefix: Delta's writers keep so many by
/// default.
const PREFIX_CHARACTERS: usize = 32;
/// What writers append to the prefix of an upper bound, so that it sorts after the whole text.
const TIE_BREAKERS: [char; 2] = ['\u{7f}', '\u{10ffff}'];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Lower,
    Upper,
}

/// Appends the statistics in `row` of `stats`.
pub(super) fn write(out: &mut String, stats: &StructArray, row: usize) -> Result<(), String> {
    out.push('{');
    let start = out.len();
    for (name, column) in named(stats).filter(|(_, column)| column.is_valid(row)) {
        let before = out.len();
        key(out, start, name);
        let bound = match name {
            "minValues" => Bound::Lower,
            "maxValues" => Bound::Upper,
            _ => {
                write_value(out, column, row)?;
                continue;
            }
        };
        let has_bounds =
            column.as_struct_opt().is_some_and(|struct_| bounds(out, struct_, row, bound));
        if !has_bounds {
            out.truncate(before);
        }
    }
    out.push('}');
    Ok(())
}

/// Appends the bounds that JSON can express, as an object; returns false when there is none.
fn bounds(out: &mut String, values: &StructArray, row: usize, bound: Bound) -> bool {
    out.push('{');
    let start = out.len();
    for (name, column) in named(values).filter(|(_, column)| column.is_valid(row)) {
        let before = out.len();
        key(out, start, name);
        let is_written = match column.as_struct_opt() {
            Some(nested) => bounds(out, nested, row, bound),
            None => {
                write_exact(out, column, row)
                    || inexact(column, row, bound).map(|text| out.push_str(&text)).is_some()
            }
        };
        if !is_written {
            out.truncate(before);
        }
    }
    let has_any = out.len() > start;
    out.push('}');
    has_any
}

/// Formats a bound that is no whole number as JSON; `None` when JSON cannot express it exactly.
fn inexact(array: &dyn Array, row: usize, bound: Bound) -> Option<String> {
    macro_rules! decimal {
        ($kind:ty, $scale:expr) => {
            // A negative scale drops digits.
            ($scale >= 0).then(|| array.as_primitive::<$kind>().value_as_string(row))
        };
    }
    match array.data_type() {
        DataType::Float32 => {
            let float = array.as_primitive::<Float32Type>().value(row);
            floating(float.is_finite(), float == 0.0, bound, || format!("{float:?}"))
        }
        DataType::Float64 => {
            let float = array.as_primitive::<Float64Type>().value(row);
            floating(float.is_finite(), float == 0.0, bound, || format!("{float:?}"))
        }
        DataType::Decimal32(_, scale) => decimal!(Decimal32Type, *scale),
        DataType::Decimal64(_, scale) => decimal!(Decimal64Type, *scale),
        DataType::Decimal128(_, scale) => decimal!(Decimal128Type, *scale),
        DataType::Decimal256(_, scale) => decimal!(Decimal256Type, *scale),
        DataType::Utf8 => text(array.as_string::<i32>().value(row), bound),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row), bound),
        DataType::Utf8View => text(array.as_string_view().value(row), bound),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(unit, zone) => moment(micros(array, row, *unit)?, zone.is_some()),
        _ => None,
    }
}

fn floating(
    is_finite: bool,
    is_zero: bool,
    bound: Bound,
    text: impl FnOnce() -> String,
) -> Option<String> {
    match bound {
        _ if !is_finite => None,
        Bound::Lower if is_zero => Some("-0.0".to_owned()),
        Bound::Upper if is_zero => Some("0.0".to_owned()),
        _ => Some(text()),
    }
}

/// Formats a text. A lower bound that was cut off is still a lower bound; an upper bound is not.
fn text(value: &str, bound: Bound) -> Option<String> {
    let may_be_cut = value.encode_utf16().count() >= PREFIX_CHARACTERS;
    if bound == Bound::Upper && may_be_cut && !value.ends_with(TIE_BREAKERS) {
        return None;
    }
    let mut json = String::with_capacity(value.len() + 2);
    json_text(&mut json, value);
    Some(json)
}

fn date(days: i32) -> Option<String> {
    let seconds = i64::from(days) * 86_400;
    let date = DateTime::from_timestamp(seconds, 0)?.date_naive();
    has_four_digits(date.year()).then(|| format!("\"{}\"", date.format("%Y-%m-%d")))
}

/// Converts to microseconds since 1970; `None` when the value is finer than that.
fn micros(array: &dyn Array, row: usize, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Microsecond => Some(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1000)
        }
        TimeUnit::Nanosecond => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
            (nanos % 1000 == 0).then_some(nanos / 1000)
        }
        TimeUnit::Second => None,
    }
}

/// Formats a timestamp with milliseconds, as Delta's writers do, and with microseconds only where
/// it has some. Readers parse both, and one that expects exact bounds still finds its rows.
fn moment(micros: i64, is_in_utc: bool) -> Option<String> {
    let at: NaiveDateTime = DateTime::from_timestamp_micros(micros)?.naive_utc();
    if !has_four_digits(at.year()) {
        return None;
    }
    let digits = if micros % 1000 == 0 { "%.3f" } else { "%.6f" };
    let zone = if is_in_utc { "Z" } else { "" };
    Some(format!("\"{}{zone}\"", at.format(&format!("%Y-%m-%dT%H:%M:%S{digits}"))))
}

fn has_four_digits(year: i32) -> bool {
    (0..=9999).contains(&year)
}

fn named(values: &StructArray) -> impl Iterator<Item = (&str, &dyn Array)> {
    let columns = values.fields().iter().zip(values.columns());
    columns.map(|(field, column)| (field.name().as_str(), column.as_ref()))
}

/// Appends a member's name; `start` is where the object's members begin.
fn key(out: &mut String, start: usize, name: &str) {
    if out.len() > start {
        out.push(',');
    }
    json_text(out, name);
    out.push(':');
}

#[cfg(test)]
mod tests;
