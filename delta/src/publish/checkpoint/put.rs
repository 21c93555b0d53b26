//! A checkpoint in its store: the sidecars first, each written and forgotten before the next one is
//! made, then the file that readers find.
//!
//! The names of a V2 checkpoint's files follow from the sync and from their content: what is
//! repeated after a crash writes the same names, and two writers of one version never meet under
//! one name with different bytes. No two versions share a file, so that what deletes old files
//! cannot delete one that a new checkpoint relies on.

use deepclone_common::store::table::TableStore;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::file;
use super::form::form_of;
use super::state::{CheckpointState, FilePlaces};
use super::top::{self, WrittenSidecar, sum};
use crate::error::DeltaError;
use crate::io::{self, Body, PutOutcome};
use crate::log;
use crate::paths::SIDECAR_FOLDER;
use crate::properties::CheckpointPolicy;
use crate::publish::last_checkpoint::{LastCheckpoint, TopFile};
use crate::spool::{Spool, lost};

/// Bytes of a file that are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// The commit that a checkpoint is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointOf {
    pub(crate) version: u64,
    /// The sync that made it, and its time.
    pub(crate) sync: Uuid,
    pub(crate) at_ms: i64,
}

/// Writes the checkpoint, with at most `sidecar_rows` rows in each sidecar; returns what the hint
/// says of it. It may be there already, by another writer of the same state.
///
/// # Errors
/// A store that does not answer, or holds another file under a name; a temporary file that cannot
/// be read. Sidecars may be there then, which nothing names.
pub(super) async fn put(
    target: &TableStore,
    of: CheckpointOf,
    state: &CheckpointState<'_>,
    sidecar_rows: usize,
) -> Result<LastCheckpoint, DeltaError> {
    match form_of(state, sidecar_rows) {
        CheckpointPolicy::Classic => put_classic(target, of, state).await,
        CheckpointPolicy::V2 => put_v2(target, of, state, sidecar_rows).await,
    }
}

async fn put_classic(
    target: &TableStore,
    CheckpointOf { version, .. }: CheckpointOf,
    state: &CheckpointState<'_>,
) -> Result<LastCheckpoint, DeltaError> {
    let file = io::compute_here(|| file::write_all(state))?;
    let others = state.txns.len() + state.domains.len() + 2;
    let name = format!("{version:020}.checkpoint.parquet");
    Ok(LastCheckpoint {
        version,
        size: (others + state.file_actions()) as u64,
        size_in_bytes: Some(put_file(target, &log::log_path(&name), file).await?),
        num_of_add_files: Some(state.adds.len() as u64),
        v2_checkpoint: None,
    })
}

async fn put_v2(
    target: &TableStore,
    of: CheckpointOf,
    state: &CheckpointState<'_>,
    sidecar_rows: usize,
) -> Result<LastCheckpoint, DeltaError> {
    let paths = io::compute_here(|| state.paths_value());
    let mut sidecars = Vec::new();
    let rows = FilePlaces::divided(state.removes.len(), state.adds.len(), sidecar_rows);
    for (number, rows) in rows.enumerate() {
        let make = || {
            let file = file::write_sidecar(state, &rows, paths)?;
            Ok::<_, DeltaError>((id(of, number as u64, &file)?, file))
        };
        let (id, file) = io::compute_here(make)?;
        let name = format!("{id}.parquet");
        let size = put_file(target, &format!("{SIDECAR_FOLDER}/{name}"), file).await?;
        let actions = (rows.removes.len() + rows.adds.len()) as u64;
        sidecars.push(WrittenSidecar { name, size, actions });
    }
    let CheckpointOf { version, at_ms, .. } = of;
    let (file, actions) = top::write(state, (version, at_ms), &sidecars, paths)?;
    let name = format!("{version:020}.checkpoint.{}.json", id(of, u64::MAX, &file)?);
    let size = put_file(target, &log::log_path(&name), file).await?;
    Ok(LastCheckpoint {
        version,
        size: actions + sum(&sidecars, |sidecar| sidecar.actions),
        size_in_bytes: Some(size + sum(&sidecars, |sidecar| sidecar.size)),
        num_of_add_files: Some(state.adds.len() as u64),
        v2_checkpoint: Some(TopFile { path: name, size_in_bytes: size, modification_time: at_ms }),
    })
}

/// Writes a file, unless it is there; returns its length.
async fn put_file(target: &TableStore, path: &str, file: Spool) -> Result<u64, DeltaError> {
    let size = file.bytes();
    let body = Body::new(vec![file]);
    if let PutOutcome::Unsettled(error) = io::put_body_if_absent(target, path, &body).await? {
        // Objects are written whole or not at all, so an object of this size is the file.
        let there = io::describe(target, path).await?;
        if there.is_none_or(|there| there.size != size) {
            return Err(io::storage("writing", target, path, &error));
        }
    }
    Ok(size)
}

/// Returns the id of a file of a checkpoint.
fn id(of: CheckpointOf, number: u64, file: &Spool) -> Result<Uuid, DeltaError> {
    let mut hash = Sha256::new();
    hash.update(b"checkpoint\0");
    hash.update(of.sync);
    hash.update(of.version.to_be_bytes());
    hash.update(number.to_be_bytes());
    let mut start = 0;
    while start < file.bytes() {
        let left = usize::try_from(file.bytes() - start).unwrap_or(usize::MAX);
        let piece = file.read(start, left.min(HASHED_AT_ONCE));
        let piece = piece.map_err(|error| lost("a checkpoint", &error))?;
        hash.update(&piece);
        start += piece.len() as u64;
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
