//! What the connections of every worker to both stores are like.

/// A link: each connection has the same latency and rate, and no number of them is too many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// From a request to its answer, without the bytes.
    pub(crate) round_trip_us: u64,
    pub(crate) bytes_per_second: u64,
}

impl Link {
    pub(crate) fn moves_us(self, bytes: u64) -> u64 {
        bytes * 1_000_000 / self.bytes_per_second
    }
}
