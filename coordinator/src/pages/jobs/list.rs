//! All jobs, the newest first, page by page.

use axum::http::Uri;
use deepclone_common::store::redact::redact;
use deepclone_core::machine::{End, JobState};
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::figures::done;
use super::keeper::{keeper, table_name};
use super::state;
use crate::driver::job_query::{JobFilter, JobsPage, JobsQuery};
use crate::driver::snapshot::JobSnapshot;
use crate::pages::clock::PageClock;
use crate::pages::fleet::common_zone;
use crate::pages::shell::{PageTab, document};
use crate::pages::words::{Visible, bytes, percent, span};
use crate::replications::view::FleetView;
use crate::state::{JobOrder, JobPlace};

/// Jobs on a page.
const JOBS_MAX: usize = 100;

/// Which jobs an address asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pages) struct JobsAddress {
    /// `None` for jobs of every state.
    state: Option<JobState>,
    /// Only jobs created before this one.
    after: Option<JobPlace>,
}

impl JobsAddress {
    /// Reads `state` and `after`; what is not known or has no sense counts as absent.
    pub(in crate::pages) fn read(uri: &Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let mut filter = Self::default();
        for (name, value) in pairs.map(|pairs| pairs.0).unwrap_or_default() {
            match name.as_str() {
                "state" => {
                    let mut all = JobState::ALL.into_iter();
                    filter.state = all.find(|known| state::word(*known) == value);
                }
                "after" => filter.after = value.parse().ok(),
                _ => {}
            }
        }
        filter
    }

    pub(in crate::pages) fn query(self) -> JobsQuery {
        let filter = JobFilter { state: self.state, ..JobFilter::default() };
        JobsQuery { filter, order: JobOrder::NewestFirst, after: self.after, size: JOBS_MAX }
    }

    fn address(self) -> String {
        let state = self.state.map(|known| format!("state={}", state::word(known)));
        let after = self.after.map(|job| format!("after={job}"));
        let pairs: Vec<String> = state.into_iter().chain(after).collect();
        if pairs.is_empty() { "/jobs".to_owned() } else { format!("/jobs?{}", pairs.join("&")) }
    }
}

/// Returns the page as a document.
pub(in crate::pages) fn list_page(
    jobs: &JobsPage,
    filter: JobsAddress,
    fleet: &FleetView,
    now: UnixTime,
) -> String {
    let clock = PageClock::new(common_zone(fleet), now);
    let is_all = filter == JobsAddress::default();
    let main = html! {
        h1 { "Jobs" }
        @if jobs.jobs.is_empty() && is_all {
            (empty())
        } @else {
            (states(filter))
            (table(jobs, filter, fleet, &clock))
            (older_and_newer(jobs, filter))
        }
    };
    document("Jobs", PageTab::Jobs, Some(&clock), &main)
}

/// What to do when there is nothing yet.
fn empty() -> Markup {
    html! {
        p { "A job is one sync of one table. None has been asked for since this coordinator came \
             to be, or none is kept any more." }
        p { "Replications make their jobs by themselves. One by hand:" }
        pre { code { "deepclone job create SOURCE TARGET" } }
    }
}

/// Links to the jobs of each state.
fn states(filter: JobsAddress) -> Markup {
    let link = |state: Option<JobState>, name: &str| {
        let is_current = state == filter.state;
        let address = JobsAddress { state, after: None }.address();
        html! { a href=(address) aria-current=[is_current.then_some("true")] { (name) } }
    };
    html! {
        nav.groups aria-label="States" {
            (link(None, "all"))
            @for known in JobState::ALL { (link(Some(known), &state::name(known))) }
        }
    }
}

fn table(jobs: &JobsPage, filter: JobsAddress, fleet: &FleetView, clock: &PageClock) -> Markup {
    html! {
        @if jobs.jobs.is_empty() {
            p {
                "No "
                @if filter.after.is_some() { "older " }
                "job is "
                @match filter.state { Some(known) => (state::name(known)), None => "known" }
                "."
            }
        } @else {
            table.stacked {
                caption.hidden { "Jobs, the newest first" }
                thead { tr {
                    th scope="col" { "Table" }
                    th scope="col" { "State" }
                    th scope="col" { "Created" }
                    th.number scope="col" { "Copied" }
                    th.number scope="col" { "Took" }
                    th scope="col" { "Kept by" }
                } }
                tbody { @for job in &jobs.jobs { (line(job, fleet, clock)) } }
            }
        }
    }
}

fn line(job: &JobSnapshot, fleet: &FleetView, clock: &PageClock) -> Markup {
    let spec = &job.job_spec;
    let (created, ended) = (UnixTime(job.created_ms), job.ended_ms.map(UnixTime));
    let (done, total) = (done(job), job.progress.bytes_total);
    html! {
        tr {
            th.path scope="row" {
                a href={ "/jobs/" (job.job) } { (Visible(&redact(table_name(spec)))) }
                span.more {
                    (Visible(&spec.source.connection)) " → " (Visible(&spec.target.connection))
                }
            }
            td data-label="State" {
                strong.answer.(state::class(job.state)) { (state::name(job.state)) }
                @if let Some(End::Failed(failure)) = &job.end {
                    span.more { code { (failure.reason.row().name) } }
                }
            }
            td data-label="Created" { (clock.time(created)) }
            td.number data-label="Copied" {
                @if total > 0 {
                    (bytes(done)) " of " (bytes(total))
                    svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
                        rect.all width="100" height="6" {}
                        rect.spent width=(percent(done, total)) height="6" {}
                    }
                } @else { "none" }
            }
            td.number data-label="Took" {
                @match ended {
                    Some(ended) => (span(ended.since(created))),
                    None => { "runs for " (span(clock.now().since(created))) },
                }
            }
            td data-label="Kept by" {
                @match keeper(fleet, spec) {
                    Some(view) => {
                        a href={ "/replications/" (view.spec.name) } { (view.spec.name) }
                    },
                    None => "no replication",
                }
            }
        }
    }
}

fn older_and_newer(jobs: &JobsPage, filter: JobsAddress) -> Markup {
    let older = JobsAddress { after: jobs.next, ..filter };
    html! {
        @if filter.after.is_some() || jobs.next.is_some() {
            nav.pager aria-label="Pages of jobs" {
                @if filter.after.is_some() {
                    a href=(JobsAddress { after: None, ..filter }.address()) { "← Newest" }
                }
                @if jobs.next.is_some() {
                    a rel="next" href=(older.address()) { "Older →" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::ids::JobId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let job = JobPlace { created_ms: 5, job: JobId(Uuid::from_u128(7)) };
        let filter = |state, after| JobsAddress { state, after };
        for (address, expected) in [
            ("/jobs".to_owned(), filter(None, None)),
            ("/jobs?state=none&after=x&q=1".to_owned(), filter(None, None)),
            (format!("/jobs?after={job}"), filter(None, Some(job))),
            (
                format!("/jobs?after={job}&state=waiting-for-workers"),
                filter(Some(JobState::WaitingForWorkers), Some(job)),
            ),
        ] {
            assert_eq!(JobsAddress::read(&address.parse().unwrap()), expected, "{address}");
            let again = JobsAddress::read(&expected.address().parse().unwrap());
            assert_eq!(again, expected, "{address}");
        }
        for known in JobState::ALL {
            let read = JobsAddress::read(&filter(Some(known), None).address().parse().unwrap());
            assert_eq!(read.state, Some(known));
        }
    }
}
