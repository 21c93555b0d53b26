//! Credential → principal.

use std::collections::HashMap;
use std::sync::Arc;

use deepclone_core::access::Principal;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;

use super::credential::Credential;

/// Why nobody is known by a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCaller {
    #[error("the coordinator wants to know who asks: give --token-file, or --cert-file")]
    NoCredential,
    #[error("the coordinator knows nobody by this credential")]
    Nobody,
    #[error("the time of this token is over: get a new one")]
    Expired,
}

impl From<UnknownCaller> for Failure {
    fn from(error: UnknownCaller) -> Self {
        Self::new(Reason::Unauthenticated, error.to_string())
    }
}

/// A token of a principal.
#[derive(Clone, Debug)]
pub(super) struct KnownToken {
    pub(super) digest: [u8; 32],
    /// `None`: it counts until it is taken out of the file.
    pub(super) expires: Option<UnixTime>,
}

/// The principals of a file by what they show.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessPolicy {
    tokens: HashMap<[u8; 32], (Arc<Principal>, Option<UnixTime>)>,
    certificates: HashMap<String, Arc<Principal>>,
}

impl AccessPolicy {
    /// Adds a principal; returns what another one shows already.
    pub(super) fn add(
        &mut self,
        principal: Principal,
        tokens: Vec<KnownToken>,
        certificates: Vec<String>,
    ) -> Result<(), &'static str> {
        let principal = Arc::new(principal);
        for KnownToken { digest, expires } in tokens {
            if self.tokens.insert(digest, (Arc::clone(&principal), expires)).is_some() {
                return Err("tokens");
            }
        }
        for name in certificates {
            let name = if name.contains("://") { name } else { name.to_lowercase() };
            if self.certificates.insert(name, Arc::clone(&principal)).is_some() {
                return Err("certificates");
            }
        }
        Ok(())
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
            Credential::Token(digest) => match self.tokens.get(digest) {
                None => Err(UnknownCaller::Nobody),
                Some((_, Some(expires))) if now >= *expires => Err(UnknownCaller::Expired),
                Some((principal, _)) => Ok(Arc::clone(principal)),
            },
            Credential::Certificate(names) => {
                let found = names.iter().find_map(|name| self.certificates.get(name));
                found.cloned().ok_or(UnknownCaller::Nobody)
            }
        }
    }
}
