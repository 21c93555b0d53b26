//! Tokens: long random texts, of which only the digest is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::random;
use crate::secret::Secret;

/// By this people and scanners for lost secrets know a token of ours.
const PREFIX: &str = "dct_";

/// A token that nobody has yet.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What its owner shows.
    pub token: Secret,
    /// What the file of principals keeps.
    pub sha256: String,
}

/// Makes a token of 244 random bits.
#[must_use]
pub fn new_token() -> NewToken {
    let (first, second) = (random::uuid(), random::uuid());
    let bytes = [first.into_bytes(), second.into_bytes()].concat();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest = digest(&token);
    let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    NewToken { token: Secret::new(token), sha256 }
}

/// The digest of a token, under which it is looked up.
pub(super) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Parses a digest as the file has it.
pub(super) fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_random_and_known_by_its_digest() {
        let (one, other) = (new_token(), new_token());
        assert_ne!(one.token, other.token);
        assert!(one.token.expose().starts_with(PREFIX) && one.token.expose().len() == 47);
        assert_eq!(digest_of_hex(&one.sha256), Some(digest(one.token.expose())));
        assert!(!format!("{one:?}").contains(one.token.expose()));
        for text in ["", "ab", &"g".repeat(64), &"+1".repeat(32), &"é".repeat(32)] {
            assert_eq!(digest_of_hex(text), None, "{text}");
        }
    }
}
