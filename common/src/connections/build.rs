//! Builds an object store from typed options, and the fingerprint of its settings.
//!
//! No store retries by itself: its caller repeats what is safe to repeat. Each has the stall
//! time-outs of [`crate::store::client`], none over a whole request, and put-if-absent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::aws::{
    AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as S3Key, AwsCredentialProvider, Checksum,
    S3ConditionalPut,
};
use object_store::azure::{AzureAccessKey, AzureConfigKey as AzureKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as GcsKey};
use object_store::multipart::MultipartStore;
use object_store::{ClientConfigKey, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};
use sha2::{Digest, Sha256};

use super::assumed_role::{AssumedRole, EXTERNAL_ID, ROLE};
use super::error::ConnectionError;
use super::live::LiveSettings;
use super::local::LocalStore;
use super::location::Location;
use super::one_store::{OwnCopies, azure_principal, gcs_principal, principal};
use super::provided::Provided;
use super::renewed::Renewed;
use super::server_line::ServerLine;
use super::settings::{Options, Pairs};
use crate::store::client::{Completion, OneClient, TimedConnector, plain_client};
use crate::store::copying::{AzureAuthority, AzureSource, CopySource};
use crate::store::error::StoreError;
use crate::store::signing::{AzureSigner, S3Signer, Signing};
use crate::store::streaming::{Streaming, StreamingStore};
use crate::this_machine::is_this_machine;

/// The longest wait for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The key of the service that tells the credentials of a role.
const STS_ENDPOINT: &str = "aws_endpoint_url_sts";
/// The region when the settings name none.
const S3_REGION: &str = "us-east-1";
/// The account of an emulator of Azure's store.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
/// The public key of that account, which is the same everywhere.
const EMULATOR_KEY: &str = concat!(
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
    "/K1SZFPTOtr/KBHBeksoGMGw=="
);
/// The default endpoint of Azurite.
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// A store with its fingerprint, and the parts of the fingerprint that others need.
pub(super) struct Built {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store without checksums in headers; `None` when it never sends them.
    pub(super) plain: Option<Arc<dyn ObjectStore>>,
    /// The same store for what flows; `None` for files.
    pub(super) streaming: Option<StreamingStore>,
    pub(super) fingerprint: [u8; 32],
    /// The way to its server; `None` for files, and where connections are not opened ahead.
    pub(super) line: Option<ServerLine>,
    /// What copies of the store's own need; `None` where it does not copy by itself.
    pub(super) own_copies: Option<OwnCopies>,
    pub(super) account: Option<String>,
    /// The region that the settings name; empty for none.
    pub(super) region: String,
    pub(super) endpoint: String,
}

/// The parts of the fingerprint besides the URL, and who asks.
#[derive(Default)]
struct Facts {
    region: String,
    account: String,
    endpoint: String,
    own_copies: Option<OwnCopies>,
}

/// Builds the store of a connection. Reads nothing from the environment.
pub(super) fn build(
    name: &str,
    location: &Location,
    options: &Options,
    identity: Option<&str>,
    live: &LiveSettings,
) -> Result<Built, ConnectionError> {
    let Client { store, plain, streaming, line, facts } = match options {
        Options::S3(pairs) => s3(name, location, pairs, live)?,
        Options::Azure(pairs) => azure(name, location, pairs, live)?,
        Options::Gcs(pairs) => gcs(name, location, pairs, live)?,
        Options::File => Client {
            store: Arc::new(LocalStore::new(location.local_path())),
            plain: None,
            streaming: None,
            line: None,
            facts: Facts::default(),
        },
    };
    let identity = identity.unwrap_or(&facts.endpoint);
    let mut digest = Sha256::new();
    for text in [&location.uri(), &facts.region, &facts.account, identity] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    let account = Some(facts.account).filter(|account| !account.is_empty());
    let fingerprint = digest.finalize().into();
    Ok(Built {
        store,
        plain,
        streaming,
        fingerprint,
        line,
        own_copies: facts.own_copies,
        account,
        region: facts.region,
        endpoint: facts.endpoint,
    })
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn client_options(endpoint: &str) -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(endpoint.starts_with("http://"))
}

