//! Typed values, from the log's text or a literal, which are compared exactly.

use std::cmp::Ordering;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::ColumnType;

/// The largest exponent of ten that a number's text may have.
const EXPONENT_MAX: u32 = 400;

/// A value that is not null. All values of one column are of one variant.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Exact(Exact),
    Float(f64),
    Date(NaiveDate),
    /// A time in microseconds since 1970.
    Timestamp(i64),
    Boolean(bool),
}

/// A number of any length: `whole` without leading zeros, `fraction` without trailing ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    is_negative: bool,
    whole: String,
    fraction: String,
}

/// Parses `text` as a value of this type.
pub(super) fn parse(column_type: &ColumnType, text: &str) -> Option<Value> {
    Some(match column_type {
        ColumnType::Text => Value::Text(text.to_owned()),
        ColumnType::Exact => Value::Exact(Exact::parse(text)?),
        ColumnType::Float => Value::Float(text.trim().parse().ok()?),
        ColumnType::Date => Value::Date(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?),
        ColumnType::Timestamp => Value::Timestamp(timestamp(text)?),
        ColumnType::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
        ColumnType::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
        ColumnType::Boolean | ColumnType::Opaque(_) => return None,
    })
}

/// Compares two values of one column.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Exact(a), Value::Exact(b)) => a.compare(b),
        (Value::Float(a), Value::Float(b)) => {
            a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        // Not reached for values of one column; compared by text, so that nothing can panic.
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

/// Formats a literal, in one spelling for each value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Exact(exact) => exact.fmt(f),
            Self::Float(float) if float.is_finite() => write!(f, "{:e}", float + 0.0),
            Self::Float(float) => write!(f, "'{float}'"),
            Self::Date(date) => write!(f, "DATE '{date}'"),
            Self::Timestamp(micros) => {
                let time = DateTime::from_timestamp_micros(*micros).unwrap_or_default();
                write!(f, "TIMESTAMP '{}'", time.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
            }
            Self::Boolean(boolean) => f.write_str(if *boolean { "TRUE" } else { "FALSE" }),
        }
    }
}

impl Exact {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || exponent.unsigned_abs() > EXPONENT_MAX {
            return None;
        }
        // The place of the point among the digits, with zeros added on both sides.
        let point = i32::try_from(whole.len()).ok()? + exponent;
        let before = usize::try_from(-point).unwrap_or(0);
        let padded = format!("{}{digits}", "0".repeat(before));
        let point = usize::try_from(point).unwrap_or(0);
        let after = point.saturating_sub(padded.len());
        let padded = format!("{padded}{}", "0".repeat(after));
        let (whole, fraction) = padded.split_at(point);
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.clone());
        let magnitude =
            size(self).cmp(&size(other)).then_with(|| self.fraction.cmp(&other.fraction));
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        write!(f, "{sign}{whole}")?;
        if self.fraction.is_empty() { Ok(()) } else { write!(f, ".{}", self.fraction) }
    }
}

/// Parses a timestamp such as `2024-01-31 23:59:59.123456`, also with a `T` or a zone, or a day
/// alone, to microseconds since 1970.
fn timestamp(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_micros());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}
