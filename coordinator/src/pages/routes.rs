//! The addresses of the pages, and what is answered at each.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use deepclone_core::failure::Failure;
use futures::future::BoxFuture;
use maud::html;

use super::clock::PageClock;
use super::paging::PageQuery;
use super::shell::{ICON, STYLE, document};
use super::words::Visible;
use super::{fleet, headers, replication};
use crate::replications::view::FleetView;

/// Reads all replications as they are now.
pub type ReadFleet =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<FleetView>, Failure>> + Send + Sync>;

/// What browsers may keep: the address of the style sheet changes with its content.
const KEPT: &str = "public, max-age=86400";

/// Returns the pages over the replications that `read` returns.
pub fn routes(read: ReadFleet) -> Router {
    Router::new()
        .route("/", get(first_page))
        .route("/replications/{name}", get(replication_page))
        .route("/style.css", get(|| async { kept("text/css; charset=utf-8", STYLE) }))
        .route("/icon.svg", get(|| async { kept("image/svg+xml", ICON) }))
        .fallback(absent_page)
        .layer(map_response(headers::protect))
        .with_state(read)
}

async fn first_page(State(read): State<ReadFleet>, uri: Uri) -> Response {
    match read().await {
        Ok(view) => Html(fleet::page(&view, &PageQuery::read(&uri))).into_response(),
        Err(failure) => unavailable(&failure),
    }
}

async fn replication_page(
    State(read): State<ReadFleet>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    let view = match read().await {
        Ok(view) => view,
        Err(failure) => return unavailable(&failure),
    };
    let found = view.replications.iter().find(|found| found.spec.name.as_str() == name);
    match found {
        Some(found) => {
            Html(replication::page(found, view.at, &PageQuery::read(&uri))).into_response()
        }
        None => absent(&format!("There is no replication {name:?}.")),
    }
}

async fn absent_page() -> Response {
    absent("Nothing is at this address.")
}

fn absent(what: &str) -> Response {
    let main = html! {
        h1 { "Not found" }
        p { (Visible(what)) }
        p { a href="/" { "All replications" } }
    };
    let text = document("Not found", None::<&PageClock>, &main);
    (StatusCode::NOT_FOUND, Html(text)).into_response()
}

fn unavailable(failure: &Failure) -> Response {
    let main = html! {
        h1 { "Nothing can be shown now" }
        p { (Visible(&failure.message)) }
        p { "Nothing is known of the replicas while this lasts: do not take it for a yes." }
    };
    let text = document("Unavailable", None::<&PageClock>, &main);
    (StatusCode::SERVICE_UNAVAILABLE, Html(text)).into_response()
}

fn kept(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, KEPT)], text)
}
