//! The running test environment, as `tests/env/environment.py` describes it in its file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use ring::hmac;
use serde::Deserialize;

/// The bucket of each cloud and the container of Azurite; tests keep apart by their prefixes.
pub const BUCKET: &str = "lake";

/// A test's connection may be either side.
const ROLES: &str = "roles = [\"source\", \"target\"]\n";

/// Everything that a test may reach.
#[derive(Deserialize)]
pub struct Environment {
    pub services: Services,
    pub tools: Tools,
}

/// Two clouds with credentials of their own, and Azurite.
#[derive(Deserialize)]
pub struct Services {
    /// The cloud that usually holds the source.
    pub north: Cloud,
    /// The cloud that usually holds the replica.
    pub south: Cloud,
    /// An emulator of Azure's blob store.
    pub azure: Azure,
}

/// An S3 server and how to sign for it.
#[derive(Clone, Deserialize)]
pub struct Cloud {
    /// Like `http://ADDR:PORT`, without a path.
    pub endpoint: String,
    /// The region that its signatures name.
    pub region: String,
    /// The one identity that it knows.
    pub access_key_id: String,
    /// The identity's secret, made at the start of the environment.
    pub secret_access_key: String,
}

/// A blob store of Azure's kind.
#[derive(Clone, Deserialize)]
pub struct Azure {
    /// Like `http://ADDR:PORT/ACCOUNT`, as emulators have it.
    pub endpoint: String,
    pub account: String,
    /// The account's key in base64.
    pub key: String,
}

/// Paths of programs and libraries.
#[derive(Deserialize)]
pub struct Tools {
    /// The interpreter that has the readers and writers.
    pub python: PathBuf,
    /// The interpreter that has what the example client in Python needs.
    pub grpc_python: PathBuf,
    /// The interpreter that has OpenLineage's client and a judge of JSON schemas.
    pub lineage_python: PathBuf,
    /// The browser that the pages are opened in.
    pub chromium: PathBuf,
    /// The checker of Prometheus's rules and metrics.
    pub promtool: PathBuf,
    /// A client of any gRPC service.
    pub grpcurl: PathBuf,
    /// The folder of the jars that Spark is given.
    pub jars: PathBuf,
}

/// The environment that runs now.
///
/// # Panics
/// When none runs: it says how to start one.
pub fn environment() -> &'static Environment {
    static LOADED: OnceLock<Environment> = OnceLock::new();
    LOADED.get_or_init(|| {
        let file = state_file();
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!(
                "no test environment at {} ({error}): use `make test`, or start one with \
                 `tests/env/environment.py up`",
                file.display()
            )
        });
        serde_json::from_str(&text).expect("the environment's file is whole")
    })
}

/// The folder of the environment's programs.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("env")
}

fn state_file() -> PathBuf {
    if let Some(file) = std::env::var_os("DEEPCLONE_TEST_ENVIRONMENT") {
        return file.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache")
    });
    cache.join("deepclone/run/environment.json")
}

impl Cloud {
    /// The same cloud behind another address, such as a proxy's.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// The cloud's bucket as a store.
    #[must_use]
    pub fn store(&self) -> Box<dyn ObjectStore> {
        let store = self.builder().build();
        Box::new(store.expect("a cloud's settings are complete"))
    }

    /// The same, written to with the CRC-64/NVME of each object, which the cloud keeps.
    #[must_use]
    pub fn store_with_checksums(&self) -> Box<dyn ObjectStore> {
        let store = self.builder().with_checksum_algorithm(Checksum::CRC64NVME).build();
        Box::new(store.expect("a cloud's settings are complete"))
    }

    fn builder(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region(&self.region)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(&self.secret_access_key)
            .with_bucket_name(BUCKET)
    }

    /// The names and values of delta-rs's and `object_store`'s settings, for an environment
    /// (`prefix` is empty, `SOURCE_` or `TARGET_`) or for storage options.
    #[must_use]
    pub fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_ALLOW_HTTP", "true"),
        ]
        .map(|(key, value)| (format!("{prefix}{key}"), value.to_owned()))
        .to_vec()
    }

    /// A named connection of the configuration file, with a root below the bucket.
    #[must_use]
    pub fn connection(&self, name: &str, prefix: &str) -> String {
        let mut text = format!("[connections.{name}]\nurl = \"s3://{BUCKET}/{prefix}\"\n{ROLES}");
        for (key, value) in self.settings("") {
            text.push_str(&format!("{} = \"{value}\"\n", key.to_lowercase()));
        }
        text
    }
}

impl Azure {
    /// The same account behind another address, such as a proxy's.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// The container as a store.
    #[must_use]
    pub fn store(&self) -> Box<dyn ObjectStore> {
        let store = MicrosoftAzureBuilder::new()
            .with_endpoint(self.endpoint.clone())
            .with_allow_http(true)
            .with_account(&self.account)
            .with_access_key(&self.key)
            .with_container_name(BUCKET)
            .build();
        Box::new(store.expect("the account's settings are complete"))
    }

    /// A shared access signature that lets everything be done in the container for a long time.
    #[must_use]
    pub fn signature(&self) -> String {
        const ENDS: &str = "2100-01-01T00:00:00Z";
        let container = format!("/blob/{}/{BUCKET}", self.account);
        let text = ["racwdl", "", ENDS, &container, "", "", "", "2023-11-03", "c"].join("\n");
        let text = text + &"\n".repeat(7);
        let key = BASE64_STANDARD.decode(&self.key).expect("a key");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("sv=2023-11-03&sp=racwdl&se={ENDS}&sr=c&sig={signature}")
    }

    /// Environment settings for the command line, like [`Cloud::settings`].
    #[must_use]
    pub fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        [
            ("AZURE_STORAGE_ENDPOINT", self.endpoint.as_str()),
            ("AZURE_STORAGE_ACCOUNT_NAME", &self.account),
            ("AZURE_STORAGE_ACCOUNT_KEY", &self.key),
            ("AZURE_ALLOW_HTTP", "true"),
        ]
        .map(|(key, value)| (format!("{prefix}{key}"), value.to_owned()))
        .to_vec()
    }

    /// A named connection with its roles, like [`Cloud::connection`].
    #[must_use]
    pub fn connection(&self, name: &str, prefix: &str) -> String {
        let mut text = format!("[connections.{name}]\nurl = \"az://{BUCKET}/{prefix}\"\n{ROLES}");
        for (key, value) in self.settings("") {
            text.push_str(&format!("{} = \"{value}\"\n", key.to_lowercase()));
        }
        text
    }
}
