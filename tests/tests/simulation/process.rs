//! A process of the simulation: a coordinator or a worker, which may die at any moment.
//!
//! Tasks of a dead process stay where they are: their next request to a store, or to the state,
//! never returns, and nobody hears them any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::faults::Role;

/// A process that may die.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: Role,
    dead: AtomicBool,
    /// Cancelled when it dies: its connections break, and whoever watches it starts another.
    pub(crate) death: CancellationToken,
}

impl Process {
    pub(crate) fn new(role: Role) -> Arc<Self> {
        let (dead, death) = (AtomicBool::new(false), CancellationToken::new());
        Arc::new(Self { role, dead, death })
    }

    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.death.cancel();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Returns at once, or never.
    pub(crate) async fn alive(&self) {
        if self.is_dead() {
            std::future::pending().await
        }
    }
}
