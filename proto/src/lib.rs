//! The wire: generated types, and their checked conversions to and from the vocabulary of `core`.
//!
//! Layout:
//!
//! * [`v1`]: `deepclone.v1`, generated: goes no further than the `rpc` folders.
//! * [`state`]: `deepclone.state.v1`, generated: goes no further than the coordinator's `state`.
//! * [`convert`]: `TryFrom` into `core`'s types, `From` out of them.
//! * [`status`]: a `Failure` as a `google.rpc.Status`, and back.
//!
//! Between our own processes a missing field is an error. From a client, `*_UNSPECIFIED` is the
//! command line's default, and what is not built yet is refused by name.

#![warn(missing_docs)]

pub mod convert;
pub mod status;

/// The versions of the dispatch protocol that this build speaks.
pub const DISPATCH_PROTOCOLS: std::ops::RangeInclusive<u32> = 1..=1;

/// The descriptors of `deepclone.v1` and of what it imports, encoded, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/deepclone.v1.bin"));

/// The public package.
pub mod v1 {
    #![expect(clippy::allow_attributes, reason = "the generator writes them")]
    include!(concat!(env!("OUT_DIR"), "/deepclone.v1.rs"));
}

/// What the coordinator keeps.
pub mod state {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/internal/deepclone.state.v1.rs"));
    }
}
