//! The body of a request whose bytes flow: its length is known, and each piece comes when the
//! connection has room for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http_body::{Body, Frame, SizeHint};

use super::error::{StoreError, StoreErrorKind};
use super::stall::FlowProgress;

/// The source of a body ended before its length: it knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes to be written ended early")]
pub struct BodyCut;

impl From<BodyCut> for StoreError {
    fn from(cut: BodyCut) -> Self {
        Self::new(StoreErrorKind::Transient, cut.to_string())
    }
}

/// Where the bytes of a body come from; `None` once nobody wants more of them.
pub(super) type Pieces = Arc<Mutex<Option<BoxStream<'static, Result<Bytes, BodyCut>>>>>;

/// A body of known length that flows.
pub(super) struct FlowBody {
    pieces: Pieces,
    left: u64,
    progress: Arc<FlowProgress>,
}

impl FlowBody {
    /// A body of `length` bytes.
    pub(super) fn new(pieces: Pieces, length: u64, progress: Arc<FlowProgress>) -> Self {
        Self { pieces, left: length, progress }
    }

    pub(super) fn progress(&self) -> Arc<FlowProgress> {
        Arc::clone(&self.progress)
    }
}

impl Body for FlowBody {
    type Data = Bytes;
    type Error = BodyCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyCut>>> {
        let next = {
            let mut pieces = self.pieces.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match pieces.as_mut() {
                Some(pieces) => pieces.poll_next_unpin(context),
                None => Poll::Ready(Some(Err(BodyCut))),
            }
        };
        let Poll::Ready(next) = next else {
            self.progress.wait_for_source();
            return Poll::Pending;
        };
        let frame = match next {
            Some(Ok(bytes)) => match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(Frame::data(bytes)))
                }
                None => Some(Err(BodyCut)),
            },
            Some(Err(BodyCut)) => Some(Err(BodyCut)),
            None if self.left > 0 => Some(Err(BodyCut)),
            None => None,
        };
        self.progress.note(self.left == 0);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
