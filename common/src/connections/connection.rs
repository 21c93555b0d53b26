//! One connection: its settings checked, its store built.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStore;
use tokio::sync::OnceCell;

use super::error::ConnectionError;
use super::location::Location;
use super::side::Side;
use super::{build, settings};
use crate::config::ConnectionSettings;

/// A root in a store, with what leads there.
#[derive(Clone)]
pub(super) struct Connection {
    /// The root.
    pub(super) location: Location,
    /// The sides that it may be used for.
    pub(super) roles: Vec<Side>,
    /// The same on two machines that mean one store.
    pub(super) fingerprint: [u8; 32],
    /// The store's server; empty: the provider's own.
    pub(super) endpoint: String,
    /// The store of the root.
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, written to without checksums in headers; `None` when it never has them.
    pub(super) plain: Option<Arc<dyn ObjectStore>>,
    /// What this process found out about the store.
    pub(super) found: Arc<StoreFindings>,
}

/// What this process found out about a connection's store.
#[derive(Debug, Default)]
pub(super) struct StoreFindings {
    /// The store takes no checksums in headers.
    pub(super) without_checksums: AtomicBool,
    /// Set once the store was tried and found fit.
    pub(super) fit: OnceCell<()>,
}

impl Connection {
    /// The store as it was found to be usable.
    pub(super) fn fit_store(&self) -> Arc<dyn ObjectStore> {
        match &self.plain {
            Some(plain) if self.found.without_checksums.load(Ordering::Relaxed) => {
                Arc::clone(plain)
            }
            _ => Arc::clone(&self.store),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.location.uri())
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// The connection `name` of the configuration file.
///
/// # Errors
/// A key that is missing, unknown or cannot be used.
pub(super) fn named(
    name: &str,
    settings: &ConnectionSettings,
) -> Result<Connection, ConnectionError> {
    let bad_key = |key: &str, why: &str| ConnectionError::BadKey {
        name: name.to_owned(),
        key: key.to_owned(),
        why: why.to_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(bad_key("name", "a name has letters, digits, '-', '_' and '.' alone"));
    }
    if settings.roles.is_empty() {
        return Err(bad_key("roles", "write [\"source\"], [\"target\"] or both"));
    }
    let location = Location::parse(&settings.url).map_err(|error| match error {
        ConnectionError::BadUri { why, .. } => bad_key("url", why),
        other => other,
    })?;
    let options = settings::from_keys(name, location.scheme, &settings.options)?;
    let roles = settings.roles.clone();
    connection(name, location, roles, &options, settings.identity.as_deref())
}

/// A connection with the root `location`.
///
/// # Errors
/// Settings that the store's client refuses.
pub(super) fn connection(
    name: &str,
    mut location: Location,
    roles: Vec<Side>,
    options: &settings::Options,
    identity: Option<&str>,
) -> Result<Connection, ConnectionError> {
    let built = build::build(name, &location, options, identity)?;
    // A URI that names the account belongs to a connection whose settings name it.
    location.account = location.account.or(built.account);
    let (fingerprint, endpoint) = (built.fingerprint, built.endpoint);
    let (store, plain) = (built.store, built.plain);
    Ok(Connection { location, roles, fingerprint, endpoint, store, plain, found: Arc::default() })
}
