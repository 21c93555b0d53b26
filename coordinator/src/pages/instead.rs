//! What is answered where there is no page to show.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use maud::html;

use super::clock::PageClock;
use super::shell::{PageTab, document};
use super::words::Visible;

/// A failure, as the page that stands for the one that was asked for.
#[derive(Debug)]
pub(super) struct Instead(Failure);

impl From<Failure> for Instead {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        let Self(failure) = self;
        match failure.reason {
            Reason::JobNotFound | Reason::WorkerNotFound | Reason::ReplicationNotFound => {
                absent(&failure.message)
            }
            // A list goes on after a job that is not kept any more.
            Reason::InvalidArgument => absent(&failure.message),
            _ => unavailable(&failure),
        }
    }
}

/// The answer where nothing is.
pub(super) fn absent(what: &str) -> Response {
    let main = html! {
        h1 { "Not found" }
        p { (Visible(what)) }
        p { a href="/" { "All replications" } " · " a href="/jobs" { "all jobs" } }
    };
    let text = document("Not found", PageTab::Nothing, None::<&PageClock>, &main);
    (StatusCode::NOT_FOUND, Html(text)).into_response()
}

fn unavailable(failure: &Failure) -> Response {
    let main = html! {
        h1 { "Nothing can be shown now" }
        p { (Visible(&failure.message)) }
        p { "Nothing is known of the replicas while this lasts: do not take it for a yes." }
    };
    let text = document("Unavailable", PageTab::Nothing, None::<&PageClock>, &main);
    (StatusCode::SERVICE_UNAVAILABLE, Html(text)).into_response()
}
