//! Every error names its table or connection, and says what to do.
#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

use serde_json::json;

use crate::support::{Bench, Table};

/// Damages a table in one way.
type Spoil = fn(&Table);

const UNKNOWN_FEATURE: Spoil = |table| {
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["fromTheFuture"], "writerFeatures": ["fromTheFuture"]}});
    std::fs::write(table.root.join("_delta_log/00000000000000000002.json"), protocol.to_string())
        .unwrap();
};

const BAD_LINE: Spoil = |table| {
    std::fs::write(table.root.join("_delta_log/00000000000000000002.json"), "{\"add\":").unwrap();
};

const HOLE: Spoil = |table| {
    table.commit(3, &[]);
};

const CLIMBS: Spoil = |table| {
    let add = json!({"add": {"path": "../x.parquet", "partitionValues": {"day": "1"}, "size": 1,
        "modificationTime": 1, "dataChange": true}});
    table.commit(2, &[add]);
};

#[test]
fn an_error_of_a_log_names_the_table() {
    // The author of the replica's log is checked before its content.
    const FOREIGN: (i32, &str) = (4, "the replica ");
    for (name, spoil, at_source, at_target) in [
        ("an unknown feature", UNKNOWN_FEATURE, (3, "fromTheFuture"), FOREIGN),
        ("a bad line", BAD_LINE, (3, "00000000000000000002.json"), (3, "002.json")),
        ("a hole", HOLE, (3, "0000000000000000000"), (3, "0000000000000000000")),
        ("a path that climbs", CLIMBS, (3, "../x.parquet"), (3, "../x.parquet")),
    ] {
        for (side, (exit, part)) in [("source", at_source), ("target", at_target)] {
            let bench = Bench::new();
            let table = bench.table("a");
            assert_eq!(bench.json(&["clone", "a", "b"]).0, 0);
            let spoilt = if side == "source" { table } else { Table { root: bench.path("b") } };
            if side == "target" {
                // The replica has one commit; two more make its log as long as the source's.
                spoilt.commit(1, &[]);
            }
            spoil(&spoilt);
            let (found, object) = bench.json(&["clone", "a", "b"]);
            let message = object["error"]["message"].as_str().unwrap_or_default();
            assert_eq!(found, exit, "{name}, {side}: {object}");
            let head = if exit == 3 { format!("{side}: ") } else { part.to_owned() };
            assert!(message.starts_with(&head), "{name}, {side}: {message}");
            assert!(message.contains(part), "{name}, {side}: {message}");
        }
    }
    let bench = Bench::new();
    let (exit, object) = bench.json(&["clone", "nothing", "b"]);
    let message = object["error"]["message"].as_str().unwrap();
    assert_eq!(exit, 3, "{object}");
    assert!(message.starts_with("source: ") && message.contains("nothing"), "{message}");
}

#[test]
fn an_error_of_the_configuration_names_the_connection_and_what_to_write() {
    let lake = |bench: &Bench, roles: &str| {
        let root = bench.path("lake").canonicalize().unwrap();
        format!("[connections.lake]\nurl = \"file://{}\"\nroles = [{roles}]\n", root.display())
    };
    const BOTH: &str = "\"source\", \"target\"";
    type Text = fn(&str) -> String;
    let (source, target) = ("--source-connection", "--target-connection");
    let cases: [(&str, Text, &[&str], &[&str]); 9] = [
        ("", |_| "[connections.lake]\nurl = \"s3://b\"".into(), &[], &["\"lake\"", "write roles"]),
        ("", |_| "[connections.lake]\nroles = []".into(), &[], &["\"lake\"", "write url"]),
        (
            "",
            |_| "[connections.lake]\nurl = \"ftp://b\"\nroles = [\"source\"]".into(),
            &[],
            &["\"lake\"", "url: its scheme"],
        ),
        (
            "",
            |_| "[connections.lake]\nurl = \"s3://b\"\nroles = [\"source\"]\nregoin = \"x\"".into(),
            &[],
            &["\"lake\"", "\"regoin\"", "write an object_store setting"],
        ),
        (BOTH, str::to_owned, &[source, "pond"], &["source: ", "[connections.pond]"]),
        (BOTH, str::to_owned, &[target, "pond"], &["target: ", "[connections.pond]"]),
        ("\"source\"", str::to_owned, &[target, "lake"], &["target: ", "\"lake\"", "its roles"]),
        ("\"target\"", str::to_owned, &[source, "lake"], &["source: ", "\"lake\"", "its roles"]),
        (
            BOTH,
            str::to_owned,
            &[target, "lake", "elsewhere"],
            &["target: ", "\"lake\"", "not below"],
        ),
    ];
    for (roles, text, more, parts) in cases {
        let bench = Bench::new();
        bench.table("lake/a");
        let config = bench.path("deepclone.toml");
        std::fs::write(&config, text(&lake(&bench, roles))).unwrap();
        let replica = if more.len() == 3 { "elsewhere/b" } else { "lake/b" };
        let mut arguments = vec!["clone", "lake/a", replica, "--config", "deepclone.toml"];
        arguments.extend(more.iter().take(2));
        let (exit, object) = bench.json(&arguments);
        let message = object["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(exit, 2, "{arguments:?}: {object}");
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: {part}: {message}");
        }
    }
}

#[test]
fn a_rule_keeps_classified_tables_where_they_may_be() {
    let bench = Bench::new();
    bench.table("lake/hr/pay");
    bench.table("lake/shop/orders");
    let root = |name: &str| {
        std::fs::create_dir_all(bench.path(name)).unwrap();
        bench.path(name).canonicalize().unwrap().display().to_string()
    };
    let config = format!(
        "[connections.lake]\nurl = \"file://{}\"\nroles = [\"source\"]\n\
         classified = {{ hr = \"personal\" }}\n\
         [connections.eu]\nurl = \"file://{}\"\nroles = [\"target\"]\n\
         labels = {{ region = \"eu\" }}\n\
         [connections.us]\nurl = \"file://{}\"\nroles = [\"target\"]\n\
         [[rules]]\nname = \"personal data stays in the EU\"\nclassification = \"personal\"\n\
         targets = {{ region = \"eu\" }}\n",
        root("lake"),
        root("eu"),
        root("us")
    );
    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    for (source, target, is_allowed) in [
        ("lake/hr/pay", "us/pay", false),
        ("lake/hr/pay", "eu/pay", true),
        ("lake/shop/orders", "us/orders", true),
    ] {
        let named = ["--config", "deepclone.toml"];
        let (exit, object) = bench.json(&[&["clone", source, target], &named[..]].concat());
        if is_allowed {
            assert_eq!(exit, 0, "{object}");
            continue;
        }
        assert_eq!((exit, &object["error"]["reason"]), (5, &"ACCESS_DENIED".into()), "{object}");
        let message = object["error"]["message"].as_str().unwrap();
        assert!(message.contains("\"personal data stays in the EU\""), "{message}");
        assert!(!bench.path(target).exists(), "something was written");
        let (planned, _) = bench.json(&[&["plan", source, target], &named[..]].concat());
        assert_eq!(planned, 5);
    }
}
