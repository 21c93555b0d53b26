//! Paths of the log as keys of the store: decoded exactly once, checked, and relative to the table.
//!
//! The action keeps the log's own spelling; the decoded key names the object. Two spellings of one
//! object (`%3a` and `%3A`, relative and absolute) meet in one decoded key. A key goes to
//! object_store by `Path::parse`, never by `Path::from`, which would encode it again (one with
//! empty segments by [`deepclone_common::store::literal`]); its clients encode keys once on the
//! wire (S3, Azure, GCS) or take them as they are (local files), so `%25` in the log is the object
//! `%` in every store. Local stores cannot name a file that ends in `#` and digits.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#add-file-and-remove-file>

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::DeltaError;

/// The log's folder, relative to the table's.
pub const LOG_FOLDER: &str = "_delta_log";
/// The folder of hint and ledger beside a replica's log.
const OUR_FOLDER: &str = "_deepclone";
pub(crate) const SIDECAR_FOLDER: &str = "_delta_log/_sidecars";

/// The characters that a path of the log encodes: those that a URI's path cannot hold, and `%`.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path of the log after its one decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedPath {
    /// The object's key, relative to the table's root.
    pub key: String,
}

/// Decodes `path`, as the log of the table at `root_uri` spells it, to a key.
///
/// # Errors
/// When the path leaves the table, or names nothing that a store can hold.
pub fn decode(root_uri: &str, path: &str) -> Result<DecodedPath, DeltaError> {
    if is_own_key(path) {
        return Ok(DecodedPath { key: path.to_owned() });
    }
    taken_apart(root_uri, path)
}

/// Encodes the key as a path of a log. A colon in the first segment is encoded too, so that it is
/// not read as the end of a scheme.
#[must_use]
pub fn encode(key: &str) -> String {
    let encoded = utf8_percent_encode(key, ENCODED).to_string();
    match encoded.split_once('/') {
        Some((first, rest)) => format!("{}/{rest}", first.replace(':', "%3A")),
        None => encoded.replace(':', "%3A"),
    }
}

fn taken_apart(root_uri: &str, path: &str) -> Result<DecodedPath, DeltaError> {
    let refuse = |problem| DeltaError::Path { path: path.to_owned(), problem };
    let key = if let Some(location) = Location::parse(path).map_err(refuse)? {
        below_root(root_uri, &location).map_err(refuse)?
    } else {
        decode_text(path).map_err(refuse)?
    };
    let key = straightened(root_uri, &key).map_err(refuse)?;
    check_key(root_uri, &key).map_err(refuse)?;
    Ok(DecodedPath { key })
}

/// Returns true for a path that is surely its own key and may hold data: most are, and need not be
/// taken apart.
pub(crate) fn is_own_key(path: &str) -> bool {
    // Without a way out of the loop, so that many bytes are compared at once.
    let is_plain = |byte: u8| {
        (byte > b' ')
            & (byte < 0x7f)
            & (byte != b'%')
            & (byte != b'?')
            & (byte != b'#')
            & (byte != b':')
    };
    path.bytes().fold(true, |all, byte| all & is_plain(byte))
        && !path.starts_with('_')
        && !path.ends_with('.')
        && path.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'))
}

