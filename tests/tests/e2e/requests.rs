//! What a sync asks of the stores, to the request.

use deepclone_tests::proxy::{Fault, Proxy, Rule};

use crate::place::Place;
use crate::sync;
use crate::table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_op_takes_three_requests_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 3, 100);
    let (source, target) = (Place::north("noop"), Place::south("noop"));
    source.put(folder.path()).await;
    sync::embedded(&source, &target, &[]).await.succeeded();
    let before = target.listing().await;

    let north = Proxy::start(source.endpoint()).await;
    let south = Proxy::start(target.endpoint()).await;
    let proxied_source = source.at(&north.endpoint(source.endpoint()));
    let proxied_target = target.at(&south.endpoint(target.endpoint()));
    let again = sync::embedded(&proxied_source, &proxied_target, &[]).await.succeeded();
    assert_eq!(again.json["up_to_date"], true);
    assert_eq!(again.number("objects_copied"), 0);
    assert_eq!(target.listing().await, before);

    let all: Vec<_> = north.seen().into_iter().chain(south.seen()).collect();
    // What the last sync knew, and the listing of each log.
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all.iter().all(|seen| seen.method == "GET"), "{all:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_object_is_one_get_and_one_put() {
    const OBJECTS: usize = 300;
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), OBJECTS, 1000);
    let (source, target) = (Place::north("requests"), Place::south("requests"));
    source.put(folder.path()).await;
    let north = Proxy::start(source.endpoint()).await;
    let south = Proxy::start(target.endpoint()).await;
    sync::embedded(
        &source.at(&north.endpoint(source.endpoint())),
        &target.at(&south.endpoint(target.endpoint())),
        &[],
    )
    .await
    .succeeded();
    assert_eq!((north.count("GET", "part-"), north.count("", "part-")), (OBJECTS, OBJECTS));
    assert_eq!((south.count("PUT", "part-"), south.count("", "part-")), (OBJECTS, OBJECTS));
    // The target's probe: two writes of one key, and its removal.
    assert_eq!((south.count("PUT", "probe-"), south.count("", "probe-")), (2, 2));
    assert_eq!((south.count("POST", "delete"), south.count("POST", "")), (1, 1));
    const PROBE: usize = 3;
    // Is there a table around the target? The bucket's root is its one folder above.
    const FOLDERS_ABOVE: usize = 1;
    // The logs: a handful, however many objects there are.
    let others = |proxy: &Proxy| proxy.seen().len() - OBJECTS;
    assert!(others(&north) <= 6, "{:#?}", north.seen());
    assert!(others(&south) - PROBE - FOLDERS_ABOVE <= 8, "{:#?}", south.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_put_if_absent_is_named_by_two_requests() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 10, 100);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::south("refuses"));
    let proxy = Proxy::start(target.endpoint()).await;
    proxy.add(Rule::new(Fault::Status(501)).method("PUT"));
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let refused = sync::embedded(&source, &proxied, &[]).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(refused.json["error"]["reason"], "TARGET_UNSUITABLE", "{refused:?}");
    assert!(refused.stderr.contains(&target.uri()), "{refused:?}");
    // With and without a checksum.
    assert_eq!((proxy.count("PUT", "probe-"), proxy.count("PUT", "")), (2, 2));
    assert!(target.listing().await.is_empty());
}
