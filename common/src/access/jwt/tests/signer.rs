//! Keys that are made for a test, and sign what it wants.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use serde_json::{Value, json};

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key with a name.
pub(super) struct Signer {
    kid: &'static str,
    algorithm: &'static str,
    pair: Pair,
}

impl Signer {
    /// A key for `ES256`, `ES384` or `EdDSA`.
    pub(super) fn new(kid: &'static str, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |of| {
            let key = EcdsaKeyPair::generate_pkcs8(of, &random).unwrap();
            Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(of, key.as_ref(), &random).unwrap())
        };
        let pair = match algorithm {
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let key = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
            }
            _ => panic!("{algorithm}"),
        };
        Self { kid, algorithm, pair }
    }

    /// The bytes of the public key.
    pub(super) fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The public key as a provider publishes it.
    pub(super) fn jwk(&self) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.public();
        let mut jwk = json!({ "kid": self.kid, "use": "sig", "alg": self.algorithm });
        match self.algorithm {
            "EdDSA" => {
                jwk["kty"] = json!("OKP");
                jwk["crv"] = json!("Ed25519");
                jwk["x"] = json!(encoded(public));
            }
            algorithm => {
                jwk["kty"] = json!("EC");
                jwk["crv"] = json!(if algorithm == "ES256" { "P-256" } else { "P-384" });
                let (x, y) = public[1..].split_at(public.len() / 2);
                jwk["x"] = json!(encoded(x));
                jwk["y"] = json!(encoded(y));
            }
        }
        jwk
    }

    /// A token with the header of the key.
    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": self.algorithm, "kid": self.kid });
        self.token_with(&header, claims)
    }

    /// A token with this header, signed by the key whatever the header says.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
                signed.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The two parts that are signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A JWK Set of these keys.
pub(super) fn key_set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}
