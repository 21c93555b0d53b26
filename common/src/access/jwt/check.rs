//! A JWT → its claims, if it counts (RFC 7519, and what RFC 8725 adds).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::claims::JwtClaims;
use super::keys::VerifyingKeys;
use super::limits::TOKEN_BYTES_MAX;
use super::refusal::JwtRefusal;

/// Whether a token has the shape of a JWT: three parts, of which the first is JSON.
pub(in crate::access) fn is_shaped(token: &str) -> bool {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // What is too long is refused as such, unread.
    token.len() > TOKEN_BYTES_MAX
        || URL_SAFE_NO_PAD
            .decode(header)
            .is_ok_and(|json| serde_json::from_slice::<Map<String, Value>>(&json).is_ok())
}

/// Returns the claims of a token that is signed by one of the keys. The time, the issuer and the
/// audience are not looked at.
pub(super) fn verify(token: &str, keys: &VerifyingKeys) -> Result<JwtClaims, JwtRefusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(JwtRefusal::TooLong);
    }
    let header = decode_header(token).map_err(|_| JwtRefusal::Malformed)?;
    if header.crit.is_some() {
        return Err(JwtRefusal::Extension);
    }
    let kid = header.kid.as_deref().ok_or(JwtRefusal::NoKey)?;
    // Only the signature: the crate's other checks read the system's clock, or let a claim be
    // missing or of another type.
    let mut signature_only = Validation::new(header.alg);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    let mut refusal = JwtRefusal::UnknownKey;
    for key in keys.named(kid) {
        if !key.is_for(header.alg) {
            refusal = JwtRefusal::WrongAlgorithm;
            continue;
        }
        match decode::<Map<String, Value>>(token, &key.key, &signature_only) {
            Ok(data) => return Ok(JwtClaims(data.claims)),
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => refusal = JwtRefusal::WrongSignature,
                _ => return Err(JwtRefusal::Malformed),
            },
        }
    }
    Err(refusal)
}
