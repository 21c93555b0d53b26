//! Parses the settings of a connection into typed options of one kind of store.
//!
//! They come from the keys of a named connection, where unknown keys are refused, or from the
//! environment of the command line, where `SOURCE_NAME` and `TARGET_NAME` win over `NAME`.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use object_store::ClientConfigKey as Client;
use object_store::aws::AmazonS3ConfigKey as S3Key;
use object_store::azure::AzureConfigKey as AzureKey;
use object_store::gcp::GoogleConfigKey as GcsKey;

use super::assumed_role::EXTERNAL_ID;
use super::error::ConnectionError;
use super::location::Scheme;
use super::side::Side;
use crate::secret::Secret;

/// The options of a store, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Options {
    S3(Pairs<S3Key>),
    Azure(Pairs<AzureKey>),
    Gcs(Pairs<GcsKey>),
    /// Files have no options.
    File,
}

/// Typed keys with their values. Each key occurs once.
pub(super) type Pairs<K> = Vec<(K, Secret)>;

/// What this module must know about the keys of a kind of store.
pub(super) trait StoreKey: FromStr + AsRef<str> + Copy + Eq {
    /// How the names of environment variables begin.
    const ENVIRONMENT: &'static str;
    /// Returns true for a part of the credentials: those of a side replace all bare ones.
    fn credential(self) -> bool;
    /// Returns true when the value is a secret, so that `<key>_file` exists.
    fn secret(self) -> bool;
    /// Returns why the key may not be set.
    fn refused(self) -> Option<&'static str>;
    /// The keys of a named connection that the store's client does not know.
    const OURS: &'static [&'static str] = &[COMMAND];
}

/// The command that tells the credentials of a connection.
pub(super) const COMMAND: &str = "credential_command";

const FROM_URL: &str = "the url names it";
const OURS: &str = "it cannot be changed";

fn client_refused(key: Client) -> Option<&'static str> {
    matches!(key, Client::Timeout | Client::ReadTimeout).then_some(OURS)
}

impl StoreKey for S3Key {
    const ENVIRONMENT: &'static str = "AWS_";
    const OURS: &'static [&'static str] = &[COMMAND, EXTERNAL_ID];

    fn credential(self) -> bool {
        matches!(
            self,
            Self::AccessKeyId
                | Self::SecretAccessKey
                | Self::Token
                | Self::RoleArn
                | Self::WebIdentityTokenFile
                | Self::ContainerCredentialsRelativeUri
                | Self::ContainerCredentialsFullUri
                | Self::ContainerAuthorizationTokenFile
        )
    }

    fn secret(self) -> bool {
        matches!(self, Self::AccessKeyId | Self::SecretAccessKey | Self::Token)
            || self.as_ref() == "aws_sse_customer_key_base64"
    }

    fn refused(self) -> Option<&'static str> {
        match self {
            Self::Bucket => Some(FROM_URL),
            // Publishing needs put-if-absent.
            Self::ConditionalPut | Self::CopyIfNotExists => Some(OURS),
            Self::Client(key) => client_refused(key),
            _ => None,
        }
    }
}

impl StoreKey for AzureKey {
    const ENVIRONMENT: &'static str = "AZURE_";

    fn credential(self) -> bool {
        self.secret()
            || matches!(self, Self::ClientId | Self::AuthorityId | Self::FederatedTokenFile)
    }

    fn secret(self) -> bool {
        matches!(
            self,
            Self::AccessKey
                | Self::SasKey
                | Self::Token
                | Self::ClientSecret
                | Self::EncryptionKey
                | Self::FabricSessionToken
        )
    }

    fn refused(self) -> Option<&'static str> {
        match self {
            Self::ContainerName => Some(FROM_URL),
            Self::Client(key) => client_refused(key),
            _ => None,
        }
    }
}

impl StoreKey for GcsKey {
    const ENVIRONMENT: &'static str = "GOOGLE_";

    fn credential(self) -> bool {
        self.secret() || matches!(self, Self::ServiceAccount | Self::ApplicationCredentials)
    }

    fn secret(self) -> bool {
        matches!(self, Self::ServiceAccountKey | Self::BearerToken)
    }

    fn refused(self) -> Option<&'static str> {
        match self {
            Self::Bucket => Some(FROM_URL),
            Self::Client(key) => client_refused(key),
            _ => None,
        }
    }
}

/// Parses the keys of a named connection.
pub(super) fn from_keys(
    name: &str,
    scheme: Scheme,
    keys: &BTreeMap<String, Secret>,
) -> Result<Options, ConnectionError> {
    Ok(match scheme {
        Scheme::S3 => Options::S3(typed(name, keys)?),
        Scheme::Azure => Options::Azure(typed(name, keys)?),
        Scheme::Gcs => Options::Gcs(typed(name, keys)?),
        Scheme::File => match keys.keys().next() {
            None => Options::File,
            Some(key) => return Err(unknown(name, key)),
        },
    })
}

