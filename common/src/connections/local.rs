//! The store of a `file://` connection: the local file system below the root. Links that lead out
//! of it are refused.
//!
//! The client's entity tag of a file holds its inode, length and time of modification, which the
//! owner can set: a tool that rewrites a file in place and keeps its time leaves the old tag. The
//! time of the inode's last change, which nobody can set, is added here.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::local_folder::{LeadsOutside, resolve_below};

type Listing = BoxStream<'static, Result<ObjectMeta>>;

/// Local files. The key of a file is its absolute path without the first slash.
#[derive(Clone, Debug)]
pub(super) struct LocalStore {
    root: PathBuf,
    inner: Arc<LocalFileSystem>,
}

impl LocalStore {
    /// Creates the store of the files below `root`.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, inner: Arc::new(LocalFileSystem::new().with_fsync(true)) }
    }

    fn check(&self, at: &Path) -> Result<()> {
        match resolve_below(&self.root, &PathBuf::from(format!("/{at}"))) {
            Ok(_) => Ok(()),
            // The request itself fails with this error, too.
            Err(error) => match error.get_ref().map(|inner| inner.is::<LeadsOutside>()) {
                Some(true) => Err(Error::PermissionDenied {
                    path: at.to_string(),
                    source: error.into_inner().unwrap_or_else(|| "a link".into()),
                }),
                _ => Ok(()),
            },
        }
    }

    /// Runs [`Self::check`], which reads the disk for each segment, away from the async threads.
    async fn check_async(&self, at: &Path) -> Result<()> {
        let (store, at) = (self.clone(), at.clone());
        let checked = tokio::task::spawn_blocking(move || store.check(&at)).await;
        checked.map_err(|source| Error::JoinError { source })?
    }

    fn checked_list(
        &self,
        prefix: Option<&Path>,
        list: impl FnOnce(&LocalFileSystem) -> Listing + Send + 'static,
    ) -> Listing {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            store.check_async(&prefix).await?;
            Ok::<_, Error>(list(&store.inner))
        };
        stream::once(listed).try_flatten().boxed()
    }
}

/// Returns the tag of the opened file, or `None` when no file was opened.
fn tag(answer: &GetResult) -> Result<Option<String>> {
    let GetResultPayload::File(file, _) = &answer.payload else { return Ok(None) };
    let metadata = file
        .metadata()
        .map_err(|source| Error::Generic { store: "LocalFileSystem", source: source.into() })?;
    let tag = answer.meta.e_tag.as_deref();
    Ok(tag.map(|tag| format!("{tag}-{:x}.{:x}", metadata.ctime(), metadata.ctime_nsec())))
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files below {}", self.root.display())
    }
}

