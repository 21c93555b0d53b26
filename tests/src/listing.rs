//! What lies in a folder or a store, to the byte: to show that nothing was written, or exactly
//! what was, and to hand a replica to readers that want local files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use futures::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

/// Size in bytes and SHA-256 of each object, by its key relative to the folder or prefix.
pub type Listing = BTreeMap<String, (u64, [u8; 32])>;

/// Keys by what became of them between two listings.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Difference {
    /// Only in the later one.
    pub added: Vec<String>,
    /// In both with other bytes.
    pub changed: Vec<String>,
    /// Only in the earlier one.
    pub removed: Vec<String>,
}

/// Everything below a local folder; an absent folder is empty.
pub fn of_folder(folder: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut next = vec![folder.to_path_buf()];
    while let Some(current) = next.pop() {
        let Ok(entries) = fs::read_dir(&current) else { continue };
        for entry in entries {
            let path = entry.expect("an entry is readable").path();
            if path.is_dir() {
                next.push(path);
            } else {
                let key = path.strip_prefix(folder).expect("it lies below").to_string_lossy();
                listing.insert(key.into_owned(), evidence(&fs::read(&path).expect("readable")));
            }
        }
    }
    listing
}

/// Everything below a prefix of a store.
pub async fn of_store(store: &dyn ObjectStore, prefix: &str) -> Listing {
    let mut listing = Listing::new();
    for (key, name) in keys(store, prefix).await {
        let bytes = store.get(&key).await.expect("a listed object").bytes().await;
        listing.insert(name, evidence(&bytes.expect("a whole object")));
    }
    listing
}

/// Copies a prefix of a store to a local folder, byte for byte.
pub async fn download(store: &dyn ObjectStore, prefix: &str, folder: &Path) {
    for (key, name) in keys(store, prefix).await {
        let bytes = store.get(&key).await.expect("a listed object").bytes().await;
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("a new folder");
        fs::write(file, bytes.expect("a whole object")).expect("a new file");
    }
}

/// Copies a local folder below a prefix of a store, byte for byte.
pub async fn upload(folder: &Path, store: &dyn ObjectStore, prefix: &str) {
    for name in of_folder(folder).into_keys() {
        let bytes = fs::read(folder.join(&name)).expect("a listed file");
        let key = Key::parse(format!("{prefix}/{name}")).expect("a key");
        store.put(&key, bytes.into()).await.expect("an object put");
    }
}

/// What happened between two listings.
#[must_use]
pub fn difference(before: &Listing, after: &Listing) -> Difference {
    let mut found = Difference::default();
    for (key, evidence) in after {
        match before.get(key) {
            None => found.added.push(key.clone()),
            Some(earlier) if earlier != evidence => found.changed.push(key.clone()),
            Some(_) => {}
        }
    }
    found.removed = before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
    found
}

/// The keys below a prefix, each with its name relative to it.
async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<(Key, String)> {
    let prefix = Key::parse(prefix).expect("a prefix");
    let found: Vec<_> = store.list(Some(&prefix)).try_collect().await.expect("a listing");
    let cut = prefix.as_ref().len() + usize::from(!prefix.as_ref().is_empty());
    found
        .into_iter()
        .map(|object| {
            let name = object.location.as_ref()[cut..].to_owned();
            (object.location, name)
        })
        .collect()
}

fn evidence(bytes: &[u8]) -> (u64, [u8; 32]) {
    (bytes.len() as u64, Sha256::digest(bytes).into())
}
