//! Accepted connections, each after its TLS handshake.
//!
//! A handshake runs beside the others and within a time: who connects and says nothing keeps nobody
//! else waiting.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;

use super::peer::Peer;
use super::stream::ServedStream;
use crate::tls::names_of;
use crate::tls::server::ServerTls;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Handshakes at once; a connection above it waits in the operating system's queue.
const HANDSHAKES_MAX: usize = 256;
/// Connections that wait to be taken.
const READY_MAX: usize = 16;
/// The pause after a failed accept, such as one for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepted connections. Dropping it closes the listener.
#[derive(Debug)]
pub struct Incoming {
    ready: mpsc::Receiver<ServedStream>,
    address: SocketAddr,
}

impl Incoming {
    pub(super) fn start(
        tcp: TcpListener,
        tls: Option<Arc<ServerTls>>,
        address: SocketAddr,
    ) -> Self {
        let (sender, ready) = mpsc::channel(READY_MAX);
        tokio::spawn(accept(tcp, tls, sender));
        Self { ready, address }
    }
}

/// So tonic takes them, for gRPC.
impl Stream for Incoming {
    type Item = io::Result<ServedStream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|next| next.map(Ok))
    }
}

/// So axum takes them, for HTTP.
impl axum::serve::Listener for Incoming {
    type Io = ServedStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (ServedStream, Peer) {
        match self.ready.recv().await {
            Some(stream) => {
                let peer = stream.peer().clone();
                (stream, peer)
            }
            // The runtime ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::at(self.address))
    }
}

/// axum hands the peer to each request of the connection.
impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Incoming>> for Peer {
    fn connect_info(stream: axum::serve::IncomingStream<'_, Incoming>) -> Self {
        stream.remote_addr().clone()
    }
}

async fn accept(tcp: TcpListener, tls: Option<Arc<ServerTls>>, ready: mpsc::Sender<ServedStream>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            () = ready.closed() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Without it small answers wait for each other.
        let _refused = stream.set_nodelay(true);
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let served = match tls {
                None => Some(ServedStream::plain(stream, Peer::at(address))),
                Some(tls) => handshake(&tls, stream, address).await,
            };
            drop(turn);
            if let Some(served) = served {
                let _closed = ready.send(served).await;
            }
        });
    }
}

async fn handshake(
    tls: &ServerTls,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<ServedStream> {
    let accepted = tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor().accept(stream)).await;
    match accepted {
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            let own = session.peer_certificates().and_then(|chain| chain.first());
            let names = own.map(names_of).unwrap_or_default();
            let peer = Peer { address: Some(address), names: names.into() };
            Some(ServedStream::tls(stream, peer))
        }
        Ok(Err(error)) => {
            tracing::info!(%address, "no TLS with a client: {error}");
            None
        }
        Err(_late) => {
            tracing::info!(%address, "no TLS with a client: it took too long");
            None
        }
    }
}
