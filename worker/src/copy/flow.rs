//! The bytes of a read on their way into a write, and what became of the read.

use bytes::Bytes;
use crc_fast::Digest;
use deepclone_common::store::streaming::{BodyCut, Flow};
use futures::{StreamExt, stream};
use tokio::sync::oneshot;

use super::error::CopyError;
use super::read::Reading;

/// How the read below a flow ends: known once the write is over.
pub(crate) struct FlowEnd(oneshot::Receiver<Result<Digest, CopyError>>);

/// Lets the bytes of `reading` flow.
pub(crate) fn flow(reading: Reading) -> (Flow, FlowEnd) {
    let (sender, receiver) = oneshot::channel();
    let length = reading.left();
    let state = Some((reading, sender));
    let pieces = stream::unfold(state, |state| async move {
        let (mut reading, sender) = state?;
        match reading.next().await {
            // The end is told with the last bytes: a store that has them all asks for no more. One
            // that gave up does not listen.
            Ok(Some(bytes)) if reading.left() == 0 => {
                let _unheard = sender.send(Ok(*reading.digest()));
                Some((Ok(bytes), None))
            }
            Ok(Some(bytes)) => Some((Ok::<Bytes, BodyCut>(bytes), Some((reading, sender)))),
            Ok(None) => None,
            Err(error) => {
                let _unheard = sender.send(Err(error));
                Some((Err(BodyCut), None))
            }
        }
    });
    (Flow { length, pieces: pieces.boxed() }, FlowEnd(receiver))
}

impl FlowEnd {
    /// The digest of all bytes, or why the read failed; `None` when the write ended first.
    pub(crate) fn now(mut self) -> Option<Result<Digest, CopyError>> {
        self.0.try_recv().ok()
    }
}
