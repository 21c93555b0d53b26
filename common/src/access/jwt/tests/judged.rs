//! What a JWT comes to: each claim, algorithm and key that is missing or wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deepclone_core::unix_time::UnixTime;
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::check::is_shaped;
use super::super::claims::ClaimMatch;
use super::super::issuer::{Judged, TokenIssuer};
use super::super::key_source::OpenKeys;
use super::super::refusal::JwtRefusal;
use super::rsa;
use super::signer::{Signer, key_set, message};

/// The end of most tokens here, in seconds.
const END: i64 = 1_796_000_600;

const NOW: UnixTime = UnixTime((END - 600) * 1000);

/// An issuer whose keys are this set.
fn issuer(set: &str) -> TokenIssuer {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, set).unwrap();
    let text = format!(
        "issuer = \"https://id.example\"\naudience = \"deepclone\"\njwks_file = {:?}",
        file.to_str().unwrap()
    );
    TokenIssuer::new(toml::from_str(&text).unwrap(), &OpenKeys::default()).unwrap()
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "deepclone", "sub": "anna", "exp": END })
}

/// Claims with others instead, or without those that are null.
fn changed(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// Why a token does not count; `None` for one that does.
fn refusal(issuer: &TokenIssuer, token: &str, now: UnixTime) -> Option<JwtRefusal> {
    match issuer.judge(token, now) {
        Judged::Counts(claims) => {
            assert_eq!(claims.sub(), Some("anna"));
            None
        }
        Judged::Refused(refusal, _) | Judged::Unverified(refusal) => Some(refusal),
        Judged::KeyAsked => panic!("a file is not asked"),
    }
}

#[test]
fn a_token_of_each_algorithm_counts() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let (signer, other) = (Signer::new("k", algorithm), Signer::new("k", algorithm));
        let issuer = issuer(&key_set(&[&signer]));
        let token = signer.token(&claims());
        assert!(is_shaped(&token));
        assert_eq!(refusal(&issuer, &token, NOW), None, "{algorithm}");
        let stolen = other.token(&claims());
        let wrong = Some(JwtRefusal::WrongSignature);
        assert_eq!(refusal(&issuer, &stolen, NOW), wrong, "{algorithm}");
        // The signature of one token under the claims of another.
        let (message, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = signer
            .token(&changed(&json!({ "sub": "eve" })))
            .rsplit_once('.')
            .map(|(message, signature)| (message.to_owned(), signature.to_owned()))
            .unwrap();
        let spliced = format!("{message}.{signature}");
        assert_eq!(refusal(&issuer, &spliced, NOW), wrong, "{algorithm}");
    }
}

#[test]
fn an_rsa_key_counts_for_what_it_says() {
    let key = json!({ "kty": "RSA", "kid": "rsa", "n": rsa::MODULUS, "e": "AQAB" });
    let of = |changes: &[(&str, &str)]| {
        let mut key = key.clone();
        for (name, value) in changes {
            key[*name] = json!(value);
        }
        issuer(&json!({ "keys": [key] }).to_string())
    };
    let any = of(&[]);
    let only = of(&[("alg", "RS256"), ("use", "sig")]);
    let other = rsa::MODULUS.replacen('s', "t", 1);
    let wrong = of(&[("n", &other)]);
    let (algorithm, signature) = (JwtRefusal::WrongAlgorithm, JwtRefusal::WrongSignature);
    for (issuer, token, expected) in [
        (&any, rsa::RS256, None),
        (&any, rsa::PS256, None),
        (&only, rsa::RS256, None),
        (&only, rsa::PS256, Some(algorithm)),
        (&wrong, rsa::RS256, Some(signature)),
        (&wrong, rsa::PS256, Some(signature)),
    ] {
        assert_eq!(refusal(issuer, token, NOW), expected, "{token}");
    }
}

