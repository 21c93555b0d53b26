//! The proxy before a small store of its own: what passes, what is counted, what breaks.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Fault, Gate, Proxy, Rule, Seen};

/// Answers every request with its own bytes as the body; gives its endpoint.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 * 1024];
            let mut length = 0;
            while !whole(&bytes[..length]) {
                match stream.read(&mut bytes[length..]).await {
                    Ok(read @ 1..) => length += read,
                    _ => break,
                }
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok();
            stream.write_all(&bytes[..length]).await.ok();
        }
    });
    endpoint
}

/// Whether all of a request is there, by its length or its last chunk.
fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).map(|rest| rest.lines().next().unwrap());
    match length {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => !head.contains("chunked") || body.ends_with("0\r\n\r\n"),
    }
}

/// Sends bytes and reads until the answer is whole or the connection ends.
async fn ask(stream: &mut TcpStream, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if whole(&answer) {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
        match stream.read(&mut piece).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address).await.unwrap()
}

const GET: &str = "GET /lake/a?x=1 HTTP/1.1\r\nHost: signed:1\r\n\r\n";

#[tokio::test]
async fn requests_pass_byte_for_byte_and_are_counted() {
    let proxy = Proxy::start(&echo().await).await;
    let mut stream = connect(&proxy).await;
    let put = "PUT /lake/b HTTP/1.1\r\nhost: s\r\ncontent-length: 5\r\n\r\nhello";
    let chunked = "PUT /lake/c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for request in [GET, put, chunked] {
        let answer = ask(&mut stream, request).await.unwrap();
        assert!(answer.ends_with(request), "{answer:?} is not the echo of {request:?}");
    }
    let expected = [("GET", "/lake/a?x=1", 0, GET), ("PUT", "/lake/b", 5, put)].map(
        |(method, target, bytes_in, echoed)| Seen {
            method: method.to_owned(),
            target: target.to_owned(),
            status: Some(200),
            bytes_in,
            bytes_out: echoed.len() as u64,
        },
    );
    assert_eq!(proxy.seen()[..2], expected);
    assert_eq!((proxy.count("PUT", ""), proxy.count("", "lake/c")), (2, 1));
}

#[tokio::test]
async fn a_status_takes_the_body_and_does_not_ask_the_store() {
    let proxy = Proxy::start("http://127.0.0.1:1").await;
    proxy.add(Rule::new(Fault::Status(503)).method("PUT").containing("/b").times(1));
    let mut stream = connect(&proxy).await;
    let put = "PUT /b HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
    assert!(ask(&mut stream, put).await.unwrap().starts_with("HTTP/1.1 503 "));
    assert_eq!(proxy.seen()[0].bytes_in, 5);
    // Used up: the second goes to the store, and nothing listens there.
    ask(&mut stream, put).await.unwrap_err();
}

#[tokio::test]
async fn answers_are_lost_and_cut_where_the_rule_says() {
    let proxy = Proxy::start(&echo().await).await;
    proxy.add(Rule::new(Fault::LoseAnswer).after(1).times(1));
    proxy.add(Rule::new(Fault::CutAnswer(7)).after(1).times(1));
    ask(&mut connect(&proxy).await, GET).await.unwrap();
    ask(&mut connect(&proxy).await, GET).await.unwrap_err();
    ask(&mut connect(&proxy).await, GET).await.unwrap_err();
    let ends: Vec<_> = proxy.seen().iter().map(|seen| (seen.status, seen.bytes_out)).collect();
    assert_eq!(ends, [(Some(200), GET.len() as u64), (None, 0), (Some(200), 7)]);
}

#[tokio::test]
async fn a_reset_reaches_neither_the_store_nor_an_answer() {
    let proxy = Proxy::start("http://127.0.0.1:1").await;
    proxy.add(Rule::new(Fault::Reset));
    ask(&mut connect(&proxy).await, GET).await.unwrap_err();
    assert_eq!(proxy.seen()[0].status, None);
}

#[tokio::test]
async fn a_gate_holds_requests_until_it_opens() {
    let proxy = Proxy::start(&echo().await).await;
    let gate = Gate::default();
    proxy.add(Rule::new(Fault::Hold(gate.clone())).containing("/a"));
    let mut stream = connect(&proxy).await;
    let asked = tokio::spawn(async move { ask(&mut stream, GET).await });
    gate.arrived(1).await;
    assert!(proxy.seen().is_empty() && !asked.is_finished());
    gate.open();
    asked.await.unwrap().unwrap();
    assert_eq!(proxy.count("GET", "/a"), 1);
}

#[tokio::test]
async fn latency_and_bandwidth_take_their_time() {
    let proxy = Proxy::start(&echo().await).await;
    proxy.set_latency(Duration::from_millis(80));
    let begun = Instant::now();
    ask(&mut connect(&proxy).await, GET).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(80));
    proxy.set_latency(Duration::ZERO);
    proxy.set_bytes_per_s(GET.len() as u64 * 10);
    let begun = Instant::now();
    ask(&mut connect(&proxy).await, GET).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn endpoints_keep_their_path() {
    let proxy = Proxy::start("http://127.0.0.1:1").await;
    let address = proxy.address;
    assert_eq!(proxy.endpoint("http://127.0.0.1:1/name"), format!("http://{address}/name"));
}
