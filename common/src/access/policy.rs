//! Credential → principal.

use std::collections::HashMap;
use std::sync::Arc;

use deepclone_core::access::Principal;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;

use super::credential::Credential;
use super::jwt::{ClaimMatch, Judged, JwtRefusal, TokenIssuer, is_shaped};
use super::token::digest;

/// Why nobody is known by a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCaller {
    #[error("the coordinator wants to know who asks: give --token-file, or --cert-file")]
    NoCredential,
    #[error("the coordinator knows nobody by this credential")]
    Nobody,
    #[error("the time of this token is over: get a new one")]
    Expired,
    #[error(
        "the key of this token is not known yet, and is being asked for: try again in a minute"
    )]
    KeyAsked,
}

impl From<UnknownCaller> for Failure {
    fn from(error: UnknownCaller) -> Self {
        let reason = match error {
            UnknownCaller::NoCredential | UnknownCaller::Nobody | UnknownCaller::Expired => {
                Reason::Unauthenticated
            }
            // The same credential may count in a minute: a worker waits instead of giving up.
            UnknownCaller::KeyAsked => Reason::CoordinatorUnavailable,
        };
        Self::new(reason, error.to_string())
    }
}

/// A token of a principal.
#[derive(Clone, Debug)]
pub(super) struct KnownToken {
    pub(super) digest: [u8; 32],
    /// `None`: it counts until it is taken out of the file.
    pub(super) expires: Option<UnixTime>,
}

/// By what a principal is known: tokens, names of certificates, claims of JWTs.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownBy {
    pub(super) tokens: Vec<KnownToken>,
    pub(super) certificates: Vec<String>,
    pub(super) claims: Vec<ClaimMatch>,
}

/// The principals of a file by what they show.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessPolicy {
    tokens: HashMap<[u8; 32], (Arc<Principal>, Option<UnixTime>)>,
    certificates: HashMap<String, Arc<Principal>>,
    /// In the order of the file: the first that matches counts.
    claims: Vec<(ClaimMatch, Arc<Principal>)>,
    /// Whose JWTs count; `None`: nobody's.
    pub(super) issuer: Option<TokenIssuer>,
}

impl AccessPolicy {
    /// Whether anything that may be shown still leads to this very principal.
    pub(super) fn has(&self, principal: &Principal) -> bool {
        let by_token = self.tokens.values().map(|(of, _)| of);
        let by_claims = self.claims.iter().map(|(_, of)| of);
        let mut all = by_token.chain(self.certificates.values()).chain(by_claims);
        all.any(|of| **of == *principal)
    }

    /// Adds a principal; returns what another one shows already.
    pub(super) fn add(&mut self, principal: Principal, by: KnownBy) -> Result<(), &'static str> {
        let principal = Arc::new(principal);
        for KnownToken { digest, expires } in by.tokens {
            if self.tokens.insert(digest, (Arc::clone(&principal), expires)).is_some() {
                return Err("tokens");
            }
        }
        for name in by.certificates {
            let name = if name.contains("://") { name } else { name.to_lowercase() };
            if self.certificates.insert(name, Arc::clone(&principal)).is_some() {
                return Err("certificates");
            }
        }
        for claims in by.claims {
            if self.claims.iter().any(|(before, _)| before.covers(&claims)) {
                return Err("jwt");
            }
            self.claims.push((claims, Arc::clone(&principal)));
        }
        Ok(())
    }

    /// Whether anybody is known by a JWT.
    pub(super) fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Returns who shows this credential. Tokens are looked up by their digests, so that the time
    /// it takes tells nothing of them.
    pub(super) fn who(
        &self,
        credential: &Credential,
        now: UnixTime,
    ) -> Result<Arc<Principal>, UnknownCaller> {
        match credential {
            Credential::None => Err(UnknownCaller::NoCredential),
            Credential::Malformed => Err(UnknownCaller::Nobody),
            Credential::Token(token) => match &self.issuer {
                Some(issuer) if is_shaped(token.expose()) => {
                    self.who_by_jwt(issuer.judge(token.expose(), now))
                }
                _ => self.who_by_digest(digest(token.expose()), now),
            },
            Credential::Certificate(names) => {
                let found = names.iter().find_map(|name| self.certificates.get(name));
                found.cloned().ok_or(UnknownCaller::Nobody)
            }
        }
    }

    fn who_by_digest(
        &self,
        digest: [u8; 32],
        now: UnixTime,
    ) -> Result<Arc<Principal>, UnknownCaller> {
        match self.tokens.get(&digest) {
            None => Err(UnknownCaller::Nobody),
            Some((_, Some(expires))) if now >= *expires => Err(UnknownCaller::Expired),
            Some((principal, _)) => Ok(Arc::clone(principal)),
        }
    }

    /// Returns whom the claims name. What is wrong with a token stands in the log alone, and whom
    /// it is about only when a key of the provider signed it.
    fn who_by_jwt(&self, judged: Judged) -> Result<Arc<Principal>, UnknownCaller> {
        match judged {
            Judged::Counts(claims) => {
                let found = self.claims.iter().find(|(of, _)| of.holds(&claims));
                found.map(|(_, principal)| Arc::clone(principal)).ok_or_else(|| {
                    tracing::info!(
                        sub = claims.sub(),
                        "a JWT is refused: no principal has its claims"
                    );
                    UnknownCaller::Nobody
                })
            }
            Judged::Refused(refusal, claims) => {
                tracing::info!(sub = claims.sub(), "a JWT is refused: {refusal}");
                match refusal {
                    JwtRefusal::Over => Err(UnknownCaller::Expired),
                    _ => Err(UnknownCaller::Nobody),
                }
            }
            Judged::Unverified(refusal) => {
                tracing::info!("a JWT is refused: {refusal}");
                Err(UnknownCaller::Nobody)
            }
            Judged::KeyAsked => {
                tracing::info!("a JWT is refused: its key is not known, and is asked for");
                Err(UnknownCaller::KeyAsked)
            }
        }
    }
}
