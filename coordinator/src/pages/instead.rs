//! What is answered where there is no page to show.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use maud::{Markup, html};

use super::access::Denied;
use super::shell::{PageTab, document};
use super::words::Visible;

/// Why there is no page, or why nothing was done.
#[derive(Debug)]
pub(super) enum Instead {
    /// The coordinator failed, or refused.
    Failure(Failure),
    /// Nothing is at the address.
    Absent(String),
    /// A form has a mistake.
    Mistake(String),
    Denied(Denied),
}

impl From<Failure> for Instead {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Denied> for Instead {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        match self {
            Self::Failure(failure) => of_failure(&failure),
            Self::Absent(what) => absent(&what),
            Self::Mistake(what) => refused(StatusCode::BAD_REQUEST, &what),
            Self::Denied(denied) => refused(StatusCode::FORBIDDEN, denied.words()),
        }
    }
}

fn of_failure(failure: &Failure) -> Response {
    match failure.reason {
        // A list goes on after a job that is not kept any more.
        Reason::InvalidArgument
        | Reason::JobNotFound
        | Reason::WorkerNotFound
        | Reason::ReplicationNotFound => absent(&failure.message),
        Reason::JobEnded => refused(StatusCode::CONFLICT, &failure.message),
        _ => unavailable(&failure.message),
    }
}

/// The answer where nothing is.
pub(super) fn absent(what: &str) -> Response {
    let more = html! {
        p { a href="/" { "All replications" } " · " a href="/jobs" { "all jobs" } }
    };
    page(StatusCode::NOT_FOUND, "Not found", what, &more)
}

/// The answer to a request for a name that is not this listener's.
pub(super) fn misdirected(own: &str) -> Response {
    let what = format!("These pages are at {own} and at no other name.");
    page(StatusCode::MISDIRECTED_REQUEST, "Not here", &what, &html! {})
}

fn refused(status: StatusCode, what: &str) -> Response {
    page(status, "Nothing was done", what, &html! {})
}

fn unavailable(what: &str) -> Response {
    let more = html! {
        p { "Nothing is known of the replicas while this lasts: do not take it for a yes." }
    };
    page(StatusCode::SERVICE_UNAVAILABLE, "Nothing can be shown now", what, &more)
}

fn page(status: StatusCode, title: &str, what: &str, more: &Markup) -> Response {
    let main = html! {
        h1 { (title) }
        p { (Visible(what)) }
        (more)
    };
    (status, Html(document(title, PageTab::Nothing, None, &main))).into_response()
}
