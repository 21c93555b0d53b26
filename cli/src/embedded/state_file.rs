//! The file in which the embedded coordinator stores its facts: one for each target.
//!
//! `${XDG_STATE_HOME:-~/.local/state}/deepclone/<hash of the target>.db`. The coordinator locks it.
//! A second process on the same target, or one without a usable home, keeps its facts in memory:
//! lost facts cost requests to the target, never correctness.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Returns the file of the target with this URI below `state_home`, after creating its folder, or
/// `None` when the folder cannot be created.
#[must_use]
pub fn of_target(target_uri: &str, state_home: &Path) -> Option<PathBuf> {
    let folder = state_home.join("deepclone");
    match DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
        Ok(()) => Some(folder.join(format!("{}.db", name(target_uri)))),
        Err(error) => {
            tracing::info!(%error, "the state folder cannot be created: the state stays in memory");
            None
        }
    }
}

/// Returns the files of all targets below `state_home`, in the order of their names.
#[must_use]
pub fn files(state_home: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(state_home.join("deepclone")).into_iter().flatten();
    let paths = found.filter_map(|entry| Some(entry.ok()?.path()));
    let is_state = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "db");
    let mut files: Vec<PathBuf> = paths.filter(is_state).collect();
    files.sort();
    files
}

/// Returns `$XDG_STATE_HOME` or `~/.local/state`. `variable` reads the environment; relative paths
/// are ignored, as XDG requires.
#[must_use]
pub fn state_home(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

fn name(target_uri: &str) -> String {
    let digest = Sha256::digest(target_uri.as_bytes());
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_its_own_file_always_the_same() {
        let home = tempfile::tempdir().unwrap();
        let file = |uri: &str| of_target(uri, home.path()).unwrap();
        assert_eq!(file("file:///a"), file("file:///a"));
        assert_ne!(file("file:///a"), file("file:///b"));
        assert!(file("file:///a").starts_with(home.path().join("deepclone")));
        assert!(home.path().join("deepclone").is_dir());
        assert!(files(home.path()).is_empty());
        for uri in ["file:///a", "file:///b"] {
            std::fs::write(file(uri), "").unwrap();
        }
        std::fs::write(file("file:///a").with_extension("db-wal"), "").unwrap();
        assert_eq!(files(home.path()).len(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_failure() {
        assert_eq!(of_target("file:///a", Path::new("/dev/null")), None);
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
