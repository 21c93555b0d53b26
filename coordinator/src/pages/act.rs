//! What people do by the pages: each is a form that is posted, answered by the way back to its
//! page. What cannot be undone is asked for once more.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use deepclone_core::calendar::zone::Zone;
use deepclone_core::ids::JobId;
use deepclone_core::replication::ReplicationName;
use deepclone_core::unix_time::UnixTime;
use maud::html;

use super::access::Denied;
use super::data::PageAction;
use super::forms::{PageForm, act_button};
use super::instead::Instead;
use super::page_state::{PageState, find, job_id, worker_id};
use super::shell::{PageTab, document};
use super::words::Visible;

/// Bytes of a form: a token and the longest path, of which each byte may be written as three.
const FORM_BYTES_MAX: usize = 16 << 10;

/// A request to act on something.
type Posted = (State<PageState>, Path<String>, HeaderMap, String);

pub(super) fn routes() -> Router<PageState> {
    Router::new()
        .route("/replications/{name}/run", post(run))
        .route("/replications/{name}/pause", post(pause))
        .route("/replications/{name}/resume", post(resume))
        .route("/replications/{name}/approve", post(approve))
        .route("/jobs/{job}/hold", post(hold))
        .route("/jobs/{job}/release", post(release))
        .route("/jobs/{job}/cancel", get(ask_cancel).post(cancel))
        .route("/workers/{worker}/drain", get(ask_drain).post(drain))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

async fn run(posted: Posted) -> Result<Response, Instead> {
    let (name, page) = replication(&posted)?;
    act(&posted, PageAction::Run(name), page).await
}

async fn resume(posted: Posted) -> Result<Response, Instead> {
    let (name, page) = replication(&posted)?;
    act(&posted, PageAction::Resume(name), page).await
}

async fn approve(posted: Posted) -> Result<Response, Instead> {
    let (name, page) = replication(&posted)?;
    let (_, _, _, form) = &posted;
    let path = PageForm::read(form).value("path").to_owned();
    act(&posted, PageAction::Approve(name, path), page).await
}

async fn pause(posted: Posted) -> Result<Response, Instead> {
    let (name, page) = replication(&posted)?;
    let (State(state), _, headers, form) = &posted;
    let form = PageForm::read(form);
    // Only those who may act are told what is wrong with a time.
    state.access.allow(headers, form.value("token"))?;
    let view = find(state, name.as_str()).await?;
    let until = match form.value("until") {
        "" => None,
        text => Some(time(text, &view.spec.time_zone, state.data.now())?),
    };
    act(&posted, PageAction::Pause(name, until), page).await
}

/// Reads a time as a clock of the zone shows it.
fn time(text: &str, zone: &str, now: UnixTime) -> Result<UnixTime, Instead> {
    let zone = Zone::of_name(zone).unwrap_or(Zone::UTC);
    match zone.time(text) {
        Some(time) if time > now => Ok(time),
        Some(_) => Err(Instead::Mistake(format!("{text} is over: give a later time."))),
        None => Err(Instead::Mistake(format!("{text:?} is no date and time."))),
    }
}

async fn hold(posted: Posted) -> Result<Response, Instead> {
    let (job, page) = job(&posted)?;
    act(&posted, PageAction::Hold(job), page).await
}

async fn release(posted: Posted) -> Result<Response, Instead> {
    let (job, page) = job(&posted)?;
    act(&posted, PageAction::Release(job), page).await
}

async fn cancel(posted: Posted) -> Result<Response, Instead> {
    let (job, page) = job(&posted)?;
    act(&posted, PageAction::Cancel(job), page).await
}

async fn drain(posted: Posted) -> Result<Response, Instead> {
    let (_, Path(worker), _, _) = &posted;
    let worker = worker_id(worker)?;
    act(&posted, PageAction::Drain(worker), "/workers".to_owned()).await
}

/// Does it if the request may, and leads back to a page.
async fn act(posted: &Posted, action: PageAction, page: String) -> Result<Response, Instead> {
    let (State(state), _, headers, form) = posted;
    state.access.allow(headers, PageForm::read(form).value("token"))?;
    tracing::info!(?action, "asked for by a page");
    state.data.act(action).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response())
}

async fn ask_cancel(
    State(state): State<PageState>,
    Path(job): Path<String>,
) -> Result<Html<String>, Instead> {
    let job = state.data.job(job_id(&job)?).await?;
    let address = format!("/jobs/{}", job.job);
    let what = "What it copied stays at the target and is not copied again; the replica stays as \
                it is. A cancelled job does not go on.";
    ask(&state, PageTab::Jobs, "Cancel this job?", what, &address, "cancel")
}

async fn ask_drain(
    State(state): State<PageState>,
    Path(worker): Path<String>,
) -> Result<Html<String>, Instead> {
    let id = worker_id(&worker)?;
    let workers = state.data.workers().await?;
    let unknown = || Instead::Absent(format!("There is no worker {worker:?}."));
    let found = workers.iter().find(|known| known.worker == id).ok_or_else(unknown)?;
    let question = format!("Drain {}?", found.info.name);
    let what = "It finishes the tasks that it holds, gets no more, and leaves. Only a start of it \
                brings it back.";
    let address = format!("/workers/{id}");
    ask(&state, PageTab::Workers, &question, what, &address, "drain")
}

/// A page that asks once more.
fn ask(
    state: &PageState,
    tab: PageTab,
    question: &str,
    what: &str,
    address: &str,
    verb: &str,
) -> Result<Html<String>, Instead> {
    let token = state.access.token().ok_or(Denied::ReadOnly)?;
    let back = if tab == PageTab::Workers { "/workers" } else { address };
    let main = html! {
        h1 { (Visible(question)) }
        p { (what) }
        div.acts {
            (act_button(token, &format!("{address}/{verb}"), &format!("Yes, {verb} it")))
            a href=(back) { "No, go back" }
        }
    };
    Ok(Html(document(question, tab, None, &main)))
}

fn replication(posted: &Posted) -> Result<(ReplicationName, String), Instead> {
    let (_, Path(name), _, _) = posted;
    let unknown = |_| Instead::Absent(format!("There is no replication {name:?}."));
    let name: ReplicationName = name.parse().map_err(unknown)?;
    let page = format!("/replications/{name}");
    Ok((name, page))
}

fn job(posted: &Posted) -> Result<(JobId, String), Instead> {
    let (_, Path(job), _, _) = posted;
    let job = job_id(job)?;
    Ok((job, format!("/jobs/{job}")))
}
