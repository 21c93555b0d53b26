//! An operator's day: a backup of a running coordinator, its return from it, a database that is
//! stuck, and processes that are stopped in the middle of their work.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deepclone_tests::process::{self, Server};
use serde_json::Value;

use crate::table;

/// A coordinator with the replication `dr` of one local table, and its files.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::of(3, 100)
    }

    /// A table of so many objects of so many bytes each.
    fn of(objects: usize, bytes: usize) -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a scratch folder") };
        for side in ["lake", "copy"] {
            std::fs::create_dir(site.path(side)).expect("a new folder");
        }
        let connection = |name: &str, folder: &str| {
            format!(
                "[connections.{name}]\nurl = \"file://{}\"\nroles = [\"source\", \"target\"]\n",
                site.path(folder)
            )
        };
        let config = connection("lake", "lake") + &connection("dr", "copy");
        std::fs::write(site.path("deepclone.toml"), config).expect("a new file");
        let file = "version = 1\n[[replication]]\nname = \"dr\"\nsource = \"lake\"\n\
                    target = \"dr\"\ninclude = [\"t\"]\nschedule = { every = \"366d\" }\n";
        std::fs::write(site.path("replications.toml"), file).expect("a new file");
        let source = site.folder.path().join("lake/t");
        std::fs::create_dir(&source).expect("a new folder");
        table::synthetic(&source, objects, bytes);
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn database(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name))
    }

    fn coordinator(&self, database: &str) -> Server {
        let (config, database) = (self.path("deepclone.toml"), self.database(database));
        process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database])
    }

    fn worker(&self, coordinator: &Server, name: &str) -> Server {
        let config = self.path("deepclone.toml");
        process::worker(&coordinator.url(), name, &["--config", &config])
    }

    /// A worker that copies so slowly that it is stopped in the middle of a copy.
    fn slow_worker(&self, coordinator: &Server, rate: &str) -> Server {
        let config = self.path("deepclone.toml");
        let flags = ["--config", &config, "--bandwidth", rate];
        process::worker(&coordinator.url(), "slow", &flags)
    }

    /// The command that syncs the table, and waits for the end.
    fn clone(&self, coordinator: &Server) -> Command {
        let uri = |folder: &str| format!("file://{}/t", self.path(folder));
        let mut command = process::deepclone();
        command.args(["clone", &uri("lake"), &uri("copy"), "--output", "json"]);
        command.args(["--coordinator", &coordinator.url()]).stdout(Stdio::piped());
        command
    }
}

