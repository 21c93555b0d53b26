//! Keeps a second process from a database file, by a lock on a file beside it. The lock ends with
//! the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StateError;

/// Takes the lock of the database at `database`. It is held until the returned file is dropped.
///
/// # Errors
/// Another process holds it, or the file cannot be created.
pub(super) fn lock(database: &Path) -> Result<File, StateError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| StateError::File { path: database.display().to_string(), source };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StateError::Locked { path: database.display().to_string() })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
