//! What is proven without the source's bytes, and what heals, at real stores.

use std::fs;
use std::path::Path;

use deepclone_tests::process;
use deepclone_tests::proxy::{Fault, Proxy, Rule};

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

const BYTES: usize = 1_000;

/// Commits the first file of a table again, with another modification time.
async fn add_again(place: &Place, version: u64, modification_time: u64) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let commit = format!(
        "{{\"add\":{{\"path\":\"{}\",\"partitionValues\":{{}},\"size\":{BYTES},\
         \"modificationTime\":{modification_time},\"dataChange\":true}}}}\n",
        table::name(0)
    );
    write(folder.path(), &format!("_delta_log/{version:020}.json"), commit.as_bytes());
    place.put(folder.path()).await;
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
    fs::write(file, bytes).expect("a new file");
}

/// `deepclone verify --deep`, as JSON.
async fn verified(source: &Place, target: &Place) -> sync::Ended {
    let mut command = process::deepclone();
    let arguments = ["verify", &source.uri(), &target.uri(), "--deep", "--output", "json"];
    command.args(arguments);
    command.envs(source.settings("SOURCE_")).envs(target.settings("TARGET_"));
    sync::finish(command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_checksums_prove_objects_and_no_byte_of_the_source_is_read() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 3, BYTES);
    let (north, south) = (Place::north("proofs"), Place::south("proofs"));
    // Written by a clone, the source's objects have their checksum, too.
    let first = sync::embedded(&Place::Local(folder.path().to_owned()), &north, &[]).await;
    assert_eq!(first.succeeded().json["proofs"]["stored_checksum"], 3);
    sync::embedded(&north, &south, &[]).await.succeeded();
    let report = verified(&north, &south).await;
    let deep = &report.json["deep"];
    assert_eq!((report.code, &report.json["equal"]), (0, &true.into()), "{report:?}");
    let figures = ["objects", "source_bytes_read", "target_bytes_read"];
    assert_eq!(figures.map(|name| deep[name].as_u64()), [Some(3), Some(0), Some(0)]);

    let proxy = Proxy::start(north.endpoint()).await;
    let proxied = north.at(&proxy.endpoint(north.endpoint()));
    let object = table::name(0);
    add_again(&north, 1, 5).await;
    let again = sync::embedded(&proxied, &south, &[]).await.succeeded();
    assert_eq!((again.number("objects_copied"), again.number("bytes_read")), (0, 0));
    assert_eq!(again.json["proofs"]["stored_checksum"], 1);
    assert_eq!((proxy.count("HEAD", &object), proxy.count("GET", &object)), (1, 0));

    // Replaced in place: refused, and nothing was published.
    let bytes = tempfile::tempdir().expect("a scratch folder");
    write(bytes.path(), &object, &vec![7; BYTES]);
    north.put(bytes.path()).await;
    add_again(&north, 2, 6).await;
    let refused = sync::embedded(&north, &south, &[]).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(refused.json["error"]["reason"], "TARGET_CONFLICT", "{refused:?}");
    assert_eq!(replica::commits(&south.listing().await).len(), 2);
    let report = verified(&north, &south).await;
    assert_eq!(report.code, 6, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_were_written_wrong_are_deleted_and_written_again() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 24, BYTES);
    let source = Place::Local(folder.path().to_owned());
    let target = Place::azure("heals");
    let proxy = Proxy::start(target.endpoint()).await;
    // All of one task.
    let objects: Vec<String> = (0..24).map(table::name).collect();
    for object in &objects {
        proxy.add(Rule::new(Fault::FlipBit).method("PUT").containing(object).times(1));
    }
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    sync::embedded(&source, &proxied, &["--verify", "read-back"]).await.succeeded();
    for object in &objects {
        assert_eq!((proxy.count("PUT", object), proxy.count("DELETE", object)), (2, 1));
        assert_eq!(source.listing().await[object], target.listing().await[object]);
    }
}
