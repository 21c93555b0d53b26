//! The little of HTTP/1.1 that a proxy must understand: heads, and where bodies end.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufReadExt, AsyncReadExt};

const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A request's or an answer's head, with its bytes as they came.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    lines: Vec<String>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Head {
    /// Reads a head; none when the connection ends before its first byte.
    pub(super) async fn read(from: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        loop {
            let start = bytes.len();
            let limit = (HEAD_BYTES_MAX - start) as u64;
            if (&mut *from).take(limit).read_until(b'\n', &mut bytes).await? == 0 {
                if start == 0 {
                    return Ok(None);
                }
                return Err(Error::new(ErrorKind::UnexpectedEof, "a head is cut or too long"));
            }
            let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned();
            if line.is_empty() {
                return Ok(Some(Self { bytes, lines }));
            }
            lines.push(line);
        }
    }

    /// The n-th word of the first line.
    pub(super) fn word(&self, index: usize) -> &str {
        self.lines.first().and_then(|line| line.split(' ').nth(index)).unwrap_or_default()
    }

    pub(super) fn status(&self) -> Result<u16> {
        self.word(1).parse().map_err(|_| Error::new(ErrorKind::InvalidData, "no status"))
    }

    /// Whether a header has this value, but for case.
    pub(super) fn says(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body of a request.
    pub(super) fn request_body(&self) -> Body {
        self.framed().unwrap_or(Body::Length(0))
    }

    /// The body of an answer to a request of this method.
    pub(super) fn answer_body(&self, method: &str) -> Result<Body> {
        let status = self.status()?;
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(Body::Length(0));
        }
        Ok(self.framed().unwrap_or(Body::UntilClose))
    }

    fn framed(&self) -> Option<Body> {
        if self.says("transfer-encoding", "chunked") {
            return Some(Body::Chunked);
        }
        self.header("content-length").and_then(|value| value.parse().ok()).map(Body::Length)
    }
}

/// What follows the pieces of a body that were read so far.
#[derive(Debug)]
pub(super) struct Pieces {
    body: Body,
    /// Of the length, or of the current chunk with its line end.
    left: u64,
    ended: bool,
}

impl Pieces {
    pub(super) fn of(body: Body) -> Self {
        let left = if let Body::Length(length) = body { length } else { 0 };
        Self { body, left, ended: body == Body::Length(0) }
    }

    /// The next bytes as they came, with the marks of chunks; none at the end.
    pub(super) async fn next(
        &mut self,
        from: &mut (impl AsyncBufReadExt + Unpin),
    ) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        if self.body == Body::Chunked && self.left == 0 {
            return self.chunk_line(from).await.map(Some);
        }
        let most = if self.body == Body::UntilClose { u64::MAX } else { self.left };
        let mut piece = vec![0; usize::try_from(most.min(16 * 1024)).unwrap_or(16 * 1024)];
        let length = from.read(&mut piece).await?;
        piece.truncate(length);
        match self.body {
            Body::UntilClose if length == 0 => {
                self.ended = true;
                return Ok(None);
            }
            Body::UntilClose => {}
            Body::Length(_) | Body::Chunked => {
                if length == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                self.left -= length as u64;
                self.ended = self.left == 0 && self.body != Body::Chunked;
            }
        }
        Ok(Some(piece))
    }

    /// A chunk's size line; with the last one also the trailer.
    async fn chunk_line(&mut self, from: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).await?;
        let text = String::from_utf8_lossy(&line);
        let digits = text.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, "no chunk size"))?;
        if size > 0 {
            self.left = size + 2;
            return Ok(line);
        }
        self.ended = true;
        loop {
            let start = line.len();
            from.read_until(b'\n', &mut line).await?;
            if line[start..].trim_ascii().is_empty() {
                return Ok(line);
            }
        }
    }
}
