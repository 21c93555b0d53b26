//! Objects of all names and lengths, and objects that are not what the log or the target says.

use std::fs;
use std::path::Path;

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

/// A key that Azure cannot hold.
const DOTTED: &str = "trailing dot./x.";

/// Keys as they are at a store, each with its path as the log encodes it.
fn names() -> Vec<(String, String)> {
    let long =
        format!("p={}/q={}/r={}/f.parquet", "l".repeat(240), "m".repeat(240), "n".repeat(240));
    let plain = [
        ("a b.parquet", "a%20b.parquet"),
        ("already%20encoded.parquet", "already%2520encoded.parquet"),
        ("hash#mark.parquet", "hash%23mark.parquet"),
        ("question?x=1&y=2.parquet", "question%3Fx=1&y=2.parquet"),
        ("plus+plus.parquet", "plus+plus.parquet"),
        ("ünïcödé-漢字-✓.parquet", "%C3%BCn%C3%AFc%C3%B6d%C3%A9-漢字-✓.parquet"),
        ("k=a:b;c,d@e'f(g)!/x~.parquet", "k=a:b;c,d@e'f(g)!/x~.parquet"),
        ("_hidden/.dot.parquet", "_hidden/.dot.parquet"),
        (DOTTED, "trailing%20dot./x."),
    ];
    let plain = plain.map(|(key, path)| (key.to_owned(), path.to_owned()));
    plain.into_iter().chain([(long.clone(), long)]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_all_names_arrive_under_them() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let names = names();
    table::named(&source, names.iter().map(|(key, path)| (key.as_str(), path.as_str(), 10)));
    let (source, target) = (Place::Local(source), Place::Local(target));
    let (north, south, azure) =
        (Place::north("names"), Place::south("names"), Place::azure("names"));
    for (from, to) in [(&source, &north), (&north, &south), (&south, &azure), (&azure, &target)] {
        sync::embedded(from, to, &[]).await.succeeded();
        let (sent, come) = (source.listing().await, to.listing().await);
        let arrived = replica::objects(&come);
        assert_eq!(replica::objects(&sent).len(), arrived.len(), "{}", to.uri());
        for key in replica::objects(&sent) {
            // Azure drops dots at the end of a segment: such a key has another name from there on.
            let name = match key.as_str() {
                DOTTED if !arrived.contains(DOTTED) => arrived
                    .iter()
                    .find(|name| name.starts_with("trailing dot-"))
                    .unwrap_or_else(|| panic!("{key} at {}: {arrived:?}", to.uri())),
                key => key,
            };
            assert_eq!(sent.get(&key), come.get(name), "{key} at {}", to.uri());
        }
        let has_dots = arrived.iter().any(|key| key.split('/').any(|part| part.ends_with('.')));
        assert_eq!(has_dots, matches!(to, Place::Cloud(..)), "{}", to.uri());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_object_is_an_object() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = folder.path().join("source");
    table::synthetic(&source, 2, 0);
    let source = Place::Local(source);
    let (north, azure) = (Place::north("empty"), Place::azure("empty"));
    let target = Place::Local(folder.path().join("target"));
    for (from, to) in [(&source, &north), (&north, &azure), (&azure, &target)] {
        sync::embedded(from, to, &[]).await.succeeded();
        assert_eq!(replica::objects(&to.listing().await).len(), 2, "{}", to.uri());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_not_what_its_log_says_is_refused_by_the_key() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    for (length, reason, words) in [
        (None, "OBJECT_VANISHED", vec![]),
        (Some(9), "OBJECT_CHANGED", vec!["9 bytes", "10"]),
        (Some(11), "OBJECT_CHANGED", vec!["11 bytes", "10"]),
    ] {
        let source = folder.path().join(reason).join(format!("{length:?}"));
        table::synthetic(&source, 3, 10);
        let damaged = source.join(table::name(1));
        fs::remove_file(&damaged).expect("it is there");
        if let Some(length) = length {
            fs::write(&damaged, vec![7; length]).expect("a new file");
        }
        let target = Place::south("damaged");
        let ended = sync::embedded(&Place::Local(source), &target, &[]).await;
        assert_eq!(ended.code, 3, "{ended:?}");
        let error = &ended.json["error"];
        assert_eq!(error["reason"], reason, "{ended:?}");
        let message = error["message"].as_str().expect("a message");
        for word in words.into_iter().chain([table::name(1).as_str()]) {
            assert!(message.contains(word), "no {word:?} in {message}");
        }
        assert!(replica::commits(&target.listing().await).is_empty());
    }
}

/// Longer than what is put at once.
const LARGE_BYTES: usize = (64 << 20) + 11;

/// Somebody else's object comes while ours is uploaded: theirs stays.
async fn a_large_object_meets_another(target: &Place, method: &str, completion: &str) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, theirs) = (folder.path().join("source"), folder.path().join("theirs"));
    table::synthetic(&source, 1, LARGE_BYTES);
    write(&theirs.join(table::name(0)), b"theirs");
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let gate = Gate::default();
    proxy.add(Rule::new(Fault::Hold(gate.clone())).method(method).containing(completion));
    let source = Place::Local(source);
    let meets = async {
        gate.arrived(1).await;
        target.put(&theirs).await;
        gate.open();
    };
    let (ended, ()) = tokio::join!(sync::embedded(&source, &proxied, &[]), meets);
    let listing = target.listing().await;
    assert_eq!(listing[&table::name(0)].0, 6, "theirs was overwritten");
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.json["error"]["message"].as_str().expect("a message").contains("part-00000"));
    assert!(replica::commits(&listing).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_overwrites_nothing_at_s3() {
    a_large_object_meets_another(&Place::south("meets"), "POST", "uploadId=").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_overwrites_nothing_at_azure() {
    a_large_object_meets_another(&Place::azure("meets"), "PUT", "comp=blocklist").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_goes_to_azure() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 1, LARGE_BYTES);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::azure("large"));
    sync::embedded(&source, &target, &[]).await.succeeded();
    let name = table::name(0);
    assert_eq!(source.listing().await[&name], target.listing().await[&name]);
}

fn write(file: &Path, bytes: &[u8]) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
    fs::write(file, bytes).expect("a new file");
}
