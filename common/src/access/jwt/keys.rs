//! The public keys of an identity provider: a JWK Set (RFC 7517).

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::provider;

/// The shortest RSA modulus that is checked, in bytes, and the longest.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys that sign JWTs.
#[derive(Clone, Debug, Default)]
pub(super) struct VerifyingKeys(Vec<VerifyingKey>);

/// A key, and the algorithms that it may be used with.
#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    kid: String,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl VerifyingKey {
    /// Whether a signature of this algorithm may be by the key.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl VerifyingKeys {
    /// Reads a set. Keys that cannot be used are passed over, for providers also publish others:
    /// those without a name (`kid`), shared secrets, keys for encryption, unknown curves.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        provider::install();
        let set: KeySet = serde_json::from_slice(text)
            .map_err(|_| "it is no JSON with a list \"keys\" (a JWK Set)".to_owned())?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(verifying_key).collect();
        match keys.is_empty() {
            true => Err("it holds no key that signs: RSA, P-256, P-384 or Ed25519".to_owned()),
            false => Ok(Self(keys)),
        }
    }

    /// The keys of this name; more than one where a provider has one name for several kinds.
    pub(super) fn named<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a VerifyingKey> {
        self.0.iter().filter(move |key| key.kid == kid)
    }
}

fn verifying_key(value: Value) -> Option<VerifyingKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let is_to_sign = |of: &PublicKeyUse| *of == PublicKeyUse::Signature;
    let is_to_verify = |of: &Vec<KeyOperations>| of.contains(&KeyOperations::Verify);
    if !common.public_key_use.as_ref().is_none_or(is_to_sign)
        || !common.key_operations.as_ref().is_none_or(is_to_verify)
    {
        return None;
    }
    let mut algorithms = algorithms(&jwk.algorithm);
    if let Some(only) = common.key_algorithm {
        algorithms.retain(|algorithm| key_algorithm(*algorithm) == Some(only));
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let is_usable = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => RSA_BYTES.contains(&n.len()),
        DecodingKeyKind::SecretOrDer(_) => key.family() != AlgorithmFamily::Hmac,
    };
    let kid = common.key_id.clone()?;
    (is_usable && !algorithms.is_empty()).then_some(VerifyingKey { kid, algorithms, key })
}

/// The algorithms of a kind of key.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
        AlgorithmParameters::EllipticCurve(of) => match of.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            EllipticCurve::P521 | EllipticCurve::Ed25519 => vec![],
        },
        AlgorithmParameters::OctetKeyPair(of) => match of.curve {
            EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            _ => vec![],
        },
        AlgorithmParameters::OctetKey(_) => vec![],
    }
}

/// The name of an algorithm in a key.
fn key_algorithm(algorithm: Algorithm) -> Option<KeyAlgorithm> {
    format!("{algorithm:?}").parse().ok()
}
