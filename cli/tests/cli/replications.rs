//! `deepclone replication …` against a process that keeps replications.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails its test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bench, Run};

/// A process of `deepclone replication serve`, which ends with the test.
struct Serving {
    child: Child,
    url: String,
    /// The address of the pages.
    http: String,
}

impl Serving {
    fn start(bench: &Bench, file: &str) -> Self {
        let arguments = [
            "replication",
            "serve",
            file,
            "--config",
            "deepclone.toml",
            "--listen",
            "127.0.0.1:0",
            "--http-listen",
            "127.0.0.1:0",
            "--database",
            "sqlite:state.db",
        ];
        let mut command = bench.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
        let (address, http) = address.trim().split_once(" http=").unwrap();
        Self { url: format!("http://{address}"), http: http.to_owned(), child }
    }

    /// The status and the body of an answer over HTTP.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-length: 0\r\n{headers}\r\n",
            self.http
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A folder with the connections `lake` and `dr`, and two tables below the first one.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.table("lake/sales/orders");
    bench.table("lake/sales/items");
    std::fs::create_dir_all(bench.path("dr")).unwrap();
    let connection = |name: &str, role: &str| {
        let url = bench.path(name).canonicalize().unwrap();
        format!("[connections.{name}]\nurl = \"file://{}\"\nroles = [\"{role}\"]\n", url.display())
    };
    let config = connection("lake", "source") + &connection("dr", "target");
    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    write(&bench, "orders-dr", "sales/**", "every = \"366d\"");
    bench
}

fn write(bench: &Bench, name: &str, include: &str, schedule: &str) {
    let file = format!(
        "version = 1\n\n[[replication]]\nname = \"{name}\"\ngroup = \"dr\"\nsource = \"lake\"\n\
         target = \"dr\"\ninclude = [\"{include}\"]\nschedule = {{ {schedule} }}\n"
    );
    std::fs::write(bench.path("replications.toml"), file).unwrap();
}

fn run(bench: &Bench, serving: &Serving, arguments: &[&str]) -> Run {
    bench.run(&[&["replication"], arguments, &["--coordinator", &serving.url]].concat())
}

fn json(bench: &Bench, serving: &Serving, arguments: &[&str]) -> (i32, Value) {
    bench.json(&[&["replication"], arguments, &["--coordinator", &serving.url]].concat())
}

