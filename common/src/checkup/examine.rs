//! Which checks are made of a connection, and in which order.

use deepclone_core::failure::Failure;

use super::check::{Check, CheckVerdict};
use super::scratch::Scratch;
use super::{clock, folder, large, leftovers, reading, writing};
use crate::connections::{ConnectionError, Connections, Opened, Resolved, Writes};
use crate::store::error::StoreError;
use crate::store::server_clock::ahead_ms;
use crate::store::streaming::StreamingStore;
use crate::store::uploads::OpenUpload;

/// What a checkup may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckupAccess {
    /// Nothing is written: for sources.
    ReadOnly,
    /// Small objects are written, and removed again.
    Write,
}

/// What a checkup found.
#[derive(Debug, Default)]
pub struct Checkup {
    /// In the order in which they were made.
    pub checks: Vec<Check>,
    /// Remarks on the store.
    pub notices: Vec<String>,
    /// Uploads that were not ended; `None` where the store lists none.
    pub open_uploads: Option<Vec<OpenUpload>>,
}

impl Checkup {
    /// True when no check failed.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.verdict, CheckVerdict::Failed(_)))
    }
}

/// Checks the folder of a connection that [`Connections::resolve`] found.
///
/// # Errors
/// A connection that this process does not have. What the store refuses is a check.
pub async fn examine(
    connections: &Connections,
    found: &Resolved,
    access: CheckupAccess,
) -> Result<Checkup, Failure> {
    let opened = open(connections, found)?;
    let mut checkup = Checkup::default();
    match &opened.writes {
        Writes::Folder(folder) => {
            checkup.checks.push(folder::list(folder));
            if access == CheckupAccess::Write {
                checkup.checks.extend(folder::write(connections, found, folder).await);
            }
            checkup.open_uploads = Some(Vec::new());
        }
        Writes::Store(store) => {
            let listed = reading::list(&opened).await;
            checkup.checks.extend(listed.checks);
            checkup.checks.push(clock::check(ahead_ms()));
            match access {
                _ if listed.is_over => {}
                CheckupAccess::ReadOnly => {
                    checkup.checks.push(reading::read(&opened, listed.first.as_ref()).await);
                }
                CheckupAccess::Write => write(connections, found, store, &mut checkup).await?,
            }
            if !listed.is_over {
                match leftovers::open_uploads(&opened, store).await {
                    Ok(uploads) => checkup.open_uploads = uploads,
                    Err(check) => checkup.checks.push(check),
                }
                checkup.checks.push(leftovers::rule(&opened).await);
            }
        }
    }
    Ok(checkup)
}

/// The checks that write, and their end: nothing is left.
async fn write(
    connections: &Connections,
    found: &Resolved,
    store: &StreamingStore,
    checkup: &mut Checkup,
) -> Result<(), Failure> {
    let opened = open(connections, found)?;
    let mut scratch = Scratch::new(&opened);
    match writing::round_trip(&opened, store, &mut scratch).await {
        Ok(checks) => checkup.checks.extend(checks),
        Err(check) => {
            checkup.checks.push(check);
            // The answer to a write that was done may be lost.
            let _left = scratch.clear(&opened, store).await;
            return Ok(());
        }
    }
    let (absent, notice) = writing::if_absent(connections, found).await;
    checkup.checks.push(absent);
    checkup.notices.extend(notice);
    // The trial decided how the store is written to.
    let opened = open(connections, found)?;
    let Writes::Store(store) = &opened.writes else { return Ok(()) };
    checkup.checks.push(large::completion(store, &mut scratch).await);
    checkup.checks.push(large::completions_at_once(&opened, store).await);
    checkup.checks.push(proofs(store, &mut scratch).await);
    checkup.checks.push(large::abort(store, &mut scratch).await);
    checkup.checks.push(large::copy(connections, found, &opened, store, &mut scratch).await);
    checkup.checks.push(writing::delete(&opened, store, &mut scratch).await);
    Ok(())
}

/// What proves copies at this store.
async fn proofs(store: &StreamingStore, scratch: &mut Scratch) -> Check {
    const NAME: &str = "checksums";
    let found = async {
        let [held, flowing] = writing::proofs(store, scratch).await?;
        Ok::<_, StoreError>([held, flowing, large::proof(store, scratch).await?])
    };
    let found = match found.await {
        Ok(found) => found,
        Err(error) => return Check::refused(NAME, &error, ""),
    };
    let word = |is_proof| if is_proof { "stored_checksum" } else { "length" };
    let told: Vec<String> =
        found.iter().map(|(what, is_proof)| format!("{what}: {}", word(*is_proof))).collect();
    match found.iter().all(|(_, is_proof)| *is_proof) {
        true => Check::ok(NAME, told.join("; ")),
        false => Check::warn(
            NAME,
            told.join("; "),
            "--verify read-back, or verify --deep later, proves what is `length`",
        ),
    }
}

fn open(connections: &Connections, found: &Resolved) -> Result<Opened, Failure> {
    let Resolved { connection, fingerprint, root, .. } = found;
    connections
        .open_by(connection, fingerprint, root)
        .map_err(|error: ConnectionError| error.failure())
}
