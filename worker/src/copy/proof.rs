//! Reads an object back at the target and compares its bytes (I3).

use std::io::Read;

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use futures::StreamExt;
use object_store::{GetOptions, GetResultPayload, ObjectStore};

use super::counts::Counts;
use super::digests::Digests;
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectKey;
use super::retry::retrying;

/// The bytes that the target's object should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) crc64nvme: u64,
}

/// What was found in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The same bytes, under this tag.
    Equal(Option<ETag>),
    /// The object has other bytes.
    Different {
        /// The tag of that object.
        etag: Option<ETag>,
        /// The difference, for people.
        why: String,
    },
    /// No object has the key.
    Absent,
}

/// Bytes that are read of a file at once.
const FILE_CHUNK_BYTES: usize = 1 << 20;

/// Reads the target's object back and compares it; one of another length is not read.
///
/// # Errors
/// The target does not give it.
pub(crate) async fn compare(
    store: &dyn ObjectStore,
    object: &ObjectKey,
    expected: Expected,
    counts: &Counts,
) -> Result<Compared, CopyError> {
    let asked = (Side::Target, StoreOperation::Get);
    match retrying(counts, asked, || compare_once(store, object, expected, counts)).await {
        Ok(found) => Ok(found),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(Compared::Absent),
        Err(error) => Err(CopyError::target(&object.key, &error)),
    }
}

async fn compare_once(
    store: &dyn ObjectStore,
    object: &ObjectKey,
    expected: Expected,
    counts: &Counts,
) -> Result<Compared, StoreError> {
    counts.read_at(Side::Target);
    let answer = store.get_opts(&object.path, GetOptions::default()).await?;
    let (size, etag) = (answer.meta.size, ETag::of(&answer.meta));
    if size != expected.size {
        let why = format!("it has {size} bytes, not {}", expected.size);
        return Ok(Compared::Different { etag, why });
    }
    let digests = match answer.payload {
        GetResultPayload::File(file, _) => digests_of_file(file).await?,
        GetResultPayload::Stream(mut stream) => {
            let mut digests = Digests::new(None);
            while let Some(bytes) = stream.next().await {
                digests.update(&bytes?);
            }
            digests
        }
    };
    if digests.size() != size {
        let message = format!("{} of {size} bytes came", digests.size());
        return Err(StoreError::new(StoreErrorKind::Transient, message));
    }
    if digests.crc64nvme() != expected.crc64nvme {
        let why = "its bytes have another digest".to_owned();
        return Ok(Compared::Different { etag, why });
    }
    Ok(Compared::Equal(etag))
}

async fn digests_of_file(mut file: std::fs::File) -> Result<Digests, StoreError> {
    let work = move || {
        let mut digests = Digests::new(None);
        let mut buffer = vec![0; FILE_CHUNK_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digests),
                count => digests.update(&buffer[..count]),
            }
        }
    };
    let read: Result<Digests, std::io::Error> =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    Ok(read?)
}
