//! Copies of Google Cloud Storage: the store makes the object, by one request or several.
//!
//! It says the CRC-32C of source and copy, and nobody says the CRC-64/NVME that a receipt needs. So
//! each copy is read back: its bytes must have the CRC-32C of the source.

use deepclone_common::connections::Side;
use deepclone_common::store::copying::google::{RewriteSource, RewriteStep};
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::operation::StoreOperation;
use deepclone_core::receipt::{ObjectReceipt, Proof};

use super::asked::{AskedCopy, StoreCopy};
use crate::copy::confirm::read_back;
use crate::copy::context::TaskContext;
use crate::copy::error::CopyError;
use crate::copy::etag::recorded;
use crate::copy::found::found;
use crate::copy::key::ObjectToCopy;
use crate::copy::retry::ObjectRetry;
use crate::copy::settle::CopiedObject;

/// Why the store did not make the object.
struct Failed {
    error: StoreError,
    /// True when it may have made it: the answer to an earlier request was lost.
    is_lost: bool,
}

/// Lets the store make the object, and reads it back.
///
/// # Errors
/// The source's object is in another state, the target's cannot be written or is not what it should
/// be, or another one has its key.
pub(super) async fn copy_by_rewriting(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    asked: &AskedCopy<'_>,
    bucket: &str,
) -> Result<StoreCopy, CopyError> {
    let AskedCopy { source, checksum, generation, .. } = asked;
    let key = &object.target.key;
    let Some(checksum) = checksum.filter(|_| !generation.is_empty()) else {
        return Ok(StoreCopy::Flows);
    };
    let from = RewriteSource {
        bucket: bucket.to_owned(),
        key: object.source.at.key(),
        generation: generation.clone(),
    };
    context.check_lease(key)?;
    let copy = async {
        let _slot = context.slot_of_store(source.size).await;
        Ok(rewrite(context, object, &from).await)
    };
    match context.until_stopped(key, copy).await? {
        Ok(()) => context.counts.wrote(source.size),
        Err(Failed { error, is_lost }) => match error.kind {
            // Of the source's generation, or of the target's key.
            StoreErrorKind::Precondition | StoreErrorKind::AlreadyExists => {
                let found = found(context, object, source, &mut None).await?;
                let gone = || CopyError::target(key, &error.when_absent());
                let found = found.ok_or_else(gone)?;
                let found = CopiedObject { is_unheard: is_lost, ..found };
                return Ok(StoreCopy::Copied(found));
            }
            _ => return Ok(StoreCopy::Refused(error)),
        },
    }
    let read = read_back(context, &object.target, (source.size, checksum), None).await?;
    let receipt = ObjectReceipt {
        size: source.size,
        crc64nvme: read.crc64nvme,
        source_etag: recorded(source.etag.as_ref()),
        target_etag: recorded(read.etag.as_ref()),
        existed: false,
        proof: Proof::ReadBack,
    };
    let copied = CopiedObject { receipt, is_unheard: false, is_doubtful: false, is_by_store: true };
    Ok(StoreCopy::Copied(copied))
}

/// Asks for the copy until it is done.
async fn rewrite(
    context: &TaskContext,
    object: &ObjectToCopy<'_>,
    from: &RewriteSource,
) -> Result<(), Failed> {
    let mut retry = ObjectRetry::new(&context.counts, Side::Target, StoreOperation::Copy);
    let (mut token, mut before, mut is_lost) = (None::<String>, 0, false);
    loop {
        context.lease.renewed().await;
        let step = context.target.rewrite_step(&object.target, from, token.as_deref()).await;
        let error = match step {
            Ok(RewriteStep::Done { .. }) => return Ok(()),
            Ok(RewriteStep::More { token: next, copied }) if copied > before => {
                (token, before) = (Some(next), copied);
                continue;
            }
            Ok(RewriteStep::More { .. }) => {
                let message = "the store's own copy makes no progress";
                StoreError::new(StoreErrorKind::Other, message)
            }
            Err(error) => error,
        };
        is_lost |= error.kind.is_retryable();
        let Some(pause) = retry.next(&error) else { return Err(Failed { error, is_lost }) };
        tokio::time::sleep(pause).await;
    }
}
