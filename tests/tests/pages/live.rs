//! The figures of a job as a stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepclone_core::limits::PAGE_STREAMS_MAX;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::fake::FakeData;
use crate::samples::fleet;
use crate::site::Site;
use crate::work::{self, COPYING, job_id};

/// Reads until the text has come so often.
async fn read(stream: &mut TcpStream, text: &mut String, part: &str, count: usize) {
    let mut bytes = [0; 4096];
    while text.matches(part).count() < count {
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}

fn path() -> String {
    format!("/jobs/{}/events", job_id(COPYING))
}

#[tokio::test]
async fn figures_come_at_most_once_a_second_and_end_with_the_job() {
    let sender = watch::Sender::new(Arc::new(work::copying()));
    let jobs = vec![sender.subscribe()];
    let site = Site::showing(FakeData { jobs, ..FakeData::good(fleet()) }).await;
    let (mut stream, mut text) = (site.open("GET", &path()).await, String::new());
    read(&mut stream, &mut text, "data: ", 1).await;
    assert!(text.to_lowercase().contains("content-type: text/event-stream"), "{text}");
    assert!(text.to_lowercase().contains("x-content-type-options: nosniff"), "{text}");
    assert!(text.contains(r#""state":"Copying.""#) && text.contains("172.0 GiB of"), "{text}");
    let began = Instant::now();
    for done in 180..200 {
        let mut job = work::copying();
        job.progress.bytes_done = done << 30;
        sender.send_replace(Arc::new(job));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    read(&mut stream, &mut text, "data: ", 2).await;
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(text.contains("201.0 GiB of 420.0 GiB"), "the newest one is left out: {text}");
    let mut over = work::succeeded();
    over.job = job_id(COPYING);
    sender.send_replace(Arc::new(over));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains(r#""state":"Succeeded:"#), "{rest}");
    assert!(rest.contains("event: end\ndata: over\n"), "{rest}");
    assert_eq!(rest.matches("data: ").count(), 2, "{rest}");
}

#[tokio::test]
async fn a_stream_ends_with_the_coordinator_and_says_no_end() {
    let sender = watch::Sender::new(Arc::new(work::copying()));
    let jobs = vec![sender.subscribe()];
    let site = Site::showing(FakeData { jobs, ..FakeData::good(fleet()) }).await;
    let (mut stream, mut text) = (site.open("GET", &path()).await, String::new());
    read(&mut stream, &mut text, "data: ", 1).await;
    drop(sender);
    stream.read_to_string(&mut text).await.unwrap();
    assert!(!text.contains("event: end"), "{text}");
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_place_back() {
    let sender = watch::Sender::new(Arc::new(work::copying()));
    let jobs = vec![sender.subscribe()];
    let site = Site::showing(FakeData { jobs, ..FakeData::good(fleet()) }).await;
    let mut open = Vec::new();
    for _ in 0..PAGE_STREAMS_MAX {
        let mut stream = site.open("GET", &path()).await;
        read(&mut stream, &mut String::new(), "data: ", 1).await;
        open.push(stream);
    }
    let refused = site.get(&path()).await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("128 pages are kept up to date already"));
    open.pop();
    // The server hears of it when it writes next.
    for done in 1.. {
        let mut job = work::copying();
        job.progress.bytes_done = done << 30;
        sender.send_replace(Arc::new(job));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut stream = site.open("GET", &path()).await;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        if &head == b"HTTP/1.1 200" {
            break;
        }
        assert!(done < 100, "its place is not given back");
    }
}
