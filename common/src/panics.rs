//! What is said of a panic: one line, without secrets and without control characters, for its text
//! may quote whatever the code that panicked had at hand.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::one_line;
use tokio::task::JoinError;

use crate::store::redact::redact_line;

/// Returns the text of a panic that was caught, fit for a message.
#[must_use]
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    one_line(&redact_line(text.unwrap_or("it gave no reason"))).into_owned()
}

/// Returns why `task`, one of this process, did not end by itself.
#[must_use]
pub fn task_failure(task: &str, error: JoinError) -> Failure {
    let text = match error.try_into_panic() {
        Ok(payload) => panic_text(&*payload),
        Err(_) => "it was cancelled".to_owned(),
    };
    Failure::new(Reason::Internal, format!("{task} panicked, which is a bug: {text}"))
}

/// Logs the panics of this process from now on, in place of Rust's own lines on stderr. With
/// `RUST_BACKTRACE` they show the stack.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let (text, place) = said(info);
        let stack = Backtrace::capture();
        let stack = (stack.status() == BacktraceStatus::Captured).then(|| stack.to_string());
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!(place, stack, "a panic, which is a bug: {text}");
        } else {
            // Nothing is left to be told of a stderr that is gone.
            let _gone = writeln!(io::stderr(), "a panic at {place}, which is a bug: {text}");
        }
    }));
}

/// Returns the text of a panic, and where it was.
fn said(info: &PanicHookInfo<'_>) -> (String, String) {
    let text = info.payload_as_str().unwrap_or("it gave no reason");
    let place = info.location().map(ToString::to_string);
    (one_line(&redact_line(text)).into_owned(), place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_panic_is_one_line_without_secrets() {
        for (thrown, expected) in [
            ("index 3 of 2", "index 3 of 2"),
            ("GET https://a/b?sig=hunter2 failed", "GET https://a/b?*** failed"),
            ("Authorization: Bearer hunter2", "Authorization: ***"),
            ("first\nsecond \u{1b}[2J", "first second \\u{1b}[2J"),
        ] {
            let plain = panic::catch_unwind(|| panic::panic_any(thrown)).unwrap_err();
            let formatted = panic::catch_unwind(|| panic!("{thrown}")).unwrap_err();
            assert_eq!(panic_text(&*plain), expected);
            assert_eq!(panic_text(&*formatted), expected);
        }
        let other = panic::catch_unwind(|| panic::panic_any(7)).unwrap_err();
        assert_eq!(panic_text(&*other), "it gave no reason");
    }
}
