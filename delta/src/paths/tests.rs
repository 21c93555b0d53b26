//! A table of paths, and: no path escapes.

use std::sync::Arc;

use deepclone_common::store::table::TableStore;

use super::*;

const FILE: &str = "file:///lake/my table";
const S3: &str = "s3://bucket/lake/t/";
const AZURE: &str = "abfss://box@acc.dfs.core.windows.net/t";

/// A root, a path in its log, and the key or what the error says.
const DECODED: &[(&str, &str, Result<&str, &str>)] = &[
    (FILE, "part-0.parquet", Ok("part-0.parquet")),
    (FILE, "test%25file%25prefix-x.parquet", Ok("test%file%prefix-x.parquet")),
    (FILE, "x%2520y", Ok("x%20y")),
    (FILE, "special%20p@%23h/f", Ok("special p@#h/f")),
    (FILE, "p=bar%2Dbar/f", Ok("p=bar-bar/f")),
    (FILE, "date=2021-09-08 11%3A11%3A11/f", Ok("date=2021-09-08 11:11:11/f")),
    (FILE, "p=%3ay", Ok("p=:y")),
    (FILE, "p=%3Ay", Ok("p=:y")),
    (FILE, "p=11:11/f", Ok("p=11:11/f")),
    (FILE, "p=ü/f", Ok("p=ü/f")),
    (FILE, "p=%C3%BC/f", Ok("p=ü/f")),
    (FILE, "p=a%2Fb/f", Ok("p=a/b/f")),
    (FILE, "100%/f", Ok("100%/f")),
    (FILE, "p=Acme Inc./f", Ok("p=Acme Inc./f")),
    (FILE, "/lake/my%20table/a%20b", Ok("a b")),
    (FILE, "file:/lake/my%20table/a", Ok("a")),
    (FILE, "file:///lake/my table/a", Ok("a")),
    (FILE, "file://localhost/lake/my%20table/a", Ok("a")),
    ("file:///lake/my%20table/", "/lake/my%20table/a", Ok("a")),
    ("/lake/t", "file:/lake/t/a", Ok("a")),
    (S3, "s3://bucket/lake/t/a%20b", Ok("a b")),
    (S3, "s3a://bucket/lake/t/x/y", Ok("x/y")),
    (S3, "/lake/t/a", Ok("a")),
    ("gs://bucket/t", "gcs://bucket/t/a", Ok("a")),
    ("gcs://bucket/t", "gs://other/t/a", Err("outside")),
    (AZURE, "abfs://box@acc.dfs.core.windows.net/t/a", Ok("a")),
    (AZURE, "wasbs://box@acc.blob.core.windows.net/t/a", Ok("a")),
    ("az://box/t", "abfss://box@acc.dfs.core.windows.net/t/a", Ok("a")),
    (AZURE, "abfss://box@other.dfs.core.windows.net/t/a", Err("outside")),
    (FILE, "/lake/my%20table//a", Err("empty segment")),
    (FILE, "%2Fa", Err("empty segment")),
    (FILE, "/lake/my%20table2/a", Err("outside")),
    (FILE, "/lake/other/a", Err("outside")),
    (FILE, "file://host/lake/my%20table/a", Err("outside")),
    (FILE, "s3://lake/my%20table/a", Err("outside")),
    (S3, "s3://other/lake/t/a", Err("outside")),
    (S3, "file:///lake/t/a", Err("outside")),
    (S3, "s3://bucket/lake/t/../u/a", Err("..")),
    (S3, "s3://bucket/lake/t", Err("outside")),
    (S3, "s3://bucket/lake/t/", Err("empty")),
    (FILE, "..//x", Err("..")),
    (FILE, "../x", Err("..")),
    (FILE, "a/../../x", Err("..")),
    (FILE, "a/%2E%2e/x", Ok("x")),
    (FILE, "a/../b/./c", Ok("b/c")),
    (FILE, "a/..", Err("empty")),
    (FILE, "a/..//../x", Err("..")),
    (FILE, "a/../_delta_log/x", Err("log's folder")),
    (FILE, "/lake/my%20table/a/../b", Ok("b")),
    (FILE, "/lake/my%20table/../b", Err("..")),
    (S3, "a/../b", Ok("b")),
    (S3, "a//b", Ok("a//b")),
    (S3, "s3://bucket/lake/t/a///b", Ok("a///b")),
    (AZURE, "a/%2Fb", Ok("a//b")),
    (S3, "a//../b", Ok("a/b")),
    (S3, "a//", Err("empty segment")),
    (S3, "s3://bucket/lake/t//a", Err("empty segment")),
    (S3, "_delta_log//x", Err("log's folder")),
    (S3, "a/./b", Ok("a/b")),
    (FILE, "..%2Fx", Err("..")),
    (FILE, "a//b", Ok("a/b")),
    (FILE, "./a", Ok("a")),
    (FILE, "a/.", Err("segment")),
    (FILE, "a/", Err("empty segment")),
    (FILE, "", Err("empty")),
    (FILE, "//host/a", Err("two slashes")),
    (FILE, "a%00b", Err("control")),
    (FILE, "a%0Ab", Err("control")),
    (FILE, "a\u{7f}b", Err("control")),
    (FILE, "a%ff", Err("UTF-8")),
    (FILE, "a?b", Err("not encoded")),
    (FILE, "a#b", Err("not encoded")),
    (FILE, "abc:def.parquet", Err("URI")),
    (FILE, "C:\\x", Err("URI")),
    (FILE, "_delta_log/x", Err("log's folder")),
    (FILE, "%5Fdelta_log/x", Err("log's folder")),
    (FILE, "_delta_log", Err("log's folder")),
    (FILE, "/lake/my%20table/_delta_log/x", Err("log's folder")),
    (FILE, "_deepclone/x", Err("_deepclone")),
    (FILE, "_change_data/x", Ok("_change_data/x")),
    (FILE, "_delta_logs/x", Ok("_delta_logs/x")),
];

