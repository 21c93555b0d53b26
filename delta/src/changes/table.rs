//! The replica's table: which protocol, metadata and domains it is to have, and which of them
//! change.

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;

use super::metadata::{self, AskedProperties};
use super::state;
use crate::actions::{Configuration, DomainMetadata, Metadata, Protocol};
use crate::change_set::CommitTime;
use crate::properties::Maintenance;
use crate::protocol;
use crate::snapshot::Snapshot;

/// The table after the sync.
pub(super) struct DescribedTable {
    protocol: Protocol,
    metadata: Metadata,
    commit_time: CommitTime,
    notices: Vec<String>,
}

/// The changes of the table, and its properties that the rest of the change set needs.
pub(super) struct TableChanges {
    /// `None` if it stays.
    pub(super) protocol: Option<Protocol>,
    /// `None` if it stays.
    pub(super) metadata: Option<Metadata>,
    pub(super) domains: Vec<DomainMetadata>,
    pub(super) commit_time: CommitTime,
    pub(super) table_id: String,
    pub(super) checkpoint_interval: u64,
    /// The shorter retention of the table before and after the sync.
    pub(super) retention_ms: i64,
    pub(super) row_tracking: bool,
    pub(super) notices: Vec<String>,
}

impl DescribedTable {
    /// Describes the table that `head` becomes with the state `wanted` of the source.
    ///
    /// # Errors
    /// INVALID_ARGUMENT naming a property of `overrides` that a replica cannot have.
    pub(super) fn new(
        wanted: &Snapshot,
        head: Option<&Snapshot>,
        overrides: &Configuration,
        sync: JobId,
    ) -> Result<Self, Failure> {
        let asked = AskedProperties::new(&wanted.metadata, overrides)?;
        let schema = &wanted.metadata.schema_string;
        let merged = protocol::merge(&wanted.protocol, head.map(|head| &head.protocol), schema);
        let heeded = asked.heeded(wanted, &merged);
        let mut notices: Vec<String> = protocol::notice(&wanted.protocol).into_iter().collect();
        notices.extend(heeded.notices.iter().cloned());
        let own = heeded.with_own(&wanted.protocol, &merged, head);
        let commit_time = own.commit_time;
        let metadata = own.metadata(&wanted.metadata, head.map(|head| &head.metadata), sync);
        notices.extend(metadata::feed_notice(&metadata, &merged, head));
        Ok(Self { protocol: merged, metadata, commit_time, notices })
    }

    /// Compares the table with the replica's `head`.
    ///
    /// # Errors
    /// DAMAGED_LOG when a domain that is merged cannot be read.
    pub(super) fn changes(
        self,
        wanted: &Snapshot,
        head: Option<&Snapshot>,
    ) -> Result<TableChanges, Failure> {
        let Self { protocol: merged, metadata: described, commit_time, notices } = self;
        let features = protocol::supported(&merged).writer;
        let domains = match features.contains("domainMetadata") {
            true => {
                let nothing = Default::default();
                let known = head.map_or(&nothing, |head| &head.domains);
                state::domains(&wanted.domains, known)?
            }
            false => Vec::new(),
        };
        let maintenance = Maintenance::of(&described.configuration);
        let known = head.map(|head| Maintenance::of(&head.metadata.configuration).tombstone_ms);
        let is_new_metadata = head.is_none_or(|head| !metadata::same(&head.metadata, &described));
        let is_new_protocol = head.is_none_or(|head| !protocol::same(&head.protocol, &merged));
        Ok(TableChanges {
            table_id: described.id.clone(),
            protocol: is_new_protocol.then_some(merged),
            metadata: is_new_metadata.then_some(described),
            domains,
            commit_time,
            checkpoint_interval: maintenance.checkpoint_interval,
            retention_ms: known
                .map_or(maintenance.tombstone_ms, |known| known.min(maintenance.tombstone_ms)),
            row_tracking: features.contains("rowTracking"),
            notices,
        })
    }
}
