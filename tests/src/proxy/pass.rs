//! The way of one request through the proxy.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::rules::Fault;
use super::shared::{Seen, Shared};
use super::wire::{Head, Pieces};

/// The client's side of a connection.
struct Client {
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
}

/// Whether a connection may carry another request.
#[derive(Eq, PartialEq)]
enum After {
    KeepAlive,
    Close,
    Reset,
}

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // It ends with its client; a broken connection concerns the client alone.
        tokio::spawn(async move { connection(stream, &shared).await.ok() });
    }
}

async fn connection(stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let (input, output) = stream.into_split();
    let mut client = Client { input: BufReader::new(input), output };
    while let Some(head) = Head::read(&mut client.input).await? {
        let mut seen = Seen {
            method: head.word(0).to_owned(),
            target: head.word(1).to_owned(),
            status: None,
            bytes_in: 0,
            bytes_out: 0,
        };
        let after = request(&mut client, &head, &mut seen, shared).await;
        shared.record(seen);
        match after {
            Ok(After::KeepAlive) => {}
            Ok(After::Close) => break,
            Ok(After::Reset) | Err(_) => return reset(client),
        }
    }
    Ok(())
}

async fn request(
    client: &mut Client,
    head: &Head,
    seen: &mut Seen,
    shared: &Shared,
) -> Result<After> {
    shared.wait_latency().await;
    let fault = shared.fault(&seen.method, &seen.target);
    match &fault {
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        Some(Fault::Hold(gate)) => gate.pass().await,
        Some(Fault::Reset) => return Ok(After::Reset),
        Some(Fault::Status(status)) => return refuse(client, head, seen, shared, *status).await,
        Some(Fault::LoseAnswer | Fault::CutAnswer(_) | Fault::FlipBit) | None => {}
    }
    let upstream = TcpStream::connect(shared.upstream).await?;
    upstream.set_nodelay(true)?;
    let (input, mut output) = upstream.into_split();
    let mut answers = BufReader::new(input);
    output.write_all(&head.bytes).await?;
    let flips = matches!(fault, Some(Fault::FlipBit));
    send_body(client, &mut output, head, seen, shared, flips).await?;
    let answer = final_answer(&mut answers).await?;
    if matches!(fault, Some(Fault::LoseAnswer)) {
        return Ok(After::Reset);
    }
    let cut = if let Some(Fault::CutAnswer(bytes)) = fault { bytes } else { u64::MAX };
    answer_body(client, &mut answers, &answer, seen, shared, cut).await
}

/// Passes the request's body on; `flips` one bit of its first byte.
async fn send_body(
    client: &mut Client,
    output: &mut OwnedWriteHalf,
    head: &Head,
    seen: &mut Seen,
    shared: &Shared,
    flips: bool,
) -> Result<()> {
    invite(client, head).await?;
    let mut pieces = Pieces::of(head.request_body());
    while let Some(mut piece) = pieces.next(&mut client.input).await? {
        if flips
            && seen.bytes_in == 0
            && let Some(byte) = piece.first_mut()
        {
            *byte ^= 1;
        }
        seen.bytes_in += piece.len() as u64;
        shared.wait_bandwidth(piece.len()).await;
        // A store that answers before it has read all closes its side: its answer counts.
        if output.write_all(&piece).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Passes the answer on, up to the cut.
async fn answer_body(
    client: &mut Client,
    answers: &mut BufReader<OwnedReadHalf>,
    answer: &Head,
    seen: &mut Seen,
    shared: &Shared,
    cut: u64,
) -> Result<After> {
    seen.status = Some(answer.status()?);
    client.output.write_all(&answer.bytes).await?;
    let body = answer.answer_body(&seen.method)?;
    let mut pieces = Pieces::of(body);
    while let Some(mut piece) = pieces.next(answers).await? {
        let left = usize::try_from(cut - seen.bytes_out).unwrap_or(usize::MAX);
        let is_cut = piece.len() >= left;
        piece.truncate(left);
        shared.wait_bandwidth(piece.len()).await;
        client.output.write_all(&piece).await?;
        seen.bytes_out += piece.len() as u64;
        if is_cut {
            client.output.flush().await?;
            return Ok(After::Reset);
        }
    }
    let close = body == super::wire::Body::UntilClose || answer.says("connection", "close");
    Ok(if close { After::Close } else { After::KeepAlive })
}

/// Answers in place of the store, after taking the request's body as the store would.
async fn refuse(
    client: &mut Client,
    head: &Head,
    seen: &mut Seen,
    shared: &Shared,
    status: u16,
) -> Result<After> {
    invite(client, head).await?;
    let mut pieces = Pieces::of(head.request_body());
    while let Some(piece) = pieces.next(&mut client.input).await? {
        seen.bytes_in += piece.len() as u64;
        shared.wait_bandwidth(piece.len()).await;
    }
    seen.status = Some(status);
    let answer = format!("HTTP/1.1 {status} Refused\r\ncontent-length: 0\r\n\r\n");
    client.output.write_all(answer.as_bytes()).await?;
    Ok(After::KeepAlive)
}

/// Tells a client that waits for it to send its body.
async fn invite(client: &mut Client, head: &Head) -> Result<()> {
    if head.says("expect", "100-continue") {
        client.output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    Ok(())
}

/// The answer behind interim ones, to which the proxy has answered itself.
async fn final_answer(answers: &mut BufReader<OwnedReadHalf>) -> Result<Head> {
    loop {
        let head = Head::read(answers).await?;
        let head = head.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        if head.status()? >= 200 {
            return Ok(head);
        }
    }
}

/// Closes the connection so that the client sees a reset.
fn reset(client: Client) -> Result<()> {
    let stream = client.input.into_inner().reunite(client.output).map_err(Error::other)?;
    stream.set_zero_linger()
}
