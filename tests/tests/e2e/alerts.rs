//! Webhooks: a sync fails for long, over a restart, and its receiver is told of it once and once of
//! its end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use deepclone_tests::process::{self, Server};
use deepclone_tests::receiver::{Message, Receiver};
use serde_json::{Value, json};

use crate::table;

const SECRET: &str = "hunter2-hunter2-hunter2";

/// A coordinator with a replication of one local table, whose receivers are `oncall` and `chat`.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(oncall: &Receiver, chat: &Receiver) -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a scratch folder") };
        table::synthetic(&site.folder.path().join("lake/orders"), 2, 100);
        std::fs::create_dir(site.folder.path().join("dr")).expect("a new folder");
        std::fs::write(site.path("secret"), format!("{SECRET}\n")).expect("a new file");
        let connection = |name: &str| {
            let url = site.path(name);
            format!(
                "[connections.{name}]\nurl = \"file://{url}\"\nroles = [\"source\", \"target\"]\n"
            )
        };
        let config = format!(
            "{}{}[[webhooks]]\nname = \"oncall\"\nurl = \"{}/hooks/hunter2\"\nhold = \"0s\"\n\
             secret_file = \"{}\"\n[[webhooks]]\nname = \"chat\"\nurl = \"{}/hunter2\"\n\
             hold = \"0s\"\nformat = \"slack\"\n",
            connection("lake"),
            connection("dr"),
            oncall.url,
            site.path("secret"),
            chat.url,
        );
        std::fs::write(site.path("deepclone.toml"), config).expect("a new file");
        site.declare("schedule = { every = \"366d\" }");
        site
    }

    /// Writes the file of the replication, with these keys.
    fn declare(&self, keys: &str) {
        let file = format!(
            "version = 1\n[[replication]]\nname = \"lake-dr\"\nsource = \"lake\"\n\
             target = \"dr\"\ninclude = [\"orders\"]\n{keys}\n"
        );
        std::fs::write(self.path("replications.toml"), file).expect("a new file");
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn start(&self) -> (Server, Server) {
        let (config, database) = (self.path("deepclone.toml"), self.path("state.db"));
        let database = format!("sqlite:{database}");
        let arguments = ["--config", &config, "--database", &database];
        let coordinator = process::coordinator("127.0.0.1:0", &arguments);
        let worker = process::worker(&coordinator.url(), "w", &["--config", &config]);
        (coordinator, worker)
    }

    /// Adds a commit to the source that is two hours old from its first moment on.
    fn commit_of_before(&self) {
        let (lake, next) =
            (self.folder.path().join("lake/orders"), self.folder.path().join("next"));
        std::fs::create_dir_all(next.join("_delta_log")).expect("a new folder");
        table::append(&next, 1, "more.parquet", 10);
        let commit = "_delta_log/00000000000000000001.json";
        date(&next.join(commit), 2);
        for name in ["more.parquet", commit] {
            std::fs::rename(next.join(name), lake.join(name)).expect("one disk");
        }
    }

    /// The commit that makes the table unreadable, or adds a file.
    fn commit(&self, is_sound: bool) {
        let lake = self.folder.path().join("lake/orders");
        table::append(&lake, 1, "more.parquet", 10);
        if !is_sound {
            let commit = lake.join("_delta_log/00000000000000000001.json");
            std::fs::write(commit, "this is no commit\n").expect("the commit");
        }
    }
}

/// Makes a file so many hours old.
fn date(file: &Path, hours: u64) {
    let file = std::fs::File::options().append(true).open(file).expect("the file");
    let time = SystemTime::now() - Duration::from_secs(hours * 3_600);
    file.set_modified(time).expect("another time");
}

fn replication(coordinator: &Server, arguments: &[&str]) -> Value {
    let mut command = process::deepclone();
    command.arg("replication").args(arguments);
    command.args(["--output", "json", "--coordinator", &coordinator.url()]);
    let (code, answer, errors) = process::run(&mut command);
    assert_eq!(code, 0, "{arguments:?}: {answer}{errors}");
    serde_json::from_str(&answer).expect("one object")
}

/// Runs a round, and waits until the table is so.
async fn run_until(coordinator: &Server, is_so: impl Fn(&Value) -> bool) {
    replication(coordinator, &["run", "lake-dr"]);
    until(coordinator, is_so).await;
}