/// Returns true for a relative path with `.`, `..` or empty segments: its text is not that of its
/// key.
pub(crate) fn is_roundabout(path: &str) -> bool {
    if is_own_key(path) {
        return false;
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// Resolves `.` and `..` segments as readers do, and refuses a path that leaves the table by them.
/// Empty segments are dropped on a local disk, and are part of the key in every other store.
fn straightened(root_uri: &str, key: &str) -> Result<String, &'static str> {
    let is_local = is_local(root_uri);
    let mut segments = Vec::new();
    let count = key.split('/').count();
    for (at, segment) in key.split('/').enumerate() {
        match segment {
            "." if at + 1 < count => {}
            ".." => {
                segments.pop().ok_or("it climbs with a .. segment out of the table")?;
            }
            "" if is_local && at > 0 && at + 1 < count => {}
            _ => segments.push(segment),
        }
    }
    Ok(segments.join("/"))
}

/// Returns true for the root of a table on a disk, where an empty segment means nothing.
fn is_local(root_uri: &str) -> bool {
    root_uri.starts_with('/') || root_uri.starts_with("file:")
}

/// Returns true for a path with a scheme, or one that begins with `/`.
pub(crate) fn is_absolute(path: &str) -> bool {
    let scheme = path.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    scheme || path.starts_with('/')
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Returns the key of the sidecar `path` in a checkpoint of the table at `root_uri`; a relative
/// path starts at the sidecars' folder.
///
/// # Errors
/// When the path leaves that folder.
pub fn decode_sidecar(root_uri: &str, path: &str) -> Result<String, DeltaError> {
    let refuse = |problem| DeltaError::Path { path: path.to_owned(), problem };
    let key = match Location::parse(path).map_err(refuse)? {
        Some(location) => below_root(root_uri, &location).map_err(refuse)?,
        None => format!("{SIDECAR_FOLDER}/{}", decode_text(path).map_err(refuse)?),
    };
    check_segments(&key, false).map_err(refuse)?;
    match key.strip_prefix(SIDECAR_FOLDER) {
        Some(name) if name.starts_with('/') => Ok(key),
        _ => Err(refuse("a sidecar lies in _delta_log/_sidecars")),
    }
}

/// Checks that `key` (decoded, relative to the table's root `root_uri`) may hold data.
///
/// # Errors
/// Why it may not.
pub fn check_key(root_uri: &str, key: &str) -> Result<(), &'static str> {
    check_segments(key, !is_local(root_uri))?;
    match key.split('/').next() {
        Some(LOG_FOLDER) => Err("data cannot lie in the log's folder"),
        Some(OUR_FOLDER) => Err("data cannot lie in the folder _deepclone"),
        _ => Ok(()),
    }
}

/// Checks each segment. One between others may be empty where that is a key of its own.
fn check_segments(key: &str, may_be_empty: bool) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("it is empty");
    }
    if key.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    let last = key.matches('/').count();
    for (at, segment) in key.split('/').enumerate() {
        match segment {
            ".." => return Err("it climbs with a .. segment"),
            "." => return Err("it ends in a . segment"),
            "" if may_be_empty && at > 0 && at < last => {}
            "" => return Err("the key has an empty segment where none can be read"),
            _ => {}
        }
    }
    Ok(())
}

fn decode_text(text: &str) -> Result<String, &'static str> {
    if text.contains(['?', '#']) {
        return Err("it holds a ? or # that is not encoded");
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "it is not UTF-8 after decoding")
}

/// An absolute path or URI, not decoded.
struct Location<'a> {
    /// Empty for a bare path, which has the scheme and authority of the table.
    scheme: &'a str,
    authority: &'a str,
    /// It starts with `/`.
    path: &'a str,
}

impl<'a> Location<'a> {
    /// Splits `text`; `None` when it is a relative path.
    fn parse(text: &'a str) -> Result<Option<Self>, &'static str> {
        if text.starts_with("//") {
            return Err("a path cannot start with two slashes");
        }
        if text.starts_with('/') {
            return Ok(Some(Self { scheme: "", authority: "", path: text }));
        }
        let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
        if !is_scheme(scheme) {
            return Ok(None);
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None if rest.starts_with('/') => ("", rest),
            None => return Err("it looks like a URI with neither host nor path"),
        };
        Ok(Some(Self { scheme, authority, path }))
    }

    /// Returns the store in one spelling: scheme, bucket or container, and account.
    fn store(&self) -> (String, String, Option<String>) {
        let scheme = self.scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "s3" | "s3a" | "s3n" => ("s3".into(), self.authority.into(), None),
            "gs" | "gcs" => ("gs".into(), self.authority.into(), None),
            "az" | "azure" | "adl" | "abfs" | "abfss" | "wasb" | "wasbs" => {
                match self.authority.split_once('@') {
                    Some((container, host)) => {
                        let account = host.split('.').next().unwrap_or_default();
                        ("az".into(), container.into(), Some(account.into()))
                    }
                    None => ("az".into(), self.authority.into(), None),
                }
            }
            "" | "file" => {
                let host = if self.authority == "localhost" { "" } else { self.authority };
                ("file".into(), host.into(), None)
            }
            _ => (scheme, self.authority.into(), None),
        }
    }
}

/// Returns the decoded key of `location` relative to the root.
fn below_root(root_uri: &str, location: &Location<'_>) -> Result<String, &'static str> {
    const OUTSIDE: &str = "it lies outside the table's folder";
    let root = Location::parse(root_uri)?.ok_or(OUTSIDE)?;
    if !location.scheme.is_empty() {
        let (root_kind, root_name, root_account) = root.store();
        let (kind, name, account) = location.store();
        let accounts_differ = root_account.zip(account).is_some_and(|(a, b)| a != b);
        if kind != root_kind || name != root_name || accounts_differ {
            return Err(OUTSIDE);
        }
    }
    let path = decode_text(location.path)?;
    // A root may be given encoded or not; both spellings name one folder.
    let roots = [root.path.to_owned(), decode_text(root.path).unwrap_or_default()];
    roots
        .iter()
        .find_map(|root| path.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'))
        .map(str::to_owned)
        .ok_or(OUTSIDE)
}

#[cfg(test)]
mod tests;
