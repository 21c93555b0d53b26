//! Where the embedded coordinator keeps its facts: one file for each target, locked.
//!
//! `${XDG_STATE_HOME:-~/.local/state}/deepclone/<hash of the target>.db`. A second process on the
//! same target, and one without a usable home, gets a private file that goes with the process:
//! what it forgets costs a look at the target, never correctness.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A state file that no other process uses, for as long as this lives.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    _held: Held,
}

/// What keeps others out.
#[derive(Debug)]
enum Held {
    /// The lock of the target's own file; the system drops it with the process.
    Locked(#[expect(dead_code, reason = "held for its lock")] File),
    /// A folder that nobody else knows, removed at the end.
    Private(#[expect(dead_code, reason = "held for its removal")] TempDir),
}

impl StateFile {
    /// The file of the target with this URI below `state_home`, else a private one.
    ///
    /// # Errors
    /// `INTERNAL` when not even a private one can be made.
    pub fn of_target(target_uri: &str, state_home: Option<&Path>) -> Result<Self, Failure> {
        let shared =
            state_home.and_then(|home| match locked(&home.join("deepclone"), target_uri) {
                Ok(file) => file,
                Err(error) => {
                    tracing::debug!(%error, "the state folder cannot be used: a private file is");
                    None
                }
            });
        match shared {
            Some(file) => Ok(file),
            None => Self::private(),
        }
    }

    /// A file that nobody else knows and that goes with this value.
    ///
    /// # Errors
    /// `INTERNAL` when it cannot be made.
    pub fn private() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("deepclone-").tempdir().map_err(|error| {
            let folder = std::env::temp_dir();
            let message = format!("no state file can be made in {}: {error}", folder.display());
            Failure::new(Reason::Internal, message)
        })?;
        Ok(Self { path: folder.path().join("state.db"), _held: Held::Private(folder) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `$XDG_STATE_HOME` or `~/.local/state`, by the environment's `variable`s; relative ones are
/// ignored, as the XDG rules ask.
#[must_use]
pub fn state_home(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

/// The target's own file, locked; none when another process holds it.
fn locked(folder: &Path, target_uri: &str) -> io::Result<Option<StateFile>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let name = file_name(target_uri);
    // Beside the database, not on it: SQLite's own locks are on the file itself.
    let lock_path = folder.join(format!("{name}.lock"));
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock_path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let path = folder.join(format!("{name}.db"));
    Ok(Some(StateFile { path, _held: Held::Locked(lock) }))
}

fn file_name(target_uri: &str) -> String {
    let digest = Sha256::digest(target_uri.as_bytes());
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_one_target_gets_a_private_file_and_another_target_its_own() {
        let home = tempfile::tempdir().unwrap();
        let open = |uri: &str| StateFile::of_target(uri, Some(home.path())).unwrap();
        let first = open("file:///a");
        let second = open("file:///a");
        let other = open("file:///b");
        assert!(first.path().starts_with(home.path()), "{first:?}");
        assert!(!second.path().starts_with(home.path()), "{second:?}");
        assert!(other.path().starts_with(home.path()));
        assert_ne!(first.path(), other.path());
        let shared_path = first.path().to_owned();
        drop(first);
        assert_eq!(open("file:///a").path(), shared_path);
    }

    #[test]
    fn a_private_file_goes_with_its_process() {
        let file = StateFile::of_target("file:///a", None).unwrap();
        let folder = file.path().parent().unwrap().to_owned();
        assert!(folder.exists());
        drop(file);
        assert!(!folder.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_no_failure() {
        let file = StateFile::of_target("file:///a", Some(Path::new("/dev/null"))).unwrap();
        assert!(!file.path().starts_with("/dev/null"));
    }

    #[test]
    fn the_state_home_follows_the_xdg_rules() {
        let check = |xdg: &str, home: &str, wanted: Option<&str>| {
            let variable = |name: &str| {
                let value = if name == "HOME" { home } else { xdg };
                Some(value.to_owned()).filter(|value| !value.is_empty())
            };
            assert_eq!(state_home(variable), wanted.map(PathBuf::from));
        };
        check("/x", "/home/a", Some("/x"));
        check("", "/home/a", Some("/home/a/.local/state"));
        check("relative", "/home/a", Some("/home/a/.local/state"));
        check("", "", None);
    }
}
