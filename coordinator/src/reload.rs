//! The connections, the sinks of lineage and the webhooks are read again while the coordinator
//! runs: at each SIGHUP.
//!
//! A file that cannot be read or makes no sense changes nothing, and what needs a restart is said.
//! Tables that are open stay so; what is opened next is opened by the settings of now.

use std::path::PathBuf;

use deepclone_common::config::Config;
use deepclone_common::connections::{Connections, Replaced};
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::webhook_settings::webhooks;
use deepclone_core::failure::Failure;
use tokio::signal::unix::Signal;

use crate::alerts::Alerts;
use crate::lineage::Lineage;

/// From where the settings of a coordinator's process come.
#[derive(Clone, Debug, Default)]
pub struct SettingSources {
    /// The configuration file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// What the file said at the start.
    pub started: Config,
}

/// What follows the configuration while the process runs.
pub(crate) struct CoordinatorReload {
    pub(crate) sources: SettingSources,
    pub(crate) connections: Connections,
    pub(crate) lineage: Lineage,
    /// Counts events of lineage.
    pub(crate) events: Counters,
    pub(crate) alerts: Alerts,
}

/// What became of the settings.
#[derive(Debug, PartialEq, Eq)]
struct SettingsOfNow {
    connections: Replaced,
    webhooks: Replaced,
    lineage_changed: bool,
    /// Sections that differ from those of the start and need another one.
    restart: Vec<&'static str>,
}

