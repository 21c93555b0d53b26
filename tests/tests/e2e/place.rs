//! Where a table lies: a local folder, or a prefix of one of the stores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use deepclone_tests::environment::{Azure, BUCKET, Cloud, environment};
use deepclone_tests::listing::{self, Listing};
use object_store::{ObjectStore, ObjectStoreExt as _};
use tempfile::TempDir;

#[derive(Clone)]
pub(crate) enum Place {
    /// A folder of this machine.
    Local(PathBuf),
    /// A prefix of a cloud's bucket.
    Cloud(Cloud, String),
    /// A prefix of Azurite's container.
    Azure(Azure, String),
}

impl Place {
    /// A fresh prefix in the north cloud.
    pub(crate) fn north(name: &str) -> Self {
        Self::Cloud(environment().services.north.clone(), unique(name))
    }

    /// A fresh prefix in the south cloud.
    pub(crate) fn south(name: &str) -> Self {
        Self::Cloud(environment().services.south.clone(), unique(name))
    }

    /// A fresh prefix in Azurite.
    pub(crate) fn azure(name: &str) -> Self {
        Self::Azure(environment().services.azure.clone(), unique(name))
    }

    /// The same place behind another address, such as a proxy's.
    pub(crate) fn at(&self, endpoint: &str) -> Self {
        match self {
            Self::Cloud(cloud, prefix) => Self::Cloud(cloud.at(endpoint), prefix.clone()),
            Self::Azure(azure, prefix) => Self::Azure(azure.at(endpoint), prefix.clone()),
            Self::Local(_) => panic!("only a store has a proxy"),
        }
    }

    /// The endpoint of a store.
    pub(crate) fn endpoint(&self) -> &str {
        match self {
            Self::Cloud(cloud, _) => &cloud.endpoint,
            Self::Azure(azure, _) => &azure.endpoint,
            Self::Local(_) => panic!("only a store has a proxy"),
        }
    }

    /// What a user types.
    pub(crate) fn uri(&self) -> String {
        match self {
            Self::Local(folder) => folder.display().to_string(),
            Self::Cloud(_, prefix) => format!("s3://{BUCKET}/{prefix}"),
            Self::Azure(_, prefix) => format!("az://{BUCKET}/{prefix}"),
        }
    }

    /// The URI that a server takes.
    pub(crate) fn server_uri(&self) -> String {
        match self {
            Self::Local(folder) => format!("file://{}", folder.display()),
            Self::Cloud(..) | Self::Azure(..) => self.uri(),
        }
    }

    /// Environment settings for the command line; `prefix` is `SOURCE_` or `TARGET_`.
    pub(crate) fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        match self {
            Self::Local(_) => Vec::new(),
            Self::Cloud(cloud, _) => cloud.settings(prefix),
            Self::Azure(azure, _) => azure.settings(prefix),
        }
    }

    /// A named connection of the configuration file whose root is above this place.
    pub(crate) fn connection(&self, name: &str) -> String {
        match self {
            Self::Local(folder) => {
                let root = folder.parent().expect("a folder below another").display();
                format!(
                    "[connections.{name}]\nurl = \"file://{root}\"\n\
                     roles = [\"source\", \"target\"]\n"
                )
            }
            Self::Cloud(cloud, _) => cloud.connection(name, ""),
            Self::Azure(azure, _) => azure.connection(name, ""),
        }
    }

    /// Everything that lies there.
    pub(crate) async fn listing(&self) -> Listing {
        match self {
            Self::Local(folder) => listing::of_folder(folder),
            Self::Cloud(_, prefix) | Self::Azure(_, prefix) => {
                listing::of_store(&*self.store(), prefix).await
            }
        }
    }

    /// Puts a local table there.
    pub(crate) async fn put(&self, folder: &Path) {
        match self {
            Self::Local(_) => panic!("a local table is written in place"),
            Self::Cloud(_, prefix) | Self::Azure(_, prefix) => {
                listing::upload(folder, &*self.store(), prefix).await;
            }
        }
    }

    /// Puts a local table into a cloud that keeps the checksums of its objects.
    pub(crate) async fn put_with_checksums(&self, folder: &Path) {
        let Self::Cloud(cloud, prefix) = self else { panic!("only a cloud keeps them") };
        listing::upload(folder, &*cloud.store_with_checksums(), prefix).await;
    }

    /// Puts other bytes under a key, or none, as no process of ours does.
    pub(crate) async fn replace(&self, key: &str, bytes: Option<Vec<u8>>) {
        let (store, key): (Box<dyn ObjectStore>, _) = match self {
            Self::Local(folder) => {
                let path = folder.join(key);
                std::fs::remove_file(&path).expect("it is there");
                bytes.into_iter().for_each(|bytes| std::fs::write(&path, bytes).expect("a file"));
                return;
            }
            Self::Cloud(_, prefix) | Self::Azure(_, prefix) => {
                (self.store(), format!("{prefix}/{key}").into())
            }
        };
        let done = match bytes {
            Some(bytes) => store.put(&key, bytes.into()).await.map(|_| ()),
            None => store.delete(&key).await,
        };
        done.expect("the store writes");
    }

    /// Puts an object by parts over the one that is there: Azure then has no MD5 of it.
    pub(crate) async fn replace_by_parts(&self, key: &str, bytes: Vec<u8>) {
        let Self::Azure(_, prefix) = self else { panic!("only Azure's has an MD5") };
        let key = object_store::path::Path::parse(format!("{prefix}/{key}")).expect("a key");
        let mut upload = self.store().put_multipart(&key).await.expect("an upload");
        upload.put_part(bytes.into()).await.expect("a part");
        upload.complete().await.expect("an object");
    }

    /// A byte-for-byte copy for readers that want local files; a local table is its own.
    pub(crate) async fn local_copy(&self) -> LocalCopy {
        match self {
            Self::Local(folder) => LocalCopy { folder: folder.clone(), _scratch: None },
            Self::Cloud(_, prefix) | Self::Azure(_, prefix) => {
                let scratch = tempfile::tempdir().expect("a scratch folder");
                listing::download(&*self.store(), prefix, scratch.path()).await;
                LocalCopy { folder: scratch.path().to_owned(), _scratch: Some(scratch) }
            }
        }
    }

    fn store(&self) -> Box<dyn ObjectStore> {
        match self {
            Self::Local(_) => panic!("a folder is no store"),
            Self::Cloud(cloud, _) => cloud.store(),
            Self::Azure(azure, _) => azure.store(),
        }
    }
}

/// A table as local files; a download is deleted when dropped.
pub(crate) struct LocalCopy {
    pub(crate) folder: PathBuf,
    _scratch: Option<TempDir>,
}

impl LocalCopy {
    /// The folder as readers take it.
    pub(crate) fn location(&self) -> &str {
        self.folder.to_str().expect("test folders have plain names")
    }
}

/// A prefix that no other test, run or process uses.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_millis();
    format!("{name}-{since}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
