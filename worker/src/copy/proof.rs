//! Reads an object back at the target and compares its bytes (I3).

use std::io::Read;

use deepclone_common::connections::Side;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::stored_checksum::StoredChecksum;
use futures::StreamExt;
use object_store::{GetOptions, GetResultPayload, ObjectStore};

use super::counts::Counts;
use super::digests::{Digests, SecondDigest, StoreSays};
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectKey;
use super::retry::retrying;

/// The bytes that the target's object should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) checksum: StoredChecksum,
}

impl Expected {
    /// The digest of the checksum, if it is not CRC-64/NVME.
    fn second_digest(self) -> Option<SecondDigest> {
        match self.checksum {
            StoredChecksum::Crc64Nvme(_) => None,
            StoredChecksum::Crc32c(_) => Some(SecondDigest::Crc32c),
            StoredChecksum::Md5(_) => Some(SecondDigest::Md5),
        }
    }
}

/// What was found in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The object has the bytes that it should have.
    Equal {
        /// The tag that they were read under.
        etag: Option<ETag>,
        crc64nvme: u64,
    },
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
        GetResultPayload::File(file, _) => digests_of_file(file, expected.second_digest()).await?,
        GetResultPayload::Stream(mut stream) => {
            let mut digests = Digests::new(expected.second_digest());
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
    if digests.compare(Some(expected.checksum)) != StoreSays::Same {
        let why = "its bytes have another digest".to_owned();
        return Ok(Compared::Different { etag, why });
    }
    Ok(Compared::Equal { etag, crc64nvme: digests.crc64nvme() })
}

async fn digests_of_file(
    mut file: std::fs::File,
    second: Option<SecondDigest>,
) -> Result<Digests, StoreError> {
    let work = move || {
        let mut digests = Digests::new(second);
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
