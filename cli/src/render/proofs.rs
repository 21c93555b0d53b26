//! What proves the objects of a sync, in numbers.

use serde::Serialize;

use crate::client::job::JobProofs;

/// The JSON object of the counts. Its keys are a stable interface.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ProofsObject {
    length: i64,
    earlier: i64,
    stored_checksum: i64,
    read_back: i64,
}

impl From<JobProofs> for ProofsObject {
    fn from(counts: JobProofs) -> Self {
        let JobProofs { length, earlier, stored_checksum, read_back } = counts;
        Self { length, earlier, stored_checksum, read_back }
    }
}

/// Writes the counts as `3 read back, 5 by stored checksum`, the strongest proof first. `None`
/// without objects.
pub(super) fn text(counts: JobProofs) -> Option<String> {
    let named = [
        (counts.read_back, "read back"),
        (counts.stored_checksum, "by stored checksum"),
        (counts.earlier, "by an earlier sync"),
        (counts.length, "by length alone"),
    ];
    let shown = named.iter().filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, how)| format!("{count} {how}")).collect();
    Some(shown.join(", ")).filter(|text| !text.is_empty())
}
