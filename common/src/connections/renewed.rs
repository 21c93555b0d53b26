//! Credentials that count for some time, and are asked for again before their end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deepclone_core::unix_time::UnixTime;
use object_store::CredentialProvider;
use tokio::sync::Mutex;

use crate::clock::Clock;

/// How long before their end new credentials are asked for.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// How long nobody asks again after a failure while the credentials of before still count.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Tells credentials that count for some time.
#[async_trait]
pub(super) trait CredentialSource: Send + Sync {
    type Credential: Send + Sync;

    /// Tells credentials, and until when they count; `None`: for as long as the process runs.
    ///
    /// # Errors
    /// What went wrong, without anything secret.
    async fn ask(&self) -> Result<(Self::Credential, Option<UnixTime>), String>;
}

/// Credentials, and until when they count.
struct Told<T> {
    credential: Arc<T>,
    /// `None`: for as long as the process runs.
    ends: Option<UnixTime>,
    /// Not before this time is asked again.
    again: UnixTime,
}

/// Credentials that a source tells, as long as they count.
pub(super) struct Renewed<S: CredentialSource> {
    connection: String,
    /// The key of the settings that leads to the source.
    key: &'static str,
    source: S,
    /// One asks at a time; the others wait for it.
    told: Mutex<Option<Told<S::Credential>>>,
}

impl<S: CredentialSource> Renewed<S> {
    pub(super) fn new(connection: &str, key: &'static str, source: S) -> Self {
        Self { connection: connection.to_owned(), key, source, told: Mutex::new(None) }
    }

    async fn at(&self, now: UnixTime) -> Result<Arc<S::Credential>, String> {
        let mut told = self.told.lock().await;
        if let Some(told) = told.as_ref()
            && now < told.again
        {
            return Ok(Arc::clone(&told.credential));
        }
        match self.ask(now).await {
            Ok(new) => Ok(Arc::clone(&told.insert(new).credential)),
            // A source that fails now and then costs nothing while there is time.
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
        format!("connection {:?}: {}: {why}", self.connection, self.key)
    }

    async fn ask(&self, now: UnixTime) -> Result<Told<S::Credential>, String> {
        let (credential, ends) = self.source.ask().await?;
        if ends.is_some_and(|ends| ends <= now) {
            return Err("the credentials that it told are over already".to_owned());
        }
        let again = match ends {
            None => UnixTime(i64::MAX),
            // Short ones are renewed at half of their time.
            Some(ends) => {
                let half = UnixTime(now.0 + (ends.0 - now.0) / 2);
                ends.before(RENEWED_BEFORE).max(half)
            }
        };
        Ok(Told { credential: Arc::new(credential), ends, again })
    }
}

/// Parses the time until which credentials count.
///
/// # Errors
/// It is no time by RFC 3339.
pub(super) fn end_of(text: &str) -> Result<UnixTime, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    let time = time.map_err(|_| "its \"Expiration\" is no time".to_owned())?;
    Ok(UnixTime(time.timestamp_millis()))
}

impl<S: CredentialSource> fmt::Debug for Renewed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Renewed");
        shown.field("connection", &self.connection).field("key", &self.key).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: CredentialSource> CredentialProvider for Renewed<S> {
    type Credential = S::Credential;

    async fn get_credential(&self) -> object_store::Result<Arc<S::Credential>> {
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

    /// The beginning of 2026-11-27, UTC.
    const NOW: UnixTime = UnixTime(1_795_737_600_000);
    const HOUR_MS: i64 = 3_600_000;

    /// Tells what it is set to; nothing is a failure.
    #[derive(Default)]
    struct Set(Mutex<Option<(&'static str, Option<&'static str>)>>);

    #[async_trait]
    impl CredentialSource for Set {
        type Credential = &'static str;

        async fn ask(&self) -> Result<(&'static str, Option<UnixTime>), String> {
            let (token, ends) = self.0.lock().await.ok_or("it failed")?;
            Ok((token, ends.map(end_of).transpose()?))
        }
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_their_end_and_outlive_a_failure() {
        let credentials = Renewed::new("lake", "key", Set::default());
        let answer = async |told: Option<(_, _)>| *credentials.source.0.lock().await = told;
        let at = |after_ms: i64| credentials.at(UnixTime(NOW.0 + after_ms));
        answer(Some(("one", Some("2026-11-27T01:00:00Z")))).await;
        assert_eq!(*at(0).await.unwrap(), "one");
        answer(Some(("two", Some("2026-11-27T02:00:00Z")))).await;
        assert_eq!(*at(HOUR_MS - 300_001).await.unwrap(), "one");
        assert_eq!(*at(HOUR_MS - 300_000).await.unwrap(), "two");
        // It fails until they are over.
        answer(None).await;
        assert_eq!(*at(2 * HOUR_MS - 300_000).await.unwrap(), "two");
        assert_eq!(*at(2 * HOUR_MS - 1).await.unwrap(), "two");
        let refused = at(2 * HOUR_MS).await.unwrap_err();
        assert_eq!(refused, "connection \"lake\": key: it failed");
        // Short ones last for half of their time.
        answer(Some(("three", Some("2026-11-27T02:01:00Z")))).await;
        assert_eq!(*at(2 * HOUR_MS).await.unwrap(), "three");
        answer(Some(("four", Some("2026-11-27T09:00:00Z")))).await;
        assert_eq!(*at(2 * HOUR_MS + 29_999).await.unwrap(), "three");
        assert_eq!(*at(2 * HOUR_MS + 30_000).await.unwrap(), "four");
    }

    #[tokio::test]
    async fn credentials_that_are_over_are_none_and_those_without_an_end_stay() {
        let credentials = Renewed::new("lake", "key", Set::default());
        let answer = async |told: Option<(_, _)>| *credentials.source.0.lock().await = told;
        answer(Some(("old", Some("2026-11-27T00:00:00Z")))).await;
        assert!(credentials.at(NOW).await.unwrap_err().contains("over already"));
        answer(Some(("bad", Some("soon")))).await;
        assert!(credentials.at(NOW).await.unwrap_err().contains("is no time"));
        answer(Some(("for ever", None))).await;
        assert_eq!(*credentials.at(NOW).await.unwrap(), "for ever");
        answer(None).await;
        assert_eq!(*credentials.at(UnixTime(i64::MAX - 1)).await.unwrap(), "for ever");
    }
}
