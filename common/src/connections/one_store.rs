//! Whether one store holds both sides of a copy, and may copy from one to the other by itself.
//!
//! Both connections have one provider, endpoint, region or account, and set of credentials: the
//! target's then read the source, too. Where the credentials differ it is not tried. What the store
//! refuses, and what it does not say, is kept for each pair of connections as long as the process
//! lives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use object_store::aws::AmazonS3ConfigKey as S3Key;
use object_store::azure::AzureConfigKey as AzureKey;
use object_store::gcp::GoogleConfigKey as GcsKey;
use sha2::{Digest, Sha256};

use super::settings::{Pairs, StoreKey};
use crate::store::copying::CopySource;

/// Objects in a row without a stored checksum, after which no more are asked for it.
const WITHOUT_CHECKSUM_MAX: u32 = 32;
const CUSTOMER_KEY: &str = "aws_sse_customer_key_base64";

/// A store that holds the source and the target of a copy; clones share what was found.
#[derive(Clone, Debug)]
pub struct OneStore {
    source: CopySource,
    found: Arc<CopyFindings>,
}

/// What copies between two connections have shown.
#[derive(Debug, Default)]
struct CopyFindings {
    is_refused: AtomicBool,
    without_checksum: AtomicU32,
}

impl OneStore {
    /// A store that holds this source.
    #[must_use]
    pub fn new(source: CopySource) -> Self {
        Self { source, found: Arc::default() }
    }

    #[must_use]
    pub fn source(&self) -> &CopySource {
        &self.source
    }

    /// Returns true when a copy needs nobody to read it, however large it is: the store says the
    /// digest of source and copy. Where copies are read back, several workers share a very large
    /// object instead.
    #[must_use]
    pub fn says_digests(&self) -> bool {
        matches!(self.source, CopySource::S3(_))
    }

    /// Returns true while the store may be asked to copy by itself what has a checksum.
    #[must_use]
    pub fn may_copy(&self) -> bool {
        let without = self.found.without_checksum.load(Ordering::Relaxed);
        without < WITHOUT_CHECKSUM_MAX && !self.is_refused()
    }

