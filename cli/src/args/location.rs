//! Converts what a user types for a table into a URI. Local paths become absolute `file://` URIs.
//!
//! A URI carries no credential: one with a password, a query (which may hold a SAS token) or a
//! fragment is refused.

use std::path::{Component, Path, PathBuf};

use deepclone_common::connections::{Side, absolute_uri};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use crate::refusal::not_built_yet;

/// Returns the URI of what the user typed. `current_dir` is the base of relative paths.
///
/// # Errors
/// `INVALID_ARGUMENT` for an empty text, an unknown scheme or a credential.
pub fn table_uri(side: Side, typed: &str, current_dir: &Path) -> Result<String, Failure> {
    if typed.trim().is_empty() {
        return Err(refuse(side, "is empty: give a path or a URI"));
    }
    if typed.chars().any(char::is_control) {
        return Err(refuse(side, "holds a control character"));
    }
    if let Some(name) = scheme_without_slashes(typed) {
        let problem = format!(
            "has no // after {name}: and would be a folder here: write {name}://…, or ./ before a \
             folder of that name"
        );
        return Err(refuse(side, &problem));
    }
    match scheme(typed) {
        Some((name, rest)) => remote_uri(side, &name.to_ascii_lowercase(), rest),
        None => canonical(side, &absolute(Path::new(typed), current_dir).to_string_lossy()),
    }
}

/// Returns the scheme of a URI without `//`, such as `s3:/bucket/t` or `gs:bucket`, which would
/// else be a relative path. `file:t` is no absolute path.
fn scheme_without_slashes(typed: &str) -> Option<String> {
    let (name, rest) = typed.split_once(':')?;
    let name = name.to_ascii_lowercase();
    let is_meant = match name.as_str() {
        "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" | "share" => !rest.starts_with("//"),
        "file" => !rest.starts_with('/'),
        _ => false,
    };
    is_meant.then_some(name)
}

fn scheme(typed: &str) -> Option<(&str, &str)> {
    let (name, rest) = typed.split_once(':')?;
    let is_scheme = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_uri = rest.starts_with("//") || name.eq_ignore_ascii_case("file");
    (is_scheme && is_uri).then_some((name, rest))
}

/// Refuses credentials with a better message than the shared parser of URIs has.
fn remote_uri(side: Side, scheme: &str, rest: &str) -> Result<String, Failure> {
    if scheme == "share" {
        return Err(not_built_yet(&format!("the scheme share:// of the {side}")));
    }
    if rest.contains(['?', '#']) {
        return Err(refuse(
            side,
            "has a query or fragment: credentials belong to a connection or the environment \
             (write %3F or %23 for a ? or # in a key)",
        ));
    }
    let rest = match rest.trim_start_matches('/') {
        // `file:/path` and `file://localhost/path` are other spellings of `file:///path`.
        path if scheme == "file" && !rest.starts_with("//") => format!("/{path}"),
        path if scheme == "file" && path.starts_with("localhost/") => path[9..].to_owned(),
        _ => rest.strip_prefix("//").unwrap_or(rest).to_owned(),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':') || !scheme.starts_with("abfs")) {
        return Err(refuse(
            side,
            "carries credentials: they belong to a connection or the environment",
        ));
    }
    canonical(side, &format!("{scheme}://{rest}"))
}

/// Returns the canonical URI of a URI or an absolute path.
fn canonical(side: Side, text: &str) -> Result<String, Failure> {
    absolute_uri(text).map_err(|error| {
        let failure = error.failure();
        Failure { message: format!("{side}: {}", failure.message), ..failure }
    })
}

/// Makes a path absolute, without `.` and `..`. A `..` after a symbolic link leaves the folder that
/// the link points to.
fn absolute(path: &Path, current_dir: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in current_dir.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean = clean.canonicalize().unwrap_or(clean);
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn refuse(side: Side, what: &str) -> Failure {
    Failure::new(Reason::InvalidArgument, format!("{side} {what}"))
}
