//! All connections of a process: finds the connection of a table, and opens it.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::limits::FOLDERS_ABOVE_MAX;
use deepclone_core::price::{Region, RegionPair};
use deepclone_core::spec::TableRef;
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::connection::{Connection, With, connection, named};
use super::error::ConnectionError;
use super::flow_rules::{self, FlowRule};
use super::local::LocalStore;
use super::location::{self, Location, Scheme};
use super::one_store::{OneStore, StorePairs};
use super::overlap::{TablePlace, refuse_overlap};
use super::place::PlaceSettings;
use super::resolved::{Offer, Opened, Replaced, Resolved};
use super::settings;
use super::side::Side;
use crate::config::Config;
use crate::local_folder::LocalFolder;
use crate::store::large::{LargeWrites, PutLimits, Writes};
use crate::store::streaming::{Streaming, StreamingStore};
use crate::store::table::{StoreKind, TableStore, join};

/// All connections of this process; clones share them, also when they are replaced.
#[derive(Clone, Debug)]
pub struct Connections {
    kept: Arc<watch::Sender<Arc<ConnectionSet>>>,
}

/// The connections as they are at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionSet {
    pub(super) by_name: BTreeMap<String, Connection>,
    pairs: StorePairs,
    /// Which tables may go where.
    rules: Arc<[FlowRule]>,
}

impl Default for Connections {
    fn default() -> Self {
        Self::of(ConnectionSet::default())
    }
}

impl Connections {
    /// Builds the connections of the configuration file. Does not read the environment.
    ///
    /// # Errors
    /// Settings that are missing, unknown or malformed, with the connection and the key.
    pub fn from_config(config: &Config) -> Result<Self, ConnectionError> {
        let by_name = all_named(config)?;
        let rules = config.rules.as_slice().into();
        Ok(Self::of(ConnectionSet { by_name, rules, pairs: StorePairs::default() }))
    }

    fn of(set: ConnectionSet) -> Self {
        Self { kept: Arc::new(watch::Sender::new(Arc::new(set))) }
    }

    /// Returns the connections as they are now.
    pub(super) fn now(&self) -> Arc<ConnectionSet> {
        Arc::clone(&self.kept.borrow())
    }

    fn add(&self, name: &str, connection: Connection) {
        self.kept.send_modify(|set| {
            Arc::make_mut(set).by_name.insert(name.to_owned(), connection);
        });
    }

    /// Replaces the named connections by those of the file as it is now. Tables that are open stay
    /// so; those whose settings are the same keep their clients.
    ///
    /// # Errors
    /// As [`Self::from_config`]: then nothing is replaced.
    pub fn replace(&self, config: &Config) -> Result<Replaced, ConnectionError> {
        let mut by_name = all_named(config)?;
        let before = self.now();
        let mut replaced = Replaced::default();
        for (name, old) in &before.by_name {
            match by_name.get_mut(name) {
                Some(new) if new.said == old.said => *new = old.clone(),
                Some(_) => replaced.changed.push(name.clone()),
                None if old.said.is_none() => {
                    by_name.insert(name.clone(), old.clone());
                }
                None => replaced.removed.push(name.clone()),
            }
        }
        let is_new = |name: &&String| !before.by_name.contains_key(*name);
        replaced.added = by_name.keys().filter(is_new).cloned().collect();
        if replaced != Replaced::default() || *before.rules != *config.rules {
            let rules = config.rules.as_slice().into();
            // What one store may copy by itself depends on both connections.
            let set = ConnectionSet { by_name, rules, pairs: StorePairs::default() };
            self.kept.send_replace(Arc::new(set));
        }
        Ok(replaced)
    }

    /// Waits until the offers are not `these` any more.
    pub async fn until_offers_differ(&self, these: &[Offer]) {
        let mut kept = self.kept.subscribe();
        // It fails only without a sender, which `self` is.
        let _changed = kept.wait_for(|set| set.offers() != these).await;
    }