/// Waits until so many rounds have ended.
fn rounds(bench: &Bench, serving: &Serving, name: &str, count: usize) -> Value {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let (_, found) = json(bench, serving, &["get", name]);
        let rounds = found["last_rounds"].as_array().unwrap();
        if rounds.iter().filter(|round| round["end_time"].is_string()).count() >= count {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no round of {name} ends");
}

#[test]
fn a_file_is_kept_shown_changed_and_run() {
    let bench = bench();
    let serving = Serving::start(&bench, "replications.toml");
    let (exit, diff) = json(&bench, &serving, &["diff", "replications.toml"]);
    assert_eq!((exit, &diff["changes"][0]["change"]), (0, &Value::from("UNCHANGED")));
    let not_yet = run(&bench, &serving, &["ready", "dr"]);
    assert_eq!(not_yet.exit, 6, "{not_yet:?}");
    assert!(not_yet.stdout.starts_with("can we fail over? UNKNOWN"), "{not_yet:?}");

    assert_eq!(run(&bench, &serving, &["run", "orders-dr"]).exit, 0);
    let found = rounds(&bench, &serving, "orders-dr", 1);
    assert_eq!(found["state"], "WAITING_FOR_SLOT");
    assert_eq!(found["next_slots"].as_array().unwrap().len(), 5);
    let tables = found["tables"].as_array().unwrap();
    let versions: Vec<_> =
        tables.iter().map(|table| (&table["path"], &table["replicated_version"])).collect();
    assert_eq!(versions, [(&"sales/items".into(), &1.into()), (&"sales/orders".into(), &1.into())]);
    for (table, exit) in [("sales/items", 0), ("sales/nothing", 2)] {
        let approved = run(&bench, &serving, &["approve", "orders-dr", table]);
        assert_eq!(approved.exit, exit, "{approved:?}");
    }
    let ready = run(&bench, &serving, &["ready"]);
    assert_eq!(ready.exit, 0, "{ready:?}");
    assert!(ready.stdout.starts_with("can we fail over? YES\ncomplete together up to 20"));

    let listed = run(&bench, &serving, &["list", "dr"]);
    assert!(listed.stdout.starts_with("NAME       READY  BEHIND"), "{listed:?}");
    assert!(listed.stdout.contains("\norders-dr  YES    nothing"), "{listed:?}");
    let (_, none) = json(&bench, &serving, &["list", "other"]);
    assert_eq!(none["replications"].as_array().unwrap().len(), 0);

    let (_, paused) =
        json(&bench, &serving, &["pause", "orders-dr", "--until", "2999-01-01T00:00:00Z"]);
    assert_eq!(
        (&paused["state"], &paused["reason"]),
        (&"PAUSED".into(), &"somebody paused it".into())
    );
    assert_eq!(paused["until_time"], "2999-01-01T00:00:00.000Z");
    let (_, resumed) = json(&bench, &serving, &["resume", "orders-dr"]);
    assert_eq!(resumed["state"], "WAITING_FOR_SLOT");

    write(&bench, "orders-dr", "sales/**", "at = [\"02:00\"]");
    let changed = run(&bench, &serving, &["apply", "replications.toml"]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = words(changed.stdout.lines().nth(1).unwrap());
    assert_eq!((changed.exit, &*line), (0, "CHANGE orders-dr schedule"));
    let before = words(&changed.stderr);
    assert!(before.ends_with("CHANGE orders-dr schedule"), "it is shown first: {changed:?}");
}

#[test]
fn what_a_file_does_not_name_any_more_is_retired_only_when_that_is_meant() {
    let bench = bench();
    let serving = Serving::start(&bench, "replications.toml");
    write(&bench, "other", "sales/orders", "every = \"1h\"");
    let refused = run(&bench, &serving, &["apply", "replications.toml"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stderr.contains("orders-dr, which would be retired"), "{refused:?}");
    assert_eq!(json(&bench, &serving, &["get", "orders-dr"]).0, 0, "nothing was changed");
    let (exit, applied) = json(&bench, &serving, &["apply", "replications.toml", "--yes"]);
    assert_eq!(exit, 0);
    let kinds = applied["changes"].as_array().unwrap().iter().map(|change| &change["change"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["CREATE", "RETIRE"]);
    let (exit, gone) = json(&bench, &serving, &["get", "orders-dr"]);
    assert_eq!((exit, &gone["error"]["reason"]), (2, &"REPLICATION_NOT_FOUND".into()));
}

#[test]
fn a_mistake_is_told_with_its_line_also_when_the_coordinator_finds_it() {
    let bench = bench();
    let serving = Serving::start(&bench, "replications.toml");
    for (name, include, schedule, line, part) in [
        ("orders-dr", "sales/**", "every = \"1s\"", 9, "shorter than a minute"),
        ("orders-dr", "sales/**", "cron = \"61 * * * *\"", 9, "61"),
        ("orders-dr", "/x", "every = \"1h\"", 8, "slash"),
        ("No", "x", "every = \"1h\"", 4, "is not a name"),
    ] {
        write(&bench, name, include, schedule);
        for command in ["apply", "diff"] {
            let refused = run(&bench, &serving, &[command, "replications.toml"]);
            assert_eq!(refused.exit, 2, "{refused:?}");
            let place = format!("replications.toml:{line}: ");
            assert!(refused.stderr.contains(&place), "{place}{refused:?}");
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    }
    // Only the coordinator knows its connections.
    let text = std::fs::read_to_string(bench.path("replications.toml")).unwrap();
    let text = text.replace("name = \"No\"", "name = \"b\"").replace("\"lake\"", "\"nowhere\"");
    std::fs::write(bench.path("replications.toml"), text).unwrap();
    let refused = run(&bench, &serving, &["apply", "replications.toml", "--yes"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stderr.contains("replications.toml:6: the replication b: source:"));
    assert!(refused.stderr.contains("nowhere"), "{refused:?}");
}

#[test]
fn what_needs_a_coordinator_says_so_and_a_server_of_its_own_needs_none() {
    let bench = bench();
    for command in ["list", "ready"] {
        let refused = bench.run(&["replication", command]);
        assert_eq!(refused.exit, 2, "{refused:?}");
        assert!(refused.stderr.contains("needs a coordinator"), "{refused:?}");
    }
    let url = ["--coordinator", "http://127.0.0.1:1"];
    let refused = bench.run(&[&["replication", "serve", "replications.toml"], &url[..]].concat());
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stderr.contains("runs a coordinator of its own"), "{refused:?}");
    let absent = bench.run(&["replication", "serve", "absent.toml"]);
    assert_eq!(absent.exit, 2, "{absent:?}");
    assert!(absent.stderr.contains("absent.toml cannot be read"), "{absent:?}");
}

#[test]
fn pages_show_what_is_kept_and_a_notice_with_the_secret_begins_a_round() {
    let bench = bench();
    let config = std::fs::read_to_string(bench.path("deepclone.toml")).unwrap();
    let hooks = "[hooks]\nsecret = \"0123456789abcdef\"\n";
    std::fs::write(bench.path("deepclone.toml"), config.clone() + hooks).unwrap();
    let on_commit = "on_commit = { poll_min = \"23h\", poll_max = \"24h\" }";
    write(&bench, "orders-dr", "sales/**", on_commit);
    let serving = Serving::start(&bench, "replications.toml");
    let path = "/hooks/source-changed/orders-dr";
    let bearer = |secret: &str| format!("authorization: Bearer {secret}\r\n");
    let right = bearer("0123456789abcdef");
    for (method, path, headers, status) in [
        ("POST", path, "", 401),
        ("POST", path, &*bearer("0123456789abcdeg"), 401),
        ("POST", "/hooks/source-changed/other", &right, 404),
        ("POST", "/hooks/source-changed/NO", &right, 400),
        ("GET", path, &right, 405),
        ("POST", path, &right, 202),
    ] {
        let (found, body) = serving.ask(method, path, headers);
        assert_eq!(found, status, "{method} {path}: {body}");
    }
    let found = rounds(&bench, &serving, "orders-dr", 1);
    assert_eq!(found["last_rounds"][0]["cause"], "a commit of the source");
    let (status, page) = serving.ask("GET", "/", "");
    assert_eq!(status, 200);
    assert!(page.contains("orders-dr"), "{page}");
    assert_eq!(serving.ask("GET", "/replications/orders-dr", "").0, 200);
    drop(serving);

    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    let serving = Serving::start(&bench, "replications.toml");
    assert_eq!(serving.ask("POST", path, &right).0, 404, "without a secret there are no hooks");
}
