//! The progress of a sync on a terminal: phase, bytes, rate, time left, objects.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use deepclone_core::visible::one_line;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output;
use crate::client::job::{JobInfo, JobStatus};

const COPYING: &str = "{msg} {wide_bar} {bytes}/{total_bytes}  {prefix}  {bytes_per_sec}  {left}";
const COUNTING: &str = "{msg} {wide_bar} {pos}/{len} {prefix}";
const WAITING: &str = "{spinner} {msg} {elapsed}";
const TICK: Duration = Duration::from_millis(120);

/// The progress line of a sync.
#[derive(Debug)]
pub struct ProgressLine {
    bar: ProgressBar,
    notices: BTreeSet<String>,
}

impl ProgressLine {
    /// Returns a line on stderr, which is hidden when that is not a terminal.
    #[must_use]
    pub fn start() -> Self {
        Self { bar: waiting("starting"), notices: BTreeSet::new() }
    }

    /// Shows the state of the job. Prints each notice once, also without a terminal.
    pub fn show(&mut self, job: &JobInfo) {
        for notice in &job.progress.notices {
            if self.notices.insert(notice.clone()) {
                self.note(&format!("note: {notice}"));
            }
        }
        let progress = &job.progress;
        let copying = matches!(job.state, JobStatus::Copying) && progress.bytes_total > 0;
        if copying && self.bar.length().is_none() {
            self.bar.disable_steady_tick();
            self.bar.set_style(style(COPYING));
            self.bar.reset_eta();
        }
        if copying {
            self.bar.set_length(progress.bytes_total.unsigned_abs());
            self.bar.set_position(progress.bytes_copied.unsigned_abs());
            let objects = (progress.objects_done, progress.objects_total);
            self.bar.set_prefix(format!("{}/{} objects", objects.0, objects.1));
        } else if self.bar.length().is_some() && !job.state.is_final() {
            self.bar.unset_length();
            self.bar.set_style(style(WAITING));
            self.bar.enable_steady_tick(TICK);
        }
        self.bar.set_message(phase(&job.state));
    }

    /// Prints a line above the progress.
    pub fn note(&self, text: &str) {
        self.bar.suspend(|| output::aside(&one_line(text)));
    }

    /// Removes the progress line.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A line that counts something, hidden when stderr is not a terminal.
#[derive(Debug)]
pub struct CountLine {
    bar: ProgressBar,
    message: &'static str,
}

impl CountLine {
    /// Returns a line that waits for its first count.
    #[must_use]
    pub fn start(message: &'static str, noun: &'static str) -> Self {
        let bar = waiting("reading the log");
        bar.set_prefix(noun);
        Self { bar, message }
    }

    /// Shows how many of how many are done.
    pub fn show(&self, done: u64, total: u64) {
        if self.bar.length().is_none() {
            self.bar.disable_steady_tick();
            self.bar.set_style(style(COUNTING));
            self.bar.set_message(self.message);
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for CountLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns a line on stderr of something without a length so far.
fn waiting(message: &'static str) -> ProgressBar {
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
        false => ProgressBar::hidden(),
    };
    bar.set_style(style(WAITING));
    bar.set_message(message);
    bar.enable_steady_tick(TICK);
    bar
}

fn phase(state: &JobStatus) -> &'static str {
    match state {
        JobStatus::Queued => "waiting for an earlier job of this target",
        JobStatus::Planning => "reading the logs",
        JobStatus::WaitingForWorkers => "waiting for a worker that knows both connections",
        JobStatus::Held => "held: no worker gets a task of it for now",
        JobStatus::Copying => "copying",
        JobStatus::Publishing => "publishing",
        JobStatus::Cancelling => "ending",
        JobStatus::Succeeded(_) => "done",
        JobStatus::Failed(_) => "failed",
        JobStatus::Cancelled => "cancelled",
    }
}

/// Writes the time left, or nothing while it cannot be estimated.
fn left(bytes_copied: u64, eta: Duration) -> String {
    match bytes_copied {
        0 => String::new(),
        _ => format!("{:#} left", HumanDuration(eta)),
    }
}

/// Builds a style. The templates are constant and tested; a wrong one falls back to the default.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            // A terminal that cannot be written must not end the sync.
            let _result = out.write_str(&left(state.pos(), state.eta()));
        })
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [COPYING, COUNTING, WAITING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn no_time_is_told_before_the_first_bytes() {
        assert_eq!(left(0, Duration::ZERO), "");
        assert_eq!(left(1, Duration::from_secs(40)), "40s left");
    }
}
