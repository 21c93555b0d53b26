//! What objects hold: the bytes of a file, told apart by source, number and generation.

/// The bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) source: u8,
    pub(crate) number: u8,
    /// How often the file was replaced in place before.
    pub(crate) generation: u8,
}

impl Content {
    pub(crate) fn digest(self) -> u64 {
        u64::from_be_bytes([1, self.source, self.number, self.generation, 0, 0, 0, 0])
    }
}

/// A file of source 0 that is replaced in place, and when its log says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    pub(crate) number: u8,
    pub(crate) at_ms: u64,
    pub(crate) logged_ms: u64,
}