    /// Returns true once the store has refused to copy by itself.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.found.is_refused.load(Ordering::Relaxed)
    }

    /// Notes that the store refused to copy by itself: it is not asked again.
    pub fn refuse(&self) {
        self.found.is_refused.store(true, Ordering::Relaxed);
    }

    /// Notes whether the store said the checksum of an object of the source.
    pub fn note_checksum(&self, is_stored: bool) {
        match is_stored {
            true => self.found.without_checksum.store(0, Ordering::Relaxed),
            false => {
                self.found.without_checksum.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The pairs of connections that copied, by the names of source and target.
pub(super) type StorePairs = Arc<Mutex<BTreeMap<(String, String), OneStore>>>;

/// What a connection offers to the copies of its store.
#[derive(Clone, Debug)]
pub(super) struct OwnCopies {
    /// A digest of who asks which store.
    pub(super) principal: [u8; 32],
    /// The connection as the source of a copy.
    pub(super) source: CopySource,
}

/// A digest of what decides who asks which store: equal for two connections of one store with one
/// set of credentials. `None` where the store is not asked to copy: a customer's own key would have
/// to be sent for the source, too, and sessions of S3 Express are not signed by us.
pub(super) fn principal(endpoint: &str, region: &str, pairs: &Pairs<S3Key>) -> Option<[u8; 32]> {
    let alone = |key: S3Key| key.as_ref() == CUSTOMER_KEY || key == S3Key::S3Express;
    let who = [S3Key::SkipSignature, S3Key::RequestPayer, S3Key::MetadataEndpoint];
    asking(pairs, alone, &who, [("endpoint", endpoint), ("region", region)])
}

/// The same of Azure. Whoever asks without a signature cannot give one for the source, and another
/// service reads the data of Fabric.
pub(super) fn azure_principal(
    endpoint: &str,
    account: &str,
    pairs: &Pairs<AzureKey>,
) -> Option<[u8; 32]> {
    let alone = [AzureKey::EncryptionKey, AzureKey::SkipSignature, AzureKey::UseFabricEndpoint];
    let who = [
        AzureKey::UseEmulator,
        AzureKey::CredentialType,
        AzureKey::AuthorityHost,
        AzureKey::UseAzureCli,
        AzureKey::MsiEndpoint,
        AzureKey::MsiResourceId,
        AzureKey::ObjectId,
        AzureKey::FabricTokenServiceUrl,
        AzureKey::FabricWorkloadHost,
        AzureKey::FabricClusterIdentifier,
    ];
    let place = [("endpoint", endpoint), ("account", account)];
    asking(pairs, |key| alone.contains(&key), &who, place)
}

/// The same of Google Cloud Storage.
pub(super) fn gcs_principal(endpoint: &str, pairs: &Pairs<GcsKey>) -> Option<[u8; 32]> {
    let alone = |key| key == GcsKey::SkipSignature;
    asking(pairs, alone, &[], [("endpoint", endpoint), ("provider", "gcs")])
}

/// A digest of the credentials, of the other keys in `who` and of the place. `None` where a key is
/// set that is `alone`.
fn asking<K: StoreKey>(
    pairs: &Pairs<K>,
    alone: impl Fn(K) -> bool,
    who: &[K],
    place: [(&str, &str); 2],
) -> Option<[u8; 32]> {
    if pairs.iter().any(|(key, _)| alone(*key)) {
        return None;
    }
    let mut named: Vec<(&str, &str)> = pairs
        .iter()
        .filter(|(key, _)| key.credential() || who.contains(key))
        .map(|(key, value)| (key.as_ref(), value.expose()))
        .collect();
    named.sort_unstable();
    named.extend(place);
    let mut digest = Sha256::new();
    for text in named.into_iter().flat_map(|(name, value)| [name, value]) {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    Some(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::super::registry::Connections;
    use super::*;
    use crate::config::Config;

    /// Connections of two buckets; the second one has these settings instead.
    fn connections(target: &str) -> Connections {
        let source = "aws_access_key_id = \"k\"\naws_secret_access_key = \"s\"\n\
                      aws_endpoint_url = \"http://store.test\"\naws_region = \"r\"";
        let text = format!(
            "[connections.a]\nurl = \"s3://one/x\"\nroles = [\"source\"]\n{source}\n\
             [connections.b]\nurl = \"{}\"\nroles = [\"target\"]\n{}",
            if target.starts_with("azure") { "az://two/y" } else { "s3://two/y" },
            if target.is_empty() { source } else { target },
        );
        Connections::from_config(&Config::parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn one_store_is_one_endpoint_region_and_set_of_credentials() {
        let store = connections("").one_store("a", "b").unwrap();
        assert!(matches!(store.source(), CopySource::S3(bucket) if bucket == "one"));
        assert!(store.says_digests());
        let keys = |key, secret, endpoint, region| {
            format!(
                "aws_access_key_id = \"{key}\"\naws_secret_access_key = \"{secret}\"\n\
                 aws_endpoint_url = \"http://{endpoint}\"\naws_region = \"{region}\""
            )
        };
        let same = keys("k", "s", "store.test", "r");
        for (target, is_one) in [
            (same.clone(), true),
            (format!("{same}\naws_checksum_algorithm = \"sha256\""), true),
            (keys("other", "s", "store.test", "r"), false),
            (keys("k", "other", "store.test", "r"), false),
            (keys("k", "s", "other.test", "r"), false),
            (keys("k", "s", "store.test", "other"), false),
            (format!("{same}\naws_session_token = \"t\""), false),
            (format!("{same}\naws_skip_signature = \"true\""), false),
            ("azure_storage_account_name = \"a\"".to_owned(), false),
        ] {
            assert_eq!(connections(&target).one_store("a", "b").is_some(), is_one, "{target}");
        }
    }

    #[test]
    fn at_azure_it_is_one_account_and_at_google_one_endpoint() {
        let azure = "azure_storage_account_name = \"a\"\nazure_storage_account_key = \"a2V5\"";
        let gcs = "google_bearer_token = \"t\"\ngoogle_base_url = \"http://gcs.test\"";
        let signature = "azure_storage_sas_token = \"sv=1&sig=s\"";
        let account = "azure_storage_account_name = \"a\"";
        for (schemes, source, target, is_one) in [
            (("az", "az"), azure, azure.to_owned(), true),
            (("az", "abfss"), azure, "azure_storage_account_key = \"a2V5\"".to_owned(), true),
            (("az", "az"), azure, azure.replace("\"a\"", "\"b\""), false),
            (("az", "az"), azure, azure.replace("a2V5", "b3Ro"), false),
            (("az", "az"), azure, format!("{account}\n{signature}"), false),
            (("az", "az"), azure, format!("{azure}\nazure_skip_signature = \"true\""), false),
            (
                ("az", "az"),
                azure,
                format!("{azure}\nazure_storage_endpoint = \"http://other.test\""),
                false,
            ),
            (
                ("az", "az"),
                &format!("{account}\n{signature}"),
                format!("{account}\n{signature}"),
                true,
            ),
            (("gs", "gs"), gcs, gcs.to_owned(), true),
            (("gs", "gs"), gcs, gcs.replace("\"t\"", "\"u\""), false),
            (("gs", "gs"), gcs, gcs.replace("gcs.test", "other.test"), false),
            (("gs", "gs"), gcs, format!("{gcs}\ngoogle_skip_signature = \"true\""), false),
            (("gs", "az"), gcs, azure.to_owned(), false),
        ] {
            let place = |scheme| match scheme {
                "abfss" => "abfss://two@a.dfs.core.windows.net/y".to_owned(),
                scheme => format!("{scheme}://two/y"),
            };
            let text = format!(
                "[connections.a]\nurl = \"{}://one/x\"\nroles = [\"source\"]\n{source}\n\
                 [connections.b]\nurl = \"{}\"\nroles = [\"target\"]\n{target}",
                schemes.0,
                place(schemes.1),
            );
            let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
            let found = connections.one_store("a", "b");
            assert_eq!(found.is_some(), is_one, "{schemes:?}\n{target}");
            if let Some(store) = found {
                let is_of_source = match store.source() {
                    CopySource::Azure(source) => source.container == "one",
                    CopySource::Google(bucket) => bucket == "one",
                    CopySource::S3(_) => false,
                };
                assert!(is_of_source && !store.says_digests());
                let shown = format!("{store:?}");
                assert!(!shown.contains("a2V5") && !shown.contains("sig"), "{shown}");
            }
        }
    }

    #[test]
    fn what_was_found_is_kept_for_the_pair() {
        let connections = connections("");
        let (store, again) =
            (connections.one_store("a", "b").unwrap(), connections.one_store("a", "b").unwrap());
        assert!(store.may_copy());
        store.refuse();
        assert!(!again.may_copy());

        let store = OneStore::new(CopySource::S3("b".to_owned()));
        for _ in 1..WITHOUT_CHECKSUM_MAX {
            store.note_checksum(false);
        }
        assert!(store.may_copy());
        store.note_checksum(true);
        store.note_checksum(false);
        assert!(store.may_copy(), "they are counted in a row");
        for _ in 1..WITHOUT_CHECKSUM_MAX {
            store.note_checksum(false);
        }
        assert!(!store.may_copy());
    }
}