/// Waits until the only job is copied.
#[track_caller]
fn wait_for_copying(coordinator: &Server) {
    for _ in 0..300 {
        let jobs = asked(coordinator, &["job", "list"]);
        if jobs["jobs"][0]["state"] == "COPYING" {
            // The worker has its tasks with the same turn of the loop.
            return std::thread::sleep(Duration::from_secs(1));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing is copied\n{}", coordinator.log());
}

/// The answer of a `clone` that was spawned.
#[track_caller]
fn answer_of(command: Child) -> Value {
    let output = command.wait_with_output().expect("the command ends");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// The answer of `deepclone …`, which must succeed.
#[track_caller]
fn deepclone(arguments: &[&str]) -> Value {
    let mut command = process::deepclone();
    command.args(arguments).args(["--output", "json"]);
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

#[track_caller]
fn asked(coordinator: &Server, arguments: &[&str]) -> Value {
    deepclone(&[arguments, &["--coordinator", &coordinator.url()]].concat())
}

/// Waits until the replication has ended so many rounds.
#[track_caller]
fn ended(coordinator: &Server, count: usize) -> Value {
    for _ in 0..600 {
        let found = asked(coordinator, &["replication", "get", "dr"]);
        let rounds = found["last_rounds"].as_array().expect("a list");
        if rounds.iter().filter(|round| round["end_time"].is_string()).count() >= count {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the round does not end\n{}", coordinator.log());
}

/// What `/readyz` or `/livez` answers: the status and the body.
fn http(server: &Server, path: &str) -> (u16, String) {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(&server.http).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status.expect("a status"), body.expect("a body"))
}

/// Waits until `/readyz` answers with this status; gives the body.
#[track_caller]
fn wait_for_readyz(server: &Server, status: u16, part: &str) -> String {
    let mut last = (0, String::new());
    for _ in 0..400 {
        last = http(server, "/readyz");
        if last.0 == status && last.1.contains(part) {
            return last.1;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("/readyz is not {status} with {part:?}: {last:?}\n{}", server.log());
}

#[test]
fn a_coordinator_goes_on_from_a_backup_that_was_made_while_it_ran() {
    let site = Site::new();
    let mut coordinator = site.coordinator("state.db");
    let worker = site.worker(&coordinator, "w");
    asked(&coordinator, &["replication", "apply", &site.path("replications.toml")]);
    asked(&coordinator, &["replication", "run", "dr"]);
    let before = ended(&coordinator, 1);
    let jobs = asked(&coordinator, &["job", "list"]);
    let database = site.database("state.db");
    let used = ["admin", "check", "--database", &database];
    assert_eq!(deepclone(&used)["ok"], true);
    let backup = site.path("backup.db");
    deepclone(&["admin", "backup", &backup, "--database", &database]);
    let mut purge = process::deepclone();
    purge.args(["admin", "purge", "--database", &database]);
    let (code, _, errors) = process::run(&mut purge);
    assert!(code == 2 && errors.contains("is used by another coordinator"), "{errors}");

    // After the backup another round ends, which the restored state does not know.
    let source = site.folder.path().join("lake/t");
    table::append(&source, 1, "late.parquet", 50);
    asked(&coordinator, &["replication", "run", "dr"]);
    ended(&coordinator, 2);
    drop(worker);
    coordinator.kill();
    let copy = site.database("backup.db");
    assert_eq!(deepclone(&["admin", "check", "--database", &copy])["ok"], true);
    std::fs::rename(&backup, site.path("restored.db")).expect("a free name");
    let coordinator = site.coordinator("restored.db");
    let _worker = site.worker(&coordinator, "w");
    let after = asked(&coordinator, &["replication", "get", "dr"]);
    assert_eq!(after["last_rounds"], before["last_rounds"]);
    assert_eq!(asked(&coordinator, &["job", "list"]), jobs);

    // The replica's log says where it stands: nothing is copied or published twice.
    asked(&coordinator, &["replication", "run", "dr"]);
    let again = ended(&coordinator, 2);
    assert_eq!(again["last_rounds"][0]["tables_failed"], 0, "{again}");
    let history = deepclone(&["history", &site.path("copy/t")]);
    assert_eq!(history["syncs"].as_array().expect("a list").len(), 2, "{history}");
    table::append(&source, 2, "later.parquet", 50);
    asked(&coordinator, &["replication", "run", "dr"]);
    ended(&coordinator, 3);
    let verified = deepclone(&["verify", &site.path("lake/t"), &site.path("copy/t")]);
    assert_eq!((&verified["equal"], &verified["source_version"]), (&true.into(), &2.into()));
}

/// Another process that holds the write lock of a database.
struct Locked(Child);

impl Locked {
    fn new(database: &str) -> Self {
        let script = "import sqlite3, sys\n\
                      held = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      held.execute('BEGIN IMMEDIATE')\n\
                      print('held', flush=True)\n\
                      sys.stdin.read()\n";
        let mut child = Command::new("python3")
            .args(["-c", script, database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("it speaks UTF-8");
        assert_eq!(line, "held\n");
        Self(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it ends").success());
    }
}

#[test]
fn a_stuck_database_makes_a_coordinator_not_ready_until_it_is_over() {
    let site = Site::new();
    let coordinator = site.coordinator("state.db");
    let worker = site.worker(&coordinator, "w");
    assert_eq!(http(&coordinator, "/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(http(&worker, "/readyz"), (200, "ok\n".to_owned()));
    let locked = Locked::new(&site.path("state.db"));
    let line = wait_for_readyz(&coordinator, 503, "database: ");
    assert!(line.starts_with("not ready: ") && line.lines().count() == 1, "{line}");
    assert!(!line.contains(&site.path("")), "no path reaches a stranger: {line}");
    assert_eq!(http(&coordinator, "/livez"), (200, "ok\n".to_owned()));
    locked.release();
    wait_for_readyz(&coordinator, 200, "ok");

    // A job that waits to become durable holds up the loop, and is not lost.
    let locked = Locked::new(&site.path("state.db"));
    let (source, target) = (site.path("lake/t"), site.path("copy/t"));
    let mut create = process::deepclone();
    create.args(["job", "create", &format!("file://{source}"), &format!("file://{target}")]);
    create.args(["--coordinator", &coordinator.url()]).stdout(Stdio::null());
    let mut creating = create.spawn().expect("the command starts");
    wait_for_readyz(&coordinator, 503, "driver: its loop has not taken a message for");
    locked.release();
    wait_for_readyz(&coordinator, 200, "ok");
    assert!(creating.wait().expect("the command ends").success());
}

/// Lets a process write no file beyond so many KiB from now on; `None`: any.
fn limit_files(server: &Server, kib: Option<u64>) {
    let bytes = kib.map_or("unlimited".to_owned(), |kib| (kib << 10).to_string());
    let pid = server.id().to_string();
    // The soft limit alone, so that it can be lifted.
    let done = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:")])
        .status()
        .expect("prlimit runs");
    assert!(done.success());
}

#[test]
fn a_disk_that_takes_no_more_makes_a_coordinator_not_ready_until_there_is_room() {
    let site = Site::new();
    let (config, database) = (site.path("deepclone.toml"), site.database("state.db"));
    let coordinator = process::binary("deepclone-coordinator");
    // A write beyond the limit is an error then, and not the end of the process.
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(coordinator);
    command.args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    command.args(["--config", &config, "--database", &database]);
    let coordinator = process::listening(command);
    wait_for_readyz(&coordinator, 200, "ok");
    let written = std::fs::metadata(site.path("state.db-wal")).expect("it runs").len();
    limit_files(&coordinator, Some(written >> 10));
    let line = wait_for_readyz(&coordinator, 503, "database: ");
    assert!(!line.contains(&site.path("")), "no path reaches a stranger: {line}");
    assert_eq!(http(&coordinator, "/livez"), (200, "ok\n".to_owned()));
    limit_files(&coordinator, None);
    wait_for_readyz(&coordinator, 200, "ok");
}

#[test]
fn a_worker_without_a_coordinator_says_so_and_is_ready_again() {
    let site = Site::new();
    let mut coordinator = site.coordinator("state.db");
    let worker = site.worker(&coordinator, "w");
    coordinator.kill();
    let line = wait_for_readyz(&worker, 503, "no coordinator knows it");
    assert!(line.starts_with("not ready: worker: "), "{line}");
    assert_eq!(http(&worker, "/livez"), (200, "ok\n".to_owned()));
    let (config, database) = (site.path("deepclone.toml"), site.database("state.db"));
    let flags = ["--config", &config, "--database", &database];
    let _again = process::coordinator(&coordinator.address, &flags);
    wait_for_readyz(&worker, 200, "ok");
}

#[test]
fn a_worker_that_is_stopped_ends_what_it_can_and_reports_it() {
    let site = Site::of(3, 100_000);
    let coordinator = site.coordinator("state.db");
    let mut worker = site.slow_worker(&coordinator, "128KiB/s");
    let cloning = site.clone(&coordinator).spawn().expect("the command starts");
    wait_for_copying(&coordinator);
    assert!(worker.terminate().success(), "{}", worker.log());
    // There is no other worker: it was this one that ended them.
    let ended = answer_of(cloning);
    assert_eq!((&ended["objects_copied"], &ended["workers"]), (&3.into(), &1.into()));
    assert_eq!(ended["bytes_read"], 300_000, "nothing is copied twice: {ended}");
}

#[test]
fn a_worker_that_is_stopped_gives_back_what_it_cannot_end() {
    let site = Site::of(1, 8 << 20);
    let coordinator = site.coordinator("state.db");
    let mut worker = site.slow_worker(&coordinator, "128KiB/s");
    let cloning = site.clone(&coordinator).spawn().expect("the command starts");
    wait_for_copying(&coordinator);
    // The copy would take a minute. It is given up after 20 seconds of patience.
    assert!(worker.terminate().success(), "{}", worker.log());
    let left = std::time::Instant::now();
    let heir = site.worker(&coordinator, "heir");
    let ended = answer_of(cloning);
    let waited = left.elapsed();
    assert!(waited < Duration::from_secs(15), "a lease of 30 s was waited for: {waited:?}");
    assert_eq!(ended["objects_copied"], 1);
    drop(heir);
}

#[test]
fn a_coordinator_that_is_stopped_and_started_again_lets_workers_go_on() {
    let site = Site::of(12, 128 << 10);
    let mut coordinator = site.coordinator("state.db");
    let worker = site.slow_worker(&coordinator, "256KiB/s");
    let cloning = site.clone(&coordinator).spawn().expect("the command starts");
    wait_for_copying(&coordinator);
    assert!(coordinator.terminate().success(), "{}", coordinator.log());
    let (config, database) = (site.path("deepclone.toml"), site.database("state.db"));
    let flags = ["--config", &config, "--database", &database];
    let again = process::coordinator(&coordinator.address, &flags);
    let ended = answer_of(cloning);
    assert_eq!((&ended["objects_copied"], &ended["workers"]), (&12.into(), &1.into()));
    assert_eq!(ended["bytes_read"], 12 * (128 << 10), "nothing is copied twice: {ended}");
    assert_eq!(ended["objects_skipped"], 0, "nothing is looked at twice: {ended}");
    drop((again, worker));
}
