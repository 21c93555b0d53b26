//! The identity provider whose JWTs count: the section `[oidc]` of the file of principals.

use std::path::PathBuf;
use std::sync::Arc;

use deepclone_core::unix_time::UnixTime;
use serde::Deserialize;

use super::check::verify;
use super::claims::JwtClaims;
use super::fetch::KeyUrl;
use super::key_source::{KeyPlace, KeySource, OpenKeys};
use super::refusal::JwtRefusal;

/// The section as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::access) struct OidcSettings {
    issuer: String,
    audience: String,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
    jwks_ca_file: Option<PathBuf>,
}

/// Whose JWTs count, and for whom they must be.
#[derive(Clone, Debug)]
pub(in crate::access) struct TokenIssuer {
    issuer: String,
    audience: String,
    keys: Arc<KeySource>,
}

/// What a JWT comes to.
#[derive(Debug, PartialEq)]
pub(in crate::access) enum Judged {
    /// It counts, and says this.
    Counts(JwtClaims),
    /// It is signed by a key of the provider, and does not count.
    Refused(JwtRefusal, JwtClaims),
    /// Nobody knows whose it is.
    Unverified(JwtRefusal),
    /// Its key is not known, and is asked for.
    KeyAsked,
}

impl TokenIssuer {
    /// Checks the section, and opens its source of keys, or goes on with the one that is open.
    pub(in crate::access) fn new(settings: OidcSettings, open: &OpenKeys) -> Result<Self, String> {
        let OidcSettings { issuer, audience, jwks_file, jwks_url, jwks_ca_file } = settings;
        if issuer.is_empty() || audience.is_empty() {
            return Err("issuer and audience may not be empty".to_owned());
        }
        let place = match (jwks_file, jwks_url, jwks_ca_file) {
            (Some(file), None, None) => KeyPlace::File(file),
            (None, Some(url), authorities) => KeyPlace::Url(KeyUrl::new(&url, authorities)?),
            (Some(_), None, Some(_)) => return Err("jwks_ca_file is for jwks_url".to_owned()),
            _ => return Err("write jwks_file or jwks_url, one of them".to_owned()),
        };
        Ok(Self { issuer, audience, keys: open.at(place)? })
    }

    /// Says what a token that has the shape of a JWT comes to.
    pub(in crate::access) fn judge(&self, token: &str, now: UnixTime) -> Judged {
        let claims = match verify(token, &self.keys.get()) {
            Ok(claims) => claims,
            Err(JwtRefusal::UnknownKey) if self.keys.ask_again() => return Judged::KeyAsked,
            Err(refusal) => return Judged::Unverified(refusal),
        };
        match claims.check(&self.issuer, &self.audience, now) {
            Ok(()) => Judged::Counts(claims),
            Err(refusal) => Judged::Refused(refusal, claims),
        }
    }
}
