//! Absolute paths of the source's log would point back at the source: they are made relative. A
//! path with `.`, `..` or empty segments is written as the key that it means.
//!
//! Only inside the source's folder; read refuses the rest. An absolute deletion vector becomes
//! the relative form, which changes what identifies it: so this happens before the difference.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::actions::{Add, DeletionVector};
use crate::dv;
use crate::error::DeltaError;
use crate::paths::{self, FileKey, is_absolute};

/// What a path of the log encodes: what a URI's path cannot hold, and `%` itself.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const VECTOR_NAME: &str = "deletion_vector_";

/// The live map with relative paths and relative deletion vectors only.
pub(crate) fn relative(
    source_uri: &str,
    files: BTreeMap<FileKey, Add>,
) -> Result<BTreeMap<FileKey, Add>, DeltaError> {
    files
        .into_iter()
        .map(|(key, mut add)| {
            if is_absolute(&add.path) || paths::is_roundabout(&add.path) {
                add.path = encode(&key.path);
            }
            if let Some(vector) = add.deletion_vector.as_mut()
                && vector.storage_type == "p"
            {
                relative_vector(source_uri, vector)?;
            }
            let dv = add.deletion_vector.as_ref().map(dv::unique_id);
            Ok((FileKey { path: key.path, dv }, add))
        })
        .collect()
}

/// The key as a log spells it; a first segment with a colon must not read as a scheme.
pub(super) fn encode(key: &str) -> String {
    let encoded = utf8_percent_encode(key, ENCODED).to_string();
    match encoded.split_once('/') {
        Some((first, rest)) if first.contains(':') => {
            format!("{}/{rest}", first.replace(':', "%3A"))
        }
        None if encoded.contains(':') => encoded.replace(':', "%3A"),
        _ => encoded,
    }
}

/// `p` → `u`: only an object with the name that the relative form implies can be told by it.
fn relative_vector(source_uri: &str, vector: &mut DeletionVector) -> Result<(), DeltaError> {
    let refuse = |problem| DeltaError::Path { path: vector.path_or_inline.clone(), problem };
    let key = dv::object_path(source_uri, vector)?
        .ok_or_else(|| refuse("an absolute deletion vector names an object"))?;
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", &key));
    let id = name
        .strip_prefix(VECTOR_NAME)
        .and_then(|name| name.strip_suffix(".bin"))
        .and_then(|id| uuid::Uuid::parse_str(id).ok())
        .ok_or_else(|| refuse("its name does not tell the id that a relative one needs"))?;
    vector.path_or_inline = format!("{prefix}{}", encode_z85(id.as_bytes()));
    vector.storage_type = "u".to_owned();
    Ok(())
}

/// Bytes in groups of four to Z85 (<https://rfc.zeromq.org/spec/32/>).
fn encode_z85(bytes: &[u8; 16]) -> String {
    const ALPHABET: &[u8; 85] =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::with_capacity(20);
    for group in bytes.chunks_exact(4) {
        let value = group.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        for power in [85_u32.pow(4), 85_u32.pow(3), 85_u32.pow(2), 85, 1] {
            text.push(char::from(ALPHABET[(value / power % 85) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_become_relative_and_relative_ones_stay_verbatim() {
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
        relative_vector(uri, &mut relative_one).unwrap();
        // PROTOCOL.md, "JSON Example 1".
        assert_eq!(relative_one.path_or_inline, "ab^-aqEH.-t@S}K{vb[*k^");
        assert_eq!(relative_one.storage_type, "u");
        assert_eq!(
            dv::object_path(uri, &relative_one).unwrap(),
            dv::object_path(uri, &vector).unwrap()
        );
        let mut other_name =
            DeletionVector { path_or_inline: "file:/data/t/x.bin".into(), ..vector };
        assert!(relative_vector(uri, &mut other_name).is_err());
        for (key, text) in [
            ("a b/ü%.parquet", "a%20b/%C3%BC%25.parquet"),
            ("p=1:2/x:y", "p=1%3A2/x:y"),
            ("x:y", "x%3Ay"),
        ] {
            assert_eq!(encode(key), text);
            assert_eq!(crate::paths::decode(uri, text).unwrap().key, key);
        }
        assert!(is_absolute("s3a://b/x") && is_absolute("/x") && !is_absolute("p=1%3A2/x"));
        assert!(!is_absolute("date=2021-09-08 11:11/x"));
    }
}