    /// Adds a connection for each table that no named one holds. Its root is the table and its
    /// settings come from `variables`: for the command line, which runs everything in one process.
    /// They are called `@source` and `@target`, which are no valid names in a file.
    ///
    /// # Errors
    /// A malformed URI or setting.
    pub fn with_ad_hoc(
        self,
        tables: &[(&TableRef, Side)],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        for (table, side) in tables.iter().filter(|(table, _)| table.connection.is_none()) {
            self.add_ad_hoc(table, *side, variables).map_err(|error| error.failure_of(*side))?;
        }
        Ok(self)
    }

    /// Adds a connection to a store that the caller has: a simulation keeps its own in memory.
    ///
    /// # Errors
    /// A malformed URL.
    pub fn with_store(
        self,
        name: &str,
        url: &str,
        roles: &[Side],
        store: Arc<impl ObjectStore + MultipartStore>,
    ) -> Result<Self, ConnectionError> {
        let location = Location::parse(url)?;
        let fingerprint = Sha256::digest(location.uri()).into();
        let streaming = StreamingStore::new(store.clone(), store.clone(), Streaming::Collected);
        let connection = Connection {
            location,
            roles: roles.to_vec(),
            fingerprint,
            own_copies: None,
            endpoint: String::new(),
            region: None,
            store,
            plain: None,
            streaming: Some(streaming),
            line: None,
            found: Arc::default(),
            labels: BTreeMap::new(),
            classified: BTreeMap::new(),
            said: None,
        };
        self.add(name, connection);
        Ok(self)
    }

    fn add_ad_hoc(
        &self,
        table: &TableRef,
        side: Side,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), ConnectionError> {
        match self.resolve(table, side) {
            Err(ConnectionError::NoConnection { .. }) => {}
            // The other table lies above this one: the coordinator decides about that.
            Err(ConnectionError::Role { name, .. }) if name.starts_with('@') => {}
            settled => return settled.map(drop),
        }
        let name = format!("@{side}");
        let location = Location::parse(&table.uri)?;
        let options = settings::from_environment(&name, location.scheme, side, variables)?;
        let said = PlaceSettings::default();
        let connection = connection(&name, location, vec![side], &options, &With::default(), said)?;
        self.add(&name, connection);
        Ok(())
    }

    /// Finds a table's connection: the named one, or the one with the longest root above the URI.
    ///
    /// # Errors
    /// No such connection, a table outside its root or its roles, or a malformed URI.
    pub fn resolve(&self, table: &TableRef, side: Side) -> Result<Resolved, ConnectionError> {
        let location = Location::parse(&table.uri)?;
        let set = self.now();
        let (name, connection) = match &table.connection {
            Some(name) => {
                let found = set.by_name.get_key_value(name);
                found.ok_or_else(|| ConnectionError::Unknown { name: name.clone() })?
            }
            None => set.longest_root(&location, side)?,
        };
        if !connection.roles.contains(&side) {
            return Err(ConnectionError::Role { name: name.clone(), side });
        }
        let Some(root) = connection.location.path_below(&location) else {
            return Err(ConnectionError::OutsideRoot { uri: location.uri(), name: name.clone() });
        };
        // The connection's spelling of store and account, so that one table has one URI.
        let uri = Location { path: location.path, ..connection.location.clone() }.uri();
        let fingerprint = connection.fingerprint;
        Ok(Resolved { connection: name.clone(), fingerprint, root, uri })
    }

    /// Names the table at `path` below the root of a connection; the root itself when it is empty.
    ///
    /// # Errors
    /// An unknown connection, or a path that could leave the root.
    pub fn below(&self, name: &str, path: &str) -> Result<TableRef, ConnectionError> {
        let set = self.now();
        let connection = set.get(name)?;
        let outside =
            |_| ConnectionError::OutsideRoot { uri: path.to_owned(), name: name.to_owned() };
        location::check_path(path).map_err(outside)?;
        let path = join(&connection.location.path, path);
        let uri = Location { path, ..connection.location.clone() }.uri();
        Ok(TableRef { uri, connection: Some(name.to_owned()) })
    }

    /// Opens a table that [`Self::resolve`] found.
    ///
    /// # Errors
    /// A connection that this process does not have.
    pub fn open(&self, table: &Resolved) -> Result<TableStore, ConnectionError> {
        self.open_by(&table.connection, &table.fingerprint, &table.root).map(|opened| opened.table)
    }

