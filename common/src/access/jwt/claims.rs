//! What a verified JWT says, and which claims make a principal known.

use std::collections::BTreeMap;

use deepclone_core::unix_time::UnixTime;
use serde_json::{Map, Value};

use super::limits::LEEWAY;
use super::refusal::JwtRefusal;

/// The claims of a JWT whose signature counts.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::access) struct JwtClaims(pub(super) Map<String, Value>);

impl JwtClaims {
    /// Whom the token is about, for the log.
    pub(in crate::access) fn sub(&self) -> Option<&str> {
        self.0.get("sub").and_then(Value::as_str)
    }

    /// Checks who issued the token for whom, and its time.
    pub(super) fn check(
        &self,
        issuer: &str,
        audience: &str,
        now: UnixTime,
    ) -> Result<(), JwtRefusal> {
        if self.0.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(JwtRefusal::WrongIssuer);
        }
        if !self.says("aud", audience) {
            return Err(JwtRefusal::WrongAudience);
        }
        let end = self.time("exp")?.ok_or(JwtRefusal::NoEnd)?;
        if seconds(now.before(LEEWAY)) >= end {
            return Err(JwtRefusal::Over);
        }
        match self.time("nbf")? {
            Some(begin) if seconds(now.after(LEEWAY)) < begin => Err(JwtRefusal::NotYet),
            _ => Ok(()),
        }
    }

    /// Whether a claim is this text, or a list that holds it.
    fn says(&self, claim: &str, text: &str) -> bool {
        match self.0.get(claim) {
            Some(Value::String(one)) => one == text,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(text)),
            _ => false,
        }
    }

    /// A time in seconds since 1970, which may have a fraction.
    fn time(&self, claim: &str) -> Result<Option<f64>, JwtRefusal> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        value.as_f64().map(Some).ok_or(JwtRefusal::Malformed)
    }
}

fn seconds(time: UnixTime) -> f64 {
    time.0 as f64 / 1000.0
}

/// Claims and the texts that they must hold, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::access) struct ClaimMatch(BTreeMap<String, String>);

impl ClaimMatch {
    /// Reads one match, or a list of them, as the file of principals has it.
    pub(in crate::access) fn parse(value: &toml::Value) -> Result<Vec<Self>, String> {
        let what = "jwt: write claims with their texts, as in { sub = \"…\" }, or a list of such";
        let one = |value: &toml::Value| {
            let table = value.as_table().filter(|table| !table.is_empty())?;
            let texts = table.iter().map(|(claim, text)| {
                let text = text.as_str().filter(|text| !text.is_empty())?;
                Some((claim.clone(), text.to_owned()))
            });
            texts.collect::<Option<_>>().map(Self)
        };
        let found = match value {
            toml::Value::Array(all) if all.is_empty() => None,
            toml::Value::Array(all) => all.iter().map(one).collect(),
            value => one(value).map(|one| vec![one]),
        };
        found.ok_or_else(|| what.to_owned())
    }

    /// Whether the claims hold each of the texts.
    pub(in crate::access) fn holds(&self, claims: &JwtClaims) -> bool {
        self.0.iter().all(|(claim, text)| claims.says(claim, text))
    }

    /// Whether this one holds for whatever `other` holds for, as far as can be told from both.
    pub(in crate::access) fn covers(&self, other: &Self) -> bool {
        self.0.iter().all(|(claim, text)| other.0.get(claim) == Some(text))
    }
}
