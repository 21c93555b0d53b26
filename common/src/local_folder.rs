//! Folders on this machine's disk; links that lead out of a connection's root are not followed.
//!
//! A `file://` connection's root bounds what is read and written. A link at the root, or above
//! it, is the owner's choice. A link below it that leads outside is refused: whoever can write to a
//! table could otherwise make us read or overwrite any file of this machine.
//!
//! A path is resolved first, and the resolved path is used: only its last segment can be exchanged
//! in between.

use std::io;
use std::path::{Component, Path, PathBuf};

/// A folder below a connection's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFolder {
    root: PathBuf,
    path: PathBuf,
}

/// The error for a link that leads out of its root.
#[derive(Debug, thiserror::Error)]
#[error("a link leads out of the connection's root, and is not followed: {path}")]
pub struct LeadsOutside {
    /// The path that was asked for.
    pub path: String,
}

impl LocalFolder {
    /// Returns the folder `path`, which is `root` or lies below it.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, path: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), path: path.into() }
    }

    /// Returns a folder that is its own root.
    #[must_use]
    pub fn root(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { root: path.clone(), path }
    }

    /// Returns the folder as it was given, links included.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of `key` below the folder, with all links resolved but that of the last
    /// segment.
    ///
    /// # Errors
    /// [`LeadsOutside`] in an [`io::Error`] when a link, or the key, leads out of the root.
    pub fn resolve(&self, key: &str) -> io::Result<PathBuf> {
        resolve_below(&self.root, &self.path.join(key))
    }

    /// Returns the path of `key` below the folder, after creating the folders above it.
    ///
    /// # Errors
    /// As [`Self::resolve`], or a folder cannot be created.
    pub fn resolve_or_create(&self, key: &str) -> io::Result<PathBuf> {
        let resolved = self.resolve(key)?;
        if let Some(parent) = resolved.parent() {
            std::fs::create_dir_all(parent)?;
        }
        self.resolve(key)
    }
}

/// Resolves `path`, whose spelling lies below `root`: follows the links of all segments but the
/// last, as far as the path exists. None may lead out of `root`.
///
/// # Errors
/// [`LeadsOutside`] in an [`io::Error`], or the error of reading the path.
pub fn resolve_below(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let outside = || {
        let path = path.display().to_string();
        io::Error::new(io::ErrorKind::PermissionDenied, LeadsOutside { path })
    };
    let rest = path.strip_prefix(root).map_err(|_| outside())?;
    if rest.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(outside());
    }
    let Some(real_root) = existing(root)? else {
        // The root is absent, so nothing below it is a link.
        return Ok(path.to_owned());
    };
    let mut resolved = real_root.clone();
    let mut parts = rest.components().peekable();
    while let Some(part) = parts.next() {
        resolved.push(part);
        let is_link = match resolved.symlink_metadata() {
            Ok(metadata) => metadata.is_symlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                resolved.extend(parts);
                break;
            }
            Err(error) => return Err(error),
        };
        if !is_link {
            continue;
        }
        let target = match resolved.canonicalize() {
            Ok(target) => target,
            // The link's target is absent, so nobody can tell where it leads.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(outside()),
            Err(error) => return Err(error),
        };
        if !target.starts_with(&real_root) {
            return Err(outside());
        }
        if parts.peek().is_some() {
            resolved = target;
        }
    }
    Ok(resolved)
}

/// Returns true when the error means that the file system has no hard links (blobfuse, SMB, exFAT).
/// Without them no file can appear whole and without overwriting another.
#[must_use]
pub fn lacks_hard_links(error: &io::Error) -> bool {
    /// `EPERM`, which shares its kind with a missing right (`EACCES`).
    const NOT_PERMITTED: i32 = 1;
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(NOT_PERMITTED)
}

/// Returns the folder with its links resolved, or `None` when it is absent.
fn existing(folder: &Path) -> io::Result<Option<PathBuf>> {
    match folder.canonicalize() {
        Ok(real) => Ok(Some(real)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_only_as_long_as_they_stay_below_the_root() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        for folder in ["outside", "real/t/inner", "real/other"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["outside/secret", "real/t/file"] {
            std::fs::write(at(file), "x").unwrap();
        }
        // The root itself may be a link.
        symlink(at("real"), at("root")).unwrap();
        symlink(at("outside"), at("real/t/out")).unwrap();
        symlink(at("outside/secret"), at("real/t/file-out")).unwrap();
        symlink("../../outside", at("real/t/out-relative")).unwrap();
        symlink(at("real/other"), at("real/t/in")).unwrap();
        symlink("inner", at("real/t/in-relative")).unwrap();
        symlink(at("outside/absent"), at("real/t/dangling")).unwrap();
        symlink("loop", at("real/t/loop")).unwrap();
        let folder = LocalFolder::new(at("root"), at("root/t"));
        for (key, wanted) in [
            ("file", Some("real/t/file")),
            ("absent/a/b", Some("real/t/absent/a/b")),
            ("in/a/b", Some("real/other/a/b")),
            ("in-relative/a", Some("real/t/inner/a")),
            ("out/secret", None),
            ("out/absent", None),
            ("out", None),
            ("out-relative/secret", None),
            ("file-out", None),
            ("dangling", None),
            ("dangling/a", None),
            ("loop", None),
            ("../t/file", None),
            ("../../outside/secret", None),
        ] {
            let found = folder.resolve(key);
            let real = scratch.path().canonicalize().unwrap();
            assert_eq!(found.ok(), wanted.map(|name| real.join(name)), "{key}");
        }
        assert!(folder.resolve_or_create("out/made/file").is_err());
        assert!(!at("outside/made").exists());
        assert!(folder.resolve_or_create("in/made/file").is_ok());
        assert!(at("real/other/made").is_dir());
        assert!(LocalFolder::root(at("nowhere")).resolve("a/b").is_ok());
        assert!(LocalFolder::new(at("root/t"), at("root")).resolve("other").is_err());
    }
}
