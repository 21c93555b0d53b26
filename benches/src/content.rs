//! The bytes of an object, in pieces that are shared and never copied.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use crc_fast::CrcAlgorithm;
use sha2::{Digest, Sha256};

/// Length of every piece but the last one of a body.
const PIECE_BYTES: u64 = 256 << 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pieces: Vec<Bytes>,
    length: u64,
}

impl Content {
    /// Random bytes, the same ones for the same seed.
    pub(crate) fn random(length: u64, seed: u64) -> Self {
        let mut words = SplitMix(seed);
        let mut content = Self::default();
        while content.length < length {
            let wanted = piece_capacity(length - content.length);
            let mut piece = BytesMut::with_capacity(wanted + size_of::<u64>());
            while piece.len() < wanted {
                piece.extend_from_slice(&words.next().to_le_bytes());
            }
            piece.truncate(wanted);
            content.push(piece.freeze());
        }
        content
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len() as u64;
        self.pieces.push(piece);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.length += other.length;
        self.pieces.extend_from_slice(&other.pieces);
    }

    /// The bytes of a range that ends within the content.
    pub(crate) fn range(&self, range: Range<u64>) -> Self {
        let mut found = Self::default();
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.len() as u64;
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                found.push(piece.slice(index(within.start - start)..index(within.end - start)));
            }
            start = end;
        }
        found
    }

    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Bytes> + Send {
        self.pieces.into_iter()
    }

    /// The CRC-64/NVME of all bytes, as S3 writes it.
    pub(crate) fn crc64nvme(&self) -> String {
        let mut digest = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
        for piece in &self.pieces {
            digest.update(piece);
        }
        BASE64_STANDARD.encode(digest.finalize().to_be_bytes())
    }

    /// The SHA-256 of all bytes, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for piece in &self.pieces {
            hash.update(piece);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        let mut content = Self::default();
        content.push(text.into());
        content
    }
}

/// Collects what arrives in bits of any length.
pub(crate) struct Collected {
    content: Content,
    piece: BytesMut,
    left: u64,
}

impl Collected {
    /// For this many bytes in all.
    pub(crate) fn new(length: u64) -> Self {
        let piece = BytesMut::with_capacity(piece_capacity(length));
        Self { content: Content::default(), piece, left: length }
    }

    /// Adds bytes; none of them may be too many.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.left > 0 {
            let room = piece_capacity(self.left) - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            if now.len() == room {
                self.left -= self.piece.len() as u64;
                let next = BytesMut::with_capacity(piece_capacity(self.left));
                self.content.push(std::mem::replace(&mut self.piece, next).freeze());
            }
            bytes = later;
        }
    }

    /// The content, if all of it arrived.
    pub(crate) fn whole(self) -> Option<Content> {
        (self.left == 0).then_some(self.content)
    }
}

fn piece_capacity(left: u64) -> usize {
    index(left.min(PIECE_BYTES))
}

/// No piece is longer than memory.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A generator of numbers that are random enough to be no easier than data.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
