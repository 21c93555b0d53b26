//! The sections `[[webhooks]]` of the configuration: who is told of failures, and when.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use deepclone_core::alert::{AlertKind, AlertPolicy};
use deepclone_core::calendar::days::Days;
use deepclone_core::calendar::window::{Window, WindowKind};
use deepclone_core::calendar::windows::Windows;
use deepclone_core::calendar::zone::Zone;
use deepclone_core::failure::Failure;
use deepclone_core::limits::WEBHOOKS_MAX;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use crate::post::PostAddress;
use crate::secret::{SECRET_BYTES_MIN, Secret, one_of};

/// How long a cause lasts before it is told, and is gone before it is over, where nothing is said.
const HOLD: Duration = Duration::from_secs(60);
/// A hold above this is taken for a mistake.
const HOLD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Names stand in logs and in labels of metrics.
const NAME_BYTES_MAX: usize = 64;
/// The name of the event that a cause is over.
const RECOVERED: &str = "recovered";

/// One section as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// What it is called in logs, metrics and commands.
    pub name: String,
    /// The address that takes the messages.
    #[serde(default)]
    pub url: Option<Secret>,
    /// The file with the address.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What a message looks like.
    #[serde(default)]
    pub format: WebhookFormat,
    /// Names of events; all without.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// What messages are signed by.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The file with that, without the white space around it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The authorities of the address's certificate (PEM); those of the system without.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long a cause lasts before it is told, and is gone before it is over.
    #[serde(default)]
    pub hold: Option<String>,
    /// When nothing is told.
    #[serde(default)]
    pub quiet_hours: Vec<QuietHours>,
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// A JSON object, signed.
    #[default]
    Generic,
    /// A text, as Slack takes it.
    Slack,
}

/// Hours in which nothing is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The days on which they start.
    #[serde(default = "daily")]
    pub days: String,
    /// The time of day at which they start.
    pub from: String,
    /// The time of day at which they end; of the next day if that is not later.
    pub to: String,
    /// The name of the zone of both; UTC without.
    #[serde(default = "utc")]
    pub time_zone: String,
}

/// A receiver of alerts whose settings make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// What it is called.
    pub name: String,
    /// Where messages are sent.
    pub address: PostAddress,
    /// What a message looks like.
    pub format: WebhookFormat,
    /// What messages are signed by; `None` only for Slack's.
    pub secret: Option<Secret>,
    /// What it is told, and when.
    pub policy: AlertPolicy,
}

fn daily() -> String {
    "daily".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Checks the sections.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the webhook and the key at fault, without a secret.
pub fn webhooks(settings: &[WebhookSettings]) -> Result<Vec<Webhook>, Failure> {
    let invalid = |what: String| Failure::new(Reason::InvalidArgument, what);
    if settings.len() > WEBHOOKS_MAX {
        return Err(invalid(format!("webhooks: there are more than {WEBHOOKS_MAX}")));
    }
    let mut names = BTreeSet::new();
    let checked = settings.iter().map(|settings| {
        let name = &settings.name;
        let of_it = |what: String| invalid(format!("webhook {name:?}: {what}"));
        if !names.insert(name) {
            return Err(of_it("there are two of this name".to_owned()));
        }
        settings.check().map_err(of_it)
    });
    checked.collect()
}

impl WebhookSettings {
    fn check(&self) -> Result<Webhook, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = !self.name.is_empty() && self.name.len() <= NAME_BYTES_MAX;
        if !is_name || !self.name.chars().all(is_plain) {
            let what = "name: write 1 to 64 letters, digits, '-', '_' and '.'";
            return Err(what.to_owned());
        }
        let url = one_of("url", self.url.clone(), self.url_file.as_deref())?;
        let url = url.ok_or("url is missing: write url or url_file")?;
        let address = PostAddress::new(&url, self.ca_file.clone())?;
        Ok(Webhook {
            name: self.name.clone(),
            address,
            format: self.format,
            secret: self.signing_secret()?,
            policy: self.policy()?,
        })
    }

    fn signing_secret(&self) -> Result<Option<Secret>, String> {
        let secret = one_of("secret", self.secret.clone(), self.secret_file.as_deref())?;
        match (self.format, secret) {
            (WebhookFormat::Slack, None) => Ok(None),
            (WebhookFormat::Slack, Some(_)) => {
                Err("secret: messages for Slack are not signed".to_owned())
            }
            (WebhookFormat::Generic, None) => {
                Err("secret_file is missing: messages are signed by it".to_owned())
            }
            (WebhookFormat::Generic, Some(secret)) if secret.expose().len() < SECRET_BYTES_MIN => {
                Err(format!("secret: it has {SECRET_BYTES_MIN} bytes or more"))
            }
            (WebhookFormat::Generic, secret) => Ok(secret),
        }
    }

    fn policy(&self) -> Result<AlertPolicy, String> {
        let (kinds, tells_recovery) = self.kinds()?;
        let unfit = "hold: write a time from 0s to 24h, such as 5m";
        let hold = self.hold.as_deref().map_or(Ok(HOLD), humantime::parse_duration);
        let hold = hold.ok().filter(|hold| *hold <= HOLD_MAX).ok_or(unfit)?;
        let quiet = self.quiet_hours.iter().map(QuietHours::window);
        let quiet = quiet.collect::<Result<Vec<_>, _>>()?;
        Ok(AlertPolicy { kinds, tells_recovery, hold, open: Windows::new(quiet) })
    }

    fn kinds(&self) -> Result<(BTreeSet<AlertKind>, bool), String> {
        let all = AlertKind::ALL.map(AlertKind::name);
        let Some(events) = &self.events else { return Ok((AlertKind::ALL.into(), true)) };
        let (mut kinds, mut tells_recovery) = (BTreeSet::new(), false);
        for event in events {
            match AlertKind::ALL.into_iter().find(|kind| kind.name() == event) {
                Some(kind) => _ = kinds.insert(kind),
                None if event == RECOVERED => tells_recovery = true,
                None => {
                    let names = all.join(", ");
                    return Err(format!("events: {event:?} is not one of {names}, {RECOVERED}"));
                }
            }
        }
        if kinds.is_empty() {
            return Err("events: it names nothing that begins".to_owned());
        }
        Ok((kinds, tells_recovery))
    }
}

