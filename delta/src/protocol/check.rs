//! Which tables can be carried: what is refused, by name.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>

use std::collections::BTreeSet;

use super::features::{is_carried, is_elsewhere, is_elsewhere_property};
use super::supported::{READER_LISTS, WRITER_LISTS};
use crate::actions::{Metadata, Protocol};
use crate::error::DeltaError;
use crate::schema;

/// Checks that a table with this protocol and metadata can be carried.
///
/// # Errors
/// UNSUPPORTED_FEATURE with every feature that is refused, or unknown and not in `allowed`;
/// DAMAGED_LOG for a protocol that cannot exist.
pub fn check(
    protocol: &Protocol,
    metadata: &Metadata,
    allowed: &[String],
) -> Result<(), DeltaError> {
    let mut refused = BTreeSet::new();
    let mut unknown = false;
    for (side, version, newest) in [
        ("reader", protocol.min_reader_version, READER_LISTS),
        ("writer", protocol.min_writer_version, WRITER_LISTS),
    ] {
        if version > newest {
            refused.insert(format!("{side} version {version}"));
        }
    }
    let lists = [&protocol.reader_features, &protocol.writer_features];
    for name in lists.into_iter().flatten().flatten() {
        if is_elsewhere(name) {
            refused.insert(name.clone());
        } else if !is_carried(name) && !allowed.contains(name) {
            refused.insert(name.clone());
            unknown = true;
        }
    }
    for name in metadata.configuration.keys() {
        if is_elsewhere_property(name) {
            refused.insert(format!("the property {name}"));
        }
    }
    if !refused.is_empty() {
        let hint = match unknown {
            true => ": an unknown feature can be carried unseen with --allow-feature",
            false => "",
        };
        return Err(DeltaError::Unsupported { features: refused.into_iter().collect(), hint });
    }
    schema::check_depth(&metadata.schema_string)
        .map_err(|problem| DeltaError::damaged(schema::PLACE, problem))?;
    check_shape(protocol).map_err(|problem| DeltaError::damaged("protocol action", problem))
}

/// Refuses versions that no reader accepts. Lists that do not fit the versions or each other are
/// corrected in the replica's protocol.
fn check_shape(protocol: &Protocol) -> Result<(), String> {
    let Protocol { min_reader_version: reader, min_writer_version: writer, .. } = protocol;
    if *reader == 0 || *writer == 0 {
        return Err(format!("versions ({reader},{writer}) do not exist"));
    }
    if *reader == READER_LISTS && *writer < WRITER_LISTS {
        return Err(format!("reader version 3 needs writer version 7, not {writer}"));
    }
    for (side, version, newest, list) in [
        ("reader", *reader, READER_LISTS, &protocol.reader_features),
        ("writer", *writer, WRITER_LISTS, &protocol.writer_features),
    ] {
        if version == newest && list.is_none() {
            return Err(format!("{side} version {version} without {side}Features"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
