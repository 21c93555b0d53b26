//! Reading back at the target: what is there has these bytes, or it has not (I3).

use std::io::Read;

use crc_fast::Digest;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::retry::{Patience, retrying};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetResultPayload, ObjectStore};

use super::Counts;
use super::error::CopyError;
use super::read::new_digest;

/// What the target's object should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) crc64nvme: u64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The same bytes, under this tag.
    Equal {
        /// The tag; empty where the store has none.
        etag: String,
    },
    /// Something else.
    Different {
        /// Its tag; empty where the store has none.
        etag: String,
        /// In what.
        why: String,
    },
    /// Nothing.
    Nothing,
}

/// Bytes that a file is read in.
const FILE_CHUNK_BYTES: usize = 1 << 20;

/// Reads the target's object back and compares; a length that differs is not read.
pub(crate) async fn compare(
    store: &dyn ObjectStore,
    path: &Path,
    key: &str,
    expected: Expected,
    counts: &Counts,
) -> Result<Found, CopyError> {
    match retrying(Patience::OBJECT, || compare_once(store, path, expected, counts)).await {
        Ok(found) => Ok(found),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(CopyError::target(key, &error)),
    }
}

async fn compare_once(
    store: &dyn ObjectStore,
    path: &Path,
    expected: Expected,
    counts: &Counts,
) -> Result<Found, StoreError> {
    counts.request();
    let answer = store.get_opts(path, GetOptions::default()).await?;
    let (size, etag) = (answer.meta.size, answer.meta.e_tag.clone().unwrap_or_default());
    if size != expected.size {
        let why = format!("it has {size} bytes, not {}", expected.size);
        return Ok(Found::Different { etag, why });
    }
    let digest = match answer.payload {
        GetResultPayload::File(file, _) => digest_of_file(file).await?,
        GetResultPayload::Stream(mut stream) => {
            let mut digest = new_digest();
            while let Some(bytes) = stream.next().await {
                digest.update(&bytes?);
            }
            digest
        }
    };
    if digest.get_amount() != size {
        let message = format!("{} of {size} bytes came", digest.get_amount());
        return Err(StoreError::new(StoreErrorKind::Transient, message));
    }
    if digest.finalize() != expected.crc64nvme {
        let why = "its bytes have another digest".to_owned();
        return Ok(Found::Different { etag, why });
    }
    Ok(Found::Equal { etag })
}

async fn digest_of_file(mut file: std::fs::File) -> Result<Digest, StoreError> {
    let work = move || {
        let mut digest = new_digest();
        let mut buffer = vec![0; FILE_CHUNK_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digest),
                count => digest.update(&buffer[..count]),
            }
        }
    };
    let read: Result<Digest, std::io::Error> =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    Ok(read?)
}
