//! The section `[lineage]` of the configuration: where events of lineage go.

use std::path::PathBuf;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use crate::post::PostAddress;
use crate::secret::{Secret, one_of};

/// The namespace of the jobs where none is named.
const NAMESPACE: &str = "deepclone";

/// The section as the file writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineageSettings {
    /// The whole address that takes the events.
    pub url: Option<Secret>,
    /// A file that each event is added to as a line.
    pub file: Option<PathBuf>,
    /// The namespace of the jobs; `deepclone` without.
    pub namespace: Option<String>,
    /// What is sent as `Authorization: Bearer …`.
    pub api_key: Option<Secret>,
    /// The file with that, without the white space around it.
    pub api_key_file: Option<PathBuf>,
    /// The authorities of the address's certificate (PEM); those of the system without.
    pub ca_file: Option<PathBuf>,
}

/// Where events go, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineageTarget {
    /// The namespace of the jobs.
    pub namespace: String,
    /// What takes them over HTTP, with the key that it wants.
    pub address: Option<(PostAddress, Option<Secret>)>,
    /// What they are added to.
    pub file: Option<PathBuf>,
}

impl LineageSettings {
    /// Checks the section. `None` where nothing takes events.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the key at fault, without its value.
    pub fn target(&self) -> Result<Option<LineageTarget>, Failure> {
        let invalid =
            |what: String| Failure::new(Reason::InvalidArgument, format!("lineage: {what}"));
        let Self { url, file, namespace, api_key, api_key_file, ca_file } = self.clone();
        let key = one_of("api_key", api_key, api_key_file.as_deref()).map_err(invalid)?;
        let Some(url) = url else {
            if key.is_some() || ca_file.is_some() {
                return Err(invalid("url is missing: a key or a ca_file is for one".to_owned()));
            }
            let namespace = namespace.unwrap_or_else(|| NAMESPACE.to_owned());
            return Ok(file.map(|file| LineageTarget {
                namespace,
                address: None,
                file: Some(file),
            }));
        };
        let address = PostAddress::new(&url, ca_file).map_err(invalid)?;
        if key.is_some() && address.is_open_to_others() {
            let what = "url: a key would be read on the way: write https://…";
            return Err(invalid(what.to_owned()));
        }
        let namespace = namespace.unwrap_or_else(|| NAMESPACE.to_owned());
        Ok(Some(LineageTarget { namespace, address: Some((address, key)), file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Option<LineageTarget>, Failure> {
        toml::from_str::<LineageSettings>(text).unwrap().target()
    }

    #[test]
    fn events_go_to_an_address_a_file_both_or_nowhere() {
        assert_eq!(target("namespace = \"a\"").unwrap(), None);
        let file = target("file = \"/tmp/a\"").unwrap().unwrap();
        assert_eq!((&*file.namespace, file.address.is_none()), ("deepclone", true));
        let text = "url = \"https://m/api/v1/lineage\"\nfile = \"b\"\nnamespace = \"dr\"\n\
                    api_key = \"hunter2\"";
        let both = target(text).unwrap().unwrap();
        assert_eq!((&*both.namespace, both.file.is_some()), ("dr", true));
        let (address, key) = both.address.clone().unwrap();
        assert_eq!((address.to_string(), key.unwrap().expose()), ("https://m".into(), "hunter2"));
        assert!(!format!("{both:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (text, part) in [
            ("url = \"hunter2\"", "no URL"),
            ("api_key = \"hunter2\"", "url is missing"),
            ("url = \"http://far/\"\napi_key = \"hunter2\"", "read on the way"),
            ("url = \"https://m/\"\napi_key_file = \"/nowhere\"", "api_key_file /nowhere"),
            (
                "url = \"https://m/\"\napi_key = \"hunter2\"\napi_key_file = \"/nowhere\"",
                "not both",
            ),
        ] {
            let failure = target(text).unwrap_err();
            assert!(failure.message.starts_with("lineage: "), "{failure}");
            assert!(failure.message.contains(part), "{text}: {failure}");
            assert!(!failure.message.contains("hunter2"), "{failure}");
        }
        assert!(target("url = \"http://127.0.0.1:1/\"\napi_key = \"k\"").is_ok());
    }
}
