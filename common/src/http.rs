//! The HTTP endpoints of a process: `/livez`, `/readyz` and `/metrics`, and what it adds to them.

use std::sync::Arc;

pub use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use deepclone_core::access::Permission;
use deepclone_core::unix_time::UnixTime;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::{Credential, Principals};
use crate::clock::Clock;
use crate::listener::{BoundListener, Peer};
use crate::readiness::ProcessReadiness;
use crate::store::counts::StoreRequests;

#[derive(Clone)]
struct Endpoints {
    registry: Arc<Registry>,
    ready: watch::Receiver<ProcessReadiness>,
    principals: Option<Arc<Principals>>,
}

/// Serves until `shutdown`. `ready` is the answer of `/readyz`; `/metrics` shows the registry,
/// which has no prefix of its own, and the counts of the stores' answers; where there are
/// `principals`, to those who may look. `more` has the process's own routes, none of them one of
/// these three, and guards them itself.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: BoundListener,
    mut registry: Registry,
    more: Router,
    ready: watch::Receiver<ProcessReadiness>,
    principals: Option<Arc<Principals>>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    registry.register_collector(Box::new(StoreRequests));
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(Endpoints { registry: Arc::new(registry), ready, principals })
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

async fn metrics(
    State(endpoints): State<Endpoints>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    if let Some(principals) = &endpoints.principals {
        let now = UnixTime(Clock::System.now_ms());
        let reader = principals.who(&Credential::of(&headers, Some(&peer)), now);
        let reader = reader.map_err(|_| StatusCode::UNAUTHORIZED)?;
        reader.allow(Permission::View).map_err(|_| StatusCode::FORBIDDEN)?;
    }
    let mut text = String::new();
    encode(&mut text, &endpoints.registry).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}
