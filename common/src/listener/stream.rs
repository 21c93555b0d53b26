//! An accepted connection, encrypted or not.
//!
//! Who takes nothing of what is sent to them is cut: the memory that waits for them is for others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::peer::Peer;

/// How long the other end may take nothing of what waits for it.
const STALLED_MAX: Duration = Duration::from_secs(30);

/// An accepted connection, encrypted or not.
#[derive(Debug)]
pub struct ServedStream {
    wire: Wire,
    peer: Peer,
    patience: WritePatience,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl ServedStream {
    pub(super) fn plain(stream: TcpStream, peer: Peer) -> Self {
        Self { wire: Wire::Plain(stream), peer, patience: WritePatience::default() }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, peer: Peer) -> Self {
        Self { wire: Wire::Tls(Box::new(stream)), peer, patience: WritePatience::default() }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    fn judged<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let judged = self.patience.judge(context, written);
        if let Poll::Ready(Err(error)) = &judged
            && error.kind() == io::ErrorKind::TimedOut
        {
            let address = self.peer.address.map(|address| address.to_string()).unwrap_or_default();
            tracing::info!(address, "a client takes nothing of what it asked for: it is cut");
        }
        judged
    }
}

/// How long a write has waited.
#[derive(Debug, Default)]
struct WritePatience {
    /// Runs while something waits to be taken.
    until: Option<Pin<Box<Sleep>>>,
}

impl WritePatience {
    /// Passes on what became of a write, and ends one that waits for too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let until = &mut self.until;
        let until = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED_MAX)));
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// tonic hands the peer to each request of the connection.
impl Connected for ServedStream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for ServedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for ServedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.judged(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        self.judged(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_and_who_takes_a_little_now_and_then_is_not() {
        let almost = STALLED_MAX - Duration::from_secs(1);
        let mut patience = WritePatience::default();
        for _ in 0..3 {
            let waiting =
                poll_fn(|context| patience.judge(context, Poll::<io::Result<()>>::Pending));
            assert!(tokio::time::timeout(almost, waiting).await.is_err(), "it has time");
            poll_fn(|context| patience.judge(context, Poll::Ready(Ok(())))).await.unwrap();
        }
        let begun = tokio::time::Instant::now();
        let waiting = poll_fn(|context| patience.judge(context, Poll::<io::Result<()>>::Pending));
        assert_eq!(waiting.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= STALLED_MAX);
    }
}
