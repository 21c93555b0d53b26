//! Between workers, clients and a coordinator: connections that are slow, stand still and break.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deepclone_coordinator::embedded::Dial;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::world::World;

/// Bytes on their way in one direction.
const BUFFER_BYTES: usize = 64 << 10;

/// The way to whichever coordinator runs at a site.
#[derive(Clone)]
pub(crate) struct Network {
    world: Arc<World>,
    /// The coordinator that runs, and its death.
    running: Arc<Mutex<Option<(Dial, CancellationToken)>>>,
}

impl Network {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, running: Arc::default() }
    }

    /// A coordinator is reached from now on, or none.
    pub(crate) fn lead_to(&self, coordinator: Option<(Dial, CancellationToken)>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = coordinator;
    }

    /// A channel of the process that ends with `death`; it connects again by itself.
    pub(crate) fn channel(&self, death: CancellationToken) -> Channel {
        let network = self.clone();
        let connect = move |_| {
            let (network, death) = (network.clone(), death.clone());
            async move { network.connect(death).await.map(TokioIo::new) }
        };
        Endpoint::from_static("http://simulated")
            .connect_with_connector_lazy(tower::service_fn(connect))
    }

    async fn connect(&self, death: CancellationToken) -> Result<DuplexStream, Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refused = || Error::from(ErrorKind::ConnectionRefused);
        let (dial, its_death) = running.filter(|_| !death.is_cancelled()).ok_or_else(refused)?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let theirs = dial.connect().await?;
        let (ours, near) = tokio::io::duplex(BUFFER_BYTES);
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let (near_read, near_write) = tokio::io::split(near);
            let (far_read, far_write) = tokio::io::split(theirs);
            tokio::select! {
                biased;
                () = death.cancelled() => {}
                () = its_death.cancelled() => {}
                () = carry(&world, near_read, far_write) => {}
                () = carry(&world, far_read, near_write) => {}
            }
        });
        Ok(ours)
    }
}

/// Carries bytes in one direction until the connection breaks or ends.
async fn carry(world: &World, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let (delay, breaks) = {
            let mut parts = world.lock();
            let faults = parts.faults;
            let stands = parts.random.chance(faults.network_stall);
            let longest = if stands { 60_000 } else { 3 };
            (parts.random.within(0..longest), parts.random.chance(faults.network_break))
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if breaks || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
