//! Deletion vectors: a descriptor as JSON on the first line, then the bytes of the file it names.
#![no_main]

use deepclone_delta::actions::{DeletionVector, LogAction};
use deepclone_delta::dv;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (descriptor, rest) = bytes.split_at(split);
    let Ok(descriptor) = std::str::from_utf8(descriptor) else { return };
    let Some(vector) = parse(descriptor) else { return };
    let object = rest.get(1..).unwrap_or_default();
    for root in ["s3://bucket/t", "file:///t"] {
        if let Ok(Some(key)) = dv::object_path(root, &vector) {
            assert!(!key.starts_with("_delta_log/"), "{key:?}");
            assert!(!key.split('/').any(|segment| segment == ".."), "{key:?}");
        }
    }
    let least = dv::object_size_min(&vector);
    if dv::check_object(&vector, object).is_ok() {
        assert!(least <= object.len() as u64, "{vector:?} in {} bytes", object.len());
    }
    assert!(!dv::unique_id(&vector).is_empty() || vector.path_or_inline.is_empty());
});

fn parse(descriptor: &str) -> Option<DeletionVector> {
    let before = r#"{"add":{"path":"x","size":1,"modificationTime":1,"dataChange":true,"#;
    let add = format!(r#"{before}"deletionVector":{descriptor}}}}}"#);
    match LogAction::from_json(&add).ok()? {
        LogAction::Add(add) => add.deletion_vector.map(|vector| *vector),
        _ => None,
    }
}
