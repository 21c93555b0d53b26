//! Is one table inside the other? A clone into its own source would copy itself.

use deepclone_common::store::redact::without_credentials;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use percent_encoding::percent_decode_str;

/// Refuses a source and a target that are one folder, or of which one lies inside the other.
/// Takes resolved URIs or paths. Ask only when both sides are one store: two S3 servers may have
/// buckets of one name, and a URI does not tell them apart.
///
/// # Errors
/// INVALID_ARGUMENT naming which lies inside which.
pub fn refuse_overlap(source_uri: &str, target_uri: &str) -> Result<(), Failure> {
    let (source, target) = (Place::parse(source_uri), Place::parse(target_uri));
    let problem = if source == target {
        "the target is the source itself"
    } else if target.is_inside(&source) {
        "the target lies inside the source"
    } else if source.is_inside(&target) {
        "the source lies inside the target"
    } else {
        return Ok(());
    };
    Err(Failure::new(Reason::InvalidArgument, format!("{problem}: choose another target folder"))
        .with("target", without_credentials(target_uri)))
}

#[derive(Debug, PartialEq, Eq)]
struct Place {
    scheme: String,
    authority: String,
    segments: Vec<String>,
}

impl Place {
    fn parse(uri: &str) -> Self {
        let uri = without_credentials(uri);
        let (scheme, rest) = match uri.split_once(':') {
            Some((scheme, rest)) if scheme.len() > 1 && !scheme.contains('/') => (scheme, rest),
            _ => return Self::local(&uri),
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                let path = rest.strip_prefix("//localhost").unwrap_or(rest);
                Self::local(&percent_decode_str(path).decode_utf8_lossy())
            }
            other => {
                let rest = rest.trim_start_matches('/');
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let scheme = match other {
                    "s3a" | "s3n" => "s3",
                    "abfs" | "abfss" | "az" | "adl" | "azure" | "wasb" | "wasbs" => "azure",
                    "gcs" => "gs",
                    other => other,
                };
                // `az://container` and `abfss://container@account…` name one container.
                let authority = match scheme {
                    "azure" => authority.split('@').next().unwrap_or_default(),
                    _ => authority,
                };
                Self::new(scheme, authority, &percent_decode_str(path).decode_utf8_lossy())
            }
        }
    }

    fn local(path: &str) -> Self {
        // Links and `..` are resolved as far as the folders exist.
        let mut known = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let mut missing = Vec::new();
        let resolved = loop {
            match known.canonicalize() {
                Ok(resolved) => break resolved,
                Err(_) => match (known.parent(), known.file_name()) {
                    (Some(parent), Some(name)) => {
                        missing.push(name.to_owned());
                        known = parent.to_owned();
                    }
                    _ => break known,
                },
            }
        };
        let whole = missing.iter().rev().fold(resolved, |path, name| path.join(name));
        Self::new("file", "", &whole.to_string_lossy())
    }

    fn new(scheme: &str, authority: &str, path: &str) -> Self {
        let mut segments: Vec<String> = Vec::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                segment => segments.push(segment.to_owned()),
            }
        }
        Self { scheme: scheme.to_owned(), authority: authority.to_owned(), segments }
    }

    fn is_inside(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.authority == other.authority
            && self.segments.starts_with(&other.segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_inside_another_is_refused() {
        for (source, target, refused) in [
            ("/nowhere/a", "/nowhere/a", true),
            ("/nowhere/a", "file:///nowhere/a/", true),
            ("file:///nowhere/a%20b", "/nowhere/a b/c", true),
            ("/nowhere/a/b", "/nowhere/a", true),
            ("/nowhere/a", "/nowhere/ab", false),
            ("/nowhere/x/../a", "/nowhere/./a/b", true),
            ("s3://bucket/t", "s3a://bucket/t/u", true),
            ("s3://bucket/t", "s3://other/t", false),
            ("s3://bucket", "s3://bucket/t", true),
            ("s3://bucket/t", "gs://bucket/t", false),
            ("az://box/t", "abfss://box@account.dfs.core.windows.net/t", true),
        ] {
            assert_eq!(refuse_overlap(source, target).is_err(), refused, "{source} {target}");
        }
    }
}
