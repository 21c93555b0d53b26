//! One store on both sides: it copies the larger objects by itself.

use deepclone_tests::proxy::{Fault, Proxy, Rule};
use tempfile::TempDir;

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

const LARGE: usize = (2 << 20) + 5;
const SMALL: usize = 1_000;
/// Requests that write a part are those of an upload.
const PART: &str = "partNumber=";

/// A table of two large objects and a small one, whose checksums the store has; and its replica's
/// place in the same store.
async fn table() -> (Place, Place, TempDir) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let files = [
        ("p=1/large.bin", "p=1/large.bin", LARGE),
        ("a b/é+%.bin", "a%20b/%C3%A9+%25.bin", LARGE),
        ("small.bin", "small.bin", SMALL),
    ];
    table::named(folder.path(), files);
    let (source, target) = (Place::north("by-store"), Place::north("by-store-copy"));
    source.put_with_checksums(folder.path()).await;
    (source, target, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_one_store_the_bytes_of_large_objects_pass_no_worker() {
    let (source, target, _folder) = table().await;
    let proxy = Proxy::start(source.endpoint()).await;
    let endpoint = proxy.endpoint(source.endpoint());
    let copied = sync::embedded(&source.at(&endpoint), &target.at(&endpoint), &[]).await;
    let copied = copied.succeeded();
    let figures = ["objects_copied", "objects_copied_by_store", "bytes_read", "bytes_written"];
    let bytes = (2 * LARGE + SMALL) as u64;
    assert_eq!(figures.map(|figure| copied.number(figure)), [3, 2, SMALL as u64, bytes]);
    // The look, the opening, the one part and the completion, which says the checksum of the copy.
    let of_large = ["HEAD", "GET", "PUT", "POST"].map(|method| proxy.count(method, "large.bin"));
    assert_eq!(of_large, [1, 0, 1, 2], "{:#?}", proxy.seen());
    assert_eq!(proxy.count("PUT", PART), 2);
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_store_refuses_to_copy_the_bytes_flow() {
    let (source, target, _folder) = table().await;
    let proxy = Proxy::start(source.endpoint()).await;
    proxy.add(Rule::new(Fault::Status(501)).method("PUT").containing(PART));
    let endpoint = proxy.endpoint(source.endpoint());
    let copied = sync::embedded(&source.at(&endpoint), &target.at(&endpoint), &[]).await;
    let copied = copied.succeeded();
    let figures = ["objects_copied", "objects_copied_by_store", "bytes_read"];
    let bytes = (2 * LARGE + SMALL) as u64;
    assert_eq!(figures.map(|figure| copied.number(figure)), [3, 0, bytes]);
    assert_eq!(proxy.count("DELETE", "uploadId="), proxy.count("PUT", PART));
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_has_the_key_is_not_overwritten_by_a_store_either() {
    let (source, target, folder) = table().await;
    std::fs::write(folder.path().join("p=1/large.bin"), b"other").expect("a file");
    std::fs::remove_dir_all(folder.path().join("_delta_log")).expect("a folder");
    std::fs::remove_dir_all(folder.path().join("a b")).expect("a folder");
    target.put(folder.path()).await;
    let before = target.listing().await;
    let refused = sync::embedded(&source, &target, &[]).await;
    assert_eq!(refused.json["error"]["reason"], "TARGET_CONFLICT", "{refused:?}");
    let after = target.listing().await;
    assert_eq!(after["p=1/large.bin"], before["p=1/large.bin"]);
    assert!(replica::commits(&after).is_empty());
}
