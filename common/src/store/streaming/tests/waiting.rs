//! Bodies that wait until the store says that it wants them, before servers of single answers.

use std::sync::atomic::AtomicUsize;

use futures::future::BoxFuture;
use object_store::ClientConfigKey;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const WRITTEN: &str = "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n";
const EXISTS: &str = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";
const UNKNOWN: &str = "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n";

type Connection = BufReader<TcpStream>;

/// Serves each connection by `serve`, whose second argument is its number, from 0.
async fn raw(serve: fn(Connection, usize) -> BoxFuture<'static, ()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(BufReader::new(connection), number));
        }
    });
    format!("http://{address}")
}

/// The head of the next request, in small letters; empty once the client has gone.
async fn head(connection: &mut Connection) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await.unwrap_or(0) == 0 {
            return String::new();
        }
    }
    head.to_ascii_lowercase()
}

async fn say(connection: &mut Connection, text: &str) {
    connection.write_all(text.as_bytes()).await.unwrap();
}

async fn body(connection: &mut Connection) {
    let mut body = vec![0; LENGTH];
    connection.read_exact(&mut body).await.unwrap();
    assert!(body == bytes(), "other bytes came");
}

fn waits(head: &str) -> bool {
    head.contains("\r\nexpect: 100-continue\r\n")
}

/// A flow that counts the pieces which were taken.
fn counted() -> (Flow, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let Flow { length, pieces } = flow(LENGTH);
    let pieces = pieces.inspect(move |_| _ = counted.fetch_add(1, Ordering::Relaxed)).boxed();
    (Flow { length, pieces }, taken)
}

fn refusals() -> &'static Mutex<Vec<String>> {
    static LEFT_OPEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    &LEFT_OPEN
}

