//! What was seen of a table, taken: what is kept of it, and whether a job is to sync it.

use deepclone_core::unix_time::UnixTime;

use super::entry::Table;
use super::kept::Approval;
use super::presence::{KnownSync, Presence};
use super::probe::TableLook;

impl Table {
    /// Takes what was seen at `at`. Returns whether a job is to sync it.
    pub(super) fn take_look(&mut self, look: TableLook, at: UnixTime) -> bool {
        let TableLook { source, known, presence } = look;
        self.kept.source_version = Some(source.newest);
        self.kept.checked = Some(at);
        self.kept.lacks_since = source.lacks_since;
        self.kept.is_cleaned = source.is_cleaned;
        if self.kept.approval != Approval::Given {
            self.is_well();
            return false;
        }
        let is_behind = self.kept.synced.is_none_or(|(synced, _)| synced != source.newest);
        // A sync that has ended since, or is under way, says more of the target.
        let is_new = self.job.is_none() && self.kept.known_sync() == known;
        let presence = if is_new { presence } else { Presence::NotAsked };
        match presence {
            Presence::NotAsked | Presence::Unknown(_) => {}
            Presence::Kept(_) | Presence::Moved | Presence::Gone(_) | Presence::Changed(_) => {
                self.kept.replica_checked = Some(at);
            }
        }
        self.is_proven = match presence {
            Presence::NotAsked => self.is_proven && !is_behind,
            Presence::Kept(_) => !is_behind,
            Presence::Moved | Presence::Gone(_) | Presence::Changed(_) | Presence::Unknown(_) => {
                false
            }
        };
        match presence {
            Presence::NotAsked => {
                if !is_behind {
                    self.is_well();
                }
                is_behind
            }
            Presence::Kept(found) => {
                self.kept.is_replica_changed = false;
                self.keep(found);
                self.is_well();
                is_behind
            }
            Presence::Moved => true,
            Presence::Gone(failure) => {
                self.kept.synced = None;
                (self.kept.synced_file, self.kept.replica_file) = (None, None);
                self.fail(failure, at);
                true
            }
            Presence::Changed(failure) => {
                self.kept.is_replica_changed = true;
                self.fail(failure, at);
                true
            }
            Presence::Unknown(failure) => {
                self.fail(failure, at);
                is_behind
            }
        }
    }

    /// Returns whether it is enough to ask its source for the next commit: since this process
    /// began, a look at both sides has found all as it was, and not too long ago.
    pub(super) fn may_be_brief(&self, now: UnixTime) -> bool {
        let has_seen = self.kept.synced_file.is_some() && self.kept.replica_file.is_some();
        let is_well = self.failure.is_none() && !self.is_gone && !self.kept.is_cleaned;
        self.is_proven && has_seen && is_well && !self.freshness(false).is_replica_due(now)
    }

    fn keep(&mut self, found: KnownSync) {
        let KnownSync { source_version, source_file, replica } = found;
        self.kept.synced = Some((source_version, replica.version));
        self.kept.synced_file = source_file.map(|file| (file.size, file.modified_ms));
        self.kept.replica_file = replica.file.map(|file| (file.size, file.modified_ms));
    }
}
