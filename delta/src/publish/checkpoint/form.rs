//! Which form a checkpoint gets.

use super::state::CheckpointState;
use crate::properties::{self, CHECKPOINT_POLICY, CheckpointPolicy};
use crate::protocol;

/// The feature of tables whose checkpoints may have the V2 form.
const FEATURE: &str = "v2Checkpoint";

/// Returns the form of the table's checkpoint: V2 needs the feature, and is written where the table
/// asks for it, as Spark does, or where the files would fill more than one sidecar of `most` rows.
pub(super) fn form_of(state: &CheckpointState<'_>, most: usize) -> CheckpointPolicy {
    let asked = state.metadata.configuration.get(CHECKPOINT_POLICY);
    let asked = asked.and_then(|policy| properties::checkpoint_policy(policy));
    let is_wanted = asked == Some(CheckpointPolicy::V2) || state.file_actions() > most;
    match is_wanted && protocol::supports_any(&state.protocol, &[FEATURE]) {
        true => CheckpointPolicy::V2,
        false => CheckpointPolicy::Classic,
    }
}
