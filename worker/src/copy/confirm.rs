//! Reads an object back that was just written, and deletes one that is not what it should be.

use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_core::receipt::{Proof, TaskFailureKind};
use deepclone_core::spec::Verification;

use super::context::TaskContext;
use super::error::CopyError;
use super::etag::ETag;
use super::key::ObjectKey;
use super::proof::{Compared, Expected, compare};
use super::settle::CopiedObject;

/// What reading an object back showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadBack {
    /// The tag of the object that was read.
    pub(crate) etag: Option<ETag>,
    pub(crate) crc64nvme: u64,
}

/// Reads back an object that was just written, where that is asked for or the store said another
/// checksum, unless that was done.
///
/// # Errors
/// It is not what it should be.
pub(crate) async fn confirm(
    context: &TaskContext,
    target: &ObjectKey,
    mut copied: CopiedObject,
) -> Result<CopiedObject, CopyError> {
    let receipt = &copied.receipt;
    let is_asked = context.verification == Verification::ReadBack || copied.is_doubtful;
    if is_asked && !receipt.existed && receipt.proof != Proof::ReadBack {
        let checksum = StoredChecksum::Crc64Nvme(receipt.crc64nvme);
        let written = ETag::new(receipt.target_etag.as_str());
        let read = read_back(context, target, (receipt.size, checksum), written.as_ref());
        Box::pin(read).await?;
        copied.receipt.proof = Proof::ReadBack;
    }
    Ok(copied)
}

/// Reads what was just written and has this size and checksum; a bad object is deleted if it has
/// the tag that was written, so that the next attempt finds nothing.
///
/// # Errors
/// It is not what it should be.
pub(crate) async fn read_back(
    context: &TaskContext,
    target: &ObjectKey,
    (size, checksum): (u64, StoredChecksum),
    written: Option<&ETag>,
) -> Result<ReadBack, CopyError> {
    let key = &target.key;
    let _slot = context.look().await;
    let expected = Expected { size, checksum };
    let message = match compare(context.target_store(), target, expected, &context.counts).await? {
        Compared::Equal { etag, crc64nvme } => return Ok(ReadBack { etag, crc64nvme }),
        Compared::Absent => format!("{key} was written and is not there"),
        Compared::Different { why, .. } => {
            let message = format!("{key} was written and is not what it should be: {why}");
            match context.target.delete(target, written).await {
                Ok(()) => message,
                Err(error) => format!("{message}; it cannot be deleted: {error}"),
            }
        }
    };
    Err(CopyError::new(TaskFailureKind::Corrupt, message))
}
