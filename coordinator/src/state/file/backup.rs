//! Copies a database while a coordinator may write to it.
//!
//! SQLite writes what one read transaction sees into a new file. That file lies beside the wanted
//! one until it is whole, checked and on the disk; then it gets its name, which must be free.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use deepclone_common::local_folder::lacks_hard_links;
use deepclone_common::random;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::super::StateError;
use super::finding::Findings;
use super::{open, schema};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already, which no backup replaces.
    #[error("{path} exists: a backup replaces nothing, name another file")]
    Exists { path: String },
    /// The copy, or its folder, cannot be written.
    #[error("the backup {path} cannot be written: {source}")]
    Write { path: String, source: std::io::Error },
    /// The copy is not what it must be.
    #[error("the database is damaged ({finding}): no backup is made, see `deepclone admin check`")]
    Damaged { finding: String },
    /// The database cannot be read, or the copy not be written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl BackupError {
    /// Returns the error as it leaves the process.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let reason = match self {
            Self::Exists { .. } => Reason::InvalidArgument,
            Self::Write { .. } => Reason::StorageUnavailable,
            Self::Damaged { .. } => Reason::Internal,
            Self::State(error) => return error.failure(),
        };
        Failure::new(reason, self.to_string())
    }
}

/// Copies the database to `to`, and returns the bytes of the copy. Its owner alone may read it.
///
/// # Errors
/// Something is at `to`, the database cannot be read or is damaged, or the copy cannot be written.
/// Nothing is left then.
pub async fn backup(database: &Path, to: &Path) -> Result<u64, BackupError> {
    let failed = |source| BackupError::Write { path: to.display().to_string(), source };
    let is_taken = || BackupError::Exists { path: to.display().to_string() };
    if to.symlink_metadata().is_ok() {
        return Err(is_taken());
    }
    open::exists(database)?;
    let partial = Partial::create(to).map_err(failed)?;
    write(database, &partial.path).await?;
    let file = File::open(&partial.path).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    partial.publish(to).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => is_taken(),
        _ => failed(error),
    })?;
    Ok(bytes)
}

/// Writes the copy, and checks it.
async fn write(database: &Path, partial: &Path) -> Result<(), BackupError> {
    let mut connection = open::read_only(database).await?;
    let wrong = schema::wrong_steps(&mut connection).await?;
    // A file of another version is copied as it is; one that is no database of ours is a mistake.
    if let [only] = &wrong[..]
        && !only.starts_with("step")
    {
        let message = format!("{}: {only}", database.display());
        return Err(BackupError::Damaged { finding: message });
    }
    let name = partial.to_str().ok_or_else(|| {
        let source = std::io::Error::other("SQLite wants a name in UTF-8");
        BackupError::Write { path: partial.display().to_string(), source }
    })?;
    sqlx::query("VACUUM INTO ?")
        .bind(name)
        .execute(&mut connection)
        .await
        .map_err(StateError::from)?;
    let mut copy = open::read_only(partial).await?;
    let mut findings = Findings::default();
    schema::check_pages(&mut copy, &mut findings).await?;
    if schema::wrong_steps(&mut copy).await? != wrong {
        findings.add("file", vec!["the copy has another schema than the database".to_owned()]);
    }
    match findings.all().into_iter().next() {
        Some(finding) => Err(BackupError::Damaged { finding: finding.message }),
        None => Ok(()),
    }
}

/// The copy before it has its name; removed when the value is dropped.
struct Partial {
    path: PathBuf,
    folder: PathBuf,
}

impl Partial {
    /// Makes the empty file that SQLite fills.
    fn create(to: &Path) -> std::io::Result<Self> {
        let folder = match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", random::uuid().simple()));
        let path = folder.join(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, folder })
    }

    /// Gives it its name, which must be free, and makes that durable.
    fn publish(self, to: &Path) -> std::io::Result<()> {
        match std::fs::hard_link(&self.path, to) {
            Ok(()) => std::fs::remove_file(&self.path)?,
            // Then the name was looked at a moment ago, and nothing better can be done.
            Err(error) if lacks_hard_links(&error) => std::fs::rename(&self.path, to)?,
            Err(error) => return Err(error),
        }
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_taken_meanwhile_keeps_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy.db");
        let partial = Partial::create(&to).unwrap();
        let other = Partial::create(&to).unwrap();
        std::fs::write(&partial.path, "first").unwrap();
        other.publish(&to).unwrap();
        let refused = partial.publish(&to).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&to).unwrap(), b"");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "no partial copy is left");
    }
}
