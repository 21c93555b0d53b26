//! The store's clock beside ours: requests carry the time, and S3 refuses what is 15 minutes off.

use std::time::Duration;

use deepclone_core::reason::Reason;

use super::check::Check;

const NAME: &str = "clock";
/// From here on somebody should look.
const SKEW_WARN: Duration = Duration::from_secs(5 * 60);
/// From here on S3 refuses requests (`RequestTimeTooSkewed`).
const SKEW_REFUSED: Duration = Duration::from_secs(15 * 60);
const ADVICE: &str = "set this machine's clock (NTP)";

/// Judges by how many milliseconds this machine is ahead of the store; `None`: it told no time.
pub(super) fn check(ahead_ms: Option<i64>) -> Check {
    let Some(ahead_ms) = ahead_ms else {
        return Check::skipped(NAME, "the store's answers tell no time");
    };
    let skew = Duration::from_millis(ahead_ms.unsigned_abs());
    let seconds = skew.as_secs();
    let direction = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let message = format!("this machine is {seconds} s {direction} the store");
    if skew >= SKEW_REFUSED {
        Check::failed(NAME, Reason::PermissionDenied, message, ADVICE)
    } else if skew >= SKEW_WARN {
        Check::warn(NAME, format!("{message}; S3 refuses requests from 900 s on"), ADVICE)
    } else {
        Check::ok(NAME, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_judged_by_what_s3_refuses() {
        for (ahead_ms, word, part) in [
            (None, "SKIPPED", "no time"),
            (Some(0), "OK", "0 s ahead"),
            (Some(299_999), "OK", "299 s ahead"),
            (Some(300_000), "WARN", "300 s ahead"),
            (Some(-300_000), "WARN", "300 s behind"),
            (Some(899_999), "WARN", "899 s"),
            (Some(900_000), "FAILED", "900 s ahead"),
            (Some(-900_000), "FAILED", "900 s behind"),
            (Some(i64::MIN), "FAILED", "behind"),
        ] {
            let check = check(ahead_ms);
            assert_eq!(check.verdict.word(), word, "{ahead_ms:?}");
            assert!(check.message.contains(part), "{}", check.message);
        }
    }
}
