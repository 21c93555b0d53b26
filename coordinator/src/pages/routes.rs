//! The addresses of the pages, and what is answered at each.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::access::PageAccess;
use super::data::PageData;
use super::instead::{Instead, absent, misdirected};
use super::jobs::{JobStreams, JobsAddress, POLICY, events, job_page, list_page};
use super::money::MonthCosts;
use super::page_state::{PageState, find, job_id};
use super::paging::PageQuery;
use super::shell::{ICON, LIVE, STYLE};
use super::visitor::{self, Visitor};
use super::{act, fleet, headers, money, replication, workers};
use crate::access::layer::Gate;
use crate::costs::pricing::utc_month;

/// What browsers may keep: the addresses of these change with their content.
const KEPT: &str = "public, max-age=86400";

/// Returns the pages over what `data` answers, for those whom the gate lets in and who have this
/// access.
pub fn routes(data: Arc<dyn PageData>, access: PageAccess, gate: Gate) -> Router {
    let state = PageState { data, access, streams: JobStreams::default() };
    let script = "text/javascript; charset=utf-8";
    Router::new()
        .route("/", get(first_page))
        .route("/replications/{name}", get(replication_page))
        .route("/jobs", get(jobs))
        .route("/jobs/{job}", get(job))
        .route("/jobs/{job}/events", get(job_events))
        .route("/workers", get(all_workers))
        .route("/money", get(money_page))
        .route("/style.css", get(|| async { kept("text/css; charset=utf-8", STYLE) }))
        .route("/live.js", get(move || async move { kept(script, LIVE) }))
        .route("/icon.svg", get(|| async { kept("image/svg+xml", ICON) }))
        .merge(act::routes())
        .fallback(|| async { absent("Nothing is at this address.") })
        .layer(from_fn_with_state(state.clone(), own_host))
        .layer(from_fn_with_state(gate, visitor::let_in))
        .layer(map_response(headers::protect))
        .with_state(state)
}

/// Refuses what asks for a name that is not this listener's.
async fn own_host(State(state): State<PageState>, request: Request, next: Next) -> Response {
    match state.access.own_address() {
        Some(own) if !state.access.is_own_host(request.headers()) => misdirected(own),
        _ => next.run(request).await,
    }
}

async fn first_page(State(state): State<PageState>, uri: Uri) -> Result<Html<String>, Instead> {
    let view = state.data.fleet().await?;
    Ok(Html(fleet::page(&view, &PageQuery::read(&uri))))
}

async fn replication_page(
    State(state): State<PageState>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Html<String>, Instead> {
    let (view, now) = (find(&state, &name).await?, state.data.now());
    let token = visitor.token(&state.access);
    Ok(Html(replication::page(&view, now, &PageQuery::read(&uri), token)))
}

async fn jobs(State(state): State<PageState>, uri: Uri) -> Result<Html<String>, Instead> {
    let (filter, data) = (JobsAddress::read(&uri), &state.data);
    let (page, fleet) = (data.jobs(filter.query()).await?, data.fleet().await?);
    Ok(Html(list_page(&page, filter, &fleet, data.now())))
}

async fn job(
    State(state): State<PageState>,
    Extension(visitor): Extension<Visitor>,
    Path(job): Path<String>,
) -> Result<impl IntoResponse, Instead> {
    let job = state.data.job(job_id(&job)?).await?;
    let fleet = state.data.fleet().await?;
    let page = job_page(&job, &fleet, state.data.now(), visitor.token(&state.access));
    Ok(([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)))
}

async fn job_events(
    State(PageState { data, streams, .. }): State<PageState>,
    Path(job): Path<String>,
) -> Result<Response, Instead> {
    Ok(events(data, &streams, job_id(&job)?).await?)
}

async fn all_workers(
    State(state): State<PageState>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
) -> Result<Html<String>, Instead> {
    let (found, fleet) = (state.data.workers().await?, state.data.fleet().await?);
    let (now, token) = (state.data.now(), visitor.token(&state.access));
    Ok(Html(workers::page(&found, &fleet, &PageQuery::read(&uri), now, token)))
}

async fn money_page(State(state): State<PageState>) -> Result<Html<String>, Instead> {
    let (fleet, now) = (state.data.fleet().await?, state.data.now());
    let this = utc_month(now);
    let mut months = Vec::new();
    for (name, month) in [("This month", this), ("Last month", this.before())] {
        let owners = state.data.costs(month).await?;
        months.push((name, MonthCosts { month, owners }));
    }
    Ok(Html(money::page(&months, &fleet, now)))
}

fn kept(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, KEPT)], text)
}
