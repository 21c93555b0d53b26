//! The highest row id that a table handed out, as its domain tells.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#row-ids>

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use crate::actions::DomainMetadata;

/// The domain that holds the highest row id handed out.
pub(crate) const ROW_TRACKING_DOMAIN: &str = "delta.rowTracking";

/// The highest row id that the domain's configuration tells.
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
