//! The hash of an object that is read for nothing else, and is not held.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use deepclone_common::store::error::StoreErrorKind;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt as _;
use object_store::{Error, GetResultPayload, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};

use super::{key, storage};
use crate::error::DeltaError;

/// Bytes of a local file that are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// Computes the SHA-256 of the object at `relative` while reading it as a stream, and whether it
/// has no bytes but white space; `None` when it is absent.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn sha256(
    table: &TableStore,
    relative: &str,
) -> Result<Option<([u8; 32], bool)>, DeltaError> {
    let key = key(table, relative)?;
    let read = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move {
            let (mut hash, mut is_blank) = (Sha256::new(), true);
            let found = store.get(&key).await?;
            if let GetResultPayload::File(file, path) = found.payload {
                let of_file = move || sha256_of(file).map_err(|error| unreadable(&path, error));
                return tokio::task::spawn_blocking(of_file).await?;
            }
            let mut body = found.into_stream();
            while let Some(bytes) = body.try_next().await? {
                is_blank = is_blank && bytes.trim_ascii().is_empty();
                hash.update(&bytes);
            }
            Ok::<_, Error>((hash.finalize().into(), is_blank))
        }
    };
    match retrying(Patience::LOG, table.asked(StoreOperation::Get), read).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Computes the SHA-256 of a local file, and whether it has no bytes but white space.
fn sha256_of(mut file: File) -> io::Result<([u8; 32], bool)> {
    let (mut hash, mut is_blank, mut part) = (Sha256::new(), true, vec![0; HASHED_AT_ONCE]);
    loop {
        let count = file.read(&mut part)?;
        if count == 0 {
            return Ok((hash.finalize().into(), is_blank));
        }
        is_blank = is_blank && part[..count].trim_ascii().is_empty();
        hash.update(&part[..count]);
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::Generic {
        store: "LocalFileSystem",
        source: format!("{}: {error}", path.display()).into(),
    }
}
