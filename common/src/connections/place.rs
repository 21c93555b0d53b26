//! Where a connection's store is, as far as prices tell places apart.

use deepclone_core::price::Region;

use super::location::Scheme;

/// The cloud and the region of stores on a machine's own disk, unless the settings name others.
const LOCAL: &str = "local";
const HERE: &str = "here";

/// What decides where a store is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlaceSettings<'a> {
    /// The key `cloud` of a connection.
    pub(super) cloud: Option<&'a str>,
    /// The key `region` of a connection.
    pub(super) region: Option<&'a str>,
    /// The region that the store's own settings name; empty for none.
    pub(super) own_region: &'a str,
    /// The URL of the store's server; empty for the provider's own.
    pub(super) endpoint: &'a str,
}

/// Returns where a store is; `None` when that is not known.
///
/// # Errors
/// The key at fault, and what to write: a word that is no part of a region.
pub(super) fn place(
    scheme: Scheme,
    settings: PlaceSettings<'_>,
) -> Result<Option<Region>, (&'static str, String)> {
    for (key, word) in [("cloud", settings.cloud), ("region", settings.region)] {
        if word.is_some_and(|word| format!("{word}/{word}").parse::<Region>().is_err()) {
            let why = "write small letters, digits and '-', such as eu-central-1 or westeurope";
            return Err((key, why.to_owned()));
        }
    }
    let own_region = Some(settings.own_region).filter(|region| !region.is_empty());
    let here = (scheme == Scheme::File).then_some(HERE);
    let cloud = settings.cloud.or_else(|| cloud_of(scheme, settings.endpoint));
    let region = settings.region.or(own_region).or(here);
    let known = cloud.zip(region);
    Ok(known.and_then(|(cloud, region)| format!("{cloud}/{region}").parse().ok()))
}

/// The cloud of a store; `None` for a server that may be anybody's.
fn cloud_of(scheme: Scheme, endpoint: &str) -> Option<&'static str> {
    let (cloud, domains): (_, &[&str]) = match scheme {
        Scheme::S3 => ("aws", &["amazonaws.com", "amazonaws.com.cn"]),
        Scheme::Azure => ("azure", &["core.windows.net"]),
        Scheme::Gcs => ("gcp", &["googleapis.com"]),
        Scheme::File => return Some(LOCAL),
    };
    let host = endpoint.split("://").last().unwrap_or_default();
    let host = host.split([':', '/']).next().unwrap_or_default();
    let is_theirs = |domain: &&str| {
        host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    (host.is_empty() || domains.iter().any(is_theirs)).then_some(cloud)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::connections::Connections;

    const AZURE: &str = "azure_storage_account_name = \"a\"";

    fn region(url: &str, keys: &str) -> Result<String, String> {
        let text = format!("[connections.lake]\nurl = {url:?}\nroles = [\"source\"]\n{keys}");
        let config = Config::parse(&text).map_err(|failure| failure.message)?;
        let connections = Connections::from_config(&config).map_err(|error| error.to_string())?;
        Ok(connections.region("lake").map(|of| of.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_store_is_where_its_settings_and_its_server_say() {
        let cases = [
            ("s3://b", "region = \"eu-central-1\"", "aws/eu-central-1"),
            ("s3://b", "aws_region = \"eu-west-1\"", "aws/eu-west-1"),
            // Requests are signed for one region, and prices are those of the other.
            ("s3://b", "aws_region = \"eu-west-1\"\nregion = \"us-east-1\"", "aws/us-east-1"),
            ("s3://b", "", ""),
            (
                "s3://b",
                "aws_endpoint_url = \"https://s3.eu-west-1.amazonaws.com\"\nregion = \"eu-west-1\"",
                "aws/eu-west-1",
            ),
            // A server of another provider, or of one's own.
            ("s3://b", "aws_endpoint_url = \"http://minio:9000\"\naws_region = \"us-east-1\"", ""),
            ("s3://b", "aws_endpoint_url = \"https://notamazonaws.com\"\nregion = \"x\"", ""),
            (
                "s3://b",
                "aws_endpoint_url = \"http://minio:9000\"\ncloud = \"local\"\nregion = \"berlin\"",
                "local/berlin",
            ),
            ("az://c", AZURE, ""),
            ("az://c", &format!("{AZURE}\nregion = \"westeurope\""), "azure/westeurope"),
            ("abfss://c@a.dfs.core.windows.net", "region = \"ukwest\"", "azure/ukwest"),
            ("az://c", "azure_storage_use_emulator = true\nregion = \"westeurope\"", ""),
            ("gs://b", "region = \"europe-west3\"", "gcp/europe-west3"),
            ("gs://b", "google_base_url = \"http://127.0.0.1:1\"\nregion = \"europe-west3\"", ""),
            ("file:///data", "", "local/here"),
            ("file:///data", "region = \"berlin\"", "local/berlin"),
            ("file:///mnt/azure", "cloud = \"azure\"\nregion = \"westeurope\"", "azure/westeurope"),
        ];
        for (url, keys, expected) in cases {
            assert_eq!(region(url, keys).as_deref(), Ok(expected), "{url} {keys}");
        }
    }

    #[test]
    fn a_word_that_is_no_region_is_refused_with_its_key() {
        for (url, keys, key) in [
            ("az://c", &format!("{AZURE}\nregion = \"West Europe\"")[..], "region: write small"),
            ("file:///data", "region = \"\"", "region: write small"),
            ("file:///data", "cloud = \"AWS\"", "cloud: write small"),
        ] {
            let error = region(url, keys).unwrap_err();
            assert!(error.contains(key) && error.contains("lake"), "{url} {keys}: {error}");
        }
    }

    #[test]
    fn a_region_of_s3_is_the_one_of_its_requests_unless_another_is_named() {
        let fingerprint = |keys: &str| {
            let text = format!("[connections.a]\nurl = \"s3://b\"\nroles = [\"source\"]\n{keys}");
            let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
            connections.offers().remove(0).fingerprint
        };
        let plain = fingerprint("");
        let named = fingerprint("aws_region = \"eu-west-1\"");
        assert_ne!(plain, named);
        assert_eq!(fingerprint("region = \"eu-west-1\""), named);
        assert_eq!(fingerprint("region = \"us-east-1\"\naws_region = \"eu-west-1\""), named);
        assert_eq!(fingerprint("region = \"eu-west-1\"\ncloud = \"local\""), plain);
    }
}
