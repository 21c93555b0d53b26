//! The section `[telemetry]` of the configuration: where the spans of traces go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use crate::post::{PostAddress, header_map};
use crate::secret::{Secret, one_of};

/// Where OTLP over HTTP takes spans, below the endpoint.
const TRACES_PATH: &str = "/v1/traces";
/// Headers that a request may have.
const HEADERS_MAX: usize = 32;
/// The ending of a key that names the file with a header's value.
const OF_FILE: &str = "_file";

/// The section as the file writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// How spans reach a collector.
    pub otlp: OtlpSettings,
}

/// The section `[telemetry.otlp]` as the file writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpSettings {
    /// The collector; spans go to `/v1/traces` below it. Without it nothing is sent.
    pub endpoint: Option<Secret>,
    /// What each request carries, by the header's name, and `<name>_file` for the file with it.
    pub headers: BTreeMap<String, Secret>,
    /// The authorities of the collector's certificate (PEM); those of the system without.
    pub ca_file: Option<PathBuf>,
}

/// Where spans go, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpTarget {
    /// The whole address, down to the path for spans.
    pub address: PostAddress,
    /// What each request carries.
    pub headers: Vec<(String, Secret)>,
}

impl TelemetrySettings {
    /// Checks the section. `None` where nothing takes spans.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the key at fault, without its value.
    pub fn target(&self) -> Result<Option<OtlpTarget>, Failure> {
        self.otlp.target().map_err(|what| {
            Failure::new(Reason::InvalidArgument, format!("telemetry.otlp: {what}"))
        })
    }
}

impl OtlpSettings {
    fn target(&self) -> Result<Option<OtlpTarget>, String> {
        let Self { endpoint, headers, ca_file } = self;
        let Some(endpoint) = endpoint else {
            if !headers.is_empty() || ca_file.is_some() {
                let what = "endpoint is missing: headers and a ca_file are for one";
                return Err(what.to_owned());
            }
            return Ok(None);
        };
        let base = endpoint.expose().trim();
        if base.contains(['?', '#']) {
            return Err("endpoint: write it without a query: secrets go into headers".to_owned());
        }
        let whole = Secret::new(format!("{}{TRACES_PATH}", base.trim_end_matches('/')));
        let address = PostAddress::new(&whole, ca_file.clone())
            .map_err(|what| what.replacen("url:", "endpoint:", 1))?;
        let headers = checked(headers)?;
        if !headers.is_empty() && address.is_open_to_others() {
            let what = "endpoint: headers would be read on the way: write https://…";
            return Err(what.to_owned());
        }
        Ok(Some(OtlpTarget { address, headers }))
    }
}

/// Reads the headers whose values are in files.
fn checked(headers: &BTreeMap<String, Secret>) -> Result<Vec<(String, Secret)>, String> {
    if headers.len() > HEADERS_MAX {
        return Err(format!("headers: there are more than {HEADERS_MAX}"));
    }
    let mut found = Vec::new();
    for (key, value) in headers {
        let Some(name) = key.strip_suffix(OF_FILE) else {
            found.push((key.clone(), value.clone()));
            continue;
        };
        let (other, file) = (headers.get(name).cloned(), Path::new(value.expose()));
        let read = one_of(name, other, Some(file)).map_err(|what| format!("headers: {what}"))?;
        found.extend(read.map(|value| (name.to_owned(), value)));
    }
    header_map(&found).map_err(|error| format!("headers: {error}"))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Option<OtlpTarget>, Failure> {
        toml::from_str::<TelemetrySettings>(text).unwrap().target()
    }

    #[test]
    fn spans_go_below_the_endpoint_with_headers_from_files() {
        assert_eq!(target("").unwrap(), None);
        assert_eq!(target("[otlp]").unwrap(), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " Bearer hunter2\n").unwrap();
        let text = format!(
            "[otlp]\nendpoint = \"https://otlp.example/otlp/\"\n[otlp.headers]\n\
             authorization_file = \"{}\"\nx-scope-orgid = \"7\"",
            file.path().display()
        );
        let found = target(&text).unwrap().unwrap();
        let headers: Vec<_> =
            found.headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(headers, [("authorization", "Bearer hunter2"), ("x-scope-orgid", "7")]);
        let whole = PostAddress::new(&Secret::new("https://otlp.example/otlp/v1/traces"), None);
        assert_eq!(found.address, whole.unwrap());
        assert!(!format!("{found:?}").contains("hunter2"));
        assert!(target("[otlp]\nendpoint = \"http://collector:4318\"").is_ok());
        let here = "[otlp]\nendpoint = \"http://127.0.0.1:4318\"\nheaders = { a = \"b\" }";
        assert!(target(here).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let with = |keys: &str| format!("[otlp]\nendpoint = \"https://c/\"\n{keys}");
        for (text, part) in [
            ("[otlp]\nendpoint = \"hunter2\"".to_owned(), "endpoint: it is no URL"),
            ("[otlp]\nendpoint = \"https://c/?k=hunter2\"".to_owned(), "without a query"),
            ("[otlp]\nendpoint = \"https://hunter2@c/\"".to_owned(), "no name and password"),
            ("[otlp]\nheaders = { a = \"hunter2\" }".to_owned(), "endpoint is missing"),
            (
                "[otlp]\nendpoint = \"http://c:4318\"\nheaders = { a = \"hunter2\" }".to_owned(),
                "read on the way",
            ),
            (with("headers = { a = \"b\", a_file = \"/nowhere\" }"), "write a or a_file"),
            (with("headers = { a_file = \"/nowhere\" }"), "a_file /nowhere cannot be read"),
            (with("headers = { a = \"hunter2\\n\" }"), "the header a cannot hold its value"),
            (with("headers = { \"a b\" = \"hunter2\" }"), "\"a b\" is no name of a header"),
            (with("ca_file = \"/nowhere\""), "ca_file /nowhere"),
        ] {
            let failure = target(&text).unwrap_err();
            assert!(failure.message.starts_with("telemetry.otlp: "), "{failure}");
            assert!(failure.message.contains(part), "{text}: {failure}");
            assert!(!failure.message.contains("hunter2"), "{failure}");
        }
    }
}
