//! Streams whose client stops reading.
//!
//! HTTP/2 keeps what a client does not read away from the other streams of its connection, and
//! nothing says when the client forgot the stream: what the stream holds would be held until the
//! connection ends.

use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::convert::status;

/// How long a message may wait for a client, in each of [`WAITS`].
const WAIT: Duration = Duration::from_secs(30);
/// A process that was suspended finds the first wait over when it goes on.
const WAITS: u32 = 2;

/// Passes a stream on, and drops it, with all that it holds, once a message was not read for
/// both waits, or when the client went away. A client that reads again then finds an error of
/// `COORDINATOR_UNAVAILABLE` at the stream's end, after which clients watch again.
pub(super) fn dropped_when_unread<T: Send + 'static>(
    messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> impl Stream<Item = Result<T, Status>> + Send {
    let (sender, read) = mpsc::channel(1);
    let (cut, was_cut) = oneshot::channel();
    tokio::spawn(async move {
        let mut messages = Box::pin(messages);
        loop {
            let next = tokio::select! {
                next = messages.next() => next,
                () = sender.closed() => None,
            };
            let Some(message) = next else { return };
            if let Err(SendTimeoutError::Timeout(_)) = send(&sender, message).await {
                tracing::info!("a client does not read a stream that it asked for: it is cut");
                let message = format!("nothing was read for {:?}: watch again", WAIT * WAITS);
                // The client may have gone meanwhile.
                let _gone = cut.send(status(Failure::new(Reason::CoordinatorUnavailable, message)));
                return;
            }
        }
    });
    let end = stream::once(was_cut).filter_map(|cut| std::future::ready(cut.ok().map(Err)));
    ReceiverStream::new(read).chain(end)
}

async fn send<T>(sender: &mpsc::Sender<T>, mut message: T) -> Result<(), SendTimeoutError<T>> {
    for _ in 1..WAITS {
        match sender.send_timeout(message, WAIT).await {
            Err(SendTimeoutError::Timeout(unsent)) => message = unsent,
            ended => return ended,
        }
    }
    sender.send_timeout(message, WAIT).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Yields numbers, one each second; `Arc` is what such a stream holds.
    fn numbers(held: Arc<()>) -> impl Stream<Item = Result<u64, Status>> {
        stream::unfold(0, move |number| {
            let held = Arc::clone(&held);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _held = held;
                Some((Ok(number), number + 1))
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_read_lets_go_and_says_so_to_who_reads_again() {
        let held = Arc::new(());
        let mut read = Box::pin(dropped_when_unread(numbers(Arc::clone(&held))));
        // A slow reader loses nothing.
        for number in 0..5 {
            tokio::time::sleep(WAIT).await;
            assert_eq!(read.next().await.unwrap().unwrap(), number);
        }
        assert!(Arc::strong_count(&held) > 1);
        tokio::time::sleep(WAIT * WAITS + Duration::from_secs(3)).await;
        assert_eq!(Arc::strong_count(&held), 1, "it is held for a client that does not read");
        let rest: Vec<_> = read.collect().await;
        let (last, kept) = rest.split_last().unwrap();
        assert!(kept.iter().all(Result::is_ok) && kept.len() <= 2, "{kept:?}");
        let refused = last.as_ref().unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unavailable);
        assert!(refused.message().contains("watch again"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_its_messages_and_with_its_client() {
        let held = Arc::new(());
        let some = numbers(Arc::clone(&held)).take(3);
        let read: Vec<_> = dropped_when_unread(some).collect().await;
        assert_eq!(read.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2]);
        let silent = numbers(Arc::clone(&held)).filter(|_| std::future::ready(false));
        let client = Box::pin(dropped_when_unread(silent));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(Arc::strong_count(&held) > 1);
        drop(client);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(Arc::strong_count(&held), 1, "it goes on without its client");
    }
}
