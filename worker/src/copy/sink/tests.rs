//! Links below a table's folder that lead out of the connection's root: nothing is written, linked
//! or removed through them.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A table in `root/t`, and the folder `outside` beside the root.
fn scratch() -> (TempDir, LocalFolder) {
    let scratch = tempfile::tempdir().unwrap();
    for folder in ["root/t", "outside/tmp"] {
        std::fs::create_dir_all(scratch.path().join(folder)).unwrap();
    }
    std::fs::write(scratch.path().join("outside/tmp/kept"), "kept").unwrap();
    let (root, table) = (scratch.path().join("root"), scratch.path().join("root/t"));
    (scratch, LocalFolder::new(root, table))
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
    let (scratch, table) = scratch();
    symlink(scratch.path().join("outside"), table.path().join("out")).unwrap();
    for key in ["out/a", "out/tmp/kept", "out/tmp/a"] {
        assert_refused(&Sink::file(table.clone(), key.to_owned()).await.err().unwrap());
        let put = put_file(table.clone(), key.to_owned(), vec!["x".into()]).await;
        assert_refused(&put.unwrap_err());
    }
    assert!(!table.path().join("_deepclone").exists(), "a temporary file was made");
    assert_untouched(&scratch);
}

#[tokio::test]
async fn a_link_that_appears_while_the_object_is_written_is_not_followed() {
    let (scratch, table) = scratch();
    let opened = Sink::file(table.clone(), "part/a".to_owned()).await;
    let Ok(Sink::File(mut file)) = opened else { panic!("it does not open") };
    file.append(vec!["x".into()]).await.unwrap();
    symlink(scratch.path().join("outside"), table.path().join("part")).unwrap();
    assert_refused(&Sink::File(file).finish().await.unwrap_err());
    assert_untouched(&scratch);
}

#[tokio::test]
async fn no_temporary_file_is_made_or_swept_away_behind_a_link_that_leads_outside() {
    let (scratch, table) = scratch();
    symlink(scratch.path().join("outside"), table.path().join("_deepclone")).unwrap();
    sweep(table.clone()).await;
    assert_untouched(&scratch);
    let put = put_file(table, "a".to_owned(), vec!["x".into()]).await;
    assert_refused(&put.unwrap_err());
    assert_untouched(&scratch);
}
