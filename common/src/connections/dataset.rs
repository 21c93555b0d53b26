//! How a table is named among the datasets of other systems, by OpenLineage's rules.
//!
//! <https://openlineage.io/docs/spec/naming>

use super::location::{Location, Scheme};

/// A dataset: the store with its bucket or container, and the path in it. No credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetName {
    /// Such as `s3://bucket`, or `file`.
    pub namespace: String,
    /// The path, decoded; of a file with the slash before it.
    pub name: String,
}

impl DatasetName {
    /// Returns the name of the table at this canonical URI.
    #[must_use]
    pub fn of(uri: &str) -> Self {
        let Ok(location) = Location::parse(uri) else {
            return Self { namespace: "unknown".to_owned(), name: "unknown".to_owned() };
        };
        if location.scheme == Scheme::File {
            return Self { namespace: "file".to_owned(), name: format!("/{}", location.path) };
        }
        let name = if location.path.is_empty() { "/".to_owned() } else { location.path.clone() };
        Self { namespace: Location { path: String::new(), ..location }.uri(), name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_as_other_producers_name_them() {
        for (uri, namespace, name) in [
            ("s3://lake/sales/orders", "s3://lake", "sales/orders"),
            ("s3a://lake/sales/", "s3://lake", "sales"),
            ("s3://lake", "s3://lake", "/"),
            ("gs://lake/a%20b", "gs://lake", "a b"),
            ("abfss://c@acct.dfs.core.windows.net/t", "abfss://c@acct.dfs.core.windows.net", "t"),
            ("abfss://c@acct.blob.core.windows.net/t", "abfss://c@acct.dfs.core.windows.net", "t"),
            ("az://c/t", "az://c", "t"),
            ("file:///data/my%20lake/t", "file", "/data/my lake/t"),
            ("s3://user:hunter2@lake/t", "unknown", "unknown"),
            ("s3://lake/t?X-Amz-Signature=hunter2", "unknown", "unknown"),
        ] {
            let expected = DatasetName { namespace: namespace.into(), name: name.into() };
            assert_eq!(DatasetName::of(uri), expected, "{uri}");
        }
    }
}
