//! Keys of a URL over time: how often they are asked for, and which ones count meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use deepclone_core::unix_time::UnixTime;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::super::asked::{AskedKeys, AskingPace};
use super::super::issuer::{Judged, TokenIssuer};
use super::super::key_source::OpenKeys;
use super::super::keys::VerifyingKeys;
use super::provider::{KeyServer, ServerAnswer};
use super::signer::{Signer, key_set};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Keys of a provider that a test holds, and when they were asked for.
struct Fake {
    times: Arc<Mutex<Vec<Instant>>>,
    answer: Arc<Mutex<Result<String, String>>>,
    keys: AskedKeys,
}

impl Fake {
    fn start(answer: Result<String, String>) -> Self {
        let (times, answer) = (Arc::default(), Arc::new(Mutex::new(answer)));
        let (begun, current): (Arc<Mutex<Vec<_>>>, _) = (Arc::clone(&times), Arc::clone(&answer));
        let fetch = move || {
            begun.lock().unwrap().push(Instant::now());
            let answer = current.lock().unwrap().clone();
            async move {
                sleep(SECOND).await;
                VerifyingKeys::parse(answer?.as_bytes())
            }
        };
        let keys = AskedKeys::start(fetch, AskingPace::default()).unwrap();
        Self { times, answer, keys }
    }

    fn answers(&self, answer: Result<String, String>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How often the provider was asked, after that much more time.
    async fn asked_after(&self, time: Duration) -> usize {
        sleep(time).await;
        self.times.lock().unwrap().len()
    }

    fn knows(&self, kid: &str) -> bool {
        self.keys.get().named(kid).count() == 1
    }
}

fn set(kid: &'static str) -> Result<String, String> {
    Ok(key_set(&[&Signer::new(kid, "ES256")]))
}

#[tokio::test(start_paused = true)]
async fn keys_are_asked_for_at_the_start_and_each_hour() {
    let fake = Fake::start(set("a"));
    assert!(!fake.knows("a"));
    assert_eq!(fake.asked_after(2 * SECOND).await, 1);
    assert!(fake.knows("a"));
    fake.answers(set("b"));
    assert_eq!(fake.asked_after(HOUR - 3 * SECOND).await, 1);
    assert!(fake.knows("a"));
    assert_eq!(fake.asked_after(3 * SECOND).await, 2);
    assert!(fake.knows("b") && !fake.knows("a"));
    let times = Arc::clone(&fake.times);
    drop(fake);
    sleep(3 * HOUR).await;
    assert_eq!(times.lock().unwrap().len(), 2, "nobody asks for what nobody has");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_last_keys_count_and_are_asked_for_each_minute() {
    let fake = Fake::start(Err("down".to_owned()));
    assert_eq!(fake.asked_after(2 * SECOND).await, 1);
    fake.answers(set("a"));
    assert_eq!(fake.asked_after(57 * SECOND).await, 1);
    assert_eq!(fake.asked_after(3 * SECOND).await, 2);
    assert!(fake.knows("a"));
    fake.answers(Err("down".to_owned()));
    assert_eq!(fake.asked_after(HOUR).await, 3);
    assert!(fake.knows("a"));
    assert_eq!(fake.asked_after(10 * MINUTE).await, 13);
    assert!(fake.knows("a"));
    fake.answers(Ok("{\"keys\": []}".to_owned()));
    assert_eq!(fake.asked_after(MINUTE).await, 14);
    assert!(fake.knows("a"));
    fake.answers(set("b"));
    assert_eq!(fake.asked_after(MINUTE).await, 15);
    assert!(fake.knows("b"));
    assert_eq!(fake.asked_after(50 * MINUTE).await, 15);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_asked_for_at_most_once_a_minute() {
    let fake = Fake::start(set("a"));
    // While the first answer is on its way, which may well hold it.
    fake.keys.ask_again();
    assert_eq!(fake.asked_after(5 * MINUTE).await, 1);
    fake.answers(set("b"));
    for _ in 0..1000 {
        fake.keys.ask_again();
    }
    assert_eq!(fake.asked_after(2 * SECOND).await, 2);
    assert!(fake.knows("b"));
    // Tokens with unknown keys for three minutes: the asks at 60, 120 and 180 s after the last.
    for _ in 0..179 {
        fake.keys.ask_again();
        fake.asked_after(SECOND).await;
    }
    assert_eq!(fake.asked_after(Duration::ZERO).await, 5);
    assert_eq!(fake.asked_after(50 * MINUTE).await, 5);
    // Nor more often while the provider fails.
    fake.answers(Err("down".to_owned()));
    for _ in 0..119 {
        fake.keys.ask_again();
        fake.asked_after(SECOND).await;
    }
    assert_eq!(fake.asked_after(Duration::ZERO).await, 7);
    let times = fake.times.lock().unwrap();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= MINUTE), "{times:?}");
}

const NOW: UnixTime = UnixTime(1_796_000_000_000);

struct Clients {
    issuer: TokenIssuer,
    open: OpenKeys,
}

impl Clients {
    fn of(server: &KeyServer) -> Self {
        let pace = AskingPace { every: HOUR, again_after: Duration::from_millis(50) };
        let mut open = OpenKeys::default();
        open.pace = pace;
        let issuer = TokenIssuer::new(settings(&server.url()), &open).unwrap();
        Self { issuer, open }
    }

