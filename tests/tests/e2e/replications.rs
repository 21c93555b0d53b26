//! Standing replications with real processes and stores: tables found by patterns in one cloud,
//! kept in another one, by a coordinator that is killed in the middle of a round.

use std::path::Path;
use std::time::Duration;

use deepclone_tests::process::{self, Server};
use deepclone_tests::proxy::{Proxy, Seen};
use serde_json::Value;

use crate::place::Place;
use crate::replica;
use crate::table;

/// The files of a coordinator that is started again.
struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn coordinator(&self) -> Server {
        let database = format!("sqlite:{}", self.path("state.db"));
        let config = self.path("deepclone.toml");
        process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database])
    }

    fn worker(&self, coordinator: &Server) -> Server {
        let config = self.path("deepclone.toml");
        process::worker(&coordinator.url(), "w", &["--config", &config])
    }
}

fn replication(coordinator: &Server, arguments: &[&str]) -> Value {
    let mut command = process::deepclone();
    command.arg("replication").args(arguments);
    command.args(["--output", "json", "--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

/// Waits until the replication is so.
async fn until(coordinator: &Server, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let patient = async {
        loop {
            let found = replication(coordinator, &["get", "lake-dr"]);
            if is_so(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(120), patient).await;
    found.unwrap_or_else(|_| panic!("it is never so: {what}\n{}", coordinator.log()))
}

fn rounds_ended(found: &Value) -> usize {
    let rounds = found["last_rounds"].as_array().expect("a list");
    rounds.iter().filter(|round| round["end_time"].is_string()).count()
}

async fn put(place: &Place, folder: &Path, files: usize) {
    table::synthetic(folder, files, 1_000);
    place.put(folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_a_pattern_are_kept_in_another_cloud_by_a_coordinator_that_is_killed() {
    let kept = Kept { folder: tempfile::tempdir().expect("a scratch folder") };
    let (lake, dr) = (Place::north("lake"), Place::azure("dr"));
    let (lake_name, dr_name) = (prefix(&lake), prefix(&dr));
    let mut pairs = Vec::new();
    for name in ["sales/orders", "sales/eu/items", "hr/people"] {
        let source = below(&lake, name);
        let folder = kept.folder.path().join(name.replace('/', "-"));
        put(&source, &folder, 12).await;
        pairs.push((source, below(&dr, name)));
    }
    let config = connection(&lake, "lake", lake_name) + &connection(&dr, "dr", dr_name);
    std::fs::write(kept.path("deepclone.toml"), config).expect("a new file");
    let file = "version = 1\n[[replication]]\nname = \"lake-dr\"\nsource = \"lake\"\n\
                target = \"dr\"\ninclude = [\"sales/**\"]\nschedule = { every = \"366d\" }\n";
    std::fs::write(kept.path("replications.toml"), file).expect("a new file");

    let mut coordinator = kept.coordinator();
    replication(&coordinator, &["apply", &kept.path("replications.toml")]);
    replication(&coordinator, &["run", "lake-dr"]);
    let with_jobs = |found: &Value| {
        let tables = found["tables"].as_array().expect("a list");
        tables.len() == 2 && tables.iter().all(|table| table["job_id"].is_string())
    };
    let before = until(&coordinator, "both tables have a job", with_jobs).await;
    coordinator.kill();

    let coordinator = kept.coordinator();
    let _worker = kept.worker(&coordinator);
    let after = until(&coordinator, "the round ends", |found| rounds_ended(found) == 1).await;
    let round = &after["last_rounds"][0];
    assert_eq!((&round["tables_done"], &round["tables_failed"]), (&2.into(), &0.into()), "{after}");
    assert_eq!(after["ready"], "YES");
    let jobs_of = |found: &Value| {
        let tables = found["tables"].as_array().expect("a list");
        tables.iter().map(|table| table["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(jobs_of(&before), jobs_of(&after));
    for (source, target) in &pairs[..2] {
        replica::assert_equal(source, target).await;
        assert_eq!(replica::commits(&target.listing().await).len(), 1, "no sync is doubled");
    }
    assert!(pairs[2].1.listing().await.is_empty(), "no pattern names it");
}

/// A field of the only table.
fn of_table(found: &Value, field: &str) -> Value {
    found["tables"][0][field].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_without_news_is_one_request_to_the_source_and_none_to_the_target() {
    let kept = Kept { folder: tempfile::tempdir().expect("a scratch folder") };
    let (lake, dr) = (Place::north("polls"), Place::azure("polls"));
    let folder = kept.folder.path().join("orders");
    put(&below(&lake, "orders"), &folder, 3).await;
    let (north, azure) = (Proxy::start(lake.endpoint()).await, Proxy::start(dr.endpoint()).await);
    let near = lake.at(&north.endpoint(lake.endpoint()));
    let far = dr.at(&azure.endpoint(dr.endpoint()));
    let config = connection(&near, "lake", prefix(&lake)) + &connection(&far, "dr", prefix(&dr));
    std::fs::write(kept.path("deepclone.toml"), config).expect("a new file");
    let file = "version = 1\n[[replication]]\nname = \"lake-dr\"\nsource = \"lake\"\n\
                target = \"dr\"\ninclude = [\"orders\"]\n\
                schedule = { on_commit = { poll_min = \"1s\", poll_max = \"1s\" } }\n";
    std::fs::write(kept.path("replications.toml"), file).expect("a new file");
    let coordinator = kept.coordinator();
    let _worker = kept.worker(&coordinator);
    replication(&coordinator, &["apply", &kept.path("replications.toml")]);
    let is_seen = |found: &Value| {
        let synced = of_table(found, "sync_time");
        synced.is_string() && of_table(found, "target_check_time") != synced
    };
    let mut found = until(&coordinator, "the replica is looked at after its sync", is_seen).await;

    north.forget();
    azure.forget();
    for _ in 0..3 {
        let before = of_table(&found, "check_time");
        let is_asked = |found: &Value| of_table(found, "check_time") != before;
        found = until(&coordinator, "the source is asked again", is_asked).await;
    }
    let (asked, of_target) = (north.seen(), azure.seen());
    let is_head_of_next = |seen: &Seen| {
        seen.method == "HEAD" && seen.target.contains("_delta_log/00000000000000000001.json")
    };
    assert!(asked.len() >= 3 && asked.iter().all(is_head_of_next), "{asked:#?}");
    assert!(of_target.is_empty(), "{of_target:#?}");
    assert_eq!((&found["ready"], of_table(&found, "lag_seconds")), (&"YES".into(), 0.0.into()));
}

/// The table `name` below a place.
fn below(place: &Place, name: &str) -> Place {
    match place {
        Place::Cloud(cloud, prefix) => Place::Cloud(cloud.clone(), format!("{prefix}/{name}")),
        Place::Azure(azure, prefix) => Place::Azure(azure.clone(), format!("{prefix}/{name}")),
        Place::Local(folder) => Place::Local(folder.join(name)),
    }
}

fn prefix(place: &Place) -> &str {
    match place {
        Place::Cloud(_, prefix) | Place::Azure(_, prefix) => prefix,
        Place::Local(_) => panic!("a folder has no prefix"),
    }
}

/// A named connection whose root is the prefix.
fn connection(place: &Place, name: &str, prefix: &str) -> String {
    match place {
        Place::Cloud(cloud, _) => cloud.connection(name, prefix),
        Place::Azure(azure, _) => azure.connection(name, prefix),
        Place::Local(_) => panic!("a folder has no prefix"),
    }
}
