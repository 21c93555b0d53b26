//! Durations and timestamps. In `core`, a wall clock time is milliseconds since 1970 (UTC).

use std::time::Duration;

use prost_types::Timestamp;

use super::WireError;

/// Returns the wire form of a duration.
#[must_use]
pub fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Under 10⁹, so always exact.
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Returns the duration of a required field.
///
/// # Errors
/// The field is missing or negative.
pub fn duration_from_wire(
    duration: Option<prost_types::Duration>,
    field: &'static str,
) -> Result<Duration, WireError> {
    let wire = super::required(duration, field)?;
    Duration::try_from(wire).map_err(|_| WireError::invalid(field, "a negative duration"))
}

/// Returns the wire form of a time in milliseconds since 1970 (UTC).
#[must_use]
pub fn timestamp_to_wire(time_ms: i64) -> Timestamp {
    Timestamp {
        seconds: time_ms.div_euclid(1000),
        nanos: i32::try_from(time_ms.rem_euclid(1000) * 1_000_000).unwrap_or(0),
    }
}

/// Returns a time in milliseconds since 1970 (UTC), rounded down.
///
/// # Errors
/// The time is out of the range of `google.protobuf.Timestamp`.
pub fn timestamp_from_wire(timestamp: Timestamp, field: &'static str) -> Result<i64, WireError> {
    // 0001-01-01 to 9999-12-31, as google/protobuf/timestamp.proto says.
    let seconds = -62_135_596_800..=253_402_300_799;
    if !seconds.contains(&timestamp.seconds) || !(0..1_000_000_000).contains(&timestamp.nanos) {
        return Err(WireError::invalid(field, "out of the range of google.protobuf.Timestamp"));
    }
    Ok(timestamp.seconds * 1000 + i64::from(timestamp.nanos) / 1_000_000)
}
/// Reads a time by RFC 3339, in milliseconds since 1970 (UTC).
///
/// # Errors
/// It is none.
pub fn timestamp_from_text(text: &str, field: &'static str) -> Result<i64, WireError> {
    let why = "a time is written like 2026-11-27T08:00:00Z";
    let timestamp = text.parse::<Timestamp>().map_err(|_| WireError::invalid(field, why))?;
    timestamp_from_wire(timestamp, field)
}
