//! Two clones to one target at once: one commit a version, nothing lost or doubled.

use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use deepclone_tests::writers;
use serde_json::json;

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
    // Both stand before the very same write when the gate opens.
    let gate = hold_version_zero(&proxy);
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
    replica::assert_same_objects(&source, &target, 1).await;
    assert_eq!(one.number("target_version"), 0);
    assert_eq!(two.number("target_version"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_syncs_to_different_versions_leave_the_winner_or_the_newer_one() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = Place::Local(folder.path().join("source"));
    for start in [0, 20] {
        writers::write("append", &source.uri(), json!({"start": start, "count": 20}));
    }
    let target = Place::south("race-versions");
    let proxy = Proxy::start(target.endpoint()).await;
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    let gate = hold_version_zero(&proxy);
    let open = async {
        gate.arrived(2).await;
        gate.open();
    };
    let (old, new, ()) = tokio::join!(
        sync::embedded(&source, &proxied, &["--version", "0"]),
        sync::embedded(&source, &proxied, &[]),
        open
    );
    // The sync to the newest version wins at once or goes on top of the other one. The sync to the
    // older version wins, or is told that the replica is past it.
    let new = new.succeeded();
    let commits = replica::commits(&target.listing().await).len();
    match new.number("target_version") {
        0 => {
            assert_eq!((old.code, commits), (2, 1), "{old:?}");
            assert!(old.stderr.contains("version"), "{old:?}");
        }
        version => {
            assert_eq!((old.succeeded().number("target_version"), version, commits), (0, 1, 2))
        }
    }
    replica::assert_equal(&source, &target).await;
}

/// Holds the first two writes of version 0.
fn hold_version_zero(proxy: &Proxy) -> Gate {
    let gate = Gate::default();
    proxy.add(
        Rule::new(Fault::Hold(gate.clone()))
            .method("PUT")
            .containing("_delta_log/00000000000000000000.json")
            .times(2),
    );
    gate
}
