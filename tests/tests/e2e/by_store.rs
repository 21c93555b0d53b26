//! One store on both sides: it copies the larger objects by itself.
//!
//! At Azure the large objects are put as a whole, so that the store computes their MD5, or by
//! blocks, so that nobody does.

use deepclone_tests::environment::environment;
use deepclone_tests::process;
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

/// Requests to Azure that write a block.
const BLOCK: &str = "comp=block&";

/// A table of two large objects and a small one.
fn written() -> TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let files = [
        ("p=1/large.bin", "p=1/large.bin", LARGE),
        ("a b/é+%.bin", "a%20b/%C3%A9+%25.bin", LARGE),
        ("small.bin", "small.bin", SMALL),
    ];
    table::named(folder.path(), files);
    folder
}

/// Such a table, whose checksums the store has; and its replica's place in the same store.
async fn table() -> (Place, Place, TempDir) {
    let folder = written();
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

/// Such a table at Azure, and its replica's place in the same account.
async fn table_at_azure() -> (Place, Place, TempDir) {
    let folder = written();
    let (source, target) = (Place::azure("by-store"), Place::azure("by-store-copy"));
    source.put(folder.path()).await;
    (source, target, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_one_account_azure_copies_what_has_an_md5_and_no_byte_passes_a_worker() {
    let (source, target, _folder) = table_at_azure().await;
    let proxy = Proxy::start(source.endpoint()).await;
    let endpoint = proxy.endpoint(source.endpoint());
    let copied = sync::embedded(&source.at(&endpoint), &target.at(&endpoint), &[]).await;
    let copied = copied.succeeded();
    let figures = ["objects_copied", "objects_copied_by_store", "bytes_read", "bytes_written"];
    let bytes = (2 * LARGE + SMALL) as u64;
    assert_eq!(figures.map(|figure| copied.number(figure)), [3, 2, SMALL as u64, bytes]);
    assert_eq!(copied.json["proofs"]["stored_checksum"], 3, "{copied:?}");
    // A look at each side, the block under the MD5, the one that tells the CRC-64, the completion.
    let of_large = ["HEAD", "GET", "PUT"].map(|method| proxy.count(method, "large.bin"));
    assert_eq!(of_large, [2, 0, 3], "{:#?}", proxy.seen());
    assert_eq!(proxy.count("PUT", BLOCK), 4);
    replica::assert_same_objects(&source, &target, 1).await;

    // The digest in the ledger is the one of the bytes.
    let mut command = process::deepclone();
    command.args(["verify", &source.uri(), &target.uri(), "--deep", "--output", "json"]);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    let report = sync::finish(command).await;
    assert_eq!((report.code, &report.json["equal"]), (0, &true.into()), "{report:?}");
    assert_eq!(report.json["deep"]["source_bytes_read"], 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_copies_what_has_no_md5_only_where_its_length_counts_alone() {
    let folder = written();
    let source = Place::azure("by-store-blocks");
    source.put(folder.path()).await;
    for name in ["p=1/large.bin", "a b/é+%.bin"] {
        let bytes = std::fs::read(folder.path().join(name)).expect("a file");
        source.replace_by_parts(name, bytes).await;
    }
    for (level, by_store, proof) in
        [("digest", 0, "stored_checksum"), ("read-back", 0, "read_back"), ("size", 2, "length")]
    {
        let target = Place::azure("by-store-blocks-copy");
        let copied = sync::embedded(&source, &target, &["--verify", level]).await.succeeded();
        let figures = ["objects_copied", "objects_copied_by_store"];
        assert_eq!(figures.map(|figure| copied.number(figure)), [3, by_store], "{level}");
        assert_eq!(copied.json["proofs"][proof], 3, "{level}: {copied:?}");
        replica::assert_same_objects(&source, &target, 1).await;
        // What nothing proved is read at the source.
        let mut command = process::deepclone();
        command.args(["verify", &source.uri(), &target.uri(), "--deep", "--output", "json"]);
        command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
        let report = sync::finish(command).await;
        assert_eq!((report.code, &report.json["equal"]), (0, &true.into()), "{report:?}");
        let read = if level == "size" { 2 * LARGE as u64 } else { 0 };
        assert_eq!(report.json["deep"]["source_bytes_read"], read, "{level}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_azure_refuses_to_copy_the_bytes_flow_and_no_signature_is_told() {
    let (source, target, _folder) = table_at_azure().await;
    let proxy = Proxy::start(source.endpoint()).await;
    proxy.add(Rule::new(Fault::Status(403)).method("PUT").containing(BLOCK));
    let endpoint = proxy.endpoint(source.endpoint());
    let (source, target) = (source.at(&endpoint), target.at(&endpoint));
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &target.uri(), "--output", "json"]);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    let state = tempfile::tempdir().expect("a scratch folder");
    command.env("XDG_STATE_HOME", state.path()).env("DEEPCLONE_LOG", "trace");
    let copied = sync::finish(command).await.succeeded();
    let figures = ["objects_copied", "objects_copied_by_store", "bytes_read"];
    let bytes = (2 * LARGE + SMALL) as u64;
    assert_eq!(figures.map(|figure| copied.number(figure)), [3, 0, bytes]);
    assert!(copied.stderr.contains("the store does not copy by itself"), "{}", copied.stderr);
    for secret in ["sig=", "SharedKey "] {
        assert!(!copied.stderr.contains(secret), "{secret} is in the log");
    }
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_reads_the_source_by_the_signature_that_both_sides_have() {
    let (source, target, _folder) = table_at_azure().await;
    let mut command = process::deepclone();
    command.args(["clone", &source.uri(), &target.uri(), "--output", "json"]);
    let azure = &environment().services.azure;
    let signature = azure.signature();
    command.env("AZURE_STORAGE_ENDPOINT", &azure.endpoint).env("AZURE_ALLOW_HTTP", "true");
    command.env("AZURE_STORAGE_ACCOUNT_NAME", &azure.account);
    command.env("AZURE_STORAGE_SAS_TOKEN", &signature).env("DEEPCLONE_LOG", "trace");
    let state = tempfile::tempdir().expect("a scratch folder");
    command.env("XDG_STATE_HOME", state.path());
    let copied = sync::finish(command).await.succeeded();
    let figures = ["objects_copied_by_store", "bytes_read"];
    assert_eq!(figures.map(|figure| copied.number(figure)), [2, SMALL as u64], "{copied:?}");
    let (_, secret) = signature.split_once("sig=").expect("a signature");
    assert!(!copied.stderr.contains(secret), "the signature is in the log");
    replica::assert_same_objects(&source, &target, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_has_the_key_is_not_overwritten_by_azure_either() {
    let (source, target, folder) = table_at_azure().await;
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
