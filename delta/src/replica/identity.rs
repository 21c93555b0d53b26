//! What identifies a sync besides its source: which part of it is kept, with which settings.

use deepclone_core::spec::Mode;

use crate::actions::Configuration;
use crate::hash::short_hash;
use crate::predicate::Predicate;

/// The version of the rules by which keys are rewritten for the target's store; other rules make
/// another scope.
const PATH_MAP: &str = "names-1";

/// Hashes which part of the source is kept, in which mode, and whether keys are rewritten.
pub(crate) fn scope(mode: Mode, predicate: Option<&Predicate>, is_rewritten: bool) -> String {
    let filter = predicate.map(Predicate::canonical).unwrap_or_default();
    let parts = ["scope", mode.name(), &filter];
    short_hash(parts.into_iter().chain(is_rewritten.then_some(PATH_MAP)))
}

/// Hashes the properties that are set over the source's.
pub(crate) fn settings(properties: &Configuration) -> String {
    let parts = properties.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    short_hash(std::iter::once("settings").chain(parts))
}
