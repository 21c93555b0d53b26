//! `deepclone.toml`: one form for the three binaries; unknown keys are refused.
//!
//! Defaults < this file < environment < flags: the binaries lay their flags over it.

#![warn(missing_docs)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::{Deserialize, Deserializer};

use crate::connections::{FlowRule, Side};
use crate::lineage_settings::LineageSettings;
use crate::prices::PriceSettings;
use crate::secret::{SECRET_BYTES_MIN, Secret, one_of};
use crate::telemetry_settings::TelemetrySettings;
use crate::tls::server::ServerTlsFiles;
use crate::webhook_settings::WebhookSettings;

/// The content of `deepclone.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The sections `[connections.NAME]`, by name.
    pub connections: BTreeMap<String, ConnectionSettings>,
    /// The section `[listen]`: where a server listens.
    pub listen: Listen,
    /// The section `[database]`: where the coordinator keeps its state.
    pub database: Database,
    /// The section `[limits]`: how much a worker may take.
    pub limits: LimitSettings,
    /// The section `[hooks]`: notices that a coordinator takes over HTTP.
    pub hooks: HookSettings,
    /// The section `[lineage]`: where a coordinator sends events of lineage.
    pub lineage: LineageSettings,
    /// The sections `[[webhooks]]`: whom a coordinator tells of failures.
    pub webhooks: Vec<WebhookSettings>,
    /// The section `[telemetry]`: where a server sends the spans of traces.
    pub telemetry: TelemetrySettings,
    /// The section `[prices]`: by which prices costs are estimated.
    pub prices: PriceSettings,
    /// The section `[tls]`: what a server's listeners show.
    pub tls: TlsSettings,
    /// The section `[access]`: who may ask a server.
    pub access: AccessSettings,
    /// The sections `[[rules]]`: which tables may go where.
    pub rules: Vec<FlowRule>,
}

/// A connection as the file writes it; [`crate::connections`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConnectionSettings {
    /// The root of the connection: nothing outside it is read or written.
    pub url: String,
    /// The sides that the connection may be used for.
    pub roles: Vec<Side>,
    /// Replaces the endpoint in the fingerprint; `None` for the endpoint itself.
    #[serde(default)]
    pub identity: Option<String>,
    /// The region of the store, for prices; of S3 also for requests, unless a key of theirs names
    /// one.
    #[serde(default)]
    pub region: Option<String>,
    /// Whose region it is; `None` where the URL and the endpoint say it.
    #[serde(default)]
    pub cloud: Option<String>,
    /// Its labels, for `[[rules]]`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What the tables of a folder are classified as, for `[[rules]]`; `.` for the root.
    #[serde(default)]
    pub classified: BTreeMap<String, String>,
    /// Storage settings under their `object_store` names, and `<key>_file` for secret ones.
    #[serde(flatten)]
    pub options: BTreeMap<String, Secret>,
}

impl ConnectionSettings {
    /// The settings of the store. For S3, `region` is one of them, unless another region is.
    #[must_use]
    pub fn store_options(&self) -> BTreeMap<String, Secret> {
        let mut options = self.options.clone();
        let is_amazon = self.cloud.as_deref().is_none_or(|cloud| cloud == "aws");
        let is_s3 = self.url.starts_with("s3://") || self.url.starts_with("s3a://");
        let keys = ["aws_region", "aws_default_region", "default_region"];
        let has_own = keys.iter().any(|key| options.contains_key(*key));
        if let Some(region) = self.region.as_ref().filter(|_| is_s3 && is_amazon && !has_own) {
            options.insert("aws_region".to_owned(), Secret::new(region));
        }
        options
    }
}

/// Where the coordinator listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// The address of the gRPC services.
    pub grpc: Option<SocketAddr>,
    /// The address of `/livez`, `/readyz` and `/metrics`.
    pub http: Option<SocketAddr>,
}

