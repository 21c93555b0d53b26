//! A set of keys from a URL.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, StatusCode, Url};

use super::keys::VerifyingKeys;
use super::limits::{ANSWER_TIME_MAX, KEY_SET_BYTES_MAX, REDIRECTS_MAX};
use crate::post::shown;
use crate::this_machine::is_this_machine;

/// Where a set of keys is, and whose certificate is believed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyUrl {
    url: Url,
    /// Without it the authorities of the operating system.
    authorities: Option<PathBuf>,
    /// How long an answer may take.
    pub(super) time_max: Duration,
}

impl KeyUrl {
    /// Reads the settings, and the file of the authorities.
    pub(super) fn new(url: &str, authorities: Option<PathBuf>) -> Result<Self, String> {
        let malformed = |_| "jwks_url: it is no URL".to_owned();
        let url: Url = url.parse().map_err(malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(url.host_str().unwrap_or_default()) => {}
            _ => return Err("jwks_url: write https://…".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("jwks_url: keys are public, write no name and password".to_owned());
        }
        let new = Self { url, authorities, time_max: ANSWER_TIME_MAX };
        new.certificates()?;
        Ok(new)
    }

    /// Asks for the keys.
    pub(super) async fn fetch(&self) -> Result<VerifyingKeys, String> {
        let mut answer =
            self.client()?.get(self.url.clone()).send().await.map_err(|error| shown(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}", answer.status()));
        }
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| shown(&error))? {
            if text.len() + part.len() > KEY_SET_BYTES_MAX {
                return Err("the answer is longer than 1 MiB".to_owned());
            }
            text.extend_from_slice(&part);
        }
        VerifyingKeys::parse(&text)
    }

    /// A client for one request: keys are asked for once an hour, and the file of the authorities
    /// may be another one by then.
    fn client(&self) -> Result<Client, String> {
        // One for the whole process: whoever comes later finds it there.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let first = self.url.clone();
        let mut builder = Client::builder()
            .user_agent(concat!("deepclone/", env!("CARGO_PKG_VERSION")))
            .timeout(self.time_max)
            .redirect(Policy::custom(move |attempt| redirected(&first, attempt)));
        builder = match self.url.scheme() {
            "https" => builder.https_only(true),
            _ => builder.no_proxy(),
        };
        if let Some(certificates) = self.certificates()? {
            builder = builder.tls_certs_only(certificates);
        }
        builder.build().map_err(|error| shown(&error))
    }

    fn certificates(&self) -> Result<Option<Vec<Certificate>>, String> {
        let Some(file) = &self.authorities else { return Ok(None) };
        let failed = |what: &str| format!("jwks_ca_file {}: {what}", file.display());
        let text =
            std::fs::read(file).map_err(|error| failed(&format!("it cannot be read: {error}")))?;
        match Certificate::from_pem_bundle(&text) {
            Ok(found) if !found.is_empty() => Ok(Some(found)),
            _ => Err(failed("it holds no certificate in PEM")),
        }
    }
}

/// Follows a redirect within the host that the operator named, and no other.
fn redirected(first: &Url, attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let is_there = attempt.url().origin() == first.origin();
    match is_there && attempt.previous().len() <= REDIRECTS_MAX {
        true => attempt.follow(),
        false => attempt.error("it leads to another host, or there are too many"),
    }
}
