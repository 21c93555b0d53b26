//! An HTTP server that keeps what it is sent, and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};

/// The longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for one.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A message as it arrived.
#[derive(Clone, Debug)]
pub struct Message {
    pub headers: HeaderMap,
    pub body: String,
}

/// A receiver on this machine.
pub struct Receiver {
    /// Like `http://ADDR:PORT`, without a path: it takes every one.
    pub url: String,
    taken: Arc<Mutex<Vec<Message>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// Starts one that answers with these codes, and with 200 after them.
    pub async fn start(answers: &[u16]) -> Self {
        let taken = Arc::<Mutex<Vec<Message>>>::default();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<u16>>()));
        let (kept, plan) = (Arc::clone(&taken), Arc::clone(&answers));
        let take = move |headers: HeaderMap, body: String| {
            let answer = plan.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let answer = StatusCode::from_u16(answer.unwrap_or(200)).expect("a code of HTTP");
            if answer.is_success() {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(Message { headers, body });
            }
            async move { answer }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its own address"));
        let router = Router::new().fallback(take);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, taken, answers }
    }

    /// What it took, in order.
    pub fn taken(&self) -> Vec<Message> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many answers of its plan are left.
    pub fn answers_left(&self) -> usize {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until it took so many, and gives all.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait_for(&self, count: usize) -> Vec<Message> {
        let come = async {
            while self.taken().len() < count {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        let come = tokio::time::timeout(PATIENCE, come).await;
        assert!(come.is_ok(), "of {count} messages there are {:?}", self.taken());
        self.taken()
    }
}
