//! The body of a request whose bytes flow: its length is known, and each piece comes when the
//! connection has room for it, and once the store is known to want it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

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

/// Where the bytes of a body come from, and whether they may come yet.
#[derive(Default)]
pub(super) struct Supply {
    state: Mutex<SupplyState>,
    /// Notified when a connection asks for bytes that are held back: the head is sent.
    asked: Notify,
}

#[derive(Default)]
struct SupplyState {
    /// `None` once nobody wants more of them.
    pieces: Option<BoxStream<'static, Result<Bytes, BodyCut>>>,
    is_held_back: bool,
    /// Of the connection that waits for bytes.
    waker: Option<Waker>,
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supply")
    }
}

impl Supply {
    pub(super) fn new(pieces: BoxStream<'static, Result<Bytes, BodyCut>>) -> Self {
        let state = SupplyState { pieces: Some(pieces), ..SupplyState::default() };
        Self { state: Mutex::new(state), asked: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, SupplyState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Gives nothing until [`Self::release`].
    pub(super) fn hold_back(&self) {
        self.lock().is_held_back = true;
    }

    /// Gives what comes. Returns whether it was held back.
    pub(super) fn release(&self) -> bool {
        let mut state = self.lock();
        let was_held_back = std::mem::take(&mut state.is_held_back);
        wake(state);
        was_held_back
    }

    /// Gives nothing any more: the connection that waits for bytes is told so.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_held_back = false;
        let pieces = state.pieces.take();
        wake(state);
        // They end what they hold, which may take a lock, too.
        drop(pieces);
    }

    /// Returns once a connection waits for bytes that are held back.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyCut>>> {
        let mut state = self.lock();
        let is_held_back = state.is_held_back;
        let next = match &mut state.pieces {
            None => return Poll::Ready(Some(Err(BodyCut))),
            Some(_) if is_held_back => {
                self.asked.notify_one();
                Poll::Pending
            }
            Some(pieces) => pieces.poll_next_unpin(context),
        };
        if next.is_pending() {
            state.waker = Some(context.waker().clone());
        }
        next
    }
}

fn wake(mut state: MutexGuard<'_, SupplyState>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A body of known length that flows.
pub(super) struct FlowBody {
    supply: Arc<Supply>,
    left: u64,
    progress: Arc<FlowProgress>,
}

impl FlowBody {
    /// A body of `length` bytes.
    pub(super) fn new(supply: Arc<Supply>, length: u64) -> Self {
        Self { supply, left: length, progress: Arc::default() }
    }

    pub(super) fn progress(&self) -> Arc<FlowProgress> {
        Arc::clone(&self.progress)
    }

    pub(super) fn supply(&self) -> Arc<Supply> {
        Arc::clone(&self.supply)
    }
}

impl Body for FlowBody {
    type Data = Bytes;
    type Error = BodyCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyCut>>> {
        let Poll::Ready(next) = self.supply.poll_next(context) else {
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
