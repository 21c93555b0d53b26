//! TLS, tokens and certificates between our processes: who is let in, and what changes while they
//! run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use deepclone_tests::environment::environment;
use deepclone_tests::process::{self, Server};
use tempfile::TempDir;

use crate::sync::{self, Ended};
use crate::table;

/// How long a look at a changed file may take, and some more.
const LOOKED: Duration = Duration::from_millis(1500);

/// A folder with certificates, principals, a source table and room for replicas.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// The source has so many objects of so many bytes.
    pub(crate) fn new(objects: usize, bytes: usize) -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a scratch folder") };
        table::synthetic(&site.path("lake/table"), objects, bytes);
        std::fs::create_dir(site.path("dr")).expect("a new folder");
        site.certify("ca", &["coordinator", "worker.example"]);
        let mut config = format!(
            "[connections.lake]\nurl = \"file://{0}/lake\"\nroles = [\"source\"]\n\
             [connections.dr]\nurl = \"file://{0}/dr\"\nroles = [\"target\"]\n",
            site.path("").display()
        );
        site.write("worker.toml", &config);
        config += &format!(
            "[tls]\ncert_file = \"{0}/ca/coordinator.pem\"\nkey_file = \
             \"{0}/ca/coordinator.key\"\nclient_ca_file = \"{0}/ca/ca.pem\"\n\
             [access]\nfile = \"{0}/access.toml\"\n",
            site.path("").display()
        );
        site.write("coordinator.toml", &config);
        let fleet = "certificates = [\"worker.example\"]".to_owned();
        site.principals(&[("fleet", "worker", fleet)]);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().canonicalize().expect("it exists");
        if name.is_empty() { folder } else { folder.join(name) }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Replaces a file by one step, as what hands out secrets does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).expect("a new file");
        std::fs::rename(new, self.path(name)).expect("one folder");
    }

    /// Makes certificates of an authority, by the script that the docs name.
    pub(crate) fn certify(&self, authority: &str, names: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tls/dev_ca.sh");
        let mut command = Command::new(script);
        let made = command.arg(self.path(authority)).args(names).output().expect("bash runs");
        assert!(made.status.success(), "{made:?}");
    }

    /// Makes a token by the command line, into a file of this name; returns its digest.
    pub(crate) async fn token(&self, name: &str) -> String {
        let mut command = process::deepclone();
        command.args(["token", "--output", "json"]);
        let made = sync::finish(command).await.succeeded().json;
        self.write(name, made["token"].as_str().expect("a token"));
        made["sha256"].as_str().expect("a digest").to_owned()
    }

    /// Writes the file of principals: names, roles, and what tells who they are.
    pub(crate) fn principals(&self, principals: &[(&str, &str, String)]) {
        let one = |(name, role, more): &(&str, &str, String)| {
            format!("[[principals]]\nname = \"{name}\"\nrole = \"{role}\"\n{more}\n")
        };
        self.write("access.toml", &principals.iter().map(one).collect::<String>());
    }

    pub(crate) fn coordinator(&self) -> Server {
        let database = format!("sqlite:{}", self.text("deepclone.db"));
        let config = self.text("coordinator.toml");
        process::coordinator("127.0.0.1:0", &["--config", &config, "--database", &database])
    }

    /// A worker that shows its certificate.
    pub(crate) fn worker(&self, url: &str, name: &str) -> Server {
        let (cert, key) = (self.text("ca/worker.example.pem"), self.text("ca/worker.example.key"));
        self.worker_with(url, name, &["--cert-file", &cert, "--key-file", &key])
    }

    pub(crate) fn worker_with(&self, url: &str, name: &str, shown: &[&str]) -> Server {
        let (config, authority) = (self.text("worker.toml"), self.text("ca/ca.pem"));
        let flags = [&["--config", &config, "--ca-file", &authority], shown].concat();
        process::worker(url, name, &flags)
    }

    /// A command to the coordinator, with an authority to believe and the token of a file.
    pub(crate) fn command(
        &self,
        url: &str,
        authority: &str,
        token: Option<&str>,
        rest: &[&str],
    ) -> Command {
        let mut command = process::deepclone();
        command.args(rest).args(["--coordinator", url, "--output", "json"]);
        command.args(["--ca-file", &self.text(authority)]);
        command.args(token.iter().flat_map(|name| ["--token-file".to_owned(), self.text(name)]));
        command
    }

    pub(crate) async fn ask(&self, url: &str, token: Option<&str>, rest: &[&str]) -> Ended {
        sync::finish(self.command(url, "ca/ca.pem", token, rest)).await
    }

    pub(crate) fn clone_to(&self, target: &str) -> [String; 3] {
        let uri = |name: &str| format!("file://{}", self.text(name));
        ["clone".to_owned(), uri("lake/table"), uri(&format!("dr/{target}"))]
    }
}

