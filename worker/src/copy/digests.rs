//! The digests of bytes on their way: CRC-64/NVME for the receipt, and the one that the target's
//! store says of its own.

use crc_fast::{CrcAlgorithm, Digest, checksum_combine};
use deepclone_common::store::stored_checksum::StoredChecksum;
use md5::{Digest as _, Md5};

/// A digest besides CRC-64/NVME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondDigest {
    Crc32c,
    Md5,
}

/// The digests of bytes as they come.
#[derive(Clone)]
pub(crate) struct Digests {
    /// CRC-64/NVME and number of bytes that came before, elsewhere.
    before: (u64, u64),
    crc64nvme: Digest,
    second: Second,
}

#[derive(Clone)]
enum Second {
    None,
    Crc32c(Box<Digest>),
    Md5(Box<Md5>),
}

/// What a store says of the bytes that were sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreSays {
    /// Nothing that can be compared.
    Nothing,
    Same,
    /// The bytes that it has are others.
    Other,
}

impl StoreSays {
    /// The same of bytes whose checksum the store took with the request: it has them unless it says
    /// otherwise.
    pub(crate) fn of_checked(self) -> Self {
        match self {
            Self::Nothing | Self::Same => Self::Same,
            Self::Other => Self::Other,
        }
    }
}

impl Digests {
    /// The digests of no bytes.
    pub(crate) fn new(second: Option<SecondDigest>) -> Self {
        let second = match second {
            None => Second::None,
            Some(SecondDigest::Crc32c) => {
                Second::Crc32c(Box::new(Digest::new(CrcAlgorithm::Crc32Iscsi)))
            }
            Some(SecondDigest::Md5) => Second::Md5(Box::new(Md5::new())),
        };
        Self { before: (0, 0), crc64nvme: Digest::new(CrcAlgorithm::Crc64Nvme), second }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.crc64nvme.update(bytes);
        match &mut self.second {
            Second::None => {}
            Second::Crc32c(digest) => digest.update(bytes),
            Second::Md5(digest) => digest.update(bytes),
        }
    }

    /// The digests of bytes of which the CRC-64/NVME and the number of each part are known.
    pub(crate) fn of_parts(parts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let before = parts.into_iter().fold((0, 0), |(whole, bytes), (part, size)| {
            (checksum_combine(CrcAlgorithm::Crc64Nvme, whole, part, size), bytes + size)
        });
        Self { before, ..Self::new(None) }
    }

    /// Adds bytes that follow. MD5 cannot be combined and is dropped.
    pub(crate) fn combine(&mut self, next: &Self) {
        self.crc64nvme.combine(&next.crc64nvme);
        match (&mut self.second, &next.second) {
            (Second::Crc32c(digest), Second::Crc32c(next)) => digest.combine(next),
            (second, _) => *second = Second::None,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.before.1 + self.crc64nvme.get_amount()
    }

    pub(crate) fn crc64nvme(&self) -> u64 {
        let (before, bytes) = self.before;
        let (crc64nvme, size) = (self.crc64nvme.finalize(), self.crc64nvme.get_amount());
        match bytes {
            0 => crc64nvme,
            _ => checksum_combine(CrcAlgorithm::Crc64Nvme, before, crc64nvme, size),
        }
    }

    /// Compares the bytes with what the store says of them.
    pub(crate) fn compare(&self, stored: Option<StoredChecksum>) -> StoreSays {
        let is_same = match (stored, &self.second) {
            (Some(StoredChecksum::Crc64Nvme(stored)), _) => stored == self.crc64nvme(),
            (Some(StoredChecksum::Crc32c(stored)), Second::Crc32c(digest)) => {
                u64::from(stored) == digest.finalize()
            }
            (Some(StoredChecksum::Md5(stored)), Second::Md5(digest)) => {
                stored[..] == digest.clone().finalize()[..]
            }
            (None | Some(StoredChecksum::Crc32c(_) | StoredChecksum::Md5(_)), _) => {
                return StoreSays::Nothing;
            }
        };
        if is_same { StoreSays::Same } else { StoreSays::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of "123456789", as the catalogue of CRCs and RFC 1321 give them.
    const CRC64: u64 = 0xae8b_1486_0a79_9888;
    const CRC32C: u32 = 0xe306_9283;
    const MD5: [u8; 16] = [
        0x25, 0xf9, 0xe7, 0x94, 0x32, 0x3b, 0x45, 0x38, 0x85, 0xf5, 0x18, 0x1f, 0x1b, 0x62, 0x4d,
        0x0b,
    ];

    #[test]
    fn a_stores_checksum_is_compared_with_the_digest_of_its_kind() {
        use SecondDigest::{Crc32c, Md5};
        use StoreSays::{Nothing, Other, Same};
        let (crc64, crc32c) = (StoredChecksum::Crc64Nvme, StoredChecksum::Crc32c);
        let md5 = StoredChecksum::Md5;
        // Of bytes that came at once, and in two parts.
        for (second, stored, at_once, in_parts) in [
            (None, None, Nothing, Nothing),
            (None, Some(crc64(CRC64)), Same, Same),
            (None, Some(crc64(CRC64 + 1)), Other, Other),
            (None, Some(crc32c(CRC32C)), Nothing, Nothing),
            (None, Some(md5(MD5)), Nothing, Nothing),
            (Some(Crc32c), None, Nothing, Nothing),
            (Some(Crc32c), Some(crc32c(CRC32C)), Same, Same),
            (Some(Crc32c), Some(crc32c(CRC32C + 1)), Other, Other),
            (Some(Crc32c), Some(crc64(CRC64)), Same, Same),
            (Some(Md5), Some(md5(MD5)), Same, Nothing),
            (Some(Md5), Some(md5([0; 16])), Other, Nothing),
            (Some(Md5), Some(crc64(CRC64)), Same, Same),
        ] {
            let mut whole = Digests::new(second);
            whole.update(b"123456789");
            let mut parts = Digests::new(second);
            for part in [&b"1234"[..], b"56789"] {
                let mut digests = Digests::new(second);
                digests.update(part);
                parts.combine(&digests);
            }
            assert_eq!((whole.size(), parts.size()), (9, 9));
            let found = (whole.compare(stored), parts.compare(stored));
            let known = [&b"1234"[..], b"", b"56789"].map(|part| {
                let mut digests = Digests::new(None);
                digests.update(part);
                (digests.crc64nvme(), digests.size())
            });
            let known = Digests::of_parts(known);
            assert_eq!((known.size(), known.crc64nvme()), (9, CRC64));
            assert_eq!(found, (at_once, in_parts), "{second:?} {stored:?}");
        }
    }
}
