//! `credential_command`: a command that prints credentials for some time, as AWS's
//! `credential_process` does.

use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deepclone_core::unix_time::UnixTime;
use object_store::CredentialProvider;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::clock::Clock;

/// How long the command may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);
/// How long before their end new credentials are asked for.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// How long a failed command is not run again while the credentials that it told still count.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The object that a command printed.
pub(super) struct Answered(serde_json::Map<String, serde_json::Value>);

impl Answered {
    /// Returns a text of the object.
    ///
    /// # Errors
    /// There is none under this key.
    pub(super) fn text(&self, key: &str) -> Result<String, String> {
        let found = self.0.get(key).and_then(|value| value.as_str());
        let found = found.filter(|text| !text.is_empty());
        found.map(ToOwned::to_owned).ok_or_else(|| format!("it printed no {key:?}"))
    }
}

/// Credentials that a command told, and until when they count.
struct Told<T> {
    credential: Arc<T>,
    /// `None`: for as long as the process runs.
    ends: Option<UnixTime>,
    /// Not before this time is the command run again.
    again: UnixTime,
}

/// Credentials that a command tells.
pub(super) struct CommandCredentials<T> {
    connection: String,
    command: String,
    read: fn(Answered) -> Result<T, String>,
    /// One run at a time; the others wait for it.
    told: Mutex<Option<Told<T>>>,
}

impl<T> CommandCredentials<T> {
    /// `read` turns what the command printed into credentials.
    pub(super) fn new(
        connection: &str,
        command: &str,
        read: fn(Answered) -> Result<T, String>,
    ) -> Self {
        let (connection, command) = (connection.to_owned(), command.to_owned());
        Self { connection, command, read, told: Mutex::new(None) }
    }

    async fn at(&self, now: UnixTime) -> Result<Arc<T>, String> {
        let mut told = self.told.lock().await;
        if let Some(told) = told.as_ref()
            && now < told.again
        {
            return Ok(Arc::clone(&told.credential));
        }
        match self.run(now).await {
            Ok(new) => Ok(Arc::clone(&told.insert(new).credential)),
            // A command that fails now and then costs nothing while there is time.
            Err(why) => match told.as_mut().and_then(|told| Some((told.ends?, told))) {
                Some((ends, told)) if now < ends => {
                    tracing::warn!("{}; the credentials of before still count", self.failed(&why));
                    told.again = now.after(AGAIN_AFTER).min(ends);
                    Ok(Arc::clone(&told.credential))
                }
                _ => Err(self.failed(&why)),
            },
        }
    }

    fn failed(&self, why: &str) -> String {
        format!("connection {:?}: credential_command: {why}", self.connection)
    }

    async fn run(&self, now: UnixTime) -> Result<Told<T>, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.command]).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(COMMAND_MAX, command.output()).await;
        // What it printed may hold secrets: it is shown nowhere.
        let output = output.map_err(|_| format!("it took more than {COMMAND_MAX:?}"))?;
        let output = output.map_err(|error| format!("it did not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("it failed ({})", output.status));
        }
        let printed = serde_json::from_slice::<serde_json::Value>(&output.stdout);
        let Ok(serde_json::Value::Object(object)) = printed else {
            return Err("it printed no JSON object".to_owned());
        };
        let answered = Answered(object);
        let ends = match answered.text("Expiration") {
            Err(_) => None,
            Ok(text) => {
                let time = chrono::DateTime::parse_from_rfc3339(&text);
                let time = time.map_err(|_| "its \"Expiration\" is no time".to_owned())?;
                Some(UnixTime(time.timestamp_millis()))
            }
        };
        if ends.is_some_and(|ends| ends <= now) {
            return Err("the credentials that it printed are over already".to_owned());
        }
        let again = match ends {
            None => UnixTime(i64::MAX),
            // Short ones are renewed at half of their time.
            Some(ends) => {
                let half = UnixTime(now.0 + (ends.0 - now.0) / 2);
                ends.before(RENEWED_BEFORE).max(half)
            }
        };
        Ok(Told { credential: Arc::new((self.read)(answered)?), ends, again })
    }
}

