//! The whole check of a database: the state's own, and whether replications can go on.

use std::path::Path;

use deepclone_core::unix_time::UnixTime;

use crate::replications::damage::damage;
use crate::state::StateError;
use crate::state::file::check::{CheckedFile, check};
use crate::state::file::finding::Findings;

/// Checks the database at this path. It takes no lock: a coordinator may run.
///
/// # Errors
/// There is no such file, or it cannot be opened.
pub async fn check_database(database: &Path, now: UnixTime) -> Result<CheckedFile, StateError> {
    let mut checked = check(database).await?;
    let mut findings = Findings::default();
    findings.add("replications", damage(std::mem::take(&mut checked.replications), now));
    checked.findings.extend(findings.all());
    Ok(checked)
}
