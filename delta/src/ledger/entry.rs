//! A row of the ledger.

/// The digest of one copied object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its key below the replica's folder.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// CRC-64/NVME of the bytes.
    pub crc64nvme: u64,
    /// The source's entity tag when the bytes were read; empty if it has none.
    pub source_etag: String,
    /// The name of the worker that read them.
    pub worker: String,
    /// When they were read, in milliseconds since 1970 (UTC).
    pub seen_ms: i64,
}
