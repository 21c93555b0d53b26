//! One row of the ledger.

/// One copied object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its key below the replica's folder.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// The source's entity tag when they were read; empty where it has none.
    pub source_etag: String,
    /// The name of the worker that saw them.
    pub worker: String,
    /// When, in milliseconds since 1970 (UTC).
    pub seen_ms: i64,
}
