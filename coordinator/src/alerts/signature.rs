//! The signature of a message: HMAC-SHA-256 of the time, a dot and the body, so that a receiver
//! knows who sent it, and that it is not one of before.

use std::fmt::Write as _;

use deepclone_common::secret::Secret;
use deepclone_core::unix_time::UnixTime;
use ring::hmac;

/// The header with the time, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "deepclone-timestamp";
/// The header with `v1=` and the signature in hexadecimal.
pub const SIGNATURE_HEADER: &str = "deepclone-signature";

/// Returns both headers of a message that is sent at `now`.
#[must_use]
pub fn signed(secret: &Secret, now: UnixTime, body: &str) -> [(&'static str, String); 2] {
    let timestamp = now.0.div_euclid(1_000).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    let mut signature = "v1=".to_owned();
    for byte in tag.as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(signature, "{byte:02x}");
    }
    [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_any_other_library() {
        // printf '%s' '1793721600.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = Secret::new("0123456789abcdef");
        let signed = signed(&secret, UnixTime(1_793_721_600_999), "{\"a\":1}");
        let expected = "v1=59f013e3dc8cd53efda83c7e9ffda8162e29e290522a7b79f9da94ca2279048a";
        assert_eq!(signed[0], (TIMESTAMP_HEADER, "1793721600".to_owned()));
        assert_eq!(signed[1], (SIGNATURE_HEADER, expected.to_owned()));
    }

    #[test]
    fn another_secret_time_or_body_is_another_signature() {
        let of = |secret: &str, ms, body| {
            let [_, (_, signature)] = signed(&Secret::new(secret), UnixTime(ms), body);
            signature
        };
        let one = of("a", 1_000, "x");
        assert_eq!(one, of("a", 1_999, "x"));
        for other in [of("b", 1_000, "x"), of("a", 2_000, "x"), of("a", 1_000, "y")] {
            assert_ne!(one, other);
        }
    }
}