pub(crate) fn https(server: &Server) -> String {
    format!("https://{}", server.address)
}

pub(crate) fn known(sha256: &str) -> String {
    format!("tokens = [{{ sha256 = \"{sha256}\" }}]")
}

#[track_caller]
fn assert_refused(ended: &Ended, reason: &str, part: &str) {
    assert_eq!(ended.json["error"]["reason"], reason, "{ended:?}");
    assert!(ended.stderr.contains(part), "{ended:?}");
    assert_eq!(ended.code, 5, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_over_tls_copies_for_those_who_are_known_and_for_nobody_else() {
    let site = Site::new(20, 1000);
    site.certify("other", &["coordinator"]);
    let (submitter, viewer) = (site.token("submitter").await, site.token("viewer").await);
    let operator = site.token("operator").await;
    let _nobody = site.token("nobody").await;
    let scope = format!("write_to = [\"dr/sales\"]\n{}", known(&submitter));
    site.principals(&[
        ("airflow", "submitter", scope),
        ("anna", "viewer", known(&viewer)),
        ("ops", "operator", known(&operator)),
        ("fleet", "worker", "certificates = [\"worker.example\"]".to_owned()),
    ]);
    let coordinator = site.coordinator();
    let url = https(&coordinator);
    let _worker = site.worker(&url, "one");

    let clone = site.clone_to("sales/table");
    let clone: Vec<&str> = clone.iter().map(String::as_str).collect();
    let done = site.ask(&url, Some("submitter"), &clone).await.succeeded();
    assert_eq!(done.number("objects_copied"), 20);
    let jobs = site.ask(&url, Some("viewer"), &["job", "list"]).await.succeeded().json;
    assert_eq!(jobs["jobs"][0]["submitter"], "airflow", "{jobs}");
    let replica = site.text("dr/sales/table");
    let mut history = process::deepclone();
    history.args(["history", &replica, "--output", "json"]);
    let history = sync::finish(history).await.succeeded().json;
    assert_eq!(history["syncs"][0]["submitter"], "airflow", "{history}");

    let list = ["job", "list"];
    assert_refused(&site.ask(&url, None, &list).await, "UNAUTHENTICATED", "--token-file");
    let unknown = site.ask(&url, Some("nobody"), &list).await;
    assert_refused(&unknown, "UNAUTHENTICATED", "knows nobody by this credential");
    let looked = site.ask(&url, Some("viewer"), &clone).await;
    assert_refused(&looked, "ACCESS_DENIED", "anna is a viewer");
    let elsewhere = site.clone_to("hr/table");
    let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    let out_of_scope = site.ask(&url, Some("submitter"), &elsewhere).await;
    assert_refused(&out_of_scope, "ACCESS_DENIED", "dr/hr/table");

    // Of another authority, without TLS, and with TLS where there is none.
    let command = site.command(&url, "other/ca.pem", Some("viewer"), &list);
    let stranger = sync::finish(command).await;
    assert_refused(&stranger, "COORDINATOR_UNAVAILABLE", "certificate");
    let plain = site.ask(&coordinator.url(), Some("viewer"), &list).await;
    assert_eq!(plain.json["error"]["reason"], "COORDINATOR_UNAVAILABLE", "{plain:?}");

    // Neither a person's token nor another name makes a worker.
    let shown = ["--token-file", &site.text("submitter")];
    let flags = ["--config", &site.text("worker.toml"), "--ca-file", &site.text("ca/ca.pem")];
    let mut worker = Command::new(process::binary("deepclone-worker"));
    worker.args(["--coordinator", &url, "--name", "thief"]).args(flags).args(shown);
    let ended = sync::finish(worker).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("airflow is a submitter"), "{ended:?}");
    assert_on_record(&site, &url).await;
    // No log shows a token.
    let token = std::fs::read_to_string(site.path("submitter")).expect("a file");
    assert!(!coordinator.log().contains(token.trim()));
}

/// Who asked for what is on record, for operators: the newest first.
async fn assert_on_record(site: &Site, url: &str) {
    let audit = ["audit", "list", "--principal", "airflow"];
    let denied = site.ask(url, Some("viewer"), &audit).await;
    assert_refused(&denied, "ACCESS_DENIED", "anna is a viewer");
    let record = site.ask(url, Some("operator"), &audit).await.succeeded().json;
    let shown: Vec<_> = record["events"].as_array().expect("a list").iter().collect();
    let calls: Vec<_> = shown.iter().map(|of| (&of["call"], &of["outcome"])).collect();
    let expected = [
        ("DispatchService/RegisterWorker", "ACCESS_DENIED"),
        ("JobService/CreateJob", "ACCESS_DENIED"),
        ("JobService/CreateJob", "OK"),
    ];
    assert_eq!(calls.len(), expected.len(), "{record}");
    for (shown, expected) in calls.iter().zip(expected) {
        assert_eq!((shown.0.as_str(), shown.1.as_str()), (Some(expected.0), Some(expected.1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_tokens_change_while_a_job_runs() {
    // At this rate the copy takes longer than all that changes.
    const OBJECTS: usize = 64;
    let site = Site::new(OBJECTS, 64 << 10);
    let (user, old, new) =
        (site.token("user").await, site.token("old").await, site.token("new").await);
    let people = ("user", "submitter", known(&user));
    site.principals(&[people.clone(), ("fleet", "worker", known(&old))]);
    std::fs::copy(site.path("old"), site.path("worker-token")).expect("a file");
    let coordinator = site.coordinator();
    let url = https(&coordinator);
    let shown = ["--token-file", &site.text("worker-token"), "--bandwidth", "256KiB/s"];
    let worker = site.worker_with(&url, "one", &shown);
    let clone = site.clone_to("table");
    let clone: Vec<&str> = clone.iter().map(String::as_str).collect();
    let running = site.command(&url, "ca/ca.pem", Some("user"), &clone);
    let running = tokio::spawn(sync::finish(running));
    tokio::time::sleep(LOOKED).await;

    // The worker's token does not count any more before it gets the new one.
    site.principals(&[people, ("fleet", "worker", known(&new))]);
    let refused = "knows nobody by this credential";
    while !worker.log().contains(refused) {
        assert!(!running.is_finished(), "{}", worker.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let text = std::fs::read_to_string(site.path("new")).expect("a file");
    site.write("worker-token", &text);
    // The coordinator's certificate is of another authority from now on.
    let before = serial(&coordinator).await;
    site.certify("next", &["coordinator"]);
    for file in ["coordinator.pem", "coordinator.key"] {
        let text = std::fs::read_to_string(site.path(&format!("next/{file}"))).expect("a file");
        site.write(&format!("ca/{file}"), &text);
    }
    let both = ["ca/ca.pem", "next/ca.pem"]
        .map(|file| std::fs::read_to_string(site.path(file)).expect("a file"));
    site.write("ca/ca.pem", &both.concat());
    tokio::time::sleep(LOOKED).await;
    assert_ne!(serial(&coordinator).await, before);
    let list = ["job", "list"];
    sync::finish(site.command(&url, "next/ca.pem", Some("user"), &list)).await.succeeded();

    let done = running.await.expect("the clone is run").succeeded();
    assert_eq!(done.number("objects_copied"), OBJECTS as u64, "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_any_make_finds_its_way_by_reflection() {
    let site = Site::new(3, 100);
    let token = site.token("operator").await;
    let fleet = "certificates = [\"worker.example\"]".to_owned();
    site.principals(&[("ops", "operator", known(&token)), ("fleet", "worker", fleet)]);
    let coordinator = site.coordinator();
    let _worker = site.worker(&https(&coordinator), "one");
    let token = std::fs::read_to_string(site.path("operator")).expect("a file");
    let bearer = format!("authorization: Bearer {}", token.trim());
    let ask = async |header: &str, data: &str, call: &[&str]| {
        let mut command = Command::new(&environment().tools.grpcurl);
        command.args(["-cacert", &site.text("ca/ca.pem"), "-H", header, "-d", data]);
        command.arg(&coordinator.address).args(call);
        let ended = tokio::task::spawn_blocking(move || process::run(&mut command)).await;
        ended.expect("grpcurl runs")
    };
    // Reflection is for those who are known.
    let (code, _, errors) = ask("", "", &["list"]).await;
    assert!(code != 0 && errors.contains("Unauthenticated"), "{errors}");
    let (_, services, _) = ask(&bearer, "", &["list"]).await;
    for service in ["JobService", "WorkerService", "AuditService"] {
        assert!(services.contains(&format!("deepclone.v1.{service}")), "{services}");
    }
    let [_, source, target] = site.clone_to("table");
    let job = serde_json::json!({
        "job": { "spec": { "source": { "uri": source }, "target": { "uri": target } } }
    });
    let create = ["deepclone.v1.JobService/CreateJob"];
    let (code, created, errors) = ask(&bearer, &job.to_string(), &create).await;
    assert_eq!(code, 0, "{errors}");
    let created: serde_json::Value = serde_json::from_str(&created).expect("JSON");
    assert_eq!(created["submitter"], "ops", "{created}");
    let name = serde_json::json!({ "name": created["name"] }).to_string();
    let (code, watched, errors) = ask(&bearer, &name, &["deepclone.v1.JobService/WatchJob"]).await;
    assert!(code == 0 && watched.contains("SUCCEEDED"), "{watched} {errors}");
    let (_, events, _) = ask(&bearer, "{}", &["deepclone.v1.AuditService/ListAuditEvents"]).await;
    assert!(events.contains("JobService/CreateJob"), "{events}");
}

/// The serial number of the certificate that a coordinator shows.
async fn serial(coordinator: &Server) -> String {
    let address = coordinator.address.clone();
    let script = format!(
        "openssl s_client -connect {address} -alpn h2 < /dev/null 2> /dev/null | \
         openssl x509 -noout -serial"
    );
    let ask = move || process::run(Command::new("bash").args(["-c", &script]));
    let (code, serial, _) = tokio::task::spawn_blocking(ask).await.expect("openssl runs");
    assert_eq!(code, 0, "{serial}");
    serial
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_beyond_loopback_takes_tls_and_principals() {
    let site = Site::new(1, 10);
    let database = format!("sqlite:{}", site.text("beyond.db"));
    let start = |config: &str| {
        let mut command = Command::new(process::binary("deepclone-coordinator"));
        command.args(["--listen", "0.0.0.0:0", "--http-listen", "127.0.0.1:0"]);
        command.args(["--database", &database, "--config", &site.text(config)]);
        command
    };
    let whole = std::fs::read_to_string(site.path("coordinator.toml")).expect("a file");
    let (tls, access) = whole.split_once("[access]").expect("both sections");
    site.write("tls-alone.toml", tls);
    let connections = tls.split_once("[tls]").expect("both sections").0;
    site.write("access-alone.toml", &format!("{connections}[access]{access}"));
    for config in ["worker.toml", "tls-alone.toml", "access-alone.toml"] {
        let refused = sync::finish(start(config)).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("TLS and authentication"), "{refused:?}");
    }
    let guarded = process::listening(start("coordinator.toml"));
    assert!(guarded.address.starts_with("0.0.0.0:"), "{}", guarded.address);
    // The pages are served over TLS, too.
    let page = format!("https://localhost:{}/", guarded.http.rsplit(':').next().expect("a port"));
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--include",
        "--cacert",
        &site.text("ca/ca.pem"),
        &page,
    ]);
    let answer = tokio::task::spawn_blocking(move || process::run(&mut curl)).await;
    let (code, text, errors) = answer.expect("curl runs");
    assert_eq!(code, 0, "{errors}");
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
}