/// The TLS of a server's listeners; none without a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The certificate and those between it and an authority (PEM).
    pub cert_file: Option<PathBuf>,
    /// The private key of the certificate (PEM).
    pub key_file: Option<PathBuf>,
    /// The authorities of clients' certificates (PEM).
    pub client_ca_file: Option<PathBuf>,
}

impl TlsSettings {
    /// Returns the files, if there are any.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the key that is missing.
    pub fn files(&self) -> Result<Option<ServerTlsFiles>, Failure> {
        let Self { cert_file, key_file, client_ca_file } = self.clone();
        let missing = |key: &str| {
            let message = format!("tls: {key} is missing: write cert_file and key_file");
            Err(Failure::new(Reason::InvalidArgument, message))
        };
        match (cert_file, key_file) {
            (Some(certificate), Some(key)) => {
                Ok(Some(ServerTlsFiles { certificate, key, client_authorities: client_ca_file }))
            }
            (None, None) if client_ca_file.is_none() => Ok(None),
            (None, _) => missing("cert_file"),
            (_, None) => missing("key_file"),
        }
    }
}

/// Who may ask a server; anybody on this machine without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// The file with the principals.
    pub file: Option<PathBuf>,
}

/// Where the coordinator keeps its facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// The database, written `sqlite:FILE`.
    pub url: Option<Secret>,
}

/// Notices that a coordinator takes over HTTP; none without a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HookSettings {
    /// What a notice must carry.
    pub secret: Option<Secret>,
    /// The file with that, without the white space around it.
    pub secret_file: Option<PathBuf>,
}

impl HookSettings {
    /// Reads the secret, from its file if it has one.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: there are two secrets, the file cannot be read, or the secret is shorter
    /// than 16 bytes.
    pub fn secret(&self) -> Result<Option<Secret>, Failure> {
        let invalid =
            |what: String| Failure::new(Reason::InvalidArgument, format!("hooks: {what}"));
        let secret = one_of("secret", self.secret.clone(), self.secret_file.as_deref());
        let secret = secret.map_err(invalid)?;
        match secret {
            Some(secret) if secret.expose().len() < SECRET_BYTES_MIN => {
                Err(invalid(format!("a secret has {SECRET_BYTES_MIN} bytes or more")))
            }
            secret => Ok(secret),
        }
    }
}

/// Bounds that the owner of a machine sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The most bytes of objects that a worker holds in memory.
    pub memory: Option<ByteSize>,
    /// The most objects and parts that a worker copies at once.
    pub concurrency: Option<u32>,
    /// The most bytes of objects per second that a worker copies.
    pub bandwidth: Option<ByteRate>,
    /// The least bytes of an object that several workers share; for a coordinator.
    pub shared_object: Option<ByteSize>,
}

/// A number of bytes, written `512MiB`, `1GiB`, `65536`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is not a number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a size: write a number with B, KiB, MiB, GiB or TiB")]
pub struct ByteSizeError {
    text: String,
}

impl std::str::FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let error = || ByteSizeError { text: text.to_owned() };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(error()),
        };
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(error)
    }
}

/// A number of bytes per second, written `200MiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

/// A text that is not a number of bytes per second.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a rate: write a size and /s, such as 200MiB/s")]
pub struct ByteRateError {
    text: String,
}

impl std::str::FromStr for ByteRate {
    type Err = ByteRateError;

