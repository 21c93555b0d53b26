//! The coordinator that a command speaks to, and the tables that it reads itself.

use std::collections::BTreeMap;

use deepclone_common::config::Config;
use deepclone_common::connections::{Connections, Side};
use deepclone_core::failure::Failure;
use deepclone_core::spec::{CloneSpec, TableRef};

use super::Context;
use super::follow::Home;
use crate::client::Coordinator;
use crate::embedded::Embedded;

/// A coordinator to speak to: in this process or elsewhere.
#[derive(Debug)]
pub struct Session {
    /// The channel to it.
    pub coordinator: Coordinator,
    /// Who runs it.
    pub home: Home,
    embedded: Option<Embedded>,
}

impl Session {
    /// A coordinator that can bring about `spec`; one of our own gets `workers` workers.
    ///
    /// # Errors
    /// What is wrong with the configuration, or that nobody answers.
    pub async fn with_workers(
        context: &Context,
        spec: &CloneSpec,
        workers: u16,
    ) -> Result<Self, Failure> {
        if let Some(url) = context.coordinator_url() {
            let coordinator = Coordinator::connect(url).await?;
            return Ok(Self { coordinator, home: Home::Elsewhere, embedded: None });
        }
        let sides = [(&spec.source, Side::Source), (&spec.target, Side::Target)];
        let connections = connections(context, &sides)?;
        let (embedded, coordinator) = Embedded::start(connections, spec, workers).await?;
        Ok(Self { coordinator, home: Home::Here, embedded: Some(embedded) })
    }

    /// A coordinator that can plan `spec`.
    ///
    /// # Errors
    /// As [`Self::with_workers`].
    pub async fn without_workers(context: &Context, spec: &CloneSpec) -> Result<Self, Failure> {
        Self::with_workers(context, spec, 0).await
    }

    /// Ends what runs in this process.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// The connections of the configuration file; for a table that none of them holds, one from the
/// environment.
///
/// # Errors
/// What is wrong with the file, a connection, or a variable.
pub fn connections(
    context: &Context,
    tables: &[(&TableRef, Side)],
) -> Result<Connections, Failure> {
    let config = Config::load(context.global.config.as_deref())?;
    let connections = Connections::from_config(&config).map_err(|error| error.failure())?;
    connections.with_ad_hoc(tables, &environment()).map_err(|error| error.failure())
}

/// This process's variables; those that are no UTF-8 can be no setting.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
