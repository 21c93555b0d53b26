//! The connections are read again while the coordinator runs: at each SIGHUP.
//!
//! A file that cannot be read or makes no sense changes nothing, and what needs a restart is said.
//! Tables that are open stay so; what is opened next is opened by the settings of now.

use std::path::PathBuf;

use deepclone_common::config::Config;
use deepclone_common::connections::{Connections, Replaced};
use deepclone_common::hangup::hangups;
use deepclone_core::failure::Failure;
use tokio::signal::unix::Signal;
use tokio_util::task::AbortOnDropHandle;

/// From where the settings of a coordinator's process come.
#[derive(Clone, Debug, Default)]
pub struct SettingSources {
    /// The configuration file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// What the file said at the start.
    pub started: Config,
}

/// Reads the connections again at each signal from now on, until the task is dropped.
pub(crate) fn start(
    sources: SettingSources,
    connections: Connections,
) -> Result<AbortOnDropHandle<()>, Failure> {
    let at_each = at_each(hangups()?, sources, connections);
    Ok(AbortOnDropHandle::new(tokio::spawn(at_each)))
}

async fn at_each(mut hangups: Signal, sources: SettingSources, connections: Connections) {
    while hangups.recv().await.is_some() {
        match again(&sources, &connections) {
            Ok((replaced, restart)) => {
                for section in restart {
                    tracing::warn!("[{section}] changed: it needs a restart of the coordinator");
                }
                let connections = replaced.to_string();
                tracing::info!(connections, "SIGHUP: the connections were read again");
            }
            Err(failure) => {
                tracing::error!("SIGHUP: the settings stay as they were: {}", failure.message);
            }
        }
    }
}

/// Reads the file again. Returns what became of the connections, and which other sections differ
/// from those of the start.
fn again(
    sources: &SettingSources,
    connections: &Connections,
) -> Result<(Replaced, Vec<&'static str>), Failure> {
    let now = Config::load(sources.file.as_deref())?;
    let replaced = connections.replace(&now).map_err(|error| error.failure())?;
    Ok((replaced, sources.started.sections_changed(&now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_file_and_other_sections_need_a_restart() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lake =
            |url: &str| format!("[connections.lake]\nurl = \"{url}\"\nroles = [\"source\"]\n");
        std::fs::write(file.path(), lake("file:///one")).unwrap();
        let started = Config::load(Some(file.path())).unwrap();
        let connections = Connections::from_config(&started).unwrap();
        let sources = SettingSources { file: Some(file.path().to_owned()), started };
        let shared = connections.clone();
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
            let found = again(&sources, &connections);
            let found = found.map(|(replaced, restart)| (replaced.to_string(), restart)).ok();
            assert_eq!(found, expected.map(|found| (found.to_owned(), restart)), "{text}");
        }
        let table = shared.below("lake", "t").unwrap();
        assert_eq!(table.uri, "file:///two/t");
    }
}