#[tokio::test]
async fn what_is_refused_takes_no_byte_and_its_connection_ends() {
    // The server leaves the connection open: the client must not wait on it for ever.
    let endpoint = raw(|mut connection, number| {
        Box::pin(async move {
            let head = head(&mut connection).await;
            assert!(waits(&head), "{head}");
            say(&mut connection, if number == 0 { BUSY } else { EXISTS }).await;
            let mut rest = Vec::new();
            let _ended = connection.read_to_end(&mut rest).await;
            refusals().lock().unwrap().push(format!("{} bytes, then the end", rest.len()));
        })
    })
    .await;
    let store = &stores(&endpoint)["s3"];
    for kind in [StoreErrorKind::Throttled, StoreErrorKind::AlreadyExists] {
        let (flow, taken) = counted();
        let error = store.put(&Path::from("t/a"), flow).await.unwrap_err();
        assert_eq!((error.kind, taken.load(Ordering::Relaxed)), (kind, 0), "{error}");
    }
    let until = Instant::now() + Duration::from_secs(10);
    while refusals().lock().unwrap().len() < 2 {
        assert!(Instant::now() < until, "a connection was left open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(*refusals().lock().unwrap(), ["0 bytes, then the end"; 2]);
}

#[tokio::test]
async fn a_body_comes_once_it_is_wanted_and_the_connection_is_used_again() {
    let endpoint = raw(|mut connection, number| {
        Box::pin(async move {
            assert_eq!(number, 0, "a second connection");
            loop {
                let head = head(&mut connection).await;
                assert!(waits(&head), "{head}");
                let early = tokio::time::timeout(Duration::from_millis(20), connection.read_u8());
                assert!(early.await.is_err(), "the body did not wait");
                say(&mut connection, CONTINUE).await;
                body(&mut connection).await;
                say(&mut connection, WRITTEN).await;
            }
        })
    })
    .await;
    let store = &stores(&endpoint)["s3"];
    let begun = Instant::now();
    for _ in 0..5 {
        let (flow, taken) = counted();
        store.put(&Path::from("t/a"), flow).await.unwrap();
        assert_eq!(taken.load(Ordering::Relaxed), LENGTH.div_ceil(100_000));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "each waited for its patience to end");
}

#[tokio::test]
async fn a_store_that_says_nothing_gets_its_bodies_and_is_not_asked_again() {
    let endpoint = raw(|mut connection, _| {
        Box::pin(async move {
            for asked in [true, false] {
                assert_eq!(waits(&head(&mut connection).await), asked);
                body(&mut connection).await;
                say(&mut connection, WRITTEN).await;
            }
        })
    })
    .await;
    let store = &stores(&endpoint)["s3"];
    for _ in 0..2 {
        store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_was_heard_once_is_asked_again_after_a_silence() {
    let endpoint = raw(|mut connection, _| {
        Box::pin(async move {
            for is_silent in [false, true, false] {
                assert!(waits(&head(&mut connection).await));
                if !is_silent {
                    say(&mut connection, CONTINUE).await;
                }
                body(&mut connection).await;
                say(&mut connection, WRITTEN).await;
            }
        })
    })
    .await;
    let store = &stores(&endpoint)["s3"];
    for _ in 0..3 {
        store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_knows_no_waiting_gets_the_next_body_without() {
    let endpoint = raw(|mut connection, number| {
        Box::pin(async move {
            assert_eq!(waits(&head(&mut connection).await), number == 0);
            if number == 0 {
                return say(&mut connection, UNKNOWN).await;
            }
            body(&mut connection).await;
            say(&mut connection, WRITTEN).await;
        })
    })
    .await;
    let store = &stores(&endpoint)["s3"];
    let (flow, taken) = counted();
    let error = store.put(&Path::from("t/a"), flow).await.unwrap_err();
    assert!(error.kind.is_retryable(), "{error}");
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    store.put(&Path::from("t/a"), super::flow(LENGTH)).await.unwrap();
}

#[tokio::test]
async fn what_goes_through_a_proxy_does_not_wait() {
    let (endpoint, log) = server(Answers::Written).await;
    let behind = options().with_proxy_url(endpoint.clone());
    let s3 = s3("http://store.invalid").with_client_options(behind).build().unwrap();
    let s3 = Arc::new(s3);
    let store = StreamingStore::new(s3.clone(), s3, Streaming::Sent);
    store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
    store.put_held(&Path::from("t/b"), "123".into()).await.unwrap();
    let seen: Vec<_> = log.lock().unwrap().drain(..).collect();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].body == Some(bytes()) && !seen[0].waits, "{seen:?}");
}

#[tokio::test]
async fn a_store_is_found_by_its_name_whatever_the_order_of_its_addresses() {
    let (endpoint, log) = server(Answers::Written).await;
    let named = endpoint.replace("127.0.0.1", "localhost");
    for is_shuffled in ["true", "false"] {
        let options = options().with_config(ClientConfigKey::RandomizeAddresses, is_shuffled);
        let s3 = Arc::new(s3(&named).with_client_options(options).build().unwrap());
        let store = StreamingStore::new(s3.clone(), s3, Streaming::Sent);
        store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
        let seen = log.lock().unwrap().pop().unwrap();
        assert!(seen.body == Some(bytes()) && seen.waits, "{is_shuffled}");
    }
}

#[tokio::test]
async fn a_server_that_never_ends_the_handshake_is_given_up() {
    let endpoint = raw(|connection, _| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(connection);
        })
    })
    .await;
    let named = endpoint.replace("http://", "https://");
    let options = options().with_connect_timeout(Duration::from_millis(300));
    let s3 = Arc::new(s3(&named).with_client_options(options).build().unwrap());
    let store = StreamingStore::new(s3.clone(), s3, Streaming::Sent);
    let begun = Instant::now();
    for error in [
        store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap_err(),
        store.put_held(&Path::from("t/a"), "123".into()).await.unwrap_err(),
    ] {
        assert!(error.kind.is_retryable(), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited for a stall");
}
