//! Events of lineage of kept replicas and of the command line, judged by OpenLineage's own schemas
//! and its Python client.

use std::collections::BTreeMap;
use std::path::Path;

use deepclone_tests::lineage::judged;
use deepclone_tests::process::{self, Server};
use deepclone_tests::receiver::Receiver;
use serde_json::{Value, json};

use crate::place::Place;
use crate::table;

/// Columns within columns, as a log has them.
const NESTED: &str = concat!(
    r#"[{\"name\":\"id\",\"type\":\"long\",\"metadata\":{\"comment\":\"key\"}},"#,
    r#"{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"elementType\":{\"type\":\"struct\","#,
    r#"\"fields\":[{\"name\":\"sku\",\"type\":\"string\",\"metadata\":{}}]},"#,
    r#"\"containsNull\":true},\"metadata\":{}},"#,
    r#"{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"keyType\":\"string\","#,
    r#"\"valueType\":\"date\",\"valueContainsNull\":true},\"metadata\":{}}]"#,
);
const KEY: &str = "hunter2-of-lineage";

/// A table of three files with columns in columns.
fn nested(folder: &Path) {
    table::synthetic(folder, 3, 1_000);
    let log = folder.join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).expect("its log");
    let (none, some) = (r#"\"fields\":[]"#, format!(r#"\"fields\":{NESTED}"#));
    assert!(text.contains(none));
    std::fs::write(&log, text.replacen(none, &some, 1)).expect("its log");
}

fn replication(coordinator: &Server, arguments: &[&str]) -> Value {
    let mut command = process::deepclone();
    command.arg("replication").args(arguments);
    command.args(["--output", "json", "--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

fn text(event: &Value, path: &str) -> String {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_and_its_syncs_are_told_to_a_catalog_that_fails_at_first() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (lake, dr) = (Place::north("lineage"), Place::south("lineage"));
    let (Place::Cloud(north, lake_at), Place::Cloud(south, dr_at)) = (&lake, &dr) else {
        panic!("both are clouds")
    };
    nested(&folder.path().join("orders"));
    let orders = Place::Cloud(north.clone(), format!("{lake_at}/sales/orders"));
    orders.put(&folder.path().join("orders")).await;
    let catalog = Receiver::start(&[503, 500]).await;
    let config = format!(
        "{}{}[lineage]\nurl = \"{}/api/v1/lineage\"\nfile = \"{}\"\nnamespace = \"prod\"\n\
         api_key = \"{KEY}\"\n",
        north.connection("lake", lake_at),
        south.connection("dr", dr_at),
        catalog.url,
        path("events.jsonl"),
    );
    std::fs::write(path("deepclone.toml"), config).expect("a new file");
    let file = "version = 1\n[[replication]]\nname = \"lake-dr\"\nsource = \"lake\"\n\
                target = \"dr\"\ninclude = [\"sales/**\"]\nschedule = { every = \"366d\" }\n";
    std::fs::write(path("replications.toml"), file).expect("a new file");
    let (config, database) = (path("deepclone.toml"), format!("sqlite:{}", path("state.db")));
    let coordinator =
        process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database]);
    let _worker = process::worker(&coordinator.url(), "w", &["--config", &config]);
    replication(&coordinator, &["apply", &path("replications.toml")]);
    replication(&coordinator, &["run", "lake-dr"]);
    let taken = catalog.wait_for(4).await;
    assert_eq!(catalog.answers_left(), 0);
    for message in &taken {
        let bearer = format!("Bearer {KEY}");
        assert_eq!(message.headers["authorization"].to_str().ok(), Some(&*bearer));
    }
    let events = judged(Path::new(&path("events.jsonl")));
    let sent: Vec<Value> =
        taken.iter().map(|taken| serde_json::from_str(&taken.body).expect("JSON")).collect();
    let shapes = |events: &[Value]| {
        let shape = |event: &Value| (text(event, "/eventType"), text(event, "/job/name"));
        events.iter().map(shape).collect::<Vec<_>>()
    };
    let expected = [
        ("START", "lake-dr"),
        ("START", "lake-dr.sales/orders"),
        ("COMPLETE", "lake-dr.sales/orders"),
        ("COMPLETE", "lake-dr"),
    ];
    assert_eq!(shapes(&events), expected.map(|(kind, job)| (kind.to_owned(), job.to_owned())));
    assert_eq!(shapes(&sent), shapes(&events));
    let (began, done) = (&events[0], &events[2]);
    assert_eq!(text(done, "/run/facets/parent/run/runId"), text(began, "/run/runId"));
    let (namespace, name) = (text(done, "/inputs/0/namespace"), text(done, "/inputs/0/name"));
    assert_eq!((&*namespace, name), ("s3://lake", format!("{lake_at}/sales/orders")));
    assert_eq!(text(done, "/inputs/0/facets/version/datasetVersion"), "0");
    assert_eq!(text(done, "/outputs/0/facets/version/datasetVersion"), "0");
    let columns = &done["outputs"][0]["facets"]["schema"]["fields"];
    assert_eq!(columns[1]["fields"][0]["fields"][0]["name"], "sku");
    let written = &done["outputs"][0]["outputFacets"]["outputStatistics"];
    assert_eq!((&written["fileCount"], &written["size"]), (&json!(3), &json!(3_000)));
    let all = format!("{}{events:?}", coordinator.log());
    for secret in [KEY, &north.secret_access_key, &south.secret_access_key] {
        assert!(!all.contains(secret), "a secret is shown");
    }
}

#[test]
fn the_command_line_tells_of_success_of_nothing_to_do_and_of_failure() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    nested(&folder.path().join("source"));
    let config = format!("[lineage]\nfile = \"{}\"\n", path("events.jsonl"));
    std::fs::write(path("deepclone.toml"), config).expect("a new file");
    let clone = || {
        let mut command = process::deepclone();
        command.env("XDG_STATE_HOME", folder.path());
        command.args(["clone", &path("source"), &path("replica"), "--config"]);
        process::run(command.arg(path("deepclone.toml"))).0
    };
    assert_eq!((clone(), clone()), (0, 0));
    table::append(&folder.path().join("source"), 1, "gone.parquet", 10);
    std::fs::remove_file(folder.path().join("source/gone.parquet")).expect("it is there");
    assert_eq!(clone(), 3);
    let events = judged(Path::new(&path("events.jsonl")));
    let kinds: Vec<String> = events.iter().map(|event| text(event, "/eventType")).collect();
    assert_eq!(kinds, ["START", "COMPLETE", "START", "COMPLETE", "START", "FAIL"]);
    let runs: BTreeMap<String, usize> = events.iter().fold(BTreeMap::new(), |mut runs, event| {
        *runs.entry(text(event, "/run/runId")).or_default() += 1;
        runs
    });
    assert_eq!(runs.into_values().collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(events[3]["outputs"][0]["outputFacets"]["outputStatistics"]["size"], 0);
    assert_eq!(text(&events[1], "/outputs/0/namespace"), "file");
    assert_eq!(text(&events[1], "/outputs/0/name"), path("replica"));
    let error = text(&events[5], "/run/facets/errorMessage/message");
    assert!(error.starts_with("OBJECT_VANISHED: "), "{error}");
}