    fn from_str(text: &str) -> Result<Self, ByteRateError> {
        let size = text.strip_suffix("/s").and_then(|size| size.parse().ok());
        let ByteSize(bytes) = size.ok_or_else(|| ByteRateError { text: text.to_owned() })?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for ByteRate {
    /// Writes it by the largest unit of which it is a whole number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let is_whole = |shift: u32| self.0 > 0 && self.0.trailing_zeros() >= shift;
        let (shift, unit) =
            units.into_iter().find(|(shift, _)| is_whole(*shift)).unwrap_or((0, "B"));
        write!(f, "{}{unit}/s", self.0 >> shift)
    }
}

impl<'de> Deserialize<'de> for ByteRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// Returns the configuration in the file `path`, or the defaults without a path.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the file and the line; never with a value of the file.
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot read the configuration {}: {error}", path.display());
            Failure::new(Reason::InvalidArgument, message)
        })?;
        let mut config = Self::parse(&text).map_err(|failure| {
            let message = format!("{}: {}", path.display(), failure.message);
            Failure::new(Reason::InvalidArgument, message)
        })?;
        config.prices.base = path.parent().map(Path::to_path_buf);
        Ok(config)
    }

    /// Returns which sections `now` has otherwise, of those that no process reads again.
    #[must_use]
    pub fn sections_changed(&self, now: &Self) -> Vec<&'static str> {
        let sections = [
            ("listen", self.listen != now.listen),
            ("database", self.database != now.database),
            ("limits", self.limits != now.limits),
            ("hooks", self.hooks != now.hooks),
            ("telemetry", self.telemetry != now.telemetry),
            ("prices", self.prices != now.prices),
            ("tls", self.tls != now.tls),
            ("access", self.access != now.access),
        ];
        sections.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect()
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the line; never with a value of the file.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let failure = |error: toml::de::Error| {
            // Display would quote the line, and with it a secret.
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("line {line}: {}", error.message());
            Failure::new(Reason::InvalidArgument, message)
        };
        let whole: toml::Table = toml::from_str(text).map_err(failure)?;
        if let Some(toml::Value::Table(connections)) = whole.get("connections") {
            for (name, settings) in connections {
                check_connection(settings).map_err(|what| {
                    let message = format!("connection {name:?}: {what}");
                    Failure::new(Reason::InvalidArgument, message)
                })?;
            }
        }
        toml::from_str(text).map_err(failure)
    }
}

