//! Is one table inside the other? A clone into its own source would copy itself, and the VACUUM of
//! the outer table would delete the inner one's objects.
//!
//! Paths are compared within one store alone: two servers may have buckets of one name. A store is
//! told by its service, its account and its bucket or container; all local paths are one store.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::location::{Location, Scheme, real_path};

const AWS: &str = "amazonaws.com";
const AZURE: &str = "core.windows.net";
const GOOGLE: &str = "storage.googleapis.com";

/// The place of a table: equal for two spellings of one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TablePlace {
    /// Service, account, and bucket or container; all empty for files.
    store: [String; 3],
    /// The segments of the path, links followed.
    path: Vec<String>,
}

impl TablePlace {
    /// Returns the place of the table at `location`, whose store is reached at `endpoint` (empty
    /// for the provider's own).
    pub(super) fn new(location: &Location, endpoint: &str) -> Self {
        let path = match location.scheme {
            Scheme::File => real_path(&location.path),
            _ => location.path.clone(),
        };
        let account = location.account.clone().unwrap_or_default();
        let service = match location.scheme {
            Scheme::File => String::new(),
            Scheme::S3 => service(endpoint, AWS),
            Scheme::Gcs => service(endpoint, GOOGLE),
            Scheme::Azure => azure_service(endpoint, &account),
        };
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Self {
            store: [service, account, location.bucket.clone()],
            path: segments.map(ToOwned::to_owned).collect(),
        }
    }

    fn holds(&self, other: &Self) -> bool {
        self.store == other.store && other.path.starts_with(&self.path)
    }
}

/// Refuses a source and a target that are one folder, or of which one lies inside the other.
///
/// # Errors
/// INVALID_ARGUMENT with both tables.
pub(super) fn refuse_overlap(
    source: (&TablePlace, &str),
    target: (&TablePlace, &str),
) -> Result<(), Failure> {
    let ((source, source_uri), (target, target_uri)) = (source, target);
    let problem = if source == target {
        format!("source and target are the same table, {source_uri}")
    } else if source.holds(target) {
        format!("the target {target_uri} lies inside the source {source_uri}")
    } else if target.holds(source) {
        format!("the source {source_uri} lies inside the target {target_uri}")
    } else {
        return Ok(());
    };
    let message = format!("{problem}: choose another target folder");
    Err(Failure::new(Reason::InvalidArgument, message).with("target", target_uri))
}

/// Names the service behind an endpoint: one name for all hosts of AWS, else host, port and path.
fn service(endpoint: &str, default: &str) -> String {
    let (host, rest) = host_and_rest(endpoint);
    if host.is_empty() {
        return default.to_owned();
    }
    let is_aws = [AWS, "amazonaws.com.cn"];
    match is_aws.into_iter().find(|name| host.strip_suffix(name).is_some_and(is_subdomain)) {
        Some(provider) => provider.to_owned(),
        None => format!("{host}{rest}"),
    }
}

/// Names the service behind an endpoint of Azure, where `https://ACCOUNT.blob.SUFFIX` and
/// `https://ACCOUNT.dfs.SUFFIX` are one.
fn azure_service(endpoint: &str, account: &str) -> String {
    let (host, rest) = host_and_rest(endpoint);
    if host.is_empty() {
        return AZURE.to_owned();
    }
    let host = host
        .strip_prefix(account)
        .and_then(|host| host.strip_prefix(".blob.").or_else(|| host.strip_prefix(".dfs.")))
        .unwrap_or(&host);
    format!("{host}{rest}")
}

fn is_subdomain(head: &str) -> bool {
    head.is_empty() || head.ends_with('.')
}

/// Returns an endpoint's host in lower case, and its port and path. The scheme's own port is left
/// out: one server answers http and https.
fn host_and_rest(endpoint: &str) -> (String, String) {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        // An IPv6 address ends with a bracket.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority.as_str(), ""),
    };
    let is_default = matches!((scheme, port), (_, "") | ("http", "80") | ("https", "443"));
    let port = if is_default { String::new() } else { format!(":{port}") };
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    (host.to_owned(), format!("{port}{}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests;
