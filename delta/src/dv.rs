//! Deletion vectors: which object holds one, what identifies it, whether its bytes are whole.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vectors>

use uuid::Uuid;

use crate::actions::{Add, DeletionVector};
use crate::error::DeltaError;
use crate::paths;

/// Characters of a Z85-encoded UUID.
const UUID_CHARACTERS: usize = 20;
/// What precedes the UUID in the name of a vector's object.
const NAME_START: &str = "deletion_vector_";
/// The digits of Z85.
const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
/// The size before a vector and the checksum behind it.
const FRAME_BYTES: u64 = 8;

/// Returns what identifies a deletion vector in the key of a logical file. An offset of 0 and no
/// offset make two different ids.
#[must_use]
pub fn unique_id(vector: &DeletionVector) -> String {
    let DeletionVector { storage_type, path_or_inline, offset, .. } = vector;
    match offset {
        Some(offset) => format!("{storage_type}{path_or_inline}@{offset}"),
        None => format!("{storage_type}{path_or_inline}"),
    }
}

/// Returns the object that holds `vector`, as a decoded key relative to the table's root
/// `root_uri`; `None` for an inline vector.
///
/// # Errors
/// When the descriptor names no key below the root, or is of an unknown kind.
pub fn object_path(root_uri: &str, vector: &DeletionVector) -> Result<Option<String>, DeltaError> {
    object_key(root_uri, &vector.storage_type, &vector.path_or_inline)
}

/// Returns the key of the object that `path`, of the form `storage_type`, names; `None` for an
/// inline vector.
///
/// # Errors
/// As [`object_path`].
pub(crate) fn object_key(
    root_uri: &str,
    storage_type: &str,
    path: &str,
) -> Result<Option<String>, DeltaError> {
    match storage_type {
        "i" => Ok(None),
        "p" => paths::decode(root_uri, path).map(|decoded| Some(decoded.key)),
        "u" => {
            let refuse = |problem| DeltaError::Path { path: path.to_owned(), problem };
            let split = path.len().checked_sub(UUID_CHARACTERS);
            let (prefix, id) = split
                .and_then(|at| path.split_at_checked(at))
                .ok_or_else(|| refuse("a deletion vector's id has 20 characters"))?;
            let id = decode_z85(id)
                .and_then(|bytes| Uuid::from_slice(&bytes).ok())
                .ok_or_else(|| refuse("a deletion vector's id is not Z85"))?;
            let key = match prefix {
                "" => format!("{NAME_START}{id}.bin"),
                _ => format!("{prefix}/{NAME_START}{id}.bin"),
            };
            paths::check_key(root_uri, &key).map_err(refuse)?;
            Ok(Some(key))
        }
        other => Err(DeltaError::Unsupported {
            features: vec![format!("deletion vectors of type {other:?}")],
            hint: "",
        }),
    }
}

/// Returns the object that holds the deletion vector of `add`, and the size that it has at the
/// least.
///
/// # Errors
/// As [`object_path`].
pub(crate) fn object_of(root_uri: &str, add: &Add) -> Result<Option<(String, u64)>, DeltaError> {
    let Some(vector) = &add.deletion_vector else { return Ok(None) };
    Ok(object_path(root_uri, vector)?.map(|path| (path, object_size_min(vector))))
}

/// Rewrites the absolute form `p` of a vector of the table at `root_uri` to the relative form `u`.
///
/// # Errors
/// When it names no object below the root, or one whose name the relative form cannot express.
pub(crate) fn make_relative(root_uri: &str, vector: &mut DeletionVector) -> Result<(), DeltaError> {
    let refuse = |problem| DeltaError::Path { path: vector.path_or_inline.clone(), problem };
    let key = object_path(root_uri, vector)?
        .ok_or_else(|| refuse("an absolute deletion vector names an object"))?;
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", &key));
    let id = name
        .strip_prefix(NAME_START)
        .and_then(|name| name.strip_suffix(".bin"))
        .and_then(|id| Uuid::parse_str(id).ok())
        .ok_or_else(|| refuse("its name does not tell the id that a relative one needs"))?;
    vector.path_or_inline = format!("{prefix}{}", encode_z85(id.as_bytes()));
    vector.storage_type = "u".to_owned();
    Ok(())
}

/// Returns the least size of the vector's object in bytes; the object's own size is not in the log.
#[must_use]
pub fn object_size_min(vector: &DeletionVector) -> u64 {
    let offset = u64::try_from(vector.offset.unwrap_or(0)).unwrap_or(0);
    let size = u64::try_from(vector.size_in_bytes).unwrap_or(0);
    offset + size + FRAME_BYTES
}

/// Checks that `object`, the bytes of a deletion-vector file, holds `vector` whole. Its size
/// precedes it and its CRC-32 follows, both big-endian.
///
/// # Errors
/// What does not fit.
pub fn check_object(vector: &DeletionVector, object: &[u8]) -> Result<(), &'static str> {
    let start = usize::try_from(vector.offset.unwrap_or(0)).map_err(|_| "a negative offset")?;
    let size = usize::try_from(vector.size_in_bytes).map_err(|_| "a negative size")?;
    let frame = object.get(start..).ok_or("the file is shorter than the vector's offset")?;
    let (stored_size, rest) = frame.split_first_chunk().ok_or("the file ends before the vector")?;
    if usize::try_from(u32::from_be_bytes(*stored_size)) != Ok(size) {
        return Err("the vector's size in the file is not the log's");
    }
    let (data, rest) = rest.split_at_checked(size).ok_or("the file ends inside the vector")?;
    let checksum = rest.first_chunk().ok_or("the file ends before the vector's checksum")?;
    if crc32(data) != u32::from_be_bytes(*checksum) {
        return Err("the vector's checksum is wrong");
    }
    Ok(())
}

