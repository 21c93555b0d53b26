//! A table of paths, and: no path escapes.

use super::*;

#[test]
fn paths_are_decoded_once_and_checked() {
    let file = "file:///lake/my table";
    let s3 = "s3://bucket/lake/t/";
    let azure = "abfss://box@acc.dfs.core.windows.net/t";
    let cases = [
        (file, "part-0.parquet", Ok("part-0.parquet")),
        (file, "test%25file%25prefix-x.parquet", Ok("test%file%prefix-x.parquet")),
        (file, "x%2520y", Ok("x%20y")),
        (file, "special%20p@%23h/f", Ok("special p@#h/f")),
        (file, "p=bar%2Dbar/f", Ok("p=bar-bar/f")),
        (file, "date=2021-09-08 11%3A11%3A11/f", Ok("date=2021-09-08 11:11:11/f")),
        (file, "p=%3ay", Ok("p=:y")),
        (file, "p=%3Ay", Ok("p=:y")),
        (file, "p=11:11/f", Ok("p=11:11/f")),
        (file, "p=ü/f", Ok("p=ü/f")),
        (file, "p=%C3%BC/f", Ok("p=ü/f")),
        (file, "p=a%2Fb/f", Ok("p=a/b/f")),
        (file, "100%/f", Ok("100%/f")),
        (file, "p=Acme Inc./f", Ok("p=Acme Inc./f")),
        (file, "/lake/my%20table/a%20b", Ok("a b")),
        (file, "file:/lake/my%20table/a", Ok("a")),
        (file, "file:///lake/my table/a", Ok("a")),
        (file, "file://localhost/lake/my%20table/a", Ok("a")),
        ("file:///lake/my%20table/", "/lake/my%20table/a", Ok("a")),
        ("/lake/t", "file:/lake/t/a", Ok("a")),
        (s3, "s3://bucket/lake/t/a%20b", Ok("a b")),
        (s3, "s3a://bucket/lake/t/x/y", Ok("x/y")),
        (s3, "/lake/t/a", Ok("a")),
        (azure, "abfs://box@acc.dfs.core.windows.net/t/a", Ok("a")),
        (azure, "wasbs://box@acc.blob.core.windows.net/t/a", Ok("a")),
        ("az://box/t", "abfss://box@acc.dfs.core.windows.net/t/a", Ok("a")),
        (azure, "abfss://box@other.dfs.core.windows.net/t/a", Err("outside")),
        (file, "/lake/my%20table2/a", Err("outside")),
        (file, "/lake/other/a", Err("outside")),
        (file, "file://host/lake/my%20table/a", Err("outside")),
        (file, "s3://lake/my%20table/a", Err("outside")),
        (s3, "s3://other/lake/t/a", Err("outside")),
        (s3, "file:///lake/t/a", Err("outside")),
        (s3, "s3://bucket/lake/t/../u/a", Err("..")),
        (s3, "s3://bucket/lake/t", Err("outside")),
        (s3, "s3://bucket/lake/t/", Err("empty")),
        (file, "..//x", Err("..")),
        (file, "../x", Err("..")),
        (file, "a/../../x", Err("..")),
        (file, "a/%2E%2e/x", Err("..")),
        (file, "..%2Fx", Err("..")),
        (file, "a//b", Err("empty segment")),
        (file, "./a", Err("segment")),
        (file, "a/", Err("empty segment")),
        (file, "", Err("empty")),
        (file, "//host/a", Err("two slashes")),
        (file, "a%00b", Err("control")),
        (file, "a%0Ab", Err("control")),
        (file, "a\u{7f}b", Err("control")),
        (file, "a%ff", Err("UTF-8")),
        (file, "a?b", Err("not encoded")),
        (file, "a#b", Err("not encoded")),
        (file, "abc:def.parquet", Err("URI")),
        (file, "C:\\x", Err("URI")),
        (file, "_delta_log/x", Err("log's folder")),
        (file, "%5Fdelta_log/x", Err("log's folder")),
        (file, "_delta_log", Err("log's folder")),
        (file, "/lake/my%20table/_delta_log/x", Err("log's folder")),
        (file, "_deepclone/x", Err("_deepclone")),
        (file, "_change_data/x", Ok("_change_data/x")),
        (file, "_delta_logs/x", Ok("_delta_logs/x")),
    ];
    for (root, path, wanted) in cases {
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

/// All texts of up to five pieces: whatever is accepted is a key below the root that a store can
/// name and that a second look accepts as it is.
#[test]
fn no_path_escapes() {
    let pieces = ["..", "/", "a", ".", "%2e", "%2F", "s3://bucket/t", "%00", "_delta_log", ":"];
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
            assert!(object_store::path::Path::parse(&key).is_ok_and(|path| path.as_ref() == key));
            assert!(key.split('/').all(|segment| segment != ".." && !segment.is_empty()));
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
