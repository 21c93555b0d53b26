//! Planted secrets: what our processes log, keep, show and tell holds none of them.

use std::process::Command;

use deepclone_tests::environment::environment;
use deepclone_tests::process::{self, Server};
use deepclone_tests::proxy::{Fault, Proxy, Rule};

use crate::place::Place;
use crate::secure::{Site, https, known};
use crate::sync;

const HOOK: &str = "hunter2-of-the-hooks";

/// A text in which secrets are searched, and whose it is.
type Seen = (&'static str, String);

/// The file's bytes as text; what is no text is left out.
fn text_of(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned()
}

/// Asks for a page of a server with a token.
async fn page(site: &Site, server: &Server, path: &str) -> String {
    let port = server.http.rsplit(':').next().expect("a port");
    let token = text_of(&site.path("operator"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--cacert", &site.text("ca/ca.pem")]);
    curl.args(["--user", &format!("me:{}", token.trim())]);
    curl.arg(format!("https://localhost:{port}{path}"));
    let answer = tokio::task::spawn_blocking(move || process::run(&mut curl)).await;
    let (code, text, errors) = answer.expect("curl runs");
    assert_eq!(code, 0, "{path}: {errors}");
    text
}

/// A coordinator and a worker that log everything, over TLS, with credentials of two stores.
async fn talkative(site: &Site, source: &Place, target: &Place) -> (Server, Server) {
    let sections = source.connection("source") + &target.connection("target");
    let tls = std::fs::read_to_string(site.path("coordinator.toml")).expect("a file");
    let tls = &tls[tls.find("[tls]").expect("a section")..];
    let all = format!("{sections}{tls}[hooks]\nsecret = \"{HOOK}\"\n");
    site.write("coordinator.toml", &all);
    let database = format!("sqlite:{}", site.text("deepclone.db"));
    let mut command = Command::new(process::binary("deepclone-coordinator"));
    command.args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    command.args(["--config", &site.text("coordinator.toml"), "--database", &database]);
    let coordinator = process::listening(traced(command));
    let mut command = Command::new(process::binary("deepclone-worker"));
    command.args(["--coordinator", &https(&coordinator), "--name", "one"]);
    command.args([
        "--config",
        &site.text("coordinator.toml"),
        "--ca-file",
        &site.text("ca/ca.pem"),
    ]);
    command.args(["--token-file", &site.text("fleet")]);
    let worker = process::registered(traced(command));
    (coordinator, worker)
}

fn traced(mut command: Command) -> Command {
    command.env("DEEPCLONE_LOG", "trace");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_seen_anywhere() {
    let site = Site::new(2, 100);
    let (operator, fleet) = (site.token("operator").await, site.token("fleet").await);
    site.principals(&[("ops", "operator", known(&operator)), ("fleet", "worker", known(&fleet))]);
    let (source, target) = (Place::north("planted"), Place::azure("planted"));
    source.put(&site.path("lake/table")).await;
    let proxy = Proxy::start(source.endpoint()).await;
    let proxied = source.at(&proxy.endpoint(source.endpoint()));
    let (coordinator, worker) = talkative(&site, &proxied, &target).await;
    let url = https(&coordinator);

    let mut seen: Vec<Seen> = Vec::new();
    let clone = ["clone", &source.server_uri(), &target.server_uri()];
    // One job that fails, whose answers quote the request, and one that does not.
    proxy.add(Rule::new(Fault::Status(403)).containing("part-00001"));
    for code in [5, 0] {
        let command = site.command(&url, "ca/ca.pem", Some("operator"), &clone);
        let ended = sync::finish(traced(command)).await;
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stderr.contains("TRACE"), "{}", ended.stderr);
        seen.push(("the command's log", ended.stderr));
        seen.push(("the command's answer", ended.json.to_string()));
        proxy.clear();
    }
    for rest in [&["job", "list"][..], &["worker", "list"], &["audit", "list"]] {
        let shown = site.ask(&url, Some("operator"), rest).await.succeeded();
        seen.push(("a list", shown.json.to_string()));
    }
    for path in ["/", "/jobs", "/workers", "/metrics"] {
        seen.push(("a page", page(&site, &coordinator, path).await));
    }
    seen.push(("the worker's metrics", page(&site, &worker, "/metrics").await));
    for server in [&coordinator, &worker] {
        assert!(server.log().contains("TRACE"), "{}", server.log());
        seen.push(("a log", server.log()));
        seen.push(("a command line", server.command_line()));
    }
    for file in ["deepclone.db", "deepclone.db-wal"] {
        seen.push(("the database", text_of(&site.path(file))));
    }
    drop((coordinator, worker));

    let services = &environment().services;
    let key_of = |name: &str| text_of(&site.path(name)).lines().nth(1).expect("PEM").to_owned();
    let token_of = |name: &str| text_of(&site.path(name)).trim().to_owned();
    let secrets = [
        services.north.secret_access_key.clone(),
        services.azure.key.clone(),
        HOOK.to_owned(),
        token_of("operator"),
        token_of("fleet"),
        key_of("ca/coordinator.key"),
        "Signature=".to_owned(),
        "SharedKey ".to_owned(),
    ];
    for (what, text) in &seen {
        assert!(!text.is_empty(), "{what}");
        for secret in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{what} shows {secret}");
        }
    }
}
