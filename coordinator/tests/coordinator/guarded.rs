//! A coordinator that asks who calls, its principals, and an identity provider.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deepclone_common::access::{Principals, new_token};
use deepclone_common::listener::Exposure;
use deepclone_coordinator::config::Settings;
use deepclone_coordinator::reload::SettingSources;
use deepclone_coordinator::server::{Listeners, run};
use deepclone_coordinator::state::Place;
use deepclone_core::access::Role;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::support::Lake;

/// What the principal `sales` may name.
const SALES: &str = "read_from = [\"lake/sales\", \"in/sales\"]\n\
                     write_to = [\"lake/dr\", \"out/sales\"]";

/// An identity provider: a key that signs JWTs.
pub(crate) struct Provider(Ed25519KeyPair);

impl Provider {
    pub(crate) fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    /// Writes the set of keys; returns the section of the file of principals that names it.
    pub(crate) fn publish(&self, folder: &Path) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x });
        let file = folder.join("jwks.json");
        std::fs::write(&file, json!({ "keys": [key] }).to_string()).unwrap();
        let file = file.display();
        format!(
            "[oidc]\nissuer = \"https://id.example\"\naudience = \"deepclone\"\n\
             jwks_file = \"{file}\"\n"
        )
    }

    /// A JWT of somebody in this group, which ends in so many seconds.
    pub(crate) fn token(&self, group: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let end = i64::try_from(now).unwrap() + seconds;
        // As long as those of people with many groups are.
        let groups: Vec<_> = (0..200).map(|number| format!("group-of-many-{number}")).collect();
        let groups = [groups, vec![group.to_owned()]].concat();
        let header = json!({ "alg": "EdDSA", "kid": "k" });
        let claims = json!({
            "iss": "https://id.example", "aud": "deepclone", "exp": end, "groups": groups,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// A coordinator that asks who calls, and the tokens of its principals.
pub(crate) struct Guarded {
    pub(crate) url: String,
    pub(crate) channel: Channel,
    pub(crate) http: String,
    pub(crate) tokens: Vec<(&'static str, String)>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Failure>>,
    folder: TempDir,
}

impl Guarded {
    pub(crate) async fn start(lake: &Lake) -> Self {
        let folder = TempDir::new().unwrap();
        let (provider, stranger) = (Provider::new(), Provider::new());
        let mut text = provider.publish(folder.path());
        let mut tokens = vec![
            ("jwt of viewer", provider.token("viewer", 600)),
            ("jwt of submitter", provider.token("submitter", 600)),
            ("jwt of nobody", provider.token("nobody", 600)),
            ("jwt that is over", provider.token("submitter", -61)),
            ("jwt of a stranger", stranger.token("submitter", 600)),
        ];
        for (name, role, more) in [
            ("viewer", Role::Viewer, ""),
            ("submitter", Role::Submitter, ""),
            ("operator", Role::Operator, ""),
            ("worker", Role::Worker, ""),
            ("thief", Role::Worker, ""),
            ("sales", Role::Operator, SALES),
            ("narrow", Role::Worker, "read_from = [\"lake\"]\nwrite_to = []"),
        ] {
            let (current, old) = (new_token(), new_token());
            text += &format!(
                "[[principals]]\nname = \"{name}\"\nrole = \"{role}\"\n{more}\n\
                 jwt = {{ groups = \"{name}\" }}\ntokens = [{{ sha256 = \"{}\" }}, \
                 {{ sha256 = \"{}\", expires = 2020-01-01T00:00:00Z }}]\n",
                current.sha256, old.sha256
            );
            tokens.push((name, current.token.expose().to_owned()));
            if name == "operator" {
                tokens.push(("old", old.token.expose().to_owned()));
            }
        }
        tokens.push(("wrong", new_token().token.expose().to_owned()));
        let file = folder.path().join("access.toml");
        std::fs::write(&file, text).unwrap();
        let settings = Settings {
            prices: deepclone_core::price::list_prices(),
            listen: "127.0.0.1:0".parse().unwrap(),
            http_listen: "127.0.0.1:0".parse().unwrap(),
            exposure: Exposure::Loopback,
            tls: None,
            principals: Some(Arc::new(Principals::read(&file).unwrap())),
            place: Place::Private,
            connections: (*lake.connections()).clone(),
            shared_object: None,
            lineage: None,
            spans: None,
            webhooks: vec![],
            hook_secret: None,
            sources: SettingSources::default(),
        };
        let listeners = Listeners::bind(&settings).await.unwrap();
        let url = format!("http://{}", listeners.grpc.address());
        let http = listeners.http.address().to_string();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(settings, listeners, stop.clone(), || Ok(())));
        let channel = Channel::from_shared(url.clone()).unwrap().connect_lazy();
        Self { url, channel, http, tokens, stop, running, folder }
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> Channel {
        Channel::from_shared(self.url.clone()).unwrap().connect_lazy()
    }

    /// A request of this principal; `nobody` shows nothing.
    pub(crate) fn by<T>(&self, name: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if name != "nobody" {
            let (_, token) = self.tokens.iter().find(|(of, _)| *of == name).unwrap();
            let value: AsciiMetadataValue = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    /// Calls with an empty message; `None` when the call was let in, whatever came of it then.
    pub(crate) async fn refusal(&self, path: &str, name: &str) -> Option<Reason> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let codec = ProstCodec::<(), ()>::default();
        let path = path.parse().unwrap();
        let answer: Result<_, Status> = client.unary(self.by(name, ()), path, codec).await;
        let reason = from_status(&answer.err()?).reason;
        [Reason::Unauthenticated, Reason::AccessDenied].into_iter().find(|of| *of == reason)
    }

    /// The answer to a request of a browser.
    pub(crate) async fn http(&self, method: &str, path: &str, shown: Option<&str>) -> String {
        let mut stream = TcpStream::connect(&self.http).await.unwrap();
        let shown = shown.map(|shown| format!("authorization: {shown}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\n{shown}\
             content-length: 0\r\nconnection: close\r\n\r\n",
            self.http
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Takes a principal out of the file; somebody else has its tokens from then on.
    pub(crate) fn take_out(&self, name: &str) {
        let file = self.folder.path().join("access.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let without = text.replace(&format!("name = \"{name}\""), "name = \"another\"");
        assert_ne!(text, without);
        let next = self.folder.path().join("next.toml");
        std::fs::write(&next, without).unwrap();
        std::fs::rename(next, file).unwrap();
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// Why a call was refused.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> Reason {
    from_status(&answer.unwrap_err()).reason
}
