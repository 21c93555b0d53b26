//! The two addresses: the clients' behind the link, and the bench's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

use crate::body::{Sent, Severed, receive};
use crate::counts::Tally;
use crate::request::Call;
use crate::shared::{BenchStore, lock};
use crate::{clients, control, link};

/// After an error of the listener, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a server listens, as `ADDR:PORT`.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// For clients, over the link.
    pub store: String,
    /// For the bench: the same objects without the link, and how the link is set.
    pub control: String,
}

/// Starts a server without buckets, for as long as the runtime lives.
///
/// # Errors
/// No address is free.
pub async fn start() -> io::Result<Addresses> {
    let store = Arc::new(BenchStore::default());
    let clients = TcpListener::bind("127.0.0.1:0").await?;
    let bench = TcpListener::bind("127.0.0.1:0").await?;
    let addresses = Addresses {
        store: clients.local_addr()?.to_string(),
        control: bench.local_addr()?.to_string(),
    };
    tokio::spawn(serve_clients(clients, Arc::clone(&store)));
    tokio::spawn(serve_bench(bench, store));
    Ok(addresses)
}

async fn serve_clients(listener: TcpListener, store: Arc<BenchStore>) {
    loop {
        let client = accept(&listener).await;
        let round_trip = *lock(&store.round_trip);
        let connection = TokioIo::new(link::over(client, round_trip));
        let store = Arc::clone(&store);
        let service = service_fn(move |request| {
            let store = Arc::clone(&store);
            async move { clients::answer(&store, request).await }
        });
        // A connection that breaks concerns its client alone.
        tokio::spawn(http1::Builder::new().serve_connection(connection, service));
    }
}

async fn serve_bench(listener: TcpListener, store: Arc<BenchStore>) {
    loop {
        let connection = TokioIo::new(accept(&listener).await);
        let store = Arc::clone(&store);
        let service = service_fn(move |request| answer_bench(Arc::clone(&store), request));
        tokio::spawn(http1::Builder::new().serve_connection(connection, service));
    }
}

async fn answer_bench(
    store: Arc<BenchStore>,
    request: Request<Incoming>,
) -> Result<Response<Sent>, Severed> {
    let (head, body) = request.into_parts();
    let call = Call::of(head);
    let tally = Arc::new(Tally::default());
    let content = receive(body, call.content_length(), None, &tally).await?;
    let method = call.method.clone();
    let done = tokio::task::spawn_blocking(move || control::answer(&store, &call, content));
    let reply = done.await.map_err(|_| Severed)?;
    Ok(clients::response(&method, reply, None, tally))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) if client.set_nodelay(true).is_ok() => return client,
            Ok(_) => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}