#[test]
fn each_claim_that_is_missing_or_wrong_is_named() {
    use JwtRefusal::{Malformed, NoEnd, NotYet, Over, WrongAudience, WrongIssuer};
    let signer = Signer::new("k", "ES256");
    let issuer = issuer(&key_set(&[&signer]));
    let seconds = NOW.0 / 1000;
    for (changes, expected) in [
        (json!({}), None),
        (json!({ "iss": null }), Some(WrongIssuer)),
        (json!({ "iss": "https://id.example/" }), Some(WrongIssuer)),
        (json!({ "iss": ["https://id.example"] }), Some(WrongIssuer)),
        (json!({ "iss": 1 }), Some(WrongIssuer)),
        (json!({ "aud": null }), Some(WrongAudience)),
        (json!({ "aud": "other" }), Some(WrongAudience)),
        (json!({ "aud": [] }), Some(WrongAudience)),
        (json!({ "aud": ["other", "deepclone"] }), None),
        (json!({ "aud": ["deepclone2"] }), Some(WrongAudience)),
        (json!({ "aud": { "deepclone": true } }), Some(WrongAudience)),
        (json!({ "exp": null }), Some(NoEnd)),
        (json!({ "exp": "1796000600" }), Some(Malformed)),
        (json!({ "exp": seconds - 60 }), Some(Over)),
        (json!({ "exp": seconds - 59 }), None),
        (json!({ "exp": seconds as f64 - 59.5 }), None),
        (json!({ "exp": seconds as f64 - 60.5 }), Some(Over)),
        (json!({ "exp": -1 }), Some(Over)),
        (json!({ "nbf": seconds + 60 }), None),
        (json!({ "nbf": seconds + 61 }), Some(NotYet)),
        (json!({ "nbf": "soon" }), Some(Malformed)),
        (json!({ "nbf": [1] }), Some(Malformed)),
        (json!({ "iat": seconds + 1000 }), None),
    ] {
        let token = signer.token(&changed(&changes));
        assert_eq!(refusal(&issuer, &token, NOW), expected, "{changes}");
    }
    // By the time that is given, not by the machine's.
    let token = signer.token(&claims());
    for (now, expected) in [
        (UnixTime(0), None),
        (UnixTime((END + 60) * 1000 - 1), None),
        (UnixTime((END + 60) * 1000), Some(Over)),
        (UnixTime(i64::MAX), Some(Over)),
    ] {
        assert_eq!(refusal(&issuer, &token, now), expected, "{now}");
    }
}

