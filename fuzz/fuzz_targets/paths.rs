//! Paths of a log: decoded to keys, and keys encoded to paths.
#![no_main]

use deepclone_delta::paths;

const ROOTS: [&str; 5] =
    ["s3://bucket/t", "abfss://c@account.dfs.core.windows.net/t", "gs://b", "file:///data/t", "/t"];

libfuzzer_sys::fuzz_target!(|text: &str| {
    for root in ROOTS {
        if let Ok(found) = paths::decode(root, text) {
            check(root, &found.key);
            let encoded = paths::encode(&found.key);
            let again = paths::decode(root, &encoded).expect("an encoded key is a path");
            assert_eq!(again, found, "{encoded:?}");
        }
        if let Ok(key) = paths::decode_sidecar(root, text) {
            assert!(key.starts_with("_delta_log/_sidecars/"), "{key:?}");
            assert!(!key.split('/').any(|segment| segment == ".."), "{key:?}");
        }
    }
    if paths::check_key(ROOTS[0], text).is_ok() {
        check(ROOTS[0], text);
        let decoded = paths::decode(ROOTS[0], &paths::encode(text)).expect("a checked key");
        assert_eq!(decoded.key, text);
    }
});

/// No key leaves the table, names its log, or breaks a line.
fn check(root: &str, key: &str) {
    let first = key.split('/').next().unwrap_or_default();
    assert!(!["", "_delta_log", "_deepclone"].contains(&first), "{root} {key:?}");
    assert!(!key.split('/').any(|segment| segment == ".."), "{root} {key:?}");
    assert!(!key.contains(char::is_control), "{root} {key:?}");
}
