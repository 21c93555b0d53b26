//! The bytes of a read on their way into a write, and what became of the read.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::store::streaming::{BodyCut, Flow};
use deepclone_core::receipt::TaskFailureKind;
use futures::{StreamExt, stream};
use tokio::sync::Mutex;

use super::context::TaskContext;
use super::counts::Counts;
use super::digests::Digests;
use super::error::CopyError;
use super::read::{Reading, SourceState};

/// How long an open write waits for the answer of the source. Some stores close a connection on
/// which nothing comes for 20 seconds.
const OPEN_WAIT: Duration = Duration::from_secs(2);

/// A read that one write after another may take its bytes from: the client below holds the flow,
/// and lets go of it when the write is over.
pub(crate) struct Source(Arc<Mutex<State>>);

struct State {
    /// `None` until the source has answered.
    reading: Option<Reading>,
    failed: Option<CopyError>,
    counts: Arc<Counts>,
    /// Bytes that the write under way has taken.
    flowing: u64,
}

/// A read that was opened beside the first write of its bytes.
pub(crate) struct FirstWrite<T> {
    pub(crate) from: Source,
    pub(crate) source: SourceState,
    /// What the write returned; `None` when it was given up, because the source did not answer in
    /// time.
    pub(crate) written: Option<T>,
}

impl Source {
    pub(crate) fn new(reading: Reading) -> Self {
        let counts = reading.counts();
        Self::of(Some(reading), counts)
    }

    fn of(reading: Option<Reading>, counts: Arc<Counts>) -> Self {
        Self(Arc::new(Mutex::new(State { reading, failed: None, counts, flowing: 0 })))
    }

    /// Opens a read of `length` bytes and, beside it, the first write of them: neither waits for
    /// the other's connection and first answer.
    ///
    /// # Errors
    /// Why the read failed.
    pub(crate) async fn open_beside<T, F: Future<Output = T>>(
        context: &TaskContext,
        length: u64,
        opening: impl Future<Output = Result<Reading, CopyError>>,
        write: impl FnOnce(Flow) -> F,
    ) -> Result<FirstWrite<T>, CopyError> {
        let from = Self::of(None, Arc::clone(&context.counts));
        let shared = Arc::clone(&from.0);
        // The flow waits for the lock.
        let opening = async move {
            let mut state = shared.lock().await;
            let reading = state.reading.insert(opening.await?);
            Ok::<_, CopyError>(reading.source().clone())
        };
        let mut opening = pin!(opening);
        let mut write = Box::pin(write(from.pieces(length)));
        let written = tokio::select! {
            biased;
            source = &mut opening => {
                let (source, written) = (source?, write.await);
                return Ok(FirstWrite { from, source, written: Some(written) });
            }
            written = &mut write => Some(written),
            () = tokio::time::sleep(OPEN_WAIT) => None,
        };
        drop(write);
        let source = opening.await?;
        Ok(FirstWrite { from, source, written })
    }

    /// All bytes, from the first one. After a write that failed those which it had taken are read
    /// again, and no others.
    ///
    /// # Errors
    /// As [`Reading::rewind`].
    pub(crate) async fn flow(&self, context: &TaskContext) -> Result<Flow, CopyError> {
        let mut state = self.0.lock().await;
        state.write_ended();
        let unopened =
            || CopyError::new(TaskFailureKind::Transient, "the read was not opened".to_owned());
        let reading = state.reading.as_mut().ok_or_else(unopened)?;
        reading.rewind(context).await?;
        Ok(self.pieces(reading.left()))
    }

    fn pieces(&self, length: u64) -> Flow {
        let pieces = stream::unfold(Some(Arc::clone(&self.0)), |state| async move {
            let state = state?;
            let mut locked = state.lock().await;
            let next = match &mut locked.reading {
                Some(reading) => reading.next().await,
                // The read was never opened, and its error is told by whoever opens it.
                None => return Some((Err(BodyCut), None)),
            };
            match next {
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
        Flow { length, pieces: pieces.boxed() }
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
            None => {
                let reading = state.reading.as_ref().filter(|reading| reading.left() == 0);
                Ok(reading.map(|reading| reading.digests().clone()))
            }
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
