//! `POST /hooks/source-changed/{replication}`: something outside says that a source has a new
//! commit, such as the last step of the job that writes it.
//!
//! A notice must carry the secret of the configuration as `Authorization: Bearer …`. It says
//! nothing else, moves nothing by itself, and a second one while a round is under way asks for one
//! more.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use deepclone_common::secret::Secret;
use deepclone_core::reason::Reason;
use sha2::{Digest as _, Sha256};

use crate::replications::message::{EngineMessage, Replications};

#[derive(Clone)]
struct Hooks {
    engine: Replications,
    /// Of the secret, so that comparing tells nothing of it by its time.
    digest: Arc<[u8; 32]>,
}

/// Returns the hooks, or none where no secret is set.
pub fn routes(engine: Replications, secret: Option<&Secret>) -> Router {
    let Some(secret) = secret else { return Router::new() };
    let digest = Arc::new(digest(secret.expose()));
    Router::new()
        .route("/hooks/source-changed/{replication}", post(source_changed))
        .with_state(Hooks { engine, digest })
}

async fn source_changed(
    State(hooks): State<Hooks>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if digest(given) != *hooks.digest {
        let what = "the secret of [hooks] is wanted as Authorization: Bearer …\n";
        return (StatusCode::UNAUTHORIZED, what.to_owned());
    }
    let Ok(name) = name.parse() else {
        return (StatusCode::BAD_REQUEST, format!("{name:?} is no name of a replication\n"));
    };
    let changed = |answer| EngineMessage::SourceChanged(name, answer);
    match hooks.engine.ask(changed).await {
        Ok(()) => (StatusCode::ACCEPTED, "noted\n".to_owned()),
        Err(failure) => {
            let code = match failure.reason {
                Reason::ReplicationNotFound => StatusCode::NOT_FOUND,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (code, format!("{failure}\n"))
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}
