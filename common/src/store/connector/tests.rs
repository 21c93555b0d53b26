//! Connections that are there before a request, and those that two handles of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::client::{HttpClient, HttpConnector as _, HttpRequestBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::Config;
use crate::connections::Connections;
use crate::store::client::{Completion, OneClient, TimedConnector};
use crate::store::signing::Signing;

/// A server that answers every request, and counts the connections that it has.
struct Server {
    address: Uri,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (accepted, open) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (counted, opened) = (Arc::clone(&accepted), Arc::clone(&open));
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            opened.fetch_add(1, Ordering::SeqCst);
            let opened = Arc::clone(&opened);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                while connection.read(&mut head).await.is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    connection.write_all(answer).await.unwrap();
                }
                opened.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Server { address, accepted, open }
}

impl Server {
    /// Waits until it has so many connections.
    async fn has(&self, open: usize) {
        let wait = async {
            while self.open.load(Ordering::SeqCst) != open {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(2 * AHEAD_MAX, wait).await;
        assert!(waited.is_ok(), "{} are open, not {open}", self.open.load(Ordering::SeqCst));
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    async fn ask(&self, client: &HttpClient) {
        let request = http::Request::get(self.address.clone()).body(HttpRequestBody::empty());
        let answer = client.execute(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().bytes().await.unwrap();
    }
}

fn client() -> OneClient {
    let (completion, signing) = (Completion::S3, Signing::Unknown);
    OneClient::new(TimedConnector { completion, signing })
}

fn options() -> ClientOptions {
    ClientOptions::new().with_allow_http(true)
}

#[tokio::test]
async fn requests_take_the_connections_that_were_opened_ahead_of_them() {
    let (server, client) = (server().await, client());
    let http = client.connect(&options()).unwrap();
    client.connect_ahead(&server.address, 2);
    // Those that wait already count.
    client.connect_ahead(&server.address, 2);
    server.has(2).await;
    for _ in 0..3 {
        server.ask(&http).await;
    }
    let together = futures::future::join(server.ask(&http), server.ask(&http));
    together.await;
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn connections_that_no_request_takes_are_closed() {
    let (server, client) = (server().await, client());
    let http = client.connect(&options()).unwrap();
    client.connect_ahead(&server.address, 3);
    server.has(3).await;
    server.ask(&http).await;
    // The one that had a request is kept for the next.
    server.has(1).await;
    server.ask(&http).await;
    assert_eq!((server.accepted(), server.open.load(Ordering::SeqCst)), (3, 1));
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_ahead_fails_no_request() {
    let (server, client) = (server().await, client());
    let http = client.connect(&options()).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = nobody.local_addr().unwrap();
    drop(nobody);
    client.connect_ahead(&format!("http://{nowhere}").parse().unwrap(), 2);
    server.ask(&http).await;
    // Another server took the address meanwhile.
    let listener = TcpListener::bind(nowhere).await.unwrap();
    let answers = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(connection.read(&mut head).await.unwrap() > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    };
    let request = http::Request::get(format!("http://{nowhere}")).body(HttpRequestBody::empty());
    let (answer, ()) = futures::future::join(http.execute(request.unwrap()), answers).await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn handles_of_one_client_share_its_connections() {
    let (server, client) = (server().await, client());
    for http in [client.connect(&options()), client.clone().connect(&options())] {
        server.ask(&http.unwrap()).await;
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn nothing_is_opened_to_a_server_that_is_named_after_its_bucket() {
    for (setting, opened) in [
        ("", 2),
        ("aws_virtual_hosted_style_request = false\n", 2),
        ("aws_virtual_hosted_style_request = true\n", 0),
    ] {
        let server = server().await;
        let endpoint = server.address.to_string();
        let text = format!(
            "[connections.lake]\nurl = \"s3://b\"\nroles = [\"target\"]\n\
             aws_access_key_id = \"a\"\naws_secret_access_key = \"s\"\n\
             aws_endpoint_url = \"{endpoint}\"\n{setting}"
        );
        let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
        connections.connect_ahead("lake", 2);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(server.accepted(), opened, "{setting}");
    }
}