fn value<K: Copy + Eq>(pairs: &Pairs<K>, key: K) -> Option<&str> {
    pairs.iter().find(|(other, _)| *other == key).map(|(_, value)| value.expose())
}

fn bad_key(name: &str, key: &str, why: &str) -> ConnectionError {
    ConnectionError::BadKey { name: name.to_owned(), key: key.to_owned(), why: why.to_owned() }
}

/// Checks an endpoint, which may hold no user and no query: messages show it.
fn checked_endpoint(name: &str, key: &str, endpoint: &str) -> Result<String, ConnectionError> {
    let known = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    if !known || endpoint.contains(['@', '?', '#']) {
        return Err(bad_key(name, key, "write http:// or https://, host, port and path alone"));
    }
    Ok(endpoint.trim_end_matches('/').to_owned())
}

fn refused(name: &str, error: object_store::Error) -> ConnectionError {
    let why = StoreError::from(error).message;
    ConnectionError::Settings { name: name.to_owned(), why }
}

/// The handles of one store.
struct Client {
    store: Arc<dyn ObjectStore>,
    plain: Option<Arc<dyn ObjectStore>>,
    streaming: Option<StreamingStore>,
    line: Option<ServerLine>,
    facts: Facts,
}

impl Client {
    /// A store that never sends checksums in headers, and whose client signs no bodies.
    fn new(
        store: Arc<impl ObjectStore + MultipartStore>,
        line: Option<ServerLine>,
        facts: Facts,
    ) -> Self {
        let streaming = StreamingStore::new(store.clone(), store.clone(), Streaming::Sent);
        Self { store, plain: None, streaming: Some(streaming), line, facts }
    }
}

fn s3(
    name: &str,
    at: &Location,
    pairs: &Pairs<S3Key>,
    live: &LiveSettings,
) -> Result<Client, ConnectionError> {
    let endpoint = value(pairs, S3Key::S3Endpoint).or(value(pairs, S3Key::Endpoint));
    let checked = |endpoint| checked_endpoint(name, "aws_endpoint_url", endpoint);
    let endpoint = endpoint.map(checked).transpose()?.unwrap_or_default();
    let signer = Arc::new(OnceLock::new());
    let timed =
        |signer| TimedConnector { completion: Completion::S3, signing: Signing::S3(signer) };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&at.bucket)
        .with_client_options(client_options(&endpoint))
        .with_retry(no_retries())
        // Credentials are asked for by it, and not signed with.
        .with_http_connector(timed(Arc::default()))
        .with_unsigned_payload(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    for (key, value) in pairs.iter().filter(|(key, _)| *key != S3Key::Checksum) {
        if !is_allow_http(matches!(key, S3Key::Client(ClientConfigKey::AllowHttp)), &endpoint) {
            builder = builder.with_config(*key, value.expose());
        }
    }
    let told = live.s3(name, pairs)?;
    if let Some(credentials) = &told {
        builder = builder.with_credentials(Arc::clone(credentials));
    }
    let assumed = assumed(name, pairs, live, &builder)?;
    let credentials = or_fetched(name, assumed.or(told), || {
        Ok(Arc::clone(builder.clone().build()?.credentials()))
    })?;
    let client = OneClient::new(timed(Arc::clone(&signer)));
    builder = builder.with_credentials(credentials).with_http_connector(client.clone());
    let signs_all = leaves_signing(pairs);
    if signs_all {
        builder = builder.with_skip_signature(true);
    }
    let region = value(pairs, S3Key::Region).or(value(pairs, S3Key::DefaultRegion));
    let region = region.unwrap_or_default().to_owned();
    let named = builder.get_config_value(&S3Key::Region).unwrap_or_else(|| S3_REGION.to_owned());
    let plain = builder.clone().build().map_err(|error| refused(name, error))?;
    let mut builder = builder.with_checksum_algorithm(Checksum::CRC64NVME);
    if let Some(algorithm) = value(pairs, S3Key::Checksum) {
        builder = builder.with_config(S3Key::Checksum, algorithm);
    }
    let store = builder.build().map_err(|error| refused(name, error))?;
    let credentials = Arc::clone(store.credentials());
    // Set once, here: nobody else has the signer yet.
    let own = S3Signer::new(credentials, named.clone());
    let _set = signer.set(if signs_all { own.of_all(pays(pairs)) } else { own });
    // Two commands may tell the same credentials, or others: it is not known.
    let principal = principal(&endpoint, &region, pairs).filter(|_| !live.has_command());
    let source = CopySource::S3(at.bucket.clone());
    let own_copies = principal.map(|principal| OwnCopies { principal, source });
    let line = s3_line(client, &endpoint, &named, pairs);
    let facts = Facts { region, account: String::new(), endpoint, own_copies };
    let (plain, store) = (Arc::new(plain), Arc::new(store));
    let streaming = Some(s3_streaming(pairs, &plain, &store));
    Ok(Client { store, plain: Some(plain), streaming, line, facts })
}

