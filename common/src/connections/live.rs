//! Credentials that change while a process runs: files that are read again, and the output of a
//! command.
//!
//! A store asks for its credentials with each request, so a copy under way goes on with the new
//! ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3ConfigKey as S3Key, AwsCredential, AwsCredentialProvider};
use object_store::azure::{AzureConfigKey as AzureKey, AzureCredential, AzureCredentialProvider};
use object_store::gcp::{GcpCredential, GcpCredentialProvider, GoogleConfigKey as GcsKey};

use super::assumed_role::{EXTERNAL_ID, ROLE};
use super::command::{Answered, CredentialCommand};
use super::error::ConnectionError;
use super::renewed::Renewed;
use super::settings::{COMMAND, Pairs, StoreKey, secret_of_file};
use crate::reloaded::Reloaded;
use crate::secret::Secret;

/// What of a connection's settings may change.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveSettings {
    /// By their keys without `_file`.
    files: BTreeMap<String, PathBuf>,
    command: Option<String>,
    /// What the owner of a role in another account asks for.
    external_id: Option<String>,
}

impl LiveSettings {
    /// Picks them from the keys of a named connection.
    pub(super) fn of(keys: &BTreeMap<String, Secret>) -> Self {
        let files = keys.iter().filter_map(|(key, file)| {
            Some((key.strip_suffix("_file")?.to_owned(), PathBuf::from(file.expose())))
        });
        let text = |key: &str| keys.get(key).map(|value| value.expose().to_owned());
        let (command, external_id) = (text(COMMAND), text(EXTERNAL_ID));
        Self { files: files.collect(), command, external_id }
    }

    /// The external identifier of a role.
    pub(super) fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Whether a command tells the credentials.
    pub(super) fn has_command(&self) -> bool {
        self.command.is_some()
    }

    /// Returns what tells the credentials of S3; `None` when they stay as they are.
    pub(super) fn s3(
        &self,
        name: &str,
        pairs: &Pairs<S3Key>,
    ) -> Result<Option<AwsCredentialProvider>, ConnectionError> {
        let keys = [S3Key::AccessKeyId, S3Key::SecretAccessKey, S3Key::Token];
        let read = move |of: &Known<S3Key>| AwsCredential {
            key_id: of.value(keys[0]).unwrap_or_default(),
            secret_key: of.value(keys[1]).unwrap_or_default(),
            token: of.value(keys[2]),
        };
        let answer = |of: Answered| {
            let (key_id, secret_key) = (of.text("AccessKeyId")?, of.text("SecretAccessKey")?);
            Ok(AwsCredential { key_id, secret_key, token: of.text("SessionToken").ok() })
        };
        self.provider(name, pairs, &keys, read, answer)
    }

    /// The same of Azure: a shared access signature or a token. An account's key stays as it is.
    pub(super) fn azure(
        &self,
        name: &str,
        pairs: &Pairs<AzureKey>,
    ) -> Result<Option<AzureCredentialProvider>, ConnectionError> {
        let keys = [AzureKey::SasKey, AzureKey::Token];
        let read = |of: &Known<AzureKey>| match of.value(AzureKey::Token) {
            Some(token) => AzureCredential::BearerToken(token),
            None => AzureCredential::SASToken(sas(&of.value(AzureKey::SasKey).unwrap_or_default())),
        };
        let answer = |of: Answered| match of.text("AccessToken") {
            Ok(token) => Ok(AzureCredential::BearerToken(token)),
            Err(missing) => {
                let signature = of.text("SasToken").map_err(|_| missing)?;
                Ok(AzureCredential::SASToken(sas(&signature)))
            }
        };
        self.provider(name, pairs, &keys, read, answer)
    }

    /// The same of Google Cloud Storage: a token.
    pub(super) fn gcs(
        &self,
        name: &str,
        pairs: &Pairs<GcsKey>,
    ) -> Result<Option<GcpCredentialProvider>, ConnectionError> {
        let keys = [GcsKey::BearerToken];
        let read = |of: &Known<GcsKey>| GcpCredential {
            bearer: of.value(GcsKey::BearerToken).unwrap_or_default(),
        };
        let answer = |of: Answered| Ok(GcpCredential { bearer: of.text("AccessToken")? });
        self.provider(name, pairs, &keys, read, answer)
    }

    /// Returns what tells credentials of these keys.
    fn provider<K: StoreKey + Send + Sync + 'static, T: Send + Sync + 'static>(
        &self,
        name: &str,
        pairs: &Pairs<K>,
        keys: &[K],
        read: impl Fn(&Known<K>) -> T + Send + Sync + 'static,
        answer: fn(Answered) -> Result<T, String>,
    ) -> Result<Option<Arc<dyn CredentialProvider<Credential = T>>>, ConnectionError> {
        if let Some(command) = &self.command {
            // A role is assumed from what the command tells.
            let mut others = pairs.iter().filter(|(key, _)| key.as_ref() != ROLE);
            if let Some((key, _)) = others.find(|(key, _)| key.credential()) {
                let why = format!("{COMMAND} tells the credentials: leave this out");
                let key = key.as_ref().to_owned();
                return Err(ConnectionError::BadKey { name: name.to_owned(), key, why });
            }
            let command = CredentialCommand::new(command, answer);
            return Ok(Some(Arc::new(Renewed::new(name, COMMAND, command))));
        }
        let files: Vec<_> = self.files_of(keys);
        if files.is_empty() {
            return Ok(None);
        }
        let is_asked_for = |key: &K| keys.contains(key) && files.iter().all(|(of, _)| of != key);
        let fixed: Pairs<K> = pairs.iter().filter(|(key, _)| is_asked_for(key)).cloned().collect();
        let paths = files.iter().map(|(_, path)| path.clone()).collect();
        let connection = name.to_owned();
        let load = move || {
            let mut pairs = fixed.clone();
            for (key, path) in &files {
                let text = secret_of_file(path).map_err(|why| {
                    let message =
                        format!("connection {connection:?}: {}_file: {why}", key.as_ref());
                    Failure::new(Reason::InvalidArgument, message)
                })?;
                pairs.push((*key, text));
            }
            Ok(read(&Known(pairs)))
        };
        let live = Reloaded::new("a connection's credentials", paths, load);
        // The file was read a moment ago, for the settings.
        let live = live.map_err(|failure| ConnectionError::Settings {
            name: name.to_owned(),
            why: failure.message,
        })?;
        Ok(Some(Arc::new(FileCredentials(live))))
    }

