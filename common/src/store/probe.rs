//! Tries the target before the first object is copied, with small objects below its `_deepclone/`.
//!
//! A store must refuse one of two conditional writes of one key; some ignore the condition, and
//! some answer 501. A store that refuses checksum headers is written to without them. A folder must
//! have hard links. Where a plan has names that differ only in case or in the form of their
//! Unicode, the folder must keep them apart.

mod completions;

use std::io::{ErrorKind, Write};
use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use tokio_util::task::TaskTracker;

pub use self::completions::probe_completions;
use super::error::{StoreError, StoreErrorKind};
use super::operation::StoreOperation;
use super::retry::{Patience, RetriedRequest, retrying};
use crate::local_folder::{LocalFolder, lacks_hard_links};
use crate::random;

/// The folder of ours beside a replica.
const OUR_FOLDER: &str = "_deepclone";

/// Why a target cannot hold a replica.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The target lacks a property that publishing or copying needs.
    #[error("{0}")]
    Unsuitable(String),
    /// The target does not answer, or refuses the credentials.
    #[error("{0}")]
    Store(StoreError),
}

/// Whether writes may carry their checksum in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// The store accepts them.
    Taken,
    /// The store refuses them.
    Refused,
}

/// Tries the put-if-absent of a store: of two writes of one key at once, one must be refused. What
/// was written is removed later, by a task of `removals`. `plain` is the same store without
/// checksums in headers.
///
/// # Errors
/// The store ignores or refuses the condition, or cannot be written.
pub async fn probe_store(
    store: &Arc<dyn ObjectStore>,
    plain: Option<&Arc<dyn ObjectStore>>,
    root: &Path,
    removals: &TaskTracker,
) -> Result<Checksums, ProbeError> {
    let key = root.clone().join(OUR_FOLDER).join(format!("probe-{}", random::uuid()));
    let other = plain.unwrap_or(store);
    let (one, two) = futures::future::join(create(store, &key), create(other, &key)).await;
    let (writer, checksums) = match (&one, plain) {
        (Err(error), Some(plain)) if is_refusal(error) => (plain, Checksums::Refused),
        _ => (store, Checksums::Taken),
    };
    let held = match (one, two) {
        (Ok(one), Ok(two)) => Ok(one == Created::Exists || two == Created::Exists),
        // The other write met a busy store, or was refused for a header of its own.
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
            create(writer, &key).await.map(|again| again == Created::Exists)
        }
        (Err(error), Err(_)) => return Err(refused(error)),
    };
    // Under a retention policy it cannot be removed: it is small, and lies in our own folder.
    let writer = Arc::clone(writer);
    removals.spawn(async move { writer.delete(&key).await });
    match held {
        Ok(true) => Ok(checksums),
        Ok(false) => Err(ProbeError::Unsuitable(
            "its store ignores put-if-absent (if-none-match), and two writers would overwrite \
             each other: use a store that honours it"
                .to_owned(),
        )),
        Err(error) => Err(refused(error)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Created {
    Written,
    Exists,
}

/// Writes a small object if its key is free.
async fn create(store: &Arc<dyn ObjectStore>, key: &Path) -> Result<Created, StoreError> {
    let put = || store.put_opts(key, "probe".into(), PutMode::Create.into());
    let asked = RetriedRequest::new(StoreOperation::Put, store.to_string());
    match retrying(Patience::LOG, asked, put).await {
        Ok(_) => Ok(Created::Written),
        Err(error) => match error.kind {
            StoreErrorKind::AlreadyExists | StoreErrorKind::Precondition => Ok(Created::Exists),
            _ => Err(error),
        },
    }
}

/// Returns true when the store understood the request and refuses what it asks for.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::Unsupported | StoreErrorKind::Other)
}

fn refused(error: StoreError) -> ProbeError {
    match error.kind {
        StoreErrorKind::Unsupported => ProbeError::Unsuitable(format!(
            "its store refuses put-if-absent (if-none-match): {error}: use a store that honours it"
        )),
        _ => ProbeError::Store(error),
    }
}

/// Creates a hard link. A parameter, because file systems without them are rare where tests run.
pub type Link = fn(&FilePath, &FilePath) -> std::io::Result<()>;

/// Tries whether a folder has hard links.
///
/// # Errors
/// The folder has no hard links, or cannot be written.
pub async fn probe_folder(folder: LocalFolder, link: Link) -> Result<(), ProbeError> {
    blocking(move || {
        let is_new = !folder.path().exists();
        let tried = try_link(&folder, link);
        if tried.is_err() && is_new {
            // Created by us; folders that are not empty stay.
            let _removed = std::fs::remove_dir(folder.path().join(OUR_FOLDER));
            let _removed = std::fs::remove_dir(folder.path());
        }
        tried
    })
    .await
}

fn try_link(folder: &LocalFolder, link: Link) -> Result<(), ProbeError> {
    let scratch = Scratch::create(folder, "probe")?;
    let other = scratch.path.with_extension("link");
    let linked = link(&scratch.path, &other);
    let again = link(&scratch.path, &other);
    let _removed = std::fs::remove_file(&other);
    match (linked, again) {
        (Ok(()), Err(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        (Ok(()), _) => Err(ProbeError::Unsuitable(
            "its file system links a file over another: use a folder on another file system"
                .to_owned(),
        )),
        (Err(error), _) if lacks_hard_links(&error) => Err(ProbeError::Unsuitable(format!(
            "its file system has no hard links ({error}), without which no file appears whole: \
             use a folder on another file system, or the store's own uri"
        ))),
        (Err(error), _) => Err(failed(error)),
    }
}

/// Which different names mean one file in a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamesMet {
    /// Names that differ in the case of letters.
    pub by_case: bool,
    /// Names that differ in how Unicode composes their letters.
    pub by_form: bool,
}

/// Tries which different names mean one file in the folder's file system.
///
/// # Errors
/// The folder cannot be written.
pub async fn probe_names(folder: LocalFolder) -> Result<NamesMet, ProbeError> {
    blocking(move || {
        let is_met = |name: &str, other: &str| {
            let scratch = Scratch::create(&folder, name)?;
            let id = scratch.path.extension().unwrap_or_default().to_owned();
            let other = scratch.path.with_file_name(other).with_extension(id);
            Ok::<_, ProbeError>(other.exists())
        };
        Ok(NamesMet {
            by_case: is_met("probe", "PROBE")?,
            by_form: is_met("probe-\u{e9}", "probe-e\u{301}")?,
        })
    })
    .await
}

/// A small file that is removed when the value is dropped.
struct Scratch {
    path: std::path::PathBuf,
}

impl Scratch {
    fn create(folder: &LocalFolder, name: &str) -> Result<Self, ProbeError> {
        // Only digits, which have no case.
        let id = random::uuid().as_u128();
        let create = || {
            let path = folder.resolve_or_create(&format!("{OUR_FOLDER}/{name}.{id}"))?;
            std::fs::File::create_new(&path)?.write_all(b"probe")?;
            Ok(Self { path })
        };
        create().map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that stays lies in our own folder, which readers ignore.
        let _removed = std::fs::remove_file(&self.path);
    }
}

fn failed(error: std::io::Error) -> ProbeError {
    ProbeError::Store(error.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProbeError> + Send + 'static,
) -> Result<T, ProbeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(failed(error.into())))
}

#[cfg(test)]
mod tests;
