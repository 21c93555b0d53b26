//! `deepclone doctor` before stores that are as they should, lack a right, or lie.

use deepclone_tests::process;
use deepclone_tests::stub_store::{Kind, Lie, Manners, Rule, StubStore, error};
use serde_json::Value;

/// How a checkup ended.
struct Examined {
    code: i32,
    answer: Value,
    /// The table that people read.
    text: String,
}

impl Examined {
    /// The verdict of a check; empty when it was not made.
    fn verdict(&self, name: &str) -> String {
        self.check(name)["verdict"].as_str().unwrap_or_default().to_owned()
    }

    fn check(&self, name: &str) -> Value {
        let checks = self.answer["checks"].as_array().expect("a list");
        checks.iter().find(|check| check["name"] == name).cloned().unwrap_or_default()
    }

    /// The checks with this verdict.
    fn with(&self, verdict: &str) -> Vec<&str> {
        let checks = self.answer["checks"].as_array().expect("a list");
        let found = checks.iter().filter(|check| check["verdict"] == verdict);
        found.map(|check| check["name"].as_str().expect("a name")).collect()
    }
}

/// Checks the connection `store` of these roles twice: for programs, and for people.
fn examine(endpoint: &str, roles: &str, flags: &[&str]) -> Examined {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("deepclone.toml").display().to_string();
    let text = format!(
        "[connections.store]\nurl = \"s3://lake/dr\"\nroles = [{roles}]\n\
         aws_endpoint_url = \"{endpoint}\"\naws_allow_http = \"true\"\naws_region = \"x\"\n\
         aws_access_key_id = \"k\"\naws_secret_access_key = \"hunter2\"\n"
    );
    std::fs::write(&config, text).expect("a new file");
    let run = |more: &[&str]| {
        let mut command = process::deepclone();
        command.args(["doctor", "store", "--config", &config]).args(flags).args(more);
        process::run(&mut command)
    };
    let (code, answer, errors) = run(&["--output", "json"]);
    let answer = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}{errors}"));
    let (again, text, _) = run(&[]);
    assert_eq!(again, code, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    Examined { code, answer, text }
}

const BOTH: &str = "\"source\", \"target\"";

fn honest() -> StubStore {
    StubStore::with("lake", Manners { has_checksums: true, ..Manners::default() })
}

#[test]
fn a_store_that_is_as_it_should_is_fit_and_is_left_as_it_was() {
    let store = honest();
    store.put("dr/t/a.parquet", "bytes");
    let found = examine(&store.endpoint(), BOTH, &[]);
    assert_eq!((found.code, &found.answer["fit"]), (0, &true.into()), "{}", found.text);
    assert_eq!(found.with("FAILED"), [""; 0], "{}", found.text);
    let ok = ["reachable", "credentials", "list", "write", "read", "put-if-absent"];
    let of_parts = ["conditional completion", "completions at once", "abort of uploads"];
    let ok = [&ok[..], &of_parts, &["checksums", "delete"]];
    for name in ok.concat() {
        assert_eq!(found.verdict(name), "OK", "{name}: {}", found.text);
    }
    assert_eq!(
        found.check("checksums")["message"].as_str().expect("a text").matches("length").count(),
        0
    );
    assert_eq!(store.keys(), ["dr/t/a.parquet".to_owned()].into(), "nothing is left");
    assert!(store.uploads().is_empty());
}

#[test]
fn a_store_that_ignores_conditions_is_told_plainly_and_left_as_it_was() {
    let store = StubStore::with("lake", Manners { ignores_conditions: true, ..Manners::default() });
    let found = examine(&store.endpoint(), BOTH, &[]);
    assert_eq!((found.code, &found.answer["fit"]), (4, &false.into()), "{}", found.text);
    assert_eq!(found.with("FAILED"), ["put-if-absent", "conditional completion"]);
    assert_eq!(found.check("put-if-absent")["reason"], "TARGET_UNSUITABLE");
    for part in ["ignores put-if-absent", "could overwrite each other", "is not fit for syncs"] {
        assert!(found.text.contains(part), "{}", found.text);
    }
    assert_eq!(found.verdict("checksums"), "WARN", "{}", found.text);
    assert_eq!(found.verdict("completions at once"), "WARN", "{}", found.text);
    assert!(store.keys().is_empty() && store.uploads().is_empty());
}

