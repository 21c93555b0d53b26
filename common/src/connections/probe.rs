//! Tries targets before they are written to: a store once for each connection and process, a folder
//! each time, because it may lie on another file system.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::registry::Connections;
use super::resolved::Opened;
use crate::local_folder::LocalFolder;
use crate::panics::task_failure;
use crate::store::large::Writes;
use crate::store::probe::{Checksums, NamesMet, ProbeError};
use crate::store::probe::{probe_completions, probe_folder, probe_names, probe_store};

impl Connections {
    /// Tries the target at `root` of a connection: its folder, or its store unless it was tried
    /// before. Returns a notice for the operator, if there is one.
    ///
    /// # Errors
    /// `TARGET_UNSUITABLE` with what the target lacks, or the reason why it cannot be written.
    pub async fn probe_target(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
        root: &str,
    ) -> Result<Option<String>, Failure> {
        let opened = self.open_by(name, fingerprint, root).map_err(|error| error.failure())?;
        if let Some(folder) = opened.folder().cloned() {
            let probed = probe_folder(folder, |from, to| std::fs::hard_link(from, to)).await;
            return probed.map(|()| None).map_err(|error| failure(&opened, &error));
        }
        self.probe_store(name, fingerprint, root).await
    }

    /// Tries the store of the target at `root` of a connection, unless it was tried before. Does
    /// nothing for a local folder. Every process that writes to a store tries it once.
    ///
    /// # Errors
    /// As [`Self::probe_target`].
    pub async fn probe_store(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
        root: &str,
    ) -> Result<Option<String>, Failure> {
        let opened = self.open_by(name, fingerprint, root).map_err(|error| error.failure())?;
        let set = self.now();
        let connection = set.by_name.get(name).filter(|_| opened.folder().is_none());
        let Some(connection) = connection else { return Ok(None) };
        let found = &connection.found;
        let tried = found.fit.get_or_try_init(|| async {
            let (store, plain) = (Arc::clone(&connection.store), connection.plain.clone());
            let (root, removals) = (opened.table.root.clone(), found.removals.clone());
            // It goes on without who asked, so that what it writes is removed.
            let trial = found
                .removals
                .spawn(async move { probe_store(&store, plain.as_ref(), &root, &removals).await });
            let tried = trial.await.map_err(|error| task_failure("trying the target", error))?;
            match tried {
                Ok(Checksums::Taken) => Ok(()),
                Ok(Checksums::Refused) => {
                    found.without_checksums.store(true, Ordering::Relaxed);
                    Ok(())
                }
                Err(error) => Err(failure(&opened, &error)),
            }
        });
        tried.await?;
        Ok(found.without_checksums.load(Ordering::Relaxed).then(|| {
            format!(
                "the store of connection {name:?} refuses checksum headers (x-amz-checksum-*): \
                 objects are written without them"
            )
        }))
    }

    /// Waits until trials of the store of this connection have ended, and what they wrote is
    /// removed.
    pub async fn probe_removed(&self, name: &str) {
        let set = self.now();
        let Some(connection) = set.by_name.get(name) else { return };
        let removals = &connection.found.removals;
        removals.close();
        removals.wait().await;
    }

    /// Tries what a commit of `bytes` bytes needs of the target beyond that, unless it was tried
    /// before: a longer one than one put may have is completed by one request alone.
    ///
    /// # Errors
    /// As [`Self::probe_target`].
    pub async fn probe_commit(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
        root: &str,
        bytes: u64,
    ) -> Result<(), Failure> {
        let opened = self.open_by(name, fingerprint, root).map_err(|error| error.failure())?;
        let Opened { table, writes: Writes::Store(streaming) } = &opened else { return Ok(()) };
        let set = self.now();
        let connection = set.by_name.get(name);
        let is_by_parts = table.large.as_ref().is_some_and(|large| large.is_by_parts(bytes));
        let Some(connection) = connection.filter(|_| is_by_parts) else { return Ok(()) };
        let tried = connection.found.completes_once.get_or_try_init(|| async {
            let tried = probe_completions(streaming, &table.store, &table.root).await;
            tried.map_err(|error| failure(&opened, &error))
        });
        tried.await.copied()
    }

    /// Returns which different names mean one file at the target. A store keeps all names apart.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub async fn probe_names(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
        root: &str,
    ) -> Result<NamesMet, Failure> {
        let opened = self.open_by(name, fingerprint, root).map_err(|error| error.failure())?;
        match opened.folder().cloned() {
            Some(folder) => probe_names(folder).await.map_err(|error| failure(&opened, &error)),
            None => Ok(NamesMet::default()),
        }
    }
}

fn failure(opened: &Opened, error: &ProbeError) -> Failure {
    let uri = &opened.table.uri;
    let folder = opened.folder().map(LocalFolder::path);
    let (reason, what) = match error {
        ProbeError::Unsuitable(_) => (Reason::TargetUnsuitable, "cannot hold a replica"),
        ProbeError::Store(error) if error.kind.is_denied() => {
            (Reason::PermissionDenied, "cannot be written")
        }
        ProbeError::Store(_) => (Reason::StorageUnavailable, "cannot be written"),
    };
    let failure = Failure::new(reason, format!("the target {uri} {what}: {error}"));
    match folder {
        Some(folder) => failure.with("folder", folder.display().to_string()),
        None => failure,
    }
}