    /// Opens the table at the path `root` below a connection's root, as a task names it.
    ///
    /// # Errors
    /// An unknown connection, another fingerprint, or a path that could leave the root.
    pub fn open_by(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
        root: &str,
    ) -> Result<Opened, ConnectionError> {
        let set = self.now();
        let connection = set.get(name)?;
        if connection.fingerprint != *fingerprint {
            return Err(ConnectionError::Fingerprint { name: name.to_owned() });
        }
        let outside =
            || ConnectionError::OutsideRoot { uri: root.to_owned(), name: name.to_owned() };
        location::check_path(root).map_err(|_| outside())?;
        let path = join(&connection.location.path, root);
        let location = Location { path, ..connection.location.clone() };
        let writes = match connection.fit_streaming() {
            Some(streaming) => Writes::Store(streaming),
            None => {
                let (root, folder) = (connection.location.local_path(), location.local_path());
                Writes::Folder(LocalFolder::new(root, folder))
            }
        };
        let root = Path::parse(&location.path).map_err(|_| outside())?;
        let uri = location.uri();
        let large = LargeWrites::new(writes.clone());
        let large = Some(match StoreKind::of(&uri) {
            StoreKind::S3 => large.within(PutLimits::S3),
            StoreKind::Azure => large.within(PutLimits::AZURE),
            // One put of Google Cloud Storage takes 5 TiB.
            StoreKind::Gcs | StoreKind::Local | StoreKind::Other => large,
        });
        let table = TableStore { store: connection.fit_store(), root, uri, large };
        Ok(Opened { table, writes })
    }

    /// Opens connections to the server of this store until `count` of them wait for requests that
    /// are about to come. They are closed soon if none comes. Must be called within a tokio
    /// runtime.
    pub fn connect_ahead(&self, name: &str, count: usize) {
        let set = self.now();
        if let Some(line) = set.by_name.get(name).and_then(|connection| connection.line.as_ref()) {
            line.connect_ahead(count);
        }
    }

    /// Returns the store of two connections that may copy by itself; `None` when they are of two
    /// stores or have two sets of credentials.
    #[must_use]
    pub fn one_store(&self, source: &str, target: &str) -> Option<OneStore> {
        let set = self.now();
        let (from, to) = (set.by_name.get(source)?, set.by_name.get(target)?);
        let (of_source, of_target) = (from.own_copies.as_ref()?, to.own_copies.as_ref()?);
        if of_source.principal != of_target.principal {
            return None;
        }
        let mut pairs = set.pairs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let pair = pairs.entry((source.to_owned(), target.to_owned()));
        Some(pair.or_insert_with(|| OneStore::new(of_source.source.clone())).clone())
    }

    /// Returns where the store of a connection is; `None` when that is not known.
    #[must_use]
    pub fn region(&self, name: &str) -> Option<Region> {
        self.now().by_name.get(name)?.region.clone()
    }

    /// Returns where copies from one connection to another come from and go to.
    #[must_use]
    pub fn regions(&self, source: &str, target: &str) -> RegionPair {
        RegionPair { source: self.region(source), target: self.region(target) }
    }

    /// Returns the folders above a table, the nearest first, up to the connection's root. For a
    /// connection of the command line, whose root is the table, up to its bucket or disk.
    ///
    /// # Errors
    /// An unknown connection.
    pub fn above(&self, table: &Resolved) -> Result<Vec<TableStore>, ConnectionError> {
        let name = &table.connection;
        let unknown = || ConnectionError::Unknown { name: name.clone() };
        let set = self.now();
        let connection = set.get(name)?;
        let location = &connection.location;
        let whole = self.open(table)?.root.to_string();
        let is_ours = name.starts_with('@');
        let base = if is_ours { String::new() } else { location.path.clone() };
        let (whole, base) = match location.scheme {
            // Links do not change which folders lie above.
            Scheme::File => (location::real_path(&whole), location::real_path(&base)),
            _ => (whole, base),
        };
        let store = match location.scheme {
            Scheme::File => Arc::new(LocalStore::new(format!("/{base}").into())) as _,
            _ => Arc::clone(&connection.store),
        };
        let mut path = whole.as_str();
        let mut above = Vec::new();
        while path != base && above.len() < FOLDERS_ABOVE_MAX {
            path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let root = Path::parse(path).map_err(|_| unknown())?;
            let uri = Location { path: path.to_owned(), ..location.clone() }.uri();
            above.push(TableStore::held(Arc::clone(&store), root, uri));
            if path.is_empty() {
                break;
            }
        }
        Ok(above)
    }

