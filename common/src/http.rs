//! The HTTP endpoints of a process: `/livez`, `/readyz` and `/metrics`, and what it adds to them.

use std::sync::Arc;

pub use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::get;
use deepclone_core::access::Permission;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::{Credential, Principals};
use crate::clock::Clock;
use crate::listener::{BoundListener, Peer};
use crate::metrics::catalog::Catalog;
use crate::metrics::exposition;
use crate::readiness::ProcessReadiness;

#[derive(Clone)]
struct Endpoints {
    metrics: Arc<Catalog>,
    ready: watch::Receiver<ProcessReadiness>,
    may_look: Doorkeeper,
}

/// Says whether whoever sent these headers may see the metrics, or with which status they may not.
pub type Doorkeeper = Arc<dyn Fn(&HeaderMap, &Peer) -> Result<(), StatusCode> + Send + Sync>;

/// Lets in the principals that may look; all where nobody is asked.
#[must_use]
pub fn viewers(principals: Option<Arc<Principals>>) -> Doorkeeper {
    Arc::new(move |headers, peer| {
        let Some(principals) = &principals else { return Ok(()) };
        let now = UnixTime(Clock::System.now_ms());
        let reader = principals.who(&Credential::of(headers, Some(peer)), now);
        let reader = reader.map_err(|_| StatusCode::UNAUTHORIZED)?;
        reader.allow(Permission::View).map_err(|_| StatusCode::FORBIDDEN)
    })
}

/// Serves until `shutdown`. `ready` is the answer of `/readyz`; `/metrics` shows the `metrics`
/// to those who may look. `more` has the process's own routes, none of
/// them one of these three, and guards them itself.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: BoundListener,
    metrics: Catalog,
    more: Router,
    ready: watch::Receiver<ProcessReadiness>,
    may_look: Doorkeeper,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(shown))
        .with_state(Endpoints { metrics: Arc::new(metrics), ready, may_look })
        .merge(more)
        .into_make_service_with_connect_info::<Peer>();
    axum::serve(listener.accept(), router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn readiness(State(endpoints): State<Endpoints>) -> (StatusCode, String) {
    let ready = endpoints.ready.borrow();
    let status = match ready.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, ready.line())
}

async fn shown(
    State(endpoints): State<Endpoints>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], String), StatusCode> {
    (endpoints.may_look)(&headers, &peer)?;
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (kind, text) = exposition::text(endpoints.metrics.registry(), accept)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, kind)], text))
}
