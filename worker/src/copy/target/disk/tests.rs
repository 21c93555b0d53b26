//! Links below a table's folder that lead out of the connection's root: nothing is written, linked
//! or removed through them.

use std::os::unix::fs::symlink;

use deepclone_common::staged_file::TEMPORARY;
use futures::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use tempfile::TempDir;

use super::*;
use crate::metrics::WorkerMetrics;

/// A table in `root/t`, and the folder `outside` beside the root.
fn scratch() -> (TempDir, DiskTarget) {
    let scratch = tempfile::tempdir().unwrap();
    for folder in ["root/t", "outside/tmp"] {
        std::fs::create_dir_all(scratch.path().join(folder)).unwrap();
    }
    std::fs::write(scratch.path().join("outside/tmp/kept"), "kept").unwrap();
    let (root, path) = (scratch.path().join("root"), scratch.path().join("root/t"));
    let table = TableStore {
        store: Arc::new(LocalFileSystem::new()),
        root: Path::from_absolute_path(&path).unwrap(),
        uri: "file:t".to_owned(),
        large: None,
    };
    let folder = LocalFolder::new(root, path);
    let counts = Counts::new(Arc::default(), WorkerMetrics::default());
    (scratch, DiskTarget { table, folder, counts: Arc::new(counts) })
}

fn object(target: &DiskTarget, key: &str) -> ObjectKey {
    ObjectKey::new(&target.table, key).unwrap()
}

fn flow(pieces: &[&'static str]) -> Flow {
    let pieces: Vec<_> =
        pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
    let length = pieces.iter().flatten().map(|piece| piece.len() as u64).sum();
    Flow { length, pieces: futures::stream::iter(pieces).boxed() }
}

/// The folder `outside` is as it was made.
fn assert_untouched(scratch: &TempDir) {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(scratch.path().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert_eq!((names("outside"), names("outside/tmp")), (vec!["tmp".into()], vec!["kept".into()]));
    assert_eq!(std::fs::read(scratch.path().join("outside/tmp/kept")).unwrap(), b"kept");
}

fn assert_refused(error: &StoreError) {
    assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
    assert!(error.message.starts_with("a link leads out of"), "{error}");
}

#[tokio::test]
async fn an_object_behind_a_link_that_leads_outside_is_refused_before_its_first_byte() {
    let (scratch, target) = scratch();
    symlink(scratch.path().join("outside"), target.folder.path().join("out")).unwrap();
    for key in ["out/a", "out/tmp/kept", "out/tmp/a"] {
        let object = object(&target, key);
        assert_refused(&target.open(&object).await.unwrap_err());
        assert_refused(&target.put(&object, &["x".into()]).await.unwrap_err());
    }
    assert!(!target.folder.path().join("_deepclone").exists(), "a temporary file was made");
    assert_untouched(&scratch);
}

#[tokio::test]
async fn a_link_that_appears_while_the_object_is_written_is_not_followed() {
    let (scratch, target) = scratch();
    let upload = target.open(&object(&target, "part/a")).await.unwrap();
    upload.put_part(0, flow(&["x"])).await.unwrap();
    symlink(scratch.path().join("outside"), target.folder.path().join("part")).unwrap();
    assert_refused(&upload.finish().await.unwrap_err());
    assert_untouched(&scratch);
}

#[tokio::test]
async fn no_temporary_file_is_made_or_swept_away_behind_a_link_that_leads_outside() {
    let (scratch, target) = scratch();
    symlink(scratch.path().join("outside"), target.folder.path().join("_deepclone")).unwrap();
    target.sweep().await;
    assert_untouched(&scratch);
    let put = target.put(&object(&target, "a"), &["x".into()]).await;
    assert_refused(&put.unwrap_err());
    assert_untouched(&scratch);
}

#[tokio::test]
async fn parts_that_are_written_in_another_order_make_the_object_all_the_same() {
    let (scratch, target) = scratch();
    let key = object(&target, "a");
    let upload = target.open(&key).await.unwrap();
    for (offset, pieces) in [(5, &["f"][..]), (3, &["de"]), (0, &["ab", "c"])] {
        upload.put_part(offset, flow(pieces)).await.unwrap();
    }
    assert!(!target.folder.path().join("a").exists(), "it is seen before it is whole");
    assert!(matches!(upload.finish().await, Ok(Written::New { etag: Some(_), .. })));
    assert_eq!(std::fs::read(target.folder.path().join("a")).unwrap(), b"abcdef");
    drop(upload);
    assert_eq!(std::fs::read_dir(target.folder.path().join(TEMPORARY)).unwrap().count(), 0);

    let second = target.open(&key).await.unwrap();
    second.put_part(0, flow(&["other"])).await.unwrap();
    assert_eq!(second.finish().await, Ok(Written::Exists));
    assert_eq!(std::fs::read(target.folder.path().join("a")).unwrap(), b"abcdef");
    assert_untouched(&scratch);
}
