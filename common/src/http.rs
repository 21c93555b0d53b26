//! The HTTP endpoints of a process: `/livez`, `/readyz` and `/metrics`, and what it adds to them.

use std::sync::Arc;

pub use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::store::counts::StoreRequests;

#[derive(Clone)]
struct Endpoints {
    registry: Arc<Registry>,
    ready: watch::Receiver<bool>,
}

/// Serves until `shutdown`. `ready` is the answer of `/readyz`; `/metrics` shows the registry,
/// which has no prefix of its own, and the counts of the stores' answers. `more` has the process's
/// own routes, none of them one of these three.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    mut registry: Registry,
    more: Router,
    ready: watch::Receiver<bool>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    registry.register_collector(Box::new(StoreRequests));
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(Endpoints { registry: Arc::new(registry), ready })
        .merge(more);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn readiness(State(endpoints): State<Endpoints>) -> (StatusCode, &'static str) {
    if *endpoints.ready.borrow() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn metrics(State(endpoints): State<Endpoints>) -> Result<String, StatusCode> {
    let mut text = String::new();
    encode(&mut text, &endpoints.registry).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}
