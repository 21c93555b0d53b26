//! The coordinator that a command speaks to, and the tables that it reads itself.

use std::collections::BTreeMap;

use deepclone_common::config::Config;
use deepclone_common::connections::{Connections, Side};
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::spec::{CloneSpec, TableRef};

use super::context::CommandContext;
use super::follow::Home;
use crate::client::CoordinatorClient;
use crate::embedded::state_file::{of_target, state_home};
use crate::embedded::{EmbeddedCluster, EmbeddedSettings};

/// Bytes of objects that the embedded workers together hold in memory, unless configured.
const MEMORY_BYTES: u64 = 512 << 20;

/// A coordinator to speak to: in this process or elsewhere.
#[derive(Debug)]
pub struct Session {
    /// The channel to it.
    pub coordinator: CoordinatorClient,
    /// Who runs it.
    pub home: Home,
    embedded: Option<EmbeddedCluster>,
}

impl Session {
    /// A coordinator that can bring about `spec`; one of our own gets `workers` workers.
    ///
    /// # Errors
    /// What is wrong with the configuration, or that nobody answers.
    pub async fn with_workers(
        context: &CommandContext,
        spec: &CloneSpec,
        workers: u16,
    ) -> Result<Self, Failure> {
        if let Some(url) = context.coordinator_url() {
            let coordinator = CoordinatorClient::connect(url).await?;
            return Ok(Self { coordinator, home: Home::Elsewhere, embedded: None });
        }
        let settings = settings(context, spec, workers)?;
        let (embedded, coordinator) = EmbeddedCluster::start(settings).await?;
        Ok(Self { coordinator, home: Home::Here, embedded: Some(embedded) })
    }

    /// A coordinator that can plan `spec`.
    ///
    /// # Errors
    /// As [`Self::with_workers`].
    pub async fn without_workers(
        context: &CommandContext,
        spec: &CloneSpec,
    ) -> Result<Self, Failure> {
        Self::with_workers(context, spec, 0).await
    }

    /// Ends what runs in this process.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// What the embedded coordinator and workers are given for `spec`.
fn settings(
    context: &CommandContext,
    spec: &CloneSpec,
    workers: u16,
) -> Result<EmbeddedSettings, Failure> {
    let sides = [(&spec.source, Side::Source), (&spec.target, Side::Target)];
    let connections = connections(context, &sides)?;
    let resolved =
        |table, side| connections.resolve(table, side).map_err(|error| error.failure_of(side));
    // Both before anything is started or written: a table that no connection holds is refused.
    resolved(&spec.source, Side::Source)?;
    let target = resolved(&spec.target, Side::Target)?;
    // Planning keeps no facts.
    let home = state_home(|name| std::env::var(name).ok()).filter(|_| workers > 0);
    let limits = Config::load(context.global.config.as_deref())?.limits;
    Ok(EmbeddedSettings {
        database: home.and_then(|home| of_target(&target.uri, &home)),
        workers,
        memory_bytes: limits.memory.map_or(MEMORY_BYTES, |memory| memory.0),
        connections,
    })
}

/// The connections of the configuration file; for a table that none of them holds, one from the
/// environment.
///
/// # Errors
/// What is wrong with the file, a connection, or a variable.
pub fn connections(
    context: &CommandContext,
    tables: &[(&TableRef, Side)],
) -> Result<Connections, Failure> {
    let config = Config::load(context.global.config.as_deref())?;
    let connections = Connections::from_config(&config).map_err(|error| error.failure())?;
    connections.with_ad_hoc(tables, &environment())
}

/// Opens a table to read it in this process.
///
/// # Errors
/// A connection that does not fit.
pub fn open(
    connections: &Connections,
    table: &TableRef,
    side: Side,
) -> Result<TableStore, Failure> {
    let resolved = connections.resolve(table, side).map_err(|error| error.failure_of(side))?;
    connections.open(&resolved).map_err(|error| error.failure_of(side))
}

/// This process's variables; those that are no UTF-8 can be no setting.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
