//! A copy that a store is asked for, and how that ended.

use deepclone_common::connections::{OneStore, Side};
use deepclone_common::store::error::StoreError;
use deepclone_common::store::literal::ObjectPath;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::requests::{Looked, look};
use deepclone_common::store::stored_checksum::StoredChecksum;

use crate::copy::context::TaskContext;
use crate::copy::read::SourceState;
use crate::copy::retry::retrying;
use crate::copy::settle::CopiedObject;

/// An object as its store describes it, which is to be copied by that store.
#[derive(Clone, Debug)]
pub(crate) struct AskedCopy<'a> {
    pub(crate) store: &'a OneStore,
    /// Its tag is a strong one.
    pub(crate) source: SourceState,
    pub(crate) checksum: Option<StoredChecksum>,
    /// Empty where the store has none.
    pub(crate) generation: String,
}

/// What became of a copy that a store was asked for.
#[derive(Debug)]
pub(crate) enum StoreCopy {
    Copied(CopiedObject),
    /// Not at all, of this object: its bytes are to flow.
    Flows,
    /// The store refuses to copy by itself.
    Refused(StoreError),
}

/// Describes an object with its checksum, whatever is verified: receipts need it.
pub(crate) async fn looked_at(
    context: &TaskContext,
    side: Side,
    at: &ObjectPath,
) -> Result<Looked, StoreError> {
    retrying(&context.counts, (side, StoreOperation::Head), || {
        context.counts.read_at(side);
        look(context.store_of(side), at)
    })
    .await
}