/// Checks the settings of a connection and says what to write. The parser of the whole file would
/// name neither the connection nor its line.
fn check_connection(settings: &toml::Value) -> Result<(), String> {
    const URL: &str = "write url = \"s3://bucket/prefix\", or another root";
    const ROLES: &str = "write roles = [\"source\"], [\"target\"] or [\"source\", \"target\"]";
    let toml::Value::Table(keys) = settings else {
        return Err(format!("it is not a table: {URL}, and its roles, below [connections.NAME]"));
    };
    match keys.get("url") {
        None => return Err(format!("url is missing: {URL}")),
        Some(toml::Value::String(_)) => {}
        Some(_) => return Err(format!("url is not a string: {URL}")),
    }
    match keys.get("roles") {
        None => return Err(format!("roles is missing: {ROLES}")),
        Some(toml::Value::Array(roles)) => {
            for role in roles {
                match role.as_str() {
                    Some("source" | "target") => {}
                    Some(other) => return Err(format!("{other:?} is not a role: {ROLES}")),
                    None => return Err(format!("a role is not a string: {ROLES}")),
                }
            }
        }
        Some(_) => return Err(format!("roles is not a list: {ROLES}")),
    }
    const TABLES: [&str; 2] = ["labels", "classified"];
    for key in TABLES {
        let is_of_texts = |of: &toml::Table| of.values().all(toml::Value::is_str);
        if keys.get(key).is_some_and(|value| !value.as_table().is_some_and(is_of_texts)) {
            return Err(format!("{key} is not a table of strings: write {key} = {{ a = \"b\" }}"));
        }
    }
    let is_plain = |value: &toml::Value| {
        matches!(value, toml::Value::String(_) | toml::Value::Boolean(_) | toml::Value::Integer(_))
    };
    let is_other = |key: &str| key != "roles" && !TABLES.contains(&key);
    match keys.iter().find(|(key, value)| is_other(key) && !is_plain(value)) {
        Some((key, _)) => Err(format!("{key}: write a string, a boolean or a whole number")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_everything_is_read() {
        let config = Config::parse(
            r#"
            [connections.lake]
            url = "s3://bucket/prefix"
            roles = ["source", "target"]
            aws_access_key_id = "id"
            aws_unsigned_payload = true
            [listen]
            grpc = "127.0.0.1:7420"
            [limits]
            memory = "512MiB"
            concurrency = 64
            bandwidth = "200MiB/s"
            shared_object = "1GiB"
            "#,
        )
        .unwrap();
        assert_eq!(config.connections["lake"].options["aws_unsigned_payload"].expose(), "true");
        assert_eq!(config.limits.memory, Some(ByteSize(512 << 20)));
        assert_eq!(config.limits.concurrency, Some(64));
        assert_eq!(config.limits.bandwidth, Some(ByteRate(200 << 20)));
        assert_eq!(config.limits.shared_object, Some(ByteSize(1 << 30)));
        assert_eq!(config.listen.http, None);
    }

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["200MiB/s", "128KiB/s", "3TiB/s", "1GiB/s", "1025B/s", "0B/s"] {
            let rate: ByteRate = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(ByteRate(2048 << 20).to_string(), "2GiB/s");
    }

    #[test]
    fn unknown_keys_are_refused_and_no_value_is_shown() {
        for (text, part) in [
            ("[limits]\nmemmory = \"1MiB\"", "memmory"),
            ("[prices]\negress = 1", "egress"),
            ("[listen]\ngrpc = 5", "line 2"),
            ("[connections.a]\nurl = \"s3://b\"\nroles = [\"reader\"]", "reader"),
            ("[connections.a]\nroles = [\"source\"]", "url"),
            ("[connections.a]\naws_secret_access_key = \"hunter2\nurl = \"\"", "line 2"),
            ("[connections.a]\nurl=\"s3://b\"\nroles=[]\nkey = [\"hunter2\"]", "a string"),
            ("[limits]\nmemory = \"much\"", "not a size"),
            ("[limits]\nconcurrency = -1", "line 2"),
            ("[limits]\nbandwidth = \"200MiB\"", "not a rate"),
            ("[limits]\nbandwidth = \"fast/s\"", "not a rate"),
        ] {
            let failure = Config::parse(text).unwrap_err();
            assert!(failure.message.contains(part), "{text}: {failure}");
            assert!(!failure.message.contains("hunter2"), "{text}: {failure}");
            assert!(!failure.message.contains('\n'), "{text}: {failure}");
        }
    }

    #[test]
    fn an_error_of_a_connection_names_it_and_says_what_to_write() {
        const ROLES: &str = "write roles = [\"source\"], [\"target\"] or [\"source\", \"target\"]";
        for (keys, what, wanted) in [
            ("url = \"s3://b\"", "roles is missing", ROLES),
            ("url = \"s3://b\"\nroles = \"source\"", "roles is not a list", ROLES),
            ("url = \"s3://b\"\nroles = [\"writer\"]", "\"writer\" is not a role", ROLES),
            ("url = \"s3://b\"\nroles = [1]", "a role is not a string", ROLES),
            ("roles = [\"source\"]", "url is missing", "write url = \"s3://bucket/prefix\""),
            ("url = 5\nroles = []", "url is not a string", "write url = \"s3://bucket/prefix\""),
            ("url = \"s3://b\"\nroles = []\naws_region = 1.5", "aws_region", "a string"),
            ("url = \"s3://b\"\nroles = []\nidentity = [\"hunter2\"]", "identity", "a string"),
        ] {
            let text = format!("[limits]\n[connections.lake]\n{keys}");
            let failure = Config::parse(&text).unwrap_err();
            assert!(failure.message.starts_with("connection \"lake\": "), "{keys}: {failure}");
            assert!(failure.message.contains(what), "{keys}: {failure}");
            assert!(failure.message.contains(wanted), "{keys}: {failure}");
            assert!(!failure.message.contains("hunter2"), "{keys}: {failure}");
        }
        let failure = Config::parse("[connections]\nlake = \"s3://b\"").unwrap_err();
        assert!(failure.message.starts_with("connection \"lake\": it is not a table"), "{failure}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = "[connections.a]\nurl=\"s3://b\"\nroles=[]\naws_secret_access_key=\"hunter2\"\n\
                    [database]\nurl = \"postgres://u:hunter2@host\"";
        let shown = format!("{:?}", Config::parse(text).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
