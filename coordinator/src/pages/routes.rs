//! The addresses of the pages, and what is answered at each.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use uuid::Uuid;

use super::data::PageData;
use super::instead::{Instead, absent};
use super::jobs::{JobFilter, JobStreams, POLICY, events, job_page, list_page};
use super::paging::PageQuery;
use super::shell::{ICON, LIVE, STYLE};
use super::{fleet, headers, replication, workers};

/// What every address answers from.
#[derive(Clone)]
struct PageState {
    data: Arc<dyn PageData>,
    streams: JobStreams,
}

/// What browsers may keep: the addresses of these change with their content.
const KEPT: &str = "public, max-age=86400";

/// Returns the pages over what `data` answers.
pub fn routes(data: Arc<dyn PageData>) -> Router {
    let script = "text/javascript; charset=utf-8";
    Router::new()
        .route("/", get(first_page))
        .route("/replications/{name}", get(replication_page))
        .route("/jobs", get(jobs))
        .route("/jobs/{job}", get(job))
        .route("/jobs/{job}/events", get(job_events))
        .route("/workers", get(all_workers))
        .route("/style.css", get(|| async { kept("text/css; charset=utf-8", STYLE) }))
        .route("/live.js", get(move || async move { kept(script, LIVE) }))
        .route("/icon.svg", get(|| async { kept("image/svg+xml", ICON) }))
        .fallback(|| async { absent("Nothing is at this address.") })
        .layer(map_response(headers::protect))
        .with_state(PageState { data, streams: JobStreams::default() })
}

async fn first_page(State(state): State<PageState>, uri: Uri) -> Result<Html<String>, Instead> {
    let view = state.data.fleet().await?;
    Ok(Html(fleet::page(&view, &PageQuery::read(&uri))))
}

async fn replication_page(
    State(state): State<PageState>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Instead> {
    let view = state.data.fleet().await?;
    let found = view.replications.iter().find(|found| found.spec.name.as_str() == name);
    Ok(match found {
        Some(found) => {
            Html(replication::page(found, view.at, &PageQuery::read(&uri))).into_response()
        }
        None => absent(&format!("There is no replication {name:?}.")),
    })
}

async fn jobs(State(state): State<PageState>, uri: Uri) -> Result<Html<String>, Instead> {
    let (filter, data) = (JobFilter::read(&uri), &state.data);
    let (page, fleet) = (data.jobs(filter.query()).await?, data.fleet().await?);
    Ok(Html(list_page(&page, filter, &fleet, data.now())))
}

async fn job(
    State(state): State<PageState>,
    Path(job): Path<String>,
) -> Result<impl IntoResponse, Instead> {
    let job = state.data.job(job_id(&job)?).await?;
    let page = job_page(&job, &*state.data.fleet().await?, state.data.now());
    Ok(([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)))
}

async fn job_events(
    State(PageState { data, streams }): State<PageState>,
    Path(job): Path<String>,
) -> Result<Response, Instead> {
    Ok(events(data, &streams, job_id(&job)?).await?)
}

async fn all_workers(State(state): State<PageState>, uri: Uri) -> Result<Html<String>, Instead> {
    let (found, fleet) = (state.data.workers().await?, state.data.fleet().await?);
    Ok(Html(workers::page(&found, &fleet, &PageQuery::read(&uri), state.data.now())))
}

/// Reads the id of a job.
fn job_id(text: &str) -> Result<JobId, Instead> {
    let id = Uuid::parse_str(text).map_err(|_| {
        let message = format!("there is no job {text:?}");
        Instead::from(Failure::new(Reason::JobNotFound, message))
    });
    id.map(JobId)
}

fn kept(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, KEPT)], text)
}