#[test]
fn paths_are_decoded_once_and_checked() {
    for &(root, path, wanted) in DECODED {
        let found = decode(root, path).map(|decoded| decoded.key);
        match (&found, wanted) {
            (Ok(key), Ok(wanted)) => assert_eq!(key, wanted, "{root} {path}"),
            (Err(error), Err(wanted)) => {
                let text = error.to_string();
                assert!(text.contains(wanted), "{root} {path}: {text}");
            }
            _ => panic!("{root} {path}: {found:?}, not {wanted:?}"),
        }
    }
}

#[test]
fn sidecars_stay_in_their_folder() {
    let root = "s3://bucket/t";
    let cases = [
        ("x.parquet", Some("_delta_log/_sidecars/x.parquet")),
        ("a%20b.parquet", Some("_delta_log/_sidecars/a b.parquet")),
        ("s3://bucket/t/_delta_log/_sidecars/x.parquet", Some("_delta_log/_sidecars/x.parquet")),
        ("../0.json", None),
        ("s3://bucket/t/_delta_log/x.parquet", None),
        ("s3://bucket/t/_delta_log/_sidecarsx/x.parquet", None),
        ("s3://bucket/u/_delta_log/_sidecars/x.parquet", None),
        ("", None),
    ];
    for (path, wanted) in cases {
        assert_eq!(decode_sidecar(root, path).ok().as_deref(), wanted, "{path}");
    }
}

/// All texts of up to five pieces: whatever is accepted is a key below the root that a read can
/// name and that a second look accepts as it is.
#[test]
fn no_path_escapes() {
    let pieces = ["..", "/", "a", ".", "%2e", "%2F", "s3://bucket/t", "%00", "_delta_log", ":"];
    let table = TableStore {
        store: Arc::new(object_store::memory::InMemory::new()),
        root: object_store::path::Path::from("t"),
        uri: "s3://bucket/t".to_owned(),
        large: None,
    };
    let mut texts = vec![String::new()];
    let mut accepted = 0;
    for _ in 0..5 {
        texts = texts
            .iter()
            .flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")))
            .collect();
        for text in &texts {
            let Ok(DecodedPath { key }) = decode("s3://bucket/t", text) else { continue };
            accepted += 1;
            assert!(table.object(&key).is_ok(), "{text}");
            assert!(key.split('/').all(|segment| segment != ".."), "{text}");
            assert!(!key.starts_with('/') && !key.ends_with('/'), "{text}");
            assert_ne!(key.split('/').next(), Some(LOG_FOLDER), "{text}");
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

/// A decoded key reaches the very file, whatever characters it holds.
#[tokio::test]
async fn local_files_are_found_by_their_decoded_keys() {
    let folder = std::env::temp_dir().join(format!("deepclone-paths-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = object_store::local::LocalFileSystem::new_with_prefix(&folder).unwrap();
    for name in ["a%b", "a%20b", "a b", "x#y", "ü", "11:11", "a?b", "a\\b", "a+b&c=d", "~$;,@!'()*"]
    {
        std::fs::write(folder.join(name), name).unwrap();
        let key = object_store::path::Path::parse(name).unwrap();
        let bytes = object_store::ObjectStoreExt::get(&store, &key).await.unwrap();
        assert_eq!(bytes.bytes().await.unwrap(), name.as_bytes(), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_path_that_is_taken_for_its_own_key_is_the_key_that_taking_it_apart_gives() {
    let alphabet = ["a", "/", ".", "_", "%2E", ":", "#", " ", "\u{e9}", "\u{7}", "_delta_log"];
    let mut paths = vec![String::new()];
    for _ in 0..4 {
        let longer = paths.iter().flat_map(|path| alphabet.map(|more| format!("{path}{more}")));
        paths.extend(longer.collect::<Vec<_>>());
        paths.sort();
        paths.dedup();
    }
    let own = paths.iter().filter(|path| is_own_key(path));
    let mut count = 0;
    for path in own {
        count += 1;
        for root in ["file:///t", "s3://b/t"] {
            assert_eq!(taken_apart(root, path).unwrap().key, *path);
        }
        let segments = path.split('/');
        assert!(segments.clone().all(|part| !matches!(part, "" | "." | "..")), "{path}");
    }
    assert!(count > 50 && count * 10 < paths.len(), "{count} of {}", paths.len());
}
