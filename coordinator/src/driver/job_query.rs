//! Which jobs a client lists, and the page that it gets.

use std::ops::Range;
use std::sync::Arc;

use deepclone_core::machine::JobState;

use super::snapshot::JobSnapshot;
use crate::state::{JobOrder, JobPlace, JobSpec};

/// Which jobs a client lists.
#[derive(Clone, Debug)]
pub struct JobsQuery {
    pub filter: JobFilter,
    pub order: JobOrder,
    /// Only jobs that come after this place in the order. `None` from the start.
    pub after: Option<JobPlace>,
    /// Jobs on the page.
    pub size: usize,
}

/// What jobs must be like to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFilter {
    /// `None` for jobs of every state.
    pub state: Option<JobState>,
    pub source: Option<UriPattern>,
    pub target: Option<UriPattern>,
    /// The principal that asked for it.
    pub submitter: Option<String>,
    /// When they were created, in milliseconds since 1970 (UTC).
    pub created_ms: Range<i64>,
}

/// A URI, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriPattern {
    Whole(String),
    Beginning(String),
}

impl Default for JobFilter {
    fn default() -> Self {
        let (state, source, target, submitter) = Default::default();
        Self { state, source, target, submitter, created_ms: i64::MIN..i64::MAX }
    }
}

impl UriPattern {
    /// Reads a pattern: a `*` at its end stands for any rest.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::Whole(text.to_owned()),
        }
    }

    fn fits(&self, uri: &str) -> bool {
        match self {
            Self::Whole(whole) => uri == whole,
            Self::Beginning(beginning) => uri.starts_with(beginning),
        }
    }
}

impl JobFilter {
    /// Returns true for a job of this kind in this state.
    pub(super) fn fits(&self, state: JobState, spec: &JobSpec, created_ms: i64) -> bool {
        let is = |pattern: &Option<UriPattern>, uri: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.fits(uri))
        };
        self.created_ms.contains(&created_ms)
            && self.state.is_none_or(|wanted| wanted == state)
            && is(&self.source, &spec.source.uri)
            && is(&self.target, &spec.target.uri)
            && (self.submitter.is_none() || self.submitter == spec.submitter)
    }
}

/// Some jobs, in the order that was asked for.
#[derive(Clone, Debug)]
pub struct JobsPage {
    pub jobs: Vec<Arc<JobSnapshot>>,
    /// After which place the next page begins. `None` on the last one. A page may have fewer jobs
    /// than were asked for, or none, and not be the last.
    pub next: Option<JobPlace>,
}
