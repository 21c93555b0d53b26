//! The parts of a table's URI: scheme, bucket or container, account, decoded path.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::error::ConnectionError;
use crate::store::redact::redact;

/// The characters that the path of a canonical URI holds only encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// The kind of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Of `s3://` and `s3a://`.
    S3,
    /// Of `abfss://`, `abfs://` and `az://`.
    Azure,
    Gcs,
    File,
}

/// A place in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The kind of the store.
    pub scheme: Scheme,
    /// Bucket or container; empty for files.
    pub bucket: String,
    /// The account of Azure, where it is known.
    pub account: Option<String>,
    /// The host after `account.dfs.` or `account.blob.`, where the URI names it (Azure).
    pub azure_suffix: Option<String>,
    /// The decoded path without a slash at either end. For files it is absolute all the same.
    pub path: String,
}

impl Location {
    /// Parses a URI.
    ///
    /// # Errors
    /// [`ConnectionError::BadUri`]; a URI that may hold credentials is not shown.
    pub(super) fn parse(uri: &str) -> Result<Self, ConnectionError> {
        let bad = |why| ConnectionError::BadUri { uri: shown(uri), why };
        let Some((scheme, rest)) = uri.split_once("://") else {
            return Err(bad("write it with its scheme, such as s3:// or file:///"));
        };
        if rest.contains(['?', '#']) {
            return Err(bad("it has a query or a fragment"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = clean_path(path).map_err(bad)?;
        let scheme = match scheme {
            "s3" | "s3a" => Scheme::S3,
            "abfss" | "abfs" | "az" => Scheme::Azure,
            "gs" => Scheme::Gcs,
            "file" => Scheme::File,
            _ => return Err(bad("its scheme is not one of s3, abfss, az, gs, file")),
        };
        let location =
            Self { scheme, bucket: authority.to_owned(), account: None, azure_suffix: None, path };
        match scheme {
            Scheme::File if authority.is_empty() => Ok(location),
            Scheme::File => Err(bad("a file URI has three slashes: file:///path")),
            Scheme::Azure => location.with_azure_account().map_err(bad),
            Scheme::S3 | Scheme::Gcs if authority.is_empty() => Err(bad("it names no bucket")),
            Scheme::S3 | Scheme::Gcs if authority.contains(['@', ':']) => {
                Err(bad("its bucket's name holds '@' or ':'"))
            }
            Scheme::S3 | Scheme::Gcs => Ok(location),
        }
    }

    /// Splits `container@account.dfs.core.windows.net` into container, account and suffix.
    fn with_azure_account(mut self) -> Result<Self, &'static str> {
        if let Some((container, host)) = self.bucket.clone().split_once('@') {
            let (account, rest) = host.split_once('.').ok_or("its host names no account")?;
            let suffix = rest
                .strip_prefix("dfs.")
                .or_else(|| rest.strip_prefix("blob."))
                .ok_or("its host is not ACCOUNT.dfs.… or ACCOUNT.blob.…")?;
            self.account = Some(account.to_owned());
            self.azure_suffix = Some(suffix.to_owned());
            self.bucket = container.to_owned();
        }
        if self.bucket.is_empty() {
            return Err("it names no container");
        }
        if self.bucket.contains(':') || self.account.as_deref() == Some("") {
            return Err("it names no account, or holds ':'");
        }
        Ok(self)
    }

    /// Returns the path of `inner` below this location, or `None` when it is not below.
    #[must_use]
    pub(super) fn path_below(&self, inner: &Self) -> Option<String> {
        let same_account = match (&self.account, &inner.account) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        if self.scheme != inner.scheme || self.bucket != inner.bucket || !same_account {
            return None;
        }
        if self.path.is_empty() || self.path == inner.path {
            return Some(inner.path[self.path.len()..].to_owned());
        }
        Some(inner.path.strip_prefix(&self.path)?.strip_prefix('/')?.to_owned())
    }

    /// Returns the folder on this machine's disk. Has a meaning only for files.
    pub(super) fn local_path(&self) -> PathBuf {
        PathBuf::from(format!("/{}", self.path))
    }

    /// Returns the canonical URI.
    #[must_use]
    pub(super) fn uri(&self) -> String {
        let path = utf8_percent_encode(&self.path, ENCODED);
        let head = match (self.scheme, &self.account, &self.azure_suffix) {
            (Scheme::S3, ..) => format!("s3://{}", self.bucket),
            (Scheme::Gcs, ..) => format!("gs://{}", self.bucket),
            (Scheme::File, ..) => "file://".to_owned(),
            (Scheme::Azure, Some(account), Some(suffix)) => {
                format!("abfss://{}@{account}.dfs.{suffix}", self.bucket)
            }
            (Scheme::Azure, ..) => format!("az://{}", self.bucket),
        };
        if self.path.is_empty() && self.scheme != Scheme::File {
            return head;
        }
        format!("{head}/{path}")
    }
}

/// Resolves the links of a local path as far as it exists, in the form of [`Location::path`].
pub(super) fn real_path(path: &str) -> String {
    let path = PathBuf::from(format!("/{path}"));
    let real = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(above).ok()?))
    });
    let real = real.unwrap_or(path);
    real.to_string_lossy().trim_matches('/').to_owned()
}

/// Returns what may be shown of a text that should be a URI: no user, query or fragment.
fn shown(uri: &str) -> String {
    redact(uri.split(['?', '#']).next().unwrap_or_default())
}

/// Decodes a path. Refuses one that could leave a root or cannot be a key.
pub(super) fn clean_path(path: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| "its path is not UTF-8")?;
    let trimmed = decoded.trim_matches('/');
    check_path(trimmed)?;
    Ok(trimmed.to_owned())
}

/// Refuses a decoded path that could leave a root or cannot be a key.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Ok(());
    }
    for segment in path.split('/') {
        match segment {
            "" => return Err("its path has an empty segment"),
            "." | ".." => {
                return Err("its path has a '.' or '..' segment, and could leave its root");
            }
            _ if segment.chars().any(char::is_control) => {
                return Err("its path has a control character");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns a path of this machine, or a URI, as a canonical URI.
///
/// # Errors
/// [`ConnectionError::BadUri`] for an empty text, a path that is not UTF-8, or a bad URI.
pub fn absolute_uri(text: &str) -> Result<String, ConnectionError> {
    if text.contains("://") {
        return Ok(Location::parse(text)?.uri());
    }
    let bad = |why| ConnectionError::BadUri { uri: text.to_owned(), why };
    let path = std::path::absolute(text).map_err(|_| bad("it is an empty path"))?;
    let mut segments = Vec::new();
    for component in path.components() {
        match component {
            std::path::Component::Normal(part) => {
                segments.push(part.to_str().ok_or_else(|| bad("it is not UTF-8"))?);
            }
            std::path::Component::ParentDir => {
                segments.pop();
            }
            _ => {}
        }
    }
    let path = segments.join("/");
    check_path(&path).map_err(bad)?;
    let location = Location {
        scheme: Scheme::File,
        bucket: String::new(),
        account: None,
        azure_suffix: None,
        path,
    };
    Ok(location.uri())
}
