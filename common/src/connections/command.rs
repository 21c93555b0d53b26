//! `credential_command`: a command that prints credentials for some time, as AWS's
//! `credential_process` does.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use deepclone_core::unix_time::UnixTime;
use tokio::process::Command;

use super::renewed::{CredentialSource, end_of};

/// How long the command may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);

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

/// A command that tells credentials.
pub(super) struct CredentialCommand<T> {
    command: String,
    read: fn(Answered) -> Result<T, String>,
}

impl<T> CredentialCommand<T> {
    /// `read` turns what the command printed into credentials.
    pub(super) fn new(command: &str, read: fn(Answered) -> Result<T, String>) -> Self {
        Self { command: command.to_owned(), read }
    }
}

#[async_trait]
impl<T: Send + Sync> CredentialSource for CredentialCommand<T> {
    type Credential = T;

    async fn ask(&self) -> Result<(T, Option<UnixTime>), String> {
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
        let ends = answered.text("Expiration").ok().map(|text| end_of(&text)).transpose()?;
        Ok(((self.read)(answered)?, ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_command_prints_is_checked_and_never_shown() {
        let ask = async |command: &str| {
            CredentialCommand::new(command, |of| of.text("AccessToken")).ask().await
        };
        for (command, part) in [
            ("echo hunter2 >&2; exit 3", "it failed (exit status: 3)"),
            ("echo hunter2", "it printed no JSON object"),
            ("echo '[\"hunter2\"]'", "it printed no JSON object"),
            ("echo '{\"Token\":\"hunter2\"}'", "it printed no \"AccessToken\""),
            ("echo '{\"AccessToken\":\"\"}'", "it printed no \"AccessToken\""),
            ("echo '{\"AccessToken\":\"hunter2\",\"Expiration\":\"soon\"}'", "is no time"),
        ] {
            let refused = ask(command).await.unwrap_err();
            assert!(refused.contains(part), "{command}: {refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        assert_eq!(ask("echo '{\"AccessToken\":\"x\"}'").await, Ok(("x".to_owned(), None)));
        let until = "{\"AccessToken\":\"x\",\"Expiration\":\"2026-11-27T00:00:00Z\"}";
        let until = ask(&format!("echo '{until}'")).await.unwrap();
        assert_eq!(until.1, Some(UnixTime(1_795_737_600_000)));
    }
}
