//! Checkups of real stores: each is fit, says what proves copies there, and is left as it was.

use deepclone_tests::process;

use crate::place::Place;
use crate::sync;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_stores_are_fit_and_left_as_they_were() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let local = folder.path().join("copy");
    // What each says of objects that are held, flow, and go by parts.
    let cases = [
        (Place::north("doctor"), ["stored_checksum", "length", "length"]),
        (Place::azure("doctor"), ["stored_checksum", "stored_checksum", "stored_checksum"]),
        (Place::Local(local.clone()), ["", "", ""]),
    ];
    for (place, proofs) in cases {
        let config = folder.path().join("deepclone.toml");
        std::fs::write(&config, place.connection("dr")).expect("a writable folder");
        let mut command = process::deepclone();
        command.args(["doctor", &place.server_uri(), "--output", "json", "--config"]).arg(&config);
        let ended = sync::finish(command).await.succeeded();
        assert_eq!(ended.json["fit"], true, "{ended:?}");
        let checks = ended.json["checks"].as_array().expect("a list");
        let failed: Vec<_> = checks.iter().filter(|check| check["verdict"] == "FAILED").collect();
        assert!(failed.is_empty(), "{failed:?}");
        let of = |name: &str| {
            let found = checks.iter().find(|check| check["name"] == name);
            found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
        };
        assert_eq!(of("put-if-absent")["verdict"], "OK");
        if !matches!(place, Place::Local(_)) {
            let names = ["small objects", "objects that flow", "objects by parts"];
            let told: Vec<String> =
                names.iter().zip(proofs).map(|(name, proof)| format!("{name}: {proof}")).collect();
            assert_eq!(of("checksums")["message"], told.join("; "));
            // SeaweedFS 4.48 looks for the object before it puts the parts together.
            let at_once = if matches!(place, Place::Azure(..)) { "OK" } else { "WARN" };
            assert_eq!(of("completions at once")["verdict"], at_once, "{checks:?}");
            let copies = of("server-side copy");
            let says = "the store copies by itself, and says the checksum";
            assert_eq!((&copies["verdict"], &copies["message"]), (&"OK".into(), &says.into()));
            for name in ["reachable", "credentials", "list", "write", "read", "clock", "delete"] {
                assert_eq!(of(name)["verdict"], "OK", "{checks:?}");
            }
        }
        assert!(place.listing().await.is_empty(), "{:?}", place.listing().await);
    }
    assert!(!local.exists(), "a folder that was not there is not left");
}
