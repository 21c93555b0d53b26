//! Whom the file of principals knows by a JWT, what others are told, and what the log says.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::signer::{Signer, key_set};
use crate::access::{Credential, Principals, UnknownCaller, new_token};
use crate::secret::Secret;

const SECONDS: i64 = 1_796_000_000;
const NOW: UnixTime = UnixTime(SECONDS * 1000);

/// A file of principals, and the key whose JWTs count in it.
struct Known {
    folder: TempDir,
    signer: Signer,
    principals: Principals,
}

impl Known {
    fn new(principals: &str) -> Self {
        let (folder, signer) = (TempDir::new().unwrap(), Signer::new("k", "ES256"));
        std::fs::write(folder.path().join("jwks.json"), key_set(&[&signer])).unwrap();
        let text = format!("{}{principals}", oidc(folder.path()));
        let principals = read(folder.path(), &text).unwrap();
        Self { folder, signer, principals }
    }

    fn token(&self, changes: &Value) -> String {
        let mut claims = json!({ "iss": "i", "aud": "a", "sub": "anna", "exp": SECONDS + 60 });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.signer.token(&claims)
    }

    fn who(&self, token: &str) -> Result<String, UnknownCaller> {
        let shown = Credential::Token(Secret::new(token));
        self.principals.who(&shown, NOW).map(|principal| principal.name.clone())
    }
}

fn oidc(folder: &Path) -> String {
    let file = folder.join("jwks.json");
    format!("[oidc]\nissuer = \"i\"\naudience = \"a\"\njwks_file = \"{}\"\n", file.display())
}

fn read(folder: &Path, text: &str) -> Result<Principals, String> {
    let file = folder.join("access.toml");
    std::fs::write(&file, text).unwrap();
    Principals::read(&file).map_err(|failure| failure.message)
}

fn principal(name: &str, by: &str) -> String {
    format!("[[principals]]\nname = \"{name}\"\nrole = \"viewer\"\n{by}\n")
}

#[test]
fn the_first_principal_of_the_file_that_matches_is_meant() {
    let token = new_token();
    let both = format!(
        "jwt = [{{ sub = \"bert\" }}, {{ sub = \"robot\", azp = \"ci\" }}]\n\
         tokens = [{{ sha256 = \"{}\" }}]\ncertificates = [\"bert.example\"]",
        token.sha256
    );
    let known = Known::new(
        &[
            principal("anna", "jwt = { sub = \"anna\" }"),
            principal("bert", &both),
            principal("platform", "jwt = { groups = \"data-platform\" }"),
            principal("all", "jwt = { groups = \"all\" }"),
        ]
        .concat(),
    );
    let groups = json!(["all", "data-platform"]);
    for (changes, expected) in [
        (json!({}), Ok("anna")),
        (json!({ "groups": groups }), Ok("anna")),
        (json!({ "sub": "eve", "groups": groups }), Ok("platform")),
        (json!({ "sub": "eve", "groups": "all" }), Ok("all")),
        (json!({ "sub": "bert", "groups": groups }), Ok("bert")),
        (json!({ "sub": "robot", "azp": "ci" }), Ok("bert")),
        (json!({ "sub": "robot", "azp": "other" }), Err(UnknownCaller::Nobody)),
        (json!({ "sub": "eve" }), Err(UnknownCaller::Nobody)),
        (json!({ "sub": "Anna" }), Err(UnknownCaller::Nobody)),
    ] {
        let who = known.who(&known.token(&changes));
        assert_eq!(who, expected.map(ToOwned::to_owned), "{changes}");
    }
    assert_eq!(known.who(token.token.expose()), Ok("bert".to_owned()));
    let names: Arc<[String]> = Arc::new(["bert.example".to_owned()]);
    let by_certificate = known.principals.who(&Credential::Certificate(names), NOW).unwrap();
    assert_eq!(by_certificate.name, "bert");
}

#[test]
fn without_oidc_a_jwt_is_a_token_like_any_other() {
    let known = Known::new(&principal("anna", "jwt = { sub = \"anna\" }"));
    let token = known.token(&json!({}));
    let digest = crate::access::token::digest(&token);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let by_digest = principal("kept", &format!("tokens = [{{ sha256 = \"{sha256}\" }}]"));
    let plain = read(known.folder.path(), &by_digest).unwrap();
    let shown = Credential::Token(Secret::new(&*token));
    assert_eq!(plain.who(&shown, NOW).unwrap().name, "kept");
    let other = Credential::Token(Secret::new(known.token(&json!({}))));
    assert_eq!(plain.who(&other, NOW), Err(UnknownCaller::Nobody));
    // With it a JWT is nothing else.
    let text = format!("{}{by_digest}", oidc(known.folder.path()));
    let judged = read(known.folder.path(), &text).unwrap();
    assert_eq!(judged.who(&shown, NOW), Err(UnknownCaller::Nobody));
}