#[test]
fn each_right_that_is_missing_is_named() {
    let denied = || error(403, "AccessDenied");
    let always = |kind| Rule::always(kind, denied());
    let cases = [
        (always(Kind::List), 5, "list", "FAILED"),
        (Rule::always(Kind::List, error(403, "InvalidAccessKeyId")), 5, "credentials", "FAILED"),
        (Rule::always(Kind::List, error(404, "NoSuchBucket")), 5, "list", "FAILED"),
        (always(Kind::Put), 5, "write", "FAILED"),
        (always(Kind::Get), 5, "read", "FAILED"),
        (always(Kind::CreateUpload), 5, "conditional completion", "FAILED"),
        (always(Kind::Abort), 0, "abort of uploads", "WARN"),
        (always(Kind::ListUploads), 0, "open uploads", "WARN"),
        (always(Kind::Delete), 0, "delete", "WARN"),
    ];
    for (rule, code, name, verdict) in cases {
        let case = format!("{rule:?}");
        let store = honest();
        store.add(rule.clone());
        if name == "delete" {
            store.add(Rule::always(Kind::DeleteMany, denied()));
        }
        let found = examine(&store.endpoint(), BOTH, &[]);
        assert_eq!((found.code, &*found.verdict(name)), (code, verdict), "{case}\n{}", found.text);
        assert!(!found.check(name)["advice"].is_null(), "{case}");
        if name == "delete" {
            assert!(found.text.contains("stays in dr/_deepclone/doctor-"), "{}", found.text);
        } else if name != "abort of uploads" {
            assert!(store.keys().is_empty(), "{case}: {:?}", store.keys());
        }
    }
}

#[test]
fn a_store_that_is_not_there_is_not_reached() {
    let gone = {
        let store = honest();
        store.endpoint()
    };
    let found = examine(&gone, BOTH, &[]);
    assert_eq!((found.code, &*found.verdict("reachable")), (5, "FAILED"), "{}", found.text);
    assert_eq!(found.verdict("write"), "", "{}", found.text);
}

#[test]
fn a_clock_that_is_off_is_told_also_when_the_store_refuses_for_it() {
    for (minutes, code, verdict) in [(1, 0, "OK"), (-7, 0, "WARN"), (20, 5, "FAILED")] {
        let store = honest();
        let time = chrono::Utc::now() + chrono::TimeDelta::minutes(minutes);
        let time: &str = Box::leak(time.to_rfc2822().replace("+0000", "GMT").into_boxed_str());
        for kind in [Kind::List, Kind::Head, Kind::Get, Kind::Put, Kind::ListUploads] {
            store.add(Rule::always(kind, Lie::Header("Date", Some(time))));
        }
        let found = examine(&store.endpoint(), BOTH, &[]);
        assert_eq!((found.code, &*found.verdict("clock")), (code, verdict), "{}", found.text);
    }
    let store = honest();
    let time: &str = Box::leak(
        (chrono::Utc::now() + chrono::TimeDelta::minutes(30))
            .to_rfc2822()
            .replace("+0000", "GMT")
            .into_boxed_str(),
    );
    store.add(Rule::always(Kind::List, error(403, "RequestTimeTooSkewed").with("Date", time)));
    let found = examine(&store.endpoint(), BOTH, &[]);
    assert_eq!((found.code, &*found.verdict("clock")), (5, "FAILED"), "{}", found.text);
}

#[test]
fn a_source_is_only_read() {
    for (roles, flags) in [("\"source\"", &[][..]), (BOTH, &["--read-only"])] {
        let store = honest();
        store.put("dr/t/a.parquet", "bytes");
        let found = examine(&store.endpoint(), roles, flags);
        assert_eq!((found.code, &found.answer["read_only"]), (0, &true.into()), "{}", found.text);
        assert_eq!(found.verdict("read"), "OK", "{}", found.text);
        assert_eq!(found.verdict("write"), "");
        assert!(found.text.contains("nothing was written"), "{}", found.text);
        let reads = [Kind::Get, Kind::Head, Kind::List, Kind::ListUploads, Kind::Unknown];
        for seen in store.seen() {
            assert!(reads.contains(&seen.kind), "{seen:?}");
        }
        store.add(Rule::always(Kind::Get, error(403, "AccessDenied")));
        let found = examine(&store.endpoint(), roles, flags);
        assert_eq!((found.code, &*found.verdict("read")), (5, "FAILED"), "{}", found.text);
    }
}