impl QuietHours {
    fn window(&self) -> Result<Window, String> {
        let Self { days, from, to, time_zone } = self;
        let of_it = |what: String| format!("quiet_hours: {what}");
        let days: Days = days.parse().map_err(|error| of_it(format!("{error}")))?;
        let no_zone = || of_it(format!("{time_zone:?} is no time zone: write Europe/Berlin"));
        let zone = Zone::of_name(time_zone).ok_or_else(no_zone)?;
        Window::new(WindowKind::Deny, days, from, to, zone)
            .map_err(|error| of_it(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::unix_time::UnixTime;

    use super::*;

    #[derive(Deserialize)]
    struct File {
        webhooks: Vec<WebhookSettings>,
    }

    fn read(text: &str) -> Result<Vec<Webhook>, Failure> {
        webhooks(&toml::from_str::<File>(text).unwrap().webhooks)
    }

    const WHOLE: &str = r#"
        [[webhooks]]
        name = "oncall"
        url = "https://pager.example/hunter2"
        secret = "hunter2-hunter2-hunter2"
        events = ["sync_failed", "diverged", "recovered"]
        hold = "5m"
        quiet_hours = [
            { days = "mon-fri", from = "22:00", to = "07:00", time_zone = "Europe/Berlin" },
        ]
        [[webhooks]]
        name = "chat"
        url = "https://hooks.slack.com/services/hunter2"
        format = "slack"
    "#;

    #[test]
    fn receivers_are_read_with_what_they_want_to_be_told() {
        let read = read(WHOLE).unwrap();
        let [oncall, chat] = &read[..] else { panic!("{read:?}") };
        let kinds = BTreeSet::from([AlertKind::SyncFailed, AlertKind::Diverged]);
        assert_eq!((&oncall.policy.kinds, oncall.policy.tells_recovery), (&kinds, true));
        assert_eq!(oncall.policy.hold, Duration::from_secs(300));
        // 2026-11-27, a Friday: 23:00 in Berlin, then 12:00.
        let is_open = |ms| oncall.policy.open.at(UnixTime(ms)).is_open;
        assert!(!is_open(1_795_816_800_000));
        assert!(is_open(1_795_777_200_000));
        assert_eq!((chat.format, &chat.secret), (WebhookFormat::Slack, &None));
        assert_eq!((chat.policy.kinds.len(), chat.policy.hold), (AlertKind::ALL.len(), HOLD));
        assert!(!format!("{oncall:?} {chat:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_named_without_a_secret() {
        let with = |keys: &str| {
            let base = "[[webhooks]]\nname = \"a\"\n";
            let rest = ["url = \"https://a/\"\n", "secret = \"0123456789abcdef\"\n"];
            let missing =
                rest.iter().filter(|line| !keys.contains(line.split(' ').next().unwrap()));
            format!("{base}{keys}\n{}", missing.copied().collect::<String>())
        };
        for (keys, part) in [
            ("secret = \"hunter2\"", "16 bytes or more"),
            ("url = \"hunter2\"", "no URL"),
            ("url_file = \"/nowhere\"", "url_file /nowhere cannot be read"),
            ("events = [\"sync_lost\"]", "\"sync_lost\" is not one of sync_failed, diverged"),
            ("events = [\"recovered\"]", "nothing that begins"),
            ("hold = \"25h\"", "hold: write a time"),
            ("hold = \"long\"", "hold: write a time"),
            ("format = \"slack\"", "not signed"),
            ("quiet_hours = [{ from = \"1:00\", to = \"02:00\" }]", "quiet_hours: "),
            ("quiet_hours = [{ days = \"dog\", from = \"01:00\", to = \"02:00\" }]", "day"),
            (
                "quiet_hours = [{ time_zone = \"Mars\", from = \"01:00\", to = \"02:00\" }]",
                "\"Mars\" is no time zone",
            ),
        ] {
            let failure = read(&with(keys)).unwrap_err();
            assert!(failure.message.starts_with("webhook \"a\": "), "{failure}");
            assert!(failure.message.contains(part), "{keys}: {failure}");
            assert!(!failure.message.contains("hunter2"), "{failure}");
        }
        let two = with("").repeat(2);
        assert!(read(&two).unwrap_err().message.contains("two of this name"));
        let failure = read("[[webhooks]]\nname = \"a b\"\nurl = \"https://a/\"").unwrap_err();
        assert!(failure.message.contains("name: write"), "{failure}");
        let failure = read("[[webhooks]]\nname = \"a\"\nurl = \"https://a/\"").unwrap_err();
        assert!(failure.message.contains("secret_file is missing"), "{failure}");
    }
}
