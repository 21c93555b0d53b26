//! Sends a body by POST to an address that the configuration names, for lineage, webhooks and
//! traces.
//!
//! An address may be a secret as a whole, so no error and no log shows more of it than its host.
//! No redirect is followed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};

use crate::secret::Secret;
use crate::this_machine::is_this_machine;

/// How long one attempt may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The pause after the first attempt that failed; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where bodies are sent, and whose certificate is believed there.
#[derive(Clone, PartialEq, Eq)]
pub struct PostAddress {
    url: Url,
    /// Without it the authorities of the operating system.
    authorities: Option<PathBuf>,
    /// How long one attempt may take.
    pub time_max: Duration,
}

/// Why a body was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The same may be taken later.
    #[error("{0}")]
    Later(String),
    /// The receiver does not take it.
    #[error("{0}")]
    Refused(String),
}

/// Sends bodies to one address.
#[derive(Clone, Debug)]
pub struct Poster {
    client: Client,
    address: PostAddress,
}

/// Returns the pause after the n-th attempt that failed, from 1: each one is longer than the one
/// before, up to a minute.
#[must_use]
pub fn pause_after(attempt: u32) -> Duration {
    let doubled = attempt.saturating_sub(1).min(16);
    PAUSE_FIRST.saturating_mul(1 << doubled).min(PAUSE_MAX)
}

impl PostAddress {
    /// Reads an address and checks the file of the authorities.
    ///
    /// # Errors
    /// What is wrong, without the address.
    pub fn new(url: &Secret, authorities: Option<PathBuf>) -> Result<Self, String> {
        let url: Url = url.expose().trim().parse().map_err(|_| "url: it is no URL".to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err("url: write https://… or http://…".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("url: write no name and password into it".to_owned());
        }
        let new = Self { url, authorities, time_max: ANSWER_TIME_MAX };
        new.certificates()?;
        Ok(new)
    }

    /// Returns whether what is sent there can be read on the way.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        self.url.scheme() == "http" && !is_this_machine(self.url.host_str().unwrap_or_default())
    }

    fn certificates(&self) -> Result<Option<Vec<Certificate>>, String> {
        let Some(file) = &self.authorities else { return Ok(None) };
        let failed = |what: &str| format!("ca_file {}: {what}", file.display());
        let text =
            std::fs::read(file).map_err(|error| failed(&format!("it cannot be read: {error}")))?;
        match Certificate::from_pem_bundle(&text) {
            Ok(found) if !found.is_empty() => Ok(Some(found)),
            _ => Err(failed("it holds no certificate in PEM")),
        }
    }
}

impl fmt::Display for PostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for PostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostAddress({self})")
    }
}

