//! The rows of a checkpoint.

use std::borrow::Cow;

use crate::actions::{DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::commit_adds::CommitAdds;

/// The content of a checkpoint, in the order of its rows.
#[derive(Debug)]
pub(crate) struct CheckpointState<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) txns: Vec<Txn>,
    pub(crate) domains: Vec<DomainMetadata>,
    pub(crate) removes: Vec<Remove>,
    /// Those of a sync that is at hand, or what was read.
    pub(crate) adds: Cow<'a, CommitAdds>,
}
