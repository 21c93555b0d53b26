//! An object that is to be written: where, and bytes of it that can be read again from any place.

use std::ops::Range;

use async_trait::async_trait;
use object_store::path::Path;

use crate::store::flow_body::BodyCut;
use crate::store::operation::StoreOperation;
use crate::store::retry::RetriedRequest;
use crate::store::streaming::Flow;

/// The bytes of an object, which can be read more than once.
#[async_trait]
pub trait LargeBody: Send + Sync {
    /// How many bytes there are.
    fn length(&self) -> u64;

    /// The bytes of a range, as they are read.
    fn flow(&self, range: Range<u64>) -> Flow;

    /// The CRC-64/NVME of the bytes of a range.
    ///
    /// # Errors
    /// They cannot be read.
    async fn crc64nvme(&self, range: Range<u64>) -> Result<u64, BodyCut>;

    /// True once bytes could not be read: nothing is tried again then.
    fn is_lost(&self) -> bool;
}

/// An object that is to be written where none is.
#[derive(Clone, Copy)]
pub struct NewObject<'a> {
    /// Its key in the store.
    pub key: &'a Path,
    /// Its path below the folder of its table.
    pub relative: &'a str,
    /// The store, for metrics and logs.
    pub store: &'a str,
    pub body: &'a dyn LargeBody,
}

impl NewObject<'_> {
    pub(super) fn asked(&self, operation: StoreOperation) -> RetriedRequest {
        RetriedRequest::new(operation, self.store)
    }

    pub(super) fn all(&self) -> Range<u64> {
        0..self.body.length()
    }
}
