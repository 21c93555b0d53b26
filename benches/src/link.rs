//! How long bytes are on their way between a client and the server.
//!
//! They arrive after half a round trip, those of a new connection after one and a half. A
//! connection carries [`IN_FLIGHT_BYTES`] a round trip in each direction, which is what a single
//! connection reaches over a distance.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes that one direction of a connection carries within a round trip.
const IN_FLIGHT_BYTES: u32 = 1 << 20;
/// Bytes that travel together.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces on their way in one direction; more wait in the sender's socket.
const PIECES_MAX: usize = 64;
/// Lost time that a direction may make up for: timers are late by a millisecond.
const LATE_MAX: Duration = Duration::from_millis(5);

/// A connection as the server sees it.
pub(crate) trait LinkConnection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> LinkConnection for T {}

/// The server's end of a link of this length.
pub(crate) fn over(client: TcpStream, round_trip: Duration) -> Box<dyn LinkConnection> {
    if round_trip.is_zero() {
        return Box::new(client);
    }
    let (server, remote) = tokio::io::duplex(4 * PIECE_BYTES);
    tokio::spawn(carry(client, remote, round_trip));
    Box::new(server)
}

async fn carry(client: TcpStream, server: impl LinkConnection, round_trip: Duration) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    let up = Direction { round_trip, open: Instant::now() + round_trip };
    let down = Direction { round_trip, open: Instant::now() };
    let requests = async {
        // However it ends, the server sees the end; it answers what it has.
        let _ended = up.carry(from_client, to_server).await;
        std::future::pending().await
    };
    tokio::select! {
        // The connection ends with the answers.
        _ended = down.carry(from_server, to_client) => {}
        () = requests => {}
    }
}

/// One direction of a connection.
struct Direction {
    round_trip: Duration,
    /// Nothing sets out before.
    open: Instant,
}

impl Direction {
    /// Carries all bytes, then the end.
    async fn carry(
        &self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let carried = tokio::try_join!(self.send(from, sender), self.deliver(receiver, &mut to));
        to.shutdown().await?;
        carried.map(|((), ())| ())
    }

    async fn send(
        &self,
        mut from: impl AsyncRead + Unpin,
        sender: mpsc::Sender<(Instant, Bytes)>,
    ) -> io::Result<()> {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            // What came before a connection broke still arrives.
            if from.read_buf(&mut piece).await.unwrap_or_default() == 0 {
                return Ok(());
            }
            let arrives = Instant::now().max(self.open) + self.round_trip / 2;
            let sent = sender.send((arrives, piece.freeze())).await;
            sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
    }

    async fn deliver(
        &self,
        mut receiver: mpsc::Receiver<(Instant, Bytes)>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut free = Instant::now();
        while let Some((arrives, piece)) = receiver.recv().await {
            tokio::time::sleep_until(arrives.max(free)).await;
            to.write_all(&piece).await?;
            let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let takes = self.round_trip * length / IN_FLIGHT_BYTES;
            free = free.max(Instant::now() - LATE_MAX) + takes;
        }
        Ok(())
    }
}