    fn files_of<K: StoreKey>(&self, keys: &[K]) -> Vec<(K, PathBuf)> {
        let typed = |(key, file): (&String, &PathBuf)| {
            let key = key.parse::<K>().ok().filter(|key| keys.contains(key))?;
            Some((key, file.clone()))
        };
        self.files.iter().filter_map(typed).collect()
    }
}

/// The values of some keys.
struct Known<K>(Pairs<K>);

impl<K: StoreKey> Known<K> {
    fn value(&self, key: K) -> Option<String> {
        let found = self.0.iter().find(|(of, _)| *of == key);
        found.map(|(_, value)| value.expose().to_owned())
    }
}

/// Splits a shared access signature into the pairs of a query.
fn sas(signature: &str) -> Vec<(String, String)> {
    let pairs = signature.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

/// Credentials that stand in files.
struct FileCredentials<T>(Reloaded<T>);

impl<T> fmt::Debug for FileCredentials<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileCredentials")
    }
}

#[async_trait]
impl<T: Send + Sync> CredentialProvider for FileCredentials<T> {
    type Credential = T;

    async fn get_credential(&self) -> object_store::Result<Arc<T>> {
        Ok(self.0.get())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use axum::extract::State;
    use http::{HeaderMap, StatusCode, Uri};
    use object_store::ObjectStoreExt as _;
    use tokio::net::TcpListener;

    use super::super::{Connections, Side};
    use super::*;
    use crate::config::Config;

    /// What a server was shown: the header of the credentials, or the query.
    type Shown = Arc<Mutex<Vec<String>>>;

    async fn note(State(shown): State<Shown>, uri: Uri, headers: HeaderMap) -> StatusCode {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let text = header.map_or_else(|| uri.to_string(), ToOwned::to_owned);
        shown.lock().unwrap().push(text);
        StatusCode::NOT_FOUND
    }

    async fn server() -> (String, Shown) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shown = Shown::default();
        let router = axum::Router::new().fallback(note).with_state(Arc::clone(&shown));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, shown)
    }

    /// One store is asked, its credentials change, and it is asked again.
    async fn shows(store: &str, key: &str, (old, new): (&str, &str), seen: (&str, &str)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let write = |text: &str| {
            let next = folder.path().join("next");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(next, &file).unwrap();
        };
        write(old);
        let (url, shown) = server().await;
        let store = store.replace("SERVER", &url);
        let text = format!(
            "[connections.one]\nroles = [\"source\"]\n{store}\n{key} = \"{}\"",
            file.display()
        );
        let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
        let table = connections.below("one", "t").unwrap();
        let resolved = connections.resolve(&table, Side::Source).unwrap();
        let store = connections.open(&resolved).unwrap().store;
        for (change, expected) in [(None, seen.0), (Some(new), seen.1)] {
            if let Some(new) = change {
                write(new);
                tokio::time::sleep(Duration::from_millis(1_100)).await;
            }
            shown.lock().unwrap().clear();
            store.get(&"t/object".into()).await.unwrap_err();
            let asked = shown.lock().unwrap().clone();
            assert!(asked.iter().all(|text| text.contains(expected)), "{key}: {asked:?}");
            assert!(!asked.is_empty());
        }
    }

    #[tokio::test]
    async fn a_store_shows_the_credentials_of_now() {
        let s3 = "url = \"s3://b\"\naws_endpoint_url = \"SERVER\"\n\
                  aws_secret_access_key = \"secret\"";
        let azure = "url = \"az://c\"\nazure_storage_account_name = \"a\"\n\
                     azure_storage_endpoint = \"SERVER\"";
        let gcs = "url = \"gs://b\"\ngoogle_base_url = \"SERVER\"";
        let keys = ("Credential=OLDKEY/", "Credential=NEWKEY/");
        shows(s3, "aws_access_key_id_file", ("OLDKEY", "NEWKEY"), keys).await;
        let signatures = ("sig=old", "?sig=new");
        shows(azure, "azure_storage_sas_token_file", signatures, ("sig=old", "sig=new")).await;
        let tokens = ("Bearer old", "Bearer new");
        shows(azure, "azure_storage_token_file", ("old", "new"), tokens).await;
        shows(gcs, "google_bearer_token_file", ("old", "new"), tokens).await;
    }

    #[test]
    fn a_signature_is_split_and_decoded() {
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = vec![text("sv", "2021-08-06"), text("sig", "a+b/c="), text("flag", "")];
        assert_eq!(sas("?sv=2021-08-06&sig=a%2Bb%2Fc%3D&flag"), expected);
        assert_eq!(sas(""), []);
    }
}