impl Poster {
    /// Makes the client of an address.
    ///
    /// # Errors
    /// The file of the authorities cannot be used any more.
    pub fn new(address: PostAddress) -> Result<Self, String> {
        // One for the whole process: whoever comes later finds it there.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("deepclone/", env!("CARGO_PKG_VERSION")))
            .timeout(address.time_max)
            .redirect(Policy::none());
        if let Some(certificates) = address.certificates()? {
            builder = builder.tls_certs_only(certificates);
        }
        if is_this_machine(address.url.host_str().unwrap_or_default()) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| shown(&error))?;
        Ok(Self { client, address })
    }

    /// Returns what may be shown of the address.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Sends a JSON text once, with these headers.
    ///
    /// # Errors
    /// Why it was not taken, and whether it may be later. No header and no path is shown.
    pub async fn post(
        &self,
        headers: &[(&'static str, Secret)],
        body: String,
    ) -> Result<(), PostError> {
        let mut sent = header_map(headers)?;
        sent.insert("content-type", HeaderValue::from_static("application/json"));
        self.send(sent, body.into()).await.map(drop)
    }

    /// Sends a body once, with these headers, and returns what is answered, up to a bound.
    ///
    /// # Errors
    /// Why it was not taken, and whether it may be later. No header and no path is shown.
    pub async fn post_body(&self, headers: HeaderMap, body: Bytes) -> Result<Bytes, PostError> {
        let mut answer = self.send(headers, body).await?;
        let mut taken = BytesMut::new();
        while taken.len() < ANSWER_BYTES_MAX {
            // It was taken, whatever becomes of the rest of the answer.
            let Ok(Some(next)) = answer.chunk().await else { break };
            taken.extend_from_slice(&next);
        }
        Ok(taken.freeze())
    }

    async fn send(&self, headers: HeaderMap, body: Bytes) -> Result<Response, PostError> {
        let later = |error: reqwest::Error| PostError::Later(shown(&error));
        let request = self.client.post(self.address.url.clone()).headers(headers).body(body);
        let answer = request.send().await.map_err(later)?;
        judge(answer.status())?;
        Ok(answer)
    }
}

/// Returns headers whose values are never shown.
///
/// # Errors
/// Names the header that is none, or that cannot hold its value.
pub fn header_map<N: AsRef<str>>(headers: &[(N, Secret)]) -> Result<HeaderMap, PostError> {
    let mut found = HeaderMap::new();
    for (name, value) in headers {
        let name = name.as_ref();
        let unknown = |_| PostError::Refused(format!("{name:?} is no name of a header"));
        let unfit = |_| PostError::Refused(format!("the header {name} cannot hold its value"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(unknown)?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        found.insert(key, value);
    }
    Ok(found)
}

fn judge(status: StatusCode) -> Result<(), PostError> {
    let text = format!("the answer is {status}");
    match status.as_u16() {
        _ if status.is_success() => Ok(()),
        408 | 425 | 429 => Err(PostError::Later(text)),
        _ if status.is_server_error() => Err(PostError::Later(text)),
        _ => Err(PostError::Refused(text)),
    }
}

/// Returns the error with its causes, in one line without the URL.
pub(crate) fn shown(error: &reqwest::Error) -> String {
    let mut text = match error.is_timeout() {
        true => "the answer took too long".to_owned(),
        false => "there is no answer".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(of) = cause {
        text = format!("{text}: {of}").replace('\n', " ");
        cause = of.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<PostAddress, String> {
        PostAddress::new(&Secret::new(url), None)
    }

    #[test]
    fn an_address_shows_its_host_alone() {
        let found = address("https://hooks.example:8443/services/hunter2?token=hunter2").unwrap();
        assert_eq!(found.to_string(), "https://hooks.example:8443");
        let debug = format!("{found:?} {:?}", Poster::new(found.clone()).unwrap());
        assert!(!debug.contains("hunter2"), "{debug}");
        assert!(!found.is_open_to_others());
        for (url, is_open) in [("http://127.0.0.1:1/", false), ("http://marquez/", true)] {
            assert_eq!(address(url).unwrap().is_open_to_others(), is_open, "{url}");
        }
    }

    #[test]
    fn an_address_that_is_wrong_is_refused_without_being_shown() {
        for (url, part) in [
            ("hunter2", "no URL"),
            ("ftp://hunter2/", "write https"),
            ("https://user:hunter2@host/", "no name and password"),
        ] {
            let why = address(url).unwrap_err();
            assert!(why.contains(part) && !why.contains("hunter2"), "{url}: {why}");
        }
        let missing = PostAddress::new(&Secret::new("https://host/"), Some("/nowhere".into()));
        assert!(missing.unwrap_err().contains("ca_file /nowhere: it cannot be read"));
    }

    #[test]
    fn what_may_help_is_tried_again() {
        for (status, expected) in [
            (200, None),
            (204, None),
            (301, Some(false)),
            (400, Some(false)),
            (401, Some(false)),
            (404, Some(false)),
            (408, Some(true)),
            (429, Some(true)),
            (500, Some(true)),
            (503, Some(true)),
        ] {
            let judged = judge(StatusCode::from_u16(status).unwrap());
            let is_later = judged.err().map(|error| matches!(error, PostError::Later(_)));
            assert_eq!(is_later, expected, "{status}");
        }
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let seconds: Vec<f32> = (1..=9).map(|attempt| pause_after(attempt).as_secs_f32()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(pause_after(u32::MAX), PAUSE_MAX);
    }
}