    /// Refuses a source and a target that are one table, or of which one lies inside the other, and
    /// a source that a rule keeps from the target's connection.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with both tables, or an unknown connection; ACCESS_DENIED with the rule.
    pub fn refuse_pair(&self, source: &Resolved, target: &Resolved) -> Result<(), Failure> {
        let set = self.now();
        set.refuse_by_rules(source, target)?;
        let place = |table: &Resolved| {
            let connection = set.get(&table.connection).map_err(|error| error.failure())?;
            let location = &connection.location;
            let path = join(&location.path, &table.root);
            let location = Location { path, ..location.clone() };
            Ok::<_, Failure>(TablePlace::new(&location, &connection.endpoint))
        };
        refuse_overlap((&place(source)?, &source.uri), (&place(target)?, &target.uri))
    }

    /// Returns what a worker of this process can reach, by name.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        self.now().offers()
    }
}

impl ConnectionSet {
    fn refuse_by_rules(&self, source: &Resolved, target: &Resolved) -> Result<(), Failure> {
        let get = |table: &Resolved| self.get(&table.connection).map_err(|error| error.failure());
        let (from, to) = (get(source)?, get(target)?);
        let path = join(&from.location.path, &source.root);
        let table = Location { path, ..from.location.clone() };
        let all = self.by_name.values().map(|each| (&each.location, &each.classified));
        let classified = flow_rules::classifications(&table, all);
        let (source, target) = (source.uri.as_str(), target.connection.as_str());
        flow_rules::refuse(&self.rules, (source, &classified), (target, &to.labels))
    }

    /// Returns the connection of this name.
    fn get(&self, name: &str) -> Result<&Connection, ConnectionError> {
        let found = self.by_name.get(name);
        found.ok_or_else(|| ConnectionError::Unknown { name: name.to_owned() })
    }

    fn longest_root(
        &self,
        location: &Location,
        side: Side,
    ) -> Result<(&String, &Connection), ConnectionError> {
        let uri = || location.uri();
        let mut above: Vec<_> = self
            .by_name
            .iter()
            .filter(|(_, connection)| connection.location.path_below(location).is_some())
            .collect();
        let Some((any, _)) = above.first().copied() else {
            return Err(ConnectionError::NoConnection { uri: uri() });
        };
        above.retain(|(_, connection)| connection.roles.contains(&side));
        above.sort_by_key(|(_, connection)| std::cmp::Reverse(connection.location.path.len()));
        match above[..] {
            [] => Err(ConnectionError::Role { name: any.clone(), side }),
            [(first, one), (second, other), ..]
                if one.location.path.len() == other.location.path.len() =>
            {
                let (first, second) = (first.clone(), second.clone());
                Err(ConnectionError::Ambiguous { uri: uri(), first, second })
            }
            [best, ..] => Ok(best),
        }
    }

    fn offers(&self) -> Vec<Offer> {
        self.by_name
            .iter()
            .map(|(name, connection)| Offer {
                name: name.clone(),
                fingerprint: connection.fingerprint,
                can_read: connection.roles.contains(&Side::Source),
                can_write: connection.roles.contains(&Side::Target),
            })
            .collect()
    }
}

fn all_named(config: &Config) -> Result<BTreeMap<String, Connection>, ConnectionError> {
    let each = config.connections.iter();
    let each = each.map(|(name, settings)| Ok((name.clone(), named(name, settings)?)));
    let all: BTreeMap<String, Connection> = each.collect::<Result<_, ConnectionError>>()?;
    flow_rules::check(&config.rules, all.values().flat_map(|each| each.classified.values()))?;
    Ok(all)
}