    fn judge(&self, signer: &Signer) -> Judged {
        let claims = json!({ "iss": "i", "aud": "a", "exp": NOW.0 / 1000 + 60 });
        self.issuer.judge(&signer.token(&claims), NOW)
    }

    /// Shows a token until it counts.
    async fn until_it_counts(&self, signer: &Signer) {
        for _ in 0..6000 {
            match self.judge(signer) {
                Judged::Counts(_) => return,
                Judged::KeyAsked => sleep(Duration::from_millis(10)).await,
                refused => panic!("{refused:?}"),
            }
        }
        panic!("the key never came");
    }
}

fn settings<T: serde::de::DeserializeOwned>(url: &str) -> T {
    let text = format!("issuer = \"i\"\naudience = \"a\"\njwks_url = \"{url}\"");
    toml::from_str(&text).unwrap()
}

#[tokio::test]
async fn tokens_count_through_changes_and_failures_of_a_server() {
    let (old, new) = (Signer::new("old", "ES256"), Signer::new("new", "EdDSA"));
    let down = ServerAnswer::Status(StatusCode::BAD_GATEWAY);
    let server = KeyServer::start(down.clone()).await;
    let clients = Clients::of(&server);
    assert_eq!(clients.judge(&old), Judged::KeyAsked);
    // The first answers fail: it is asked again.
    while server.asked() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    server.answers(ServerAnswer::Keys(key_set(&[&old])));
    clients.until_it_counts(&old).await;
    // The provider publishes a second key, then signs by it.
    server.answers(ServerAnswer::Keys(key_set(&[&old, &new])));
    clients.until_it_counts(&new).await;
    assert!(matches!(clients.judge(&old), Judged::Counts(_)));
    // What fails takes no key away.
    server.answers(down);
    let asked = server.asked();
    assert_eq!(clients.judge(&Signer::new("other", "ES256")), Judged::KeyAsked);
    while server.asked() == asked {
        sleep(Duration::from_millis(10)).await;
    }
    for signer in [&old, &new] {
        assert!(matches!(clients.judge(signer), Judged::Counts(_)));
    }
    // A key that the provider took out is not known any more.
    server.answers(ServerAnswer::Keys(key_set(&[&new])));
    assert_eq!(clients.judge(&Signer::new("other", "ES256")), Judged::KeyAsked);
    while !matches!(clients.judge(&old), Judged::KeyAsked) {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(clients.judge(&new), Judged::Counts(_)));
}

#[tokio::test]
async fn a_source_stays_open_while_the_file_names_it() {
    let signer = Signer::new("k", "ES256");
    let server = KeyServer::start(ServerAnswer::Keys(key_set(&[&signer]))).await;
    let mut clients = Clients::of(&server);
    clients.until_it_counts(&signer).await;
    let asked = server.asked();
    clients.issuer = TokenIssuer::new(settings(&server.url()), &clients.open).unwrap();
    assert!(matches!(clients.judge(&signer), Judged::Counts(_)));
    assert_eq!(server.asked(), asked);
    // Another place is another source, and so is the same one after a file without any.
    let other = KeyServer::start(ServerAnswer::Keys(key_set(&[&signer]))).await;
    clients.issuer = TokenIssuer::new(settings(&other.url()), &clients.open).unwrap();
    assert_eq!(clients.judge(&signer), Judged::KeyAsked);
    clients.until_it_counts(&signer).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("access.toml");
    let without = "[[principals]]\nname = \"x\"\nrole = \"viewer\"\ncertificates = [\"x\"]";
    std::fs::write(&file, without).unwrap();
    crate::access::file::read(&file, &clients.open).unwrap();
    clients.issuer = TokenIssuer::new(settings(&other.url()), &clients.open).unwrap();
    assert_eq!(clients.judge(&signer), Judged::KeyAsked);
}

#[test]
fn a_url_of_keys_takes_a_runtime() {
    let refused = TokenIssuer::new(settings("https://id.example"), &OpenKeys::default());
    assert!(refused.unwrap_err().contains("jwks_url: "));
}