impl<T> fmt::Debug for CommandCredentials<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandCredentials").field("connection", &self.connection).finish()
    }
}

#[async_trait]
impl<T: Send + Sync> CredentialProvider for CommandCredentials<T> {
    type Credential = T;

    async fn get_credential(&self) -> object_store::Result<Arc<T>> {
        let now = UnixTime(Clock::System.now_ms());
        self.at(now).await.map_err(|why| object_store::Error::Unauthenticated {
            path: self.connection.clone(),
            source: why.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str) -> CommandCredentials<String> {
        CommandCredentials::new("lake", command, |of| of.text("AccessToken"))
    }

    /// The beginning of 2026-11-27, UTC.
    const NOW: UnixTime = UnixTime(1_795_737_600_000);
    const HOUR_MS: i64 = 3_600_000;

    #[tokio::test]
    async fn credentials_are_renewed_before_their_end_and_outlive_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answer");
        let answer = |token: &str, ends: &str| {
            let text = format!("{{\"AccessToken\":\"{token}\",\"Expiration\":\"{ends}\"}}");
            std::fs::write(&file, text).unwrap();
        };
        let credentials = told(&format!("cat {}", file.display()));
        let at = |after_ms: i64| credentials.at(UnixTime(NOW.0 + after_ms));
        answer("one", "2026-11-27T01:00:00Z");
        assert_eq!(*at(0).await.unwrap(), "one");
        answer("two", "2026-11-27T02:00:00Z");
        assert_eq!(*at(HOUR_MS - 300_001).await.unwrap(), "one");
        assert_eq!(*at(HOUR_MS - 300_000).await.unwrap(), "two");
        // It fails until they are over.
        std::fs::remove_file(&file).unwrap();
        assert_eq!(*at(2 * HOUR_MS - 300_000).await.unwrap(), "two");
        assert_eq!(*at(2 * HOUR_MS - 1).await.unwrap(), "two");
        let refused = at(2 * HOUR_MS).await.unwrap_err();
        assert!(refused.starts_with("connection \"lake\": credential_command: it failed"));
        // Short ones last for half of their time.
        answer("three", "2026-11-27T02:01:00Z");
        assert_eq!(*at(2 * HOUR_MS).await.unwrap(), "three");
        answer("four", "2026-11-27T09:00:00Z");
        assert_eq!(*at(2 * HOUR_MS + 29_999).await.unwrap(), "three");
        assert_eq!(*at(2 * HOUR_MS + 30_000).await.unwrap(), "four");
    }

    #[tokio::test]
    async fn what_a_command_prints_is_checked_and_never_shown() {
        for (command, part) in [
            ("echo hunter2 >&2; exit 3", "it failed (exit status: 3)"),
            ("echo hunter2", "it printed no JSON object"),
            ("echo '[\"hunter2\"]'", "it printed no JSON object"),
            ("echo '{\"Token\":\"hunter2\"}'", "it printed no \"AccessToken\""),
            ("echo '{\"AccessToken\":\"\"}'", "it printed no \"AccessToken\""),
            ("echo '{\"AccessToken\":\"hunter2\",\"Expiration\":\"soon\"}'", "is no time"),
            (
                "echo '{\"AccessToken\":\"hunter2\",\"Expiration\":\"2020-01-01T00:00:00Z\"}'",
                "over already",
            ),
        ] {
            let credentials = told(command);
            let refused = credentials.at(NOW).await.unwrap_err();
            assert!(refused.contains(part), "{command}: {refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
            assert!(!format!("{credentials:?}").contains("hunter2"));
        }
        let for_ever = told("echo '{\"AccessToken\":\"x\"}'");
        assert_eq!(*for_ever.at(NOW).await.unwrap(), "x");
        assert_eq!(*for_ever.at(UnixTime(i64::MAX - 1)).await.unwrap(), "x");
    }
}
