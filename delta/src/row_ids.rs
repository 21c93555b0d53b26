//! The highest row id that a table has assigned, as its domain metadata records it.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#row-ids>

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use crate::actions::DomainMetadata;

/// The domain that records the highest row id.
pub(crate) const ROW_TRACKING_DOMAIN: &str = "delta.rowTracking";

/// Reads the highest row id from the domain's configuration.
pub(crate) fn row_id_mark(domain: &DomainMetadata) -> Result<i64, Failure> {
    let mark: RowIdMark = serde_json::from_str(&domain.configuration).map_err(|error| {
        Failure::new(
            Reason::DamagedLog,
            format!("the configuration of the domain {ROW_TRACKING_DOMAIN} is damaged: {error}"),
        )
    })?;
    Ok(mark.row_id_high_water_mark)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowIdMark {
    row_id_high_water_mark: i64,
}
