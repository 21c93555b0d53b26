//! One request for keys: what is followed, believed, and too much.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tempfile::TempDir;

use super::super::fetch::KeyUrl;
use super::provider::{KeyServer, ServerAnswer};
use super::signer::{Signer, key_set};
use crate::listener::{BoundListener, Exposure};
use crate::tls::server::{ServerTls, ServerTlsFiles, Spoken};

fn keys() -> String {
    key_set(&[&Signer::new("k", "ES256")])
}

async fn fetched(url: &str) -> Result<(), String> {
    let url = KeyUrl::new(url, None).unwrap();
    url.fetch().await.map(|keys| assert_eq!(keys.named("k").count(), 1))
}

#[test]
fn a_url_is_https_or_of_this_machine() {
    for url in [
        "https://id.example/keys",
        "http://localhost/keys",
        "http://127.0.0.1:1/keys",
        "http://127.9.9.9/keys",
        "http://[::1]:1/keys",
    ] {
        assert!(KeyUrl::new(url, None).is_ok(), "{url}");
    }
    for (url, part) in [
        ("http://id.example/keys", "write https"),
        ("http://localhost.example/keys", "write https"),
        ("http://127.0.0.1.example/keys", "write https"),
        ("http://10.0.0.1/keys", "write https"),
        ("ftp://localhost/keys", "write https"),
        ("file:///etc/keys", "write https"),
        ("https://", "no URL"),
        ("keys", "no URL"),
        ("https://anna:hunter2@id.example/keys", "no name and password"),
        ("https://anna@id.example/keys", "no name and password"),
    ] {
        let what = KeyUrl::new(url, None).unwrap_err();
        assert!(what.contains(part) && !what.contains("hunter2"), "{url}: {what}");
    }
    let missing = KeyUrl::new("https://id.example", Some(PathBuf::from("/no/ca.pem")));
    assert!(missing.unwrap_err().contains("jwks_ca_file /no/ca.pem: it cannot be read"));
}

#[tokio::test]
async fn only_a_set_of_keys_in_bounds_is_taken() {
    let server = KeyServer::start(ServerAnswer::Keys(keys())).await;
    assert_eq!(fetched(&server.url()).await, Ok(()));
    let padded = |bytes: usize| {
        let keys = keys();
        format!("{keys}{}", " ".repeat(bytes - keys.len()))
    };
    server.answers(ServerAnswer::Keys(padded(1 << 20)));
    assert_eq!(fetched(&server.url()).await, Ok(()));
    for (answer, part) in [
        (ServerAnswer::Keys(padded((1 << 20) + 1)), "longer than 1 MiB"),
        (ServerAnswer::Keys("<html>".to_owned()), "JWK Set"),
        (ServerAnswer::Keys("{\"keys\": []}".to_owned()), "no key that signs"),
        (ServerAnswer::Status(StatusCode::INTERNAL_SERVER_ERROR), "the answer is 500"),
        (ServerAnswer::Status(StatusCode::NO_CONTENT), "the answer is 204"),
    ] {
        server.answers(answer);
        let what = fetched(&server.url()).await.unwrap_err();
        assert!(what.contains(part) && !what.contains('\n'), "{part}: {what}");
    }
    server.answers(ServerAnswer::Slow(Duration::from_secs(600), keys()));
    let mut hasty = KeyUrl::new(&server.url(), None).unwrap();
    assert_eq!(hasty.time_max, Duration::from_secs(10));
    hasty.time_max = Duration::from_millis(200);
    let what = hasty.fetch().await.unwrap_err();
    assert!(what.contains("took too long"), "{what}");
    // Nobody listens there.
    let what = fetched("http://127.0.0.1:9/keys").await.unwrap_err();
    assert!(what.contains("no answer"), "{what}");
}

#[tokio::test]
async fn a_redirect_is_followed_within_its_host_alone() {
    let server = KeyServer::start(ServerAnswer::Status(StatusCode::OK)).await;
    let other = KeyServer::start(ServerAnswer::Keys(keys())).await;
    let port = server.address.port();
    for (to, is_followed) in [
        ("/moved".to_owned(), true),
        (format!("http://127.0.0.1:{port}/moved"), true),
        (format!("http://localhost:{port}/moved"), false),
        (other.url(), false),
        ("https://id.example/moved".to_owned(), false),
        ("/keys".to_owned(), false),
    ] {
        server.answers(ServerAnswer::Moved(to.clone(), keys()));
        match fetched(&server.url()).await {
            Ok(()) => assert!(is_followed, "{to}"),
            Err(what) => assert!(!is_followed && what.contains("too many"), "{to}: {what}"),
        }
    }
    assert_eq!(other.asked(), 0);
}

/// A server with keys over TLS, whose certificate is of a new authority in `folder`.
async fn over_tls(folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tls/dev_ca.sh");
    for authority in ["ca", "other"] {
        let mut command = Command::new(&script);
        let made = command.arg(folder.join(authority)).arg("id.example").output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let files = ServerTlsFiles {
        certificate: folder.join("ca/id.example.pem"),
        key: folder.join("ca/id.example.key"),
        client_authorities: None,
    };
    let tls = ServerTls::new(files, Spoken::Http1).unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = BoundListener::bind(address, Exposure::Loopback, Some(tls)).await.unwrap();
    let url = format!("https://localhost:{}/keys", listener.address().port());
    let keys = keys();
    let router = Router::new().route("/keys", get(|| async { keys }));
    tokio::spawn(async move { axum::serve(listener.accept(), router).await.unwrap() });
    url
}

#[tokio::test]
async fn a_certificate_must_be_of_the_authority_that_is_believed() {
    let folder = TempDir::new().unwrap();
    let url = over_tls(folder.path()).await;
    let by = |authority: &str| {
        let file = folder.path().join(authority).join("ca.pem");
        KeyUrl::new(&url, Some(file)).unwrap()
    };
    let believed = by("ca");
    assert_eq!(believed.fetch().await.unwrap().named("k").count(), 1);
    let refused = by("other").fetch().await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    // Without the file those of the operating system are believed, and this one is none of them.
    let refused = KeyUrl::new(&url, None).unwrap().fetch().await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    // The file is read again for each request.
    let (from, to) = (folder.path().join("other/ca.pem"), folder.path().join("ca/ca.pem"));
    std::fs::copy(from, to).unwrap();
    assert!(believed.fetch().await.is_err());
}
