//! Audits of a running coordinator: each kind of damage is found by the next one, named, told and
//! mended by `deepclone repair`, and the audit after it is clean. A clean replica costs its source
//! nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use deepclone_tests::process::{self, Server};
use deepclone_tests::proxy::Proxy;
use deepclone_tests::receiver::Receiver;
use deepclone_tests::writers::spark;
use serde_json::{Value, json};

use crate::place::Place;
use crate::sync;
use crate::table;

/// The tables, by what is done to their replicas.
const DAMAGES: [&str; 7] =
    ["missing", "truncated", "changed", "foreign", "hint", "ledger", "marker"];
const PATIENCE: Duration = Duration::from_secs(200);

/// Sources in a cloud behind a proxy, replicas on this disk.
struct Site {
    folder: tempfile::TempDir,
    lake: Place,
    proxy: Proxy,
    oncall: Receiver,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let lake = Place::north("audits");
        for name in DAMAGES {
            let local = folder.path().join(name);
            table::synthetic(&local, 3, 1_000);
            below(&lake, &format!("lake/{name}")).put(&local).await;
        }
        let local = folder.path().join("spark");
        let table = format!("delta.`{}`", local.display());
        spark(&[
            &format!(
                "CREATE TABLE {table} USING DELTA TBLPROPERTIES \
                 ('delta.enableDeletionVectors' = 'true') AS SELECT id FROM range(0, 60, 1, 4)"
            ),
            &format!("DELETE FROM {table} WHERE id % 15 = 3"),
        ]);
        below(&lake, "proofs/orders").put(&local).await;
        std::fs::create_dir(folder.path().join("dr")).expect("a new folder");
        let proxy = Proxy::start(lake.endpoint()).await;
        let oncall = Receiver::start(&[]).await;
        let site = Self { folder, lake, proxy, oncall };
        let near = site.lake.at(&site.proxy.endpoint(site.lake.endpoint()));
        let Place::Cloud(near, prefix) = near else { panic!("it lies in a cloud") };
        let config = format!(
            "{}[connections.dr]\nurl = \"file://{}\"\nroles = [\"target\"]\n\
             [[webhooks]]\nname = \"oncall\"\nurl = \"{}\"\nhold = \"0s\"\n\
             events = [\"diverged\", \"recovered\"]\nsecret = \"hunter2-hunter2-hunter2\"\n",
            near.connection("lake", &prefix),
            site.path("dr"),
            site.oncall.url,
        );
        std::fs::write(site.path("deepclone.toml"), config).expect("a new file");
        let file = "version = 1\n[defaults]\nsource = \"lake\"\ntarget = \"dr\"\n\
                    schedule = { every = \"366d\" }\n\
                    [[replication]]\nname = \"lake-dr\"\ninclude = [\"lake/*\"]\n\
                    audit = { schedule = { every = \"1m\" }, sample = \"100%\" }\n\
                    vacuum = { schedule = { every = \"1m\" }, retention = \"30d\" }\n\
                    [[replication]]\nname = \"proofs-dr\"\ninclude = [\"proofs/*\"]\n\
                    audit = { schedule = { every = \"1m\" }, proof_of_use = true }\n";
        std::fs::write(site.path("replications.toml"), file).expect("a new file");
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn replica(&self, name: &str) -> PathBuf {
        self.folder.path().join("dr/lake").join(name)
    }

    fn start(&self) -> (Server, Server) {
        let (config, database) = (self.path("deepclone.toml"), self.path("state.db"));
        let database = format!("sqlite:{database}");
        let arguments = ["--config", &config, "--database", &database];
        let coordinator = process::coordinator("127.0.0.1:0", &arguments);
        let worker = process::worker(&coordinator.url(), "w", &["--config", &config]);
        (coordinator, worker)
    }

    /// Does to each replica what its name says.
    fn damage(&self) {
        let object = |name: &str| self.replica(name).join(table::name(1));
        std::fs::remove_file(object("missing")).expect("an object");
        std::fs::write(object("truncated"), [7; 9]).expect("an object");
        let mut bytes = std::fs::read(object("changed")).expect("an object");
        bytes[500] ^= 1;
        std::fs::write(object("changed"), bytes).expect("an object");
        table::append(&self.replica("foreign"), 1, "foreign.parquet", 10);
        let ours = |name: &str, path: &str| self.replica(name).join("_deepclone").join(path);
        std::fs::remove_file(ours("hint", "replica.json")).expect("the hint");
        std::fs::remove_dir_all(ours("ledger", "ledger")).expect("the ledgers");
        // Another engine writes the table anew, and the marker of our sync is lost.
        let log = self.replica("marker").join("_delta_log");
        let first = std::fs::read_to_string(log.join(commit(0))).expect("our commit");
        let kept: Vec<&str> = first.lines().filter(|line| is_state(line)).collect();
        std::fs::write(log.join(commit(0)), kept.join("\n")).expect("the commit");
    }

