//! The bodies of requests and of answers: their bytes are counted, and some are cut.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Sleep;

use crate::content::{Collected, Content};
use crate::counts::Tally;

/// Within this time what comes before a cut has been given to the connection.
const CUT_AFTER: Duration = Duration::from_millis(5);

/// The connection ends in the middle of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Severed;

impl std::fmt::Display for Severed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends in the middle of a body")
    }
}

impl std::error::Error for Severed {}

/// Reads the body of a request, no further than `cut_at`.
pub(crate) async fn receive(
    mut body: impl Body<Data = Bytes> + Unpin,
    length: u64,
    cut_at: Option<u64>,
    tally: &Tally,
) -> Result<Content, Severed> {
    let mut collected = Collected::new(length);
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(|_| Severed)?.into_data() else { continue };
        tally.received(bytes.len());
        received += bytes.len() as u64;
        if cut_at.is_some_and(|cut_at| received >= cut_at) {
            return Err(Severed);
        }
        collected.add(&bytes);
    }
    collected.whole().ok_or(Severed)
}

/// The body of an answer.
pub(crate) struct Sent {
    pieces: VecDeque<Bytes>,
    left: u64,
    /// Runs once the pieces have ended where more bytes were announced.
    cut: Option<Pin<Box<Sleep>>>,
    tally: Arc<Tally>,
}

impl Sent {
    /// All of the content, or as much of it as comes before `cut_at`.
    pub(crate) fn new(content: Content, cut_at: Option<u64>, tally: Arc<Tally>) -> Self {
        let left = content.length();
        let content = match cut_at {
            Some(cut_at) => content.range(0..cut_at),
            None => content,
        };
        Self { pieces: content.into_pieces().collect(), left, cut: None, tally }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Severed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Severed>>> {
        if let Some(piece) = self.pieces.pop_front() {
            self.left -= piece.len() as u64;
            self.tally.sent(piece.len());
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let cut = self.cut.get_or_insert_with(|| Box::pin(tokio::time::sleep(CUT_AFTER)));
        ready!(cut.as_mut().poll(context));
        Poll::Ready(Some(Err(Severed)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
