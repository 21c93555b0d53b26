//! The little of HTTP/1.1 that a server needs which decides itself when it sends and closes.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const HEAD_BYTES_MAX: u64 = 64 << 10;
/// A body longer than this is not one of a test.
const BODY_BYTES_MAX: usize = 256 << 20;

/// The read half of a connection.
pub(super) type Incoming = BufReader<OwnedReadHalf>;

/// The first line and the headers of a request; names of headers are in lower case.
#[derive(Clone, Debug)]
pub(super) struct RequestHead {
    pub(super) method: String,
    /// Path and query as they were sent.
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
}

impl RequestHead {
    /// Reads a head; `None` when the connection ends before its first byte.
    pub(super) async fn read(from: &mut Incoming) -> Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut left = HEAD_BYTES_MAX;
        loop {
            let mut line = Vec::new();
            let length = (&mut *from).take(left).read_until(b'\n', &mut line).await?;
            if length == 0 && lines.is_empty() {
                return Ok(None);
            }
            if line.pop() != Some(b'\n') {
                return Err(Error::new(ErrorKind::UnexpectedEof, "a head is cut or too long"));
            }
            left -= length as u64;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut words = lines.first().map(|line| line.split(' ')).into_iter().flatten();
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, target) = (word(), word());
        let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        let headers = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Some(Self { method, target, headers }))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The length of the body; `None` where the request does not say it.
    pub(super) fn body_length(&self) -> Option<usize> {
        if self.headers.contains_key("transfer-encoding") {
            return None;
        }
        match self.header("content-length") {
            Some(length) => length.parse().ok().filter(|length| *length <= BODY_BYTES_MAX),
            None => matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE").then_some(0),
        }
    }

    /// Reads the body to its whole length.
    ///
    /// # Errors
    /// The connection ended before its length.
    pub(super) async fn read_body(&self, from: &mut Incoming) -> Result<Bytes> {
        let mut body = vec![0; self.body_length().unwrap_or_default()];
        from.read_exact(&mut body).await?;
        Ok(body.into())
    }
}

/// An answer before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// Of a HEAD: the length of a body that is not sent.
    pub(super) promised: Option<usize>,
}

/// How the bytes of an answer's body are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The connection is closed after these bytes of the body.
    pub(super) cut_at: Option<usize>,
    /// So many bytes at once, and the pause after them.
    pub(super) drip: Option<(usize, Duration)>,
    /// The head does not say the length: the body ends with the connection.
    pub(super) is_unmeasured: bool,
}

/// So many bytes of a body are written at once.
const PIECE_BYTES: usize = 64 << 10;

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), promised: None }
    }

    /// An error as S3 words it.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
        );
        Self::new(status, body).with("Content-Type", "application/xml")
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends the answer to a request of this method, and counts the bytes of its body. True when
    /// the connection may go on.
    pub(super) async fn send(
        &self,
        method: &str,
        pace: Pace,
        to: &mut OwnedWriteHalf,
        sent: &AtomicU64,
    ) -> Result<bool> {
        let length = self.promised.unwrap_or(self.body.len());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if pace.is_unmeasured {
            head.push_str("Connection: close\r\n");
        } else if self.status != 204 {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        to.write_all(head.as_bytes()).await?;
        if method == "HEAD" || self.status == 204 {
            return Ok(true);
        }
        let end = pace.cut_at.unwrap_or(self.body.len()).min(self.body.len());
        let (bytes, pause) = pace.drip.unwrap_or((PIECE_BYTES, Duration::ZERO));
        for piece in self.body[..end].chunks(bytes.max(1)) {
            to.write_all(piece).await?;
            sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(end == length && !pace.is_unmeasured)
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        307 => "Temporary Redirect",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Other",
    }
}
