//! A server with keys, which answers as a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the server answers.
#[derive(Clone)]
pub(super) enum ServerAnswer {
    Keys(String),
    Status(StatusCode),
    /// Keys after this time.
    Slow(Duration, String),
    /// A redirect to this address, except at `/moved`, where the keys are.
    Moved(String, String),
}

struct ServerState {
    answer: Mutex<ServerAnswer>,
    asked: AtomicUsize,
}

/// A server with keys, until it is dropped.
pub(super) struct KeyServer {
    pub(super) address: SocketAddr,
    state: Arc<ServerState>,
    task: JoinHandle<()>,
}

impl KeyServer {
    pub(super) async fn start(answer: ServerAnswer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Mutex::new(answer), AtomicUsize::new(0));
        let state = Arc::new(ServerState { answer, asked });
        let router = router(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    pub(super) fn answers(&self, answer: ServerAnswer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(state: Arc<ServerState>) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(State(state): State<Arc<ServerState>>, uri: Uri) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    let answer = state.answer.lock().unwrap().clone();
    match answer {
        ServerAnswer::Keys(keys) => keys.into_response(),
        ServerAnswer::Status(status) => status.into_response(),
        ServerAnswer::Slow(time, keys) => {
            tokio::time::sleep(time).await;
            keys.into_response()
        }
        ServerAnswer::Moved(_, keys) if uri.path() == "/moved" => keys.into_response(),
        ServerAnswer::Moved(to, _) => {
            (StatusCode::FOUND, [("location", to)], "moved").into_response()
        }
    }
}