/// The way to the server of a bucket; `None` where the bucket's name is part of the server's.
fn s3_line(
    client: OneClient,
    endpoint: &str,
    region: &str,
    pairs: &Pairs<S3Key>,
) -> Option<ServerLine> {
    let is_of_bucket = [S3Key::VirtualHostedStyleRequest, S3Key::S3Express];
    if is_of_bucket.into_iter().any(|key| !value(pairs, key).is_none_or(is_off)) {
        return None;
    }
    match endpoint {
        "" => ServerLine::new(client, &format!("https://s3.{region}.amazonaws.com")),
        endpoint => ServerLine::new(client, endpoint),
    }
}

/// The store for what flows, with checksums in its requests or without.
fn s3_streaming(
    pairs: &Pairs<S3Key>,
    plain: &Arc<AmazonS3>,
    store: &Arc<AmazonS3>,
) -> StreamingStore {
    // A signature of the body needs all of it.
    let streaming = match value(pairs, S3Key::UnsignedPayload).is_none_or(is_on) {
        true => Streaming::Sent,
        false => Streaming::Collected,
    };
    let streaming = StreamingStore::new(plain.clone(), plain.clone(), streaming)
        .or_checked(store.clone(), store.clone());
    match has_checked_parts(pairs) {
        true => streaming.with_checked_parts(),
        false => streaming,
    }
}

/// Returns whether the store's client need not sign, because each request is signed once its
/// headers are whole: not where it signs bodies or for a session (S3 Express), or nobody signs.
fn leaves_signing(pairs: &Pairs<S3Key>) -> bool {
    value(pairs, S3Key::UnsignedPayload).is_none_or(is_on)
        && value(pairs, S3Key::S3Express).is_none_or(is_off)
        && value(pairs, S3Key::SkipSignature).is_none_or(is_off)
}

/// Returns whether those who read the bucket pay for it.
fn pays(pairs: &Pairs<S3Key>) -> bool {
    let payer = value(pairs, S3Key::RequestPayer);
    payer.is_some_and(|payer| is_on(payer) || payer.eq_ignore_ascii_case("requester"))
}

