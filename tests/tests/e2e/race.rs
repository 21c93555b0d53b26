//! Two clones to one target at once: one commit a version, nothing lost or doubled.

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_race_is_rebased_on_the_winner() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    table::synthetic(folder.path(), 20, 100);
    let (source, target) = (Place::Local(folder.path().to_owned()), Place::south("race"));
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    // Both stand before the very same write of version 0 when the gate opens.
    let gate = Gate::default();
    proxy.add(
        Rule::new(Fault::Hold(gate.clone()))
            .method("PUT")
            .containing("_delta_log/00000000000000000000.json")
            .times(2),
    );
    let open = async {
        gate.arrived(2).await;
        gate.open();
    };
    let (one, two, ()) = tokio::join!(
        sync::embedded(&source, &proxied, &[]),
        sync::embedded(&source, &proxied, &[]),
        open
    );
    let (one, two) = (one.succeeded(), two.succeeded());
    let listing = target.listing().await;
    assert_eq!(replica::commits(&listing).len(), 1, "{:?}", listing.keys());
    assert_eq!(replica::objects(&listing).len(), 20);
    assert_eq!(one.number("target_version"), 0);
    assert_eq!(two.number("target_version"), 0);
    let source_listing = source.listing().await;
    for key in replica::objects(&listing) {
        assert_eq!(listing[&key], source_listing[&key], "{key}");
    }
}
