//! The bytes of a read on their way into a write, and what became of the read.

use std::sync::Arc;

use deepclone_common::store::streaming::{BodyCut, Flow};
use futures::{StreamExt, stream};
use tokio::sync::Mutex;

use super::context::TaskContext;
use super::counts::Counts;
use super::digests::Digests;
use super::error::CopyError;
use super::read::Reading;

/// A read that one write after another may take its bytes from: the client below holds the flow,
/// and lets go of it when the write is over.
pub(crate) struct Source(Arc<Mutex<State>>);

struct State {
    reading: Reading,
    failed: Option<CopyError>,
    counts: Arc<Counts>,
    /// Bytes that the write under way has taken.
    flowing: u64,
}

impl Source {
    pub(crate) fn new(reading: Reading) -> Self {
        let counts = reading.counts();
        Self(Arc::new(Mutex::new(State { reading, failed: None, counts, flowing: 0 })))
    }

    /// All bytes, from the first one. After a write that failed those which it had taken are read
    /// again, and no others.
    ///
    /// # Errors
    /// As [`Reading::rewind`].
    pub(crate) async fn flow(&self, context: &TaskContext) -> Result<Flow, CopyError> {
        let mut state = self.0.lock().await;
        state.write_ended();
        state.reading.rewind(context).await?;
        let length = state.reading.left();
        let pieces = stream::unfold(Some(Arc::clone(&self.0)), |state| async move {
            let state = state?;
            let mut locked = state.lock().await;
            match locked.reading.next().await {
                Ok(Some(bytes)) => {
                    locked.flowing += bytes.len() as u64;
                    locked.counts.flows(bytes.len() as u64);
                    drop(locked);
                    Some((Ok(bytes), Some(state)))
                }
                Ok(None) => None,
                Err(error) => {
                    locked.failed = Some(error);
                    Some((Err(BodyCut), None))
                }
            }
        });
        Ok(Flow { length, pieces: pieces.boxed() })
    }

    /// After a write: the digests of all bytes, `None` when it did not take all of them.
    ///
    /// # Errors
    /// Why the read failed.
    pub(crate) async fn ended(&self) -> Result<Option<Digests>, CopyError> {
        let mut state = self.0.lock().await;
        state.write_ended();
        match state.failed.take() {
            Some(error) => Err(error),
            None => Ok((state.reading.left() == 0).then(|| state.reading.digests().clone())),
        }
    }
}

impl Drop for State {
    /// A copy that is given up has no end of its own.
    fn drop(&mut self) {
        self.write_ended();
    }
}

impl State {
    fn write_ended(&mut self) {
        self.counts.flowed(std::mem::take(&mut self.flowing));
    }
}
