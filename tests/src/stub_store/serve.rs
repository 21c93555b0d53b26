//! The way of one request: read, recorded, done, and answered as the rules want it.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

use super::request::{Kind, Request, Seen};
use super::rules::{Lie, Rule};
use super::shared::{IDLE, Shared, lock};
use super::wire::{Answer, Incoming, Pace, RequestHead};

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.connections.fetch_add(1, Ordering::Relaxed);
            // A client that goes away ends its own connection alone.
            let _ended = serve(stream, &shared).await;
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut idle = IDLE;
    loop {
        let first = tokio::time::timeout(idle, read.fill_buf()).await;
        if !first.is_ok_and(|bytes| bytes.is_ok_and(|bytes| !bytes.is_empty())) {
            return Ok(());
        }
        let Some(head) = RequestHead::read(&mut read).await? else { return Ok(()) };
        if !answer(&head, &mut read, &mut write, shared).await? {
            return Ok(());
        }
        idle = Duration::from_micros(shared.idle_us.load(Ordering::Relaxed));
    }
}

/// Answers one request. True when the connection may go on.
async fn answer(
    head: &RequestHead,
    read: &mut Incoming,
    write: &mut OwnedWriteHalf,
    shared: &Shared,
) -> Result<bool> {
    let request = Request::of(head);
    let number = shared.note(Seen {
        kind: request.kind,
        key: request.key.clone(),
        query: request.query.clone(),
        headers: head.headers.clone(),
        status: None,
        at: shared.begun.elapsed(),
    });
    let rule = lock(&shared.rules)
        .iter_mut()
        .find_map(|rule| rule.takes(request.kind, &request.key).then(|| rule.clone()));
    let waits = head.header("expect") == Some("100-continue");
    let early = match &rule {
        Some(Rule { lie: Lie::EarlyError(error), .. }) => Some(error),
        // Whoever waits to be told to send is told what is wrong instead.
        Some(Rule { lie: Lie::Error(error), acts: false, .. }) if waits => Some(error),
        _ => None,
    };
    if let Some(error) = early {
        shared.answered(number, error.status);
        error
            .answer()
            .with("Connection", "close")
            .send(&head.method, Pace::default(), write, &shared.sent)
            .await?;
        return Ok(false);
    }
    if head.body_length().is_none() {
        shared.answered(number, 411);
        let missing = Answer::error(411, "MissingContentLength", "Content-Length is missing");
        missing
            .with("Connection", "close")
            .send(&head.method, Pace::default(), write, &shared.sent)
            .await?;
        return Ok(false);
    }
    if waits {
        write.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let body = head.read_body(read).await?;
    let Some((answer, pace)) = judged(head, &request, body, rule.as_ref(), shared) else {
        return Ok(false);
    };
    if let Some(Rule { lie: Lie::Delay(time), .. }) = &rule {
        tokio::time::sleep(*time).await;
    }
    shared.answered(number, answer.status);
    answer.send(&head.method, pace, write, &shared.sent).await
}

/// The answer that the rule wants; `None` where the connection is to be closed.
fn judged(
    head: &RequestHead,
    request: &Request,
    body: Bytes,
    rule: Option<&Rule>,
    shared: &Shared,
) -> Option<(Answer, Pace)> {
    let act = |head: &RequestHead| {
        let mut bucket = lock(&shared.bucket);
        let refused = match &bucket.manners.admits {
            Some(passes) if !passes.admit(head) => Some(not_admitted()),
            Some(_) if is_by_token(head) => None,
            _ => refusal_of_signature(head),
        };
        refused.unwrap_or_else(|| bucket.act(request, head, body.clone()))
    };
    let Some(Rule { lie, acts, .. }) = rule else { return Some((act(head), Pace::default())) };
    let replaced = |answer: Option<Answer>| {
        if *acts {
            act(head);
        }
        answer.map(|answer| (answer, Pace::default()))
    };
    match lie {
        Lie::Error(error) => return replaced(Some(error.answer())),
        Lie::ErrorInside(code) => return replaced(Some(Answer::error(200, code, "why"))),
        Lie::Close => return replaced(None),
        _ => {}
    }
    let answer = match (lie, request.kind) {
        (Lie::WholeForRange, _) => {
            let mut whole = head.clone();
            whole.headers.remove("range");
            act(&whole)
        }
        _ => act(head),
    };
    let pace = match lie {
        Lie::CutAt(bytes) => Pace { cut_at: Some(*bytes), ..Pace::default() },
        Lie::Drip(bytes, pause) => Pace { drip: Some((*bytes, *pause)), ..Pace::default() },
        Lie::Unmeasured => Pace { is_unmeasured: true, ..Pace::default() },
        _ => Pace::default(),
    };
    Some((bent(answer, lie, request.kind), pace))
}

/// The answer with what is wrong in it.
fn bent(mut answer: Answer, lie: &Lie, kind: Kind) -> Answer {
    match lie {
        Lie::FlipBit if !answer.body.is_empty() => {
            let mut bytes = answer.body.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            answer.body = bytes.into();
        }
        Lie::Shorter(missing) => {
            let left = answer.body.len().saturating_sub(*missing);
            answer.body.truncate(left);
        }
        Lie::Longer(more) => answer.body = [&answer.body[..], &vec![7; *more]].concat().into(),
        Lie::Header(name, value) => {
            answer.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            if let Some(value) = value {
                answer = answer.with(name, *value);
            }
        }
        _ => {}
    }
    if kind == Kind::Head {
        answer.promised = Some(answer.body.len());
    }
    answer
}

fn is_by_token(head: &RequestHead) -> bool {
    head.header("authorization").is_some_and(|shown| shown.starts_with("Bearer "))
}

fn not_admitted() -> Answer {
    Answer::error(403, "AccessDenied", "these credentials do not count")
}

/// A signature must cover every header of S3's own.
fn refusal_of_signature(head: &RequestHead) -> Option<Answer> {
    let Some(signature) = head.header("authorization") else {
        return Some(Answer::error(403, "AccessDenied", "the request is not signed"));
    };
    let signed = signature.split("SignedHeaders=").nth(1)?.split(',').next()?;
    let is_signed = |name: &str| signed.split(';').any(|other| other == name);
    let unsigned = head
        .headers
        .keys()
        .find(|name| name.starts_with("x-amz-") && !is_signed(name))
        .map(|name| format!("headers were not signed: {name}"));
    unsigned.map(|message| Answer::error(403, "AccessDenied", &message))
}