    /// Asks the coordinator for something about the replica of a table.
    async fn ask(
        &self,
        coordinator: &Server,
        what: &str,
        name: &str,
        flags: &[&str],
    ) -> sync::Ended {
        let (source, target) =
            (below(&self.lake, &format!("lake/{name}")), Place::Local(self.replica(name)));
        let mut command = process::deepclone();
        command.args([what, &source.server_uri(), &target.server_uri()]).args(flags);
        command.args(["--source-connection", "lake", "--target-connection", "dr"]);
        command.args(["--output", "json", "--coordinator", &coordinator.url()]);
        sync::finish(command).await
    }
}

fn commit(version: u64) -> String {
    format!("{version:020}.json")
}

fn is_state(line: &str) -> bool {
    !line.contains("\"txn\"") && !line.contains("\"commitInfo\"")
}

fn replication(coordinator: &Server, arguments: &[&str]) -> Value {
    let mut command = process::deepclone();
    command.arg("replication").args(arguments);
    command.args(["--output", "json", "--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

/// Waits until all tables of a replication are so.
async fn until(coordinator: &Server, name: &str, is_so: impl Fn(&Value) -> bool) -> Vec<Value> {
    let patient = async {
        loop {
            let found = replication(coordinator, &["get", name]);
            let tables = found["tables"].as_array().expect("a list").clone();
            if !tables.is_empty() && tables.iter().all(&is_so) {
                return tables;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, patient).await;
    found.unwrap_or_else(|_| panic!("it is never so\n{}", coordinator.log()))
}

/// Whether the newest audit ended after this time, as the answers write it.
fn audited_after(time: &str) -> impl Fn(&Value) -> bool {
    move |table| table["audit"]["verdict"]["time"].as_str().is_some_and(|at| at > time)
}

/// The end of the newest audit of all.
fn newest(tables: &[Value]) -> String {
    let times = tables.iter().filter_map(|table| table["audit"]["verdict"]["time"].as_str());
    times.max().expect("an audit has ended").to_owned()
}

fn kinds(table: &Value) -> Vec<String> {
    let found = table["audit"]["verdict"]["differences"].as_array().expect("a list");
    found.iter().map(|one| one["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn page(coordinator: &Server, path: &str) -> String {
    let mut curl = std::process::Command::new("curl");
    let (code, answer, errors) =
        process::run(curl.args(["-sf", &format!("http://{}{path}", coordinator.http)]));
    assert_eq!(code, 0, "{path}: {errors}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damage_is_found_by_one_audit_named_told_repaired_and_then_clean() {
    let site = Site::new().await;
    let (coordinator, _worker) = site.start();
    replication(&coordinator, &["apply", &site.path("replications.toml")]);
    for name in ["lake-dr", "proofs-dr"] {
        replication(&coordinator, &["run", name]);
    }
    until(&coordinator, "lake-dr", |table| table["sync_time"].is_string()).await;
    until(&coordinator, "proofs-dr", |table| table["sync_time"].is_string()).await;

    // Clean replicas cost their source nothing.
    site.proxy.forget();
    let clean = until(&coordinator, "lake-dr", audited_after("")).await;
    assert_eq!(clean.len(), DAMAGES.len());
    for table in &clean {
        let verdict = &table["audit"]["verdict"];
        assert_eq!((&verdict["equal"], &verdict["source_bytes_read"]), (&json!(true), &json!(0)));
        assert_eq!(
            (&verdict["objects_compared"], &verdict["bytes_compared"]),
            (&json!(3), &json!(3_000))
        );
    }
    let proven = until(&coordinator, "proofs-dr", audited_after("")).await;
    let proof = &proven[0]["audit"]["verdict"]["proof_of_use"];
    assert_eq!((&proof["answer"], &proof["records"]), (&json!("PROVEN"), &json!(56)), "{proof}");
    assert!(proof["rows_read"].as_i64() > Some(0), "{proof}");
    assert_eq!(site.proxy.seen().len(), 0, "{:#?}", site.proxy.seen());
    assert!(!coordinator.log().contains("buoyant_kernel"), "a library tells its own state");
    let first = page(&coordinator, "/");
    assert!(first.contains("8 of 8 replicas what their syncs recorded"), "{first}");
    assert!(first.contains("delta-rs reads what the log says in 1 replica"), "{first}");

    site.damage();
    let since = newest(&clean);
    let damaged = until(&coordinator, "lake-dr", audited_after(&since)).await;
    for (table, wanted) in damaged.iter().map(|table| (table, named(table))) {
        assert_eq!(kinds(table), wanted, "{table}");
    }
    let alert: Value = serde_json::from_str(&site.oncall.wait_for(1).await[0].body).expect("JSON");
    assert_eq!((&alert["event"], &alert["subject"]), (&json!("diverged"), &json!("lake-dr")));
    assert_eq!(alert["reason"], "VERIFY_DIFFERENCE");
    counted(&coordinator, "lake-dr", 7).await;
    assert!(page(&coordinator, "/").contains("Audits found differences in 7 replicas"));
    let told = describe(&site.replica("changed"), None);
    assert_eq!(told["last_verdict"]["found"][0]["kind"], "OBJECT_BYTES", "{told}");
    assert_eq!(describe(&site.replica("changed"), Some(&coordinator)), told);
    let found = site.ask(&coordinator, "verify", "missing", &[]).await;
    assert_eq!((found.code, &found.json["differences"][0]["kind"]), (6, &json!("OBJECT_MISSING")));

    let since = newest(&damaged);
    for name in DAMAGES {
        let flags = ["--deep", "--on-divergence", "overwrite"];
        site.ask(&coordinator, "repair", name, &flags).await.succeeded();
    }
    let after = newest(&until(&coordinator, "lake-dr", audited_after(&since)).await);
    // One that began before its repair may be the last one to tell.
    let mended = until(&coordinator, "lake-dr", |table| {
        audited_after(&after)(table) || table["audit"]["verdict"]["equal"] == true
    });
    for table in mended.await {
        assert_eq!(table["audit"]["verdict"]["equal"], true, "{table}");
        assert_eq!(table["vacuum"]["objects"], 0, "{table}");
    }
    deletion_is_proved(&coordinator);
    let taken = site.oncall.wait_for(2).await;
    let end: Value = serde_json::from_str(&taken[1].body).expect("JSON");
    assert_eq!((&end["event"], &end["kind"]), (&json!("recovered"), &json!("diverged")));
}

/// The rows behind deletion vectors are left of what the source deleted before it was copied.
fn deletion_is_proved(coordinator: &Server) {
    let mut command = process::deepclone();
    command.args(["deleted", "--replication", "proofs-dr", "--before", "2026-01-01"]);
    command.args(["--output", "json", "--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(&mut command);
    let proof: Value = serde_json::from_str(&answer).expect("one object");
    assert_eq!((code, proof["replicas"].as_array().map(Vec::len)), (6, Some(1)), "{errors}");
    let replica = &proof["replicas"][0];
    let told = (&replica["verdict"], &replica["hidden_rows"]);
    assert_eq!(told, (&json!("BYTES_LEFT"), &json!(4)), "{proof}");
}

/// Waits until the metrics count so many replicas that differ: they are as they were some seconds
/// ago.
async fn counted(coordinator: &Server, name: &str, differs: u32) {
    let labels = format!("{{replication=\"{name}\",owner=\"\",answer=\"differs\"}}");
    let shown = format!("deepclone_replication_audit_tables{labels} {differs}.0");
    let is_counted = async {
        while !page(coordinator, "/metrics").contains(&shown) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_counted).await.expect("it is counted");
}

/// The differences that the audit of a table tells.
fn named(table: &Value) -> Vec<&'static str> {
    let path = table["path"].as_str().expect("a path");
    match path.strip_prefix("lake/").expect("below lake") {
        "missing" => vec!["OBJECT_MISSING"],
        "truncated" => vec!["OBJECT_SIZE"],
        "changed" => vec!["OBJECT_BYTES"],
        // Its object is in no ledger.
        "foreign" => vec!["DIVERGED", "LEDGER"],
        "hint" => vec!["HINT"],
        "ledger" => vec!["LEDGER"],
        "marker" => vec!["DIVERGED"],
        other => panic!("{other}"),
    }
}

fn describe(replica: &Path, coordinator: Option<&Server>) -> Value {
    let mut command = process::deepclone();
    let uri = format!("file://{}", replica.display());
    command.args(["describe", &uri, "--output", "json"]);
    if let Some(coordinator) = coordinator {
        command.args(["--coordinator", &coordinator.url()]);
    }
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

/// The table `name` below a place.
fn below(place: &Place, name: &str) -> Place {
    match place {
        Place::Cloud(cloud, prefix) => Place::Cloud(cloud.clone(), format!("{prefix}/{name}")),
        Place::Azure(azure, prefix) => Place::Azure(azure.clone(), format!("{prefix}/{name}")),
        Place::Local(folder) => Place::Local(folder.join(name)),
    }
}