#[test]
fn a_header_gets_no_other_key_or_algorithm_than_the_provider_published() {
    use JwtRefusal::{Extension, Malformed, NoKey, UnknownKey, WrongAlgorithm, WrongSignature};
    let (signer, thief) = (Signer::new("k", "ES256"), Signer::new("k", "ES256"));
    let (curve, edwards) = (Signer::new("other", "ES384"), Signer::new("e", "EdDSA"));
    let issuer = issuer(&key_set(&[&signer, &curve, &edwards]));
    let claims = claims();
    for (header, expected) in [
        (json!({ "alg": "ES256", "kid": "k" }), None),
        (json!({ "alg": "ES256", "kid": "K" }), Some(UnknownKey)),
        (json!({ "alg": "ES256", "kid": "" }), Some(UnknownKey)),
        (json!({ "alg": "ES256" }), Some(NoKey)),
        (json!({ "alg": "ES256", "kid": 1 }), Some(Malformed)),
        (json!({ "alg": "ES256", "kid": "other" }), Some(WrongAlgorithm)),
        (json!({ "alg": "ES384", "kid": "k" }), Some(WrongAlgorithm)),
        (json!({ "alg": "ES384", "kid": "other" }), Some(WrongSignature)),
        (json!({ "alg": "EdDSA", "kid": "e" }), Some(WrongSignature)),
        (json!({ "alg": "RS256", "kid": "k" }), Some(WrongAlgorithm)),
        (json!({ "alg": "HS256", "kid": "k" }), Some(WrongAlgorithm)),
        (json!({ "alg": "none", "kid": "k" }), Some(Malformed)),
        (json!({ "alg": "None", "kid": "k" }), Some(Malformed)),
        (json!({ "alg": "ES512", "kid": "k" }), Some(Malformed)),
        (json!({ "kid": "k" }), Some(Malformed)),
        (json!({ "alg": "ES256", "kid": "k", "crit": ["exp"] }), Some(Extension)),
        (json!({ "alg": "ES256", "kid": "k", "crit": [] }), Some(Extension)),
    ] {
        let token = signer.token_with(&header, &claims);
        assert!(is_shaped(&token));
        assert_eq!(refusal(&issuer, &token, NOW), expected, "{header}");
    }
    // A key in the header is nobody's, and what is at an address of it is not asked for.
    for (name, value) in [("jwk", thief.jwk()), ("jku", json!("https://evil.example/keys"))] {
        let mut header = json!({ "alg": "ES256", "kid": "k" });
        header[name] = value;
        let token = thief.token_with(&header, &claims);
        assert_eq!(refusal(&issuer, &token, NOW), Some(WrongSignature), "{name}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let signer = Signer::new("k", "ES256");
    let secret = json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": "c2VjcmV0" });
    let issuer = issuer(&json!({ "keys": [signer.jwk(), secret] }).to_string());
    for (kid, key, expected) in [
        ("k", signer.public(), JwtRefusal::WrongAlgorithm),
        // A provider that publishes a secret has it known to all: it is passed over.
        ("s", b"secret", JwtRefusal::UnknownKey),
    ] {
        let message = message(&json!({ "alg": "HS256", "kid": kid }), &claims());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(refusal(&issuer, &token, NOW), Some(expected), "{kid}");
        // Without a signature at all.
        let (bare, none) = (format!("{message}."), JwtRefusal::WrongAlgorithm);
        if kid == "k" {
            assert_eq!(refusal(&issuer, &bare, NOW), Some(none));
        }
    }
    let unsigned = message(&json!({ "alg": "none", "kid": "k" }), &claims());
    let expected = Some(JwtRefusal::Malformed);
    assert_eq!(refusal(&issuer, &format!("{unsigned}."), NOW), expected);
    let empty = message(&json!({ "alg": "ES256", "kid": "k" }), &claims());
    let expected = Some(JwtRefusal::WrongSignature);
    assert_eq!(refusal(&issuer, &format!("{empty}."), NOW), expected);
}

#[test]
fn what_is_no_jwt_has_not_its_shape_and_what_is_too_long_is_not_read() {
    let signer = Signer::new("k", "EdDSA");
    let issuer = issuer(&key_set(&[&signer]));
    let token = signer.token(&claims());
    let (header, rest) = token.split_once('.').unwrap();
    for (text, shaped) in [
        (String::new(), false),
        ("dct_abc".to_owned(), false),
        ("a.b".to_owned(), false),
        ("a.b.c".to_owned(), false),
        ("..".to_owned(), false),
        (format!("{header}.{rest}.more"), false),
        (format!("{}.a.b", URL_SAFE_NO_PAD.encode("[1]")), false),
        (format!("{}.a.b", URL_SAFE_NO_PAD.encode("{}")), true),
        (format!("{header}.."), true),
    ] {
        assert_eq!(is_shaped(&text), shaped, "{text}");
    }
    for (text, expected) in [
        (format!("{header}.."), JwtRefusal::WrongSignature),
        (format!("{header}.?.?"), JwtRefusal::Malformed),
        (format!("{token}="), JwtRefusal::Malformed),
    ] {
        assert_eq!(refusal(&issuer, &text, NOW), Some(expected), "{text}");
    }
    let no_claims = signer.token(&json!("anna"));
    assert_eq!(refusal(&issuer, &no_claims, NOW), Some(JwtRefusal::Malformed));
    // The longest one that is read, and one more.
    let padded = |bytes: usize| signer.token(&changed(&json!({ "pad": "x".repeat(bytes) })));
    let fits = (5_900..6_100).rev().map(padded).find(|token| token.len() <= 8 << 10).unwrap();
    assert_eq!(fits.len(), 8 << 10);
    assert_eq!(refusal(&issuer, &fits, NOW), None);
    let long = format!("{fits}A");
    assert!(is_shaped(&long));
    assert_eq!(refusal(&issuer, &long, NOW), Some(JwtRefusal::TooLong));
}

#[test]
fn keys_that_cannot_be_used_are_passed_over() {
    let signer = Signer::new("k", "ES256");
    let with = |changes: Value| {
        let mut key = signer.jwk();
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    };
    let bad = [
        json!({ "kty": "EC", "crv": "secp256k1", "kid": "k", "x": "AA", "y": "AA" }),
        json!({ "kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
        json!({ "kty": "??" }),
        json!("text"),
        with(json!({ "kid": null })),
        with(json!({ "use": "enc" })),
        with(json!({ "key_ops": ["sign"] })),
        with(json!({ "alg": "ES384" })),
        with(json!({ "x": "???" })),
    ];
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    let open = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let text = format!("issuer = \"i\"\naudience = \"a\"\njwks_file = \"{}\"", file.display());
        TokenIssuer::new(toml::from_str(&text).unwrap(), &OpenKeys::default()).unwrap_err()
    };
    for key in &bad {
        let what = open(&json!({ "keys": [key] }).to_string());
        assert!(what.contains("no key that signs"), "{key}: {what}");
    }
    for text in ["", "[]", "{}", "{\"keys\": 1}"] {
        assert!(open(text).contains("JWK Set"), "{text}");
    }
    let mut all = bad.to_vec();
    all.push(with(json!({ "key_ops": ["verify"] })));
    let issuer = issuer(&json!({ "keys": all }).to_string());
    assert_eq!(refusal(&issuer, &signer.token(&claims()), NOW), None);
}

#[test]
fn both_keys_count_while_a_provider_changes_them() {
    let (old, new) = (Signer::new("old", "ES256"), Signer::new("new", "EdDSA"));
    let same_name = Signer::new("old", "EdDSA");
    let both = issuer(&key_set(&[&old, &new, &same_name]));
    for signer in [&old, &new, &same_name] {
        assert_eq!(refusal(&both, &signer.token(&claims()), NOW), None);
    }
    let only = issuer(&key_set(&[&new]));
    let expected = Some(JwtRefusal::UnknownKey);
    assert_eq!(refusal(&only, &old.token(&claims()), NOW), expected);
    assert_eq!(refusal(&only, &new.token(&claims()), NOW), None);
}

#[test]
fn claims_match_by_text_or_by_a_list_that_holds_it() {
    let signer = Signer::new("k", "ES256");
    let issuer = issuer(&key_set(&[&signer]));
    let token = signer.token(&changed(&json!({
        "groups": ["data-platform", "all"], "team": "lake", "level": 3, "nested": { "a": "b" },
    })));
    let Judged::Counts(claims) = issuer.judge(&token, NOW) else { panic!("it counts") };
    let parse = |text: &str| {
        let table: toml::Table = toml::from_str(text).unwrap();
        ClaimMatch::parse(&table["jwt"])
    };
    for (text, expected) in [
        ("jwt = { sub = \"anna\" }", &[true][..]),
        ("jwt = { sub = \"ann\" }", &[false]),
        ("jwt = { groups = \"data-platform\" }", &[true]),
        ("jwt = { groups = \"data\" }", &[false]),
        ("jwt = { groups = \"all\", team = \"lake\" }", &[true]),
        ("jwt = { groups = \"all\", team = \"other\" }", &[false]),
        ("jwt = { level = \"3\" }", &[false]),
        ("jwt = { nested = \"b\" }", &[false]),
        ("jwt = { missing = \"anna\" }", &[false]),
        ("jwt = [{ sub = \"eve\" }, { sub = \"anna\" }]", &[false, true]),
    ] {
        let held: Vec<_> = parse(text).unwrap().iter().map(|of| of.holds(&claims)).collect();
        assert_eq!(held, expected, "{text}");
    }
    for text in [
        "jwt = \"anna\"",
        "jwt = {}",
        "jwt = []",
        "jwt = [{}]",
        "jwt = { sub = \"\" }",
        "jwt = { sub = 1 }",
        "jwt = { sub = [\"anna\"] }",
    ] {
        assert!(parse(text).unwrap_err().contains("write claims with their texts"), "{text}");
    }
}
