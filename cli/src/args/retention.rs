//! The arguments of `deepclone vacuum` and `deepclone deleted`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime};
use clap::Args;

/// The arguments of `deepclone vacuum`.
#[derive(Clone, Debug, Args)]
pub struct VacuumArguments {
    /// The replica: a path or a URI
    #[arg(value_name = "TABLE")]
    pub target: String,
    /// Keep replaced versions readable for so long, such as 30d, instead of as the table says
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub retain: Option<Duration>,
    /// Let --retain be shorter than the table's own retention: readers that travel back may fail
    #[arg(long, requires = "retain")]
    pub break_time_travel: bool,
    /// Delete files of the log, too, that are older than the table's delta.logRetentionDuration
    #[arg(long)]
    pub log: bool,
    /// List and count what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A table feature that the replica carries unseen, as its syncs name it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub allow_feature: Vec<String>,
    /// The connection of the replica
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// The arguments of `deepclone deleted`.
#[derive(Clone, Debug, Args)]
pub struct DeletedArguments {
    /// The replicas: paths or URIs
    #[arg(value_name = "TABLE", required_unless_present = "replication", num_args = 1..)]
    pub targets: Vec<String>,
    /// All replicas of this replication, which the coordinator looks at
    #[arg(long, value_name = "NAME", conflicts_with_all = ["targets", "source", "allow_feature",
        "target_connection"])]
    pub replication: Option<String>,
    /// What the source deleted up to this time: a date (its first moment in UTC) or RFC 3339
    #[arg(long, value_name = "DATE", value_parser = date_ms)]
    pub before: i64,
    /// Their source, whose log tells its newest version at DATE: where it committed nothing since
    #[arg(long, value_name = "TABLE")]
    pub source: Option<String>,
    /// A table feature that the replicas carry unseen; may be repeated
    #[arg(long, value_name = "NAME")]
    pub allow_feature: Vec<String>,
    /// The connection of the source
    #[arg(long, value_name = "NAME", requires = "source")]
    pub source_connection: Option<String>,
    /// The connection of the replicas
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// Parses a date or a time to milliseconds since 1970.
fn date_ms(text: &str) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    match text.parse::<NaiveDate>() {
        Ok(date) => Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis()),
        Err(_) => Err("neither a date such as 2026-11-01 nor RFC 3339 such as \
                       2026-11-01T12:00:00Z"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_moment_in_utc() {
        for (text, expect) in [
            ("2024-05-01", Some(1_714_521_600_000)),
            ("2024-05-01T00:00:00Z", Some(1_714_521_600_000)),
            ("2024-05-01T02:00:00.5+02:00", Some(1_714_521_600_500)),
            ("2024-05-32", None),
            ("2024-05-01T00:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(date_ms(text).ok(), expect, "{text}");
        }
    }
}