fn is_on(value: &str) -> bool {
    ["true", "1", "yes", "on", "y"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

fn is_off(value: &str) -> bool {
    ["false", "0", "no", "off", "n"].iter().any(|off| value.eq_ignore_ascii_case(off))
}

/// Returns whether parts may have a CRC-64/NVME that is known before: not with another algorithm,
/// and not where requests are signed for a session (S3 Express).
fn has_checked_parts(pairs: &Pairs<S3Key>) -> bool {
    let is_crc64nvme = |name: &str| name.eq_ignore_ascii_case("crc64nvme");
    value(pairs, S3Key::Checksum).is_none_or(is_crc64nvme)
        && value(pairs, S3Key::S3Express).is_none_or(is_off)
}

/// Returns the credentials that are told, or those that the store's own client fetches.
fn or_fetched<T: Send + Sync + 'static>(
    name: &str,
    told: Option<Arc<dyn CredentialProvider<Credential = T>>>,
    fetched: impl FnOnce() -> object_store::Result<Arc<dyn CredentialProvider<Credential = T>>>,
) -> Result<Arc<dyn CredentialProvider<Credential = T>>, ConnectionError> {
    match told {
        Some(told) => Ok(told),
        None => Ok(Arc::new(Provided(fetched().map_err(|error| refused(name, error))?))),
    }
}

/// Returns the credentials of the role that the settings name, which are asked for with those of
/// `builder`. A web identity token is exchanged for them by the store's client itself.
fn assumed(
    name: &str,
    pairs: &Pairs<S3Key>,
    live: &LiveSettings,
    builder: &AmazonS3Builder,
) -> Result<Option<AwsCredentialProvider>, ConnectionError> {
    let has_identity = value(pairs, S3Key::WebIdentityTokenFile).is_some();
    let Some(role) = value(pairs, S3Key::RoleArn).filter(|_| !has_identity) else {
        return match live.external_id() {
            None => Ok(None),
            Some(_) => Err(bad_key(name, EXTERNAL_ID, "it goes with an aws_role_arn alone")),
        };
    };
    let region = builder.get_config_value(&S3Key::Region).unwrap_or_else(|| S3_REGION.to_owned());
    let endpoint = match value(pairs, S3Key::StsEndpoint) {
        Some(endpoint) => checked_endpoint(name, STS_ENDPOINT, endpoint)?,
        None => format!("https://sts.{region}.amazonaws.com"),
    };
    let options = client_options(&endpoint);
    let host = endpoint.parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host).unwrap_or_default();
    if !endpoint.starts_with("https://") && !is_this_machine(host) {
        return Err(bad_key(name, STS_ENDPOINT, "credentials come over https:// alone"));
    }
    let base = builder.clone().build().map_err(|error| refused(name, error))?;
    let role = AssumedRole {
        client: plain_client(&options).map_err(|error| refused(name, error))?,
        base: Arc::clone(base.credentials()),
        endpoint,
        region,
        role: role.to_owned(),
        session_name: value(pairs, S3Key::RoleSessionName).map(ToOwned::to_owned),
        external_id: live.external_id().map(ToOwned::to_owned),
    };
    Ok(Some(Arc::new(Renewed::new(name, ROLE, role))))
}

/// Returns true for `allow_http` beside an endpoint, whose scheme decides instead.
fn is_allow_http(is_key: bool, endpoint: &str) -> bool {
    is_key && !endpoint.is_empty()
}

