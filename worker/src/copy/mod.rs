//! Copying the objects of one task: read, digest, write if absent, prove.
//!
//! Words: a *part* is a range of an object, whole in memory before it is written; its size is a
//! function of the object's length alone. The *budget* is the bytes that the worker holds at once.
//!
//! Flow: [`task::copy_task`] → [`object::copy_object`] → [`present`] where the key is expected at
//! the target → [`read`] → one put, or parts through a [`sink`] → [`proof`] where the target turns
//! out to have the key, or where a read-back is asked for.

pub(crate) mod error;
pub(crate) mod object;
pub(crate) mod present;
pub(crate) mod proof;
pub(crate) mod read;
pub(crate) mod sink;
pub(crate) mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use deepclone_common::local_folder::LocalFolder;
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::Attempt;
use deepclone_core::spec::Verification;
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::lease::LeaseClock;
use error::CopyError;

/// The source or the target of a task, with its store open.
#[derive(Clone, Debug)]
pub(crate) struct OpenSide {
    /// The table's folder.
    pub(crate) table: TableStore,
    /// The folder on this machine's disk, for files.
    pub(crate) directory: Option<LocalFolder>,
}

impl OpenSide {
    /// The object of a decoded key below the table's folder.
    pub(crate) fn object(&self, key: &str) -> Result<Path, CopyError> {
        self.table.key(key).map_err(|_| CopyError::bad_key(key))
    }
}

/// What every copy of a task shares.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) source: OpenSide,
    pub(crate) target: OpenSide,
    pub(crate) attempt: Attempt,
    pub(crate) verification: Verification,
    pub(crate) budget: Budget,
    pub(crate) lease: Arc<LeaseClock>,
    pub(crate) stop: CancellationToken,
    pub(crate) counts: Arc<Counts>,
    /// Some object of the task was at the target already: the others may be, too.
    pub(crate) leftovers: Arc<AtomicBool>,
}

/// What a task has done so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) requests: AtomicU32,
}

impl Counts {
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }
}
