//! Takes samples of how far replications are behind, and keeps them.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::ReplicationId;

use super::engine::Engine;
use super::entry::ReplicationEntry;
use super::lag_history::{LagOccasion, LagSample};
use super::lag_summary::LagSummary;
use super::rows;
use crate::state::RowChange;

impl Engine {
    /// Takes a sample of each replication whose last one is old enough.
    ///
    /// # Errors
    /// As [`Engine::write`].
    pub(super) async fn sample_lags(&mut self) -> Result<(), Failure> {
        let kept = self.entries.values().filter(|entry| !entry.is_retired);
        let kept: Vec<ReplicationId> = kept.map(|entry| entry.id).collect();
        let changes: Vec<RowChange> =
            kept.into_iter().flat_map(|id| self.sample_lag(id, LagOccasion::Time)).collect();
        self.write(&changes).await
    }

    /// Takes a sample of one, if it is due. Returns the rows that keep it.
    pub(super) fn sample_lag(
        &mut self,
        id: ReplicationId,
        occasion: LagOccasion,
    ) -> Vec<RowChange> {
        let at = self.now();
        let is_due = |entry: &ReplicationEntry| entry.lag_history.is_due(at, occasion);
        if !self.entries.get(&id).is_some_and(is_due) {
            return Vec::new();
        }
        let Some(lag) = self.show(id).map(|view| LagSummary::of(&view, at).age(at)) else {
            return Vec::new();
        };
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        let history = Arc::make_mut(&mut entry.lag_history);
        let change = history.note(LagSample { at, lag });
        let changed = change.changed.map(|block| rows::lag(id, block, &history.block(block)));
        let gone = change.gone.into_iter().map(|block| rows::lag_gone(id, block));
        changed.into_iter().chain(gone).collect()
    }
}