#[test]
fn a_mistake_in_the_file_is_named() {
    let known = Known::new(&principal("anna", "jwt = { sub = \"anna\" }"));
    let folder = known.folder.path();
    let oidc = oidc(folder);
    let anna = principal("anna", "jwt = { sub = \"anna\" }");
    let url = "jwks_url = \"https://id.example/keys\"";
    let file = oidc.lines().last().unwrap();
    for (text, part) in [
        (anna.clone(), "write [oidc]"),
        (format!("{oidc}{}", principal("anna", "")), "nothing tells who it is"),
        (format!("{oidc}{}", principal("anna", "jwt = \"anna\"")), "write claims"),
        (format!("{oidc}{}", principal("anna", "jwt = { sub = 1 }")), "write claims"),
        (format!("{oidc}{anna}{}", principal("b", "jwt = { sub = \"anna\" }")), "jwt: one of them"),
        (
            format!("{oidc}{anna}{}", principal("b", "jwt = { sub = \"anna\", x = \"y\" }")),
            "principal \"b\": jwt: one of them",
        ),
        (format!("{oidc}{url}\n{anna}"), "one of them"),
        (format!("{}{anna}", oidc.replace(file, "")), "one of them"),
        (format!("{oidc}jwks_ca_file = \"ca.pem\"\n{anna}"), "jwks_ca_file is for jwks_url"),
        (format!("{}{anna}", oidc.replace("\"i\"", "\"\"")), "may not be empty"),
        (format!("{}{anna}", oidc.replace("\"a\"", "\"\"")), "may not be empty"),
        (format!("{}{anna}", oidc.replace("issuer", "issuers")), "issuers"),
        (format!("{}{anna}", oidc.replace("audience = \"a\"", "")), "audience"),
        (format!("{}{anna}", oidc.replace("jwks.json", "no.json")), "no.json: it cannot be read"),
        (format!("{}{anna}", oidc.replace("jwks.json", "access.toml")), "JWK Set"),
        (format!("{}{anna}", oidc.replace(file, "jwks_url = \"http://a.example\"")), "https"),
        (format!("{}{anna}", oidc.replace(file, url)), "jwks_url: "),
    ] {
        let what = read(folder, &text).map(|_| ()).unwrap_err();
        assert!(what.contains(part) && !what.contains('\n'), "{text}: {what}");
    }
    // A wider match after a narrower one is none.
    let wider = principal("b", "jwt = { groups = \"all\" }");
    let narrower = principal("a", "jwt = { groups = \"all\", sub = \"anna\" }");
    read(folder, &format!("{oidc}{narrower}{wider}")).unwrap();
}

/// The log of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn during(work: impl FnOnce()) -> String {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap()
    }
}

#[test]
fn the_log_says_what_is_wrong_and_a_caller_is_told_less() {
    let known = Known::new(&principal("anna", "jwt = { sub = \"anna\" }"));
    let stranger = Signer::new("k", "ES256");
    let unknown = Signer::new("other", "ES256");
    let claims = json!({ "iss": "i", "aud": "a", "sub": "anna", "exp": SECONDS + 60 });
    let nobody = UnknownCaller::Nobody;
    for (token, expected, part, has_sub) in [
        (known.token(&json!({ "exp": SECONDS - 60 })), UnknownCaller::Expired, "(exp)", true),
        (known.token(&json!({ "nbf": SECONDS + 61 })), nobody, "(nbf)", true),
        (known.token(&json!({ "iss": "j" })), nobody, "(iss)", true),
        (known.token(&json!({ "aud": "b" })), nobody, "(aud)", true),
        (known.token(&json!({ "sub": "eve\nanna" })), nobody, "no principal", true),
        (stranger.token(&claims), nobody, "signature", false),
        (unknown.token(&claims), nobody, "key is not known", false),
        (known.token(&json!({ "pad": "x".repeat(9000) })), nobody, "8 KiB", false),
    ] {
        let log = Log::during(|| assert_eq!(known.who(&token), Err(expected)));
        assert!(log.contains(part) && log.contains("INFO"), "{part}: {log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        assert_eq!(log.contains("anna"), has_sub, "{log}");
        for secret in token.split('.') {
            assert!(!log.contains(secret), "{log}");
        }
        let told = Failure::from(expected);
        assert_eq!(told.reason, Reason::Unauthenticated);
        let told = told.message;
        assert!(!told.contains("iss") && !told.contains("signature"), "{told}");
    }
    let token = known.token(&json!({}));
    let shown = Credential::Token(Secret::new(&*token));
    let debug = format!("{shown:?} {:?}", known.principals);
    assert!(token.split('.').all(|part| !debug.contains(part)), "{debug}");
}

#[test]
fn a_file_of_keys_is_read_again_when_it_changes() {
    let known = Known::new(&principal("anna", "jwt = { sub = \"anna\" }"));
    let new = Signer::new("new", "EdDSA");
    let claims = json!({ "iss": "i", "aud": "a", "sub": "anna", "exp": SECONDS + 60 });
    let (old_token, new_token) = (known.token(&json!({})), new.token(&claims));
    assert_eq!(known.who(&new_token), Err(UnknownCaller::Nobody));
    let next = known.folder.path().join("next.json");
    std::fs::write(&next, key_set(&[&new])).unwrap();
    std::fs::rename(next, known.folder.path().join("jwks.json")).unwrap();
    let begun = std::time::Instant::now();
    while known.who(&new_token).is_err() && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(known.who(&new_token), Ok("anna".to_owned()));
    assert_eq!(known.who(&old_token), Err(UnknownCaller::Nobody));
}

#[tokio::test]
async fn a_key_that_is_asked_for_is_said_to_be() {
    let folder = TempDir::new().unwrap();
    // Nobody listens there.
    let text = format!(
        "[oidc]\nissuer = \"i\"\naudience = \"a\"\njwks_url = \"http://127.0.0.1:9/keys\"\n{}",
        principal("anna", "jwt = { sub = \"anna\" }")
    );
    let principals = read(folder.path(), &text).unwrap();
    let claims = json!({ "iss": "i", "aud": "a", "sub": "anna", "exp": SECONDS + 60 });
    let token = Signer::new("k", "ES256").token(&claims);
    let shown = Credential::Token(Secret::new(&*token));
    let refused = principals.who(&shown, NOW).unwrap_err();
    assert_eq!(refused, UnknownCaller::KeyAsked);
    let told = Failure::from(refused);
    assert_eq!(told.reason, Reason::CoordinatorUnavailable);
    assert!(told.message.contains("is being asked for"), "{told}");
}