/// Computes CRC-32 as zip and Java do (ISO-HDLC).
fn crc32(data: &[u8]) -> u32 {
    let wide = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data);
    // The upper half of a 32-bit digest is zero.
    u32::try_from(wide).unwrap_or_default()
}

/// Decodes a text in Z85 (<https://rfc.zeromq.org/spec/32/>).
fn decode_z85(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    for group in text.as_bytes().chunks(5) {
        if group.len() != 5 {
            return None;
        }
        let mut value: u64 = 0;
        for character in group {
            let digit = Z85.iter().position(|candidate| candidate == character)?;
            value = value * 85 + u64::try_from(digit).ok()?;
        }
        bytes.extend_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(bytes)
}

/// Encodes a UUID as Z85 (<https://rfc.zeromq.org/spec/32/>).
fn encode_z85(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(20);
    for group in bytes.chunks_exact(4) {
        let value = group.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        for power in [85_u32.pow(4), 85_u32.pow(3), 85_u32.pow(2), 85, 1] {
            text.push(char::from(Z85[(value / power % 85) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(storage_type: &str, path: &str, offset: Option<i32>) -> DeletionVector {
        DeletionVector {
            storage_type: storage_type.into(),
            path_or_inline: path.into(),
            offset,
            size_in_bytes: 40,
            cardinality: 6,
            unknown: Default::default(),
        }
    }

    #[test]
    fn the_protocols_own_examples() {
        // PROTOCOL.md, "JSON Example 1": prefix ab, uuid d2c639aa-8816-431a-aaf6-d3fe2512ff61.
        let cases = [
            (
                vector("u", "ab^-aqEH.-t@S}K{vb[*k^", Some(4)),
                Some("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"),
                "uab^-aqEH.-t@S}K{vb[*k^@4",
            ),
            (
                vector("u", "^-aqEH.-t@S}K{vb[*k^", None),
                Some("deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"),
                "u^-aqEH.-t@S}K{vb[*k^",
            ),
            (vector("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", None), None, ""),
            (
                vector("p", "s3://mytable/a%20b/x.bin", Some(0)),
                Some("a b/x.bin"),
                "ps3://mytable/a%20b/x.bin@0",
            ),
        ];
        for (vector, path, id) in cases {
            let found = object_path("s3://mytable", &vector).unwrap();
            assert_eq!(found.as_deref(), path);
            if !id.is_empty() {
                assert_eq!(unique_id(&vector), id);
            }
        }
        assert_eq!(object_size_min(&vector("u", "", Some(4))), 52);
        assert_eq!(object_size_min(&vector("u", "", None)), 48);
    }

    #[test]
    fn an_absolute_vector_becomes_relative_if_its_name_tells_the_id() {
        let uri = "file:///data/t";
        let vector = DeletionVector {
            storage_type: "p".into(),
            path_or_inline:
                "file:/data/t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin".into(),
            offset: Some(4),
            size_in_bytes: 40,
            cardinality: 6,
            unknown: Default::default(),
        };
        let mut relative_one = vector.clone();
        make_relative(uri, &mut relative_one).unwrap();
        // PROTOCOL.md, "JSON Example 1".
        assert_eq!(relative_one.path_or_inline, "ab^-aqEH.-t@S}K{vb[*k^");
        assert_eq!(relative_one.storage_type, "u");
        assert_eq!(object_path(uri, &relative_one).unwrap(), object_path(uri, &vector).unwrap());
        let mut other_name =
            DeletionVector { path_or_inline: "file:/data/t/x.bin".into(), ..vector };
        assert!(make_relative(uri, &mut other_name).is_err());
    }

    #[test]
    fn descriptors_that_leave_the_table_are_refused() {
        let id = "^-aqEH.-t@S}K{vb[*k^";
        for (kind, path) in [
            ("u", format!("../{id}")),
            ("u", format!("a/../../b{id}")),
            ("u", format!("_delta_log{id}")),
            ("u", format!("/b{id}")),
            ("u", "short".to_owned()),
            ("u", "é^-aqEH.-t@S}K{vb[*k".to_owned()),
            ("u", "~~~~~~~~~~~~~~~~~~~~".to_owned()),
            ("p", "s3://other/x.bin".to_owned()),
            ("r", "x".to_owned()),
        ] {
            let result = object_path("s3://mytable/t", &vector(kind, &path, None));
            assert!(result.is_err(), "{kind} {path}: {result:?}");
        }
        // An empty segment is part of a key of an object store alone.
        let vector = vector("u", &format!("a//b{id}"), None);
        let key = object_path("s3://mytable/t", &vector).unwrap().unwrap();
        assert!(key.starts_with("a//b/deletion_vector_"), "{key}");
        assert!(object_path("file:///t", &vector).is_err());
    }

    #[test]
    fn a_vector_is_whole_or_named_broken() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let mut object = vec![1];
        object.extend_from_slice(&40_u32.to_be_bytes());
        object.extend_from_slice(&[7; 40]);
        object.extend_from_slice(&crc32(&[7; 40]).to_be_bytes());
        let whole = vector("u", "", Some(1));
        assert_eq!(check_object(&whole, &object), Ok(()));
        assert_eq!(u64::try_from(object.len()).unwrap(), object_size_min(&whole));
        for cut in 0..object.len() {
            assert!(check_object(&whole, &object[..cut]).is_err(), "cut at {cut}");
        }
        for position in 1..object.len() {
            let mut broken = object.clone();
            broken[position] ^= 1;
            assert!(check_object(&whole, &broken).is_err(), "broken at {position}");
        }
    }
}
