//! A log file describes the table at most once: the protocol does not define which of two different
//! descriptions counts.

use serde_json::Value;

use crate::actions::{Add, LogAction, Oddity};
use crate::error::DeltaError;

/// Returns the oddity of a log file that repeats its `protocol` or `metaData` unchanged.
///
/// # Errors
/// When it holds two that differ.
pub(super) fn describes_once(
    file: &str,
    actions: &[LogAction],
) -> Result<Option<Oddity>, DeltaError> {
    let (mut protocol, mut metadata) = (None, None);
    let mut oddity = None;
    for action in actions {
        let first = match action {
            LogAction::Protocol(_) => &mut protocol,
            LogAction::Metadata(_) => &mut metadata,
            _ => continue,
        };
        let Some(first) = first else {
            *first = Some(action);
            continue;
        };
        if !is_same(first, action) {
            let problem = format!(
                "it holds two different {} actions: one commit can describe the table only once",
                action.name()
            );
            return Err(DeltaError::damaged(file, problem));
        }
        oddity = Some(Oddity::RepeatedAction);
    }
    Ok(oddity)
}

/// Compares by value: the order of keys does not matter.
fn is_same(left: &LogAction, right: &LogAction) -> bool {
    let value = |action: &LogAction| serde_json::from_str::<Value>(&action.to_json()).ok();
    value(left) == value(right)
}

/// Returns whether two `add`s of one logical file are equal but for `dataChange`.
pub(super) fn is_same_add(left: &Add, right: &Add) -> bool {
    let plain = |add: &Add| LogAction::Add(Add { data_change: true, ..add.clone() });
    is_same(&plain(left), &plain(right))
}