fn azure(
    name: &str,
    at: &Location,
    pairs: &Pairs<AzureKey>,
    live: &LiveSettings,
) -> Result<Client, ConnectionError> {
    let emulator = is_emulator(pairs);
    let named = value(pairs, AzureKey::AccountName);
    if let (Some(named), Some(in_url)) = (named, at.account.as_deref())
        && named != in_url
    {
        return Err(bad_key(name, "azure_storage_account_name", "the url names another account"));
    }
    let account = at.account.as_deref().or(named).or(emulator.then_some(EMULATOR_ACCOUNT));
    let Some(account) = account else {
        let why = "it is missing, and the url names no account";
        return Err(bad_key(name, "azure_storage_account_name", why));
    };
    let endpoint = azure_endpoint(name, at, pairs, account)?;
    let has_key = pairs
        .iter()
        .any(|(key, _)| matches!(key, AzureKey::AccessKey | AzureKey::SasKey | AzureKey::Token));
    let emulator_key = (emulator && !has_key).then_some(EMULATOR_KEY);
    let key_text = value(pairs, AzureKey::AccessKey).or(emulator_key);
    let key = key_text.map(AzureAccessKey::try_new).transpose();
    let key = key.map_err(|error| refused(name, error.into()))?;
    let signer = key.map(|key| Arc::new(AzureSigner { account: account.to_owned(), key }));
    let timed = TimedConnector { completion: Completion::Azure, signing: Signing::Azure(signer) };
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(&at.bucket)
        .with_client_options(client_options(&endpoint))
        .with_retry(no_retries())
        .with_http_connector(timed.clone());
    if let Some(key) = emulator_key {
        builder = builder.with_access_key(key);
    }
    for (key, value) in pairs {
        let decided = matches!(key, AzureKey::UseEmulator | AzureKey::AccountName);
        let allow_http = matches!(key, AzureKey::Client(ClientConfigKey::AllowHttp));
        if !decided && !is_allow_http(allow_http, &endpoint) {
            builder = builder.with_config(*key, value.expose());
        }
    }
    if !endpoint.is_empty() {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let credentials = or_fetched(name, live.azure(name, pairs)?, || {
        Ok(Arc::clone(builder.clone().build()?.credentials()))
    })?;
    let client = OneClient::new(timed);
    builder = builder.with_credentials(Arc::clone(&credentials));
    let store = builder.with_http_connector(client.clone()).build();
    let store = store.map_err(|error| refused(name, error))?;
    let url = azure_url(&endpoint, account);
    let is_plain = value(pairs, AzureKey::UseFabricEndpoint).is_none_or(is_off);
    let line = is_plain.then(|| ServerLine::new(client, &url)).flatten();
    let authority = key_text.and_then(AzureAuthority::key);
    let authority = authority.unwrap_or(AzureAuthority::Credentials(credentials));
    let principal = azure_principal(&endpoint, account, pairs).filter(|_| !live.has_command());
    let source = azure_source(url, (account, &at.bucket), authority);
    let own_copies = principal.map(|principal| OwnCopies { principal, source });
    let (account, region) = (account.to_owned(), String::new());
    let facts = Facts { region, account, endpoint, own_copies };
    Ok(Client::new(Arc::new(store), line, facts))
}

/// The address of another server than the account's own; empty for none.
fn azure_endpoint(
    name: &str,
    at: &Location,
    pairs: &Pairs<AzureKey>,
    account: &str,
) -> Result<String, ConnectionError> {
    Ok(match (value(pairs, AzureKey::Endpoint), &at.azure_suffix) {
        (Some(endpoint), _) => checked_endpoint(name, "azure_storage_endpoint", endpoint)?,
        // Else the client would read the emulator's address from the environment.
        (None, _) if is_emulator(pairs) => EMULATOR_ENDPOINT.to_owned(),
        (None, Some(suffix)) if suffix != "core.windows.net" => {
            format!("https://{account}.blob.{suffix}")
        }
        _ => String::new(),
    })
}

fn is_emulator(pairs: &Pairs<AzureKey>) -> bool {
    matches!(value(pairs, AzureKey::UseEmulator), Some("true" | "1" | "yes"))
}

/// The address of an account's blobs.
fn azure_url(endpoint: &str, account: &str) -> String {
    match endpoint {
        "" => format!("https://{account}.blob.core.windows.net"),
        endpoint => endpoint.to_owned(),
    }
}

/// A container as the source of Azure's own copies.
fn azure_source(
    url: String,
    (account, container): (&str, &str),
    authority: AzureAuthority,
) -> CopySource {
    let (account, container) = (account.to_owned(), container.to_owned());
    CopySource::Azure(Arc::new(AzureSource { url, account, container, authority }))
}

fn gcs(
    name: &str,
    at: &Location,
    pairs: &Pairs<GcsKey>,
    live: &LiveSettings,
) -> Result<Client, ConnectionError> {
    let endpoint = match value(pairs, GcsKey::BaseUrl) {
        Some(endpoint) => checked_endpoint(name, "google_base_url", endpoint)?,
        None => String::new(),
    };
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&at.bucket)
        // The client reaches its metadata server over http.
        .with_client_options(client_options(&endpoint).with_allow_http(true))
        .with_retry(no_retries())
        .with_http_connector(TimedConnector {
            completion: Completion::Gcs,
            signing: Signing::Token,
        });
    for (key, value) in pairs {
        builder = builder.with_config(*key, value.expose());
    }
    let credentials = or_fetched(name, live.gcs(name, pairs)?, || {
        Ok(Arc::clone(builder.clone().build()?.credentials()))
    })?;
    builder = builder.with_credentials(credentials);
    let store = builder.build().map_err(|error| refused(name, error))?;
    let principal = gcs_principal(&endpoint, pairs).filter(|_| !live.has_command());
    let source = CopySource::Google(at.bucket.clone());
    let own_copies = principal.map(|principal| OwnCopies { principal, source });
    let facts = Facts { endpoint, own_copies, ..Facts::default() };
    Ok(Client::new(Arc::new(store), None, facts))
}