/// Waits until the table is so.
async fn until(coordinator: &Server, is_so: impl Fn(&Value) -> bool) {
    let patient = async {
        loop {
            let found = replication(coordinator, &["get", "lake-dr"]);
            if is_so(&found["tables"][0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), patient).await;
    found.unwrap_or_else(|_| panic!("it is never so\n{}", coordinator.log()));
}

fn fails(table: &Value) -> bool {
    !table["failure"].is_null()
}

fn is_synced(version: u64) -> impl Fn(&Value) -> bool {
    move |table| table["replicated_version"] == json!(version) && !fails(table)
}

fn json_of(message: &Message) -> Value {
    serde_json::from_str(&message.body).expect("a JSON object")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_is_told_once_over_a_restart_and_its_end_once() {
    let (oncall, chat) = (Receiver::start(&[500, 429]).await, Receiver::start(&[]).await);
    let site = Site::new(&oncall, &chat);
    let (mut coordinator, worker) = site.start();
    replication(&coordinator, &["apply", &site.path("replications.toml")]);
    run_until(&coordinator, is_synced(0)).await;
    site.commit(false);
    run_until(&coordinator, fails).await;
    let taken = oncall.wait_for(1).await;
    assert_eq!(oncall.answers_left(), 0);
    let alert = json_of(&taken[0]);
    assert_eq!((&alert["event"], &alert["subject"]), (&json!("sync_failed"), &json!("lake-dr")));
    assert_eq!((&alert["reason"], &alert["attempt"]), (&json!("DAMAGED_LOG"), &json!(3)));
    assert_eq!(alert["tables"], json!(["orders"]));
    chat.wait_for(1).await;
    run_until(&coordinator, fails).await;
    let first_log = coordinator.log();
    coordinator.kill();
    drop(worker);

    let (coordinator, _worker) = site.start();
    run_until(&coordinator, fails).await;
    site.commit(true);
    run_until(&coordinator, is_synced(1)).await;
    let taken = oncall.wait_for(2).await;
    let end = json_of(&taken[1]);
    assert_eq!((&end["event"], &end["kind"]), (&json!("recovered"), &json!("sync_failed")));
    assert_eq!(end["alert_id"], alert["alert_id"]);
    let texts = chat.wait_for(2).await;
    let text = |message: &Message| json_of(message)["text"].as_str().unwrap_or("").to_owned();
    assert!(text(&texts[0]).starts_with("*sync_failed* lake-dr: syncs fail"), "{texts:?}");
    assert!(text(&texts[1]).starts_with("*Recovered: sync_failed* lake-dr"), "{texts:?}");
    assert_eq!((oncall.taken().len(), chat.taken().len()), (2, 2));

    assert_eq!(verified_by_the_document(&taken[0]), "True False False");
    let example: Value = serde_json::from_str(&of_the_document("json")).expect("the example");
    let keys = |of: &Value| of.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&alert), keys(&example));
    let logs = first_log + &coordinator.log();
    assert!(logs.contains("alert sent"), "{logs}");
    let bodies = taken.iter().chain(&texts).map(|message| &*message.body);
    assert!(!bodies.fold(logs, |all, body| all + body).contains("hunter2"), "a secret is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_is_of_no_replication_is_told_by_its_target() {
    let (oncall, chat) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    let site = Site::new(&oncall, &chat);
    let (coordinator, _worker) = site.start();
    let clone = || {
        let mut command = process::deepclone();
        let uri = |name: &str| format!("file://{}", site.path(name));
        command.args(["clone", &uri("lake/orders"), &uri("dr/own"), "--coordinator"]);
        process::run(command.arg(coordinator.url())).0
    };
    site.commit(false);
    assert_eq!((clone(), clone()), (3, 3));
    let alert = json_of(&oncall.wait_for(1).await[0]);
    let target = format!("file://{}", site.path("dr/own"));
    assert_eq!((&alert["event"], &alert["subject"]), (&json!("sync_failed"), &json!(target)));
    site.commit(true);
    assert_eq!(clone(), 0);
    let taken = oncall.wait_for(2).await;
    assert_eq!(json_of(&taken[1])["event"], "recovered");
    assert_eq!(oncall.taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_writer_did_and_a_lag_that_grows_are_told_apart() {
    let (oncall, chat) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    let site = Site::new(&oncall, &chat);
    let on_commit = "schedule = { on_commit = { poll_min = \"1s\", poll_max = \"1s\" } }";
    date(&site.folder.path().join("lake/orders/_delta_log/00000000000000000000.json"), 3);
    site.declare(&format!("{on_commit}\nmax_lag = {{ page = \"1h\" }}"));
    let (coordinator, _worker) = site.start();
    replication(&coordinator, &["apply", &site.path("replications.toml")]);
    until(&coordinator, is_synced(0)).await;
    let replica = site.folder.path().join("dr/orders");
    table::append(&replica, 1, "foreign.parquet", 10);
    // It is older than is allowed.
    site.commit_of_before();
    let events = |taken: &[Message]| {
        let event = |message| json_of(message)["event"].as_str().unwrap_or("").to_owned();
        let mut events: Vec<String> = taken.iter().map(event).collect();
        events.sort_unstable();
        events
    };
    let taken = oncall.wait_for(2).await;
    assert_eq!(events(&taken), ["diverged", "objective_missed"]);
    std::fs::remove_file(replica.join("_delta_log/00000000000000000001.json")).expect("it is");
    run_until(&coordinator, is_synced(1)).await;
    let taken = oncall.wait_for(4).await;
    assert_eq!(events(&taken[2..]), ["recovered", "recovered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_is_tried_by_a_command() {
    let (oncall, chat) = (Receiver::start(&[200, 404]).await, Receiver::start(&[]).await);
    let site = Site::new(&oncall, &chat);
    let test = |name: &str| {
        let mut command = process::deepclone();
        command.args(["admin", "test-webhook", name, "--config", &site.path("deepclone.toml")]);
        tokio::task::block_in_place(|| process::run(&mut command))
    };
    let (code, answer, errors) = test("oncall");
    assert_eq!(code, 0, "{answer}{errors}");
    let sent = &oncall.taken()[0];
    assert_eq!(json_of(sent)["event"], "test");
    assert_eq!(verified_by_the_document(sent), "True False False");
    let (code, answer, errors) = test("oncall");
    assert_eq!((code, answer.as_str()), (5, ""), "{errors}");
    assert!(
        errors.contains("the answer is 404 Not Found") && !errors.contains("hunter2"),
        "{errors}"
    );
    assert_eq!(test("chat").0, 0);
    assert!(chat.taken()[0].body.contains("\"text\":\"*test*"), "{:?}", chat.taken());
    let (code, _, errors) = test("nobody");
    assert!(code == 2 && errors.contains("oncall, chat"), "{code} {errors}");
}

/// Lets the Python of docs/lineage.md judge a message, the same with another body, and by another
/// secret.
fn verified_by_the_document(message: &Message) -> String {
    let code = of_the_document("python");
    let code = format!(
        "{code}\nimport json, sys\nsent = json.load(sys.stdin)\n\
         headers, body = sent['headers'], sent['body'].encode()\n\
         print(is_from_deepclone(b'{SECRET}', headers, body),\n\
         is_from_deepclone(b'{SECRET}', headers, body + b' '),\n\
         is_from_deepclone(b'another', headers, body))\n"
    );
    let header = |name: &str| {
        let value = message.headers.get(name).and_then(|value| value.to_str().ok());
        (name.to_owned(), json!(value))
    };
    let headers = ["deepclone-timestamp", "deepclone-signature"].map(header);
    let headers: serde_json::Map<String, Value> = headers.into_iter().collect();
    let mut python = Command::new("python3")
        .args(["-c", &code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let sent = json!({"headers": headers, "body": message.body}).to_string();
    let mut input = python.stdin.take().expect("its input is piped");
    input.write_all(sent.as_bytes()).expect("it reads");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The first block of docs/lineage.md in a language.
fn of_the_document(language: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lineage.md");
    let text = std::fs::read_to_string(file).expect("the document");
    let (_, block) = text.split_once(&format!("```{language}\n")).expect("it has such a block");
    block.split_once("```").expect("it ends").0.to_owned()
}