impl CoordinatorReload {
    /// Reads the settings again at each signal, until it is dropped.
    pub(crate) async fn at_each(mut self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            match self.again().await {
                Ok(SettingsOfNow { connections, webhooks, lineage_changed, restart }) => {
                    for section in restart {
                        tracing::warn!(
                            "[{section}] changed: it needs a restart of the coordinator"
                        );
                    }
                    let lineage = if lineage_changed { "changed" } else { "not changed" };
                    let (connections, webhooks) = (connections.to_string(), webhooks.to_string());
                    let what = "SIGHUP: the connections, lineage and webhooks were read again";
                    tracing::info!(connections, lineage, webhooks, "{what}");
                }
                Err(failure) => {
                    tracing::error!("SIGHUP: the settings stay as they were: {}", failure.message);
                }
            }
        }
    }

    /// Reads the file again, and changes all that follows it, or nothing.
    async fn again(&mut self) -> Result<SettingsOfNow, Failure> {
        let now = Config::load(self.sources.file.as_deref())?;
        // Before a file of lineage is made.
        Connections::from_config(&now).map_err(|error| error.failure())?;
        let receivers = self.alerts.prepare(webhooks(&now.webhooks)?)?;
        let sinks = self.lineage.prepare(now.lineage.target()?, &self.events)?;
        let connections = self.connections.replace(&now).map_err(|error| error.failure())?;
        // From here on nothing fails.
        let lineage_changed = self.lineage.replace(sinks);
        let webhooks = self.alerts.replace(receivers).await;
        let restart = self.sources.started.sections_changed(&now);
        Ok(SettingsOfNow { connections, webhooks, lineage_changed, restart })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deepclone_core::ids::Epoch;
    use deepclone_core::limits::Limits;
    use tokio::sync::mpsc;

    use super::*;
    use crate::alerts::PlannedAlerts;
    use crate::effects::Context;
    use crate::replications::message::Replications;
    use crate::state::{Place, SqliteStore, Store as _};

    async fn reload(file: PathBuf) -> CoordinatorReload {
        let started = Config::load(Some(&file)).unwrap();
        let connections = Connections::from_config(&started).unwrap();
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        let epoch: Epoch = store.lead(Epoch(1)).await.unwrap();
        let shared = Arc::new(connections.clone());
        let context = Context::new(shared, Arc::new(store), &Limits::default());
        let counters = Counters::new(&["webhook", "outcome"]);
        let (alerts, _ends) = PlannedAlerts::new(Vec::new(), &counters);
        let engine = Replications::new(mpsc::channel(1).0);
        let alerts = alerts.start(&context, epoch, &engine).await.unwrap();
        let sources = SettingSources { file: Some(file), started };
        let (lineage, events) = (Lineage::default(), Counters::new(&["sink", "outcome"]));
        CoordinatorReload { sources, connections, lineage, events, alerts }
    }

    #[tokio::test]
    async fn what_follows_the_file_does_so_and_other_sections_need_a_restart() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lake =
            |url: &str| format!("[connections.lake]\nurl = \"{url}\"\nroles = [\"source\"]\n");
        std::fs::write(file.path(), lake("file:///one")).unwrap();
        let mut reload = reload(file.path().to_owned()).await;
        let shared = reload.connections.clone();
        for (text, expected, restart) in [
            (lake("file:///one"), Some("none changed"), vec![]),
            (lake("file:///two"), Some("changed: lake"), vec![]),
            (lake("gopher://two"), None, vec![]),
            (
                format!("{}[database]\nurl = \"sqlite:b\"\n[limits]\n", lake("file:///two")),
                Some("none changed"),
                vec!["database"],
            ),
        ] {
            std::fs::write(file.path(), &text).unwrap();
            let found = reload.again().await.ok();
            let found = found.map(|now| (now.connections.to_string(), now.restart));
            assert_eq!(found, expected.map(|found| (found.to_owned(), restart)), "{text}");
        }
        let table = shared.below("lake", "t").unwrap();
        assert_eq!(table.uri, "file:///two/t");
    }

    #[tokio::test]
    async fn lineage_and_webhooks_follow_the_file_with_the_connections_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let lake =
            |url: &str| format!("[connections.lake]\nurl = \"{url}\"\nroles = [\"source\"]\n");
        let webhook = |name: &str, url: &str| {
            format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nformat = \"slack\"\n")
        };
        let lineage = |file: &str| format!("[lineage]\nfile = \"{}\"\n", path(file).display());
        std::fs::write(path("toml"), lake("file:///one")).unwrap();
        let mut reload = reload(path("toml")).await;
        let root = |reload: &CoordinatorReload| reload.connections.below("lake", "t").unwrap().uri;
        let whole = [lake("file:///two"), lineage("a"), webhook("chat", "http://127.0.0.1:9/")];
        std::fs::write(path("toml"), whole.concat()).unwrap();
        let now = reload.again().await.unwrap();
        assert_eq!((now.lineage_changed, now.webhooks.to_string()), (true, "added: chat".into()));
        assert!(reload.lineage.is_wanted() && now.restart.is_empty());
        // Each of the three is wrong once, and the others would change.
        for wrong in [
            [lake("gopher://x"), lineage("b"), webhook("ops", "http://127.0.0.1:9/")],
            [lake("file:///three"), lineage("no/folder"), webhook("ops", "http://127.0.0.1:9/")],
            [lake("file:///three"), lineage("b"), webhook("ops", "ftp://127.0.0.1/")],
        ] {
            std::fs::write(path("toml"), wrong.concat()).unwrap();
            reload.again().await.unwrap_err();
            assert_eq!(root(&reload), "file:///two/t");
        }
        std::fs::write(path("toml"), whole.concat()).unwrap();
        let same = reload.again().await.unwrap();
        assert_eq!((same.lineage_changed, same.webhooks), (false, Replaced::default()));
        let other = [lake("file:///two"), webhook("chat", "http://127.0.0.1:8/")];
        std::fs::write(path("toml"), other.concat()).unwrap();
        let now = reload.again().await.unwrap();
        assert_eq!((now.lineage_changed, now.webhooks.to_string()), (true, "changed: chat".into()));
        assert!(!reload.lineage.is_wanted());
        std::fs::write(path("toml"), lake("file:///two")).unwrap();
        assert_eq!(reload.again().await.unwrap().webhooks.to_string(), "removed: chat");
    }
}
