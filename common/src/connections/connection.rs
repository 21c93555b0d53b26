//! A connection with its settings checked and its store built.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deepclone_core::price::Region;
use object_store::ObjectStore;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use super::build::{self, Built};
use super::error::ConnectionError;
use super::live::LiveSettings;
use super::location::Location;
use super::one_store::OwnCopies;
use super::place::{PlaceSettings, place};
use super::server_line::ServerLine;
use super::settings;
use super::side::Side;
use crate::config::ConnectionSettings;
use crate::store::streaming::StreamingStore;

/// A root in a store, and the client that reaches it.
#[derive(Clone)]
pub(super) struct Connection {
    /// The root, which the settings and the URL name.
    pub(super) location: Location,
    /// The sides that it may be used for.
    pub(super) roles: Vec<Side>,
    /// Equal on two machines that mean one store.
    pub(super) fingerprint: [u8; 32],
    /// What copies of the store's own need; `None` where it does not copy by itself.
    pub(super) own_copies: Option<OwnCopies>,
    /// The URL of the store's server; empty for the provider's own.
    pub(super) endpoint: String,
    /// Where the store is, for prices; `None` when that is not known.
    pub(super) region: Option<Region>,
    /// The store of the root.
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store without checksums in headers; `None` when it never sends them.
    pub(super) plain: Option<Arc<dyn ObjectStore>>,
    /// The same store for what flows; `None` for files.
    pub(super) streaming: Option<StreamingStore>,
    /// The way to its server; `None` for files, and where connections are not opened ahead.
    pub(super) line: Option<ServerLine>,
    /// The results of probing the store in this process.
    pub(super) found: Arc<StoreFindings>,
    /// Its labels, for rules about what may go where.
    pub(super) labels: BTreeMap<String, String>,
    /// What tables are classified as, by their folder below the root; `.` for the root.
    pub(super) classified: BTreeMap<String, String>,
    /// What the file says of it; `None` for one that no file names.
    pub(super) said: Option<Arc<FileSettings>>,
}

/// What decides how a named connection is built.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileSettings {
    settings: ConnectionSettings,
    /// With the secrets of files.
    options: settings::Options,
}

/// The results of probing a connection's store in this process.
#[derive(Debug, Default)]
pub(super) struct StoreFindings {
    /// True when the store refuses checksums in headers.
    pub(super) without_checksums: AtomicBool,
    /// Set once a probe has found the store fit for a replica.
    pub(super) fit: OnceCell<()>,
    /// The probes, and the removals of what they wrote.
    pub(super) removals: TaskTracker,
    /// Set once a probe has found that of several uploads of one key one alone succeeds.
    pub(super) completes_once: OnceCell<()>,
}

impl Connection {
    /// Returns the store for writes, with checksums in requests unless it refuses or never has
    /// them; `None` for files.
    pub(super) fn fit_streaming(&self) -> Option<StreamingStore> {
        let streaming = self.streaming.clone()?;
        Some(match self.found.without_checksums.load(Ordering::Relaxed) {
            true => streaming.without_checked(),
            false => streaming,
        })
    }

    /// Returns the store, without checksums in headers if it refuses them.
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

/// Builds the connection `name` of the configuration file.
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
        return Err(bad_key("name", "a name has only letters, digits, '-', '_' and '.'"));
    }
    if settings.roles.is_empty() {
        return Err(bad_key("roles", "write [\"source\"], [\"target\"] or both"));
    }
    let location = Location::parse(&settings.url).map_err(|error| match error {
        ConnectionError::BadUri { why, .. } => bad_key("url", why),
        other => other,
    })?;
    let options = settings::from_keys(name, location.scheme, &settings.store_options())?;
    let roles = settings.roles.clone();
    let said = PlaceSettings {
        cloud: settings.cloud.as_deref(),
        region: settings.region.as_deref(),
        ..PlaceSettings::default()
    };
    let live = LiveSettings::of(&settings.options);
    let with = With { identity: settings.identity.as_deref(), live };
    let built = connection(name, location, roles, &options, &with, said)?;
    let said = FileSettings { settings: settings.clone(), options };
    let (labels, classified) = (settings.labels.clone(), settings.classified.clone());
    if let Some(folder) = classified.keys().find(|folder| !is_folder(folder)) {
        let why = format!("{folder:?}: write a folder below the url, as \"hr/pay\", or \".\"");
        return Err(bad_key("classified", &why));
    }
    Ok(Connection { said: Some(Arc::new(said)), labels, classified, ..built })
}

/// Whether a text names a folder in the one way that paths of tables are compared by.
fn is_folder(text: &str) -> bool {
    text == "." || text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// What a named connection adds to the options of its store.
#[derive(Default)]
pub(super) struct With<'a> {
    /// Replaces the endpoint in the fingerprint.
    pub(super) identity: Option<&'a str>,
    /// Credentials that may change.
    pub(super) live: LiveSettings,
}

/// Builds a connection with the root `location`.
///
/// # Errors
/// The store's client refuses the settings.
pub(super) fn connection(
    name: &str,
    mut location: Location,
    roles: Vec<Side>,
    options: &settings::Options,
    with: &With<'_>,
    said: PlaceSettings<'_>,
) -> Result<Connection, ConnectionError> {
    let built = build::build(name, &location, options, with.identity, &with.live)?;
    // A URI that names the account belongs to a connection whose settings name it.
    location.account = location.account.or(built.account);
    let Built { store, plain, streaming, line, fingerprint, own_copies, endpoint, .. } = built;
    let settings = PlaceSettings { own_region: &built.region, endpoint: &endpoint, ..said };
    let region = place(location.scheme, settings).map_err(|(key, why)| {
        ConnectionError::BadKey { name: name.to_owned(), key: key.to_owned(), why }
    })?;
    Ok(Connection {
        location,
        roles,
        fingerprint,
        own_copies,
        endpoint,
        region,
        store,
        plain,
        streaming,
        line,
        found: Arc::default(),
        labels: BTreeMap::new(),
        classified: BTreeMap::new(),
        said: None,
    })
}