#[async_trait::async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, at: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.check_async(at).await?;
        self.inner.put_opts(at, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check_async(at).await?;
        self.inner.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.check_async(at).await?;
        let GetOptions { if_match, if_none_match, .. } = how.clone();
        let how = GetOptions { if_match: None, if_none_match: None, ..how };
        let mut answer = self.inner.get_opts(at, how).await?;
        answer.meta.e_tag = tag(&answer)?;
        GetOptions { if_match, if_none_match, ..GetOptions::default() }
            .check_preconditions(&answer.meta)?;
        Ok(answer)
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let checked = at.and_then(move |at| {
            let store = store.clone();
            async move {
                store.check_async(&at).await?;
                Ok(at)
            }
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let asked = prefix.cloned();
        self.checked_list(prefix, move |inner| inner.list(asked.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (asked, offset) = (prefix.cloned(), offset.clone());
        self.checked_list(prefix, move |inner| inner.list_with_offset(asked.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_async(prefix.unwrap_or(&Path::default())).await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.check_async(from).await?;
        self.check_async(to).await?;
        self.inner.copy_opts(from, to, how).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use object_store::ObjectStoreExt;

    use super::*;
    use crate::store::error::{StoreError, StoreErrorKind};

    #[tokio::test]
    async fn a_file_that_is_rewritten_with_its_old_time_has_another_tag() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        let store = LocalStore::new(scratch.path().to_owned());
        let key = Path::from_absolute_path(&file).unwrap();
        let write = |bytes: &[u8]| {
            use std::io::Write as _;
            let mut opened =
                std::fs::File::options().create(true).truncate(false).write(true).open(&file)?;
            opened.write_all(bytes)?;
            opened.set_modified(std::time::UNIX_EPOCH)
        };
        let get = async |tag: Option<&String>| {
            let how = GetOptions { if_match: tag.cloned(), ..GetOptions::default() };
            store.get_opts(&key, how).await
        };
        write(b"old").unwrap();
        let old = get(None).await.unwrap().meta.e_tag.unwrap();
        assert_eq!(store.head(&key).await.unwrap().e_tag.as_ref(), Some(&old));
        assert_eq!(get(Some(&old)).await.unwrap().bytes().await.unwrap(), "old");
        // The clock of the file system stands still for some milliseconds.
        while store.head(&key).await.unwrap().e_tag.as_ref() == Some(&old) {
            write(b"new").unwrap();
        }
        let error = get(Some(&old)).await.unwrap_err();
        assert!(matches!(error, Error::Precondition { .. }), "{error}");
        assert_eq!(get(None).await.unwrap().bytes().await.unwrap(), "new");
    }

    #[tokio::test]
    async fn nothing_is_read_written_or_listed_through_a_link_that_leads_outside() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        std::fs::create_dir_all(at("root/t/real")).unwrap();
        std::fs::create_dir_all(at("outside/_delta_log")).unwrap();
        std::fs::write(at("outside/_delta_log/0.json"), "secret").unwrap();
        std::fs::write(at("root/t/real/file"), "x").unwrap();
        symlink(at("outside/_delta_log"), at("root/t/_delta_log")).unwrap();
        symlink(at("outside/_delta_log/0.json"), at("root/t/real/0.json")).unwrap();
        symlink("real", at("root/t/inside")).unwrap();
        let store = LocalStore::new(at("root"));
        let key = |name: &str| Path::from_absolute_path(at("root/t").join(name)).unwrap();
        let refused = |error: Error, what: &str| {
            let error = StoreError::from(error);
            assert_eq!(error.kind, StoreErrorKind::Denied, "{what}: {error}");
            assert!(error.message.starts_with("a link leads out of"), "{what}: {error}");
        };
        for name in ["_delta_log/0.json", "real/0.json"] {
            refused(store.get(&key(name)).await.unwrap_err(), name);
            refused(store.head(&key(name)).await.unwrap_err(), name);
            refused(store.put(&key(name), "y".into()).await.unwrap_err(), name);
            refused(store.delete(&key(name)).await.unwrap_err(), name);
        }
        refused(store.put(&key("_delta_log/new"), "y".into()).await.unwrap_err(), "new");
        let listed: Result<Vec<_>> = store.list(Some(&key("_delta_log"))).try_collect().await;
        refused(listed.unwrap_err(), "list");
        let (folder, offset) = (key("_delta_log"), key("_delta_log/0"));
        let listed: Result<Vec<_>> =
            store.list_with_offset(Some(&folder), &offset).try_collect().await;
        refused(listed.unwrap_err(), "list from an offset");
        assert_eq!(std::fs::read(at("outside/_delta_log/0.json")).unwrap(), b"secret");
        assert_eq!(std::fs::read_dir(at("outside/_delta_log")).unwrap().count(), 1);
        for name in ["real/file", "inside/file"] {
            assert_eq!(store.get(&key(name)).await.unwrap().bytes().await.unwrap(), "x");
        }
        store.put(&key("inside/new"), "y".into()).await.unwrap();
        let absent = store.get(&key("absent/a")).await.unwrap_err();
        assert_eq!(StoreError::from(absent).kind, StoreErrorKind::NotFound);
    }
}
