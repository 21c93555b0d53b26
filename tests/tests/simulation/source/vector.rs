//! Deletion vectors: their descriptors, and files with the framing that readers check.

use serde_json::{Value, json};
use uuid::Uuid;

/// Bytes of a vector.
pub(crate) const VECTOR_BYTES: usize = 30;

/// Where a vector lies in its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vector {
    pub(crate) file: Uuid,
    pub(crate) place: usize,
}

impl Vector {
    /// The object's key below the table's folder.
    pub(crate) fn object(&self) -> String {
        format!("deletion_vector_{}.bin", self.file.hyphenated())
    }

    fn offset(&self) -> usize {
        1 + self.place * (VECTOR_BYTES + 8)
    }

    /// What the log names it by.
    pub(crate) fn id(&self) -> String {
        format!("u{}@{}", z85(self.file.as_bytes()), self.offset())
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"storageType": "u", "pathOrInlineDv": z85(self.file.as_bytes()),
            "offset": self.offset(), "sizeInBytes": VECTOR_BYTES, "cardinality": 1})
    }
}

/// A file of so many vectors.
pub(crate) fn file(id: Uuid, vectors: usize) -> Vec<u8> {
    let mut file = vec![1];
    for place in 0..vectors {
        let stamp = format!("{id}/{place};");
        let data: Vec<u8> = stamp.bytes().cycle().take(VECTOR_BYTES).collect();
        let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &data);
        file.extend_from_slice(&(VECTOR_BYTES as u32).to_be_bytes());
        file.extend_from_slice(&data);
        file.extend_from_slice(&checksum.to_be_bytes()[4..]);
    }
    file
}

/// Encodes an id as the log spells it: <https://rfc.zeromq.org/spec/32/>.
fn z85(bytes: &[u8; 16]) -> String {
    const ALPHABET: &[u8; 85] =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::new();
    for chunk in bytes.chunks(4) {
        let word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        for power in (0..5).rev() {
            text.push(char::from(ALPHABET[(word / 85_u64.pow(power) % 85) as usize]));
        }
    }
    text
}
