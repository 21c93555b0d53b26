//! The coordinator that a command talks to, and the tables that the command reads itself.

use std::collections::BTreeMap;

use deepclone_common::config::{Config, LimitSettings};
use deepclone_common::connections::{Connections, Side};
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::spec::{CloneSpec, TableRef};
use deepclone_worker::WorkerLimits;

use super::context::CommandContext;
use super::follow::Home;
use crate::args::convert;
use crate::client::CoordinatorClient;
use crate::embedded::state_file::{of_target, state_home};
use crate::embedded::{EmbeddedCluster, EmbeddedSettings};

/// A coordinator in this process or elsewhere.
#[derive(Debug)]
pub struct Session {
    /// The client of the coordinator.
    pub coordinator: CoordinatorClient,
    /// The process that runs the coordinator.
    pub home: Home,
    embedded: Option<EmbeddedCluster>,
}

impl Session {
    /// Returns a coordinator that can run `spec`. One in this process gets `workers` workers, which
    /// take no more than `flags` and the configuration file allow.
    ///
    /// # Errors
    /// A wrong configuration, or `COORDINATOR_UNAVAILABLE`.
    pub async fn with_workers(
        context: &CommandContext,
        spec: &CloneSpec,
        workers: u16,
        flags: LimitSettings,
    ) -> Result<Self, Failure> {
        if let Some(url) = context.coordinator_url() {
            let coordinator = context.connect(url).await?;
            return Ok(Self { coordinator, home: Home::Elsewhere, embedded: None });
        }
        let settings = settings(context, spec, workers, flags)?;
        let (embedded, coordinator) = EmbeddedCluster::start(settings).await?;
        Ok(Self { coordinator, home: Home::Here, embedded: Some(embedded) })
    }

    /// Returns a coordinator that can plan `spec`.
    ///
    /// # Errors
    /// As [`Self::with_workers`].
    pub async fn without_workers(
        context: &CommandContext,
        spec: &CloneSpec,
    ) -> Result<Self, Failure> {
        Self::with_workers(context, spec, 0, LimitSettings::default()).await
    }

    /// Stops the coordinator and the workers of this process, if there are any.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// Returns the settings of the embedded coordinator and workers for `spec`.
fn settings(
    context: &CommandContext,
    spec: &CloneSpec,
    workers: u16,
    flags: LimitSettings,
) -> Result<EmbeddedSettings, Failure> {
    let sides = [(&spec.source, Side::Source), (&spec.target, Side::Target)];
    let connections = connections(context, &sides)?;
    let resolved =
        |table, side| connections.resolve(table, side).map_err(|error| error.failure_of(side));
    // Before anything is started or written: a table without a connection is refused.
    let source = resolved(&spec.source, Side::Source)?;
    let target = resolved(&spec.target, Side::Target)?;
    // A plan stores no facts.
    let home = state_home(|name| std::env::var(name).ok()).filter(|_| workers > 0);
    let Config { limits, prices, lineage, .. } = Config::load(context.global.config.as_deref())?;
    let limits = WorkerLimits::new(LimitSettings {
        memory: limits.memory,
        concurrency: flags.concurrency.or(limits.concurrency),
        bandwidth: flags.bandwidth.or(limits.bandwidth),
        ..limits
    })?;
    Ok(EmbeddedSettings {
        database: home.and_then(|home| of_target(&target.uri, &home)),
        workers,
        limits,
        connections,
        used: vec![source.connection, target.connection],
        prices: prices.table()?,
        // A plan syncs nothing.
        lineage: lineage.target()?.filter(|_| workers > 0),
    })
}

/// Builds the connections of the configuration file, and one from the environment for each table
/// that none of them holds.
///
/// # Errors
/// A wrong setting in the file or the environment.
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
/// No connection holds the table on this side.
pub fn open(
    connections: &Connections,
    table: &TableRef,
    side: Side,
) -> Result<TableStore, Failure> {
    let resolved = connections.resolve(table, side).map_err(|error| error.failure_of(side))?;
    connections.open(&resolved).map_err(|error| error.failure_of(side))
}

/// Opens the replica that an argument names, to read it in this process.
///
/// # Errors
/// As [`connections`] and [`open`]; a text that names no table.
pub fn open_replica(
    context: &CommandContext,
    target: &str,
    connection: Option<&str>,
) -> Result<TableStore, Failure> {
    let target = convert::table(Side::Target, target, connection, &context.current_dir)?;
    let connections = connections(context, &[(&target, Side::Target)])?;
    open(&connections, &target, Side::Target)
}

/// Returns the environment variables of this process, but those that are not UTF-8.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