/// Parses the options of one side from the environment of the command line.
pub(super) fn from_environment(
    name: &str,
    scheme: Scheme,
    side: Side,
    variables: &BTreeMap<String, String>,
) -> Result<Options, ConnectionError> {
    Ok(match scheme {
        Scheme::S3 => Options::S3(typed_variables(name, side, variables)?),
        Scheme::Azure => Options::Azure(typed_variables(name, side, variables)?),
        Scheme::Gcs => Options::Gcs(typed_variables(name, side, variables)?),
        Scheme::File => Options::File,
    })
}

fn unknown(name: &str, key: &str) -> ConnectionError {
    ConnectionError::UnknownKey { name: name.to_owned(), key: key.to_owned() }
}

fn bad(name: &str, key: &str, why: impl Into<String>) -> ConnectionError {
    ConnectionError::BadKey { name: name.to_owned(), key: key.to_owned(), why: why.into() }
}

fn typed<K: StoreKey>(
    name: &str,
    keys: &BTreeMap<String, Secret>,
) -> Result<Pairs<K>, ConnectionError> {
    let mut pairs = Pairs::<K>::new();
    for (key, value) in keys {
        if K::OURS.contains(&key.as_str()) {
            continue;
        }
        let (typed, value) = typed_one::<K>(name, key, value)?;
        if let Some(why) = typed.refused() {
            return Err(bad(name, key, why));
        }
        if pairs.iter().any(|(other, _)| *other == typed) {
            return Err(bad(name, key, "it is set twice, under two names"));
        }
        pairs.push((typed, value));
    }
    Ok(pairs)
}

/// Parses one key, or reads its value from the file that `<key>_file` names.
fn typed_one<K: StoreKey>(
    name: &str,
    key: &str,
    value: &Secret,
) -> Result<(K, Secret), ConnectionError> {
    if let Ok(typed) = key.parse::<K>() {
        return Ok((typed, value.clone()));
    }
    let base = key.strip_suffix("_file").ok_or_else(|| unknown(name, key))?;
    let typed = base.parse::<K>().map_err(|_| unknown(name, key))?;
    if !typed.secret() {
        return Err(unknown(name, key));
    }
    let text = secret_of_file(Path::new(value.expose())).map_err(|why| bad(name, key, why))?;
    Ok((typed, text))
}

/// Reads a secret from its file, without the white space around it.
pub(super) fn secret_of_file(file: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("cannot read the file: {error}"))?;
    match text.trim() {
        "" => Err("the file is empty".to_owned()),
        text => Ok(Secret::new(text)),
    }
}

fn typed_variables<K: StoreKey>(
    name: &str,
    side: Side,
    variables: &BTreeMap<String, String>,
) -> Result<Pairs<K>, ConnectionError> {
    let prefix = match side {
        Side::Source => "SOURCE_",
        Side::Target => "TARGET_",
    };
    let mut pairs = Pairs::<K>::new();
    for (variable, value) in variables {
        let Some(bare) = variable.strip_prefix(prefix) else { continue };
        if !bare.starts_with(K::ENVIRONMENT) || value.is_empty() {
            continue;
        }
        // Only Deepclone reads names with a prefix, so an unknown one is a mistake.
        let typed = bare.to_ascii_lowercase().parse::<K>().map_err(|_| unknown(name, variable))?;
        if let Some(why) = typed.refused() {
            return Err(bad(name, variable, why));
        }
        if pairs.iter().any(|(other, _)| *other == typed) {
            return Err(bad(name, variable, "it is set twice, under two names"));
        }
        pairs.push((typed, Secret::new(value)));
    }
    let own_credentials = pairs.iter().any(|(key, _)| key.credential());
    for (variable, value) in variables {
        let Some(typed) = bare_variable::<K>(variable, value) else { continue };
        // The token of the other side must never be used with this side's key.
        let mixed = own_credentials && typed.credential();
        if !mixed && !pairs.iter().any(|(other, _)| *other == typed) {
            pairs.push((typed, Secret::new(value)));
        }
    }
    Ok(pairs)
}

/// Parses a variable without a prefix. Other tools read it, too, so an unknown one is ignored.
fn bare_variable<K: StoreKey>(variable: &str, value: &str) -> Option<K> {
    if !variable.starts_with(K::ENVIRONMENT) || value.is_empty() {
        return None;
    }
    let typed = variable.to_ascii_lowercase().parse::<K>().ok()?;
    typed.refused().is_none().then_some(typed)
}
